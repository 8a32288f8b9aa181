//! Providers: those that the registry wants, and those that run.

use std::collections::BTreeMap;

use lattice_protocol::control::{Providers, RunningProvider, SupervisedProvider};
use lattice_protocol::keys::{NodeKey, ProviderKey};
use lattice_protocol::record::ProviderRecord;
use serde_json::{Value, json};

use super::{Section, What};
use crate::diagnose;
use crate::session::Deployed;

/// All that is known of one provider.
#[derive(Default)]
struct Known<'a> {
    record: Option<&'a ProviderRecord>,
    running: Vec<(&'a NodeKey, &'a RunningProvider)>,
    supervised: Vec<(&'a NodeKey, &'a SupervisedProvider)>,
}

/// Returns the section of the providers.
pub(super) fn section(deployed: &Deployed, told: &[Providers]) -> Section {
    let mut known: BTreeMap<&ProviderKey, Known<'_>> = BTreeMap::new();
    for record in &deployed.providers {
        known.entry(&record.key).or_default().record = Some(record);
    }
    for process in told {
        for provider in &process.running {
            known.entry(&provider.key).or_default().running.push((&process.node, provider));
        }
        for provider in &process.supervised {
            known.entry(&provider.key).or_default().supervised.push((&process.node, provider));
        }
    }
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort_by_key(|(_, one)| one.name().to_owned());
    Section {
        what: What::Providers,
        values: known.iter().map(|(key, one)| one.value(key)).collect(),
        headers: &["NAME", "CONTRACT", "RUNS", "LINKS", "KEY", "LABELS", "NOTES"],
        rows: known.iter().map(|(key, one)| one.row(key)).collect(),
    }
}

impl Known<'_> {
    /// The registry's name wins over the one that the program has.
    fn name(&self) -> &str {
        let running = self.running.first().map(|(_, one)| one.name.as_str());
        self.record.map(|record| record.name.as_str()).or(running).unwrap_or_default()
    }

    fn contract(&self) -> &str {
        self.running.first().map_or("", |(_, one)| one.contract.as_str())
    }

    fn row(&self, key: &ProviderKey) -> Vec<String> {
        let runs = match self.running.len() {
            0 => "nowhere".to_owned(),
            1 => "in 1 process".to_owned(),
            more => format!("in {more} processes"),
        };
        let links = self.running.iter().map(|(_, one)| one.links).max().unwrap_or_default();
        let labels = self.record.map(|record| diagnose::labels(&record.labels));
        vec![
            self.name().to_owned(),
            self.contract().to_owned(),
            runs,
            links.to_string(),
            key.to_string(),
            labels.unwrap_or_default(),
            self.notes().join("; "),
        ]
    }

    /// What is not as it should be.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (node, one) in &self.supervised {
            if let Some(reason) = &one.reason {
                notes.push(format!("{node} has started it {} times: {reason}", one.starts));
            }
        }
        for (node, one) in &self.running {
            notes.extend(one.error.iter().map(|error| format!("not well in {node}: {error}")));
            for refused in &one.refused {
                notes.push(format!(
                    "{node} refuses the link {} of {}: {}",
                    refused.name, refused.source, refused.error
                ));
            }
        }
        notes
    }

    // What a provider is configured with may be a secret.
    fn value(&self, key: &ProviderKey) -> Value {
        let running: Vec<Value> = self
            .running
            .iter()
            .map(|(node, one)| {
                let mut value = json!(one);
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("node".to_owned(), json!(node));
                }
                value
            })
            .collect();
        let supervised: Vec<Value> = self
            .supervised
            .iter()
            .map(|(node, one)| {
                json!({ "node": node, "pid": one.pid, "starts": one.starts, "reason": one.reason })
            })
            .collect();
        json!({
            "name": self.name(),
            "key": key,
            "contract": self.contract(),
            "command": self.record.map(|record| &record.command),
            "labels": self.record.map(|record| &record.labels),
            "running": running,
            "supervised": supervised,
        })
    }
}
