//! What a process answers about its providers: which there are, and how far they are with a link.

use std::time::Duration;

use lattice_protocol::control::{AskLink, LinkState, RefusedLink, RunningProvider};
use lattice_protocol::keys::NodeKey;
use lattice_protocol::{Error, ErrorCode, limits as wire};

use crate::host::ProviderHost;
use crate::limits;
use crate::link::LinkId;

impl ProviderHost {
    /// Describes the provider as it runs.
    pub async fn describe(&self) -> Option<RunningProvider> {
        let about = self.about();
        let (open, refused) = self.links();
        let (calls, in_flight) = self.calls();
        let wait = Duration::from_millis(limits::DESCRIBE_HEALTH_MS);
        let refused = refused.into_iter().take(wire::REFUSED_LINKS_MAX);
        Some(RunningProvider {
            key: self.key().clone(),
            name: about.name.to_owned(),
            contract: about.contract.name.parse().ok()?,
            version: about.version.to_owned(),
            description: about.description.to_owned(),
            links: u32::try_from(open).unwrap_or(u32::MAX),
            refused: refused
                .map(|(id, error)| RefusedLink { source: id.source, name: id.name, error })
                .collect(),
            calls,
            in_flight,
            error: tokio::time::timeout(wait, self.health()).await.ok().and_then(Result::err),
        })
    }

    /// Waits until the link that is asked about runs or is refused; says so as `node`.
    pub async fn link_state(&self, node: NodeKey, ask: AskLink) -> LinkState {
        let about = self.about();
        if ask.contract.as_str() != about.contract.name {
            let error = Error::not_started(
                ErrorCode::BadRequest,
                format!("{} serves {}, not {}", about.name, about.contract.name, ask.contract),
            );
            return LinkState::Refused { node, error };
        }
        let id = LinkId { source: ask.source, name: ask.name };
        let bound = Duration::from_millis(limits::LINK_ASKED_WAIT_MS);
        let status = tokio::time::timeout(bound, self.settled(&id, ask.at)).await;
        match status.unwrap_or_default() {
            status if status.refused.is_some() || status.running.is_none() => {
                let error = status.refused.unwrap_or_else(|| {
                    Error::not_started(
                        ErrorCode::DeadlineExceeded,
                        "the provider has not seen the link in the registry",
                    )
                });
                LinkState::Refused { node, error }
            }
            status => LinkState::Ready { node, generation: status.running.unwrap_or_default() },
        }
    }
}
