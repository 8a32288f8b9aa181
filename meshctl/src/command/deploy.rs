//! `meshctl deploy`.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use lattice_client::Lattice;
use lattice_protocol::claims;
use lattice_protocol::names::ContractName;
use lattice_protocol::record::{ActorRecord, Isolation};
use lattice_protocol::subjects::RegistryKey;
use serde_json::json;
use tokio::time::Instant;

use super::sign::read;
use super::{link, rollout};
use crate::decide::{self, Decision, Module, Settings};
use crate::exit::Failure;
use crate::session::{self, Deployed, Session};
use crate::{limits, values};

/// Deploys a signed module, or replaces a revision while it serves.
///
/// A node verifies and compiles the module first; one that it refuses changes nothing, and what
/// is active stays active. Success is told when a node has answered for the new revision. Settings
/// that are not named stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meshctl deploy echo.signed.wasm
  meshctl deploy echo.signed.wasm --label zone=eu --concurrency 64 --memory 32MiB --timeout 5s
  meshctl deploy echo.signed.wasm --replicas 2
  meshctl deploy echo.signed.wasm --no-wait")]
pub struct Deploy {
    /// The signed module.
    file: PathBuf,
    /// Label that a node must have to serve it; may be repeated, replaces all former ones.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::label, conflicts_with = "no_labels")]
    labels: Vec<(String, String)>,
    /// Any node may serve it.
    #[arg(long)]
    no_labels: bool,
    /// Number of nodes that serve it, of those with its labels: they agree on which.
    #[arg(long, value_name = "K", conflicts_with = "all_nodes", value_parser = clap::value_parser!(u32)
        .range(1..=i64::from(lattice_protocol::limits::ACTOR_REPLICAS_MAX)))]
    replicas: Option<u32>,
    /// Every node with its labels serves it.
    #[arg(long)]
    all_nodes: bool,
    /// Calls that run at once on one node.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32)
        .range(1..=i64::from(lattice_protocol::limits::ACTOR_CONCURRENCY_MAX)))]
    concurrency: Option<u32>,
    /// Memory of one instance: 32MiB.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    memory: Option<u64>,
    /// Time that one call may run, whatever its caller allows: 5s.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    timeout: Option<Duration>,
    /// Fresh memory for each call, or instances that are used again.
    #[arg(long, value_enum)]
    isolation: Option<IsolationArg>,
    /// Write it to the registry without asking nodes before or waiting for them after.
    #[arg(long)]
    no_wait: bool,
    /// Time for all of it [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    wait: Option<Duration>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum IsolationArg {
    /// Fresh memory for each call.
    PerCall,
    /// Warm instances, used again.
    Reuse,
}

