//! Taking objects out of an owned topology: hwloc's `hwloc_topology_restrict`, by its rules.
//!
//! ```text
//! what is kept   one set is given. The other is everything, or without the nodes that lose all their processors
//!                (the processors that lose all their nodes)
//! top-down       an object is met if its parent lost something, the root always; it loses what its complete sets
//!                have outside of what is kept
//! bottom-up      an object that was met goes if nothing normal and no memory stays below it, and its own set is
//!                empty
//! ```
//! What stays is described to a [`Builder`](crate::Builder), so that order, levels, numbers and tables are made in
//! one place (`rebuild`).
//!
//! Where we differ from hwloc:
//!
//! | rule | |
//! |---|---|
//! | nothing to take out | leaves an equal topology: hwloc would also merge levels, which loading has done before |
//! | siblings without processors keep their order | hwloc turns them around each time |
//! | memory is sorted | memory children are in the order of their first node again; hwloc leaves them |
//! | unreachable values go | of two values of a memory attribute whose cpusets become such that no question reaches the second, hwloc keeps both |
//! | infos stay | they are texts: an info that counts memory tiers, say, is not changed (nor by hwloc) |

mod rebuild;

use core::fmt;

use crate::model::error::{BuildError, CheckError};
use crate::model::handle::ObjectRef;
use crate::model::object::{ChildKind, Type};
use crate::model::read::Topo;
use crate::model::set::{Bits, CpuSet, NodeSet, Set};
use crate::model::set_ref::SetRef;
use crate::model::topology::Topology;

/// hwloc's error for all that it refuses here.
const EINVAL: i32 = 22;

/// How a topology is restricted: hwloc's `HWLOC_RESTRICT_FLAG_*`.
///
/// From the start: to processors; NUMA nodes stay, even without processors; what is attached to an object goes
/// with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestrictOptions {
    by_nodeset: bool,
    remove_cpuless: bool,
    remove_memless: bool,
    adapt_io: bool,
    adapt_misc: bool,
}

impl RestrictOptions {
    /// No flag.
    pub const fn new() -> Self {
        Self {
            by_nodeset: false,
            remove_cpuless: false,
            remove_memless: false,
            adapt_io: false,
            adapt_misc: false,
        }
    }

    /// The set is one of NUMA nodes; processors stay, even without any (hwloc: `BYNODESET`).
    pub const fn by_nodeset(mut self) -> Self {
        self.by_nodeset = true;
        self
    }

    /// NUMA nodes without processors go, also those that had none before (`REMOVE_CPULESS`).
    pub const fn remove_cpuless(mut self) -> Self {
        self.remove_cpuless = true;
        self
    }

    /// By nodeset: processors without NUMA nodes go, also those that had none before (`REMOVE_MEMLESS`).
    pub const fn remove_memless(mut self) -> Self {
        self.remove_memless = true;
        self
    }

    /// I/O objects go up to the nearest object that stays, instead of away (`ADAPT_IO`).
    pub const fn adapt_io(mut self) -> Self {
        self.adapt_io = true;
        self
    }

    /// Misc objects go up to the nearest object that stays, instead of away (`ADAPT_MISC`).
    pub const fn adapt_misc(mut self) -> Self {
        self.adapt_misc = true;
        self
    }

    /// Whose set is given, and whose objects may go because of it.
    const fn types(self) -> (Type, Type) {
        if self.by_nodeset { (Type::NumaNode, Type::Pu) } else { (Type::Pu, Type::NumaNode) }
    }

    const fn removes_other(self) -> bool {
        if self.by_nodeset { self.remove_memless } else { self.remove_cpuless }
    }
}

