//! `meshctl undeploy`.

use std::time::Duration;

use clap::Args;
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::subjects::RegistryKey;
use lattice_protocol::{ErrorCode, reserved};
use serde_json::json;
use tokio::time::Instant;

use crate::exit::{Exit, Failure};
use crate::limits;
use crate::session::{self, Deployed, Session, look};

/// Takes an actor off the lattice: nodes finish its calls and serve it no more.
///
/// Success is told when no node serves it. Its history goes too.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  meshctl undeploy echo")]
pub struct Undeploy {
    /// The actor.
    actor: String,
}

impl Undeploy {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when there is no such actor, or a node still serves it when time is out.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = self.undeploy(session, &lattice).await;
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }

    async fn undeploy(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let deployed = Deployed::read(lattice).await?;
        let entry = deployed.actor(&self.actor)?;
        let (key, name) = (&entry.record.key, &entry.record.name);
        let registry = lattice.registry().await?;
        registry.delete(&RegistryKey::Actor(key.clone()), entry.at).await?;
        session.output.progress("waiting until no node serves it");
        until_unserved(lattice, key).await?;
        session.output.data(&json!({ "key": key, "name": name, "undeployed": true }), || {
            format!("{name} is off the lattice: no node serves it")
        })
    }
}

async fn until_unserved(lattice: &Lattice, key: &ActorKey) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_millis(limits::UNDEPLOY_WAIT_MS);
    loop {
        let nodes = look(lattice, limits::LOOK_WAIT_MS).await?;
        let serving: Vec<&str> = nodes
            .iter()
            .filter(|node| node.heartbeat.actors.iter().any(|served| served.key == *key))
            .map(|node| node.heartbeat.node.as_str())
            .collect();
        // A heartbeat names only so many actors, and a node may be slow: nobody must listen.
        if serving.is_empty() && nobody_listens(lattice, key).await {
            return Ok(());
        }
        if Instant::now() >= end {
            let message = format!(
                "the actor is off the registry, but still served by {}",
                if serving.is_empty() { "some node".to_owned() } else { serving.join(", ") }
            );
            return Err(Failure::new(Exit::Timeout, "timeout", message)
                .hint("look at the log of that node, or end it with `meshctl drain NODE --stop`"));
        }
    }
}

async fn nobody_listens(lattice: &Lattice, key: &ActorKey) -> bool {
    let call = Call::new(key.clone(), reserved::PING, Vec::new())
        .timeout(Duration::from_millis(limits::PING_TIMEOUT_MS));
    matches!(lattice.call(call).await, Err(error) if error.code == ErrorCode::NotFound)
}
