//! The shape of a tree: the order of children, and the levels.

use std::collections::BTreeMap;

use crate::model::error::BuildError;
use crate::model::records::NONE;
use crate::model::set::{Bits, Set};
use crate::model::types::{ChildKind, Type};

use super::node::{Attributes, Node};
use super::sets::Sets;

/// How many normal levels a topology may have. hwloc's own machines have about ten.
const MAX_DEPTH: u32 = 128;

/// How many types and kinds of groups may differ: the bits of the mask that says which are below an object.
const MAX_KINDS: u32 = u128::BITS;

/// The children of each object by kind, in their final order.
pub(super) type Lists = Vec<[Vec<u32>; 4]>;

pub(super) fn ordered_children(nodes: &[(Node, u32)], sets: &Sets) -> Lists {
    let mut lists: Lists = nodes.iter().map(|_| Default::default()).collect();
    for (id, (node, parent)) in nodes.iter().enumerate().skip(1) {
        lists[*parent as usize][node.ty.child_kind() as usize].push(id as u32);
    }
    // Without a first index: last. The sort is stable.
    let first = |set: &Set| set.first().unwrap_or(NONE);
    for [normal, memory, ..] in &mut lists {
        normal.sort_by_key(|&id| first(&sets.complete_cpuset[id as usize]));
        memory.sort_by_key(|&id| first(&sets.complete_nodeset[id as usize]));
    }
    lists
}

/// What makes two normal objects of one level: the type, and for groups kind and subkind.
fn level_key(node: &Node) -> (Type, u32, u32) {
    match (&node.attributes, node.ty) {
        (Attributes::Group(group), _) => (node.ty, group.kind, group.subkind),
        _ => (node.ty, 0, 0),
    }
}

/// The normal levels, top down, each from left to right.
///
/// Starting from the root, the next level takes from the row of objects whose parents are placed all those of
/// one type: a type of which there are none further below another one. Their children take their places in the row.
/// Processing units are left to the last.
pub(super) fn normal_levels(nodes: &[(Node, u32)], children: &Lists) -> Result<Vec<Vec<u32>>, BuildError> {
    let mut numbers: BTreeMap<(Type, u32, u32), u32> = BTreeMap::new();
    let mut keys = vec![0; nodes.len()];
    for (id, (node, _)) in nodes.iter().enumerate().filter(|(_, (node, _))| node.ty.is_normal()) {
        let next = numbers.len() as u32;
        keys[id] = *numbers.entry(level_key(node)).or_insert(next);
    }
    if numbers.len() > MAX_KINDS as usize {
        return Err(BuildError::TooManyKinds { limit: MAX_KINDS });
    }
    let mut below = vec![0u128; nodes.len()];
    for (id, (node, parent)) in nodes.iter().enumerate().skip(1).rev() {
        if node.ty.is_normal() {
            below[*parent as usize] |= below[id] | 1 << keys[id];
        }
    }

    let is_pu = |id: &u32| nodes[*id as usize].0.ty == Type::Pu;
    let mut levels = Vec::new();
    let mut row = vec![0u32];
    while let Some(mut top) = row.iter().copied().find(|id| !is_pu(id)) {
        if levels.len() as u32 + 1 == MAX_DEPTH {
            return Err(BuildError::TooDeep { limit: MAX_DEPTH });
        }
        for &other in row.iter().filter(|id| !is_pu(id)) {
            let key = keys[top as usize];
            if keys[other as usize] != key && below[other as usize] >> key & 1 == 1 {
                top = other;
            }
        }
        let (mut level, mut next) = (Vec::new(), Vec::new());
        for id in row {
            if keys[id as usize] == keys[top as usize] {
                level.push(id);
                next.extend_from_slice(&children[id as usize][ChildKind::Normal as usize]);
            } else {
                next.push(id);
            }
        }
        levels.push(level);
        row = next;
    }
    levels.push(row);
    Ok(levels)
}
