//! From a flat list of sets to a tree: each object goes below the smallest one that holds it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::builder::{Builder, Node, NodeId};
use crate::object::Type;
use crate::set::{Bits, CpuSet};

/// An object that is described by its processors.
pub(super) struct Flat {
    pub(super) node: Node,
    pub(super) set: CpuSet,
}

impl Flat {
    pub(super) fn new(node: Node, set: CpuSet) -> Self {
        Self { node, set }
    }
}

/// What has been placed, from the largest to the smallest.
pub(super) struct Placed {
    objects: Vec<(NodeId, Type, CpuSet)>,
}

/// Adds all to the builder, below the Machine with the processors `machine`.
///
/// Larger sets go first, and for each processor we know the last object placed around it. An object belongs
/// below that one if all its processors agree on it; if they do not, it crosses an object that is as large or
/// larger, and is dropped. O(processors × levels).
pub(super) fn nest(builder: &mut Builder, machine: &CpuSet, mut flats: Vec<Flat>) -> Placed {
    flats.sort_by_key(|flat| (Reverse(flat.set.weight()), flat.node.ty.nesting(), flat.set.first()));
    let mut objects = vec![(Builder::ROOT, Type::Machine, machine.clone())];
    let mut around: BTreeMap<u32, usize> = machine.iter().map(|cpu| (cpu, 0)).collect();
    for Flat { mut node, set } in flats {
        let Some(&owner) = set.first().and_then(|cpu| around.get(&cpu)) else { continue };
        let (parent, ty, whole) = &objects[owner];
        let crosses = set.iter().any(|cpu| around.get(&cpu) != Some(&owner));
        if crosses || (*ty == node.ty && *whole == set) {
            continue;
        }
        let ty = node.ty;
        if ty != Type::Pu {
            node.cpuset = Some(set.clone());
        }
        let id = builder.add(*parent, node);
        for cpu in set.iter() {
            around.insert(cpu, objects.len());
        }
        objects.push((id, ty, set));
    }
    Placed { objects }
}

impl Placed {
    /// Where memory with these local processors belongs: the highest object with exactly them, but one below the
    /// Machine rather than that; else the smallest that holds them. Memory without processors is the Machine's.
    pub(super) fn memory_parent(&self, local: &CpuSet) -> NodeId {
        if local.is_empty() {
            return Builder::ROOT;
        }
        let candidates = || self.objects.iter().filter(|(_, ty, _)| *ty != Type::Pu);
        let exact = candidates().skip(1).find(|(_, _, set)| set == local);
        let holding = || candidates().rev().find(|(_, _, set)| local.is_included_in(set));
        exact.or_else(holding).map_or(Builder::ROOT, |(id, _, _)| *id)
    }
}
