//! Questions and orders to one node, or to all of them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use lattice_protocol::control::{
    Ack, ActorStates, AskActors, AskLink, Inventory, Leave, LinkState, Prepare, Prepared, Providers,
};
use lattice_protocol::keys::{ActorKey, NodeKey};
use lattice_protocol::subjects::{self, ControlVerb, Subject};
use lattice_protocol::{Error, ErrorCode, limits as wire};

use crate::calls_held::WithCalls;
use crate::lattice::Lattice;
use crate::limits;
use crate::mux::RequestError;
use crate::serve::{Handler, ServeError, ServeOptions, Serving};

/// The control subjects of one node, and those of every node, while they are served.
pub struct Controls {
    own: Serving,
    every: Serving,
}

impl Controls {
    /// Serves no more, and loses none that was sent before.
    pub async fn stop(self) {
        let bound = Duration::from_millis(limits::FENCE_TIMEOUT_MS);
        tokio::join!(self.own.drain(bound), self.every.drain(bound));
    }
}

impl Lattice {
    /// Has what is asked of `node`, and of every node, handled by `handler`, but for which calls it has:
    /// that is answered here.
    ///
    /// # Errors
    /// [`ServeError`] when a subscription can't be made.
    pub async fn serve_controls<H: Handler>(
        &self,
        node: &NodeKey,
        handler: Arc<H>,
    ) -> Result<Controls, ServeError> {
        let options = |subject: String| ServeOptions {
            subject,
            queue_group: None,
            in_flight_max: limits::CONTROLS_IN_FLIGHT_MAX,
            sheds: false,
        };
        let handler = WithCalls { lattice: self.clone(), node: node.clone(), others: handler };
        let handler = Arc::new(handler);
        let own = options(subjects::node_controls(self.name(), node));
        let every = options(subjects::every_node_controls(self.name()));
        Ok(Controls {
            own: self.serve(own, handler.clone()).await?,
            every: self.serve(every, handler).await?,
        })
    }

    /// Asks every node what it is and serves; returns those that answered within `wait`.
    ///
    /// # Errors
    /// `internal` when the question can't be asked.
    pub async fn inventories(&self, wait: Duration) -> Result<Vec<Inventory>, Error> {
        let answers = self.ask_all(ControlVerb::Inventory, Bytes::new()).await?;
        Ok(answers.collect(wait, Inventory::decode).await)
    }

    /// Asks every node and every provider's process which providers it runs; returns those that
    /// answered within `wait`.
    ///
    /// # Errors
    /// `internal` when the question can't be asked.
    pub async fn providers(&self, wait: Duration) -> Result<Vec<Providers>, Error> {
        let answers = self.ask_all(ControlVerb::Providers, Bytes::new()).await?;
        Ok(answers.collect(wait, Providers::decode).await)
    }

    /// Asks who serves the target of a link how far it is, and returns what they say as they say
    /// it.
    ///
    /// # Errors
    /// `internal` when the question can't be asked.
    pub async fn link_states(&self, ask: &AskLink) -> Result<LinkStates, Error> {
        let bytes = ask
            .encode()
            .map_err(|error| Error::not_started(ErrorCode::BadRequest, error.to_string()))?;
        Ok(LinkStates { answers: self.ask_all(ControlVerb::Link, bytes.into()).await? })
    }

    /// Prepares to ask every node which of certain actors it serves, or will.
    ///
    /// # Errors
    /// `internal` when there can be no answer.
    pub async fn actor_questions(&self) -> Result<ActorQuestions, Error> {
        let (inbox, answers) = self.answers().await?;
        Ok(ActorQuestions { lattice: self.clone(), inbox, answers })
    }

    /// Asks one node what it is and serves.
    ///
    /// # Errors
    /// `not_found` when there is no such node, `deadline_exceeded` when it does not answer in time.
    pub async fn inventory(&self, node: &NodeKey, wait: Duration) -> Result<Inventory, Error> {
        let message = self.ask(node, ControlVerb::Inventory, Bytes::new(), wait).await?;
        Inventory::decode(&message.payload).map_err(Error::from)
    }

    /// Asks a node, or the process of a provider, whether it can do its work.
    ///
    /// # Errors
    /// What is wrong with it, `not_found` when there is none, `deadline_exceeded`.
    pub async fn health(&self, node: &NodeKey, wait: Duration) -> Result<(), Error> {
        self.order(node, ControlVerb::Health, Bytes::new(), wait).await
    }

    /// Asks every node to prepare a module, and returns what they say as they say it.
    ///
    /// # Errors
    /// `internal` when the question can't be asked.
    pub async fn prepare(&self, prepare: &Prepare) -> Result<Preparations, Error> {
        let bytes = prepare
            .encode()
            .map_err(|error| Error::not_started(ErrorCode::BadRequest, error.to_string()))?;
        Ok(Preparations { answers: self.ask_all(ControlVerb::Prepare, bytes.into()).await? })
    }

    /// Orders one node to finish its calls and leave; `stop` ends its process too.
    ///
    /// # Errors
    /// `not_found` when there is no such node, what the node answers, or `deadline_exceeded`.
    pub async fn drain_node(
        &self,
        node: &NodeKey,
        stop: bool,
        wait: Duration,
    ) -> Result<(), Error> {
        let verb = if stop { ControlVerb::Stop } else { ControlVerb::Drain };
        let leave = Leave { node: node.clone() }
            .encode()
            .map_err(|error| Error::not_started(ErrorCode::BadRequest, error.to_string()))?;
        self.order(node, verb, leave.into(), wait).await
    }

