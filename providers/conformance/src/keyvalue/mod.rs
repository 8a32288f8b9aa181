//! `mesh:keyvalue`.

mod bounds;
mod counters;
mod keys;
mod lists;
mod sets;
mod store;
mod tenants;
mod values;

use crate::checks::unique;
use crate::{Link, Report};
use store::Store;

/// Examines a provider. `other` is a link of another tenant to the same store.
pub async fn suite(link: &Link, other: &Link) -> Report {
    let mut report = Report::default();
    let store = Store { link: link.clone(), run: unique("run") };
    Box::pin(values::suite(&mut report, &store)).await;
    Box::pin(counters::suite(&mut report, &store)).await;
    Box::pin(keys::suite(&mut report, &store)).await;
    Box::pin(lists::suite(&mut report, &store)).await;
    Box::pin(sets::suite(&mut report, &store)).await;
    Box::pin(bounds::suite(&mut report, &store)).await;
    Box::pin(tenants::suite(&mut report, &store, other)).await;
    report
}
