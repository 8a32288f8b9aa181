//! What the programs of the mesh that join a lattice have in common.
//!
//! | file | concern |
//! |---|---|
//! | [`ConnectArgs`] | the arguments that say where NATS is, and which lattice to join |
//! | [`telemetry`] | logs, traces, metrics |
//! | [`run`] | from telemetry to an exit code: the runtime, signals, a drain that a second one cuts short |

mod connect;
mod run;
pub mod telemetry;

pub use connect::{ConnectArgs, connect};
pub use run::{exit_code, run};

/// Limits, each with its unit in its name.
pub mod limits {
    /// Time after a signal in which others are taken for its echo.
    pub const SIGNAL_ECHO_MS: u64 = 1_000;
    /// How long a program tries to reach NATS when it starts.
    pub const START_CONNECT_TIMEOUT_MS: u64 = 30_000;
    /// Pause between two attempts to reach NATS when a program starts.
    pub const START_CONNECT_PAUSE_MS: u64 = 1_000;
    /// Time that a drain may take before what still runs is abandoned.
    pub const DRAIN_TIMEOUT_DEFAULT_MS: u64 = 30_000;
}
