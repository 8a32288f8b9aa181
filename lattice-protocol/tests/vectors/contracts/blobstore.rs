//! Messages of `mesh:blobstore`.

use std::collections::BTreeMap;

use lattice_protocol::contract::blobstore;
use lattice_protocol::names::Digest;

use super::{edge, text};
use crate::edge::Edge;

/// Returns all of them.
pub fn all() -> Vec<Edge> {
    [uploads(), blobs()].concat()
}

fn facts() -> BTreeMap<String, String> {
    [("owner".to_owned(), "ada".to_owned())].into()
}

fn uploads() -> Vec<Edge> {
    let (container, name) = (|| "photos".to_owned(), || "2026/cat.png".to_owned());
    let put = blobstore::Put {
        container: container(),
        name: name(),
        body: b"meow".to_vec(),
        content_type: text("image/png"),
        metadata: facts(),
    };
    let begin = blobstore::BeginPut {
        container: container(),
        name: name(),
        size: Some(4),
        content_type: text("image/png"),
        metadata: facts(),
    };
    let upload = blobstore::Upload { upload: "u-1".into() };
    let chunk = blobstore::PutChunk { upload: "u-1".into(), offset: 2, body: b"ow".to_vec() };
    let finish =
        blobstore::FinishPut { upload: "u-1".into(), size: 4, digest: Some(Digest::of(b"meow")) };
    vec![
        edge("put_request", "a small blob", "blobstore.Put", &put),
        edge("put_response", "what is known about it", "blobstore.Info", &info()),
        edge("begin_put_request", "a large one", "blobstore.BeginPut", &begin),
        edge("begin_put_response", "the token", "blobstore.Upload", &upload),
        edge("put_chunk_request", "the second chunk", "blobstore.PutChunk", &chunk),
        edge(
            "put_chunk_response",
            "where the next begins",
            "blobstore.Received",
            &blobstore::Received { received: 4 },
        ),
        edge("finish_put_request", "with what it must be", "blobstore.FinishPut", &finish),
    ]
}

fn info() -> blobstore::Info {
    blobstore::Info {
        name: "2026/cat.png".into(),
        size: 4,
        version: "9".into(),
        modified_at_ms: 1_800_000_000_000,
        digest: Some(Digest::of(b"meow")),
        content_type: text("image/png"),
        metadata: facts(),
    }
}

fn blobs() -> Vec<Edge> {
    let container = || "photos".to_owned();
    let name = || "2026/cat.png".to_owned();
    let get =
        blobstore::Get { container: container(), name: name(), offset: 2, length: Some(1_000) };
    let part = blobstore::Part { info: Some(info()), body: b"ow".to_vec() };
    let containers = blobstore::ListContainers { cursor: text("AQ"), limit: Some(10) };
    let list = blobstore::List {
        container: container(),
        prefix: "2026/".into(),
        cursor: text("AQ"),
        limit: Some(10),
    };
    let bare = blobstore::Info { digest: None, content_type: None, metadata: [].into(), ..info() };
    let listed = blobstore::Blobs { blobs: vec![bare], cursor: text("Ag") };
    let names = blobstore::Containers { containers: vec![container()], cursor: None };
    vec![
        edge(
            "create_container_request",
            "a container",
            "blobstore.Container",
            &blobstore::Container { container: container() },
        ),
        edge(
            "create_container_response",
            "it is new",
            "blobstore.Existed",
            &blobstore::Existed { existed: false },
        ),
        edge("list_containers_request", "a later page", "blobstore.ListContainers", &containers),
        edge("list_containers_response", "the last page", "blobstore.Containers", &names),
        edge("get_request", "a part", "blobstore.Get", &get),
        edge("get_response", "the part", "blobstore.Part", &part),
        edge(
            "get_response_absent",
            "there is no such blob",
            "blobstore.Part",
            &blobstore::Part::default(),
        ),
        edge(
            "info_request",
            "a blob",
            "blobstore.Blob",
            &blobstore::Blob { container: container(), name: name() },
        ),
        edge(
            "info_response",
            "it is there",
            "blobstore.Found",
            &blobstore::Found { info: Some(info()) },
        ),
        edge(
            "info_response_absent",
            "it is not",
            "blobstore.Found",
            &blobstore::Found { info: None },
        ),
        edge("list_request", "a later page", "blobstore.List", &list),
        edge("list_response", "others follow", "blobstore.Blobs", &listed),
    ]
}
