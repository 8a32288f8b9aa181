//! Sets.

use std::collections::BTreeSet;

use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::limits::keyvalue::SET_MEMBERS_MAX;
use mesh_provider::keyvalue::{MemberRoom, Sort, set_is_full, wrong_sort};
use redb::ReadableTable;

use crate::record::{Held, Key, Set};
use crate::stop::Stop;
use crate::tables::{Snapshot, Tables, read};

/// Returns what is held, which must be a set.
fn set(key: &Key, held: Option<Held<'_>>) -> Result<Option<Set>, Stop> {
    match held {
        None => Ok(None),
        Some(Held::Set(set)) => Ok(Some(set)),
        Some(_) => Err(wrong_sort(&key.text, Sort::Set).into()),
    }
}

fn find(tables: &Tables<'_>, key: &Key) -> Result<Option<Set>, Stop> {
    read(&tables.entries, key, tables.now_ms, |held| set(key, held))
}

fn find_all(snapshot: &Snapshot, keys: &[Key], now_ms: u64) -> Result<Vec<Option<Set>>, Stop> {
    let entries = snapshot.entries()?;
    keys.iter().map(|key| read(&entries, key, now_ms, |held| set(key, held))).collect()
}

/// Adds members; returns how many were new.
///
/// # Errors
/// `bad_request` for another sort, `limit_exceeded` for a set that would have too many.
pub fn add(tables: &mut Tables<'_>, key: &Key, members: &[ByteBuf]) -> Result<u64, Stop> {
    let found = find(tables, key)?;
    let mut new: BTreeSet<&[u8]> = members.iter().map(|member| member.as_slice()).collect();
    if let Some(set) = found {
        for member in members {
            if tables.members.get((set.id, member.as_slice()))?.is_some() {
                new.remove(member.as_slice());
            }
        }
    }
    let mut set = found.unwrap_or(Set { id: 0, count: 0 });
    set.count += new.len() as u64;
    if set.count > SET_MEMBERS_MAX as u64 {
        return Err(set_is_full(&key.text).into());
    }
    if new.is_empty() {
        return Ok(0);
    }
    if found.is_none() {
        set.id = tables.identity()?;
        tables.replace(key, Some(Held::Set(set)))?;
    } else {
        tables.update(key, Held::Set(set))?;
    }
    for member in &new {
        tables.members.insert((set.id, *member), ())?;
    }
    Ok(new.len() as u64)
}

/// Removes members; returns how many there were.
///
/// # Errors
/// `bad_request` for another sort.
pub fn remove(tables: &mut Tables<'_>, key: &Key, members: &[ByteBuf]) -> Result<u64, Stop> {
    let Some(mut set) = find(tables, key)? else { return Ok(0) };
    let mut removed = 0;
    for member in members {
        if tables.members.remove((set.id, member.as_slice()))?.is_some() {
            removed += 1;
        }
    }
    set.count = set.count.saturating_sub(removed);
    if set.count == 0 {
        tables.replace(key, None)?;
    } else if removed > 0 {
        tables.update(key, Held::Set(set))?;
    }
    Ok(removed)
}

/// Tells whether a set has a member.
///
/// # Errors
/// `bad_request` for another sort.
pub fn contains(snapshot: &Snapshot, key: &Key, member: &[u8], now_ms: u64) -> Result<bool, Stop> {
    let set = read(&snapshot.entries()?, key, now_ms, |held| set(key, held))?;
    let Some(set) = set else { return Ok(false) };
    Ok(snapshot.members()?.get((set.id, member))?.is_some())
}

/// Returns what is in any of several sets.
///
/// # Errors
/// `bad_request` for another sort, `too_large` for more than an answer can have.
pub fn union(snapshot: &Snapshot, keys: &[Key], now_ms: u64) -> Result<Vec<ByteBuf>, Stop> {
    let mut room = MemberRoom::default();
    let mut union = BTreeSet::new();
    for set in find_all(snapshot, keys, now_ms)?.into_iter().flatten() {
        each(snapshot, set, |member| {
            if !union.contains(member) {
                room.take(member)?;
                union.insert(member.to_vec());
            }
            Ok(())
        })?;
    }
    Ok(union.into_iter().map(ByteBuf::from).collect())
}

/// Returns what is in each of several sets.
///
/// # Errors
/// `bad_request` for another sort, `too_large` for more than an answer can have.
pub fn intersection(snapshot: &Snapshot, keys: &[Key], now_ms: u64) -> Result<Vec<ByteBuf>, Stop> {
    let sets: Option<Vec<Set>> = find_all(snapshot, keys, now_ms)?.into_iter().collect();
    let mut sets = sets.unwrap_or_default();
    sets.sort_by_key(|set| (set.count, set.id));
    sets.dedup();
    let Some((smallest, others)) = sets.split_first() else { return Ok(Vec::new()) };
    let members = snapshot.members()?;
    let mut room = MemberRoom::default();
    let mut common = Vec::new();
    each(snapshot, *smallest, |member| {
        for other in others {
            if members.get((other.id, member))?.is_none() {
                return Ok(());
            }
        }
        room.take(member)?;
        common.push(ByteBuf::from(member));
        Ok(())
    })?;
    Ok(common)
}

/// Shows each member of a set to `see`, until that stops.
fn each(
    snapshot: &Snapshot,
    set: Set,
    mut see: impl FnMut(&[u8]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let none: &[u8] = &[];
    for entry in snapshot.members()?.range((set.id, none)..(set.id + 1, none))? {
        let (member, ()) = entry.map(|(member, unit)| (member, unit.value()))?;
        see(member.value().1)?;
    }
    Ok(())
}
