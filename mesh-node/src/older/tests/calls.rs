//! Lines of log, numbers, and what is no call of an older module.

use std::sync::atomic::AtomicU64;

use lattice_protocol::contract::{Empty, Message, logging, random};
use lattice_protocol::{ErrorCode, codec};
use proptest::prelude::*;
use serde::Deserialize;

use super::super::{Dialect, Step, from_actor, to_actor};
use super::{K, done, first};

#[test]
fn lines_are_logged_by_number_and_by_name() {
    let text = |line: &[u8], operation: &str| {
        let call = first("wasmcloud:builtin:logging", operation, line).unwrap();
        let line = logging::Line::decode(&call.payload).unwrap();
        assert_eq!(done(call, &Empty {}), b"");
        line
    };
    for (level, expected) in [
        (b"\x01".as_slice(), logging::Level::Error),
        (b"\x02", logging::Level::Warn),
        (b"\x03", logging::Level::Info),
        (b"\x04", logging::Level::Debug),
        (b"\x05", logging::Level::Trace),
        (b"\x00", logging::Level::Info),
        (b"\xff", logging::Level::Info),
        (b"\xa4WARN", logging::Level::Warn),
        (b"\xa5trace", logging::Level::Trace),
        (b"\xa5never", logging::Level::Info),
    ] {
        let payload = [b"\x82\xa5level", level, b"\xa4body\xa2hi"].concat();
        let line = text(&payload, "WriteLog");
        assert_eq!((line.level, line.text.as_str()), (expected, "hi"));
    }
    let line = text(b"\x83\xa6target\xa1t\xa5level\xa5error\xa4text\xa2hi", "WriteLog");
    assert_eq!(line.fields, [("target".into(), "t".into())].into());
    let line = text(b"\x82\xa5level\xa5debug\xa4text\xa2hi", "Logging.WriteLog");
    assert_eq!((line.level, line.fields.len()), (logging::Level::Debug, 0));
    let long = [&b"\x82\xa5level\x01\xa4body\xda\xff\xff"[..], &[b'a'; 65_535]].concat();
    assert_eq!(text(&long, "WriteLog").text.len(), 16 * 1024);
}

#[test]
fn numbers_are_made() {
    let sequence = AtomicU64::new(7);
    let asked = b"\x85\xa4guid\xc2\xa8sequence\xc3\xa6random\xc2\xa3min\x00\xa3max\x00";
    for number in [7, 8] {
        let step = from_actor("wascc:extras", "RequestSequence", asked, &sequence).unwrap();
        let Step::Done(answer) = step else { panic!("{step:?}") };
        assert_eq!(generated(&answer), (None, number, 0));
    }
    let guid = random::Guid { guid: "f47ac10b-58cc-4372-a567-0e02b2c3d479".into() };
    let call = first("wascc:extras", "RequestGuid", asked).unwrap();
    assert_eq!((call.contract, call.operation), ("mesh:random", "guid"));
    assert_eq!(generated(&done(call, &guid)), (Some(guid.guid.clone()), 0, 0));
    let call = first("wasmcloud:builtin:numbergen", "NumberGen.GenerateGuid", b"").unwrap();
    assert_eq!(codec::decode(&done(call, &guid)), Ok(guid.guid));

    for (range, min, max) in [
        (&b"\x82\xa3min\x01\xa3max\x07"[..], 1, 6),
        (b"\x82\xa3max\x01\xa3min\x00", 0, 0),
        (b"\x82\xa3min\x03\xa3max\x03", 3, 3),
    ] {
        let call = first("wasmcloud:extras", "RequestRandom", range).unwrap();
        assert_eq!(random::Range::decode(&call.payload), Ok(random::Range { min, max }));
        assert_eq!(generated(&done(call, &random::Integer { value: 3 })), (None, 0, 3));
        let name = "NumberGen.RandomInRange";
        let call = first("wasmcloud:builtin:numbergen", name, range).unwrap();
        assert_eq!(random::Range::decode(&call.payload), Ok(random::Range { min, max }));
        assert_eq!(done(call, &random::Integer { value: 3 }), b"\x03");
    }
    let call = first("wasmcloud:builtin:numbergen", "NumberGen.Random32", b"").unwrap();
    let all = random::Range { min: 0, max: u32::MAX.into() };
    assert_eq!(random::Range::decode(&call.payload), Ok(all));
    let beyond = random::Integer { value: -1 }.encode().unwrap();
    assert_eq!(call.answered(&beyond).unwrap_err().code, ErrorCode::Internal);
}

