//! The golden vectors in `vectors/`: bytes that every program of a lattice must agree on.
//!
//! The files are written from `samples.rs`, `contracts.rs` and `edge.rs` by
//! `UPDATE_VECTORS=1 cargo test --release -p lattice-protocol --test vectors the_files`; a test fails where
//! they differ, so that a change of the wire is seen in review.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// A test may stop at the first thing that is not as it should be.

mod contract_types;
mod contracts;
mod corpus;
mod edge;
mod fields;
mod samples;

use std::fmt::Write as _;
use std::path::PathBuf;

use lattice_protocol::control::{
    Ack, ActorStates, AskActors, AskCalls, AskLink, CallsHeld, Inventory, LinkState, Prepare,
    Prepared, Providers,
};
use lattice_protocol::event::Event;
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::record::{ActorRecord, LinkRecord, ProviderRecord, Record, RevocationRecord};
use lattice_protocol::{DecodeError, Error, Invocation, Reply, codec};
use serde::Deserialize;

use crate::edge::Edge;

#[derive(Deserialize)]
struct File<V> {
    description: String,
    vectors: Vec<V>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    #[serde(rename = "type")]
    of: String,
    fields: fields::Fields,
    bytes: String,
    canonical_bytes: Option<String>,
}

#[derive(Deserialize)]
struct Malformed {
    name: String,
    #[serde(rename = "type")]
    of: String,
    bytes: String,
    error: String,
}

/// Decodes a message of the type that a vector names, and encodes it again.
fn recode(of: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let written = match of {
        "Invocation" => Invocation::decode(bytes)?.encode(),
        "Reply" => Reply::decode(bytes)?.encode(),
        "Error" => codec::encode(&codec::decode::<Error>(bytes)?),
        "ActorRecord" => ActorRecord::decode(bytes)?.encode(),
        "LinkRecord" => LinkRecord::decode(bytes)?.encode(),
        "ProviderRecord" => ProviderRecord::decode(bytes)?.encode(),
        "RevocationRecord" => RevocationRecord::decode(bytes)?.encode(),
        "Heartbeat" => Heartbeat::decode(bytes)?.encode(),
        "Event" => Event::decode(bytes)?.encode(),
        "Inventory" => Inventory::decode(bytes)?.encode(),
        "Prepare" => Prepare::decode(bytes)?.encode(),
        "Prepared" => Prepared::decode(bytes)?.encode(),
        "Ack" => Ack::decode(bytes)?.encode(),
        "AskLink" => AskLink::decode(bytes)?.encode(),
        "LinkState" => LinkState::decode(bytes)?.encode(),
        "AskActors" => AskActors::decode(bytes)?.encode(),
        "ActorStates" => ActorStates::decode(bytes)?.encode(),
        "Providers" => Providers::decode(bytes)?.encode(),
        "AskCalls" => AskCalls::decode(bytes)?.encode(),
        "CallsHeld" => CallsHeld::decode(bytes)?.encode(),
        other => return contract_types::recode(other, bytes),
    };
    Ok(written.unwrap())
}

