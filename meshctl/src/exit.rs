//! How a command ends: its exit code, and a failure that names the thing, the cause and the next
//! command.

use lattice_client::connect::{ConnectError, ContextError};
use lattice_client::keystore::KeyStoreError;
use lattice_client::queue::QueueError;
use lattice_client::registry::RegistryError;
use lattice_client::serve::ServeError;
use lattice_protocol::ErrorCode;
use lattice_protocol::claims::ClaimsError;

/// Exit codes. Other tools rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done, and seen to be done.
    Ok = 0,
    /// It failed.
    Failure = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// NATS can't be reached.
    NoNats = 3,
    /// There is no such actor, node, provider …
    NotFound = 4,
    /// Time ran out.
    Timeout = 5,
    /// It is not allowed.
    Denied = 6,
    /// The actor trapped.
    Trapped = 7,
}

impl Exit {
    /// Returns the code that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Returns what a call that failed with `code` ends with.
    pub fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NotFound => Exit::NotFound,
            ErrorCode::DeadlineExceeded => Exit::Timeout,
            ErrorCode::Unauthorized | ErrorCode::Revoked => Exit::Denied,
            ErrorCode::ActorTrapped => Exit::Trapped,
            ErrorCode::BadRequest
            | ErrorCode::TooLarge
            | ErrorCode::NoLink
            | ErrorCode::ProviderUnavailable
            | ErrorCode::Busy
            | ErrorCode::Draining
            | ErrorCode::ActorError
            | ErrorCode::LimitExceeded
            | ErrorCode::Stale
            | ErrorCode::Internal => Exit::Failure,
        }
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    /// The same for programs: a word that does not change.
    pub code: &'static str,
    /// Names the thing and the cause.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// Makes a failure without a hint.
    pub fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), hint: None }
    }

    /// Makes the failure of a command line that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Makes the failure of a file that can't be read or written.
    pub fn file(path: &std::path::Path, cause: &std::io::Error) -> Self {
        Self::new(Exit::Failure, "file", format!("{}: {cause}", path.display()))
    }

    /// Returns the silent end of a command whose reader has gone, as that of `head`.
    pub fn reader_gone() -> Self {
        Self::new(Exit::Ok, "reader_gone", "")
    }
}

