//! Who plays: keys that are the same in every run.

use std::sync::LazyLock;

use lattice_protocol::keys::{ActorKey, IssuerKey, NodeKey};
use lattice_protocol::names::{ActorName, ContractName, Digest, LinkName};
use lattice_protocol::record::Labels;
use lattice_protocol::subjects::RegistryKey;
use nkeys::{KeyPair, KeyPairType};

use crate::limits;

/// Keys and names of a lattice.
pub struct Cast {
    /// The actors, in the order of their keys.
    pub actors: Vec<ActorKey>,
    /// Their names.
    pub names: Vec<ActorName>,
    /// Who signs; nodes may not trust the last.
    pub issuers: Vec<IssuerKey>,
    /// The contract of every link.
    pub contract: ContractName,
}

/// Number of issuers.
pub const ISSUERS: usize = 3;

static CAST: LazyLock<Cast> = LazyLock::new(make);

/// Returns the cast.
pub fn cast() -> &'static Cast {
    &CAST
}

fn key(kind: KeyPairType, number: usize) -> String {
    let seed = Digest::of(format!("simulated {number}").as_bytes());
    let mut raw = [0; 32];
    raw.copy_from_slice(&seed.as_str().as_bytes()[..32]);
    KeyPair::new_from_raw(kind, raw).map(|pair| pair.public_key()).unwrap_or_default()
}

/// Returns the label of the nodes in a zone.
pub fn zone_label(zone: u8) -> Labels {
    Labels::from([("zone".to_owned(), zone.to_string())])
}

/// Returns the key of a life of a node.
pub fn node_key(node: usize, life: u64) -> NodeKey {
    let number = 1_000 * (node + 1) + usize::try_from(life).unwrap_or_default();
    // It is a key of that kind, so this can't fail.
    #[allow(clippy::expect_used)]
    key(KeyPairType::Server, number).parse().expect("a node's key")
}

fn make() -> Cast {
    let parsed = |kind: fn() -> KeyPairType, most: usize| {
        (0..most).map(move |number| key(kind(), number)).collect::<Vec<_>>()
    };
    let mut actors: Vec<ActorKey> = parsed(|| KeyPairType::Module, limits::ACTORS_MAX)
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    actors.sort();
    let names = ["one", "two", "three"].iter().filter_map(|name| name.parse().ok()).collect();
    let issuers = parsed(|| KeyPairType::Account, ISSUERS)
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    // It is a name, so this can't fail; a cast without one would end every run at once.
    #[allow(clippy::expect_used)]
    let contract = "mesh:simulated".parse().expect("a contract's name");
    Cast { actors, names, issuers, contract }
}

impl Cast {
    /// Returns the number of an actor.
    pub fn number(&self, key: &ActorKey) -> usize {
        self.actors.iter().position(|one| one == key).unwrap_or(usize::MAX)
    }

    /// Returns the registry key of an actor's record.
    pub fn record(&self, actor: usize) -> RegistryKey {
        RegistryKey::Actor(self.actors[actor].clone())
    }

    /// Returns the registry key of an actor's link.
    pub fn link(&self, actor: usize) -> RegistryKey {
        RegistryKey::Link(
            self.actors[actor].clone(),
            self.contract.clone(),
            LinkName::default_link(),
        )
    }
}
