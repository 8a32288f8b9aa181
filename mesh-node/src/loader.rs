//! From a record to a revision that can serve: fetch, verify, compile, probe.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lattice_client::registry::Registry;
use lattice_protocol::claims::{self, VerifiedModule};
use lattice_protocol::contract::older::contract_of as older_contract;
use lattice_protocol::names::{ActorName, Digest};
use lattice_protocol::record::{ActorRecord, Isolation};
use lattice_protocol::{Error, ErrorCode};
use mesh_runtime::{Actor, ActorOptions, Engine, Host, HostCall, HostFuture, LogSource};
use tokio::sync::Semaphore;

use crate::actor_host::{Admission, Revision};
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
    compilations: Semaphore,
    pool: CompilePool,
    /// What was compiled last, newest at the back.
    compiled: Mutex<VecDeque<Arc<Compiled>>>,
}

/// A module that was verified, compiled and probed under certain options.
struct Compiled {
    module: VerifiedModule,
    memory_bytes: u64,
    isolation: Isolation,
    actor: Actor,
}

impl Compiled {
    fn fits(&self, record: &ActorRecord) -> bool {
        *self.module.digest() == record.digest
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
            compilations: Semaphore::new(limits::COMPILATIONS_MAX),
            pool,
            compiled: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes the revision that `record` wants, in the place of `before`, which serves meanwhile; takes its places
    /// over where their number stays.
    pub async fn load(
        &self,
        record: &ActorRecord,
        before: Option<&Revision>,
    ) -> Result<Arc<Revision>, Refused> {
        let haste = if before.is_some() { Haste::Unhurried } else { Haste::Awaited };
        let compiled = self.compiled(record, haste).await?;
        let module = &compiled.module;
        let admission = match before {
            Some(before) if before.admission.size() == record.concurrency() => {
                before.admission.clone()
            }
            _ => Arc::new(Admission::new(record.concurrency())),
        };
        Ok(Arc::new(Revision {
            number: record.revision,
            digest: record.digest.clone(),
            name: record.name.clone(),
            issuer: module.issuer().clone(),
            capabilities: module.capabilities().iter().map(|one| by_our_name(one)).collect(),
            dialect: older::dialect_of(
                module.capabilities(),
                compiled.actor.imports_from(OLDER_HOST),
            ),
            timeout_max: record.limits.timeout_ms.map(|ms| Duration::from_millis(ms.into())),
            admission,
            // The next revision most likely does what the last one did.
            weight: before.map(|before| before.weight.clone()).unwrap_or_default(),
            actor: compiled.actor.clone(),
        }))
    }

    async fn compiled(&self, record: &ActorRecord, haste: Haste) -> Result<Arc<Compiled>, Refused> {
        let kept = self.kept().iter().find(|compiled| compiled.fits(record)).cloned();
        if let Some(compiled) = kept {
            // Its claims may have expired since.
            check_period(&compiled.module)?;
            agree(record, &compiled.module)?;
            return Ok(compiled);
        }
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
        let options = ActorOptions {
            memory_bytes: record.memory_bytes(),
            isolation: record.isolation,
            warm_instances_max: limits::WARM_INSTANCES_MAX,
        };
        let wanted = record.clone();
        let compile = self.inner.pool.run(haste, move || {
            let module = claims::verify(&bytes, now_s())?;
            agree(&wanted, &module)?;
            let actor =
                engine.compile(&module, options).map_err(|error| Refused::unusable(&error))?;
            Ok::<_, Refused>((module, actor))
        });
        let (module, actor) =
            compile.await.map_err(|error| Refused::passing(error.to_string()))??;
        drop(place);
        let probe =
            Arc::new(ProbeHost { name: record.name.to_string(), revision: record.revision });
        let deadline = Instant::now() + Duration::from_millis(limits::PROBE_TIMEOUT_MS);
        actor.probe(probe, deadline).await.map_err(|error| Refused::failed_probe(&error))?;
        let compiled = Arc::new(Compiled {
            module,
            memory_bytes: record.memory_bytes(),
            isolation: record.isolation,
            actor,
        });
        let mut kept = self.kept();
        if kept.len() >= limits::COMPILED_KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(compiled.clone());
        Ok(compiled)
    }

    /// Forgets a module that must not be loaded again.
    pub fn forget(&self, digest: &Digest) {
        self.kept().retain(|compiled| compiled.module.digest() != digest);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Compiled>>> {
        self.inner.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks that a record says of its module what the module says of itself.
fn agree(record: &ActorRecord, module: &VerifiedModule) -> Result<(), Refused> {
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

fn check_period(module: &VerifiedModule) -> Result<(), Refused> {
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
