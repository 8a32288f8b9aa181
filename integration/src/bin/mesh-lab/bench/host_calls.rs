//! What a host call of an actor costs to a provider in the node's process, beyond the provider's own
//! work.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use integration::bench::findings::Findings;
use integration::bench::turns::Sample;
use integration::harness::{Meshctl, actor_module_bytes};
use integration::testbed::Testbed;
use lattice_protocol::contract::{Message, random};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::Isolation;
use mesh_provider::{Answers, Config, ProviderCall};

use super::echo::deploy;
use super::forward::{Batch, COLUMNS, Forward, LONG, SHORT};
use super::trio::start_node;
use super::{Context, alone};

const ALONE: &str = "the provider alone";
const OPERATION: &str = random::operation::INTEGER;
/// Calls of the provider alone, in one measurement.
const TIMES: u32 = 20_000;

enum Who {
    Alone(Arc<dyn Answers>),
    Actor(ActorKey, Batch),
}

/// Measures the provider alone and by actors.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let _node = start_node(&bed, context).await?;
    let lattice = bed.lattice();
    let wasm = actor_module_bytes("pinger")?;
    let user = Meshctl::new(&bed.url(), bed.name().as_str())?;
    let (about, provider) = (mesh_random::ABOUT, mesh_random::provider);
    let provider = alone::open(lattice, &about, provider, Config::default()).await?;
    let mut subjects = vec![(ALONE.to_owned(), Who::Alone(provider))];
    for batch in [SHORT, LONG] {
        // Each has an actor of its own: a node learns how long an actor computes.
        let name = format!("caller-{}", batch.times);
        let actor = deploy(lattice, &name, &wasm, Isolation::PerCall, &[random::NAME]).await?;
        let key = actor.key().clone();
        user.ok(&["link", "put", key.as_str(), random::NAME, "random"]).await?;
        subjects.push((format!("by an actor, {} in one", batch.times), Who::Actor(key, batch)));
    }
    let payload = random::Range { min: 0, max: 1_000 }.encode()?;
    let measure = async |who: &mut Who| {
        let us = match who {
            Who::Alone(provider) => measure_alone(provider.as_ref(), &payload).await?,
            Who::Actor(key, batch) => {
                let mut forward = Forward::new(random::NAME, OPERATION, &payload);
                let (us, answer) = forward.measure(lattice, key, *batch).await?;
                random::Integer::decode(&answer)?;
                us
            }
        };
        Ok(Sample::default().with("call_us", us))
    };
    let turns = context.rounds.in_turns("host calls", &mut subjects, measure).await?;
    found.tables.push(turns.table(&COLUMNS, &[]));
    if let Some((alone, actors)) = turns.series.split_first() {
        for actor in actors {
            let beyond = actor.beyond(alone, "call_us");
            let beyond = beyond.map_or("-".to_owned(), |beyond| beyond.shown(2));
            found.note(format!("{}: {beyond} us beyond the provider's own", actor.name));
        }
    }
    found.note(format!(
        "`{OPERATION}` of {}, called so many times in one call of an actor with fresh memory",
        random::NAME
    ));
    found.turns.push(turns);
    Ok(())
}

/// Returns the microseconds of one call.
async fn measure_alone(provider: &dyn Answers, payload: &[u8]) -> anyhow::Result<f64> {
    let info = alone::info();
    let begun = Instant::now();
    for _ in 0..TIMES {
        let call = ProviderCall { operation: OPERATION, payload, info: info.clone() };
        let answer = provider.answer(call).await;
        ensure!(answer.is_ok(), "the provider fails: {answer:?}");
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES))
}
