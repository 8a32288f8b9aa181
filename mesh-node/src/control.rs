//! Answers what is asked of this node: inventory, prepare, drain, stop, health, providers, links.

use std::sync::Arc;

use async_nats::Message;
use bytes::Bytes;
use lattice_client::control::Controls;
use lattice_client::serve::{Delivery, Handler, ServeError};
use lattice_protocol::control::{Ack, AskActors, AskLink, Leave, LinkState, Prepare, Prepared};
use lattice_protocol::subjects::{self, ControlVerb, Subject};
use tokio::sync::{mpsc, oneshot};

use crate::compile_pool::Haste;
use crate::health;
use crate::inquiry::Question;
use crate::loader::Loader;
use crate::plan;
use crate::refusal::Refused;
use crate::shared::Shared;

/// What the node is told to do with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Finish the calls in flight and serve no more.
    Drain,
    /// The same, and end.
    Stop,
}

/// Serves the control subjects: those of this node, and those of every node.
///
/// # Errors
/// [`ServeError`] when a subscription can't be made.
pub(crate) async fn start(
    shared: Arc<Shared>,
    loader: Loader,
    orders: mpsc::Sender<Order>,
    questions: mpsc::Sender<Question>,
) -> Result<Controls, ServeError> {
    let (lattice, key) = (shared.lattice.clone(), shared.key.clone());
    let handler = Arc::new(ControlHandler { shared, loader, orders, questions });
    lattice.serve_controls(&key, handler).await
}

struct ControlHandler {
    shared: Arc<Shared>,
    loader: Loader,
    orders: mpsc::Sender<Order>,
    questions: mpsc::Sender<Question>,
}

impl ControlHandler {
    async fn reply(&self, message: &Message, encoded: Result<Vec<u8>, impl std::fmt::Display>) {
        let Some(to) = message.reply.clone().filter(|to| subjects::is_reply_subject(to)) else {
            return;
        };
        match encoded {
            Ok(bytes) => {
                if let Err(error) = self.shared.lattice.nats().publish(to, Bytes::from(bytes)).await
                {
                    tracing::debug!(%error, "an answer to a control message could not be sent");
                }
            }
            Err(error) => tracing::error!(%error, "an answer could not be encoded"),
        }
    }

    async fn prepare(&self, message: &Message) {
        let node = self.shared.key.clone();
        let record = match Prepare::decode(&message.payload) {
            Ok(prepare) => prepare.record,
            Err(error) => {
                let refused = Prepared::Refused { node, error: error.into() };
                return self.reply(message, refused.encode()).await;
            }
        };
        let reason = if self.shared.is_draining() {
            Some("the node is leaving".to_owned())
        } else {
            plan::missing_label(&self.shared.labels, &record)
                .map(|label| format!("the node lacks the label {label}"))
        };
        if let Some(reason) = reason {
            let answer = Prepared::NotEligible { node, reason };
            return self.reply(message, answer.encode()).await;
        }
        self.reply(message, Prepared::Working { node: node.clone() }.encode()).await;
        let outcome = if let Some(error) = self.shared.struck(&record) {
            Err(Refused::revoked(error))
        } else if !self.shared.trust.includes(&record.issuer) {
            Err(Refused::untrusted(&record.issuer))
        } else {
            let serves =
                self.shared.host(&record.key).is_some_and(|host| host.revision().is_some());
            let haste = if serves { Haste::Unhurried } else { Haste::Awaited };
            self.loader.module(&record, haste).await.map(drop)
        };
        let answer = match outcome {
            Ok(()) => Prepared::Ready { node },
            Err(refused) => {
                tracing::warn!(
                    actor = %record.key, name = %record.name, revision = record.revision,
                    digest = %record.digest, reason = %refused.error.message,
                    "refused to prepare a module"
                );
                self.tell_refusal(&record, &refused).await;
                Prepared::Refused { node, error: refused.error }
            }
        };
        self.reply(message, answer.encode()).await;
    }

