//! What can go wrong, one enum per task, with the facts in the fields.

use core::fmt;

use super::types::{ChildKind, Type};

/// Why a description is not a topology.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// No processing unit: hwloc has no such machines either.
    NoPu,
    /// An object below one that may not hold it, as anything below a misc object but another.
    Misplaced {
        /// The object's type.
        child: Type,
        /// Its parent's type.
        parent: Type,
    },
    /// The parent is not one of this builder's objects.
    UnknownParent {
        /// What was given as the parent.
        parent: u32,
        /// The child's type.
        child: Type,
    },
    /// A processing unit or NUMA node without os_index.
    NoOsIndex {
        /// Its type.
        ty: Type,
    },
    /// Two processing units, or two NUMA nodes, with one os_index; or an os_index that is none
    /// (`u32::MAX`).
    OsIndex {
        /// Their type.
        ty: Type,
        /// The number.
        os_index: u32,
    },
    /// Attributes that objects of this type do not have.
    Attributes {
        /// The type.
        ty: Type,
    },
    /// More levels than any machine has: the tree is not one of hardware.
    TooDeep {
        /// How many are allowed.
        limit: u32,
    },
    /// More different types and kinds of groups than any machine has.
    TooManyKinds {
        /// How many are allowed.
        limit: u32,
    },
    /// More objects, or page types, or infos, than indexes of 32 bits can tell apart.
    TooMany {
        /// How many there are.
        count: u64,
    },
    /// A matrix of distances needs two objects or more, each once, and a value for each pair.
    Distances {
        /// How many objects were given.
        objects: u64,
        /// How many values.
        values: u64,
        /// How many of the objects are different ones.
        different: u64,
    },
    /// Distances or memory attributes name an object that is not one of this builder's.
    UnknownObject {
        /// What was given as the object.
        object: u32,
    },
    /// Flags of a memory attribute must say which order is better, nothing unknown, and the same each time.
    MemoryAttributeFlags {
        /// The attribute's name.
        name: String,
        /// The flags.
        flags: u32,
        /// Those it was added with, if it had been.
        expected: Option<u32>,
    },
    /// No memory attribute has this id.
    MemoryAttributeId {
        /// The id.
        id: u32,
    },
    /// A value of an attribute that is computed, or from nowhere although the attribute needs an initiator.
    MemoryValue {
        /// The attribute's name.
        name: String,
    },
    /// The sets or numbers given contradict each other; see the rule that is broken.
    Inconsistent(CheckError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPu => write!(f, "not a topology: there is no PU"),
            Self::Misplaced { child, parent } => write!(f, "not a topology: {child} below {parent}"),
            Self::UnknownParent { parent, child } => {
                write!(f, "not a topology: {child} below object {parent}, which is not in this builder")
            }
            Self::NoOsIndex { ty } => write!(f, "not a topology: {ty} without os_index"),
            Self::OsIndex { ty, os_index } => {
                write!(f, "not a topology: os_index {os_index} of {ty} is taken twice, or no index")
            }
            Self::Attributes { ty } => write!(f, "not a topology: attributes of another type on {ty}"),
            Self::TooDeep { limit } => write!(f, "not a topology: more than {limit} levels"),
            Self::TooManyKinds { limit } => write!(f, "not a topology: more than {limit} kinds of objects"),
            Self::TooMany { count } => write!(f, "topology too large: {count} records in one table"),
            Self::Distances { objects, values, different } => write!(
                f,
                "not a topology: {values} distances between {objects} objects, {different} of them different"
            ),
            Self::UnknownObject { object } => {
                write!(f, "not a topology: object {object}, which is named, is not in this builder")
            }
            Self::MemoryAttributeFlags { name, flags, expected: None } => {
                write!(f, "not a topology: flags {flags:#x} of memory attribute {name:?}")
            }
            Self::MemoryAttributeFlags { name, flags, expected: Some(expected) } => {
                write!(f, "not a topology: flags {flags:#x} of memory attribute {name:?}, had {expected:#x}")
            }
            Self::MemoryAttributeId { id } => write!(f, "not a topology: no memory attribute has id {id}"),
            Self::MemoryValue { name } => {
                write!(
                    f,
                    "not a topology: memory attribute {name:?} cannot have this value, or not from there"
                )
            }
            Self::Inconsistent(_) => write!(f, "not a topology: the description contradicts itself"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Inconsistent(rule) => Some(rule),
            _ => None,
        }
    }
}

