//! A trait for each contract whose operations a provider runs: implement it for what one link
//! opens, and [`Served`] answers its calls.
//!
//! A request that reaches a trait has been decoded and checked against the contract's bounds; a
//! response is checked before it leaves.

mod blobstore;
mod http_client;
mod keyvalue;
mod logging;
mod messaging;
mod random;

use bytes::Bytes;
use lattice_protocol::contract::{Contract, Message};
use lattice_protocol::{Error, ErrorCode};

pub use blobstore::{BlobStore, ServedBlobStore};
pub use http_client::{HttpClient, ServedHttpClient};
pub use keyvalue::{KeyValue, ServedKeyValue};
pub use logging::{Logging, ServedLogging};
pub use messaging::{Messaging, ServedMessaging};
pub use random::{Random, ServedRandom};

/// Declares the trait of a contract and what answers its operations with it.
macro_rules! contract_trait {
    (
        $(#[$doc:meta])*
        $trait:ident, $served:ident: $contract:ident;
        $($(#[$operation_doc:meta])* $method:ident($constant:ident: $request:ty) -> $response:ty;)*
    ) => {
        $(#[$doc])*
        pub trait $trait: Send + Sync + 'static {
            $($(#[$operation_doc])*
            fn $method(
                &self,
                request: $request,
                info: &$crate::CallInfo,
            ) -> impl std::future::Future<
                Output = Result<$response, lattice_protocol::Error>,
            > + Send;)*

            /// Ends what the link has begun by itself. Calls may still be under way.
            fn close(&self) -> impl std::future::Future<Output = ()> + Send {
                std::future::ready(())
            }

            /// Gives back what it holds when the process ends and no call is under way.
            fn release(&self) -> impl std::future::Future<Output = ()> + Send {
                std::future::ready(())
            }
        }

        /// Answers the calls over a link with what implements the contract's trait.
        pub struct $served<T>(pub T);

        impl<T: $trait> $crate::Answers for $served<T> {
            fn answer<'a>(
                &'a self,
                call: $crate::ProviderCall<'a>,
            ) -> $crate::BoxFuture<'a, Result<bytes::Bytes, lattice_protocol::Error>> {
                use lattice_protocol::contract::$contract::{CONTRACT, operation};
                match call.operation {
                    $(operation::$constant => Box::pin(async move {
                        let request = super::request(call.payload)?;
                        super::response(&self.0.$method(request, &call.info).await?)
                    }),)*
                    other => Box::pin(std::future::ready(Err(super::unknown(CONTRACT, other)))),
                }
            }

            fn close(&self) -> $crate::BoxFuture<'_, ()> {
                Box::pin(self.0.close())
            }

            fn release(&self) -> $crate::BoxFuture<'_, ()> {
                Box::pin(self.0.release())
            }
        }
    };
}
use contract_trait;

fn request<M: Message>(payload: &[u8]) -> Result<M, Error> {
    M::decode(payload).map_err(Error::from)
}

fn response<M: Message>(response: &M) -> Result<Bytes, Error> {
    // What the contract does not allow must not leave: the other side would refuse it.
    response.check().map_err(|error| Error { started: true, ..Error::from(error) })?;
    let encoded = response.encode();
    encoded.map(Bytes::from).map_err(|error| Error::started(ErrorCode::Internal, error.to_string()))
}

/// Returns the error of an operation that a contract does not have.
pub fn unknown(contract: Contract, operation: &str) -> Error {
    let names: Vec<&str> = contract.operations.iter().map(|one| one.name).collect();
    let shown: String = operation.chars().take(80).collect();
    Error::not_started(
        ErrorCode::BadRequest,
        format!("{} has no operation {shown:?}: it has {}", contract.name, names.join(", ")),
    )
}
