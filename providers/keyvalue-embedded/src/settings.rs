//! The settings of a link.

use lattice_protocol::Error;
use mesh_provider::{Link, keyvalue, wrong};

use crate::limits::DATABASE_NAME_BYTES_MAX;
use crate::record::Tenant;

/// The database that is in memory.
pub const MEMORY: &str = ":memory:";

/// What a link asks for.
pub struct Settings {
    /// Name of the database.
    pub database: String,
    /// Whose keys the link sees.
    pub tenant: Tenant,
    /// Whether a write is on the disk before it is answered.
    pub durable: bool,
}

impl Settings {
    /// Reads the settings of a link.
    ///
    /// # Errors
    /// `bad_request` naming the wrong one.
    pub fn of(link: &Link) -> Result<Self, Error> {
        link.config.only(&["database", "prefix", "durability"])?;
        let durable = match link.config.text("durability") {
            None | Some("immediate") => true,
            Some("eventual") => false,
            Some(_) => return Err(wrong("durability", "is neither immediate nor eventual")),
        };
        let database = link.config.text("database").unwrap_or("default");
        if database != MEMORY {
            check_name(database)?;
        }
        let tenant = Tenant::new(&keyvalue::prefix(link)?);
        Ok(Self { database: database.to_owned(), tenant, durable })
    }
}

/// Checks a name: it becomes that of a file.
fn check_name(name: &str) -> Result<(), Error> {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.len() > DATABASE_NAME_BYTES_MAX {
        let why = format!("is longer than {DATABASE_NAME_BYTES_MAX} bytes");
        return Err(wrong("database", why));
    }
    if !name.bytes().all(letters) {
        let why = format!("has other than letters, digits, - and _, and is not {MEMORY}");
        return Err(wrong("database", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::link;

    #[test]
    fn a_database_has_a_name_that_a_file_can_have() {
        for name in ["default", "a-B_9", MEMORY, &"a".repeat(DATABASE_NAME_BYTES_MAX)] {
            assert_eq!(Settings::of(&link(&[("database", name)])).unwrap().database, name);
        }
        for name in ["../a", "a/b", "a.b", ".", "ü", "a b", ":other:", &"a".repeat(65)] {
            let error = Settings::of(&link(&[("database", name)])).err().unwrap();
            assert!(error.message.contains("the setting database"), "{error}");
        }
    }

    #[test]
    fn other_settings_have_defaults_and_bounds() {
        let settings = Settings::of(&link(&[])).unwrap();
        assert!(settings.durable && settings.database == "default");
        assert!(!Settings::of(&link(&[("durability", "eventual")])).unwrap().durable);
        assert!(Settings::of(&link(&[("durability", "never")])).is_err());
        assert!(Settings::of(&link(&[("durabilty", "eventual")])).is_err());
        assert!(Settings::of(&link(&[("prefix", "a\n")])).is_err());
    }
}
