//! A waPC module made with the `wapc-guest` crate alone, as others make them: it shows that the
//! mesh runs modules that know nothing of it.
//!
//! - `echo` returns its payload;
//! - `fail` returns an error whose text is its payload;
//! - `relay` takes `target operation payload…` (text, divided by single spaces) and calls it.

use wapc_guest::prelude::*;

/// Registers the operations; the host calls it once, before all else.
#[allow(unsafe_code, reason = "the host finds it by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn wapc_init() {
    register_function("echo", echo);
    register_function("fail", fail);
    register_function("relay", relay);
}

fn echo(payload: &[u8]) -> CallResult {
    Ok(payload.to_vec())
}

fn fail(payload: &[u8]) -> CallResult {
    Err(String::from_utf8_lossy(payload).into())
}

fn relay(payload: &[u8]) -> CallResult {
    let (target, operation, payload) = parse_relay(payload)?;
    host_call("default", target, operation, payload)
}

/// Divides `target operation payload…`.
fn parse_relay(payload: &[u8]) -> Result<(&str, &str, &[u8]), String> {
    let mut parts = payload.splitn(3, |byte| *byte == b' ');
    let mut text = |what: &str| match parts.next().map(std::str::from_utf8) {
        Some(Ok(text)) if !text.is_empty() => Ok(text),
        _ => Err(format!("relay: `target operation payload`, but there is no {what}")),
    };
    let (target, operation) = (text("target")?, text("operation")?);
    Ok((target, operation, parts.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_names_target_and_operation() {
        assert_eq!(parse_relay(b"echo info"), Ok(("echo", "info", &b""[..])));
        assert_eq!(parse_relay(b"echo echo a b"), Ok(("echo", "echo", &b"a b"[..])));
        assert!(parse_relay(b"").expect_err("empty").ends_with("no target"));
        assert!(parse_relay(b"echo").expect_err("short").ends_with("no operation"));
    }

    #[test]
    fn a_failure_has_its_payload_for_text() {
        assert_eq!(fail(b"on purpose").expect_err("fails").to_string(), "on purpose");
    }
}
