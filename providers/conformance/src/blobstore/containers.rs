//! Containers, and that tenants see none of each other's.

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Existed;
use lattice_protocol::contract::blobstore::{
    BeginPut, Blobs, Container, Containers, Found, Get, Info, List, ListContainers, Part, Upload,
    operation,
};

use super::shared::Store;
use crate::checks::{ask, fails, not_found, same, unique};
use crate::{Link, Report};

pub(super) async fn suite(report: &mut Report, store: &Store) {
    report.check("a container is there, or not, and says so", comes_and_goes(&store.link)).await;
    report.check("containers are listed in order, in pages", listed(&store.link)).await;
    report.check("a container with blobs is not deleted", kept(store)).await;
    report.check("what needs a container says that there is none", missing(&store.link)).await;
}

async fn asked(link: &Link, operation: &str, container: &str) -> Result<bool, String> {
    let container = Container { container: container.to_owned() };
    Ok(ask::<Existed>(link, operation, &container).await?.existed)
}

async fn comes_and_goes(link: &Link) -> Result<(), String> {
    let name = unique("comes");
    for (operation, existed) in [
        (operation::CONTAINER_EXISTS, false),
        (operation::DELETE_CONTAINER, false),
        (operation::CREATE_CONTAINER, false),
        (operation::CREATE_CONTAINER, true),
        (operation::CONTAINER_EXISTS, true),
        (operation::DELETE_CONTAINER, true),
        (operation::CONTAINER_EXISTS, false),
    ] {
        same(operation, asked(link, operation, &name).await?, existed)?;
    }
    Ok(())
}

async fn all(link: &Link, limit: u32) -> Result<Vec<String>, String> {
    let (mut names, mut cursor) = (Vec::new(), None);
    for _ in 0..1_000 {
        let list = ListContainers { cursor, limit: Some(limit) };
        let page: Containers = ask(link, operation::LIST_CONTAINERS, &list).await?;
        if page.containers.len() > limit as usize {
            return Err(format!("a page of {limit} has {}", page.containers.len()));
        }
        names.extend(page.containers);
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(names);
        }
    }
    Err("the pages have no end".to_owned())
}

async fn listed(link: &Link) -> Result<(), String> {
    let base = unique("list");
    let names: Vec<String> = (0..5).map(|n| format!("{base}-{n}")).collect();
    for name in names.iter().rev() {
        asked(link, operation::CREATE_CONTAINER, name).await?;
    }
    let found = all(link, 2).await?;
    same("the order", found.is_sorted(), true)?;
    let ours: Vec<String> = found.into_iter().filter(|name| name.starts_with(&base)).collect();
    same("the list", &ours, &names)?;
    for name in &names {
        same("whether it was there", asked(link, operation::DELETE_CONTAINER, name).await?, true)?;
    }
    let left = all(link, 1_000).await?.into_iter().any(|name| name.starts_with(&base));
    same("whether deleted ones are listed", left, false)
}

async fn kept(store: &Store) -> Result<(), String> {
    let store = Store { container: unique("kept"), ..store.clone() };
    store.create().await?;
    store.put("a/b", b"1").await?;
    let container = Container { container: store.container.clone() };
    let deleted = store.link.ask::<Existed>(operation::DELETE_CONTAINER, &container).await;
    fails("deleting a container with a blob", deleted, &[ErrorCode::BadRequest])?;
    same("the blob", store.get("a/b").await?.body, b"1".to_vec())?;
    same("whether the blob was there", store.delete("a/b").await?, true)?;
    let deleted = asked(&store.link, operation::DELETE_CONTAINER, &store.container).await?;
    same("whether the empty container was there", deleted, true)
}

async fn missing(link: &Link) -> Result<(), String> {
    let store = Store { link: link.clone(), container: unique("none") };
    let put = store.a_put("a", b"1");
    not_found("put", link.ask::<Info>(operation::PUT, &put).await, "container")?;
    let blob = store.blob("a");
    let found = link.ask::<Found>(operation::INFO, &blob).await;
    not_found("info", found, "container")?;
    let deleted = link.ask::<Existed>(operation::DELETE, &blob).await;
    not_found("delete", deleted, "container")?;
    let get = Get { container: store.container.clone(), name: "a".into(), offset: 0, length: None };
    let got = link.ask::<Part>(operation::GET, &get).await;
    not_found("get", got, "container")?;
    let list = List {
        container: store.container.clone(),
        prefix: String::new(),
        cursor: None,
        limit: None,
    };
    let listed = link.ask::<Blobs>(operation::LIST, &list).await;
    not_found("list", listed, "container")?;
    let begin = BeginPut {
        container: store.container.clone(),
        name: "a".into(),
        size: None,
        content_type: None,
        metadata: Default::default(),
    };
    let begun = link.ask::<Upload>(operation::BEGIN_PUT, &begin);
    not_found("begin_put", begun.await, "container")
}

/// Another tenant has containers of the same name, with blobs of its own.
pub(super) async fn tenants(store: &Store, other: &Link) -> Result<(), String> {
    let name = &store.container;
    store.put("ours", b"1").await?;
    same("whether it exists", asked(other, operation::CONTAINER_EXISTS, name).await?, false)?;
    let theirs = all(other, 1_000).await?;
    same("whether it is listed", theirs.contains(name), false)?;
    let theirs = Store { link: other.clone(), container: name.clone() };
    theirs.create().await?;
    same("our blob", theirs.get("ours").await?.info, None)?;
    theirs.put("ours", b"2").await?;
    same("our bytes", store.get("ours").await?.body, b"1".to_vec())?;
    same("their blobs", theirs.list("", None, None).await?.blobs.len(), 1)?;
    theirs.delete("ours").await?;
    asked(other, operation::DELETE_CONTAINER, name).await?;
    same("our bytes afterwards", store.get("ours").await?.body, b"1".to_vec())?;
    store.delete("ours").await.map(drop)
}
