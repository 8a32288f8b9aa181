//! Modules: bytes in an object store, named by their digest.

use async_nats::jetstream::object_store::{Config, GetErrorKind, ObjectStore};
use bytes::Bytes;
use lattice_protocol::names::Digest;
use lattice_protocol::{limits as wire, subjects};

use super::{Registry, RegistryError, no_jetstream};
use crate::bodies;

impl Registry {
    /// Stores a module under its digest; one that is there already is left alone.
    ///
    /// # Errors
    /// [`RegistryError::Unwritable`] above [`wire::MODULE_BYTES_MAX`],
    /// [`RegistryError::NoJetStream`], [`RegistryError::Unreachable`].
    pub async fn put_module(&self, bytes: &Bytes) -> Result<Digest, RegistryError> {
        if bytes.len() > wire::MODULE_BYTES_MAX {
            return Err(RegistryError::Unwritable(format!(
                "a module of {} bytes exceeds the limit of {}",
                bytes.len(),
                wire::MODULE_BYTES_MAX
            )));
        }
        let digest = Digest::of(bytes);
        let store = self.modules().await?;
        if let Ok(info) = store.info(digest.as_str()).await
            && info.size == bytes.len()
            && !info.deleted
        {
            return Ok(digest);
        }
        let mut reader = &bytes[..];
        // Boxed: the state of a put is large, and so would be that of whoever awaits this.
        Box::pin(store.put(digest.as_str(), &mut reader))
            .await
            .map_err(|error| RegistryError::Unreachable(error.to_string()))?;
        Ok(digest)
    }

    /// Fetches the module `digest`, and checks that its bytes have that digest.
    ///
    /// # Errors
    /// [`RegistryError::NoModule`], [`RegistryError::Damaged`], [`RegistryError::Unreachable`].
    pub async fn module(&self, digest: &Digest) -> Result<Bytes, RegistryError> {
        let store = self.modules().await?;
        let mut object = store.get(digest.as_str()).await.map_err(|error| match error.kind() {
            GetErrorKind::NotFound => RegistryError::NoModule(digest.clone()),
            _ => RegistryError::Unreachable(error.to_string()),
        })?;
        let size = object.info().size;
        if size > wire::MODULE_BYTES_MAX {
            return Err(RegistryError::Damaged(digest.clone()));
        }
        let bytes = bodies::read_all(&mut object, size as u64)
            .await
            .map_err(|error| RegistryError::Unreachable(error.to_string()))?;
        if Digest::of(&bytes) != *digest {
            return Err(RegistryError::Damaged(digest.clone()));
        }
        Ok(bytes)
    }

    async fn modules(&self) -> Result<ObjectStore, RegistryError> {
        let name = subjects::modules_bucket(self.lattice.name());
        let jetstream = self.lattice.jetstream();
        if let Ok(store) = jetstream.get_object_store(&name).await {
            return Ok(store);
        }
        let config = Config {
            bucket: name.clone(),
            description: Some(format!("modules of the lattice {}", self.lattice.name())),
            num_replicas: self.lattice.replicas(),
            ..Config::default()
        };
        match jetstream.create_object_store(config).await {
            Ok(store) => Ok(store),
            // Another program made it at the same time.
            Err(error) => match jetstream.get_object_store(&name).await {
                Ok(store) => Ok(store),
                Err(_) => Err(no_jetstream(&error)),
            },
        }
    }
}
