//! Whether a provider is still there that owes an answer and may know nothing of `watch.rs`.
//!
//! NATS tells a caller at once when nobody listens, and nothing when somebody took the call and
//! died. So while an answer takes long the provider's subject is asked whether anybody listens, and
//! if not, everybody whether they still finish calls of the provider: one that drains does so
//! without listening.

use std::time::{Duration, Instant};

use bytes::Bytes;
use lattice_protocol::keys::ProviderKey;
use lattice_protocol::{Invocation, InvocationId, reserved};
use tokio::sync::Mutex;

use crate::lattice::Lattice;
use crate::limits;
use crate::mux::RequestError;

/// What was found out last: many calls wait for one provider, and one of them asks.
#[derive(Default)]
pub(crate) struct LastLook(Mutex<Option<Look>>);

struct Look {
    key: ProviderKey,
    began: Instant,
    /// When it was found out.
    at: Instant,
    gone: bool,
}

impl Lattice {
    /// Returns when nobody is there any more that could answer a call of `provider`, whose calls
    /// are heard on `subject`, as far as it was sent by `since`. The call is [`limits::LOOK_AFTER_MS`] old.
    pub(super) async fn gone(
        &self,
        provider: &ProviderKey,
        subject: &async_nats::Subject,
        since: Instant,
    ) {
        let interval = limits::GONE_LOOK_INTERVAL_MS;
        let mut pause = Duration::from_millis(interval.saturating_sub(limits::LOOK_AFTER_MS));
        loop {
            tokio::time::sleep(pause).await;
            pause = Duration::from_millis(interval);
            let mut last = self.last_look().0.lock().await;
            let fresh = Duration::from_millis(limits::GONE_LOOK_VALID_MS);
            let known = match &*last {
                // What was looked for before the call was sent says nothing of it.
                Some(Look { key, began, at, gone })
                    if key == provider && at.elapsed() < fresh && *began >= since =>
                {
                    Some(*gone)
                }
                _ => None,
            };
            let gone = match known {
                Some(gone) => gone,
                None => {
                    let began = Instant::now();
                    let gone = self.look(provider, subject).await;
                    let (key, at) = (provider.clone(), Instant::now());
                    *last = Some(Look { key, began, at, gone });
                    gone
                }
            };
            if gone {
                return;
            }
        }
    }

    async fn look(&self, provider: &ProviderKey, subject: &async_nats::Subject) -> bool {
        let id = InvocationId::generate();
        let ping = Invocation::new(id, provider.as_str(), reserved::PING, &[]).encode();
        let Ok(ping) = ping.map(Bytes::from) else { return false };
        let wait = Duration::from_millis(limits::GONE_LOOK_WAIT_MS);
        let asked = self.mux().request(self.nats(), subject.clone(), None, ping);
        if !matches!(tokio::time::timeout(wait, asked).await, Ok(Err(RequestError::NoResponders))) {
            return false;
        }
        let Ok(told) = self.providers(wait).await else { return false };
        !told.iter().flat_map(|one| &one.running).any(|one| one.key == *provider)
    }
}
