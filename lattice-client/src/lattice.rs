//! The handle of a lattice: one connection, one inbox, and who waits on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{Event, jetstream};
use lattice_protocol::names::LatticeName;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{LastLook, Looker, Paces, RetryBudget, Served, Watching, watching};
use crate::connect::{ConnectError, ConnectOptions};
use crate::later::Later;
use crate::limits;
use crate::mux::Mux;
use crate::pulse::{Hearing, Pulse};
use crate::under_way::UnderWay;

/// Whether NATS can be reached now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Whether it can; where not, the client tries again by itself.
    pub up: bool,
    /// How often it was connected: grows with each connection that is made, and when nothing came
    /// through one for a while ([`limits::PULSE_GAP_MS`]) and then something did.
    pub count: u64,
    /// Since when it can, or can't.
    pub since: Option<Instant>,
    /// How often it was lost.
    pub losses: u64,
}

impl Connection {
    /// Takes in that NATS can be reached now; returns how long it could not before, where it was lost.
    fn made(&mut self, now: Instant) -> Option<Duration> {
        self.count += 1;
        if std::mem::replace(&mut self.up, true) {
            return None;
        }
        let lost = self.since.replace(now)?;
        Some(now.saturating_duration_since(lost))
    }

    /// Takes in that NATS can't be reached any more; returns whether that is news.
    fn lost(&mut self, now: Instant) -> bool {
        if !std::mem::replace(&mut self.up, false) {
            return false;
        }
        self.since = Some(now);
        self.losses += 1;
        true
    }
}

/// A lattice that this program has joined. Cheap to clone; [`Lattice::close`] ends all clones.
#[derive(Clone)]
pub struct Lattice {
    inner: Arc<Inner>,
}

struct Inner {
    name: LatticeName,
    nats: async_nats::Client,
    jetstream: jetstream::Context,
    mux: Mux,
    retries: RetryBudget,
    last_look: LastLook,
    paces: Paces,
    watching: Watching,
    under_way: Arc<UnderWay>,
    served: Served,
    later: Later,
    connection: watch::Receiver<Connection>,
    pulse: Arc<Pulse>,
    complaint: Complaint,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What the server complained of last.
type Complaint = Arc<Mutex<Option<String>>>;

impl Lattice {
    /// Connects to NATS and joins a lattice.
    ///
    /// # Errors
    /// [`ConnectError`] when no server answers within [`limits::CONNECT_TIMEOUT_MS`], or it refuses.
    pub async fn connect(options: ConnectOptions) -> Result<Self, ConnectError> {
        let name = options.lattice_name();
        let (state, connection) = watch::channel(Connection::default());
        // The inbox is made before the connection, whose events must reach those who wait on it.
        let inbox = format!(
            "{}.{}",
            lattice_protocol::subjects::inbox_prefix(&name),
            uuid::Uuid::now_v7().simple()
        );
        let (mux, outgoing) = Mux::new(&inbox);
        let (watched, events) = (mux.clone(), state.clone());
        let complaint = Complaint::default();
        let heard = complaint.clone();
        let nats_options = options.nats().await?.event_callback(move |event| {
            if let Event::ServerError(error) = &event {
                *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
            on_event(&event, &events, &watched);
            std::future::ready(())
        });
        let nats = nats_options
            .connect(options.addresses()?)
            .await
            .map_err(|error| ConnectError::from_nats(&options.servers, &error))?;
        let jetstream = jetstream::new(nats.clone());
        let lost =
            |cause: String| ConnectError::NoServer { servers: options.servers.clone(), cause };
        let replies =
            nats.subscribe(mux.subject()).await.map_err(|error| lost(error.to_string()))?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        tasks.spawn(mux.clone().run(replies, stop.clone()));
        tasks.spawn(mux.clone().send_all(outgoing, nats.clone(), stop.clone()));
        let pulse = Pulse::new();
        tasks.spawn(pulse.clone().run(mux.clone(), nats.clone(), state, stop.clone()));
        let (watching, wanted) = watching();
        let looker = Looker {
            nats: nats.clone(),
            lattice: name.clone(),
            inbox: mux.prefix().to_owned(),
            connection: connection.clone(),
        };
        tasks.spawn(looker.run(wanted, stop.clone()));
        let inner = Inner {
            name,
            nats,
            jetstream,
            mux,
            retries: RetryBudget::default(),
            last_look: LastLook::default(),
            paces: Paces::default(),
            watching,
            under_way: UnderWay::new(),
            served: Served::default(),
            later: Later::default(),
            connection,
            pulse,
            complaint,
            tasks,
            stop,
        };
        let lattice = Self { inner: Arc::new(inner) };
        // A server that refuses the inbox would leave every call to its time-out: ask now.
        let bound = Duration::from_millis(limits::CONNECT_TIMEOUT_MS);
        match tokio::time::timeout(bound, lattice.inner.mux.fence(lattice.nats())).await {
            Ok(Ok(())) => Ok(lattice),
            _ => {
                lattice.close().await;
                Err(ConnectError::Denied {
                    servers: options.servers,
                    cause: format!("no message comes back on the inbox {inbox}.*"),
                })
            }
        }
    }

    /// Returns the lattice's name.
    pub fn name(&self) -> &LatticeName {
        &self.inner.name
    }

    /// Returns the connection beneath, for what this crate does not wrap.
    pub fn nats(&self) -> &async_nats::Client {
        &self.inner.nats
    }

    /// Returns JetStream on the same connection.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    /// Returns a receiver that always knows whether NATS can be reached.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.inner.connection.clone()
    }

