//! `meshctl revoke`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use lattice_client::Lattice;
use lattice_client::registry::RegistryError;
use lattice_protocol::keys::NodeKey;
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::record::RevocationRecord;
use lattice_protocol::subjects::{RegistryKey, Revoked};
use serde_json::json;
use tokio::time::Instant;

use crate::exit::{Exit, Failure};
use crate::limits;
use crate::resolve;
use crate::session::{self, Deployed, Session, look, struck};

/// Strikes a module (by digest), an actor or an issuer, for good.
///
/// Every node stops serving what it strikes and refuses it from then on. Success is told when no
/// node serves it. There is no command that takes it back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meshctl revoke echo --why 'leaks memory'
  meshctl revoke 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
  meshctl revoke AAVV3H… --why 'the key was stolen'")]
pub struct Revoke {
    /// Digest of a module, key of an issuer, or an actor: key, start of a key, or name.
    what: String,
    /// Why, for people.
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

impl Revoke {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when it can't be written, or a node still serves it when time is out.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = self.revoke(session, &lattice).await;
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }

    async fn revoke(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let what = self.resolve(lattice).await?;
        let registry = lattice.registry().await?;
        let write = session::new_write();
        let record = RevocationRecord {
            v: WIRE_VERSION,
            what: what.to_string(),
            at_ms: write.now_ms,
            why: self.why.clone(),
            writer: write.writer,
        };
        let key = RegistryKey::Revoked(what.clone());
        let (before, written) =
            tokio::join!(look(lattice, limits::LIST_WAIT_MS), registry.put(&key, &record, None));
        let changed = match written {
            Ok(_) => true,
            Err(RegistryError::Conflict { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        session.output.progress("waiting until no node serves it");
        let known = before?.into_iter().map(|node| node.heartbeat.node).collect();
        let nodes = until_struck(lattice, &what, known).await?;
        let value = json!({ "revoked": what.to_string(), "changed": changed, "nodes": nodes });
        session.output.data(&value, || {
            let already = if changed { "" } else { " already" };
            match nodes {
                0 => format!("{what} is revoked{already}; no node is running"),
                _ => format!("{what} is revoked{already}; none of {nodes} nodes serves it"),
            }
        })
    }

    async fn resolve(&self, lattice: &Lattice) -> Result<Revoked, Failure> {
        if let Ok(what) = self.what.parse() {
            return Ok(what);
        }
        // A key of a kind that can't be revoked is told as such.
        resolve::full_key::<lattice_protocol::keys::Actor>(&self.what)?;
        let deployed = Deployed::read(lattice).await?;
        Ok(Revoked::Actor(deployed.actor(&self.what)?.record.key.clone()))
    }
}

/// Waits until each node of `unsure`, and each that shows up meanwhile, has said that it does not
/// serve what is struck; returns how many said so.
async fn until_struck(
    lattice: &Lattice,
    what: &Revoked,
    mut unsure: BTreeSet<NodeKey>,
) -> Result<usize, Failure> {
    let end = Instant::now() + Duration::from_millis(limits::REVOKE_WAIT_MS);
    let deployed = Deployed::read(lattice).await?;
    let mut clean = BTreeSet::new();
    loop {
        let nodes = look(lattice, limits::LOOK_WAIT_MS).await?;
        for node in nodes.into_iter().map(|node| node.heartbeat) {
            let serves = node.actors.iter().any(|served| struck(what, served, &deployed.actors));
            let (from, to) = match serves {
                true => (&mut clean, &mut unsure),
                false => (&mut unsure, &mut clean),
            };
            from.remove(&node.node);
            to.insert(node.node);
        }
        if unsure.is_empty() {
            return Ok(clean.len());
        }
        if Instant::now() >= end {
            let nodes: Vec<&str> = unsure.iter().map(AsRef::as_ref).collect();
            let message = format!(
                "{what} is revoked, but these nodes serve it still or do not answer: {}",
                nodes.join(", ")
            );
            return Err(Failure::new(Exit::Timeout, "timeout", message)
                .hint("look at the log of that node, or end it with `meshctl drain NODE --stop`"));
        }
    }
}
