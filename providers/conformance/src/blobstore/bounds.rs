//! Messages that the contract does not allow.

use std::collections::BTreeMap;

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::blobstore::{Container, Get, List, Put, operation};
use lattice_protocol::contract::limits::blobstore as limits;

use super::shared::Store;
use crate::checks::{fails, refused};
use crate::{Link, Report};

const BAD: &[ErrorCode] = &[ErrorCode::BadRequest];
const LARGE: &[ErrorCode] = &[ErrorCode::TooLarge];

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("names that could lead elsewhere are refused", names(store)).await;
    report.check("what exceeds its bound is refused", bounds(store)).await;
    report.check("messages that are none are refused", malformed(&store.link)).await;
    report.check("an unknown operation is refused", unknown(&store.link)).await;
}

async fn names(store: &Store) -> Result<(), String> {
    let link = &store.link;
    for name in [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        "..",
        ".",
        "../a",
        "a/../../b",
        "a/./b",
        "a\0b",
        "a\nb",
    ] {
        refused(link, operation::PUT, &store.a_put(name, b"1"), BAD).await?;
        refused(link, operation::INFO, &store.blob(name), BAD).await?;
        refused(link, operation::DELETE, &store.blob(name), BAD).await?;
    }
    for container in ["", "ab", "Abc", "a_b", "a.b.c", "../x", "a/b", "-abc", "abc-", "ab*", "ab>"]
    {
        let container = Container { container: container.to_owned() };
        for operation in
            [operation::CREATE_CONTAINER, operation::DELETE_CONTAINER, operation::CONTAINER_EXISTS]
        {
            refused(link, operation, &container, BAD).await?;
        }
        let get = Get { container: container.container, name: "a".into(), offset: 0, length: None };
        refused(link, operation::GET, &get, BAD).await?;
    }
    Ok(())
}

async fn bounds(store: &Store) -> Result<(), String> {
    let link = &store.link;
    let put = || store.a_put("bounds", b"1");
    let long = "n".repeat(limits::BLOB_NAME_BYTES_MAX + 1);
    refused(link, operation::PUT, &store.a_put(&long, b"1"), LARGE).await?;
    let body = vec![0; limits::CHUNK_BYTES_MAX + 1];
    refused(link, operation::PUT, &store.a_put("bounds", &body), LARGE).await?;
    let content_type = Some("t".repeat(limits::CONTENT_TYPE_BYTES_MAX + 1));
    refused(link, operation::PUT, &Put { content_type, ..put() }, LARGE).await?;
    let with = |key: &str, value: &str| Put {
        metadata: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..put()
    };
    let value = "v".repeat(limits::METADATA_BYTES_MAX);
    refused(link, operation::PUT, &with("k", &value), LARGE).await?;
    for (key, value) in [("", "v"), ("a b", "v"), ("a:b", "v"), ("k", "a\r\nb")] {
        refused(link, operation::PUT, &with(key, value), BAD).await?;
    }
    let container = store.container.clone();
    let list = List { container, prefix: String::new(), cursor: Some(String::new()), limit: None };
    refused(link, operation::LIST, &list, BAD).await?;
    let container = Container { container: "c".repeat(limits::CONTAINER_NAME_BYTES_MAX + 1) };
    refused(link, operation::CREATE_CONTAINER, &container, LARGE).await?;
    match store.info("bounds").await? {
        None => Ok(()),
        Some(_) => Err("what was refused was stored".to_owned()),
    }
}

async fn malformed(link: &Link) -> Result<(), String> {
    for bytes in [
        &b""[..],
        b"\xc0",
        b"\x80",
        b"\x90",
        b"\xc1",
        b"\x81",
        b"not msgpack",
        b"\x81\xa9container\x01",
    ] {
        for operation in [operation::PUT, operation::GET, operation::PUT_CHUNK, operation::LIST] {
            let answer = link.raw(operation, bytes.to_vec()).await;
            fails(&format!("{operation} of {bytes:02x?}"), answer, BAD)?;
        }
    }
    Ok(())
}

async fn unknown(link: &Link) -> Result<(), String> {
    for operation in ["nothing", "Put", "put ", "GET"] {
        let answer = link.raw(operation, b"\x80".to_vec()).await;
        fails(operation, answer, BAD)?;
    }
    Ok(())
}
