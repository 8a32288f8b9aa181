//! Lists: ordered values, at either end of which one adds and takes.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::super::limits::keyvalue as limits;
use super::super::{Message, bounded};
use super::{check_items, check_key};
use crate::codec::{DecodeError, at_most};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListSide {
    /// Where the first value is.
    Front,
    /// Where the last value is.
    Back,
}

/// Adds values to a list, one after the other: the last of several that are pushed to the front is
/// then the first of the list. A key that holds nothing becomes a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPush {
    /// The key.
    pub key: String,
    /// The values: 1 to [`limits::ITEMS_MAX`], each of at most [`limits::ITEM_BYTES_MAX`] bytes, at most
    /// [`limits::ITEMS_BYTES_MAX`] in all.
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::ITEMS_MAX }>")]
    pub values: Vec<ByteBuf>,
    /// Where to. Default `back`: with the default of [`ListPop`] the list is a queue.
    #[serde(default = "back")]
    pub side: ListSide,
}

fn back() -> ListSide {
    ListSide::Back
}

impl Message for ListPush {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        bounded::some(limits::ITEMS_MAX, "values", self.values.len())?;
        check_items(&self.values)
    }

    fn bulk_bytes(&self) -> usize {
        bounded::bulk_bytes(&self.values)
    }
}

/// A number of values or members: of the whole list, or those that were added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Length {
    /// How many.
    pub length: u64,
}

impl Message for Length {}

/// Takes values from a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPop {
    /// The key.
    pub key: String,
    /// Where from. Default `front`.
    #[serde(default = "front")]
    pub side: ListSide,
    /// How many at most, 1 to [`limits::ITEMS_MAX`]. Default 1.
    #[serde(default = "one")]
    pub count: u32,
}

fn front() -> ListSide {
    ListSide::Front
}

fn one() -> u32 {
    1
}

impl Message for ListPop {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        bounded::within(1, limits::ITEMS_MAX as u64, "a count", self.count.into())
    }
}

/// What was taken, in the order in which it was; none where the list is empty. Fewer than were
/// asked for where they would exceed [`limits::ITEMS_BYTES_MAX`]: the others stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values {
    /// The values.
    #[serde(deserialize_with = "bounded::list::<_, _, { limits::ITEMS_MAX }>")]
    pub values: Vec<ByteBuf>,
}

impl Message for Values {
    fn check(&self) -> Result<(), DecodeError> {
        at_most(limits::ITEMS_MAX, "values", self.values.len())?;
        check_items(&self.values)
    }

    fn bulk_bytes(&self) -> usize {
        bounded::bulk_bytes(&self.values)
    }
}

/// Reads values of a list from front to back, a page at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRange {
    /// The key.
    pub key: String,
    /// Index of the first value, from 0; negative counts from the back, -1 is the last. Before the
    /// first means the first. Default 0.
    #[serde(default)]
    pub start: i64,
    /// Values of the page; absent or 0 means 100, more than 1,000 is cut to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl ListRange {
    /// Returns how many values the page has: the wish within the limits, or the default.
    pub fn entries(&self) -> u32 {
        bounded::page_entries(self.limit)
    }
}

impl Message for ListRange {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)
    }
}

/// Values of a list, and how many it has in all: the next page starts after the last of these. Fewer
/// than were asked for where they would exceed [`limits::ITEMS_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPage {
    /// The values.
    #[serde(deserialize_with = "bounded::list::<_, _, { bounded::PAGE }>")]
    pub values: Vec<ByteBuf>,
    /// How many values the list has.
    pub length: u64,
}

impl Message for ListPage {
    fn check(&self) -> Result<(), DecodeError> {
        at_most(bounded::PAGE, "values", self.values.len())?;
        check_items(&self.values)
    }

    fn bulk_bytes(&self) -> usize {
        bounded::bulk_bytes(&self.values)
    }
}

/// Removes the values that are equal to one, from the front on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRemove {
    /// The key.
    pub key: String,
    /// The value; at most [`limits::ITEM_BYTES_MAX`] bytes.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
    /// How many at most; 0 means all. Default 0.
    #[serde(default)]
    pub count: u32,
}

impl Message for ListRemove {
    fn check(&self) -> Result<(), DecodeError> {
        check_key(&self.key)?;
        bounded::size(limits::ITEM_BYTES_MAX, "an item", self.value.len())
    }

    fn bulk_bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(count: usize, size: usize) -> ListPush {
        let values = vec![ByteBuf::from(vec![0; size]); count];
        ListPush { key: "k".into(), values, side: ListSide::Back }
    }

    #[test]
    fn what_is_pushed_is_bounded() {
        assert_eq!(push(limits::ITEMS_MAX, 1).check(), Ok(()));
        assert_eq!(push(1, limits::ITEM_BYTES_MAX).check(), Ok(()));
        let fit = limits::ITEMS_BYTES_MAX / limits::ITEM_BYTES_MAX;
        assert_eq!(push(fit, limits::ITEM_BYTES_MAX).check(), Ok(()));
        for over in [push(0, 1), push(limits::ITEMS_MAX + 1, 1)] {
            assert!(matches!(over.check(), Err(DecodeError::Shape(_))));
            assert!(ListPush::decode(&over.encode().unwrap()).is_err());
        }
        for over in [push(1, limits::ITEM_BYTES_MAX + 1), push(fit + 1, limits::ITEM_BYTES_MAX)] {
            assert!(matches!(over.check(), Err(DecodeError::TooLarge { .. })));
        }
    }

    #[test]
    fn by_default_a_list_is_a_queue() {
        let push = ListPush::decode(b"\x82\xa3key\xa1k\xa6values\x91\xa1v").unwrap();
        let pop = ListPop::decode(b"\x81\xa3key\xa1k").unwrap();
        assert_eq!((push.side, pop.side, pop.count), (ListSide::Back, ListSide::Front, 1));
        for (count, valid) in
            [(0, false), (limits::ITEMS_MAX, true), (limits::ITEMS_MAX + 1, false)]
        {
            let pop = ListPop { count: count as u32, ..pop.clone() };
            assert_eq!(pop.check().is_ok(), valid, "{count}");
        }
    }
}
