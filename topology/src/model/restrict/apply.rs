//! The order of things.

use crate::model::read::Topo;
use crate::model::set::Bits;
use crate::model::tables::Topology;

use super::kept::Kept;
use super::options::{RestrictError, RestrictOptions};
use super::rebuild;

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
    /// use graven_topology::error::RestrictError;
    /// use graven_topology::{RestrictOptions, Set, Topo, Type, synthetic};
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

#[cfg(test)]
mod tests {
    //! Refusals that no topology made here can cause.

    use crate::model::error::BuildError;
    use crate::model::set::Set;
    use crate::model::types::Type;

    use super::super::options::EINVAL;
    use super::*;
    use crate::model::attributes::Group;
    use crate::model::builder::{Attributes, Builder, Node};

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
