//! More calls than a node can compute: it says so at once, others do not suffer, and callers that can wait
//! get their answers.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use integration::guests::laborer;
use integration::harness::actor_module_bytes;
use integration::testbed::Testbed;
use lattice_client::Call;
use lattice_protocol::ErrorCode;
use lattice_protocol::keys::ActorKey;
use tokio::task::JoinSet;

/// About as many milliseconds.
const STEPS: u64 = 2_000_000;
const LABOR: &[u8] = &STEPS.to_le_bytes();
const HELD: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

/// What became of calls that were sent once each.
#[derive(Debug, Default)]
struct Flooded {
    answered: usize,
    busy: Vec<Duration>,
}

/// Sends four calls a millisecond whether or not any is answered: many times what a node can compute.
async fn flood(bed: &Testbed, target: &ActorKey) -> Flooded {
    let begun = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    let mut flooded = Flooded::default();
    let mut sent = FuturesUnordered::new();
    while begun.elapsed() < HELD || !sent.is_empty() {
        tokio::select! {
            _ = tick.tick(), if begun.elapsed() < HELD => {
                for _ in 0..8 {
                    let send = bed.send(target.clone(), "Op", LABOR, TIMEOUT);
                    sent.push(send);
                }
            }
            Some(replied) = sent.next() => {
                let replied = replied.unwrap();
                match replied.outcome {
                    Ok(_) => flooded.answered += 1,
                    Err(error) => {
                        assert_eq!((error.code, error.started), (ErrorCode::Busy, false), "{error}");
                        flooded.busy.push(replied.took);
                    }
                }
            }
        }
    }
    flooded
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_refused_at_once_and_another_actor_does_not_feel_it() {
    let bed = Testbed::start("overload-fair").await.unwrap();
    let node = bed.start_node().await.unwrap();
    let flooded = bed.deploy("flooded", &laborer().unwrap(), &[]).await.unwrap();
    let calm = bed.deploy("calm", &laborer().unwrap(), &[]).await.unwrap();
    let light = bed.deploy("light", &actor_module_bytes("echo").unwrap(), &[]).await.unwrap();
    let other = bed.another_client().await.unwrap();
    let asks = async {
        let begun = Instant::now();
        let mut asked = 0;
        while begun.elapsed() < HELD {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let call = Call::new(calm.key().clone(), "Op", LABOR).timeout(TIMEOUT);
            let answer = other.call(call).await.unwrap();
            assert_eq!(answer.attempts, 1, "it was refused");
            let echo = Call::new(light.key().clone(), "echo", &b"light"[..]).timeout(TIMEOUT);
            assert_eq!(other.call(echo).await.unwrap().attempts, 1, "it was refused");
            asked += 1;
        }
        asked
    };
    let (mut flood, asked) = tokio::join!(flood(&bed, flooded.key()), asks);
    assert!(asked > 10, "{asked}");
    assert!(flood.answered > 100, "{}", flood.answered);
    assert!(flood.busy.len() > flood.answered, "{} refused", flood.busy.len());
    // Far from the time that the callers gave: what is refused is refused on the spot.
    flood.busy.sort_unstable();
    let median = flood.busy[flood.busy.len() / 2];
    assert!(median < TIMEOUT / 20, "{median:?}");
    assert!(!node.log().unwrap().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_can_wait_get_their_answers_from_a_busy_node() {
    let bed = Testbed::start("overload-paced").await.unwrap();
    let _node = bed.start_node().await.unwrap();
    let labors = bed.deploy("labors", &laborer().unwrap(), &[]).await.unwrap();
    let end = Instant::now() + HELD;
    let mut callers = JoinSet::new();
    for _ in 0..64 {
        let (lattice, key) = (bed.lattice().clone(), labors.key().clone());
        callers.spawn(async move {
            let (mut calls, mut attempts) = (0u32, 0);
            while Instant::now() < end {
                let call = Call::new(key.clone(), "Op", LABOR).timeout(TIMEOUT);
                attempts += lattice.call(call).await?.attempts;
                calls += 1;
            }
            Ok::<_, lattice_protocol::Error>((calls, attempts))
        });
    }
    let (mut calls, mut attempts) = (0, 0);
    while let Some(outcome) = callers.join_next().await {
        let (made, tried) = outcome.unwrap().unwrap();
        (calls, attempts) = (calls + made, attempts + tried);
    }
    assert!(calls > 64, "{calls}");
    // Without the wait at the caller most attempts would be refused.
    assert!(attempts < calls * 2, "{attempts} attempts for {calls} calls");
}
