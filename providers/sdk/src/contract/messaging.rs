//! `mesh:messaging`, the side of the provider; what it delivers goes by [`Actors`](crate::Actors).

use lattice_protocol::contract::Empty;
use lattice_protocol::contract::messaging::{Message, Request};

super::contract_trait! {
    /// The broker as one link reaches it: `mesh:messaging`.
    Messaging, ServedMessaging: messaging;
    /// Publishes a message.
    publish(PUBLISH: Message) -> Empty;
    /// Publishes a message and waits for the answer.
    request(REQUEST: Request) -> Message;
}
