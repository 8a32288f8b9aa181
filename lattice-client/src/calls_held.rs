//! Answers which calls this client has: whoever serves control subjects answers that too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Message;
use lattice_protocol::control::{AskCalls, CallsHeld};
use lattice_protocol::keys::NodeKey;
use lattice_protocol::subjects::{self, ControlVerb, Subject};

use crate::lattice::Lattice;
use crate::limits;
use crate::serve::{Delivery, Handler};

/// Answers what is asked for calls, and has `others` handle the rest.
pub(crate) struct WithCalls<H> {
    pub lattice: Lattice,
    pub node: NodeKey,
    pub others: Arc<H>,
}

impl<H: Handler> WithCalls<H> {
    async fn answer(&self, message: &Message) {
        let Ok(ask) = AskCalls::decode(&message.payload) else { return };
        let under_way = self.lattice.under_way();
        // What was sent here before the question may wait in its queue.
        let mut queues = under_way.unread();
        let begun = Instant::now();
        let mut unread = queues.is_some(under_way);
        while unread && begun.elapsed() < Duration::from_millis(limits::READ_UP_MS) {
            tokio::time::sleep(Duration::from_millis(limits::READ_UP_INTERVAL_MS)).await;
            unread = queues.is_some(under_way);
        }
        let mut reply = ask.inbox;
        let inbox = reply.len();
        let mut held = Vec::new();
        for (at, call) in (0..).zip(&ask.calls) {
            reply.truncate(inbox);
            reply.push_str(call);
            if under_way.has(&reply) {
                held.push(at);
            }
        }
        self.tell(message, held, unread).await;
    }

    async fn tell(&self, message: &Message, held: Vec<u32>, unread: bool) {
        let to = message.reply.clone().filter(|to| subjects::is_reply_subject(to));
        let told = CallsHeld { node: self.node.clone(), held, unread };
        if let (Some(to), Ok(bytes)) = (to, told.encode())
            && let Err(error) = self.lattice.nats().publish(to, bytes.into()).await
        {
            tracing::debug!(%error, "which calls are here could not be told");
        }
    }
}

fn asks_for_calls(message: &Message) -> bool {
    let verb = message.subject.parse::<Subject>();
    matches!(
        verb,
        Ok(Subject::Control(_, _, ControlVerb::Calls) | Subject::ControlAll(_, ControlVerb::Calls))
    )
}

impl<H: Handler> Handler for WithCalls<H> {
    async fn handle(&self, delivery: Delivery) {
        if asks_for_calls(&delivery.message) {
            self.answer(&delivery.message).await;
        } else {
            self.others.handle(delivery).await;
        }
    }

    async fn refuse(&self, message: Message) {
        if asks_for_calls(&message) {
            self.tell(&message, Vec::new(), true).await;
        } else {
            self.others.refuse(message).await;
        }
    }
}
