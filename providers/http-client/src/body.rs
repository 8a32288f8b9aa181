//! The body of a response, bounded while it comes in.

use std::sync::Arc;

use lattice_protocol::{Error, ErrorCode};
use reqwest::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure;
use crate::limits;

/// What the provider may hold of bodies that come in, in pages of [`limits::BODY_PAGE_BYTES`].
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limits::BODIES_HELD_BYTES_MAX / limits::BODY_PAGE_BYTES)))
    }
}

/// What one body holds of it.
struct Held<'a> {
    room: &'a Room,
    pages: Option<OwnedSemaphorePermit>,
}

impl Held<'_> {
    fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let held = self.pages.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(limits::BODY_PAGE_BYTES).saturating_sub(held);
        if more == 0 {
            return Ok(());
        }
        let full = || {
            let held = limits::BODIES_HELD_BYTES_MAX;
            let message = format!("the responses that come in have {held} bytes already");
            Error::started(ErrorCode::Busy, message)
        };
        let more = u32::try_from(more).map_err(|_| full())?;
        let more = self.room.0.clone().try_acquire_many_owned(more).map_err(|_| full())?;
        match &mut self.pages {
            Some(pages) => pages.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// Reads a body to its end.
///
/// # Errors
/// `too_large` beyond `most` bytes, as soon as that is known; `busy` where the provider has no
/// room; that it broke off. All of them started.
pub async fn read(response: &mut Response, most: usize, room: &Room) -> Result<Vec<u8>, Error> {
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    let within = |bytes: usize| match bytes > most {
        true => Err(Error::started(
            ErrorCode::TooLarge,
            format!("the body of the response exceeds {most} bytes"),
        )),
        false => Ok(()),
    };
    within(announced)?;
    let mut held = Held { room, pages: None };
    let mut body = Vec::with_capacity(announced.min(limits::BODY_RESERVE_BYTES_MAX));
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| failure::of_body(&error, response.url()))?;
        let Some(chunk) = chunk else { return Ok(body) };
        let bytes = body.len().saturating_add(chunk.len());
        within(bytes)?;
        held.grow(bytes)?;
        body.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_by_pages_and_given_back() {
        let room = Room(Arc::new(Semaphore::new(3)));
        let mut one = Held { room: &room, pages: None };
        let mut other = Held { room: &room, pages: None };
        let page = limits::BODY_PAGE_BYTES;
        assert_eq!(one.grow(1), Ok(()));
        assert_eq!(one.grow(page), Ok(()));
        assert_eq!(one.grow(page + 1), Ok(()));
        assert_eq!(room.0.available_permits(), 1);
        let error = other.grow(page + 1).unwrap_err();
        assert_eq!((error.code, error.started), (ErrorCode::Busy, true));
        drop(one);
        assert_eq!(other.grow(3 * page), Ok(()));
        drop(other);
        assert_eq!(room.0.available_permits(), 3);
    }
}
