//! How to reach NATS: an address, credentials, TLS, or a context of the NATS CLI.

mod context;

use std::path::PathBuf;
use std::time::Duration;

use async_nats::ConnectErrorKind;
use lattice_protocol::names::LatticeName;
use lattice_protocol::subjects;

pub use context::{ContextError, NatsContext};

use crate::limits;

/// Where NATS is and who connects. Starts from [`ConnectOptions::url`] or
/// [`ConnectOptions::context`]; every other field has a default.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Addresses, separated by commas: `nats://host:4222`, `tls://…`.
    pub servers: String,
    /// The lattice to join; `default` where absent.
    pub lattice: Option<LatticeName>,
    /// Name of this client, as the server's monitoring shows it.
    pub client_name: Option<String>,
    /// File of NATS credentials (`.creds`).
    pub creds: Option<PathBuf>,
    /// File that holds an nkey seed (`SU…`).
    pub nkey: Option<PathBuf>,
    /// User, together with `password`.
    pub user: Option<String>,
    /// Password of `user`.
    pub password: Option<String>,
    /// Token.
    pub token: Option<String>,
    /// File of certificates that the server's certificate is checked against.
    pub tls_ca: Option<PathBuf>,
    /// File of this client's certificate, together with `tls_key`.
    pub tls_cert: Option<PathBuf>,
    /// File of the key of `tls_cert`.
    pub tls_key: Option<PathBuf>,
}

impl ConnectOptions {
    /// Returns options that connect to `servers` without credentials.
    pub fn url(servers: impl Into<String>) -> Self {
        Self { servers: servers.into(), ..Self::default() }
    }

    /// Returns options read from a context of the NATS CLI
    /// (`$XDG_CONFIG_HOME/nats/context/NAME.json`).
    ///
    /// # Errors
    /// [`ContextError`] when there is no such context, or it can't be read. An unknown context
    /// never means localhost.
    pub fn context(name: &str) -> Result<Self, ContextError> {
        Ok(NatsContext::load(name)?.into())
    }

    /// Joins `lattice` instead of `default`.
    #[must_use]
    pub fn lattice(mut self, lattice: LatticeName) -> Self {
        self.lattice = Some(lattice);
        self
    }

    /// Shows up in the server's monitoring as `name`.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// Returns the lattice that will be joined.
    pub fn lattice_name(&self) -> LatticeName {
        self.lattice.clone().unwrap_or_else(LatticeName::default_lattice)
    }

    /// Returns the addresses, one by one.
    pub(crate) fn addresses(&self) -> Result<Vec<async_nats::ServerAddr>, ConnectError> {
        let parse = |address: &str| match address.trim() {
            // async-nats reads nothing as localhost.
            "" => None,
            address => address.parse().ok(),
        };
        let addresses: Option<Vec<_>> = self.servers.split(',').map(parse).collect();
        addresses.ok_or_else(|| ConnectError::Address { servers: self.servers.clone() })
    }

    /// Builds what async-nats connects with.
    pub(crate) async fn nats(&self) -> Result<async_nats::ConnectOptions, ConnectError> {
        let mut options = async_nats::ConnectOptions::new()
            .name(self.client_name.as_deref().unwrap_or("lattice-client"))
            .custom_inbox_prefix(subjects::inbox_prefix(&self.lattice_name()))
            .connection_timeout(Duration::from_millis(limits::CONNECT_TIMEOUT_MS))
            .ping_interval(Duration::from_millis(limits::PING_INTERVAL_MS))
            .client_capacity(limits::COMMAND_QUEUE_CAPACITY)
            .subscription_capacity(limits::SUBSCRIPTION_QUEUE_CAPACITY)
            .reconnect_delay_callback(reconnect_pause);
        if let Some(path) = &self.creds {
            let creds = read(path).await?;
            options = options.credentials(&creds).map_err(|error| ConnectError::Credentials {
                path: path.clone(),
                cause: error.to_string(),
            })?;
        }
        if let Some(path) = &self.nkey {
            options = options.nkey(read(path).await?.trim().to_owned());
        }
        if let Some(user) = &self.user {
            options =
                options.user_and_password(user.clone(), self.password.clone().unwrap_or_default());
        }
        if let Some(token) = &self.token {
            options = options.token(token.clone());
        }
        if let Some(ca) = &self.tls_ca {
            options = options.add_root_certificates(ca.clone());
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                options = options.add_client_certificate(cert.clone(), key.clone());
            }
            (None, None) => {}
            _ => return Err(ConnectError::HalfACertificate),
        }
        Ok(options)
    }
}

