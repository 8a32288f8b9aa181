//! The commands, one file each.

pub mod call;
pub mod completions;
pub mod dead;
pub mod deploy;
pub mod drain;
pub mod events;
pub mod inspect;
pub mod keys;
pub mod link;
pub mod ls;
pub mod provider;
pub mod queue;
pub mod revoke;
pub mod rollback;
pub mod rollout;
pub mod sign;
pub mod undeploy;

use crate::cli::Command;
use crate::exit::Failure;
use crate::session::Session;

/// Runs a command.
///
/// # Errors
/// [`Failure`] when it fails.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Keys(args) => args.run(session),
        Command::Sign(args) => args.run(session),
        Command::Inspect(args) => args.run(session),
        Command::Completions(args) => args.run(),
        Command::Deploy(args) => Box::pin(args.run(session)).await,
        Command::Undeploy(args) => Box::pin(args.run(session)).await,
        Command::Rollback(args) => Box::pin(args.run(session)).await,
        Command::Revoke(args) => Box::pin(args.run(session)).await,
        Command::Call(args) => Box::pin(args.run(session)).await,
        Command::Dead(args) => Box::pin(args.run(session)).await,
        Command::Queue(args) => Box::pin(args.run(session)).await,
        Command::Link(args) => Box::pin(args.run(session)).await,
        Command::Provider(args) => Box::pin(args.run(session)).await,
        Command::Ls(args) => Box::pin(args.run(session)).await,
        Command::Events(args) => Box::pin(args.run(session)).await,
        Command::Drain(args) => Box::pin(args.run(session)).await,
    }
}
