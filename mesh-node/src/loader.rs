//! From a record to a module that can serve: fetch, verify, compile, probe; or from what was kept on disk when that
//! was done before.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lattice_client::registry::Registry;
use lattice_protocol::claims::{self, VerifiedClaims};
use lattice_protocol::contract::older::contract_of as older_contract;
use lattice_protocol::names::{ActorName, Digest};
use lattice_protocol::record::{ActorRecord, Isolation};
use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{Actor, ActorOptions, Engine, Host, HostCall, HostFuture, LogSource};
use tokio::sync::Semaphore;

use crate::actor_host::Module;
use crate::call_host::log_line;
use crate::compile_pool::{CompilePool, Haste};
use crate::limits;
use crate::older;
use crate::refusal::Refused;

/// The module that later ones of the older actors import their host from.
const OLDER_HOST: &str = "wasmbus";

/// Loads modules. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Loader {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    registry: Registry,
    fetches: Semaphore,
    /// Modules that are read from disk at once.
    finds: Semaphore,
    compilations: Semaphore,
    pool: CompilePool,
    /// What was compiled last, newest at the back.
    compiled: Mutex<VecDeque<Arc<Compiled>>>,
}

/// A module that was verified, compiled and probed under certain options.
struct Compiled {
    verified: VerifiedClaims,
    memory_bytes: u64,
    isolation: Isolation,
    module: Arc<Module>,
}

impl Compiled {
    fn new(record: &ActorRecord, verified: VerifiedClaims, actor: Actor) -> Arc<Self> {
        let module = Arc::new(Module {
            capabilities: verified.capabilities().iter().map(|one| by_our_name(one)).collect(),
            dialect: older::dialect_of(verified.capabilities(), actor.imports_from(OLDER_HOST)),
            actor,
        });
        let (memory_bytes, isolation) = (record.memory_bytes(), record.isolation);
        Arc::new(Self { verified, memory_bytes, isolation, module })
    }

    fn fits(&self, record: &ActorRecord) -> bool {
        *self.verified.digest() == record.digest
            && self.memory_bytes == record.memory_bytes()
            && self.isolation == record.isolation
    }
}

