mod linger;

use lattice_protocol::keys::NodeKey;
use lattice_protocol::names::Digest;
use lattice_protocol::record::{ActorRecord, Record};
use lattice_protocol::subjects::{RegistryKey, Revoked};

use super::*;
pub(super) use crate::fixture::record;

pub(super) fn next(record: &ActorRecord, revision: u64) -> ActorRecord {
    let digest = Digest::of(&revision.to_be_bytes());
    ActorRecord { revision, digest, ..record.clone() }
}

pub(super) fn tell(follower: &mut Follower, change: Change) -> Vec<Step> {
    let affected = follower.take_in(change).unwrap();
    let keys = follower.affected(&affected);
    keys.iter().flat_map(|key| follower.follow(key)).collect()
}

pub(super) fn deploy(follower: &mut Follower, record: &ActorRecord, at: u64) -> Vec<Step> {
    let (key, value) = (RegistryKey::Actor(record.key.clone()), record.encode().unwrap());
    tell(follower, Change::Put { key, value: value.into(), at })
}

pub(super) fn serving(record: &ActorRecord) -> Serving {
    let ActorRecord { revision, issuer, digest, .. } = record.clone();
    Serving { revision, issuer, digest }
}

pub(super) fn wanted(steps: &[Step]) -> Arc<Wanted> {
    let [.., Step::Load { wanted, pause: Duration::ZERO }] = steps else { panic!("{steps:?}") };
    wanted.clone()
}

/// A follower that serves `record`.
pub(super) fn serves(record: &ActorRecord) -> Follower {
    let mut follower = Follower::new(NodeKey::generate().unwrap().0, Labels::new(), Trust::Anybody);
    let wanted = wanted(&deploy(&mut follower, record, 1));
    let steps = follower.loaded(&record.key, &wanted, Ok(serving(record)));
    assert_eq!(steps, [Step::Serve { subscribe: true }]);
    assert_eq!(follower.serving(&record.key), None, "not before there is a subscription");
    follower.subscribed(&record.key, Hosted::Serving(serving(record)));
    follower
}

#[test]
fn a_newer_revision_is_swapped_in_behind_the_subscription() {
    let one = record(1);
    let mut follower = serves(&one);
    let two = next(&one, 2);
    let wanted = wanted(&deploy(&mut follower, &two, 2));
    assert_eq!(follower.serving(&one.key), Some(&serving(&one)), "until it is loaded");
    let steps = follower.loaded(&one.key, &wanted, Ok(serving(&two)));
    assert_eq!(steps, [Step::Serve { subscribe: false }]);
    assert_eq!(follower.serving(&one.key), Some(&serving(&two)));
    assert_eq!(
        tell(&mut follower, Change::Synced { connection: 1, pauses: 0 }),
        [],
        "nothing is left to do"
    );
}

#[test]
fn one_load_runs_at_a_time_and_its_end_looks_at_what_is_wanted_by_then() {
    let one = record(1);
    let mut follower = serves(&one);
    let (two, three) = (next(&one, 2), next(&one, 3));
    let first = wanted(&deploy(&mut follower, &two, 2));
    assert_eq!(deploy(&mut follower, &three, 3), []);
    let steps = follower.loaded(&one.key, &first, Ok(serving(&two)));
    assert_eq!(wanted(&steps).record, three, "what came late is not served");
    assert_eq!(follower.serving(&one.key), Some(&serving(&one)));
}

#[test]
fn a_load_that_ends_after_an_undeployment_is_nothing() {
    let one = record(1);
    let mut follower = serves(&one);
    let two = wanted(&deploy(&mut follower, &next(&one, 2), 2));
    let key = RegistryKey::Actor(one.key.clone());
    assert_eq!(tell(&mut follower, Change::Removed { key, at: 3 }), [Step::Stop]);
    let steps = follower.loaded(&one.key, &two, Ok(serving(&next(&one, 2))));
    assert_eq!(steps, [Step::Stop]);
    assert_eq!(follower.serving(&one.key), None);
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_is_told_once() {
    let one = record(1);
    let mut follower = serves(&one);
    let two = wanted(&deploy(&mut follower, &next(&one, 2), 2));
    let steps = follower.loaded(&one.key, &two, Err(Refused::passing("not there")));
    let [Step::Await { .. }, Step::Load { pause, .. }] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert!(!pause.is_zero());
    let for_good = Refused::mismatch("revision", "2", "3");
    let steps = follower.loaded(&one.key, &two, Err(for_good));
    assert!(matches!(&steps[..], [Step::Refuse { .. }]), "{steps:?}");
    assert_eq!(tell(&mut follower, Change::Synced { connection: 1, pauses: 0 }), []);
    assert_eq!(follower.serving(&one.key), Some(&serving(&one)), "what was served stays");
}

#[test]
fn a_subscription_that_failed_is_made_when_the_registry_is_listed_anew() {
    let one = record(1);
    let mut follower = Follower::new(NodeKey::generate().unwrap().0, Labels::new(), Trust::Anybody);
    let first = wanted(&deploy(&mut follower, &one, 1));
    follower.loaded(&one.key, &first, Ok(serving(&one)));
    let again = wanted(&tell(&mut follower, Change::Synced { connection: 1, pauses: 0 }));
    let steps = follower.loaded(&one.key, &again, Ok(serving(&one)));
    assert_eq!(steps, [Step::Serve { subscribe: true }]);
}

#[test]
fn what_is_revoked_is_answered_at_once_and_comes_back_when_that_is_taken_back() {
    let one = record(1);
    let mut follower = serves(&one);
    let key = RegistryKey::Revoked(Revoked::Module(one.digest.clone()));
    let revoke = Change::Put { key: key.clone(), value: Vec::new().into(), at: 2 };
    let steps = tell(&mut follower, revoke);
    assert!(!steps.is_empty());
    assert!(steps.iter().all(|step| matches!(step, Step::Answer { subscribe: false, .. })));
    assert_eq!(follower.serving(&one.key), None);
    let steps = tell(&mut follower, Change::Removed { key, at: 3 });
    let steps = follower.loaded(&one.key, &wanted(&steps), Ok(serving(&one)));
    assert_eq!(steps, [Step::Serve { subscribe: false }]);
}

#[test]
fn a_module_that_turns_out_to_be_refused_is_left_until_there_is_another() {
    let one = record(1);
    let mut follower = serves(&one);
    let wanted_one = follower.view().actor(&one.key).unwrap().clone();
    let refused = Refused::mismatch("revision", "1", "2");
    let steps = follower.unusable(&one.key, &wanted_one, refused.clone());
    let told = Step::Refuse { wanted: wanted_one.clone(), refused: refused.clone() };
    assert_eq!(steps, [Step::Stop, told]);
    assert_eq!(follower.serving(&one.key), None);
    assert!(follower.refuses(&one.key));
    assert_eq!(follower.unusable(&one.key, &wanted_one, refused.clone()), [], "it was left");
    assert_eq!(
        tell(&mut follower, Change::Synced { connection: 1, pauses: 0 }),
        [],
        "the same record is not tried again"
    );
    let two = next(&one, 2);
    let wanted_two = wanted(&deploy(&mut follower, &two, 2));
    assert_eq!(follower.unusable(&one.key, &wanted_one, refused), [], "it is of an older record");
    let steps = follower.loaded(&one.key, &wanted_two, Ok(serving(&two)));
    assert_eq!(steps, [Step::Serve { subscribe: true }]);
}
