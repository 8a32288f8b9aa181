//! Blobs that come in chunks.

use std::collections::BTreeMap;

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Empty;
use lattice_protocol::contract::blobstore::{BeginPut, Info, Upload, operation};
use lattice_protocol::contract::limits::blobstore as limits;
use lattice_protocol::names::Digest;

use super::shared::Store;
use crate::checks::{ask, bytes, fails, not_found, same, same_bytes, some};
use crate::{Link, Report};

pub(super) async fn suite(report: &mut Report, store: &Store, other: &Link) {
    report.check("20 MiB come in chunks, some of them twice", large(store)).await;
    report.check("a chunk that comes twice at once is added once", twice_at_once(store)).await;
    report.check("chunks of any size make a blob", uneven(store)).await;
    report.check("a gap or an overlap is refused", gaps(store)).await;
    report.check("another size is refused, and the upload goes on", wrong_size(store)).await;
    report.check("another digest is refused, and the upload forgotten", wrong_digest(store)).await;
    report.check("an upload without bytes is an empty blob", empty(store)).await;
    report.check("nothing is seen of an upload before its end", unseen(store)).await;
    report.check("an upload is forgotten when it is told to", aborted(store)).await;
    report.check("an upload is of no use to others", foreign(store, other)).await;
    report.check("tokens that nobody gave lead nowhere", no_tokens(store)).await;
    report.check("a blob that can't be taken is refused at once", too_large(store)).await;
    report.check("uploads of one name at once make one of the blobs", at_once(store)).await;
}

fn text(error: &lattice_protocol::Error) -> String {
    error.to_string()
}

async fn large(store: &Store) -> Result<(), String> {
    let body = bytes(5 * limits::CHUNK_BYTES_MAX, 7);
    let upload = store.begin("large").await?;
    let mut offset = 0;
    for (n, chunk) in body.chunks(limits::CHUNK_BYTES_MAX).enumerate() {
        let end = offset + chunk.len() as u64;
        same(
            "what was received",
            store.chunk(&upload, offset, chunk).await.map_err(|error| text(&error))?,
            end,
        )?;
        if n % 2 == 0 {
            let again = store.chunk(&upload, offset, chunk).await.map_err(|error| text(&error))?;
            same("what was received of a chunk that came again", again, end)?;
        }
        offset = end;
    }
    let first = body.get(..limits::CHUNK_BYTES_MAX).unwrap_or_default();
    same(
        "an early chunk",
        store.chunk(&upload, 0, first).await.map_err(|error| text(&error))?,
        offset,
    )?;
    let info = store
        .finish(&upload, offset, Some(Digest::of(&body)))
        .await
        .map_err(|error| text(&error))?;
    same("the size", info.size, offset)?;
    same("the content type", info.content_type.as_deref(), Some("text/x-large"))?;
    same("the metadata", info.metadata.get("owner").map(String::as_str), Some("ada"))?;
    let mut read = Vec::new();
    while (read.len() as u64) < offset {
        let part = store.part("large", read.len() as u64, None).await?;
        same("the version", &some("the info", part.info)?.version, &info.version)?;
        if part.body.is_empty() {
            return Err(format!("no bytes follow {}", read.len()));
        }
        read.extend_from_slice(&part.body);
    }
    same_bytes("the blob", &read, &body)?;
    let part = store.part("large", 13_000_001, Some(1_000_000)).await?;
    same_bytes("its middle", &part.body, body.get(13_000_001..14_000_001).unwrap_or_default())?;
    if let Some(digest) = some("the info", store.info("large").await?)?.digest {
        same("the digest", digest, Digest::of(&body))?;
    }
    same("whether it was there", store.delete("large").await?, true)
}

/// One of the two may be told to try again; whatever comes of both, the bytes are right.
async fn twice_at_once(store: &Store) -> Result<(), String> {
    for round in 0..4_u64 {
        let body = bytes(2_500_000, 400 + round);
        let (upload, mut offset) = (store.begin("twice").await?, 0);
        for chunk in body.chunks(1_000_000) {
            let (one, two) = tokio::join!(
                store.chunk(&upload, offset, chunk),
                store.chunk(&upload, offset, chunk)
            );
            for added in [one, two] {
                if let Err(error) = added
                    && error.code != ErrorCode::Busy
                {
                    return Err(format!("a chunk that came twice at once fails with {error}"));
                }
            }
            let received =
                store.chunk(&upload, offset, chunk).await.map_err(|error| text(&error))?;
            offset += chunk.len() as u64;
            same("what was received", received, offset)?;
        }
        store
            .finish(&upload, offset, Some(Digest::of(&body)))
            .await
            .map_err(|error| text(&error))?;
        same_bytes("the blob", &store.get("twice").await?.body, &body)?;
    }
    same("whether it was there", store.delete("twice").await?, true)
}

