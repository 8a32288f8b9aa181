//! Values on the command line that have a unit: durations and sizes.

use std::time::Duration;

/// Reads a duration: `250ms`, `2s`, `5m`, `12h`, `30d`.
///
/// # Errors
/// What a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write 250ms, 2s, 5m, 12h or 30d");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    match number.checked_mul(unit_ms) {
        Some(0) | None => Err(wrong()),
        Some(ms) => Ok(Duration::from_millis(ms)),
    }
}

/// Reads a size in bytes: `65536`, `512KiB`, `64MiB`, `1GiB`.
///
/// # Errors
/// What a size looks like.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size: write 65536, 512KiB, 64MiB or 1GiB");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let unit_bytes = match unit {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_bytes).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// Reads a setting: `KEY=VALUE`, where the value may be empty and hold more `=`.
///
/// # Errors
/// What a setting looks like.
pub fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no setting: write KEY=VALUE")),
    }
}

/// Reads a capability: a contract, or an actor that may be called.
///
/// # Errors
/// What a capability looks like.
pub fn capability(text: &str) -> Result<String, String> {
    let contract = text.parse::<lattice_protocol::names::ContractName>();
    let is_actor = text.strip_prefix("mesh:actor:").is_some_and(|one| {
        one.parse::<lattice_protocol::names::ActorName>().is_ok()
            || one.parse::<lattice_protocol::keys::ActorKey>().is_ok()
    });
    match contract {
        Err(error) if !is_actor => Err(error.to_string()),
        _ => Ok(text.to_owned()),
    }
}

/// Reads a label: `KEY=VALUE`.
///
/// # Errors
/// What a label looks like.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is no label: write KEY=VALUE"))?;
    for part in [key, value] {
        part.parse::<lattice_protocol::names::LabelText>().map_err(|error| error.to_string())?;
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for wrong in ["", "2", "s", "-1s", "1.5s", "0s", "2 s", "99999999999999999999s", "é"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sizes_may_have_a_unit() {
        assert_eq!(size("65536"), Ok(65_536));
        assert_eq!(size("64MiB"), Ok(64 << 20));
        for wrong in ["", "0", "MiB", "1TB", "-1", "18446744073709551615GiB"] {
            assert!(size(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn capabilities_are_contracts_or_actors() {
        let key = lattice_protocol::keys::ActorKey::generate().unwrap().0;
        for right in ["mesh:keyvalue", "wascc:http_server", "mesh:actor", "mesh:actor:Shop_1.a"] {
            assert_eq!(capability(right), Ok(right.to_owned()));
        }
        assert!(capability(&format!("mesh:actor:{key}")).is_ok());
        for wrong in ["", "keyvalue", "Mesh:Keyvalue", "mesh:", "mesh:actor:", "mesh:actor:a b"] {
            assert!(capability(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn settings_may_be_empty_and_hold_more_signs() {
        assert_eq!(setting("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(setting("a="), Ok(("a".into(), String::new())));
        assert!(setting("a").is_err() && setting("=a").is_err() && setting(" =a").is_err());
    }

    #[test]
    fn labels_are_pairs() {
        assert_eq!(label("zone=a=b"), Ok(("zone".into(), "a=b".into())));
        assert!(label("zone").is_err() && label("=a").is_err() && label("a=").is_err());
    }
}
