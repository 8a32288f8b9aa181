//! Which lattices there are, without making one by asking.

use futures_util::StreamExt;
use lattice_protocol::names::LatticeName;
use lattice_protocol::subjects;

use super::{Registry, RegistryError, no_jetstream, within};
use crate::lattice::Lattice;

impl Lattice {
    /// Opens the registry where there is one; `None` means that nothing was ever deployed on a
    /// lattice of this name.
    ///
    /// # Errors
    /// [`RegistryError::NoJetStream`] or [`RegistryError::Unreachable`].
    pub async fn existing_registry(&self) -> Result<Option<Registry>, RegistryError> {
        let name = subjects::registry_bucket(self.name());
        let open = async { Ok(self.jetstream().get_key_value(&name).await) };
        match within(open).await? {
            Ok(bucket) => Ok(Some(Registry { lattice: self.clone(), bucket })),
            Err(error) => {
                if self.lattices().await?.contains(self.name()) {
                    return Err(RegistryError::Unreachable(error.to_string()));
                }
                Ok(None)
            }
        }
    }

    /// Returns the lattices of this NATS account that have a registry, sorted.
    ///
    /// # Errors
    /// [`RegistryError::NoJetStream`] or [`RegistryError::Unreachable`].
    pub async fn lattices(&self) -> Result<Vec<LatticeName>, RegistryError> {
        let list = async {
            let mut streams = self.jetstream().stream_names();
            let mut found = Vec::new();
            while let Some(stream) = streams.next().await {
                let stream = stream.map_err(|error| no_jetstream(&error))?;
                found.extend(subjects::lattice_of_registry_stream(&stream));
            }
            found.sort();
            Ok(found)
        };
        within(list).await
    }
}
