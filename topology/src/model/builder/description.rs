//! The description of a machine while it grows.

use std::collections::BTreeSet;

use crate::model::error::BuildError;
use crate::model::facts::{Filter, MemoryAttribute};
use crate::model::records::NONE;
use crate::model::set::{Bits, CpuSet, NodeSet};
use crate::model::types::Type;

use super::facts::{Attribute, Facts, Kind, Location, Matrix};
use super::node::{Node, NodeId};

/// From how many places the values of one target of one attribute may be told apart: each is compared with all.
const MAX_INITIATORS: usize = 1024;

/// Collects the description of a machine and makes a [`Topology`](crate::Topology) of it.
///
/// ```
/// use graven_topology::error::BuildError;
/// use graven_topology::{Builder, Node, Topo, Type};
///
/// let mut builder = Builder::new();
/// let package = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(0));
/// assert_eq!(builder.clone().build(), Err(BuildError::NoPu));
/// builder.add(package, Node::new(Type::Pu).os_index(3));
/// let topology = builder.build()?;
/// assert_eq!(topology.root().cpuset().unwrap().to_string(), "3");
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    pub(super) nodes: Vec<(Node, u32)>,
    pub(super) infos: Vec<(String, String)>,
    pub(super) allowed_cpuset: Option<CpuSet>,
    pub(super) allowed_nodeset: Option<NodeSet>,
    pub(super) facts: Facts,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// The Machine, which every builder has from the start.
    pub const ROOT: NodeId = NodeId(0);

    /// A machine without anything: os_index 0.
    pub fn new() -> Self {
        Self {
            nodes: vec![(Node::new(Type::Machine).os_index(0), NONE)],
            infos: Vec::new(),
            allowed_cpuset: None,
            allowed_nodeset: None,
            facts: Facts::new(),
        }
    }

    /// Adds an object below `parent`, in the list that its type belongs to.
    ///
    /// The order of adding decides only among I/O and among misc siblings; others are sorted by their sets. A
    /// `parent` of another builder, or one that may not hold this type, is an error of [`build`](Self::build).
    pub fn add(&mut self, parent: NodeId, node: Node) -> NodeId {
        let id = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push((node, parent.0));
        NodeId(id)
    }

    /// The description of an object, to change it; `None` if it is not of this builder.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize).map(|(node, _)| node)
    }

    /// Adds an info of the topology itself.
    pub fn info(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.infos.push((name.into(), value.into()));
    }

    /// Says which processors are allowed; otherwise all of the machine's cpuset are.
    pub fn allow_cpus(&mut self, cpuset: CpuSet) {
        self.allowed_cpuset = Some(cpuset);
    }

    /// Says which NUMA nodes are allowed; otherwise all of the machine's nodeset are.
    pub fn allow_nodes(&mut self, nodeset: NodeSet) {
        self.allowed_nodeset = Some(nodeset);
    }

    /// What can be seen to be wrong before the tree is ordered.
    pub(super) fn validate(&self) -> Result<(), BuildError> {
        let infos: usize = self.nodes.iter().map(|(node, _)| node.infos.len()).sum();
        let pages: usize = self.nodes.iter().map(|(node, _)| node.pages().len()).sum();
        let count = self.nodes.len().max(infos + self.infos.len()).max(pages) as u64;
        if count >= u64::from(NONE) / 8 {
            return Err(BuildError::TooMany { count });
        }
        self.facts.validate(self.nodes.len())?;
        let mut numbers: Vec<(Type, u32)> = Vec::new();
        for (id, (node, parent)) in self.nodes.iter().enumerate() {
            let ty = node.ty;
            if id > 0 {
                let Some((above, _)) = self.nodes.get(*parent as usize).filter(|_| (*parent as usize) < id)
                else {
                    return Err(BuildError::UnknownParent { parent: *parent, child: ty });
                };
                if ty == Type::Machine || !above.ty.may_hold(ty.child_kind()) {
                    return Err(BuildError::Misplaced { child: ty, parent: above.ty });
                }
            } else if ty != Type::Machine {
                return Err(BuildError::Misplaced { child: ty, parent: Type::Machine });
            }
            if !node.attributes.fit(ty) {
                return Err(BuildError::Attributes { ty });
            }
            if matches!(ty, Type::Pu | Type::NumaNode) {
                let os_index = node.os_index.ok_or(BuildError::NoOsIndex { ty })?;
                if os_index == NONE {
                    return Err(BuildError::OsIndex { ty, os_index });
                }
                numbers.push((ty, os_index));
            }
        }
        numbers.sort_unstable();
        if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BuildError::OsIndex { ty: pair[0].0, os_index: pair[0].1 });
        }
        match numbers.first() {
            Some((Type::Pu, _)) => Ok(()),
            _ => Err(BuildError::NoPu),
        }
    }
}

/// What is said beside the tree.
impl Builder {
    /// Adds a matrix of distances between `objects`: `values` has a row for each, in their order.
    ///
    /// `kind` is a sum of [`DistanceMatrix`](crate::facts::DistanceMatrix)'s constants; whether the types differ is found out here. Fewer than
    /// two objects, one object twice, or another number of values than n² are an error of
    /// [`build`](Self::build).
    pub fn distances(
        &mut self,
        name: Option<&str>,
        kind: u64,
        objects: impl Into<Vec<NodeId>>,
        values: impl Into<Vec<u64>>,
    ) {
        let (objects, values) = (objects.into(), values.into());
        let different: BTreeSet<u32> = objects.iter().map(|id| id.0).collect();
        let square = (objects.len() as u64).saturating_mul(objects.len() as u64);
        if objects.len() < 2 || values.len() as u64 != square || different.len() != objects.len() {
            let (objects, values) = (objects.len() as u64, values.len() as u64);
            self.facts.fail(BuildError::Distances { objects, values, different: different.len() as u64 });
            return;
        }
        self.facts.matrices.push(Matrix { name: name.map(str::to_owned), kind, objects, values });
    }

