//! What a scenario changes in the registry: revisions, places, revocations, links.

use anyhow::Context as _;
use lattice_protocol::contract::keyvalue;
use lattice_protocol::keys::ProviderKey;
use lattice_protocol::limits::WIRE_VERSION;
use lattice_protocol::record::{ActorRecord, LinkRecord, RevocationRecord};
use lattice_protocol::subjects::{RegistryKey, Revoked};

use super::{Bed, SEAT};
use crate::faults::executions::PREFIX;
use crate::publisher::echo_with_text;

impl Bed {
    /// Deploys the next revision, of other code, with what [`Publisher::shape`] says. Returns it.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn deploy_next(&mut self) -> anyhow::Result<u64> {
        let revision = self.revision + 1;
        let module = echo_with_text(&self.module, revision)?;
        let signed = self.ledger.sign(&module, revision, &[keyvalue::NAME])?;
        Box::pin(self.ledger.deploy(&signed, revision)).await?;
        self.revision = revision;
        Ok(revision)
    }

    /// Moves the actor to the nodes with a label, by its next revision.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn deploy_at(&mut self, seat: Option<usize>) -> anyhow::Result<u64> {
        self.ledger.shape = match seat {
            None => |_| {},
            Some(0) => |record| sit(record, 0),
            Some(1) => |record| sit(record, 1),
            Some(seat) => anyhow::bail!("nobody has seat {seat}"),
        };
        self.deploy_next().await
    }

    /// Revokes the module that is deployed; returns the revision of the registry.
    ///
    /// # Errors
    /// When the registry does not answer.
    pub async fn revoke_module(&self) -> anyhow::Result<u64> {
        let registry = self.ledger.registry();
        let key = RegistryKey::Actor(self.ledger.key().clone());
        let entry = registry.get::<ActorRecord>(&key).await?.context("it is not deployed")?;
        let what = Revoked::Module(entry.record.digest);
        let record = RevocationRecord {
            v: WIRE_VERSION,
            what: what.to_string(),
            at_ms: 1,
            why: "the fault bench struck it".to_owned(),
            writer: uuid::Uuid::now_v7().to_string(),
        };
        Ok(registry.put(&RegistryKey::Revoked(what), &record, None).await?)
    }

    /// Returns the revision of the registry at which the actor was deployed last.
    ///
    /// # Errors
    /// When it is not, or the registry does not answer.
    pub async fn actor_at(&self) -> anyhow::Result<u64> {
        let key = RegistryKey::Actor(self.ledger.key().clone());
        let entry = self.ledger.registry().get::<ActorRecord>(&key).await?;
        Ok(entry.context("it is not deployed")?.at)
    }

    /// Returns the key of the ledger's link to its store.
    ///
    /// # Errors
    /// Never: its names are constants.
    pub fn link_key(&self) -> anyhow::Result<RegistryKey> {
        let contract = keyvalue::NAME.parse()?;
        Ok(RegistryKey::Link(self.ledger.key().clone(), contract, "default".parse()?))
    }

    /// Links the ledger to Redis; returns the revision of the registry.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn put_link(&self) -> anyhow::Result<u64> {
        let (key, url) = (self.link_key()?, self.redis.url());
        let target = ProviderKey::well_known("keyvalue-redis")?;
        let config = [("url", url.as_str()), ("prefix", PREFIX)];
        let registry = self.ledger.registry();
        let put = registry.update::<LinkRecord, anyhow::Error>(&key, |before| {
            Ok(LinkRecord {
                v: WIRE_VERSION,
                source: self.ledger.key().clone(),
                contract: keyvalue::NAME.parse()?,
                name: "default".parse()?,
                target: target.clone().into(),
                config: config.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                generation: before.map_or(1, |before| before.generation + 1),
                writer: uuid::Uuid::now_v7().to_string(),
            })
        });
        Ok(Box::pin(put).await?.at)
    }

    /// Deletes the ledger's link; returns the revision of the registry.
    ///
    /// # Errors
    /// When there is none, or the registry does not answer.
    pub async fn delete_link(&self) -> anyhow::Result<u64> {
        let key = self.link_key()?;
        let entry = self.ledger.registry().get::<LinkRecord>(&key).await?;
        let at = entry.context("there is no link")?.at;
        Ok(self.ledger.registry().delete(&key, at).await?)
    }
}

fn sit(record: &mut ActorRecord, seat: usize) {
    record.labels.insert(SEAT.to_owned(), seat.to_string());
}
