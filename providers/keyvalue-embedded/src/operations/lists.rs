//! Lists: their values are beside each other, from the place of the first one on.

use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::keyvalue::{ListPage, ListSide};
use lattice_protocol::{Error, ErrorCode};
use mesh_provider::keyvalue::{Sort, Values, first_index, wrong_sort};
use redb::{ReadableTable, StorageError};

use crate::limits::LIST_VALUES_MAX;
use crate::record::{Held, Key, List};
use crate::stop::Stop;
use crate::tables::{Snapshot, Tables, read};

/// Place of the first value of a new list: there is as much room before it as behind it.
const MIDDLE: u64 = 1 << 63;

/// Returns what is held, which must be a list.
fn list(key: &Key, held: Option<Held<'_>>) -> Result<Option<List>, Stop> {
    match held {
        None => Ok(None),
        Some(Held::List(list)) => Ok(Some(list)),
        Some(_) => Err(wrong_sort(&key.text, Sort::List).into()),
    }
}

fn find(tables: &Tables<'_>, key: &Key) -> Result<Option<List>, Stop> {
    read(&tables.entries, key, tables.now_ms, |held| list(key, held))
}

fn value(
    values: &impl ReadableTable<(u64, u64), &'static [u8]>,
    list: List,
    place: u64,
) -> Result<Vec<u8>, Stop> {
    let value = values.get((list.id, place))?;
    let lost = || StorageError::Corrupted("a value of a list is lost".to_owned());
    Ok(value.ok_or_else(lost)?.value().to_vec())
}

/// Returns how long a list is.
///
/// # Errors
/// `bad_request` for another sort.
pub fn length(snapshot: &Snapshot, key: &Key, now_ms: u64) -> Result<u64, Stop> {
    let list = read(&snapshot.entries()?, key, now_ms, |held| list(key, held))?;
    Ok(list.map_or(0, |list| list.length))
}

/// Returns a page of a list.
///
/// # Errors
/// `bad_request` for another sort.
pub fn range(
    snapshot: &Snapshot,
    key: &Key,
    start: i64,
    limit: u32,
    now_ms: u64,
) -> Result<ListPage, Stop> {
    let list = read(&snapshot.entries()?, key, now_ms, |held| list(key, held))?;
    let Some(List { id, first, length }) = list else {
        return Ok(ListPage { values: Vec::new(), length: 0 });
    };
    let start = first_index(start, length);
    let end = start.saturating_add(limit.into()).min(length);
    let mut page = Values::default();
    for entry in snapshot.values()?.range((id, first + start)..(id, first + end))? {
        let (_, value) = entry?;
        if !page.add(value.value()) {
            break;
        }
    }
    Ok(ListPage { values: page.into_inner(), length })
}

/// Adds values to an end; returns how long the list is then.
///
/// # Errors
/// `bad_request` for another sort, `limit_exceeded` for a list that would become too long.
pub fn push(
    tables: &mut Tables<'_>,
    key: &Key,
    values: &[ByteBuf],
    side: ListSide,
) -> Result<u64, Stop> {
    let found = find(tables, key)?;
    let mut list = found.unwrap_or(List { id: 0, first: MIDDLE, length: 0 });
    if list.length.saturating_add(values.len() as u64) > LIST_VALUES_MAX {
        let text = format!("the list {:?} would have more than {LIST_VALUES_MAX} values", key.text);
        return Err(Error::not_started(ErrorCode::LimitExceeded, text).into());
    }
    if found.is_none() {
        list.id = tables.identity()?;
        tables.replace(key, Some(Held::List(list)))?;
    }
    for value in values {
        let place = match side {
            ListSide::Back => list.first + list.length,
            ListSide::Front => {
                list.first -= 1;
                list.first
            }
        };
        tables.values.insert((list.id, place), value.as_slice())?;
        list.length += 1;
    }
    tables.update(key, Held::List(list))?;
    Ok(list.length)
}

/// Takes values from an end.
///
/// # Errors
/// `bad_request` for another sort.
pub fn pop(
    tables: &mut Tables<'_>,
    key: &Key,
    side: ListSide,
    count: u32,
) -> Result<Vec<ByteBuf>, Stop> {
    let mut taken = Values::default();
    let Some(mut list) = find(tables, key)? else { return Ok(taken.into_inner()) };
    for _ in 0..count {
        let Some(left) = list.length.checked_sub(1) else { break };
        let place = match side {
            ListSide::Front => list.first,
            ListSide::Back => list.first + left,
        };
        if !taken.add(&value(&tables.values, list, place)?) {
            break;
        }
        tables.values.remove((list.id, place))?;
        list.length = left;
        list.first += u64::from(side == ListSide::Front);
    }
    shortened(tables, key, list)?;
    Ok(taken.into_inner())
}

/// Removes equal values from the front on; returns how many they were.
///
/// # Errors
/// `bad_request` for another sort.
pub fn remove(tables: &mut Tables<'_>, key: &Key, wanted: &[u8], count: u32) -> Result<u64, Stop> {
    let Some(mut list) = find(tables, key)? else { return Ok(0) };
    let most = if count == 0 { usize::MAX } else { usize::try_from(count).unwrap_or(usize::MAX) };
    let end = list.first + list.length;
    let mut gaps = Vec::new();
    for entry in tables.values.range((list.id, list.first)..(list.id, end))? {
        let (place, value) = entry?;
        if value.value() == wanted {
            gaps.push(place.value().1);
            if gaps.len() == most {
                break;
            }
        }
    }
    let (Some(first), Some(last)) = (gaps.first(), gaps.last()) else { return Ok(0) };
    // The gaps are closed from the side where fewer values have to move.
    if end - first <= last - list.first {
        close(tables, list, &gaps, *first..end, false)?;
    } else {
        close(tables, list, &gaps, list.first..last + 1, true)?;
        list.first += gaps.len() as u64;
    }
    list.length -= gaps.len() as u64;
    shortened(tables, key, list)?;
    Ok(gaps.len() as u64)
}

/// Moves the values among `places` over the gaps, towards the front or the back, and removes what
/// is left behind.
fn close(
    tables: &mut Tables<'_>,
    list: List,
    gaps: &[u64],
    places: std::ops::Range<u64>,
    to_back: bool,
) -> Result<(), Stop> {
    let count = places.end - places.start;
    let nth = |n: u64| if to_back { places.end - 1 - n } else { places.start + n };
    let mut kept = 0;
    for n in 0..count {
        let place = nth(n);
        if gaps.binary_search(&place).is_err() {
            let value = value(&tables.values, list, place)?;
            tables.values.insert((list.id, nth(kept)), value.as_slice())?;
            kept += 1;
        }
    }
    for n in kept..count {
        tables.values.remove((list.id, nth(n)))?;
    }
    Ok(())
}

/// Writes down that a list is shorter, or gone.
fn shortened(tables: &mut Tables<'_>, key: &Key, list: List) -> Result<(), Stop> {
    if list.length == 0 {
        tables.replace(key, None)?;
        return Ok(());
    }
    tables.update(key, Held::List(list))
}

/// Removes a list; returns whether there was one.
///
/// # Errors
/// `bad_request` for another sort.
pub fn clear(tables: &mut Tables<'_>, key: &Key) -> Result<bool, Stop> {
    Ok(find(tables, key)?.is_some() && tables.replace(key, None)?)
}
