//! The guest's memory: every pointer and length is checked here, and nowhere else.

use wasmtime::{Caller, Extern, Memory};

use crate::fault::Fault;
use crate::state::State;

/// A guest's memory as an import sees it. Errors name the import.
pub(crate) struct GuestMemory<'a> {
    bytes: &'a mut [u8],
    import: &'static str,
}

/// Returns the memory of the guest that called `import`, and the state beside it.
pub(crate) fn of<'a>(
    caller: &'a mut Caller<'_, State>,
    import: &'static str,
) -> Result<(GuestMemory<'a>, &'a mut State), Fault> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => exported(caller).ok_or(Fault::NoMemory { import })?,
    };
    let (bytes, state) = memory.data_and_store_mut(caller);
    Ok((GuestMemory { bytes, import }, state))
}

/// Looks the memory up: only a start function calls imports before it is known.
fn exported(caller: &mut Caller<'_, State>) -> Option<Memory> {
    caller.get_export("memory").and_then(Extern::into_memory)
}

/// Returns a parameter as the unsigned number that it is.
pub(crate) fn unsigned(parameter: i32) -> u32 {
    parameter.cast_unsigned()
}

impl GuestMemory<'_> {
    /// Returns `length` bytes at `pointer`; `what` they are is for the error.
    pub(crate) fn read(
        &self,
        what: &'static str,
        pointer: i32,
        length: i32,
    ) -> Result<&[u8], Fault> {
        self.read_at(what, unsigned(pointer), unsigned(length))
    }

    /// The same for an address that was computed.
    pub(crate) fn read_at(
        &self,
        what: &'static str,
        pointer: u32,
        length: u32,
    ) -> Result<&[u8], Fault> {
        if length == 0 {
            return Ok(&[]);
        }
        let start = pointer as usize;
        start
            .checked_add(length as usize)
            .and_then(|end| self.bytes.get(start..end))
            .ok_or_else(|| self.outside(what, pointer, length))
    }

    /// Returns `length` bytes at `pointer` to be written.
    pub(crate) fn slot(
        &mut self,
        what: &'static str,
        pointer: u32,
        length: u32,
    ) -> Result<&mut [u8], Fault> {
        if length == 0 {
            return Ok(&mut []);
        }
        let outside = self.outside(what, pointer, length);
        let start = pointer as usize;
        start
            .checked_add(length as usize)
            .and_then(|end| self.bytes.get_mut(start..end))
            .ok_or(outside)
    }

    /// Writes `source` at `pointer`.
    pub(crate) fn write(
        &mut self,
        what: &'static str,
        pointer: i32,
        source: &[u8],
    ) -> Result<(), Fault> {
        self.write_at(what, unsigned(pointer), source)
    }

    /// The same for an address that was computed.
    pub(crate) fn write_at(
        &mut self,
        what: &'static str,
        pointer: u32,
        source: &[u8],
    ) -> Result<(), Fault> {
        let length = u32::try_from(source.len()).unwrap_or(u32::MAX);
        self.slot(what, pointer, length)?.copy_from_slice(source);
        Ok(())
    }

    /// Reads a little-endian number.
    pub(crate) fn read_u32(&self, what: &'static str, pointer: u32) -> Result<u32, Fault> {
        let bytes = self.read_at(what, pointer, 4)?;
        Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    /// Reads a little-endian number.
    pub(crate) fn read_u64(&self, what: &'static str, pointer: u32) -> Result<u64, Fault> {
        let bytes = self.read_at(what, pointer, 8)?;
        Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn outside(&self, what: &'static str, pointer: u32, length: u32) -> Fault {
        Fault::OutOfBounds { import: self.import, what, pointer, length }
    }
}
