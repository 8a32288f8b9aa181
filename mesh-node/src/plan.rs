//! What a node should do with an actor: a pure decision over values.

use lattice_protocol::Error;
use lattice_protocol::keys::{ActorKey, IssuerKey};
use lattice_protocol::names::Digest;
use lattice_protocol::record::{ActorRecord, Labels};

use crate::lattice_view::LatticeView;
use crate::refusal::Refused;
use crate::trust::Trust;

/// What should become of an actor on this node.
#[derive(Debug, PartialEq)]
pub enum Plan {
    /// It is not deployed.
    Absent,
    /// It is deployed, and not for this node: this node lacks a label that it wants, or leaves.
    Elsewhere,
    /// Nothing is served, and everybody refuses the record: answer its calls with this error.
    Answer(Error),
    /// Leave what is served as it is, and say why the record is not followed.
    Refuse(Refused),
    /// Serve this record.
    Serve,
}

/// What a node serves of an actor now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// Its revision.
    pub revision: u64,
    /// Who signed the module itself, whatever its record says.
    pub issuer: IssuerKey,
    /// The module.
    pub digest: Digest,
}

/// Returns the error that must answer from now on because what is served was revoked.
pub fn struck(view: &LatticeView, key: &ActorKey, serving: &Serving) -> Option<Error> {
    view.revocations().struck(key, &serving.issuer, &serving.digest)
}

/// Decides what should become of `key`, of which this node serves `serving`, which is not
/// [`struck`].
pub fn plan(
    view: &LatticeView,
    key: &ActorKey,
    labels: &Labels,
    trust: &Trust,
    serving: Option<&Serving>,
) -> Plan {
    let Some(wanted) = view.actor(key) else { return Plan::Absent };
    let record = &wanted.record;
    if let Some(missing) = missing_label(labels, record) {
        tracing::debug!(actor = %key, missing, "an actor wants a label that this node lacks");
        return Plan::Elsewhere;
    }
    if let Some(error) = view.revocations().struck(key, &record.issuer, &record.digest) {
        return match serving {
            // What is served is another module, which nobody revoked.
            Some(_) => Plan::Refuse(Refused::revoked(error)),
            None => Plan::Answer(error),
        };
    }
    if !trust.includes(&record.issuer) {
        return Plan::Refuse(Refused::untrusted(&record.issuer));
    }
    match serving {
        Some(now) if record.revision < now.revision && !record.rolled_back => {
            Plan::Refuse(Refused::older(record.revision, now.revision))
        }
        _ => Plan::Serve,
    }
}

/// Returns the first label that the record wants and a node with `labels` lacks, as `key=value`.
pub fn missing_label(labels: &Labels, record: &ActorRecord) -> Option<String> {
    let lacks = |(key, value): &(&String, &String)| labels.get(*key) != Some(*value);
    record.labels.iter().find(lacks).map(|(key, value)| format!("{key}={value}"))
}

#[cfg(test)]
mod tests {
    use lattice_protocol::ErrorCode;
    use lattice_protocol::record::{Record, RevocationRecord};
    use lattice_protocol::subjects::{RegistryKey, Revoked};

    use super::*;
    use crate::fixture;

    struct Case {
        view: LatticeView,
        record: ActorRecord,
        labels: Labels,
        trust: Trust,
    }

    impl Case {
        fn new() -> Self {
            let record = fixture::record(5);
            let view = LatticeView::default();
            Self { view, record, labels: Labels::new(), trust: Trust::Anybody }
        }

        fn deploy(&mut self) {
            let bytes = self.record.encode().unwrap();
            self.view.put(RegistryKey::Actor(self.record.key.clone()), &bytes, 1).unwrap();
        }

        fn revoke(&mut self, what: Revoked) {
            let record = RevocationRecord {
                v: 1,
                what: what.to_string(),
                at_ms: 1,
                why: "leaked".into(),
                writer: String::new(),
            };
            self.view.put(RegistryKey::Revoked(what), &record.encode().unwrap(), 2).unwrap();
        }

        fn plan(&self, serving: Option<u64>) -> Plan {
            let serving = serving.map(|revision| self.serving(revision));
            plan(&self.view, &self.record.key, &self.labels, &self.trust, serving.as_ref())
        }

