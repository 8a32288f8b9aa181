//! `mesh:random`.

use std::collections::BTreeSet;

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Empty;
use lattice_protocol::contract::limits::random as limits;
use lattice_protocol::contract::random::{Bytes, BytesRequest, Guid, Integer, Range, operation};

use crate::checks::{ask, fails, refused, same};
use crate::{Link, Report};

const BAD: &[ErrorCode] = &[ErrorCode::BadRequest];

/// Examines a provider.
pub async fn suite(link: &Link) -> Report {
    let mut report = Report::default();
    report.check("a GUID is a random UUID, and another each time", guids(link)).await;
    report.check("bytes are as many as were asked for", bytes(link)).await;
    report.check("integers are within their bounds, both included", integers(link)).await;
    report.check("what makes no sense is refused", bounds(link)).await;
    report
}

async fn guids(link: &Link) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let Guid { guid } = ask(link, operation::GUID, &Empty {}).await?;
        let shape: String = guid.chars().map(|c| if c == '-' { '-' } else { 'x' }).collect();
        same("the shape", shape.as_str(), "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")?;
        let hex = guid.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c));
        same("whether it is lower-case hex", hex, true)?;
        same("the version", guid.chars().nth(14), Some('4'))?;
        same("whether it is new", seen.insert(guid), true)?;
    }
    Ok(())
}

async fn bytes(link: &Link) -> Result<(), String> {
    for length in [1, 16, limits::RANDOM_BYTES_MAX] {
        let request = BytesRequest { length };
        let first: Bytes = ask(link, operation::BYTES, &request).await?;
        same("the length", u32::try_from(first.bytes.len()).ok(), Some(length))?;
        if length >= 16 {
            let second: Bytes = ask(link, operation::BYTES, &request).await?;
            same("whether the same come again", first.bytes == second.bytes, false)?;
            let kinds: BTreeSet<u8> = first.bytes.iter().copied().collect();
            same("whether they differ among themselves", kinds.len() > 1, true)?;
        }
    }
    Ok(())
}

async fn integers(link: &Link) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let Integer { value } = ask(link, operation::INTEGER, &Range { min: -2, max: 2 }).await?;
        seen.insert(value);
    }
    same("what came of 200 throws", seen, (-2..=2).collect())?;
    for (min, max) in [(7, 7), (i64::MIN, i64::MIN), (i64::MAX, i64::MAX)] {
        let Integer { value } = ask(link, operation::INTEGER, &Range { min, max }).await?;
        same("the only one there is", value, min)?;
    }
    let Integer { value: _ } =
        ask(link, operation::INTEGER, &Range { min: i64::MIN, max: i64::MAX }).await?;
    Ok(())
}

async fn bounds(link: &Link) -> Result<(), String> {
    refused(link, operation::INTEGER, &Range { min: 2, max: 1 }, BAD).await?;
    let many = BytesRequest { length: limits::RANDOM_BYTES_MAX + 1 };
    refused(link, operation::BYTES, &many, &[ErrorCode::BadRequest, ErrorCode::TooLarge]).await?;
    for message in [&b"\xc1"[..], b"\x90", b"\x81\xa3min"] {
        fails("a message that is none", link.raw(operation::INTEGER, message).await, BAD)?;
    }
    fails("an unknown operation", link.raw("throw", &b"\x80"[..]).await, BAD).map(drop)
}
