//! `meshctl call`.

mod durable;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use lattice_client::{Answer, Call, Lattice, TraceContext};
use lattice_protocol::keys::TargetKey;
use lattice_protocol::{Error, ErrorCode};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::payload::Shown;
use crate::session::{self, Deployed, Session};
use crate::{json, output, resolve, values};

/// Calls an operation of an actor or provider, and writes its answer.
///
/// JSON is sent as msgpack, and msgpack that comes back is shown as JSON: objects are maps,
/// {"$bin": "base64"} is bytes, {"$map": [[key, value], …]} a map with other keys than texts. An
/// answer that is no msgpack is shown as text, or else in hex. A trace is carried on from
/// $TRACEPARENT, $TRACESTATE and $BAGGAGE.
///
/// With --durable the call is stored, and run by a node as soon as there is one that serves the
/// actor: at least once, again with growing pauses when it fails, then put aside (`meshctl dead`).
/// Success is told when it is stored; its answer is not told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  meshctl call echo echo '{\"hello\": \"mesh\"}'
  meshctl call pinger ping '{\"message\": \"hello\"}' --timeout 5s
  meshctl call echo echo --raw photo.jpg --raw-out same.jpg
  echo '{\"n\": 1}' | meshctl call MBCD Count -
  meshctl call --durable echo echo --raw photo.jpg --timeout 30s
  meshctl call --durable shop settle '{\"order\": 17}' --id order-17 --attempts 5")]
pub struct CallArgs {
    /// Actor or provider.
    target: String,
    /// Operation.
    operation: String,
    /// Payload as JSON; `-` reads it from stdin. Without any payload none is sent.
    #[arg(group = "payload")]
    json: Option<String>,
    /// File whose bytes are the payload; `-` reads stdin.
    #[arg(long, value_name = "FILE", group = "payload")]
    raw: Option<PathBuf>,
    /// Text whose bytes are the payload.
    #[arg(long, value_name = "TEXT", group = "payload")]
    text: Option<String>,
    /// File that gets the bytes of the answer; `-` is stdout.
    #[arg(long, value_name = "FILE")]
    raw_out: Option<PathBuf>,
    /// Time for the call, retries included; of a durable one for each attempt.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = values::duration)]
    timeout: Duration,
    /// Running it twice does no harm: it may be tried again when its outcome is unknown.
    #[arg(long)]
    idempotent: bool,
    /// The oldest revision that may answer.
    #[arg(long, value_name = "REV")]
    min_revision: Option<u64>,
    /// Stores the call, to be run at least once, whatever happens to nodes meanwhile.
    #[arg(long, conflicts_with_all = ["idempotent", "raw_out"])]
    durable: bool,
    /// What the durable call is known by: it is stored once, however often it is sent within two
    /// minutes [default: a new one]
    #[arg(long, value_name = "ID", requires = "durable")]
    id: Option<String>,
    /// How often the durable call may fail before it is put aside [default: 10]
    #[arg(long, value_name = "N", requires = "durable")]
    attempts: Option<u32>,
}

