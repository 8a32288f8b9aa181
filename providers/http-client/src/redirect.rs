//! What a redirect asks for.

use bytes::Bytes;
use lattice_protocol::contract::limits::http::URL_BYTES_MAX;
use lattice_protocol::{Error, ErrorCode};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};

use crate::headers;

/// A request as it is sent to one server.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The headers that the actor chose.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Outgoing {
    /// Returns the request that a response asks for, if it asks for one that can be made (RFC 9110,
    /// 15.4).
    ///
    /// # Errors
    /// `unauthorized`, started: from `https` there is no way to `http`.
    pub fn redirected(
        &self,
        status: StatusCode,
        answer: &HeaderMap,
    ) -> Result<Option<Self>, Error> {
        let get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => !matches!(self.method, Method::GET | Method::HEAD),
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let Some(url) = answer.get(LOCATION).and_then(|to| self.location(to.as_bytes())) else {
            return Ok(None);
        };
        if self.url.scheme() == "https" && url.scheme() == "http" {
            return Err(Error::started(
                ErrorCode::Unauthorized,
                format!("{} redirects from https to http", self.url.authority()),
            ));
        }
        let mut next = Self { url, ..self.clone() };
        if next.url.origin() != self.url.origin() {
            headers::remove_credentials(&mut next.headers);
        }
        if get {
            next.method = Method::GET;
            next.body = Bytes::new();
            headers::remove_of_body(&mut next.headers);
        }
        Ok(Some(next))
    }

    /// Reads where a redirect leads to, if that is a URL of HTTP. A name and a password in it
    /// are left out: the server has no say in who the actor is.
    fn location(&self, location: &[u8]) -> Option<Url> {
        let mut url = self.url.join(std::str::from_utf8(location).ok()?).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        (url.as_str().len() <= URL_BYTES_MAX).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn outgoing(method: Method, url: &str) -> Outgoing {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "proxy-authorization", "content-type", "x-a"] {
            headers.insert(name, HeaderValue::from_static("b"));
        }
        let url = Url::parse(url).unwrap();
        Outgoing { method, url, headers, body: Bytes::from_static(b"body") }
    }

    fn redirect(from: &Outgoing, status: u16, to: &str) -> Result<Option<Outgoing>, Error> {
        let mut answer = HeaderMap::new();
        answer.insert(LOCATION, HeaderValue::from_str(to).unwrap());
        from.redirected(StatusCode::from_u16(status).unwrap(), &answer)
    }

    #[test]
    fn method_and_body_are_kept_where_the_status_says_so() {
        for (status, method, kept) in [
            (301, Method::POST, false),
            (302, Method::POST, false),
            (301, Method::PUT, true),
            (303, Method::POST, false),
            (303, Method::PUT, false),
            (303, Method::HEAD, true),
            (307, Method::POST, true),
            (308, Method::POST, true),
        ] {
            let from = outgoing(method.clone(), "http://a/b/c?d");
            let next = redirect(&from, status, "../e").unwrap().unwrap();
            assert_eq!(next.url.as_str(), "http://a/e");
            assert_eq!(next.method == method, kept, "{status} {method}");
            assert_eq!(next.body.is_empty(), !kept, "{status} {method}");
            assert_eq!(next.headers.contains_key("content-type"), kept, "{status} {method}");
            assert!(next.headers.contains_key("authorization"));
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let from = outgoing(Method::GET, "http://a/");
        for (to, left) in [
            ("http://a:80/x", 5),
            ("http://u:p@a/x", 5),
            ("http://b/", 2),
            ("http://a:81/", 2),
            ("//b.a/", 2),
            ("https://a/", 2),
        ] {
            let next = redirect(&from, 302, to).unwrap().unwrap();
            assert_eq!(next.headers.len(), left, "{to}");
            assert!(next.url.username().is_empty() && next.url.password().is_none());
        }
    }

    #[test]
    fn what_is_no_redirect_to_http_is_an_answer() {
        let from = outgoing(Method::GET, "http://a/");
        let long = format!("/{}", "a".repeat(URL_BYTES_MAX));
        for (status, to) in [
            (300, "/x"),
            (304, "/x"),
            (305, "/x"),
            (200, "/x"),
            (302, "ftp://a/"),
            (302, "file:///etc/passwd"),
            (302, "http://"),
            (302, &long),
        ] {
            assert!(redirect(&from, status, to).unwrap().is_none(), "{status} {to}");
        }
        assert!(from.redirected(StatusCode::FOUND, &HeaderMap::new()).unwrap().is_none());
        let secure = outgoing(Method::GET, "https://a/");
        let error = redirect(&secure, 302, "http://a/").unwrap_err();
        assert_eq!((error.code, error.started), (ErrorCode::Unauthorized, true));
    }
}
