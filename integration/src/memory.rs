//! Memory of a process, as the system tells.

use anyhow::Context;

/// Bytes that a process has in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its pages, shared ones included.
    pub resident: u64,
    /// Its pages, those that are shared divided by those who share them.
    pub proportional: u64,
    /// The most of `resident` since it started, or since [`forget_peak`].
    pub peak: u64,
}

/// Returns the memory of a process.
///
/// # Errors
/// When it does not run, or belongs to somebody else.
pub fn of(pid: u32) -> anyhow::Result<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(Memory {
        resident: bytes(&status, "VmRSS:")?,
        proportional: bytes(&rollup, "Pss:")?,
        peak: bytes(&status, "VmHWM:")?,
    })
}

/// Lets the peak begin anew.
///
/// # Errors
/// As for [`of`].
pub fn forget_peak(pid: u32) -> anyhow::Result<()> {
    // 5: the peak becomes what is resident now (proc(5), clear_refs).
    Ok(std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

fn bytes(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.with_context(|| format!("the system tells no {name}"))?.trim().parse()?;
    Ok(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_follows_what_is_touched_and_is_forgotten() {
        let this = std::process::id();
        let much = vec![1_u8; 64 << 20];
        let with = of(this).unwrap();
        assert!(with.resident >= 64 << 20 && with.peak >= with.resident, "{with:?}");
        assert!(with.proportional <= with.resident, "{with:?}");
        assert!(much.iter().all(|byte| *byte == 1));
        drop(much);
        forget_peak(this).unwrap();
        assert!(of(this).unwrap().peak < with.peak);
    }
}
