//! A call whose first attempt has failed, or was not answered soon: looks, and further attempts, beside
//! each other where they may be. What follows from what is decided in `attempts.rs` and `watch.rs`.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lattice_protocol::Error;
use lattice_protocol::keys::TargetKey;
use tokio::sync::mpsc;

use super::attempts::{Attempts, Due};
use super::looker::{Watched, Who};
use super::pace::Paced;
use super::retry::{Attempt, Next};
use super::watch::{Verdict, Watch};
use super::{Answer, Request, held_back};
use crate::lattice::Lattice;
use crate::limits;

/// An attempt that is under way.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Result<Answer, Attempt>> + Send + 'a>>;

/// What happens to a call.
enum Event {
    /// An attempt has ended.
    Ended(u32, Result<Answer, Attempt>),
    /// Looks tell something of an attempt.
    Looked(u32, Verdict),
    /// Nobody is left who could answer.
    AllGone,
    /// Something is due.
    Clock,
}

impl Lattice {
    /// Goes on with a call whose first attempt has begun.
    pub(super) async fn call_long(
        &self,
        request: &Request<'_>,
        mut attempts: Attempts,
        mut paced: Paced,
        begun: Live,
        first: Running<'_>,
    ) -> Result<Answer, Error> {
        let Request { call, started, .. } = request;
        let look_after = Duration::from_millis(limits::LOOK_AFTER_MS);
        let (sender, mut verdicts) = mpsc::channel(limits::VERDICTS_CAPACITY);
        let mut running = FuturesUnordered::new();
        running.push(numbered(begun.number, first));
        // Attempts that are waited for, and when looks for the newest begin.
        let mut token = begun.token;
        let mut live = vec![begun];
        let mut look_at = Some(look_after);
        let mut all_gone = pin!(self.all_gone(request, *started));
        loop {
            let next = look_at.map_or(attempts.next_at(), |at| at.min(attempts.next_at()));
            let event = tokio::select! {
                biased;
                Some((number, outcome)) = running.next() => Event::Ended(number, outcome),
                Some((number, verdict)) = verdicts.recv() => Event::Looked(number, verdict),
                () = &mut all_gone => Event::AllGone,
                () = tokio::time::sleep_until((*started + next).into()) => Event::Clock,
            };
            if let Event::Ended(number, outcome) = &event
                && let Some(one) = live.iter().find(|one| one.number == *number)
            {
                let busy = matches!(outcome, Err(attempt) if attempt.is_busy());
                self.paces().told(&call.target, one.began, busy);
            }
            let elapsed = started.elapsed();
            let (jitter, retries) = (rand::random::<f64>(), self.retries());
            let gone = || Attempt::Gone(call.target.clone());
            let mut begins = false;
            let next = match event {
                Event::Ended(_, Ok(answer)) => {
                    return Ok(Answer { attempts: attempts.made(), ..answer });
                }
                Event::Ended(number, Err(attempt)) if end(&mut live, number) => {
                    attempts.failed(number, &attempt, elapsed, jitter, retries)
                }
                // Whose reply is here is gone from where it was, and reads what the reply refers to.
                Event::Looked(number, _) if !self.awaits(&live, number) => Next::Wait,
                Event::AllGone if live.iter().any(|one| !self.mux().awaits(one.token)) => {
                    all_gone.set(self.all_gone(request, Instant::now()));
                    Next::Wait
                }
                Event::Looked(number, Verdict::Gone) if end(&mut live, number) => {
                    attempts.failed(number, &gone(), elapsed, jitter, retries)
                }
                Event::Looked(number, Verdict::Another) => {
                    begins = attempts.another(number, elapsed, retries);
                    Next::Wait
                }
                // What was given up has ended, or is told to be gone once more.
                Event::Ended(..) | Event::Looked(..) => Next::Wait,
                Event::AllGone => {
                    all_gone.set(self.all_gone(request, Instant::now()));
                    live.clear();
                    attempts.all_gone(&gone(), elapsed, jitter, retries)
                }
                Event::Clock => {
                    if look_at.is_some_and(|at| at <= elapsed) {
                        look_at = None;
                        let attempt = attempts.made();
                        let who = Who { attempt, verdicts: sender.clone() };
                        let watched = Watched { token, watch: Watch::new(&call.target), who };
                        // Where very many wait to be watched already, this one comes later.
                        if self.awaits(&live, attempt) && self.watching().try_send(watched).is_err()
                        {
                            look_at = Some(elapsed + look_after);
                        }
                    }
                    match attempts.due(elapsed, &call.operation, retries) {
                        Due::GiveUp(error) => Next::GiveUp(error),
                        due => {
                            begins = due == Due::Begin;
                            Next::Wait
                        }
                    }
                }
            };
            if let Next::GiveUp(error) = next {
                return Err(error);
            }
            if begins {
                // Whoever was refused before anybody was held back is held back now. Its place is its own until
                // it ends: who was refused makes room for nobody.
                if live.is_empty() && !paced.is_held() {
                    let deadline = *started + attempts.timeout();
                    let entered = self.paces().enter(&call.target, deadline).await;
                    paced = entered.ok_or_else(|| attempts.told(held_back()))?;
                }
                let began = Instant::now();
                let slice = attempts.begin(began.saturating_duration_since(*started));
                token = self.mux().token();
                // What was found out before it began says nothing of it.
                all_gone.set(self.all_gone(request, began));
                live.push(Live { number: attempts.made(), token, began });
                look_at = Some(elapsed + look_after);
                let attempt = self.attempt(request, token, slice);
                running.push(numbered(attempts.made(), Box::pin(attempt)));
            }
        }
    }

    /// Returns whether an attempt is waited for whose reply is not here yet.
    fn awaits(&self, live: &[Live], number: u32) -> bool {
        live.iter().any(|one| one.number == number && self.mux().awaits(one.token))
    }

    /// Returns when nobody is left who could answer what was sent by `since`, as far as that can be known without asking for the
    /// call itself.
    async fn all_gone(&self, request: &Request<'_>, since: Instant) {
        match &request.call.target {
            TargetKey::Provider(provider) => self.gone(provider, request.subject, since).await,
            TargetKey::Actor(_) => std::future::pending().await,
        }
    }
}

/// An attempt that is waited for.
pub(super) struct Live {
    pub number: u32,
    /// Under which its reply is.
    pub token: u64,
    pub began: Instant,
}

async fn numbered(number: u32, attempt: Running<'_>) -> (u32, Result<Answer, Attempt>) {
    (number, attempt.await)
}

/// Takes an attempt from those that are waited for; returns whether it was among them.
fn end(live: &mut Vec<Live>, number: u32) -> bool {
    let at = live.iter().position(|one| one.number == number);
    at.map(|at| live.swap_remove(at)).is_some()
}
