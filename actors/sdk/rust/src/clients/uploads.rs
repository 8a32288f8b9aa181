//! A blob that is stored in pieces.

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::blobstore::{
    FinishPut, Info, PutChunk, Received, Upload, operation as op,
};
use lattice_protocol::contract::limits::blobstore::CHUNK_BYTES_MAX;
use lattice_protocol::names::Digest;

use super::blobstore::Store;
use crate::Result;

/// A blob that is being stored. An actor remembers nothing between calls, so a later one goes on
/// with [`resume`](Self::resume).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploading<'a> {
    store: Store<'a>,
    token: String,
    received: u64,
}

impl<'a> Uploading<'a> {
    pub(super) fn of(store: Store<'a>, upload: Upload) -> Self {
        Self { store, token: upload.upload, received: 0 }
    }

    /// Goes on with an upload whose token and length an earlier call kept.
    pub fn resume(store: Store<'a>, token: impl Into<String>, received: u64) -> Self {
        Self { store, token: token.into(), received }
    }

    /// Returns the token that stands for the upload.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Returns how many bytes the store has.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Adds bytes, in as many messages as they need.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host); `not_found` where the store has forgotten the upload.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for chunk in bytes.chunks(CHUNK_BYTES_MAX) {
            let upload = self.token.clone();
            let chunk = PutChunk { upload, offset: self.received, body: chunk.to_vec() };
            let Received { received } = self.store.ask(op::PUT_CHUNK, &chunk)?;
            self.received = received;
        }
        Ok(())
    }

    /// Ends the upload: the blob is seen. With a digest, only if the bytes have it.
    ///
    /// # Errors
    /// As [`write`](Self::write); `bad_request` where the bytes have another digest.
    pub fn finish(self, digest: Option<Digest>) -> Result<Info> {
        let request = FinishPut { upload: self.token, size: self.received, digest };
        self.store.ask(op::FINISH_PUT, &request)
    }

    /// Forgets the upload.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host).
    pub fn abort(self) -> Result<()> {
        let Empty {} = self.store.ask(op::ABORT_PUT, &Upload { upload: self.token })?;
        Ok(())
    }
}
