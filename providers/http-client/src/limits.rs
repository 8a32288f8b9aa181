//! Limits of this provider, each with its unit in its name.

use lattice_protocol::contract::limits::{HEADERS_BYTES_MAX, HEADERS_MAX};

/// Requests of one link that run at once; more are answered `busy`.
pub const LINK_REQUESTS_MAX: usize = 256;
/// Bytes of bodies that the provider holds at once while it receives them; what would go beyond is
/// answered `busy`.
pub const BODIES_HELD_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes that a body takes of that at a time.
pub const BODY_PAGE_BYTES: usize = 64 * 1024;
/// Most that a body gets in advance because the server says how long it will be.
pub const BODY_RESERVE_BYTES_MAX: usize = 1024 * 1024;
/// Time that a connection may take, lookup and TLS included.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;
/// Longest bound that a link may set to a request: more has no call.
pub const TIMEOUT_MAX_MS: u64 = lattice_protocol::limits::CALL_TIMEOUT_MAX_MS as u64;
/// Names that are looked up at once; others wait within the time of their call.
pub const LOOKUPS_MAX: usize = 64;
/// Connections to one host that a link keeps without a request.
pub const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 8;
/// How long it keeps them.
pub const IDLE_CONNECTION_MS: u64 = 30_000;
/// Hosts that a link may name.
pub const HOSTS_MAX: usize = 256;
/// Headers that the parser of HTTP/1 takes: so many more than the contract that those which are left
/// out fit in too.
pub const HTTP1_HEADERS_MAX: usize = 2 * HEADERS_MAX;
/// Bytes of headers that the parser of HTTP/2 takes, which counts 32 more for each.
pub const HTTP2_HEADERS_BYTES_MAX: usize = HEADERS_BYTES_MAX + 32 * HTTP1_HEADERS_MAX;
