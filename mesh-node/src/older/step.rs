//! How a host call of an older module goes on: one call of the mesh after the other, each of which
//! may depend on the answer before.

use std::fmt;

use bytes::Bytes;
use lattice_protocol::contract::Message;
use lattice_protocol::{Error, ErrorCode};

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Ask the linked provider this, and go on with [`Call::answered`].
    Call(Call),
    /// The module gets this answer.
    Done(Vec<u8>),
}

/// What the provider's answer leads to.
type Then = Box<dyn FnOnce(&[u8]) -> Result<Step, Error> + Send>;

/// A call of the mesh.
pub struct Call {
    /// The contract.
    pub contract: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// The message.
    pub payload: Bytes,
    then: Then,
}

impl Call {
    /// Takes the provider's answer and returns what comes next.
    ///
    /// # Errors
    /// `internal` when the answer is not one of the contract; `bad_request` when an older message
    /// can't hold it; `too_large` when it is beyond what an older module may ask for.
    pub fn answered(self, answer: &[u8]) -> Result<Step, Error> {
        (self.then)(answer)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("contract", &self.contract)
            .field("operation", &self.operation)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

/// Returns the step that asks `request`, and `then` does something with the response.
///
/// # Errors
/// `bad_request` or `too_large` when the request is beyond the bounds of the contract.
pub(super) fn ask<Req: Message, Resp: Message>(
    contract: &'static str,
    operation: &'static str,
    request: &Req,
    then: impl FnOnce(Resp) -> Result<Step, Error> + Send + 'static,
) -> Result<Step, Error> {
    request.check()?;
    let payload = request.encode().map_err(super::wire::unwritable)?.into();
    let then: Then = Box::new(move |answer: &[u8]| {
        let response = Resp::decode(answer).map_err(|cause| {
            let message = format!("the answer of `{contract}` to `{operation}`: {cause}");
            Error::started(ErrorCode::Internal, message)
        })?;
        then(response)
    });
    Ok(Step::Call(Call { contract, operation, payload, then }))
}
