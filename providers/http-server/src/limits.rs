//! Limits of the server, each with its unit in its name. What [`Limits`](crate::Limits) has too is
//! the default there.

use lattice_protocol::contract::limits::http as contract;

/// Connections that are open at once; one more is closed as soon as it is accepted.
pub const CONNECTIONS_MAX: usize = 16_384;
/// Requests that actors work on at once; one more is answered 429.
pub const REQUESTS_MAX: u32 = 4_096;
/// Size of a request's body, where its link names no other.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest size of a body that a link may name: what the contract allows.
pub const BODY_BYTES_LINK_MAX: usize = contract::BODY_BYTES_MAX;
/// Memory for all bodies that are held at once, of requests and of responses.
pub const BODIES_HELD_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most memory for bodies that a server may be given.
pub const BODIES_HELD_BYTES_ANY_MAX: usize = 1 << 40;
/// A body up to this size is not counted among those that are held: there can't be more of them
/// than connections and streams.
pub const BODY_UNCOUNTED_BYTES: usize = 4 * 1024;
/// Room for a body that grows as it arrives: what is reserved first, where it is that long.
pub const BODY_ROOM_FIRST_BYTES: usize = 16 * 1024;
/// How long a body waits for memory before its request is answered 503.
pub const MEMORY_WAIT_MS: u64 = 2_000;

/// Size of a request's line and headers; a larger one is answered 431.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request; one more is answered 431. The parser keeps this many on the stack; to
/// change it costs an allocation a request.
pub const HEADERS_MAX: usize = 100;

/// Time for a TLS handshake.
pub const TLS_HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
/// Time for a request's head, from its first byte; for the first one from the connection on.
pub const HEAD_TIMEOUT_MS: u64 = 10_000;
/// How long a connection may wait for its next request.
pub const IDLE_TIMEOUT_MS: u64 = 60_000;
/// Time within which a body must make progress.
pub const BODY_STALL_MS: u64 = 10_000;
/// What counts as progress of a body that is not at its end.
pub const BODY_PROGRESS_BYTES: usize = 16 * 1024;
/// Time for a whole body.
pub const BODY_TIMEOUT_MS: u64 = 300_000;
/// Time within which a client that is sent something must take some of it.
pub const WRITE_STALL_MS: u64 = 20_000;
/// What a client must have taken in that time.
pub const WRITE_PROGRESS_BYTES: u64 = 16 * 1024;
/// How long a connection that was ended early is read from, so that its client gets to see why.
pub const LINGER_MS: u64 = 2_000;
/// How often a connection and a stream are looked at: what is late is seen that much later.
pub const WATCH_INTERVAL_MS: u64 = 2_000;

/// Parts in which a body is handed to a connection, so that only what it takes is copied.
pub const SEND_SLICE_BYTES: usize = 16 * 1024;
/// Streams of a connection that are open at once (HTTP/2).
pub const STREAMS_MAX: u32 = 100;
/// Window of a stream, and so what it may send before anybody reads it (HTTP/2).
pub const STREAM_WINDOW_BYTES: u32 = 128 * 1024;
/// Window of a connection (HTTP/2).
pub const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Streams that a client may reset before they were accepted (HTTP/2); one more ends the connection.
pub const STREAM_RESETS_PENDING_MAX: usize = 20;
/// Streams that the server may have to reset for a client's errors (HTTP/2); one more ends the
/// connection.
pub const STREAM_RESETS_LOCAL_MAX: usize = 256;

/// First pause after a connection could not be accepted.
pub const ACCEPT_PAUSE_FIRST_MS: u64 = 10;
/// Longest pause after connections could not be accepted.
pub const ACCEPT_PAUSE_MAX_MS: u64 = 1_000;
/// Time for connections to end that were told to end at once.
pub const ABORT_TIMEOUT_MS: u64 = 1_000;
/// Time between two lines of the log that say the same of connections that were not served.
pub const COMPLAINT_INTERVAL_MS: u64 = 10_000;

/// Time for a call, where its link names none.
pub const CALL_TIMEOUT_DEFAULT_MS: u64 = 10_000;
/// Longest time for a call that a link may name.
pub const CALL_TIMEOUT_MAX_MS: u64 = lattice_protocol::limits::CALL_TIMEOUT_MAX_MS as u64;
/// How much longer than its time a call is waited for: whoever makes it ends it, and knows why.
pub const CALL_GRACE_MS: u64 = 1_000;
/// What a client is told to wait before it tries again.
pub const RETRY_AFTER_S: u16 = 1;

/// Length of the path that a link routes by.
pub const ROUTE_PATH_BYTES_MAX: usize = 1_024;
/// Parts of the path that a link routes by.
pub const ROUTE_PATH_PARTS_MAX: usize = 64;
/// Length of a host's name.
pub const HOST_BYTES_MAX: usize = 255;
/// Length of what a request says of its trace, each of its headers.
pub const TRACE_BYTES_MAX: usize = 8 * 1024;