    async fn tell_refusal(
        &self,
        record: &lattice_protocol::record::ActorRecord,
        refused: &Refused,
    ) {
        let data = crate::refusal::event_data(record, refused);
        let kind = lattice_protocol::event::EventKind::ActorRefused;
        self.shared.lattice.tell(kind, self.shared.key.as_str(), record.key.as_str(), data).await;
    }

    async fn link(&self, message: &Message) {
        let node = self.shared.key.clone();
        // The links of a node that leaves are followed no more: others answer for the provider.
        if self.shared.is_draining() {
            return;
        }
        let Ok(ask) = AskLink::decode(&message.payload) else { return };
        let state =
            self.shared.providers().and_then(|providers| providers.link_state(node.clone(), ask));
        let Some(state) = state else { return };
        self.reply(message, LinkState::Working { node }.encode()).await;
        self.reply(message, state.await.encode()).await;
    }

    async fn actors(&self, message: &Message) {
        if self.shared.is_draining() {
            return;
        }
        let Ok(ask) = AskActors::decode(&message.payload) else { return };
        let (answer, answered) = oneshot::channel();
        // Who is not answered asks again.
        if self.questions.try_send(Question { ask, answer }).is_err() {
            return;
        }
        if let Ok(Some(states)) = answered.await {
            self.reply(message, states.encode()).await;
        }
    }

    async fn order(&self, message: &Message, order: Order) {
        let node = self.shared.key.clone();
        // The payload must name the node: whoever can make some service reply to a subject of
        // their choice can't choose what it replies.
        if !Leave::decode(&message.payload).is_ok_and(|leave| leave.node == node) {
            let error = lattice_protocol::Error::not_started(
                lattice_protocol::ErrorCode::BadRequest,
                "an order to leave must name the node that shall",
            );
            return self.reply(message, Ack { node, error: Some(error) }.encode()).await;
        }
        self.reply(message, Ack { node, error: None }.encode()).await;
        // A queue that is full holds orders enough.
        let _ = self.orders.try_send(order);
    }
}

impl Handler for ControlHandler {
    async fn handle(&self, delivery: Delivery) {
        let message = delivery.message;
        let verb = match message.subject.parse::<Subject>() {
            Ok(Subject::Control(_, _, verb)) => verb,
            // Nobody drains a whole lattice by one message.
            Ok(Subject::ControlAll(_, verb))
                if !matches!(verb, ControlVerb::Drain | ControlVerb::Stop) =>
            {
                verb
            }
            _ => return,
        };
        match verb {
            ControlVerb::Inventory => {
                self.reply(&message, self.shared.inventory().encode()).await;
            }
            ControlVerb::Prepare => self.prepare(&message).await,
            ControlVerb::Drain => self.order(&message, Order::Drain).await,
            ControlVerb::Stop => self.order(&message, Order::Stop).await,
            // What a provider lacks is told by `providers`.
            ControlVerb::Health => {
                let (node, error) = (self.shared.key.clone(), health::trouble(&self.shared));
                self.reply(&message, Ack { node, error }.encode()).await;
            }
            ControlVerb::Providers => {
                self.reply(&message, self.shared.providers_told().await.encode()).await;
            }
            ControlVerb::Link => self.link(&message).await,
            // Answered by `lattice-client`.
            ControlVerb::Calls => {}
            ControlVerb::Actors => self.actors(&message).await,
        }
    }

    async fn refuse(&self, message: Message) {
        let error = lattice_protocol::Error::not_started(
            lattice_protocol::ErrorCode::Busy,
            "the node handles too many control messages",
        );
        let node = self.shared.key.clone();
        let encoded = match message.subject.parse::<Subject>() {
            Ok(Subject::Control(_, _, ControlVerb::Prepare))
            | Ok(Subject::ControlAll(_, ControlVerb::Prepare)) => {
                Prepared::Refused { node, error }.encode()
            }
            _ => Ack { node, error: Some(error) }.encode(),
        };
        self.reply(&message, encoded).await;
    }
}
