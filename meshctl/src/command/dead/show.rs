//! `meshctl dead show`.

use std::path::PathBuf;

use clap::Args;
use lattice_client::Lattice;
use lattice_protocol::Invocation;
use serde_json::{Value, json};

use crate::exit::Failure;
use crate::output::{self, shown};
use crate::payload::Shown;
use crate::session::{Deployed, Session};

/// Which to show.
#[derive(Debug, Args)]
pub struct Show {
    /// Its number, as `meshctl dead ls` tells it.
    number: u64,
    /// File that gets the bytes of the payload; `-` is stdout.
    #[arg(long, value_name = "FILE")]
    raw_out: Option<PathBuf>,
}

impl Show {
    pub(super) async fn run(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let letter = lattice.dead_letter(self.number).await?;
        let facts = &letter.facts;
        // What can't be read is shown as it came.
        let read = Invocation::decode(&letter.invocation);
        let payload = read.as_ref().map_or(&*letter.invocation, |invocation| invocation.msg);
        if let Some(path) = &self.raw_out {
            if path.as_os_str() == "-" {
                return output::write_out(payload);
            }
            std::fs::write(path, payload).map_err(|error| Failure::file(path, &error))?;
        }
        let deployed = Deployed::read(lattice).await?;
        let content = Shown::of(payload);
        let mut value = super::value(facts, &deployed);
        let timeout_ms = read.as_ref().ok().map(Invocation::budget_ms);
        let more = [
            ("malformed", json!(read.as_ref().err().map(ToString::to_string))),
            ("invocation", json!(read.as_ref().ok().map(|invocation| invocation.id.to_string()))),
            ("timeout_ms", json!(timeout_ms)),
            ("encoding", json!(content.encoding())),
            ("payload", content.to_json()),
        ];
        if let Some(fields) = value.as_object_mut() {
            fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        session.output.data(&value, || {
            let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            let number = |number: Option<Value>| {
                number.map_or_else(|| "unknown".to_owned(), |number| number.to_string())
            };
            let lines = [
                ("number", facts.sequence.to_string()),
                ("actor", deployed.shown(&facts.target)),
                ("operation", or_none(&facts.operation)),
                ("code", facts.code.clone()),
                ("reason", facts.reason.clone()),
                ("attempts", number(facts.attempts.map(Value::from))),
                ("put aside", format!("{} ago", super::age(facts))),
                ("by node", or_none(&facts.node)),
                ("message id", or_none(&facts.id)),
                ("was message", number(facts.queue_sequence.map(Value::from))),
                ("payload", format!("{} bytes, {}", payload.len(), content.encoding())),
            ];
            let lines = lines.map(|(name, text)| format!("{name:<12} {}", shown(&text)));
            format!("{}\n\n{}", lines.join("\n"), content.to_text())
        })
    }
}
