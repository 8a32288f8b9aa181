use lattice_protocol::keys::{ActorKey, TargetKey};

use super::*;

const MS: Duration = Duration::from_millis(1);
const TICK: Duration = Duration::from_millis(limits::LOOK_TICK_MS);

fn node() -> NodeKey {
    NodeKey::generate().unwrap().0
}

fn target() -> TargetKey {
    ActorKey::generate().unwrap().0.into()
}

fn watching(tokens: impl IntoIterator<Item = u64>) -> Looks<u64> {
    let target = target();
    let mut looks = Looks::new();
    for token in tokens {
        looks.watch(token, Watch::new(&target), token, Duration::ZERO);
    }
    looks
}

fn told(node: &NodeKey, held: &[u32]) -> CallsHeld {
    CallsHeld { node: node.clone(), held: held.to_vec(), unread: false }
}

/// Turns whenever there is something to do until `until`; answers each question by `answer`, which
/// returns what the processes say, or nothing where nobody is there.
fn run(
    looks: &mut Looks<u64>,
    until: Duration,
    mut answer: impl FnMut(&Question) -> Option<Vec<CallsHeld>>,
) -> Vec<(Duration, u64, Verdict)> {
    let mut verdicts = Vec::new();
    while let Some(now) = looks.next_turn().filter(|at| *at <= until) {
        let turn = looks.turn(now, |_| true);
        verdicts.extend(turn.verdicts.into_iter().map(|(who, verdict)| (now, who, verdict)));
        for question in turn.questions {
            match answer(&question) {
                Some(answers) => {
                    answers.iter().for_each(|told| looks.answered(question.number, told));
                }
                None => looks.no_responders(question.number, now),
            }
        }
    }
    verdicts
}

#[test]
fn what_nobody_has_is_gone_in_time() {
    let (mut looks, other) = (watching([7]), node());
    let verdicts = run(&mut looks, 900 * MS, |question| {
        assert_eq!((question.whom.as_ref(), question.calls.as_slice()), (None, &[7][..]));
        Some(vec![told(&other, &[])])
    });
    let (at, who, _) = verdicts.iter().find(|(_, _, verdict)| *verdict == Verdict::Gone).unwrap();
    assert_eq!(*who, 7);
    // With the time before the first look it is less than a second.
    assert!(*at + Duration::from_millis(limits::LOOK_AFTER_MS) < 950 * MS, "{at:?}");
}

#[test]
fn a_holder_is_asked_alone_and_its_end_is_noticed() {
    let (mut looks, holder, other) = (watching([7]), node(), node());
    let mut asked = Vec::new();
    let both = [told(&other, &[]), told(&holder, &[0])];
    let verdicts = run(&mut looks, 1_000 * MS, |question| {
        asked.push(question.whom.clone());
        Some(
            both.iter()
                .filter(|it| question.whom.as_ref().is_none_or(|n| *n == it.node))
                .cloned()
                .collect(),
        )
    });
    assert_eq!(verdicts, []);
    assert_eq!(asked[0], None);
    assert!(asked.len() > 3 && asked[1..].iter().all(|whom| whom.as_ref() == Some(&holder)));
    let verdicts = run(&mut looks, 2_000 * MS, |_| None);
    let gone = verdicts.iter().find(|(_, _, verdict)| *verdict == Verdict::Gone).unwrap();
    assert!(gone.0 < 1_600 * MS, "{gone:?}");
}

#[test]
fn a_frozen_holder_is_silent_and_never_gone() {
    let (mut looks, holder) = (watching([7]), node());
    run(&mut looks, 60 * MS, |_| Some(vec![told(&holder, &[0])]));
    let verdicts = run(&mut looks, 5_000 * MS, |_| Some(Vec::new()));
    assert!(verdicts.len() > 10);
    assert!(verdicts.iter().all(|(_, _, verdict)| *verdict == Verdict::Another));
}

#[test]
fn a_node_that_is_silent_may_have_the_call_until_it_is_gone() {
    let (mut looks, frozen, other) = (watching([7, 8]), node(), node());
    // Both are known.
    run(&mut looks, 100 * MS, |_| Some(vec![told(&frozen, &[1]), told(&other, &[])]));
    let silent = |question: &Question| match &question.whom {
        None => Some(vec![told(&other, &[])]),
        Some(_) => Some(Vec::new()),
    };
    let verdicts = run(&mut looks, 3_000 * MS, silent);
    assert!(verdicts.iter().all(|(_, _, verdict)| *verdict == Verdict::Another), "{verdicts:?}");
    let verdicts = run(&mut looks, 3_900 * MS, |question| match &question.whom {
        None => Some(vec![told(&other, &[])]),
        Some(_) => None,
    });
    for token in [7, 8] {
        assert!(
            verdicts.iter().any(|(_, who, verdict)| (*who, *verdict) == (token, Verdict::Gone))
        );
    }
}

