//! The `mesh:http-client` provider: HTTP requests of actors, to the hosts that their links allow.
//!
//! | setting of a link | meaning |
//! |---|---|
//! | `hosts` | **required**: hosts that the actor may reach, separated by commas: `example.com`, `*.example.com` (what is under it, not itself), `example.com:8443` (that port alone), `[::1]`; `*` means all |
//! | `private` | `true` permits addresses that are not public: loopback, private, link-local, carrier-grade NAT, multicast and the like. Default `false` |
//! | `timeout_ms` | longest time of a request, 1 to 300000, beside that of the call |
//! | `body_max_bytes` | largest body of a request and of a response, 1 to 66060288, which is the default |
//!
//! HTTP/1.1, and HTTP/2 where a server of `https` offers it; what the machine trusts is trusted, or
//! what `SSL_CERT_FILE` names. Proxies of the environment are not used, bodies are not decompressed.
//!
//! The host of every URL, that of a redirect too, is checked before anything is sent; the
//! addresses of a name are checked by what connects to them. A redirect from `https` to `http` is
//! `unauthorized`. `host` is always that of the URL. The caller's `traceparent` is sent where
//! the actor names none.
//!
//! At once run [`limits::LINK_REQUESTS_MAX`] requests of a link, and come in
//! [`limits::BODIES_HELD_BYTES_MAX`] bytes of all bodies; beyond that it answers `busy`.
//!
//! | file | concern |
//! |---|---|
//! | `settings.rs`, `hosts.rs` | what a link says |
//! | `rules.rs`, `address.rs` | where its requests may go |
//! | `client.rs` | a request, bounded in time |
//! | `redirect.rs`, `headers.rs`, `body.rs` | its parts |
//! | `failure.rs` | errors |

mod address;
mod body;
mod client;
mod failure;
mod headers;
mod hosts;
pub mod limits;
mod provider;
mod redirect;
mod rules;
mod settings;
mod tls;

pub use provider::{ABOUT, HttpClientProvider, provider};
