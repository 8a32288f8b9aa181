//! The parts of the bench.

use clap::ValueEnum;
use integration::bench::findings::{Findings, Table};
use integration::bench::goals;

use super::{
    Context, actor_calls, actors, calls, cold, counter, host_calls, http, idle, large, nodes,
    runtime, sweep, telemetry,
};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Calls over NATS against a raw NATS request and reply
    Calls,
    /// The same against the number of calls under way at once
    Sweep,
    /// Calls from actor to actor on one node
    ActorCalls,
    /// Host calls of an actor to a provider in the node's process
    HostCalls,
    /// The engine alone, beside the crate wapc
    Runtime,
    /// HTTP requests to an actor, beside a bare HTTP server and wasmtime serve
    Http,
    /// HTTP requests that an actor counts in a store, beside a native program with the same store
    Counter,
    /// The first call of an actor since its node was started
    Cold,
    /// A node with nothing deployed: its memory and its start
    Idle,
    /// A node with many actors: its memory, its start, its calls
    Actors,
    /// Calls with traces and metrics exported, and without
    Telemetry,
    /// Calls at the same rate on 1, 2, 4 and 8 nodes
    Nodes,
    /// Large payloads, beside raw NATS and the object store
    Large,
}

impl Part {
    /// Returns the name that it is asked for by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Sweep => "sweep",
            Self::ActorCalls => "actor-calls",
            Self::HostCalls => "host-calls",
            Self::Runtime => "runtime",
            Self::Http => "http",
            Self::Counter => "counter",
            Self::Cold => "cold",
            Self::Idle => "idle",
            Self::Actors => "actors",
            Self::Telemetry => "telemetry",
            Self::Nodes => "nodes",
            Self::Large => "large",
        }
    }

    /// Returns what it measures.
    pub(super) fn about(self) -> String {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }

    /// Measures; what was found until an error, or until it is dropped, stays in `found`.
    pub(super) async fn measure(
        self,
        context: &Context<'_>,
        found: &mut Findings,
    ) -> anyhow::Result<()> {
        // Each is large: it goes to the heap.
        match self {
            Self::Calls => Box::pin(calls::run(context, found)).await,
            Self::Sweep => Box::pin(sweep::run(context, found)).await,
            Self::ActorCalls => Box::pin(actor_calls::run(context, found)).await,
            Self::HostCalls => Box::pin(host_calls::run(context, found)).await,
            Self::Runtime => Box::pin(runtime::run(context, found)).await,
            Self::Http => Box::pin(http::run(context, found)).await,
            Self::Counter => Box::pin(counter::run(context, found)).await,
            Self::Cold => Box::pin(cold::run(context, found)).await,
            Self::Idle => Box::pin(idle::run(context, found)).await,
            Self::Actors => Box::pin(actors::run(context, found)).await,
            Self::Telemetry => Box::pin(telemetry::run(context, found)).await,
            Self::Nodes => Box::pin(nodes::run(context, found)).await,
            Self::Large => Box::pin(large::run(context, found)).await,
        }
    }
}

/// Returns the parts and their goals for people.
pub(super) fn list() -> String {
    let mut text = String::new();
    for part in Part::value_variants() {
        text.push_str(&format!("{:<12} {}\n", part.name(), part.about()));
        let mut table = Table::default();
        for goal in goals::ALL.iter().filter(|aim| aim.part == part.name()) {
            let aim = goal.look(None).aim_shown();
            table.rows.push(vec![format!("           {}", goal.name), aim]);
        }
        text.push_str(&table.text());
    }
    text
}
