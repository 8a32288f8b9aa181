//! What commands share: where NATS is, the lattice, and what is deployed on it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lattice_client::registry::{Entry, Registry};
use lattice_client::{ConnectOptions, Lattice};
use lattice_protocol::control::{Inventory, Providers};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::{ActorRecord, ProviderRecord, RevocationRecord};
use lattice_protocol::subjects::{RegistryKey, Revoked};

use crate::cli::ConnectArgs;
use crate::decide::Write;
use crate::diagnose::{self, Facts};
use crate::exit::{Exit, Failure};
use crate::limits;
use crate::output::Output;
use crate::resolve::{self, Known};

/// The server of whoever names none.
const DEFAULT_URL: &str = "nats://127.0.0.1:4222";

/// One run of the program.
#[derive(Clone, Debug)]
pub struct Session {
    /// Where its words go.
    pub output: Output,
    /// Where NATS is.
    pub connect: ConnectArgs,
}

impl Session {
    /// Joins the lattice.
    ///
    /// # Errors
    /// [`Failure`] when NATS can't be reached or the context is unknown.
    pub async fn lattice(&self) -> Result<Lattice, Failure> {
        Ok(Lattice::connect(self.options()?).await?)
    }

    fn options(&self) -> Result<ConnectOptions, Failure> {
        let args = &self.connect;
        let from_environment = || std::env::var("MESH_NATS").ok().filter(|url| !url.is_empty());
        let mut options = match (&args.context, &args.nats) {
            (Some(name), _) => ConnectOptions::context(name)?,
            (None, Some(url)) => ConnectOptions::url(url),
            (None, None) => {
                ConnectOptions::url(from_environment().unwrap_or_else(|| DEFAULT_URL.to_owned()))
            }
        };
        options = options.client_name("meshctl");
        options.lattice = args.lattice.clone();
        options.creds = args.creds.clone().or(options.creds);
        options.nkey = args.nkey.clone().or(options.nkey);
        options.user = args.user.clone().or(options.user);
        options.password = args.password.clone().or(options.password);
        options.token = args.token.clone().or(options.token);
        options.tls_ca = args.tls_ca.clone().or(options.tls_ca);
        options.tls_cert = args.tls_cert.clone().or(options.tls_cert);
        options.tls_key = args.tls_key.clone().or(options.tls_key);
        Ok(options)
    }
}

/// Turns a failure into the refusal of a permission, where the server complained of one: NATS
/// answers a caller without permission with silence.
pub fn blame(lattice: &Lattice, failure: Failure) -> Failure {
    match lattice.complaint() {
        Some(complaint) if complaint.to_lowercase().contains("permissions violation") => {
            Failure::new(Exit::Denied, "denied", format!("the NATS server refuses: {complaint}"))
                .hint("connect as a user who may do this: --creds, --nkey, --user or --context")
        }
        _ => failure,
    }
}

/// What the registry holds; empty where there is none.
#[derive(Clone, Debug, Default)]
pub struct Deployed {
    /// Actors.
    pub actors: Vec<Entry<ActorRecord>>,
    /// Providers.
    pub providers: Vec<ProviderRecord>,
    /// Revocations.
    pub revocations: Vec<RevocationRecord>,
}

impl Deployed {
    /// Reads the registry without making one.
    ///
    /// # Errors
    /// [`Failure`] when it can't be reached.
    pub async fn read(lattice: &Lattice) -> Result<Self, Failure> {
        match lattice.existing_registry().await? {
            Some(registry) => Self::of(&registry).await,
            None => Ok(Self::default()),
        }
    }

    /// Reads a registry.
    ///
    /// # Errors
    /// [`Failure`] when it can't be reached.
    pub async fn of(registry: &Registry) -> Result<Self, Failure> {
        let mut actors = registry.actors().await?;
        actors.sort_by(|a, b| a.record.name.cmp(&b.record.name));
        let providers = registry.list(|key| matches!(key, RegistryKey::Provider(_))).await?;
        let revocations = registry.list(|key| matches!(key, RegistryKey::Revoked(_))).await?;
        Ok(Self {
            actors,
            providers: providers.into_iter().flatten().map(|(_, entry)| entry.record).collect(),
            revocations: revocations.into_iter().flatten().map(|(_, entry)| entry.record).collect(),
        })
    }

    /// Finds an actor by key, prefix or name.
    ///
    /// # Errors
    /// [`Failure`] when none or several fit, or the key is of another kind.
    pub fn actor(&self, text: &str) -> Result<&Entry<ActorRecord>, Failure> {
        let key = match resolve::full_key::<lattice_protocol::keys::Actor>(text)? {
            Some(key) => key.to_string(),
            None => text.to_owned(),
        };
        let known: Vec<Known> = self.actors.iter().map(|entry| known(&entry.record)).collect();
        let found = resolve::find("actor", &key, &known).map_err(|failure| {
            failure_with_hint(failure, "see what is deployed with `meshctl ls`")
        })?;
        self.actors
            .iter()
            .find(|entry| entry.record.key.as_str() == found.key)
            .ok_or_else(|| Failure::new(Exit::NotFound, "not_found", text))
    }

    /// Finds an actor by key, prefix or name, or takes a key in full of one that is not deployed.
    ///
    /// # Errors
    /// As for [`Deployed::actor`].
    pub fn actor_key(&self, text: &str) -> Result<ActorKey, Failure> {
        match resolve::full_key::<lattice_protocol::keys::Actor>(text)? {
            Some(key) => Ok(key),
            None => Ok(self.actor(text)?.record.key.clone()),
        }
    }

