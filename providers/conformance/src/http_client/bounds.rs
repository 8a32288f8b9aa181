//! What is too large, and what takes too long.

use std::time::{Duration, Instant};

use lattice_protocol::ErrorCode;
use lattice_protocol::contract::http_client::Request;

use super::asking::{Checked, fails, get, response, same};
use super::server::Server;
use crate::{Link, Report};

/// Time that the slow requests have.
const TIMEOUT_MS: u32 = 300;
/// Time in which they must have ended.
const ENDED_MS: u64 = 2_000;

pub(super) async fn run(report: &mut Report, link: &Link, server: &Server) {
    report.check("a body that is too large is refused", large(link, server)).await;
    report.check("headers that are too many are refused", headers(link, server)).await;
    report.check("a server that is slow is left in time", slow(link, server)).await;
    report.check("requests do not wait for each other", beside(link, server)).await;
}

async fn large(link: &Link, server: &Server) -> Checked {
    for path in ["/announced", "/endless"] {
        fails(link, &get(server.url(path)), ErrorCode::TooLarge, true).await?;
    }
    Ok(())
}

async fn headers(link: &Link, server: &Server) -> Checked {
    fails(link, &get(server.url("/many-headers")), ErrorCode::TooLarge, true).await
}

async fn slow(link: &Link, server: &Server) -> Checked {
    for path in ["/silent", "/slow", "/to?/silent"] {
        let url = server.url(path);
        let request = Request { timeout_ms: Some(TIMEOUT_MS), redirects: 1, ..get(url) };
        let begun = Instant::now();
        fails(link, &request, ErrorCode::DeadlineExceeded, true).await?;
        let took = begun.elapsed();
        if took < Duration::from_millis(TIMEOUT_MS.into()) || took > Duration::from_millis(ENDED_MS)
        {
            return Err(format!("{path} with {TIMEOUT_MS} ms took {} ms", took.as_millis()));
        }
    }
    Ok(())
}

async fn beside(link: &Link, server: &Server) -> Checked {
    let slow = Request { timeout_ms: Some(ENDED_MS as u32), ..get(server.url("/silent")) };
    let waiting = fails(link, &slow, ErrorCode::DeadlineExceeded, true);
    let asked = async {
        let begun = Instant::now();
        for _ in 0..20 {
            let answer = response(link, &get(server.url("/body"))).await?;
            same("the status", answer.status, 200)?;
        }
        match begun.elapsed() < Duration::from_millis(ENDED_MS) {
            true => Ok(()),
            false => Err("they waited for one that was slow".to_owned()),
        }
    };
    let (waited, asked) = tokio::join!(waiting, asked);
    waited.and(asked)
}
