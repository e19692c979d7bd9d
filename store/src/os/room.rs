//! How much memory there is to be had: by the system's estimate, and by the limits of the control groups that this process
//! is in.
//!
//! Memory files have no quota. Who asks for more than there is, gets it, and is killed when it is touched; so it is asked
//! here first. It is a look: others may take the memory between the look and its use.
//!
//! A control group's limit counts pages of files too. Those that the kernel would give up for others are not counted as used
//! here.
//!
//! Source: proc_meminfo(5), "MemAvailable"; cgroups(7); the kernel's admin-guide/cgroup-v2.rst and
//! admin-guide/cgroup-v1/memory.rst.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Where control groups are mounted, by convention.
const GROUPS: &str = "/sys/fs/cgroup";

/// The files of a control group with a limit, what is used of it, and what that consists of.
struct Files {
    limit: &'static str,
    used: &'static str,
    /// What `memory.stat` calls pages of files that can be given up.
    files: [&'static str; 2],
}

const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    files: ["total_inactive_file", "total_active_file"],
};
const VERSION_2: Files =
    Files { limit: "memory.max", used: "memory.current", files: ["inactive_file", "active_file"] };

/// The last look, for those who need little.
static LAST: Mutex<Option<Look>> = Mutex::new(None);

struct Look {
    at: Instant,
    /// What may be taken without another.
    left: u64,
}

/// How long a look is good for.
const FRESH: Duration = Duration::from_millis(100);
/// The part of what is available that may be taken by one look.
const PART: u64 = 64;

/// Whether so many bytes are available. A look costs a third of a millisecond, so one is good for many who need little.
pub(crate) fn is_available(needed: u64) -> bool {
    // A forked child may have it locked for ever.
    let mut last = LAST.try_lock().ok();
    if let Some(Some(look)) = last.as_deref_mut()
        && look.at.elapsed() < FRESH
        && let Some(left) = look.left.checked_sub(needed)
    {
        look.left = left;
        return true;
    }
    let available = available();
    if let Some(last) = last.as_deref_mut() {
        *last = Some(Look { at: Instant::now(), left: available.saturating_sub(needed) / PART });
    }
    needed <= available
}

/// The bytes of memory that are available; without /proc nothing is known, and nothing refused.
pub(crate) fn available() -> u64 {
    let system = fs::read_to_string("/proc/meminfo").ok();
    let system =
        system.and_then(|text| number_of(&text, "MemAvailable:")).map(|kib| kib.saturating_mul(1024));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = groups.lines().filter_map(|line| in_group(Path::new(GROUPS), line));
    system.into_iter().chain(groups).min().unwrap_or(u64::MAX)
}

/// What is available in a control group and those it is in, by a line of /proc/self/cgroup; `None` if it limits no memory.
fn in_group(mount: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let (root, files) = match controllers {
        "" => (mount.to_owned(), VERSION_2),
        _ if controllers.split(',').any(|name| name == "memory") => (mount.join("memory"), VERSION_1),
        _ => return None,
    };
    // In a namespace of groups the path may lead out of what is mounted here: what is there on the way to it limits, too.
    let path: PathBuf = path.split('/').filter(|part| !part.is_empty() && *part != "..").collect();
    path.ancestors().filter_map(|path| left(&root.join(path), &files)).min()
}

/// What is left of a group's limit.
fn left(group: &Path, files: &Files) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(group.join(name)).ok();
    // "max" is none.
    let limit: u64 = read(files.limit)?.trim().parse().ok()?;
    let used: u64 = read(files.used)?.trim().parse().ok()?;
    let consists = read("memory.stat").unwrap_or_default();
    let of_files =
        files.files.iter().filter_map(|name| number_of(&consists, name)).fold(0, u64::saturating_add);
    Some(limit.saturating_sub(used.saturating_sub(of_files)))
}

/// The number in the line that begins with that word.
fn number_of(text: &str, word: &str) -> Option<u64> {
    let mut lines = text.lines().map(|line| line.split_whitespace());
    let mut line = lines.find(|line| line.clone().next() == Some(word))?;
    line.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(at: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(at).unwrap();
        for (name, contents) in files {
            fs::write(at.join(name), contents).unwrap();
        }
    }

    #[test]
    fn the_narrowest_limit_of_all_groups_around_counts_without_the_pages_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path();
        group(&mount.join("a"), &[("memory.max", "1000\n"), ("memory.current", "300\n")]);
        group(
            &mount.join("a/b"),
            &[
                ("memory.max", "900\n"),
                ("memory.current", "700\n"),
                ("memory.stat", "anon 400\ninactive_file 100\nactive_file 200\n"),
            ],
        );
        group(&mount.join("a/b/c"), &[("memory.max", "max\n"), ("memory.current", "700\n")]);
        assert_eq!(in_group(mount, "0::/a"), Some(700));
        assert_eq!(in_group(mount, "0::/a/b"), Some(500));
        assert_eq!(in_group(mount, "0::/a/b/c"), Some(500));
        assert_eq!(in_group(mount, "0::/../a/b/gone"), Some(500), "seen from another namespace");
        assert_eq!(in_group(mount, "0::/"), None);
        assert_eq!(in_group(mount, "7:cpu,cpuacct:/a"), None);
        assert_eq!(in_group(mount, "nonsense"), None);

        let old = [("memory.limit_in_bytes", "500"), ("memory.usage_in_bytes", "600"), ("memory.stat", "")];
        group(&mount.join("memory/old"), &old);
        assert_eq!(in_group(mount, "4:memory:/old"), Some(0), "over its limit");
        assert_eq!(in_group(mount, "4:hugetlb,memory:/old"), Some(0));
    }

    #[test]
    fn there_is_some_memory() {
        assert!(available() > 1 << 20);
        for needed in [0, 1 << 20, 1 << 20] {
            assert!(is_available(needed));
        }
        assert!(!is_available(1 << 60), "also right after a look");
    }
}
