//! The binary interface of waPC: the only place that handles pointers.
//!
//! All lengths and addresses are 32 bits, as `usize` is on this target.
#![allow(unsafe_code, reason = "the imports of a module are foreign functions")]

use crate::{Actor, Result, console};

#[link(wasm_import_module = "wapc")]
unsafe extern "C" {
    fn __host_call(
        link: *const u8,
        link_length: usize,
        namespace: *const u8,
        namespace_length: usize,
        operation: *const u8,
        operation_length: usize,
        payload: *const u8,
        payload_length: usize,
    ) -> i32;
    fn __host_response_len() -> usize;
    fn __host_response(to: *mut u8);
    fn __host_error_len() -> usize;
    fn __host_error(to: *mut u8);
    fn __guest_request(operation: *mut u8, payload: *mut u8);
    fn __guest_response(from: *const u8, length: usize);
    fn __guest_error(from: *const u8, length: usize);
    fn __console_log(from: *const u8, length: usize);
}

/// Serves one call of the host to `A`: 1 after a response, 0 after an error.
pub fn guest_call<A: Actor>(operation_length: usize, payload_length: usize) -> i32 {
    console::init();
    match serve::<A>(operation_length, payload_length) {
        Ok(response) => {
            // SAFETY: the host reads `len` bytes of a slice that outlives the call.
            unsafe { __guest_response(response.as_ptr(), response.len()) };
            1
        }
        Err(error) => {
            let text = error.to_string();
            // SAFETY: as above.
            unsafe { __guest_error(text.as_ptr(), text.len()) };
            0
        }
    }
}

fn serve<A: Actor>(operation_length: usize, payload_length: usize) -> Result<Vec<u8>> {
    let mut operation = vec![0; operation_length];
    let mut payload = vec![0; payload_length];
    // SAFETY: the host writes exactly the lengths that it gave to `__guest_call`, and each buffer
    // is that long.
    unsafe { __guest_request(operation.as_mut_ptr(), payload.as_mut_ptr()) };
    A::handle(&String::from_utf8_lossy(&operation), payload)
}

/// Calls the host; the error is its text.
pub(crate) fn host_call(
    link: &str,
    namespace: &str,
    operation: &str,
    payload: &[u8],
) -> Result<Vec<u8>, String> {
    // SAFETY: the host reads each slice by its address and length while they are borrowed here.
    let done = unsafe {
        __host_call(
            link.as_ptr(),
            link.len(),
            namespace.as_ptr(),
            namespace.len(),
            operation.as_ptr(),
            operation.len(),
            payload.as_ptr(),
            payload.len(),
        )
    };
    if done == 1 {
        // SAFETY: takes no argument.
        let mut response = vec![0; unsafe { __host_response_len() }];
        // SAFETY: the host writes as many bytes as it just told, which is the buffer's length.
        unsafe { __host_response(response.as_mut_ptr()) };
        Ok(response)
    } else {
        // SAFETY: takes no argument.
        let mut text = vec![0; unsafe { __host_error_len() }];
        // SAFETY: the host writes as many bytes as it just told, which is the buffer's length.
        unsafe { __host_error(text.as_mut_ptr()) };
        Err(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Gives the host a line for its log.
pub(crate) fn log_line(text: &str) {
    // SAFETY: the host reads `len` bytes of a slice that outlives the call.
    unsafe { __console_log(text.as_ptr(), text.len()) };
}
