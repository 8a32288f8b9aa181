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
    #[cfg(feature = "claims")]
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
            #[cfg(feature = "claims")]
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
    /// Not on `wasm32`, which has none.
    ///
    /// Returns the public key and the pair that holds its seed.
    ///
    /// # Errors
    /// [`KeyError`] when nkeys gives back a key that does not verify (not seen to happen).
    #[cfg(all(feature = "claims", not(target_family = "wasm")))]
    pub fn generate() -> Result<(Self, nkeys::KeyPair), KeyError> {
        let pair = nkeys::KeyPair::new(K::PAIR);
        let key = pair.public_key().parse()?;
        Ok((key, pair))
    }
}

#[cfg(feature = "claims")]
impl ProviderKey {
    /// Returns the key by which a provider that comes with the mesh is known on every lattice, so
    /// that each node that has it answers the calls of all. It names and proves nothing: anybody
    /// can compute it.
    ///
    /// # Errors
    /// [`KeyError`] when nkeys gives back a key that does not verify (not seen to happen).
    pub fn well_known(name: &str) -> Result<Self, KeyError> {
        use sha2::Digest;
        let seed = sha2::Sha256::digest(format!("mesh provider {name}"));
        nkeys::KeyPair::new_from_raw(Provider::PAIR, seed.into())
            .map(|pair| pair.public_key())
            .unwrap_or_default()
            .parse()
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
        if text.len() != KEY_CHARACTERS || !text.is_ascii() {
            return Err(KeyError::Malformed { wanted, prefix: K::PREFIX });
        }
        if !text.starts_with(K::PREFIX) {
            return Err(match kind_of(text) {
                Some(found) => KeyError::WrongKind { wanted, prefix: K::PREFIX, found },
                None => KeyError::Malformed { wanted, prefix: K::PREFIX },
            });
        }
        if !adds_up(text, K::PREFIX) {
            return Err(KeyError::Checksum { wanted, prefix: K::PREFIX });
        }
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
        crate::codec::parse_text(deserializer)
    }
}

/// Characters of a public key.
pub const KEY_CHARACTERS: usize = 56;

/// Bytes of a public key: prefix, 32 of the key itself, checksum.
const KEY_BYTES: usize = 35;

/// Returns whether 56 characters that start with `prefix` are base32 with the right checksum.
///
/// Done here and not by nkeys, which also computes the curve's point: keys are parsed with every
/// message, and an actor that only names keys should not carry the curve. A key that is no point
/// can't sign, so nothing is ever verified with it.
fn adds_up(text: &str, prefix: char) -> bool {
    let mut raw = [0u8; KEY_BYTES];
    let decoded = data_encoding::BASE32_NOPAD.decode_mut(text.as_bytes(), &mut raw);
    let Some((content, checksum)) = raw.split_last_chunk::<2>() else { return false };
    // The first five bits are the letter; the other three of the prefix are 0.
    let letter = content.first().map(|byte| (byte >> 3, byte & 0b111));
    decoded == Ok(KEY_BYTES)
        && letter == Some((prefix as u8 - b'A', 0))
        && crc16(content) == u16::from_le_bytes(*checksum)
}

/// Computes the CRC-16 of nkeys (XMODEM: polynomial 0x1021, from 0).
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

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

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}

/// Why a text is not a key of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 56 characters of base32.
    #[error(
        "not a public key: that of {} {wanted} is {KEY_CHARACTERS} characters, the first {prefix}",
        article(wanted)
    )]
    Malformed {
        /// What the key should stand for.
        wanted: &'static str,
        /// The letter it should start with.
        prefix: char,
    },
    /// A key of another kind.
    #[error(
        "wrong kind of key: this is that of {} {found}; that of {} {wanted} starts with {prefix}",
        article(found),
        article(wanted)
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
        crate::codec::parse_text(deserializer)
    }
}