    /// Returns the name of an actor, or its key where it is not deployed.
    pub fn shown(&self, key: &str) -> String {
        let named = self.actors.iter().find(|entry| entry.record.key.as_str() == key);
        named.map_or_else(|| key.to_owned(), |entry| entry.record.name.to_string())
    }

    /// Returns the record of an actor; nothing where it is not deployed.
    pub fn record(&self, key: &ActorKey) -> Option<&ActorRecord> {
        self.actors.iter().map(|entry| &entry.record).find(|record| record.key == *key)
    }

    /// Returns what can be called: what the registry names, and what nodes and processes say that
    /// they run.
    pub fn targets(&self, running: &[Providers]) -> Vec<Known> {
        let wanted = self.providers.iter().map(|provider| Known {
            key: provider.key.to_string(),
            name: Some(provider.name.clone()),
        });
        let mut targets: Vec<Known> =
            self.actors.iter().map(|entry| known(&entry.record)).chain(wanted).collect();
        for provider in running.iter().flat_map(|one| &one.running) {
            let key = provider.key.to_string();
            // The registry's name of a provider wins over the one that its program has.
            if targets.iter().all(|known| known.key != key) {
                targets.push(Known { key, name: Some(provider.name.clone()) });
            }
        }
        targets
    }

    /// Returns what of an actor is revoked.
    pub fn revoked(&self, record: &ActorRecord) -> Option<&str> {
        let strikes = |what: &str| {
            what == record.key.as_str()
                || what == record.issuer.as_str()
                || what == record.digest.as_str()
        };
        self.revocations.iter().map(|one| one.what.as_str()).find(|what| strikes(what))
    }
}

fn known(record: &ActorRecord) -> Known {
    Known { key: record.key.to_string(), name: Some(record.name.to_string()) }
}

fn failure_with_hint(failure: Failure, hint: &str) -> Failure {
    match failure.hint {
        None => failure.hint(hint),
        Some(_) => failure,
    }
}

/// Looks at everything to explain why nobody answers for `target`.
pub async fn explain(lattice: &Lattice, target: &str, key: Option<&ActorKey>) -> Failure {
    // Calls need no registry: without one there is less to tell.
    let deployed = Deployed::read(lattice).await.unwrap_or_default();
    let record = key.and_then(|key| deployed.record(key));
    let lattices = lattice.lattices().await.unwrap_or_default();
    let nodes = look(lattice, limits::NODES_ANSWER_MS).await.unwrap_or_default();
    let failure = diagnose::nobody_answers(&Facts {
        target,
        lattice: lattice.name(),
        lattices: &lattices,
        record,
        revoked: record.and_then(|record| deployed.revoked(record)),
        nodes: &nodes,
    });
    blame(lattice, failure)
}

/// Asks every node what it serves. Empty means that there is no node, not that one was slow:
/// NATS says at once where nobody listens, and after silence they are asked again.
///
/// # Errors
/// [`Failure`] when the question can't be asked, or somebody listens and nobody answers.
pub async fn look(lattice: &Lattice, wait_ms: u64) -> Result<Vec<Inventory>, Failure> {
    for wait_ms in [wait_ms, wait_ms.max(limits::NODES_ANSWER_MS)] {
        let wait = Duration::from_millis(wait_ms);
        let asked = std::time::Instant::now();
        let mut nodes = lattice.inventories(wait).await?;
        if !nodes.is_empty() || asked.elapsed() < wait {
            nodes.sort_by(|a, b| a.heartbeat.node.cmp(&b.heartbeat.node));
            return Ok(nodes);
        }
    }
    let failure = Failure::new(Exit::Timeout, "timeout", "nodes listen, but none answers in time");
    Err(blame(lattice, failure.hint("they may be overloaded: look at their logs, or try again")))
}

/// Asks every node and every provider's process which providers it runs.
///
/// # Errors
/// [`Failure`] when the question can't be asked.
pub async fn running_providers(lattice: &Lattice) -> Result<Vec<Providers>, Failure> {
    let mut running = lattice.providers(Duration::from_millis(limits::PROVIDERS_ANSWER_MS)).await?;
    running.sort_by(|a, b| a.node.cmp(&b.node));
    Ok(running)
}

/// Returns the time and a mark for a write.
pub fn new_write() -> Write {
    Write {
        now_ms: now().as_millis().try_into().unwrap_or(u64::MAX),
        writer: uuid::Uuid::now_v7().to_string(),
    }
}

/// Returns the time since 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Returns whether `actor` of a heartbeat is struck by `what`. `issuer_of` tells who signed a
/// digest.
pub fn struck(
    what: &Revoked,
    served: &lattice_protocol::presence::ServedActor,
    actors: &[Entry<ActorRecord>],
) -> bool {
    match what {
        Revoked::Actor(key) => served.key == *key,
        Revoked::Module(digest) => served.digest == *digest,
        Revoked::Issuer(issuer) => actors.iter().map(|entry| &entry.record).any(|record| {
            let past = record.history.iter().map(|past| (&past.digest, &past.issuer));
            std::iter::once((&record.digest, &record.issuer))
                .chain(past)
                .any(|(digest, signer)| *digest == served.digest && signer == issuer)
        }),
    }
}
