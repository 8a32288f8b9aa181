//! Leaving a subscription without losing a message.
//!
//! What async-nats offers loses messages where the link has a delay: `unsubscribe` and `drain`
//! forget the subscription before the server has heard of it, so messages that are under way
//! arrive for nobody. Leaving takes two steps that must not be one: the server stops sending,
//! and only when all that it had sent is read does the client forget.
//!
//! The first step alone is asked for by `UNSUB <sid> <max>` with a `max` that the client will never
//! reach and that the server does not accept as a number (it reads at most nine digits): the
//! server then unsubscribes at once, the client keeps the subscription open. A fence through the
//! same connection (`mux.rs`) tells when all that was sent has arrived. The tests run this against
//! a real server and would notice a server that reads more digits.

use std::time::Duration;

use async_nats::Subscriber;

use crate::lattice::Lattice;
use crate::limits;

/// More digits than the server reads; more messages than a client ever counts.
const STOP_SENDING: u64 = u64::MAX;

/// Makes the server stop sending, and returns when everything that it had sent waits in
/// `subscriber`. Returns whether the fence came back in time; where it did not, the connection is
/// lost or the server too slow, and what is still under way is lost with it.
pub(crate) async fn stop_sending(lattice: &Lattice, subscriber: &mut Subscriber) -> bool {
    let bound = Duration::from_millis(limits::FENCE_TIMEOUT_MS);
    let stop = async {
        if subscriber.unsubscribe_after(STOP_SENDING).await.is_err() {
            return false;
        }
        lattice.mux().fence(lattice.nats()).await.is_ok()
    };
    tokio::time::timeout(bound, stop).await.unwrap_or(false)
}
