//! Cron expressions, in UTC.

use std::str::FromStr;

use super::super::bounded;
use super::limits::CRON_BYTES_MAX;
use crate::codec::DecodeError;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// Days after which an expression that fitted none of them never will: a 29 February that is a certain
/// day of the week comes every 28 years, after 40 across a century without a leap day.
const SEARCHED_DAYS: u64 = 41 * 366;

/// A cron expression: minute (0 to 59), hour (0 to 23), day of the month (1 to 31), month (1 to 12),
/// day of the week (0 to 7, both ends Sunday), separated by blanks, in UTC.
///
/// Each is `*` or a list of numbers and ranges joined by commas: `5`, `1-5`, `0,30`; with `/n` each
/// nth of it: `*/15`, `8-18/2`. Where neither day begins with `*`, either is enough, as in every cron.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// Of each field a set of numbers, as bits.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day of the month or of the week is enough.
    either_day: bool,
}

impl FromStr for Cron {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        bounded::text(CRON_BYTES_MAX, "a cron expression", text)?;
        let wrong = |what: &str| DecodeError::Shape(format!("the cron expression {text:?} {what}"));
        let fields: Vec<&str> = text.split_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(wrong("has not five fields"));
        };
        let set = |field, least, most, name: &str| {
            numbers(field, least, most)
                .ok_or_else(|| wrong(&format!("has no {name} of {least} to {most}: {field}")))
        };
        let weekdays = set(weekday, 0, 7, "day of the week")?;
        let cron = Self {
            minutes: set(minute, 0, 59, "minute")?,
            hours: set(hour, 0, 23, "hour")?,
            days: set(day, 1, 31, "day of the month")?,
            months: set(month, 1, 12, "month")?,
            // Sunday is 0 and 7.
            weekdays: weekdays | weekdays >> 7,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        if cron.next_after_ms(0).is_none() {
            return Err(wrong("never fits"));
        }
        Ok(cron)
    }
}

impl Cron {
    /// Returns the Unix milliseconds of the first minute that fits after those of `now_ms`.
    pub fn next_after_ms(&self, now_ms: u64) -> Option<u64> {
        let first = (now_ms / MINUTE_MS).checked_add(1)?.checked_mul(MINUTE_MS)?;
        let today = first / DAY_MS;
        for day in today..=today.checked_add(SEARCHED_DAYS)? {
            if !self.fits_day(day) {
                continue;
            }
            let from = if day == today { (first % DAY_MS) / MINUTE_MS } else { 0 };
            let fits =
                |minute: &u64| has(self.hours, minute / 60) && has(self.minutes, minute % 60);
            if let Some(minute) = (from..24 * 60).find(fits) {
                return day.checked_mul(DAY_MS)?.checked_add(minute * MINUTE_MS);
            }
        }
        None
    }

    /// Returns whether a day, counted from 1 January 1970, fits.
    fn fits_day(&self, day: u64) -> bool {
        let (month, of_month) = date(day);
        // The first of them was a Thursday.
        let (of_month, of_week) = (has(self.days, of_month), has(self.weekdays, (day + 4) % 7));
        let fits = if self.either_day { of_month || of_week } else { of_month && of_week };
        fits && has(self.months, month)
    }
}

fn has(set: u64, number: u64) -> bool {
    set >> number & 1 == 1
}

/// Reads a field as a set of numbers within `least` and `most`.
fn numbers(field: &str, least: u64, most: u64) -> Option<u64> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|number| digits && (least..=most).contains(number))
    };
    let mut set = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?))
            }
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from)?, number(to)?),
            None if range == "*" => (least, most),
            // From a number on, where a step follows it.
            None => (number(range)?, if step.is_some() { most } else { number(range)? }),
        };
        if from > to {
            return None;
        }
        for number in (from..=to).step_by(step.unwrap_or(1)) {
            set |= 1 << number;
        }
    }
    Some(set)
}

/// Returns month and day of the month of a day that is counted from 1 January 1970, in the Gregorian
/// calendar.
fn date(day: u64) -> (u64, u64) {
    // Counted from 1 March of the year 0, years end with the day that leap years add, and every 400
    // of them are alike.
    let of_era = (day + 719_468) % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // From March on, five months have 153 days.
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes since 1970 of a time in UTC, days counted one by one.
    fn minutes(year: u64, month: u64, day: u64, hour: u64, minute: u64) -> u64 {
        let leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let mut days: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
        let lengths =
            [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        days += lengths[..month as usize - 1].iter().sum::<u64>() + day - 1;
        days * 24 * 60 + hour * 60 + minute
    }

    fn next(expression: &str, after: u64) -> u64 {
        let cron: Cron = expression.parse().unwrap();
        cron.next_after_ms(after * MINUTE_MS).unwrap() / MINUTE_MS
    }

    #[test]
    fn the_next_time_is_found() {
        // A Monday.
        let now = minutes(2026, 11, 23, 7, 53);
        for (expression, expected) in [
            ("* * * * *", now + 1),
            ("*/15 * * * *", minutes(2026, 11, 23, 8, 0)),
            ("53 7 * * *", minutes(2026, 11, 24, 7, 53)),
            ("0,30 8-18/2 * * *", minutes(2026, 11, 23, 8, 0)),
            ("50/5 7 * * *", minutes(2026, 11, 23, 7, 55)),
            ("0 0 1 * *", minutes(2026, 12, 1, 0, 0)),
            ("0 0 * * 0", minutes(2026, 11, 29, 0, 0)),
            ("0 0 * * 7", minutes(2026, 11, 29, 0, 0)),
            ("0 0 * * 5-7", minutes(2026, 11, 27, 0, 0)),
            ("0 0 1 * 3", minutes(2026, 11, 25, 0, 0)),
            ("0 0 1 1 *", minutes(2027, 1, 1, 0, 0)),
            ("0 0 29 2 *", minutes(2028, 2, 29, 0, 0)),
        ] {
            assert_eq!(next(expression, now), expected, "{expression}");
        }
        // The days of the week are a part of `*`, so that both must fit.
        assert_eq!(next("0 0 29 2 */7", minutes(2088, 3, 1, 0, 0)), minutes(2128, 2, 29, 0, 0));
        assert_eq!(next("0 0 29 2 *", minutes(2096, 3, 1, 0, 0)), minutes(2104, 2, 29, 0, 0));
        let cron: Cron = "* * * * *".parse().unwrap();
        assert_eq!(cron.next_after_ms(MINUTE_MS - 1), Some(MINUTE_MS));
        assert_eq!(cron.next_after_ms(u64::MAX), None);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (year, month, day) in [
            (1970, 1, 1),
            (1999, 12, 31),
            (2000, 2, 29),
            (2000, 3, 1),
            (2100, 2, 28),
            (2100, 3, 1),
            (2400, 2, 29),
        ] {
            assert_eq!(date(minutes(year, month, day, 0, 0) / (24 * 60)), (month, day), "{year}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for expression in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "a * * * *",
            "+1 * * * *",
            "1- * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            ", * * * *",
            "0 0 30 2 *",
            "0 0 31 4,6,9,11 *",
        ] {
            assert!(expression.parse::<Cron>().is_err(), "{expression}");
        }
        assert!("* ".repeat(CRON_BYTES_MAX).parse::<Cron>().is_err());
    }
}
