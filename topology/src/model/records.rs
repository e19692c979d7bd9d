//! What is stored of objects, levels and sets: records of one size, which refer to each other by index.

use super::types::Type;

/// "No object", "no set", "unknown os_index": the index that stands for nothing.
pub(crate) const NONE: u32 = u32::MAX;

/// One object, as it is stored: 80 bytes, whatever its type.
///
/// Children are index ranges: the four lists follow each other from `first_child` on, in the order of
/// [`ChildKind::ALL`], each `arity` long. What few objects have (a name, infos) is in side tables.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// A number that no other object of the topology has, and that a changed copy of the topology keeps.
    pub gp_index: u64,
    /// Bytes of memory in NUMA nodes at or below this object.
    pub total_memory: u64,
    /// 0 for the root, larger further down; a fixed negative number outside the main tree.
    pub depth: i32,
    /// The operating system's number; [`NONE`] if unknown.
    pub os_index: u32,
    /// The parent's index; [`NONE`] for the root. Always smaller than the object's own.
    pub parent: u32,
    /// The position in the object's level.
    pub logical_index: u32,
    /// The index of the first child of any kind.
    pub first_child: u32,
    /// How many children of each kind.
    pub arity: Arity,
    /// Index of the cpuset in the table of sets; [`NONE`] for I/O and misc objects. So for the next three.
    pub cpuset: u32,
    /// Processors that are or might come online here.
    pub complete_cpuset: u32,
    /// NUMA nodes that are near this object.
    pub nodeset: u32,
    /// NUMA nodes that are or might come online here.
    pub complete_nodeset: u32,
    /// Index of the attributes in the table for the type; [`NONE`] if there are none.
    pub attributes: u32,
    /// Index of name, subtype and infos in the table of extras; [`NONE`] if there are none.
    pub extra: u32,
    /// The type.
    pub ty: Type,
    /// Whether all normal children are equal below, level by level.
    pub symmetric_subtree: bool,
}

/// How many children an object has in each of the four lists.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity {
    /// Normal children.
    pub normal: u32,
    /// Memory children.
    pub memory: u32,
    /// I/O children.
    pub io: u32,
    /// Misc children.
    pub misc: u32,
}

impl Arity {
    /// The four numbers, in the order of [`ChildKind::ALL`].
    #[inline]
    pub const fn all(self) -> [u32; 4] {
        [self.normal, self.memory, self.io, self.misc]
    }
}

impl Object {
    /// What a handle reads where the table has no such record: a machine without anything.
    pub(crate) const VACANT: Self = Self {
        gp_index: 0,
        total_memory: 0,
        depth: 0,
        os_index: NONE,
        parent: NONE,
        logical_index: 0,
        first_child: NONE,
        arity: Arity { normal: 0, memory: 0, io: 0, misc: 0 },
        cpuset: NONE,
        complete_cpuset: NONE,
        nodeset: NONE,
        complete_nodeset: NONE,
        attributes: NONE,
        extra: NONE,
        ty: Type::Machine,
        symmetric_subtree: false,
    };
}

/// A run in another table: `len` records from `first` on.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Index of the first record.
    pub first: u32,
    /// Number of records.
    pub len: u32,
}

impl Span {
    /// The indexes in the span that are below `count`: whatever it holds, never more than `count` of them.
    pub(crate) fn within(self, count: u32) -> core::ops::Range<u32> {
        let first = self.first.min(count);
        first..first.saturating_add(self.len).min(count)
    }

    /// Whether all of the span is below `count`.
    pub(crate) fn fits(self, count: u32) -> bool {
        u64::from(self.first) + u64::from(self.len) <= u64::from(count)
    }
}

/// What few objects have: texts, by their index in the table of strings ([`NONE`] if absent).
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extra {
    /// The name.
    pub name: u32,
    /// The subtype.
    pub subtype: u32,
    /// The infos: a run in the table of infos.
    pub infos: Span,
}

/// One name and value, by their indexes in the table of strings.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// The name.
    pub name: u32,
    /// The value.
    pub value: u32,
}

/// All objects of one depth, from left to right: a run in the table of cousins.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The depth; negative for the special levels.
    pub depth: i32,
    /// The type that all objects of the level have.
    pub ty: Type,
    /// Where the level is in the table of cousins.
    pub members: Span,
}

/// The special levels in the order in which they follow the normal ones.
pub(crate) const SPECIAL: [Type; 6] =
    [Type::NumaNode, Type::Bridge, Type::PciDevice, Type::OsDevice, Type::Misc, Type::MemCache];

/// An os_index beyond the dense part of its table.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OsIndexEntry {
    /// The operating system's number.
    pub os_index: u32,
    /// The object that has it.
    pub object: u32,
}

/// One set of the table, in the smallest form it has.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetEntry {
    /// One run, or none if `start == end == 0`.
    Run {
        /// The first index.
        start: u32,
        /// The index after the last one; [`END`](crate::END) if there is no last one.
        end: u32,
    },
    /// Several runs: `len` records of the table of runs.
    Runs {
        /// Index of the first one.
        first: u32,
        /// How many.
        len: u32,
    },
    /// Words of 64 indexes each: `len` records of the table of words.
    Words {
        /// Index of the first one.
        first: u32,
        /// How many.
        len: u32,
        /// What the first bit of the first word stands for, divided by 64.
        base: u32,
    },
}

/// The indexes from `start` to before `end`.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetRun {
    /// The first index.
    pub start: u32,
    /// The index after the last one; [`END`](crate::END) if there is no last one.
    pub end: u32,
}
