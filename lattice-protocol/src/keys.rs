//! Public keys that exist only if they verify.
//!
//! A [`Key`] is an nkeys public key of one kind: 56 characters of base32 whose prefix, length and
//! checksum were checked when the value was made. There is no other way to make one, so no code
//! past the edge handles an unverified key.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of key: which letter its public form starts with, and what it stands for.
pub trait KeyKind: Copy + Eq + Ord + std::hash::Hash + fmt::Debug + Send + Sync + 'static {
    /// First character of the public key.
    const PREFIX: char;
    /// What the key stands for, as shown to people.
    const NOUN: &'static str;
    /// The kind's name in nkeys.
    const PAIR: nkeys::KeyPairType;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $alias:ident, $prefix:literal, $noun:literal, $pair:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $kind;
        impl KeyKind for $kind {
            const PREFIX: char = $prefix;
            const NOUN: &'static str = $noun;
            const PAIR: nkeys::KeyPairType = nkeys::KeyPairType::$pair;
        }
        $(#[$doc])*
        pub type $alias = Key<$kind>;
    )*};
}

kinds! {
    /// An actor: the key of a module (`M…`).
    Actor, ActorKey, 'M', "actor", Module;
    /// A capability provider (`V…`).
    Provider, ProviderKey, 'V', "provider", Service;
    /// A node (`N…`).
    Node, NodeKey, 'N', "node", Server;
    /// An issuer of claims (`A…`).
    Issuer, IssuerKey, 'A', "issuer", Account;
    /// The authority of a lattice (`C…`).
    Lattice, LatticeKey, 'C', "lattice", Cluster;
    /// A user (`U…`).
    User, UserKey, 'U', "user", User;
}

/// A verified public key of kind `K`. Cheap to clone; compares and hashes as its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<K: KeyKind>(Arc<str>, PhantomData<K>);

impl<K: KeyKind> Key<K> {
    /// Returns the key as its 56 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes a new key pair of this kind from the system's randomness.
    ///
    /// Returns the public key and the pair that holds its seed.
    ///
    /// # Errors
    /// [`KeyError`] when nkeys gives back a key that does not verify (not seen to happen).
    pub fn generate() -> Result<(Self, nkeys::KeyPair), KeyError> {
        let pair = nkeys::KeyPair::new(K::PAIR);
        let key = pair.public_key().parse()?;
        Ok((key, pair))
    }
}

impl<K: KeyKind> fmt::Display for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<K: KeyKind> fmt::Debug for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<K: KeyKind> AsRef<str> for Key<K> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<K: KeyKind> FromStr for Key<K> {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wanted = K::NOUN;
        // nkeys indexes into the decoded bytes: the length is checked before it sees the text.
        if text.len() != KEY_CHARACTERS || !text.is_ascii() {
            return Err(KeyError::Malformed { wanted, prefix: K::PREFIX });
        }
        if !text.starts_with(K::PREFIX) {
            return Err(match kind_of(text) {
                Some(found) => KeyError::WrongKind { wanted, prefix: K::PREFIX, found },
                None => KeyError::Malformed { wanted, prefix: K::PREFIX },
            });
        }
        nkeys::KeyPair::from_public_key(text)
            .map_err(|_| KeyError::Checksum { wanted, prefix: K::PREFIX })?;
        Ok(Key(Arc::from(text), PhantomData))
    }
}

impl<K: KeyKind> Serialize for Key<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, K: KeyKind> Deserialize<'de> for Key<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Characters of a public key.
pub const KEY_CHARACTERS: usize = 56;

/// Returns what kind of thing a well-formed public key stands for, by its first letter.
pub fn kind_of(text: &str) -> Option<&'static str> {
    match text.chars().next()? {
        'M' => Some(Actor::NOUN),
        'V' => Some(Provider::NOUN),
        'N' => Some(Node::NOUN),
        'A' => Some(Issuer::NOUN),
        'C' => Some(Lattice::NOUN),
        'U' => Some(User::NOUN),
        _ => None,
    }
}

/// Why a text is not a key of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 56 characters of base32.
    #[error(
        "not a public key: an {wanted} key is {KEY_CHARACTERS} characters that start with {prefix}"
    )]
    Malformed {
        /// What the key should stand for.
        wanted: &'static str,
        /// The letter it should start with.
        prefix: char,
    },
    /// A key of another kind.
    #[error(
        "wrong kind of key: this is the key of a {found}; an {wanted} key starts with {prefix}"
    )]
    WrongKind {
        /// What the key should stand for.
        wanted: &'static str,
        /// The letter it should start with.
        prefix: char,
        /// What the given key stands for.
        found: &'static str,
    },
    /// The right length and letter, but the checksum says it was mistyped.
    #[error("the checksum of this {wanted} key is wrong: a character of it was lost or changed")]
    Checksum {
        /// What the key should stand for.
        wanted: &'static str,
        /// The letter it should start with.
        prefix: char,
    },
}

/// Whom a call is for: an actor or a provider.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TargetKey {
    /// An actor, by the key of its module.
    Actor(ActorKey),
    /// A capability provider.
    Provider(ProviderKey),
}

impl TargetKey {
    /// Returns the key as its 56 characters.
    pub fn as_str(&self) -> &str {
        match self {
            TargetKey::Actor(key) => key.as_str(),
            TargetKey::Provider(key) => key.as_str(),
        }
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TargetKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.starts_with(Provider::PREFIX) {
            text.parse().map(TargetKey::Provider)
        } else {
            text.parse().map(TargetKey::Actor)
        }
    }
}

impl From<ActorKey> for TargetKey {
    fn from(key: ActorKey) -> Self {
        TargetKey::Actor(key)
    }
}

impl From<ProviderKey> for TargetKey {
    fn from(key: ProviderKey) -> Self {
        TargetKey::Provider(key)
    }
}

impl Serialize for TargetKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TargetKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
