//! WASI's `poll_oneoff`: how guests sleep. It never blocks a thread, and never past the deadline.

use std::time::{Duration, Instant};

use wasmtime::{Caller, Linker};

use super::{Version, errno, system};
use crate::abi::memory::{self, GuestMemory, unsigned};
use crate::fault::Fault;
use crate::limits::WASI_SUBSCRIPTIONS_MAX;
use crate::state::State;
use crate::turn;

const IMPORT: &str = "poll_oneoff";
const EVENT_BYTES: u32 = 32;
const TAG_CLOCK: u8 = 0;
const TAG_FD_WRITE: u8 = 2;
/// Set in a clock's flags when its time is a date and not a duration.
const ABSOLUTE: u32 = 1;

/// Where the fields of a subscription lie.
struct Layout {
    size: u32,
    clock: u32,
    time: u32,
    flags: u32,
}

impl Layout {
    fn of(version: Version) -> Self {
        match version {
            Version::Preview1 => Self { size: 48, clock: 16, time: 24, flags: 40 },
            // Here a clock's subscription carries an identifier of its own before it.
            Version::Unstable => Self { size: 56, clock: 24, time: 32, flags: 48 },
        }
    }
}

/// A thing that a guest waits for.
struct Subscription {
    userdata: u64,
    tag: u8,
    /// What its event says if it is ready now.
    errno: i32,
    /// How long it must wait.
    wait: Duration,
}

pub(super) fn link(linker: &mut Linker<State>, version: Version) -> wasmtime::Result<()> {
    linker.func_wrap_async(
        version.module(),
        IMPORT,
        move |mut caller: Caller<'_, State>, parameters: (i32, i32, i32, i32)| {
            Box::new(async move { poll(&mut caller, &Layout::of(version), parameters).await })
        },
    )?;
    Ok(())
}

async fn poll(
    caller: &mut Caller<'_, State>,
    layout: &Layout,
    (subscriptions, events, count, written): (i32, i32, i32, i32),
) -> wasmtime::Result<i32> {
    let (events, count) = (unsigned(events), unsigned(count));
    if count == 0 || count > WASI_SUBSCRIPTIONS_MAX {
        return Ok(errno::INVAL);
    }
    let (mut memory, _) = memory::of(caller, IMPORT)?;
    let subscriptions = subscribe(&memory, layout, unsigned(subscriptions), count)?;
    memory.slot("the events", events, count * EVENT_BYTES)?;
    let shortest = subscriptions.iter().map(|one| one.wait).min().unwrap_or_default();
    sleep(caller, shortest).await?;
    let (mut memory, _) = memory::of(caller, IMPORT)?;
    let mut ready = 0u32;
    for one in subscriptions.iter().filter(|one| one.wait <= shortest) {
        let at = events.wrapping_add(ready * EVENT_BYTES);
        let mut event = [0u8; EVENT_BYTES as usize];
        let (head, _) = event.split_at_mut(16);
        let (userdata, result) = head.split_at_mut(8);
        userdata.copy_from_slice(&one.userdata.to_le_bytes());
        let fields = u64::from(one.errno.cast_unsigned()) | u64::from(one.tag) << 16;
        result.copy_from_slice(&fields.to_le_bytes());
        memory.write_at("an event", at, &event)?;
        ready += 1;
    }
    memory.write("the count", written, &ready.to_le_bytes())?;
    Ok(errno::SUCCESS)
}

fn subscribe(
    memory: &GuestMemory<'_>,
    layout: &Layout,
    at: u32,
    count: u32,
) -> Result<Vec<Subscription>, Fault> {
    const WHAT: &str = "the subscriptions";
    memory.read_at(WHAT, at, count * layout.size)?;
    let mut found = Vec::with_capacity(count as usize);
    for index in 0..count {
        let at = at.wrapping_add(index * layout.size);
        let field = |offset: u32| at.wrapping_add(offset);
        let userdata = memory.read_u64(WHAT, at)?;
        let tag = memory.read_at(WHAT, field(8), 1)?.first().copied().unwrap_or(u8::MAX);
        let (errno, wait) = if tag == TAG_CLOCK {
            let clock = memory.read_u32(WHAT, field(layout.clock))?.cast_signed();
            let time = memory.read_u64(WHAT, field(layout.time))?;
            let absolute = memory.read_u32(WHAT, field(layout.flags))? & ABSOLUTE != 0;
            match system::nanoseconds(clock) {
                None => (errno::INVAL, Duration::ZERO),
                Some(now) if absolute => {
                    (errno::SUCCESS, Duration::from_nanos(time.saturating_sub(now)))
                }
                Some(_) => (errno::SUCCESS, Duration::from_nanos(time)),
            }
        } else {
            let fd = memory.read_u32(WHAT, field(16))?;
            // Standard input is at its end, the others take all: each is ready at once.
            let known = if tag == TAG_FD_WRITE { matches!(fd, 1 | 2) } else { fd == 0 };
            (if known { errno::SUCCESS } else { errno::BADF }, Duration::ZERO)
        };
        found.push(Subscription { userdata, tag, errno, wait });
    }
    Ok(found)
}

/// Waits, or ends the guest at its deadline. A wait of nothing lets others run too.
async fn sleep(caller: &mut Caller<'_, State>, time: Duration) -> wasmtime::Result<()> {
    let state = caller.data_mut();
    state.spin.end();
    let deadline = state.deadline;
    if time.is_zero() {
        tokio::task::yield_now().await;
    } else {
        turn::wait(deadline, tokio::time::sleep(time)).await?;
    }
    if Instant::now() >= deadline {
        return Err(Fault::Deadline.into());
    }
    Ok(())
}
