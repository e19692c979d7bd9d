//! Adopting costs the same for every size, besides validation.
//!
//! Times are noise on a shared machine; instructions are not. The test runs itself under valgrind, which counts them.

use std::process::Command;

const ROLE: &str = "GRAVEN_TEST_COST";

/// Writes a segment of `numbers` numbers, and adopts it `times` times; the part whose cost is asked.
fn adopt(path: &str, times: u32) {
    for _ in 0..times {
        // SAFETY: the file is this test's own.
        let segment = unsafe { graven::Segment::map(path) }.unwrap();
        // SAFETY: it holds what was written.
        let numbers = unsafe { segment.get_unchecked::<Vec<u64>>("") };
        std::hint::black_box(numbers.unwrap()[0]);
    }
}

/// Instructions that valgrind counts in a child that adopts `times` times.
fn instructions(path: &str, times: u32) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "adopting_12_kib_and_300_mib_costs_the_same", "--nocapture"])
        .env(ROLE, format!("{times} {path}"))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let count = report.lines().find_map(|line| line.split("Collected : ").nth(1));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("no count in {report}"))
}

#[test]
fn adopting_12_kib_and_300_mib_costs_the_same() {
    if let Ok(role) = std::env::var(ROLE) {
        let (times, path) = role.split_once(' ').unwrap();
        return adopt(path, times.parse().unwrap());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return println!("SKIPPED: valgrind is not installed");
    }
    let dir = tempfile::tempdir().unwrap();
    let cost = |numbers: u64| {
        let path = dir.path().join("numbers.grv");
        let length = graven::write(&path, &(0..numbers).collect::<Vec<u64>>()).unwrap().length;
        let path = path.to_str().unwrap();
        // The difference leaves the start of the process out.
        let per_adoption = (instructions(path, 300) - instructions(path, 100)) / 200;
        println!("{length} bytes: {per_adoption} instructions to map and adopt");
        per_adoption as f64
    };
    let (small, large) = (cost(500), cost(300 << 17));
    assert!(large / small <= 1.3 && small / large <= 1.3, "{small} and {large} instructions");
}
