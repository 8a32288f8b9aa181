//! What a process holds: memory and files, as the system tells.

use anyhow::Context as _;

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Seconds since the first look.
    pub at_s: f64,
    /// MiB of memory.
    pub rss_mib: f64,
    /// Open files, sockets included.
    pub files: usize,
}

impl Held {
    /// Looks at a process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn of(pid: u32, at_s: f64) -> anyhow::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = rss.and_then(|rest| rest.split_whitespace().next()).context("no VmRSS")?;
        let files = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        Ok(Self { at_s, rss_mib: kib.parse::<f64>()? / 1024.0, files })
    }
}

/// Returns the growth of memory in MiB an hour: the slope of the line of least squares.
pub fn slope_mib_h(looks: &[Held]) -> f64 {
    let count = looks.len() as f64;
    let mean = |of: fn(&Held) -> f64| looks.iter().map(of).sum::<f64>() / count.max(1.0);
    let (mean_t, mean_m) = (mean(|it| it.at_s), mean(|it| it.rss_mib));
    let (mut over, mut under) = (0.0, 0.0);
    for look in looks {
        over += (look.at_s - mean_t) * (look.rss_mib - mean_m);
        under += (look.at_s - mean_t).powi(2);
    }
    if under > 0.0 { over / under * 3_600.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_something() {
        let held = Held::of(std::process::id(), 0.0).unwrap();
        assert!(held.rss_mib > 1.0 && held.files >= 3, "{held:?}");
    }

    #[test]
    fn a_slope_is_that_of_the_line() {
        let look = |at_s, rss_mib| Held { at_s, rss_mib, files: 1 };
        let slope = slope_mib_h(&[look(0.0, 10.0), look(1_800.0, 11.0), look(3_600.0, 12.0)]);
        assert!((slope - 2.0).abs() < 1e-9, "{slope}");
        assert_eq!(slope_mib_h(&[look(5.0, 10.0)]), 0.0);
    }
}
