//! How a server is to be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits;

/// How a server is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 lets the system choose one.
    pub addr: SocketAddr,
    /// What it proves itself with, where it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Its bounds.
    pub limits: Limits,
}

impl Options {
    /// Listens at `addr` within the usual bounds.
    pub fn new(addr: SocketAddr, tls: Option<TlsFiles>) -> Self {
        Self { addr, tls, limits: Limits::default() }
    }
}

/// What a server proves itself with, as files of PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those that lead to a root, in that order.
    pub cert: PathBuf,
    /// The key of the first.
    pub key: PathBuf,
}

/// Bounds of a server. The others are in [`limits`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`limits::CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`limits::REQUESTS_MAX`].
    pub requests_max: u32,
    /// See [`limits::BODY_BYTES_MAX`].
    pub body_bytes_max: usize,
    /// See [`limits::BODIES_HELD_BYTES_MAX`].
    pub bodies_held_bytes_max: usize,
    /// See [`limits::HEAD_TIMEOUT_MS`].
    pub head_timeout: Duration,
    /// See [`limits::IDLE_TIMEOUT_MS`].
    pub idle_timeout: Duration,
    /// See [`limits::BODY_STALL_MS`].
    pub body_stall: Duration,
    /// See [`limits::BODY_TIMEOUT_MS`].
    pub body_timeout: Duration,
    /// See [`limits::WRITE_STALL_MS`].
    pub write_stall: Duration,
    /// See [`limits::MEMORY_WAIT_MS`].
    pub memory_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            requests_max: limits::REQUESTS_MAX,
            body_bytes_max: limits::BODY_BYTES_MAX,
            bodies_held_bytes_max: limits::BODIES_HELD_BYTES_MAX,
            head_timeout: Duration::from_millis(limits::HEAD_TIMEOUT_MS),
            idle_timeout: Duration::from_millis(limits::IDLE_TIMEOUT_MS),
            body_stall: Duration::from_millis(limits::BODY_STALL_MS),
            body_timeout: Duration::from_millis(limits::BODY_TIMEOUT_MS),
            write_stall: Duration::from_millis(limits::WRITE_STALL_MS),
            memory_wait: Duration::from_millis(limits::MEMORY_WAIT_MS),
        }
    }
}

impl Limits {
    /// Checks that a server can work within these bounds; says why not.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.connections_max == 0 || self.connections_max > tokio::sync::Semaphore::MAX_PERMITS {
            return Err("there must be room for a connection");
        }
        if self.requests_max == 0 {
            return Err("there must be room for a request");
        }
        if self.body_bytes_max > limits::BODY_BYTES_LINK_MAX {
            return Err("a body may not be larger than the contract allows");
        }
        if self.body_bytes_max > self.bodies_held_bytes_max {
            return Err("there must be memory for the largest body");
        }
        if self.bodies_held_bytes_max > limits::BODIES_HELD_BYTES_ANY_MAX {
            return Err("that much memory for bodies can't be counted");
        }
        Ok(())
    }
}
