//! `meshctl dead`.

mod bulk;
mod show;

use clap::{Args, Subcommand};
use lattice_client::Lattice;
use lattice_client::queue::LetterFacts;
use lattice_protocol::keys::ActorKey;
use serde_json::{Value, json};

use bulk::Which;

use super::ls;
use crate::exit::Failure;
use crate::limits;
use crate::output::table;
use crate::session::{self, Deployed, Session};

/// Looks at the durable calls that were put aside, and replays them.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// Lists durable calls that were put aside, the oldest first.
    #[command(
        after_help = "Examples:\n  meshctl dead ls\n  meshctl dead ls --actor shop --count 20\n  \
                            meshctl dead ls --from 71 -o json"
    )]
    Ls(Ls),
    /// Shows one, with its payload and why it was put aside.
    #[command(after_help = "Examples:\n  meshctl dead show 17\n  \
                            meshctl dead show 17 --raw-out payload.bin")]
    Show(show::Show),
    /// Stores them again as if they were new, and removes them here once that is confirmed.
    #[command(
        after_help = "Examples:\n  meshctl dead replay 17 18\n  meshctl dead replay --all shop"
    )]
    Replay(Which),
    /// Removes them, for good.
    #[command(after_help = "Examples:\n  meshctl dead rm 17 18\n  meshctl dead rm --all shop")]
    Rm(Which),
}

/// Which to list.
#[derive(Debug, Args)]
pub struct Ls {
    /// Only those of this actor.
    #[arg(long)]
    actor: Option<String>,
    /// Begins at this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = limits::DEAD_LISTED_DEFAULT)]
    count: usize,
}

impl Dead {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when there is no such dead letter, or the lattice can't be reached.
    pub async fn run(self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = match &self {
            Self::Ls(ls) => ls.run(session, &lattice).await,
            Self::Show(show) => show.run(session, &lattice).await,
            Self::Replay(which) => bulk::replay(which, session, &lattice).await,
            Self::Rm(which) => bulk::remove(which, session, &lattice).await,
        };
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }
}

/// Finds the actor that is meant; one that is not deployed any more by its whole key.
async fn actor_key(lattice: &Lattice, text: &str) -> Result<ActorKey, Failure> {
    Deployed::read(lattice).await?.actor_key(text)
}

impl Ls {
    async fn run(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let deployed = Deployed::read(lattice).await?;
        let actor = self.actor.as_deref().map(|text| deployed.actor_key(text)).transpose()?;
        let page = lattice.dead_letters(actor.as_ref(), self.from, self.count).await?;
        let values: Vec<Value> =
            page.letters.iter().map(|letter| value(letter, &deployed)).collect();
        let rows: Vec<Vec<String>> = page.letters.iter().map(|one| row(one, &deployed)).collect();
        let value = json!({ "letters": values, "total": page.total, "next": page.next });
        session.output.data(&value, || {
            table(&["NUMBER", "ACTOR", "OPERATION", "AGE", "ATTEMPTS", "CODE", "REASON"], &rows)
        })?;
        if let Some(next) = page.next {
            let more = page.total.saturating_sub(page.letters.len() as u64);
            session.output.progress(&format!("{more} more: --from {next}"));
        }
        Ok(())
    }
}

/// Returns what is known of a letter, for programs.
fn value(letter: &LetterFacts, deployed: &Deployed) -> Value {
    let name = deployed.shown(&letter.target);
    json!({
        "sequence": letter.sequence,
        "key": letter.target,
        "name": Some(name).filter(|name| *name != letter.target),
        "operation": letter.operation,
        "code": letter.code,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "id": letter.id,
        "queue_sequence": letter.queue_sequence,
        "node": letter.node,
        "at_ms": letter.at_ms,
        "bytes": letter.bytes,
    })
}

fn row(letter: &LetterFacts, deployed: &Deployed) -> Vec<String> {
    vec![
        letter.sequence.to_string(),
        deployed.shown(&letter.target),
        letter.operation.clone().unwrap_or_default(),
        age(letter),
        letter.attempts.map(|attempts| attempts.to_string()).unwrap_or_default(),
        letter.code.clone(),
        letter.reason.chars().take(limits::REASON_CHARACTERS_MAX).collect(),
    ]
}

/// Returns how long ago a letter was put aside.
fn age(letter: &LetterFacts) -> String {
    let now = u64::try_from(session::now().as_millis()).unwrap_or(u64::MAX);
    ls::uptime(now.saturating_sub(letter.at_ms))
}