/// Reads GUID, sequence number and random number, the latter under both of its names.
fn generated(answer: &[u8]) -> (Option<String>, u64, u32) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Codec {
        guid: Option<String>,
        sequence_number: u64,
        random_number: u32,
    }
    #[derive(Deserialize)]
    struct Generated {
        random_number: u32,
    }
    let read: Codec = codec::decode(answer).unwrap();
    let too: Generated = codec::decode(answer).unwrap();
    assert_eq!(read.random_number, too.random_number);
    (read.guid, read.sequence_number, read.random_number)
}

#[test]
fn what_is_no_older_call_is_refused_before_anything_is_asked() {
    for (namespace, operation, payload) in [
        ("wascc:keyvalue", "Nothing", K),
        ("wascc:keyvalue", "KeyValue.Nothing", K),
        ("wascc:keyvalue", "Messaging.Get", K),
        ("wascc:keyvalue", "Get", b"\xa1k"),
        ("wascc:keyvalue", "Get", b"\x81\xa3key\xa0"),
        ("wascc:keyvalue", "KeyValue.Get", K),
        ("wascc:keyvalue", "Add", b""),
        ("wascc:keyvalue", "SetUnion", b"\x80"),
        ("wascc:http_server", "HandleRequest", b"\x80"),
        ("wascc:messaging", "DeliverMessage", b"\x80"),
        ("wascc:messaging", "Publish", b"\x81\xa7subject\xa7a.*.b.c"),
        ("wascc:logging", "Write", b"\x80"),
        ("wascc:extras", "RandomInRange", b"\x80"),
        ("wascc:http_client", "Request", b"\x82\xa6method\xa3GET\xa3url\xa1/"),
        ("mesh:keyvalue", "Get", K),
        ("", "", b""),
    ] {
        let error = first(namespace, operation, payload).unwrap_err();
        assert_eq!((error.code, error.started), (ErrorCode::BadRequest, false), "{error}");
    }
    let long = [&b"\x81\xa3key\xda\x02\x01"[..], &[b'k'; 513]].concat();
    assert_eq!(first("wascc:keyvalue", "Get", &long).unwrap_err().code, ErrorCode::TooLarge);
}

#[test]
fn other_calls_reach_a_module_as_they_are() {
    for operation in ["tick", "echo", "HandleRequest", ""] {
        assert!(to_actor(Dialect::Wascc, operation, b"\xc1").unwrap().is_none());
    }
    for operation in ["handle", "deliver"] {
        let error = to_actor(Dialect::Wascc, operation, b"\xc1").unwrap_err();
        assert_eq!((error.code, error.started), (ErrorCode::BadRequest, false));
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(
        operation in "((KeyValue|Messaging|Logging|NumberGen|HttpClient)\\.)?(Get|Set|Add|Increment|Range|ListRange|SetUnion|Publish|Request|WriteLog|RequestRandom|RandomInRange|PerformRequest)",
        payload in prop::collection::vec(any::<u8>(), 0..64),
        answer in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        for namespace in ["wascc:keyvalue", "wasmcloud:messaging", "wascc:logging",
            "wasmcloud:builtin:numbergen", "wasmcloud:httpclient"] {
            let sequence = AtomicU64::new(0);
            if let Ok(Step::Call(call)) = from_actor(namespace, &operation, &payload, &sequence) {
                let _ = call.answered(&answer);
            }
        }
        for dialect in [Dialect::Wascc, Dialect::Wasmcloud, Dialect::Wasmbus] {
            for operation in ["handle", "deliver"] {
                if let Ok(Some(call)) = to_actor(dialect, operation, &payload) {
                    let _ = call.answered(&answer);
                }
            }
        }
    }
}
