//! Questions and orders to one node, or to all of them.

use std::time::Duration;

use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::StreamExt;
use lattice_protocol::control::{Ack, Inventory, Leave, Prepare, Prepared};
use lattice_protocol::keys::NodeKey;
use lattice_protocol::subjects::{ControlVerb, Subject};
use lattice_protocol::{Error, ErrorCode};

use crate::lattice::Lattice;
use crate::limits;
use crate::mux::RequestError;
use crate::serve::ServeError;

impl Lattice {
    /// Asks every node what it is and serves; returns those that answered within `wait`.
    ///
    /// # Errors
    /// `internal` when the question can't be asked.
    pub async fn inventories(&self, wait: Duration) -> Result<Vec<Inventory>, Error> {
        let mut answers = self.ask_all(ControlVerb::Inventory, Bytes::new()).await?;
        let mut inventories = Vec::new();
        let collect = async {
            while let Some(payload) = answers.next().await {
                if let Ok(inventory) = Inventory::decode(&payload) {
                    inventories.push(inventory);
                }
                if inventories.len() >= limits::CONTROL_ANSWERS_MAX {
                    break;
                }
            }
        };
        // Nobody knows how many nodes there are: time ends the question.
        let _ = tokio::time::timeout(wait, collect).await;
        Ok(inventories)
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
        let subject = Subject::Control(self.name().clone(), node.clone(), verb).to_string();
        let leave = Leave { node: node.clone() }
            .encode()
            .map_err(|error| Error::not_started(ErrorCode::BadRequest, error.to_string()))?;
        let request = self.mux().request(self.nats(), subject.into(), None, leave.into());
        let message = match tokio::time::timeout(wait, request).await {
            Ok(Ok(message)) => message,
            Ok(Err(RequestError::NoResponders)) => {
                return Err(Error::not_started(
                    ErrorCode::NotFound,
                    format!("no node {node} on lattice {}", self.name()),
                ));
            }
            Ok(Err(_)) => {
                return Err(Error::started(ErrorCode::Internal, "the connection to NATS was lost"));
            }
            Err(_) => {
                return Err(Error::started(
                    ErrorCode::DeadlineExceeded,
                    format!("node {node} does not answer"),
                ));
            }
        };
        let ack = Ack::decode(&message.payload).map_err(Error::from)?;
        ack.error.map_or(Ok(()), Err)
    }

    async fn ask_all(&self, verb: ControlVerb, payload: Bytes) -> Result<Answers, Error> {
        let lost = |error: String| Error::not_started(ErrorCode::Internal, error);
        let inbox = self.nats().new_inbox();
        let subscriber = self
            .nats()
            .subscribe(inbox.clone())
            .await
            .map_err(|error| lost(ServeError::new(&inbox, &error).to_string()))?;
        let subject = Subject::ControlAll(self.name().clone(), verb).to_string();
        self.nats()
            .publish_with_reply(subject, inbox, payload)
            .await
            .map_err(|error| lost(error.to_string()))?;
        Ok(Answers { subscriber })
    }
}

/// Answers of many nodes to one question.
struct Answers {
    subscriber: Subscriber,
}

impl Answers {
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
