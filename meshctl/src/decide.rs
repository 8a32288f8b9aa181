//! What a deployment or a rollback would write: decisions over values.

use lattice_protocol::keys::{ActorKey, IssuerKey};
use lattice_protocol::limits::{HISTORY_REVISIONS_MAX, WIRE_VERSION};
use lattice_protocol::names::{ActorName, Digest};
use lattice_protocol::record::{ActorLimits, ActorRecord, Isolation, Labels, PastRevision};

use crate::exit::{Exit, Failure};

/// What a signed module says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The actor that it is.
    pub key: ActorKey,
    /// Its name.
    pub name: ActorName,
    /// Its revision.
    pub revision: u64,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Who signed it.
    pub issuer: IssuerKey,
    /// What it may use.
    pub capabilities: Vec<String>,
}

/// Wishes of whoever deploys; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Labels that a node must have.
    pub labels: Option<Labels>,
    /// How many nodes serve it; `Some(None)`: every one that may.
    pub replicas: Option<Option<u32>>,
    /// Calls that run at once on one node.
    pub concurrency: Option<u32>,
    /// Bytes of memory of one instance.
    pub memory_bytes: Option<u64>,
    /// Milliseconds that one call may run.
    pub timeout_ms: Option<u32>,
    /// Whether calls share memory.
    pub isolation: Option<Isolation>,
}

/// When, and who writes.
#[derive(Clone, Debug)]
pub struct Write {
    /// Unix milliseconds of now.
    pub now_ms: u64,
    /// Identity of the write.
    pub writer: String,
}

/// What to do with a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is active with these settings already.
    Unchanged,
    /// Write this record.
    Write(Box<ActorRecord>),
}

/// Decides on the deployment of `module` where `current` is deployed under its key and `bearer`
/// is another actor of its name. `was_there` says whether the key ever had a record.
///
/// # Errors
/// [`Failure`] with the next command where it must not be deployed.
pub fn deploy(
    module: &Module,
    settings: &Settings,
    current: Option<&ActorRecord>,
    was_there: bool,
    bearer: Option<&ActorKey>,
    write: &Write,
) -> Result<Decision, Failure> {
    if let Some(bearer) = bearer {
        let message = format!(
            "the name {} is taken by the actor {bearer}; this module is {}",
            module.name, module.key
        );
        return Err(Failure::new(Exit::Failure, "name_taken", message)
            .hint(format!("sign it under another --name, or first `meshctl undeploy {bearer}`")));
    }
    let Some(old) = current else {
        // What was there before is gone, but a node that was cut off may serve it still.
        let record = ActorRecord { rolled_back: was_there, ..fresh(module, write) };
        let record = with_settings(record, settings);
        return Ok(Decision::Write(Box::new(record)));
    };
    if old.digest == module.digest {
        let same = with_settings(old.clone(), settings);
        if same == *old {
            return Ok(Decision::Unchanged);
        }
        return Ok(Decision::Write(Box::new(ActorRecord {
            deployed_at_ms: write.now_ms,
            writer: write.writer.clone(),
            ..same
        })));
    }
    refuse_stale(module, old)?;
    let record = ActorRecord {
        labels: old.labels.clone(),
        replicas: old.replicas,
        limits: old.limits.clone(),
        concurrency: old.concurrency,
        isolation: old.isolation,
        history: history(old, module.revision),
        rolled_back: may_be_below(old, module.revision),
        ..fresh(module, write)
    };
    Ok(Decision::Write(Box::new(with_settings(record, settings))))
}

/// Refuses a revision that is not above the active one, or that other bytes had before.
fn refuse_stale(module: &Module, old: &ActorRecord) -> Result<(), Failure> {
    let past = old.history.iter().find(|past| past.revision == module.revision);
    let highest = highest(old);
    let sign = format!("`meshctl sign … --name {} --rev {}`", module.name, highest + 1);
    let refuse = |message: String, hint: String| {
        Err(Failure::new(Exit::Failure, "stale_revision", message).hint(hint))
    };
    let (name, revision, active) = (&module.name, module.revision, old.revision);
    if revision == active || past.is_some_and(|past| past.digest != module.digest) {
        return refuse(
            format!("revision {revision} of {name} was deployed already, with other bytes"),
            format!("give it a revision of its own: {sign}"),
        );
    }
    if revision < active && past.is_some() {
        return refuse(
            format!("revision {revision} of {name} is below the active revision {active}"),
            format!("go back with `meshctl rollback {name} --to {revision}`, or {sign}"),
        );
    }
    if revision < active {
        return refuse(
            format!("revision {revision} of {name} is below the active revision {active}"),
            format!("give it a higher one: {sign}"),
        );
    }
    Ok(())
}

