//! Standard input (empty), standard output and error (to the log).

use wasmtime::{Caller, Linker};

use super::errno;
use crate::abi::memory::{self, unsigned};
use crate::host::LogSource;
use crate::limits::WASI_BUFFERS_MAX;
use crate::state::State;

const STDIN: i32 = 0;
const STDOUT: i32 = 1;
const STDERR: i32 = 2;
/// Size of a buffer's description: pointer and length.
const BUFFER_BYTES: u32 = 8;
/// File type of a terminal or pipe.
const CHARACTER_DEVICE: u8 = 2;
const RIGHT_FD_READ: u64 = 1 << 1;
const RIGHT_FD_WRITE: u64 = 1 << 6;

pub(super) fn link(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(module, "fd_write", write)?;
    linker.func_wrap(module, "fd_read", read)?;
    linker.func_wrap(module, "fd_fdstat_get", fdstat)?;
    linker.func_wrap(module, "fd_close", |fd: i32| standard(fd, errno::SUCCESS))?;
    linker.func_wrap(module, "fd_sync", |fd: i32| standard(fd, errno::SUCCESS))?;
    linker.func_wrap(module, "fd_datasync", |fd: i32| standard(fd, errno::SUCCESS))?;
    linker.func_wrap(module, "fd_fdstat_set_flags", |fd: i32, _flags: i32| {
        standard(fd, errno::SUCCESS)
    })?;
    linker.func_wrap(module, "fd_tell", |fd: i32, _at: i32| standard(fd, errno::SPIPE))?;
    linker.func_wrap(module, "fd_seek", |fd: i32, _offset: i64, _whence: i32, _at: i32| {
        standard(fd, errno::SPIPE)
    })?;
    Ok(())
}

/// Returns `answer` for the three descriptors that exist.
fn standard(fd: i32, answer: i32) -> i32 {
    if (STDIN..=STDERR).contains(&fd) { answer } else { errno::BADF }
}

fn write(
    mut caller: Caller<'_, State>,
    fd: i32,
    buffers: i32,
    count: i32,
    written: i32,
) -> wasmtime::Result<i32> {
    const IMPORT: &str = "fd_write";
    let source = match fd {
        STDOUT => LogSource::Stdout,
        STDERR => LogSource::Stderr,
        _ => return Ok(errno::BADF),
    };
    let count = unsigned(count);
    if count > WASI_BUFFERS_MAX {
        return Ok(errno::INVAL);
    }
    let (mut memory, state) = memory::of(&mut caller, IMPORT)?;
    let host = state.host(IMPORT)?.clone();
    memory.read_at("the buffers", unsigned(buffers), count * BUFFER_BYTES)?;
    let mut total = 0u32;
    for index in 0..count {
        let buffer = unsigned(buffers).wrapping_add(index * BUFFER_BYTES);
        let pointer = memory.read_u32("a buffer", buffer)?;
        let length = memory.read_u32("a buffer", buffer.wrapping_add(4))?;
        let text = memory.read_at("the text", pointer, length)?;
        state.output.stream(&*host, source, text);
        // Buffers may overlap, so that their sum is bounded by nothing.
        total = total.saturating_add(length);
    }
    memory.write("the count", written, &total.to_le_bytes())?;
    Ok(errno::SUCCESS)
}

fn read(
    mut caller: Caller<'_, State>,
    fd: i32,
    _buffers: i32,
    _count: i32,
    taken: i32,
) -> wasmtime::Result<i32> {
    if fd != STDIN {
        return Ok(errno::BADF);
    }
    let (mut memory, _) = memory::of(&mut caller, "fd_read")?;
    memory.write("the count", taken, &0u32.to_le_bytes())?;
    Ok(errno::SUCCESS)
}

fn fdstat(mut caller: Caller<'_, State>, fd: i32, at: i32) -> wasmtime::Result<i32> {
    let rights = match fd {
        STDIN => RIGHT_FD_READ,
        STDOUT | STDERR => RIGHT_FD_WRITE,
        _ => return Ok(errno::BADF),
    };
    let (mut memory, _) = memory::of(&mut caller, "fd_fdstat_get")?;
    // Type, flags, rights, rights of what is opened through it.
    let mut stat = [0u8; 24];
    let (head, tail) = stat.split_at_mut(8);
    head.copy_from_slice(&u64::from(CHARACTER_DEVICE).to_le_bytes());
    tail.copy_from_slice(&u128::from(rights).to_le_bytes());
    memory.write("the status", at, &stat)?;
    Ok(errno::SUCCESS)
}