impl CallArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when the call fails.
    pub async fn run(&self, session: &Session) -> Result<(), Failure> {
        let payload = self.payload()?;
        if !lattice_protocol::names::is_operation(&self.operation) {
            return Err(Failure::usage(format!("{:?} is no operation", self.operation)));
        }
        let lattice = session.lattice().await?;
        if self.durable {
            let outcome = durable::store(self, session, &lattice, payload).await;
            let outcome = outcome.map_err(|failure| session::blame(&lattice, failure));
            lattice.close().await;
            return outcome;
        }
        let outcome = self.call(&lattice, payload).await;
        lattice.close().await;
        let (answer, latency) = outcome?;
        self.show(session, &answer, latency)
    }

    fn payload(&self) -> Result<Vec<u8>, Failure> {
        if let Some(text) = &self.text {
            return Ok(text.clone().into_bytes());
        }
        if let Some(path) = &self.raw {
            return read(path);
        }
        let Some(text) = &self.json else { return Ok(Vec::new()) };
        let text = match text.as_str() {
            "-" => String::from_utf8(read(Path::new("-"))?)
                .map_err(|_| Failure::usage("stdin is not JSON: it is not UTF-8"))?,
            text => text.to_owned(),
        };
        json::to_msgpack(&text).map_err(|error| {
            Failure::usage(format!("the payload is {error}"))
                .hint("quote JSON for the shell ('{\"a\": 1}'), or send bytes with --raw or --text")
        })
    }

    async fn call(
        &self,
        lattice: &Lattice,
        payload: Vec<u8>,
    ) -> Result<(Answer, Duration), Failure> {
        let target = self.target(lattice).await?;
        let mut call = Call::new(target.clone(), self.operation.clone(), payload);
        call.timeout = self.timeout;
        call.idempotent = self.idempotent;
        call.min_revision = self.min_revision;
        call.trace = trace();
        let started = Instant::now();
        match lattice.call(call).await {
            Ok(answer) => Ok((answer, started.elapsed())),
            Err(error) => Err(self.failure(lattice, &target, error).await),
        }
    }

    async fn target(&self, lattice: &Lattice) -> Result<TargetKey, Failure> {
        if let Some(key) = resolve::full_target(&self.target)? {
            return Ok(key);
        }
        let deployed =
            Deployed::read(lattice).await.map_err(|failure| session::blame(lattice, failure))?;
        let running = session::running_providers(lattice).await.unwrap_or_default();
        let targets = deployed.targets(&running);
        let found = match resolve::find("actor or provider", &self.target, &targets) {
            Ok(found) => found,
            Err(failure) if failure.exit == Exit::NotFound && targets.is_empty() => {
                return Err(session::explain(lattice, &self.target, None).await);
            }
            Err(failure) => {
                let hint = failure.hint.clone();
                let hint = hint.unwrap_or("see what is deployed with `meshctl ls`".to_owned());
                return Err(failure.hint(hint));
            }
        };
        found.key.parse().map_err(|error| Failure::usage(format!("{}: {error}", found.key)))
    }

    async fn failure(&self, lattice: &Lattice, target: &TargetKey, error: Error) -> Failure {
        // Only where nobody listened: an actor may itself answer that it found nothing.
        let nobody = error.code == ErrorCode::NotFound && !error.started;
        match target {
            TargetKey::Actor(key) if nobody => {
                session::explain(lattice, &self.target, Some(key)).await
            }
            _ => session::blame(lattice, error.into()),
        }
    }

    fn show(&self, session: &Session, answer: &Answer, latency: Duration) -> Result<(), Failure> {
        let mut value = json!({
            "node": answer.node,
            "revision": answer.revision,
            "attempts": answer.attempts,
            "latency_ms": latency.as_secs_f64() * 1_000.0,
            "bytes": answer.payload.len(),
        });
        if let Some(path) = &self.raw_out {
            if path.as_os_str() == "-" {
                return output::write_out(&answer.payload);
            }
            std::fs::write(path, &answer.payload).map_err(|error| Failure::file(path, &error))?;
            set(&mut value, "file", json!(path));
            return session
                .output
                .data(&value, || format!("{}: {} bytes", path.display(), answer.payload.len()));
        }
        let shown = Shown::of(&answer.payload);
        set(&mut value, "encoding", json!(shown.encoding()));
        set(&mut value, "answer", shown.to_json());
        session.output.data(&value, || shown.to_text())
    }
}

fn set(value: &mut Value, field: &str, content: Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(field.to_owned(), content);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() != "-" {
        return std::fs::read(path).map_err(|error| Failure::file(path, &error));
    }
    let mut bytes = Vec::new();
    // One more than may be sent: the lattice's own limit then names itself.
    let most = lattice_protocol::limits::PAYLOAD_BYTES_MAX as u64 + 1;
    let read = std::io::stdin().lock().take(most).read_to_end(&mut bytes);
    read.map_err(|error| Failure::file(path, &error))?;
    Ok(bytes)
}

fn trace() -> TraceContext {
    let set = |variable: &str| std::env::var(variable).ok().filter(|value| !value.is_empty());
    TraceContext {
        traceparent: set("TRACEPARENT"),
        tracestate: set("TRACESTATE"),
        baggage: set("BAGGAGE"),
    }
}
