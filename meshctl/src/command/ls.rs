//! `meshctl ls`.

mod providers;

use std::time::Duration;

use clap::{Args, ValueEnum};
use lattice_client::Lattice;
use lattice_client::registry::Registry;
use lattice_protocol::control::{Inventory, Providers};
use lattice_protocol::presence::ServedActor;
use lattice_protocol::record::{ActorRecord, LinkRecord};
use lattice_protocol::subjects::RegistryKey;
use serde_json::{Value, json};

use crate::diagnose;
use crate::exit::Failure;
use crate::output::table;
use crate::session::{self, Deployed, Session, look};
use crate::{limits, values};

/// Lists nodes, actors, providers and links: all of them, or one sort.
///
/// An actor's revision is the one in the registry; SERVED tells which revisions nodes serve, and
/// on how many nodes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  meshctl ls\n  meshctl ls actors -o json\n  meshctl ls nodes --wait 2s"
)]
pub struct Ls {
    /// What to list; everything where absent.
    #[arg(value_enum)]
    what: Option<What>,
    /// Time that nodes have to answer [default: 500ms]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Nodes,
    Actors,
    Providers,
    Links,
}

/// One sort of things, for programs and for people.
struct Section {
    what: What,
    values: Vec<Value>,
    headers: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Ls {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when the lattice can't be reached.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = self.list(session, &lattice).await;
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }

    async fn list(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let wants = |what| self.what.is_none_or(|wanted| wanted == what);
        let nodes = if wants(What::Nodes) || wants(What::Actors) {
            let wait = self.wait.unwrap_or(Duration::from_millis(limits::LIST_WAIT_MS));
            look(lattice, u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)).await?
        } else {
            Vec::new()
        };
        let running = if wants(What::Providers) || wants(What::Links) {
            session::running_providers(lattice).await?
        } else {
            Vec::new()
        };
        let registry = match self.what {
            Some(What::Nodes) => None,
            _ => lattice.existing_registry().await?,
        };
        let (deployed, links) = match &registry {
            Some(registry) => (Deployed::of(registry).await?, links(registry).await?),
            None => Default::default(),
        };
        let sections: Vec<Section> = [
            node_section(&nodes),
            actor_section(&deployed, &nodes),
            providers::section(&deployed, &running),
            link_section(&links, &deployed, &running),
        ]
        .into_iter()
        .filter(|section| wants(section.what))
        .collect();
        let mut value = json!({ "lattice": lattice.name() });
        if let Some(fields) = value.as_object_mut() {
            for section in &sections {
                fields.insert(section.what.noun().to_owned(), json!(section.values));
            }
        }
        session.output.data(&value, || text(&sections, self.what.is_none()))?;
        if nodes.is_empty() && wants(What::Nodes) {
            let name = lattice.name();
            session.output.progress(&format!(
                "no node is running on lattice {name}: start one with `mesh-node --nats URL --lattice {name}`"
            ));
        }
        Ok(())
    }
}

/// Lists the providers, as `meshctl ls providers` does.
///
/// # Errors
/// [`Failure`] when the lattice can't be reached.
pub(super) async fn providers_alone(session: &Session, lattice: &Lattice) -> Result<(), Failure> {
    Ls { what: Some(What::Providers), wait: None }.list(session, lattice).await
}

/// Lists the links, as `meshctl ls links` does.
///
/// # Errors
/// [`Failure`] when the lattice can't be reached.
pub(super) async fn links_alone(session: &Session, lattice: &Lattice) -> Result<(), Failure> {
    Ls { what: Some(What::Links), wait: None }.list(session, lattice).await
}

impl What {
    fn noun(self) -> &'static str {
        match self {
            What::Nodes => "nodes",
            What::Actors => "actors",
            What::Providers => "providers",
            What::Links => "links",
        }
    }
}

fn text(sections: &[Section], all: bool) -> String {
    let parts: Vec<String> = sections
        .iter()
        // Of everything only what there is, but for what every lattice should have.
        .filter(|section| {
            !all || !section.rows.is_empty() || matches!(section.what, What::Nodes | What::Actors)
        })
        .map(|section| {
            if section.rows.is_empty() {
                return format!("no {}\n", section.what.noun());
            }
            let title = if all {
                format!("{} {}\n", section.rows.len(), section.what.noun())
            } else {
                String::new()
            };
            format!("{title}{}", table(section.headers, &section.rows))
        })
        .collect();
    parts.join("\n")
}

fn node_section(nodes: &[Inventory]) -> Section {
    let row = |node: &Inventory| {
        let beat = &node.heartbeat;
        vec![
            beat.node.to_string(),
            beat.version.clone(),
            uptime(beat.uptime_ms),
            beat.actor_count.to_string(),
            beat.in_flight.to_string(),
            if beat.draining { "draining".to_owned() } else { "serving".to_owned() },
            diagnose::labels(&beat.labels),
        ]
    };
    let value = |node: &Inventory| {
        let mut value = json!(node.heartbeat);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("refused".to_owned(), json!(node.refused));
        }
        value
    };
    Section {
        what: What::Nodes,
        values: nodes.iter().map(value).collect(),
        headers: &["NODE", "VERSION", "UPTIME", "ACTORS", "IN FLIGHT", "STATE", "LABELS"],
        rows: nodes.iter().map(row).collect(),
    }
}

