//! A link with a delay: a TCP proxy that hands every byte on after a fixed time.
//!
//! Loopback is so fast that what is lost on real links is never lost there.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// Reads of one direction that may be under way; then the sender waits.
const UNDER_WAY_MAX: usize = 4_096;

/// A proxy that runs until it is dropped.
pub struct DelayProxy {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl DelayProxy {
    /// Listens on a free port of loopback and hands what comes on to `to`, each way after
    /// `one_way`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(to: SocketAddr, one_way: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, to, one_way));
        Ok(Self { address, _tasks: tasks })
    }

    /// Returns the URL for NATS clients.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, one_way: Duration) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            Ok((near, _)) = listener.accept() => { links.spawn(link(near, to, one_way)); }
            Some(_) = links.join_next() => {}
        }
    }
}

async fn link(near: TcpStream, to: SocketAddr, one_way: Duration) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    // What waits to be filled up would add a delay of its own.
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        () = carry(near_read, far_write, one_way) => {}
        () = carry(far_read, near_write, one_way) => {}
    }
}

/// Carries bytes one way; ends with either side.
async fn carry(from: OwnedReadHalf, to: OwnedWriteHalf, one_way: Duration) {
    let (sender, receiver) = mpsc::channel(UNDER_WAY_MAX);
    tokio::join!(receive(from, sender, one_way), deliver(to, receiver));
}

async fn receive(
    mut from: OwnedReadHalf,
    under_way: mpsc::Sender<(Instant, Vec<u8>)>,
    one_way: Duration,
) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => buffer.get(..read).unwrap_or_default().to_vec(),
        };
        if under_way.send((Instant::now() + one_way, read)).await.is_err() {
            return;
        }
    }
}

async fn deliver(mut to: OwnedWriteHalf, mut under_way: mpsc::Receiver<(Instant, Vec<u8>)>) {
    while let Some((at, bytes)) = under_way.recv().await {
        sleep_until(at).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
