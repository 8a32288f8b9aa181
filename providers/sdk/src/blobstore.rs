//! What every backend of `mesh:blobstore` decides alike: whose containers are whose, what a page
//! has, what the token of an upload is, and how errors read.

use std::collections::BTreeSet;

use lattice_protocol::contract::limits::blobstore as limits;
use lattice_protocol::{Error, ErrorCode};

use crate::link::{Link, wrong};

/// Length of the setting `prefix`.
pub const PREFIX_BYTES_MAX: usize = 32;

/// Returns the tenant of a link: its setting `prefix`, or else its actor. It is made of
/// `a-z 0-9 -`, so that it is a name in every store.
///
/// # Errors
/// `bad_request` naming the setting.
pub fn tenant(link: &Link) -> Result<String, Error> {
    let Some(prefix) = link.config.text("prefix") else {
        // Longer than a prefix may be, so that none leads to another actor's containers.
        return Ok(link.id.source.as_str().to_ascii_lowercase());
    };
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if prefix.len() > PREFIX_BYTES_MAX || !prefix.bytes().all(allowed) {
        let most = PREFIX_BYTES_MAX;
        return Err(wrong("prefix", format!("must be 1 to {most} characters of a-z, 0-9 and -")));
    }
    Ok(prefix.to_owned())
}

/// Returns the token of an upload. It leads to a container of the link that it is used over; whose
/// the upload is, the backend keeps.
pub fn token(container: &str, upload: &str) -> String {
    format!("{container}.{upload}")
}

/// Takes a token apart into container and upload: 32 of `a-z 0-9`. Nothing else than what [`token`]
/// makes may become part of a name in a store.
pub fn parse_token(token: &str) -> Option<(&str, &str)> {
    let (container, upload) = token.split_once('.')?;
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let lengths = limits::CONTAINER_NAME_BYTES_MIN..=limits::CONTAINER_NAME_BYTES_MAX;
    let named = lengths.contains(&container.len())
        && container.bytes().all(|byte| lower(byte) || byte == b'-');
    let made = upload.len() == 32 && upload.bytes().all(lower);
    (named && made).then_some((container, upload))
}

/// Returns the error of a container that does not exist.
pub fn no_container(name: &str) -> Error {
    Error::not_started(ErrorCode::NotFound, format!("there is no container {name}"))
        .with_detail("what", "container")
}

/// Returns the error of an upload that does not exist.
pub fn no_upload() -> Error {
    Error::not_started(ErrorCode::NotFound, "there is no such upload: it was finished or forgotten")
        .with_detail("what", "upload")
}

/// The least names after a cursor, of names in any order: never holds more than a page.
pub struct Page {
    cursor: String,
    entries: usize,
    names: BTreeSet<String>,
}

impl Page {
    /// Begins a page of at most `entries` names that are greater than the cursor.
    pub fn new(cursor: Option<&str>, entries: usize) -> Self {
        Self { cursor: cursor.unwrap_or_default().to_owned(), entries, names: BTreeSet::new() }
    }

    /// Takes a name that may belong to the page.
    pub fn offer(&mut self, name: &str) {
        let full = self.names.len() > self.entries;
        let beyond = full && self.names.last().is_some_and(|last| name >= last.as_str());
        if name <= self.cursor.as_str() || beyond {
            return;
        }
        self.names.insert(name.to_owned());
        if self.names.len() > self.entries + 1 {
            self.names.pop_last();
        }
    }

    /// Returns whether the page is full: of names that come in order none is missing then.
    pub fn is_full(&self) -> bool {
        self.names.len() > self.entries
    }

    /// Returns the names, and the cursor where others follow.
    pub fn end(mut self) -> (Vec<String>, Option<String>) {
        let more = self.names.len() > self.entries;
        if more {
            self.names.pop_last();
        }
        let cursor = self.names.last().cloned().filter(|_| more);
        (self.names.into_iter().collect(), cursor)
    }
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::ActorKey;
    use lattice_protocol::names::LinkName;

    use super::*;
    use crate::link::{Config, LinkId};

    fn tenant_of(prefix: &str) -> Result<String, Error> {
        let (source, _) = ActorKey::generate().unwrap();
        let id = LinkId { source, name: LinkName::default_link() };
        tenant(&Link { id, config: Config::of([("prefix", prefix)]), generation: 1 })
    }

    #[test]
    fn actors_are_apart_unless_they_name_a_prefix() {
        assert_eq!(tenant_of("shop-1"), Ok("shop-1".into()));
        let own = tenant_of("").unwrap();
        assert!(own.len() > PREFIX_BYTES_MAX && own != tenant_of("").unwrap());
        for wrong in ["a_b", "A", "a/b", "..", "a.b", &"a".repeat(33)] {
            assert!(tenant_of(wrong).unwrap_err().message.contains("prefix"), "{wrong}");
        }
    }

    #[test]
    fn only_tokens_become_part_of_a_name() {
        let upload = "0123456789abcdef".repeat(2);
        let made = token("a-1", &upload);
        assert_eq!(parse_token(&made), Some(("a-1", upload.as_str())));
        let wild = format!("a-1.{}*", &upload[1..]);
        let (above, more) = (format!("../.{upload}"), format!("{made}.x"));
        for wrong in ["", "a-1", "a-1.*", "a.>", &wild, &above, &format!("*.{upload}"), &more] {
            assert_eq!(parse_token(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn pages_have_every_name_once_and_in_order() {
        let all: Vec<String> = (0..25).map(|n| format!("n{:02}", n * 7 % 25)).collect();
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut page = Page::new(cursor.as_deref(), 10);
            all.iter().for_each(|name| page.offer(name));
            let (names, next) = page.end();
            assert!(names.len() <= 10);
            seen.extend(names);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let mut sorted = all;
        sorted.sort();
        assert_eq!(seen, sorted);
    }
}
