//! `meshctl link`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use lattice_client::Lattice;
use lattice_client::registry::Registry;
use lattice_protocol::keys::{ActorKey, TargetKey};
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::{ContractName, LinkName};
use lattice_protocol::record::{ActorRecord, LinkRecord};
use lattice_protocol::subjects::RegistryKey;
use serde_json::json;
use tokio::time::Instant;

use super::ls;
use crate::exit::{Exit, Failure};
use crate::resolve::Known;
use crate::session::{self, Deployed, Session, look};
use crate::{limits, resolve, values};

/// Binds contracts of actors to what answers them.
#[derive(Debug, Subcommand)]
pub enum Link {
    /// Binds a contract of an actor to a target, or binds it anew.
    ///
    /// The target is a provider or another actor. Success is told when every node leads calls
    /// there; what an actor calls from then on goes to it.
    #[command(after_help = "Examples:\n  meshctl link put shop mesh:keyvalue VKV2…\n  \
                            meshctl link put shop mesh:greeter echo --config language=en\n  \
                            meshctl link put shop mesh:keyvalue VKV2… --name sessions")]
    Put(Put),
    /// Takes a link away: calls of the contract fail with `no_link` from then on.
    #[command(after_help = "Examples:\n  meshctl link del shop mesh:keyvalue\n  \
                            meshctl link del shop mesh:keyvalue --name sessions")]
    Del(Del),
    /// Lists the links.
    #[command(after_help = "Example:\n  meshctl link ls -o json")]
    Ls,
}

/// What to bind.
#[derive(Debug, Args)]
pub struct Put {
    /// The actor whose calls are led.
    actor: String,
    /// The contract, such as mesh:keyvalue.
    contract: ContractName,
    /// Provider or actor that answers them.
    target: String,
    /// Tells several links of one contract apart; an actor names it in its call.
    #[arg(long, default_value = "default")]
    name: LinkName,
    /// What the target needs to know to serve this actor; may be repeated. Replaces what was
    /// there.
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::setting)]
    config: Vec<(String, String)>,
}

/// What to take away.
#[derive(Debug, Args)]
pub struct Del {
    /// The actor.
    actor: String,
    /// The contract.
    contract: ContractName,
    /// The link's name.
    #[arg(long, default_value = "default")]
    name: LinkName,
}

impl Link {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when an actor, a target or a link is unknown, or nodes do not follow in time.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = match &self {
            Self::Put(put) => put.run(session, &lattice).await,
            Self::Del(del) => del.run(session, &lattice).await,
            Self::Ls => ls::links_alone(session, &lattice).await,
        };
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }
}

impl Put {
    async fn run(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let registry = lattice.registry().await?;
        let deployed = Deployed::of(&registry).await?;
        let source = source(&deployed, &self.actor)?;
        let target = target(&deployed, &self.target)?;
        let write = session::new_write();
        let key = RegistryKey::Link(source.clone(), self.contract.clone(), self.name.clone());
        let update = registry.update::<LinkRecord, Failure>(&key, |old| {
            Ok(LinkRecord {
                v: WIRE_VERSION,
                source: source.clone(),
                contract: self.contract.clone(),
                name: self.name.clone(),
                target: target.clone(),
                config: self.config.iter().cloned().collect::<BTreeMap<_, _>>(),
                generation: old.map_or(0, |old| old.generation) + 1,
                writer: write.writer.clone(),
            })
        });
        let entry = Box::pin(update).await?;
        let nodes = until_followed(session, lattice, entry.at).await?;
        let record = entry.record;
        let signed = signed_for(&deployed, &source, &self.contract);
        if signed == Some(false) {
            session.output.progress(&format!(
                "{} was not signed to use {c}: its calls stay unauthorized until it is signed with --cap {c}",
                self.actor,
                c = self.contract
            ));
        }
        let value = json!({
            "source": record.source,
            "contract": record.contract,
            "name": record.name,
            "target": record.target,
            "generation": record.generation,
            "nodes": nodes,
            "signed_for": signed,
        });
        session.output.data(&value, || {
            let shown = shown(&deployed, &source);
            format!("{} of {shown} leads to {target} on {}", self.contract, count(nodes))
        })
    }
}

