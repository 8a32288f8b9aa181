//! Makes an instance that has run a call as it was before it: fresh memory for the next call, without a new
//! instance.
//!
//! To make an instance and to take it apart costs more than most calls do. What differs from a fresh one after a
//! call are the pages that were written and the values of globals. Pages that were written once are put back after
//! each call, whether that wrote them again or not; which there are is looked at only when a thread that ran the
//! call had a fault, since no other page can have been written without one (`pages.rs`). What they held is taken
//! from an instance that ran nothing.
//!
//! An instance is not used again when its memory grew, when a call failed in it, or when many pages were written.
//! Modules with state elsewhere are not rewound at all (`globals.rs`).

mod globals;
#[cfg(target_os = "linux")]
mod pages;
#[cfg(not(target_os = "linux"))]
#[path = "untold.rs"]
mod pages;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::{Global, Instance, Memory, Module, ModuleExport, Store, Val};

pub(crate) use globals::exported;
pub(crate) use pages::Pages;

use crate::limits::{REWIND_MEMORY_BYTES_MAX, REWIND_PAGES_MAX};
use crate::state::State;

/// A page of memory as it is in an instance that ran nothing, and where.
#[derive(Clone)]
struct Page {
    at: usize,
    held: Arc<[u8]>,
}

/// What all instances of an actor have in common that are rewound.
pub(crate) struct Rewind {
    pages: Arc<Pages>,
    globals: Vec<ModuleExport>,
    /// Pages that were written in some instance, as they were before.
    held: Mutex<HashMap<usize, Arc<[u8]>>>,
}

impl Rewind {
    /// Returns what rewinds instances of `module`, which was made by [`exported`] with so many globals.
    pub(crate) fn of(module: &Module, globals: u8, pages: &Arc<Pages>) -> Option<Self> {
        let globals = (0..globals).map(|number| module.get_export_index(&globals::name(number)));
        let globals = globals.collect::<Option<_>>()?;
        Some(Self { pages: pages.clone(), globals, held: Mutex::default() })
    }

    /// Notes the state of an instance that ran nothing yet; nothing where it can't be put back.
    pub(crate) fn note(&self, store: &mut Store<State>, instance: &Instance) -> Option<Fresh> {
        let memory = store.data().memory?;
        let bytes = memory.data_size(&*store);
        if bytes > REWIND_MEMORY_BYTES_MAX {
            return None;
        }
        let globals = self.globals.iter().map(|export| {
            let global = instance.get_module_export(&mut *store, export)?.into_global()?;
            let value = global.get(&mut *store);
            Some((global, value))
        });
        let globals = globals.collect::<Option<_>>()?;
        // Pages may be there already that no fault told of: the first look finds them.
        Some(Fresh { memory, bytes, globals, written: Vec::new(), faulted: true })
    }

    /// Puts an instance back to what it was when `fresh` was noted. `twin` makes another that ran nothing.
    /// Returns whether that could be done; if not, the instance must not be used again.
    pub(crate) async fn rewind(
        &self,
        store: &mut Store<State>,
        fresh: &mut Fresh,
        twin: impl AsyncFnOnce() -> Option<(Store<State>, Memory)>,
    ) -> bool {
        if fresh.memory.data_size(&*store) != fresh.bytes {
            return false;
        }
        if fresh.faulted {
            let Ok(written) = self.pages.written(fresh.memory.data(&*store)) else { return false };
            if written.len() > REWIND_PAGES_MAX || !self.hold(&written, twin).await {
                return false;
            }
            let held = self.held();
            let page = |at: usize| held.get(&at).map(|held| Page { at, held: held.clone() });
            let Some(written) = written.into_iter().map(page).collect() else { return false };
            drop(held);
            fresh.written = written;
            fresh.faulted = false;
        }
        fresh.put_back(store)
    }

    /// Sees to it that it is known what the pages at `written` hold in an instance that ran nothing.
    async fn hold(
        &self,
        written: &[usize],
        twin: impl AsyncFnOnce() -> Option<(Store<State>, Memory)>,
    ) -> bool {
        let unknown: Vec<usize> = {
            let held = self.held();
            written.iter().copied().filter(|at| !held.contains_key(at)).collect()
        };
        if unknown.is_empty() {
            return true;
        }
        let Some((store, memory)) = twin().await else { return false };
        let bytes = memory.data(&store);
        let mut held = self.held();
        for at in unknown {
            let end = bytes.len().min(at + self.pages.size());
            let Some(page) = bytes.get(at..end) else { return false };
            held.insert(at, page.into());
        }
        true
    }

    fn held(&self) -> MutexGuard<'_, HashMap<usize, Arc<[u8]>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an instance was before its first call, as far as it may differ now.
pub(crate) struct Fresh {
    memory: Memory,
    /// Length of the memory.
    bytes: usize,
    globals: Vec<(Global, Val)>,
    /// All pages that were written, since the last look at the latest.
    written: Vec<Page>,
    /// Whether others may have been written.
    faulted: bool,
}

impl Fresh {
    /// Runs `work`, which may write to the instance, and notes whether it may have written to other pages than
    /// are known.
    pub(crate) async fn watching<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            let before = pages::faults();
            let polled = work.as_mut().poll(context);
            self.faulted |= before.is_none() || before != pages::faults();
            polled
        })
        .await
    }

    fn put_back(&self, store: &mut Store<State>) -> bool {
        let memory = self.memory.data_mut(&mut *store);
        for Page { at, held } in &self.written {
            let Some(page) = memory.get_mut(*at..*at + held.len()) else { return false };
            page.copy_from_slice(held);
        }
        // Refused is only a value of another type than the global's.
        self.globals.iter().all(|(global, value)| global.set(&mut *store, *value).is_ok())
    }
}
