//! The middle of what several rounds measured, and how far they lie apart.

use serde::{Deserialize, Serialize};

use crate::report::median;

/// The median of some rounds, the least and the most of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Spread {
    /// Returns the spread of `values`; nothing where there are none, or one of them is no number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let median = median(&mut values);
        // They are sorted by now.
        Some(Self { median, min: *values.first()?, max: *values.last()? })
    }

    /// Returns the spread of a figure that was measured once.
    pub fn once(value: f64) -> Option<Self> {
        Self::of([value])
    }

    /// Shows it as `0.81 (0.78..0.84)`; as `0.81` alone where no round differs.
    pub fn shown(&self, decimals: usize) -> String {
        let Self { median, min, max } = self;
        if min == max {
            return format!("{median:.decimals$}");
        }
        format!("{median:.decimals$} ({min:.decimals$}..{max:.decimals$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_are_values_that_occurred() {
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(spread.shown(1), "2.0 (1.0..3.0)");
        assert_eq!(Spread::once(4.0).unwrap().shown(0), "4");
    }

    #[test]
    fn there_is_none_of_nothing_and_of_no_numbers() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
        assert_eq!(Spread::of([1.0 / 0.0]), None);
    }
}