/// Grows from nothing to [`limits::RECONNECT_PAUSE_MAX_MS`].
fn reconnect_pause(attempts: usize) -> Duration {
    let exponent = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let pause = 10u64.saturating_mul(1 << exponent).min(limits::RECONNECT_PAUSE_MAX_MS);
    Duration::from_millis(if attempts <= 1 { 0 } else { pause })
}

async fn read(path: &PathBuf) -> Result<String, ConnectError> {
    tokio::fs::read_to_string(path)
        .await
        .map_err(|error| ConnectError::Credentials { path: path.clone(), cause: error.to_string() })
}

/// Why a lattice can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No server answers.
    #[error("no NATS server answers at {servers}: {cause}")]
    NoServer {
        /// The addresses that were tried.
        servers: String,
        /// What the system says.
        cause: String,
    },
    /// The address is malformed.
    #[error("{servers:?} is no NATS address: write nats://HOST:PORT")]
    Address {
        /// The address.
        servers: String,
    },
    /// The server refuses the credentials.
    #[error("the NATS server at {servers} refuses these credentials: {cause}")]
    Denied {
        /// The address.
        servers: String,
        /// What the server says.
        cause: String,
    },
    /// TLS could not be set up.
    #[error("TLS with {servers} failed: {cause}")]
    Tls {
        /// The address.
        servers: String,
        /// Why.
        cause: String,
    },
    /// A file of credentials can't be used.
    #[error("credentials in {} can't be used: {cause}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a client certificate needs both its certificate and its key")]
    HalfACertificate,
    /// A NATS context can't be used.
    #[error(transparent)]
    Context(#[from] ContextError),
}

impl ConnectError {
    pub(crate) fn from_nats(servers: &str, error: &async_nats::ConnectError) -> Self {
        let servers = servers.to_owned();
        let cause = error.to_string();
        match error.kind() {
            ConnectErrorKind::ServerParse => ConnectError::Address { servers },
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                ConnectError::Denied { servers, cause }
            }
            ConnectErrorKind::Tls => ConnectError::Tls { servers, cause },
            ConnectErrorKind::Dns
            | ConnectErrorKind::TimedOut
            | ConnectErrorKind::Io
            | ConnectErrorKind::MaxReconnects => ConnectError::NoServer { servers, cause },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnects_at_once_then_ever_slower_up_to_the_limit() {
        assert_eq!(reconnect_pause(0), Duration::ZERO);
        assert_eq!(reconnect_pause(1), Duration::ZERO);
        assert_eq!(reconnect_pause(2), Duration::from_millis(20));
        assert_eq!(reconnect_pause(4), Duration::from_millis(80));
        assert_eq!(
            reconnect_pause(usize::MAX),
            Duration::from_millis(limits::RECONNECT_PAUSE_MAX_MS)
        );
    }

    #[test]
    fn reads_one_address_or_several() {
        let count = |servers: &str| ConnectOptions::url(servers).addresses().map(|all| all.len());
        assert_eq!(count("nats://127.0.0.1:4222").unwrap(), 1);
        assert_eq!(count("nats://a:1, nats://b:2,tls://c:3").unwrap(), 3);
        for malformed in ["", "nats://a:1,", "http://[", "nats://a:port"] {
            assert!(count(malformed).is_err(), "{malformed:?}");
        }
    }

    #[tokio::test]
    async fn a_certificate_without_its_key_is_refused() {
        let options =
            ConnectOptions { tls_cert: Some("cert.pem".into()), ..ConnectOptions::url("x") };
        assert!(matches!(options.nats().await, Err(ConnectError::HalfACertificate)));
    }

    #[tokio::test]
    async fn a_missing_file_of_credentials_is_named() {
        let options =
            ConnectOptions { creds: Some("/nowhere/at.creds".into()), ..ConnectOptions::url("x") };
        let error = options.nats().await.unwrap_err().to_string();
        assert!(error.contains("/nowhere/at.creds"), "{error}");
    }
}
