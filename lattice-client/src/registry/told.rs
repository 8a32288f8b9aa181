//! What a watch tells its reader of what it reads: a decision over revisions, without I/O.

use std::collections::HashMap;

use bytes::Bytes;
use lattice_protocol::subjects::RegistryKey;

use super::Change;

/// The last entry of a key, as a list or a watch brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key in the bucket.
    pub key: String,
    /// The record; none where the key was deleted.
    pub value: Option<Bytes>,
    /// Revision of the key.
    pub at: u64,
}

/// What the reader of a watch was told: the revision of each key that is there.
#[derive(Debug, Default)]
pub struct Told(HashMap<String, u64>);

impl Told {
    /// Returns what is news in a list of every key, and which keys the list lacks though the
    /// reader knows them: each is to be looked up, and [`Told::missing`] to be told of it.
    pub fn listed(&mut self, entries: Vec<Entry>) -> (Vec<Change>, Vec<(String, u64)>) {
        let mut gone = std::mem::take(&mut self.0);
        let mut changes = Vec::new();
        for entry in entries {
            let before = gone.remove(&entry.key);
            // Any other revision is news, a lower one too: the registry may have been made anew.
            let known = before == Some(entry.at);
            changes.extend(self.tell(entry, before.is_some(), known));
        }
        let mut gone: Vec<_> = gone.into_iter().collect();
        gone.sort();
        (changes, gone)
    }

    /// Returns whether this very record was told: nothing will be told of it, whatever is in it.
    pub fn knows(&self, key: &str, at: u64) -> bool {
        self.0.get(key) == Some(&at)
    }

    /// Takes in whether a key that a list lacked `is_there` all the same.
    pub fn missing(&mut self, key: String, at: u64, is_there: bool) -> Option<Change> {
        // Whoever is told that a record is gone stops serving it: a list that ran while the key
        // was written is not reason enough.
        if is_there {
            self.0.insert(key, at);
            return None;
        }
        let key = key.parse().ok()?;
        Some(Change::Removed { key, at: 0 })
    }

    /// Returns what is news in an entry that came after the last list.
    pub fn came(&mut self, entry: Entry) -> Option<Change> {
        let before = self.0.get(&entry.key).copied();
        let known = before.is_some_and(|at| at >= entry.at);
        self.tell(entry, before.is_some(), known)
    }

    fn tell(&mut self, entry: Entry, was_there: bool, known: bool) -> Option<Change> {
        let Entry { key, value, at } = entry;
        // Kinds of records that this version does not know are nobody's business here.
        let parsed = key.parse::<RegistryKey>().ok()?;
        let Some(value) = value else {
            self.0.remove(&key);
            return was_there.then_some(Change::Removed { key: parsed, at });
        };
        if known {
            self.0.entry(key).or_insert(at);
            return None;
        }
        self.0.insert(key, at);
        Some(Change::Put { key: parsed, value, at })
    }
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::ActorKey;

    use super::*;

    fn entry(key: &RegistryKey, at: u64, there: bool) -> Entry {
        Entry { key: key.to_string(), value: there.then(|| Bytes::from_static(b"record")), at }
    }

    fn put(key: &RegistryKey, at: u64) -> Change {
        Change::Put { key: key.clone(), value: Bytes::from_static(b"record"), at }
    }

    fn key() -> RegistryKey {
        RegistryKey::Actor(ActorKey::generate().unwrap().0)
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let (one, mut told) = (key(), Told::default());
        assert_eq!(told.listed(vec![entry(&one, 3, true)]), (vec![put(&one, 3)], vec![]));
        assert_eq!(told.listed(vec![entry(&one, 3, true)]), (vec![], vec![]));
        assert_eq!(told.came(entry(&one, 3, true)), None);
        assert_eq!(told.came(entry(&one, 4, true)), Some(put(&one, 4)));
        assert_eq!(told.listed(vec![entry(&one, 4, true)]), (vec![], vec![]));
    }

    #[test]
    fn a_list_of_a_registry_that_was_made_anew_is_news() {
        let (one, mut told) = (key(), Told::default());
        told.listed(vec![entry(&one, 9, true)]);
        assert_eq!(told.listed(vec![entry(&one, 1, true)]).0, [put(&one, 1)]);
        assert_eq!(told.came(entry(&one, 2, true)), Some(put(&one, 2)));
    }

    #[test]
    fn a_deletion_is_told_once() {
        let (one, mut told) = (key(), Told::default());
        assert_eq!(told.came(entry(&one, 1, false)), None, "nobody knew it");
        told.came(entry(&one, 2, true));
        let removed = Change::Removed { key: one.clone(), at: 3 };
        assert_eq!(told.came(entry(&one, 3, false)), Some(removed));
        assert_eq!(told.came(entry(&one, 3, false)), None);
        told.came(entry(&one, 4, true));
        let removed = Change::Removed { key: one.clone(), at: 5 };
        assert_eq!(told.listed(vec![entry(&one, 5, false)]), (vec![removed], vec![]));
    }

    #[test]
    fn what_a_list_lacks_is_gone_only_if_nobody_else_finds_it() {
        let (one, mut told) = (key(), Told::default());
        told.came(entry(&one, 2, true));
        let (changes, missing) = told.listed(Vec::new());
        assert_eq!((changes, &missing), (vec![], &vec![(one.to_string(), 2)]));
        assert_eq!(told.missing(one.to_string(), 2, true), None);
        assert_eq!(told.listed(Vec::new()).1, missing, "it is still known");
        let removed = Change::Removed { key: one.clone(), at: 0 };
        assert_eq!(told.missing(one.to_string(), 2, false), Some(removed));
        assert_eq!(told.listed(Vec::new()), (vec![], vec![]));
    }
}
