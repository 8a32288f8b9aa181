//! The contracts: no bytes make a reader panic, and what is read is read again as the same.

use std::collections::BTreeMap;

use lattice_protocol::contract::keyvalue::{Condition, Set};
use lattice_protocol::contract::messaging::{Acknowledgement, Verdict};
use lattice_protocol::contract::timer::{Cron, Schedule};
use lattice_protocol::contract::{ByteBuf, Headers, Message, http, limits};
use lattice_protocol::{Error, ErrorCode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rmpv::Value;

use crate::contract_types::{TYPES, recode};
use crate::messages::{near_msgpack, packed, value};

/// Names of fields, so that what is read gets past the first that is missing.
const FIELDS: &[&str] = &[
    "body",
    "bytes",
    "condition",
    "container",
    "containers",
    "count",
    "cursor",
    "delta",
    "digest",
    "due_at_ms",
    "existed",
    "expected",
    "fields",
    "guid",
    "headers",
    "info",
    "key",
    "keys",
    "length",
    "level",
    "limit",
    "link",
    "max",
    "member",
    "members",
    "message",
    "metadata",
    "method",
    "min",
    "name",
    "offset",
    "path",
    "prefix",
    "query",
    "redirects",
    "reply",
    "reply_to",
    "size",
    "start",
    "status",
    "subject",
    "swapped",
    "text",
    "timeout_ms",
    "ttl_ms",
    "upload",
    "url",
    "value",
    "values",
    "verdict",
    "version",
    "written",
];

/// A map whose fields have the right names and any values, often such as are expected.
fn near_message() -> impl Strategy<Value = Vec<u8>> {
    let headers = vec(("[a-z ]{0,4}", vec(any::<u8>(), 0..4)), 0..3).prop_map(|headers| {
        let pair = |(name, value): (String, Vec<u8>)| vec![name.into(), Value::Binary(value)];
        Value::Array(headers.into_iter().map(|header| Value::Array(pair(header))).collect())
    });
    let expected = prop_oneof![
        select(vec![
            "abc", "/", "ack", "retry", "front", "absent", "warn", "a.b", "http://a", "GET"
        ])
        .prop_map(Value::from),
        any::<u16>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        vec(any::<u8>(), 0..20).prop_map(Value::Binary),
        vec("[a-z]{0,3}".prop_map(Value::from), 0..4).prop_map(Value::Array),
        headers,
        value(),
    ];
    prop::collection::btree_map(select(FIELDS), expected, 0..FIELDS.len()).prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value));
        packed(&Value::Map(fields.collect()))
    })
}

/// Reads `bytes` as every message there is: a panic fails the test.
fn read_as_everything(bytes: &[u8]) -> Result<(), TestCaseError> {
    for of in TYPES {
        match recode(of, bytes) {
            Ok(written) => prop_assert_eq!(recode(of, &written), Ok(written), "{}", of),
            Err(error) => {
                let code = Error::from(error).code;
                prop_assert!(matches!(code, ErrorCode::BadRequest | ErrorCode::TooLarge));
            }
        }
    }
    Ok(())
}

fn headers() -> impl Strategy<Value = Headers> {
    vec(("[A-Za-z0-9-]{1,12}", "[ -~\t]{0,20}"), 0..8).prop_map(|headers| {
        headers.into_iter().fold(Headers::new(), |all, (name, value)| all.with(name, value))
    })
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in near_msgpack(), message in near_message()) {
        read_as_everything(&bytes)?;
        read_as_everything(&message)?;
    }

    #[test]
    fn a_request_of_http_comes_back_as_it_was(
        method in "[A-Z]{1,8}", path in "/[!-~]{0,40}", query in "[!-~]{0,40}", headers in headers(),
        body in vec(any::<u8>(), 0..300), https in option::of(any::<bool>()),
        authority in option::of("[a-z.:0-9]{1,20}"), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let scheme = https.map(|https| if https { "https" } else { "http" }.to_owned());
        let remote = authority.clone();
        let request =
            http::Request { method, path, query, headers, body, scheme, authority, remote };
        prop_assert_eq!(request.check(), Ok(()));
        let mut bytes = request.encode().unwrap();
        prop_assert_eq!(http::Request::decode(&bytes), Ok(request));
        let at = at.index(bytes.len());
        prop_assert!(http::Request::decode(&bytes[..at]).is_err());
        bytes[at] = byte;
        read_as_everything(&bytes)?;
    }

    #[test]
    fn a_value_comes_back_as_it_was(
        key in "\\PC{1,100}", value in vec(any::<u8>(), 0..300),
        ttl_ms in option::of(1..=limits::keyvalue::TTL_MAX_MS),
        condition in option::of(select(vec![Condition::Absent, Condition::Present])),
        at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let set = Set { key, value, ttl_ms, condition };
        let mut bytes = set.encode().unwrap();
        prop_assert_eq!(Set::decode(&bytes), Ok(set));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        read_as_everything(&bytes)?;
    }

    #[test]
    fn a_verdict_comes_back_as_it_was(
        verdict in select(vec![Verdict::Ack, Verdict::Retry, Verdict::Reject]),
        after in 0..=limits::messaging::RETRY_AFTER_MAX_MS, reason in option::of("\\PC{0,60}"),
        reply in option::of(vec(any::<u8>(), 0..60)),
    ) {
        let answer = Acknowledgement {
            verdict,
            retry_after_ms: (verdict == Verdict::Retry).then_some(after),
            reason,
            reply: reply.filter(|_| verdict == Verdict::Ack).map(ByteBuf::from),
        };
        prop_assert_eq!(Acknowledgement::decode(&answer.encode().unwrap()), Ok(answer));
    }

    #[test]
    fn headers_that_pass_can_be_written_on_one_line_each(name in "\\PC{0,6}", value in vec(any::<u8>(), 0..8)) {
        let headers = Headers::new().with(name.clone(), value.clone());
        if headers.check().is_ok() {
            prop_assert!(!name.is_empty() && name.is_ascii() && !name.contains([':', ' ']));
            prop_assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        }
    }

    #[test]
    fn a_schedule_goes_on_and_never_back(
        expression in "[0-9*]{1,2}(/[0-9])?(,[0-9]{1,2}-[0-9]{1,2})? [0-9*]{1,2} [0-9*]{1,2} [0-9*]{1,2} [0-9*]",
        interval in any::<u64>(), now in any::<u64>(),
    ) {
        if let Ok(cron) = expression.parse::<Cron>() {
            let next = cron.next_after_ms(now);
            prop_assert!(next.is_none_or(|next| next > now && next % 60_000 == 0), "{}", expression);
        }
        let config = BTreeMap::from([("interval_ms".to_owned(), interval.to_string())]);
        if let Ok(schedule) = Schedule::from_config(&config) {
            prop_assert!(schedule.next_after_ms(now).is_none_or(|next| next > now));
        }
    }

    #[test]
    fn no_text_makes_a_schedule_panic(text in "\\PC{0,40}", stars in "[0-9*/, -]{0,40}") {
        for expression in [text, stars] {
            if let Err(error) = expression.parse::<Cron>() {
                prop_assert_eq!(Error::from(error).code, ErrorCode::BadRequest);
            }
        }
    }
}