fn actor_section(deployed: &Deployed, nodes: &[Inventory]) -> Section {
    let mut values = Vec::new();
    let mut rows = Vec::new();
    for entry in &deployed.actors {
        let record = &entry.record;
        let served = served(record, nodes);
        let refused: Vec<(&str, String)> = nodes
            .iter()
            .flat_map(|node| node.refused.iter().map(move |refusal| (node, refusal)))
            .filter(|(_, refusal)| refusal.key == record.key)
            .map(|(node, refusal)| (node.heartbeat.node.as_str(), refusal.error.to_string()))
            .collect();
        let mut notes: Vec<String> = Vec::new();
        notes.extend(record.replicas().map(|replicas| match replicas {
            1 => "on 1 node".to_owned(),
            replicas => format!("on {replicas} nodes"),
        }));
        // What is served only until another node serves it does not count as placed there.
        let (lingering, placed): (Vec<_>, Vec<_>) =
            served.iter().partition(|(_, actor)| actor.lingering);
        let revisions: Vec<u64> = placed.iter().map(|(_, actor)| actor.revision).collect();
        notes.extend(
            lingering.iter().map(|(node, _)| format!("{node} serves it until another node does")),
        );
        let left = record.history.iter().any(|past| past.revision > record.revision);
        if record.rolled_back && left {
            notes.push("rolled back".to_owned());
        }
        notes.extend(deployed.revoked(record).map(|what| format!("revoked: {what}")));
        notes.extend(refused.iter().map(|(node, why)| format!("refused by {node}: {why}")));
        rows.push(vec![
            record.name.to_string(),
            record.revision.to_string(),
            count(&revisions),
            record.key.to_string(),
            diagnose::labels(&record.labels),
            notes.join("; "),
        ]);
        let mut value = json!(record);
        if let Some(fields) = value.as_object_mut() {
            let served: Vec<Value> = served
                .iter()
                .map(|(node, actor)| {
                    json!({ "node": node, "revision": actor.revision, "lingering": actor.lingering })
                })
                .collect();
            let refused: Vec<Value> =
                refused.iter().map(|(node, why)| json!({ "node": node, "reason": why })).collect();
            fields.insert("served".to_owned(), json!(served));
            fields.insert("refused".to_owned(), json!(refused));
            fields.insert("revoked".to_owned(), json!(deployed.revoked(record)));
        }
        values.push(value);
    }
    Section {
        what: What::Actors,
        values,
        headers: &["NAME", "REVISION", "SERVED", "KEY", "LABELS", "NOTES"],
        rows,
    }
}

/// Returns which nodes serve an actor, and at which revision.
fn served<'a>(record: &ActorRecord, nodes: &'a [Inventory]) -> Vec<(&'a str, &'a ServedActor)> {
    nodes
        .iter()
        .flat_map(|node| node.heartbeat.actors.iter().map(move |actor| (node, actor)))
        .filter(|(_, actor)| actor.key == record.key)
        .map(|(node, actor)| (node.heartbeat.node.as_str(), actor))
        .collect()
}

/// Writes how many nodes serve each revision, newest first: `7 on 2 nodes, 6 on 1 node`.
fn count(revisions: &[u64]) -> String {
    let mut counts = std::collections::BTreeMap::<u64, usize>::new();
    for revision in revisions {
        *counts.entry(*revision).or_default() += 1;
    }
    if counts.is_empty() {
        return "nowhere".to_owned();
    }
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let parts: Vec<String> = counts
        .iter()
        .rev()
        .map(|(revision, n)| format!("{revision} on {n} node{}", plural(*n)))
        .collect();
    parts.join(", ")
}

async fn links(registry: &Registry) -> Result<Vec<LinkRecord>, Failure> {
    let found = registry.list(|key| matches!(key, RegistryKey::Link(..))).await?;
    let mut links: Vec<LinkRecord> =
        found.into_iter().flatten().map(|(_, entry)| entry.record).collect();
    links.sort_by(|a, b| (&a.source, &a.contract, &a.name).cmp(&(&b.source, &b.contract, &b.name)));
    Ok(links)
}

fn link_section(links: &[LinkRecord], deployed: &Deployed, running: &[Providers]) -> Section {
    let targets = deployed.targets(running);
    // A link may be made before either end is deployed, and outlives both.
    let shown = |key: &str| {
        let known = targets.iter().find(|known| known.key == key);
        let name = known.and_then(|known| known.name.clone());
        name.unwrap_or_else(|| key.to_owned())
    };
    let row = |link: &LinkRecord| {
        vec![
            shown(link.source.as_str()),
            link.contract.to_string(),
            link.name.to_string(),
            shown(link.target.as_str()),
            settings(link).join(", "),
        ]
    };
    let value = |link: &LinkRecord| {
        json!({
            "source": link.source,
            "contract": link.contract,
            "name": link.name,
            "target": link.target,
            "config": settings(link),
            "generation": link.generation,
        })
    };
    Section {
        what: What::Links,
        values: links.iter().map(value).collect(),
        headers: &["SOURCE", "CONTRACT", "NAME", "TARGET", "SETTINGS"],
        rows: links.iter().map(row).collect(),
    }
}

/// Returns the names of a link's settings: what they are set to may be a secret.
fn settings(link: &LinkRecord) -> Vec<&str> {
    link.config.keys().map(String::as_str).collect()
}

pub(super) fn uptime(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_counted_newest_first() {
        assert_eq!(count(&[]), "nowhere");
        assert_eq!(count(&[6, 7, 7]), "7 on 2 nodes, 6 on 1 node");
    }

    #[test]
    fn uptimes_are_short() {
        assert_eq!(uptime(59_999), "59s");
        assert_eq!(uptime(61_000), "1m1s");
        assert_eq!(uptime(90_000_000), "1d1h");
    }
}
