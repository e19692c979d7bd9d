//! What is said of the objects beside the tree: distances, memory attributes, kinds of processors, and the rest.
//!
//! Descriptions refer to objects by [`NodeId`] and are resolved when the tree is known. As hwloc does on load,
//! cpusets are cut to the machine's, and what is then said of nothing is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::cpukinds::CpuKind;
use crate::model::distances::DistanceMatrix;
use crate::model::error::BuildError;
use crate::model::machine::{Filter, MemoryTier, PciLocality};
use crate::model::memattrs::{InitiatorEntry, MemoryAttribute, MemoryTarget, MemoryValue};
use crate::model::object::{NONE, Span, Type};
use crate::model::set::{Bits, CpuSet, NodeSet, Set};
use crate::model::topology::{DistanceTables, MemoryAttributeTables, SetInterner};

use super::assemble::Texts;
use super::kinds;
use super::{Builder, NodeId};

/// From how many places the values of one target of one attribute may be told apart: each is compared with all.
const MAX_INITIATORS: usize = 1024;

/// From where memory is accessed, in a description: see [`Builder::memory_value`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// From these processors.
    Cpuset(CpuSet),
    /// From this object.
    Object(NodeId),
}

#[derive(Debug, Clone)]
struct Matrix {
    name: Option<String>,
    kind: u64,
    objects: Vec<NodeId>,
    values: Vec<u64>,
}

/// The values of one target, each with the place from where it holds.
type Values = Vec<(Option<Location>, u64)>;

#[derive(Debug, Clone)]
struct Attribute {
    name: String,
    flags: u32,
    targets: Vec<(NodeId, Values)>,
    by_target: BTreeMap<u32, usize>,
}

impl Attribute {
    fn new(name: String, flags: u32) -> Self {
        Self { name, flags, targets: Vec::new(), by_target: BTreeMap::new() }
    }
}

/// One kind of processors as it was described.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    pub(super) cpuset: CpuSet,
    pub(super) forced_efficiency: Option<u32>,
    pub(super) infos: Vec<(String, String)>,
}

/// One memory tier: kinds, nodes and infos.
type Tier = (u64, NodeSet, Vec<(String, String)>);

/// All that is described beside the tree.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    matrices: Vec<Matrix>,
    attributes: Vec<Attribute>,
    kinds: Vec<Kind>,
    tiers: Vec<Tier>,
    localities: Vec<(u32, u32, u32, CpuSet)>,
    support: BTreeSet<String>,
    filters: [Filter; Type::ALL.len()],
    flags: u64,
    /// The first thing that was wrong.
    error: Option<BuildError>,
}

impl Facts {
    pub(super) fn new() -> Self {
        let default = |(name, flags): (&str, u32)| Attribute::new(name.into(), flags);
        let mut filters = [Filter::KeepAll; Type::ALL.len()];
        filters[Type::Group as usize] = Filter::KeepStructure;
        Self {
            matrices: Vec::new(),
            attributes: MemoryAttribute::DEFAULT.into_iter().map(default).collect(),
            kinds: Vec::new(),
            tiers: Vec::new(),
            localities: Vec::new(),
            support: BTreeSet::new(),
            filters,
            flags: 0,
            error: None,
        }
    }

    fn fail(&mut self, error: BuildError) {
        self.error.get_or_insert(error);
    }
}

impl Builder {
    /// Adds a matrix of distances between `objects`: `values` has a row for each, in their order.
    ///
    /// `kind` is a sum of [`DistanceMatrix`]'s constants; whether the types differ is found out here. Fewer than
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

    /// Adds a tier of memory behind those already there: `kinds` is a sum of [`MemoryTier`]'s constants.
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

impl Facts {
    pub(super) fn keeps(&self, ty: Type) -> Filter {
        self.filters[ty as usize]
    }

    /// After objects moved to `place`, or went ([`NONE`]): what was said of these is left out.
    pub(super) fn renumber(&mut self, place: &[u32]) {
        let moved = |id: NodeId| {
            let place = place.get(id.0 as usize).copied().unwrap_or(NONE);
            (place != NONE).then_some(NodeId(place))
        };
        for matrix in &mut self.matrices {
            let len = matrix.objects.len();
            let stays: Vec<bool> = matrix.objects.iter().map(|&id| moved(id).is_some()).collect();
            let mut index = 0;
            matrix.values.retain(|_| {
                index += 1;
                stays[(index - 1) / len] && stays[(index - 1) % len]
            });
            matrix.objects = matrix.objects.iter().filter_map(|&id| moved(id)).collect();
        }
        self.matrices.retain(|matrix| matrix.objects.len() >= 2);
        for attribute in &mut self.attributes {
            attribute.by_target.clear();
            for (target, mut values) in core::mem::take(&mut attribute.targets) {
                values.retain_mut(|(from, _)| match from {
                    Some(Location::Object(id)) => moved(*id).map(|new| *id = new).is_some(),
                    _ => true,
                });
                if let (Some(target), false) = (moved(target), values.is_empty()) {
                    attribute.by_target.insert(target.0, attribute.targets.len());
                    attribute.targets.push((target, values));
                }
            }
        }
    }

