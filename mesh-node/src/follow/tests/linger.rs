use lattice_protocol::control::{ActorStates, AskActors, ServingBy};
use lattice_protocol::keys::{ActorKey, NodeKey};
use lattice_protocol::placement::weight;
use lattice_protocol::presence::Heartbeat;
use lattice_protocol::record::{ActorRecord, Labels};
use lattice_protocol::subjects::{RegistryKey, Revoked};

use super::{deploy, next, record, serves, serving, tell, wanted};
use crate::follow::{Follower, Step};
use crate::limits;
use lattice_client::registry::Change;

fn node() -> NodeKey {
    NodeKey::generate().unwrap().0
}

/// The same record, for nodes with a label that nobody here has.
fn away(record: &ActorRecord, revision: u64) -> ActorRecord {
    let labels = Labels::from([("zone".to_owned(), "elsewhere".to_owned())]);
    ActorRecord { labels, ..next(record, revision) }
}

fn other(key: &ActorKey, at: u64) -> ActorStates {
    let serving = vec![ServingBy { key: key.clone(), at }];
    ActorStates { node: node(), serving, coming: Vec::new(), unread: false }
}

fn coming(key: &ActorKey) -> ActorStates {
    ActorStates { coming: vec![key.clone()], serving: Vec::new(), ..other(key, 0) }
}

fn ask(follower: &Follower, key: &ActorKey) -> Option<ActorStates> {
    follower.states(node(), &AskActors { actors: vec![key.clone()] }, false)
}

/// A follower that served `record`, which went elsewhere at 2.
fn lingers(record: &ActorRecord) -> Follower {
    let mut follower = serves(record);
    assert_eq!(deploy(&mut follower, &away(record, 2), 2), [Step::Linger]);
    assert!(follower.lingers());
    assert_eq!(follower.serving(&record.key), Some(&serving(record)));
    follower
}

#[test]
fn what_goes_elsewhere_is_served_until_another_node_serves_it_by_that_record() {
    let one = record(1);
    let mut follower = lingers(&one);
    assert_eq!(
        tell(&mut follower, Change::Synced { connection: 1, pauses: 0 }),
        [],
        "it lingers once"
    );
    assert_eq!(follower.heard(&other(&one.key, 1)), [], "by the record before");
    assert_eq!(follower.heard(&coming(&one.key)), []);
    assert_eq!(follower.heard(&other(&record(1).key, 2)), [], "another actor");
    assert_eq!(follower.heard(&other(&one.key, 2)), std::slice::from_ref(&one.key));
    assert!(!follower.lingers());
    assert_eq!(follower.serving(&one.key), None);
    assert_eq!(follower.heard(&other(&one.key, 2)), [], "once");
}

#[test]
fn no_new_revision_is_loaded_while_it_lingers_and_the_newest_record_counts() {
    let one = record(1);
    let mut follower = lingers(&one);
    assert_eq!(deploy(&mut follower, &away(&one, 3), 3), []);
    assert_eq!(follower.heard(&other(&one.key, 2)), [], "that was the record before");
    assert_eq!(follower.heard(&other(&one.key, 3)), [one.key]);
}

#[test]
fn what_comes_back_while_it_lingers_stays_and_the_wait_begins_anew_with_the_next_move() {
    let one = record(1);
    let mut follower = lingers(&one);
    for _ in 1..limits::LINGER_ASKS_MAX {
        follower.ask_again();
    }
    let back = next(&one, 3);
    let steps = deploy(&mut follower, &back, 3);
    assert_eq!(steps[0], Step::Stay);
    let steps = follower.loaded(&one.key, &wanted(&steps), Ok(serving(&back)));
    assert_eq!(steps, [Step::Serve { subscribe: false }]);
    assert!(!follower.lingers());
    assert_eq!(follower.heard(&other(&one.key, 3)), [], "it is served here too");
    deploy(&mut follower, &away(&one, 4), 4);
    assert_eq!(follower.ask_again().ask, [one.key]);
}

