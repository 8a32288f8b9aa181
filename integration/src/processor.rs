//! Processor time of a process, as the system tells.

use std::time::Duration;

/// Returns the processor time that a process has used so far, in steps of 10 ms.
///
/// # Errors
/// When it does not run.
pub fn used(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // `id (name) state …`, where the name may hold anything; the 12th and 13th after it are
    // the ticks in user and in system mode, of 10 ms each on every Linux.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<u64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}
