//! When ticks were due, counted back from now.

use lattice_protocol::contract::timer::Schedule;

use crate::limits;

const MINUTE_MS: u64 = 60_000;

/// Returns the last time after `after` that is due at `now`, where there is one.
pub(crate) fn last_due(schedule: &Schedule, after: u64, now: u64) -> Option<u64> {
    if let Schedule::Interval(interval) = schedule {
        let last = now.checked_div(*interval)?.checked_mul(*interval)?;
        return Some(last).filter(|last| *last > after);
    }
    let next = |from: u64| schedule.next_after_ms(from).filter(|due| *due <= now);
    // There is one: it is looked for from now back, lest years of minutes are gone through.
    let mut due = next(after)?;
    let mut back = MINUTE_MS;
    while now.saturating_sub(back) > after {
        if let Some(found) = next(now.saturating_sub(back)) {
            due = found;
            break;
        }
        back = back.saturating_mul(2);
    }
    while let Some(later) = next(due) {
        due = later;
    }
    Some(due)
}

/// Returns how many times were due after `after` and before `before`.
pub(crate) fn due_between(schedule: &Schedule, after: u64, before: u64) -> u64 {
    if let Schedule::Interval(interval) = schedule {
        let until = |end: u64| end.checked_div(*interval).unwrap_or_default();
        return until(before.saturating_sub(1)).saturating_sub(until(after));
    }
    let mut count = 0;
    let mut at = after;
    while count < limits::MISSED_COUNTED_MAX {
        match schedule.next_after_ms(at) {
            Some(due) if due < before => at = due,
            _ => break,
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

    fn cron(text: &str) -> Schedule {
        Schedule::Cron(text.parse().unwrap())
    }

    #[test]
    fn the_last_time_is_found_however_long_ago_it_was() {
        let every = Schedule::Interval(250);
        assert_eq!(last_due(&every, 0, 249), None);
        assert_eq!(last_due(&every, 0, 250), Some(250));
        assert_eq!(last_due(&every, 250, 499), None);
        assert_eq!(last_due(&every, 250, 1_999), Some(1_750));

        let nightly = cron("30 2 * * *");
        let at = (2 * 60 + 30) * MINUTE_MS;
        assert_eq!(last_due(&nightly, 0, at - 1), None);
        assert_eq!(last_due(&nightly, 0, at), Some(at));
        assert_eq!(last_due(&nightly, at, at + DAY_MS - 1), None);
        assert_eq!(last_due(&nightly, at, at + 400 * DAY_MS + 5), Some(at + 400 * DAY_MS));
        // Every minute of one day of a year.
        let new_year = cron("* * 1 1 *");
        assert_eq!(last_due(&new_year, 0, 300 * DAY_MS), Some(DAY_MS - MINUTE_MS));
        assert_eq!(last_due(&new_year, DAY_MS - MINUTE_MS, 300 * DAY_MS), None);
        let minutes = cron("* * * * *");
        assert_eq!(last_due(&minutes, 0, 5_000 * DAY_MS + 7), Some(5_000 * DAY_MS));
    }

    #[test]
    fn what_was_left_out_is_counted() {
        let every = Schedule::Interval(250);
        assert_eq!(due_between(&every, 250, 500), 0);
        assert_eq!(due_between(&every, 250, 1_000), 2);
        assert_eq!(due_between(&every, 333, 1_000), 2, "from between two ticks");
        let hourly = cron("0 * * * *");
        assert_eq!(due_between(&hourly, 0, 60 * MINUTE_MS), 0);
        assert_eq!(due_between(&hourly, 0, DAY_MS), 23);
        let minutes = cron("* * * * *");
        assert_eq!(due_between(&minutes, 0, 5_000 * DAY_MS), limits::MISSED_COUNTED_MAX);
    }
}
