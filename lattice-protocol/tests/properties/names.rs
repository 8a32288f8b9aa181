//! Keys, names, subjects and registry keys: built, parsed, attacked.

use lattice_protocol::event::EventKind;
use lattice_protocol::keys::{Actor, ActorKey, Key, Provider, TargetKey};
use lattice_protocol::limits;
use lattice_protocol::names::{
    ActorName, ContractName, LabelText, LatticeName, LinkName, is_operation,
};
use lattice_protocol::subjects::{self, ControlVerb, RegistryKey, Revoked, Subject};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{contract, digest, key, link_name, target};

fn lattice() -> impl Strategy<Value = LatticeName> {
    "[a-z0-9-]{1,63}".prop_map(|text| text.parse().unwrap())
}

fn subject() -> impl Strategy<Value = Subject> {
    let verb = || select(ControlVerb::ALL);
    prop_oneof![
        (lattice(), target()).prop_map(|(lattice, key)| Subject::Call(lattice, key)),
        (lattice(), target()).prop_map(|(lattice, key)| Subject::Queue(lattice, key)),
        (lattice(), target()).prop_map(|(lattice, key)| Subject::Dead(lattice, key)),
        (lattice(), key(), verb())
            .prop_map(|(lattice, node, verb)| Subject::Control(lattice, node, verb)),
        (lattice(), verb()).prop_map(|(lattice, verb)| Subject::ControlAll(lattice, verb)),
        (lattice(), select(EventKind::ALL))
            .prop_map(|(lattice, kind)| Subject::Event(lattice, kind)),
        (lattice(), key()).prop_map(|(lattice, node)| Subject::Heartbeat(lattice, node)),
    ]
}

fn registry_key() -> impl Strategy<Value = RegistryKey> {
    prop_oneof![
        key().prop_map(RegistryKey::Actor),
        key().prop_map(RegistryKey::Provider),
        (key(), contract(), link_name())
            .prop_map(|(source, contract, name)| RegistryKey::Link(source, contract, name)),
        digest().prop_map(|digest| RegistryKey::Revoked(Revoked::Module(digest))),
        key().prop_map(|key| RegistryKey::Revoked(Revoked::Actor(key))),
        key().prop_map(|key| RegistryKey::Revoked(Revoked::Issuer(key))),
    ]
}

/// Texts as an attacker would send them: what breaks subjects, between what belongs there.
fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        select(vec![
            "", ".", "..", "*", ">", " ", "\t", "\r\n", "\0", "/", ":", "$SYS", "mesh", "call",
            "evt", "all", "default", "é", "＊", "actor", "link", "\u{7f}", "\u{202e}",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9-]{1,12}",
        "\\PC{0,8}",
        key::<Actor>().prop_map(|key| key.to_string()),
        (60usize..600).prop_map(|length| "a".repeat(length)),
    ];
    vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn tokens(subject: &str) -> usize {
    subject.split('.').count()
}

/// Returns whether each token is what NATS takes for a literal one.
fn is_literal(subject: &str) -> bool {
    subject.split('.').all(|token| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && b != b'*' && b != b'>')
    })
}

