//! Distances: how far objects are from each other, as matrices of latencies or bandwidths.
//!
//! The tables: one record per matrix; all objects of all matrices, by index; all values, row by row.

use core::fmt;
use core::ops::Range;

use super::facts::DistanceMatrix;
use super::handle::ObjectRef;
use super::records::Span;
use super::tables::Tables;
use super::types::Type;

/// A matrix of distances, read in place.
pub struct DistancesRef<'a, T> {
    topology: &'a T,
    matrix: DistanceMatrix,
}

impl<T> Clone for DistancesRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DistancesRef<'_, T> {}

impl<'a, T: Tables> DistancesRef<'a, T> {
    pub(crate) fn new(topology: &'a T, index: u32) -> Option<Self> {
        Some(Self { topology, matrix: topology.distance_matrix(index)? })
    }

    /// All of a topology.
    pub(crate) fn all(topology: &'a T) -> impl Iterator<Item = Self> + use<'a, T> {
        (0..topology.distance_matrix_count()).filter_map(move |index| Self::new(topology, index))
    }

    fn slots(&self) -> Range<u32> {
        self.matrix.objects.within(self.topology.distance_object_count())
    }

    /// Its name, such as `NUMALatency`.
    pub fn name(&self) -> Option<&'a str> {
        self.topology.string(self.matrix.name)
    }

    /// What the values are and where they come from: a sum of [`DistanceMatrix`]'s constants.
    pub fn kind(&self) -> u64 {
        self.matrix.kind
    }

    /// Number of objects: rows, and columns.
    pub fn len(&self) -> u32 {
        let slots = self.slots();
        slots.end - slots.start
    }

    /// Whether it has no objects: never in a checked topology.
    pub fn is_empty(&self) -> bool {
        self.slots().is_empty()
    }

    /// The object of row and column `position`. O(1).
    pub fn object(&self, position: u32) -> Option<ObjectRef<'a, T>> {
        let slots = self.slots();
        let slot = slots.start.checked_add(position).filter(|slot| slots.contains(slot))?;
        ObjectRef::get(self.topology, self.topology.distance_object(slot)?)
    }

    /// The objects, in the order of rows.
    pub fn objects(&self) -> impl Iterator<Item = ObjectRef<'a, T>> + use<'a, T> {
        let this = *self;
        (0..self.len()).filter_map(move |position| this.object(position))
    }

    /// The type of its objects; `None` if they are of several. O(n).
    pub fn object_type(&self) -> Option<Type> {
        let first = self.object(0)?.ty();
        self.objects().all(|object| object.ty() == first).then_some(first)
    }

    /// At which row an object is. O(n).
    pub fn position(&self, object: &ObjectRef<'_, T>) -> Option<u32> {
        (0..self.len()).find(|&position| self.object(position).is_some_and(|found| found == *object))
    }

    /// The value from the object of row `from` to that of column `to`. O(1).
    pub fn value(&self, from: u32, to: u32) -> Option<u64> {
        let len = self.len();
        if from >= len || to >= len {
            return None;
        }
        let index = u64::from(self.matrix.first_value) + u64::from(from) * u64::from(len) + u64::from(to);
        self.topology.distance_value(u32::try_from(index).ok()?)
    }

    /// The value from one object to another. O(n).
    pub fn between(&self, from: &ObjectRef<'_, T>, to: &ObjectRef<'_, T>) -> Option<u64> {
        self.value(self.position(from)?, self.position(to)?)
    }

    /// All values, row by row. Whatever the tables say, no more than there are.
    pub fn values(&self) -> impl Iterator<Item = u64> + use<'a, T> {
        let (topology, len) = (self.topology, u64::from(self.len()));
        let len = u32::try_from(len * len).unwrap_or(u32::MAX);
        let run = Span { first: self.matrix.first_value, len }.within(topology.distance_value_count());
        run.filter_map(|index| topology.distance_value(index))
    }
}

impl<T: Tables> fmt::Debug for DistancesRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "distances {:?} between {} objects", self.name(), self.len())
    }
}
