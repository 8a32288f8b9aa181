//! Blobs that fit into one message.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use lattice_protocol::contract::blobstore::{Info, operation};
use lattice_protocol::contract::limits::blobstore as limits;
use lattice_protocol::names::Digest;
use lattice_protocol::{Error, ErrorCode};

use super::shared::Store;
use crate::Report;
use crate::checks::{ask, bytes, same, same_bytes, some};

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("a blob comes back as it was stored", comes_back(store)).await;
    report.check("what was said about a blob comes back", about(store)).await;
    report.check("a blob without bytes is a blob", empty(store)).await;
    report.check("a blob of the largest message comes back", largest(store)).await;
    report.check("what is absent is an answer", absent(store)).await;
    report.check("a blob replaces another one as a whole", replaced(store)).await;
    report.check("names are kept whatever they are made of", odd_names(store)).await;
    report.check("blobs that are stored at once are all there", at_once(store)).await;
    report.check("a name that is written at once has one of the blobs", same_name(store)).await;
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn digest_fits(info: &Info, body: &[u8]) -> Result<(), String> {
    match &info.digest {
        None => Ok(()),
        Some(digest) => same("the digest", digest, &Digest::of(body)),
    }
}

async fn comes_back(store: &Store) -> Result<(), String> {
    let body = bytes(300_000, 1);
    let put = store.put("back/a.bin", &body).await?;
    let part = store.get("back/a.bin").await?;
    let info = some("the info", part.info)?;
    same_bytes("the blob", &part.body, &body)?;
    for said in [&put, &info, &some("the info", store.info("back/a.bin").await?)?] {
        same("the name", said.name.as_str(), "back/a.bin")?;
        same("the size", said.size, body.len() as u64)?;
        same("the version", &said.version, &put.version)?;
        digest_fits(said, &body)?;
        // The clocks of a store and of a program may differ.
        let apart = now_ms().abs_diff(said.modified_at_ms);
        same("whether it was stored just now", apart < 3_600_000, true)?;
    }
    same("whether it was there", store.delete("back/a.bin").await?, true)?;
    same("the deleted blob", store.info("back/a.bin").await?, None)
}

async fn about(store: &Store) -> Result<(), String> {
    let put = lattice_protocol::contract::blobstore::Put {
        content_type: Some("text/plain; charset=utf-8".into()),
        metadata: BTreeMap::from([
            ("owner".into(), "ada".into()),
            ("x-umlaut".into(), "grün %41 \"q\" = ✓".into()),
            ("empty".into(), String::new()),
            ("long".into(), "v".repeat(1_000)),
        ]),
        ..store.a_put("about", b"1")
    };
    let stored: Info = ask(&store.link, operation::PUT, &put).await?;
    let got = some("the info of get", store.get("about").await?.info)?;
    let found = some("the info", store.info("about").await?)?;
    for said in [stored, got, found] {
        same("the content type", &said.content_type, &put.content_type)?;
        same("the metadata", &said.metadata, &put.metadata)?;
    }
    store.put("about", b"2").await?;
    let found = some("the info", store.info("about").await?)?;
    same("the metadata of the next", found.metadata.len(), 0)?;
    same("whether it was there", store.delete("about").await?, true)
}

async fn empty(store: &Store) -> Result<(), String> {
    let stored = store.put("empty", b"").await?;
    same("the size", stored.size, 0)?;
    digest_fits(&stored, b"")?;
    let part = store.get("empty").await?;
    same("the bytes", part.body.len(), 0)?;
    same("the size", some("the info", part.info)?.size, 0)?;
    same("whether it was there", store.delete("empty").await?, true)
}

async fn largest(store: &Store) -> Result<(), String> {
    let body = bytes(limits::CHUNK_BYTES_MAX, 2);
    digest_fits(&store.put("largest", &body).await?, &body)?;
    same_bytes("the blob", &store.get("largest").await?.body, &body)?;
    same("whether it was there", store.delete("largest").await?, true)
}

async fn absent(store: &Store) -> Result<(), String> {
    let part = store.get("nothing").await?;
    same("the info", part.info, None)?;
    same("the bytes", part.body.len(), 0)?;
    same("the info", store.info("nothing").await?, None)?;
    same("whether it was there", store.delete("nothing").await?, false)?;
    // What lies above or below a blob is none.
    store.put("up/down", b"1").await?;
    same("the blob above", store.info("up").await?, None)?;
    same("whether it was there", store.delete("up").await?, false)?;
    same("the blob below", store.info("up/down/more").await?, None)?;
    store.put("up", b"2").await?;
    same("the blob", store.get("up/down").await?.body, b"1".to_vec())?;
    same("the blob above", store.get("up").await?.body, b"2".to_vec())?;
    store.delete("up").await?;
    same("whether it was there", store.delete("up/down").await?, true)
}

