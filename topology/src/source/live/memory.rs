//! NUMA nodes with their memory and page sizes, and the caches in front of them.

use crate::model::attributes::{Cache, PageType};
use crate::model::builder::{Attributes, Node};
use crate::model::set::{Bits, CpuSet, NodeSet};
use crate::model::types::{CacheKind, Type};

use super::dax;
use super::files::{Files, NODE};
use super::io::{self, Address};
use super::nest::Memory;

/// A NUMA node and the processors near it.
pub(super) struct NumaNode {
    pub(super) number: u32,
    /// Processors of the node itself. Not all nodes have some.
    pub(super) own: CpuSet,
    /// The same, and those from which the node is reached best: see `locality`.
    pub(super) local: CpuSet,
    node: Node,
}

impl NumaNode {
    /// The node for the tree, with the caches in front of it.
    pub(super) fn memory(&self, files: &Files<'_>) -> Memory {
        let caches = caches(files, &format!("{NODE}/node{}/memory_side_cache", self.number));
        Memory { number: self.number, node: self.node.clone(), caches }
    }
}

/// The NUMA nodes in the order of their numbers. A kernel without NUMA has one, with all memory.
pub(super) fn nodes(files: &Files<'_>, online: &CpuSet) -> Vec<NumaNode> {
    let mut numbers = files.numbered(NODE, "node", "");
    numbers.retain(|&number| number != u32::MAX);
    // The directories are what is there; the list says which of them are in use.
    let list: Option<NodeSet> = files.list(&format!("{NODE}/online"));
    if let Some(list) = list.filter(|list| numbers.iter().any(|&number| list.contains(number))) {
        numbers.retain(|&number| list.contains(number));
    }
    let page = files.kilobytes("proc/self/smaps", "KernelPageSize").unwrap_or(4096).max(1);
    if numbers.is_empty() {
        let memory = files.kilobytes("proc/meminfo", "MemTotal").unwrap_or(0);
        let node = numa(files, 0, memory, "sys/kernel/mm/hugepages", page);
        return vec![NumaNode { number: 0, own: online.clone(), local: online.clone(), node }];
    }
    // Nodes cannot share processors: one that says it does is a mistake of the firmware.
    let mut taken = CpuSet::new();
    let mut nodes: Vec<NumaNode> = numbers
        .into_iter()
        .filter_map(|number| {
            let directory = format!("{NODE}/node{number}");
            let own = files.set(&format!("{directory}/cpumap"), &format!("{directory}/cpulist"));
            let own = own.unwrap_or_default().and(online);
            if own.intersects(&taken) {
                return None;
            }
            taken = taken.or(&own);
            let memory = files.kilobytes(&format!("{directory}/meminfo"), "MemTotal").unwrap_or(0);
            let node = numa(files, number, memory, &format!("{directory}/hugepages"), page);
            Some(NumaNode { number, local: own.clone(), own, node })
        })
        .collect();
    for (number, infos) in dax::memory(files) {
        if let Ok(at) = nodes.binary_search_by_key(&number, |node| node.number) {
            nodes[at].node.infos.extend(infos);
        }
    }
    for (number, address) in gpu_memory(files) {
        if let Ok(at) = nodes.binary_search_by_key(&number, |node| node.number) {
            let node = &mut nodes[at];
            let local = Address::parse(&address).and_then(|address| io::local_cpus(files, address));
            node.local = local.unwrap_or_default().and(online);
            node.node.subtype = Some("GPUMemory".to_owned());
            node.node.infos.push(("PCIBusID".to_owned(), address));
        }
    }
    // Somewhere the processors' memory must be: nothing was said of where.
    if nodes.iter().all(|node| node.local.is_empty()) {
        nodes.iter_mut().for_each(|node| node.local = online.clone());
    }
    nodes
}

/// Nodes that are the memory of a GPU that NVIDIA's driver shares with processors, and where that GPU is.
fn gpu_memory(files: &Files<'_>) -> Vec<(u32, String)> {
    const GPUS: &str = "proc/driver/nvidia/gpus";
    let number = |name: &String| {
        let status = files.text(&format!("{GPUS}/{name}/numa_status")).ok()?;
        let node = status.lines().find_map(|line| line.strip_prefix("Node:"))?;
        node.trim().parse().ok()
    };
    let names = files.names(GPUS).into_iter().filter_map(|name| Some((number(&name)?, name)));
    names.filter(|(_, name)| Address::parse(name).is_some()).collect()
}

/// The pages of normal size are those that are not huge.
fn numa(files: &Files<'_>, number: u32, local_memory: u64, hugepages: &str, page: u64) -> Node {
    let mut page_types = vec![PageType { size: page, count: 0 }];
    let mut rest = local_memory;
    // In kB.
    for size in files.numbered(hugepages, "hugepages-", "kB") {
        let count = files.number(&format!("{hugepages}/hugepages-{size}kB/nr_hugepages")).unwrap_or(0);
        let size = u64::from(size) * 1024;
        page_types.push(PageType { size, count });
        rest = rest.saturating_sub(size.saturating_mul(count));
    }
    page_types[0].count = rest / page;
    Node::new(Type::NumaNode).os_index(number).attributes(Attributes::Numa { local_memory, page_types })
}

/// Memory-side caches, from the processors' side: index1 is the one next to the memory.
///
/// One that does not say its size is none.
///
/// Source: Linux, Documentation/admin-guide/mm/numaperf.rst, "NUMA Cache".
fn caches(files: &Files<'_>, directory: &str) -> Vec<Node> {
    let levels = files.numbered(directory, "index", "").into_iter().rev().filter(|&level| level > 0);
    // More than a machine has; a path of caches is no deeper than the tree may be.
    let caches = levels.take(8).filter_map(|level| {
        let file = |name: &str| format!("{directory}/index{level}/{name}");
        let cache = Cache {
            size: files.number(&file("size"))?,
            level,
            line_size: files.number(&file("line_size")).unwrap_or(0),
            // 0 is direct-mapped; otherwise we are not told how many ways there are.
            associativity: i32::from(files.number::<u32>(&file("indexing")) == Some(0)),
            kind: CacheKind::Unified,
        };
        Some(Node::new(Type::MemCache).attributes(Attributes::Cache(cache)))
    });
    caches.collect()
}
