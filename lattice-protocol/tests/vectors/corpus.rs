//! The corpus in `tests/corpus/`: what each version has written, kept as it was. Programs of the last version and
//! of this one run side by side while a lattice is upgraded, so this one must read all of it, and write what the
//! one before can read.
//!
//! `cargo xtask corpus v0.2` records what the code writes now; it never writes over what is there. Recorded are the
//! messages of the vectors, the names of `names.rs` and the small lattice of `lattice.rs`.

mod lattice;
mod names;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rmpv::Value;

use crate::{contracts, fields, recode, samples};

/// Fields that are maps of whatever people put in: there an unknown key is an entry and no field of a later version.
const ENTRIES: [&str; 6] = ["labels", "config", "detail", "data", "metadata", "fields"];

/// One message, as it was or is written.
struct Message {
    of: String,
    name: String,
    bytes: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Returns every version that was recorded: its name and its folder.
fn versions() -> BTreeMap<String, PathBuf> {
    let versions: BTreeMap<_, _> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    assert!(versions.contains_key("v0.1"), "the first version is not there");
    versions
}

/// Returns what the code writes now.
fn present() -> Vec<Message> {
    let samples = samples::all().into_iter().flat_map(|(_, of, samples)| {
        samples.into_iter().map(|(name, _, bytes)| Message { of: of.to_owned(), name, bytes })
    });
    let contracts = contracts::all().into_iter().flat_map(|(_, _, messages)| {
        messages.into_iter().map(|(name, _, of, bytes)| {
            let (of, name) = (of.to_owned(), name.to_owned());
            Message { of, name, bytes }
        })
    });
    samples.chain(contracts).collect()
}

/// Returns what a version has written, each with the fields that it was recorded with.
fn recorded(version: &Path) -> Vec<(Message, Value)> {
    let mut all = Vec::new();
    for of in std::fs::read_dir(version.join("messages")).unwrap() {
        let of = of.unwrap().path();
        let kind = of.file_name().unwrap().to_str().unwrap().to_owned();
        let told = std::fs::read_to_string(of.join("fields.json")).unwrap();
        let told: fields::Fields = serde_json::from_str(&told).unwrap();
        let Value::Map(told) = told.0 else { panic!("{} is no map", of.display()) };
        assert!(!told.is_empty(), "{} tells of nothing", of.display());
        for (name, fields) in told {
            let name = name.as_str().unwrap().to_owned();
            let bytes = std::fs::read(of.join(format!("{name}.msgpack"))).unwrap();
            all.push((Message { of: kind.clone(), name, bytes }, fields));
        }
        let files = std::fs::read_dir(&of).unwrap().count();
        let told = all.iter().filter(|(message, _)| message.of == kind).count();
        assert_eq!(files, told + 1, "{}: a file that fields.json does not tell of", of.display());
    }
    all
}

/// Fails with the path of the first field that `now` lacks or has otherwise.
fn same_or_more(now: &Value, then: &Value, path: &str) -> Result<(), String> {
    match (now, then) {
        (Value::Map(now), Value::Map(then)) => {
            for (key, then) in then {
                let path = format!("{path}.{key}");
                let found = now.iter().find(|(name, _)| name == key);
                let (_, now) = found.ok_or_else(|| format!("{path} is written no more"))?;
                same_or_more(now, then, &path)?;
            }
            Ok(())
        }
        (Value::Array(now), Value::Array(then)) if now.len() == then.len() => {
            let mut pairs = now.iter().zip(then).enumerate();
            pairs
                .try_for_each(|(at, (now, then))| same_or_more(now, then, &format!("{path}[{at}]")))
        }
        // Binary stays binary, text stays text: rmpv tells them apart.
        (now, then) if now == then => Ok(()),
        (now, then) => Err(format!("{path} was {then} and is {now}")),
    }
}

/// Adds fields of a later version to every map, in front of and behind those that there are.
fn with_unknown(value: Value, is_entries: bool) -> Value {
    match value {
        Value::Map(known) => {
            let mut all: Vec<(Value, Value)> = known
                .into_iter()
                .map(|(key, value)| {
                    let is_entries = key.as_str().is_some_and(|key| ENTRIES.contains(&key));
                    (key, with_unknown(value, is_entries))
                })
                .collect();
            if !is_entries {
                let nested =
                    Value::Map(vec![("deep".into(), Value::Array(vec![Value::Nil, 7.into()]))]);
                all.insert(0, ("a_later_field".into(), nested));
                all.push(("z_later_field".into(), Value::Binary(vec![1, 2, 3])));
            }
            Value::Map(all)
        }
        Value::Array(values) => {
            Value::Array(values.into_iter().map(|value| with_unknown(value, false)).collect())
        }
        other => other,
    }
}

/// Records, where it is asked for: `RECORD_CORPUS` names the version.
#[test]
fn a_version_is_recorded_once() {
    let Some(version) = std::env::var_os("RECORD_CORPUS") else { return };
    let version = version.into_string().unwrap();
    let plain = version.strip_prefix('v').unwrap_or_default();
    let is_version = !plain.is_empty() && plain.chars().all(|c| c.is_ascii_digit() || c == '.');
    assert!(is_version, "{version:?} is no version: write v0.2");
    let folder = folder().join(&version);
    assert!(!folder.exists(), "{} is there: what was recorded stays as it was", folder.display());
    let mut told = BTreeMap::<String, Vec<(Value, Value)>>::new();
    for Message { of, name, bytes } in present() {
        let kind = folder.join("messages").join(&of);
        std::fs::create_dir_all(&kind).unwrap();
        std::fs::write(kind.join(format!("{name}.msgpack")), &bytes).unwrap();
        told.entry(of).or_default().push((name.into(), fields::decode(&bytes)));
    }
    for (of, told) in told {
        let mut text = String::new();
        fields::write(&Value::Map(told), 0, &mut text);
        let path = folder.join("messages").join(of).join("fields.json");
        std::fs::write(path, text + "\n").unwrap();
    }
    names::record(&folder);
    lattice::record(&folder);
}

#[test]
fn what_was_written_is_read_as_what_it_meant() {
    for (version, folder) in versions() {
        let recorded = recorded(&folder);
        assert!(recorded.len() > 50, "{version} is no whole corpus");
        for (Message { of, name, bytes }, fields) in recorded {
            let place = format!("{version}: {of}, {name}");
            assert_eq!(fields::decode(&bytes), fields, "{place}: the files differ");
            // Written again it says the same: so it was read as that, and the version that wrote it finds
            // every field where it was, of the type that it had.
            let again = recode(&of, &bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
            let read = same_or_more(&fields::decode(&again), &fields, "");
            assert_eq!(read, Ok(()), "{place}");
        }
    }
}

#[test]
fn fields_of_a_later_version_are_passed_over() {
    for (version, folder) in versions() {
        for (Message { of, name, bytes }, fields) in recorded(&folder) {
            let place = format!("{version}: {of}, {name}");
            let later = fields::encode(&with_unknown(fields.clone(), false));
            assert_ne!(later, bytes, "{place}: nothing was added");
            assert_eq!(recode(&of, &later), recode(&of, &bytes), "{place}");
        }
    }
}

/// The kinds of messages that a version knew are those that programs of it send: none may vanish.
#[test]
fn every_kind_of_message_is_recorded_and_still_there() {
    let now: Vec<String> = present().into_iter().map(|message| message.of).collect();
    for (version, folder) in versions() {
        for (message, _) in recorded(&folder) {
            assert!(now.contains(&message.of), "{version}: {} is gone", message.of);
        }
    }
}

/// What these tests would not forgive.
#[test]
fn a_field_that_goes_or_changes_its_type_is_seen() {
    let map = |fields: &[(&str, Value)]| {
        Value::Map(fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
    };
    let then = map(&[("v", 1.into()), ("id", Value::Binary(vec![7]))]);
    let later = map(&[("id", Value::Binary(vec![7])), ("new", 3.into()), ("v", 1.into())]);
    assert_eq!(same_or_more(&later, &then, ""), Ok(()), "more, in another order");
    let gone = same_or_more(&map(&[("v", 1.into())]), &then, "").unwrap_err();
    assert!(gone.contains("id"), "{gone}");
    let other = map(&[("v", 1.into()), ("id", "7".into())]);
    assert!(same_or_more(&other, &then, "").is_err(), "text where bytes were");
}
