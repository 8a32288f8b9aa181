//! Steps of a task: each is announced, timed, and shown again in a summary at the end.

use std::fmt;
use std::time::{Duration, Instant};

/// The steps of one task so far.
pub struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    time: Duration,
    passed: bool,
}

impl Steps {
    /// Starts a task.
    pub fn new() -> Self {
        Self { done: Vec::new() }
    }

    /// Does one step and returns what it gave.
    ///
    /// # Errors
    /// Those of `work`; the summary is printed then, since nothing follows.
    pub fn step<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let result = work();
        let step = Step { name: name.to_owned(), time: start.elapsed(), passed: result.is_ok() };
        self.done.push(step);
        if result.is_err() {
            self.summarise();
        }
        result
    }

    /// Prints every step with its time.
    pub fn summarise(&self) {
        eprintln!("\n{self}");
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or_default();
        for Step { name, time, passed } in &self.done {
            let verdict = if *passed { "ok" } else { "FAILED" };
            writeln!(f, "  {name:width$}  {:>8.1} s  {verdict}", time.as_secs_f64())?;
        }
        let total: Duration = self.done.iter().map(|step| step.time).sum();
        write!(f, "  {:width$}  {:>8.1} s", "in all", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_shows_each_step_and_which_failed() {
        let mut steps = Steps::new();
        assert_eq!(steps.step("first", || Ok(7)).unwrap(), 7);
        let failed: anyhow::Result<()> = steps.step("second", || anyhow::bail!("no"));
        assert!(failed.is_err());
        let text = steps.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("first") && lines[0].ends_with("ok"), "{text}");
        assert!(lines[1].contains("second") && lines[1].ends_with("FAILED"), "{text}");
        assert!(lines[2].contains("in all"), "{text}");
    }
}
