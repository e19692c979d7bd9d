//! The sets that a tree implies.

use crate::model::records::NONE;
use crate::model::set::{Bits, CpuSet, NodeSet, Set};
use crate::model::types::{ChildKind, Type};

use super::node::Node;

/// The four sets of each object that has them.
pub(super) struct Sets {
    pub(super) cpuset: Vec<CpuSet>,
    pub(super) complete_cpuset: Vec<CpuSet>,
    pub(super) nodeset: Vec<NodeSet>,
    pub(super) complete_nodeset: Vec<NodeSet>,
}

impl Sets {
    /// Parents come before children in `nodes`: backward is bottom-up, forward is top-down.
    pub(super) fn of(nodes: &[(Node, u32)]) -> Self {
        let own = |given: fn(&Node) -> &Option<Set>| -> Vec<Set> {
            let own = |node: &Node| given(node).clone().unwrap_or_default();
            nodes.iter().map(|(node, _)| if node.ty.has_sets() { own(node) } else { Set::new() }).collect()
        };
        let mut sets = Self {
            cpuset: own(|node| &node.cpuset),
            complete_cpuset: own(|node| &node.complete_cpuset),
            nodeset: vec![Set::new(); nodes.len()],
            complete_nodeset: vec![Set::new(); nodes.len()],
        };
        for (id, (node, parent)) in nodes.iter().enumerate().rev() {
            if !node.ty.is_normal() {
                continue;
            }
            if let (Type::Pu, Some(os_index)) = (node.ty, node.os_index) {
                if node.cpuset.is_none() {
                    sets.cpuset[id].insert(os_index);
                }
                sets.complete_cpuset[id].insert(os_index);
            }
            let plain = core::mem::take(&mut sets.cpuset[id]);
            merge(&mut sets.complete_cpuset[id], &plain);
            if *parent != NONE {
                merge(&mut sets.cpuset[*parent as usize], &plain);
                let complete = sets.complete_cpuset[id].clone();
                merge(&mut sets.complete_cpuset[*parent as usize], &complete);
            }
            sets.cpuset[id] = plain;
        }
        for (id, (node, parent)) in nodes.iter().enumerate() {
            if node.ty.child_kind() == ChildKind::Memory && *parent != NONE {
                sets.cpuset[id] = sets.cpuset[*parent as usize].clone();
                sets.complete_cpuset[id] = sets.complete_cpuset[*parent as usize].clone();
            }
        }
        nodesets(nodes, |node| &node.nodeset, &mut sets.nodeset);
        nodesets(nodes, |node| &node.complete_nodeset, &mut sets.complete_nodeset);
        for (plain, complete) in sets.nodeset.iter().zip(&mut sets.complete_nodeset) {
            merge(complete, plain);
        }
        sets
    }
}

fn merge(into: &mut Set, from: &Set) {
    for run in from.runs() {
        into.insert_range(run);
    }
}

/// A normal object is near to the nodes attached to it or above it, and contains those below it.
fn nodesets(nodes: &[(Node, u32)], given: fn(&Node) -> &Option<Set>, out: &mut [Set]) {
    let mut attached = vec![Set::new(); nodes.len()];
    for (id, (node, parent)) in nodes.iter().enumerate().rev() {
        if node.ty.child_kind() != ChildKind::Memory {
            continue;
        }
        // Memory below memory has been added to `out` before.
        let mut own = core::mem::take(&mut out[id]);
        match (given(node), node.ty, node.os_index) {
            (Some(set), ..) => own = set.clone(),
            (None, Type::NumaNode, Some(os_index)) => {
                own.insert(os_index);
            }
            _ => {}
        }
        if let Some((above, _)) = nodes.get(*parent as usize) {
            let to = if above.ty.is_normal() { &mut attached } else { &mut *out };
            merge(&mut to[*parent as usize], &own);
        }
        out[id] = own;
    }
    for (id, (node, parent)) in nodes.iter().enumerate() {
        if node.ty.is_normal() {
            let mut near = core::mem::take(&mut attached[id]);
            if *parent != NONE {
                merge(&mut near, &attached[*parent as usize]);
            }
            attached[id] = near;
        }
    }
    for (id, (node, parent)) in nodes.iter().enumerate().rev() {
        if node.ty.is_normal() {
            let near = core::mem::take(&mut attached[id]);
            merge(&mut out[id], &near);
            if let Some(set) = given(node) {
                out[id] = set.clone();
            }
            if *parent != NONE {
                let own = out[id].clone();
                merge(&mut out[*parent as usize], &own);
            }
        }
    }
}
