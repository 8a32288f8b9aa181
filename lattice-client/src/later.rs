//! Replies that may wait a moment, so that many leave together: telling each of many callers by itself that there
//! is no place for its call would take the processor from the calls that have one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;

use crate::lattice::Lattice;
use crate::limits;

type Reply = (Subject, Bytes);

/// Replies that wait, and whether somebody is about to send them.
#[derive(Debug, Default)]
pub(crate) struct Later(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    replies: Vec<Reply>,
    has_sender: bool,
}

/// What became of a reply.
#[derive(Debug, PartialEq, Eq)]
enum Put {
    /// Somebody will send it.
    Waits,
    /// It waits, and nobody is there yet to send it.
    First,
    /// Too many wait already.
    Full(Reply),
}

impl Later {
    fn put(&self, reply: Reply) -> Put {
        let mut waiting = self.waiting();
        if waiting.replies.len() >= limits::LATER_REPLIES_MAX {
            return Put::Full(reply);
        }
        waiting.replies.push(reply);
        if std::mem::replace(&mut waiting.has_sender, true) { Put::Waits } else { Put::First }
    }

    /// Takes all that wait; whoever finds none sends no more.
    fn take(&self) -> Vec<Reply> {
        let mut waiting = self.waiting();
        waiting.has_sender = !waiting.replies.is_empty();
        std::mem::take(&mut waiting.replies)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lattice {
    /// Publishes a reply within about [`limits::LATER_MS`], together with others. Waits only where too many wait already.
    pub(crate) async fn publish_later(&self, to: Subject, bytes: Bytes) {
        match self.later().put((to, bytes)) {
            Put::Waits => {}
            Put::First => {
                let lattice = self.clone();
                self.tasks().spawn(async move { lattice.send_later().await });
            }
            Put::Full(reply) => self.send_reply(reply).await,
        }
    }

    async fn send_later(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(limits::LATER_MS)).await;
            let replies = self.later().take();
            if replies.is_empty() {
                return;
            }
            for reply in replies {
                self.send_reply(reply).await;
            }
        }
    }

    async fn send_reply(&self, (to, bytes): Reply) {
        if let Err(error) = self.nats().publish(to, bytes).await {
            tracing::warn!(%error, "a reply could not be sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(number: usize) -> Reply {
        (Subject::from(format!("to.{number}")), Bytes::new())
    }

    #[test]
    fn one_sender_is_there_while_replies_wait_and_none_is_forgotten() {
        let later = Later::default();
        assert_eq!(later.put(reply(1)), Put::First);
        assert_eq!(later.put(reply(2)), Put::Waits);
        assert_eq!(later.take(), [reply(1), reply(2)]);
        assert_eq!(later.put(reply(3)), Put::Waits, "the sender looks again");
        assert_eq!(later.take(), [reply(3)]);
        assert_eq!(later.take(), []);
        assert_eq!(later.put(reply(4)), Put::First, "it has gone");
    }

    #[test]
    fn what_waits_is_bounded() {
        let later = Later::default();
        for number in 0..limits::LATER_REPLIES_MAX {
            assert!(!matches!(later.put(reply(number)), Put::Full(_)));
        }
        assert_eq!(later.put(reply(0)), Put::Full(reply(0)));
        assert_eq!(later.take().len(), limits::LATER_REPLIES_MAX);
        assert_eq!(later.put(reply(0)), Put::Waits);
    }
}
