//! A map that is read on the way of calls without a lock, and of which a change copies a small part only: with many
//! thousand entries, to copy all of it for each one that comes would take longer each time.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::limits;

/// The map. One task writes, any may read.
pub(crate) struct Shards<K, V> {
    parts: Box<[ArcSwap<HashMap<K, V>>]>,
    hasher: RandomState,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let parts = (0..limits::SHARDS).map(|_| ArcSwap::default()).collect();
        Self { parts, hasher: RandomState::new() }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    fn part<Q: Hash + ?Sized>(&self, key: &Q) -> Option<&ArcSwap<HashMap<K, V>>> {
        let number = self.hasher.hash_one(key) % self.parts.len().max(1) as u64;
        usize::try_from(number).ok().and_then(|number| self.parts.get(number))
    }

    /// Returns the value at `key`.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.part(key)?.load().get(key).cloned()
    }

    /// Puts a value at `key`.
    pub fn insert(&self, key: K, value: V) {
        let Some(part) = self.part(&key) else { return };
        let mut changed = HashMap::clone(&part.load());
        changed.insert(key, value);
        part.store(Arc::new(changed));
    }

    /// Takes the value at `key` out.
    pub fn remove(&self, key: &K) {
        let Some(part) = self.part(key) else { return };
        let mut changed = HashMap::clone(&part.load());
        if changed.remove(key).is_some() {
            part.store(Arc::new(changed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found_until_it_is_taken_out() {
        let map = Shards::default();
        for number in 0..2_000_u32 {
            map.insert(number, number * 2);
        }
        map.insert(7, 8);
        map.remove(&9);
        assert_eq!((map.get(&7), map.get(&9), map.get(&1_999)), (Some(8), None, Some(3_998)));
    }
}
