//! What stops an operation, and how it is told.

use lattice_protocol::{Error, ErrorCode};

/// Why an operation has no result.
#[derive(Debug)]
pub enum Stop {
    /// It was refused before it changed anything.
    Refused(Error),
    /// The database failed: whatever the transaction changed must not stay.
    Failed(Box<redb::Error>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

macro_rules! failures {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Stop {
            fn from(error: redb::$error) -> Self {
                Self::Failed(Box::new(error.into()))
            }
        })*
    };
}
failures!(StorageError, TableError, TransactionError, CommitError, DatabaseError);
failures!(SetDurabilityError);

/// Returns the error of a database that failed.
pub fn failed(database: &str, error: &redb::Error) -> Error {
    let (code, what) = match error {
        redb::Error::Io(io) if is_full(io) => (ErrorCode::LimitExceeded, "has no room on its disk"),
        redb::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
            (ErrorCode::Internal, "is no database, or damaged")
        }
        redb::Error::DatabaseAlreadyOpen => {
            (ErrorCode::ProviderUnavailable, "is used by another process")
        }
        redb::Error::Io(_)
        | redb::Error::Backend(_)
        | redb::Error::PreviousIo
        | redb::Error::DatabaseClosed => (ErrorCode::ProviderUnavailable, "can't be reached"),
        redb::Error::Corrupted(_) | redb::Error::RepairAborted => {
            (ErrorCode::Internal, "is damaged")
        }
        redb::Error::UpgradeRequired(_) => (ErrorCode::Internal, "has an old format"),
        _ => (ErrorCode::Internal, "failed"),
    };
    Error::not_started(code, format!("the database {database} {what}: {error}"))
}

/// Returns the error of a database whose code panicked: it does so on what it can't read.
pub fn panicked(database: &str) -> Error {
    Error::not_started(ErrorCode::Internal, format!("the database {database} is damaged"))
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_failure_says_what_a_person_can_do() {
        let of = |error| failed("shop", &error).code;
        let io = |kind: ErrorKind| redb::Error::Io(kind.into());
        assert_eq!(of(io(ErrorKind::StorageFull)), ErrorCode::LimitExceeded);
        assert_eq!(of(io(ErrorKind::InvalidData)), ErrorCode::Internal);
        assert_eq!(of(io(ErrorKind::NotConnected)), ErrorCode::ProviderUnavailable);
        assert_eq!(of(redb::Error::PreviousIo), ErrorCode::ProviderUnavailable);
        assert_eq!(of(redb::Error::Corrupted("x".into())), ErrorCode::Internal);
        assert!(failed("shop", &redb::Error::PreviousIo).message.contains("shop"));
    }
}