impl Loader {
    pub fn new(engine: Engine, registry: Registry, pool: CompilePool) -> Self {
        let inner = Inner {
            engine,
            registry,
            fetches: Semaphore::new(limits::FETCHES_MAX),
            finds: Semaphore::new(limits::CODE_READS_MAX),
            compilations: Semaphore::new(limits::COMPILATIONS_MAX),
            pool,
            compiled: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Returns whether compiled code is kept on disk.
    pub fn keeps_code(&self) -> bool {
        self.inner.engine.keeps_code()
    }

    /// Returns whether the module that `record` names can be had from disk.
    pub fn is_kept(&self, record: &ActorRecord) -> bool {
        self.inner.engine.is_kept(&record.digest, options_of(record))
    }

    /// Returns the module that `record` names, as soon as `haste` says.
    ///
    /// # Errors
    /// [`Refused`] when it can't be had, or must not be run.
    pub async fn module(&self, record: &ActorRecord, haste: Haste) -> Result<Arc<Module>, Refused> {
        if let Some(kept) = self.prepared(record) {
            // Its claims may have expired since.
            check_period(&kept.verified)?;
            agree(record, &kept.verified)?;
            return Ok(kept.module.clone());
        }
        if let Some(found) = self.find(record).await? {
            return Ok(found.module.clone());
        }
        Ok(self.compile(record, haste).await?.module.clone())
    }

    fn prepared(&self, record: &ActorRecord) -> Option<Arc<Compiled>> {
        self.kept().iter().find(|compiled| compiled.fits(record)).cloned()
    }

    /// Returns the module as it was kept on disk, when it was verified, compiled and probed before.
    async fn find(&self, record: &ActorRecord) -> Result<Option<Arc<Compiled>>, Refused> {
        if !self.keeps_code() {
            return Ok(None);
        }
        let place = self.inner.finds.acquire().await;
        let (engine, digest) = (self.inner.engine.clone(), record.digest.clone());
        let options = options_of(record);
        let found = tokio::task::spawn_blocking(move || engine.find(&digest, options)).await;
        drop(place);
        let found = found.map_err(|error| Refused::passing(error.to_string()))?;
        let Some(mesh_runtime::Compiled { actor, token }) = found else { return Ok(None) };
        let verified = claims::verify_again(&token, record.digest.clone(), now_s())?;
        agree(record, &verified)?;
        Ok(Some(Compiled::new(record, verified, actor)))
    }

    async fn compile(&self, record: &ActorRecord, haste: Haste) -> Result<Arc<Compiled>, Refused> {
        // However many records came at once, few modules are in memory before they are compiled.
        let fetching = self.inner.fetches.acquire().await;
        let fetch = self.inner.registry.module(&record.digest);
        let bound = Duration::from_millis(limits::FETCH_TIMEOUT_MS);
        let bytes = tokio::time::timeout(bound, fetch)
            .await
            .map_err(|_| Refused::passing("the module could not be fetched in time"))??;
        let place = self.inner.compilations.acquire().await;
        drop(fetching);
        let engine = self.inner.engine.clone();
        let options = options_of(record);
        let wanted = record.clone();
        let compile = self.inner.pool.run(haste, move || {
            let module = claims::verify(&bytes, now_s())?;
            agree(&wanted, &module)?;
            let actor =
                engine.compile(&module, options).map_err(|error| Refused::unusable(&error))?;
            Ok::<_, Refused>((VerifiedClaims::clone(&module), actor))
        });
        let (verified, actor) =
            compile.await.map_err(|error| Refused::passing(error.to_string()))??;
        drop(place);
        let probe =
            Arc::new(ProbeHost { name: record.name.to_string(), revision: record.revision });
        let deadline = Instant::now() + Duration::from_millis(limits::PROBE_TIMEOUT_MS);
        actor.probe(probe, deadline).await.map_err(|error| Refused::failed_probe(&error))?;
        let compiled = Compiled::new(record, verified, actor);
        let mut kept = self.kept();
        if kept.len() >= limits::COMPILED_KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(compiled.clone());
        Ok(compiled)
    }

    /// Forgets a module that must not be loaded again.
    pub fn forget(&self, digest: &Digest) {
        self.kept().retain(|compiled| compiled.verified.digest() != digest);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Compiled>>> {
        self.inner.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn options_of(record: &ActorRecord) -> ActorOptions {
    ActorOptions {
        memory_bytes: record.memory_bytes(),
        isolation: record.isolation,
        warm_instances_max: limits::WARM_INSTANCES_MAX,
    }
}

/// Checks that a record says of its module what the module says of itself.
fn agree(record: &ActorRecord, module: &VerifiedClaims) -> Result<(), Refused> {
    if record.key != *module.actor() {
        return Err(Refused::mismatch("actor", record.key.as_str(), module.actor().as_str()));
    }
    if record.issuer != *module.issuer() {
        return Err(Refused::mismatch("issuer", record.issuer.as_str(), module.issuer().as_str()));
    }
    // A name that no actor may bear can't be the record's either.
    let signed = module.name().parse::<ActorName>();
    if signed.is_ok_and(|signed| signed != record.name) {
        return Err(Refused::mismatch("name", record.name.as_str(), module.name()));
    }
    if record.revision != module.revision() {
        let (said, signed) = (record.revision.to_string(), module.revision().to_string());
        return Err(Refused::mismatch("revision", &said, &signed));
    }
    Ok(())
}

/// Returns the name of a capability in the mesh: those of earlier hosts had others.
fn by_our_name(capability: &str) -> String {
    older_contract(capability).unwrap_or(capability).to_owned()
}

fn check_period(module: &VerifiedClaims) -> Result<(), Refused> {
    claims::check_period(module.claims(), now_s()).map_err(Refused::from)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The host of a module that is only tried out: it may write to the log and nothing else.
struct ProbeHost {
    name: String,
    revision: u64,
}

impl Host for ProbeHost {
    fn call(&self, _call: HostCall) -> HostFuture<'_> {
        let refusal = Error::not_started(
            ErrorCode::Unauthorized,
            "a module may not make calls while it is initialised",
        );
        Box::pin(std::future::ready(Err(refusal)))
    }

    fn log(&self, source: LogSource, text: &str) {
        log_line(&self.name, self.revision, source, text);
    }
}
