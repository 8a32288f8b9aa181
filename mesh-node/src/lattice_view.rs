//! What a node knows of the lattice: the registry's records, without I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use lattice_protocol::keys::{ActorKey, IssuerKey};
use lattice_protocol::names::{ActorName, ContractName, Digest, LinkName};
use lattice_protocol::record::{ActorRecord, LinkRecord, ProviderRecord, Record, RevocationRecord};
use lattice_protocol::subjects::{RegistryKey, Revoked};
use lattice_protocol::{DecodeError, Error, ErrorCode};

use crate::links::Links;
use crate::supervisor::WantedProviders;

/// An actor's record as it is in the registry.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The record.
    pub record: ActorRecord,
    /// Revision of its key in the registry: tells a newer record from an older one.
    pub at: u64,
}

/// What a change of the registry may alter.
#[derive(Debug, PartialEq, Eq)]
pub enum Affected {
    /// One actor.
    Actor(ActorKey),
    /// Every actor: a revocation came or went.
    Everything,
    /// Where the calls of a contract of an actor lead.
    Link(ActorKey, ContractName, LinkName),
    /// Which providers somebody shall run.
    Providers,
    /// Nothing that a node serves.
    Nothing,
}

/// What must not be served.
#[derive(Debug, Default, Clone)]
pub struct Revocations(BTreeMap<Revoked, RevocationRecord>);

/// The records that a node acts on.
#[derive(Debug, Default)]
pub struct LatticeView {
    actors: BTreeMap<ActorKey, Arc<Wanted>>,
    /// Those that only so many nodes are to serve.
    counted: BTreeSet<ActorKey>,
    revoked: Revocations,
    links: Links,
    providers: WantedProviders,
}

impl LatticeView {
    /// Takes in a record.
    ///
    /// # Errors
    /// [`DecodeError`] when it can't be read; what was known before stays.
    pub fn put(
        &mut self,
        key: RegistryKey,
        value: &[u8],
        at: u64,
    ) -> Result<Affected, DecodeError> {
        Ok(match key {
            RegistryKey::Actor(key) => {
                let record = ActorRecord::decode(value)?;
                if record.key != key {
                    return Err(DecodeError::Shape(format!(
                        "the record of {key} is about {}",
                        record.key
                    )));
                }
                match record.replicas() {
                    Some(_) => self.counted.insert(key.clone()),
                    None => self.counted.remove(&key),
                };
                self.actors.insert(key.clone(), Arc::new(Wanted { record, at }));
                Affected::Actor(key)
            }
            RegistryKey::Revoked(what) => {
                // A revocation whose record can't be read strikes all the same.
                let record = RevocationRecord::decode(value).unwrap_or(RevocationRecord {
                    v: lattice_protocol::limits::WIRE_VERSION,
                    what: what.to_string(),
                    at_ms: 0,
                    why: String::new(),
                    writer: String::new(),
                });
                self.revoked.0.insert(what, record);
                Affected::Everything
            }
            RegistryKey::Link(source, contract, name) => {
                let record = LinkRecord::decode(value)?;
                self.links.put(source.clone(), contract.clone(), name.clone(), record)?;
                Affected::Link(source, contract, name)
            }
            RegistryKey::Provider(key) => {
                let record = ProviderRecord::decode(value)?;
                if record.key != key {
                    return Err(DecodeError::Shape(format!(
                        "the record of {key} is about {}",
                        record.key
                    )));
                }
                Arc::make_mut(&mut self.providers).insert(key, Arc::new(record));
                Affected::Providers
            }
        })
    }

    /// Takes out a record.
    pub fn remove(&mut self, key: &RegistryKey) -> Affected {
        match key {
            RegistryKey::Actor(key) => {
                self.actors.remove(key);
                self.counted.remove(key);
                Affected::Actor(key.clone())
            }
            RegistryKey::Revoked(what) => {
                self.revoked.0.remove(what);
                Affected::Everything
            }
            RegistryKey::Link(source, contract, name) => {
                self.links.remove(source, contract, name);
                Affected::Link(source.clone(), contract.clone(), name.clone())
            }
            RegistryKey::Provider(key) => {
                Arc::make_mut(&mut self.providers).remove(key);
                Affected::Providers
            }
        }
    }

    /// Returns the record of an actor.
    pub fn actor(&self, key: &ActorKey) -> Option<&Arc<Wanted>> {
        self.actors.get(key)
    }

    /// Returns the keys of all deployed actors.
    pub fn actors(&self) -> impl Iterator<Item = &ActorKey> {
        self.actors.keys()
    }

    /// Returns the keys of the deployed actors that only so many nodes are to serve.
    pub fn counted(&self) -> &BTreeSet<ActorKey> {
        &self.counted
    }

    /// Returns which actors bear which name.
    pub fn names(&self) -> HashMap<ActorName, Vec<ActorKey>> {
        let mut names: HashMap<ActorName, Vec<ActorKey>> = HashMap::new();
        for (key, wanted) in &self.actors {
            names.entry(wanted.record.name.clone()).or_default().push(key.clone());
        }
        names
    }

    /// Returns where the calls of actors lead.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Returns which providers somebody shall run.
    pub fn providers(&self) -> &WantedProviders {
        &self.providers
    }

    /// Returns what must not be served.
    pub fn revocations(&self) -> &Revocations {
        &self.revoked
    }
}

impl Revocations {
    /// Returns the error that a revocation of the actor, its issuer or its module answers with.
    pub fn struck(&self, actor: &ActorKey, issuer: &IssuerKey, digest: &Digest) -> Option<Error> {
        let strikes = [
            ("actor", Revoked::Actor(actor.clone())),
            ("issuer", Revoked::Issuer(issuer.clone())),
            ("module", Revoked::Module(digest.clone())),
        ];
        strikes.into_iter().find_map(|(what, key)| {
            let record = self.0.get(&key)?;
            let why =
                if record.why.is_empty() { String::new() } else { format!(": {}", record.why) };
            Some(Error::not_started(ErrorCode::Revoked, format!("{what} {key} was revoked{why}")))
        })
    }
}
