//! `meshctl provider`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use lattice_client::Lattice;
use lattice_protocol::control::Providers;
use lattice_protocol::keys::ProviderKey;
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::names::LabelText;
use lattice_protocol::record::ProviderRecord;
use lattice_protocol::subjects::RegistryKey;
use serde_json::json;
use tokio::time::Instant;

use super::ls;
use crate::exit::{Exit, Failure};
use crate::resolve::Known;
use crate::session::{self, Deployed, Session};
use crate::{limits, resolve, values};

/// Has nodes run providers as processes, and keep them alive.
#[derive(Debug, Subcommand)]
pub enum Provider {
    /// Has nodes run a program as a provider, or run another one in its place.
    ///
    /// Every node runs it that has the labels and the program, in the folder that it was given with
    /// --provider-dir. It is started again when it ends or hangs. Success is told when one answers.
    #[command(after_help = "Examples:\n  meshctl provider put redis -- keyvalue-redis\n  \
                            meshctl provider put redis --label zone=edge -- keyvalue-redis --log debug\n  \
                            meshctl link put shop mesh:keyvalue redis")]
    Put(Put),
    /// Has nodes end a provider.
    #[command(after_help = "Example:\n  meshctl provider del redis")]
    Del(Del),
    /// Lists the providers: those that nodes were told to run, and all others that run.
    #[command(after_help = "Example:\n  meshctl provider ls --output json")]
    Ls,
}

/// What to run.
#[derive(Debug, Args)]
pub struct Put {
    /// The name that people link to.
    name: String,
    /// The provider's key [default: that of the name, or a new one]
    #[arg(long, value_name = "V…")]
    key: Option<ProviderKey>,
    /// Label that a node must have; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = values::setting)]
    labels: Vec<(String, String)>,
    /// What the program is told in MESH_PROVIDER_CONFIG; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::setting)]
    config: Vec<(String, String)>,
    /// The program, by its name in the folder of each node, and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    command: Vec<String>,
    /// Does not wait until the provider answers
    #[arg(long)]
    no_wait: bool,
}

/// What to end.
#[derive(Debug, Args)]
pub struct Del {
    /// Name or key of the provider.
    provider: String,
}

impl Provider {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when a provider is unknown or does not come to run.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = match &self {
            Self::Put(put) => put.run(session, &lattice).await,
            Self::Del(del) => del.run(session, &lattice).await,
            Self::Ls => ls::providers_alone(session, &lattice).await,
        };
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }
}

impl Put {
    async fn run(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        for (key, value) in &self.labels {
            for part in [key, value] {
                let checked = part.parse::<LabelText>();
                checked.map_err(|error| Failure::new(Exit::Usage, "usage", error.to_string()))?;
            }
        }
        let registry = lattice.registry().await?;
        let deployed = Deployed::of(&registry).await?;
        let named = deployed.providers.iter().find(|one| one.name == self.name);
        let key = match (&self.key, named) {
            (Some(key), Some(named)) if *key != named.key => {
                let message = format!("{} is the name of {} already", self.name, named.key);
                return Err(Failure::new(Exit::Usage, "ambiguous", message)
                    .hint("choose another name, or leave --key out"));
            }
            (Some(key), _) => key.clone(),
            (None, Some(named)) => named.key.clone(),
            (None, None) => new_key()?,
        };
        let write = session::new_write();
        let at = RegistryKey::Provider(key.clone());
        let update = registry.update::<ProviderRecord, Failure>(&at, |_| {
            Ok(ProviderRecord {
                v: WIRE_VERSION,
                key: key.clone(),
                name: self.name.clone(),
                command: self.command.clone(),
                labels: self.labels.iter().cloned().collect(),
                config: self.config.iter().cloned().collect::<BTreeMap<_, _>>(),
                writer: write.writer.clone(),
            })
        });
        Box::pin(update).await?;
        let processes = if self.no_wait {
            None
        } else {
            Some(self.until_it_runs(session, lattice, &key, &write.writer).await?)
        };
        let value = json!({ "name": self.name, "key": key, "processes": processes });
        session.output.data(&value, || match processes {
            Some(1) => format!("{} ({key}) runs in 1 process", self.name),
            Some(more) => format!("{} ({key}) runs in {more} processes", self.name),
            None => format!("nodes are told to run {} ({key})", self.name),
        })
    }