/// Returns the highest revision that the record knows of.
fn highest(record: &ActorRecord) -> u64 {
    record.history.iter().map(|past| past.revision).fold(record.revision, u64::max)
}

/// Returns whether a node may still serve a revision above `revision` when that replaces `old`.
/// A node that was cut off meanwhile has seen none of the steps, only their end: the record at
/// the end must tell it that going down is meant.
fn may_be_below(old: &ActorRecord, revision: u64) -> bool {
    let highest = highest(old);
    // What was before an undeployment, or fell out of the history, nobody knows any more.
    let unknown = old.rolled_back && highest == old.revision;
    unknown || revision < highest
}

/// Picks what a rollback of `current` goes back to: `to`, or what was deployed before.
///
/// # Errors
/// [`Failure`] where there is no such revision.
pub fn rollback_target(current: &ActorRecord, to: Option<u64>) -> Result<&PastRevision, Failure> {
    let found = match to {
        Some(wanted) => current.history.iter().find(|past| past.revision == wanted),
        // What was left by a rollback is in the history too, and lies ahead.
        None => current.history.iter().find(|past| past.revision < current.revision),
    };
    let kept: Vec<String> = current.history.iter().map(|past| past.revision.to_string()).collect();
    found.ok_or_else(|| {
        let (name, active) = (&current.name, current.revision);
        let message = match to {
            Some(wanted) if wanted == active => format!("revision {wanted} of {name} is active"),
            Some(wanted) => format!("no revision {wanted} of {name} is kept"),
            None => format!("no revision of {name} before {active} is kept"),
        };
        let hint = if kept.is_empty() {
            "deploy the file of an earlier one, signed with a higher --rev".to_owned()
        } else {
            format!("these are kept: {}; choose with --to", kept.join(", "))
        };
        Failure::new(Exit::NotFound, "no_revision", message).hint(hint)
    })
}

/// Returns the record that makes `past`, whose module is `size` bytes, the active revision.
pub fn rollback(
    current: &ActorRecord,
    past: &PastRevision,
    size: u64,
    write: &Write,
) -> ActorRecord {
    ActorRecord {
        revision: past.revision,
        digest: past.digest.clone(),
        size,
        issuer: past.issuer.clone(),
        capabilities: past.capabilities.clone(),
        deployed_at_ms: write.now_ms,
        rolled_back: may_be_below(current, past.revision),
        history: history(current, past.revision),
        writer: write.writer.clone(),
        ..current.clone()
    }
}

/// Returns the history after `old` made place for revision `next`.
fn history(old: &ActorRecord, next: u64) -> Vec<PastRevision> {
    std::iter::once(old.as_past())
        .chain(old.history.iter().cloned())
        .filter(|past| past.revision != next)
        .take(HISTORY_REVISIONS_MAX)
        .collect()
}

fn fresh(module: &Module, write: &Write) -> ActorRecord {
    ActorRecord {
        v: WIRE_VERSION,
        key: module.key.clone(),
        name: module.name.clone(),
        revision: module.revision,
        digest: module.digest.clone(),
        size: module.size,
        issuer: module.issuer.clone(),
        capabilities: module.capabilities.clone(),
        labels: Labels::new(),
        limits: ActorLimits::default(),
        concurrency: None,
        replicas: None,
        isolation: Isolation::default(),
        deployed_at_ms: write.now_ms,
        rolled_back: false,
        history: Vec::new(),
        writer: write.writer.clone(),
    }
}

