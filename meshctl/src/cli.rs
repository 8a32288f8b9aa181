//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use lattice_protocol::names::LatticeName;

use crate::command;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};
use crate::session::Session;

const EXIT_CODES: &str = "\
Exit codes: 0 ok · 1 failure · 2 usage · 3 no NATS · 4 not found · 5 timeout · 6 denied · 7 actor trapped
TARGET and ACTOR take a key, the start of a key (2 characters or more) or a name.

Try:
  mesh-node dev                                      # a local lattice
  meshctl sign echo.wasm --name echo                 # makes your keys on first use
  meshctl deploy echo.signed.wasm
  meshctl call echo echo '{\"hello\": \"mesh\"}'
  meshctl ls";

/// Signs, deploys and calls the actors of a mesh.
#[derive(Debug, Parser)]
#[command(name = "meshctl", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    connect: ConnectArgs,
    /// How to write: for people, or one JSON value on stdout and errors as JSON on stderr.
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(subcommand)]
    command: Command,
}

/// Where NATS is, and the lattice.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Address of NATS [env: MESH_NATS] [default: nats://127.0.0.1:4222]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "context")]
    pub nats: Option<String>,
    /// Context of the NATS CLI to connect with
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Lattice to join [default: default]
    #[arg(long, global = true, value_name = "NAME", env = "MESH_LATTICE", hide_env_values = true)]
    pub lattice: Option<LatticeName>,
    /// File of NATS credentials
    #[arg(long, global = true, value_name = "FILE")]
    pub creds: Option<PathBuf>,
    /// File of an nkey seed to connect with
    #[arg(long, global = true, value_name = "FILE")]
    pub nkey: Option<PathBuf>,
    /// User
    #[arg(long, global = true)]
    pub user: Option<String>,
    /// Password of the user
    #[arg(long, global = true, requires = "user")]
    pub password: Option<String>,
    /// Token
    #[arg(long, global = true)]
    pub token: Option<String>,
    /// Certificates that the server's is checked against
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Certificate of this client
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Key of that certificate
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes and lists keys.
    #[command(subcommand)]
    Keys(command::keys::Keys),
    /// Signs a module.
    Sign(command::sign::Sign),
    /// Shows what a module claims, and whether it verifies.
    Inspect(command::inspect::Inspect),
    /// Deploys a signed module, or replaces a revision that serves.
    Deploy(command::deploy::Deploy),
    /// Takes an actor off the lattice.
    Undeploy(command::undeploy::Undeploy),
    /// Goes back to an earlier revision.
    Rollback(command::rollback::Rollback),
    /// Strikes a module, an actor or an issuer, for good.
    Revoke(command::revoke::Revoke),
    /// Calls an actor or provider.
    Call(command::call::CallArgs),
    /// Looks at the durable calls that wait.
    #[command(subcommand)]
    Queue(command::queue::Queue),
    /// Looks at the durable calls that were put aside, and replays them.
    #[command(subcommand)]
    Dead(command::dead::Dead),
    /// Binds contracts of actors to what answers them.
    #[command(subcommand)]
    Link(command::link::Link),
    /// Has nodes run providers as processes, and keep them alive.
    #[command(subcommand)]
    Provider(command::provider::Provider),
    /// Lists nodes, actors, providers and links.
    Ls(command::ls::Ls),
    /// Hears what happens on the lattice.
    Events(command::events::Events),
    /// Makes a node finish its calls and leave.
    Drain(command::drain::Drain),
    /// Writes a script that completes commands in a shell.
    Completions(command::completions::Completions),
}

/// A command line that is not run: wrong, or a question for help.
#[derive(Debug)]
pub struct Refused {
    error: clap::Error,
    json: bool,
}

impl Refused {
    /// Tells it, and returns how the process ends.
    pub fn tell(&self) -> Exit {
        let asked = matches!(self.error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        if self.json && !asked {
            let text = self.error.render().to_string();
            let text = text.trim().trim_start_matches("error: ");
            return Output::new(Format::Json).finish(Err(Failure::usage(text)));
        }
        // Whoever closed stdout or stderr wants to know nothing.
        let _ = self.error.print();
        if asked { Exit::Ok } else { Exit::Usage }
    }
}

/// Reads a command line.
///
/// # Errors
/// [`Refused`] when it is wrong, or asks for help.
pub fn parse(arguments: &[OsString]) -> Result<(Session, Command), Refused> {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            Ok((Session { output: Output::new(cli.output), connect: cli.connect }, cli.command))
        }
        Err(error) => Err(Refused { error, json: wants_json(arguments) }),
    }
}

/// Returns whether a command line that can't be read asks for JSON all the same.
fn wants_json(arguments: &[OsString]) -> bool {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    words.iter().any(|word| matches!(*word, "-ojson" | "-o=json" | "--output=json"))
        || words.windows(2).any(|pair| matches!(pair, ["-o" | "--output", "json"]))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_commands_make_sense() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command) {
            for inner in command.get_subcommands() {
                check(inner);
            }
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("meshctl "), "{}", command.get_name());
            }
        }
        check(&Cli::command());
    }

    #[test]
    fn where_to_connect_may_stand_anywhere() {
        for line in ["meshctl --nats nats://x ls -o json", "meshctl ls --nats nats://x -o json"] {
            let (session, _) = parse(&words(line)).map_err(|refused| refused.error).unwrap();
            assert_eq!(session.connect.nats.as_deref(), Some("nats://x"));
        }
        let both = parse(&words("meshctl --nats nats://x --context y ls")).unwrap_err();
        assert_eq!(both.error.kind(), ErrorKind::ArgumentConflict);
    }

    #[test]
    fn a_wrong_line_is_told_in_the_format_that_it_asks_for() {
        assert!(parse(&words("meshctl -o json nonsense")).unwrap_err().json);
        assert!(parse(&words("meshctl nonsense --output=json")).unwrap_err().json);
        assert!(!parse(&words("meshctl nonsense json")).unwrap_err().json);
    }
}
