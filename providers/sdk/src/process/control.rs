//! What the process of a provider answers on control subjects.

use std::sync::Arc;

use async_nats::Message;
use lattice_client::Lattice;
use lattice_client::control::Controls;
use lattice_client::serve::{Delivery, Handler, ServeError};
use lattice_protocol::control::{Ack, AskLink, LinkState, Providers};
use lattice_protocol::keys::{NodeKey, TargetKey};
use lattice_protocol::subjects::{self, ControlVerb, Subject};

use crate::host::ProviderHost;

/// Serves the control subjects of the process, and those of everybody.
///
/// # Errors
/// [`ServeError`] when a subscription can't be made.
pub(super) async fn start(
    lattice: &Lattice,
    node: NodeKey,
    host: ProviderHost,
) -> Result<Controls, ServeError> {
    let handler = ControlHandler { lattice: lattice.clone(), node: node.clone(), host };
    lattice.serve_controls(&node, Arc::new(handler)).await
}

struct ControlHandler {
    lattice: Lattice,
    node: NodeKey,
    host: ProviderHost,
}

impl ControlHandler {
    async fn reply<E>(&self, message: &Message, encoded: Result<Vec<u8>, E>) {
        let to = message.reply.clone().filter(|to| subjects::is_reply_subject(to));
        if let (Some(to), Ok(bytes)) = (to, encoded)
            && let Err(error) = self.lattice.nats().publish(to, bytes.into()).await
        {
            tracing::debug!(%error, "an answer to a control message could not be sent");
        }
    }

    async fn link(&self, message: &Message) {
        let Ok(ask) = AskLink::decode(&message.payload) else { return };
        if ask.target != *self.host.key() {
            return;
        }
        let working = LinkState::Working { node: self.node.clone() };
        self.reply(message, working.encode()).await;
        let state = self.host.link_state(self.node.clone(), ask).await;
        self.reply(message, state.encode()).await;
    }
}

impl Handler for ControlHandler {
    async fn handle(&self, delivery: Delivery) {
        let message = delivery.message;
        let verb = match message.subject.parse::<Subject>() {
            Ok(Subject::Control(_, _, verb) | Subject::ControlAll(_, verb)) => verb,
            _ => return,
        };
        match verb {
            ControlVerb::Health => {
                let error = self.host.health().await.err();
                self.reply(&message, Ack { node: self.node.clone(), error }.encode()).await;
            }
            ControlVerb::Providers => {
                let running = self.host.describe().await.into_iter().collect();
                let node = self.node.clone();
                let answer = Providers { node, running, supervised: Vec::new() };
                self.reply(&message, answer.encode()).await;
            }
            ControlVerb::Link => self.link(&message).await,
            // Answered by `lattice-client`.
            ControlVerb::Calls => {}
            // Asked of nodes.
            ControlVerb::Inventory
            | ControlVerb::Prepare
            | ControlVerb::Drain
            | ControlVerb::Stop
            | ControlVerb::Actors => {}
        }
    }

    async fn refuse(&self, _message: Message) {
        tracing::warn!(target = %TargetKey::from(self.host.key().clone()), "too many control messages: one is dropped");
    }
}
