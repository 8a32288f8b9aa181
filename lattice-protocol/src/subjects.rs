//! Every subject, header, bucket and registry key of a lattice, built and parsed.
//!
//! No other file contains one as text. What is built here is made of verified parts only, so
//! nothing that a client sends ever becomes part of a subject unvalidated.

use std::fmt;
use std::str::FromStr;

use crate::keys::{ActorKey, NodeKey, ProviderKey, TargetKey};
use crate::limits;
use crate::names::{ContractName, Digest, LatticeName, LinkName};

/// Names of the NATS headers that the mesh reads and writes.
pub mod header {
    /// Why a message of a stream was put aside.
    pub const DEAD_REASON: &str = "Mesh-Dead-Reason";
    /// The subject that it had.
    pub const DEAD_SUBJECT: &str = "Mesh-Dead-Subject";
    /// The stream that it was in.
    pub const DEAD_STREAM: &str = "Mesh-Dead-Stream";
    /// Its number in that stream.
    pub const DEAD_SEQUENCE: &str = "Mesh-Dead-Sequence";
    /// How often it was delivered.
    pub const DEAD_ATTEMPTS: &str = "Mesh-Dead-Attempts";
    /// On a durable invocation that was put aside: the code of the last error.
    pub const DEAD_CODE: &str = "Mesh-Dead-Code";
    /// On a durable invocation that was put aside: the message id that it was stored with.
    pub const DEAD_ID: &str = "Mesh-Dead-Id";
    /// On a durable invocation that was put aside: its operation, where it can be read.
    pub const DEAD_OPERATION: &str = "Mesh-Dead-Operation";
    /// On a durable invocation that was put aside: key of the node that did so.
    pub const DEAD_NODE: &str = "Mesh-Dead-Node";
    /// What the headers about a message that was put aside begin with.
    pub const DEAD_PREFIX: &str = "Mesh-Dead-";
    /// What the headers begin with by which NATS itself is told how to store a message.
    pub const NATS_PREFIX: &str = "Nats-";
    /// In the place of a message's bytes: how many they are.
    pub const MESSAGE_SIZE: &str = "Nats-Msg-Size";
    /// On a durable invocation: how often it may fail before it is put aside.
    pub const ATTEMPTS_MAX: &str = "Mesh-Attempts-Max";
    /// W3C trace context: the caller's span.
    pub const TRACEPARENT: &str = "traceparent";
    /// W3C trace context: what vendors add.
    pub const TRACESTATE: &str = "tracestate";
    /// W3C baggage.
    pub const BAGGAGE: &str = "baggage";
    /// Marks the tombstone of a deleted key in a key-value bucket.
    pub const KV_OPERATION: &str = "KV-Operation";
    /// What the server says in the place of a message that it removed from a bucket.
    pub const MARKER_REASON: &str = "Nats-Marker-Reason";
    /// What a key of an actor's bucket holds, where it is no plain value.
    pub const KEYVALUE_SORT: &str = "Mesh-Sort";
    /// Unix time in milliseconds when a value of an actor's bucket is gone.
    pub const KEYVALUE_EXPIRES: &str = "Mesh-Expires-Ms";
    /// On a block of a blob: where in the blob it begins.
    pub const BLOB_OFFSET: &str = "Mesh-Blob-Offset";
    /// On a block of a blob: how far the hash is at the end of the last chunk that is whole.
    pub const BLOB_HASH: &str = "Mesh-Blob-Hash";
    /// On a block of a blob: the sequence of the block before.
    pub const BLOB_BEFORE: &str = "Mesh-Blob-Before";
    /// On the last block of a chunk of a blob: the chunk is whole.
    pub const BLOB_WHOLE: &str = "Mesh-Blob-Whole";
}

/// First token of every subject.
const ROOT: &str = "mesh";
/// Stands in a control subject where a node's key would: every node answers.
const EVERY_NODE: &str = "all";

/// A question or an order to one node, or to all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlVerb {
    /// What the node is and serves.
    Inventory,
    /// Fetch, verify, compile and probe a module without serving it.
    Prepare,
    /// Finish the calls in flight, and leave.
    Drain,
    /// Same as [`ControlVerb::Drain`] and end the process.
    Stop,
    /// Whether the node, or the process of a provider, can do its work.
    Health,
    /// Which providers it runs.
    Providers,
    /// How far its providers are with a link.
    Link,
    /// Which of some calls it has.
    Calls,
    /// Whether it serves certain actors, or will.
    Actors,
}

