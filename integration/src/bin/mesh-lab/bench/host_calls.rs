//! What a host call of an actor costs to a provider in the node's process, beyond the provider's own
//! work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use integration::harness::{Meshctl, NatsServer, NodeOptions, actor_module_bytes};
use integration::publisher::Publisher;
use integration::report::{median, table};
use lattice_client::{Call, ConnectOptions, Lattice};
use lattice_protocol::contract::{Message, random};
use lattice_protocol::keys::{ActorKey, ProviderKey};
use lattice_protocol::names::LinkName;
use mesh_provider::{ActorsByNats, Answers, CallInfo, Config, Context, Link, LinkId, ProviderCall};
use serde::Serialize;

use super::Options;

const LATTICE: &str = "bench";
/// Host calls of one call of the actor.
const TIMES: u32 = 2_000;

#[derive(Serialize)]
struct Forward<'a> {
    target: &'a str,
    operation: &'a str,
    #[serde(with = "serde_bytes")]
    payload: &'a [u8],
    times: u32,
}

/// Measures in turns, prints the table and returns the figures.
pub(super) async fn run(options: &Options) -> anyhow::Result<serde_json::Value> {
    let server = NatsServer::start().await?;
    let url = server.url();
    let lattice = Lattice::connect(ConnectOptions::url(&url).lattice(LATTICE.parse()?)).await?;
    let node = NodeOptions::new(&url, LATTICE)?.start(lattice.nats()).await?;
    let actor = Publisher::new(&lattice, "caller").await?;
    let signed = actor.sign(&actor_module_bytes("pinger")?, 1, &[random::NAME])?;
    actor.deploy(&signed, 1).await?;
    actor.wait_until_served(1, Duration::from_secs(20)).await?;
    let user = Meshctl::new(&url, LATTICE)?;
    user.ok(&["link", "put", actor.key().as_str(), random::NAME, "random"]).await?;

    let alone = Alone::open(&lattice).await?;
    let (mut own, mut called) = (Vec::new(), Vec::new());
    for round in 0..=options.rounds {
        let provider = alone.measure().await?;
        let all = call(&lattice, actor.key(), TIMES).await?;
        let none = call(&lattice, actor.key(), 1).await?;
        if round > 0 {
            own.push(provider);
            called.push((all - none) / f64::from(TIMES - 1));
        }
    }
    let (own, called) = (median(&mut own), median(&mut called));
    let rows = [
        ["host calls", "a call"].map(str::to_owned).to_vec(),
        vec!["the provider alone".to_owned(), format!("{own:.2} us")],
        vec!["an actor's host call to it".to_owned(), format!("{called:.2} us")],
        vec!["beyond the provider's own".to_owned(), format!("{:.2} us", called - own)],
    ];
    println!("{}", table(&rows));
    println!(
        "  medians of {} rounds of {TIMES} calls of `integer` of mesh:random in one call of an actor\n",
        options.rounds
    );
    drop(node);
    lattice.close().await;
    Ok(serde_json::json!({ "provider_us": own, "host_call_us": called }))
}

fn request() -> anyhow::Result<Vec<u8>> {
    Ok(random::Range { min: 0, max: 1_000 }.encode()?)
}

/// Has the actor call the provider that often; returns the microseconds that its call took.
async fn call(lattice: &Lattice, actor: &ActorKey, times: u32) -> anyhow::Result<f64> {
    let payload = request()?;
    let operation = random::operation::INTEGER;
    let forward = Forward { target: random::NAME, operation, payload: &payload, times };
    let forward = Bytes::from(rmp_serde::to_vec_named(&forward)?);
    let mut best = f64::INFINITY;
    // The best of a few: what disturbs a call only makes it longer.
    for _ in 0..5 {
        let begun = Instant::now();
        let call = Call::new(actor.clone(), "forward", forward.clone());
        let answer = lattice.call(call.timeout(Duration::from_secs(20))).await?;
        best = best.min(begun.elapsed().as_secs_f64() * 1e6);
        random::Integer::decode(&answer.payload)?;
    }
    Ok(best)
}

/// The provider without a mesh around it.
struct Alone(Arc<dyn Answers>);

impl Alone {
    async fn open(lattice: &Lattice) -> anyhow::Result<Self> {
        let key = ProviderKey::generate()?.0;
        let contract = mesh_random::ABOUT.contract;
        let actors = ActorsByNats::new(lattice.clone(), key.clone(), contract, false);
        let context =
            Context { key, lattice: lattice.clone(), actors: Arc::new(actors), data: None };
        let link = Link {
            id: LinkId { source: ActorKey::generate()?.0, name: LinkName::default_link() },
            config: Config::default(),
            generation: 1,
        };
        let provider = mesh_random::provider(&context);
        let opened = provider.open(&link).await;
        Ok(Self(opened.map_err(|error| anyhow::anyhow!("{error}")).context("the link")?))
    }

    /// Returns the microseconds of one call.
    async fn measure(&self) -> anyhow::Result<f64> {
        let payload = request()?;
        let info = CallInfo {
            deadline: Instant::now() + Duration::from_secs(60),
            trace: lattice_client::TraceContext::default(),
        };
        let begun = Instant::now();
        for _ in 0..TIMES {
            let operation = random::operation::INTEGER;
            let call = ProviderCall { operation, payload: &payload, info: info.clone() };
            let answer = self.0.answer(call).await;
            ensure!(answer.is_ok(), "the provider fails: {answer:?}");
        }
        Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES))
    }
}
