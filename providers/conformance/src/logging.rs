//! `mesh:logging`: what becomes of a line is its provider's affair; that it takes it, and what it
//! refuses, is the contract's.

use std::collections::BTreeMap;

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::Empty;
use lattice_protocol::contract::limits::logging as limits;
use lattice_protocol::contract::logging::{Level, Line, operation};

use crate::checks::{ask, fails, refused};
use crate::{Link, Report};

const BAD: &[ErrorCode] = &[ErrorCode::BadRequest];
const LARGE: &[ErrorCode] = &[ErrorCode::TooLarge];

/// Examines a provider.
pub async fn suite(link: &Link) -> Report {
    let mut report = Report::default();
    report.check("a line of each level is taken", lines(link)).await;
    report.check("what exceeds its bound is refused", bounds(link)).await;
    report.check("what is no line is refused", malformed(link)).await;
    report
}

fn line(level: Level, text: &str) -> Line {
    Line { level, text: text.to_owned(), fields: BTreeMap::new() }
}

async fn lines(link: &Link) -> Result<(), String> {
    for level in [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace] {
        let Empty {} = ask(link, operation::WRITE, &line(level, "a line of a suite")).await?;
    }
    let fields = BTreeMap::from([("key".to_owned(), "value\nof two lines".to_owned())]);
    let full = Line { fields, ..line(Level::Info, "two\nlines \u{1b}[31m and a colour") };
    let Empty {} = ask(link, operation::WRITE, &full).await?;
    let longest = line(Level::Info, &"x".repeat(limits::TEXT_BYTES_MAX));
    let Empty {} = ask(link, operation::WRITE, &longest).await?;
    Ok(())
}

async fn bounds(link: &Link) -> Result<(), String> {
    let long = line(Level::Info, &"x".repeat(limits::TEXT_BYTES_MAX + 1));
    refused(link, operation::WRITE, &long, LARGE).await?;
    let fields = (0..=limits::FIELDS_MAX).map(|n| (n.to_string(), String::new())).collect();
    refused(link, operation::WRITE, &Line { fields, ..line(Level::Info, "x") }, BAD).await?;
    let value = "v".repeat(limits::FIELD_VALUE_BYTES_MAX + 1);
    let fields = BTreeMap::from([("k".to_owned(), value)]);
    refused(link, operation::WRITE, &Line { fields, ..line(Level::Info, "x") }, LARGE).await
}

async fn malformed(link: &Link) -> Result<(), String> {
    for message in [&b"\xc1"[..], b"\x90", b"\x81\xa5level\xa4loud"] {
        fails("a message that is none", link.raw(operation::WRITE, message).await, BAD)?;
    }
    fails("an unknown operation", link.raw("read", &b"\x80"[..]).await, BAD).map(drop)
}