impl ControlVerb {
    /// Every verb.
    pub const ALL: &'static [ControlVerb] = &[
        ControlVerb::Inventory,
        ControlVerb::Prepare,
        ControlVerb::Drain,
        ControlVerb::Stop,
        ControlVerb::Health,
        ControlVerb::Providers,
        ControlVerb::Link,
        ControlVerb::Calls,
        ControlVerb::Actors,
    ];

    /// Returns the verb as a token.
    pub fn as_str(self) -> &'static str {
        match self {
            ControlVerb::Inventory => "inventory",
            ControlVerb::Prepare => "prepare",
            ControlVerb::Drain => "drain",
            ControlVerb::Stop => "stop",
            ControlVerb::Health => "health",
            ControlVerb::Providers => "providers",
            ControlVerb::Link => "link",
            ControlVerb::Calls => "calls",
            ControlVerb::Actors => "actors",
        }
    }
}

/// A subject of the mesh, taken apart. Displays as the subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Invoke an actor or provider.
    Call(LatticeName, TargetKey),
    /// Invoke it durably.
    Queue(LatticeName, TargetKey),
    /// A durable invocation of it that was put aside.
    Dead(LatticeName, TargetKey),
    /// Ask one node.
    Control(LatticeName, NodeKey, ControlVerb),
    /// Ask every node.
    ControlAll(LatticeName, ControlVerb),
    /// Something happened.
    Event(LatticeName, crate::event::EventKind),
    /// A node lives.
    Heartbeat(LatticeName, NodeKey),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Call(lattice, key) => write!(f, "{ROOT}.{lattice}.call.{key}"),
            Subject::Queue(lattice, key) => write!(f, "{ROOT}.{lattice}.queue.{key}"),
            Subject::Dead(lattice, key) => write!(f, "{ROOT}.{lattice}.dead.{key}"),
            Subject::Control(lattice, node, verb) => {
                write!(f, "{ROOT}.{lattice}.ctl.{node}.{}", verb.as_str())
            }
            Subject::ControlAll(lattice, verb) => {
                write!(f, "{ROOT}.{lattice}.ctl.{EVERY_NODE}.{}", verb.as_str())
            }
            Subject::Event(lattice, kind) => write!(f, "{ROOT}.{lattice}.evt.{}", kind.as_str()),
            Subject::Heartbeat(lattice, node) => write!(f, "{ROOT}.{lattice}.hb.{node}"),
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let unknown = || SubjectError::Unknown(shown(text));
        if text.len() > limits::SUBJECT_BYTES_MAX {
            return Err(unknown());
        }
        let mut tokens = text.split('.');
        let mut next = || tokens.next().ok_or_else(unknown);
        if next()? != ROOT {
            return Err(unknown());
        }
        let lattice: LatticeName = next()?.parse().map_err(|_| unknown())?;
        let family = next()?;
        let third = next()?;
        let target = || third.parse::<TargetKey>().map_err(|_| unknown());
        let node = || third.parse::<NodeKey>().map_err(|_| unknown());
        let subject = match family {
            "call" => Subject::Call(lattice, target()?),
            "queue" => Subject::Queue(lattice, target()?),
            "dead" => Subject::Dead(lattice, target()?),
            "hb" => Subject::Heartbeat(lattice, node()?),
            "evt" => {
                let kind = crate::event::EventKind::from_wire(third).ok_or_else(unknown)?;
                Subject::Event(lattice, kind)
            }
            "ctl" => {
                let name = next()?;
                let verb = ControlVerb::ALL.iter().copied().find(|verb| verb.as_str() == name);
                let verb = verb.ok_or_else(unknown)?;
                if third == EVERY_NODE {
                    Subject::ControlAll(lattice, verb)
                } else {
                    Subject::Control(lattice, node()?, verb)
                }
            }
            _ => return Err(unknown()),
        };
        if tokens.next().is_some() {
            return Err(unknown());
        }
        Ok(subject)
    }
}

/// Returns the subject on which every event of a lattice is heard.
pub fn all_events(lattice: &LatticeName) -> String {
    format!("{ROOT}.{lattice}.evt.*")
}

/// Returns the subject on which every heartbeat of a lattice is heard.
pub fn all_heartbeats(lattice: &LatticeName) -> String {
    format!("{ROOT}.{lattice}.hb.*")
}

