//! `meshctl completions`.

use clap::{Args, CommandFactory};

use crate::cli::Cli;
use crate::exit::Failure;
use crate::output;

/// Writes a script that completes commands in a shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  meshctl completions bash > ~/.local/share/bash-completion/completions/meshctl"
)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Completions {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] when stdout can't be written.
    pub fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "meshctl", &mut script);
        output::write_out(&script)
    }
}