    /// Returns what tells whether messages are read as they are sent, once this client serves.
    pub fn hearing(&self) -> Hearing {
        Hearing::new(self.inner.pulse.clone())
    }

    /// Returns what the server complained of last, such as a permission that this client lacks:
    /// NATS tells nothing more to whoever waits for an answer.
    pub fn complaint(&self) -> Option<String> {
        self.inner.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how many calls of this client wait for their replies.
    pub fn pending_calls(&self) -> usize {
        self.inner.mux.pending()
    }

    /// Returns when everything published so far has been processed by the server, and everything
    /// that the server had sent before has been read.
    ///
    /// Returns whether that happened within [`limits::FENCE_TIMEOUT_MS`].
    pub async fn fence(&self) -> bool {
        let bound = Duration::from_millis(limits::FENCE_TIMEOUT_MS);
        let fence = self.inner.mux.fence(self.nats());
        matches!(tokio::time::timeout(bound, fence).await, Ok(Ok(())))
    }

    /// Leaves: what was published is sent, the connection ends. Calls that still wait fail.
    pub async fn close(&self) {
        let bound = Duration::from_millis(limits::FENCE_TIMEOUT_MS);
        // Best effort by intent: a server that is gone needs no goodbye.
        let _ = tokio::time::timeout(bound, self.inner.nats.flush()).await;
        self.inner.stop.cancel();
        self.inner.tasks.close();
        let _ = tokio::time::timeout(bound, self.inner.tasks.wait()).await;
        let _ = tokio::time::timeout(bound, self.inner.nats.drain()).await;
        self.inner.mux.connection_lost();
    }

    /// Returns what tells how old messages are that are read from now on.
    pub(crate) fn pulse(&self) -> Arc<Pulse> {
        self.inner.pulse.begin();
        self.inner.pulse.clone()
    }

    pub(crate) fn later(&self) -> &Later {
        &self.inner.later
    }

    /// Returns what counts the tasks that end before the connection does.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    pub(crate) fn mux(&self) -> &Mux {
        &self.inner.mux
    }

    pub(crate) fn last_look(&self) -> &LastLook {
        &self.inner.last_look
    }

    pub(crate) fn paces(&self) -> &Paces {
        &self.inner.paces
    }

    pub(crate) fn watching(&self) -> &Watching {
        &self.inner.watching
    }

    pub(crate) fn under_way(&self) -> &Arc<UnderWay> {
        &self.inner.under_way
    }

    pub(crate) fn served(&self) -> &Served {
        &self.inner.served
    }

    /// Returns the retries that all calls share.
    pub(crate) fn retries(&self) -> &RetryBudget {
        &self.inner.retries
    }
}

fn on_event(event: &Event, state: &watch::Sender<Connection>, mux: &Mux) {
    match event {
        Event::Connected => {
            let mut away = None;
            state.send_modify(|connection| away = connection.made(Instant::now()));
            match away {
                Some(away) => tracing::info!(away_ms = away.as_millis(), "NATS is back"),
                None => tracing::info!("connected to NATS"),
            }
        }
        Event::Disconnected | Event::Closed => {
            let mut news = false;
            state.send_modify(|connection| news = connection.lost(Instant::now()));
            mux.connection_lost();
            if news {
                tracing::warn!("NATS can't be reached; trying again");
            }
        }
        Event::SlowConsumer(sid) => {
            tracing::error!(sid, "messages were dropped: a subscription is not read fast enough");
        }
        Event::LameDuckMode => tracing::info!("the NATS server is about to leave"),
        Event::ServerError(error) => tracing::warn!(%error, "the NATS server complains"),
        // Each attempt to connect again: that NATS is away was told already.
        Event::ClientError(error) if !state.borrow().up => {
            tracing::debug!(%error, "the NATS client complains");
        }
        Event::ClientError(error) => tracing::warn!(%error, "the NATS client complains"),
        Event::Draining => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_and_a_return_are_told_once_each() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut connection = Connection::default();
        assert_eq!(connection.made(at(0)), None, "the first connection is no return");
        assert!(connection.lost(at(100)));
        assert!(!connection.lost(at(200)), "it was lost already");
        assert_eq!((connection.up, connection.since, connection.losses), (false, Some(at(100)), 1));
        assert_eq!(connection.made(at(350)), Some(Duration::from_millis(250)));
        assert_eq!((connection.up, connection.since, connection.count), (true, Some(at(350)), 2));
        assert_eq!(connection.made(at(400)), None, "it was up already");
        assert_eq!(connection.since, Some(at(350)));
    }
}
