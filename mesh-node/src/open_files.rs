//! How many files this process may have open: modules in memory are mapped from files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits;

/// Asks for as many files as may be asked for, within bounds, and returns how many there may be.
pub(crate) fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted =
        maximum.map_or(limits::OPEN_FILES_WANTED, |most| most.min(limits::OPEN_FILES_WANTED));
    match current {
        Some(now) if now < wanted => {
            match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
                Ok(()) => wanted,
                Err(error) => {
                    tracing::debug!(%error, "no more files may be open than the user is given at first");
                    now
                }
            }
        }
        Some(now) => now,
        None => limits::OPEN_FILES_WANTED,
    }
}
