//! What a host call of an actor costs to a provider in the node's process, beyond the provider's own
//! work.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use integration::bench::findings::Findings;
use integration::bench::turns::{Column, Sample};
use integration::harness::{Meshctl, actor_module_bytes};
use integration::testbed::Testbed;
use lattice_protocol::contract::{Message, random};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::Isolation;
use mesh_provider::{Answers, Config, ProviderCall};

use super::Context;
use super::alone;
use super::echo::deploy;
use super::forward::{Forward, TIMES};
use super::trio::start_node;

const ALONE: &str = "the provider alone";
const BY_ACTOR: &str = "an actor's host call to it";
const OPERATION: &str = random::operation::INTEGER;

enum Who {
    Alone(Arc<dyn Answers>),
    Actor(ActorKey),
}

/// Measures the provider alone and by an actor.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let _node = start_node(&bed, context).await?;
    let lattice = bed.lattice();
    let wasm = actor_module_bytes("pinger")?;
    let actor = deploy(lattice, "caller", &wasm, Isolation::PerCall, &[random::NAME]).await?;
    let user = Meshctl::new(&bed.url(), bed.name().as_str())?;
    user.ok(&["link", "put", actor.key().as_str(), random::NAME, "random"]).await?;
    let provider =
        alone::open(lattice, &mesh_random::ABOUT, mesh_random::provider, Config::default());
    let mut subjects = [
        (ALONE.to_owned(), Who::Alone(provider.await?)),
        (BY_ACTOR.to_owned(), Who::Actor(actor.key().clone())),
    ];
    let payload = random::Range { min: 0, max: 1_000 }.encode()?;
    let measure = async |who: &mut Who| {
        let us = match who {
            Who::Alone(provider) => measure_alone(provider.as_ref(), &payload).await?,
            Who::Actor(key) => {
                let mut forward = Forward::new(random::NAME, OPERATION, &payload);
                let (us, answer) = forward.measure(lattice, key).await?;
                random::Integer::decode(&answer)?;
                us
            }
        };
        Ok(Sample::default().with("call_us", us))
    };
    let turns = context.rounds.in_turns("host calls", &mut subjects, measure).await?;
    found
        .tables
        .push(turns.table(&[Column { head: "us a call", figure: "call_us", decimals: 2 }], &[]));
    if let (Some(actor), Some(alone)) = (turns.series(BY_ACTOR), turns.series(ALONE))
        && let Some(beyond) = actor.beyond(alone, "call_us")
    {
        found.note(format!("beyond the provider's own: {} us", beyond.shown(2)));
    }
    found.note(format!(
        "{TIMES} calls of `{OPERATION}` of {} in one call of an actor",
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
