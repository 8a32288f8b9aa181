//! A call and its answer.
//!
//! ```text
//! Invocation { v:1, id: bin16, target: str, operation: str, msg: bin, origin?: str, link?: str,
//!              timeout_ms?: u32, hops?: u8, idempotent?: bool, min_revision?: u64,
//!              body_ref?: BodyRef, auth?: bin }
//! Reply      { v:1, id: bin16, ok?: bin, body_ref?: BodyRef, err?: Error, node: str, revision?: u64 }
//! ```
//!
//! Both are msgpack maps with named fields. Texts and payloads borrow from the bytes they were
//! decoded from: reading a message copies nothing.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::codec::{self, DecodeError, EncodeError};
use crate::error::Error;
use crate::limits;
use crate::names::{Digest, is_operation};

/// Operations that the node answers itself, for every actor that it serves.
pub mod reserved {
    /// What reserved operations start with; an actor never sees one of them.
    pub const PREFIX: &str = "mesh:";
    /// Answers with an empty payload and the revision that would serve a call.
    pub const PING: &str = "mesh:ping";

    /// Answers a reserved operation, whoever is called.
    ///
    /// # Errors
    /// `bad_request` when it is not known.
    pub fn answer(operation: &str) -> Result<Vec<u8>, crate::Error> {
        if operation == PING {
            return Ok(Vec::new());
        }
        Err(crate::Error::not_started(
            crate::ErrorCode::BadRequest,
            format!("{operation:?} is reserved and unknown here; {PING} is known"),
        ))
    }
}

/// The identity of one call: a UUID, version 7 where this crate makes it; 16 bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InvocationId(pub Uuid);

impl InvocationId {
    /// Makes a new one from the clock and the system's randomness.
    #[cfg(not(target_family = "wasm"))]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for InvocationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for InvocationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for InvocationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Like every other payload it may come as a str: old encoders know no bin.
        let bytes = <&serde_bytes::Bytes>::deserialize(deserializer)?;
        Uuid::from_slice(bytes)
            .map(Self)
            .map_err(|_| serde::de::Error::invalid_length(bytes.len(), &"an id of 16 bytes"))
    }
}

/// A payload that travels by object store because it exceeds what one message may carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyRef {
    /// Name of the object in the lattice's bucket of bodies.
    pub object: String,
    /// SHA-256 of the payload.
    pub digest: Digest,
    /// Length of the payload in bytes.
    pub length: u64,
}

fn first_version() -> u8 {
    1
}

/// A request to run one operation of one target.
///
/// `id`, `target` and `operation` are all that a client must set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation<'a> {
    /// Version of the wire.
    #[serde(default = "first_version")]
    pub v: u8,
    /// Identity of this call; a retry carries the same.
    pub id: InvocationId,
    /// Public key of the actor or provider; equal to the key in the subject.
    pub target: &'a str,
    /// What to do; plain text that the target understands.
    pub operation: &'a str,
    /// The payload, opaque to the mesh.
    #[serde(default, with = "serde_bytes")]
    pub msg: &'a [u8],
    /// Public key of the caller, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'a str>,
    /// Name of the link that the caller used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<&'a str>,
    /// Milliseconds of the caller's budget that were left when it sent this; absent or 0 means
    /// [`limits::CALL_TIMEOUT_DEFAULT_MS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Calls that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hops: Option<u8>,
    /// Whether running it twice does no harm, so that it may be retried after an unknown outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// The oldest revision that may answer; an older one answers `stale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_revision: Option<u64>,
    /// The payload, where it travels by object store; `msg` is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_ref: Option<BodyRef>,
    /// Message authentication code under the target's key.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub auth: Option<&'a [u8]>,
}

impl<'a> Invocation<'a> {
    /// Makes an invocation with nothing but what every call must have.
    pub fn new(id: InvocationId, target: &'a str, operation: &'a str, msg: &'a [u8]) -> Self {
        Self {
            v: limits::WIRE_VERSION,
            id,
            target,
            operation,
            msg,
            origin: None,
            link: None,
            timeout_ms: None,
            hops: None,
            idempotent: None,
            min_revision: None,
            body_ref: None,
            auth: None,
        }
    }

    /// Returns the milliseconds that the call has: its wish within the limits, or the default.
    pub fn budget_ms(&self) -> u32 {
        match self.timeout_ms {
            None | Some(0) => limits::CALL_TIMEOUT_DEFAULT_MS,
            Some(wish) => wish.min(limits::CALL_TIMEOUT_MAX_MS),
        }
    }

    /// Encodes the invocation for the wire.
    ///
    /// # Errors
    /// [`EncodeError`]; not seen to happen for a value of this type.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode_with_capacity(self, self.msg.len() + 256)
    }

    /// Decodes an invocation; texts and payload borrow from `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are malformed, of another version or over a limit, or when
    /// there are both `msg` and `body_ref`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let invocation: Self = codec::decode_versioned(bytes, |invocation: &Self| invocation.v)?;
        if !is_operation(invocation.operation) {
            return Err(DecodeError::Shape(format!(
                "an operation is 1 to {} bytes without control characters",
                limits::OPERATION_BYTES_MAX
            )));
        }
        if invocation.body_ref.is_some() && !invocation.msg.is_empty() {
            return Err(DecodeError::Shape(
                "an invocation has `msg` or `body_ref`, not both".into(),
            ));
        }
        within(invocation.msg, invocation.body_ref.as_ref())?;
        Ok(invocation)
    }
}

/// What came of a call: the target's payload, or why there is none.
pub type Outcome<T> = Result<T, Error>;

