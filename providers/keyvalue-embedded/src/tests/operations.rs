//! The operations, one by one, where the model does not look.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Existed;
use lattice_protocol::contract::keyvalue::{
    CompareAndSet, Condition, KeyPage, Keys, Length, ListPage, ListPop, ListPush, ListRange,
    ListSide, MemberList, Members, SetKeys, Swapped, Values,
};
use lattice_protocol::contract::limits::keyvalue as limits;

use super::*;

/// Returns the keys of all pages.
pub(super) async fn all_keys(client: &Client, prefix: &str, limit: u32) -> Vec<String> {
    let mut keys = Vec::new();
    let mut request = Keys { prefix: prefix.into(), cursor: None, limit: Some(limit) };
    loop {
        let page: KeyPage = client.ask(operation::KEYS, &request).await;
        assert!(page.keys.len() <= limit as usize);
        keys.extend(page.keys);
        if page.cursor.is_none() {
            return keys;
        }
        request.cursor = page.cursor;
    }
}

#[tokio::test]
async fn a_life_ends_and_an_increment_does_not_prolong_it() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::at(folder.path()).await;
    let begun = Instant::now();
    client.set("n", b"1", Some(400)).await;
    assert_eq!(client.increment("n", 1).await, Ok(2));
    client.set("other", b"1", Some(400)).await;
    client.set("other", b"2", None).await;
    tokio::time::sleep_until((begun + Duration::from_millis(450)).into()).await;
    assert_eq!(client.get("n").await, None);
    let existed: Existed = client.ask(operation::EXISTS, &named("n")).await;
    let deleted: Existed = client.ask(operation::DELETE, &named("n")).await;
    assert!(!existed.existed && !deleted.existed);
    assert_eq!(all_keys(&client, "", 10).await, ["other"]);
    assert_eq!(client.increment("n", 1).await, Ok(1));
}

#[tokio::test]
async fn keys_come_in_pages_by_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::at(folder.path()).await;
    let mut expected = Vec::new();
    for n in 0..25 {
        client.set(&format!("a:{n:02}"), b"", None).await;
        client.set(&format!("b:{n:02}"), b"", None).await;
        expected.push(format!("a:{n:02}"));
    }
    for limit in [1, 5, 24, 25, 26, 1000] {
        assert_eq!(all_keys(&client, "a:", limit).await, expected, "{limit}");
    }
    assert_eq!(all_keys(&client, "", 7).await.len(), 50);
    assert_eq!(all_keys(&client, "c", 7).await, Vec::<String>::new());
    for cursor in ["nonsense", ">b:01"] {
        let request = Keys { prefix: "a:".into(), cursor: Some(cursor.into()), limit: None };
        let error = client.try_ask::<KeyPage>(operation::KEYS, &request).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
    }
}

#[tokio::test]
async fn a_large_list_is_read_and_taken_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::at(folder.path()).await;
    let fit = limits::ITEMS_BYTES_MAX / limits::ITEM_BYTES_MAX;
    let values = vec![ByteBuf::from(vec![1; limits::ITEM_BYTES_MAX]); fit];
    for length in [fit, 2 * fit] {
        let side = ListSide::Front;
        let push = ListPush { key: "l".into(), values: values.clone(), side };
        let pushed: Length = client.ask(operation::LIST_PUSH, &push).await;
        assert_eq!(pushed.length as usize, length);
    }
    let range = ListRange { key: "l".into(), start: 0, limit: Some(1000) };
    let page: ListPage = client.ask(operation::LIST_RANGE, &range).await;
    assert_eq!((page.values.len(), page.length as usize), (fit, 2 * fit));
    let pop = ListPop { key: "l".into(), side: ListSide::Back, count: 1000 };
    for _ in 0..2 {
        let taken: Values = client.ask(operation::LIST_POP, &pop).await;
        assert_eq!(taken.values.len(), fit);
    }
    let existed: Existed = client.ask(operation::EXISTS, &named("l")).await;
    assert!(!existed.existed);
}

#[tokio::test]
async fn a_set_is_bounded_and_so_is_an_answer_of_members() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::at(folder.path()).await;
    let add = |key: &'static str, from: usize, count: usize| {
        let members = items((from..from + count).map(|n| format!("{n}")));
        let (client, request) = (client.clone(), Members { key: key.into(), members });
        async move { client.try_ask::<Length>(operation::SET_ADD, &request).await }
    };
    for n in 0..10 {
        assert_eq!(add("a", n * 1000, 1000).await.unwrap().length, 1000);
    }
    assert_eq!(add("a", 0, 1000).await.unwrap().length, 0);
    let error = add("a", 9_999, 2).await.unwrap_err();
    assert_eq!((error.code, error.started), (ErrorCode::LimitExceeded, false));
    let all: MemberList = client.ask(operation::SET_MEMBERS, &named("a")).await;
    assert_eq!(all.members.len(), limits::SET_MEMBERS_MAX);

    assert_eq!(add("b", 9_999, 2).await.unwrap().length, 2);
    let keys = |keys: &[&str]| SetKeys { keys: keys.iter().map(|&key| key.into()).collect() };
    let both = keys(&["a", "b", "a"]);
    let error = client.try_ask::<MemberList>(operation::SET_UNION, &both).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::TooLarge);
    let common: MemberList = client.ask(operation::SET_INTERSECTION, &both).await;
    assert_eq!(common.members, items(["9999"]));
    let none = keys(&["a", "absent"]);
    let common: MemberList = client.ask(operation::SET_INTERSECTION, &none).await;
    assert!(common.members.is_empty());
}

#[tokio::test]
async fn a_key_is_of_one_sort_and_only_set_changes_that() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::at(folder.path()).await;
    let push = |key: &str| ListPush { key: key.into(), values: items(["v"]), side: ListSide::Back };
    let _: Length = client.ask(operation::LIST_PUSH, &push("k")).await;
    let add = Members { key: "k".into(), members: items(["m"]) };
    let swap =
        CompareAndSet { key: "k".into(), expected: None, value: b"v".to_vec(), ttl_ms: None };
    let one = SetKeys { keys: vec!["absent".into(), "k".into()] };
    let refused = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert_eq!((error.code, error.started), (ErrorCode::BadRequest, false), "{error}");
    };
    refused(client.try_ask::<Value>(operation::GET, &named("k")).await.map(drop));
    refused(client.increment("k", 1).await.map(drop));
    refused(client.try_ask::<Length>(operation::SET_ADD, &add).await.map(drop));
    refused(client.try_ask::<Swapped>(operation::COMPARE_AND_SET, &swap).await.map(drop));
    refused(client.try_ask::<MemberList>(operation::SET_INTERSECTION, &one).await.map(drop));
    assert_eq!(all_keys(&client, "k", 10).await, ["k"]);
    for (condition, written) in [(Condition::Absent, false), (Condition::Present, true)] {
        let condition = Some(condition);
        let set = Set { key: "k".into(), value: b"v".to_vec(), ttl_ms: None, condition };
        let answer: Written = client.ask(operation::SET, &set).await;
        assert_eq!(answer.written, written);
    }
    refused(client.try_ask::<Length>(operation::LIST_PUSH, &push("k")).await.map(drop));
    refused(client.try_ask::<Existed>(operation::LIST_CLEAR, &named("k")).await.map(drop));
    let swapped: Swapped = client.ask(operation::COMPARE_AND_SET, &swap).await;
    assert_eq!(swapped, Swapped { swapped: false, current: Some(ByteBuf::from("v")) });
}
