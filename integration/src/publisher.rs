//! Signs and deploys modules straight through the registry, as fast as it takes them: for runs of
//! many revisions. What people do goes through `meshctl`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use lattice_client::registry::{Registry, RegistryError};
use lattice_client::{Call, Lattice};
use lattice_protocol::claims::{self, SignRequest};
use lattice_protocol::keys::{ActorKey, IssuerKey};
use lattice_protocol::record::{ActorLimits, ActorRecord, Isolation, Labels};
use lattice_protocol::subjects::RegistryKey;
use lattice_protocol::{limits, reserved};

/// The digits in the text of the actor `echo` that tell its revisions apart.
const MARK: &[u8] = b"text 0000000000000000";

/// An issuer who deploys the revisions of one actor.
pub struct Publisher {
    registry: Registry,
    issuer: nkeys::KeyPair,
    issuer_key: IssuerKey,
    module: nkeys::KeyPair,
    key: ActorKey,
    name: String,
    /// Changes what the next record says beside its module.
    pub shape: fn(&mut ActorRecord),
    /// Unix seconds after which what is signed next is void.
    pub expires_s: Option<u64>,
}

impl Publisher {
    /// Makes an issuer, and an actor called `name`.
    ///
    /// # Errors
    /// When the registry can't be opened.
    pub async fn new(lattice: &Lattice, name: &str) -> anyhow::Result<Self> {
        // What JetStream's client keeps between two awaits is large: it goes to the heap.
        Self::on(Box::pin(lattice.registry()).await?, name)
    }

    /// Makes an issuer, and an actor called `name`, for a registry that is open already.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn on(registry: Registry, name: &str) -> anyhow::Result<Self> {
        let (issuer_key, issuer) = IssuerKey::generate()?;
        let (key, module) = ActorKey::generate()?;
        let name = name.to_owned();
        Ok(Self { registry, issuer, issuer_key, module, key, name, shape: |_| {}, expires_s: None })
    }

    /// Returns the actor's key.
    pub fn key(&self) -> &ActorKey {
        &self.key
    }

    /// Returns who signs.
    pub fn issuer(&self) -> &IssuerKey {
        &self.issuer_key
    }

    /// Signs and deploys as a new issuer from now on; the actor stays the same.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn change_issuer(&mut self) -> anyhow::Result<()> {
        (self.issuer_key, self.issuer) = IssuerKey::generate()?;
        Ok(())
    }

    /// Returns the registry that is written to.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Signs `wasm` as revision `revision`.
    ///
    /// # Errors
    /// When `wasm` is no module.
    pub fn sign(&self, wasm: &[u8], revision: u64, capabilities: &[&str]) -> anyhow::Result<Bytes> {
        let request = SignRequest {
            issuer: &self.issuer,
            module: &self.module,
            name: &self.name,
            capabilities: capabilities.iter().map(ToString::to_string).collect(),
            tags: Vec::new(),
            revision: Some(i32::try_from(revision)?),
            version: None,
            now_s: now_ms() / 1_000,
            expires_s: self.expires_s,
            not_before_s: None,
        };
        Ok(claims::sign(wasm, &request)?.into())
    }

    /// Writes the record of a signed module, whatever the nodes think of it.
    ///
    /// # Errors
    /// When the registry does not take it.
    pub async fn deploy(&self, signed: &Bytes, revision: u64) -> anyhow::Result<()> {
        let digest = Box::pin(self.registry.put_module(signed)).await?;
        let key = RegistryKey::Actor(self.key.clone());
        let update = self.registry.update::<ActorRecord, RegistryError>(&key, |before| {
            let mut record = ActorRecord {
                v: limits::WIRE_VERSION,
                key: self.key.clone(),
                name: self.name.parse().map_err(|error: lattice_protocol::names::NameError| {
                    RegistryError::Unwritable(error.to_string())
                })?,
                revision,
                digest: digest.clone(),
                size: signed.len() as u64,
                issuer: self.issuer_key.clone(),
                capabilities: Vec::new(),
                labels: Labels::new(),
                limits: ActorLimits::default(),
                concurrency: None,
                replicas: None,
                isolation: Isolation::PerCall,
                deployed_at_ms: now_ms(),
                rolled_back: before.is_some_and(|before| before.revision > revision),
                history: Vec::new(),
                writer: uuid::Uuid::now_v7().to_string(),
            };
            (self.shape)(&mut record);
            Ok(record)
        });
        Box::pin(update).await.context("the record can't be written")?;
        Ok(())
    }

    /// Deletes the actor's record: it is deployed no more.
    ///
    /// # Errors
    /// When it is not deployed, or the registry does not answer.
    pub async fn undeploy(&self) -> anyhow::Result<()> {
        let key = RegistryKey::Actor(self.key.clone());
        let entry = self.registry.get::<ActorRecord>(&key).await?;
        let at = entry.context("the actor is not deployed")?.at;
        self.registry.delete(&key, at).await?;
        Ok(())
    }

    /// Waits until a node answers for `revision`.
    ///
    /// # Errors
    /// When none does within `bound`.
    pub async fn wait_until_served(&self, revision: u64, bound: Duration) -> anyhow::Result<()> {
        let lattice = self.registry.lattice();
        let what = format!("{} answers for revision {revision}", self.name);
        crate::harness::wait_until(&what, bound, async || {
            let ping = Call::new(self.key.clone(), reserved::PING, Bytes::new())
                .min_revision(revision)
                .timeout(Duration::from_millis(500));
            lattice.call(ping).await.is_ok()
        })
        .await
    }
}

/// Returns `echo` with other code: its text says `number`, so its bytes and digest are new.
///
/// # Errors
/// When `echo` holds no such text.
pub fn echo_with_text(echo: &[u8], number: u64) -> anyhow::Result<Vec<u8>> {
    let at = echo
        .windows(MARK.len())
        .position(|window| window == MARK)
        .context("the actor echo holds no text to change")?;
    let mut changed = echo.to_vec();
    let text = format!("text {number:016}");
    changed
        .get_mut(at..at + MARK.len())
        .context("the text is cut")?
        .copy_from_slice(text.as_bytes());
    Ok(changed)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
