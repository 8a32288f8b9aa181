//! Removes what nobody sees any more: entries whose life is over, content of deleted lists and sets.

use redb::ReadableTable;

use crate::limits::SWEEP_ENTRIES_MAX;
use crate::stop::Stop;
use crate::tables::Tables;

/// Removes some of it; returns whether there is more.
///
/// # Errors
/// That the database failed.
pub fn sweep(tables: &mut Tables<'_>) -> Result<bool, Stop> {
    let mut left = SWEEP_ENTRIES_MAX;
    while let Some(left_then) = left.checked_sub(1) {
        let Some(key) = first_over(tables)? else { break };
        tables.entries.remove(key.as_slice())?;
        tables.changed = true;
        left = left_then;
    }
    while left > 0 {
        let first = tables.deleted.first()?.map(|(id, _)| id.value());
        let Some(id) = first else { return Ok(false) };
        let none: &[u8] = &[];
        let values = tables.values.extract_from_if((id, 0)..=(id, u64::MAX), |_, _| true)?;
        left -= take(values, left)?;
        let members = tables.members.extract_from_if((id, none)..(id + 1, none), |_, _| true)?;
        left -= take(members, left)?;
        if left > 0 {
            tables.deleted.remove(id)?;
        }
        tables.changed = true;
    }
    Ok(true)
}

/// Takes the first key whose life is over out of the table of ends.
fn first_over(tables: &mut Tables<'_>) -> Result<Option<Vec<u8>>, Stop> {
    let key = match tables.ends.first()? {
        Some((end, _)) if end.value().0 <= tables.now_ms => end.value().1.to_vec(),
        _ => return Ok(None),
    };
    tables.ends.pop_first()?;
    Ok(Some(key))
}

/// Removes up to `most` of what is extracted; returns how many it were.
fn take<T>(
    mut extracted: impl Iterator<Item = redb::Result<T>>,
    most: usize,
) -> Result<usize, Stop> {
    let mut taken = 0;
    while taken < most && extracted.next().transpose()?.is_some() {
        taken += 1;
    }
    Ok(taken)
}
