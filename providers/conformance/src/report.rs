//! What came of a suite.

use std::fmt;

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What the provider must do.
    pub name: &'static str,
    /// What it did instead.
    pub failure: Option<String>,
}

/// What came of a suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its checks, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Runs one check and writes down what came of it.
    pub async fn check(
        &mut self,
        name: &'static str,
        check: impl Future<Output = Result<(), String>>,
    ) {
        let failure = check.await.err();
        self.checks.push(Check { name, failure });
    }

    /// Returns how many checks failed.
    pub fn failed(&self) -> usize {
        self.checks.iter().filter(|check| check.failure.is_some()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, failure } in &self.checks {
            match failure {
                None => writeln!(f, "  ok      {name}")?,
                Some(failure) => writeln!(f, "  FAILED  {name}: {failure}")?,
            }
        }
        write!(f, "  {} checks, {} failed", self.checks.len(), self.failed())
    }
}
