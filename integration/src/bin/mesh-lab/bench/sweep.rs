//! Throughput and latency against the number of calls under way at once: what the plots show.

use integration::bench::findings::{Findings, Table};
use integration::bench::plot::CONCURRENCY;
use integration::bench::turns::Turns;

use super::Context;
use super::echo::Load;
use super::trio::Trio;

/// Bytes of each payload.
const PAYLOAD_BYTES: usize = 128;

/// Measures with 1, 2, 4 … calls at once.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let mut trio = Trio::start(context).await?;
    let mut concurrency = 1;
    while concurrency <= context.options.sweep_to && !context.stopped() {
        let load = Load { concurrency, payload: PAYLOAD_BYTES, time: context.options.time() };
        let measure = async |subject: &mut _| {
            Ok(load.measure(subject).await?.with(CONCURRENCY, concurrency as f64))
        };
        let title = format!("{concurrency} at once");
        found.turns.push(context.rounds.in_turns(title, &mut trio.subjects, measure).await?);
        found.tables = vec![table(&found.turns)];
        concurrency *= 2;
    }
    found.note(format!("payloads of {PAYLOAD_BYTES} B"));
    Ok(())
}

fn table(levels: &[Turns]) -> Table {
    let mut head = vec![String::new()];
    let first = levels.first().map(|turns| turns.series.as_slice()).unwrap_or_default();
    for (what, _) in FIGURES {
        head.extend(first.iter().map(|series| format!("{} {what}", series.name)));
    }
    let mut rows = vec![head];
    rows.extend(levels.iter().map(|turns| {
        let mut row = vec![turns.title.clone()];
        for (_, figure) in FIGURES {
            row.extend(turns.series.iter().map(|series| {
                let spread = series.spread(figure);
                spread.map_or("-".to_owned(), |spread| format!("{:.0}", spread.median))
            }));
        }
        row
    }));
    Table { rows }
}

const FIGURES: [(&str, &str); 3] =
    [("calls/s", "per_second"), ("p50 us", "p50_us"), ("p99 us", "p99_us")];
