//! Ctrl-C, for runs that take long: once ends a run in order, twice at once.

use tokio_util::sync::CancellationToken;

/// Ends the run in order at the first Ctrl-C, and at once at the second: no process outlives this
/// one either way.
pub async fn end_on_signals(in_order: CancellationToken, at_once: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_ok() {
        eprintln!("  ending after this round; once more to end at once");
        in_order.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            at_once.cancel();
        }
    }
}
