//! The provider as its host sees it: links that are opened, asked and closed, on files in a folder.

mod files;
mod model;
mod operations;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lattice_client::TraceContext;
use lattice_protocol::Error;
use lattice_protocol::contract::keyvalue::{
    Increment, Key, Number, Set, Value, Written, operation,
};
use lattice_protocol::contract::{ByteBuf, Message};
use lattice_protocol::keys::ActorKey;
use mesh_provider::{Answers, CallInfo, Config, Link, LinkId, Provider, ProviderCall};

use crate::KeyValueEmbedded;

/// Returns a link of an actor of its own with some settings.
pub(crate) fn link(settings: &[(&str, &str)]) -> Link {
    let (source, _) = ActorKey::generate().unwrap();
    let id = LinkId { source, name: "store".parse().unwrap() };
    Link { id, config: Config::of(settings.iter().copied()), generation: 1 }
}

/// Returns the settings of a link whose writes need not reach the disk: the tests are faster.
fn eventual() -> Link {
    link(&[("durability", "eventual")])
}

/// An open link.
#[derive(Clone)]
struct Client(Arc<dyn Answers>);

impl Client {
    async fn of(provider: &KeyValueEmbedded, link: &Link) -> Self {
        Self(provider.open(link).await.unwrap())
    }

    /// Opens a link to a database of its own.
    async fn at(folder: &Path) -> Self {
        Self::of(&KeyValueEmbedded::new(Some(folder.to_owned())), &eventual()).await
    }

    async fn within<R: Message>(
        &self,
        operation: &str,
        request: &impl Message,
        deadline: Instant,
    ) -> Result<R, Error> {
        let payload = request.encode().unwrap();
        let trace = TraceContext::default();
        let call =
            ProviderCall { operation, payload: &payload, info: CallInfo { deadline, trace } };
        Ok(R::decode(&self.0.answer(call).await?).unwrap())
    }

    async fn try_ask<R: Message>(
        &self,
        operation: &str,
        request: &impl Message,
    ) -> Result<R, Error> {
        self.within(operation, request, Instant::now() + Duration::from_secs(60)).await
    }

    async fn ask<R: Message>(&self, operation: &str, request: &impl Message) -> R {
        self.try_ask(operation, request).await.unwrap()
    }

    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let value: Value = self.ask(operation::GET, &named(key)).await;
        value.value.map(ByteBuf::into_vec)
    }

    async fn set(&self, key: &str, value: &[u8], ttl_ms: Option<u64>) {
        let set = Set { key: key.into(), value: value.into(), ttl_ms, condition: None };
        let Written { written } = self.ask(operation::SET, &set).await;
        assert!(written);
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        let request = Increment { key: key.into(), delta };
        let number: Number = self.try_ask(operation::INCREMENT, &request).await?;
        Ok(number.value)
    }
}

fn named(key: &str) -> Key {
    Key { key: key.into() }
}

fn items<I: AsRef<[u8]>>(items: impl IntoIterator<Item = I>) -> Vec<ByteBuf> {
    items.into_iter().map(|item| ByteBuf::from(item.as_ref())).collect()
}
