//! A link to the provider that is examined.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lattice_client::{Call, Lattice};
use lattice_protocol::Error;
use lattice_protocol::contract::Message;
use lattice_protocol::keys::{ActorKey, ProviderKey};
use lattice_protocol::names::LinkName;

type Asked = Pin<Box<dyn Future<Output = Result<Bytes, Error>> + Send>>;

/// Asks a provider over one link, whichever way leads to it. Cheap to clone.
#[derive(Clone)]
pub struct Link(Arc<dyn Fn(String, Bytes) -> Asked + Send + Sync>);

impl Link {
    /// Asks by a function of operation and message.
    pub fn new<F, A>(ask: F) -> Self
    where
        F: Fn(String, Bytes) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Bytes, Error>> + Send + 'static,
    {
        Self(Arc::new(move |operation, message| Box::pin(ask(operation, message))))
    }

    /// Asks over NATS, as the actor whose link leads to the provider.
    pub fn by_nats(
        lattice: Lattice,
        provider: ProviderKey,
        source: ActorKey,
        name: LinkName,
        timeout: Duration,
    ) -> Self {
        Self::new(move |operation, message| {
            let lattice = lattice.clone();
            let call = Call {
                timeout,
                origin: Some(source.to_string()),
                link: Some(name.to_string()),
                ..Call::new(provider.clone(), operation, message)
            };
            async move { Ok(lattice.call(call).await?.payload) }
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The provider's.
    pub async fn raw(&self, operation: &str, message: impl Into<Bytes>) -> Result<Bytes, Error> {
        (self.0)(operation.to_owned(), message.into()).await
    }

    /// Asks for one operation of a contract.
    ///
    /// # Errors
    /// The provider's, or that its answer is none of the contract.
    pub async fn ask<R: Message>(
        &self,
        operation: &str,
        request: &impl Message,
    ) -> Result<R, Error> {
        let message = request.encode().map_err(|error| {
            Error::not_started(lattice_protocol::ErrorCode::BadRequest, error.to_string())
        })?;
        let answer = self.raw(operation, message).await?;
        R::decode(&answer).map_err(|error| Error { started: true, ..Error::from(error) })
    }
}