fn with_settings(mut record: ActorRecord, settings: &Settings) -> ActorRecord {
    if let Some(labels) = &settings.labels {
        record.labels = labels.clone();
    }
    record.replicas = settings.replicas.unwrap_or(record.replicas);
    record.concurrency = settings.concurrency.or(record.concurrency);
    record.limits.memory_bytes = settings.memory_bytes.or(record.limits.memory_bytes);
    record.limits.timeout_ms = settings.timeout_ms.or(record.limits.timeout_ms);
    record.isolation = settings.isolation.unwrap_or(record.isolation);
    record
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::{Actor, Issuer, Key};

    use super::*;

    fn write() -> Write {
        Write { now_ms: 7, writer: "w".into() }
    }

    fn module(revision: u64, bytes: &[u8]) -> Module {
        Module {
            key: Key::<Actor>::generate().unwrap().0,
            name: "echo".parse().unwrap(),
            revision,
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            issuer: Key::<Issuer>::generate().unwrap().0,
            capabilities: Vec::new(),
        }
    }

    fn next(module: &Module, revision: u64, bytes: &[u8]) -> Module {
        Module { revision, digest: Digest::of(bytes), ..module.clone() }
    }

    fn written(module: &Module, old: Option<&ActorRecord>) -> ActorRecord {
        match deploy(module, &Settings::default(), old, old.is_some(), None, &write()).unwrap() {
            Decision::Write(record) => *record,
            Decision::Unchanged => panic!("nothing to write"),
        }
    }

    fn refused(module: &Module, old: &ActorRecord) -> Failure {
        deploy(module, &Settings::default(), Some(old), true, None, &write()).unwrap_err()
    }

    fn revisions(record: &ActorRecord) -> Vec<u64> {
        record.history.iter().map(|past| past.revision).collect()
    }

    #[test]
    fn the_same_module_again_changes_nothing() {
        let first = module(1, b"a");
        let record = written(&first, None);
        let again = deploy(&first, &Settings::default(), Some(&record), true, None, &write());
        assert_eq!(again, Ok(Decision::Unchanged));
    }

    #[test]
    fn the_same_module_with_other_settings_keeps_its_history() {
        let first = module(1, b"a");
        let record = written(&next(&first, 2, b"b"), Some(&written(&first, None)));
        let settings = Settings { concurrency: Some(3), ..Settings::default() };
        let decision =
            deploy(&next(&first, 2, b"b"), &settings, Some(&record), true, None, &write()).unwrap();
        let Decision::Write(changed) = decision else { panic!("it must be written") };
        assert_eq!((changed.concurrency, revisions(&changed)), (Some(3), vec![1]));
    }

    #[test]
    fn the_number_of_nodes_stays_until_another_or_every_node_is_asked_for() {
        let first = module(1, b"a");
        let deploy = |replicas, old: Option<&ActorRecord>| {
            let settings = Settings { replicas, ..Settings::default() };
            match deploy(&first, &settings, old, old.is_some(), None, &write()).unwrap() {
                Decision::Write(record) => Some(*record),
                Decision::Unchanged => None,
            }
        };
        let two = deploy(Some(Some(2)), None).unwrap();
        assert_eq!(two.replicas, Some(2));
        assert_eq!(deploy(None, Some(&two)), None);
        assert_eq!(written(&next(&first, 2, b"b"), Some(&two)).replicas, Some(2));
        assert_eq!(deploy(Some(Some(3)), Some(&two)).unwrap().replicas, Some(3));
        assert_eq!(deploy(Some(None), Some(&two)).unwrap().replicas, None);
    }

    #[test]
    fn a_higher_revision_keeps_settings_and_remembers_the_old_one() {
        let first = module(1, b"a");
        let old = ActorRecord {
            labels: [("zone".to_owned(), "a".to_owned())].into(),
            concurrency: Some(9),
            ..written(&first, None)
        };
        let record = written(&next(&first, 2, b"b"), Some(&old));
        assert_eq!((record.revision, record.concurrency), (2, Some(9)));
        assert_eq!((&record.labels, revisions(&record)), (&old.labels, vec![1]));
    }

    #[test]
    fn stale_revisions_are_refused_with_the_next_command() {
        let first = module(4, b"a");
        let record = written(&next(&first, 6, b"b"), Some(&written(&first, None)));
        let same = refused(&next(&first, 6, b"c"), &record);
        assert!(same.hint.unwrap().contains("--rev 7"));
        let below = refused(&next(&first, 5, b"c"), &record);
        assert!(below.hint.unwrap().contains("--rev 7"));
        let kept = refused(&first, &record);
        assert!(kept.hint.unwrap().contains("rollback echo --to 4"));
        let taken = refused(&next(&first, 4, b"c"), &record);
        assert!(taken.message.contains("other bytes"));
    }

    #[test]
    fn a_name_belongs_to_one_actor() {
        let other = module(1, b"x").key;
        let outcome =
            deploy(&module(1, b"a"), &Settings::default(), None, false, Some(&other), &write());
        assert_eq!(outcome.unwrap_err().code, "name_taken");
    }

    #[test]
    fn rollbacks_go_ever_further_back_and_forward_again_by_name() {
        let first = module(3, b"3");
        let mut record = written(&first, None);
        for revision in [4, 5] {
            record = written(&next(&first, revision, &[revision as u8]), Some(&record));
        }
        let back = |record: &ActorRecord, to| {
            let past = rollback_target(record, to)?;
            Ok::<_, Failure>(rollback(record, past, 1, &write()))
        };
        let four = back(&record, None).unwrap();
        assert_eq!((four.revision, four.rolled_back, revisions(&four)), (4, true, vec![5, 3]));
        let three = back(&four, None).unwrap();
        assert_eq!((three.revision, three.rolled_back, revisions(&three)), (3, true, vec![4, 5]));
        let end = back(&three, None).unwrap_err();
        assert!(end.exit == Exit::NotFound && end.hint.unwrap().contains("4, 5"));
        let five = back(&three, Some(5)).unwrap();
        assert_eq!((five.revision, five.rolled_back, revisions(&five)), (5, false, vec![3, 4]));
        assert_eq!(back(&five, Some(5)).unwrap_err().message, "revision 5 of echo is active");

        // Other bytes may not take the number of a revision that was rolled back …
        assert!(refused(&next(&first, 5, b"x"), &four).hint.unwrap().contains("--rev 6"));
        // … the same bytes may come back, and the next one goes on.
        assert_eq!(written(&next(&first, 5, &[5]), Some(&four)).history.len(), 2);
        let six = written(&next(&first, 6, b"6"), Some(&three));
        assert!(!six.rolled_back);
        assert_eq!(back(&six, None).unwrap().revision, 3, "what was active before");
    }

    #[test]
    fn a_record_says_so_where_a_node_that_was_cut_off_may_serve_a_higher_revision() {
        let first = module(5, b"5");
        let five = written(&first, None);
        assert!(!five.rolled_back, "nothing was there before");
        let past = written(&next(&first, 3, b"3"), None).as_past();
        let three = rollback(&five, &past, 1, &write());
        // Back to 3, and on to 4: a node that saw neither step still serves 5.
        let four = written(&next(&first, 4, b"4"), Some(&three));
        assert!(four.rolled_back);
        assert!(!written(&next(&first, 6, b"6"), Some(&four)).rolled_back);

        // After an undeployment nobody knows what was served before.
        let again = |revision: u64, old: Option<&ActorRecord>| {
            let module = next(&first, revision, &revision.to_be_bytes());
            match deploy(&module, &Settings::default(), old, true, None, &write()).unwrap() {
                Decision::Write(record) => *record,
                Decision::Unchanged => panic!("nothing to write"),
            }
        };
        let fresh = again(1, None);
        assert!(fresh.rolled_back);
        assert!(again(2, Some(&fresh)).rolled_back, "it may still be below what was there");
    }

    #[test]
    fn the_history_is_bounded() {
        let first = module(1, b"a");
        let mut record = written(&first, None);
        for revision in 2..30 {
            record = written(&next(&first, revision, &[revision as u8]), Some(&record));
        }
        assert_eq!(record.history.len(), HISTORY_REVISIONS_MAX);
        assert_eq!(record.history[0].revision, 28);
    }
}
