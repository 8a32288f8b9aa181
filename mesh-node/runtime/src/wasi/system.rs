//! Clocks, randomness, arguments, environment, the end of the program.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::RngCore;
use wasmtime::{Caller, Linker};

use super::errno;
use crate::abi::memory::{self, unsigned};
use crate::fault::Fault;
use crate::limits::WASI_RANDOM_CHUNK_BYTES;
use crate::state::State;

/// Clock of the wall.
pub(super) const REALTIME: i32 = 0;
/// Clock that never goes back.
pub(super) const MONOTONIC: i32 = 1;

/// What guests' monotonic clocks count from.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(super) fn link(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(module, "args_get", |_: i32, _: i32| errno::SUCCESS)?;
    linker.func_wrap(module, "environ_get", |_: i32, _: i32| errno::SUCCESS)?;
    linker.func_wrap(module, "args_sizes_get", |caller: Caller<'_, State>, count, size| {
        nothing(caller, "args_sizes_get", count, size)
    })?;
    linker.func_wrap(module, "environ_sizes_get", |caller: Caller<'_, State>, count, size| {
        nothing(caller, "environ_sizes_get", count, size)
    })?;
    linker.func_wrap(module, "clock_time_get", clock_time)?;
    linker.func_wrap(module, "clock_res_get", clock_resolution)?;
    linker.func_wrap(module, "proc_exit", |code: i32| -> wasmtime::Result<()> {
        Err(Fault::Exit(code).into())
    })?;
    linker.func_wrap_async(module, "sched_yield", |caller: Caller<'_, State>, (): ()| {
        Box::new(async move { pause(&caller).await.map(|()| errno::SUCCESS) })
    })?;
    linker.func_wrap_async(
        module,
        "random_get",
        |mut caller: Caller<'_, State>, (at, length): (i32, i32)| {
            Box::new(async move { random(&mut caller, unsigned(at), unsigned(length)).await })
        },
    )?;
    Ok(())
}

fn nothing(
    mut caller: Caller<'_, State>,
    import: &'static str,
    count: i32,
    size: i32,
) -> wasmtime::Result<i32> {
    let (mut memory, _) = memory::of(&mut caller, import)?;
    memory.write("the count", count, &0u32.to_le_bytes())?;
    memory.write("the size", size, &0u32.to_le_bytes())?;
    Ok(errno::SUCCESS)
}

/// Returns the nanoseconds of a clock.
pub(super) fn nanoseconds(clock: i32) -> Option<u64> {
    let elapsed = match clock {
        REALTIME => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        MONOTONIC => ORIGIN.elapsed(),
        _ => return None,
    };
    Some(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
}

fn clock_time(
    mut caller: Caller<'_, State>,
    clock: i32,
    _precision: i64,
    at: i32,
) -> wasmtime::Result<i32> {
    let Some(now) = nanoseconds(clock) else { return Ok(errno::INVAL) };
    let (mut memory, _) = memory::of(&mut caller, "clock_time_get")?;
    memory.write("the time", at, &now.to_le_bytes())?;
    Ok(errno::SUCCESS)
}

fn clock_resolution(mut caller: Caller<'_, State>, clock: i32, at: i32) -> wasmtime::Result<i32> {
    if nanoseconds(clock).is_none() {
        return Ok(errno::INVAL);
    }
    let (mut memory, _) = memory::of(&mut caller, "clock_res_get")?;
    memory.write("the resolution", at, &1u64.to_le_bytes())?;
    Ok(errno::SUCCESS)
}

/// Lets others run, and looks at the deadline.
async fn pause(caller: &Caller<'_, State>) -> wasmtime::Result<()> {
    tokio::task::yield_now().await;
    if Instant::now() >= caller.data().deadline {
        return Err(Fault::Deadline.into());
    }
    Ok(())
}

async fn random(caller: &mut Caller<'_, State>, at: u32, length: u32) -> wasmtime::Result<i32> {
    const IMPORT: &str = "random_get";
    const WHAT: &str = "the buffer";
    let mut done = 0usize;
    loop {
        let (mut memory, _) = memory::of(caller, IMPORT)?;
        let buffer = memory.slot(WHAT, at, length)?;
        let rest = buffer.get_mut(done..).unwrap_or_default();
        let chunk = rest.len().min(WASI_RANDOM_CHUNK_BYTES);
        let chunk = rest.get_mut(..chunk).unwrap_or_default();
        rand::rng().fill_bytes(chunk);
        done += chunk.len();
        if done >= length as usize {
            return Ok(errno::SUCCESS);
        }
        pause(caller).await?;
    }
}
