//! The actor `pinger`, which calls any target as often as it is told: what one call of a host costs.

use std::time::{Duration, Instant};

use bytes::Bytes;
use integration::bench::turns::Column;
use integration::report::median;
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::ActorKey;
use serde::Serialize;

/// The column of what is measured with it.
pub(super) const COLUMNS: [Column; 1] =
    [Column { head: "us a call", figure: "call_us", decimals: 2 }];

/// How a call is made by an actor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// Calls that one call of the actor makes.
    pub(super) times: u32,
    /// Times that the actor is called.
    attempts: usize,
    /// Times that it is called before.
    before: usize,
}

/// So few that the actor computes for a short time: the node runs it where its call was read.
pub(super) const SHORT: Batch = Batch { times: 16, attempts: 400, before: 0 };
/// So many that the node takes the actor for one that computes for long, and runs it apart: each
/// call that it makes may go from thread to thread. One in eight calls is looked at for that.
pub(super) const LONG: Batch = Batch { times: 2_000, attempts: 5, before: 9 };

/// Times that it is called one way before it is called the other.
const ATTEMPTS_AT_ONCE: usize = 5;
/// Time that one call of the actor may take.
const TIMEOUT_S: u64 = 20;

/// What `pinger` is asked to pass on.
#[derive(Serialize)]
pub(super) struct Forward<'a> {
    /// Whom to call: a key, a name or a contract.
    pub(super) target: &'a str,
    /// What to do.
    pub(super) operation: &'a str,
    /// The message.
    #[serde(with = "serde_bytes")]
    pub(super) payload: &'a [u8],
    times: u32,
}

impl<'a> Forward<'a> {
    /// Names a call.
    pub(super) fn new(target: &'a str, operation: &'a str, payload: &'a [u8]) -> Self {
        Self { target, operation, payload, times: 1 }
    }

    /// Returns the microseconds of one such call by `actor`, beyond what the call of `actor` itself
    /// costs, and the last answer.
    pub(super) async fn measure(
        &mut self,
        lattice: &Lattice,
        actor: &ActorKey,
        batch: Batch,
    ) -> anyhow::Result<(f64, Bytes)> {
        self.took(lattice, actor, batch.times, batch.before).await?;
        let (mut ones, mut alls, mut last) = (Vec::new(), Vec::new(), Bytes::new());
        // In turns, since what is between them is less than what the machine does meanwhile.
        for _ in 0..batch.attempts.div_ceil(ATTEMPTS_AT_ONCE) {
            ones.extend(self.took(lattice, actor, 1, ATTEMPTS_AT_ONCE).await?.0);
            let (took, answer) = self.took(lattice, actor, batch.times, ATTEMPTS_AT_ONCE).await?;
            alls.extend(took);
            last = answer;
        }
        let beyond = median(&mut alls) - median(&mut ones);
        Ok((beyond / f64::from(batch.times - 1), last))
    }

    /// Returns the microseconds of each of so many calls, and the last answer.
    async fn took(
        &mut self,
        lattice: &Lattice,
        actor: &ActorKey,
        times: u32,
        attempts: usize,
    ) -> anyhow::Result<(Vec<f64>, Bytes)> {
        self.times = times;
        let payload = Bytes::from(rmp_serde::to_vec_named(self)?);
        let (mut took, mut last) = (Vec::new(), Bytes::new());
        for _ in 0..attempts {
            let begun = Instant::now();
            let call = Call::new(actor.clone(), "forward", payload.clone());
            let call = call.timeout(Duration::from_secs(TIMEOUT_S));
            last = lattice.call(call).await?.payload;
            took.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok((took, last))
    }
}
