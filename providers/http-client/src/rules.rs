//! Where the requests of a link may go: checked for each URL before anything is sent, and for each
//! address that a name leads to before it is connected to.

use std::fmt;
use std::net::ToSocketAddrs;
use std::sync::Arc;

use lattice_protocol::{Error, ErrorCode};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use crate::address::{self, is_public};
use crate::hosts::Hosts;

/// Where the requests of a link may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The hosts.
    pub hosts: Hosts,
    /// Whether addresses that are not public may be reached.
    pub private: bool,
}

impl Rules {
    /// Checks the host of a URL; where that is an address, the address. The addresses of a name are
    /// the [`Resolver`]'s concern.
    ///
    /// # Errors
    /// `unauthorized`, not started.
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.hosts.permit(host, port) {
            return Err(Error::not_started(
                ErrorCode::Unauthorized,
                format!("the link does not permit {host}:{port}: its setting hosts names others"),
            ));
        }
        match address::of_host(host) {
            Some(address) if !self.private && !is_public(address) => Err(not_public(host)),
            _ => Ok(()),
        }
    }
}

/// Returns the error of a host whose addresses the link does not permit.
pub fn not_public(host: &str) -> Error {
    Error::not_started(
        ErrorCode::Unauthorized,
        format!("{host} has no public address, and the link does not permit others"),
    )
}

/// All addresses of a name are such as the link does not permit.
#[derive(Debug)]
pub struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no address of the name is public")
    }
}

impl std::error::Error for NotPublic {}

/// Looks names up. What it returns is what is connected to, so a name whose addresses change after
/// a check can't lead elsewhere.
pub struct Resolver {
    /// Whether addresses that are not public are returned.
    pub private: bool,
    /// Lookups of all links.
    pub lookups: Arc<Semaphore>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (private, lookups) = (self.private, self.lookups.clone());
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            // The system's lookup can't be called off: it keeps its permit until it ends by itself.
            let looking = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>)
            });
            let mut found = looking.await??;
            let any = !found.is_empty();
            found.retain(|address| private || is_public(address.ip()));
            if any && found.is_empty() {
                return Err(NotPublic.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mesh_provider::Config;

    fn check(private: bool, url: &str) -> Result<(), ErrorCode> {
        let hosts = Hosts::of(&Config::of([("hosts", "*")])).unwrap();
        let rules = Rules { hosts, private };
        rules.check(&Url::parse(url).unwrap()).map_err(|error| {
            assert!(!error.started);
            error.code
        })
    }

    #[test]
    fn an_address_is_refused_in_whatever_form_it_is_written() {
        for url in [
            "http://127.0.0.1",
            "http://127.1",
            "http://2130706433",
            "http://0x7f000001",
            "http://0177.0.0.1",
            "http://127.0.0.1.",
            "http://%31%32%37.0.0.1",
            "http://１２７.0.0.1",
            "http://0",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
            "http://[::ffff:7f00:1]",
            "http://[::127.0.0.1]",
            "http://[64:ff9b::a00:1]",
            "http://[2002:7f00:1::]",
            "https://169.254.169.254/latest/meta-data",
            "http://a@10.0.0.1",
        ] {
            assert_eq!(check(false, url), Err(ErrorCode::Unauthorized), "{url}");
            assert_eq!(check(true, url), Ok(()), "{url}");
        }
        assert_eq!(check(false, "http://1.1.1.1"), Ok(()));
        assert_eq!(check(false, "http://example.com"), Ok(()));
    }
}