impl From<lattice_protocol::Error> for Failure {
    fn from(error: lattice_protocol::Error) -> Self {
        Self {
            exit: Exit::of(error.code),
            code: error.code.as_str(),
            message: error.to_string(),
            hint: Some(error.code.next_step().to_owned()),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let message = without_secrets(&error.to_string());
        let (exit, code, hint) = match error {
            ConnectError::NoServer { .. } => (
                Exit::NoNats,
                "no_nats",
                "start one with `mesh-node dev`, or name another with --nats URL or --context NAME",
            ),
            ConnectError::Tls { .. } => {
                (Exit::NoNats, "tls", "check --tls-ca, --tls-cert and --tls-key")
            }
            ConnectError::Denied { .. } => (
                Exit::Denied,
                "denied",
                "give credentials with --creds, --nkey, --user and --password, or --context NAME",
            ),
            ConnectError::Address { .. } => (Exit::Usage, "usage", "see `meshctl --help`"),
            ConnectError::HalfACertificate => {
                (Exit::Usage, "usage", "give both --tls-cert and --tls-key")
            }
            ConnectError::Credentials { .. } => {
                (Exit::Failure, "credentials", "check the file that --creds or --nkey names")
            }
            ConnectError::Context(cause) => return cause.into(),
        };
        Self::new(exit, code, message).hint(hint)
    }
}

impl From<ContextError> for Failure {
    fn from(error: ContextError) -> Self {
        Self::new(Exit::Usage, "context", error.to_string())
            .hint("name one of those with --context, or a server with --nats URL")
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        let (exit, code, hint) = match &error {
            RegistryError::NoJetStream(_) => (
                Exit::Failure,
                "no_jetstream",
                "start the server with JetStream: `nats-server -js`, or try `mesh-node dev`",
            ),
            RegistryError::Conflict { .. } => {
                (Exit::Failure, "conflict", "look at it with `meshctl ls`, then run this again")
            }
            RegistryError::Ambiguous { .. } => {
                (Exit::Usage, "ambiguous", "give the key: `meshctl ls actors` shows them")
            }
            RegistryError::NoModule(_) | RegistryError::Damaged(_) => (
                Exit::Failure,
                "module",
                "deploy the module's file again with `meshctl deploy FILE`",
            ),
            RegistryError::Record { .. } => {
                (Exit::Failure, "record", "use a meshctl as new as the lattice's nodes")
            }
            RegistryError::Unwritable(_) => (Exit::Failure, "unwritable", "make it smaller"),
            RegistryError::Unreachable(_) => (
                Exit::NoNats,
                "unreachable",
                "see whether JetStream is healthy, then run this again",
            ),
        };
        Self::new(exit, code, error.to_string()).hint(hint)
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        let (exit, code, hint) = match &error {
            QueueError::BadRequest(_) => (Exit::Usage, "usage", "see `meshctl call --help`"),
            QueueError::TooLarge { .. } => {
                (Exit::Failure, "too_large", "send less, or a name of where the data is")
            }
            QueueError::Full(_) => {
                (Exit::Failure, "busy", "see what waits with `meshctl queue ls`, then try again")
            }
            QueueError::Unconfirmed { .. } => (
                Exit::Timeout,
                "unconfirmed",
                "run this again with the same --id: within two minutes that stores it once",
            ),
            QueueError::NoLetter(_) => {
                (Exit::NotFound, "not_found", "see those that there are with `meshctl dead ls`")
            }
            QueueError::Unreadable { .. } => {
                (Exit::Failure, "unreadable", "look at it with `meshctl dead show NUMBER`")
            }
            QueueError::NoJetStream(_) => (
                Exit::Failure,
                "no_jetstream",
                "start the server with JetStream: `nats-server -js`, or try `mesh-node dev`",
            ),
            QueueError::Unreachable(_) => (
                Exit::NoNats,
                "unreachable",
                "see whether JetStream is healthy, then run this again",
            ),
        };
        Self::new(exit, code, error.to_string()).hint(hint)
    }
}

impl From<ClaimsError> for Failure {
    fn from(error: ClaimsError) -> Self {
        let (exit, code, hint) = match &error {
            ClaimsError::Unsigned => {
                (Exit::Failure, "unsigned", "sign it: `meshctl sign FILE --name NAME`")
            }
            ClaimsError::HashMismatch { .. } | ClaimsError::BadSignature { .. } => (
                Exit::Failure,
                "changed",
                "sign the module that you built again: `meshctl sign FILE --name NAME`",
            ),
            ClaimsError::Expired { .. } => {
                (Exit::Failure, "expired", "sign it again: `meshctl sign FILE --name NAME`")
            }
            ClaimsError::Key { .. } => (
                Exit::Usage,
                "wrong_key",
                "make one with `meshctl keys gen issuer` or `keys gen actor`",
            ),
            ClaimsError::NotAModule(_) => {
                (Exit::Failure, "not_a_module", "give a core WebAssembly module (.wasm)")
            }
            _ => (Exit::Failure, "claims", "look at it with `meshctl inspect FILE`"),
        };
        Self::new(exit, code, error.to_string()).hint(hint)
    }
}

impl From<KeyStoreError> for Failure {
    fn from(error: KeyStoreError) -> Self {
        let (exit, code, hint) = match &error {
            KeyStoreError::NoHome => (Exit::Failure, "no_home", "set HOME or XDG_DATA_HOME"),
            KeyStoreError::Name(_) => (Exit::Usage, "usage", "choose another --name"),
            KeyStoreError::Exists { .. } => {
                (Exit::Failure, "exists", "it is never overwritten: choose another --name")
            }
            KeyStoreError::WrongKind { .. } | KeyStoreError::NotASeed { .. } => {
                (Exit::Usage, "wrong_key", "`meshctl keys ls` shows the keys of the store")
            }
            KeyStoreError::NotARevision { .. } => (Exit::Failure, "file", "sign with --rev N"),
            KeyStoreError::File { .. } => {
                (Exit::Failure, "file", "see that the file is there, and that you may use it")
            }
        };
        Self::new(exit, code, error.to_string()).hint(hint)
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::new(Exit::NoNats, "unreachable", error.to_string())
    }
}

/// Hides the user and password of an address.
fn without_secrets(text: &str) -> String {
    text.split_inclusive(' ').map(hide_user_info).collect()
}

fn hide_user_info(word: &str) -> String {
    match (word.find("://"), word.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let (before, after) = (word.get(..scheme + 3), word.get(at..));
            format!("{}…{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_that_other_tools_rely_on() {
        let all = [
            (Exit::Ok, 0),
            (Exit::Failure, 1),
            (Exit::Usage, 2),
            (Exit::NoNats, 3),
            (Exit::NotFound, 4),
            (Exit::Timeout, 5),
            (Exit::Denied, 6),
            (Exit::Trapped, 7),
        ];
        for (exit, code) in all {
            assert_eq!(exit.code(), code);
        }
    }

    #[test]
    fn each_error_of_a_call_has_its_exit() {
        let special = [
            (ErrorCode::NotFound, Exit::NotFound),
            (ErrorCode::DeadlineExceeded, Exit::Timeout),
            (ErrorCode::Unauthorized, Exit::Denied),
            (ErrorCode::Revoked, Exit::Denied),
            (ErrorCode::ActorTrapped, Exit::Trapped),
        ];
        for code in ErrorCode::ALL {
            let wanted = special
                .iter()
                .find(|(found, _)| found == code)
                .map_or(Exit::Failure, |pair| pair.1);
            assert_eq!(Exit::of(*code), wanted, "{code}");
        }
    }

    #[test]
    fn a_failed_call_says_what_to_do_next() {
        let failure = Failure::from(lattice_protocol::Error::started(ErrorCode::Busy, "full"));
        assert_eq!(failure.message, "busy: full");
        assert_eq!(failure.hint.as_deref(), Some(ErrorCode::Busy.next_step()));
    }

    #[test]
    fn no_password_of_an_address_is_shown() {
        let error = ConnectError::NoServer {
            servers: "nats://ada:s3cret@10.0.0.1:4222,nats://b:x@c".into(),
            cause: "refused".into(),
        };
        let failure = Failure::from(error);
        assert!(!failure.message.contains("s3cret") && !failure.message.contains("ada"));
        assert!(failure.message.ends_with("@c: refused"), "{}", failure.message);
        assert_eq!(without_secrets("at nats://a:4222: no"), "at nats://a:4222: no");
    }
}
