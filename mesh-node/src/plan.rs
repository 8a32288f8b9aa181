//! What a node should do with an actor: a pure decision over values.

use lattice_protocol::Error;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::record::{ActorRecord, Labels};

use crate::lattice_view::LatticeView;
use crate::refusal::Refused;
use crate::trust::Trust;

/// What should become of an actor on this node.
#[derive(Debug, PartialEq)]
pub(crate) enum Plan {
    /// It is not deployed, or this node lacks a label that it wants.
    Absent,
    /// Answer its calls with this error: everybody refuses it.
    Answer(Error),
    /// Leave what is served as it is, and say why the record is not followed.
    Refuse(Refused),
    /// Serve this record.
    Serve,
}

/// What a node serves of an actor now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Serving {
    pub revision: u64,
}

/// Decides what should become of `key`.
pub(crate) fn plan(
    view: &LatticeView,
    key: &ActorKey,
    labels: &Labels,
    trust: &Trust,
    serving: Option<Serving>,
) -> Plan {
    let Some(wanted) = view.actor(key) else { return Plan::Absent };
    let record = &wanted.record;
    if let Some(missing) = missing_label(labels, record) {
        tracing::debug!(actor = %key, missing, "an actor wants a label that this node lacks");
        return Plan::Absent;
    }
    if let Some(error) = view.struck(key, &record.issuer, &record.digest) {
        return Plan::Answer(error);
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
pub(crate) fn missing_label(labels: &Labels, record: &ActorRecord) -> Option<String> {
    let lacks = |(key, value): &(&String, &String)| labels.get(*key) != Some(*value);
    record.labels.iter().find(lacks).map(|(key, value)| format!("{key}={value}"))
}

#[cfg(test)]
mod tests {
    use lattice_protocol::ErrorCode;
    use lattice_protocol::keys::IssuerKey;
    use lattice_protocol::names::Digest;
    use lattice_protocol::record::{ActorLimits, Isolation, Record, RevocationRecord};
    use lattice_protocol::subjects::{RegistryKey, Revoked};

    use super::*;

    struct Case {
        view: LatticeView,
        record: ActorRecord,
        labels: Labels,
        trust: Trust,
    }

    impl Case {
        fn new() -> Self {
            let (key, _) = ActorKey::generate().unwrap();
            let (issuer, _) = IssuerKey::generate().unwrap();
            let record = ActorRecord {
                v: 1,
                key,
                name: "echo".parse().unwrap(),
                revision: 5,
                digest: Digest::of(b"module"),
                size: 6,
                issuer,
                capabilities: Vec::new(),
                labels: Labels::new(),
                limits: ActorLimits::default(),
                concurrency: None,
                isolation: Isolation::PerCall,
                deployed_at_ms: 0,
                rolled_back: false,
                history: Vec::new(),
                writer: String::new(),
            };
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
            let serving = serving.map(|revision| Serving { revision });
            plan(&self.view, &self.record.key, &self.labels, &self.trust, serving)
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
        assert_eq!(case.plan(None), Plan::Absent);
        case.labels.insert("zone".into(), "cloud".into());
        assert_eq!(case.plan(None), Plan::Absent);
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
            let Plan::Answer(error) = case.plan(Some(5)) else { panic!("{what} is served") };
            assert_eq!(error.code, ErrorCode::Revoked);
            assert!(error.message.contains("leaked"), "{}", error.message);
            case.view.remove(&RegistryKey::Revoked(what));
            assert_eq!(case.plan(None), Plan::Serve);
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