    /// What can be seen to be wrong before the tree is built. `nodes` is the number of objects.
    pub(super) fn validate(&self, nodes: usize) -> Result<(), BuildError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let targets = || self.attributes.iter().flat_map(|attribute| &attribute.targets);
        let values = || targets().flat_map(|(_, values)| values);
        let initiators = values().filter_map(|(from, _)| match from {
            Some(Location::Object(id)) => Some(*id),
            _ => None,
        });
        let objects = self.matrices.iter().flat_map(|matrix| matrix.objects.iter().copied());
        let mut named = objects.chain(targets().map(|(target, _)| *target)).chain(initiators);
        if let Some(id) = named.find(|id| id.0 as usize >= nodes) {
            return Err(BuildError::UnknownObject { object: id.0 });
        }
        let distances: usize = self.matrices.iter().map(|matrix| matrix.values.len()).sum();
        let infos = self.tiers.iter().map(|(.., infos)| infos.len()).sum::<usize>()
            + self.kinds.iter().map(|kind| kind.infos.len()).sum::<usize>();
        let count = distances.max(values().count()).max(infos).max(self.support.len()) as u64;
        if count >= u64::from(NONE) / 8 {
            return Err(BuildError::TooMany { count });
        }
        Ok(())
    }
}

/// The tables of all this.
pub(super) struct FactTables {
    pub(super) distances: DistanceTables,
    pub(super) memory_attributes: MemoryAttributeTables,
    pub(super) cpu_kinds: Vec<CpuKind>,
    pub(super) memory_tiers: Vec<MemoryTier>,
    pub(super) pci_localities: Vec<PciLocality>,
    pub(super) support: Vec<u32>,
    pub(super) filters: Vec<Filter>,
    pub(super) flags: u64,
}

impl FactTables {
    /// `place` says where each described object went, `machine` is the machine's cpuset.
    pub(super) fn of(
        facts: &Facts,
        place: &[u32],
        machine: (&CpuSet, &NodeSet),
        texts: &mut Texts,
        pool: &mut SetInterner,
    ) -> Result<Self, BuildError> {
        let (cpus, nodes) = machine;
        let mut distances = DistanceTables::default();
        for matrix in &facts.matrices {
            let objects = Span { first: distances.objects.len() as u32, len: matrix.objects.len() as u32 };
            distances.matrices.push(DistanceMatrix {
                kind: matrix.kind,
                name: matrix.name.as_ref().map_or(NONE, |name| texts.string(name)),
                objects,
                first_value: distances.values.len() as u32,
            });
            distances.objects.extend(matrix.objects.iter().map(|id| place[id.0 as usize]));
            distances.values.extend_from_slice(&matrix.values);
        }
        let memory_attributes = memory_attributes(facts, place, cpus, texts, pool);
        let mut cpu_kinds = Vec::new();
        for (kind, efficiency) in kinds::ranked(kinds::registered(&facts.kinds, cpus)?) {
            cpu_kinds.push(CpuKind {
                cpuset: pool.intern(&kind.cpuset),
                efficiency: efficiency.unwrap_or(NONE),
                forced_efficiency: kind.forced_efficiency.unwrap_or(NONE),
                infos: texts.infos(&kind.infos),
            });
        }
        let mut memory_tiers = Vec::new();
        for (kinds, nodeset, infos) in &facts.tiers {
            let nodeset = pool.intern(&nodeset.and(nodes));
            memory_tiers.push(MemoryTier { kinds: *kinds, nodeset, infos: texts.infos(infos) });
        }
        let mut pci_localities = Vec::new();
        for (domain, first_bus, last_bus, cpuset) in &facts.localities {
            let cpuset = pool.intern(cpuset);
            let (domain, first_bus, last_bus) = (*domain, *first_bus, *last_bus);
            pci_localities.push(PciLocality { domain, first_bus, last_bus, cpuset });
        }
        Ok(Self {
            distances,
            memory_attributes,
            cpu_kinds,
            memory_tiers,
            pci_localities,
            support: facts.support.iter().map(|name| texts.string(name)).collect(),
            filters: facts.filters.to_vec(),
            flags: facts.flags,
        })
    }
}

fn memory_attributes(
    facts: &Facts,
    place: &[u32],
    cpus: &Set,
    texts: &mut Texts,
    pool: &mut SetInterner,
) -> MemoryAttributeTables {
    let mut tables = MemoryAttributeTables::default();
    for attribute in &facts.attributes {
        let first = tables.targets.len() as u32;
        for (target, values) in &attribute.targets {
            let first = tables.values.len() as u32;
            let mut known: Vec<CpuSet> = Vec::new();
            for (from, value) in values {
                let from = match from {
                    None => InitiatorEntry::Any,
                    Some(Location::Object(id)) => InitiatorEntry::Object { object: place[id.0 as usize] },
                    Some(Location::Cpuset(said)) => {
                        let cpuset = said.and(cpus);
                        // A question takes the first set that includes what it asks for.
                        let is_covered = || known.iter().any(|known| cpuset.is_included_in(known));
                        if cpuset.is_empty() || cpuset != *said && is_covered() {
                            continue;
                        }
                        let set = pool.intern(&cpuset);
                        known.push(cpuset);
                        InitiatorEntry::Cpuset { set }
                    }
                };
                tables.values.push(MemoryValue { value: *value, from });
            }
            let values = Span { first, len: tables.values.len() as u32 - first };
            if values.len > 0 {
                tables.targets.push(MemoryTarget { object: place[target.0 as usize], values });
            }
        }
        tables.attributes.push(MemoryAttribute {
            name: texts.string(&attribute.name),
            flags: attribute.flags,
            targets: Span { first, len: tables.targets.len() as u32 - first },
        });
    }
    tables
}
