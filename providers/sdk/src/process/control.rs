//! What the process of a provider answers on control subjects.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Message;
use lattice_client::Lattice;
use lattice_client::serve::{Delivery, Handler, ServeError, ServeOptions, Serving};
use lattice_protocol::control::{Ack, AskLink, LinkState, Providers};
use lattice_protocol::keys::{NodeKey, TargetKey};
use lattice_protocol::subjects::{self, ControlVerb, Subject};

use crate::host::ProviderHost;
use crate::limits;

/// The control subjects of the process, and those of everybody.
pub(super) struct Control {
    own: Serving,
    every: Serving,
}

impl Control {
    pub async fn start(
        lattice: &Lattice,
        node: NodeKey,
        host: ProviderHost,
    ) -> Result<Self, ServeError> {
        let own = subjects::node_controls(lattice.name(), &node);
        let every = subjects::every_node_controls(lattice.name());
        let handler = Arc::new(ControlHandler { lattice: lattice.clone(), node, host });
        let options = |subject: String| ServeOptions {
            subject,
            queue_group: None,
            in_flight_max: limits::CONTROLS_IN_FLIGHT_MAX,
        };
        Ok(Self {
            own: lattice.serve(options(own), handler.clone()).await?,
            every: lattice.serve(options(every), handler).await?,
        })
    }

    pub async fn stop(self) {
        let bound = Duration::from_millis(lattice_client::limits::FENCE_TIMEOUT_MS);
        tokio::join!(self.own.drain(bound), self.every.drain(bound));
    }
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
            // Asked of nodes.
            ControlVerb::Inventory
            | ControlVerb::Prepare
            | ControlVerb::Drain
            | ControlVerb::Stop => {}
        }
    }

    async fn refuse(&self, _message: Message) {
        tracing::warn!(target = %TargetKey::from(self.host.key().clone()), "too many control messages: one is dropped");
    }
}
