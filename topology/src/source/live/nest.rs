//! From a flat list of sets to a tree: each object goes below the smallest one that holds it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::attributes::Group;
use crate::model::builder::{Attributes, Builder, Node, NodeId};
use crate::model::set::{Bits, CpuSet, NodeSet, Set};
use crate::model::types::Type;

/// An object that is described by its processors.
pub(super) struct Flat {
    pub(super) node: Node,
    pub(super) set: CpuSet,
}

impl Flat {
    pub(super) fn new(node: Node, set: CpuSet) -> Self {
        Self { node, set }
    }

    pub(super) fn group(kind: u32, subkind: u32, set: CpuSet) -> Self {
        let group = Attributes::Group(Group::of(kind, subkind));
        Self::new(Node::new(Type::Group).attributes(group), set)
    }
}

/// Takes out the groups that hold what another object holds; of equal groups the one of the lowest kind stays.
///
/// Memory cannot be attached to a processing unit: groups for it may hold what only one of those holds.
pub(super) fn without_redundant_groups(flats: &mut Vec<Flat>, machine: &CpuSet) {
    let of = |pus: bool, flats: &[Flat]| -> BTreeSet<Set> {
        let objects = flats.iter().filter(|flat| flat.node.ty != Type::Group);
        let sets = objects.filter(|flat| pus || flat.node.ty != Type::Pu).map(|flat| flat.set.clone());
        sets.chain([machine.clone()]).collect()
    };
    flats.sort_by_key(|flat| match &flat.node.attributes {
        Attributes::Group(group) => group.kind,
        _ => 0,
    });
    let (mut parents, mut known) = (of(false, flats), of(true, flats));
    flats.retain(|flat| match &flat.node.attributes {
        Attributes::Group(group) => {
            let memory = group.kind == Group::MEMORY;
            let new = if memory { parents.insert(flat.set.clone()) } else { known.insert(flat.set.clone()) };
            parents.insert(flat.set.clone());
            known.insert(flat.set.clone());
            new
        }
        _ => true,
    });
}

/// A NUMA node with the caches in front of it, the one nearest to the processors first.
pub(super) struct Memory {
    pub(super) number: u32,
    pub(super) node: Node,
    pub(super) caches: Vec<Node>,
}

/// An object in its place.
struct Nested {
    node: Node,
    /// All its processors that are online.
    set: CpuSet,
    /// Those of them that are kept.
    kept: CpuSet,
    parent: usize,
    memory: Vec<Memory>,
    /// Whether devices are to be attached.
    devices: bool,
    /// Whether nothing in it is kept.
    gone: bool,
}

impl Nested {
    fn new(node: Node, set: CpuSet, parent: usize) -> Self {
        let kept = set.clone();
        Self { node, set, kept, parent, memory: Vec::new(), devices: false, gone: false }
    }
}

/// What has been placed, parents before children; first the Machine.
pub(super) struct Nest {
    places: Vec<Nested>,
    /// The smallest object around each processor.
    around: BTreeMap<u32, usize>,
    /// NUMA nodes that were attached but are not kept.
    dropped_nodes: Vec<(usize, u32)>,
}

impl Nest {
    /// Puts all below the Machine with the processors `machine`.
    ///
    /// Larger sets go first, and for each processor we know the last object placed around it. An object belongs
    /// below that one if all its processors agree on it; if they do not, it crosses an object that is as large
    /// or larger, and is dropped. O(processors × levels).
    pub(super) fn of(machine: &CpuSet, mut flats: Vec<Flat>) -> Self {
        flats.sort_by_key(|flat| (Reverse(flat.set.weight()), flat.node.ty.nesting(), flat.set.first()));
        let mut places = vec![Nested::new(Node::new(Type::Machine), machine.clone(), 0)];
        let mut around: BTreeMap<u32, usize> = machine.iter().map(|cpu| (cpu, 0)).collect();
        for Flat { node, set } in flats {
            let Some(&owner) = set.first().and_then(|cpu| around.get(&cpu)) else { continue };
            let crosses = set.iter().any(|cpu| around.get(&cpu) != Some(&owner));
            let above: &Nested = &places[owner];
            if crosses || (above.node.ty == node.ty && above.set == set) {
                continue;
            }
            for cpu in set.iter() {
                around.insert(cpu, places.len());
            }
            places.push(Nested::new(node, set, owner));
        }
        Self { places, around, dropped_nodes: Vec::new() }
    }

