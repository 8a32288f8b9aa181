//! What a link says, read and checked.

use std::time::Duration;

use lattice_protocol::Error;
use lattice_protocol::contract::messaging::config;
use lattice_protocol::names::LinkName;
use lattice_protocol::subjects::is_reply_subject;
use mesh_provider::{Config, Link, LinkId, wrong};

use crate::limits;
use crate::pattern::Pattern;

const KNOWN: [&str; 12] = [
    config::SUBJECTS,
    config::GROUP,
    "publish",
    "confirm",
    "concurrency",
    "timeout_ms",
    "durable",
    "stream",
    "max_deliver",
    "backoff_ms",
    "ack_wait_ms",
    "dead_letter",
];

/// What a link says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub subjects: Vec<Pattern>,
    pub group: String,
    /// Empty means any.
    pub publish: Vec<Pattern>,
    pub confirm: bool,
    pub concurrency: usize,
    pub timeout: Duration,
    pub durable: Option<Durable>,
}

/// What a link says of a durable source.
#[derive(Clone, Debug)]
pub(crate) struct Durable {
    pub stream: String,
    /// The consumer, shared by those who name the same: the group, or a name of the link's own.
    pub consumer: String,
    /// Whether that name is the link's own, which no other link has.
    pub own: bool,
    pub max_deliver: u32,
    /// Not empty.
    pub backoff: Vec<Duration>,
    /// Time without a sign of life after which a message is given to somebody else.
    pub ack_wait: Duration,
    pub dead_letter: Option<String>,
}

impl Settings {
    /// Reads the settings of a link.
    ///
    /// # Errors
    /// `bad_request` naming the setting that is wrong.
    pub fn read(link: &Link) -> Result<Self, Error> {
        let config = &link.config;
        config.only(&KNOWN)?;
        let subjects = patterns(config, config::SUBJECTS)?;
        let group = config.text(config::GROUP).unwrap_or(link.id.source.as_str());
        if !is_name(group) {
            return Err(wrong(config::GROUP, "is letters, digits, - and _, at most 128 of them"));
        }
        let durable = match config.parse::<bool>("durable")? {
            Some(true) => Some(Durable::read(link, &subjects)?),
            _ => {
                for setting in ["stream", "max_deliver", "backoff_ms", "ack_wait_ms", "dead_letter"]
                {
                    if config.text(setting).is_some() {
                        return Err(wrong(setting, "needs durable=true"));
                    }
                }
                None
            }
        };
        let (least, most) = (limits::DELIVER_TIMEOUT_MIN_MS, limits::DELIVER_TIMEOUT_MAX_MS);
        let timeout = config.duration_ms("timeout_ms", least, most)?;
        let concurrency = config.within("concurrency", 1, limits::CONCURRENCY_MAX)?;
        Ok(Self {
            subjects,
            group: group.to_owned(),
            publish: patterns(config, "publish")?,
            confirm: config.parse("confirm")?.unwrap_or_default(),
            concurrency: concurrency.unwrap_or(limits::CONCURRENCY_DEFAULT),
            timeout: timeout.unwrap_or(Duration::from_millis(limits::DELIVER_TIMEOUT_DEFAULT_MS)),
            durable,
        })
    }

    /// Returns whether the actor may publish to a subject.
    pub fn may_publish(&self, subject: &str) -> bool {
        self.publish.is_empty() || self.publish.iter().any(|pattern| pattern.matches(subject))
    }
}

impl Durable {
    fn read(link: &Link, subjects: &[Pattern]) -> Result<Self, Error> {
        let config = &link.config;
        if subjects.is_empty() {
            return Err(wrong(config::SUBJECTS, "is missing: durable=true receives nothing"));
        }
        let stream = config.required("stream")?;
        if !is_name(stream) {
            return Err(wrong("stream", "is letters, digits, - and _, at most 128 of them"));
        }
        let dead_letter = config.text("dead_letter").map(str::to_owned);
        if let Some(subject) = &dead_letter {
            if !is_reply_subject(subject) {
                return Err(wrong("dead_letter", "is no subject outside of the mesh"));
            }
            if subjects.iter().any(|pattern| pattern.matches(subject)) {
                return Err(wrong("dead_letter", "is one of the subjects that are received"));
            }
        }
        let mut backoff = Vec::new();
        for text in config.list("backoff_ms") {
            let pause = text.parse::<u64>().ok().filter(|pause| *pause <= limits::BACKOFF_MAX_MS);
            let pause = pause.ok_or_else(|| {
                wrong("backoff_ms", format!("lists milliseconds up to {}", limits::BACKOFF_MAX_MS))
            })?;
            backoff.push(Duration::from_millis(pause));
        }
        if backoff.len() > limits::BACKOFF_ENTRIES_MAX {
            return Err(wrong("backoff_ms", "lists too many pauses"));
        }
        if backoff.is_empty() {
            backoff = limits::BACKOFF_DEFAULT_MS.map(Duration::from_millis).to_vec();
        }
        let max_deliver = config.within("max_deliver", 1, limits::DELIVERIES_MAX)?;
        let (least, most) = (limits::ACK_WAIT_MIN_MS, limits::ACK_WAIT_MAX_MS);
        let ack_wait = config.duration_ms("ack_wait_ms", least, most)?;
        let group = config.text(config::GROUP);
        Ok(Self {
            stream: stream.to_owned(),
            consumer: group.map_or_else(|| own_consumer(&link.id), str::to_owned),
            own: group.is_none(),
            max_deliver: max_deliver.unwrap_or(limits::DELIVERIES_DEFAULT),
            backoff,
            ack_wait: ack_wait.unwrap_or(Duration::from_millis(limits::ACK_WAIT_DEFAULT_MS)),
            dead_letter,
        })
    }

