//! Caches of processors.

use crate::model::attributes::Cache;
use crate::model::builder::{Attributes, Node};
use crate::model::set::{Bits, CpuSet};
use crate::model::types::{CacheKind, Type};

use super::files::{CPU, Files};
use super::nest::Flat;

/// The caches of which `cpu` is the first processor. `threads` are those of its core.
pub(super) fn caches(
    files: &Files<'_>,
    cpu: u32,
    online: &CpuSet,
    threads: Option<&CpuSet>,
    flats: &mut Vec<Flat>,
) {
    let directory = format!("{CPU}/cpu{cpu}/cache");
    for index in files.numbered(&directory, "index", "") {
        let file = |name: &str| format!("{directory}/index{index}/{name}");
        let shared = files.set(&file("shared_cpu_map"), &file("shared_cpu_list"));
        // Some kernels leave the set of a core's cache empty.
        let shared = shared.and_then(|set| if set.is_empty() { threads.cloned() } else { Some(set) });
        let Some(shared) = shared.map(|set| set.and(online)).filter(|set| set.first() == Some(cpu)) else {
            continue;
        };
        let kind = match files.text(&file("type")).as_deref() {
            Ok("Data") => CacheKind::Data,
            Ok("Instruction") => CacheKind::Instruction,
            Ok("Unified") => CacheKind::Unified,
            _ => continue,
        };
        let level = files.number(&file("level"));
        let Some((level, ty)) = level.and_then(|level| Some((level, Type::cache(level, kind)?))) else {
            continue;
        };
        let size = files.text(&file("size")).ok().and_then(|size| bytes(&size)).unwrap_or(0);
        let line_size = files.number(&file("coherency_line_size")).unwrap_or(0);
        let associativity = associativity(files, &file, size, line_size);
        let cache = Cache { size, level, line_size, associativity, kind };
        let id = files.number::<u32>(&file("id")).filter(|&id| id != u32::MAX);
        flats.push(Flat::new(Node::new(ty).os_index(id).attributes(Attributes::Cache(cache)), shared));
    }
}

/// From size, lines and sets where they are known, as hwloc does: what architectures write into
/// `ways_of_associativity` for a fully associative cache differs. A single set rather means that nobody knows.
fn associativity(files: &Files<'_>, file: &impl Fn(&str) -> String, size: u64, line_size: u32) -> i32 {
    let sets = files.number::<u64>(&file("number_of_sets"));
    let lines_per_tag = files.number::<u64>(&file("physical_line_partition")).unwrap_or(1);
    let way = sets.filter(|&sets| sets > 1).and_then(|sets| {
        u64::from(line_size).checked_mul(lines_per_tag)?.checked_mul(sets).filter(|&way| way > 0)
    });
    if let Some(ways) = way.filter(|_| size > 0).and_then(|way| i32::try_from(size / way).ok()) {
        return ways;
    }
    let ways = files.number::<i32>(&file("ways_of_associativity"));
    ways.filter(|&ways| ways > 0 && sets != Some(1)).unwrap_or(0)
}

/// A size as the kernel prints it, `32K`.
fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1 << 10),
        None => match text.strip_suffix(['M', 'm']) {
            Some(digits) => (digits, 1 << 20),
            None => (text, 1),
        },
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
