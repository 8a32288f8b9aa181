//! A revision of an actor, with its places; its module may be in memory, or be brought in by a call.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lattice_protocol::names::{ActorName, Digest};

use super::Admission;
use crate::compute::Weight;
use crate::lattice_view::Wanted;
use crate::modules::Bringing;
use crate::older::Dialect;
use crate::plan::Serving;

/// A revision. Calls hold it while they run, so that a swap disturbs none.
pub(crate) struct Revision {
    /// Its record. What it says of the module is believed only when the module says the same.
    pub wanted: Arc<Wanted>,
    pub admission: Arc<Admission>,
    /// What its calls compute.
    pub weight: Arc<Weight>,
    /// Its module, while that is in memory: [`Modules`](crate::modules::Modules) puts it here, and takes it away.
    pub module: ArcSwapOption<Module>,
    /// When it was called last, in seconds since the node's start.
    pub used: AtomicU32,
    bringing: Mutex<Option<Bringing>>,
}

/// A module that was verified and compiled. Calls hold it while they run.
pub(crate) struct Module {
    /// What it was signed to use, by the names that the mesh has for it.
    pub capabilities: Vec<String>,
    /// How it wants to be called, where it speaks the contracts of earlier hosts.
    pub dialect: Option<Dialect>,
    pub actor: mesh_runtime::Actor,
}

impl Revision {
    /// Makes the revision that a record wants, in the place of `before`: takes its places over where their number
    /// stays.
    pub fn new(wanted: Arc<Wanted>, before: Option<&Revision>) -> Self {
        let concurrency = wanted.record.concurrency();
        let admission = match before {
            Some(before) if before.admission.size() == concurrency => before.admission.clone(),
            _ => Arc::new(Admission::new(concurrency)),
        };
        Self {
            wanted,
            admission,
            // The next revision most likely does what the last one did.
            weight: before.map(|before| before.weight.clone()).unwrap_or_default(),
            module: ArcSwapOption::empty(),
            used: AtomicU32::new(0),
            bringing: Mutex::default(),
        }
    }

    pub fn number(&self) -> u64 {
        self.wanted.record.revision
    }

    pub fn digest(&self) -> &Digest {
        &self.wanted.record.digest
    }

    pub fn name(&self) -> &ActorName {
        &self.wanted.record.name
    }

    /// Returns the longest that a call of it may take, where its record says so.
    pub fn timeout_max(&self) -> Option<Duration> {
        self.wanted.record.limits.timeout_ms.map(|ms| Duration::from_millis(ms.into()))
    }

    /// Returns its module on its way, where it is.
    pub fn bringing(&self) -> MutexGuard<'_, Option<Bringing>> {
        self.bringing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what decisions need to know of it. A module that another issuer signed than its record says is never
    /// run.
    pub fn serving(&self) -> Serving {
        let record = &self.wanted.record;
        let (issuer, digest) = (record.issuer.clone(), record.digest.clone());
        Serving { revision: record.revision, issuer, digest }
    }
}
