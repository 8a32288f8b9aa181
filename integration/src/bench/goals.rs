//! What the bench should find: one list, named by part and figure.

use serde::{Deserialize, Serialize};

use super::findings::Table;
use super::spread::Spread;

/// On which side of a goal a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// As much, or more.
    AtLeast,
    /// As much, or less.
    AtMost,
}

/// A goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// The part that measures it.
    pub part: &'static str,
    /// The figure.
    pub name: &'static str,
    /// Its unit; `x` is a multiple.
    pub unit: &'static str,
    /// Which side is good.
    pub comparison: Comparison,
    /// What it should be.
    pub goal: f64,
}

const fn at_least(part: &'static str, name: &'static str, unit: &'static str, goal: f64) -> Aim {
    Aim { part, name, unit, comparison: Comparison::AtLeast, goal }
}

const fn at_most(part: &'static str, name: &'static str, unit: &'static str, goal: f64) -> Aim {
    Aim { part, name, unit, comparison: Comparison::AtMost, goal }
}

/// Every goal.
pub const ALL: [Aim; 28] = [
    at_least("calls", "fresh / raw, 128 B, 64 at once: throughput", "x", 0.80),
    at_least("calls", "reuse / raw, 128 B, 64 at once: throughput", "x", 0.90),
    at_most("calls", "fresh / raw, 128 B, 1 at once: p50", "x", 1.10),
    at_least("calls", "fresh / raw, 4096 B, 64 at once: throughput", "x", 0.80),
    at_most("actor-calls", "fresh, 16 in one: a call", "us", 8.0),
    at_most("actor-calls", "fresh, 2000 in one: a call", "us", 8.0),
    at_most("actor-calls", "reuse, 16 in one: a call", "us", 2.0),
    at_most("actor-calls", "reuse, 2000 in one: a call", "us", 2.0),
    at_most("runtime", "fresh: instance and call", "us", 6.0),
    at_most("runtime", "reuse: a call", "us", 0.5),
    at_least("http", "fresh / bare hyper: throughput", "x", 0.50),
    at_least("http", "fresh / wasmtime serve: throughput", "x", 8.0),
    at_least("http", "reuse / wasmtime serve with reuse: throughput", "x", 1.5),
    at_least("counter", "actor / native: throughput", "x", 0.60),
    at_most("cold", "first call beyond a warm one: median", "ms", 5.0),
    at_most("cold", "first call beyond a warm one: the longest", "ms", 5.0),
    at_most("idle", "resident memory", "MiB", 30.0),
    at_most("idle", "from exec until joined", "ms", 150.0),
    at_most("actors", "resident memory beyond 30 MiB, an actor", "KiB", 8.0),
    at_most("actors", "until a fresh node serves them all", "s", 3.0),
    at_least("actors", "one of many / only one: throughput", "x", 0.95),
    at_most("actors", "one of many / only one: p50", "x", 1.05),
    at_least("actors", "spread over many / only one: throughput", "x", 0.95),
    at_most("actors", "spread over many / only one: p50", "x", 1.05),
    at_least("telemetry", "on / off: throughput", "x", 0.95),
    at_most("nodes", "2 nodes / 1: p50", "x", 1.05),
    at_most("nodes", "4 nodes / 1: p50", "x", 1.05),
    at_most("nodes", "8 nodes / 1: p50", "x", 1.05),
];

/// A goal, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The part that measures it.
    pub part: String,
    /// The figure.
    pub name: String,
    /// What was found; nothing where it was not measured.
    pub figure: Option<f64>,
    /// The unit; `x` is a multiple.
    pub unit: String,
    /// What it should be.
    pub goal: f64,
    /// Which side is good.
    pub comparison: Comparison,
    /// Whether it is so; nothing where it was not measured.
    pub met: Option<bool>,
    /// The figure's least and most over the rounds.
    pub spread: Option<[f64; 2]>,
}

impl Aim {
    /// Holds what was found against the goal.
    pub fn look(&self, found: Option<Spread>) -> Goal {
        let met = found.map(|found| match self.comparison {
            Comparison::AtLeast => found.median >= self.goal,
            Comparison::AtMost => found.median <= self.goal,
        });
        Goal {
            part: self.part.to_owned(),
            name: self.name.to_owned(),
            figure: found.map(|found| found.median),
            unit: self.unit.to_owned(),
            goal: self.goal,
            comparison: self.comparison,
            met,
            spread: found.map(|found| [found.min, found.max]),
        }
    }
}

/// Returns the goal of a part's figure, if it has one.
pub fn named(part: &str, name: &str) -> Option<&'static Aim> {
    ALL.iter().find(|aim| aim.part == part && aim.name == name)
}

/// Returns a value with as many digits as tell something.
pub fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "x" => format!("{}x", shown(value)),
        unit => format!("{} {unit}", shown(value)),
    }
}

impl Goal {
    /// Returns the goal as people write it: `>= 0.80x`.
    pub fn aim_shown(&self) -> String {
        let sign = match self.comparison {
            Comparison::AtLeast => ">=",
            Comparison::AtMost => "<=",
        };
        format!("{sign} {}", with_unit(self.goal, &self.unit))
    }
}

/// Returns a table of goals, met or not.
pub fn table(goals: &[Goal]) -> Table {
    let heads = ["goal", "found", "least..most", "wanted", ""];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(goals.iter().map(|goal| {
        let found = goal.figure.map_or("-".to_owned(), |found| with_unit(found, &goal.unit));
        let spread = goal.spread.filter(|[min, max]| min != max);
        let spread = spread.map(|[min, max]| format!("{}..{}", shown(min), shown(max)));
        let met = match goal.met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "not measured",
        };
        let name = format!("{}: {}", goal.part, goal.name);
        vec![name, found, spread.unwrap_or_default(), goal.aim_shown(), met.to_owned()]
    }));
    Table { rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_at_the_goal_meets_it_and_nothing_is_neither() {
        let least = named("calls", "fresh / raw, 128 B, 64 at once: throughput").unwrap();
        assert_eq!(least.look(Spread::once(0.80)).met, Some(true));
        assert_eq!(least.look(Spread::once(0.79)).met, Some(false));
        assert_eq!(least.look(None).met, None);
        let most = named("idle", "resident memory").unwrap();
        assert_eq!(most.look(Spread::once(30.0)).met, Some(true));
        assert_eq!(most.look(Spread::once(30.1)).met, Some(false));
        assert_eq!(most.look(None).aim_shown(), "<= 30.0 MiB");
    }

    #[test]
    fn no_goal_is_named_twice() {
        for (number, aim) in ALL.iter().enumerate() {
            let first =
                ALL.iter().position(|other| (other.part, other.name) == (aim.part, aim.name));
            assert_eq!(first, Some(number), "{aim:?}");
        }
    }
}