#[test]
fn it_is_asked_again_a_bounded_number_of_times() {
    let one = record(1);
    let mut follower = lingers(&one);
    for _ in 1..limits::LINGER_ASKS_MAX {
        let again = follower.ask_again();
        assert_eq!((again.ask.as_slice(), again.over.len()), (std::slice::from_ref(&one.key), 0));
        follower.heard(&coming(&one.key));
    }
    let again = follower.ask_again();
    assert_eq!((again.ask.len(), again.over), (0, vec![one.key.clone()]));
    assert_eq!(follower.serving(&one.key), None);
}

#[test]
fn the_wait_begins_anew_with_each_record_but_not_for_a_node_that_leaves() {
    let one = record(1);
    let mut follower = lingers(&one);
    for _ in 1..limits::LINGER_ASKS_MAX {
        follower.ask_again();
    }
    deploy(&mut follower, &away(&one, 3), 3);
    assert_eq!(follower.ask_again().over, []);
    let mut follower = leaves(&one, 2);
    follower.ask_again();
    deploy(&mut follower, &next(&one, 3), 3);
    assert_eq!(follower.ask_again().over, [one.key]);
}

#[test]
fn what_lingers_is_not_said_to_be_served_so_that_two_nodes_never_wait_for_each_other_in_vain() {
    let one = record(1);
    let here = serves(&one);
    let states = ask(&here, &one.key).unwrap();
    assert_eq!(states.serving, [ServingBy { key: one.key.clone(), at: 1 }]);
    let (mut left, mut right) = (lingers(&one), lingers(&one));
    let (by_left, by_right) = (ask(&left, &one.key).unwrap(), ask(&right, &one.key).unwrap());
    assert_eq!((by_left.serving.len(), by_left.coming.len()), (0, 0));
    assert_eq!((left.heard(&by_right), right.heard(&by_left)), (vec![], vec![]));
    assert!(left.lingers() && right.lingers());
}

#[test]
fn what_is_being_loaded_is_coming() {
    let one = record(1);
    let mut follower = Follower::new(node(), Labels::new(), crate::Trust::Anybody);
    deploy(&mut follower, &one, 1);
    assert_eq!(ask(&follower, &one.key).unwrap().coming, std::slice::from_ref(&one.key));
    deploy(&mut follower, &away(&one, 2), 2);
    assert_eq!(ask(&follower, &one.key).unwrap().coming, [], "no more");
}

#[test]
fn what_is_undeployed_or_revoked_while_it_lingers_is_served_no_more_at_once() {
    let one = record(1);
    let mut undeployed = lingers(&one);
    let removed = Change::Removed { key: RegistryKey::Actor(one.key.clone()), at: 3 };
    assert_eq!(tell(&mut undeployed, removed), [Step::Stop]);
    let mut revoked = lingers(&one);
    let key = RegistryKey::Revoked(Revoked::Module(one.digest));
    let steps = tell(&mut revoked, Change::Put { key, value: Vec::new().into(), at: 3 });
    assert!(matches!(&steps[..], [Step::Answer { .. }, Step::Stop]), "{steps:?}");
    assert!(!undeployed.lingers() && !revoked.lingers());
}

/// A follower of a node that serves `record` and leaves.
fn leaves(record: &ActorRecord, asks_max: u32) -> Follower {
    let mut follower = serves(record);
    assert_eq!(follower.leave(asks_max), std::slice::from_ref(&record.key));
    assert_eq!(follower.follow(&record.key), [Step::Linger]);
    assert_eq!(ask(&follower, &record.key), None, "whoever leaves helps nobody");
    follower
}

#[test]
fn a_node_that_leaves_does_not_wait_where_nobody_says_to_serve_it_or_to_be_about_to() {
    let one = record(1);
    let mut follower = leaves(&one, u32::MAX);
    for _ in 1..limits::LEAVE_ASKS_IN_VAIN_MAX {
        assert_eq!(follower.ask_again().over, []);
    }
    assert_eq!(follower.ask_again().over, [one.key]);
}

