//! The provider `mesh:http`: one listener of a node for all its actors.
//!
//! A request goes to the actor whose link fits it best: host before path, and of each the one that
//! says more. HTTP/1.1 and HTTP/2 (with prior knowledge, or by TLS) are spoken at the same port.
//!
//! | setting of a link | meaning | default |
//! |---|---|---|
//! | `host` | host that a request must name, without port; `*.example.com` is any below it | any |
//! | `path` | prefix that the path must have, whole parts of it, as it is sent | `/` |
//! | `timeout_ms` | time for a call of the actor, 1 to 300000 | 10000 |
//! | `body_max_bytes` | size of a request's body, up to 66060288 | 8388608 |
//!
//! Two links can't have the same host and path: the later one is refused, and opened once the
//! earlier one is gone.
//!
//! What the server answers itself has a body of `application/problem+json` (RFC 9457), whose `code` is
//! one of the mesh's: 400, 404 without a route, 408 for a body that is too slow, 413, 414, 429 when
//! the server has too many requests, 431, 501 for `CONNECT`, 503 without memory or where it leaves;
//! and where a call fails, what [`status_of`](lattice_protocol::contract::http::status_of) says.
//! Trailers are left out, and protocols are not upgraded.
//!
//! Bounds are in [`limits`]; those of [`Limits`] can be set. Each connection is looked at every
//! [`WATCH_INTERVAL_MS`](limits::WATCH_INTERVAL_MS): so much later than its bound it is ended.

mod accept;
mod connection;
mod exchange;
pub mod limits;
mod memory;
mod options;
mod routes;
mod server;
mod tls;

use lattice_protocol::contract::http;
use mesh_provider::About;

pub use options::{Limits, Options, TlsFiles};
pub use server::HttpServer;

/// What this provider is.
pub const ABOUT: About = About {
    name: "http-server",
    contract: http::CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "Gives HTTP requests to actors, by host and path",
};