/// Why a topology was not restricted. hwloc says EINVAL, and so does [`errno`](Self::errno).
///
/// Variants are in the order in which they are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestrictError {
    /// An option that the kind of set excludes: to remove nodes without processors needs a cpuset, processors
    /// without nodes a nodeset.
    Options {
        /// The options that were given.
        options: RestrictOptions,
    },
    /// The topology breaks a rule, as one may that was adopted and never checked: see
    /// [`Topo::check`](crate::Topo::check).
    Inconsistent(CheckError),
    /// No processor would remain that is allowed, or none at all. Restrict to others.
    NoPu {
        /// The processors that would be kept.
        kept: CpuSet,
        /// The processors that are allowed.
        allowed: CpuSet,
    },
    /// No NUMA node would remain that is allowed. Restrict to others, or keep nodes without processors.
    NoNumaNode {
        /// The NUMA nodes that would be kept.
        kept: NodeSet,
        /// The NUMA nodes that are allowed.
        allowed: NodeSet,
    },
    /// What remains is more than a builder makes: a consistent topology from elsewhere, with more levels or kinds of
    /// groups than any machine has.
    Build(BuildError),
}

impl RestrictError {
    /// The error number that hwloc sets: EINVAL.
    pub const fn errno(&self) -> i32 {
        EINVAL
    }

    fn nothing_left(ty: Type, kept: Set, allowed: Set) -> Self {
        match ty {
            Type::NumaNode => Self::NoNumaNode { kept, allowed },
            _ => Self::NoPu { kept, allowed },
        }
    }
}

impl fmt::Display for RestrictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options { options } if options.by_nodeset => {
                f.write_str("cannot restrict: nodes without processors are removed by cpuset, not by nodeset")
            }
            Self::Options { .. } => {
                f.write_str("cannot restrict: processors without nodes are removed by nodeset, not by cpuset")
            }
            Self::Inconsistent(_) => f.write_str("cannot restrict: the topology breaks a rule"),
            Self::NoPu { kept, allowed } => {
                write!(f, "cannot restrict: no processor would remain: kept `{kept}`, allowed `{allowed}`")
            }
            Self::NoNumaNode { kept, allowed } => {
                write!(f, "cannot restrict: no NUMA node would remain: kept `{kept}`, allowed `{allowed}`")
            }
            Self::Build(_) => f.write_str("cannot restrict: the rest cannot be built"),
        }
    }
}

impl core::error::Error for RestrictError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Inconsistent(source) => Some(source),
            Self::Build(source) => Some(source),
            _ => None,
        }
    }
}

impl Topology {
    /// This topology without what is outside of `set`: a cpuset, or a nodeset if the options say so.
    ///
    /// Objects go when no processor (node) of theirs stays, the sets of the others lose what went, and levels,
    /// logical indexes, symmetric_subtree and total_memory are those of the rest. Objects keep their gp_index.
    /// Distances, memory attributes, kinds of processors and tiers of memory are cut to what stays. What an object
    /// that stays was near to is forgotten with the object, as in hwloc; there is no way back to a larger set.
    ///
    /// O(n log n), as [`Builder::build`](crate::Builder::build); `self` is not changed. To change a topology that
    /// was adopted: `deserialize` it, restrict it, write it again (`examples/restrict.rs`).
    ///
    /// ```
    /// use graven_topology::{RestrictError, RestrictOptions, Set, Topo, Type, synthetic};
    ///
    /// let machine = synthetic("pack:2 [numa] core:4 pu:2")?;
    /// let package = machine.by_type(Type::Package).last().unwrap();
    /// let half = machine.restrict(&package.cpuset().unwrap(), RestrictOptions::new())?;
    /// assert_eq!(half.root().cpuset().unwrap().to_string(), "8-15");
    /// assert_eq!(half.count(Type::NumaNode), 2);
    /// assert_eq!(half.pu(8).unwrap().gp_index(), machine.pu(8).unwrap().gp_index());
    ///
    /// let without = RestrictOptions::new().remove_cpuless();
    /// assert_eq!(half.restrict(&Set::full(), without)?.count(Type::NumaNode), 1);
    ///
    /// let error = half.restrict(&Set::from(0..8), without).unwrap_err();
    /// assert!(matches!(error, RestrictError::NoPu { .. }));
    /// assert_eq!(error.errno(), 22);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`RestrictError`]; as hwloc refuses with EINVAL: options that exclude each other, and sets that leave no
    /// allowed processor, or no allowed NUMA node.
    ///
    /// Source: hwloc's `hwloc_topology_restrict` in `topology.c`, and the functions it calls.
    pub fn restrict(&self, set: &impl Bits, options: RestrictOptions) -> Result<Self, RestrictError> {
        if if options.by_nodeset { options.remove_cpuless } else { options.remove_memless } {
            return Err(RestrictError::Options { options });
        }
        self.check().map_err(RestrictError::Inconsistent)?;
        let kept = Kept::of(self, set, options)?;
        if !kept.cuts(&self.root()) {
            return Ok(self.clone());
        }
        let stays = kept.objects(self, options);
        rebuild::rebuild(self, &kept, &stays, options).map_err(RestrictError::Build)
    }
}

