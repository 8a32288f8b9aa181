//! The adapter as a node uses it: bytes of older modules in, bytes of the mesh out, and back.

mod calls;
mod http;
mod keyvalue;
mod messaging;
mod range;

use std::sync::atomic::AtomicU64;

use lattice_protocol::Error;
use lattice_protocol::contract::{ByteBuf, Message};

use super::step::Call;
use super::*;

/// Returns the first call of `operation`.
fn first(namespace: &str, operation: &str, payload: &[u8]) -> Result<Call, Error> {
    match from_actor(namespace, operation, payload, &AtomicU64::new(0))? {
        Step::Call(call) => Ok(call),
        Step::Done(answer) => panic!("`{operation}` asks for nothing: {answer:02x?}"),
    }
}

/// Answers the one call that there is.
fn done(call: Call, answer: &impl Message) -> Vec<u8> {
    match call.answered(&answer.encode().unwrap()).unwrap() {
        Step::Done(answer) => answer,
        Step::Call(next) => panic!("another call: {next:?}"),
    }
}

fn bytes(values: &[&str]) -> Vec<ByteBuf> {
    values.iter().map(|value| ByteBuf::from(value.as_bytes())).collect()
}

/// A map of a key alone.
const K: &[u8] = b"\x81\xa3key\xa1k";
