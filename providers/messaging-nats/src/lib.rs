//! The `mesh:messaging` provider on NATS and JetStream: actors publish, ask, and receive.
//!
//! It uses the NATS of its lattice, outside of the mesh's own subjects. Settings of a link:
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `subjects` | subjects to receive, with wildcards; separated by commas | none |
//! | `group` | links of one group share the messages | the actor's key; for a durable link that is not `default` also its name |
//! | `publish` | subjects that the actor may publish to, with wildcards | any |
//! | `confirm` | `true`: a message counts as published once a stream has stored it | `false` |
//! | `concurrency` | deliveries at once in one process, 1 to 1000 | 64 |
//! | `timeout_ms` | time that the actor has for one delivery, 10 to 300000 | 10000 |
//! | `durable` | `true`: receive from a stream, again and again until the actor has decided | `false` |
//! | `stream` | the stream; made over `subjects`, with bounds, where there is none | required by `durable` |
//! | `max_deliver` | deliveries of one message before it is given up, 1 to 1000; one that did not start is none | 5 |
//! | `backoff_ms` | pauses before the second delivery, the third …; the last one repeats | `1000,5000,30000` |
//! | `ack_wait_ms` | silence of a process after which its messages go to another, 500 to 3600000 | 15000 |
//! | `dead_letter` | subject to which a message goes that is given up; a stream stores it | none: it is dropped |
//!
//! Processes that serve the same link share its messages. Without `durable` a message is delivered
//! at most once; with it at least once. A durable message whose actor is away, or whose dead letter
//! can't be stored, is held by the process that has it: the server counts deliveries for all of them,
//! and holding is none. Links of one group have one consumer, and so must want the same of it.
//!
//! | file | concern |
//! |---|---|
//! | `settings.rs`, `pattern.rs` | what a link says, without I/O |
//! | `broker.rs` | what the actor asks: publish, request |
//! | `deliver.rs` | one delivery, whatever its source |
//! | `plain.rs`, `room.rs` | the source that is not durable, and its memory |
//! | `durable.rs`, `delivery.rs` | the durable source, and one of its messages |
//! | `streams.rs`, `agreement.rs` | streams and consumers, and whether a link may use one |
//! | `fate.rs`, `letter.rs` | what becomes of a message, and its dead letter, without I/O |
//! | `confirm.rs` | publishing to a stream |
//! | `message.rs` | messages of NATS and of the contract |

mod agreement;
mod broker;
mod confirm;
mod deliver;
mod delivery;
mod durable;
mod fate;
mod letter;
mod limits;
mod message;
mod pattern;
mod plain;
mod room;
mod settings;
mod streams;

use std::sync::Arc;

use lattice_protocol::Error;
use lattice_protocol::contract::messaging::CONTRACT;
use mesh_provider::contract::ServedMessaging;
use mesh_provider::{About, Answers, BoxFuture, Context, Link, Provider};

use broker::Broker;
use settings::Settings;

/// What the provider is.
pub const ABOUT: About = About {
    name: "messaging-nats",
    contract: CONTRACT,
    version: env!("CARGO_PKG_VERSION"),
    description: "messages of NATS, plain or from durable streams",
};

/// Makes the provider.
pub fn provider(context: &Context) -> Arc<dyn Provider> {
    Arc::new(MessagingNats { context: context.clone() })
}

/// The provider.
struct MessagingNats {
    context: Context,
}

impl Provider for MessagingNats {
    fn about(&self) -> About {
        ABOUT
    }

    fn open<'a>(&'a self, link: &'a Link) -> BoxFuture<'a, Result<Arc<dyn Answers>, Error>> {
        Box::pin(async move {
            let settings = Settings::read(link)?;
            let broker = Box::pin(Broker::open(&self.context, link, settings)).await?;
            Ok(Arc::new(ServedMessaging(broker)) as Arc<dyn Answers>)
        })
    }
}