async fn uneven(store: &Store) -> Result<(), String> {
    let body = bytes(1_500_000, 8);
    let upload = store.begin("uneven").await?;
    let (mut offset, mut length) = (0_usize, 1_usize);
    while offset < body.len() {
        let end = (offset + length).min(body.len());
        let chunk = body.get(offset..end).unwrap_or_default();
        let received =
            store.chunk(&upload, offset as u64, chunk).await.map_err(|error| text(&error))?;
        same("what was received", received, end as u64)?;
        (offset, length) = (end, length * 3 + 1);
    }
    store
        .finish(&upload, body.len() as u64, Some(Digest::of(&body)))
        .await
        .map_err(|error| text(&error))?;
    same_bytes("the blob", &store.get("uneven").await?.body, &body)?;
    for offset in (0..body.len()).step_by(177_777) {
        let part = store.part("uneven", offset as u64, Some(1_000)).await?;
        let wanted = body.get(offset..(offset + 1_000).min(body.len())).unwrap_or_default();
        same_bytes("a part", &part.body, wanted)?;
    }
    same("whether it was there", store.delete("uneven").await?, true)
}

async fn gaps(store: &Store) -> Result<(), String> {
    let upload = store.begin("gaps").await?;
    let gap = store.chunk(&upload, 1, b"b").await;
    fails("a chunk after nothing", gap, &[ErrorCode::BadRequest])?;
    store.chunk(&upload, 0, b"abc").await.map_err(|error| text(&error))?;
    for offset in [1, 2, 4, u64::MAX - 9] {
        let chunk = store.chunk(&upload, offset, b"xyz").await;
        fails(&format!("a chunk of 3 at {offset} after 3"), chunk, &[ErrorCode::BadRequest])?;
    }
    same("a part again", store.chunk(&upload, 1, b"b").await.map_err(|error| text(&error))?, 3)?;
    same("the next", store.chunk(&upload, 3, b"d").await.map_err(|error| text(&error))?, 4)?;
    store.finish(&upload, 4, Some(Digest::of(b"abcd"))).await.map_err(|error| text(&error))?;
    same("the blob", store.get("gaps").await?.body, b"abcd".to_vec())?;
    same("whether it was there", store.delete("gaps").await?, true)
}

async fn wrong_size(store: &Store) -> Result<(), String> {
    let upload = store.begin("size").await?;
    store.chunk(&upload, 0, b"abc").await.map_err(|error| text(&error))?;
    for size in [0, 2, 4] {
        let ended = store.finish(&upload, size, None).await;
        fails(&format!("the size {size} of 3"), ended, &[ErrorCode::BadRequest])?;
    }
    store.chunk(&upload, 3, b"d").await.map_err(|error| text(&error))?;
    same("the size", store.finish(&upload, 4, None).await.map_err(|error| text(&error))?.size, 4)?;
    same("the blob", store.get("size").await?.body, b"abcd".to_vec())?;
    not_found("an upload that has ended", store.chunk(&upload, 4, b"e").await, "upload")?;
    not_found("an upload that has ended", store.finish(&upload, 4, None).await, "upload")?;
    same("whether it was there", store.delete("size").await?, true)
}

async fn wrong_digest(store: &Store) -> Result<(), String> {
    store.put("digest", b"before").await?;
    let upload = store.begin("digest").await?;
    store.chunk(&upload, 0, b"abc").await.map_err(|error| text(&error))?;
    let ended = store.finish(&upload, 3, Some(Digest::of(b"abd"))).await;
    fails("another digest", ended, &[ErrorCode::BadRequest])?;
    not_found("the upload afterwards", store.chunk(&upload, 3, b"d").await, "upload")?;
    same("the blob", store.get("digest").await?.body, b"before".to_vec())?;
    same("whether it was there", store.delete("digest").await?, true)
}

async fn empty(store: &Store) -> Result<(), String> {
    let upload = store.begin("no-bytes").await?;
    let info =
        store.finish(&upload, 0, Some(Digest::of(b""))).await.map_err(|error| text(&error))?;
    same("the size", info.size, 0)?;
    same("the bytes", store.get("no-bytes").await?.body.len(), 0)?;
    same("whether it was there", store.delete("no-bytes").await?, true)
}

async fn unseen(store: &Store) -> Result<(), String> {
    let upload = store.begin("unseen/it").await?;
    store.chunk(&upload, 0, b"abc").await.map_err(|error| text(&error))?;
    same("the info", store.info("unseen/it").await?, None)?;
    same("the part", store.get("unseen/it").await?.info, None)?;
    same("the list", store.list("unseen", None, None).await?.blobs.len(), 0)?;
    let upload = Upload { upload };
    ask::<Empty>(&store.link, operation::ABORT_PUT, &upload).await?;
    let listed = store.list("", None, Some(1_000)).await?;
    same("what is left", listed.blobs.len(), 0)
}

