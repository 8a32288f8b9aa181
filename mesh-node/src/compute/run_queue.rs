//! Who runs next: a value without threads or clocks.
//!
//! A fixed number of calls run at once. Those that wait stand in lines, and the lines take turns, so that an
//! actor with a thousand calls does not keep another with one from running.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use lattice_client::standing::Standing;

use crate::limits;

/// Wait that is too long where it stands.
const WAIT: Duration = Duration::from_millis(limits::COMPUTE_WAIT_TARGET_MS);
const BURST: Duration = Duration::from_millis(limits::COMPUTE_BURST_MS);
const CALM: Duration = Duration::from_millis(limits::COMPUTE_SHED_MS);

/// Names a line.
pub(super) type LineId = u64;
/// Names one that waits.
pub(super) type Ticket = u64;

/// How long whoever asks is ready to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As long as it takes: nobody else could run it.
    Long,
    /// While it is short: another node may have a processor to spare.
    Short,
}

/// What became of a wish to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// It runs.
    Runs,
    /// It waits.
    Waits(Ticket),
    /// Too many wait.
    Refused,
}

#[derive(Debug)]
struct Waiter<W> {
    ticket: Ticket,
    who: W,
    since: Instant,
    /// Whether it has not run yet.
    begins: bool,
}

#[derive(Debug)]
struct Line<W> {
    /// Those that ran and waited for something else meanwhile: before the others.
    back: VecDeque<Waiter<W>>,
    waiting: VecDeque<Waiter<W>>,
    in_ring: bool,
    standing: Standing,
    /// When the last call of the line began while another waited.
    began: Option<Instant>,
    /// Usual time between two such beginnings.
    gap: Duration,
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self {
            back: VecDeque::new(),
            waiting: VecDeque::new(),
            in_ring: false,
            standing: Standing::new(BURST, CALM),
            began: None,
            gap: Duration::ZERO,
        }
    }
}

impl<W> Line<W> {
    fn is_empty(&self) -> bool {
        self.back.is_empty() && self.waiting.is_empty()
    }

    /// Returns how long the next that comes will about wait.
    fn expected(&self, now: Instant) -> Duration {
        let ahead = u32::try_from(self.waiting.len() + 1).unwrap_or(u32::MAX);
        let oldest = self.waiting.front().map(|first| now.saturating_duration_since(first.since));
        self.gap.saturating_mul(ahead).max(oldest.unwrap_or_default())
    }

    /// Notes that a call of the line begins.
    fn begins(&mut self, now: Instant) {
        if let Some(before) = self.began {
            let gap = now.saturating_duration_since(before);
            self.gap = if self.gap.is_zero() { gap } else { (self.gap * 7 + gap) / 8 };
        }
        self.began = (!self.waiting.is_empty()).then_some(now);
    }
}

/// Those that run, and those that wait for it.
#[derive(Debug)]
pub(super) struct RunQueue<W> {
    processors: usize,
    free: usize,
    waiting: usize,
    lines: HashMap<LineId, Line<W>>,
    /// Lines in which somebody waits, the next one first.
    ring: VecDeque<LineId>,
    next: u64,
}

impl<W> RunQueue<W> {
    /// `processors` run at once.
    pub fn new(processors: usize) -> Self {
        Self {
            processors,
            free: processors,
            waiting: 0,
            lines: HashMap::new(),
            ring: VecDeque::new(),
            next: 0,
        }
    }

    /// Opens a line.
    pub fn open(&mut self) -> LineId {
        let line = self.number();
        self.lines.insert(line, Line::default());
        line
    }

    /// Closes a line in which nobody waits any more.
    pub fn close(&mut self, line: LineId) {
        self.lines.remove(&line);
        self.ring.retain(|other| *other != line);
    }

    /// Asks to run for the first time.
    pub fn enter(&mut self, line: LineId, who: W, now: Instant, patience: Patience) -> Entered {
        if self.free > 0 {
            self.free -= 1;
            return Entered::Runs;
        }
        let Some(at) = self.lines.get_mut(&line) else { return Entered::Refused };
        // Whatever a call takes, one may wait for each that runs: no processor is idle in between.
        let spare = at.waiting.len() < self.processors;
        let expected = if spare { Duration::ZERO } else { at.expected(now) };
        // A burst has a bound too: it would be long in passing.
        let stands = at.standing.refuses(now, expected > WAIT) || expected > BURST;
        let full = !spare && self.waiting >= limits::COMPUTE_WAITING_MAX;
        if (stands && patience == Patience::Short) || full {
            return Entered::Refused;
        }
        Entered::Waits(self.wait(line, who, now, Place::Last { begins: true }))
    }

    /// Asks to run on, after having waited for something else.
    pub fn resume(&mut self, line: LineId, who: W, now: Instant) -> Entered {
        if self.free > 0 {
            self.free -= 1;
            return Entered::Runs;
        }
        Entered::Waits(self.wait(line, who, now, Place::Before))
    }

    /// Makes one that has run for long wait behind the others, where there are any. It still counts as
    /// running then: [`RunQueue::leave`] follows.
    pub fn give_way(&mut self, line: LineId, who: W, now: Instant) -> Option<Ticket> {
        (self.waiting > 0).then(|| self.wait(line, who, now, Place::Last { begins: false }))
    }

    /// Takes in that one runs no more; returns who runs in its place.
    pub fn leave(&mut self, now: Instant) -> Option<W> {
        while let Some(line) = self.ring.pop_front() {
            let Some(at) = self.lines.get_mut(&line) else { continue };
            at.in_ring = false;
            let Some(next) = at.back.pop_front().or_else(|| at.waiting.pop_front()) else {
                continue;
            };
            if next.begins {
                at.begins(now);
            }
            if !at.is_empty() {
                at.in_ring = true;
                self.ring.push_back(line);
            }
            self.waiting -= 1;
            return Some(next.who);
        }
        self.free += 1;
        None
    }

