//! The command line of the mesh, as a library with a thin binary.
//!
//! | file | concern |
//! |---|---|
//! | [`cli`] | what can be typed |
//! | [`session`] | where NATS is, what is shared by commands |
//! | [`command`] | one file a command |
//! | [`decide`] | what a deployment or rollback would write: pure |
//! | [`resolve`] | from a name or prefix to a key: pure |
//! | [`diagnose`] | why nobody answers: pure |
//! | [`json`] | JSON ⇄ msgpack |
//! | [`payload`] | what a payload is: msgpack, text or bytes |
//! | [`output`], [`exit`] | data to stdout, diagnostics to stderr, exit codes |

pub mod cli;
pub mod command;
pub mod decide;
pub mod diagnose;
pub mod exit;
#[cfg(test)]
mod fixture;
pub mod json;
pub mod limits;
pub mod output;
pub mod payload;
pub mod resolve;
pub mod session;
pub mod values;

use std::process::ExitCode;

/// Runs `meshctl` with the arguments of the process.
///
/// Here and not in the binary, lest everything asynchronous be compiled once more for it.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let exit = match cli::parse(&arguments) {
        Ok((session, command)) => {
            let outcome = command::run(&session, command).await;
            session.output.finish(outcome)
        }
        Err(refused) => refused.tell(),
    };
    ExitCode::from(exit.code())
}
