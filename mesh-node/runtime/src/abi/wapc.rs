//! waPC's imports: how a guest fetches its request, answers it, and calls its host.

use bytes::Bytes;
use lattice_protocol::limits::{ERROR_MESSAGE_BYTES_MAX, OPERATION_BYTES_MAX, PAYLOAD_BYTES_MAX};
use lattice_protocol::{Error, ErrorCode};
use wasmtime::{Caller, Linker};

use super::memory;
use crate::fault::Fault;
use crate::host::HostCall;
use crate::limits::HOST_CALL_NAME_BYTES_MAX;
use crate::state::State;
use crate::turn;

/// What `__host_call` returns when the host answered.
const ANSWERED: i32 = 1;
/// What it returns when there is an error instead.
const FAILED: i32 = 0;

/// Where the parts of a host call lie: pointer and length of each.
type HostCallParameters = (i32, i32, i32, i32, i32, i32, i32, i32);

/// Adds the imports of waPC as those of `module`.
pub(crate) fn link(linker: &mut Linker<State>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(module, "__guest_request", guest_request)?;
    linker.func_wrap(module, "__guest_response", guest_response)?;
    linker.func_wrap(module, "__guest_error", guest_error)?;
    linker.func_wrap_async(
        module,
        "__host_call",
        |mut caller: Caller<'_, State>, parameters: HostCallParameters| {
            Box::new(async move { host_call(&mut caller, parameters).await })
        },
    )?;
    linker.func_wrap(module, "__host_response_len", |caller: Caller<'_, State>| {
        length(caller.data().exchange.host_response.len())
    })?;
    linker.func_wrap(module, "__host_response", host_response)?;
    linker.func_wrap(module, "__host_error_len", |caller: Caller<'_, State>| {
        length(caller.data().exchange.host_error.len())
    })?;
    linker.func_wrap(module, "__host_error", host_error)?;
    linker.func_wrap(module, "__console_log", console_log)?;
    Ok(())
}

/// Returns a length as waPC passes it. Payloads and errors are bounded far below its range.
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

fn guest_request(
    mut caller: Caller<'_, State>,
    operation: i32,
    payload: i32,
) -> wasmtime::Result<()> {
    let (mut memory, state) = memory::of(&mut caller, "__guest_request")?;
    memory.write("the operation", operation, &state.exchange.operation)?;
    memory.write("the payload", payload, &state.exchange.payload)?;
    Ok(())
}

fn guest_response(
    mut caller: Caller<'_, State>,
    pointer: i32,
    length: i32,
) -> wasmtime::Result<()> {
    const IMPORT: &str = "__guest_response";
    let (memory, state) = memory::of(&mut caller, IMPORT)?;
    let what = "the response";
    let response = memory.read(what, pointer, length)?;
    fits(IMPORT, what, response)?;
    state.exchange.response = Some(Bytes::copy_from_slice(response));
    Ok(())
}

fn guest_error(mut caller: Caller<'_, State>, pointer: i32, length: i32) -> wasmtime::Result<()> {
    let (memory, state) = memory::of(&mut caller, "__guest_error")?;
    let text = memory.read("the error", pointer, length)?;
    let shown = text.get(..ERROR_MESSAGE_BYTES_MAX).unwrap_or(text);
    state.exchange.error = Some(String::from_utf8_lossy(shown).into_owned());
    Ok(())
}

async fn host_call(
    caller: &mut Caller<'_, State>,
    parameters: HostCallParameters,
) -> wasmtime::Result<i32> {
    const IMPORT: &str = "__host_call";
    let call = read_call(caller, parameters)?;
    let state = caller.data_mut();
    state.exchange.host_response = Bytes::new();
    state.exchange.host_error.clear();
    let result = match call {
        Ok(call) => {
            state.spin.end();
            let host = state.host(IMPORT)?.clone();
            turn::wait(state.deadline, host.call(call)).await?
        }
        Err(error) => Err(error),
    };
    let exchange = &mut caller.data_mut().exchange;
    match result {
        Ok(response) => {
            fits(IMPORT, "the host's response", &response)?;
            exchange.host_response = response;
            Ok(ANSWERED)
        }
        Err(error) => {
            exchange.host_error = error.to_string();
            Ok(FAILED)
        }
    }
}

/// Copies a host call out of the guest's memory.
///
/// What lies outside the memory ends the guest; what is merely no sensible call is an error that
/// the guest can answer.
fn read_call(
    caller: &mut Caller<'_, State>,
    parameters: HostCallParameters,
) -> Result<Result<HostCall, Error>, Fault> {
    const IMPORT: &str = "__host_call";
    let (memory, _) = memory::of(caller, IMPORT)?;
    let (link, link_length, namespace, namespace_length, operation, operation_length, at, length) =
        parameters;
    let link = memory.read("the binding", link, link_length)?;
    let namespace = memory.read("the namespace", namespace, namespace_length)?;
    let operation = memory.read("the operation", operation, operation_length)?;
    let payload = memory.read("the payload", at, length)?;
    fits(IMPORT, "the payload", payload)?;
    let named = |what: &str, bytes: &[u8], limit: usize| -> Result<String, Error> {
        if bytes.len() > limit {
            let message = format!("the {what} of a host call exceeds {limit} bytes");
            return Err(Error::not_started(ErrorCode::BadRequest, message));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let message = format!("the {what} of a host call is not UTF-8");
            Error::not_started(ErrorCode::BadRequest, message)
        })?;
        Ok(text.to_owned())
    };
    let call = || -> Result<HostCall, Error> {
        Ok(HostCall {
            link: named("binding", link, HOST_CALL_NAME_BYTES_MAX)?,
            namespace: named("namespace", namespace, HOST_CALL_NAME_BYTES_MAX)?,
            operation: named("operation", operation, OPERATION_BYTES_MAX)?,
            payload: Bytes::copy_from_slice(payload),
        })
    };
    Ok(call())
}

fn host_response(mut caller: Caller<'_, State>, pointer: i32) -> wasmtime::Result<()> {
    let (mut memory, state) = memory::of(&mut caller, "__host_response")?;
    memory.write("the host's response", pointer, &state.exchange.host_response)?;
    Ok(())
}

fn host_error(mut caller: Caller<'_, State>, pointer: i32) -> wasmtime::Result<()> {
    let (mut memory, state) = memory::of(&mut caller, "__host_error")?;
    memory.write("the host's error", pointer, state.exchange.host_error.as_bytes())?;
    Ok(())
}

fn console_log(mut caller: Caller<'_, State>, pointer: i32, length: i32) -> wasmtime::Result<()> {
    const IMPORT: &str = "__console_log";
    let (memory, state) = memory::of(&mut caller, IMPORT)?;
    let text = memory.read("the text", pointer, length)?;
    let host = state.host(IMPORT)?.clone();
    state.output.console(&*host, text);
    Ok(())
}

fn fits(import: &'static str, what: &'static str, bytes: &[u8]) -> Result<(), Fault> {
    let (length, limit) = (bytes.len(), PAYLOAD_BYTES_MAX);
    if length > limit {
        return Err(Fault::TooLarge { import, what, length, limit });
    }
    Ok(())
}