/// Returns the subject on which one node hears every control verb that is for it alone.
pub fn node_controls(lattice: &LatticeName, node: &NodeKey) -> String {
    format!("{ROOT}.{lattice}.ctl.{node}.*")
}

/// Returns the subject on which nodes hear every control verb that is for all of them.
pub fn every_node_controls(lattice: &LatticeName) -> String {
    format!("{ROOT}.{lattice}.ctl.{EVERY_NODE}.*")
}

/// Returns the queue group that balances calls of `target`: the key itself.
pub fn queue_group(target: &TargetKey) -> String {
    target.as_str().to_owned()
}

/// Returns the subject of every durable invocation of a lattice.
pub fn all_queued(lattice: &LatticeName) -> String {
    format!("{ROOT}.{lattice}.queue.*")
}

/// Returns the subject of every durable invocation of a lattice that was put aside.
pub fn all_dead(lattice: &LatticeName) -> String {
    format!("{ROOT}.{lattice}.dead.*")
}

/// Returns the stream that keeps the durable invocations of a lattice until they are done.
pub fn queue_stream(lattice: &LatticeName) -> String {
    format!("{ROOT}_{lattice}_queue")
}

/// Returns the stream of those that were put aside.
pub fn dead_stream(lattice: &LatticeName) -> String {
    format!("{ROOT}_{lattice}_dead")
}

/// Returns the consumer by which all nodes that serve `target` share its durable invocations.
pub fn queue_consumer(target: &TargetKey) -> String {
    target.as_str().to_owned()
}

/// Returns the prefix of the inboxes that a client of `lattice` receives replies on.
pub fn inbox_prefix(lattice: &LatticeName) -> String {
    format!("_INBOX.{ROOT}-{lattice}")
}

/// Returns the name under which nodes appear in NATS service discovery.
pub fn discovery_name() -> &'static str {
    "mesh-node"
}

/// Returns the key-value bucket of a lattice's registry.
pub fn registry_bucket(lattice: &LatticeName) -> String {
    format!("{ROOT}_{lattice}")
}

/// Returns the lattice whose registry the JetStream stream `stream` holds, if it holds one.
pub fn lattice_of_registry_stream(stream: &str) -> Option<LatticeName> {
    stream.strip_prefix("KV_")?.strip_prefix(ROOT)?.strip_prefix('_')?.parse().ok()
}

/// Returns the subject that a registry key's values are stored under in its stream.
pub fn registry_subject(lattice: &LatticeName, key: &RegistryKey) -> String {
    bucket_subject(&registry_bucket(lattice), &key.to_string())
}

/// Returns the object store of a lattice's modules.
pub fn modules_bucket(lattice: &LatticeName) -> String {
    format!("{ROOT}_{lattice}_modules")
}

/// Returns the object store of payloads that exceed one message.
pub fn bodies_bucket(lattice: &LatticeName) -> String {
    format!("{ROOT}_{lattice}_bodies")
}

/// Returns the key-value bucket of a lattice where actors keep values, unless a link names another.
pub fn keyvalue_bucket(lattice: &LatticeName) -> String {
    format!("{ROOT}_{lattice}_keyvalue")
}

/// Returns the key-value bucket in which the timers of a lattice agree on who ticks.
pub fn timers_bucket(lattice: &LatticeName) -> String {
    format!("{ROOT}_{lattice}_timers")
}

/// Returns the key of a link's timer in that bucket.
pub fn timer_key(source: &ActorKey, link: &LinkName) -> String {
    format!("{source}.{link}")
}

/// Returns whether a bucket of that name may be the mesh's own, of this lattice or of another.
pub fn is_mesh_bucket(bucket: &str) -> bool {
    bucket.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('_'))
}

/// Returns the subject that the values of a key in a key-value bucket are stored under.
pub fn bucket_subject(bucket: &str, key: &str) -> String {
    format!("$KV.{bucket}.{key}")
}

/// Returns the key that a subject of a key-value bucket is about.
pub fn key_of_bucket_subject<'a>(bucket: &str, subject: &'a str) -> Option<&'a str> {
    subject.strip_prefix("$KV.")?.strip_prefix(bucket)?.strip_prefix('.')
}

/// Returns what the names of a tenant's object stores of blobs begin with; the name of the container
/// follows. Neither a tenant nor a container has an underscore, so no two tenants share a store.
pub fn blobs_bucket_prefix(lattice: &LatticeName, tenant: &str) -> String {
    format!("{ROOT}_{lattice}_blobs_{tenant}_")
}

