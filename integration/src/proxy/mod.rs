//! A link that misbehaves as it is told: a TCP proxy between any two parties, whose delay,
//! bandwidth and faults are changed while bytes flow.
//!
//! Loopback is so fast, and so faithful, that what is lost on real links is never lost there.

mod conditions;
mod link;
mod pace;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use conditions::Conditions;
pub use conditions::{Cut, Direction, Flow};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// Reads of one direction that may be under way; then the sender waits.
const UNDER_WAY_MAX: usize = 4_096;
/// The last part of a delay is kept to a fraction of a millisecond, by a thread that sleeps: at most so much.
const PRECISE_MAX: Duration = Duration::from_millis(5);

/// A proxy that runs until it is dropped.
///
/// It begins faithful. A cut strikes the connections that there are; everything else holds for
/// those too that are made later, until [`heal`](Self::heal).
pub struct FaultProxy {
    address: SocketAddr,
    conditions: watch::Sender<Conditions>,
    counts: Arc<Counts>,
    _tasks: JoinSet<()>,
}

/// What a proxy has seen.
#[derive(Default)]
struct Counts {
    /// Connections that are open.
    open: AtomicUsize,
    /// Connections that were made since the start.
    made: AtomicU64,
    /// Connections that were refused since the start.
    refused: AtomicU64,
}

impl FaultProxy {
    /// Listens on a free port of loopback and hands what comes on to `to`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (conditions, seen) = watch::channel(Conditions::default());
        let counts = Arc::<Counts>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, to, seen, counts.clone()));
        Ok(Self { address, conditions, counts, _tasks: tasks })
    }

    /// Returns the URL for NATS clients.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Returns the address to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands every byte on `one_way` later, in either direction.
    pub fn delay(&self, one_way: Duration) {
        self.conditions.send_modify(|now| now.delay = one_way);
    }

    /// Adds to the delay up to `most`, another time for each read; bytes never overtake others.
    pub fn jitter(&self, most: Duration) {
        self.conditions.send_modify(|now| now.jitter = most);
    }

    /// Hands on at most so many bytes a second in each direction; as many as come where `None`.
    pub fn bandwidth(&self, bytes_per_second: Option<u64>) {
        self.conditions.send_modify(|now| now.bytes_per_second = bytes_per_second);
    }

    /// Changes what becomes of the bytes of one direction: [`Flow::Held`] or [`Flow::Swallowed`]
    /// in both is a partition that nobody is told of, in one of them a half-open connection.
    pub fn flow(&self, direction: Direction, flow: Flow) {
        self.conditions.send_modify(|now| *now.flow_mut(direction) = flow);
    }

    /// Ends every connection that there is. New ones can be made, unless they are refused.
    pub fn cut(&self, how: Cut) {
        self.conditions.send_modify(|now| {
            now.cuts += 1;
            now.how = how;
        });
    }

    /// Refuses new connections (by a reset, once they were made) until healed.
    pub fn refuse(&self) {
        self.conditions.send_modify(|now| now.refusing = true);
    }

    /// Ends stalls, swallowing and refusals; delay, jitter and bandwidth stay. What was held goes
    /// on. A connection that swallowed bytes is reset: what would follow makes no sense any more.
    pub fn heal(&self) {
        self.conditions.send_modify(|now| {
            now.refusing = false;
            for direction in Direction::BOTH {
                *now.flow_mut(direction) = Flow::On;
            }
        });
    }

    /// Returns how many connections are open.
    pub fn open(&self) -> usize {
        self.counts.open.load(Ordering::SeqCst)
    }

    /// Returns how many connections were made since the start.
    pub fn made(&self) -> u64 {
        self.counts.made.load(Ordering::SeqCst)
    }

    /// Returns how many connections were refused since the start.
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Ordering::SeqCst)
    }
}

async fn accept(
    listener: TcpListener,
    to: SocketAddr,
    conditions: watch::Receiver<Conditions>,
    counts: Arc<Counts>,
) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            Ok((near, _)) = listener.accept() => {
                if conditions.borrow().refusing {
                    counts.refused.fetch_add(1, Ordering::SeqCst);
                    link::reset(&near);
                } else {
                    counts.made.fetch_add(1, Ordering::SeqCst);
                    links.spawn(open(near, to, conditions.clone(), counts.clone()));
                }
            }
            Some(_) = links.join_next() => {}
        }
    }
}

/// Counts a link for as long as it is open.
async fn open(
    near: tokio::net::TcpStream,
    to: SocketAddr,
    conditions: watch::Receiver<Conditions>,
    counts: Arc<Counts>,
) {
    counts.open.fetch_add(1, Ordering::SeqCst);
    let _open = Open(&counts);
    link::run(near, to, conditions).await;
}

struct Open<'a>(&'a Counts);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
