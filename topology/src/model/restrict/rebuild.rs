//! The description of what stays, handed to a builder.

use crate::model::builder::{Attributes, Builder, Location, Node, NodeId};
use crate::model::error::BuildError;
use crate::model::facts::{Filter, InitiatorEntry};
use crate::model::handle::ObjectRef;
use crate::model::read::Topo;
use crate::model::set::{Bits, Set};
use crate::model::set_ref::SetRef;
use crate::model::tables::{Tables, Topology};
use crate::model::types::{ChildKind, Type};

use super::kept::{Kept, allowed};
use super::options::RestrictOptions;

/// What stays: `stays` says which objects with sets do, by index.
pub(super) fn rebuild(
    topology: &Topology,
    kept: &Kept,
    stays: &[bool],
    options: RestrictOptions,
) -> Result<Topology, BuildError> {
    let mut rest =
        Rest { topology, kept, builder: Builder::new(), place: vec![None; topology.object_count() as usize] };
    let home = rest.objects(stays);
    rest.attached(stays, &home, options);
    rest.facts();
    rest.distances();
    rest.memory_attributes();
    if rest.may_merge(stays) {
        rest.builder.keep_structure()?;
    }
    rest.builder.build()
}

struct Rest<'a> {
    topology: &'a Topology,
    kept: &'a Kept,
    builder: Builder,
    /// Where each object went, by index; `None` for those that go.
    place: Vec<Option<NodeId>>,
}

