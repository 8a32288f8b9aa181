//! A range of a list. Older modules name its first and its last value, either of them counted from
//! the back where it is negative, and get all of it; the mesh has pages.

use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::keyvalue::{ListPage, ListRange, NAME, operation as op};
use lattice_protocol::contract::limits::PAGE_ENTRIES_MAX;
use lattice_protocol::{Error, ErrorCode};
use serde::Deserialize;

use super::keyvalue::listed;
use super::limits::{RANGE_BYTES_MAX, RANGE_VALUES_MAX};
use super::step::{self, Step};
use super::wire::text;

/// How a module wants a list of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// In a map, as `values`.
    Map,
    /// As it is.
    Bare,
}

/// The request of either form.
#[derive(Deserialize)]
pub(super) struct OfRange {
    #[serde(alias = "listName")]
    key: String,
    #[serde(default)]
    start: i32,
    /// Included.
    #[serde(default)]
    stop: i32,
}

/// What was read so far.
struct Reading {
    key: String,
    shape: Shape,
    /// Where the next page begins.
    at: u64,
    /// Where the range ends, not included.
    end: u64,
    values: Vec<String>,
    bytes: usize,
}

pub(super) fn begin(request: OfRange, shape: Shape) -> Result<Step, Error> {
    let OfRange { key, start, stop } = request;
    let (start, stop) = (i64::from(start), i64::from(stop));
    let same_end = (start < 0) == (stop < 0);
    if same_end && stop < start {
        return listed(Vec::new(), shape);
    }
    // As long as the length of the list is not known, a page may bring more than the range.
    let limit = if same_end { entries(start.abs_diff(stop) + 1) } else { PAGE_ENTRIES_MAX };
    let request = ListRange { key: key.clone(), start, limit: Some(limit) };
    step::ask(NAME, op::LIST_RANGE, &request, move |page: ListPage| {
        let length = i64::try_from(page.length).unwrap_or(i64::MAX);
        let from_front = |index: i64| if index < 0 { length + index } else { index };
        let at = u64::try_from(from_front(start)).unwrap_or(0);
        let end = u64::try_from(from_front(stop).saturating_add(1)).unwrap_or(0).min(page.length);
        let wanted = end.saturating_sub(at);
        if wanted > RANGE_VALUES_MAX {
            return Err(too_large(&format!("{wanted} values"), &format!("{RANGE_VALUES_MAX}")));
        }
        Reading { key, shape, at, end, values: Vec::new(), bytes: 0 }.take(page.values)
    })
}

impl Reading {
    /// Takes the values of a page, and asks for the next one where the range goes on.
    fn take(mut self, page: Vec<ByteBuf>) -> Result<Step, Error> {
        let before = self.at;
        for value in page {
            if self.at >= self.end {
                break;
            }
            self.bytes += value.len();
            if self.bytes > RANGE_BYTES_MAX {
                return Err(too_large("its values", &format!("{RANGE_BYTES_MAX} bytes")));
            }
            self.values.push(text("a value of a list", value.into_vec())?);
            self.at += 1;
        }
        // A list that became shorter meanwhile ends where it ends.
        if self.at >= self.end || self.at == before {
            return listed(self.values, self.shape);
        }
        let start = i64::try_from(self.at).unwrap_or(i64::MAX);
        let limit = Some(entries(self.end - self.at));
        let request = ListRange { key: self.key.clone(), start, limit };
        step::ask(NAME, op::LIST_RANGE, &request, |page: ListPage| self.take(page.values))
    }
}

/// Returns how many values a page should have.
fn entries(wanted: u64) -> u32 {
    u32::try_from(wanted).unwrap_or(u32::MAX).min(PAGE_ENTRIES_MAX)
}

fn too_large(what: &str, limit: &str) -> Error {
    let message = format!("a range of a list for an older module: {what} exceed {limit}");
    Error::started(ErrorCode::TooLarge, message)
}
