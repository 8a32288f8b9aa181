//! What looks for one attempt tell of it, and what follows: pure decisions over values.
//!
//! NATS tells a caller at once when nobody listens, and nothing when somebody took the call and died,
//! or stands still. So a caller whose answer takes long asks who has the call.

use lattice_protocol::keys::{NodeKey, TargetKey};

use crate::limits;

/// What came of one look for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Somebody says that it has it.
    Held,
    /// Somebody answered, and nobody has it.
    Nobody,
    /// Nobody says that it has it, and somebody has not read all that it was sent.
    Unread,
    /// Whoever was asked did not answer in time.
    Silence,
    /// NATS says that nobody was there to be asked.
    NoResponders,
}

/// What follows for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its answer may still come.
    Wait,
    /// Its answer may still come, but it is worth another attempt where the call is idempotent.
    Another,
    /// Nobody will answer it.
    Gone,
}

/// What looks have told of one attempt so far.
#[derive(Clone, Debug)]
pub struct Watch<N = NodeKey> {
    /// Whether everybody who may have it says so when asked.
    all_answer: bool,
    holder: Option<N>,
    /// Looks in a row that found nobody who has it.
    missed: u32,
    gone: bool,
}

impl<N: Clone + PartialEq> Watch<N> {
    /// Begins to watch an attempt to call `target`. Nodes say which calls they have; a provider may be
    /// written in a language whose programs do not.
    pub fn new(target: &TargetKey) -> Self {
        let all_answer = matches!(target, TargetKey::Actor(_));
        Self { all_answer, holder: None, missed: 0, gone: false }
    }

    /// Returns who said last that it has the attempt: from then on it alone is asked.
    pub fn holder(&self) -> Option<&N> {
        self.holder.as_ref()
    }

    /// Takes in that `node` says it has the attempt.
    pub fn claimed(&mut self, node: &N) {
        if self.holder.as_ref() != Some(node) {
            self.holder = Some(node.clone());
        }
        self.missed = 0;
    }

    /// Takes in what came of a look: of the holder, where there is one, else of everybody.
    pub fn looked(&mut self, seen: Seen) -> Verdict {
        if self.gone {
            return Verdict::Gone;
        }
        let held = self.holder.is_some();
        if !held && !self.all_answer {
            // Whoever has it may know nothing of such questions.
            return Verdict::Wait;
        }
        let (misses, verdict) = match seen {
            Seen::Held => {
                self.missed = 0;
                return Verdict::Wait;
            }
            // It stands still perhaps, or is on its way back to NATS.
            Seen::Silence => return Verdict::Another,
            Seen::Unread if !held => return Verdict::Wait,
            // The answer is on its way, most likely.
            Seen::Nobody | Seen::Unread if held => (limits::LOOKS_LOST, Verdict::Wait),
            // It may be on its way to another server.
            Seen::NoResponders => (limits::LOOKS_UNCLAIMED, Verdict::Another),
            Seen::Nobody | Seen::Unread => (limits::LOOKS_UNCLAIMED, Verdict::Another),
        };
        self.missed += 1;
        self.gone = self.missed >= misses;
        if self.gone { Verdict::Gone } else { verdict }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lattice_protocol::keys::{ActorKey, ProviderKey};

    fn of_actor() -> Watch {
        Watch::new(&ActorKey::generate().unwrap().0.into())
    }

    fn held(mut watch: Watch) -> Watch {
        watch.claimed(&NodeKey::generate().unwrap().0);
        watch
    }

    fn verdicts(watch: &mut Watch, looks: &[Seen]) -> Vec<Verdict> {
        looks.iter().map(|seen| watch.looked(*seen)).collect()
    }

    use Seen::{Held, NoResponders, Nobody, Silence, Unread};
    use Verdict::{Another, Gone, Wait};

    #[test]
    fn what_nobody_claims_is_gone_after_a_few_looks() {
        let looks = [Nobody, Nobody, Nobody, Nobody];
        assert_eq!(verdicts(&mut of_actor(), &looks), [Another, Another, Gone, Gone]);
    }

    #[test]
    fn what_may_be_unread_is_not_gone() {
        assert_eq!(verdicts(&mut of_actor(), &[Unread; 9]), [Wait; 9]);
    }

    #[test]
    fn silence_is_worth_another_attempt_and_fails_none() {
        assert_eq!(verdicts(&mut of_actor(), &[Silence; 9]), [Another; 9]);
        assert_eq!(verdicts(&mut held(of_actor()), &[Silence; 9]), [Another; 9]);
    }

    #[test]
    fn whose_holder_is_not_there_is_gone() {
        let looks = [NoResponders; 3];
        assert_eq!(verdicts(&mut held(of_actor()), &looks), [Another, Another, Gone]);
        assert_eq!(verdicts(&mut of_actor(), &looks), [Another, Another, Gone]);
        let provider = Watch::new(&ProviderKey::generate().unwrap().0.into());
        assert_eq!(verdicts(&mut held(provider), &looks), [Another, Another, Gone]);
    }

    #[test]
    fn what_its_holder_has_lost_is_gone_unless_it_comes_back_at_once() {
        let mut watch = held(of_actor());
        assert_eq!(verdicts(&mut watch, &[Nobody, Held, Nobody, Nobody]), [Wait, Wait, Wait, Gone]);
    }

    #[test]
    fn a_claim_that_comes_late_counts() {
        let mut watch = of_actor();
        assert_eq!(verdicts(&mut watch, &[Nobody, Nobody]), [Another, Another]);
        let mut watch = held(watch);
        assert_eq!(verdicts(&mut watch, &[Held, Nobody]), [Wait, Wait]);
    }

    #[test]
    fn a_provider_that_knows_no_such_question_is_waited_for() {
        for seen in [Nobody, Unread, Silence, NoResponders] {
            let mut watch = Watch::new(&ProviderKey::generate().unwrap().0.into());
            assert_eq!(verdicts(&mut watch, &[seen; 9]), [Wait; 9]);
        }
    }
}
