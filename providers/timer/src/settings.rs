//! What a link says.

use std::time::Duration;

use lattice_protocol::Error;
use lattice_protocol::contract::timer::{Schedule, config};
use mesh_provider::Link;

use crate::limits;

/// What a link says.
#[derive(Debug)]
pub struct Settings {
    /// When the actor is called.
    pub schedule: Schedule,
    /// Time that it has.
    pub timeout: Duration,
}

impl Settings {
    /// Reads the settings of a link.
    ///
    /// # Errors
    /// `bad_request` naming what is wrong.
    pub fn read(link: &Link) -> Result<Self, Error> {
        let settings = &link.config;
        settings.only(&[config::INTERVAL_MS, config::CRON, "timeout_ms"])?;
        let (least, most) = (limits::TICK_TIMEOUT_MIN_MS, limits::TICK_TIMEOUT_MAX_MS);
        let timeout = settings.duration_ms("timeout_ms", least, most)?;
        Ok(Self {
            schedule: Schedule::from_config(settings.all())?,
            timeout: timeout.unwrap_or(Duration::from_millis(limits::TICK_TIMEOUT_DEFAULT_MS)),
        })
    }
}
