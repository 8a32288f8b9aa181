//! One connection through the proxy.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::conditions::{Conditions, Cut, Direction, Flow};
use super::pace::Pace;
use super::{PRECISE_MAX, READ_BYTES, UNDER_WAY_MAX};

/// What arrived, or the end.
type Arrived = (Instant, Option<Vec<u8>>);

/// Makes a connection end by a reset when it is dropped.
pub(super) fn reset(stream: &TcpStream) {
    // A connection that has ended by itself needs no reset.
    let _ = stream.set_zero_linger();
}

/// Carries bytes both ways until either side ends, or the connection is cut.
pub(super) async fn run(near: TcpStream, to: SocketAddr, conditions: watch::Receiver<Conditions>) {
    let cuts = conditions.borrow().cuts;
    let Ok(far) = TcpStream::connect(to).await else { return reset(&near) };
    // What waits to be filled up would add a delay of its own.
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let lost = Lost::default();
    let there = Way { direction: Direction::There, lost: &lost, conditions: conditions.clone() };
    let back = Way { direction: Direction::Back, lost: &lost, conditions: conditions.clone() };
    // What says how both sides end, whoever holds the halves meanwhile.
    let mut halves = (near_read, far_write, far_read, near_write);
    let how = {
        let (near_read, far_write, far_read, near_write) =
            (&mut halves.0, &mut halves.1, &mut halves.2, &mut halves.3);
        tokio::select! {
            () = there.carry(near_read, far_write) => Cut::Close,
            () = back.carry(far_read, near_write) => Cut::Close,
            how = ended(conditions, cuts, &lost) => how,
        }
    };
    if how == Cut::Reset {
        let (near_read, far_write, far_read, near_write) = halves;
        reset(near_read.as_ref());
        reset(far_read.as_ref());
        // Dropped otherwise, these would say an end in order first.
        near_write.forget();
        far_write.forget();
    }
}

/// Whether bytes of a direction were swallowed.
#[derive(Default)]
struct Lost {
    there: AtomicBool,
    back: AtomicBool,
}

impl Lost {
    fn of(&self, direction: Direction) -> &AtomicBool {
        match direction {
            Direction::There => &self.there,
            Direction::Back => &self.back,
        }
    }
}

/// Waits until the connection is cut, or healed after it swallowed bytes.
async fn ended(mut conditions: watch::Receiver<Conditions>, cuts: u64, lost: &Lost) -> Cut {
    let over = conditions.wait_for(|now| {
        now.cuts != cuts
            || Direction::BOTH.into_iter().any(|direction| {
                lost.of(direction).load(Ordering::SeqCst) && now.flow(direction) != Flow::Swallowed
            })
    });
    match over.await {
        Ok(now) if now.cuts != cuts => now.how,
        _ => Cut::Reset,
    }
}

/// One direction of a connection.
struct Way<'a> {
    direction: Direction,
    lost: &'a Lost,
    conditions: watch::Receiver<Conditions>,
}

impl Way<'_> {
    async fn carry(self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) {
        let (sender, receiver) = mpsc::channel(UNDER_WAY_MAX);
        tokio::select! {
            // It ends only with whoever it delivers to.
            () = async { receive(from, sender).await; std::future::pending().await } => {}
            () = self.deliver(to, receiver) => {}
        }
    }

    async fn deliver(mut self, to: &mut OwnedWriteHalf, mut under_way: mpsc::Receiver<Arrived>) {
        let mut pace = Pace::default();
        while let Some((at, bytes)) = under_way.recv().await {
            let length = bytes.as_ref().map_or(0, Vec::len);
            let departs = {
                let now = self.conditions.borrow_and_update();
                let share = if now.jitter > Duration::ZERO { rand::random::<f64>() } else { 0.0 };
                pace.departs(at, length, &now, share)
            };
            wait_until(departs).await;
            let direction = self.direction;
            let flow = match self.conditions.wait_for(|now| now.flow(direction) != Flow::Held).await
            {
                Ok(now) => now.flow(direction),
                // The proxy is gone.
                Err(_) => return,
            };
            let lost = self.lost.of(direction);
            if flow == Flow::Swallowed {
                lost.store(true, Ordering::SeqCst);
                continue;
            }
            // Healed: what follows a hole makes no sense, and the link is about to be reset.
            if lost.load(Ordering::SeqCst) {
                return std::future::pending::<()>().await;
            }
            let Some(bytes) = bytes else { return };
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The end was swallowed.
        std::future::pending::<()>().await;
    }
}

/// Waits until `departs`, and hardly longer: the timers of the runtime count whole milliseconds, and even
/// what is over already ends with the next of them.
async fn wait_until(departs: Instant) {
    let left = departs.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return;
    }
    if left > PRECISE_MAX {
        sleep_until(departs - PRECISE_MAX / 2).await;
    }
    // It fails only when the runtime ends, and this with it.
    let _ = tokio::task::spawn_blocking(move || {
        std::thread::sleep(departs.saturating_duration_since(Instant::now()));
    })
    .await;
}

async fn receive(from: &mut OwnedReadHalf, under_way: mpsc::Sender<Arrived>) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => None,
            Ok(read) => buffer.get(..read).map(<[u8]>::to_vec),
        };
        let end = read.is_none();
        if under_way.send((Instant::now(), read)).await.is_err() || end {
            return;
        }
    }
}
