//! Memory attributes: how large, near, fast each memory is, as seen from where.
//!
//! An attribute has targets, usually NUMA nodes. A target has one value, or, where the attribute needs an
//! initiator, a value for each place the memory may be accessed from: a cpuset or an object.
//! Capacity and Locality are not stored: they are read off the node.
//!
//! The answers are hwloc's: a cpuset matches the first stored one that includes it, an object matches itself.
//! Where hwloc returns EINVAL or ENOENT there is no value, and the answer is `None`.

use core::fmt;

use super::facts::{InitiatorEntry, MemoryAttribute, MemoryTarget, MemoryValue};
use super::handle::ObjectRef;
use super::level::LevelRef;
use super::records::Span;
use super::set::{Bits, Set};
use super::set_ref::SetRef;
use super::tables::Tables;
use super::types::Type;

/// From where memory is accessed, in a question.
pub enum Initiator<'a, T> {
    /// From nowhere in particular.
    Any,
    /// From these processors.
    Cpuset(&'a Set),
    /// From this object.
    Object(ObjectRef<'a, T>),
}

impl<T> Clone for Initiator<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Initiator<'_, T> {}

/// From where memory is accessed, in an answer.
pub enum InitiatorRef<'a, T> {
    /// From these processors.
    Cpuset(SetRef<'a, T>),
    /// From this object.
    Object(ObjectRef<'a, T>),
}

impl<T> Clone for InitiatorRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for InitiatorRef<'_, T> {}

impl<T: Tables> fmt::Debug for InitiatorRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpuset(set) => set.fmt(f),
            Self::Object(object) => object.fmt(f),
        }
    }
}

/// A memory attribute, read in place.
pub struct MemoryAttributeRef<'a, T> {
    topology: &'a T,
    id: u32,
    attribute: MemoryAttribute,
}

impl<T> Clone for MemoryAttributeRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MemoryAttributeRef<'_, T> {}

impl<'a, T: Tables> MemoryAttributeRef<'a, T> {
    pub(crate) fn new(topology: &'a T, id: u32) -> Option<Self> {
        Some(Self { topology, id, attribute: topology.memory_attribute_record(id)? })
    }

    /// All of a topology.
    pub(crate) fn all(topology: &'a T) -> impl Iterator<Item = Self> + use<'a, T> {
        (0..topology.memory_attribute_count()).filter_map(move |index| Self::new(topology, index))
    }

    /// Its id, such as [`MemoryAttribute::BANDWIDTH`].
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its name; empty only in an unchecked topology.
    pub fn name(&self) -> &'a str {
        self.topology.string(self.attribute.name).unwrap_or("")
    }

    /// A sum of [`MemoryAttribute`]'s flags.
    pub fn flags(&self) -> u32 {
        self.attribute.flags
    }

    /// Whether the larger value is the better one.
    pub fn higher_first(&self) -> bool {
        self.attribute.flags & MemoryAttribute::HIGHER_FIRST != 0
    }

    /// Whether a value needs to know from where the memory is accessed.
    pub fn needs_initiator(&self) -> bool {
        self.attribute.flags & MemoryAttribute::NEED_INITIATOR != 0
    }

