//! Everything into its table, in breadth-first order.

use std::collections::{BTreeMap, VecDeque};

use crate::model::error::BuildError;
use crate::model::read::Topo;
use crate::model::records::{Arity, Level, NONE, Object, SPECIAL, Span};
use crate::model::set::Set;
use crate::model::tables::{OsIndexTable, Topology};
use crate::model::types::{ChildKind, Type};

use super::description::Builder;
use super::fact_tables::FactTables;
use super::node::{Attributes, Node};
use super::pools::{Attribution, SetInterner, Texts};
use super::sets::Sets;
use super::shape::{Lists, normal_levels, ordered_children};

impl Builder {
    /// Makes the topology. O(n log n) and, per level, O(n).
    ///
    /// # Errors
    /// The first thing that is wrong with the description: see [`BuildError`]. The result has passed
    /// [`Topo::check`].
    pub fn build(self) -> Result<Topology, BuildError> {
        self.validate()?;
        let sets = Sets::of(&self.nodes);
        let children = ordered_children(&self.nodes, &sets);
        let levels = normal_levels(&self.nodes, &children)?;
        let topology = assemble(&self, sets, &children, &levels)?;
        topology.check().map_err(BuildError::Inconsistent)?;
        Ok(topology)
    }
}

/// Everything in its table.
fn assemble(
    builder: &Builder,
    sets: Sets,
    children: &Lists,
    normal: &[Vec<u32>],
) -> Result<Topology, BuildError> {
    let nodes = &builder.nodes;
    let (order, place) = breadth_first(children);
    let Levels { levels, cousins, position, group_depth } = Levels::of(nodes, children, normal, &place);
    let symmetric = symmetric_subtrees(nodes, children, &order, &position);
    let total_memory = total_memory(nodes, &order);
    let gp_indexes = gp_indexes(nodes);

    let mut texts = Texts::new();
    let mut tables = Attribution::new();
    let mut pool = SetInterner::new();
    let own_infos = texts.infos(&builder.infos);
    let (mut pus, mut numa_nodes) = (Vec::new(), Vec::new());
    let mut objects = Vec::with_capacity(nodes.len());
    let mut first_child = 1;
    for &id in &order {
        let at = id as usize;
        let (node, parent) = &nodes[at];
        match (node.ty, node.os_index) {
            (Type::Pu, Some(os_index)) => pus.push((os_index, objects.len() as u32)),
            (Type::NumaNode, Some(os_index)) => numa_nodes.push((os_index, objects.len() as u32)),
            _ => {}
        }
        let mut set = |set: &Set| if node.ty.has_sets() { pool.intern(set) } else { NONE };
        let [normal, memory, io, misc] = children[at].each_ref().map(|list| list.len() as u32);
        let arity = Arity { normal, memory, io, misc };
        objects.push(Object {
            gp_index: gp_indexes[at],
            total_memory: total_memory[at],
            depth: position[at].0,
            os_index: node.os_index.unwrap_or(NONE),
            parent: if *parent == NONE { NONE } else { place[*parent as usize] },
            logical_index: position[at].1,
            first_child,
            arity,
            cpuset: set(&sets.cpuset[at]),
            complete_cpuset: set(&sets.complete_cpuset[at]),
            nodeset: set(&sets.nodeset[at]),
            complete_nodeset: set(&sets.complete_nodeset[at]),
            attributes: tables.add(&node.attributes, group_depth[at]),
            extra: texts.extra(node),
            ty: node.ty,
            symmetric_subtree: symmetric[at],
        });
        first_child += normal + memory + io + misc;
    }
    let allowed_cpuset = pool.intern(builder.allowed_cpuset.as_ref().unwrap_or(&sets.cpuset[0]));
    let allowed_nodeset = pool.intern(builder.allowed_nodeset.as_ref().unwrap_or(&sets.nodeset[0]));
    let machine = (&sets.cpuset[0], &sets.nodeset[0]);
    let facts = FactTables::of(&builder.facts, &place, machine, &mut texts, &mut pool)?;
    Ok(Topology {
        objects,
        levels,
        cousins,
        depth: normal.len() as u32,
        pus: OsIndexTable::new(&mut pus),
        numa_nodes: OsIndexTable::new(&mut numa_nodes),
        sets: pool.table,
        allowed_cpuset,
        allowed_nodeset,
        attributes: tables.tables,
        extras: texts.extras,
        infos: texts.infos,
        own_infos,
        distances: facts.distances,
        memory_attributes: facts.memory_attributes,
        cpu_kinds: facts.cpu_kinds,
        memory_tiers: facts.memory_tiers,
        pci_localities: facts.pci_localities,
        support: facts.support,
        filters: facts.filters,
        flags: facts.flags,
        strings: texts.strings,
    })
}