    async fn order(
        &self,
        node: &NodeKey,
        verb: ControlVerb,
        payload: Bytes,
        wait: Duration,
    ) -> Result<(), Error> {
        let message = self.ask(node, verb, payload, wait).await?;
        let ack = Ack::decode(&message.payload).map_err(Error::from)?;
        ack.error.map_or(Ok(()), Err)
    }

    async fn ask(
        &self,
        node: &NodeKey,
        verb: ControlVerb,
        payload: Bytes,
        wait: Duration,
    ) -> Result<Message, Error> {
        let subject = Subject::Control(self.name().clone(), node.clone(), verb).to_string();
        let request = self.mux().request(self.nats(), subject.into(), None, payload);
        match tokio::time::timeout(wait, request).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(RequestError::NoResponders)) => Err(Error::not_started(
                ErrorCode::NotFound,
                format!("no node {node} on lattice {}", self.name()),
            )),
            Ok(Err(_)) => {
                Err(Error::started(ErrorCode::Internal, "the connection to NATS was lost"))
            }
            Err(_) => Err(Error::started(
                ErrorCode::DeadlineExceeded,
                format!("node {node} does not answer"),
            )),
        }
    }

    async fn ask_all(&self, verb: ControlVerb, payload: Bytes) -> Result<Answers, Error> {
        let (inbox, answers) = self.answers().await?;
        self.publish_to_all(verb, inbox, payload).await?;
        Ok(answers)
    }

    async fn answers(&self) -> Result<(String, Answers), Error> {
        let inbox = self.nats().new_inbox();
        let subscriber = self.nats().subscribe(inbox.clone()).await;
        let subscriber = subscriber.map_err(|error| {
            let error = ServeError::new(&inbox, &error).to_string();
            Error::not_started(ErrorCode::Internal, error)
        })?;
        Ok((inbox, Answers { subscriber }))
    }

    async fn publish_to_all(
        &self,
        verb: ControlVerb,
        inbox: String,
        payload: Bytes,
    ) -> Result<(), Error> {
        let subject = Subject::ControlAll(self.name().clone(), verb).to_string();
        let sent = self.nats().publish_with_reply(subject, inbox, payload).await;
        sent.map_err(|error| Error::not_started(ErrorCode::Internal, error.to_string()))
    }
}

/// Answers of many nodes to one question.
struct Answers {
    subscriber: Subscriber,
}

impl Answers {
    /// Collects what is answered within `wait`: nobody knows how many there are.
    async fn collect<T, E>(
        mut self,
        wait: Duration,
        decode: impl Fn(&[u8]) -> Result<T, E>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        let collect = async {
            while let Some(payload) = self.next().await {
                found.extend(decode(&payload));
                if found.len() >= limits::CONTROL_ANSWERS_MAX {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(wait, collect).await;
        found
    }

    /// Waits for the next answer; `None` when there is no node at all.
    async fn next(&mut self) -> Option<Bytes> {
        let message = self.subscriber.next().await?;
        match message.status {
            Some(async_nats::StatusCode::NO_RESPONDERS) => None,
            _ => Some(message.payload),
        }
    }
}

/// What nodes say of a module that they prepare.
pub struct Preparations {
    answers: Answers,
}

impl Preparations {
    /// Waits for the next word; `None` when there is no node at all.
    pub async fn next(&mut self) -> Option<Prepared> {
        loop {
            if let Ok(prepared) = Prepared::decode(&self.answers.next().await?) {
                return Some(prepared);
            }
        }
    }
}

/// What processes say of a link.
pub struct LinkStates {
    answers: Answers,
}

impl LinkStates {
    /// Waits for the next word; `None` when there is neither a node nor a provider's process.
    pub async fn next(&mut self) -> Option<LinkState> {
        loop {
            if let Ok(state) = LinkState::decode(&self.answers.next().await?) {
                return Some(state);
            }
        }
    }
}

/// Questions to every node about what it serves. What is answered late is heard all the same.
pub struct ActorQuestions {
    lattice: Lattice,
    inbox: String,
    answers: Answers,
}

impl ActorQuestions {
    /// Asks about `actors`, however many.
    ///
    /// # Errors
    /// `internal` when the question can't be asked.
    pub async fn ask(&self, actors: &[ActorKey]) -> Result<(), Error> {
        for actors in actors.chunks(wire::ASKED_ACTORS_MAX) {
            let ask = AskActors { actors: actors.to_vec() };
            let bytes = ask
                .encode()
                .map_err(|error| Error::not_started(ErrorCode::BadRequest, error.to_string()))?;
            let inbox = self.inbox.clone();
            self.lattice.publish_to_all(ControlVerb::Actors, inbox, bytes.into()).await?;
        }
        Ok(())
    }

    /// Waits for what the next node says; `None` when nobody heard a question.
    pub async fn next(&mut self) -> Option<ActorStates> {
        loop {
            if let Ok(states) = ActorStates::decode(&self.answers.next().await?) {
                return Some(states);
            }
        }
    }
}
