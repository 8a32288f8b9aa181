//! Files: shared, closed, opened again, damaged.

use std::time::Duration;

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Existed;
use lattice_protocol::contract::keyvalue::{Length, ListPush, ListSide, Number, operation};

use super::*;
use crate::limits::SWEEP_INTERVAL_MS;
use crate::settings::MEMORY;

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    for durability in ["immediate", "eventual"] {
        let provider = KeyValueEmbedded::new(Some(folder.path().join("made/by/need")));
        let link = link(&[("durability", durability), ("database", "shop")]);
        let client = Client::of(&provider, &link).await;
        client.set("k", b"v", None).await;
        assert_eq!(client.increment("n", 5).await, Ok(5));
        let push = ListPush { key: "l".into(), values: items(["a"]), side: ListSide::Back };
        let _: Length = client.ask(operation::LIST_PUSH, &push).await;
        client.0.release().await;
        let error = client.try_ask::<Value>(operation::GET, &named("k")).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ProviderUnavailable);
        let error = client.increment("n", 1).await.unwrap_err();
        assert_eq!((error.code, error.started), (ErrorCode::ProviderUnavailable, false));

        // Another provider stands for another process.
        let later = KeyValueEmbedded::new(Some(folder.path().join("made/by/need")));
        let client = Client::of(&later, &link).await;
        assert_eq!(client.get("k").await.as_deref(), Some(&b"v"[..]));
        assert_eq!(client.increment("n", 1).await, Ok(6));
        let length: Length = client.ask(operation::LIST_LENGTH, &named("l")).await;
        assert_eq!(length.length, 1);
        client.0.release().await;
    }
}

#[tokio::test]
async fn a_file_is_open_as_long_as_a_link_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let provider = KeyValueEmbedded::new(Some(folder.path().to_owned()));
    let other = KeyValueEmbedded::new(Some(folder.path().to_owned()));
    let link = eventual();
    let (first, second) = (Client::of(&provider, &link).await, Client::of(&provider, &link).await);
    first.0.release().await;
    first.0.release().await;
    second.set("k", b"v", None).await;
    let error = other.open(&link).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::ProviderUnavailable, "{error}");
    assert!(error.message.contains("another process"), "{error}");
    // A handle that is dropped gives back what it holds, where nobody waits for it.
    drop(second);
    let end = Instant::now() + Duration::from_secs(10);
    while other.open(&link).await.is_err() {
        assert!(Instant::now() < end, "the file is still open");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let client = Client::of(&other, &link).await;
    assert_eq!(client.get("k").await.as_deref(), Some(&b"v"[..]));
}

#[tokio::test]
async fn links_share_keys_only_where_they_have_the_same_prefix() {
    let provider = KeyValueEmbedded::new(None);
    let open = |settings| {
        let settings: Vec<_> = [("database", MEMORY)].into_iter().chain(settings).collect();
        let provider = &provider;
        async move { Client::of(provider, &link(&settings)).await }
    };
    let (a, ab) = (open(Some(("prefix", "a"))).await, open(Some(("prefix", "ab"))).await);
    let (again, own) = (open(Some(("prefix", "a"))).await, open(None).await);
    a.set("bc", b"a", None).await;
    ab.set("c", b"ab", None).await;
    assert_eq!(again.get("bc").await.as_deref(), Some(&b"a"[..]));
    assert_eq!((ab.get("bc").await, own.get("bc").await), (None, None));
    let keys = |client: Client| async move { super::operations::all_keys(&client, "", 1).await };
    assert_eq!((keys(again).await, keys(ab).await), (vec!["bc".into()], vec!["c".into()]));
    assert_eq!(keys(own).await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_folder_there_is_memory_alone() {
    let provider = KeyValueEmbedded::new(None);
    let error = provider.open(&link(&[])).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::BadRequest);
    assert!(error.message.contains("no folder"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let provider = KeyValueEmbedded::new(Some(folder.path().to_owned()));
    let path = folder.path().join("default.redb");
    std::fs::write(&path, b"no database at all, but some text that is long enough").unwrap();
    let error = provider.open(&eventual()).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::Internal, "{error}");
    assert!(error.message.contains("default"), "{error}");

    std::fs::remove_file(&path).unwrap();
    let client = Client::of(&provider, &eventual()).await;
    for n in 0..200 {
        client.set(&format!("k{n}"), &[7; 1000], None).await;
    }
    client.0.release().await;
    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for share in 1..20 {
        let mut damaged = whole.clone();
        let at = damaged.len() * share / 20;
        let end = (at + 4096).min(damaged.len());
        damaged[at..end].fill(0xa5);
        std::fs::write(&path, damaged).unwrap();
        // Nothing was there, or it is refused.
        match provider.open(&eventual()).await {
            Ok(answers) => answers.release().await,
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Internal, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(provider.open(&eventual()).await.is_err());
    std::fs::write(&path, whole).unwrap();
    assert!(provider.open(&eventual()).await.is_ok());
}

#[tokio::test]
async fn a_write_that_is_late_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::at(folder.path()).await;
    let request = Increment { key: "n".into(), delta: 1 };
    let late = client.within::<Number>(operation::INCREMENT, &request, Instant::now()).await;
    let error = late.unwrap_err();
    assert_eq!((error.code, error.started), (ErrorCode::DeadlineExceeded, false));
    assert_eq!(client.get("n").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_count_each_of_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let provider = KeyValueEmbedded::new(Some(folder.path().to_owned()));
    let link = link(&[]);
    let clients = [Client::of(&provider, &link).await, Client::of(&provider, &link).await];
    let mut running = tokio::task::JoinSet::new();
    for n in 0..20 {
        let client = clients[n % 2].clone();
        running.spawn(async move {
            for _ in 0..25 {
                client.increment("n", 1).await.unwrap();
            }
        });
    }
    running.join_all().await;
    assert_eq!(clients[0].get("n").await.as_deref(), Some(&b"500"[..]));
}

#[tokio::test]
async fn what_is_over_is_removed_and_what_is_deleted_too() {
    let folder = tempfile::tempdir().unwrap();
    let provider = KeyValueEmbedded::new(Some(folder.path().to_owned()));
    let client = Client::of(&provider, &eventual()).await;
    client.set("brief", b"v", Some(50)).await;
    client.set("long", b"v", Some(60_000)).await;
    let values = items((0..1000).map(|n| format!("{n}")));
    for _ in 0..3 {
        let push = ListPush { key: "l".into(), values: values.clone(), side: ListSide::Back };
        let _: Length = client.ask(operation::LIST_PUSH, &push).await;
    }
    let existed: Existed = client.ask(operation::DELETE, &named("l")).await;
    assert!(existed.existed);
    let loan = provider.databases.lend("default").unwrap();
    let counts = || {
        let count = |snapshot: &crate::tables::Snapshot, _| {
            use redb::ReadableTableMetadata;
            Ok((snapshot.entries()?.len()?, snapshot.values()?.len()?))
        };
        loan.database.read(count).unwrap()
    };
    assert_eq!(counts().1, 3000);
    let until = Instant::now() + Duration::from_millis(SWEEP_INTERVAL_MS) * 10;
    while counts() != (1, 0) {
        assert!(Instant::now() < until, "{:?}", counts());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.get("long").await.as_deref(), Some(&b"v"[..]));
}
