//! What every backend of `mesh:keyvalue` decides alike: whose keys are whose, what counts as a
//! number, what an answer has room for, and how its errors read.

use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::limits::keyvalue as limits;
use lattice_protocol::{Error, ErrorCode};

use crate::link::{Link, wrong};

/// Length of the setting `prefix`.
pub const PREFIX_BYTES_MAX: usize = 128;

/// Returns what the keys of a link are kept under: its setting `prefix`, or the actor's key and the
/// link's name, so that two actors share keys only where somebody wants them to. A later revision
/// of an actor has its key, and so its keys.
///
/// A backend must write it so that it ends where it ends: the keys under `a` are none of those under
/// `ab`.
///
/// # Errors
/// `bad_request` for a prefix that is too long or has control characters.
pub fn prefix(link: &Link) -> Result<String, Error> {
    let Some(prefix) = link.config.text("prefix") else {
        return Ok(format!("{}.{}", link.id.source, link.id.name));
    };
    if prefix.len() > PREFIX_BYTES_MAX {
        return Err(wrong("prefix", format!("is longer than {PREFIX_BYTES_MAX} bytes")));
    }
    if prefix.chars().any(char::is_control) {
        return Err(wrong("prefix", "has a control character"));
    }
    Ok(prefix.to_owned())
}

/// What a key can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A value, or a counter, which is one.
    Value,
    /// A list.
    List,
    /// A set.
    Set,
}

impl Sort {
    fn noun(self) -> &'static str {
        match self {
            Sort::Value => "a value",
            Sort::List => "a list",
            Sort::Set => "a set",
        }
    }
}

/// Returns the error of a key that holds another sort than the operation wants.
pub fn wrong_sort(key: &str, wanted: Sort) -> Error {
    let wanted = wanted.noun();
    Error::not_started(ErrorCode::BadRequest, format!("the key {key:?} does not hold {wanted}"))
}

/// Adds to a counter: its text as the key holds it, which counts as 0 where it holds nothing.
///
/// A number is written without plus sign and leading zeros: so stores that count by themselves read
/// it, too.
///
/// # Errors
/// `bad_request` for another text and for a sum beyond 64 bits.
pub fn add(key: &str, held: Option<&[u8]>, delta: i64) -> Result<i64, Error> {
    let number = match held {
        None => 0,
        Some(text) => parse(text).ok_or_else(|| no_number(key))?,
    };
    number.checked_add(delta).ok_or_else(|| beyond(key))
}

