//! Messages of contracts as payloads of operations.

use std::ops::{Deref, DerefMut};

use lattice_protocol::contract::Message;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

/// A message of a contract that an operation takes or returns: its bounds are checked where it is
/// read and where it is written. Otherwise it is used like the message itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked<M>(pub M);

impl<M> Deref for Checked<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M> DerefMut for Checked<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<M> From<M> for Checked<M> {
    fn from(message: M) -> Self {
        Self(message)
    }
}

impl<'de, M: Message> Deserialize<'de> for Checked<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let message = M::deserialize(deserializer)?;
        message.check().map_err(D::Error::custom)?;
        Ok(Self(message))
    }
}

impl<M: Message> Serialize for Checked<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.check().map_err(S::Error::custom)?;
        self.0.serialize(serializer)
    }
}
