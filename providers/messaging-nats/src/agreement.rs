//! Whether a link may use a consumer that is there: decisions over values.
//!
//! A consumer has one filter, so those who share it must want the same. It tells in its metadata which
//! links do; what a link wants that has it for itself may change.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Config};

use crate::limits;

/// Begins the name of an entry that tells of a link.
const MEMBER: &str = "mesh-link-";

/// What a link wants of a consumer.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The link, as the actor's key and the link's name.
    pub link: String,
    pub filters: BTreeSet<String>,
    pub ack_wait: Duration,
    /// Whether the consumer's name is the link's own.
    pub own: bool,
}

/// What follows for the link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// It may use the consumer as it is.
    Use,
    /// It may use the consumer once that is what the link wants.
    Change,
    /// It may not, since others want something else of it.
    Refuse(String),
}

impl Wanted {
    /// Decides by what the consumer is now.
    pub fn agree(&self, found: &Config) -> Agreement {
        let (filters, members) = (filters(found), members(found));
        let others: Vec<&String> = members.iter().filter(|one| **one != self.link).collect();
        if filters != self.filters || found.ack_wait != self.ack_wait {
            let differs = format!(
                "delivers {filters:?} with an ack_wait_ms of {}, and this link wants {:?} with {}",
                found.ack_wait.as_millis(),
                self.filters,
                self.ack_wait.as_millis()
            );
            return match others.is_empty() {
                false => Agreement::Refuse(format!("{differs}; it is used by {others:?}")),
                // Its name says whose it is, though it may be from before that was written down.
                true if members.is_empty() && !self.own => Agreement::Refuse(differs),
                true => Agreement::Change,
            };
        }
        let bounded = found.ack_policy == AckPolicy::Explicit
            && found.max_deliver == -1
            && found.max_ack_pending == limits::ACK_PENDING_MAX;
        match bounded && members.contains(&self.link) {
            true => Agreement::Use,
            false => Agreement::Change,
        }
    }

    /// Returns the metadata of a consumer that this link uses, too.
    pub fn join(&self, metadata: &HashMap<String, String>) -> HashMap<String, String> {
        // The server's own entries are no business of ours.
        let ours = metadata.iter().filter(|(name, _)| !name.starts_with("_nats."));
        let mut joined: HashMap<String, String> =
            ours.map(|(name, text)| (name.clone(), text.clone())).collect();
        joined.insert(format!("{MEMBER}{}", self.link), String::new());
        joined
    }
}

fn filters(config: &Config) -> BTreeSet<String> {
    let one = Some(&config.filter_subject).filter(|subject| !subject.is_empty());
    config.filter_subjects.iter().chain(one).cloned().collect()
}

fn members(config: &Config) -> BTreeSet<String> {
    config.metadata.keys().filter_map(|name| name.strip_prefix(MEMBER)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(link: &str, filter: &str) -> Wanted {
        let filters = BTreeSet::from([filter.to_owned()]);
        Wanted { link: link.into(), filters, ack_wait: Duration::from_secs(1), own: false }
    }

    /// The consumer that `first` makes, and which `others` have joined.
    fn made(first: &Wanted, others: &[&Wanted]) -> Config {
        let joined = |metadata, one: &&Wanted| one.join(&metadata);
        Config {
            filter_subjects: first.filters.iter().cloned().collect(),
            ack_wait: first.ack_wait,
            ack_policy: AckPolicy::Explicit,
            max_deliver: -1,
            max_ack_pending: limits::ACK_PENDING_MAX,
            metadata: others.iter().fold(first.join(&HashMap::new()), joined),
            ..Config::default()
        }
    }

    #[test]
    fn a_link_may_change_what_it_has_for_itself() {
        let (before, after) = (wanted("A.default", "a"), wanted("A.default", "b"));
        assert_eq!(before.agree(&made(&before, &[])), Agreement::Use);
        assert_eq!(after.agree(&made(&before, &[])), Agreement::Change);
        let slower = Wanted { ack_wait: Duration::from_secs(2), ..wanted("A.default", "a") };
        assert_eq!(slower.agree(&made(&before, &[])), Agreement::Change);
    }

    #[test]
    fn who_wants_the_same_joins_and_who_wants_another_thing_is_refused() {
        let (one, same, other) = (wanted("A.x", "a"), wanted("B.x", "a"), wanted("B.x", "b"));
        assert_eq!(same.agree(&made(&one, &[])), Agreement::Change);
        assert_eq!(same.agree(&made(&one, &[&same])), Agreement::Use);
        assert!(
            matches!(other.agree(&made(&one, &[])), Agreement::Refuse(why) if why.contains("A.x"))
        );
        // Nor may the first any more, once another one shares it.
        let moved = wanted("A.x", "b");
        assert!(matches!(moved.agree(&made(&one, &[&same])), Agreement::Refuse(_)));
        let impatient = Wanted { ack_wait: Duration::from_secs(9), ..wanted("B.x", "a") };
        assert!(matches!(impatient.agree(&made(&one, &[])), Agreement::Refuse(_)));
    }

    #[test]
    fn what_nobody_has_signed_belongs_to_the_link_whose_name_it_has() {
        let of_old = Config {
            metadata: HashMap::from([("_nats.ver".into(), "2".into())]),
            max_ack_pending: 256,
            ..made(&wanted("A.default", "a"), &[])
        };
        let same = wanted("A.default", "a");
        assert_eq!(same.agree(&of_old), Agreement::Change);
        assert!(same.join(&of_old.metadata).keys().all(|name| name.starts_with(MEMBER)));
        let group = wanted("A.default", "b");
        assert!(matches!(group.agree(&of_old), Agreement::Refuse(_)));
        assert_eq!(Wanted { own: true, ..group }.agree(&of_old), Agreement::Change);
    }

    #[test]
    fn one_filter_is_read_like_several() {
        let one = wanted("A.default", "a");
        let found =
            Config { filter_subjects: vec![], filter_subject: "a".into(), ..made(&one, &[]) };
        assert_eq!(one.agree(&found), Agreement::Use);
    }
}
