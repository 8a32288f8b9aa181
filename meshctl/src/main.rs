//! The command line of the mesh: see `meshctl --help`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let exit = match meshctl::cli::parse(&arguments) {
        Ok((session, command)) => {
            let outcome = meshctl::command::run(&session, command).await;
            session.output.finish(outcome)
        }
        Err(refused) => refused.tell(),
    };
    ExitCode::from(exit.code())
}