/// The objects in the order of the archive, and where in it each described object goes.
fn breadth_first(children: &Lists) -> (Vec<u32>, Vec<u32>) {
    let mut order = Vec::with_capacity(children.len());
    let mut place = vec![NONE; children.len()];
    let mut queue = VecDeque::from([0u32]);
    while let Some(id) = queue.pop_front() {
        place[id as usize] = order.len() as u32;
        order.push(id);
        queue.extend(children[id as usize].iter().flatten());
    }
    (order, place)
}

/// The table of levels, and what it says of each described object.
struct Levels {
    levels: Vec<Level>,
    cousins: Vec<u32>,
    /// Depth and logical_index.
    position: Vec<(i32, u32)>,
    /// How many levels of groups are above.
    group_depth: Vec<u32>,
}

impl Levels {
    fn of(nodes: &[(Node, u32)], children: &Lists, normal: &[Vec<u32>], place: &[u32]) -> Self {
        // Special levels are in tree order.
        let mut special: [Vec<u32>; SPECIAL.len()] = Default::default();
        let mut stack = vec![0u32];
        while let Some(id) = stack.pop() {
            if let Some(level) = SPECIAL.iter().position(|&ty| ty == nodes[id as usize].0.ty) {
                special[level].push(id);
            }
            stack.extend(children[id as usize].iter().flatten().rev());
        }

        let mut levels = Vec::new();
        let mut cousins = Vec::with_capacity(nodes.len());
        let mut position = vec![(0i32, 0u32); nodes.len()];
        let mut group_depth = vec![0; nodes.len()];
        let mut group_levels = 0;
        for (index, members) in normal.iter().chain(&special).enumerate() {
            let ty = match index.checked_sub(normal.len()) {
                Some(special) => SPECIAL[special],
                None => members.first().map_or(Type::Pu, |&id| nodes[id as usize].0.ty),
            };
            let depth = ty.special_depth().unwrap_or(index as i32);
            let span = Span { first: cousins.len() as u32, len: members.len() as u32 };
            levels.push(Level { depth, ty, members: span });
            for (logical_index, &id) in members.iter().enumerate() {
                position[id as usize] = (depth, logical_index as u32);
                group_depth[id as usize] = group_levels;
                cousins.push(place[id as usize]);
            }
            group_levels += u32::from(ty == Type::Group);
        }
        Self { levels, cousins, position, group_depth }
    }
}

/// Bytes of memory at and below each object. Children come after their parents in `order`.
fn total_memory(nodes: &[(Node, u32)], order: &[u32]) -> Vec<u64> {
    let mut total_memory = vec![0u64; nodes.len()];
    for &id in order.iter().rev() {
        let (node, parent) = &nodes[id as usize];
        if let Attributes::Numa { local_memory, .. } = node.attributes {
            total_memory[id as usize] = total_memory[id as usize].saturating_add(local_memory);
        }
        if let (true, Some(above)) = (*parent != NONE, total_memory.get(*parent as usize).copied()) {
            total_memory[*parent as usize] = above.saturating_add(total_memory[id as usize]);
        }
    }
    total_memory
}

/// The numbers that are given, and those that are free for the others.
fn gp_indexes(nodes: &[(Node, u32)]) -> Vec<u64> {
    let mut taken: Vec<u64> = nodes.iter().filter_map(|(node, _)| node.gp_index).collect();
    taken.sort_unstable();
    let mut free = (1..).filter(|number| taken.binary_search(number).is_err());
    nodes.iter().map(|(node, _)| node.gp_index.or_else(|| free.next()).unwrap_or(0)).collect()
}

/// Whether all normal children are equal in depth and arity, level by level, down to the processing units.
///
/// A symmetric subtree is described by its root's depth and arity and by any one child's shape: shapes are numbered.
fn symmetric_subtrees(
    nodes: &[(Node, u32)],
    children: &Lists,
    order: &[u32],
    position: &[(i32, u32)],
) -> Vec<bool> {
    let mut shapes: BTreeMap<(i32, usize, u32), u32> = BTreeMap::new();
    // NONE: not symmetric.
    let mut shape = vec![NONE; nodes.len()];
    for &id in order.iter().rev().filter(|&&id| nodes[id as usize].0.ty.is_normal()) {
        let below = &children[id as usize][ChildKind::Normal as usize];
        let first = below.first().map_or(0, |&child| shape[child as usize]);
        if first != NONE && below.iter().all(|&child| shape[child as usize] == first) {
            let next = shapes.len() as u32 + 1;
            let key = (position[id as usize].0, below.len(), first);
            shape[id as usize] = *shapes.entry(key).or_insert(next);
        }
    }
    shape.iter().map(|&shape| shape != NONE).collect()
}
