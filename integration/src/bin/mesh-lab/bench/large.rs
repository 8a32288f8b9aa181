//! Large payloads there and back: through an actor, by a raw NATS request and reply as far as one
//! message goes, and by the object store alone.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use async_nats::Client;
use async_nats::jetstream::object_store::{Config, ObjectStore};
use bytes::Bytes;
use integration::bench::findings::{Findings, Table};
use integration::bench::turns::Sample;
use integration::harness::actor_module_bytes;
use integration::memory;
use integration::publisher::Publisher;
use integration::testbed::{SOON, Testbed};
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::limits::{ACTOR_MEMORY_MAX_BYTES, PAYLOAD_BYTES_MAX};
use tokio::io::AsyncReadExt;

use super::Context;
use super::echo::RAW_SUBJECT;
use super::trio::{self, start_node};

/// Each is measured, as far as it is allowed.
const SIZES: [u64; 7] =
    [1 << 10, 16 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, PAYLOAD_BYTES_MAX as u64];
/// What one message of the server has room for beside a payload.
const MESSAGE_OVERHEAD_BYTES: usize = 1_024;
/// Time that one of them may take.
const TIMEOUT_MS: u64 = 60_000;
const MIB: f64 = (1 << 20) as f64;

enum Way {
    Raw(Client),
    Actor(Lattice, ActorKey),
    Store(Box<ObjectStore>),
}

/// Measures every size.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let bed = Testbed::start("bench").await?;
    let mut node = start_node(&bed, context).await?;
    let pid = node.process().pid();
    let lattice = bed.lattice();
    let mut actor = Publisher::new(lattice, "echo").await?;
    // The actor holds what it was sent and what it answers, more than once.
    actor.shape = |record| record.limits.memory_bytes = Some(ACTOR_MEMORY_MAX_BYTES);
    actor.deploy(&actor.sign(&actor_module_bytes("echo")?, 1, &[])?, 1).await?;
    actor.wait_until_served(1, SOON).await?;
    let client = async_nats::connect(bed.url()).await?;
    let message_max = client.server_info().max_payload.saturating_sub(MESSAGE_OVERHEAD_BYTES);
    let _raw = trio::start_raw(&bed.url(), &client).await?;
    let config = Config { bucket: "large".to_owned(), ..Config::default() };
    let store = Box::pin(lattice.jetstream().create_object_store(config)).await?;

    let mut table = Table::new([
        "there and back",
        "actor ms",
        "MB/s",
        "raw ms",
        "object store ms",
        "actor / baseline",
        "node's peak MiB",
    ]);
    for size in SIZES.into_iter().filter(|size| *size <= context.options.large_to) {
        if context.stopped() {
            break;
        }
        let size = usize::try_from(size)?;
        let mut ways = vec![("actor".to_owned(), Way::Actor(lattice.clone(), actor.key().clone()))];
        if size <= message_max {
            ways.push(("raw".to_owned(), Way::Raw(client.clone())));
        } else {
            ways.push(("object store".to_owned(), Way::Store(Box::new(store.clone()))));
        }
        let payload = noise(size);
        let time = context.options.time();
        memory::forget_peak(pid)?;
        let measure = async |way: &mut Way| way.measure(&payload, time).await;
        let turns = context.rounds.in_turns(shown(size), &mut ways, measure).await?;
        let peak = memory::of(pid)?.peak as f64 / MIB;
        let spread =
            |name: &str, figure| turns.series(name).and_then(|series| series.spread(figure));
        let median = |name: &str, figure, decimals: usize| {
            spread(name, figure).map_or("-".to_owned(), |s| format!("{:.decimals$}", s.median))
        };
        let baseline = if turns.series("raw").is_some() { "raw" } else { "object store" };
        let ratio = turns.ratio("actor", baseline, "ms");
        table.row([
            turns.title.clone(),
            median("actor", "ms", 2),
            median("actor", "mb_per_second", 0),
            median("raw", "ms", 2),
            median("object store", "ms", 2),
            ratio.map_or("-".to_owned(), |ratio| format!("{}x the time", ratio.shown(2))),
            format!("{peak:.0}"),
        ]);
        found.turns.push(turns);
        found.tables = vec![table.clone()];
    }
    found.note(format!(
        "one call at a time; MB/s count the payload there and back; a message of this server holds {} B, what is larger travels through the object store: there the baseline puts and gets an object twice",
        client.server_info().max_payload
    ));
    found.note(format!("{PAYLOAD_BYTES_MAX} B is the largest payload of a call"));
    Ok(())
}

impl Way {
    /// Sends the payload there and back, again and again; at least once.
    async fn measure(&self, payload: &Bytes, time: Duration) -> anyhow::Result<Sample> {
        let (begun, mut count) = (Instant::now(), 0_u32);
        while count == 0 || begun.elapsed() < time {
            let answer = self.once(payload.clone()).await?;
            ensure!(answer == payload, "the answer is not what was sent");
            count += 1;
        }
        let each = begun.elapsed().as_secs_f64() / f64::from(count);
        Ok(Sample::default()
            .with("ms", each * 1e3)
            .with("mb_per_second", 2.0 * payload.len() as f64 / each / 1e6))
    }

    async fn once(&self, payload: Bytes) -> anyhow::Result<Bytes> {
        match self {
            Self::Raw(client) => Ok(client.request(RAW_SUBJECT, payload).await?.payload),
            Self::Actor(lattice, actor) => {
                let call = Call::new(actor.clone(), "echo", payload);
                let call = call.timeout(Duration::from_millis(TIMEOUT_MS));
                Ok(Box::pin(lattice.call(call)).await?.payload)
            }
            Self::Store(store) => {
                let there = Box::pin(through(store, "there", &payload)).await?;
                Box::pin(through(store, "back", &there)).await
            }
        }
    }
}

/// Puts an object and gets it.
async fn through(store: &ObjectStore, name: &str, payload: &[u8]) -> anyhow::Result<Bytes> {
    let mut reader = payload;
    store.put(name, &mut reader).await?;
    let mut object = store.get(name).await?;
    let mut bytes = Vec::with_capacity(payload.len());
    object.read_to_end(&mut bytes).await?;
    store.delete(name).await.context("the object can't be deleted")?;
    Ok(bytes.into())
}

/// Returns bytes that nothing can make smaller.
fn noise(size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes.into()
}

fn shown(size: usize) -> String {
    if size < 1 << 20 { format!("{} KiB", size >> 10) } else { format!("{} MiB", size >> 20) }
}
