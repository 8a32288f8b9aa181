//! `meshctl drain`.

use std::time::Duration;

use clap::Args;
use lattice_client::Lattice;
use lattice_protocol::ErrorCode;
use lattice_protocol::keys::{Node, NodeKey};
use serde_json::json;
use tokio::time::Instant;

use crate::exit::{Exit, Failure};
use crate::resolve::{self, Known};
use crate::session::{self, Session, look};
use crate::{limits, values};

/// Makes a node accept no more calls, finish those that run, and leave.
///
/// Success is told when the node is gone, or serves nothing any more.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  meshctl drain NB4D\n  meshctl drain NB4D --stop --wait 2m")]
pub struct Drain {
    /// The node: its key, or the start of it.
    node: String,
    /// End its process too.
    #[arg(long)]
    stop: bool,
    /// Time that it has [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    wait: Option<Duration>,
}

impl Drain {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when there is no such node, or it still serves when time is out.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = self.drain(session, &lattice).await;
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }

    async fn drain(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let node = self.resolve(lattice).await?;
        let order = Duration::from_millis(limits::ORDER_TIMEOUT_MS);
        lattice.drain_node(&node, self.stop, order).await.map_err(|error| {
            Failure::from(error).hint("`meshctl ls nodes` shows the nodes of the lattice")
        })?;
        session.output.progress(&format!("{node} finishes its calls"));
        let bound = self.wait.unwrap_or(Duration::from_millis(limits::DRAIN_WAIT_MS));
        let gone = until_left(lattice, &node, Instant::now() + bound).await?;
        session.output.data(&json!({ "node": node, "drained": true, "gone": gone }), || {
            if gone {
                format!("{node} has left")
            } else {
                format!("{node} serves nothing any more")
            }
        })
    }

    async fn resolve(&self, lattice: &Lattice) -> Result<NodeKey, Failure> {
        if let Some(key) = resolve::full_key::<Node>(&self.node)? {
            return Ok(key);
        }
        let known: Vec<Known> = look(lattice, limits::NODES_ANSWER_MS)
            .await?
            .into_iter()
            .map(|node| Known { key: node.heartbeat.node.to_string(), name: None })
            .collect();
        let found = resolve::find("node", &self.node, &known)
            .map_err(|failure| failure.hint("`meshctl ls nodes` shows the nodes of the lattice"))?;
        found.key.parse().map_err(|error| Failure::usage(format!("{}: {error}", found.key)))
    }
}

/// Waits until a node is gone (`true`) or serves nothing any more.
async fn until_left(lattice: &Lattice, node: &NodeKey, end: Instant) -> Result<bool, Failure> {
    loop {
        let nodes = look(lattice, limits::LOOK_WAIT_MS).await?;
        let beat = nodes.iter().map(|one| &one.heartbeat).find(|beat| beat.node == *node);
        match beat {
            Some(beat) if beat.draining && beat.in_flight == 0 && beat.actor_count == 0 => {
                return Ok(false);
            }
            Some(_) => {}
            // Its answer may be late: gone it is when NATS says that it listens no more.
            None => {
                let order = Duration::from_millis(limits::ORDER_TIMEOUT_MS);
                if matches!(lattice.drain_node(node, false, order).await,
                    Err(error) if error.code == ErrorCode::NotFound)
                {
                    return Ok(true);
                }
            }
        }
        if Instant::now() >= end {
            let calls = beat.map_or("has not left yet".to_owned(), |beat| {
                format!("still runs {} calls", beat.in_flight)
            });
            return Err(Failure::new(Exit::Timeout, "timeout", format!("{node} {calls}"))
                .hint("give it more time with --wait"));
        }
    }
}
