//! `meshctl events`.

use clap::Args;
use lattice_client::Lattice;
use lattice_protocol::event::{Event, EventKind};
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::output::shown;
use crate::session::{self, Session};

/// Hears what happens on the lattice, until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meshctl events
  meshctl events --kind actor_refused --count 1 -o json")]
pub struct Events {
    /// Only this kind; may be repeated.
    #[arg(long = "kind", value_name = "KIND", value_parser = kinds())]
    kinds: Vec<String>,
    /// End after so many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn kinds() -> clap::builder::PossibleValuesParser {
    EventKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().into()
}

impl Events {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when events can't be heard, or the connection is lost for good.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let lattice = session.lattice().await?;
        let outcome = tokio::select! {
            outcome = self.hear(session, &lattice) => outcome,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
        lattice.close().await;
        outcome
    }

    async fn hear(&self, session: &Session, lattice: &Lattice) -> Result<(), Failure> {
        let mut events = lattice.events().await?;
        // The server has answered by now, also with a refusal.
        if let Some(complaint) = lattice.complaint() {
            return Err(Failure::new(Exit::Denied, "denied", complaint));
        }
        session.output.progress(&format!("hearing the events of lattice {}", lattice.name()));
        let mut heard = 0;
        while self.count.is_none_or(|count| heard < count) {
            let Some(event) = events.next().await else {
                return Err(Failure::new(Exit::NoNats, "unreachable", "the connection was closed"));
            };
            let kind = event.kind.strip_prefix("mesh.").unwrap_or(&event.kind);
            if self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind) {
                heard += 1;
                session.output.data(&json!(event), || line(&event, kind))?;
            }
        }
        Ok(())
    }
}

fn line(event: &Event, kind: &str) -> String {
    let facts: Vec<String> =
        event.data.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let text = format!(
        "{} {kind:<14} {} {} on {}",
        event.time,
        event.subject,
        facts.join(" "),
        event.source
    );
    shown(&text).replace('\n', " ")
}
