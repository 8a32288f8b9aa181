//! `env.abort`, which every AssemblyScript module imports.

use wasmtime::{Caller, Linker};

use super::memory::{self, GuestMemory, unsigned};
use crate::fault::{Fault, shown};
use crate::limits::SHOWN_NAME_CHARACTERS_MAX;
use crate::state::State;

/// Adds `env.abort`.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap("env", "abort", abort)?;
    Ok(())
}

fn abort(
    mut caller: Caller<'_, State>,
    message: i32,
    file: i32,
    line: i32,
    column: i32,
) -> wasmtime::Result<()> {
    let (memory, _) = memory::of(&mut caller, "env.abort")?;
    let message = text(&memory, unsigned(message))?;
    let file = text(&memory, unsigned(file))?;
    let (line, column) = (unsigned(line), unsigned(column));
    Err(Fault::Abort(format!("{message} at {file}:{line}:{column}")).into())
}

/// Reads a string of AssemblyScript: UTF-16, its length in bytes before it.
fn text(memory: &GuestMemory<'_>, pointer: u32) -> Result<String, Fault> {
    if pointer == 0 {
        return Ok("(nothing said)".to_owned());
    }
    let bytes = memory.read_u32("the length of a text", pointer.wrapping_sub(4))?;
    let units = memory.read_at("a text", pointer, bytes)?.chunks_exact(2);
    let units = units
        .take(SHOWN_NAME_CHARACTERS_MAX)
        .map(|pair| pair.iter().rev().fold(0u16, |sum, byte| sum << 8 | u16::from(*byte)));
    let text: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Ok(shown(&text))
}
