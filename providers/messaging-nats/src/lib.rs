//! The `mesh:messaging` provider on NATS and JetStream: actors publish, ask, and receive.
//!
//! It uses the NATS of its lattice, outside of the mesh's own subjects. Settings of a link:
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `subjects` | subjects to receive, with wildcards; separated by commas | none |
//! | `group` | links of one group share the messages | the actor's key |
//! | `publish` | subjects that the actor may publish to, with wildcards | any |
//! | `confirm` | `true`: a message counts as published once a stream has stored it | `false` |
//! | `concurrency` | deliveries at once in one process, 1 to 1000 | 64 |
//! | `timeout_ms` | time that the actor has for one delivery, 10 to 300000 | 10000 |
//! | `durable` | `true`: receive from a stream, again and again until the actor has decided | `false` |
//! | `stream` | the stream; made over `subjects` where there is none | required by `durable` |
//! | `max_deliver` | deliveries of one message before it is put aside, 1 to 1000 | 5 |
//! | `backoff_ms` | pauses before the second delivery, the third …; the last one repeats | `1000,5000,30000` |
//! | `ack_wait_ms` | silence of a process after which its messages go to another, 500 to 3600000 | 15000 |
//! | `dead_letter` | subject to which a message goes that was put aside; a stream stores it | none: it is dropped |
//!
//! Processes that serve the same link share its messages. Without `durable` a message is delivered
//! at most once; with it at least once.
//!
//! | file | concern |
//! |---|---|
//! | `settings.rs`, `pattern.rs` | what a link says, without I/O |
//! | `broker.rs` | what the actor asks: publish, request |
//! | `deliver.rs` | one delivery, whatever its source |
//! | `plain.rs`, `durable.rs` | the two sources |
//! | `message.rs` | messages of NATS and of the contract |

mod broker;
mod deliver;
mod durable;
mod limits;
mod message;
mod pattern;
mod plain;
mod settings;

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
