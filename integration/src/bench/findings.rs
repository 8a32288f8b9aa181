//! What a run found: parts, their figures and tables, the goals; written as JSON and read again.

use serde::{Deserialize, Serialize};

use super::goals::{self, Goal};
use super::machine::Machine;
use super::spread::Spread;
use super::turns::Turns;

/// The version of the JSON: of its names and their meaning.
pub const FORMAT: u32 = 1;

/// Rows for people; the first one is the head.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Starts with a head.
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec()] }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Returns it laid out for a terminal.
    pub fn text(&self) -> String {
        crate::report::table(&self.rows)
    }

    /// Returns it as Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let Some((head, rows)) = self.rows.split_first() else { return String::new() };
        let rule: String = head
            .iter()
            .enumerate()
            .map(|(column, _)| if column == 0 { "|---" } else { "|---:" })
            .collect();
        let rows: String = rows.iter().map(|row| line(row)).collect();
        format!("{}{rule}|\n{rows}", line(head))
    }
}

/// What one part found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The part.
    pub part: String,
    /// What it measures, in a sentence.
    pub about: String,
    /// For people.
    pub tables: Vec<Table>,
    /// What must be known to read the tables.
    pub notes: Vec<String>,
    /// What could not be measured here, and why.
    pub missing: Vec<String>,
    /// Every round of everything that was measured in turns.
    pub turns: Vec<Turns>,
    /// Whether the run was ended while it was measured.
    pub interrupted: bool,
    /// Why it could not go on, if it could not.
    pub broken: Option<String>,
    /// The goals that were looked at: [`Run::goals`] has all.
    #[serde(skip)]
    pub goals: Vec<Goal>,
}

impl Findings {
    /// Starts a part that found nothing yet.
    pub fn new(part: &str, about: &str) -> Self {
        Self { part: part.to_owned(), about: about.to_owned(), ..Self::default() }
    }

    /// Holds a figure against its goal; nothing where it has none.
    pub fn look(&mut self, name: &str, found: Option<Spread>) {
        self.goals.extend(goals::named(&self.part, name).map(|aim| aim.look(found)));
    }

    /// Adds a note.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Returns the goals of the part: those that were looked at, and the others as not measured.
    pub fn all_goals(&self) -> Vec<Goal> {
        let aims = goals::ALL.iter().filter(|aim| aim.part == self.part);
        aims.map(|aim| {
            let looked = self.goals.iter().find(|goal| goal.name == aim.name);
            looked.cloned().unwrap_or_else(|| aim.look(None))
        })
        .collect()
    }

    /// Returns all of it for a terminal, without the goals.
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}\n\n", self.part, self.about);
        for table in &self.tables {
            text.push_str(&table.text());
            text.push('\n');
        }
        for line in self.notes.iter().chain(&self.missing) {
            text.push_str(&format!("  {line}\n"));
        }
        if let Some(why) = &self.broken {
            text.push_str(&format!("  not to its end: {why}\n"));
        }
        text
    }
}

/// How a run was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Rounds of each measurement.
    pub rounds: u64,
    /// Milliseconds of each measurement of a load.
    pub milliseconds: u64,
    /// The options, as they were given.
    pub options: Vec<String>,
}

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`FORMAT`].
    pub format: u32,
    /// When it began: seconds since 1970.
    pub begun_s: u64,
    /// How it was asked for.
    pub asked: Asked,
    /// Where it ran, and what ran.
    pub machine: Machine,
    /// What the parts found.
    pub parts: Vec<Findings>,
    /// Every goal of these parts.
    pub goals: Vec<Goal>,
    /// Whether it was ended before its time.
    pub interrupted: bool,
}

impl Run {
    /// Adds what a part found.
    pub fn add(&mut self, findings: Findings) {
        self.goals.extend(findings.all_goals());
        self.interrupted |= findings.interrupted;
        self.parts.push(findings);
    }

    /// Returns whether every goal was measured and met.
    pub fn met(&self) -> bool {
        self.goals.iter().all(|goal| goal.met == Some(true))
    }

    /// Returns whether a part could not go on.
    pub fn broken(&self) -> bool {
        self.parts.iter().any(|part| part.broken.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_was_not_looked_at_is_not_measured() {
        let mut findings = Findings::new("idle", "nothing deployed");
        findings.look("resident memory", Spread::once(20.0));
        findings.look("what has no goal", Spread::once(20.0));
        let mut run = Run::default();
        run.add(findings);
        let met: Vec<_> = run.goals.iter().map(|goal| goal.met).collect();
        assert_eq!(met, [Some(true), None]);
        assert!(!run.met() && !run.broken());
    }

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let mut findings = Findings::new("idle", "nothing deployed");
        findings.tables.push(Table::new(["a", "b"]));
        findings.look("resident memory", Spread::once(20.5));
        let mut run = Run { format: FORMAT, ..Run::default() };
        run.add(findings);
        let mut read: Run = serde_json::from_slice(&serde_json::to_vec(&run).unwrap()).unwrap();
        // Once in the JSON, not twice.
        assert!(read.parts[0].goals.is_empty());
        read.parts[0].goals = run.parts[0].goals.clone();
        assert_eq!(read, run);
    }

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new(["what", "us"]);
        table.row(["a|b".to_owned(), "1".to_owned()]);
        assert_eq!(table.markdown(), "| what | us |\n|---|---:|\n| a\\|b | 1 |\n");
    }
}
