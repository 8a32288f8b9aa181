//! `meshctl queue`.

use clap::Subcommand;
use lattice_client::Lattice;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::table;
use crate::session::{self, Deployed, Session};

/// Looks at the durable calls that wait.
#[derive(Debug, Subcommand)]
pub enum Queue {
    /// Lists how many durable calls there are for each actor.
    ///
    /// WAITING were never given to a node, IN FLIGHT run or wait for their next attempt, and
    /// REDELIVERED of those were given to a node more than once.
    #[command(after_help = "Examples:\n  meshctl queue ls\n  meshctl queue ls -o json")]
    Ls,
}

impl Queue {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when the lattice can't be reached.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = match self {
            Self::Ls => list(session, &lattice).await,
        };
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }
}

async fn list(session: &Session, lattice: &Lattice) -> Result<(), Failure> {
    let queues = lattice.queue_status().await?;
    let deployed = Deployed::read(lattice).await?;
    let (mut values, mut rows) = (Vec::<Value>::new(), Vec::new());
    for queue in &queues {
        let name = deployed.shown(&queue.target);
        rows.push(vec![
            name.clone(),
            queue.stored.to_string(),
            queue.waiting.to_string(),
            queue.in_flight.to_string(),
            queue.redelivered.to_string(),
        ]);
        values.push(json!({
            "key": queue.target,
            "name": Some(name).filter(|name| *name != queue.target),
            "stored": queue.stored,
            "waiting": queue.waiting,
            "in_flight": queue.in_flight,
            "redelivered": queue.redelivered,
            "served": queue.known,
        }));
    }
    let value = json!({ "lattice": lattice.name(), "queues": values });
    session
        .output
        .data(&value, || table(&["ACTOR", "STORED", "WAITING", "IN FLIGHT", "REDELIVERED"], &rows))
}
