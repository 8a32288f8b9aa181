//! Hosts: those that a request names, and those that a link routes by.

use std::borrow::Cow;

use lattice_protocol::Error;
use mesh_provider::wrong;

use crate::limits;

/// Which hosts a link routes by, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Any, or none.
    Any,
    /// This one.
    Exact(Box<str>),
    /// Those that end on a dot and this.
    Below(Box<str>),
}

impl HostPattern {
    /// Reads the setting of a link.
    ///
    /// # Errors
    /// `bad_request` saying what a host is.
    pub fn read(key: &str, text: Option<&str>) -> Result<Self, Error> {
        let Some(text) = text.map(str::trim) else { return Ok(Self::Any) };
        if text == "*" {
            return Ok(Self::Any);
        }
        let below = text.strip_prefix("*.");
        let name = below.unwrap_or(text);
        let lower = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into_boxed_str();
        if lower.len() > limits::HOST_BYTES_MAX || !(is_name(&lower) || is_ipv6(&lower)) {
            return Err(wrong(
                key,
                format!(
                    "of {text:?} is no host: give a name or an address without scheme, port and \
                     path, such as example.com or *.example.com (other than ASCII as xn--…)"
                ),
            ));
        }
        match below {
            Some(_) if is_ipv6(&lower) => Err(wrong(key, "has a * before an address")),
            Some(_) => Ok(Self::Below(lower)),
            None => Ok(Self::Exact(lower)),
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

/// Returns the host of an authority, in lower case, without port and trailing dot; nothing where
/// it is no authority (RFC 3986, 3.2), or has user information, which HTTP forbids.
pub fn host_of(authority: &str) -> Option<Cow<'_, str>> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(_) => {
            let (host, rest) = authority.split_at(authority.find(']')? + 1);
            (host, if rest.is_empty() { "" } else { rest.strip_prefix(':')? })
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let sound = host.len() <= limits::HOST_BYTES_MAX
        && (is_name(host) || is_ipv6(host))
        && port.len() <= 5
        && port.bytes().all(|byte| byte.is_ascii_digit());
    if !sound {
        return None;
    }
    Some(match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    })
}

/// Whether `text` is a name or an IPv4 address, as far as its characters say.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(allowed)
}

/// Whether `text` is an IPv6 address in brackets.
fn is_ipv6(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_one_host() {
        for (authority, host) in [
            ("example.com", "example.com"),
            ("EXAMPLE.com.:8080", "example.com"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::1]:443", "[::1]"),
            ("a_b~c:", "a_b~c"),
        ] {
            assert_eq!(host_of(authority).as_deref(), Some(host), "{authority}");
        }
        for authority in [
            "", ":80", ".", ".a", "a b", "a/b", "u@a", "u:p@a", "a:b", "a:123456", "[::1", "[x]",
            "[::1]x", "[::1]:x", "a,b", "ü", "a%00b",
        ] {
            assert_eq!(host_of(authority), None, "{authority}");
        }
        assert_eq!(host_of(&"a".repeat(limits::HOST_BYTES_MAX + 1)), None);
    }

    #[test]
    fn a_setting_names_a_host_or_those_below_it() {
        let read = |text| HostPattern::read("host", text);
        assert_eq!(read(None), Ok(HostPattern::Any));
        assert_eq!(read(Some("*")), Ok(HostPattern::Any));
        assert_eq!(read(Some(" Shop.Example. ")), Ok(HostPattern::Exact("shop.example".into())));
        assert_eq!(read(Some("*.Example")), Ok(HostPattern::Below("example".into())));
        assert_eq!(read(Some("[::1]")), Ok(HostPattern::Exact("[::1]".into())));
        for text in ["http://a", "a:80", "a/b", "*a", "*.*.a", "a b", "ü.example", "*.[::1]", "."]
        {
            let error = read(Some(text)).unwrap_err();
            assert!(error.message.contains("host"), "{text}: {error}");
        }
    }
}