#[test]
fn a_node_that_leaves_waits_for_who_is_about_to_serve_it_within_its_bound() {
    let one = record(1);
    let unread = ActorStates { unread: true, coming: Vec::new(), ..coming(&one.key) };
    for hope in [coming(&one.key), unread] {
        let mut follower = leaves(&one, u32::MAX);
        for _ in 0..3 * limits::LEAVE_ASKS_IN_VAIN_MAX {
            assert_eq!(follower.ask_again().over, []);
            assert_eq!(follower.heard(&hope), []);
        }
        assert_eq!(follower.heard(&other(&one.key, 1)), std::slice::from_ref(&one.key));
        let mut short = leaves(&one, 1);
        short.heard(&hope);
        assert_eq!(short.ask_again().over, std::slice::from_ref(&one.key));
    }
}

#[test]
fn a_node_that_leaves_need_not_wait_for_what_it_does_not_serve_itself_and_loads_nothing() {
    let one = record(1);
    let mut follower = serves(&one);
    let two = next(&one, 2);
    let load = wanted(&deploy(&mut follower, &two, 2));
    follower.leave(u32::MAX);
    assert_eq!(follower.follow(&one.key), [Step::Linger]);
    assert_eq!(follower.loaded(&one.key, &load, Ok(serving(&two))), []);
    assert_eq!(follower.serving(&one.key), Some(&serving(&one)));
    assert_eq!(deploy(&mut follower, &record(7), 3), [Step::Stop], "nothing new is begun");
    assert_eq!(follower.heard(&other(&one.key, 1)), [one.key]);
}

fn beat(node: &NodeKey, draining: bool) -> Heartbeat {
    Heartbeat {
        v: 1,
        node: node.clone(),
        version: String::new(),
        labels: Labels::new(),
        uptime_ms: 1,
        draining,
        in_flight: 0,
        calls: 0,
        actors: Vec::new(),
        actor_count: 0,
    }
}

/// Returns a node that is before, or after, that of a follower where one node serves an actor.
fn peer(follower: &Follower, key: &ActorKey, before: bool) -> NodeKey {
    let own = (weight(key, &follower.node), follower.node.clone());
    loop {
        let node = node();
        if ((weight(key, &node), node.clone()) > own) == before {
            return node;
        }
    }
}

#[test]
fn an_actor_for_one_node_goes_to_the_one_that_comes_and_comes_back_when_that_goes() {
    let one = ActorRecord { replicas: Some(1), ..record(1) };
    let mut follower = serves(&one);
    assert!(follower.counts_peers());
    let (before, after) = (peer(&follower, &one.key, true), peer(&follower, &one.key, false));
    assert_eq!(follower.beat(&beat(&after, false)), std::slice::from_ref(&one.key));
    assert_eq!(follower.follow(&one.key), [], "it is not for that one");
    follower.beat(&beat(&before, false));
    assert_eq!(follower.follow(&one.key), [Step::Linger]);
    assert_eq!(follower.beat(&beat(&before, false)), [], "nothing new");
    let states = ActorStates { node: before.clone(), ..other(&one.key, 1) };
    assert_eq!(follower.heard(&states), std::slice::from_ref(&one.key));
    assert_eq!(follower.beat(&beat(&before, true)), std::slice::from_ref(&one.key));
    assert_eq!(wanted(&follower.follow(&one.key)).record, one, "it is served here again");
}

#[test]
fn what_two_nodes_are_to_serve_is_left_when_both_do() {
    let one = ActorRecord { replicas: Some(2), ..record(1) };
    let mut follower = serves(&one);
    let two = [(); 2].map(|()| peer(&follower, &one.key, true));
    for node in &two {
        follower.beat(&beat(node, false));
    }
    assert_eq!(follower.follow(&one.key), [Step::Linger]);
    let states = two.map(|node| ActorStates { node, ..other(&one.key, 1) });
    assert_eq!(follower.heard(&states[0]), []);
    assert_eq!(follower.heard(&states[0]), [], "it is one node all the same");
    assert_eq!(follower.heard(&states[1]), [one.key]);
}

#[test]
fn an_actor_for_every_node_knows_no_peers() {
    let one = record(1);
    let mut follower = serves(&one);
    assert!(!follower.counts_peers());
    assert_eq!(follower.beat(&beat(&node(), false)), []);
    let counted = ActorRecord { replicas: Some(1), ..next(&one, 2) };
    deploy(&mut follower, &counted, 2);
    assert!(follower.counts_peers());
    deploy(&mut follower, &next(&one, 3), 3);
    assert!(!follower.counts_peers());
}
