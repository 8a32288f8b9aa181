//! How much memory the machine, or the container, has.

use std::path::Path;

use crate::limits::MACHINE_MEMORY_UNKNOWN_BYTES;

/// Returns the memory that this process may use.
pub fn memory_bytes() -> u64 {
    let total = read("/proc/meminfo").and_then(|text| total_of(&text));
    let ceiling = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| read(path))
        .and_then(|text| text.trim().parse().ok());
    match (total, ceiling) {
        (Some(total), Some(ceiling)) => total.min(ceiling),
        (Some(bytes), None) | (None, Some(bytes)) => bytes,
        (None, None) => MACHINE_MEMORY_UNKNOWN_BYTES,
    }
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(path)).ok()
}

fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_total_of_meminfo() {
        assert_eq!(
            total_of("MemTotal:       24684096 kB\nMemFree: 1 kB\n"),
            Some(24_684_096 * 1024)
        );
        assert_eq!(total_of("MemFree: 1 kB\n"), None);
    }
}
