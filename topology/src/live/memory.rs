//! NUMA nodes with their memory and page sizes.

use crate::builder::{Attributes, Node};
use crate::object::{PageType, Type};
use crate::set::CpuSet;

use super::files::Files;

const NODE: &str = "sys/devices/system/node";

/// More nodes than the kernel can have (NODES_SHIFT is at most 10).
const LIMIT: usize = 1 << 16;

/// The NUMA nodes, each with its online processors. A kernel without NUMA has one, with all memory.
pub(super) fn nodes(files: &Files<'_>, online: &CpuSet) -> Vec<(Node, CpuSet)> {
    // The directories are what is there; `online` and `possible` may say less or more.
    let mut numbers = files.numbered(NODE, "node");
    numbers.truncate(LIMIT);
    let page = files.kilobytes("proc/self/smaps", "KernelPageSize").unwrap_or(4096).max(1);
    if numbers.is_empty() {
        let memory = files.kilobytes("proc/meminfo", "MemTotal").unwrap_or(0);
        return vec![(numa(files, 0, memory, "sys/kernel/mm/hugepages", page), online.clone())];
    }
    let describe = |number| {
        let directory = format!("{NODE}/node{number}");
        let list = files.list(&format!("{directory}/cpulist"));
        let local = list.or_else(|| files.mask(&format!("{directory}/cpumap"))).unwrap_or_default();
        let memory = files.kilobytes(&format!("{directory}/meminfo"), "MemTotal").unwrap_or(0);
        (numa(files, number, memory, &format!("{directory}/hugepages"), page), local.and(online))
    };
    numbers.into_iter().filter(|&number| number != u32::MAX).map(describe).collect()
}

/// The pages of normal size are those that are not huge.
fn numa(files: &Files<'_>, number: u32, local_memory: u64, hugepages: &str, page: u64) -> Node {
    let mut page_types = vec![PageType { size: page, count: 0 }];
    let mut rest = local_memory;
    for size in huge_sizes(files, hugepages) {
        let count = files.number(&format!("{hugepages}/hugepages-{size}kB/nr_hugepages")).unwrap_or(0);
        let size = size.saturating_mul(1024);
        page_types.push(PageType { size, count });
        rest = rest.saturating_sub(size.saturating_mul(count));
    }
    page_types[0].count = rest / page;
    Node::new(Type::NumaNode).os_index(number).attributes(Attributes::Numa { local_memory, page_types })
}

/// Sizes of huge pages in kB, ascending.
fn huge_sizes(files: &Files<'_>, hugepages: &str) -> Vec<u64> {
    let entries = std::fs::read_dir(files.path(hugepages)).into_iter().flatten().flatten();
    let mut sizes: Vec<u64> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()
        })
        .collect();
    sizes.sort_unstable();
    sizes
}
