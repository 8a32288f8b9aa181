//! Data to stdout, diagnostics to stderr, as text or as JSON.

use std::io::{ErrorKind, IsTerminal, Write};

use serde_json::{Value, json};

use crate::exit::{Exit, Failure};

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON value on stdout, an error as one JSON object on stderr.
    Json,
}

/// Writes what a command has to say.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    format: Format,
}

impl Output {
    /// Writes as `format` says.
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    /// Writes the data of a command: `value` for programs, or what `text` says for people.
    ///
    /// # Errors
    /// [`Failure`] when stdout can't be written; without a word where its reader has gone.
    pub fn data(&self, value: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.format {
            Format::Json => write_out(format!("{value}\n").as_bytes()),
            Format::Text => {
                let mut text = text();
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                write_out(text.as_bytes())
            }
        }
    }

    /// Says how far a command is, to whoever watches.
    pub fn progress(&self, text: &str) {
        if self.format == Format::Text || std::io::stderr().is_terminal() {
            write_err(&shown(text));
        }
    }

    /// Warns of something that does not stop the command.
    pub fn warn(&self, text: &str) {
        match self.format {
            Format::Text => write_err(&format!("warning: {}", shown(text))),
            Format::Json => write_err(&json!({ "warning": { "message": text } }).to_string()),
        }
    }

    /// Tells of a failure, if there is one, and returns how the process ends.
    pub fn finish(&self, outcome: Result<(), Failure>) -> Exit {
        let Err(failure) = outcome else { return Exit::Ok };
        if failure.exit == Exit::Ok {
            return Exit::Ok;
        }
        match self.format {
            Format::Text => {
                write_err(&format!("error: {}", shown(&failure.message)));
                if let Some(hint) = &failure.hint {
                    write_err(&format!("next:  {}", shown(hint)));
                }
            }
            Format::Json => write_err(&diagnostic(&failure).to_string()),
        }
        failure.exit
    }
}

fn diagnostic(failure: &Failure) -> Value {
    json!({ "error": {
        "code": failure.code,
        "message": failure.message,
        "hint": failure.hint,
        "exit": failure.exit.code(),
    } })
}

/// Writes bytes to stdout as they are.
///
/// # Errors
/// [`Failure`] when stdout can't be written; without a word where its reader has gone.
pub fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::reader_gone(),
        _ => Failure::new(Exit::Failure, "stdout", format!("stdout can't be written: {error}")),
    })
}

fn write_err(line: &str) {
    // Whoever closed stderr wants to know nothing.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Returns `text` without what would steer a terminal: most of it comes from somebody else.
pub fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let plain = !c.is_control() || matches!(c, '\n' | '\t');
            let escaped = (!plain).then(|| c.escape_default());
            plain.then_some(c).into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// Lays out rows under their headers in columns.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| shown(cell).replace(['\n', '\t'], " ")).collect())
        .collect();
    let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&headers).chain(&rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(&headers).chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_by_characters() {
        let rows = [vec!["é".to_owned(), "1".to_owned()], vec!["abc".to_owned(), String::new()]];
        assert_eq!(table(&["name", "n"], &rows), "name  n\né     1\nabc\n");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\nc");
        assert_eq!(table(&["x"], &[vec!["a\nb\r".to_owned()]]), "x\na b\\r\n");
    }

    #[test]
    fn a_failure_is_one_object_for_programs() {
        let failure = Failure::new(Exit::NotFound, "not_found", "no x").hint("y");
        assert_eq!(
            diagnostic(&failure).to_string(),
            r#"{"error":{"code":"not_found","exit":4,"hint":"y","message":"no x"}}"#
        );
    }
}
