//! Many actors that differ: deployed through the registry, as fast as it takes them.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use integration::harness::{MeshNode, actor_module_bytes};
use integration::publisher::Publisher;
use integration::testbed::Testbed;
use lattice_protocol::keys::ActorKey;
use tokio::task::JoinSet;

use super::Context;

/// Actors that are deployed at once.
const AT_ONCE: usize = 32;
/// Actors between two lines that say how far it is.
const SAID_EVERY: u64 = 1_000;
/// Interval between two looks at what a node serves.
const LOOK_MS: u64 = 10;
/// Seconds between two lines that say how many those are.
const SAID_EVERY_S: u64 = 10;
/// The name of the section that makes a module differ.
const SECTION: &str = "bench";

/// Deploys `count` actors that echo, each with a module and keys of its own.
pub(super) async fn deploy(
    bed: &Testbed,
    count: u64,
    context: &Context<'_>,
) -> anyhow::Result<Vec<ActorKey>> {
    let registry = Box::pin(bed.lattice().registry()).await?;
    let echo = actor_module_bytes("echo")?;
    let (mut tasks, mut keys) = (JoinSet::new(), Vec::new());
    for number in 0..count {
        if tasks.len() >= AT_ONCE {
            keys.push(tasks.join_next().await.context("there is a task")???);
        }
        if context.stopped() {
            break;
        }
        let publisher = Publisher::on(registry.clone(), &format!("echo-{number}"))?;
        let signed = publisher.sign(&with_section(&echo, number), 1, &[])?;
        tasks.spawn(async move {
            Box::pin(publisher.deploy(&signed, 1)).await?;
            anyhow::Ok(publisher.key().clone())
        });
        if (number + 1) % SAID_EVERY == 0 {
            context.say(&format!("{} of {count} actors deployed", number + 1));
        }
    }
    while let Some(key) = tasks.join_next().await {
        keys.push(key??);
    }
    Ok(keys)
}

/// Waits until a node serves `count` actors, for at most `bound`; returns how many it serves then.
pub(super) async fn served(
    bed: &Testbed,
    node: &MeshNode,
    count: u64,
    bound: Duration,
    context: &Context<'_>,
) -> anyhow::Result<u64> {
    let (end, mut said) = (Instant::now() + bound, Instant::now());
    loop {
        let served = u64::from(bed.inventory(node.key()).await?.heartbeat.actor_count);
        if served >= count || Instant::now() >= end || context.stopped() {
            return Ok(served);
        }
        if said.elapsed() > Duration::from_secs(SAID_EVERY_S) {
            said = Instant::now();
            context.say(&format!("the node serves {served} of {count} actors"));
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

/// Returns a module with a custom section that no other number has.
fn with_section(module: &[u8], number: u64) -> Vec<u8> {
    let mut content = vec![SECTION.len() as u8];
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(&number.to_le_bytes());
    // A custom section has the number 0; a length below 128 is one byte.
    [module, &[0, content.len() as u8], &content].concat()
}
