//! Which processors a NUMA node is near to when it is not the one that it is part of.
//!
//! Memory without processors (persistent, high-bandwidth, behind CXL) is near to those that reach it best: the
//! firmware says which these are (ACPI table HMAT), or the distances do.
//!
//! Source: Linux, Documentation/admin-guide/mm/numaperf.rst, "NUMA Locality".

use crate::model::set::{Bits, CpuSet};

use super::distances::Matrix;
use super::files::{Files, NODE};
use super::memory::NumaNode;

/// Where the kernel describes the access to a node. Class 1 is that of processors alone; class 0 may be that of
/// other devices that access memory.
pub(super) fn access(files: &Files<'_>, number: u32) -> Option<String> {
    let classes = ["access1", "access0"].map(|class| format!("{NODE}/node{number}/{class}/initiators"));
    classes.into_iter().find(|directory| files.exists(directory))
}

/// Completes what the nodes are near to, those with processors first.
pub(super) fn complete(files: &Files<'_>, nodes: &mut [NumaNode], distances: Option<&Matrix>) {
    let (with, without): (Vec<usize>, Vec<usize>) =
        (0..nodes.len()).partition(|&index| !nodes[index].own.is_empty());
    for index in with {
        nodes[index].local = initiators(files, nodes, index);
    }
    for index in without {
        let mut local = initiators(files, nodes, index);
        if let (true, Some(distances)) = (local.is_empty(), distances) {
            local = nearest(nodes, index, distances);
        }
        nodes[index].local = local;
    }
}

/// The node's processors and those of the nodes from which it is reached best.
fn initiators(files: &Files<'_>, nodes: &[NumaNode], index: usize) -> CpuSet {
    let mut local = nodes[index].local.clone();
    let Some(directory) = access(files, nodes[index].number) else { return local };
    for number in files.numbered(&directory, "node", "") {
        if let Ok(other) = nodes.binary_search_by_key(&number, |node| node.number) {
            local = local.or(&nodes[other].local);
        }
    }
    local
}

/// The processors of the nodes with the smallest distance, unless all the others have it.
fn nearest(nodes: &[NumaNode], index: usize, distances: &Matrix) -> CpuSet {
    let others = || (0..nodes.len()).filter(|&other| other != index);
    let Some(smallest) = others().map(|other| distances.get(index, other)).min() else {
        return CpuSet::new();
    };
    let near: Vec<usize> = others().filter(|&other| distances.get(index, other) == smallest).collect();
    if smallest <= distances.get(index, index) || near.len() + 1 == nodes.len() {
        return CpuSet::new();
    }
    near.into_iter().fold(CpuSet::new(), |set, other| set.or(&nodes[other].local))
}