fn kind(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::Truncated { .. } => "truncated",
        DecodeError::TooDeep => "too_deep",
        DecodeError::TrailingBytes { .. } => "trailing_bytes",
        DecodeError::InvalidType { .. } => "invalid_type",
        DecodeError::Shape(_) => "shape",
        DecodeError::Version { .. } => "version",
        DecodeError::TooLarge { .. } => "too_large",
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One vector as lines of JSON, without the braces around it.
fn lines(name: &str, shows: &str, of: &str) -> String {
    format!(
        "      \"name\": {},\n      \"description\": {},\n      \"type\": \"{of}\"",
        serde_json::to_string(name).unwrap(),
        serde_json::to_string(shows).unwrap(),
    )
}

fn valid_vector(name: &str, shows: &str, of: &str, bytes: &[u8]) -> String {
    let mut text = lines(name, shows, of);
    text.push_str(",\n      \"fields\": ");
    fields::write(&fields::decode(bytes), 3, &mut text);
    write!(text, ",\n      \"bytes\": \"{}\"", hex::encode(bytes)).unwrap();
    let canonical = recode(of, bytes).unwrap();
    if canonical != bytes {
        write!(text, ",\n      \"canonical_bytes\": \"{}\"", hex::encode(canonical)).unwrap();
    }
    text
}

fn file(description: &str, vectors: &[String]) -> String {
    let vectors: Vec<String> =
        vectors.iter().map(|vector| format!("    {{\n{vector}\n    }}")).collect();
    format!(
        "{{\n  \"description\": \"{description}\",\n  \"vectors\": [\n{}\n  ]\n}}\n",
        vectors.join(",\n")
    )
}

/// Returns every file as it should be: its name and its text.
fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = samples::all()
        .into_iter()
        .map(|(name, of, samples)| {
            let vectors: Vec<String> = samples
                .iter()
                .map(|(name, shows, bytes)| valid_vector(name, shows, of, bytes))
                .collect();
            (name.to_owned(), file(&format!("Messages of type {of}."), &vectors))
        })
        .collect();
    let valid_vectors = |messages: &[Edge]| -> Vec<String> {
        let vector = |(name, shows, of, bytes): &Edge| valid_vector(name, shows, of, bytes);
        messages.iter().map(vector).collect()
    };
    files.extend(contracts::all().into_iter().map(|(name, contract, messages)| {
        let description = format!("Messages of the contract {contract}.");
        (name.to_owned(), file(&description, &valid_vectors(&messages)))
    }));
    let accepted = valid_vectors(&[edge::accepted(), contracts::accepted()].concat());
    files.push((
        "accepted.json".into(),
        file(
            "Well-formed messages that this crate would write otherwise: as in canonical_bytes.",
            &accepted,
        ),
    ));
    let refused: Vec<String> = [edge::refused(), contracts::refused()]
        .concat()
        .iter()
        .map(|((name, shows, of, bytes), error)| {
            let mut text = lines(name, shows, of);
            write!(text, ",\n      \"bytes\": \"{}\"", hex::encode(bytes)).unwrap();
            write!(text, ",\n      \"error\": \"{error}\"").unwrap();
            text
        })
        .collect();
    files.push((
        "malformed.json".into(),
        file("Bytes that must be refused, and the kind of the refusal.", &refused),
    ));
    files
}

#[test]
fn the_files_are_those_of_the_samples() {
    let files = files();
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        for (name, text) in &files {
            std::fs::write(folder().join(name), text).unwrap();
        }
    }
    for (name, text) in &files {
        assert!(
            read(name) == *text,
            "{name} is not what the code writes: see the head of this test"
        );
    }
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    found.sort();
    let mut expected: Vec<String> = files.into_iter().map(|(name, _)| name).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn valid_vectors_decode_to_their_fields_and_encode_to_their_bytes() {
    for (name, _) in files().iter().filter(|(name, _)| name != "malformed.json") {
        let file: File<Vector> = serde_json::from_str(&read(name)).unwrap();
        assert!(!file.description.is_empty() && !file.vectors.is_empty());
        for vector in file.vectors {
            let place = format!("{name}: {}", vector.name);
            let bytes = hex::decode(&vector.bytes).unwrap();
            let fields = vector.fields.0;
            assert_eq!(fields::decode(&bytes), fields, "{place}");
            let canonical = match vector.canonical_bytes {
                None => bytes.clone(),
                Some(other) => hex::decode(other).unwrap(),
            };
            assert_eq!(recode(&vector.of, &bytes).as_ref(), Ok(&canonical), "{place}");
            // What another language builds from the fields is read as the same message.
            let built = fields::encode(&fields);
            assert_eq!(recode(&vector.of, &built).as_ref(), Ok(&canonical), "{place}");
            if canonical == bytes {
                assert_eq!(built, bytes, "{place}");
            }
        }
    }
}

#[test]
fn every_message_of_a_contract_has_a_vector() {
    let shown: Vec<&str> = contracts::all()
        .into_iter()
        .flat_map(|(_, _, messages)| messages)
        .map(|edge| edge.2)
        .collect();
    let missing: Vec<_> = contract_types::TYPES.iter().filter(|of| !shown.contains(*of)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn malformed_vectors_are_refused_with_their_kind_of_error() {
    let file: File<Malformed> = serde_json::from_str(&read("malformed.json")).unwrap();
    assert!(!file.description.is_empty() && !file.vectors.is_empty());
    for vector in file.vectors {
        let error = recode(&vector.of, &hex::decode(&vector.bytes).unwrap()).unwrap_err();
        assert_eq!(kind(&error), vector.error, "{}: {error}", vector.name);
    }
}
