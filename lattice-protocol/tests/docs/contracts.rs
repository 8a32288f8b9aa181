//! Holds `docs/contracts.md` to the code and to the vectors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lattice_protocol::contract::{Contract, Side};
use serde_json::Value;

use super::{constant, file, listed_limits, table, vectors};

fn page() -> String {
    file("../docs/contracts.md")
}

/// Returns whether a file of vectors is that of a contract.
pub fn is_of_contract(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("contract_"))
}

/// Returns the file of a contract's vectors, and what it holds.
fn vectors_of(contract: &Contract) -> (String, Vec<Value>) {
    let word = contract.name.split(':').nth(1).unwrap().replace('-', "_");
    let name = format!("contract_{word}.json");
    let (_, content) = vectors().into_iter().find(|(path, _)| path.ends_with(&name)).unwrap();
    (name, content["vectors"].as_array().unwrap().clone())
}

/// Returns what the page says about a contract.
fn section<'a>(page: &'a str, contract: &Contract) -> &'a str {
    let head = format!("\n## `{}`\n", contract.name);
    let (_, rest) = page.split_once(&head).unwrap_or_else(|| panic!("there is no {head:?}"));
    rest.split("\n## ").next().unwrap()
}

#[test]
fn every_operation_is_described_as_it_is() {
    let page = page();
    for contract in Contract::ALL {
        let code: BTreeSet<_> = contract
            .operations
            .iter()
            .map(|operation| {
                let by = if operation.by == Side::Actor { "actor" } else { "provider" };
                let idempotent = if operation.idempotent { "yes" } else { "no" };
                (format!("`{}`", operation.name), by.to_owned(), idempotent.to_owned())
            })
            .collect();
        let head = "| operation | run by | request | response | idempotent |";
        let listed: BTreeSet<_> = table(section(&page, contract), head)
            .into_iter()
            .map(|row| (row[0].clone(), row[1].clone(), row[4].clone()))
            .collect();
        assert_eq!(listed, code, "{}", contract.name);
    }
}

#[test]
fn every_limit_has_the_value_that_the_code_has() {
    let mut module = String::new();
    let mut code = BTreeMap::new();
    for line in file("src/contract/limits.rs").lines() {
        if let Some(name) = line.strip_prefix("pub mod ") {
            module = format!("{}::", name.trim_end_matches(" {"));
        }
        code.extend(constant(line.trim()).map(|(name, value)| (format!("{module}{name}"), value)));
    }
    assert!(code.contains_key("keyvalue::KEY_BYTES_MAX") && code.contains_key("HEADERS_MAX"));
    assert_eq!(listed_limits(&page()), code);
}

/// Collects the names of fields, at any depth.
fn fields_of(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| fields_of(value, names)),
        Value::Object(fields) if !fields.contains_key("hex") => {
            for (name, value) in fields {
                names.insert(name.clone());
                // Their keys are the sender's own.
                if !matches!(name.as_str(), "metadata" | "fields") {
                    fields_of(value, names);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_every_message_is_named() {
    let page = page();
    for contract in Contract::ALL {
        let (file, vectors) = vectors_of(contract);
        let section = section(&page, contract);
        assert!(section.contains(&file), "{} does not name {file}", contract.name);
        let mut names = BTreeSet::new();
        vectors.iter().for_each(|vector| fields_of(&vector["fields"], &mut names));
        let missing: Vec<_> =
            names.iter().filter(|name| !section.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{} does not name {missing:?}", contract.name);
    }
}

/// Writes bytes that are text as text: so a person writes them, and so they may be sent.
fn readable(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(readable).collect(),
        Value::Object(fields) => match fields.get("hex").and_then(Value::as_str) {
            Some(bytes) => match String::from_utf8(hex::decode(bytes).unwrap()) {
                Ok(text) => text.into(),
                Err(_) => Value::Object(fields),
            },
            None => fields.into_iter().map(|(name, value)| (name, readable(value))).collect(),
        },
        other => other,
    }
}

#[test]
fn the_examples_are_those_of_the_vectors() {
    let page = page();
    for contract in Contract::ALL {
        let (_, vectors) = vectors_of(contract);
        let mut parts = section(&page, contract).split("```json\n");
        let mut before = parts.next().unwrap();
        let mut seen = 0;
        for part in parts {
            let (block, after) = part.split_once("```").unwrap();
            let names = before.trim().lines().last().unwrap().split('`').skip(1).step_by(2);
            let names: Vec<_> = names.filter(|name| !name.ends_with(".json")).collect();
            let examples: Vec<Value> =
                block.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(names.len(), examples.len(), "{names:?}");
            for (name, example) in names.iter().zip(examples) {
                let vector = vectors.iter().find(|vector| vector["name"] == *name);
                let vector = vector.unwrap_or_else(|| panic!("there is no vector {name}"));
                assert_eq!(example, readable(vector["fields"].clone()), "{name}");
                seen += 1;
            }
            before = after;
        }
        assert!(seen > 0, "{} has no example", contract.name);
    }
}