    /// The objects around a processor, from the smallest to the Machine.
    fn upward(&self, cpu: Option<u32>) -> impl Iterator<Item = usize> + '_ {
        let first = cpu.and_then(|cpu| self.around.get(&cpu)).copied().unwrap_or(0);
        let parent = |&place: &usize| (place > 0).then(|| self.places[place].parent);
        std::iter::successors(Some(first), parent)
    }

    /// Attaches memory where it belongs: to the highest object with exactly these local processors, but one
    /// below the Machine rather than that; else to the smallest that holds them. Memory without processors has a
    /// group of its own, so that it is not taken for near to all of them.
    pub(super) fn attach(&mut self, memory: Memory, local: &CpuSet) {
        let fits = |&place: &usize| {
            self.places[place].node.ty != Type::Pu && local.is_included_in(&self.places[place].set)
        };
        if local.is_empty() {
            let Flat { node, set } = Flat::group(Group::MEMORY, 0, CpuSet::new());
            let mut group = Nested::new(node, set, 0);
            group.memory.push(memory);
            return self.places.push(group);
        }
        let holding: Vec<usize> = self.upward(local.first()).filter(fits).collect();
        let exact = holding.iter().rev().find(|&&place| place > 0 && self.places[place].set == *local);
        let place = exact.or(holding.first()).copied().unwrap_or(0);
        self.places[place].memory.push(memory);
    }

    /// Where devices belong that are near these processors: to the highest object with exactly them, else to the
    /// smallest that holds them; to the Machine if it has none of them.
    fn device_place(&self, local: &CpuSet) -> usize {
        let local = local.and(&self.places[0].set);
        let holds = |&place: &usize| local.is_included_in(&self.places[place].set);
        let mut holding = self.upward(local.first()).filter(holds).peekable();
        let smallest = holding.peek().copied().unwrap_or(0);
        holding.filter(|&place| self.places[place].set == local).last().unwrap_or(smallest)
    }

    /// Keeps the place for devices that are near these processors, whatever is left of it.
    pub(super) fn expect_devices(&mut self, local: &CpuSet) {
        let place = self.device_place(local);
        self.places[place].devices = true;
    }

    /// Leaves only what these processors and NUMA nodes make: others remain in the complete sets.
    pub(super) fn restrict(&mut self, cpus: &CpuSet, nodes: &NodeSet) {
        for place in 0..self.places.len() {
            let here = &mut self.places[place];
            here.kept = here.set.and(cpus);
            let (kept, dropped): (Vec<_>, Vec<_>) =
                here.memory.drain(..).partition(|memory| nodes.contains(memory.number));
            here.memory = kept;
            self.dropped_nodes.extend(dropped.iter().map(|memory| (place, memory.number)));
        }
        let mut children = vec![false; self.places.len()];
        for index in (1..self.places.len()).rev() {
            let place = &mut self.places[index];
            // So what is around something that is kept is kept.
            let attached = !place.memory.is_empty() || place.devices;
            place.gone = place.kept.is_empty() && !attached && !children[index];
            children[place.parent] |= !place.gone;
        }
    }

    /// Adds everything to the builder, and says which object each place has become.
    pub(super) fn build(mut self, builder: &mut Builder) -> Built {
        let complete = self.complete_nodesets();
        let mut ids = vec![Builder::ROOT; self.places.len()];
        for (index, complete) in complete.into_iter().enumerate() {
            let place = &mut self.places[index];
            if place.gone {
                continue;
            }
            let ty = place.node.ty;
            let mut node = std::mem::replace(&mut place.node, Node::new(ty));
            if ty != Type::Pu {
                node.cpuset = Some(place.kept.clone());
                node.complete_cpuset = Some(place.set.clone());
            }
            node.complete_nodeset = complete;
            if index > 0 {
                ids[index] = builder.add(ids[place.parent], node);
            } else if let Some(machine) = builder.node_mut(Builder::ROOT) {
                machine.cpuset = node.cpuset;
                machine.complete_nodeset = node.complete_nodeset;
            }
        }
        let (mut numa, mut numa_places) = (BTreeMap::new(), BTreeMap::new());
        for (index, (place, &id)) in self.places.iter_mut().zip(&ids).enumerate() {
            for memory in std::mem::take(&mut place.memory) {
                let parent = memory.caches.into_iter().fold(id, |parent, cache| builder.add(parent, cache));
                numa_places.insert(memory.number, index);
                numa.insert(memory.number, builder.add(parent, memory.node));
            }
        }
        Built { tree: self, ids, numa, numa_places }
    }

    /// The complete nodesets where they are not what the kept nodes imply.
    fn complete_nodesets(&self) -> Vec<Option<NodeSet>> {
        if self.dropped_nodes.is_empty() {
            return vec![None; self.places.len()];
        }
        let mut own: Vec<NodeSet> = self.places.iter().map(|place| numbers(&place.memory)).collect();
        for &(place, number) in &self.dropped_nodes {
            own[place].insert(number);
        }
        // Near: attached here or above. Complete: that, and what is below.
        for index in 1..self.places.len() {
            own[index] = own[index].or(&own[self.places[index].parent]);
        }
        for index in (1..self.places.len()).rev() {
            let parent = self.places[index].parent;
            own[parent] = own[parent].or(&own[index]);
        }
        own.into_iter().map(Some).collect()
    }
}

fn numbers(memory: &[Memory]) -> NodeSet {
    memory.iter().map(|memory| memory.number).collect()
}

/// A tree that is in the builder.
pub(super) struct Built {
    tree: Nest,
    ids: Vec<NodeId>,
    /// The NUMA nodes by number.
    pub(super) numa: BTreeMap<u32, NodeId>,
    numa_places: BTreeMap<u32, usize>,
}

impl Built {
    /// Those of these processors that the Machine has.
    pub(super) fn kept(&self, cpus: &CpuSet) -> CpuSet {
        cpus.and(&self.tree.places[0].kept)
    }

    /// The object that a NUMA node is attached to; the Machine if there is no such node.
    pub(super) fn memory_parent(&self, number: u32) -> NodeId {
        self.numa_places.get(&number).map_or(Builder::ROOT, |&place| self.ids[place])
    }

    /// Where devices belong that are near these processors.
    pub(super) fn io_parent(&self, local: &CpuSet) -> NodeId {
        self.ids[self.tree.device_place(local)]
    }
}
