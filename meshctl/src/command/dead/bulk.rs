//! `meshctl dead replay` and `meshctl dead rm`.

use clap::Args;
use lattice_client::Lattice;
use serde_json::json;

use crate::exit::Failure;
use crate::limits;
use crate::session::Session;

/// Which letters are meant.
#[derive(Debug, Args)]
pub struct Which {
    /// Their numbers, as `meshctl dead ls` tells them.
    #[arg(value_name = "NUMBER", required_unless_present = "all")]
    numbers: Vec<u64>,
    /// All of this actor.
    #[arg(long, value_name = "ACTOR", conflicts_with = "numbers")]
    all: Option<String>,
}

/// Stores letters again, one after the other; the first that fails ends it.
pub(super) async fn replay(
    which: &Which,
    session: &Session,
    lattice: &Lattice,
) -> Result<(), Failure> {
    let mut done = Vec::new();
    let outcome = replay_all(which, lattice, &mut done).await;
    // What was done is told, also where the next one failed.
    if outcome.is_ok() || !done.is_empty() {
        let count = done.len();
        let value = json!({ "replayed": done });
        session.output.data(&value, || match count {
            1 => "1 call is stored again".to_owned(),
            count => format!("{count} calls are stored again"),
        })?;
    }
    outcome
}

async fn replay_all(
    which: &Which,
    lattice: &Lattice,
    done: &mut Vec<serde_json::Value>,
) -> Result<(), Failure> {
    let Some(actor) = &which.all else {
        for number in &which.numbers {
            replay_one(lattice, *number, done).await?;
        }
        return Ok(());
    };
    let actor = super::actor_key(lattice, actor).await?;
    let last = lattice.last_dead_letter(&actor).await?.unwrap_or_default();
    let mut from = 1;
    // Those that fail again meanwhile come after the last, and are left for the next time.
    while from <= last {
        let page = lattice.dead_letters(Some(&actor), from, limits::DEAD_BATCH).await?;
        let Some(end) = page.letters.last().map(|letter| letter.sequence) else { break };
        for letter in page.letters.iter().filter(|letter| letter.sequence <= last) {
            replay_one(lattice, letter.sequence, done).await?;
        }
        from = end + 1;
    }
    Ok(())
}

async fn replay_one(
    lattice: &Lattice,
    number: u64,
    done: &mut Vec<serde_json::Value>,
) -> Result<(), Failure> {
    let stored = lattice.replay_dead_letter(number).await?;
    done.push(json!({
        "letter": number,
        "stream": stored.stream,
        "sequence": stored.sequence,
        "id": stored.id,
    }));
    Ok(())
}

/// Removes letters.
pub(super) async fn remove(
    which: &Which,
    session: &Session,
    lattice: &Lattice,
) -> Result<(), Failure> {
    let removed = match &which.all {
        Some(actor) => {
            let actor = super::actor_key(lattice, actor).await?;
            lattice.remove_dead_letters_of(&actor).await?
        }
        None => {
            let mut removed = 0;
            for number in &which.numbers {
                lattice.remove_dead_letter(*number).await?;
                removed += 1;
            }
            removed
        }
    };
    session.output.data(&json!({ "removed": removed }), || match removed {
        1 => "1 dead letter is gone".to_owned(),
        count => format!("{count} dead letters are gone"),
    })
}
