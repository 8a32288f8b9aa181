//! Runs a future only while it has a processor: it gives it up while it waits for something else, and to
//! others once it has had it for long.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use super::Line;
use super::run_queue::{Entered, Patience, Ticket};
use crate::limits;

/// One that waits for a processor.
#[derive(Debug, Default)]
pub(super) struct Seat {
    granted: AtomicBool,
    waker: AtomicWaker,
}

impl Seat {
    /// Tells it that it has one.
    pub fn grant(&self) {
        self.granted.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A processor that is had; given up when dropped.
pub(crate) struct Turn(Arc<Line>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A wait for a processor; ends when dropped, whether or not it was granted meanwhile.
pub(super) struct Waiting {
    line: Arc<Line>,
    ticket: Ticket,
    seat: Arc<Seat>,
    over: bool,
}

impl Future for Waiting {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Turn> {
        self.seat.waker.register(context.waker());
        if !self.seat.granted.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.over = true;
        Poll::Ready(Turn(self.line.clone()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.over && !self.line.cancel(self.ticket) {
            self.line.leave();
        }
    }
}

/// What became of a wish for a processor.
pub(super) enum Asked {
    Has(Turn),
    Waits(Waiting),
    Refused,
}

impl Line {
    pub(super) fn enter(self: &Arc<Self>, patience: Patience) -> Asked {
        self.asked(|line, seat| line.queue().enter(line.id, seat, Instant::now(), patience))
    }

    fn resume(self: &Arc<Self>) -> Asked {
        self.asked(|line, seat| line.queue().resume(line.id, seat, Instant::now()))
    }

    fn asked(self: &Arc<Self>, ask: impl Fn(&Line, Arc<Seat>) -> Entered) -> Asked {
        let seat = Arc::new(Seat::default());
        match ask(self, seat.clone()) {
            Entered::Runs => Asked::Has(Turn(self.clone())),
            Entered::Waits(ticket) => {
                Asked::Waits(Waiting { line: self.clone(), ticket, seat, over: false })
            }
            Entered::Refused => Asked::Refused,
        }
    }
}

impl Turn {
    /// Leaves it to whoever is next, where there is anybody.
    fn give_way(self) -> Result<Waiting, Turn> {
        let (line, seat) = (self.0.clone(), Arc::new(Seat::default()));
        let ticket = line.queue().give_way(line.id, seat.clone(), Instant::now());
        match ticket {
            Some(ticket) => Ok(Waiting { line, ticket, seat, over: false }),
            None => Err(self),
        }
    }
}

/// By what work tells that it only yields its thread when it is not ready, and waits for nothing.
#[derive(Clone, Default)]
pub(crate) struct Yields(Arc<AtomicBool>);

impl Yields {
    /// Says so.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

enum State {
    Has(Turn),
    Waits(Waiting),
    Away,
}

/// See the module.
pub(super) struct InTurns<F> {
    line: Arc<Line>,
    work: Pin<Box<F>>,
    state: State,
    yields: Yields,
    /// Since it got its processor.
    held: Duration,
    /// In all.
    spent: Duration,
}

impl<F> InTurns<F> {
    pub fn new(turn: Turn, yields: Yields, work: F) -> Self {
        Self {
            line: turn.0.clone(),
            work: Box::pin(work),
            state: State::Has(turn),
            yields,
            held: Duration::ZERO,
            spent: Duration::ZERO,
        }
    }
}

impl<F: Future> Future for InTurns<F> {
    /// What the work returned, and how long it computed.
    type Output = (F::Output, Duration);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            let turn = match std::mem::replace(&mut this.state, State::Away) {
                State::Has(turn) => turn,
                State::Away => {
                    this.held = Duration::ZERO;
                    this.state = match this.line.resume() {
                        Asked::Has(turn) => State::Has(turn),
                        Asked::Waits(waiting) => State::Waits(waiting),
                        // Who has begun is never refused.
                        Asked::Refused => return Poll::Pending,
                    };
                    continue;
                }
                State::Waits(mut waiting) => match Pin::new(&mut waiting).poll(context) {
                    Poll::Ready(turn) => {
                        this.held = Duration::ZERO;
                        turn
                    }
                    Poll::Pending => {
                        this.state = State::Waits(waiting);
                        return Poll::Pending;
                    }
                },
            };
            let begun = Instant::now();
            let polled = this.work.as_mut().poll(context);
            let took = begun.elapsed();
            this.held += took;
            this.spent += took;
            if let Poll::Ready(output) = polled {
                drop(turn);
                return Poll::Ready((output, this.spent));
            }
            if !this.yields.take() {
                // It waits: another may have the processor, and it asks anew when it is woken.
                drop(turn);
                return Poll::Pending;
            }
            if this.held < Duration::from_millis(limits::COMPUTE_TURN_MS) {
                this.state = State::Has(turn);
                return Poll::Pending;
            }
            match turn.give_way() {
                Ok(waiting) => this.state = State::Waits(waiting),
                Err(turn) => {
                    this.held = Duration::ZERO;
                    this.state = State::Has(turn);
                    return Poll::Pending;
                }
            }
        }
    }
}
