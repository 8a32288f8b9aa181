//! A link as a provider sees it: whose it is, and its configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lattice_protocol::keys::ActorKey;
use lattice_protocol::names::LinkName;
use lattice_protocol::record::LinkRecord;
use lattice_protocol::{Error, ErrorCode};

/// Tells the links of a provider apart: it serves one contract only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId {
    /// The actor.
    pub source: ActorKey,
    /// The link's name.
    pub name: LinkName,
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.source, self.name)
    }
}

/// A link that leads to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which one.
    pub id: LinkId,
    /// What its record says that the provider shall know.
    pub config: Config,
    /// Grows with each write of the link.
    pub generation: u64,
}

impl From<&LinkRecord> for Link {
    fn from(record: &LinkRecord) -> Self {
        Self {
            id: LinkId { source: record.source.clone(), name: record.name.clone() },
            config: Config(record.config.clone()),
            generation: record.generation,
        }
    }
}

/// The configuration of a link: texts by name. Every reader names the setting that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(BTreeMap<String, String>);

impl Config {
    /// Makes a configuration of pairs.
    pub fn of<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// Returns all of it.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Checks that there is no setting but `known`: a mistyped one would be silently ignored.
    ///
    /// # Errors
    /// `bad_request` with the settings that there are.
    pub fn only(&self, known: &[&str]) -> Result<(), Error> {
        match self.0.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) if known.is_empty() => {
                Err(wrong(key, "is not known: this provider has no settings"))
            }
            Some(key) => Err(wrong(key, format!("is not known; there are {}", known.join(", ")))),
        }
    }

    /// Returns a setting; an empty one counts as none.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Returns a setting that must be there.
    ///
    /// # Errors
    /// `bad_request` naming it.
    pub fn required(&self, key: &str) -> Result<&str, Error> {
        self.text(key).ok_or_else(|| wrong(key, "is missing"))
    }

    /// Reads a setting, such as a number or `true`.
    ///
    /// # Errors
    /// `bad_request` naming it.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, key: &str) -> Result<Option<T>, Error> {
        let read = |text: &str| text.trim().parse::<T>();
        self.text(key).map(read).transpose().map_err(|error| wrong(key, error))
    }

    /// Reads a setting that must be within bounds, both included.
    ///
    /// # Errors
    /// `bad_request` naming it and the bounds.
    pub fn within<T>(&self, key: &str, least: T, most: T) -> Result<Option<T>, Error>
    where
        T: FromStr<Err: fmt::Display> + PartialOrd + fmt::Display + Copy,
    {
        let Some(value) = self.parse::<T>(key)? else { return Ok(None) };
        if value < least || value > most {
            return Err(wrong(key, format!("of {value} is not within {least} and {most}")));
        }
        Ok(Some(value))
    }

    /// Reads a setting in milliseconds.
    ///
    /// # Errors
    /// `bad_request` naming it and the bounds.
    pub fn duration_ms(&self, key: &str, least: u64, most: u64) -> Result<Option<Duration>, Error> {
        Ok(self.within(key, least, most)?.map(Duration::from_millis))
    }

    /// Reads a setting that lists texts separated by commas or spaces.
    pub fn list(&self, key: &str) -> Vec<&str> {
        let text = self.text(key).unwrap_or_default();
        text.split([',', ' ', '\n']).map(str::trim).filter(|one| !one.is_empty()).collect()
    }
}

/// Returns the error of a setting that is wrong.
pub fn wrong(key: &str, why: impl fmt::Display) -> Error {
    Error::not_started(ErrorCode::BadRequest, format!("the setting {key} {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_within_their_bounds_and_named_where_wrong() {
        let config = Config::of([("ttl_ms", "250"), ("url", ""), ("hosts", "a, b  c,")]);
        assert_eq!(config.duration_ms("ttl_ms", 1, 250), Ok(Some(Duration::from_millis(250))));
        assert_eq!(config.parse::<u8>("absent"), Ok(None));
        assert_eq!(config.list("hosts"), ["a", "b", "c"]);
        let error = config.within::<u64>("ttl_ms", 1, 249).unwrap_err();
        assert!(error.message.contains("ttl_ms of 250"), "{error}");
        assert!(config.parse::<u8>("hosts").unwrap_err().message.contains("hosts"));
        assert!(config.required("url").unwrap_err().message.contains("url is missing"));
        assert_eq!(config.only(&["ttl_ms", "url", "hosts"]), Ok(()));
        assert!(config.only(&["ttl_ms", "url"]).unwrap_err().message.contains("hosts"));
        assert!(config.only(&[]).is_err());
    }
}
