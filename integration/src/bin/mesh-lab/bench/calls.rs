//! Calls end to end against a raw NATS request and reply.
//!
//! Both ends are processes of their own, as in life. The processor time that each process spends on
//! a call is less at the mercy of the machine, and tells where the time goes.

use integration::bench::findings::Findings;
use integration::bench::turns::Column;

use super::Context;
use super::echo::Load;
use super::trio::{FRESH, RAW, REUSE, Trio};

/// The columns of every table of calls.
pub(super) const COLUMNS: [Column; 3] = [
    Column { head: "calls/s", figure: "per_second", decimals: 0 },
    Column { head: "p50 us", figure: "p50_us", decimals: 0 },
    Column { head: "p99 us", figure: "p99_us", decimals: 0 },
];
/// Ratios to the first line of a table of calls.
pub(super) const RATIOS: [(&str, &str); 2] =
    [("of the first: calls/s", "per_second"), ("p50", "p50_us")];
const PROCESSOR: [Column; 4] = [
    Column { head: "caller us", figure: "caller_cpu_us", decimals: 1 },
    Column { head: "server us", figure: "server_cpu_us", decimals: 1 },
    Column { head: "answerer us", figure: "answerer_cpu_us", decimals: 1 },
    Column { head: "in all us", figure: "all_cpu_us", decimals: 1 },
];

/// Measures every payload with every number of calls at once.
pub(super) async fn run(context: &Context<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let mut trio = Trio::start(context).await?;
    let mut processor = Vec::new();
    for &payload in &context.options.payload {
        for &concurrency in &context.options.concurrency {
            let load = Load { concurrency, payload, time: context.options.time() };
            let title = format!("{payload} B, {concurrency} at once");
            let measure = async |subject: &mut _| load.measure(subject).await;
            let mut turns = context.rounds.in_turns(&title, &mut trio.subjects, measure).await?;
            for name in [FRESH, REUSE] {
                for (what, figure) in [("throughput", "per_second"), ("p50", "p50_us")] {
                    let goal = format!("{name} / {RAW}, {title}: {what}");
                    found.look(&goal, turns.ratio(name, RAW, figure));
                }
            }
            found.tables.push(turns.table(&COLUMNS, &RATIOS));
            turns.title = format!("processor time a call, {title}");
            processor.push(turns.table(&PROCESSOR, &[("of the first: in all", "all_cpu_us")]));
            turns.title = title;
            found.turns.push(turns);
        }
    }
    found.tables.append(&mut processor);
    found.note("raw is a NATS request and reply between two programs, fresh an actor whose every call has fresh memory, reuse one whose instances are used again");
    Ok(())
}