/// Which invariant of [`Topology`](crate::Topology) is broken, and by which object.
///
/// Objects are named by their index in the archive. Each variant is one rule; the rules are listed in
/// the order in which [`Topo::check`](crate::Topo::check) applies them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no object.
    Empty,
    /// The first object must be the Machine, and no other may be one.
    Machine {
        /// The object.
        object: u32,
        /// Its type.
        found: Type,
    },
    /// Runs of children must follow each other without gap or overlap, in the order of their parents.
    ChildRun {
        /// The parent.
        object: u32,
        /// Where its children start.
        first: u32,
        /// How many there are.
        len: u64,
        /// Where they have to start.
        expected: u32,
        /// How many objects there are.
        objects: u32,
    },
    /// Every object but the root must be some object's child.
    Orphan {
        /// The object.
        object: u32,
    },
    /// A child must name the parent in whose run it is.
    Parent {
        /// The object.
        object: u32,
        /// What it names.
        found: u32,
        /// Its parent ([`u32::MAX`] for the root).
        expected: u32,
    },
    /// A child must be in the list for its type, and its parent must be of a type that has such a list.
    ChildType {
        /// The child.
        object: u32,
        /// Its type.
        found: Type,
        /// The parent's type.
        parent: Type,
        /// The list it is in.
        kind: ChildKind,
    },
    /// A normal object must be deeper than its parent, a special one at the depth of its type.
    Depth {
        /// The object.
        object: u32,
        /// Its type.
        ty: Type,
        /// Its depth.
        found: i32,
        /// Its parent's depth.
        parent: i32,
    },
    /// Levels must be numbered in order, the special ones last, and follow each other in the table of cousins.
    Level {
        /// The level, as an index.
        level: u32,
        /// Which of its fields.
        field: &'static str,
        /// What it says.
        found: i64,
        /// What it should say.
        expected: i64,
    },
    /// An object must be in the slot that its depth and logical_index name.
    Slot {
        /// The object.
        object: u32,
        /// Its depth.
        depth: i32,
        /// Its logical_index.
        logical_index: u32,
        /// Which object is in that slot, if there is one.
        found: Option<u32>,
    },
    /// An object must have the type of its level.
    LevelType {
        /// The object.
        object: u32,
        /// Its type.
        found: Type,
        /// The level's type.
        expected: Type,
    },
    /// The processing units must be the deepest level, and only that.
    PuLevel {
        /// The level, as an index.
        level: u32,
        /// Its type.
        found: Type,
    },
    /// A level must be sorted from left to right.
    LevelOrder {
        /// The object.
        object: u32,
        /// The one before it in the level, which a walk meets later.
        previous: u32,
    },
    /// No two objects may have one gp_index.
    GpIndex {
        /// One of them.
        object: u32,
        /// The other.
        other: u32,
        /// The number.
        gp_index: u64,
    },
    /// A set in the table must be stored in the documented form.
    SetForm {
        /// The set, as an index.
        set: u32,
        /// What is wrong.
        rule: &'static str,
    },
    /// Normal and memory objects must have all four sets, other objects none.
    SetIndex {
        /// The object ([`u32::MAX`] for the topology's own allowed sets).
        object: u32,
        /// Which of its sets.
        field: &'static str,
        /// What it names.
        found: u32,
        /// How many sets there are.
        sets: u32,
    },
    /// A set must be included in the parent's, and in the object's own complete one.
    SetInclusion {
        /// The object.
        object: u32,
        /// Which of its sets.
        field: &'static str,
        /// The object whose set should include it.
        within: u32,
        /// Which of that object's sets.
        within_field: &'static str,
    },
    /// The cpuset of a memory object must be its parent's.
    MemoryCpuset {
        /// The object.
        object: u32,
        /// Which of its sets.
        field: &'static str,
    },
    /// The complete cpusets of normal siblings must not overlap.
    SiblingOverlap {
        /// The parent.
        object: u32,
        /// A processor that two of its children claim.
        index: u32,
    },
    /// A processing unit's complete_cpuset, and a NUMA node's complete_nodeset, must be its os_index alone.
    OwnIndex {
        /// The object.
        object: u32,
        /// Which of its sets.
        field: &'static str,
        /// Its os_index.
        os_index: Option<u32>,
    },
    /// The tables by os_index must hold the processing units and NUMA nodes, and nothing else.
    OsIndexTable {
        /// Which table.
        table: Type,
        /// The number.
        os_index: u32,
        /// Which object is there, if one is.
        found: Option<u32>,
    },
    /// A reference to attributes or to another side table must be within it.
    Reference {
        /// The object, or the record of `field`'s table.
        object: u32,
        /// Which field.
        field: &'static str,
        /// What it names.
        found: u32,
        /// How many records there are.
        len: u32,
    },
    /// Runs of a table of distances or memory values must follow each other without gap or overlap.
    Run {
        /// The record that has the run; [`u32::MAX`] if records are in no run.
        record: u32,
        /// Which field.
        field: &'static str,
        /// Where the run starts.
        first: u32,
        /// How long it is.
        len: u32,
        /// Where it has to start.
        expected: u32,
        /// How many records the table has.
        table: u32,
    },
    /// What is said beside the tree must make sense.
    Fact {
        /// The record, of the table that the rule is about.
        record: u32,
        /// What must hold.
        rule: &'static str,
    },
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("corrupt topology: ")?;
        match self {
            Self::Empty => write!(f, "no object"),
            Self::Machine { object, found } => {
                write!(f, "object {object} is a {found}; the Machine must be object 0, and only that")
            }
            Self::ChildRun { object, first, len, expected, objects } => write!(
                f,
                "object {object}: {len} children from {first}; they must start at {expected} and end by {objects}"
            ),
            Self::Orphan { object } => write!(f, "object {object} is no object's child"),
            Self::Parent { object, found, expected } => {
                write!(f, "object {object}: parent is {found}, must be {expected}")
            }
            Self::ChildType { object, found, parent, kind } => {
                write!(f, "object {object}: a {found} among the {kind:?} children of a {parent}")
            }
            Self::Depth { object, ty, found, parent } => {
                write!(f, "object {object}: depth {found} of a {ty} whose parent's is {parent}")
            }
            Self::Level { level, field, found, expected } => {
                write!(f, "level {level}: {field} is {found}, must be {expected}")
            }
            Self::Slot { object, depth, logical_index, found } => write!(
                f,
                "object {object}: slot {logical_index} at depth {depth} holds {}",
                found.map_or("nothing".into(), |found| format!("object {found}"))
            ),
            Self::LevelType { object, found, expected } => {
                write!(f, "object {object}: a {found} in a level of {expected}")
            }
            Self::PuLevel { level, found } => {
                write!(f, "level {level} is of {found}; the deepest, and only that, must be of PU")
            }
            Self::LevelOrder { object, previous } => {
                write!(f, "object {object} comes after {previous} in its level, but before it in the tree")
            }
            Self::GpIndex { object, other, gp_index } => {
                write!(f, "objects {object} and {other}: both have gp_index {gp_index}")
            }
            Self::SetForm { set, rule } => write!(f, "set {set}: {rule}"),
            Self::SetIndex { object, field, found, sets } => {
                write!(f, "object {object}: {field} is set {found} of {sets}, absent or where none may be")
            }
            Self::SetInclusion { object, field, within, within_field } => {
                write!(f, "object {object}: {field} is not included in {within_field} of object {within}")
            }
            Self::MemoryCpuset { object, field } => {
                write!(f, "object {object}: {field} of a memory object differs from its parent's")
            }
            Self::SiblingOverlap { object, index } => {
                write!(f, "object {object}: processor {index} is in two of its children")
            }
            Self::OwnIndex { object, field, os_index } => {
                write!(f, "object {object}: {field} is not its os_index alone ({os_index:?})")
            }
            Self::OsIndexTable { table, os_index, found } => {
                write!(f, "table of {table} by os_index: {os_index} leads to {found:?}")
            }
            Self::Reference { object, field, found, len } => {
                write!(f, "record {object}: {field} is {found}, but there are {len}")
            }
            Self::Run { record, field, first, len, expected, table } => write!(
                f,
                "record {record}: {field} has {len} records from {first}; they must start at {expected} of {table}"
            ),
            Self::Fact { record, rule } => write!(f, "record {record}: {rule}"),
        }
    }
}

impl core::error::Error for CheckError {}
