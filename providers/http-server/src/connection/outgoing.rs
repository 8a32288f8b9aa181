//! The body of a response on its way to the client.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::stream::Progress;
use super::{Entered, Moment};
use crate::limits;

/// The body of a response. It is given away in parts, as the connection takes them.
pub struct Outgoing {
    rest: Bytes,
    /// Says that the request is not at its end.
    entered: Entered,
    /// The stream that it goes to (HTTP/2).
    stream: Option<Arc<Progress>>,
    sliced: bool,
}

impl Outgoing {
    /// Sends `bytes`.
    pub fn new(bytes: Bytes, entered: Entered) -> Self {
        Self { rest: bytes, entered, stream: Progress::of_this_stream(), sliced: false }
    }

    fn now(&self) -> Moment {
        self.entered.peer().now()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(stream) = &self.stream {
            stream.moved(self.now());
        }
        let part = if self.rest.len() > limits::SEND_SLICE_BYTES {
            self.sliced = true;
            self.rest.split_to(limits::SEND_SLICE_BYTES)
        } else {
            let last = std::mem::take(&mut self.rest);
            // Nobody watches the last part once it is given away: alone it holds little memory.
            if self.sliced { Bytes::copy_from_slice(&last) } else { last }
        };
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
