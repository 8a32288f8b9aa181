//! From what a person types to a key: the key itself, a name, or the start of a key.

use lattice_protocol::keys::{KEY_CHARACTERS, Key, KeyKind, TargetKey};

use crate::exit::{Exit, Failure};
use crate::limits;

/// Something that has a key and may have a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its public key.
    pub key: String,
    /// Its name, where it has one.
    pub name: Option<String>,
}

/// Returns the key of kind `K` that `text` spells out in full; `None` where it is a name or a
/// prefix.
///
/// # Errors
/// [`Failure`] when it is a key of another kind, or a mistyped one.
pub fn full_key<K: KeyKind>(text: &str) -> Result<Option<Key<K>>, Failure> {
    if !looks_like_a_key(text) {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| wrong_key(text, &error))
}

/// Returns the target that `text` spells out in full; `None` where it is a name or a prefix.
///
/// # Errors
/// As for [`full_key`].
pub fn full_target(text: &str) -> Result<Option<TargetKey>, Failure> {
    if !looks_like_a_key(text) {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| wrong_key(text, &error))
}

fn looks_like_a_key(text: &str) -> bool {
    text.len() == KEY_CHARACTERS
        && text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b))
}

fn wrong_key(text: &str, cause: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, "wrong_key", format!("{text}: {cause}"))
        .hint("`meshctl ls` shows the keys of the lattice")
}

/// Finds what `text` means among `known`: a name first, then the start of a key. `what` is the
/// noun for people.
///
/// # Errors
/// [`Failure`] when nothing fits, or several do.
pub fn find<'a>(what: &str, text: &str, known: &'a [Known]) -> Result<&'a Known, Failure> {
    let named: Vec<&Known> =
        known.iter().filter(|one| one.name.as_deref() == Some(text) || one.key == text).collect();
    match named.as_slice() {
        [one] => return Ok(one),
        [] => {}
        several => return Err(ambiguous(what, text, several)),
    }
    let long_enough = text.chars().count() >= limits::PREFIX_CHARACTERS_MIN;
    let started: Vec<&Known> =
        known.iter().filter(|one| long_enough && one.key.starts_with(text)).collect();
    match started.as_slice() {
        [one] => Ok(one),
        [] => Err(unknown(what, text, known)),
        several => Err(ambiguous(what, text, several)),
    }
}

fn ambiguous(what: &str, text: &str, several: &[&Known]) -> Failure {
    let message = format!("{text:?} fits {} {what}s: {}", several.len(), list(several));
    Failure::new(Exit::Usage, "ambiguous", message).hint("give the key, or more of it")
}

fn unknown(what: &str, text: &str, known: &[Known]) -> Failure {
    let mut message = format!("there is no {what} {text:?}");
    if !known.is_empty() {
        let all: Vec<&Known> = known.iter().collect();
        message = format!("{message}; these exist: {}", list(&all));
    }
    Failure::new(Exit::NotFound, "not_found", message)
}

fn list(known: &[&Known]) -> String {
    let mut shown: Vec<String> = known
        .iter()
        .take(limits::NAMES_SHOWN_MAX)
        .map(|one| match &one.name {
            Some(name) => format!("{name} ({})", one.key),
            None => one.key.clone(),
        })
        .collect();
    if known.len() > shown.len() {
        shown.push(format!("{} more", known.len() - shown.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::{Actor, Issuer, Node};

    use super::*;

    fn known(pairs: &[(&str, &str)]) -> Vec<Known> {
        pairs
            .iter()
            .map(|(key, name)| Known { key: (*key).into(), name: Some((*name).into()) })
            .collect()
    }

    #[test]
    fn a_name_wins_over_the_start_of_a_key() {
        let all = known(&[("MABC", "MX"), ("MXYZ", "echo")]);
        assert_eq!(find("actor", "MX", &all).unwrap().key, "MABC");
        assert_eq!(find("actor", "MXY", &all).unwrap().key, "MXYZ");
        assert_eq!(find("actor", "MXYZ", &all).unwrap().key, "MXYZ");
        assert_eq!(find("actor", "echo", &all).unwrap().key, "MXYZ");
    }

    #[test]
    fn several_are_listed_and_refused() {
        let all = known(&[("MABC", "one"), ("MABD", "two"), ("MC", "two")]);
        for (text, wanted) in [("MAB", "one (MABC), two (MABD)"), ("two", "two (MABD), two (MC)")] {
            let failure = find("actor", text, &all).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(wanted), "{}", failure.message);
        }
    }

    #[test]
    fn one_character_is_no_prefix() {
        let all = known(&[("MABC", "one")]);
        let failure = find("actor", "M", &all).unwrap_err();
        assert_eq!(failure.exit, Exit::NotFound);
        assert!(failure.message.contains("one (MABC)"));
        assert_eq!(find("actor", "", &all).unwrap_err().exit, Exit::NotFound);
    }

    #[test]
    fn a_key_of_another_kind_is_told_from_a_name() {
        let (issuer, _) = Key::<Issuer>::generate().unwrap();
        let (actor, _) = Key::<Actor>::generate().unwrap();
        let failure = full_key::<Actor>(issuer.as_str()).unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Usage, "wrong_key"));
        assert!(failure.message.contains("wrong kind of key"), "{}", failure.message);
        assert_eq!(full_key::<Actor>(actor.as_str()).unwrap(), Some(actor.clone()));
        assert!(full_key::<Node>(actor.as_str()).is_err());
        assert_eq!(full_target(actor.as_str()).unwrap(), Some(actor.into()));
        assert_eq!(full_key::<Actor>("echo").unwrap(), None);
        let long_name = "a".repeat(KEY_CHARACTERS);
        assert_eq!(full_target(&long_name).unwrap(), None);
    }
}
