//! Lines of log, and the last words of a panic.

use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

use crate::host;

struct HostLog;

impl Log for HostLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        host::log_line(&format!("{}: {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}

/// Sends the lines of [`log`] to the host, and in a guest the message of a panic too. The second
/// call does nothing.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody else's logger is as good: an actor that brought one wanted it.
        if log::set_logger(&HostLog).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
        // Natively a panic belongs to the test that sees it.
        #[cfg(target_arch = "wasm32")]
        std::panic::set_hook(Box::new(|panic| {
            let text = panic.payload_as_str().unwrap_or("a value that is no text");
            match panic.location() {
                Some(place) => host::log_line(&format!("PANIC: {text} ({place})")),
                None => host::log_line(&format!("PANIC: {text}")),
            }
        }));
    });
}
