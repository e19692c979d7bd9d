//! The tree as the file has it, and what hwloc's core does to any tree that it loads.
//!
//! Drafts are in the order of the file, so a parent comes before its children, and passes over all of them forward
//! or backward are top-down or bottom-up.

use std::collections::BTreeMap;

use crate::model::attributes::PageType;
use crate::model::builder::{Attributes, Builder, Node, NodeId};
use crate::model::set::{Bits, Set};
use crate::model::types::{ChildKind, Type};

/// One object as it was read.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) node: Node,
    pub(super) parent: Option<usize>,
    /// Where its tag starts.
    pub(super) offset: usize,
    /// Whether the object is left out, with all that is below it.
    pub(super) gone: bool,
}

/// All objects of a file.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) drafts: Vec<Draft>,
    pub(super) allowed_cpuset: Option<Set>,
    pub(super) allowed_nodeset: Option<Set>,
    /// Memory of the machine itself: what a node gets if there is none.
    pub(super) machine_memory: (u64, Vec<PageType>),
    /// The number that an object without a gp_index gets.
    pub(super) next_gp_index: u64,
    /// The first NUMA node of each object that has any, and how many there are.
    pub(super) nodes_of: BTreeMap<usize, (usize, usize)>,
    /// How many runs the sets have that were not in the file.
    pub(super) copied: usize,
}

/// How many runs sets may have that are copied from object to object, and how many more for each object: a file
/// that says little must not make much. Real ones have one or two per object.
const COPIED: usize = 1 << 20;
const COPIED_PER_OBJECT: usize = 64;

/// Copied sets are too large for any machine.
#[derive(Debug)]
pub(super) struct TooManyRuns {
    /// Where the object is that has the last one.
    pub(super) offset: usize,
    pub(super) limit: usize,
}

fn cut(set: &mut Option<Set>, to: &Option<Set>) {
    if let (Some(set), Some(to)) = (set, to) {
        *set = set.and(to);
    }
}

fn add(set: &mut Option<Set>, more: &Option<Set>) {
    if let Some(more) = more {
        *set = Some(set.as_ref().map_or_else(|| more.clone(), |set| set.or(more)));
    }
}

impl Drafts {
    pub(super) fn take_gp_index(&mut self) -> u64 {
        let number = self.next_gp_index;
        self.next_gp_index = number.saturating_add(1);
        number
    }

    /// An object has this number: later ones without any get larger ones.
    pub(super) fn use_gp_index(&mut self, number: u64) {
        if number >= self.next_gp_index {
            self.next_gp_index = number.saturating_add(1);
        }
    }

    pub(super) fn push(&mut self, node: Node, parent: Option<usize>, offset: usize) -> usize {
        let position = self.drafts.len();
        if let (Type::NumaNode, Some(parent)) = (node.ty, parent) {
            self.nodes_of.entry(parent).or_insert((position, 0)).1 += 1;
        }
        self.drafts.push(Draft { node, parent, offset, gone: false });
        position
    }

    /// What `hwloc_discover` does after the file was read.
    pub(super) fn finish(&mut self) -> Result<(), TooManyRuns> {
        self.root_sets();
        self.memory_of_a_machine_without_nodes();
        self.cut_root();
        self.nodesets()?;
        self.fix_sets()?;
        self.drop_empty();
        self.bridge_depths();
        Ok(())
    }

    /// Counts the runs of a set before it is copied to the object at `id`.
    fn copy(&mut self, set: &Option<Set>, id: usize) -> Result<(), TooManyRuns> {
        self.copied += set.as_ref().map_or(0, |set| set.runs().count());
        let limit = COPIED + COPIED_PER_OBJECT * self.drafts.len();
        match self.copied <= limit {
            true => Ok(()),
            false => Err(TooManyRuns { offset: self.drafts[id].offset, limit }),
        }
    }

    fn root(&mut self) -> Option<&mut Node> {
        self.drafts.first_mut().map(|draft| &mut draft.node)
    }

