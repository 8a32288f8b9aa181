//! The keys that there are.

use std::ops::Bound;

use lattice_protocol::contract::keyvalue::{KeyPage, Keys};
use lattice_protocol::contract::limits::keyvalue::KEY_BYTES_MAX;
use mesh_provider::keyvalue::wrong_cursor;

use crate::limits::PAGE_KEYS_SEEN_MAX;
use crate::record::{Held, Tenant};
use crate::stop::Stop;
use crate::tables::Snapshot;

/// What a cursor begins with: then comes the last key of its page.
const CURSOR: char = '>';

/// Returns a page of the keys of a tenant.
///
/// # Errors
/// `bad_request` for a cursor that is none.
pub fn keys(
    snapshot: &Snapshot,
    tenant: &Tenant,
    wanted: &Keys,
    now_ms: u64,
) -> Result<KeyPage, Stop> {
    let begin = tenant.prefixed(&wanted.prefix);
    let after = wanted.cursor.as_deref().map(|cursor| last(cursor, &wanted.prefix)).transpose()?;
    let after = after.map(|last| tenant.prefixed(last));
    let from = match &after {
        Some(after) => Bound::Excluded(after.as_slice()),
        None => Bound::Included(begin.as_slice()),
    };
    let entries = snapshot.entries()?;
    let limit = usize::try_from(wanted.entries()).unwrap_or(usize::MAX);
    let mut page = KeyPage::default();
    let mut seen = None;
    for (count, entry) in entries.range::<&[u8]>((from, Bound::Unbounded))?.enumerate() {
        let (key, record) = entry?;
        if !key.value().starts_with(&begin) {
            break;
        }
        if page.keys.len() == limit || count == PAGE_KEYS_SEEN_MAX {
            page.cursor = seen.map(|key: String| format!("{CURSOR}{key}"));
            break;
        }
        let Some(text) = tenant.text(key.value()) else { continue };
        if Held::read(record.value())?.alive(now_ms).is_some() {
            page.keys.push(text.to_owned());
        }
        seen = Some(text.to_owned());
    }
    Ok(page)
}

/// Returns the last key of the page whose cursor it is.
fn last<'a>(cursor: &'a str, prefix: &str) -> Result<&'a str, Stop> {
    let last = cursor.strip_prefix(CURSOR).filter(|last| last.starts_with(prefix));
    let key = last.filter(|last| !last.is_empty() && last.len() <= KEY_BYTES_MAX);
    key.ok_or_else(|| wrong_cursor().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_a_page_with_the_same_prefix() {
        assert_eq!(last(">a:1", "a:").unwrap(), "a:1");
        for cursor in ["", ">", "a:1", ">b:1", &format!(">a:{}", "1".repeat(KEY_BYTES_MAX))] {
            assert!(last(cursor, "a:").is_err(), "{cursor}");
        }
    }
}
