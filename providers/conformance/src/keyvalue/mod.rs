//! What each backend of `mesh:keyvalue` must do.
//!
//! Every key is one of this run alone, so that the suite may run again and again on a store that is
//! in use; what it wrote is removed at its end.

mod conditions;
mod counters;
mod desk;
mod hostile;
mod isolation;
mod life;
mod listing;
mod lists;
mod pack;
mod races;
mod sets;
mod sorts;
mod values;

use std::time::Duration;

use crate::{Link, Report};
use desk::Desk;

/// Time that one check may take: a store that hangs fails it.
const CHECK_TIMEOUT_MS: u64 = 60_000;

/// What a check finds: nothing, or what was wrong.
type Outcome = Result<(), String>;

/// Examines the store that `link` leads to. `other` leads to the same store as somebody else: it has
/// another prefix.
pub async fn suite(link: &Link, other: &Link) -> Report {
    let mut report = Report::default();
    let desk = Desk::new(link);
    values::checks(&mut report, &desk).await;
    conditions::checks(&mut report, &desk).await;
    counters::checks(&mut report, &desk).await;
    life::checks(&mut report, &desk).await;
    lists::checks(&mut report, &desk).await;
    sets::checks(&mut report, &desk).await;
    sorts::checks(&mut report, &desk).await;
    listing::checks(&mut report, &desk).await;
    races::checks(&mut report, &desk).await;
    hostile::checks(&mut report, &desk).await;
    isolation::checks(&mut report, &desk, &desk.beside(other)).await;
    check(&mut report, "what the suite wrote can be removed", desk.tidy()).await;
    report
}

/// Examines whether links that share nothing see nothing of each other: those of two actors, or two of
/// one actor, none of which names a prefix.
pub async fn strangers(link: &Link, other: &Link) -> Report {
    let mut report = Report::default();
    let desk = Desk::new(link);
    isolation::checks(&mut report, &desk, &desk.beside(other)).await;
    check(&mut report, "what the suite wrote can be removed", desk.tidy()).await;
    report
}

/// Runs one check within its bound.
async fn check(report: &mut Report, name: &'static str, check: impl Future<Output = Outcome>) {
    let bound = Duration::from_millis(CHECK_TIMEOUT_MS);
    let bounded = async {
        let late = || Err(format!("it was not done within {} ms", bound.as_millis()));
        tokio::time::timeout(bound, check).await.unwrap_or_else(|_| late())
    };
    report.check(name, bounded).await;
}
