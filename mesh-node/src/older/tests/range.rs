//! Ranges of lists: what an older module asks at once is read page by page.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use lattice_protocol::contract::keyvalue as kv;
use lattice_protocol::contract::{ByteBuf, Message};
use lattice_protocol::{Error, ErrorCode, codec};
use proptest::prelude::*;

use super::super::{Step, from_actor};
use super::{bytes, done, first};

/// A list as a provider has it, and what it is asked.
struct List {
    values: Vec<ByteBuf>,
    /// Most values of a page, as where their bytes are many.
    page: usize,
    asked: usize,
}

impl List {
    fn new(length: usize, page: usize) -> Self {
        let values = (0..length).map(|n| ByteBuf::from(n.to_string())).collect();
        Self { values, page, asked: 0 }
    }

    fn answer(&mut self, request: &kv::ListRange) -> kv::ListPage {
        self.asked += 1;
        let length = self.values.len() as i64;
        let start = if request.start < 0 { length + request.start } else { request.start };
        let values = self.values.iter().skip(start.max(0) as usize);
        let values = values.take((request.entries() as usize).min(self.page)).cloned().collect();
        kv::ListPage { values, length: length as u64 }
    }

    /// Reads a range as an older module does.
    fn range(&mut self, start: i32, stop: i32) -> Result<Vec<String>, Error> {
        let request: BTreeMap<_, _> = [("start", start), ("stop", stop)].into();
        let request = codec::encode(&request).unwrap();
        let payload = [b"\x83\xa8listName\xa1k", &request[1..]].concat();
        let sequence = AtomicU64::new(0);
        let mut step = from_actor("wasmcloud:keyvalue", "KeyValue.ListRange", &payload, &sequence)?;
        loop {
            match step {
                Step::Done(answer) => return Ok(codec::decode(&answer).unwrap()),
                Step::Call(call) => {
                    let request = kv::ListRange::decode(&call.payload).unwrap();
                    let page = self.answer(&request);
                    step = call.answered(&page.encode().unwrap())?;
                }
            }
        }
    }
}

/// What Redis, whose ranges these are, returns.
fn redis_range(length: usize, start: i32, stop: i32) -> Vec<String> {
    let from_front =
        |index: i32| if index < 0 { length as i64 + i64::from(index) } else { index.into() };
    let (start, stop) = (from_front(start).max(0), from_front(stop));
    (start..=stop.min(length as i64 - 1)).map(|n| n.to_string()).collect()
}

proptest! {
    #[test]
    fn a_range_is_that_of_redis_whatever_the_pages(
        length in 0usize..2_500,
        page in 1usize..1_000,
        start in -3_000i32..3_000,
        stop in -3_000i32..3_000,
    ) {
        let mut list = List::new(length, page.max(length / 50));
        prop_assert_eq!(list.range(start, stop).unwrap(), redis_range(length, start, stop));
    }
}

#[test]
fn a_range_is_one_call_where_it_fits_into_a_page() {
    let mut list = List::new(10, 1_000);
    assert_eq!(list.range(2, 4).unwrap(), ["2", "3", "4"]);
    assert_eq!(list.range(0, -1).unwrap().len(), 10);
    assert_eq!(list.asked, 2);
    assert!(list.range(3, 2).unwrap().is_empty() && list.range(-1, -2).unwrap().is_empty());
    assert_eq!(list.asked, 2, "nobody is asked for nothing");
    let mut long = List::new(10_001, 1_000);
    assert_eq!(long.range(0, -2).unwrap().len(), 10_000);
    assert_eq!(long.asked, 2 + 10 - 2);
    assert_eq!(long.range(0, -1).unwrap_err().code, ErrorCode::TooLarge);
    let mut wide =
        List { values: vec![ByteBuf::from(vec![b'a'; 65_536]); 129], page: 10, asked: 0 };
    assert_eq!(wide.range(0, 127).unwrap().len(), 128);
    assert_eq!(wide.range(0, 128).unwrap_err().code, ErrorCode::TooLarge);
}

#[test]
fn a_range_of_the_plain_form_has_a_name() {
    let payload = b"\x83\xa3key\xa1k\xa5start\x00\xa4stop\x01";
    let call = first("wascc:keyvalue", "Range", payload).unwrap();
    let page = kv::ListPage { values: bytes(&["a", "b"]), length: 2 };
    assert_eq!(done(call, &page), b"\x81\xa6values\x92\xa1a\xa1b");
}