    /// The root has the processors and nodes that have objects.
    fn root_sets(&mut self) {
        let mut sets = [Set::new(), Set::new(), Set::new(), Set::new()];
        for Draft { node, .. } in &self.drafts {
            let (own, plain, complete) = match node.ty {
                Type::Pu => (&node.cpuset, 0, 1),
                Type::NumaNode => (&node.nodeset, 2, 3),
                _ => continue,
            };
            let Some(os_index) = node.os_index else { continue };
            if own.as_ref().is_some_and(|own| own.contains(os_index)) {
                sets[plain].insert(os_index);
            }
            sets[complete].insert(os_index);
        }
        if let Some(root) = self.root() {
            let own =
                [&mut root.cpuset, &mut root.complete_cpuset, &mut root.nodeset, &mut root.complete_nodeset];
            for (own, more) in own.into_iter().zip(sets) {
                add(own, &Some(more));
            }
        }
    }

    fn memory_of_a_machine_without_nodes(&mut self) {
        let Some(root) = self.drafts.first().map(|draft| &draft.node) else { return };
        if root.complete_nodeset.as_ref().is_some_and(|set| !set.is_empty()) {
            return;
        }
        let mut node = Node::new(Type::NumaNode).os_index(0);
        node.cpuset = root.cpuset.clone();
        node.complete_cpuset = root.complete_cpuset.clone();
        node.nodeset = Some(Set::only(0));
        node.complete_nodeset = Some(Set::only(0));
        let (local_memory, page_types) = core::mem::take(&mut self.machine_memory);
        node.attributes = Attributes::Numa { local_memory, page_types };
        node.gp_index = Some(self.take_gp_index());
        let offset = self.drafts[0].offset;
        self.push(node, Some(0), offset);
        if let Some(root) = self.root() {
            root.nodeset = Some(Set::only(0));
            root.complete_nodeset = Some(Set::only(0));
        }
    }

    fn cut_root(&mut self) {
        let Some(root) = self.drafts.first_mut().map(|draft| &mut draft.node) else { return };
        let complete = root.complete_cpuset.clone();
        cut(&mut root.cpuset, &complete);
        let complete = root.complete_nodeset.clone();
        cut(&mut root.nodeset, &complete);
        let (cpuset, nodeset) = (root.cpuset.clone(), root.nodeset.clone());
        self.allowed_cpuset.get_or_insert_with(Set::full);
        self.allowed_nodeset.get_or_insert_with(Set::full);
        cut(&mut self.allowed_cpuset, &cpuset);
        cut(&mut self.allowed_nodeset, &nodeset);
    }

    /// Rule "sets are fixed": a normal object is near to the nodes attached to it or above, and contains those below.
    fn nodesets(&mut self) -> Result<(), TooManyRuns> {
        let count = self.drafts.len();
        let mut attached: Vec<(Set, Set)> = vec![Default::default(); count];
        for draft in &self.drafts {
            let Some(parent) = draft.parent.filter(|_| draft.node.ty.child_kind() == ChildKind::Memory)
            else {
                continue;
            };
            let (plain, complete) = &mut attached[parent];
            *plain = plain.or(draft.node.nodeset.as_ref().unwrap_or(&Set::new()));
            *complete = complete.or(draft.node.complete_nodeset.as_ref().unwrap_or(&Set::new()));
        }
        for (id, attached) in attached.into_iter().enumerate() {
            let parent = self.drafts[id].parent;
            if !self.drafts[id].node.ty.is_normal() {
                continue;
            }
            let above = parent.and_then(|parent| self.drafts[parent].node.nodeset.clone());
            self.copy(&above, id)?;
            let node = &mut self.drafts[id].node;
            node.nodeset = Some(above.unwrap_or_default());
            let from_above = node.nodeset.clone();
            add(&mut node.complete_nodeset, &from_above);
            let (plain, complete) = attached;
            add(&mut node.nodeset, &Some(plain));
            add(&mut node.complete_nodeset, &Some(complete));
        }
        for id in (1..count).rev() {
            let draft = &self.drafts[id];
            if let (true, Some(parent)) = (draft.node.ty.is_normal(), draft.parent) {
                let (plain, complete) = (draft.node.nodeset.clone(), draft.node.complete_nodeset.clone());
                self.copy(&plain, id)?;
                self.copy(&complete, id)?;
                add(&mut self.drafts[parent].node.nodeset, &plain);
                add(&mut self.drafts[parent].node.complete_nodeset, &complete);
            }
        }
        Ok(())
    }

