//! Which calls this client has: taken from their subscriptions, and not handled yet.
//!
//! A caller that waits for long asks for them (`calls_held.rs`). A call that is handled in one go, as most
//! are, is never noted: it is over before anybody could ask.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::Subject;

use crate::limits;

type Shard = Mutex<HashMap<Box<str>, u32>>;

/// The calls under way of a client, by reply subject, and those who read more of them.
#[derive(Debug)]
pub(crate) struct UnderWay {
    /// How often each is under way: who sends may use a reply subject twice.
    shards: [Shard; limits::UNDER_WAY_SHARDS],
    hasher: RandomState,
    readers: Mutex<Vec<Weak<AtomicU64>>>,
    /// Batches that were handed to another thread, which has not begun all of them yet.
    batches: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while one is held; and if it did, what it guards would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl UnderWay {
    pub fn new() -> Arc<Self> {
        let shards = std::array::from_fn(|_| Shard::default());
        let (hasher, readers) = (RandomState::new(), Mutex::default());
        Arc::new(Self { shards, hasher, readers, batches: AtomicUsize::new(0) })
    }

    fn shard(&self, reply: &str) -> Option<&Shard> {
        let shards = self.shards.len() as u64;
        let number = self.hasher.hash_one(reply) % shards;
        usize::try_from(number).ok().and_then(|number| self.shards.get(number))
    }

    /// Notes that the call which is to be answered on `reply` is under way, until what is returned is
    /// dropped.
    pub fn hold(self: &Arc<Self>, reply: Option<Subject>) -> Option<Held> {
        let reply = reply?;
        *lock(self.shard(&reply)?).entry(reply.as_str().into()).or_default() += 1;
        Some(Held { of: self.clone(), reply })
    }

    /// Returns whether the call which is to be answered on `reply` is under way.
    pub fn has(&self, reply: &str) -> bool {
        self.shard(reply).is_some_and(|shard| lock(shard).contains_key(reply))
    }

    /// Notes that a batch waits to be begun, until what is returned is dropped.
    pub fn batch(self: &Arc<Self>) -> Batch {
        self.batches.fetch_add(1, Ordering::Relaxed);
        Batch(self.clone())
    }

    /// Returns what a reader of calls says of its queue.
    pub fn reader(&self) -> Reader {
        let reader = Reader(Arc::default());
        let mut readers = lock(&self.readers);
        // Those that are gone are looked for only when there is no room: each time would be quadratic.
        if readers.len() == readers.capacity() {
            readers.retain(|reader| reader.strong_count() > 0);
        }
        readers.push(Arc::downgrade(&reader.0));
        reader
    }

    /// Returns what tells when all that had reached this client by now is read.
    pub fn unread(&self) -> Unread {
        let readers = lock(&self.readers);
        // Who waits has read all.
        let now = |reader: &Weak<AtomicU64>| {
            Some(reader.upgrade()?.load(Ordering::Acquire)).filter(|now| now % 2 == 0)
        };
        Unread(readers.iter().filter_map(|it| Some((it.clone(), now(it)?))).collect())
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Held {
    of: Arc<UnderWay>,
    reply: Subject,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut calls) = self.of.shard(&self.reply).map(lock) else { return };
        if let Some(times) = calls.get_mut(self.reply.as_str()) {
            *times -= 1;
            if *times == 0 {
                calls.remove(self.reply.as_str());
            }
        }
    }
}

/// A batch of calls that has not begun.
#[derive(Debug)]
pub(crate) struct Batch(Arc<UnderWay>);

impl Drop for Batch {
    fn drop(&mut self) {
        self.0.batches.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a reader says of its queue: a number that grows each time that it finds the queue empty, and
/// is odd while it waits. Only the reader writes it.
#[derive(Debug)]
pub(crate) struct Reader(Arc<AtomicU64>);

impl Reader {
    /// The queue is empty, and all that was in it has begun or was noted.
    pub fn waits(&self) {
        let known = self.0.load(Ordering::Relaxed);
        self.0.store(known + 1 + known % 2, Ordering::Release);
    }

    /// The reader takes something from the queue.
    pub fn takes(&self) {
        let known = self.0.load(Ordering::Relaxed);
        if known % 2 == 1 {
            self.0.store(known + 1, Ordering::Release);
        }
    }
}

/// Readers that may not have read all that had reached them at some moment.
pub(crate) struct Unread(Vec<(Weak<AtomicU64>, u64)>);

impl Unread {
    /// Returns whether one of them may not have done so yet.
    pub fn is_some(&mut self, under_way: &UnderWay) -> bool {
        self.0.retain(|(reader, then)| {
            let now = reader.upgrade().map(|reader| reader.load(Ordering::Acquire));
            now.is_some_and(|now| now % 2 == 0 && now == *then)
        });
        !self.0.is_empty() || under_way.batches.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_there_until_it_was_handled_as_often_as_it_came() {
        let calls = UnderWay::new();
        let reply = Subject::from("_INBOX.a.1");
        let first = calls.hold(Some(reply.clone()));
        let second = calls.hold(Some(reply.clone()));
        drop(first);
        assert!(calls.has(&reply) && !calls.has("_INBOX.a.2"));
        drop(second);
        assert!(!calls.has(&reply));
        assert!(calls.hold(None).is_none());
    }

    #[test]
    fn what_had_arrived_is_read_once_each_reader_has_found_its_queue_empty() {
        let calls = UnderWay::new();
        let (idle, busy, leaves) = (calls.reader(), calls.reader(), calls.reader());
        idle.waits();
        let mut unread = calls.unread();
        assert!(unread.is_some(&calls));
        drop(leaves);
        assert!(unread.is_some(&calls), "one is busy still");
        // It waited meanwhile, though it reads again.
        busy.waits();
        busy.takes();
        assert!(!unread.is_some(&calls));
        let mut unread = calls.unread();
        assert!(unread.is_some(&calls), "what has arrived since is another matter");
        busy.waits();
        assert!(!unread.is_some(&calls));
    }

    #[test]
    fn a_batch_that_has_not_begun_is_unread() {
        let calls = UnderWay::new();
        let batch = calls.batch();
        assert!(calls.unread().is_some(&calls));
        drop(batch);
        assert!(!calls.unread().is_some(&calls));
    }
}
