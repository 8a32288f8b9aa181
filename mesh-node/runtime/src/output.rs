//! What a guest prints: cut into lines, bounded, handed to the host.

use crate::host::{Host, LogSource};
use crate::limits::{LOG_CALL_BYTES_MAX, LOG_LINE_BYTES_MAX, LOG_LINE_BYTES_MIN};

/// The output of one instance during one call.
#[derive(Debug, Default)]
pub(crate) struct Output {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    logged_bytes: usize,
    dropped: bool,
}

impl Output {
    /// Logs a whole message of the guest, split where it is too long.
    pub(crate) fn console(&mut self, host: &dyn Host, text: &[u8]) {
        if text.is_empty() {
            return self.line(host, LogSource::Console, text);
        }
        for part in text.chunks(LOG_LINE_BYTES_MAX) {
            if self.dropped {
                return;
            }
            self.line(host, LogSource::Console, part);
        }
    }

    /// Takes bytes of a stream and logs the lines that they end.
    pub(crate) fn stream(&mut self, host: &dyn Host, source: LogSource, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.dropped {
            let pending = self.pending(source);
            let room = LOG_LINE_BYTES_MAX.saturating_sub(pending.len()).min(rest.len());
            let (head, _) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let (text, taken, ends) = match head.iter().position(|byte| *byte == b'\n') {
                Some(end) => (head.get(..end).unwrap_or(head), end + 1, true),
                None => (head, room, pending.len() + room >= LOG_LINE_BYTES_MAX),
            };
            pending.extend_from_slice(text);
            rest = rest.get(taken..).unwrap_or(&[]);
            if ends {
                self.end_line(host, source);
            }
        }
    }

    /// Logs the lines that were begun, and starts anew: a call has ended.
    pub(crate) fn finish(&mut self, host: &dyn Host) {
        for source in [LogSource::Stdout, LogSource::Stderr] {
            if !self.pending(source).is_empty() {
                self.end_line(host, source);
            }
        }
        self.logged_bytes = 0;
        self.dropped = false;
    }

    fn end_line(&mut self, host: &dyn Host, source: LogSource) {
        let mut line = std::mem::take(self.pending(source));
        self.line(host, source, &line);
        line.clear();
        *self.pending(source) = line;
    }

    fn pending(&mut self, source: LogSource) -> &mut Vec<u8> {
        if source == LogSource::Stderr { &mut self.stderr } else { &mut self.stdout }
    }

    fn line(&mut self, host: &dyn Host, source: LogSource, line: &[u8]) {
        if self.dropped {
            return;
        }
        self.logged_bytes += line.len().max(LOG_LINE_BYTES_MIN);
        if self.logged_bytes > LOG_CALL_BYTES_MAX {
            self.dropped = true;
            host.log(source, "… the rest of this call's output is dropped: it is too much");
            return;
        }
        host.log(source, &String::from_utf8_lossy(line));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::host::{HostCall, HostFuture};

    #[derive(Default)]
    struct Lines(Mutex<Vec<(LogSource, String)>>);

    impl Host for Lines {
        fn call<'a>(&'a self, call: HostCall) -> HostFuture<'a> {
            Box::pin(async move { Ok(call.payload) })
        }
        fn log(&self, source: LogSource, text: &str) {
            self.0.lock().unwrap().push((source, text.to_owned()));
        }
    }

    impl Lines {
        fn take(&self) -> Vec<(LogSource, String)> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    #[test]
    fn joins_what_belongs_to_a_line_and_splits_what_does_not() {
        let (mut output, host) = (Output::default(), Lines::default());
        output.stream(&host, LogSource::Stdout, b"one ");
        output.stream(&host, LogSource::Stderr, b"err");
        output.stream(&host, LogSource::Stdout, b"line\ntwo\n\nrest");
        let stdout = |text: &str| (LogSource::Stdout, text.to_owned());
        assert_eq!(host.take(), [stdout("one line"), stdout("two"), stdout("")]);
        output.finish(&host);
        assert_eq!(host.take(), [stdout("rest"), (LogSource::Stderr, "err".to_owned())]);
    }

    #[test]
    fn cuts_long_lines_and_drops_what_exceeds_the_call() {
        let (mut output, host) = (Output::default(), Lines::default());
        output.stream(&host, LogSource::Stdout, &vec![b'x'; LOG_LINE_BYTES_MAX + 1]);
        output.finish(&host);
        let lengths: Vec<usize> = host.take().iter().map(|(_, line)| line.len()).collect();
        assert_eq!(lengths, [LOG_LINE_BYTES_MAX, 1]);
        output.stream(&host, LogSource::Stderr, &vec![b'\n'; LOG_CALL_BYTES_MAX]);
        assert_eq!(host.take().len(), LOG_CALL_BYTES_MAX / LOG_LINE_BYTES_MIN + 1);
        output.console(&host, b"unheard");
        assert_eq!(host.take(), []);
        output.finish(&host);
        output.console(&host, b"heard again");
        assert_eq!(host.take(), [(LogSource::Console, "heard again".to_owned())]);
    }
}
