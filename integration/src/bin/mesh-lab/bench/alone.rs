//! A provider without a mesh around it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lattice_client::Lattice;
use lattice_protocol::keys::{ActorKey, ProviderKey};
use lattice_protocol::names::LinkName;
use mesh_provider::{
    About, ActorsByNats, Answers, CallInfo, Config, Context, Link, LinkId, Provider,
};

/// Time that a call of it has.
const TIMEOUT_MS: u64 = 60_000;

/// Opens a link of some actor to a provider.
pub(super) async fn open(
    lattice: &Lattice,
    about: &About,
    provider: impl FnOnce(&Context) -> Arc<dyn Provider>,
    config: Config,
) -> anyhow::Result<Arc<dyn Answers>> {
    let key = ProviderKey::generate()?.0;
    let actors = Arc::new(ActorsByNats::new(lattice.clone(), key.clone(), about.contract, false));
    let context = Context { key, lattice: lattice.clone(), actors, data: None };
    let link = Link {
        id: LinkId { source: ActorKey::generate()?.0, name: LinkName::default_link() },
        config,
        generation: 1,
    };
    let opened = provider(&context).open(&link).await;
    opened.map_err(|error| anyhow::anyhow!("{error}")).context("the link")
}

/// Returns what a call of it is told besides.
pub(super) fn info() -> CallInfo {
    CallInfo {
        deadline: Instant::now() + Duration::from_millis(TIMEOUT_MS),
        trace: lattice_client::TraceContext::default(),
    }
}