    /// Takes one away that waits; returns whether it still did.
    pub fn cancel(&mut self, line: LineId, ticket: Ticket) -> bool {
        let Some(at) = self.lines.get_mut(&line) else { return false };
        let before = at.back.len() + at.waiting.len();
        at.back.retain(|waiter| waiter.ticket != ticket);
        at.waiting.retain(|waiter| waiter.ticket != ticket);
        let gone = before - at.back.len() - at.waiting.len();
        self.waiting -= gone;
        gone > 0
    }

    fn wait(&mut self, line: LineId, who: W, now: Instant, place: Place) -> Ticket {
        let ticket = self.number();
        let at = self.lines.entry(line).or_default();
        let begins = matches!(place, Place::Last { begins: true });
        let waiter = Waiter { ticket, who, since: now, begins };
        match place {
            Place::Before => at.back.push_back(waiter),
            Place::Last { .. } => at.waiting.push_back(waiter),
        }
        if !at.in_ring {
            at.in_ring = true;
            self.ring.push_back(line);
        }
        self.waiting += 1;
        ticket
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Where in its line one waits.
#[derive(Clone, Copy)]
enum Place {
    /// Before those that have not run yet.
    Before,
    Last {
        begins: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn waits(queue: &mut RunQueue<u32>, line: LineId, who: u32, now: Instant) -> Ticket {
        match queue.enter(line, who, now, Patience::Long) {
            Entered::Waits(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_more_run_than_there_are_processors_and_none_is_idle_while_one_waits() {
        let (mut queue, now) = (RunQueue::new(2), Instant::now());
        let line = queue.open();
        assert_eq!(queue.enter(line, 1, now, Patience::Short), Entered::Runs);
        assert_eq!(queue.enter(line, 2, now, Patience::Short), Entered::Runs);
        waits(&mut queue, line, 3, now);
        assert_eq!(queue.leave(now), Some(3));
        assert_eq!(queue.leave(now), None);
        assert_eq!(queue.leave(now), None);
        assert_eq!(queue.enter(line, 4, now, Patience::Short), Entered::Runs);
    }

    #[test]
    fn lines_take_turns() {
        let (mut queue, now) = (RunQueue::new(1), Instant::now());
        let (crowd, alone) = (queue.open(), queue.open());
        queue.enter(crowd, 0, now, Patience::Long);
        for who in 1..=5 {
            waits(&mut queue, crowd, who, now);
        }
        waits(&mut queue, alone, 9, now);
        let order: Vec<_> = std::iter::from_fn(|| queue.leave(now)).collect();
        assert_eq!(order, [1, 9, 2, 3, 4, 5]);
    }

    #[test]
    fn who_comes_back_is_before_those_that_have_not_run_and_who_ran_long_is_behind() {
        let (mut queue, now) = (RunQueue::new(1), Instant::now());
        let line = queue.open();
        queue.enter(line, 0, now, Patience::Long);
        assert_eq!(queue.give_way(line, 0, now), None, "nobody else waits");
        waits(&mut queue, line, 1, now);
        queue.resume(line, 2, now);
        assert!(queue.give_way(line, 0, now).is_some());
        let order: Vec<_> = std::iter::from_fn(|| queue.leave(now)).collect();
        assert_eq!(order, [2, 1, 0]);
    }

    #[test]
    fn who_gives_up_is_not_run_and_leaves_no_processor_idle() {
        let (mut queue, now) = (RunQueue::new(1), Instant::now());
        let line = queue.open();
        queue.enter(line, 0, now, Patience::Long);
        let ticket = waits(&mut queue, line, 1, now);
        assert!(queue.cancel(line, ticket));
        assert!(!queue.cancel(line, ticket));
        waits(&mut queue, line, 2, now);
        assert_eq!(queue.leave(now), Some(2));
        assert_eq!(queue.leave(now), None);
        queue.close(line);
        assert_eq!(queue.enter(line, 3, now, Patience::Long), Entered::Runs);
    }

    #[test]
    fn one_may_wait_for_each_that_runs_however_long_they_take() {
        let (mut queue, begun) = (RunQueue::new(1), Instant::now());
        let line = queue.open();
        queue.enter(line, 0, begun, Patience::Short);
        for who in 1..10u32 {
            let now = begun + who * BURST * 3;
            let entered = queue.enter(line, who, now, Patience::Short);
            assert!(matches!(entered, Entered::Waits(_)), "{who}");
            assert_eq!(queue.leave(now + BURST), Some(who));
        }
    }

    #[test]
    fn under_a_standing_load_the_impatient_are_refused_and_the_wait_stays_short() {
        let (mut queue, begun) = (RunQueue::new(1), Instant::now());
        let line = queue.open();
        let (mut refused, mut longest) = (0, 0);
        // A call takes 1 ms; five come in each.
        for ms in 0..2_000u32 {
            let now = begun + ms * MS;
            if ms > 0
                && let Some(since) = queue.leave(now)
                && ms > 1_000
            {
                longest = longest.max(ms - since);
            }
            for _ in 0..5 {
                match queue.enter(line, ms, now, Patience::Short) {
                    Entered::Refused => refused += 1,
                    Entered::Runs | Entered::Waits(_) => {}
                }
            }
        }
        let target = u32::try_from(limits::COMPUTE_WAIT_TARGET_MS).unwrap();
        assert!(longest <= target, "{longest} ms");
        assert!((7_000..=8_000).contains(&refused), "{refused} of 10,000");
        assert!(matches!(
            queue.enter(line, 0, begun + 2_000 * MS, Patience::Long),
            Entered::Waits(_)
        ));
    }
}
