//! The bench, cut short: what it writes can be read, and the page of figures can be written from it.

use std::path::Path;
use std::process::{Command, Output};

use integration::bench::document::{self, METHOD, PAGE};
use integration::bench::findings::{FORMAT, Run};
use integration::bench::goals;
use integration::harness::workspace_root;

fn mesh_lab(arguments: &[&str], files: &Path) -> Output {
    let lab = env!("CARGO_BIN_EXE_mesh-lab");
    let output = Command::new(lab).current_dir(files).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    output
}

#[test]
fn a_short_run_is_written_read_and_made_a_page() {
    const PARTS: [&str; 4] = ["calls", "sweep", "runtime", "http"];
    let files = tempfile::tempdir().unwrap();
    let parts = PARTS.join(",");
    let short = ["--rounds", "2", "--milliseconds", "20", "--sweep-to", "4", "--json", "run.json"];
    let printed = mesh_lab(&[&["bench", "--part", &parts], &short[..]].concat(), files.path());
    let printed = String::from_utf8(printed.stdout).unwrap();

    let json = std::fs::read(files.path().join("run.json")).unwrap();
    let run: Run = serde_json::from_slice(&json).unwrap();
    assert_eq!((run.format, run.asked.rounds, run.interrupted), (FORMAT, 2, false));
    let names: Vec<_> = run.parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(names, PARTS);
    assert!(
        !run.machine.processor.is_empty() && run.machine.versions.len() > 3,
        "{:?}",
        run.machine
    );
    for part in &run.parts {
        assert_eq!(part.broken, None, "{}", part.part);
        assert!(!part.tables.is_empty() && !part.turns.is_empty(), "{}", part.part);
        for series in part.turns.iter().flat_map(|turns| &turns.series) {
            assert_eq!(series.rounds.len(), 2, "{} of {}", series.name, part.part);
            let figures = series.rounds.iter().flat_map(|sample| sample.0.values());
            assert!(figures.into_iter().all(|figure| figure.is_finite()), "{series:?}");
        }
    }
    // Every goal of these parts is there, met or not, and was printed.
    let wanted = goals::ALL.iter().filter(|aim| PARTS.contains(&aim.part)).count();
    assert_eq!(run.goals.len(), wanted);
    for goal in &run.goals {
        assert!(printed.contains(&goal.name), "{} was not printed", goal.name);
        assert_eq!(goal.met.is_some(), goal.figure.is_some(), "{goal:?}");
        // What others make is measured where it was installed.
        let of_others = goal.name.contains("wasmtime serve");
        assert!(goal.figure.is_some() || of_others, "{goal:?}");
    }

    mesh_lab(&["performance", "--from", "run.json", "--docs", "docs"], files.path());
    for file in document::write(&run) {
        let written = std::fs::read_to_string(files.path().join("docs").join(&file.path)).unwrap();
        assert_eq!(written, file.text, "{}", file.path);
    }
    let page = std::fs::read_to_string(files.path().join("docs").join(PAGE)).unwrap();
    for part in ["## sweep", "](performance/throughput.svg)", "](performance/latency.svg)"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

#[test]
fn every_part_and_goal_is_listed() {
    let files = tempfile::tempdir().unwrap();
    let listed = String::from_utf8(mesh_lab(&["bench", "--list"], files.path()).stdout).unwrap();
    for aim in goals::ALL {
        assert!(listed.contains(aim.name), "{} is not in {listed}", aim.name);
        assert!(
            listed.lines().any(|line| line.split(' ').next() == Some(aim.part)),
            "{}",
            aim.part
        );
    }
}

#[test]
fn the_page_was_written_by_the_writer_of_now() {
    let page = std::fs::read_to_string(workspace_root().join("docs").join(PAGE)).unwrap();
    assert!(page.contains(METHOD), "run `cargo xtask bench --write-docs`: the method changed");
}