    async fn until_it_runs(
        &self,
        session: &Session,
        lattice: &Lattice,
        key: &ProviderKey,
        writer: &str,
    ) -> Result<usize, Failure> {
        session.output.progress("waiting until the provider answers");
        let end = Instant::now() + Duration::from_millis(limits::PROVIDER_WAIT_MS);
        loop {
            let told = session::running_providers(lattice).await?;
            // One that was started for an earlier record answers until it has ended.
            let supervised = told.iter().flat_map(|one| &one.supervised);
            let ours = supervised.filter(|one| one.key == *key && one.writer == writer);
            let ours: Vec<_> = ours.filter_map(|one| one.process.as_ref()).collect();
            let answers = told.iter().filter(|one| ours.contains(&&one.node));
            let running = answers.filter(|one| one.running.iter().any(|it| it.key == *key)).count();
            if running > 0 {
                return Ok(running);
            }
            if Instant::now() >= end {
                return Err(not_running(&self.name, key, &told));
            }
        }
    }
}

fn new_key() -> Result<ProviderKey, Failure> {
    let made = ProviderKey::generate();
    made.map(|(key, _)| key)
        .map_err(|error| Failure::new(Exit::Failure, "internal", error.to_string()))
}

/// Says why nobody runs a provider.
fn not_running(name: &str, key: &ProviderKey, told: &[Providers]) -> Failure {
    let supervised = told.iter().flat_map(|one| one.supervised.iter().map(move |it| (one, it)));
    let mut reasons: Vec<String> = supervised
        .filter(|(_, provider)| provider.key == *key)
        .map(|(process, provider)| {
            let why = provider.reason.as_deref().unwrap_or("it has not answered yet");
            format!("on {}: {why}", process.node)
        })
        .collect();
    if reasons.is_empty() {
        reasons.push("no node has the labels that it wants".to_owned());
    }
    let message = format!("the registry has {name}, but nobody runs it: {}", reasons.join("; "));
    Failure::new(Exit::Timeout, "timeout", message)
        .hint(format!("see `meshctl provider ls`; take it back with `meshctl provider del {name}`"))
}

impl Del {
    async fn run(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let missing = || {
            let message = format!("nodes were told to run no provider {:?}", self.provider);
            Failure::new(Exit::NotFound, "not_found", message)
                .hint("see which there are with `meshctl provider ls`")
        };
        let registry = lattice.existing_registry().await?.ok_or_else(missing)?;
        let deployed = Deployed::of(&registry).await?;
        let known: Vec<Known> = deployed
            .providers
            .iter()
            .map(|one| Known { key: one.key.to_string(), name: Some(one.name.clone()) })
            .collect();
        let found = resolve::find("provider that nodes were told to run", &self.provider, &known)?;
        let key: ProviderKey = found.key.parse().map_err(|_| missing())?;
        let at = RegistryKey::Provider(key.clone());
        let entry = registry.get::<ProviderRecord>(&at).await?.ok_or_else(missing)?;
        registry.delete(&at, entry.at).await?;
        session.output.progress("waiting until every node has ended it");
        let end = Instant::now() + Duration::from_millis(limits::PROVIDER_WAIT_MS);
        loop {
            let told = session::running_providers(lattice).await?;
            let left = told.iter().flat_map(|one| &one.supervised).any(|one| one.key == key);
            if !left {
                break;
            }
            if Instant::now() >= end {
                let message =
                    format!("the registry has it no more, but some node still runs {key}");
                return Err(Failure::new(Exit::Timeout, "timeout", message)
                    .hint("it may be finishing calls: look with `meshctl provider ls`"));
            }
        }
        let value = json!({ "name": entry.record.name, "key": key, "deleted": true });
        session.output.data(&value, || format!("{} ({key}) runs no more", entry.record.name))
    }
}
