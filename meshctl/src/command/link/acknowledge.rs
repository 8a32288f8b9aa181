//! Whether the provider of a link has it: asked of every process that serves the provider.

use std::collections::BTreeMap;
use std::time::Duration;

use lattice_client::Lattice;
use lattice_client::registry::{Entry, Registry};
use lattice_protocol::control::{AskLink, LinkState};
use lattice_protocol::keys::{NodeKey, ProviderKey};
use lattice_protocol::record::LinkRecord;
use lattice_protocol::subjects::RegistryKey;
use lattice_protocol::{Error, ErrorCode};
use tokio::time::Instant;

use crate::exit::{Exit, Failure};
use crate::limits;
use crate::session::Session;

/// Why a provider does not follow the record of a link.
pub(super) struct Refusal {
    node: NodeKey,
    error: Error,
}

/// Waits until every process that serves the provider runs the link. Returns how many there are, and
/// why the first one refuses it.
///
/// # Errors
/// [`Failure`] when the question can't be asked, or one that works on it does not come to an end.
pub(super) async fn wait(
    session: &Session,
    lattice: &Lattice,
    entry: &Entry<LinkRecord>,
    provider: &ProviderKey,
) -> Result<(Option<usize>, Option<Refusal>), Failure> {
    session.output.progress("waiting until the provider has it");
    let record = &entry.record;
    let mut states = lattice
        .link_states(&AskLink {
            source: record.source.clone(),
            contract: record.contract.clone(),
            name: record.name.clone(),
            target: provider.clone(),
            at: entry.at,
        })
        .await?;
    let first_word = Instant::now() + Duration::from_millis(limits::LINK_ANSWER_MS);
    let last_word = Instant::now() + Duration::from_millis(limits::LINK_OPEN_WAIT_MS);
    let mut heard: BTreeMap<NodeKey, LinkState> = BTreeMap::new();
    loop {
        let working = |state: &LinkState| matches!(state, LinkState::Working { .. });
        // Who says nothing at once does not serve the provider.
        let end = if heard.values().any(working) { last_word } else { first_word };
        let Ok(state) = tokio::time::timeout_at(end, states.next()).await else {
            if let Some(silent) = heard.values().find(|state| working(state)) {
                let message = format!(
                    "the registry has it, but {} does not say what became of it",
                    silent.node()
                );
                return Err(Failure::new(Exit::Timeout, "timeout", message)
                    .hint("look at its log: the provider may wait for what is behind it"));
            }
            return Ok((Some(heard.len()), None));
        };
        match state {
            None => return Ok((Some(heard.len()), None)),
            Some(LinkState::Refused { node, error }) => {
                return Ok((Some(heard.len()), Some(Refusal { node, error })));
            }
            Some(state) => drop(heard.insert(state.node().clone(), state)),
        }
    }
}

impl Refusal {
    /// Puts back what was there before, unless the reason passes by itself or somebody else has
    /// written the link meanwhile; returns what to tell.
    pub(super) async fn undo(
        self,
        registry: &Registry,
        key: &RegistryKey,
        entry: Entry<LinkRecord>,
        before: Option<LinkRecord>,
    ) -> Failure {
        let Self { node, error } = self;
        let passing =
            matches!(error.code, ErrorCode::ProviderUnavailable | ErrorCode::DeadlineExceeded);
        let failure = Failure::from(error);
        let said =
            |what: &str| format!("the provider refuses the link: {}; {what}", failure.message);
        let tell = |what: &str| Failure { message: said(what), ..failure.clone() };
        if passing {
            return tell("the link is there, and the provider goes on trying")
                .hint(format!("the log of {node} says how that goes"));
        }
        let undone = match before {
            Some(before) => {
                let generation = entry.record.generation + 1;
                let back = LinkRecord { generation, ..before };
                registry.put(key, &back, Some(entry.at)).await.map(drop)
            }
            None => registry.delete(key, entry.at).await.map(drop),
        };
        match undone {
            Ok(()) => tell("what was there before is there again")
                .hint("docs/providers.md lists the settings of each provider"),
            Err(error) => tell(&format!("what was there before could not be put back: {error}")),
        }
    }
}
