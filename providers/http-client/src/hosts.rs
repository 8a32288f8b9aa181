//! The hosts that a link permits: its setting `hosts`.

use lattice_protocol::Error;
use mesh_provider::{Config, wrong};
use reqwest::Url;

use crate::{address, limits};

/// Name of the setting.
pub const HOSTS: &str = "hosts";

/// The hosts that a link permits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    name: Name,
    /// Absent means any.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Any,
    Exact(String),
    /// What the names end with, the dot included.
    Under(String),
}

impl Hosts {
    /// Reads the setting.
    ///
    /// # Errors
    /// `bad_request` where it is missing, or with the entry that is none.
    pub fn of(config: &Config) -> Result<Self, Error> {
        let listed = config.list(HOSTS);
        if listed.is_empty() {
            return Err(wrong(
                HOSTS,
                "is missing: it names the hosts that the actor may reach, such as example.com, \
                 *.example.com or example.com:8443, separated by commas; * means all",
            ));
        }
        if listed.len() > limits::HOSTS_MAX {
            let most = limits::HOSTS_MAX;
            return Err(wrong(HOSTS, format!("has {} entries, more than {most}", listed.len())));
        }
        let read = |text: &str| Pattern::of(text).map_err(|why| wrong(HOSTS, why));
        listed.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether a URL's host and port are among them.
    pub fn permit(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.');
        self.0.iter().any(|pattern| {
            pattern.port.is_none_or(|only| only == port)
                && match &pattern.name {
                    Name::Any => true,
                    Name::Exact(name) => name == host,
                    Name::Under(end) => host.len() > end.len() && host.ends_with(end.as_str()),
                }
        })
    }
}

impl Pattern {
    fn of(text: &str) -> Result<Self, String> {
        let (host, port) = split_port(text)?;
        let name = if host == "*" {
            Name::Any
        } else if let Some(end) = host.strip_prefix("*.") {
            let end = normal(end).filter(|end| address::of_host(end).is_none());
            Name::Under(format!(".{}", end.ok_or_else(|| no_host(text))?))
        } else {
            Name::Exact(normal(host).ok_or_else(|| no_host(text))?)
        };
        Ok(Self { name, port })
    }
}

fn no_host(text: &str) -> String {
    format!("names {text:?}, which is no host: write example.com, *.example.com or [::1]:80")
}

/// Splits a port off. The colons of an IPv6 address are within brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let after_address = text.rfind(']').map_or(0, |end| end + 1);
    let colon = text.get(after_address..).and_then(|rest| rest.find(':'));
    let Some((host, port)) = colon.and_then(|at| text.split_at_checked(after_address + at)) else {
        return Ok((text, None));
    };
    match port.strip_prefix(':').unwrap_or_default() {
        "*" => Ok((host, None)),
        digits => match digits.parse::<u16>() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err(format!("names {text:?}, whose port is none")),
        },
    }
}

/// Writes a host as URLs do: in lower case, in ASCII, addresses in their usual form.
fn normal(host: &str) -> Option<String> {
    if host.contains(['/', '\\', '?', '#', '@', '*', '%']) {
        return None;
    }
    let url = Url::parse(&format!("http://{host}/")).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    (!host.is_empty() && url.port().is_none()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Result<Hosts, Error> {
        Hosts::of(&Config::of([(HOSTS, text)]))
    }

    fn permits(list: &str, url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        let port = url.port_or_known_default().unwrap();
        hosts(list).unwrap().permit(url.host_str().unwrap(), port)
    }

    #[test]
    fn a_host_is_permitted_by_name_and_port() {
        for (list, url) in [
            ("example.com", "http://example.com/"),
            ("example.com", "https://EXAMPLE.com.:8443/"),
            ("Example.COM.", "http://example.com"),
            ("a, example.com:8443", "https://example.com:8443"),
            ("example.com:443", "https://example.com"),
            ("example.com:*", "http://example.com:1"),
            ("*.example.com", "http://a.example.com"),
            ("*.example.com:80", "http://b.a.example.com"),
            ("bücher.example", "http://xn--bcher-kva.example"),
            ("*", "http://anything:9"),
            ("*:443", "https://anything"),
            ("127.0.0.1", "http://0x7f.1:9"),
            ("[::1]", "http://[0:0:0::1]:9"),
            ("[::1]:80", "http://[::1]"),
        ] {
            assert!(permits(list, url), "{list} {url}");
        }
    }

    #[test]
    fn no_other_host_is() {
        for (list, url) in [
            ("example.com", "http://a.example.com"),
            ("example.com", "http://example.com.evil.example"),
            ("example.com", "http://notexample.com"),
            ("example.com", "http://example.com@evil.example"),
            ("example.com:443", "http://example.com"),
            ("*.example.com", "http://example.com"),
            ("*.example.com", "http://notexample.com"),
            ("*.example.com", "http://.example.com"),
            ("*:443", "http://anything"),
            ("127.0.0.1", "http://127.0.0.2"),
            ("127.0.0.1", "http://localhost"),
            ("[::1]:80", "http://[::1]:81"),
        ] {
            assert!(!permits(list, url), "{list} {url}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_by_name() {
        for text in [
            "http://example.com",
            "example.com/path",
            "user@example.com",
            "example.com:0",
            "example.com:65536",
            "example.com:",
            "example.com:80:80",
            "example.com::80",
            "*.",
            "*.*.example.com",
            "a*.example.com",
            "*example.com",
            "*.10.0.0.1",
            "*.[::1]",
            "::1",
            "[::1]x",
            "[::1",
            "exa%6dple.com",
            "..",
        ] {
            let error = hosts(text).unwrap_err();
            assert!(error.message.contains("setting hosts"), "{text}: {error}");
        }
        assert!(hosts("").unwrap_err().message.contains("hosts is missing"));
        assert!(hosts(&"a,".repeat(limits::HOSTS_MAX + 1)).is_err());
    }
}
