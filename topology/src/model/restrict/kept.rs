//! What stays.

use crate::model::handle::ObjectRef;
use crate::model::read::Topo;
use crate::model::set::{Bits, CpuSet, NodeSet, Set};
use crate::model::set_ref::SetRef;
use crate::model::tables::Topology;
use crate::model::types::{ChildKind, Type};

use super::options::{RestrictError, RestrictOptions};

/// The processors and NUMA nodes that stay in sets.
pub(super) struct Kept {
    pub(super) cpus: CpuSet,
    pub(super) nodes: NodeSet,
}

/// The cpuset or the nodeset of an object, and which ones are allowed.
fn set_for<'a>(object: &ObjectRef<'a, Topology>, ty: Type) -> Option<SetRef<'a, Topology>> {
    if ty == Type::NumaNode { object.nodeset() } else { object.cpuset() }
}

pub(super) fn allowed(topology: &Topology, ty: Type) -> Set {
    let allowed = if ty == Type::NumaNode { topology.allowed_nodeset() } else { topology.allowed_cpuset() };
    allowed.map_or_else(Set::new, |set| set.to_set())
}

impl Kept {
    pub(super) fn of(
        topology: &Topology,
        set: &impl Bits,
        options: RestrictOptions,
    ) -> Result<Self, RestrictError> {
        let (own, other) = options.types();
        let enough = |ty: Type, kept: Set| {
            let allowed = allowed(topology, ty);
            if kept.intersects(&allowed) {
                Ok(kept)
            } else {
                Err(RestrictError::nothing_left(ty, kept, allowed))
            }
        };
        let kept = enough(own, set.to_set())?;
        let mut others = Set::full();
        if options.removes_other() {
            let empty = |object: &ObjectRef<'_, Topology>| object.cpuset().is_none_or(|set| set.is_empty());
            let near = |object: &ObjectRef<'_, Topology>| {
                !empty(object) && set_for(object, own).is_some_and(|near| near.intersects(&kept))
            };
            let lost: Set = topology
                .by_type(other)
                .filter(|object| !near(object))
                .filter_map(|object| object.os_index())
                .collect();
            if !lost.is_empty() {
                others = enough(other, lost.complement())?;
            }
        }
        let kept = if options.by_nodeset {
            Self { cpus: others, nodes: kept }
        } else {
            Self { cpus: kept, nodes: others }
        };
        // In hwloc what is allowed has objects. If not, there is still no topology without processors.
        let stays =
            |pu: ObjectRef<'_, Topology>| pu.os_index().is_some_and(|index| kept.cpus.contains(index));
        if !topology.by_type(Type::Pu).any(stays) {
            return Err(RestrictError::nothing_left(Type::Pu, kept.cpus, allowed(topology, Type::Pu)));
        }
        Ok(kept)
    }

    /// Whether an object loses something.
    pub(super) fn cuts(&self, object: &ObjectRef<'_, Topology>) -> bool {
        object.complete_cpuset().is_some_and(|set| !set.is_included_in(&self.cpus))
            || object.complete_nodeset().is_some_and(|set| !set.is_included_in(&self.nodes))
    }

    /// Which objects with sets stay, by index. A parent's index is smaller than its children's.
    pub(super) fn objects(&self, topology: &Topology, options: RestrictOptions) -> Vec<bool> {
        let (own, other) = options.types();
        let count = topology.object_count() as usize;
        let (mut cut, mut met) = (vec![false; count], vec![false; count]);
        for object in topology.objects().filter(|object| object.ty().has_sets()) {
            let index = object.index() as usize;
            met[index] = object.parent().is_none_or(|parent| cut[parent.index() as usize]);
            cut[index] = met[index] && self.cuts(&object);
        }
        let kept = if options.by_nodeset { &self.nodes } else { &self.cpus };
        let others = if options.by_nodeset { &self.cpus } else { &self.nodes };
        let is_empty = |object: &ObjectRef<'_, Topology>| match object.ty() {
            ty if ty == other => object.os_index().is_some_and(|index| !others.contains(index)),
            _ => set_for(object, own).is_none_or(|set| !set.intersects(kept)),
        };
        let mut stays = vec![false; count];
        for object in topology.objects().rev().filter(|object| object.ty().has_sets()) {
            let index = object.index() as usize;
            let held = [ChildKind::Normal, ChildKind::Memory]
                .into_iter()
                .any(|kind| object.children(kind).any(|child| stays[child.index() as usize]));
            stays[index] = index == 0 || !met[index] || held || !is_empty(&object);
        }
        stays
    }
}
