//! What a request asks for: its host, its path, and whether that makes sense.

use std::borrow::Cow;

use http::header::{HOST, HeaderMap};
use http::{Method, StatusCode, Version};
use lattice_protocol::contract::limits::http as contract;

use super::problem::Problem;
use crate::routes::host_of;

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Host and port as they were asked for, where they were.
    pub authority: Option<&'a str>,
    /// The host alone, in lower case.
    pub host: Option<Cow<'a, str>>,
    /// The path as it was sent.
    pub path: &'a str,
    /// The query as it was sent.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Reads what a request asks for.
    ///
    /// # Errors
    /// The answer to a request that an actor can't be given.
    pub fn read(head: &'a http::request::Parts) -> Result<Self, Problem> {
        if head.method == Method::CONNECT {
            let detail = "This server is no proxy.";
            return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "not_implemented", detail));
        }
        if head.method.as_str().len() > contract::METHOD_BYTES_MAX {
            return Err(Problem::bad_request("The method is too long."));
        }
        let authority = authority(&head.headers, &head.uri, head.version)?;
        let host = match authority.map(host_of) {
            Some(None) => return Err(Problem::bad_request("The request names no sound host.")),
            host => host.flatten(),
        };
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        if path.len() > contract::URL_BYTES_MAX || query.len() > contract::URL_BYTES_MAX {
            let detail = format!("Path and query may have {} bytes each.", contract::URL_BYTES_MAX);
            return Err(Problem::new(StatusCode::URI_TOO_LONG, "too_large", detail));
        }
        let asterisk = path == "*" && head.method == Method::OPTIONS;
        if !(path.starts_with('/') || asterisk) {
            return Err(Problem::bad_request("The request names no path."));
        }
        if ![path, query].iter().all(|text| text.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Problem::bad_request("A path has other than printable ASCII."));
        }
        Ok(Self { authority, host, path, query })
    }
}

/// Returns the one authority that a request names (RFC 9112, 3.2; RFC 9113, 8.3.1).
fn authority<'a>(
    headers: &'a HeaderMap,
    uri: &'a http::Uri,
    version: Version,
) -> Result<Option<&'a str>, Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = match hosts.next().map(|host| host.to_str()) {
        Some(Err(_)) => return Err(Problem::bad_request("The header host is no text.")),
        host => host.and_then(Result::ok).map(str::trim),
    };
    if hosts.next().is_some() {
        return Err(Problem::bad_request("The request names more than one host."));
    }
    let named = uri.authority().map(http::uri::Authority::as_str);
    match (named, host) {
        (Some(named), Some(host)) if !named.eq_ignore_ascii_case(host) => {
            Err(Problem::bad_request("The request names two hosts."))
        }
        (None, None) if version == Version::HTTP_11 => {
            Err(Problem::bad_request("The request names no host."))
        }
        // Of an address that has no name, such as a file's, there is nothing to say.
        (None, Some("")) => Ok(None),
        (named, host) => Ok(named.or(host)),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(method: &str, uri: &str, hosts: &[&str], version: Version) -> http::request::Parts {
        let mut request = Request::builder().method(method).uri(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn status(method: &str, uri: &str, hosts: &[&str], version: Version) -> Option<u16> {
        let parts = parts(method, uri, hosts, version);
        Target::read(&parts).err().map(|problem| problem.status.as_u16())
    }

    #[test]
    fn a_request_names_one_host_and_a_path() {
        let parts = parts("GET", "/a%20b?c=d", &["Shop.Example:80"], Version::HTTP_11);
        let expected = Target {
            authority: Some("Shop.Example:80"),
            host: Some("shop.example".into()),
            path: "/a%20b",
            query: "c=d",
        };
        assert_eq!(Target::read(&parts).unwrap(), expected);
        for (method, uri, hosts, version) in [
            ("GET", "http://a/b", &["A"][..], Version::HTTP_11),
            ("GET", "http://a/b", &[], Version::HTTP_2),
            ("GET", "/", &[], Version::HTTP_10),
            ("GET", "/", &[""], Version::HTTP_11),
            ("OPTIONS", "*", &["a"], Version::HTTP_11),
            ("BREW", "/", &["[::1]:80"], Version::HTTP_11),
        ] {
            assert_eq!(status(method, uri, hosts, version), None, "{method} {uri} {hosts:?}");
        }
    }

    #[test]
    fn what_an_actor_can_not_be_given_is_answered() {
        let long = format!("/{}", "a".repeat(contract::URL_BYTES_MAX));
        let query = format!("/?{}", "a".repeat(contract::URL_BYTES_MAX + 1));
        let method = "A".repeat(contract::METHOD_BYTES_MAX + 1);
        for (method, uri, hosts, version, expected) in [
            ("GET", "/", &[][..], Version::HTTP_11, 400),
            ("GET", "/", &["a", "a"], Version::HTTP_11, 400),
            ("GET", "/", &["u@a"], Version::HTTP_11, 400),
            ("GET", "/", &["a/b"], Version::HTTP_11, 400),
            ("GET", "/", &["a,b"], Version::HTTP_11, 400),
            ("GET", "http://u@a/", &[], Version::HTTP_2, 400),
            ("GET", "http://a/", &["b"], Version::HTTP_11, 400),
            ("GET", "http://a/", &["b"], Version::HTTP_2, 400),
            ("GET", "*", &["a"], Version::HTTP_11, 400),
            ("GET", "/ü", &["a"], Version::HTTP_11, 400),
            (method.as_str(), "/", &["a"], Version::HTTP_11, 400),
            ("GET", long.as_str(), &["a"], Version::HTTP_11, 414),
            ("GET", query.as_str(), &["a"], Version::HTTP_11, 414),
            ("CONNECT", "a:80", &["a:80"], Version::HTTP_11, 501),
        ] {
            let found = status(method, uri, hosts, version);
            assert_eq!(found, Some(expected), "{method} {uri} {hosts:?}");
        }
    }
}
