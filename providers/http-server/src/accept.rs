//! Takes in connections, as many as there may be.

use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::connection;
use crate::limits;
use crate::server::Shared;

/// Takes in connections until the server stops.
pub async fn accept(shared: Arc<Shared>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let places = Arc::new(Semaphore::new(shared.limits.connections_max));
    let first = Duration::from_millis(limits::ACCEPT_PAUSE_FIRST_MS);
    let mut pause = first;
    let mut complaints = Complaints::default();
    loop {
        let accepted = match shared.stop.run_until_cancelled(listener.accept()).await {
            None => return,
            Some(accepted) => accepted,
        };
        let (tcp, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                // There may be no more files: connections that end give some back.
                let trouble = format!("no connection can be accepted: {error}");
                complaints.tell(&trouble);
                say(&shared, Some(trouble));
                shared.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(Duration::from_millis(limits::ACCEPT_PAUSE_MAX_MS));
                continue;
            }
        };
        if pause != first {
            pause = first;
            say(&shared, None);
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            complaints.tell(&format!(
                "a connection was closed: there are {} already",
                shared.limits.connections_max
            ));
            continue;
        };
        let (server, tls) = (shared.clone(), tls.clone());
        shared.tasks.spawn(async move {
            connection::serve(server, tcp, remote, tls).await;
            drop(place);
        });
    }
}

fn say(shared: &Shared, trouble: Option<String>) {
    *shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
}

/// Whether an error tells of a connection that was gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}

/// Keeps the log readable where the same is wrong many times.
#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
    silent: u64,
}

impl Complaints {
    fn tell(&mut self, trouble: &str) {
        let interval = Duration::from_millis(limits::COMPLAINT_INTERVAL_MS);
        if self.last.is_some_and(|last| last.elapsed() < interval) {
            self.silent += 1;
            return;
        }
        self.last = Some(Instant::now());
        tracing::warn!(more = std::mem::take(&mut self.silent), "{trouble}");
    }
}