fn parse(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

/// Returns the error of an increment of what is no number.
pub fn no_number(key: &str) -> Error {
    Error::not_started(ErrorCode::BadRequest, format!("the key {key:?} does not hold a number"))
}

/// Returns the error of a sum that is too large.
pub fn beyond(key: &str) -> Error {
    Error::not_started(
        ErrorCode::BadRequest,
        format!("the number at the key {key:?} would leave the range of 64 bits"),
    )
}

/// Returns the error of a set that would have more members than one may.
pub fn set_is_full(key: &str) -> Error {
    Error::not_started(
        ErrorCode::LimitExceeded,
        format!("the set {key:?} would have more than {} members", limits::SET_MEMBERS_MAX),
    )
}

/// Returns the error of a cursor that no page of this backend gave.
pub fn wrong_cursor() -> Error {
    Error::not_started(ErrorCode::BadRequest, "the cursor is of no page of this store")
}

/// Returns the index of the first value of a page of a list of `length` values.
pub fn first_index(start: i64, length: u64) -> u64 {
    match u64::try_from(start) {
        Ok(start) => start.min(length),
        Err(_) => length.saturating_sub(start.unsigned_abs()),
    }
}

/// Values of a list on their way into an answer, as many as it has room for.
#[derive(Debug, Default)]
pub struct Values {
    values: Vec<ByteBuf>,
    bytes: usize,
}

impl Values {
    /// Adds a value if there is room; returns whether there was.
    pub fn add(&mut self, value: &[u8]) -> bool {
        let bytes = self.bytes + value.len();
        let fits = bytes <= limits::ITEMS_BYTES_MAX;
        if fits {
            self.bytes = bytes;
            self.values.push(ByteBuf::from(value));
        }
        fits
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns them.
    pub fn into_inner(self) -> Vec<ByteBuf> {
        self.values
    }
}

/// Counts what an answer of members needs.
#[derive(Debug, Default)]
pub struct MemberRoom {
    members: usize,
    bytes: usize,
}

impl MemberRoom {
    /// Counts one more member.
    ///
    /// # Errors
    /// `too_large` where there is no room for it.
    pub fn take(&mut self, member: &[u8]) -> Result<(), Error> {
        self.members += 1;
        self.bytes += member.len();
        if self.members > limits::SET_MEMBERS_MAX || self.bytes > limits::ITEMS_BYTES_MAX {
            return Err(too_many_members());
        }
        Ok(())
    }
}

/// Returns the error of an answer that would have too many members.
pub fn too_many_members() -> Error {
    Error::not_started(
        ErrorCode::TooLarge,
        format!(
            "the answer would have more than {} members or {} bytes",
            limits::SET_MEMBERS_MAX,
            limits::ITEMS_BYTES_MAX
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, LinkId};

    fn link(config: Config) -> Link {
        let (source, _) = lattice_protocol::keys::ActorKey::generate().unwrap();
        let id = LinkId { source, name: "cache".parse().unwrap() };
        Link { id, config, generation: 1 }
    }

    #[test]
    fn keys_belong_to_the_actor_and_the_link_unless_the_link_says_otherwise() {
        let default = link(Config::default());
        assert_eq!(prefix(&default).unwrap(), format!("{}.cache", default.id.source));
        assert_eq!(prefix(&link(Config::of([("prefix", "shop: ü")]))).unwrap(), "shop: ü");
        for wrong in ["a\nb".to_owned(), "a".repeat(PREFIX_BYTES_MAX + 1)] {
            assert!(prefix(&link(Config::of([("prefix", wrong)]))).is_err());
        }
    }

    #[test]
    fn a_counter_is_a_number_as_it_is_written() {
        assert_eq!(add("k", None, -2), Ok(-2));
        assert_eq!(add("k", Some(b"-9223372036854775808"), i64::MAX), Ok(-1));
        assert_eq!(add("k", Some(b"0"), 0), Ok(0));
        for text in
            ["", "x", "1.5", " 1", "1 ", "+1", "01", "-0", "9223372036854775808", "1\u{0661}"]
        {
            assert_eq!(add("k", Some(text.as_bytes()), 1), Err(no_number("k")), "{text:?}");
        }
        assert_eq!(add("k", Some(b"\xff"), 1), Err(no_number("k")));
        assert_eq!(add("k", Some(b"9223372036854775807"), 1), Err(beyond("k")));
        assert_eq!(add("k", Some(b"-9223372036854775808"), -1), Err(beyond("k")));
    }

    #[test]
    fn a_page_begins_where_its_index_says() {
        for (start, first) in
            [(0, 0), (2, 2), (9, 3), (i64::MAX, 3), (-1, 2), (-3, 0), (-4, 0), (i64::MIN, 0)]
        {
            assert_eq!(first_index(start, 3), first, "{start}");
        }
    }

    #[test]
    fn an_answer_takes_what_it_has_room_for() {
        let mut values = Values::default();
        let half = vec![0; limits::ITEMS_BYTES_MAX / 2];
        assert!(values.is_empty() && values.add(&half) && values.add(&half));
        assert!(!values.add(b"x") && values.add(b""));
        assert_eq!((values.len(), values.into_inner().len()), (3, 3));

        let mut room = MemberRoom::default();
        for _ in 0..limits::SET_MEMBERS_MAX {
            assert_eq!(room.take(b"m"), Ok(()));
        }
        assert_eq!(room.take(b"m"), Err(too_many_members()));
        let mut room = MemberRoom::default();
        assert!(room.take(&half).is_ok() && room.take(&half).is_ok() && room.take(b"x").is_err());
    }
}