impl Deploy {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when it was not deployed, or no node answered for it.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let bytes = Bytes::from(read(&self.file)?);
        let module = self.verified(&bytes)?;
        let settings = self.settings()?;
        let lattice = session.lattice().await?;
        let outcome = self.deploy(session, &lattice, &bytes, &module, &settings).await;
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }

    fn verified(&self, bytes: &Bytes) -> Result<Module, Failure> {
        let file = self.file.display();
        let verified = claims::verify(bytes, session::now().as_secs()).map_err(|error| {
            let failure = Failure::from(error);
            let hint = failure.hint.clone().map(|hint| hint.replace("FILE", &file.to_string()));
            Failure { message: format!("{file}: {failure}"), hint, ..failure }
        })?;
        let name = verified.name().parse().map_err(|error| {
            Failure::new(crate::exit::Exit::Failure, "name", format!("{file}: {error}"))
                .hint(format!("sign it under another name: `meshctl sign {file} --name NAME`"))
        });
        Ok(Module {
            // A module that was signed without a name bears that of its file.
            name: match verified.claims().wascap.name {
                Some(_) => name?,
                None => self.file_name()?,
            },
            key: verified.actor().clone(),
            revision: verified.revision(),
            digest: verified.digest().clone(),
            size: bytes.len() as u64,
            issuer: verified.issuer().clone(),
            capabilities: verified.capabilities().to_vec(),
        })
    }

    fn file_name(&self) -> Result<lattice_protocol::names::ActorName, Failure> {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        stem.parse().map_err(|_| {
            Failure::usage(format!("{} was signed without a name", self.file.display()))
                .hint("sign it with --name NAME")
        })
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let labels = (self.no_labels || !self.labels.is_empty())
            .then(|| self.labels.iter().cloned().collect());
        if let Some(bytes) = self.memory
            && bytes > lattice_protocol::limits::ACTOR_MEMORY_MAX_BYTES
        {
            return Err(Failure::usage(format!(
                "--memory may be at most {} bytes",
                lattice_protocol::limits::ACTOR_MEMORY_MAX_BYTES
            )));
        }
        Ok(Settings {
            labels,
            replicas: self.replicas.map(Some).or(self.all_nodes.then_some(None)),
            concurrency: self.concurrency,
            memory_bytes: self.memory,
            timeout_ms: self
                .timeout
                .map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
            isolation: self.isolation.map(|isolation| match isolation {
                IsolationArg::PerCall => Isolation::PerCall,
                IsolationArg::Reuse => Isolation::Reuse,
            }),
        })
    }

    async fn deploy(
        &self,
        session: &Session,
        lattice: &Lattice,
        bytes: &Bytes,
        module: &Module,
        settings: &Settings,
    ) -> Result<(), Failure> {
        let wait = self.wait.unwrap_or(Duration::from_millis(limits::DEPLOY_WAIT_MS));
        let end = Instant::now() + wait;
        let registry = lattice.registry().await?;
        let deployed = Deployed::of(&registry).await?;
        let key = RegistryKey::Actor(module.key.clone());
        let current = registry.get::<ActorRecord>(&key).await?;
        let bearer = deployed
            .actors
            .iter()
            .map(|entry| &entry.record)
            .find(|record| record.name == module.name && record.key != module.key)
            .map(|record| &record.key);
        let old = current.as_ref().map(|entry| &entry.record);
        let was_there = old.is_some() || registry.was_there(&key).await?;
        let write = session::new_write();
        let decision = decide::deploy(module, settings, old, was_there, bearer, &write)?;
        let (record, changed) = match (decision, old) {
            (Decision::Write(record), _) => (*record, true),
            (Decision::Unchanged, Some(old)) => (old.clone(), false),
            (Decision::Unchanged, None) => return Ok(()),
        };
        let before = current.map(|entry| entry.at);
        let at = if changed {
            session.output.progress(&format!(
                "storing {} revision {} ({} bytes)",
                record.name, record.revision, record.size
            ));
            registry.put_module(bytes).await?;
            if !self.no_wait {
                rollout::prepare(session, lattice, &record, end).await?;
            }
            rollout::write(&registry, &record, before).await?
        } else {
            session.output.progress("this very module is active already");
            before.unwrap_or_default()
        };
        let node = if self.no_wait {
            None
        } else {
            Some(rollout::confirm(session, lattice, &record, at, end).await?)
        };
        let missing = link::missing(&registry, &record).await?;
        for contract in &missing {
            session.output.progress(&format!(
                "{name} has no link for {contract}, which it was signed to use: add one with \
                 `meshctl link put {name} {contract} TARGET`",
                name = record.name
            ));
        }
        report(session, &record, changed, node.as_deref(), &missing)
    }
}

/// Tells what is active now, and who answered for it.
pub(super) fn report(
    session: &Session,
    record: &ActorRecord,
    changed: bool,
    node: Option<&str>,
    missing_links: &[ContractName],
) -> Result<(), Failure> {
    let value = json!({
        "key": record.key,
        "name": record.name,
        "revision": record.revision,
        "digest": record.digest,
        "changed": changed,
        "rolled_back": record.rolled_back,
        "confirmed": node.is_some(),
        "node": node,
        "missing_links": missing_links,
    });
    session.output.data(&value, || {
        let what = format!("{} revision {}", record.name, record.revision);
        match (node, changed) {
            (Some(node), true) => format!("{what} serves: node {node} answers\n{}", record.key),
            (Some(node), false) => {
                format!("{what} was active already: node {node} answers\n{}", record.key)
            }
            (None, _) => format!(
                "{what} is in the registry; nobody was asked whether it serves (--no-wait)\n{}",
                record.key
            ),
        }
    })
}
