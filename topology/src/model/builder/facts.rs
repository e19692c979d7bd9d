//! What is said of the objects beside the tree: distances, memory attributes, kinds of processors, and the rest.
//!
//! Descriptions refer to objects by [`NodeId`] and are resolved when the tree is known. As hwloc does on load,
//! cpusets are cut to the machine's, and what is then said of nothing is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::error::BuildError;
use crate::model::facts::{Filter, MemoryAttribute};
use crate::model::records::NONE;
use crate::model::set::{CpuSet, NodeSet};
use crate::model::types::Type;

use super::node::NodeId;

/// From where memory is accessed, in a description: see [`Builder::memory_value`](super::Builder::memory_value).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// From these processors.
    Cpuset(CpuSet),
    /// From this object.
    Object(NodeId),
}

#[derive(Debug, Clone)]
pub(super) struct Matrix {
    pub(super) name: Option<String>,
    pub(super) kind: u64,
    pub(super) objects: Vec<NodeId>,
    pub(super) values: Vec<u64>,
}

/// The values of one target, each with the place from where it holds.
pub(super) type Values = Vec<(Option<Location>, u64)>;

#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) flags: u32,
    pub(super) targets: Vec<(NodeId, Values)>,
    pub(super) by_target: BTreeMap<u32, usize>,
}

impl Attribute {
    pub(super) fn new(name: String, flags: u32) -> Self {
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
pub(super) type Tier = (u64, NodeSet, Vec<(String, String)>);

/// All that is described beside the tree.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) matrices: Vec<Matrix>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) kinds: Vec<Kind>,
    pub(super) tiers: Vec<Tier>,
    pub(super) localities: Vec<(u32, u32, u32, CpuSet)>,
    pub(super) support: BTreeSet<String>,
    pub(super) filters: [Filter; Type::ALL.len()],
    pub(super) flags: u64,
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

    pub(super) fn fail(&mut self, error: BuildError) {
        self.error.get_or_insert(error);
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
