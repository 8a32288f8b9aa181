//! Requests of HTTP, to a module and from it.

use std::collections::BTreeMap;

use lattice_protocol::contract::{ByteBuf, Headers, Message, http, http_client};
use lattice_protocol::{ErrorCode, codec};
use proptest::prelude::*;
use serde::Deserialize;

use super::super::{Dialect, to_actor};
use super::{done, first};

fn get() -> http::Request {
    http::Request {
        method: "GET".into(),
        path: "/a".into(),
        query: "b=c".into(),
        headers: Headers::new().with("accept", "d").with("accept", "e"),
        body: b"hi".into(),
        scheme: Some("http".into()),
        authority: None,
        remote: None,
    }
}

#[test]
fn requests_reach_a_module_in_its_dialect() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<V: Ord> {
        method: String,
        path: String,
        query_string: String,
        header: BTreeMap<String, V>,
        body: ByteBuf,
    }
    let expected = |header| Request {
        method: "GET".into(),
        path: "/a".into(),
        query_string: "b=c".into(),
        header,
        body: ByteBuf::from("hi"),
    };
    let payload = get().encode().unwrap();
    for dialect in [Dialect::Wascc, Dialect::Wasmcloud] {
        let call = to_actor(dialect, "handle", &payload).unwrap().unwrap();
        assert_eq!(call.operation, "HandleRequest");
        let header = [("accept".into(), "d, e".to_owned())].into();
        assert_eq!(codec::decode(&call.payload), Ok(expected(header)));
    }
    let call = to_actor(Dialect::Wasmbus, "handle", &payload).unwrap().unwrap();
    assert_eq!(call.operation, "HttpServer.HandleRequest");
    let read = codec::decode::<Request<Vec<String>>>(&call.payload).unwrap();
    assert_eq!(read.header["accept"], ["d", "e"]);
    assert!(call.payload.windows(12).any(|name| name == b"query_string"));
}

#[test]
fn responses_of_either_form_are_taken() {
    let answered = |answer: &[u8]| {
        let call = to_actor(Dialect::Wascc, "handle", &get().encode().unwrap()).unwrap().unwrap();
        call.answered(answer).map(|response| http::Response::decode(&response).unwrap())
    };
    let expected =
        http::Response { status: 404, headers: Headers::new().with("a", "b"), body: b"no".into() };
    for answer in [
        &b"\x84\xaastatusCode\xcd\x01\x94\xa6status\xa9Not Found\xa6header\x81\xa1a\xa1b\xa4body\xc4\x02no"[..],
        b"\x83\xaastatusCode\xcd\x01\x94\xa6header\x81\xa1a\x91\xa1b\xa4body\xc4\x02no",
        b"\x83\xaastatusCode\xce\x00\x00\x01\x94\xa6header\x81\xa1a\xa1b\xa4body\x92\x6e\x6f",
        b"\x83\xaastatusCode\xd1\x01\x94\xa6header\x81\xa1a\xa1b\xa4body\xa2no",
    ] {
        assert_eq!(answered(answer).as_ref(), Ok(&expected), "{answer:02x?}");
    }
    let bare = answered(b"\x83\xaastatusCode\xcc\xc8\xa6header\xc0\xa4body\xc0").unwrap();
    assert_eq!((bare.status, bare.headers.len(), bare.body.len()), (200, 0, 0));
    for wrong in [
        &b""[..],
        b"\x80",
        b"\x81\xaastatusCode\x00",
        b"\x81\xaastatusCode\xce\x00\x01\x00\xc8",
        b"\x82\xaastatusCode\xcc\xc8\xa6header\x81\xa1a\xa1\n",
    ] {
        let error = answered(wrong).unwrap_err();
        assert_eq!((error.code, error.started), (ErrorCode::ActorError, true), "{error}");
    }
}

#[test]
fn http_requests_are_made() {
    let first_form = b"\x85\xa6method\xa3GET\xa4path\xa9http://a/\xabqueryString\xa3b=c\
        \xa6header\x81\xa1x\xa1y\xa4body\xc4\x00";
    let second_form =
        b"\x84\xa6method\xa3GET\xa3url\xadhttp://a/?b=c\xa7headers\x81\xa1x\xa1y\xa4body\xc4\x00";
    let third_form =
        b"\x84\xa6method\xa3GET\xa3url\xadhttp://a/?b=c\xa7headers\x81\xa1x\x91\xa1y\xa4body\xc4\x00";
    for (namespace, operation, payload, lists) in [
        ("wascc:http_client", "PerformRequest", &first_form[..], false),
        ("wasmcloud:httpclient", "Request", second_form, false),
        ("wasmcloud:httpclient", "HttpClient.Request", third_form, true),
    ] {
        let call = first(namespace, operation, payload).unwrap();
        assert_eq!((call.contract, call.operation), ("mesh:http-client", "request"));
        let request = http_client::Request::decode(&call.payload).unwrap();
        assert_eq!((request.method.as_str(), request.url.as_str()), ("GET", "http://a/?b=c"));
        assert_eq!((request.headers, request.redirects), (Headers::new().with("x", "y"), 10));
        let answer = done(
            call,
            &http_client::Response {
                status: 404,
                headers: Headers::new().with("a", "b"),
                body: b"no".into(),
                url: None,
            },
        );
        let header: &[u8] = if lists { b"\x81\xa1a\x91\xa1b" } else { b"\x81\xa1a\xa1b" };
        let expected = [
            b"\x84\xaastatusCode\xcd\x01\x94\xa6status\xa9Not Found\xa6header",
            header,
            b"\xa4body\xc4\x02no",
        ]
        .concat();
        assert_eq!(answer, expected);
    }
}

proptest! {
    #[test]
    fn no_answer_of_a_module_brings_it_down(
        status in any::<u32>(),
        header in prop::collection::btree_map(".{0,8}", prop::collection::vec(".{0,8}", 0..3), 0..4),
    ) {
        let answer = codec::encode(&(status, &header, ByteBuf::from(b"body"))).unwrap();
        let call = to_actor(Dialect::Wasmbus, "handle", &get().encode().unwrap());
        match call.unwrap().unwrap().answered(&answer) {
            Ok(response) => {
                let response = http::Response::decode(&response).unwrap();
                prop_assert_eq!(u32::from(response.status), status);
            }
            Err(error) => prop_assert_eq!((error.code, error.started), (ErrorCode::ActorError, true)),
        }
    }
}