        /// A module that was served before this record came.
        fn serving(&self, revision: u64) -> Serving {
            let digest = Digest::of(&revision.to_be_bytes());
            Serving { revision, issuer: self.record.issuer.clone(), digest }
        }
    }

    #[test]
    fn what_is_not_deployed_is_absent() {
        assert_eq!(Case::new().plan(None), Plan::Absent);
    }

    #[test]
    fn what_is_deployed_is_served() {
        let mut case = Case::new();
        case.deploy();
        assert_eq!(case.plan(None), Plan::Serve);
        assert_eq!(case.plan(Some(4)), Plan::Serve);
        assert_eq!(case.plan(Some(5)), Plan::Serve);
    }

    #[test]
    fn every_wanted_label_must_be_there_with_its_value() {
        let mut case = Case::new();
        case.record.labels.insert("zone".into(), "edge".into());
        case.deploy();
        assert_eq!(case.plan(None), Plan::Elsewhere);
        case.labels.insert("zone".into(), "cloud".into());
        assert_eq!(case.plan(None), Plan::Elsewhere);
        case.labels.insert("zone".into(), "edge".into());
        assert_eq!(case.plan(None), Plan::Serve);
    }

    #[test]
    fn each_kind_of_revocation_answers_revoked_and_going_back_serves_again() {
        let case = Case::new();
        for what in [
            Revoked::Actor(case.record.key.clone()),
            Revoked::Issuer(case.record.issuer.clone()),
            Revoked::Module(case.record.digest.clone()),
        ] {
            let mut case = Case { record: case.record.clone(), ..Case::new() };
            case.deploy();
            case.revoke(what.clone());
            let Plan::Answer(error) = case.plan(None) else { panic!("{what} is served") };
            assert_eq!(error.code, ErrorCode::Revoked);
            assert!(error.message.contains("leaked"), "{}", error.message);
            case.view.remove(&RegistryKey::Revoked(what));
            assert_eq!(case.plan(None), Plan::Serve);
        }
    }

    #[test]
    fn a_record_of_a_revoked_module_leaves_what_is_served() {
        let mut case = Case::new();
        case.deploy();
        case.revoke(Revoked::Module(case.record.digest.clone()));
        let Plan::Refuse(refused) = case.plan(Some(4)) else { panic!("it is followed") };
        assert_eq!(refused.error.code, ErrorCode::Revoked);
        assert_eq!(struck(&case.view, &case.record.key, &case.serving(4)), None);
    }

    #[test]
    fn what_is_served_is_struck_whatever_the_newest_record_says() {
        for strike in 0..3 {
            let mut case = Case::new();
            let serving = case.serving(4);
            let key = case.record.key.clone();
            // The newest record is a stranger's, which this node does not follow.
            case.record.issuer = IssuerKey::generate().unwrap().0;
            case.deploy();
            assert_eq!(struck(&case.view, &key, &serving), None);
            case.revoke(match strike {
                0 => Revoked::Module(serving.digest.clone()),
                1 => Revoked::Issuer(serving.issuer.clone()),
                _ => Revoked::Actor(key.clone()),
            });
            assert!(struck(&case.view, &key, &serving).is_some(), "{strike}");
        }
    }

    #[test]
    fn a_stranger_is_refused_where_issuers_are_named() {
        let mut case = Case::new();
        case.deploy();
        case.trust = Trust::from_issuers([IssuerKey::generate().unwrap().0]);
        assert!(matches!(case.plan(None), Plan::Refuse(_)));
        case.trust = Trust::from_issuers([case.record.issuer.clone()]);
        assert_eq!(case.plan(None), Plan::Serve);
    }

    #[test]
    fn an_older_revision_is_refused_unless_rolled_back() {
        let mut case = Case::new();
        case.deploy();
        assert!(matches!(case.plan(Some(6)), Plan::Refuse(_)));
        case.record.rolled_back = true;
        case.deploy();
        assert_eq!(case.plan(Some(6)), Plan::Serve);
    }

    #[test]
    fn a_record_about_another_actor_is_no_record() {
        let mut case = Case::new();
        let (other, _) = ActorKey::generate().unwrap();
        let bytes = case.record.encode().unwrap();
        assert!(case.view.put(RegistryKey::Actor(other.clone()), &bytes, 1).is_err());
        assert!(case.view.actor(&other).is_none());
    }
}
