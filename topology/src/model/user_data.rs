//! What a process has to say of the objects of a topology that it may not write to.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::handle::ObjectRef;
use super::read::Topo;

/// Values of this process's own, by object: hwloc's `userdata`, beside the topology instead of in it.
///
/// Nothing is written to a topology, so any number of processes keep their own values for one that they share.
/// Objects are told apart by [`gp_index`](ObjectRef::gp_index) alone: a value is found through any handle on
/// the object, of the owned topology, an archived one, or one that was [restricted](crate::Topology::restrict).
/// Between topologies that do not come from each other the numbers mean nothing: use a table for each.
///
/// ```
/// use graven_topology::{RestrictOptions, Topo, Type, UserData, synthetic};
///
/// let machine = synthetic("pack:2 core:2 pu:1")?;
/// let mut names = UserData::new();
/// for core in machine.by_type(Type::Core) {
///     names.insert(&core, format!("worker {}", core.logical_index()));
/// }
/// let package = machine.by_type(Type::Package).last().unwrap();
/// let half = machine.restrict(&package.cpuset().unwrap(), RestrictOptions::new())?;
///
/// // What was said of a core is said of it there, though it is another number now.
/// let core = half.by_type(Type::Core).next().unwrap();
/// assert_eq!((core.logical_index(), names.get(&core).unwrap().as_str()), (0, "worker 2"));
/// names.retain_objects(&half);
/// assert_eq!(names.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// All O(log n) unless stated.
#[derive(Clone, PartialEq, Eq)]
pub struct UserData<T> {
    values: BTreeMap<u64, T>,
}

impl<T> Default for UserData<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for UserData<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.values).finish()
    }
}

impl<T> UserData<T> {
    /// No values.
    pub const fn new() -> Self {
        Self { values: BTreeMap::new() }
    }

    /// Sets the value of an object; returns the one it had.
    pub fn insert<U: Topo>(&mut self, object: &ObjectRef<'_, U>, value: T) -> Option<T> {
        self.values.insert(object.gp_index(), value)
    }

    /// The value of an object.
    pub fn get<U: Topo>(&self, object: &ObjectRef<'_, U>) -> Option<&T> {
        self.values.get(&object.gp_index())
    }

    /// The value of an object, to change it.
    pub fn get_mut<U: Topo>(&mut self, object: &ObjectRef<'_, U>) -> Option<&mut T> {
        self.values.get_mut(&object.gp_index())
    }

    /// Takes the value of an object out.
    pub fn remove<U: Topo>(&mut self, object: &ObjectRef<'_, U>) -> Option<T> {
        self.values.remove(&object.gp_index())
    }

    /// The objects of `topology` that have a value, with it, in the archive's order. O(n log n) for all.
    pub fn iter<'a, U: Topo>(&'a self, topology: &'a U) -> impl Iterator<Item = (ObjectRef<'a, U>, &'a T)> {
        topology.objects().filter_map(|object| Some((object, self.get(&object)?)))
    }

    /// All values by the objects' gp_index, ascending: also those whose object is gone.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (u64, &T)> {
        self.values.iter().map(|(gp_index, value)| (*gp_index, value))
    }

    /// Drops the values of objects that `topology` does not have. O(n log n).
    pub fn retain_objects<U: Topo>(&mut self, topology: &U) {
        let there: BTreeSet<u64> = topology.objects().map(|object| object.gp_index()).collect();
        self.values.retain(|gp_index, _| there.contains(gp_index));
    }

    /// How many values there are. O(1).
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none. O(1).
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Drops all values.
    pub fn clear(&mut self) {
        self.values.clear();
    }
}
