//! A connection whose reads and writes are noted, and which ends so that its client hears why.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Peer;

/// A connection whose reads and writes are noted.
pub struct Noted<T> {
    inner: T,
    peer: Arc<Peer>,
    shut: bool,
}

impl<T> Noted<T> {
    pub fn new(inner: T, peer: Arc<Peer>) -> Self {
        Self { inner, peer, shut: false }
    }

    fn note(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Ready(Ok(bytes)) => self.peer.activity.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.peer.activity.blocked(|| self.peer.now()),
        }
        outcome
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Noted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if let Some(bytes) = buffer.filled().get(before..)
            && !bytes.is_empty()
        {
            self.peer.activity.read(bytes, || self.peer.now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Noted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.note(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.note(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// Called when all was written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        match &outcome {
            Poll::Ready(Ok(())) => self.peer.activity.flushed(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.peer.activity.blocked(|| self.peer.now()),
        }
        outcome
    }

    /// Where the client may still be sending, reads what comes and throws it away: closing at once
    /// would reset the connection, and the client might lose its answer. Whoever watches the
    /// connection ends that.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            self.shut = true;
            if !self.peer.activity.must_linger() {
                return Poll::Ready(Ok(()));
            }
            self.peer.activity.linger(self.peer.now());
        }
        let mut space = [0; 4096];
        // Leaves room for others: what comes in at full speed is more than anybody need read.
        for _ in 0..16 {
            let mut buffer = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