async fn replaced(store: &Store) -> Result<(), String> {
    let (long, short) = (bytes(400_000, 3), bytes(10, 4));
    let first = store.put("again", &long).await?;
    let second = store.put("again", &short).await?;
    same("whether the versions are the same", first.version == second.version, false)?;
    let part = store.get("again").await?;
    same_bytes("the second blob", &part.body, &short)?;
    same("the version", some("the info", part.info)?.version, second.version)?;
    let third = store.put("again", &bytes(10, 5)).await?;
    let version = some("the info", store.info("again").await?)?.version;
    same("the version of as many bytes", version, third.version)?;
    same("whether it was there", store.delete("again").await?, true)
}

/// Names that a file system, a URL or a subject would misunderstand.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "with space",
        "ünïcödé/✓",
        "a.b.c",
        ".hidden",
        "...",
        "star*",
        "more>",
        "$O.x",
        "100%25",
        "%2e%2e",
        "back\\slash",
        "C:\\x",
        "CON",
        "semi;colon",
        "quote\"'",
        "q?a=b&c#d",
        "plus+",
        "tilde~",
        "<tag>|pipe",
        "-dash",
        "under_score",
        "[1]{2}^3`",
        "Upper",
        "upper",
        "deep/er/and/deeper/x",
        "..a/b..",
        "trailing.",
        "#1",
        "a#2",
        ".mesh/containers",
        "e\u{301}",
        "é",
        " ",
    ]
    .map(str::to_owned)
    .into();
    names.push("s".repeat(300));
    names.push(["segment"; 60].join("/"));
    names
}

async fn odd_names(store: &Store) -> Result<(), String> {
    let names = names();
    for (n, name) in names.iter().enumerate() {
        let name = format!("odd/{name}");
        let put = store.put(&name, n.to_string().as_bytes()).await;
        put.map_err(|error| format!("{name:?}: {error}"))?;
    }
    for (n, name) in names.iter().enumerate() {
        let name = format!("odd/{name}");
        let part = store.get(&name).await?;
        same(&format!("{name:?}"), part.body, n.to_string().into_bytes())?;
        same("its name", some("the info", part.info)?.name, name)?;
    }
    let mut wanted: Vec<String> = names.iter().map(|name| format!("odd/{name}")).collect();
    wanted.sort();
    let listed = store.list("odd/", None, Some(1_000)).await?.blobs;
    let listed: Vec<String> = listed.into_iter().map(|blob| blob.name).collect();
    same("the list", &listed, &wanted)?;
    for name in &wanted {
        same(&format!("whether {name:?} was there"), store.delete(name).await?, true)?;
    }
    // The longest: a store may have less room.
    let long = "l".repeat(limits::BLOB_NAME_BYTES_MAX);
    match store.link.ask::<Info>(operation::PUT, &store.a_put(&long, b"1")).await {
        Ok(_) => same("whether the longest was there", store.delete(&long).await?, true),
        Err(Error { code: ErrorCode::TooLarge, .. }) => Ok(()),
        Err(error) => Err(format!("the longest name fails with {error}, not too_large")),
    }
}

async fn at_once(store: &Store) -> Result<(), String> {
    let body = |n: u64| bytes(50_000 + n as usize, 100 + n);
    let put = |n: u64| async move { store.put(&format!("once/{n}"), &body(n)).await };
    futures_util::future::try_join_all((0..32).map(put)).await?;
    for n in 0..32 {
        let name = format!("once/{n}");
        same_bytes("a blob", &store.get(&name).await?.body, &body(n))?;
        store.delete(&name).await?;
    }
    Ok(())
}

async fn same_name(store: &Store) -> Result<(), String> {
    let bodies: Vec<Vec<u8>> = (0..12).map(|n| bytes(200_000, 200 + n)).collect();
    let put = |body: &Vec<u8>| {
        let body = body.clone();
        async move { store.put("race", &body).await.map(drop) }
    };
    let reads = (0..12).map(|_| async {
        let part = store.get("race").await?;
        let whole = part.info.is_none() || bodies.contains(&part.body);
        same("whether a blob was read whole", whole, true)
    });
    let puts = futures_util::future::try_join_all(bodies.iter().map(put));
    let (puts, reads) = tokio::join!(puts, futures_util::future::try_join_all(reads));
    puts?;
    reads?;
    let part = store.get("race").await?;
    same("whether it is one of the blobs", bodies.contains(&part.body), true)?;
    same("whether it was there", store.delete("race").await?, true)?;
    same("what is left", store.info("race").await?, None)
}
