//! Free ports of loopback.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use anyhow::bail;
use rand::Rng;

/// Below the ports that systems hand out for outgoing connections (Linux from 32768, macOS from
/// 49152), so that no connection takes the port of a server while it restarts.
const RANGE: Range<u16> = 15_000..32_000;
/// Ports that are tried.
const ATTEMPTS_MAX: u32 = 200;

/// Returns a port of 127.0.0.1 that nobody listened on a moment ago.
///
/// Another process may take it before its user does: who starts a server on it checks that it is
/// their own server that answers, and else takes another port.
///
/// # Errors
/// When none of those that were tried is free.
pub fn free_port() -> anyhow::Result<u16> {
    let mut random = rand::rng();
    for _ in 0..ATTEMPTS_MAX {
        let port = random.random_range(RANGE);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("none of {ATTEMPTS_MAX} ports of 127.0.0.1 was free")
}
