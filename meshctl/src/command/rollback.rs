//! `meshctl rollback`.

use std::time::Duration;

use clap::Args;
use lattice_client::Lattice;
use tokio::time::Instant;

use super::{deploy, link, rollout};
use crate::exit::Failure;
use crate::session::{self, Deployed, Session};
use crate::{decide, limits};

/// Goes back to an earlier revision of an actor, while it serves.
///
/// Without --to it is the one that was deployed before. The revision that is left stays in the
/// history: `--to` goes forward to it again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  meshctl rollback echo\n  meshctl rollback echo --to 4")]
pub struct Rollback {
    /// The actor.
    actor: String,
    /// Revision to go to.
    #[arg(long, value_name = "REV")]
    to: Option<u64>,
    /// Time for all of it [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = crate::values::duration)]
    wait: Option<Duration>,
}

impl Rollback {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when there is no such revision, or no node answered for it.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = self.rollback(session, &lattice).await;
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }

    async fn rollback(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let wait = self.wait.unwrap_or(Duration::from_millis(limits::DEPLOY_WAIT_MS));
        let end = Instant::now() + wait;
        let deployed = Deployed::read(lattice).await?;
        let key = deployed.actor(&self.actor)?.record.key.clone();
        let registry = lattice.registry().await?;
        // Read anew from the leader: the list may be a moment old.
        let registry_key = lattice_protocol::subjects::RegistryKey::Actor(key);
        let Some(current) = registry.get(&registry_key).await? else {
            return Err(session::explain(lattice, &self.actor, None).await);
        };
        let past = decide::rollback_target(&current.record, self.to)?;
        let module = registry.module(&past.digest).await?;
        let size = module.len() as u64;
        let record = decide::rollback(&current.record, past, size, &session::new_write());
        rollout::prepare(session, lattice, &record, end).await?;
        let at = rollout::write(&registry, &record, Some(current.at)).await?;
        let node = rollout::confirm(session, lattice, &record, at, end).await?;
        let missing = link::missing(&registry, &record).await?;
        deploy::report(session, &record, true, Some(&node), &missing)
    }
}