/// The processors and NUMA nodes that stay in sets.
struct Kept {
    cpus: CpuSet,
    nodes: NodeSet,
}

/// The cpuset or the nodeset of an object, and which ones are allowed.
fn set_for<'a>(object: &ObjectRef<'a, Topology>, ty: Type) -> Option<SetRef<'a, Topology>> {
    if ty == Type::NumaNode { object.nodeset() } else { object.cpuset() }
}

fn allowed(topology: &Topology, ty: Type) -> Set {
    let allowed = if ty == Type::NumaNode { topology.allowed_nodeset() } else { topology.allowed_cpuset() };
    allowed.map_or_else(Set::new, |set| set.to_set())
}

impl Kept {
    fn of(topology: &Topology, set: &impl Bits, options: RestrictOptions) -> Result<Self, RestrictError> {
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
    fn cuts(&self, object: &ObjectRef<'_, Topology>) -> bool {
        object.complete_cpuset().is_some_and(|set| !set.is_included_in(&self.cpus))
            || object.complete_nodeset().is_some_and(|set| !set.is_included_in(&self.nodes))
    }

    /// Which objects with sets stay, by index. A parent's index is smaller than its children's.
    fn objects(&self, topology: &Topology, options: RestrictOptions) -> Vec<bool> {
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

#[cfg(test)]
mod tests {
    //! Refusals that no topology made here can cause.

    use super::*;
    use crate::model::builder::{Attributes, Builder, Node};
    use crate::model::object::Group;

    fn machine() -> Topology {
        let mut builder = Builder::new();
        for number in 0..200 {
            let group = Node::new(Type::Group).attributes(Attributes::Group(Group::of(7, 0)));
            let group = builder.add(Builder::ROOT, group);
            builder.add(group, Node::new(Type::Pu).os_index(2 * number));
            builder.add(group, Node::new(Type::Pu).os_index(2 * number + 1));
        }
        builder.build().unwrap()
    }

    #[test]
    fn a_topology_that_breaks_a_rule_is_refused_with_the_rule() {
        let mut machine = machine();
        machine.objects[5].parent = 6;
        let error = machine.check().unwrap_err();
        let refused = machine.restrict(&Set::full(), RestrictOptions::new()).unwrap_err();
        assert_eq!(refused, RestrictError::Inconsistent(error));
        assert!(core::error::Error::source(&refused).is_some());
    }

    #[test]
    fn a_topology_with_more_kinds_of_groups_than_a_builder_makes_is_refused_with_its_reason() {
        let mut machine = machine();
        machine.attributes.groups = (0..200).map(|subkind| Group::of(7, subkind)).collect();
        for object in 0..200 {
            machine.objects[1 + object].attributes = object as u32;
        }
        machine.check().unwrap();
        let refused = machine.restrict(&Set::from(0..399), RestrictOptions::new()).unwrap_err();
        assert_eq!(refused, RestrictError::Build(BuildError::TooManyKinds { limit: 128 }));
        assert_eq!(refused.errno(), EINVAL);
    }

    #[test]
    fn allowed_processors_that_have_no_object_do_not_hold_a_topology() {
        let mut builder = Builder::new();
        builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
        builder.allow_cpus(Set::from(0..2));
        let machine = builder.build().unwrap();
        let refused = machine.restrict(&Set::only(1), RestrictOptions::new()).unwrap_err();
        assert_eq!(refused, RestrictError::NoPu { kept: Set::only(1), allowed: Set::from(0..2) });
    }
}
