//! The registry as its server keeps it: one revision for all keys, compare-and-set, tombstones.

use std::collections::BTreeMap;

use bytes::Bytes;
use lattice_client::registry::told::Entry;
use lattice_protocol::record::Record;
use lattice_protocol::subjects::RegistryKey;

/// The bucket.
#[derive(Default)]
pub struct Bucket {
    last: BTreeMap<String, Entry>,
    /// Every write, in the order of revisions, which count from 1.
    log: Vec<Entry>,
}

impl Bucket {
    /// Returns the revision of the newest write.
    pub fn revision(&self) -> u64 {
        self.log.len() as u64
    }

    /// Writes if the key is at `expected` (0: it never was there); returns the entry.
    pub fn write(
        &mut self,
        key: &RegistryKey,
        value: Option<Bytes>,
        expected: u64,
    ) -> Option<Entry> {
        let key = key.to_string();
        if self.last.get(&key).map_or(0, |entry| entry.at) != expected {
            return None;
        }
        let entry = Entry { key: key.clone(), value, at: self.revision() + 1 };
        self.log.push(entry.clone());
        self.last.insert(key, entry.clone());
        Some(entry)
    }

    /// Returns the last entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.last.get(key)
    }

    /// Returns the record of a key, and its revision even where there is none.
    pub fn read<R: Record>(&self, key: &RegistryKey) -> (Option<R>, u64) {
        match self.last.get(&key.to_string()) {
            None => (None, 0),
            Some(entry) => {
                let record = entry.value.as_ref().and_then(|bytes| R::decode(bytes).ok());
                (record, entry.at)
            }
        }
    }

    /// Returns the last entry of every key, as of `revision`, in the order of writes.
    pub fn list(&self, revision: u64) -> Vec<Entry> {
        if revision >= self.revision() {
            let mut entries: Vec<_> = self.last.values().cloned().collect();
            entries.sort_by_key(|entry| entry.at);
            return entries;
        }
        let mut last: BTreeMap<&str, &Entry> = BTreeMap::new();
        for entry in self.log.iter().take_while(|entry| entry.at <= revision) {
            last.insert(&entry.key, entry);
        }
        let mut entries: Vec<_> = last.into_values().cloned().collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    /// Returns the writes after `revision` that nothing has replaced since.
    pub fn since(&self, revision: u64) -> Vec<Entry> {
        let mut entries: Vec<_> =
            self.last.values().filter(|entry| entry.at > revision).cloned().collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }
}
