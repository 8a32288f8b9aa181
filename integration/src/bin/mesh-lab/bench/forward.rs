//! The actor `pinger`, which calls any target as often as it is told: what one call of a host costs.

use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_client::{Call, Lattice};
use lattice_protocol::keys::ActorKey;
use serde::Serialize;

/// Calls that one call of the actor makes.
pub(super) const TIMES: u32 = 2_000;
/// Times that it is called; the best counts, since what disturbs a call only makes it longer.
const ATTEMPTS: usize = 5;
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
    ) -> anyhow::Result<(f64, Bytes)> {
        let (many, answer) = self.best(lattice, actor, TIMES).await?;
        let (one, _) = self.best(lattice, actor, 1).await?;
        Ok(((many - one) / f64::from(TIMES - 1), answer))
    }

    async fn best(
        &mut self,
        lattice: &Lattice,
        actor: &ActorKey,
        times: u32,
    ) -> anyhow::Result<(f64, Bytes)> {
        self.times = times;
        let payload = Bytes::from(rmp_serde::to_vec_named(self)?);
        let (mut best, mut last) = (f64::INFINITY, Bytes::new());
        for _ in 0..ATTEMPTS {
            let begun = Instant::now();
            let call = Call::new(actor.clone(), "forward", payload.clone());
            let call = call.timeout(Duration::from_secs(TIMEOUT_S));
            last = lattice.call(call).await?.payload;
            best = best.min(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok((best, last))
    }
}
