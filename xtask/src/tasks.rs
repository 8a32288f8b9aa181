//! The tasks themselves.

use std::process::Command;

use crate::baselines;
use crate::process::{run, run_instead};
use crate::setup::Tools;
use crate::steps::Steps;
use crate::tools::{built, cargo, command, root};
use crate::wasm;

/// Packages that are built and tested together, so that they share every artefact. This program
/// stays out: it is built without optimisation, so that it starts soon.
const WORKSPACE: [&str; 3] = ["--workspace", "--exclude", "xtask"];

/// Tests about times, or about what a node can bear: `integration/tests/alone/`.
const ALONE: &str = "alone::";

/// Installs what is missing and builds the actors.
///
/// # Errors
/// Which part failed, and why.
pub fn setup() -> anyhow::Result<()> {
    let mut steps = Steps::new();
    prepare(&mut steps)?;
    steps.summarise();
    Ok(())
}

/// Checks format and lints of both workspaces.
///
/// # Errors
/// Which check failed.
pub fn lint() -> anyhow::Result<()> {
    let mut steps = Steps::new();
    check(&mut steps)?;
    steps.summarise();
    Ok(())
}

/// Checks everything.
///
/// # Errors
/// Which step failed.
pub fn test() -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let tools = prepare(&mut steps)?;
    check(&mut steps)?;
    build(&mut steps)?;
    steps
        .step("test: this program", || run(cargo(&root()).args(["test", "--package", "xtask"])))?;
    steps.step("test: actors, natively", || {
        run(cargo(&root().join("actors")).args(["test", "--workspace"]))
    })?;
    let mut test = |name: &str, at_once: &str, which: &[&str]| {
        steps.step(name, || {
            let mut test = cargo(&root());
            test.args(["test", "--release", "--no-fail-fast"]).args(WORKSPACE).args(which);
            run(with(test.env("RUST_TEST_THREADS", at_once), &tools))
        })
    };
    // Most of the time tests wait for something. What fails in one step hides nothing of the other.
    let others = test("test: workspace, real servers and nodes", "2", &["--", "--skip", ALONE]);
    let alone = test("test: what bears nothing beside it", "1", &["--test", "mesh", "--", ALONE]);
    others.and(alone)?;
    steps.summarise();
    eprintln!("  every test passed");
    Ok(())
}

/// Shows a lattice at work.
///
/// # Errors
/// Which step failed, or that calls failed.
pub fn demo(stay: bool) -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let tools = prepare(&mut steps)?;
    build_programs(&mut steps)?;
    let stay: &[&str] = if stay { &["--stay"] } else { &[] };
    run(with(lab("demo")?.args(stay), &tools))
}

/// Measures.
///
/// # Errors
/// Which step failed.
pub fn bench(install_baselines: bool, options: &[String]) -> anyhow::Result<()> {
    // It may stand behind the options of the bench, too.
    let (asked, options): (Vec<_>, Vec<_>) =
        options.iter().partition(|option| *option == "--install-baselines");
    let mut steps = Steps::new();
    let tools = prepare(&mut steps)?;
    build_programs(&mut steps)?;
    if install_baselines || !asked.is_empty() {
        steps.step("set-up: baselines", baselines::install)?;
    }
    // Who names a part, or asks which there are, wants that alone.
    let narrowed = |option: &&String| *option == "--list" || option.starts_with("--part");
    if !options.iter().any(narrowed) {
        steps.step("bench: parts of the engine", || {
            let echo = root().join("target/actors/echo.wasm");
            let mut bench = cargo(&root());
            bench.arg("bench").args(WORKSPACE).arg("--benches");
            bench.env("MESH_BENCH_ACTOR", echo).env("MESH_BENCH_OPERATION", "echo");
            run(with(&mut bench, &tools))
        })?;
    }
    steps.summarise();
    run_instead(with(lab("bench")?.args(options), &tools))
}

/// Swaps revisions under load.
///
/// # Errors
/// Which step failed, or that calls failed.
pub fn swaps(options: &[String]) -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let tools = prepare(&mut steps)?;
    build_programs(&mut steps)?;
    run(with(lab("swaps")?.args(options), &tools))
}

/// Runs the fault bench.
///
/// # Errors
/// Which step failed, or that a goal was missed.
pub fn faults(options: &[String]) -> anyhow::Result<()> {
    let mut steps = Steps::new();
    let tools = prepare(&mut steps)?;
    build_programs(&mut steps)?;
    run_instead(with(lab("faults")?.args(options), &tools))
}

/// Records the corpus of a version.
///
/// # Errors
/// That the version is recorded already, or is none.
pub fn corpus(version: &str) -> anyhow::Result<()> {
    let mut record = cargo(&root());
    record.args(["test", "--release", "-p", "lattice-protocol", "--test", "vectors"]);
    record.args(["corpus::a_version_is_recorded_once", "--", "--exact"]);
    run(record.env("RECORD_CORPUS", version))
}

/// Simulates.
///
/// # Errors
/// That the build failed, or that a seed showed a rule to be broken.
pub fn simulate(seeds: Option<u64>, seed: Option<u64>, json: bool) -> anyhow::Result<()> {
    // Nothing but data goes to the standard output.
    build_programs(&mut Steps::new())?;
    let mut simulate = command(built("mesh-simulate")?, &root());
    for (name, value) in [("--seeds", seeds), ("--seed", seed)] {
        if let Some(value) = value {
            simulate.arg(name).arg(value.to_string());
        }
    }
    if json {
        simulate.arg("--json");
    }
    run(&mut simulate)
}

fn prepare(steps: &mut Steps) -> anyhow::Result<Tools> {
    let tools = steps.step("set-up: tools", Tools::prepare)?;
    steps.step("set-up: actors to wasm", || wasm::build_actors(&root()))?;
    Ok(tools)
}

fn check(steps: &mut Steps) -> anyhow::Result<()> {
    let actors = root().join("actors");
    for (name, folder) in [("workspace", &root()), ("actors", &actors)] {
        steps.step(&format!("lint: format, {name}"), || {
            run(cargo(folder).args(["fmt", "--all", "--check"]))
        })?;
        steps.step(&format!("lint: clippy, {name}"), || {
            // As optimised as what is built next, so that both share what runs in the compiler.
            let lint = ["clippy", "--release", "--workspace", "--all-targets"];
            run(cargo(folder).args(lint).args(["--", "--deny", "warnings"]))
        })?;
    }
    Ok(())
}

/// Builds all but the benches, which nothing here runs.
fn build(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("build: programs and tests", || {
        let targets = ["--lib", "--bins", "--examples", "--tests"];
        run(cargo(&root()).args(["build", "--release"]).args(WORKSPACE).args(targets))
    })
}

/// Builds what a user runs, and no tests.
fn build_programs(steps: &mut Steps) -> anyhow::Result<()> {
    steps.step("build: programs", || {
        // There are no examples, but to name them lets dependencies have the features that they
        // have for the tests, so that neither build has to repeat the other's.
        let programs = ["--bins", "--examples"];
        run(cargo(&root()).args(["build", "--release"]).args(WORKSPACE).args(programs))
    })
}

/// The program that does what needs servers and nodes.
fn lab(task: &str) -> anyhow::Result<Command> {
    let mut lab = command(built("mesh-lab")?, &root());
    lab.arg(task);
    Ok(lab)
}

fn with<'a>(command: &'a mut Command, tools: &Tools) -> &'a mut Command {
    command.envs(tools.environment())
}
