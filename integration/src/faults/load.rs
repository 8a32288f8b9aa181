//! A load of numbered calls that leave at their times, whether or not earlier ones were answered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::RequestErrorKind;
use lattice_client::{Answer, Call, Lattice};
use lattice_protocol::keys::ActorKey;
use lattice_protocol::subjects::Subject;
use lattice_protocol::{Error, ErrorCode, Invocation, InvocationId, Reply};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::ledger::{CallRecord, Outcome};
use super::{Schedule, limits};

/// Which calls are idempotent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// None.
    Plain,
    /// All.
    Idempotent,
    /// Every other one.
    Both,
}

impl Mix {
    fn idempotent(self, number: u64) -> bool {
        match self {
            Mix::Plain => false,
            Mix::Idempotent => true,
            Mix::Both => number % 2 == 1,
        }
    }
}

/// What to call, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Fixes when calls leave.
    pub seed: u64,
    /// Calls a second.
    pub rate_per_s: f64,
    /// Which of them are idempotent.
    pub mix: Mix,
    /// Time of each.
    pub timeout: Duration,
    /// Steps of work of each.
    pub steps: u32,
    /// Whether the actor writes nothing down: work alone.
    pub unwritten: bool,
    /// The first number.
    pub from: u64,
    /// Most calls under way at once; those beyond are held back and counted.
    pub in_flight_max: usize,
    /// Every so many calls one has so little time that nobody answers it in time; 0 for none.
    pub impatient_every: u64,
    /// Whether each call is one request, and what a node answers is never tried again.
    pub once: bool,
}

impl Plan {
    /// Returns a plan with the bounds of [`limits`], beginning at number 0.
    pub fn new(seed: u64, mix: Mix) -> Self {
        Self {
            seed,
            rate_per_s: limits::RATE_PER_S,
            mix,
            timeout: Duration::from_millis(limits::CALL_TIMEOUT_MS),
            steps: 0,
            unwritten: false,
            from: 0,
            in_flight_max: limits::IN_FLIGHT_MAX,
            impatient_every: 0,
            once: false,
        }
    }
}

/// What the actor `ledger` is sent.
#[derive(Serialize)]
struct Entry {
    number: u64,
    steps: u32,
    unwritten: bool,
}

/// Returns the payload of a call.
pub(super) fn entry(number: u64, steps: u32, unwritten: bool) -> Vec<u8> {
    // Three plain values: nothing that an encoder could refuse.
    rmp_serde::to_vec_named(&Entry { number, steps, unwritten }).unwrap_or_default()
}

/// What it answers.
#[derive(Deserialize)]
pub(super) struct Receipt {
    /// Number of the call.
    pub number: u64,
    /// Revision of the code.
    pub code: u64,
}

/// What is known while the load runs.
#[derive(Default)]
struct Live {
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    /// The newest revision that each node answered with, and when it answered last.
    seen: Mutex<BTreeMap<String, (u64, Instant)>>,
}

/// A load that runs.
pub struct OpenLoad {
    begun: Instant,
    live: Arc<Live>,
    stop: CancellationToken,
    pacer: JoinSet<Recorded>,
    timeout: Duration,
}

/// What a load has recorded.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Every call, in no order.
    pub calls: Vec<CallRecord>,
    /// Calls that were not made, since too many were under way.
    pub held_back: u64,
}

impl OpenLoad {
    /// Starts calling `target`, an actor `ledger`.
    pub fn start(lattice: &Lattice, target: &ActorKey, plan: Plan) -> Self {
        let (live, stop, begun) =
            (Arc::<Live>::default(), CancellationToken::new(), Instant::now());
        let timeout = plan.timeout;
        let caller = Caller {
            lattice: lattice.clone(),
            target: target.clone(),
            plan,
            live: live.clone(),
            begun,
        };
        let mut pacer = JoinSet::new();
        pacer.spawn(caller.run(stop.clone()));
        Self { begun, live, stop, pacer, timeout }
    }

    /// Returns the microseconds since the start: the clock of all records.
    pub fn now_us(&self) -> u64 {
        micros(self.begun.elapsed())
    }