    /// The id of the memory attribute `name`, which is added if there is none.
    ///
    /// The eight of [`MemoryAttribute::DEFAULT`] are always there. Flags that are no sum of
    /// [`MemoryAttribute`]'s with exactly one order in it, or that differ from those it was added with, are an
    /// error of [`build`](Self::build).
    pub fn memory_attribute(&mut self, name: &str, flags: u32) -> u32 {
        let orders = MemoryAttribute::HIGHER_FIRST | MemoryAttribute::LOWER_FIRST;
        let known = orders | MemoryAttribute::NEED_INITIATOR;
        if flags & !known != 0 || (flags & orders).count_ones() != 1 {
            self.facts.fail(BuildError::MemoryAttributeFlags { name: name.into(), flags, expected: None });
        }
        let attributes = &mut self.facts.attributes;
        match attributes.iter().position(|attribute| attribute.name == name) {
            Some(id) => {
                let expected = attributes[id].flags;
                if expected != flags {
                    let (name, expected) = (name.into(), Some(expected));
                    self.facts.fail(BuildError::MemoryAttributeFlags { name, flags, expected });
                }
                id as u32
            }
            None => {
                attributes.push(Attribute::new(name.into(), flags));
                attributes.len() as u32 - 1
            }
        }
    }

    /// Says what the value of memory attribute `id` is for `target`, as seen from `from`.
    ///
    /// As in hwloc, a location that an earlier one of the same target covers changes the value of that one.
    /// A location where the attribute needs none is ignored. Capacity and Locality, which are read off the
    /// nodes, no or an empty location where one is needed, and an unknown `id` are errors of
    /// [`build`](Self::build).
    pub fn memory_value(&mut self, id: u32, target: NodeId, from: Option<Location>, value: u64) {
        let Some(attribute) = self.facts.attributes.get_mut(id as usize) else {
            return self.facts.fail(BuildError::MemoryAttributeId { id });
        };
        let needed = attribute.flags & MemoryAttribute::NEED_INITIATOR != 0;
        let from = from.filter(|_| needed);
        let empty = matches!(&from, Some(Location::Cpuset(cpuset)) if cpuset.is_empty());
        if MemoryAttribute::is_computed(id) || needed && from.is_none() || empty {
            let name = attribute.name.clone();
            return self.facts.fail(BuildError::MemoryValue { name });
        }
        let next = attribute.targets.len();
        let position = *attribute.by_target.entry(target.0).or_insert(next);
        if position == next {
            attribute.targets.push((target, Vec::new()));
        }
        let values = &mut attribute.targets[position].1;
        let covers = |known: &Option<Location>| match (known, &from) {
            (None, None) => true,
            (Some(Location::Cpuset(known)), Some(Location::Cpuset(new))) => new.is_included_in(known),
            (Some(Location::Object(known)), Some(Location::Object(new))) => known == new,
            _ => false,
        };
        let full = values.len() == MAX_INITIATORS;
        match values.iter_mut().find(|(known, _)| covers(known)) {
            Some((_, old)) => *old = value,
            None if full => {
                self.facts.fail(BuildError::TooMany { count: MAX_INITIATORS as u64 + 1 });
            }
            None => values.push((from, value)),
        }
    }

    /// Says that these processors are alike, and what is known of them.
    ///
    /// As in hwloc, sets that overlap are split, and the parts have the infos of both. The kinds are ranked in
    /// [`build`](Self::build): by `forced_efficiency` if all have one and all differ, else by the infos
    /// `CoreType` and `FrequencyBaseMHz` or `FrequencyMaxMHz` if these tell them apart. An empty set says nothing.
    pub fn cpu_kind(
        &mut self,
        cpuset: CpuSet,
        forced_efficiency: Option<u32>,
        infos: impl Into<Vec<(String, String)>>,
    ) {
        if !cpuset.is_empty() {
            let forced_efficiency = forced_efficiency.filter(|&efficiency| efficiency != NONE);
            self.facts.kinds.push(Kind { cpuset, forced_efficiency, infos: infos.into() });
        }
    }

    /// Adds a tier of memory behind those already there: `kinds` is a sum of [`MemoryTier`](crate::facts::MemoryTier)'s constants.
    pub fn memory_tier(&mut self, kinds: u64, nodeset: NodeSet, infos: impl Into<Vec<(String, String)>>) {
        self.facts.tiers.push((kinds, nodeset, infos.into()));
    }

    /// Says which processors the buses from `first_bus` to `last_bus` of `domain` are near to.
    pub fn pci_locality(&mut self, domain: u32, first_bus: u32, last_bus: u32, cpuset: CpuSet) {
        self.facts.localities.push((domain, first_bus, last_bus, cpuset));
    }

    /// Says that a feature is supported here: hwloc's name of it, such as `discovery.pu`.
    pub fn support(&mut self, name: impl Into<String>) {
        self.facts.support.insert(name.into());
    }

    /// Says which objects of a type were asked for; otherwise all, and groups that add structure.
    pub fn filter(&mut self, ty: Type, filter: Filter) {
        self.facts.filters[ty as usize] = filter;
    }

    /// Sets hwloc's topology flags; 0 otherwise.
    pub fn flags(&mut self, flags: u64) {
        self.facts.flags = flags;
    }
}
