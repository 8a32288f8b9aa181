//! Messages of a broker, from a module and to it.

use lattice_protocol::contract::{Empty, Headers, Message, messaging};

use super::super::{Dialect, to_actor};
use super::{done, first};

#[test]
fn messages_are_sent_and_asked_for() {
    let message = |reply_to: Option<&str>| messaging::Message {
        subject: "a.b".into(),
        reply_to: reply_to.map(str::to_owned),
        body: b"hi".into(),
        ..messaging::Message::default()
    };
    let all = b"\x83\xa7subject\xa3a.b\xa7replyTo\xa1r\xa4body\xc4\x02hi";
    let empty = b"\x83\xa7subject\xa3a.b\xa7replyTo\xa0\xa4body\xc4\x02hi";
    let nil = b"\x83\xa7subject\xa3a.b\xa7replyTo\xc0\xa4body\xa2hi";
    let none = b"\x82\xa7subject\xa3a.b\xa4body\xc4\x02hi";
    for (payload, reply_to) in [(&all[..], Some("r")), (empty, None), (nil, None), (none, None)] {
        for (operation, answer) in
            [("Publish", &b"\x81\xa9published\xc3"[..]), ("Messaging.Publish", b"")]
        {
            let call = first("wasmcloud:messaging", operation, payload).unwrap();
            assert_eq!((call.contract, call.operation), ("mesh:messaging", "publish"));
            assert_eq!(messaging::Message::decode(&call.payload), Ok(message(reply_to)));
            assert_eq!(done(call, &Empty {}), answer);
        }
    }

    let request = |timeout_ms| messaging::Request { message: message(None), timeout_ms };
    for (timeout, timeout_ms) in [
        (&b"\xa7timeout\x64"[..], Some(100)),
        (b"\xa9timeoutMs\x64", Some(100)),
        (b"\xa7timeout\x00", None),
        (b"\xa7timeout\xff", None),
        (b"\xa7timeout\xcf\x00\x00\x00\x01\x00\x00\x00\x00", Some(u32::MAX)),
    ] {
        let payload = [b"\x83", &none[1..], timeout].concat();
        for (namespace, operation, answer) in [
            ("wascc:messaging", "Request", &b"hi"[..]),
            ("wasmcloud:messaging", "Request", &empty[..]),
            ("wasmcloud:messaging", "Messaging.Request", &none[..]),
        ] {
            let call = first(namespace, operation, &payload).unwrap();
            assert_eq!(call.operation, "request");
            assert_eq!(messaging::Request::decode(&call.payload), Ok(request(timeout_ms)));
            assert_eq!(done(call, &message(None)), answer, "{operation}");
        }
    }
}

#[test]
fn messages_reach_a_module_in_its_dialect() {
    let delivery = |reply_to: Option<&str>| messaging::Delivery {
        message: messaging::Message {
            subject: "a.b".into(),
            reply_to: reply_to.map(str::to_owned),
            id: Some("7".into()),
            headers: Headers::new().with("x", "y"),
            body: b"hi".into(),
        },
        attempt: 2,
        durable: true,
    };
    let answered = b"\x83\xa7subject\xa3a.b\xa7replyTo\xa1r\xa4body\xc4\x02hi";
    let empty = b"\x83\xa7subject\xa3a.b\xa7replyTo\xa0\xa4body\xc4\x02hi";
    let absent = b"\x82\xa7subject\xa3a.b\xa4body\xc4\x02hi";
    for (dialect, operation, none) in [
        (Dialect::Wascc, "DeliverMessage", &empty[..]),
        (Dialect::Wasmcloud, "HandleMessage", empty),
        (Dialect::Wasmbus, "MessageSubscriber.HandleMessage", absent),
    ] {
        for (reply_to, expected) in [(Some("r"), &answered[..]), (None, none)] {
            let payload = delivery(reply_to).encode().unwrap();
            let call = to_actor(dialect, "deliver", &payload).unwrap().unwrap();
            assert_eq!((call.operation, call.payload.as_slice()), (operation, expected));
            for answer in [&b""[..], b"\xc0", b"\x80", b"\x01"] {
                let call = to_actor(dialect, "deliver", &payload).unwrap().unwrap();
                let acknowledged =
                    messaging::Acknowledgement::decode(&call.answered(answer).unwrap());
                assert_eq!(acknowledged, Ok(messaging::Acknowledgement::default()));
            }
        }
    }
}