    /// Returns how many calls left, were answered and failed so far.
    pub fn counts(&self) -> (u64, u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.live.sent), load(&self.live.answered), load(&self.live.failed))
    }

    /// Returns the newest revision that `node` answered with, if that was after `since`.
    pub fn seen_since(&self, node: &str, since: Instant) -> Option<u64> {
        let seen = self.live.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(node).filter(|(_, at)| *at > since).map(|(revision, _)| *revision)
    }

    /// Sends no more, waits for what is under way, and returns all records.
    ///
    /// # Errors
    /// When a call does not end though its time is over.
    pub async fn stop(mut self) -> anyhow::Result<Recorded> {
        self.stop.cancel();
        let bound = self.timeout + Duration::from_millis(limits::LOAD_END_MS);
        let ended = tokio::time::timeout(bound, self.pacer.join_next()).await;
        let recorded = ended.with_context(|| {
            let (sent, answered, failed) = self.counts();
            format!("{} calls still run {bound:?} after the last", sent - answered - failed)
        })?;
        Ok(recorded.context("the load has ended before")??)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

struct Caller {
    lattice: Lattice,
    target: ActorKey,
    plan: Plan,
    live: Arc<Live>,
    begun: Instant,
}

impl Caller {
    async fn run(self, stop: CancellationToken) -> Recorded {
        let (mut recorded, mut under_way) = (Recorded::default(), JoinSet::new());
        let schedule = Schedule::new(self.plan.seed, self.plan.rate_per_s);
        for (number, due) in (self.plan.from..).zip(schedule) {
            let at = tokio::time::Instant::from_std(self.begun + due);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep_until(at) => {}
            }
            while let Some(record) = under_way.try_join_next() {
                recorded.calls.extend(record);
            }
            if number - self.plan.from >= limits::CALLS_MAX {
                break;
            }
            if under_way.len() >= self.plan.in_flight_max {
                recorded.held_back += 1;
                continue;
            }
            self.live.sent.fetch_add(1, Ordering::Relaxed);
            under_way.spawn(self.call(number, micros(due)));
        }
        while let Some(record) = under_way.join_next().await {
            recorded.calls.extend(record);
        }
        recorded
    }

    fn call(&self, number: u64, due_us: u64) -> impl Future<Output = CallRecord> + use<> {
        let idempotent = self.plan.mix.idempotent(number);
        let impatient =
            self.plan.impatient_every > 0 && number.is_multiple_of(self.plan.impatient_every);
        let payload = entry(number, self.plan.steps, self.plan.unwritten);
        let timeout = if impatient { Duration::from_micros(1) } else { self.plan.timeout };
        let mut call = Call::new(self.target.clone(), "enter", payload).timeout(timeout);
        call.idempotent = idempotent;
        let (lattice, live, begun) = (self.lattice.clone(), self.live.clone(), self.begun);
        let once = self.plan.once;
        async move {
            let sent_us = micros(begun.elapsed());
            let answer = match once {
                true => call_once(&lattice, &call).await,
                false => lattice.call(call).await,
            };
            let outcome = outcome_of(number, answer, &live);
            let done_us = micros(begun.elapsed());
            CallRecord { number, due_us, sent_us, done_us, idempotent, impatient, outcome }
        }
    }
}

/// Calls by one request, whatever comes of it.
pub(super) async fn call_once(lattice: &Lattice, call: &Call) -> Result<Answer, Error> {
    let broken = |what: String| Error::started(ErrorCode::Internal, what);
    let mut invocation = Invocation::new(
        InvocationId::generate(),
        call.target.as_str(),
        &call.operation,
        &call.payload,
    );
    invocation.timeout_ms = u32::try_from(call.timeout.as_millis()).ok();
    let bytes = invocation.encode().map_err(|error| broken(error.to_string()))?;
    let subject = Subject::Call(lattice.name().clone(), call.target.clone()).to_string();
    let request = async_nats::Request::new().payload(bytes.into()).timeout(Some(call.timeout));
    let message = lattice.nats().send_request(subject, request).await.map_err(|error| {
        let (code, text) = match error.kind() {
            RequestErrorKind::TimedOut => (ErrorCode::DeadlineExceeded, "no answer in time"),
            RequestErrorKind::NoResponders => (ErrorCode::NotFound, "nobody serves it"),
            _ => (ErrorCode::Internal, "the request could not be made"),
        };
        Error::started(code, text)
    })?;
    let reply = Reply::decode(&message.payload).map_err(|error| broken(error.to_string()))?;
    match (reply.ok, reply.err) {
        (_, Some(error)) => Err(error),
        (ok, None) => Ok(Answer {
            payload: ok.map(|body| message.payload.slice_ref(body)).unwrap_or_default(),
            node: reply.node.to_owned(),
            revision: reply.revision,
            attempts: 1,
        }),
    }
}

fn outcome_of(number: u64, outcome: Result<Answer, Error>, live: &Live) -> Outcome {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(Error { code, started, message, .. }) => {
            live.failed.fetch_add(1, Ordering::Relaxed);
            return Outcome::Failed { code, started, message };
        }
    };
    live.answered.fetch_add(1, Ordering::Relaxed);
    let receipt = rmp_serde::from_slice::<Receipt>(&answer.payload);
    let (Ok(receipt), Some(revision)) = (receipt, answer.revision) else {
        return Outcome::Wrong("an answer that is no receipt of a revision".to_owned());
    };
    if receipt.number != number {
        return Outcome::Wrong(format!("the answer to call {}", receipt.number));
    }
    let mut seen = live.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let newest = seen.entry(answer.node.clone()).or_insert((0, Instant::now()));
    *newest = (revision.max(newest.0), Instant::now());
    Outcome::Answered { node: answer.node, revision, code: receipt.code, attempts: answer.attempts }
}
