//! What must hold, whatever happens. Each rule says what is promised and what is not.

use serde::Serialize;

use crate::schedule::Time;

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// Every call has an answer or an error at its caller by its deadline, whatever was lost.
    NoCallLost,
    /// A call that is not idempotent starts to run at most once for each time that the network
    /// delivered it; retries never add to that. (NATS delivers once; where something between
    /// delivers twice, so may it run.) An idempotent one runs at most once an attempt.
    AtMostOnce,
    /// Where nothing but deployments, swaps, moves, joins and drains happens, no call fails or, once
    /// the actor was served, finds nobody, and no node runs one on an older revision than it ran
    /// another on before.
    CalmFailsNone,
    /// The revision that a node serves of an actor never goes down without a break, except by a
    /// record that says `rolled_back`.
    RevisionsRise,
    /// A node that has taken in every change starts no call on what is revoked or not deployed,
    /// and follows no link that is gone. (What the server had sent before an undeployment is
    /// still answered behind the fence.)
    NothingRevoked,
    /// No call starts to run after its deadline by the clock of its node, which begins when the
    /// call is read; in calm weather by its caller's either, but for the way of the message.
    NotAfterDeadline,
    /// No more calls run than there are places, no more wait than the bound says, and none is
    /// answered `busy` while a place is free.
    PlacesBounded,
    /// A client never retries more often than its budget had saved up and its calls have earned.
    RetryBudget,
    /// When faults have ceased, every node serves what the registry says within a bound, exactly so
    /// many of them where it says how many, and calls of what is served succeed.
    Converges,
    /// The run itself comes to its end.
    Ends,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// How.
    pub what: String,
    /// When, in microseconds.
    pub at: Time,
}
