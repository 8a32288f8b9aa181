//! One line of an actor in the log of the process.

use std::fmt::Write;

use lattice_protocol::contract::logging::{Level, Line};
use mesh_provider::LinkId;

/// Writes the line. Whatever an actor puts into it, it stays one line.
pub(crate) fn write(link: &LinkId, line: &Line, traceparent: Option<&str>) {
    let LinkId { source, name } = link;
    let text = one_line(&line.text);
    // JSON escapes what could end a line, and keeps keys and values apart.
    let fields = (!line.fields.is_empty())
        .then(|| serde_json::to_string(&line.fields).unwrap_or_default())
        .map(|fields| one_line(&fields));
    let fields = fields.as_deref();
    // The level of an event is fixed where it is written.
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "actor",
                tracing::Level::$level,
                actor = %source,
                link = %name,
                fields,
                traceparent,
                "{text}"
            )
        };
    }
    match line.level {
        Level::Error => event!(ERROR),
        Level::Warn => event!(WARN),
        Level::Info => event!(INFO),
        Level::Debug => event!(DEBUG),
        Level::Trace => event!(TRACE),
    }
}

/// Returns `text` with everything escaped that a terminal or a reader of logs takes for the end of
/// a line, or for an order.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        // The separators of lines and paragraphs are no control characters.
        if char == '\t' || !(char.is_control() || matches!(char, '\u{2028}' | '\u{2029}')) {
            line.push(char);
        } else {
            // Writing to a text can't fail.
            let _ = write!(line, "{}", char.escape_default());
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;
    use std::sync::{Arc, Mutex};

    use lattice_protocol::names::LinkName;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_stays_one_line_with_all_that_belongs_to_it() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        let source = "MCFIRY65OQE7DFP5KLNS2PF2LVZMUZYJX4OZIEQ36N2IQANUB5XVZ4AO".parse().unwrap();
        let link = LinkId { source, name: LinkName::default_link() };
        let line = Line {
            level: Level::Warn,
            text: "slow\n2026 ERROR forged\r\u{2028}\u{1b}[31m".into(),
            fields: BTreeMap::from([("order\n".into(), "7\"\n".into())]),
        };
        tracing::subscriber::with_default(subscriber, || write(&link, &line, Some("00-1")));
        let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(!log.trim_end().contains(['\r', '\u{2028}', '\u{1b}']), "{log:?}");
        for part in ["WARN", "actor: ", r"slow\n2026", "link=default", r"order\\n", "00-1"] {
            assert!(log.contains(part), "{part} is not in {log}");
        }
    }

    #[test]
    fn what_is_harmless_stays() {
        assert_eq!(one_line("a\tb ü \\n"), "a\tb ü \\n");
        assert_eq!(one_line("a\r\n\0b"), r"a\r\n\u{0}b");
    }
}
