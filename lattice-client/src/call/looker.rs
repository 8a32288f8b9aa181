//! Asks who has the calls that wait for long, by what `looks.rs` decides.

use std::time::{Duration, Instant};

use async_nats::{Client, Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use lattice_protocol::control::{AskCalls, CallsHeld};
use lattice_protocol::names::LatticeName;
use lattice_protocol::subjects::{ControlVerb, Subject};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::looks::{Looks, Question};
use super::watch::{Verdict, Watch};
use crate::lattice::Connection;
use crate::limits;

/// An attempt to watch: under which token its answer is waited for, and who wants to know.
pub(crate) struct Watched {
    pub token: u64,
    pub watch: Watch,
    pub who: Who,
}

/// Who wants to know of an attempt.
#[derive(Clone)]
pub(crate) struct Who {
    /// Number of the attempt in its call.
    pub attempt: u32,
    pub verdicts: mpsc::Sender<(u32, Verdict)>,
}

/// Where attempts are put that shall be watched.
pub(crate) type Watching = mpsc::Sender<Watched>;

/// Makes a bounded queue of attempts to watch.
pub(crate) fn watching() -> (Watching, mpsc::Receiver<Watched>) {
    mpsc::channel(limits::WATCHED_QUEUE_CAPACITY)
}

/// What a looker needs.
pub(crate) struct Looker {
    pub nats: Client,
    pub lattice: LatticeName,
    /// What the reply subjects of calls begin with.
    pub inbox: String,
    pub connection: watch::Receiver<Connection>,
}

/// The questions of a looker, and their answers.
struct Line {
    inbox: String,
    answers: Subscriber,
}

impl Looker {
    /// Looks for what is put into `wanted`, until `stop`. While that is nothing it does nothing.
    pub async fn run(self, wanted: mpsc::Receiver<Watched>, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.look(wanted) => {}
        }
    }

    async fn look(self, mut wanted: mpsc::Receiver<Watched>) {
        let base = Instant::now();
        let mut looks = Looks::new();
        let mut line: Option<Line> = None;
        loop {
            let Some(turn_at) = looks.next_turn() else {
                let Some(Watched { token, watch, who }) = wanted.recv().await else { return };
                looks.watch(token, watch, who, base.elapsed());
                continue;
            };
            if line.is_none() {
                line = self.open().await;
            }
            let Some(Line { inbox, answers }) = &mut line else {
                tokio::time::sleep(Duration::from_millis(limits::LOOK_INTERVAL_MS)).await;
                continue;
            };
            tokio::select! {
                biased;
                message = answers.next() => match message {
                    Some(message) => take(&mut looks, inbox, &message, base.elapsed()),
                    None => line = None,
                },
                Some(Watched { token, watch, who }) = wanted.recv() => {
                    looks.watch(token, watch, who, base.elapsed());
                }
                () = tokio::time::sleep_until((base + turn_at).into()) => {
                    let now = base.elapsed();
                    if !self.connection.borrow().up {
                        looks.interrupted(now);
                        continue;
                    }
                    let turn = looks.turn(now, |who| !who.verdicts.is_closed());
                    for (who, verdict) in turn.verdicts {
                        // Where there is no room it is told again, or something newer.
                        let _ = who.verdicts.try_send((who.attempt, verdict));
                    }
                    for question in turn.questions {
                        self.ask(inbox, question).await;
                    }
                }
            }
        }
    }

    async fn open(&self) -> Option<Line> {
        let inbox = format!("{}.", self.nats.new_inbox());
        match self.nats.subscribe(format!("{inbox}*")).await {
            Ok(answers) => Some(Line { inbox, answers }),
            Err(error) => {
                tracing::warn!(%error, "nobody can be asked who has the calls that wait for long");
                None
            }
        }
    }

    async fn ask(&self, inbox: &str, question: Question) {
        let Question { number, whom, calls } = question;
        let calls = calls.iter().map(u64::to_string).collect();
        let subject = match whom {
            Some(node) => Subject::Control(self.lattice.clone(), node, ControlVerb::Calls),
            None => Subject::ControlAll(self.lattice.clone(), ControlVerb::Calls),
        };
        let Ok(bytes) = (AskCalls { inbox: self.inbox.clone(), calls }).encode() else { return };
        let reply = format!("{inbox}{number}");
        // What could not be asked counts as a question that nobody answered.
        let _ = self.nats.publish_with_reply(subject.to_string(), reply, bytes.into()).await;
    }
}

fn take(looks: &mut Looks<Who>, inbox: &str, message: &Message, now: Duration) {
    let number = message.subject.strip_prefix(inbox).and_then(|number| number.parse().ok());
    let Some(number) = number else { return };
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        looks.no_responders(number, now);
    } else if let Ok(told) = CallsHeld::decode(&message.payload) {
        looks.answered(number, &told);
    }
}
