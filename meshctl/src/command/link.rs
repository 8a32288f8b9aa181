//! `meshctl link`.

mod acknowledge;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use lattice_client::Lattice;
use lattice_client::registry::Registry;
use lattice_protocol::contract::older;
use lattice_protocol::control::Providers;
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
    /// The target is a provider or another actor. Success is told when the provider runs the link
    /// and every node leads calls there; what an actor calls from then on goes to it. A link that
    /// the provider refuses is not made, and what was there stays.
    #[command(after_help = "Examples:\n  meshctl link put shop mesh:keyvalue keyvalue-nats\n  \
                            meshctl link put shop mesh:keyvalue keyvalue-redis --config url=redis://10.0.0.2\n  \
                            meshctl link put shop mesh:keyvalue VKV2… --name sessions\n  \
                            meshctl link put shop mesh:http http-server --config path=/shop\n  \
                            meshctl link put shop mesh:greeter echo --config language=en\n\n\
                            `meshctl ls providers` shows the names; docs/providers.md the settings of each.")]
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
    /// The contract, such as mesh:keyvalue; wascc:keyvalue and the like mean the same.
    #[arg(value_parser = contract)]
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
    #[arg(value_parser = contract)]
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
        let running = session::running_providers(lattice).await?;
        let target = target(&deployed, &running, &self.target)?;
        let write = session::new_write();
        let mut before: Option<LinkRecord> = None;
        let key = RegistryKey::Link(source.clone(), self.contract.clone(), self.name.clone());
        let update = registry.update::<LinkRecord, Failure>(&key, |old| {
            before = old.clone();
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
        self.tell_dropped(session, before.as_ref());
        let (instances, refusal) = match &target {
            TargetKey::Provider(provider) => {
                acknowledge::wait(session, lattice, &entry, provider).await?
            }
            TargetKey::Actor(_) => (None, None),
        };
        if let Some(refusal) = refusal {
            return Err(refusal.undo(&registry, &key, entry, before).await);
        }
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
            "config": record.config.keys().collect::<Vec<_>>(),
            "generation": record.generation,
            "nodes": nodes,
            "providers": instances,
            "signed_for": signed,
        });
        if instances == Some(0) {
            session.output.progress(&format!(
                "nobody runs {} now: the link works as soon as somebody does",
                self.target
            ));
        }
        session.output.data(&value, || {
            let shown = shown(&deployed, &source);
            format!("{} of {shown} leads to {} on {}", self.contract, self.target, count(nodes))
        })
    }

    /// A link is written as a whole: says which settings that takes away.
    fn tell_dropped(&self, session: &Session, before: Option<&LinkRecord>) {
        let Some(before) = before else { return };
        let kept = |key: &&String| self.config.iter().any(|(one, _)| one == *key);
        let dropped: Vec<&str> =
            before.config.keys().filter(|key| !kept(key)).map(String::as_str).collect();
        if !dropped.is_empty() {
            session.output.progress(&format!(
                "settings of the link before that it has no more: {}",
                dropped.join(", ")
            ));
        }
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

/// Returns what a link leads to; a provider that nobody declared or runs is given by its key.
fn target(deployed: &Deployed, running: &[Providers], text: &str) -> Result<TargetKey, Failure> {
    if let Some(key) = resolve::full_target(text)? {
        return Ok(key);
    }
    let known = deployed.targets(running);
    let found = resolve::find("actor or provider", text, &known)?;
    found.key.parse().map_err(|_| Failure::new(Exit::NotFound, "not_found", text))
}

/// Returns whether a deployed actor was signed to use a contract.
fn signed_for(deployed: &Deployed, key: &ActorKey, contract: &ContractName) -> Option<bool> {
    let record = deployed.record(key)?;
    Some(record.capabilities.iter().any(|capability| by_our_name(capability) == contract.as_str()))
}

/// Returns the name that the mesh has for a contract: earlier hosts had others.
fn by_our_name(contract: &str) -> &str {
    older::contract_of(contract).unwrap_or(contract)
}

/// Reads a contract by its name, or by one that it had on earlier hosts.
fn contract(text: &str) -> Result<ContractName, lattice_protocol::names::NameError> {
    by_our_name(text).parse()
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
            // What a node that leaves still answers is no longer its view of the registry.
            .filter(|node| {
                !node.heartbeat.draining && node.registry_at.is_none_or(|seen| seen < at)
            })
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
    let names = record.capabilities.iter().map(|one| by_our_name(one));
    let contracts = names.filter_map(|one| one.parse::<ContractName>().ok());
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