/// The answer to an [`Invocation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<'a> {
    /// Version of the wire.
    #[serde(default = "first_version")]
    pub v: u8,
    /// The invocation's `id`; 16 zero bytes where the request was too broken to tell.
    pub id: InvocationId,
    /// The target's payload.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub ok: Option<&'a [u8]>,
    /// The target's payload, where it travels by object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_ref: Option<BodyRef>,
    /// Why there is no payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err: Option<Error>,
    /// Public key of the node or provider that answered.
    #[serde(default)]
    pub node: &'a str,
    /// Revision of the actor that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

impl<'a> Reply<'a> {
    /// Makes the reply that carries `outcome`.
    pub fn new(id: InvocationId, node: &'a str, outcome: Outcome<&'a [u8]>) -> Self {
        let (ok, err) = match outcome {
            Ok(payload) => (Some(payload), None),
            Err(error) => (None, Some(error)),
        };
        Self { v: limits::WIRE_VERSION, id, ok, body_ref: None, err, node, revision: None }
    }

    /// Encodes the reply for the wire.
    ///
    /// # Errors
    /// [`EncodeError`]; not seen to happen for a value of this type.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        codec::encode_with_capacity(self, self.ok.map_or(0, <[u8]>::len) + 192)
    }

    /// Decodes a reply; texts and payload borrow from `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are malformed or of another version, or when the reply has
    /// not exactly one of payload, payload by reference and error.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let reply: Self = codec::decode_versioned(bytes, |reply: &Self| reply.v)?;
        let answers = usize::from(reply.ok.is_some())
            + usize::from(reply.body_ref.is_some())
            + usize::from(reply.err.is_some());
        if answers != 1 {
            return Err(DecodeError::Shape(
                "a reply has exactly one of `ok`, `body_ref` and `err`".into(),
            ));
        }
        within(reply.ok.unwrap_or_default(), reply.body_ref.as_ref())?;
        Ok(reply)
    }
}

/// Checks a payload against its limit, however it travels.
fn within(payload: &[u8], reference: Option<&BodyRef>) -> Result<(), DecodeError> {
    let referenced = reference.map_or(0, |body| usize::try_from(body.length).unwrap_or(usize::MAX));
    let found = payload.len().max(referenced);
    if found > limits::PAYLOAD_BYTES_MAX {
        let limit = limits::PAYLOAD_BYTES_MAX;
        return Err(DecodeError::TooLarge { what: "a payload", found, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invocation() -> Invocation<'static> {
        Invocation::new(InvocationId(Uuid::from_u128(7)), "M", "Run", b"")
    }

    #[test]
    fn a_budget_is_the_wish_within_the_limits() {
        for (wish, budget) in [
            (None, limits::CALL_TIMEOUT_DEFAULT_MS),
            (Some(0), limits::CALL_TIMEOUT_DEFAULT_MS),
            (Some(1), 1),
            (Some(limits::CALL_TIMEOUT_MAX_MS), limits::CALL_TIMEOUT_MAX_MS),
            (Some(u32::MAX), limits::CALL_TIMEOUT_MAX_MS),
        ] {
            assert_eq!(Invocation { timeout_ms: wish, ..invocation() }.budget_ms(), budget);
        }
    }

    #[test]
    fn an_id_is_sixteen_bytes_as_bin_or_str() {
        let text = *b"sixteen bytes ok";
        let expected = InvocationId(Uuid::from_bytes(text));
        let mut bin = vec![0xc4, 16];
        bin.extend(text);
        let mut old_str = vec![0xb0];
        old_str.extend(text);
        for bytes in [&bin, &old_str] {
            assert_eq!(codec::decode::<InvocationId>(bytes), Ok(expected));
        }
        let mut array = vec![0xdc, 0, 16];
        array.extend(text);
        let written = expected.to_string();
        let mut long_str = vec![0xd9, 36];
        long_str.extend(written.bytes());
        for bytes in [&array[..], &bin[..2], &[0xc4, 0], &[0xc0], &long_str] {
            assert!(codec::decode::<InvocationId>(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn payloads_are_bounded_however_they_travel() {
        let large = BodyRef {
            object: "o".into(),
            digest: Digest::of(b""),
            length: limits::PAYLOAD_BYTES_MAX as u64 + 1,
        };
        let by_reference = Invocation { body_ref: Some(large.clone()), ..invocation() };
        let bytes = by_reference.encode().unwrap();
        assert!(matches!(Invocation::decode(&bytes), Err(DecodeError::TooLarge { .. })));
        let reply =
            Reply { ok: None, body_ref: Some(large), ..Reply::new(invocation().id, "N", Ok(b"")) };
        let bytes = reply.encode().unwrap();
        assert!(matches!(Reply::decode(&bytes), Err(DecodeError::TooLarge { .. })));

        let payload = vec![0; limits::PAYLOAD_BYTES_MAX + 1];
        let bytes = Invocation { msg: &payload, ..invocation() }.encode().unwrap();
        assert!(matches!(Invocation::decode(&bytes), Err(DecodeError::TooLarge { .. })));
        let exact = Invocation { msg: &payload[1..], ..invocation() };
        assert_eq!(Invocation::decode(&exact.encode().unwrap()).as_ref(), Ok(&exact));
    }

    #[test]
    fn a_payload_borrows_from_the_message() {
        let bytes =
            Invocation { msg: &[1, 2, 3], auth: Some(&[4]), ..invocation() }.encode().unwrap();
        let decoded = Invocation::decode(&bytes).unwrap();
        assert!(bytes.as_ptr_range().contains(&decoded.msg.as_ptr()));
        assert!(bytes.as_ptr_range().contains(&decoded.auth.unwrap().as_ptr()));
    }
}