#[test]
fn where_nobody_has_ever_answered_nothing_follows_from_silence() {
    let mut looks = watching([7]);
    assert_eq!(run(&mut looks, 5_000 * MS, |_| Some(Vec::new())), []);
}

#[test]
fn what_the_wrong_node_says_of_a_holders_calls_does_not_count() {
    let (mut looks, holder, other) = (watching([7]), node(), node());
    run(&mut looks, 60 * MS, |_| Some(vec![told(&holder, &[0])]));
    let verdicts = run(&mut looks, 2_000 * MS, |_| Some(vec![told(&other, &[])]));
    assert!(verdicts.iter().all(|(_, _, verdict)| *verdict == Verdict::Another), "{verdicts:?}");
}

#[test]
fn an_answer_that_comes_late_counts() {
    let (mut looks, holder) = (watching([7]), node());
    let Turn { questions, .. } = looks.turn(TICK, |_| true);
    let first = questions[0].number;
    // It is asked again without a conclusion but "nobody", since somebody else answered.
    looks.answered(first, &told(&node(), &[]));
    let turn = looks.turn(TICK + ANSWER_WITHIN, |_| true);
    assert_eq!(turn.verdicts, [(7, Verdict::Another)]);
    looks.answered(first, &told(&holder, &[0]));
    let Turn { questions, verdicts } = looks.turn(TICK + 2 * ASKED_AGAIN, |_| true);
    assert!(verdicts.iter().all(|(_, verdict)| *verdict != Verdict::Gone), "{verdicts:?}");
    let asked = |question: &Question| question.whom.as_ref() == Some(&holder);
    assert!(questions.iter().any(|question| asked(question) && question.calls == [7]));
}

#[test]
fn a_client_with_very_many_calls_does_not_flood() {
    let many = 60_000;
    let (mut looks, holder) = (watching(0..many), node());
    let (mut questions, mut most, mut claimed) = (0, 0, 0);
    run(&mut looks, 1_000 * MS, |question| {
        questions += 1;
        most = most.max(question.calls.len());
        if question.whom.is_none() {
            claimed += question.calls.len();
        }
        let all: Vec<u32> = (0..u32::try_from(question.calls.len()).unwrap()).collect();
        Some(vec![told(&holder, &all)])
    });
    assert_eq!(most, wire::CALLS_ASKED_MAX);
    assert!(questions <= 2 * 1_000 / limits::LOOK_TICK_MS + 2, "{questions} questions in a second");
    assert!(claimed >= wire::CALLS_ASKED_MAX * 5, "only {claimed} were asked for");
}

#[test]
fn the_more_answer_the_less_often_everybody_is_asked() {
    let (mut looks, nodes) = (watching([7]), (0..1_000).map(|_| node()).collect::<Vec<_>>());
    let mut questions = 0;
    run(&mut looks, 3_000 * MS, |_| {
        questions += 1;
        Some(nodes.iter().map(|node| told(node, &[])).collect())
    });
    let answers_per_s = questions * nodes.len() as u64 / 3;
    assert!(answers_per_s <= 2 * limits::LOOK_ANSWERS_PER_S_MAX, "{questions} questions");
}

#[test]
fn who_wants_to_know_no_more_is_forgotten() {
    let mut looks = watching([7, 8]);
    let turn = looks.turn(TICK, |who| *who == 8);
    assert_eq!(turn.questions[0].calls, [8]);
    looks.turn(TICK + ANSWER_WITHIN, |_| false);
    assert_eq!(looks.next_turn(), None);
}

#[test]
fn what_was_asked_before_the_connection_was_lost_says_nothing() {
    let mut looks = watching([7]);
    looks.turn(TICK, |_| true);
    looks.interrupted(2 * TICK);
    let turn = looks.turn(TICK + ANSWER_WITHIN, |_| true);
    assert_eq!(turn.verdicts, []);
    assert_eq!(turn.questions.len(), 1);
}
