//! The tables of a database: to read them as they were at one moment, and to change them in a
//! transaction.

use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction,
};

use crate::record::{Held, Key};
use crate::stop::Stop;

/// What each key holds.
const ENTRIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");
/// Values of lists, by identity and place.
const VALUES: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("values");
/// Members of sets, by identity.
const MEMBERS: TableDefinition<(u64, &[u8]), ()> = TableDefinition::new("members");
/// Keys by the end of their life.
const ENDS: TableDefinition<(u64, &[u8]), ()> = TableDefinition::new("ends");
/// Identities of lists and sets that are deleted, whose content is still to be removed.
const DELETED: TableDefinition<u64, ()> = TableDefinition::new("deleted");
/// Numbers of the database itself.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

/// The number that says how all of this is written.
pub const FORMAT: &str = "format";
/// How this version writes it.
pub const FORMAT_NOW: u64 = 1;
const IDENTITY: &str = "identity";

/// The database as it was at one moment.
pub struct Snapshot(pub ReadTransaction);

type Read<K, V> = Result<ReadOnlyTable<K, V>, Stop>;

impl Snapshot {
    /// Returns what each key holds.
    ///
    /// # Errors
    /// That the database failed.
    pub fn entries(&self) -> Read<&'static [u8], &'static [u8]> {
        Ok(self.0.open_table(ENTRIES)?)
    }

    /// Returns the values of lists.
    ///
    /// # Errors
    /// That the database failed.
    pub fn values(&self) -> Read<(u64, u64), &'static [u8]> {
        Ok(self.0.open_table(VALUES)?)
    }

    /// Returns the members of sets.
    ///
    /// # Errors
    /// That the database failed.
    pub fn members(&self) -> Read<(u64, &'static [u8]), ()> {
        Ok(self.0.open_table(MEMBERS)?)
    }

    /// Tells whether a sweep has anything to do.
    ///
    /// # Errors
    /// That the database failed.
    pub fn has_waste(&self, now_ms: u64) -> Result<bool, Stop> {
        let over = match self.0.open_table(ENDS)?.first()? {
            Some((end, _)) => end.value().0 <= now_ms,
            None => false,
        };
        Ok(over || self.0.open_table(DELETED)?.first()?.is_some())
    }
}

/// The tables in a transaction.
pub struct Tables<'t> {
    /// What each key holds.
    pub entries: Table<'t, &'static [u8], &'static [u8]>,
    /// Values of lists.
    pub values: Table<'t, (u64, u64), &'static [u8]>,
    /// Members of sets.
    pub members: Table<'t, (u64, &'static [u8]), ()>,
    /// Keys by the end of their life.
    pub ends: Table<'t, (u64, &'static [u8]), ()>,
    /// Lists and sets that are deleted.
    pub deleted: Table<'t, u64, ()>,
    /// Numbers of the database itself.
    pub numbers: Table<'t, &'static str, u64>,
    /// The time of the transaction, in milliseconds since 1970.
    pub now_ms: u64,
    /// Whether anything was changed.
    pub changed: bool,
}

impl<'t> Tables<'t> {
    /// Opens the tables, and makes them where there are none.
    ///
    /// # Errors
    /// That the database failed.
    pub fn open(transaction: &'t WriteTransaction, now_ms: u64) -> Result<Self, Stop> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            values: transaction.open_table(VALUES)?,
            members: transaction.open_table(MEMBERS)?,
            ends: transaction.open_table(ENDS)?,
            deleted: transaction.open_table(DELETED)?,
            numbers: transaction.open_table(NUMBERS)?,
            now_ms,
            changed: false,
        })
    }

    /// Puts something in the place of whatever a key holds; nothing deletes it. Returns whether it
    /// held anything whose life was not over.
    ///
    /// # Errors
    /// That the database failed.
    pub fn replace(&mut self, key: &Key, held: Option<Held<'_>>) -> Result<bool, Stop> {
        let bytes = key.bytes.as_slice();
        let before = match held {
            Some(held) => self.entries.insert(bytes, held.record().as_slice())?,
            None => self.entries.remove(bytes)?,
        };
        self.changed |= before.is_some() || held.is_some();
        let mut existed = false;
        if let Some(record) = before {
            let before = Held::read(record.value())?;
            existed = before.alive(self.now_ms).is_some();
            match before {
                Held::Value { ends_ms: 0, .. } => {}
                Held::Value { ends_ms, .. } => drop(self.ends.remove((ends_ms, bytes))?),
                Held::List(list) => drop(self.deleted.insert(list.id, ())?),
                Held::Set(set) => drop(self.deleted.insert(set.id, ())?),
            }
        }
        if let Some(Held::Value { ends_ms: ends_ms @ 1.., .. }) = held {
            self.ends.insert((ends_ms, bytes), ())?;
        }
        Ok(existed)
    }

    /// Writes the record of a list or a set whose content was changed.
    ///
    /// # Errors
    /// That the database failed.
    pub fn update(&mut self, key: &Key, held: Held<'_>) -> Result<(), Stop> {
        self.changed = true;
        self.entries.insert(key.bytes.as_slice(), held.record().as_slice())?;
        Ok(())
    }

    /// Returns an identity for a list or a set that no other has had.
    ///
    /// # Errors
    /// That the database failed.
    pub fn identity(&mut self) -> Result<u64, Stop> {
        let last = self.numbers.get(IDENTITY)?.map_or(0, |number| number.value());
        let next = last.saturating_add(1);
        self.numbers.insert(IDENTITY, next)?;
        Ok(next)
    }
}

/// Reads what a key holds, unless its life is over.
///
/// # Errors
/// That the database failed, and those of `read`.
pub fn read<T>(
    entries: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &Key,
    now_ms: u64,
    read: impl FnOnce(Option<Held<'_>>) -> Result<T, Stop>,
) -> Result<T, Stop> {
    match entries.get(key.bytes.as_slice())? {
        Some(record) => read(Held::read(record.value())?.alive(now_ms)),
        None => read(None),
    }
}
