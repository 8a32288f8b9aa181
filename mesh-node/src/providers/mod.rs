//! The providers that answer in this process: in process for the actors of this node, over NATS for
//! those of others.

mod built_in;
mod local_actors;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lattice_client::answer::AnswerOptions;
use lattice_client::serve::{ServeError, Serving};
use lattice_protocol::control::{AskLink, LinkState, RunningProvider};
use lattice_protocol::keys::{NodeKey, ProviderKey};
use lattice_protocol::names::ContractName;
use lattice_protocol::record::LinkRecord;
use mesh_provider::{LinkId, ProviderHost};

pub use built_in::BuiltInError;
pub(crate) use built_in::start;

use crate::shared::Shared;

/// What the providers of a node are started with.
#[derive(Clone, Debug, Default)]
pub struct ProviderOptions {
    /// Where HTTP is served; none means that this node has no listener.
    pub http: Option<std::net::SocketAddr>,
    /// Certificate chain and key for the listener, as PEM files.
    pub http_tls: Option<(std::path::PathBuf, std::path::PathBuf)>,
    /// Folder for what providers keep on this machine; without it those that need one are not
    /// there.
    pub data: Option<std::path::PathBuf>,
}

/// The providers of this process, by their keys.
#[derive(Default)]
pub(crate) struct Providers {
    hosts: HashMap<ProviderKey, ProviderHost>,
    /// Where HTTP is served.
    http: Option<std::net::SocketAddr>,
}

impl Providers {
    /// Returns the provider that answers for `key` here.
    pub fn host(&self, key: &ProviderKey) -> Option<&ProviderHost> {
        self.hosts.get(key)
    }

    fn add(&mut self, host: ProviderHost) {
        self.hosts.insert(host.key().clone(), host);
    }

    /// Returns where HTTP is served.
    pub fn http(&self) -> Option<std::net::SocketAddr> {
        self.http
    }

    /// Takes in a link, in the order of the registry.
    pub fn put_link(&self, record: &LinkRecord, at: u64) {
        for host in self.of(&record.contract) {
            host.put_link(record, at);
        }
    }

    /// Takes out a link.
    pub fn remove_link(&self, contract: &ContractName, id: &LinkId) {
        for host in self.of(contract) {
            host.remove_link(id);
        }
    }

    fn of<'a>(&'a self, contract: &'a ContractName) -> impl Iterator<Item = &'a ProviderHost> {
        self.hosts.values().filter(|host| host.about().contract.name == contract.as_str())
    }

    /// Answers the calls of other nodes.
    ///
    /// # Errors
    /// [`ServeError`] when a subscription can't be made.
    pub async fn serve(&self, shared: &Shared) -> Result<Vec<Serving>, ServeError> {
        let serve = self.hosts.values().map(|host| async {
            let options = AnswerOptions {
                target: host.key().clone().into(),
                node: shared.key.clone(),
                in_flight_max: usize::try_from(mesh_provider::limits::CALLS_IN_FLIGHT_MAX)
                    .unwrap_or(usize::MAX),
                bodies: shared.bodies.clone(),
            };
            shared.lattice.answer_calls(options, Arc::new(host.clone())).await
        });
        join_all(serve).await.into_iter().collect()
    }

    /// Describes the providers as they run.
    pub async fn describe(&self) -> Vec<RunningProvider> {
        let described = join_all(self.hosts.values().map(ProviderHost::describe)).await;
        let mut running: Vec<_> = described.into_iter().flatten().collect();
        running.sort_by(|a, b| a.name.cmp(&b.name));
        running
    }

    /// Says how far the target of a link is with it; `None` where the target is not here.
    pub fn link_state(
        &self,
        node: NodeKey,
        ask: AskLink,
    ) -> Option<impl Future<Output = LinkState> + Send + use<>> {
        let host = self.host(&ask.target)?.clone();
        Some(async move { host.link_state(node, ask).await })
    }

    /// Ends what providers do by themselves (requests from outside, deliveries, timers), while calls
    /// are still answered. Returns how much was abandoned.
    pub async fn quiet(&self, bound: Duration) -> usize {
        join_all(self.hosts.values().map(|host| host.quiet(bound))).await.into_iter().sum()
    }

    /// Waits for the calls that run, and answers no more. Returns how many were abandoned.
    pub async fn finish(&self, bound: Duration) -> usize {
        join_all(self.hosts.values().map(|host| host.finish(bound))).await.into_iter().sum()
    }
}
