//! Things measured in turns: one after the other in each round, so that what else the machine does
//! strikes all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::findings::Table;
use super::spread::Spread;

/// What one measurement found, by name. The unit is at the end of the name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample(pub BTreeMap<String, f64>);

impl Sample {
    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: f64) -> Self {
        self.0.insert(name.into(), value);
        self
    }
}

/// What was measured of one thing, round by round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The thing.
    pub name: String,
    /// One sample a round.
    pub rounds: Vec<Sample>,
}

impl Series {
    /// Returns a figure over all rounds.
    pub fn spread(&self, figure: &str) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|sample| sample.0.get(figure).copied()))
    }

    /// Returns a figure as a multiple of what it is in `other`, round by round.
    pub fn ratio(&self, other: &Self, figure: &str) -> Option<Spread> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        Spread::of(
            pairs.filter_map(|(this, other)| Some(this.0.get(figure)? / other.0.get(figure)?)),
        )
    }

    /// Returns what a figure is above that of `other`, round by round.
    pub fn beyond(&self, other: &Self, figure: &str) -> Option<Spread> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        Spread::of(
            pairs.filter_map(|(this, other)| Some(this.0.get(figure)? - other.0.get(figure)?)),
        )
    }
}

/// Several things, measured in turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turns {
    /// Under which conditions.
    pub title: String,
    /// The things; all have as many rounds.
    pub series: Vec<Series>,
}

/// One column of a table of [`Turns`].
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its head.
    pub head: &'static str,
    /// The figure.
    pub figure: &'static str,
    /// Digits behind the point.
    pub decimals: usize,
}

impl Turns {
    /// Returns what was measured of a thing.
    pub fn series(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }

    /// Returns [`Series::ratio`] of two things.
    pub fn ratio(&self, name: &str, baseline: &str, figure: &str) -> Option<Spread> {
        self.series(name)?.ratio(self.series(baseline)?, figure)
    }

    /// Returns the medians as a table; `ratios` name figures that are also shown as multiples of
    /// those of the first thing.
    pub fn table(&self, columns: &[Column], ratios: &[(&'static str, &'static str)]) -> Table {
        let mut head = vec![self.title.clone()];
        head.extend(columns.iter().map(|column| column.head.to_owned()));
        head.extend(ratios.iter().map(|(head, _)| (*head).to_owned()));
        let mut rows = vec![head];
        for (number, series) in self.series.iter().enumerate() {
            let mut row = vec![series.name.clone()];
            row.extend(columns.iter().map(|column| {
                let spread = series.spread(column.figure);
                spread.map_or("-".to_owned(), |s| format!("{:.*}", column.decimals, s.median))
            }));
            row.extend(ratios.iter().map(|(_, figure)| {
                let baseline = self.series.first().filter(|_| number > 0);
                let ratio = baseline.and_then(|baseline| series.ratio(baseline, figure));
                ratio.map_or_else(String::new, |ratio| ratio.shown(2))
            }));
            rows.push(row);
        }
        Table { rows }
    }
}

/// How often things are measured, and what ends that.
#[derive(Clone, Debug)]
pub struct Rounds {
    /// Rounds that count.
    pub count: u64,
    /// Ends the run after the measurement under way; its round is not kept.
    pub stop: CancellationToken,
    /// Is told how far the run is.
    pub say: fn(&str),
}

impl Rounds {
    /// Measures `things` in turns. A first round warms up and is not kept; another thing begins in
    /// each round, so that none always follows the same other.
    ///
    /// # Errors
    /// Those of `measure`.
    pub async fn in_turns<T>(
        &self,
        title: impl Into<String>,
        things: &mut [(String, T)],
        mut measure: impl AsyncFnMut(&mut T) -> anyhow::Result<Sample>,
    ) -> anyhow::Result<Turns> {
        let title = title.into();
        let series = |(name, _): &(String, T)| Series { name: name.clone(), rounds: Vec::new() };
        let mut turns = Turns { title, series: things.iter().map(series).collect() };
        let count = things.len();
        for round in 0..=self.count {
            let first = usize::try_from(round)? % count.max(1);
            let mut samples = vec![None; count];
            for number in (0..count).map(|number| (first + number) % count) {
                if self.stop.is_cancelled() {
                    return Ok(turns);
                }
                let Some((_, thing)) = things.get_mut(number) else { continue };
                let sample = measure(thing).await?;
                if let Some(place) = samples.get_mut(number) {
                    *place = Some(sample);
                }
            }
            if round > 0 {
                for (series, sample) in turns.series.iter_mut().zip(samples) {
                    series.rounds.extend(sample);
                }
            }
            (self.say)(&format!("{}: round {round} of {}", turns.title, self.count));
        }
        Ok(turns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(count: u64) -> Rounds {
        Rounds { count, stop: CancellationToken::new(), say: |_| {} }
    }

    fn things() -> [(String, f64); 2] {
        [("base".to_owned(), 2.0), ("other".to_owned(), 3.0)]
    }

    #[tokio::test]
    async fn things_are_measured_in_turns_and_the_first_round_is_not_kept() {
        let mut order = Vec::new();
        let turns = rounds(2)
            .in_turns("both", &mut things(), async |thing| {
                order.push(*thing);
                Ok(Sample::default().with("us", *thing * order.len() as f64))
            })
            .await
            .unwrap();
        assert_eq!(order, [2.0, 3.0, 3.0, 2.0, 2.0, 3.0]);
        let values: Vec<f64> =
            turns.series("base").unwrap().rounds.iter().map(|sample| sample.0["us"]).collect();
        assert_eq!(values, [8.0, 10.0]);
        let ratio = turns.ratio("other", "base", "us").unwrap();
        assert_eq!((ratio.min, ratio.max), (9.0 / 8.0, 18.0 / 10.0));
        let table =
            turns.table(&[Column { head: "took", figure: "us", decimals: 0 }], &[("ratio", "us")]);
        assert_eq!(table.rows[0], ["both", "took", "ratio"]);
        assert_eq!(table.rows[1], ["base", "10", ""]);
        assert_eq!(table.rows[2], ["other", "18", "1.80 (1.12..1.80)"]);
    }

    #[tokio::test]
    async fn a_round_that_was_interrupted_is_not_kept() {
        let rounds = rounds(5);
        let mut measured = 0;
        let turns = rounds
            .in_turns("both", &mut things(), async |_| {
                measured += 1;
                if measured == 5 {
                    rounds.stop.cancel();
                }
                Ok(Sample::default().with("us", 1.0))
            })
            .await
            .unwrap();
        assert!(turns.series.iter().all(|series| series.rounds.len() == 1), "{turns:?}");
    }
}
