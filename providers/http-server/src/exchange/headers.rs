//! Headers that are for one connection alone, and go no further (RFC 9110, 7.6.1).

use http::header::{self, HeaderMap, HeaderName};

/// Whether a header is for one connection alone, or was met by the server itself.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    // The common ones are compared as numbers; the others have no such name.
    matches!(
        *name,
        header::CONNECTION
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::TE
            | header::TRAILER
            | header::EXPECT
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Whether `headers` say by `connection` that `name` is for one connection alone.
pub fn is_named_by_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    let names = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    names.into_iter().any(|one| one.trim().eq_ignore_ascii_case(name.as_str()))
}

/// Takes out what is for one connection alone.
pub fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> =
            headers.keys().filter(|name| is_named_by_connection(headers, name)).cloned().collect();
        for name in named {
            headers.remove(name);
        }
    }
    let others: Vec<HeaderName> =
        headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    for name in others {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_one_connection_is_taken_out() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Once"),
            ("connection", "x-twice"),
            ("x-once", "1"),
            ("x-twice", "2"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("x-stays", "a"),
            ("x-stays", "b"),
            ("accept", "*/*"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        strip(&mut headers);
        assert_eq!(headers.len(), 3, "{headers:?}");
        assert_eq!(headers.get_all("x-stays").iter().count(), 2);
    }
}