impl Del {
    async fn run(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let missing = || {
            let message = format!("{} has no link {} for {}", self.actor, self.name, self.contract);
            Failure::new(Exit::NotFound, "not_found", message)
                .hint("see which there are with `meshctl link ls`")
        };
        let registry = lattice.existing_registry().await?.ok_or_else(missing)?;
        let deployed = Deployed::of(&registry).await?;
        let source = match source(&deployed, &self.actor) {
            Ok(source) => source,
            // A link outlives the deployment of its actor.
            Err(failure) => linked(&registry, &self.actor).await?.ok_or_else(|| {
                failure.hint(
                    "see which links there are with `meshctl link ls`: the start of a key will do",
                )
            })?,
        };
        let key = RegistryKey::Link(source.clone(), self.contract.clone(), self.name.clone());
        let entry = registry.get::<LinkRecord>(&key).await?.ok_or_else(missing)?;
        let at = registry.delete(&key, entry.at).await?;
        let nodes = until_followed(session, lattice, at).await?;
        let value = json!({
            "source": source,
            "contract": self.contract,
            "name": self.name,
            "deleted": true,
            "nodes": nodes,
        });
        session.output.data(&value, || {
            let shown = shown(&deployed, &source);
            format!("{} of {shown} leads nowhere on {}", self.contract, count(nodes))
        })
    }
}

fn count(nodes: usize) -> String {
    match nodes {
        1 => "1 node".to_owned(),
        nodes => format!("{nodes} nodes"),
    }
}

/// Returns the actor that a link is of; it need not be deployed yet where its key is given.
fn source(deployed: &Deployed, text: &str) -> Result<ActorKey, Failure> {
    match resolve::full_key(text)? {
        Some(key) => Ok(key),
        None => Ok(deployed.actor(text)?.record.key.clone()),
    }
}

/// Returns the actor that has a link and whose key starts with `text`.
async fn linked(registry: &Registry, text: &str) -> Result<Option<ActorKey>, Failure> {
    let links = registry.list::<LinkRecord>(|key| matches!(key, RegistryKey::Link(..))).await?;
    let mut sources: Vec<ActorKey> =
        links.into_iter().flatten().map(|(_, entry)| entry.record.source).collect();
    sources.sort();
    sources.dedup();
    let known: Vec<Known> =
        sources.iter().map(|key| Known { key: key.to_string(), name: None }).collect();
    let found = resolve::find("actor with a link", text, &known).ok();
    Ok(found.and_then(|found| found.key.parse().ok()))
}

/// Returns the name of an actor, or the key of one that is not deployed.
fn shown(deployed: &Deployed, key: &ActorKey) -> String {
    deployed.record(key).map_or_else(|| key.to_string(), |record| record.name.to_string())
}

/// Returns what a link leads to; a provider that nobody declared is given by its key.
fn target(deployed: &Deployed, text: &str) -> Result<TargetKey, Failure> {
    if let Some(key) = resolve::full_target(text)? {
        return Ok(key);
    }
    let known = deployed.targets();
    let found = resolve::find("actor or provider", text, &known)?;
    found.key.parse().map_err(|_| Failure::new(Exit::NotFound, "not_found", text))
}

/// Returns whether a deployed actor was signed to use a contract.
fn signed_for(deployed: &Deployed, key: &ActorKey, contract: &ContractName) -> Option<bool> {
    let record = deployed.record(key)?;
    Some(record.capabilities.iter().any(|capability| capability == contract.as_str()))
}

/// Waits until every node has taken in the registry up to revision `at`; returns how many there
/// are.
async fn until_followed(session: &Session, lattice: &Lattice, at: u64) -> Result<usize, Failure> {
    session.output.progress("waiting until every node follows");
    let end = Instant::now() + Duration::from_millis(limits::LINK_WAIT_MS);
    loop {
        let nodes = look(lattice, limits::LOOK_WAIT_MS).await?;
        let late: Vec<&str> = nodes
            .iter()
            .filter(|node| node.registry_at.is_none_or(|seen| seen < at))
            .map(|node| node.heartbeat.node.as_str())
            .collect();
        if late.is_empty() {
            return Ok(nodes.len());
        }
        if Instant::now() >= end {
            let message =
                format!("the registry has it, but {} did not follow in time", late.join(", "));
            return Err(Failure::new(Exit::Timeout, "timeout", message)
                .hint("look at the log of that node, or whether it still reaches NATS"));
        }
    }
}

/// Returns the contracts that an actor was signed to use and has no link for.
///
/// # Errors
/// [`Failure`] when the registry can't be read.
pub(super) async fn missing(
    registry: &Registry,
    record: &ActorRecord,
) -> Result<Vec<ContractName>, Failure> {
    let contracts = record.capabilities.iter().filter_map(|one| one.parse::<ContractName>().ok());
    // Whom an actor may call is a capability and no contract.
    let mut wanted: Vec<ContractName> = contracts
        .filter(|one| {
            !matches!(one.as_str().split(':').collect::<Vec<_>>()[..], ["mesh", "actor", ..])
        })
        .collect();
    if !wanted.is_empty() {
        let of_it = |key: &RegistryKey| matches!(key, RegistryKey::Link(source, ..) if *source == record.key);
        for (_, entry) in registry.list::<LinkRecord>(of_it).await?.into_iter().flatten() {
            wanted.retain(|contract| *contract != entry.record.contract);
        }
    }
    Ok(wanted)
}