/// Returns the stream of an object store, or what the streams of object stores begin with.
pub fn object_stream(bucket: &str) -> String {
    format!("OBJ_{bucket}")
}

/// Returns the subject of what is known about an object whose name is encoded as `name`.
pub fn object_meta(bucket: &str, name: &str) -> String {
    format!("$O.{bucket}.M.{name}")
}

/// Returns the subject of the blocks of one version of an object.
pub fn object_blocks(bucket: &str, version: &str) -> String {
    format!("$O.{bucket}.C.{version}")
}

/// Returns the subject of what is known about a version of an object while it is written.
pub fn object_upload(bucket: &str, version: &str) -> String {
    format!("$O.{bucket}.C.{version}.upload")
}

/// What a revocation strikes: a key (actor, issuer …) or the bytes of one module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revoked {
    /// Every module of this actor.
    Actor(ActorKey),
    /// Every module that this issuer signed.
    Issuer(crate::keys::IssuerKey),
    /// One module, by the digest of its bytes.
    Module(Digest),
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Revoked::Actor(key) => key.fmt(f),
            Revoked::Issuer(key) => key.fmt(f),
            Revoked::Module(digest) => digest.fmt(f),
        }
    }
}

impl FromStr for Revoked {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if let Ok(digest) = text.parse() {
            return Ok(Revoked::Module(digest));
        }
        if let Ok(key) = text.parse() {
            return Ok(Revoked::Actor(key));
        }
        if let Ok(key) = text.parse() {
            return Ok(Revoked::Issuer(key));
        }
        Err(SubjectError::NotRevocable(shown(text)))
    }
}

/// A key of the registry's bucket, taken apart. Displays as the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistryKey {
    /// A deployed actor.
    Actor(ActorKey),
    /// A link of a source for a contract, by name.
    Link(ActorKey, ContractName, LinkName),
    /// A provider that nodes should run.
    Provider(ProviderKey),
    /// A revocation.
    Revoked(Revoked),
}

impl fmt::Display for RegistryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegistryKey::Actor(key) => write!(f, "actor.{key}"),
            RegistryKey::Link(source, contract, name) => {
                // A bucket's key can't hold a colon, a contract can't hold a slash.
                write!(f, "link.{source}.{}.{name}", contract.as_str().replace(':', "/"))
            }
            RegistryKey::Provider(key) => write!(f, "provider.{key}"),
            RegistryKey::Revoked(what) => write!(f, "revoked.{what}"),
        }
    }
}

impl FromStr for RegistryKey {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let unknown = || SubjectError::Unknown(shown(text));
        let tokens: Vec<&str> = text.splitn(5, '.').collect();
        match tokens.as_slice() {
            ["actor", key] => Ok(RegistryKey::Actor(key.parse().map_err(|_| unknown())?)),
            ["provider", key] => Ok(RegistryKey::Provider(key.parse().map_err(|_| unknown())?)),
            ["revoked", what] => Ok(RegistryKey::Revoked(what.parse().map_err(|_| unknown())?)),
            ["link", source, contract, name] if !contract.contains(':') => Ok(RegistryKey::Link(
                source.parse().map_err(|_| unknown())?,
                contract.replace('/', ":").parse().map_err(|_| unknown())?,
                name.parse().map_err(|_| unknown())?,
            )),
            _ => Err(unknown()),
        }
    }
}

/// Returns whether an answer may be published to `reply`, which somebody else chose.
///
/// It may be any plain subject, for callers choose the prefix of their inboxes: no wildcard, no
/// empty token, no blank, no control character. It may not be a subject of the mesh or of the
/// server itself (`$JS.…`), so that nobody makes a node speak to another in its name.
pub fn is_reply_subject(reply: &str) -> bool {
    let plain = !reply.is_empty()
        && reply.len() <= limits::SUBJECT_BYTES_MAX
        && reply.bytes().all(|b| b.is_ascii_graphic())
        && reply.split('.').all(|token| !token.is_empty() && token != "*" && token != ">");
    let first = reply.split('.').next().unwrap_or_default();
    plain && first != ROOT && !first.starts_with('$')
}

/// Why a text is not a subject or a registry key of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// No name that the mesh uses.
    #[error("{0:?} is no subject or registry key of the mesh")]
    Unknown(String),
    /// Neither a digest nor a key that can be revoked.
    #[error(
        "{0:?} can't be revoked: give a module's digest (64 hex characters), an actor's key (M…) or an issuer's key (A…)"
    )]
    NotRevocable(String),
}

fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}
