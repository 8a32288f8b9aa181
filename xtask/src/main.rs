//! `cargo xtask`: set-up, demo, test, bench and simulation. What README and CI call, and nothing that they
//! would have to do besides.

mod baselines;
mod process;
mod redis;
mod setup;
mod steps;
mod tasks;
mod tools;
mod wasm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sets the project up, shows it, tests it, measures it.
///
/// Each task does the set-up that it needs first, so that it works on a fresh machine with cargo,
/// python3 with pip, and npm. What set-up installs stays in this repository, in `.tools` and in
/// `target`; it says what it installs and where.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the other tasks need, and builds the example actors to wasm.
    ///
    /// A nats-server of at least 2.11 (taken from $PATH where there is one), the packages of the
    /// Python and JavaScript examples, a toolchain for wasm. What is there already is left alone.
    Setup,
    /// Checks everything: set-up, lint, and every test against real servers and nodes.
    ///
    /// To run one group of tests by hand after `cargo xtask setup`, see CONTRIBUTING.md.
    Test,
    /// Starts a lattice of two nodes on this machine, calls actors, replaces them under load.
    ///
    /// Ends with a table of the calls, and with exit code 0 only if none failed.
    Demo {
        /// Leaves the lattice up and prints what to try; Ctrl-C ends it.
        #[arg(long)]
        stay: bool,
    },
    /// Measures what calls, requests and nodes cost, beside their baselines in the same run.
    ///
    /// Prints a table a part, and at the end every goal with what was found. A line says how far
    /// it is; Ctrl-C ends a run with what it found so far. Where no part is named criterion
    /// measures parts of the engine first. docs/performance.md says how the figures come about.
    ///
    /// Examples:
    ///   cargo xtask bench --list                             the parts and their goals
    ///   cargo xtask bench --part calls,http --rounds 3
    ///   cargo xtask bench --install-baselines --part runtime,http
    ///   cargo xtask bench --json bench.json --write-docs     all of it, and docs/performance.md
    #[command(verbatim_doc_comment)]
    Bench {
        /// Builds what is measured beside the mesh and is not part of it, into .tools: the command
        /// line of wasmtime, and a program with the crate wapc. Takes long; once.
        #[arg(long)]
        install_baselines: bool,
        /// `--list`, `--part PART,…`, `--rounds N`, `--milliseconds N`, `--json FILE`, `--write-docs`, `--strict` and
        /// what else `mesh-lab bench --help` names.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Swaps a thousand revisions under a running load, and counts what fails.
    Swaps {
        /// What follows `--`: `--revisions N`, `--nodes N`, `--concurrency N`, `--json FILE`.
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Lets links, nodes and brokers fail under load, and finds out what is lost and for how long.
    ///
    /// Exits with 0 only if every scenario met its goal; a line tells how far it is, a table what was found. docs/faults.md
    /// says what each does and how to read the table. All of them whole take some three hours; Ctrl-C ends a run with
    /// what it found so far.
    ///
    /// Examples:
    ///   cargo xtask faults --list                            the scenarios and their goals
    ///   cargo xtask faults kill --rounds 5 --seed 1          one of them, cut short
    ///   cargo xtask faults brokers --rounds 10 --json b.json
    ///   cargo xtask faults soak --minutes 5
    #[command(verbatim_doc_comment)]
    Faults {
        /// Scenarios, all where none is named, and `--minutes N`, `--rounds N`, `--seed S`,
        /// `--json FILE`, `--list`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Runs lattices in virtual time, with every misfortune that a seed brings, and checks what must
    /// hold; needs no server. See docs/simulation.md.
    Simulate {
        /// How many seeds to run [default: 10000].
        #[arg(long)]
        seeds: Option<u64>,
        /// The first seed; alone it is the only one, and its events are printed.
        #[arg(long)]
        seed: Option<u64>,
        /// Prints JSON.
        #[arg(long)]
        json: bool,
    },
    /// Records what this version writes, for the tests of later ones: once, when it is released.
    Corpus {
        /// The version, such as v0.2: the name of a folder in lattice-protocol/tests/corpus that is not there yet.
        version: String,
    },
    /// Checks format (rustfmt) and lints (clippy) of both workspaces; part of `test`.
    Lint,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup => tasks::setup(),
        Task::Test => tasks::test(),
        Task::Demo { stay } => tasks::demo(stay),
        Task::Bench { install_baselines, options } => tasks::bench(install_baselines, &options),
        Task::Swaps { options } => tasks::swaps(&options),
        Task::Faults { options } => tasks::faults(&options),
        Task::Simulate { seeds, seed, json } => tasks::simulate(seeds, seed, json),
        Task::Corpus { version } => tasks::corpus(&version),
        Task::Lint => tasks::lint(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