proptest! {
    #[test]
    fn a_subject_parses_to_what_it_was_built_from(subject in subject()) {
        let text = subject.to_string();
        prop_assert!(is_literal(&text) && text.len() <= limits::SUBJECT_BYTES_MAX);
        let expected = if matches!(subject, Subject::Control(..) | Subject::ControlAll(..)) { 5 } else { 4 };
        prop_assert_eq!(tokens(&text), expected);
        prop_assert_eq!(text.parse(), Ok(subject));
    }

    #[test]
    fn a_registry_key_parses_to_what_it_was_built_from(key in registry_key()) {
        let text = key.to_string();
        prop_assert!(is_literal(&text));
        // What a key-value bucket allows.
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-/_=.".contains(&b)), "{text}");
        let expected = if matches!(key, RegistryKey::Link(..)) { 4 } else { 2 };
        prop_assert_eq!(tokens(&text), expected);
        prop_assert_eq!(text.parse(), Ok(key));
    }

    #[test]
    fn nothing_but_what_is_built_parses(text in hostile(), subject in subject(), at in any::<prop::sample::Index>()) {
        let built = subject.to_string();
        let mut mutated = built.clone();
        mutated.insert_str(at.index(built.len()), &text);
        for text in [&text, &mutated, &format!("{built}{text}"), &format!("{built}.{text}")] {
            if let Ok(parsed) = text.parse::<Subject>() {
                prop_assert_eq!(&parsed.to_string(), text);
            }
            if let Ok(parsed) = text.parse::<RegistryKey>() {
                prop_assert_eq!(&parsed.to_string(), text);
            }
        }
    }

    #[test]
    fn no_name_adds_a_token(text in hostile()) {
        if let Ok(lattice) = text.parse::<LatticeName>() {
            for subject in [
                subjects::all_events(&lattice),
                subjects::all_heartbeats(&lattice),
                subjects::every_node_controls(&lattice),
            ] {
                prop_assert!(tokens(&subject) <= 5 && subject.ends_with(".*"));
                prop_assert!(is_literal(&subject[..subject.len() - 2]));
            }
            for name in [
                subjects::registry_bucket(&lattice),
                subjects::modules_bucket(&lattice),
                subjects::bodies_bucket(&lattice),
            ] {
                prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            }
            prop_assert_eq!(tokens(&subjects::inbox_prefix(&lattice)), 2);
        }
        if let Ok(name) = text.parse::<LinkName>() {
            prop_assert!(is_literal(name.as_str()) && tokens(name.as_str()) == 1);
        }
        if let Ok(name) = text.parse::<ContractName>() {
            prop_assert!(is_literal(name.as_str()) && tokens(name.as_str()) == 1);
        }
        if let Ok(name) = text.parse::<ActorName>() {
            prop_assert!(name.as_str().is_ascii() && name.as_str().len() <= limits::ACTOR_NAME_BYTES_MAX);
            prop_assert!(name.as_str().parse::<TargetKey>().is_err());
        }
        for label in [text.parse::<LabelText>().is_ok(), is_operation(&text)] {
            prop_assert!(!label || !text.chars().any(char::is_control));
        }
    }

    #[test]
    fn answers_go_to_plain_subjects_only(text in hostile(), lattice in lattice()) {
        if subjects::is_reply_subject(&text) {
            prop_assert!(is_publishable(&text));
            prop_assert!(text.parse::<Subject>().is_err());
            prop_assert!(!text.starts_with('$') && !text.starts_with("mesh."));
        }
        let inbox = format!("{}.token", subjects::inbox_prefix(&lattice));
        prop_assert!(subjects::is_reply_subject(&inbox));
        for wrong in [".", ".*", ".>", "..a", " ", "\n", "é"] {
            let reply = format!("{inbox}{wrong}");
            prop_assert!(!subjects::is_reply_subject(&reply), "{reply:?}");
        }
    }

    #[test]
    fn a_key_with_a_changed_character_never_verifies(
        key in key::<Actor>(), at in 0usize..56, character in "[A-Za-z0-9=.* ]",
    ) {
        let mut text = key.to_string();
        prop_assume!(text[at..=at] != character);
        text.replace_range(at..=at, &character);
        prop_assert!(text.parse::<ActorKey>().is_err(), "{text}");
    }

    #[test]
    fn keys_are_judged_as_nkeys_judges_them(
        prefix in prop_oneof![any::<u8>(), Just(12u8 << 3), Just(21u8 << 3)], seed in any::<[u8; 32]>(),
        damage in prop_oneof![Just(0u16), any::<u16>()],
    ) {
        let text = encoded(prefix, &seed, damage);
        let known = nkeys::from_public_key(&text).is_ok();
        prop_assert_eq!(text.parse::<ActorKey>().is_ok(), known && prefix == 12 << 3);
        prop_assert_eq!(text.parse::<Key<Provider>>().is_ok(), known && prefix == 21 << 3);
        prop_assert_eq!(text.parse::<TargetKey>().is_ok(), known && [12 << 3, 21 << 3].contains(&prefix));
    }
}

/// Returns the text of a public key of any prefix, with `damage` done to its checksum.
fn encoded(prefix: u8, content: &[u8], damage: u16) -> String {
    let mut raw = [&[prefix], content].concat();
    let checksum = raw.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    });
    raw.extend((checksum ^ damage).to_le_bytes());
    data_encoding::BASE32_NOPAD.encode(&raw)
}

/// Returns whether `text` has no token that NATS takes for a wildcard, nor an empty one.
fn is_publishable(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
        && text.split('.').all(|token| !token.is_empty() && token != "*" && token != ">")
}
