//! Levels: all objects of one depth.

use core::ops::Range;

use super::handle::ObjectRef;
use super::records::{Level, SPECIAL};
use super::tables::Tables;
use super::types::Type;

/// One level of a topology: all objects of one depth, which are of one type.
pub struct LevelRef<'a, T> {
    topology: &'a T,
    level: Level,
}

impl<T> Clone for LevelRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for LevelRef<'_, T> {}

impl<'a, T: Tables> LevelRef<'a, T> {
    /// The level at `depth`. O(1).
    pub(crate) fn at(topology: &'a T, depth: i32) -> Option<Self> {
        let normal = depths(topology);
        let index = match u32::try_from(depth) {
            Ok(depth) if depth < normal => depth,
            Ok(_) => return None,
            Err(_) => {
                let special = u32::try_from((-3i32).checked_sub(depth)?).ok()?;
                normal.checked_add(special)?
            }
        };
        let level = topology.level_record(index)?;
        (level.depth == depth).then_some(Self { topology, level })
    }

    /// All levels of a topology.
    pub(crate) fn all(topology: &'a T) -> impl Iterator<Item = Self> + use<'a, T> {
        (0..topology.level_count())
            .filter_map(|index| topology.level_record(index))
            .map(move |level| Self { topology, level })
    }

    /// All objects of type `ty`, level by level.
    pub(crate) fn objects(topology: &'a T, ty: Type) -> impl Iterator<Item = ObjectRef<'a, T>> + use<'a, T> {
        Self::all(topology).filter(move |level| level.ty() == ty).flat_map(|level| level.iter())
    }

    /// The depth; negative for special levels.
    pub fn depth(&self) -> i32 {
        self.level.depth
    }

    /// The type of the level's objects.
    pub fn ty(&self) -> Type {
        self.level.ty
    }

    fn slots(&self) -> Range<u32> {
        self.level.members.within(self.topology.cousin_count())
    }

    /// Number of objects.
    pub fn len(&self) -> u32 {
        let slots = self.slots();
        slots.end - slots.start
    }

    /// Whether the level has no objects, as special levels may.
    pub fn is_empty(&self) -> bool {
        self.slots().is_empty()
    }

    /// The object with this logical_index. O(1).
    pub fn get(&self, logical_index: u32) -> Option<ObjectRef<'a, T>> {
        let slots = self.slots();
        let slot = slots.start.checked_add(logical_index).filter(|slot| slots.contains(slot))?;
        ObjectRef::get(self.topology, self.topology.cousin(slot)?)
    }

    /// The objects from left to right: the cousins.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = ObjectRef<'a, T>> + use<'a, T> {
        let topology = self.topology;
        self.slots().filter_map(move |slot| ObjectRef::get(topology, topology.cousin(slot)?))
    }
}

/// Its neighbours in its level.
impl<T: Tables> ObjectRef<'_, T> {
    /// The object to its right in its level. O(1).
    pub fn next_cousin(&self) -> Option<Self> {
        self.cousin(self.logical_index().checked_add(1)?)
    }

    /// The object to its left in its level. O(1).
    pub fn previous_cousin(&self) -> Option<Self> {
        self.cousin(self.logical_index().checked_sub(1)?)
    }

    /// The cousin at `logical_index`, if it says so itself: so steps in one direction come to an end.
    fn cousin(&self, logical_index: u32) -> Option<Self> {
        let depth = self.depth();
        let cousin = LevelRef::at(self.topology(), depth)?.get(logical_index)?;
        (cousin.logical_index() == logical_index && cousin.depth() == depth).then_some(cousin)
    }
}

/// Number of normal levels.
#[inline]
pub(crate) fn depths<T: Tables>(topology: &T) -> u32 {
    topology.normal_depth().min(topology.level_count())
}

/// Depths of the special levels are numbered in the order of [`SPECIAL`], from -3 downward.
const _: () = {
    let mut index = 0;
    while index < SPECIAL.len() {
        assert!(matches!(SPECIAL[index].special_depth(), Some(depth) if depth == -3 - index as i32));
        index += 1;
    }
};
