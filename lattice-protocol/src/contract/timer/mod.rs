//! `mesh:timer`: an actor is called again and again.
//!
//! The configuration of the link says when ([`Schedule`]). A schedule depends on nothing but the
//! clock, so that every provider that serves the link comes to the same times. A tick comes at least
//! once: `due_at_ms` is the same where it comes again. An error of the actor is logged and not
//! tried again before the next tick; what had not started is tried again until then.

mod cron;

use std::collections::BTreeMap;

pub use cron::Cron;
use serde::{Deserialize, Serialize};

use super::limits::timer as limits;
use super::{Message, bounded};
use crate::codec::DecodeError;

super::contract! { "mesh:timer";
    /// [`Tick`](super::Tick) to [`Empty`](super::super::Empty).
    TICK = "tick", Actor, false;
}

/// Configuration of a link: when the provider calls the link's source. One of them must be there.
pub mod config {
    /// Milliseconds between two ticks, as decimal digits.
    pub const INTERVAL_MS: &str = "interval_ms";
    /// A cron expression: see [`Cron`](super::Cron).
    pub const CRON: &str = "cron";
}

/// It is time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Unix milliseconds when it was due; with the link it is the identity of the tick.
    pub due_at_ms: u64,
    /// Name of the link, so that an actor with several can tell them apart.
    #[serde(default)]
    pub link: String,
    /// Ticks that were due after the one before and were left out, because the actor could not be
    /// reached or was still busy with it, or no provider ran. Default 0.
    #[serde(default)]
    pub missed: u64,
}

impl Message for Tick {
    fn check(&self) -> Result<(), DecodeError> {
        bounded::text(crate::limits::LINK_NAME_BYTES_MAX, "a link", &self.link)
    }
}

/// When an actor is called.
///
/// ```
/// use lattice_protocol::contract::timer::Schedule;
///
/// let nightly = Schedule::from_config(&[("cron".into(), "30 2 * * *".into())].into())?;
/// assert_eq!(nightly.next_after_ms(0), Some((2 * 60 + 30) * 60_000));
/// # Ok::<(), lattice_protocol::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At each multiple of so many milliseconds since 1970.
    Interval(u64),
    /// At each minute that an expression fits.
    Cron(Cron),
}

impl Schedule {
    /// Reads the schedule of a link's configuration.
    ///
    /// # Errors
    /// [`DecodeError`] when there is neither an interval nor an expression, or both; when the
    /// interval is not within [`limits::INTERVAL_MIN_MS`] and [`limits::INTERVAL_MAX_MS`]; when the
    /// expression is malformed or never fits.
    pub fn from_config(config: &BTreeMap<String, String>) -> Result<Self, DecodeError> {
        match (config.get(config::INTERVAL_MS), config.get(config::CRON)) {
            (Some(interval), None) => {
                let interval = interval.parse().map_err(|_| {
                    DecodeError::Shape("an interval_ms is a number of milliseconds".into())
                })?;
                let (least, most) = (limits::INTERVAL_MIN_MS, limits::INTERVAL_MAX_MS);
                bounded::within(least, most, "an interval_ms", interval)?;
                Ok(Self::Interval(interval))
            }
            (None, Some(expression)) => expression.parse().map(Self::Cron),
            _ => Err(DecodeError::Shape(
                "the link of a timer has either interval_ms or cron in its configuration".into(),
            )),
        }
    }

    /// Returns the Unix milliseconds of the first tick after those of `now_ms`; nothing where there
    /// is none before the end of time.
    pub fn next_after_ms(&self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Interval(interval) => {
                now_ms.checked_div(*interval)?.checked_add(1)?.checked_mul(*interval)
            }
            Self::Cron(cron) => cron.next_after_ms(now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(config: &[(&str, &str)]) -> Result<Schedule, DecodeError> {
        let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Schedule::from_config(&config.collect())
    }

    #[test]
    fn a_link_has_one_schedule() {
        assert_eq!(schedule(&[("interval_ms", "250")]), Ok(Schedule::Interval(250)));
        assert!(matches!(schedule(&[("cron", "* * * * *")]), Ok(Schedule::Cron(_))));
        for config in [
            &[][..],
            &[("interval_ms", "250"), ("cron", "* * * * *")],
            &[("interval_ms", "")],
            &[("interval_ms", "-1")],
            &[("interval_ms", "99")],
            &[("interval_ms", "31536000001")],
            &[("cron", "")],
        ] {
            assert!(schedule(config).is_err(), "{config:?}");
        }
    }

    #[test]
    fn an_interval_ticks_at_its_multiples() {
        let every = Schedule::Interval(250);
        for (now, next) in [(0, 250), (1, 250), (249, 250), (250, 500), (1_001, 1_250)] {
            assert_eq!(every.next_after_ms(now), Some(next));
        }
        assert_eq!(every.next_after_ms(u64::MAX), None);
        assert_eq!(Schedule::Interval(0).next_after_ms(1), None);
    }

    #[test]
    fn a_tick_needs_nothing_but_its_time() {
        let tick = Tick { due_at_ms: 1, link: String::new(), missed: 0 };
        assert_eq!(Tick::decode(b"\x81\xa9due_at_ms\x01"), Ok(tick));
    }
}
