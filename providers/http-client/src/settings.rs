//! The settings of a link.

use std::time::Duration;

use lattice_protocol::Error;
use lattice_protocol::contract::limits::http::BODY_BYTES_MAX;
use mesh_provider::Config;

use crate::hosts::{HOSTS, Hosts};
use crate::limits;
use crate::rules::Rules;

const PRIVATE: &str = "private";
const TIMEOUT_MS: &str = "timeout_ms";
const BODY_MAX_BYTES: &str = "body_max_bytes";

/// The settings of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where its requests may go.
    pub rules: Rules,
    /// Longest time of a request, where it has one beside the call's.
    pub timeout: Option<Duration>,
    /// Largest body, of a request or of a response.
    pub body_max_bytes: usize,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// `bad_request` naming the setting that is wrong.
    pub fn of(config: &Config) -> Result<Self, Error> {
        config.only(&[HOSTS, PRIVATE, TIMEOUT_MS, BODY_MAX_BYTES])?;
        let hosts = Hosts::of(config)?;
        let private = config.parse(PRIVATE)?.unwrap_or(false);
        let timeout = config.duration_ms(TIMEOUT_MS, 1, limits::TIMEOUT_MAX_MS)?;
        let body = config.within(BODY_MAX_BYTES, 1, BODY_BYTES_MAX)?;
        let body_max_bytes = body.unwrap_or(BODY_BYTES_MAX);
        Ok(Self { rules: Rules { hosts, private }, timeout, body_max_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_strict_unless_they_say_otherwise() {
        let settings = Settings::of(&Config::of([("hosts", "a")])).unwrap();
        assert!(!settings.rules.private);
        assert_eq!((settings.timeout, settings.body_max_bytes), (None, BODY_BYTES_MAX));
        for (key, value) in [
            ("private", "yes"),
            ("timeout_ms", "0"),
            ("timeout_ms", "300001"),
            ("body_max_bytes", "0"),
            ("body_max_bytes", "66060289"),
            ("host", "a"),
        ] {
            let error = Settings::of(&Config::of([("hosts", "a"), (key, value)])).unwrap_err();
            assert!(error.message.contains(key), "{key}: {error}");
        }
        let all =
            [("hosts", "a"), ("private", "true"), ("timeout_ms", "250"), ("body_max_bytes", "10")];
        let settings = Settings::of(&Config::of(all)).unwrap();
        assert!(settings.rules.private);
        assert_eq!(settings.timeout, Some(Duration::from_millis(250)));
        assert_eq!(settings.body_max_bytes, 10);
    }
}
