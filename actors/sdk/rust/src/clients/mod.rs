//! The contracts of the mesh from the side of an actor: a module a contract.

pub mod blobstore;
mod checked;
pub mod http;
pub mod http_client;
pub mod keyvalue;
mod keyvalue_more;
pub mod logging;
pub mod messaging;
mod pages;
pub mod random;
pub mod timer;
mod uploads;

pub use checked::Checked;

use lattice_protocol::contract::Message;

use crate::{Error, Result, host};

/// Calls `operation` of a contract by a link. Either message is checked before it is believed: the
/// request here, so that an actor learns at once what the provider would refuse.
fn ask<Req: Message, Resp: Message>(
    link: &str,
    contract: &str,
    operation: &str,
    request: &Req,
) -> Result<Resp> {
    let payload = request.check().map_err(Error::payload);
    let payload = payload.and_then(|()| request.encode().map_err(Error::payload));
    let payload = payload.map_err(|error| error.of(|| what(contract, operation)))?;
    let answer = host::call_raw(link, contract, operation, &payload)?;
    Resp::decode(&answer).map_err(|cause| {
        Error::payload(cause).of(|| format!("the answer to {}", what(contract, operation)))
    })
}

fn what(contract: &str, operation: &str) -> String {
    format!("`{operation}` of `{contract}`")
}

/// Declares what an actor holds of a contract: the name of a link.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident of $contract:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            link: &'a str,
        }

        impl Default for $name<'_> {
            /// Returns the one that the default link leads to.
            fn default() -> Self {
                Self { link: $crate::Target::DEFAULT_LINK }
            }
        }

        impl<'a> $name<'a> {
            /// Returns the one that the link of that name leads to.
            pub fn by_link(link: &'a str) -> Self {
                Self { link }
            }

            pub(super) fn ask<Req, Resp>(&self, operation: &str, request: &Req) -> $crate::Result<Resp>
            where
                Req: lattice_protocol::contract::Message,
                Resp: lattice_protocol::contract::Message,
            {
                let contract = lattice_protocol::contract::$contract::NAME;
                $crate::clients::ask(self.link, contract, operation, request)
            }
        }
    };
}
use handle;
