//! Ends a call at its deadline, whatever it waits for.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use crate::fault::Fault;

/// Polls `work` until it is ready, and not again once `deadline` has passed.
///
/// Code that loops comes back here at each turn. Looking at the clock before the next turn keeps
/// the expired ones from using up the turns of others. `work` is pinned by the caller, since what
/// is moved into a future takes its place there twice.
pub(crate) async fn until<T>(
    deadline: Instant,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Fault> {
    let mut begun = false;
    poll_fn(|context| {
        if begun && Instant::now() >= deadline {
            return Poll::Ready(Err(Fault::Deadline));
        }
        begun = true;
        work.as_mut().poll(context).map(Ok)
    })
    .await
}

/// Waits for what a host does for a guest, at most until `deadline`.
pub(crate) async fn wait<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| Fault::Deadline)
}