async fn aborted(store: &Store) -> Result<(), String> {
    let upload = store.begin("aborted").await?;
    store.chunk(&upload, 0, &bytes(300_000, 9)).await.map_err(|error| text(&error))?;
    let ask_abort = Upload { upload: upload.clone() };
    ask::<Empty>(&store.link, operation::ABORT_PUT, &ask_abort).await?;
    ask::<Empty>(&store.link, operation::ABORT_PUT, &ask_abort).await?;
    not_found("put_chunk after it", store.chunk(&upload, 300_000, b"d").await, "upload")?;
    not_found("finish_put after it", store.finish(&upload, 300_000, None).await, "upload")?;
    same("the blob", store.info("aborted").await?, None)
}

async fn foreign(store: &Store, other: &Link) -> Result<(), String> {
    let upload = store.begin("mine").await?;
    store.chunk(&upload, 0, b"abc").await.map_err(|error| text(&error))?;
    let theirs = Store { link: other.clone(), container: store.container.clone() };
    not_found("put_chunk of another", theirs.chunk(&upload, 3, b"d").await, "upload")?;
    not_found("finish_put of another", theirs.finish(&upload, 3, None).await, "upload")?;
    let abort = Upload { upload: upload.clone() };
    ask::<Empty>(other, operation::ABORT_PUT, &abort).await?;
    store.finish(&upload, 3, Some(Digest::of(b"abc"))).await.map_err(|error| text(&error))?;
    // One that has become a blob can't be forgotten any more.
    ask::<Empty>(&store.link, operation::ABORT_PUT, &abort).await?;
    same("the blob", store.get("mine").await?.body, b"abc".to_vec())?;
    same("whether it was there", store.delete("mine").await?, true)
}

async fn no_tokens(store: &Store) -> Result<(), String> {
    let real = store.begin("tokens").await?;
    let (last, rest) = (real.len() - 1, real.get(..real.len() - 1).unwrap_or_default());
    let mut wrong: Vec<String> =
        ["u", "*", "../../x", "a.b.c", ">", "ünï", "a b", "%2e%2e/x"].map(str::to_owned).into();
    wrong.push("u".repeat(limits::TOKEN_BYTES_MAX));
    wrong.push(format!(
        "{rest}{}",
        if real.as_bytes().get(last) == Some(&b'0') { '1' } else { '0' }
    ));
    wrong.push(format!("{rest}*"));
    for token in wrong {
        let what = format!("the token {token:?}");
        not_found(&what, store.chunk(&token, 0, b"a").await, "upload")?;
        not_found(&what, store.finish(&token, 0, None).await, "upload")?;
        ask::<Empty>(&store.link, operation::ABORT_PUT, &Upload { upload: token }).await?;
    }
    ask::<Empty>(&store.link, operation::ABORT_PUT, &Upload { upload: real }).await.map(drop)
}

async fn too_large(store: &Store) -> Result<(), String> {
    let begin = BeginPut {
        container: store.container.clone(),
        name: "huge".into(),
        size: Some(u64::MAX),
        content_type: None,
        metadata: BTreeMap::new(),
    };
    let begun = store.link.ask::<Upload>(operation::BEGIN_PUT, &begin).await;
    fails("a blob of 2^64 bytes", begun, &[ErrorCode::LimitExceeded]).map(drop)
}

async fn at_once(store: &Store) -> Result<(), String> {
    let one = |n: u64| async move {
        let body = bytes(700_000, 300 + n);
        let upload = store.begin("uploads").await?;
        store
            .chunk(&upload, 0, body.get(..500_000).unwrap_or_default())
            .await
            .map_err(|error| text(&error))?;
        store
            .chunk(&upload, 500_000, body.get(500_000..).unwrap_or_default())
            .await
            .map_err(|error| text(&error))?;
        let info: Info = store
            .finish(&upload, 700_000, Some(Digest::of(&body)))
            .await
            .map_err(|error| text(&error))?;
        Ok::<_, String>((info.version, body))
    };
    let done = futures_util::future::try_join_all((0..6).map(one)).await?;
    let part = store.get("uploads").await?;
    let version = some("the info", part.info)?.version;
    let winner = done.iter().find(|(one, _)| *one == version);
    let (_, body) = some("the upload whose version is seen", winner)?;
    same_bytes("the blob", &part.body, body)?;
    same("whether it was there", store.delete("uploads").await?, true)
}
