//! Holds `docs/protocol.md` and `docs/contracts.md` to the code: what they list is what there is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't read what it compares should end there"
)]

mod contracts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use lattice_protocol::ErrorCode;
use lattice_protocol::event::EventKind;
use lattice_protocol::subjects::ControlVerb;

/// Column at which the explanation of a line of bytes begins.
const EXPLANATION_COLUMN: usize = 44;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page() -> String {
    file("../docs/protocol.md")
}

/// Returns the rows of the table whose head begins with `head`, each as its cells.
fn table(page: &str, head: &str) -> Vec<Vec<String>> {
    let rows = page.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows: Vec<_> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(!rows.is_empty(), "there is no table {head:?}");
    rows
}

/// Returns the first cells of a table, without their backticks; none may be there twice.
fn names(page: &str, head: &str) -> BTreeSet<String> {
    let rows = table(page, head);
    let names: BTreeSet<_> = rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect();
    assert_eq!(names.len(), rows.len(), "a row of {head:?} is there twice");
    names
}

fn set<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names.map(str::to_owned).collect()
}

#[test]
fn every_error_code_is_described_with_its_cause_and_next_step() {
    let page = page();
    let head = "| code | cause | started | next step |";
    assert_eq!(names(&page, head), set(ErrorCode::ALL.iter().map(|code| code.as_str())));
    for row in table(&page, head) {
        let reserved = row[1].starts_with("*reserved*");
        assert!(reserved || row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn every_event_kind_and_control_verb_is_described() {
    let page = page();
    let kinds = set(EventKind::ALL.iter().map(|kind| kind.as_str()));
    assert_eq!(names(&page, "| kind | when |"), kinds);
    let rows = table(&page, "| verb | to |");
    let named = rows.iter().flat_map(|row| row[0].split(", ")).map(|verb| verb.trim_matches('`'));
    assert_eq!(set(named), set(ControlVerb::ALL.iter().map(|verb| verb.as_str())));
}

/// Returns the name and the value of a constant, where `line` of a source declares one.
fn constant(line: &str) -> Option<(String, u64)> {
    let (name, rest) = line.strip_prefix("pub const ")?.strip_suffix(';')?.split_once(": ")?;
    let factors = rest.split_once(" = ").unwrap().1.split('*');
    let value = factors.map(|n| n.trim().replace('_', "").parse::<u64>().unwrap()).product();
    Some((name.to_owned(), value))
}

/// Returns the limits that a page lists.
fn listed_limits(page: &str) -> BTreeMap<String, u64> {
    table(page, "| limit | value |")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].parse::<u64>().unwrap()))
        .collect()
}

#[test]
fn every_limit_has_the_value_that_the_code_has() {
    let code: BTreeMap<_, _> = file("src/limits.rs").lines().filter_map(constant).collect();
    assert_eq!(listed_limits(&page()), code);
}

fn vectors() -> Vec<(PathBuf, serde_json::Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

#[test]
fn every_field_of_every_message_is_named() {
    let page = page();
    let mut fields = BTreeSet::new();
    for (path, file) in vectors() {
        // Messages of a stranger, with fields that mean nothing here.
        if path.ends_with("accepted.json") || contracts::is_of_contract(&path) {
            continue;
        }
        for vector in file["vectors"].as_array().unwrap() {
            fields
                .extend(vector["fields"].as_object().into_iter().flatten().map(|(k, _)| k.clone()));
        }
    }
    assert!(fields.contains("min_revision") && fields.contains("uptime_ms"), "{fields:?}");
    let missing: Vec<_> =
        fields.iter().filter(|field| !page.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "docs/protocol.md does not name {missing:?}");
}

#[test]
fn the_bytes_that_are_explained_are_those_of_the_vectors() {
    let page = page();
    let explained: Vec<String> = page
        .split("```text\n")
        .skip(1)
        .map(|block| {
            let block = block.split("```").next().unwrap();
            let bytes = block.lines().map(|line| line.get(..EXPLANATION_COLUMN).unwrap_or(line));
            bytes.flat_map(|part| part.split(' ')).collect()
        })
        .collect();
    let vector = |file: &str, name: &str| {
        let all = vectors();
        let (_, content) = all.iter().find(|(path, _)| path.ends_with(file)).unwrap();
        let vectors = content["vectors"].as_array().unwrap();
        let found = vectors.iter().find(|vector| vector["name"] == name).unwrap();
        found["bytes"].as_str().unwrap().to_owned()
    };
    let expected = [vector("invocation.json", "plain"), vector("reply.json", "ok")];
    assert_eq!(explained, expected);
    let length = format!("{} bytes, published", expected[0].len() / 2);
    assert!(page.contains(&length), "the length that is told is not {length:?}");
}
