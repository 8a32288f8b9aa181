//! Whom an actor calls.

use crate::{FromPayload, Result, ToPayload, host};

/// Somebody that an actor can call: another actor, or whatever a link binds to a contract.
///
/// ```
/// use mesh_actor::prelude::*;
/// use mesh_actor::testing::Lattice;
///
/// let lattice = Lattice::new().answer("adder", |_operation, numbers: Vec<u32>| {
///     Ok(numbers.iter().sum::<u32>())
/// });
/// let sum: Result<u32> = lattice.run(|| Target::actor("adder").call("sum", &[1, 2, 3]));
/// assert_eq!(sum, Ok(6));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    namespace: &'a str,
    link: &'a str,
}

impl<'a> Target<'a> {
    /// The link that is meant where none is named.
    pub const DEFAULT_LINK: &'static str = "default";

    /// Returns the actor of that name or public key.
    pub fn actor(name_or_key: &'a str) -> Self {
        Self { namespace: name_or_key, link: Self::DEFAULT_LINK }
    }

    /// Returns whatever is linked to this actor for a contract such as `mesh:keyvalue`.
    pub fn contract(contract: &'a str) -> Self {
        Self { namespace: contract, link: Self::DEFAULT_LINK }
    }

    /// Returns the same target by another link.
    #[must_use]
    pub fn link(self, link: &'a str) -> Self {
        Self { link, ..self }
    }

    /// Calls `operation` with a typed request and reads a typed response.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host) with the code of what went wrong on the way or there,
    /// [`Error::BadPayload`](crate::Error::BadPayload) when the response is of another type.
    pub fn call<Req, Resp>(&self, operation: &str, request: &Req) -> Result<Resp>
    where
        Req: ToPayload + ?Sized,
        Resp: FromPayload,
    {
        let request = request.to_payload().map_err(|error| error.of(|| self.what(operation)))?;
        let response = self.call_raw(operation, &request)?;
        Resp::from_payload(response)
            .map_err(|error| error.of(|| format!("the answer to {}", self.what(operation))))
    }

    /// Calls `operation` with bytes and returns bytes.
    ///
    /// # Errors
    /// [`Error::Host`](crate::Error::Host) with the code of what went wrong on the way or there.
    pub fn call_raw(&self, operation: &str, payload: &[u8]) -> Result<Vec<u8>> {
        Ok(host::call_raw(self.link, self.namespace, operation, payload)?)
    }

    fn what(&self, operation: &str) -> String {
        format!("`{operation}` of `{}`", self.namespace)
    }
}
