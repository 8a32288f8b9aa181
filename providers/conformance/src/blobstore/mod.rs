//! `mesh:blobstore`.

mod bounds;
mod containers;
mod lists;
mod reads;
mod shared;
mod uploads;
mod whole;

use lattice_protocol::contract::Existed;
use lattice_protocol::contract::blobstore::{Blobs, Container, List, operation};

use crate::checks::{ask, same, unique};
use crate::{Link, Report};
use shared::Store;

/// Examines a provider. `other` is a link of another tenant to the same store, where there is
/// nothing else than what others leave.
pub async fn suite(link: &Link, other: &Link) -> Report {
    let mut report = Report::default();
    let store = Store { link: link.clone(), container: unique("mesh") };
    let made = store.create().await;
    let failed = made.is_err();
    report.check("a container is made", async { made }).await;
    if failed {
        return report;
    }
    Box::pin(containers::suite(&mut report, &store)).await;
    Box::pin(whole::suite(&mut report, &store)).await;
    Box::pin(reads::suite(&mut report, &store)).await;
    Box::pin(uploads::suite(&mut report, &store, other)).await;
    Box::pin(lists::suite(&mut report, &store)).await;
    Box::pin(bounds::suite(&mut report, &store)).await;
    report.check("tenants are apart", containers::tenants(&store, other)).await;
    report.check("what was made can be removed", remove_all(&store)).await;
    report
}

/// Empties the container and removes it.
async fn remove_all(store: &Store) -> Result<(), String> {
    let list = List {
        container: store.container.clone(),
        prefix: "".into(),
        cursor: None,
        limit: Some(1_000),
    };
    for _ in 0..10 {
        let page: Blobs = ask(&store.link, operation::LIST, &list).await?;
        for blob in &page.blobs {
            store.delete(&blob.name).await?;
        }
        if page.blobs.is_empty() {
            break;
        }
    }
    let container = Container { container: store.container.clone() };
    let gone: Existed = ask(&store.link, operation::DELETE_CONTAINER, &container).await?;
    same("whether it was there", gone.existed, true)?;
    Ok(())
}
