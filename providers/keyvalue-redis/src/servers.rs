//! The connections: one for each address, shared by its links and closed with the last of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use lattice_protocol::Error;
use mesh_provider::wrong;
use redis::Client;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use crate::limits;
use crate::settings::Settings;

/// A connection to a server, which is made when it is first used and made again when it is lost.
pub struct Server(ConnectionManager);

impl Server {
    /// Returns a handle for one request.
    pub fn connection(&self) -> ConnectionManager {
        self.0.clone()
    }
}

/// The servers that links lead to.
#[derive(Default)]
pub struct Servers(Mutex<HashMap<String, Weak<Server>>>);

impl Servers {
    /// Returns the server of a link.
    ///
    /// # Errors
    /// `bad_request` when its address can't be used.
    pub fn server(&self, settings: &Settings) -> Result<Arc<Server>, Error> {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|_, server| server.strong_count() > 0);
        if let Some(server) = servers.get(&settings.url).and_then(Weak::upgrade) {
            return Ok(server);
        }
        let unusable = |_| wrong("url", "is no address that a client can use");
        let client = Client::open(settings.server.clone()).map_err(unusable)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(limits::CONNECT_TIMEOUT_MS)))
            // Each request has its own time: see store.rs.
            .set_response_timeout(None)
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(limits::RECONNECT_PAUSE_MS));
        let manager = ConnectionManager::new_lazy_with_config(client, config).map_err(unusable)?;
        let server = Arc::new(Server(manager));
        servers.insert(settings.url.clone(), Arc::downgrade(&server));
        Ok(server)
    }
}