impl Rest<'_> {
    fn place(&self, index: u32) -> Option<NodeId> {
        self.place.get(index as usize).copied().flatten()
    }

    /// The objects with sets; returns for each the nearest object at or above it that stays.
    fn objects(&mut self, stays: &[bool]) -> Vec<u32> {
        let mut home = vec![0; stays.len()];
        for object in self.topology.objects().filter(|object| object.ty().has_sets()) {
            let index = object.index() as usize;
            let above = object.parent().map_or(0, |parent| home[parent.index() as usize]);
            home[index] = if stays[index] { object.index() } else { above };
            if !stays[index] {
                continue;
            }
            let node = self.described(&object);
            self.place[index] = match self.place(above).filter(|_| index > 0) {
                Some(parent) => Some(self.builder.add(parent, node)),
                None => {
                    if let Some(root) = self.builder.node_mut(Builder::ROOT) {
                        *root = node;
                    }
                    Some(Builder::ROOT)
                }
            };
        }
        home
    }

    /// I/O and misc objects. What goes up is put behind what is there, in tree order.
    fn attached(&mut self, stays: &[bool], home: &[u32], options: RestrictOptions) {
        let topology = self.topology;
        for object in topology.root().descendants().filter(|object| object.ty().has_sets()) {
            let index = object.index() as usize;
            for (kind, adapt) in [(ChildKind::Io, options.adapt_io), (ChildKind::Misc, options.adapt_misc)] {
                if !stays[index] && !adapt {
                    continue;
                }
                for top in object.children(kind) {
                    for below in top.descendants() {
                        let above = below.parent().map_or(0, |parent| parent.index());
                        let above = if below == top { home[index] } else { above };
                        if let Some(parent) = self.place(above) {
                            let node = self.described(&below);
                            self.place[below.index() as usize] = Some(self.builder.add(parent, node));
                        }
                    }
                }
            }
        }
    }

    fn described(&self, object: &ObjectRef<'_, Topology>) -> Node {
        let cut = |set: Option<SetRef<'_, Topology>>, kept: &Set| set.map(|set| set.to_set().and(kept));
        let mut node = Node::new(object.ty()).os_index(object.os_index()).attributes(attributes(object));
        node.gp_index = Some(object.gp_index());
        node.name = object.name().map(str::to_owned);
        node.subtype = object.subtype().map(str::to_owned);
        node.infos = owned(object.infos());
        node.cpuset = cut(object.cpuset(), &self.kept.cpus);
        node.complete_cpuset = cut(object.complete_cpuset(), &self.kept.cpus);
        node.nodeset = cut(object.nodeset(), &self.kept.nodes);
        node.complete_nodeset = cut(object.complete_nodeset(), &self.kept.nodes);
        node
    }

    /// What is said of the whole, but for distances and memory attributes.
    fn facts(&mut self) {
        let (topology, builder) = (self.topology, &mut self.builder);
        for (name, value) in topology.infos() {
            builder.info(name, value);
        }
        builder.allow_cpus(allowed(topology, Type::Pu).and(&self.kept.cpus));
        builder.allow_nodes(allowed(topology, Type::NumaNode).and(&self.kept.nodes));
        // Ranks are found again, as hwloc does if a kind went.
        for kind in topology.cpu_kinds() {
            if let Some(cpuset) = kind.cpuset() {
                let infos = owned(kind.infos());
                builder.cpu_kind(cpuset.to_set().and(&self.kept.cpus), kind.forced_efficiency(), infos);
            }
        }
        for tier in topology.memory_tiers() {
            let nodeset = tier.nodeset().map(|nodeset| nodeset.to_set().and(&self.kept.nodes));
            if let Some(nodeset) = nodeset.filter(|nodeset| !nodeset.is_empty()) {
                builder.memory_tier(tier.kinds(), nodeset, owned(tier.infos()));
            }
        }
        // One without processors stays: hwloc puts it near to the machine.
        for locality in topology.pci_localities() {
            if let Some(cpuset) = locality.cpuset() {
                let (first, last) = locality.buses();
                let cpuset = cpuset.to_set().and(&self.kept.cpus);
                builder.pci_locality(locality.domain(), first, last, cpuset);
            }
        }
        for name in topology.support() {
            builder.support(name);
        }
        for ty in Type::ALL {
            builder.filter(ty, topology.filter(ty));
        }
        builder.flags(topology.flags());
    }

    /// Rows and columns of the objects that stay; a matrix of less than two is none.
    fn distances(&mut self) {
        for matrix in self.topology.distances() {
            let places: Vec<Option<NodeId>> =
                matrix.objects().map(|object| self.place(object.index())).collect();
            let objects: Vec<NodeId> = places.iter().flatten().copied().collect();
            if objects.len() < 2 {
                continue;
            }
            let rows = places.iter().flat_map(|row| places.iter().map(move |column| (row, column)));
            let values: Vec<u64> = rows
                .zip(matrix.values())
                .filter(|((row, column), _)| row.is_some() && column.is_some())
                .map(|(_, value)| value)
                .collect();
            self.builder.distances(matrix.name(), matrix.kind(), objects, values);
        }
    }

    /// Values of targets that stay, from where something stays.
    fn memory_attributes(&mut self) {
        let topology = self.topology;
        for id in 0..topology.memory_attribute_count() {
            let Some(attribute) = topology.memory_attribute_record(id) else { break };
            let name = topology.string(attribute.name).unwrap_or("");
            let id = self.builder.memory_attribute(name, attribute.flags);
            let targets = attribute.targets.within(topology.memory_target_count());
            for target in targets.filter_map(|index| topology.memory_target(index)) {
                let Some(place) = self.place(target.object) else { continue };
                let mut known: Vec<Set> = Vec::new();
                let values = target.values.within(topology.memory_value_count());
                for value in values.filter_map(|index| topology.memory_value(index)) {
                    let from = match value.from {
                        InitiatorEntry::Any => None,
                        InitiatorEntry::Object { object } => match self.place(object) {
                            Some(place) => Some(Location::Object(place)),
                            None => continue,
                        },
                        InitiatorEntry::Cpuset { set } => {
                            let set = SetRef::new(topology, set).map(|set| set.to_set());
                            let set = set.unwrap_or_default().and(&self.machine());
                            // A question takes the first set that includes what it asks for.
                            if known.iter().any(|known| set.is_included_in(known)) || set.is_empty() {
                                continue;
                            }
                            known.push(set.clone());
                            Some(Location::Cpuset(set))
                        }
                    };
                    self.builder.memory_value(id, place, from, value.value);
                }
            }
        }
    }

    /// The processors of the machine that stay.
    fn machine(&self) -> Set {
        let cpuset = self.topology.root().cpuset().map(|cpuset| cpuset.to_set());
        cpuset.unwrap_or_default().and(&self.kept.cpus)
    }

    /// Whether levels may have become ones that say nothing: of a type that is kept for structure only, or of dies.
    fn may_merge(&self, stays: &[bool]) -> bool {
        let structural = |ty: Type| ty == Type::Die || self.topology.filter(ty) == Filter::KeepStructure;
        let stays = |object: &ObjectRef<'_, Topology>| stays[object.index() as usize];
        self.topology.objects().filter(stays).any(|object| structural(object.ty()))
    }
}

fn owned<'a>(infos: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(String, String)> {
    infos.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The attributes in the form that a builder takes.
fn attributes(object: &ObjectRef<'_, Topology>) -> Attributes {
    let found = match object.ty() {
        Type::NumaNode => object
            .local_memory()
            .map(|local_memory| Attributes::Numa { local_memory, page_types: object.page_types().collect() }),
        Type::Group => object.group().map(Attributes::Group),
        Type::PciDevice => object.pci().map(Attributes::Pci),
        Type::Bridge => object.bridge().map(Attributes::Bridge),
        Type::OsDevice => object.os_device().map(Attributes::OsDevice),
        _ => object.cache().map(Attributes::Cache),
    };
    found.unwrap_or_default()
}