    /// Rule "sets are fixed": each set is within the parent's; memory has its parent's cpusets.
    fn fix_sets(&mut self) -> Result<(), TooManyRuns> {
        for id in 1..self.drafts.len() {
            let Some(parent) = self.drafts[id].parent.filter(|_| self.drafts[id].node.ty.has_sets()) else {
                continue;
            };
            let (before, rest) = self.drafts.split_at_mut(id);
            let (above, node) = (&before[parent].node, &mut rest[0].node);
            cut(&mut node.cpuset, &above.cpuset);
            cut(&mut node.nodeset, &above.nodeset);
            if node.complete_cpuset.is_none() {
                node.complete_cpuset = node.cpuset.clone();
            }
            cut(&mut node.complete_cpuset, &above.complete_cpuset);
            if node.complete_nodeset.is_none() {
                node.complete_nodeset = node.nodeset.clone();
            }
            cut(&mut node.complete_nodeset, &above.complete_nodeset);
            if node.ty.child_kind() == ChildKind::Memory {
                let (cpuset, complete_cpuset) = (above.cpuset.clone(), above.complete_cpuset.clone());
                self.copy(&cpuset, id)?;
                self.copy(&complete_cpuset, id)?;
                let node = &mut self.drafts[id].node;
                (node.cpuset, node.complete_cpuset) = (cpuset, complete_cpuset);
            }
        }
        Ok(())
    }

    /// Rule "empty objects go". Misc objects below do not hold them.
    fn drop_empty(&mut self) {
        let mut held = vec![false; self.drafts.len()];
        for id in (1..self.drafts.len()).rev() {
            let draft = &mut self.drafts[id];
            let set = match draft.node.ty.child_kind() {
                ChildKind::Normal => &draft.node.cpuset,
                ChildKind::Memory => &draft.node.nodeset,
                ChildKind::Io => {
                    held[draft.parent.unwrap_or(0)] = true;
                    continue;
                }
                ChildKind::Misc => continue,
            };
            let empty = set.as_ref().is_none_or(Bits::is_empty);
            draft.gone = empty && !held[id];
            held[draft.parent.unwrap_or(0)] |= !draft.gone;
        }
        for id in 1..self.drafts.len() {
            let above = self.drafts[id].parent.is_some_and(|parent| self.drafts[parent].gone);
            self.drafts[id].gone |= above;
        }
    }

    /// A bridge is as deep as there are I/O objects above it.
    fn bridge_depths(&mut self) {
        let mut depths = vec![0u32; self.drafts.len()];
        for id in 1..self.drafts.len() {
            let draft = &self.drafts[id];
            let Some(parent) = draft.parent.filter(|_| draft.node.ty.child_kind() == ChildKind::Io) else {
                continue;
            };
            if self.drafts[parent].node.ty.child_kind() == ChildKind::Io {
                depths[id] = depths[parent] + 1;
            }
            if let Attributes::Bridge(bridge) = &mut self.drafts[id].node.attributes {
                bridge.depth = depths[id];
            }
        }
    }

    /// Hands all objects that stay to a builder; where each went, by its position here.
    pub(super) fn build(self) -> (Builder, Vec<Option<NodeId>>) {
        let mut builder = Builder::new();
        let mut ids = Vec::with_capacity(self.drafts.len());
        for draft in self.drafts {
            let parent = draft.parent.map(|parent| ids.get(parent).copied().flatten());
            let id = match (draft.gone, parent) {
                (true, _) | (_, Some(None)) => None,
                (false, None) => {
                    if let Some(root) = builder.node_mut(Builder::ROOT) {
                        *root = draft.node;
                    }
                    Some(Builder::ROOT)
                }
                (false, Some(Some(parent))) => Some(builder.add(parent, draft.node)),
            };
            ids.push(id);
        }
        if let Some(allowed) = self.allowed_cpuset {
            builder.allow_cpus(allowed);
        }
        if let Some(allowed) = self.allowed_nodeset {
            builder.allow_nodes(allowed);
        }
        (builder, ids)
    }
}
