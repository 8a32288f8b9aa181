//! Native tests of an actor's logic, with a lattice of your choice around it.
//!
//! ```
//! use mesh_actor::prelude::*;
//! use mesh_actor::testing::Lattice;
//!
//! struct Counter;
//!
//! #[actor]
//! impl Counter {
//!     #[operation]
//!     fn count(key: String) -> Result<i64> {
//!         log::debug!("counting {key}");
//!         Target::contract("mesh:keyvalue").call("increment", &key)
//!     }
//! }
//!
//! let lattice = Lattice::new().answer("mesh:keyvalue", |_operation, _key: String| Ok(42));
//! assert_eq!(lattice.run(|| Counter::count("visits".to_owned())), Ok(42));
//! assert_eq!(lattice.calls(), ["default/mesh:keyvalue/increment"]);
//! assert_eq!(lattice.log(), ["DEBUG: counting visits"]);
//! ```

mod keyvalue;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::limits::HOPS_MAX;
use crate::{Actor, Error, ErrorCode, FromPayload, HostError, Result, ToPayload, console};

pub use keyvalue::KeyValue;

type Handler = dyn Fn(&str, Vec<u8>) -> Result<Vec<u8>>;

thread_local! {
    /// The lattice around the code that this thread runs.
    static AROUND: RefCell<Option<Lattice>> = const { RefCell::new(None) };
}

/// What the host calls of an actor reach in a native test. A clone is the same lattice.
#[derive(Clone, Default)]
pub struct Lattice(Rc<State>);

#[derive(Default)]
struct State {
    targets: RefCell<HashMap<String, Rc<Handler>>>,
    calls: RefCell<Vec<String>>,
    log: RefCell<Vec<String>>,
    hops: Cell<u8>,
}

impl Lattice {
    /// Returns a lattice that nobody is on.
    pub fn new() -> Self {
        console::init();
        Self::default()
    }

    /// Puts a real actor on the lattice, under a name or a key.
    #[must_use]
    pub fn actor<A: Actor + 'static>(self, namespace: &str) -> Self {
        self.insert(namespace, A::handle)
    }

    /// Lets a function answer every operation of a namespace: a contract, a name or a key.
    #[must_use]
    pub fn answer<Req: FromPayload, Resp: ToPayload>(
        self,
        namespace: &str,
        answer: impl Fn(&str, Req) -> Result<Resp> + 'static,
    ) -> Self {
        self.insert(namespace, move |operation, payload| {
            answer(operation, Req::from_payload(payload)?)?.into_payload()
        })
    }

    /// Lets every operation of a namespace fail as the host, or a provider, would.
    #[must_use]
    pub fn refuse(self, namespace: &str, error: HostError) -> Self {
        self.insert(namespace, move |_, _| Err(error.clone().into()))
    }

    fn insert(
        self,
        namespace: &str,
        handler: impl Fn(&str, Vec<u8>) -> Result<Vec<u8>> + 'static,
    ) -> Self {
        self.0.targets.borrow_mut().insert(namespace.to_owned(), Rc::new(handler));
        self
    }

    /// Runs `code` on this lattice and returns what it returned.
    pub fn run<T>(&self, code: impl FnOnce() -> T) -> T {
        /// Puts back what was around, after a panic too.
        struct Restore(Option<Lattice>);
        impl Drop for Restore {
            fn drop(&mut self) {
                AROUND.set(self.0.take());
            }
        }
        let _restore = Restore(AROUND.replace(Some(self.clone())));
        code()
    }

    /// Returns the host calls so far, each as `link/namespace/operation`.
    pub fn calls(&self) -> Vec<String> {
        self.0.calls.borrow().clone()
    }

    /// Returns the lines of log so far, each as `LEVEL: text`.
    pub fn log(&self) -> Vec<String> {
        self.0.log.borrow().clone()
    }

    fn call(
        &self,
        link: &str,
        namespace: &str,
        operation: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, HostError> {
        self.0.calls.borrow_mut().push(format!("{link}/{namespace}/{operation}"));
        let target = self.0.targets.borrow().get(namespace).cloned();
        let target = target.ok_or_else(|| HostError {
            code: ErrorCode::NotFound,
            message: format!("nothing serves `{namespace}`"),
        })?;
        let hops = self.0.hops.get();
        if hops >= HOPS_MAX {
            let message = format!("more than {HOPS_MAX} calls follow from one another");
            return Err(HostError { code: ErrorCode::LimitExceeded, message });
        }
        self.0.hops.set(hops + 1);
        let result = target(operation, payload.to_vec());
        self.0.hops.set(hops);
        result.map_err(|error| match error {
            // A provider's error has its code; that of another actor is a text.
            Error::Host(error) if namespace.contains(':') => error,
            error => HostError { code: ErrorCode::ActorError, message: error.to_string() },
        })
    }
}

pub(crate) fn host_call(
    link: &str,
    namespace: &str,
    operation: &str,
    payload: &[u8],
) -> Result<Vec<u8>, String> {
    let Some(lattice) = AROUND.with_borrow(Clone::clone) else {
        return Err(
            "internal: no lattice around this test: use mesh_actor::testing::Lattice".into()
        );
    };
    lattice.call(link, namespace, operation, payload).map_err(|error| error.to_string())
}

pub(crate) fn log_line(text: &str) {
    AROUND.with_borrow(|around| match around {
        Some(lattice) => lattice.0.log.borrow_mut().push(text.to_owned()),
        None => eprintln!("{text}"),
    });
}