    /// Returns the pause after delivery number `attempt` (from 1).
    pub fn pause_after(&self, attempt: u32) -> Duration {
        let at = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.backoff.get(at).or(self.backoff.last());
        pause.copied().unwrap_or_default()
    }
}

/// Returns the consumer of a link that names no group: the actor's key, and the name of the link where
/// it is not the default one. Links of one actor may receive different things.
fn own_consumer(id: &LinkId) -> String {
    match id.name == LinkName::default_link() {
        true => id.source.to_string(),
        false => format!("{}_{}", id.source, id.name),
    }
}

/// Returns whether a text may name a stream or a group: NATS makes subjects and files of it.
fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn patterns(config: &Config, key: &str) -> Result<Vec<Pattern>, Error> {
    let listed = config.list(key);
    if listed.len() > limits::PATTERNS_MAX {
        return Err(wrong(key, format!("lists more than {} subjects", limits::PATTERNS_MAX)));
    }
    let read = |text: &str| {
        Pattern::read(text).ok_or_else(|| {
            wrong(key, format!("has {text:?}, which is no subject that an actor may use"))
        })
    };
    listed.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use lattice_protocol::keys::ActorKey;

    use super::*;

    #[test]
    fn links_of_one_actor_have_consumers_of_their_own() {
        let source = ActorKey::generate().unwrap().0;
        let consumer = |name: &str, group: &str| {
            let id = LinkId { source: source.clone(), name: name.parse().unwrap() };
            let settings = [
                ("subjects", "orders.>"),
                ("durable", "true"),
                ("stream", "orders"),
                ("group", group),
            ];
            let config = Config::of(settings.into_iter().filter(|(_, value)| !value.is_empty()));
            let link = Link { id, config, generation: 1 };
            Settings::read(&link).unwrap().durable.map(|one| (one.consumer, one.own)).unwrap()
        };
        assert_eq!(consumer("default", ""), (source.to_string(), true));
        assert_eq!(consumer("other", ""), (format!("{source}_other"), true));
        assert_eq!(consumer("other", "billing"), ("billing".to_owned(), false));
    }

    fn read(config: &[(&str, &str)]) -> Result<Settings, String> {
        let source = ActorKey::generate().unwrap().0;
        let link = Link {
            id: LinkId { source, name: LinkName::default_link() },
            config: Config::of(config.iter().copied()),
            generation: 1,
        };
        Settings::read(&link).map_err(|error| error.message)
    }

    #[test]
    fn a_link_without_settings_publishes_anything_and_receives_nothing() {
        let settings = read(&[]).unwrap();
        assert!(settings.subjects.is_empty() && settings.durable.is_none());
        assert!(settings.may_publish("orders.eu") && settings.group.starts_with('M'));
    }

    #[test]
    fn what_may_be_published_is_what_is_listed() {
        let settings = read(&[("publish", "orders.*, bills.>")]).unwrap();
        assert!(settings.may_publish("orders.eu") && settings.may_publish("bills.a.b"));
        assert!(!settings.may_publish("orders") && !settings.may_publish("other"));
    }

    #[test]
    fn a_durable_source_is_whole_or_refused() {
        let whole = [
            ("subjects", "orders.>"),
            ("durable", "true"),
            ("stream", "orders"),
            ("backoff_ms", "10, 20"),
            ("dead_letter", "dead.orders"),
        ];
        let durable = read(&whole).unwrap().durable.unwrap();
        let pauses = [1, 2, 3, 9].map(|attempt| durable.pause_after(attempt).as_millis());
        assert_eq!(pauses, [10, 20, 20, 20]);
        for (setting, value, complaint) in [
            ("stream", "", "stream is missing"),
            ("stream", "a.b", "stream"),
            ("subjects", "", "subjects is missing"),
            ("subjects", "mesh.>", "no subject that an actor may use"),
            ("dead_letter", "orders.dead", "one of the subjects"),
            ("dead_letter", "dead.*", "dead_letter"),
            ("backoff_ms", "soon", "backoff_ms"),
            ("ack_wait_ms", "499", "ack_wait_ms"),
            ("durable", "false", "needs durable=true"),
            ("durable", "maybe", "durable"),
            ("group", "a b", "group"),
            ("colour", "red", "colour"),
        ] {
            let mut config = whole.to_vec();
            config.retain(|(key, _)| *key != setting);
            config.push((setting, value));
            let error = read(&config).unwrap_err();
            assert!(error.contains(complaint), "{setting}={value}: {error}");
        }
    }
}
