//! The databases of a provider: each is open once, as long as a link uses it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use lattice_protocol::Error;
use mesh_provider::wrong;

use crate::database::Database;
use crate::settings::MEMORY;

/// The databases of a provider.
pub struct Databases {
    folder: Option<PathBuf>,
    open: Mutex<HashMap<String, Open>>,
}

struct Open {
    database: Arc<Database>,
    links: usize,
}

impl Databases {
    /// Makes the databases of a folder, or those in memory alone.
    pub fn new(folder: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self { folder, open: Mutex::default() })
    }

    /// Lends a database to a link; opens it for the first. Blocks.
    ///
    /// # Errors
    /// `bad_request` for a file where there is no folder, and those of the file.
    pub fn lend(self: &Arc<Self>, name: &str) -> Result<Loan, Error> {
        let path = match &self.folder {
            _ if name == MEMORY => None,
            Some(folder) => Some(folder.join(format!("{name}.redb"))),
            None => {
                let why = format!("can only be {MEMORY}: this provider has no folder for files");
                return Err(wrong("database", why));
            }
        };
        // Opening and closing wait for each other: a file is open once.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match open.get_mut(name) {
            Some(open) => {
                open.links += 1;
                open.database.clone()
            }
            None => {
                let database = Database::open(name, path)?;
                open.insert(name.to_owned(), Open { database: database.clone(), links: 1 });
                database
            }
        };
        Ok(Loan { databases: self.clone(), name: name.to_owned(), database })
    }

    /// Tells whether every open database can do its work.
    ///
    /// # Errors
    /// That one can't.
    pub fn health(&self) -> Result<(), Error> {
        let open = match self.open.try_lock() {
            Ok(open) => open,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // One is opened or closed right now.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        open.values().try_for_each(|open| open.database.health())
    }

    fn give_back(&self, name: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(one) = open.get_mut(name) else { return };
        one.links -= 1;
        if one.links == 0 {
            one.database.close();
            open.remove(name);
        }
    }
}

/// A database that is lent to a link. Dropping it gives it back, and blocks until it is closed where
/// it was the last.
pub struct Loan {
    databases: Arc<Databases>,
    name: String,
    /// The database.
    pub database: Arc<Database>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.databases.give_back(&self.name);
    }
}
