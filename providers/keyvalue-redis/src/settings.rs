//! What a link says.

use std::time::Duration;

use lattice_protocol::Error;
use mesh_provider::{Link, keyvalue, wrong};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use crate::keys::Space;
use crate::limits;

/// Where Redis is, unless a link says otherwise.
const URL_DEFAULT: &str = "redis://127.0.0.1:6379";

/// What a link says.
#[derive(Debug)]
pub struct Settings {
    /// The address with its credentials, as it was written: links with the same one share a
    /// connection.
    pub url: String,
    /// The same, read.
    pub server: ConnectionInfo,
    /// The same for people, without credentials.
    pub name: String,
    /// The keys of the link.
    pub space: Space,
    /// Time for an answer.
    pub timeout: Duration,
}

impl Settings {
    /// Reads the settings of a link.
    ///
    /// # Errors
    /// `bad_request` naming the setting that is wrong, and never what it holds: there may be a
    /// password in it.
    pub fn read(link: &Link) -> Result<Self, Error> {
        let config = &link.config;
        config.only(&["url", "prefix", "timeout_ms"])?;
        let url = config.text("url").unwrap_or(URL_DEFAULT);
        let server = connection(url).map_err(|why| wrong("url", why))?;
        let timeout = config.duration_ms(
            "timeout_ms",
            limits::ANSWER_TIMEOUT_MIN_MS,
            limits::ANSWER_TIMEOUT_MAX_MS,
        )?;
        Ok(Self {
            url: url.to_owned(),
            name: name(&server),
            server,
            space: Space::new(&keyvalue::prefix(link)?),
            timeout: timeout.unwrap_or(Duration::from_millis(limits::ANSWER_TIMEOUT_DEFAULT_MS)),
        })
    }
}

fn connection(url: &str) -> Result<ConnectionInfo, &'static str> {
    if url.starts_with("rediss:") || url.starts_with("valkeys:") {
        return Err("asks for TLS, which this provider does not speak: use a tunnel");
    }
    let info = url.into_connection_info().map_err(
        |_| "is no address of a Redis server: write redis://[user:password@]host[:port][/database]",
    )?;
    // The third version of the protocol, for it tells at once when the server is gone.
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(redis).set_tcp_settings(tcp()))
}

/// Returns how a connection notices that nobody is at its other end any more, be it idle or not.
fn tcp() -> TcpSettings {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_millis(limits::KEEPALIVE_IDLE_MS))
        .with_interval(Duration::from_millis(limits::KEEPALIVE_INTERVAL_MS))
        .with_retries(limits::KEEPALIVE_PROBES);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(Duration::from_millis(limits::UNACKNOWLEDGED_MAX_MS));
    settings
}

fn name(server: &ConnectionInfo) -> String {
    let database = server.redis_settings().db();
    match server.addr() {
        ConnectionAddr::Unix(path) => format!("{}, database {database}", path.display()),
        address => format!("{address}, database {database}"),
    }
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::ActorKey;
    use mesh_provider::{Config, LinkId};

    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Settings, Error> {
        let source = ActorKey::generate().unwrap().0;
        let id = LinkId { source, name: "default".parse().unwrap() };
        let config = Config::of(settings.iter().copied());
        Settings::read(&Link { id, config, generation: 1 })
    }

    #[test]
    fn a_link_without_settings_has_all_of_them() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.name, "127.0.0.1:6379, database 0");
        assert_eq!(settings.timeout.as_millis(), u128::from(limits::ANSWER_TIMEOUT_DEFAULT_MS));
    }

    #[test]
    fn a_connection_notices_that_its_server_is_gone() {
        let server = read(&[]).unwrap().server;
        let tcp = server.tcp_settings();
        assert!(tcp.keepalive().is_some() && tcp.nodelay());
        let most = Some(Duration::from_millis(limits::UNACKNOWLEDGED_MAX_MS));
        #[cfg(target_os = "linux")]
        assert_eq!(tcp.user_timeout(), most);
    }

    #[test]
    fn a_password_is_never_shown() {
        let settings = read(&[("url", "redis://ann:secret@[::1]:7/3")]).unwrap();
        assert_eq!(settings.name, "::1:7, database 3");
        for url in ["http://ann:secret@host", "rediss://ann:secret@host", "redis://ann:secret@h/x"]
        {
            let message = read(&[("url", url)]).unwrap_err().message;
            assert!(message.contains("setting url") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in ["timeout_ms", "prefix", "other"] {
            let message = read(&[(wrong, "\n")]).unwrap_err().message;
            assert!(message.contains(wrong), "{message}");
        }
    }
}
