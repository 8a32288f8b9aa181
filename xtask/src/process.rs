//! Runs other programs: shows what runs, and says clearly what failed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a program with a time limit is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Runs `command` to its end with its output shown, after a line that shows the command itself.
///
/// # Errors
/// When the program can't be started, or ends with anything but success.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    eprintln!("+ {line}");
    let status = command.status().with_context(|| format!("`{line}` could not be started"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs `command` in the place of this program, so that Ctrl-C reaches it alone and it ends in its
/// own way. Returns only where that is impossible.
///
/// # Errors
/// When the program can't be started.
#[cfg(unix)]
pub fn run_instead(command: &mut Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let line = shown(command);
    eprintln!("+ {line}");
    Err(command.exec()).with_context(|| format!("`{line}` could not be started"))
}

/// Runs `command` like [`run`]: this system can't put it in the place of this program.
///
/// # Errors
/// As [`run`].
#[cfg(not(unix))]
pub fn run_instead(command: &mut Command) -> Result<()> {
    run(command)
}

/// Runs `command` like [`run`], and ends it when it takes longer than `most`.
///
/// # Errors
/// As [`run`], and when the time is up.
pub fn run_for(command: &mut Command, most: Duration) -> Result<()> {
    let line = shown(command);
    eprintln!("+ {line}");
    let mut child = command.spawn().with_context(|| format!("`{line}` could not be started"))?;
    let end = Instant::now() + most;
    loop {
        match child.try_wait().with_context(|| format!("`{line}` could not be awaited"))? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("`{line}` failed: {status}"),
            None if Instant::now() < end => thread::sleep(POLL),
            None => {
                // It may have ended by itself a moment ago; either way it is gone after this.
                let _ = child.kill();
                let _ = child.wait();
                bail!("`{line}` was ended after {} s", most.as_secs());
            }
        }
    }
}

/// Runs `command` to its end and returns what it wrote to its standard output, without the white
/// space around it.
///
/// # Errors
/// When the program can't be started, ends with anything but success (its standard error is told),
/// or writes something else than UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("`{line}` could not be started"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed: {}\n{}", output.status, told.trim());
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{line}` wrote something else than text"))?;
    Ok(text.trim().to_owned())
}

/// Returns where `program` is on `path`, the value of a `PATH` variable.
pub fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// Returns a command as a person would type it, its own variables first.
fn shown(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_string_lossy(), quoted(value?))));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=/.:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("cargo");
        command.args(["build", "it's here"]).env("A", "1").env_remove("B");
        assert_eq!(shown(&command), r"A=1 cargo build 'it'\''s here'");
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_told() {
        let error = output(Command::new("sh").args(["-c", "echo broken >&2; exit 3"]));
        let error = error.expect_err("it failed").to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("broken"), "{error}");
        let error = run(&mut Command::new("/no/such/program")).expect_err("it is not there");
        assert_eq!(error.to_string(), "`/no/such/program` could not be started");
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let started = Instant::now();
        let error = run_for(Command::new("sleep").arg("600"), Duration::from_millis(100));
        assert!(error.expect_err("time is up").to_string().contains("was ended"));
        assert!(started.elapsed() < Duration::from_secs(60));
        run_for(&mut Command::new("true"), Duration::from_secs(60)).expect("it ends in time");
    }

    #[test]
    fn programs_are_found_on_the_path_only() {
        assert!(find("sh", OsStr::new("/nowhere:/bin")).is_some());
        assert_eq!(find("sh", OsStr::new("/nowhere")), None);
    }
}
