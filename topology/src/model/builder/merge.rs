//! Dropping levels that say nothing: hwloc's filter KEEP_STRUCTURE.
//!
//! Two neighbouring levels are identical if each object above has one normal child, and that child is in the level
//! below. Of two identical levels one goes if it is of groups; dies go where each is its package alone.
//! What was attached to an object that goes is then attached to the one that stays.

use crate::model::error::BuildError;
use crate::model::facts::Filter;
use crate::model::records::NONE;
use crate::model::types::{ChildKind, Type};

use super::description::Builder;
use super::node::{Attributes, Node};
use super::sets::Sets;
use super::shape::{Lists, normal_levels, ordered_children};

impl Builder {
    /// Takes out the levels that add no structure, if [`filter`](Self::filter) says so of their type: as it is
    /// from the start, groups only. hwloc does so with whatever it loads or detects.
    ///
    /// Afterwards all [`NodeId`](super::NodeId)s but [`ROOT`](Self::ROOT) are invalid. What was said of objects
    /// that went is left out.
    ///
    /// # Errors
    /// What [`build`](Self::build) would find wrong with the tree.
    pub fn keep_structure(&mut self) -> Result<(), BuildError> {
        self.validate()?;
        let sets = Sets::of(&self.nodes);
        let mut tree = Relatives {
            children: ordered_children(&self.nodes, &sets),
            parents: self.nodes.iter().map(|(_, parent)| *parent).collect(),
        };
        let mut levels = normal_levels(&self.nodes, &tree.children)?;
        let mut merged = false;
        for below in (1..levels.len()).rev() {
            let above = below - 1;
            let Some(drop_above) = self.redundant(&levels[above], &levels[below]) else { continue };
            if !tree.identical(&self.nodes, &levels[above], &levels[below]) {
                continue;
            }
            merged = true;
            for &child in &levels[below] {
                let parent = tree.parents[child as usize];
                match drop_above {
                    true => tree.replace_parent(parent, child),
                    false => tree.replace_child(parent, child),
                }
            }
            levels.remove(if drop_above { above } else { below });
        }
        if merged {
            self.reorder(&tree);
        }
        Ok(())
    }

    /// Which of two levels may go: `Some(true)` if the upper one.
    fn redundant(&self, above: &[u32], below: &[u32]) -> Option<bool> {
        let (first_above, first_below) = (*above.first()?, *below.first()?);
        let ty = |id: u32| self.nodes[id as usize].0.ty;
        let kept = |&id: &u32| match &self.nodes[id as usize].0.attributes {
            Attributes::Group(group) => group.dont_merge,
            _ => false,
        };
        let may_go = |ty: Type, level: &[u32]| {
            self.facts.keeps(ty) == Filter::KeepStructure && !level.iter().any(kept)
        };
        let upper = may_go(ty(first_above), above) && first_above != 0;
        let lower = may_go(ty(first_below), below);
        match (upper, lower) {
            (true, true) => Some(priority(ty(first_above)) < priority(ty(first_below))),
            (true, false) => Some(true),
            (false, true) => Some(false),
            (false, false) => {
                let dies = ty(first_above) == Type::Package && ty(first_below) == Type::Die;
                dies.then_some(false)
            }
        }
    }

    /// The objects that stayed, in tree order, with new numbers.
    fn reorder(&mut self, tree: &Relatives) {
        let mut place = vec![NONE; self.nodes.len()];
        let mut order = Vec::new();
        let mut stack = vec![0u32];
        while let Some(id) = stack.pop() {
            place[id as usize] = order.len() as u32;
            order.push(id);
            stack.extend(tree.children[id as usize].iter().flatten().rev());
        }
        let mut old: Vec<Option<Node>> =
            core::mem::take(&mut self.nodes).into_iter().map(|(node, _)| Some(node)).collect();
        for &id in &order {
            let Some(node) = old[id as usize].take() else { continue };
            let parent = place.get(tree.parents[id as usize] as usize).copied().unwrap_or(NONE);
            self.nodes.push((node, parent));
        }
        self.facts.renumber(&place);
    }
}

/// Which of two that say the same stays: the larger number (hwloc: `obj_type_priority`).
fn priority(ty: Type) -> u32 {
    match ty {
        Type::Pu => 100,
        Type::Machine => 90,
        Type::Core => 60,
        Type::Package => 40,
        Type::Die => 30,
        Type::L1iCache | Type::L2iCache | Type::L3iCache => 19,
        _ if ty.is_cache() => 20,
        _ => 0,
    }
}

struct Relatives {
    children: Lists,
    parents: Vec<u32>,
}

impl Relatives {
    fn identical(&self, nodes: &[(Node, u32)], above: &[u32], below: &[u32]) -> bool {
        let pus = below.iter().any(|&id| nodes[id as usize].0.ty == Type::Pu);
        above.len() == below.len()
            && above.iter().zip(below).all(|(&parent, &child)| {
                let lists = &self.children[parent as usize];
                self.parents[child as usize] == parent
                    && lists[ChildKind::Normal as usize].len() == 1
                    // Memory cannot be below a processing unit.
                    && (!pus || lists[ChildKind::Memory as usize].is_empty())
            })
    }

    fn adopt(&mut self, parent: u32, children: &[u32]) {
        for &child in children {
            self.parents[child as usize] = parent;
        }
    }

    /// `child` takes the place of its parent, and what was attached there comes before its own.
    fn replace_parent(&mut self, parent: u32, child: u32) {
        let lists = core::mem::take(&mut self.children[parent as usize]);
        let [_, memory, io, misc] = lists;
        for (kind, mut list) in [(ChildKind::Memory, memory), (ChildKind::Io, io), (ChildKind::Misc, misc)] {
            self.adopt(child, &list);
            let own = &mut self.children[child as usize][kind as usize];
            list.append(own);
            *own = list;
        }
        let above = self.parents[parent as usize];
        self.parents[child as usize] = above;
        if let Some(lists) = self.children.get_mut(above as usize) {
            for slot in lists[ChildKind::Normal as usize].iter_mut().filter(|slot| **slot == parent) {
                *slot = child;
            }
        }
    }

    /// What is below `child`, the only one of `parent`, is now below that.
    fn replace_child(&mut self, parent: u32, child: u32) {
        let lists = core::mem::take(&mut self.children[child as usize]);
        self.children[parent as usize][ChildKind::Normal as usize].clear();
        for (kind, mut list) in lists.into_iter().enumerate() {
            self.adopt(parent, &list);
            self.children[parent as usize][kind].append(&mut list);
        }
    }
}
