//! Writes `docs/performance.md` and its plots from a run.

use super::findings::{Findings, Run, Table};
use super::goals;
use super::plot::{Plot, Scale};

/// The name of the page.
pub const PAGE: &str = "performance.md";
/// The folder of the plots, beside the page.
pub const PLOTS: &str = "performance";

/// How the figures came about. The page in the repository has this very text: one that was written
/// by another version is found by a test.
pub const METHOD: &str = "\
A thing and its baseline are measured in turns: in each round one after the other, each for the same time, and another
one first in each round. So what else the machine does strikes all of them. A first round warms up and is not counted. Figures are medians of the rounds. A ratio is
taken within each round; behind its median are its least and its most. Quote the ratios: absolute figures are this machine's.

Servers, nodes and baselines are processes of their own, on loopback, under the configuration of [`compose/nats`](../compose/nats), as everything else in the tests. Every answer is
checked; a part in which a call failed has no figures. The load is closed, a caller waits for its answer before it sends the next one, but for `nodes`, where calls leave at a rate.

*Fresh* is an actor as it is deployed by default: each call has memory that no other call has seen. *Reuse* is one with `--isolation reuse`: an instance is used again. A goal that is
not met stands here as such.
";

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where, below the folder of the documents.
    pub path: String,
    /// What.
    pub text: String,
}

/// Returns the page of a run, and its plots.
pub fn write(run: &Run) -> Vec<File> {
    let mut files = plots(run);
    let page = page(run, &files);
    files.insert(0, File { path: PAGE.to_owned(), text: page });
    files
}

/// The plots of the part `sweep`: file, words for those who do not see it, and how it is drawn.
const SWEEP: [(&str, &str, Plot<'static>); 2] = [
    (
        "throughput.svg",
        "Calls a second against calls at once",
        Plot {
            title: "Calls a second, 128 B",
            figures: ("per_second", None),
            scale: Scale::Linear,
        },
    ),
    (
        "latency.svg",
        "Latency against calls at once",
        Plot {
            title: "Latency in microseconds, 128 B: p50, dashed p99",
            figures: ("p50_us", Some("p99_us")),
            scale: Scale::Logarithmic,
        },
    ),
];

fn plots(run: &Run) -> Vec<File> {
    let Some(sweep) = run.parts.iter().find(|part| part.part == "sweep") else {
        return Vec::new();
    };
    let drawn = SWEEP.iter().filter_map(|(name, _, plot)| {
        Some(File { path: format!("{PLOTS}/{name}"), text: plot.draw(&sweep.turns)? })
    });
    drawn.collect()
}

fn page(run: &Run, plots: &[File]) -> String {
    let mut text = String::from(
        "# Performance\n\nWritten by `cargo xtask bench --write-docs`: change nothing here by hand.\n",
    );
    if run.interrupted {
        text.push_str(
            "\nThe run was ended before its time: what it had found until then is here.\n",
        );
    }
    text.push_str(&format!("\n## Goals\n\n{}", goals::table(&run.goals).markdown()));
    text.push_str(&format!("\n## Method\n\n{METHOD}"));
    text.push_str(&format!("\n## Machine\n\n{}", machine(run).markdown()));
    text.push_str(&again(run));
    for part in &run.parts {
        text.push_str(&section(part, plots));
    }
    text
}

fn machine(run: &Run) -> Table {
    let machine = &run.machine;
    let mut table = Table::new(["of the run", ""]);
    let mut row = |what: &str, value: String| table.rows.push(vec![what.to_owned(), value]);
    row("began", day(run.begun_s));
    row("processor", format!("{}, {} of them", machine.processor, machine.processors));
    row("memory", format!("{:.1} GiB", machine.memory_bytes as f64 / (1_u64 << 30) as f64));
    row("kernel", machine.kernel.clone());
    row("load average before", machine.load_before.clone());
    for (name, version) in &machine.versions {
        row(name, version.clone());
    }
    table
}

fn again(run: &Run) -> String {
    let options = run.asked.options.join(" ");
    format!(
        "\n## Again\n\n```sh\ncargo xtask bench --install-baselines --json bench.json --write-docs\n```\n\n\
         This run was `mesh-lab bench {options}`: {} rounds of {} ms each. A part alone: `cargo xtask bench --part calls`. The page from figures that are there: \
         `target/release/mesh-lab performance --from bench.json`.\n",
        run.asked.rounds, run.asked.milliseconds
    )
}

fn section(part: &Findings, plots: &[File]) -> String {
    let mut text = format!("\n## {}\n\n{}.\n", part.part, part.about);
    if part.part == "sweep" {
        for file in plots {
            let words = SWEEP.iter().find(|(name, ..)| file.path.ends_with(name));
            let words = words.map(|(_, words, _)| *words).unwrap_or_default();
            text.push_str(&format!("\n![{words}]({})\n", file.path));
        }
    }
    for table in &part.tables {
        text.push_str(&format!("\n{}", table.markdown()));
    }
    if !part.notes.is_empty() {
        text.push('\n');
    }
    for note in &part.notes {
        text.push_str(&format!("- {note}.\n"));
    }
    for missing in &part.missing {
        text.push_str(&format!("\nNot measured here: {missing}.\n"));
    }
    if let Some(why) = &part.broken {
        text.push_str(&format!("\nIt did not come to its end:\n\n```text\n{why}\n```\n"));
    }
    text
}

/// Returns the day of a moment, in seconds since 1970, as `2026-01-31`.
fn day(seconds: u64) -> String {
    // Howard Hinnant's days_from_civil, backwards: years begin in March, so that leap days end them.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::super::plot::CONCURRENCY;
    use super::super::spread::Spread;
    use super::super::turns::{Sample, Series, Turns};
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, wanted) in
            [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (1_767_139_200, "2025-12-31")]
        {
            assert_eq!(day(seconds), wanted);
        }
    }

    #[test]
    fn the_page_has_goals_tables_and_plots() {
        let mut sweep = Findings::new("sweep", "against the number of calls");
        sweep.tables.push(Table::new(["at once", "calls/s"]));
        let sample = Sample::default().with(CONCURRENCY, 1.0).with("per_second", 5.0);
        let series = vec![Series { name: "raw".to_owned(), rounds: vec![sample] }];
        sweep.turns.push(Turns { title: "1 at once".to_owned(), series });
        let mut idle = Findings::new("idle", "nothing");
        idle.look("resident memory", Spread::once(31.0));
        idle.broken = Some("no port".to_owned());
        let mut run = Run::default();
        run.add(sweep);
        run.add(idle);
        let files = write(&run);
        let names: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        // No latency was found, so there is no plot of it.
        assert_eq!(names, [PAGE, "performance/throughput.svg"]);
        let page = &files[0].text;
        for part in [METHOD, "| idle: resident memory | 31.0 MiB |", "not met |", "no port"] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(
            page.contains("![Calls a second against calls at once](performance/throughput.svg)")
        );
    }
}
