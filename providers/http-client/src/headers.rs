//! Headers on their way out and in: without those that belong to one connection.

use lattice_protocol::contract::Headers;
use lattice_protocol::{Error, ErrorCode};
use reqwest::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_LOCATION, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// What belongs to one connection (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// What the client says itself: another `host` would reach what the link may not permit.
const OF_THE_CLIENT: [HeaderName; 3] = [HOST, CONTENT_LENGTH, EXPECT];
/// What is meant for one origin.
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];
/// What describes a body.
const OF_A_BODY: [HeaderName; 4] =
    [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE];

/// Returns what is sent of the headers of a request.
///
/// # Errors
/// `bad_request` naming one that can't be sent.
pub fn outgoing(headers: &Headers) -> Result<HeaderMap, Error> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter() {
        let wrong = || {
            let message = format!("the header {name} can't be sent");
            Error::not_started(ErrorCode::BadRequest, message)
        };
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_bytes(value).map_err(|_| wrong())?;
        map.try_append(known, value).map_err(|_| wrong())?;
    }
    remove_hop_by_hop(&mut map);
    remove(&mut map, &OF_THE_CLIENT);
    Ok(map)
}

/// Returns what an actor gets of the headers of a response.
///
/// # Errors
/// `too_large`, started, where they are beyond the contract.
pub fn incoming(mut map: HeaderMap) -> Result<Headers, Error> {
    // Where both are there the length is wrong (RFC 9112, 6.3).
    if map.contains_key(TRANSFER_ENCODING) {
        map.remove(CONTENT_LENGTH);
    }
    remove_hop_by_hop(&mut map);
    let mut headers = Headers::new();
    for (name, value) in &map {
        headers.append(name.as_str(), value.as_bytes());
    }
    let too_large = |error| {
        Error::started(ErrorCode::TooLarge, format!("the headers of the response: {error}"))
    };
    headers.check().map_err(too_large)?;
    Ok(headers)
}

/// Removes what must not get to another origin.
pub fn remove_credentials(map: &mut HeaderMap) {
    remove(map, &CREDENTIALS);
}

/// Removes what describes a body that is no longer there.
pub fn remove_of_body(map: &mut HeaderMap) {
    remove(map, &OF_A_BODY);
}

fn remove_hop_by_hop(map: &mut HeaderMap) {
    let named: Vec<HeaderName> = map
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    remove(map, &named);
    remove(map, &HOP_BY_HOP);
}

fn remove(map: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        map.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let headers = Headers::new()
            .with("Host", "other")
            .with("Content-Length", "7")
            .with("Connection", "close, X-Named")
            .with("x-named", "1")
            .with("TE", "trailers")
            .with("Accept", "a")
            .with("accept", [0xe9]);
        let map = outgoing(&headers).unwrap();
        assert_eq!(map.len(), 2);
        let answer = incoming(map).unwrap();
        assert_eq!(answer.all("accept").collect::<Vec<_>>(), [&b"a"[..], &[0xe9]]);

        let mut map = HeaderMap::new();
        map.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        map.insert(CONTENT_LENGTH, HeaderValue::from_static("3"));
        map.insert("x-a", HeaderValue::from_static("b"));
        assert_eq!(incoming(map), Ok(Headers::new().with("x-a", "b")));
    }
}
