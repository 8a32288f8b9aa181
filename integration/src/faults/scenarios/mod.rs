//! The scenarios, one file each.

mod brokers;
mod freeze;
mod kill;
mod moves;
mod overload;
mod partition;
mod rolling;
mod soak;
mod swaps;

use std::pin::Pin;

use super::Context;
use super::report::Row;

/// What a scenario gives back: one row for each of its variants.
type Rows = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Row>>>>>;

/// Something that happens to a lattice, and what must hold all the same.
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What it does, and its goals.
    pub about: &'static str,
    run: fn(Context) -> Rows,
}

impl Scenario {
    /// Runs it. What could not be run is a row too: it misses its goal.
    pub async fn run(&self, context: &Context) -> Vec<Row> {
        match (self.run)(context.clone()).await {
            Ok(rows) => rows,
            Err(error) => vec![Row::broken(self.name, &error)],
        }
    }
}

/// Every scenario, in the order in which they are run.
pub const ALL: [Scenario; 9] = [
    Scenario {
        name: "swaps",
        about: "1,000 revisions swapped under load on one node, with links of 0, 0.5, 2 and 20 ms: \
                nothing lost, p99 at most twice that of quiet",
        run: |context| Box::pin(swaps::run(context)),
    },
    Scenario {
        name: "moves",
        about: "the actor moves between two nodes 200 times, by labels, by drain, by undeployment: \
                nothing lost",
        run: |context| Box::pin(moves::run(context)),
    },
    Scenario {
        name: "rolling",
        about: "three nodes restarted one after the other, 20 rounds: nothing lost",
        run: |context| Box::pin(rolling::run(context)),
    },
    Scenario {
        name: "kill",
        about: "one of two nodes killed 100 times: no idempotent call fails, of plain ones only \
                those in flight there, and within a second",
        run: |context| Box::pin(kill::run(context)),
    },
    Scenario {
        name: "freeze",
        about: "one of two nodes frozen for 30 s: plain calls lost for at most 3.5 s, no \
                idempotent one",
        run: |context| Box::pin(freeze::run(context)),
    },
    Scenario {
        name: "brokers",
        about: "a cluster of three loses the leader of the registry 50 times, that of the durable \
                invocations 50 times, all three 20 times, the routes of one 20 times: no acknowledged write or \
                durable invocation lost, calls flow within 5 s",
        run: |context| Box::pin(brokers::run(context)),
    },
    Scenario {
        name: "partition",
        about: "one of two nodes cut off 50 times while the actor is revoked, unlinked, redeployed: \
                nothing runs that must not, nothing plain runs twice",
        run: |context| Box::pin(partition::run(context)),
    },
    Scenario {
        name: "overload",
        about: "twice and five times what a node can run: goodput at least 0.9 of its peak, p99 at \
                most 3 times that of quiet, rejections within 10 ms",
        run: |context| Box::pin(overload::run(context)),
    },
    Scenario {
        name: "soak",
        about: "30 minutes of churn with one call of a hundred given up: open files of a node do \
                not grow; its memory is told",
        run: |context| Box::pin(soak::run(context)),
    },
];

/// Returns the scenario called `name`.
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}
