//! What every scenario is told, and how it is asked to end.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;

use super::OpenLoad;

/// What a scenario is told.
#[derive(Clone)]
pub struct Context {
    /// Fixes the schedule of calls and faults.
    pub seed: u64,
    /// Rounds instead of the scenario's own.
    pub rounds: Option<u64>,
    /// Minutes instead of the scenario's own, for those that run for a time.
    pub minutes: Option<f64>,
    /// How long the load runs before the first fault, to know what quiet is.
    pub quiet: Duration,
    /// Asks it to end after the round that it is in, and to tell what it found so far.
    pub stop: CancellationToken,
    /// Is told how far it is.
    pub say: fn(&str),
}

impl Context {
    /// Returns the rounds to run, `full` unless told otherwise.
    pub fn rounds(&self, full: u64) -> u64 {
        self.rounds.unwrap_or(full).max(1)
    }

    /// Returns the time to run, `full` minutes unless told otherwise.
    pub fn time(&self, full: f64) -> Duration {
        Duration::from_secs_f64(self.minutes.unwrap_or(full).clamp(0.01, 10_000.0) * 60.0)
    }

    /// Returns whether it shall end.
    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Says how far a scenario is, and what became of its calls.
    pub fn progress(&self, name: &str, done: u64, of: u64, load: &OpenLoad) {
        let (sent, answered, failed) = load.counts();
        let under_way = sent.saturating_sub(answered + failed);
        (self.say)(&format!(
            "{name}: {done} of {of}; {sent} calls, {failed} failed, {under_way} under way"
        ));
    }

    /// Waits, unless it shall end.
    pub async fn pause(&self, time: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }

    /// Returns the random numbers of one purpose: the same for the same seed.
    pub fn random(&self, purpose: &str) -> StdRng {
        StdRng::seed_from_u64(self.seed_of(purpose))
    }

    /// Returns the seed of one purpose.
    pub fn seed_of(&self, purpose: &str) -> u64 {
        // FNV-1a: the same on every machine and in every version.
        let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        purpose.bytes().fold(self.seed ^ 0xcbf2_9ce4_8422_2325, mix)
    }
}