    fn records(&self) -> impl Iterator<Item = MemoryTarget> + use<'a, T> {
        let topology = self.topology;
        let computed = MemoryAttribute::is_computed(self.id);
        let run = if computed { Span::default() } else { self.attribute.targets };
        run.within(topology.memory_target_count()).filter_map(|index| topology.memory_target(index))
    }

    fn record_of(&self, target: &ObjectRef<'_, T>) -> Option<MemoryTarget> {
        self.records().find(|record| record.object == target.index())
    }

    fn values(&self, target: MemoryTarget) -> impl Iterator<Item = MemoryValue> + use<'a, T> {
        let topology = self.topology;
        target.values.within(topology.memory_value_count()).filter_map(|index| topology.memory_value(index))
    }

    /// The value of a target from there: what hwloc's `match_internal_location` would take.
    fn matching(&self, target: MemoryTarget, initiator: Initiator<'_, T>) -> Option<u64> {
        let matches = |value: &MemoryValue| match (initiator, value.from) {
            (Initiator::Cpuset(cpuset), InitiatorEntry::Cpuset { set }) => {
                !cpuset.is_empty()
                    && SetRef::new(self.topology, set).is_some_and(|set| cpuset.is_included_in(&set))
            }
            (Initiator::Object(asked), InitiatorEntry::Object { object }) => asked.index() == object,
            _ => false,
        };
        match self.needs_initiator() {
            true => self.values(target).find(matches).map(|value| value.value),
            false => self.values(target).next().map(|value| value.value),
        }
    }

    fn computed(&self, target: &ObjectRef<'_, T>) -> Option<u64> {
        match self.id {
            MemoryAttribute::CAPACITY if target.ty() == Type::NumaNode => {
                Some(target.local_memory().unwrap_or(0))
            }
            MemoryAttribute::LOCALITY => target.cpuset()?.weight(),
            _ => None,
        }
    }

    /// The value of `target` as seen from `initiator` (hwloc: `hwloc_memattr_get_value`). O(targets).
    ///
    /// `None` if the target has no value, or none from there. Attributes that need no initiator ignore it.
    pub fn value(&self, target: &ObjectRef<'_, T>, initiator: Initiator<'_, T>) -> Option<u64> {
        if MemoryAttribute::is_computed(self.id) {
            return self.computed(target);
        }
        self.matching(self.record_of(target)?, initiator)
    }

    /// The targets with their values as seen from `initiator` (hwloc: `hwloc_memattr_get_targets`).
    ///
    /// With [`Initiator::Any`], all targets of an attribute that needs an initiator, their value unsaid.
    pub fn targets(
        &self,
        initiator: Initiator<'a, T>,
    ) -> impl Iterator<Item = (ObjectRef<'a, T>, Option<u64>)> + use<'a, T> {
        let this = *self;
        let computed = MemoryAttribute::is_computed(self.id);
        let nodes = computed.then(|| LevelRef::objects(self.topology, Type::NumaNode));
        let nodes = nodes.into_iter().flatten().map(move |node| (node, this.computed(&node)));
        let stored = self.records().filter_map(move |record| {
            let target = ObjectRef::get(this.topology, record.object)?;
            match (initiator, this.needs_initiator()) {
                (Initiator::Any, true) => Some((target, None)),
                _ => Some((target, Some(this.matching(record, initiator)?))),
            }
        });
        nodes.chain(stored)
    }

    /// From where `target` has values, and which (hwloc: `hwloc_memattr_get_initiators`).
    ///
    /// Nothing for an attribute that needs no initiator.
    pub fn initiators(
        &self,
        target: &ObjectRef<'_, T>,
    ) -> impl Iterator<Item = (InitiatorRef<'a, T>, u64)> + use<'a, T> {
        let this = *self;
        let record = if self.needs_initiator() { self.record_of(target) } else { None };
        record.into_iter().flat_map(move |record| this.values(record)).filter_map(move |value| {
            let from = match value.from {
                InitiatorEntry::Any => return None,
                InitiatorEntry::Cpuset { set } => InitiatorRef::Cpuset(SetRef::new(this.topology, set)?),
                InitiatorEntry::Object { object } => {
                    InitiatorRef::Object(ObjectRef::get(this.topology, object)?)
                }
            };
            Some((from, value.value))
        })
    }

    fn better(&self, new: u64, old: u64) -> bool {
        if self.higher_first() { new > old } else { new < old }
    }

    /// The target with the best value as seen from `initiator`, the first one among equals
    /// (hwloc: `hwloc_memattr_get_best_target`).
    pub fn best_target(&self, initiator: Initiator<'a, T>) -> Option<(ObjectRef<'a, T>, u64)> {
        let mut best: Option<(ObjectRef<'a, T>, u64)> = None;
        for (target, value) in self.targets(initiator) {
            let Some(value) = value else { continue };
            if best.is_none_or(|(_, old)| self.better(value, old)) {
                best = Some((target, value));
            }
        }
        best
    }

    /// From where `target` has the best value, the first one among equals
    /// (hwloc: `hwloc_memattr_get_best_initiator`).
    pub fn best_initiator(&self, target: &ObjectRef<'_, T>) -> Option<(InitiatorRef<'a, T>, u64)> {
        let mut best: Option<(InitiatorRef<'a, T>, u64)> = None;
        for (from, value) in self.initiators(target) {
            if best.is_none_or(|(_, old)| self.better(value, old)) {
                best = Some((from, value));
            }
        }
        best
    }
}

impl<T: Tables> fmt::Debug for MemoryAttributeRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory attribute {} {:?}", self.id, self.name())
    }
}
