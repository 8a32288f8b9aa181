//! Reads the body of a request, within its bounds of size, time and memory.

use std::future::poll_fn;
use std::pin::Pin;

use http::StatusCode;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use super::message::Message;
use super::problem::Problem;
use crate::limits;
use crate::memory::{Held, Memory};
use crate::options::Limits;

/// Refuses a body that says itself that it is too large, before any of it is asked for.
///
/// # Errors
/// The answer to it.
pub fn check(body: &Incoming, most: usize) -> Result<(), Problem> {
    if body.size_hint().lower() > most as u64 {
        return Err(Problem::body_too_large(most));
    }
    Ok(())
}

/// Adds a body to a message as it arrives. Returns the memory that it holds.
///
/// # Errors
/// The answer where it is too large, too slow, or ends early.
pub async fn read(
    mut body: Incoming,
    message: &mut Message,
    most: usize,
    limits: &Limits,
    memory: &Memory,
) -> Result<Held, Problem> {
    let mut held = Held::default();
    if body.is_end_stream() {
        return Ok(held);
    }
    let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
    let mut room = 0;
    let start = Instant::now();
    let end = start + limits.body_timeout;
    let (mut window, mut progress) = (start + limits.body_stall, 0);
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let part = match tokio::time::timeout_at(window.min(end), frame).await {
            Ok(None) => return Ok(held),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(part) => part,
                // Trailers: no application is told of them.
                Err(_) => continue,
            },
            Ok(Some(Err(_))) => {
                return Err(Problem::bad_request("The body is malformed or ends early.").last());
            }
            Err(_) => return Err(too_slow()),
        };
        progress += part.len();
        if progress >= limits::BODY_PROGRESS_BYTES {
            (window, progress) = (Instant::now() + limits.body_stall, 0);
        }
        let size = message.body_bytes() + part.len();
        if size > most {
            return Err(Problem::body_too_large(most));
        }
        if size > room {
            // What was announced is believed as it comes true: twice as much each time.
            let known = length.unwrap_or(most);
            let wish = (room * 2).max(size).max(limits::BODY_ROOM_FIRST_BYTES);
            room = wish.min(known).max(size);
            memory.hold_up_to(&mut held, room).await.map_err(|_| Problem::no_memory().last())?;
            message.reserve(room - message.body_bytes());
        }
        message.add(&part);
    }
}

fn too_slow() -> Problem {
    let detail = "The body did not arrive in time.";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail).last()
}
