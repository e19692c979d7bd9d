//! What can go wrong, one enum per task, with the facts in the fields.

use super::debug::debug_as_display;
use super::types::{ChildKind, Type};

/// Why a description is not a topology.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No processing unit: hwloc has no such machines either.
    #[error("not a topology: there is no PU")]
    NoPu,
    /// An object below one that may not hold it, as anything below a misc object but another.
    #[error("not a topology: {child} below {parent}")]
    Misplaced {
        /// The object's type.
        child: Type,
        /// Its parent's type.
        parent: Type,
    },
    /// The parent is not one of this builder's objects.
    #[error("not a topology: {child} below object {parent}, which is not in this builder")]
    UnknownParent {
        /// What was given as the parent.
        parent: u32,
        /// The child's type.
        child: Type,
    },
    /// A processing unit or NUMA node without os_index.
    #[error("not a topology: {ty} without os_index")]
    NoOsIndex {
        /// Its type.
        ty: Type,
    },
    /// Two processing units, or two NUMA nodes, with one os_index; or an os_index that is none
    /// (`u32::MAX`).
    #[error("not a topology: os_index {os_index} of {ty} is taken twice, or no index")]
    OsIndex {
        /// Their type.
        ty: Type,
        /// The number.
        os_index: u32,
    },
    /// Attributes that objects of this type do not have.
    #[error("not a topology: attributes of another type on {ty}")]
    Attributes {
        /// The type.
        ty: Type,
    },
    /// More levels than any machine has: the tree is not one of hardware.
    #[error("not a topology: more than {limit} levels")]
    TooDeep {
        /// How many are allowed.
        limit: u32,
    },
    /// More different types and kinds of groups than any machine has.
    #[error("not a topology: more than {limit} kinds of objects")]
    TooManyKinds {
        /// How many are allowed.
        limit: u32,
    },
    /// More objects, or page types, or infos, than indexes of 32 bits can tell apart.
    #[error("topology too large: {count} records in one table")]
    TooMany {
        /// How many there are.
        count: u64,
    },
    /// A matrix of distances needs two objects or more, each once, and a value for each pair.
    #[error("not a topology: {values} distances between {objects} objects, {different} of them different")]
    Distances {
        /// How many objects were given.
        objects: u64,
        /// How many values.
        values: u64,
        /// How many of the objects are different ones.
        different: u64,
    },
    /// Distances or memory attributes name an object that is not one of this builder's.
    #[error("not a topology: object {object}, which is named, is not in this builder")]
    UnknownObject {
        /// What was given as the object.
        object: u32,
    },
    /// Flags of a memory attribute must say which order is better, nothing unknown, and the same each time.
    #[error("not a topology: flags {flags:#x} of memory attribute {name:?}{}", .expected.map_or(String::new(), |expected| format!(", had {expected:#x}")))]
    MemoryAttributeFlags {
        /// The attribute's name.
        name: String,
        /// The flags.
        flags: u32,
        /// Those it was added with, if it had been.
        expected: Option<u32>,
    },
    /// No memory attribute has this id.
    #[error("not a topology: no memory attribute has id {id}")]
    MemoryAttributeId {
        /// The id.
        id: u32,
    },
    /// A value of an attribute that is computed, or from nowhere although the attribute needs an initiator.
    #[error("not a topology: memory attribute {name:?} cannot have this value, or not from there")]
    MemoryValue {
        /// The attribute's name.
        name: String,
    },
    /// The sets or numbers given contradict each other; see the rule that is broken.
    #[error("not a topology: the description contradicts itself")]
    Inconsistent(#[source] CheckError),
}

/// Which invariant of [`Topology`](crate::Topology) is broken, and by which object.
///
/// Objects are named by their index in the archive. Each variant is one rule; the rules are listed in
/// the order in which [`Topo::check`](crate::Topo::check) applies them.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// There is no object.
    #[error("corrupt topology: no object")]
    Empty,
    /// The first object must be the Machine, and no other may be one.
    #[error("corrupt topology: object {object} is a {found}; the Machine must be object 0, and only that")]
    Machine {
        /// The object.
        object: u32,
        /// Its type.
        found: Type,
    },
    /// Runs of children must follow each other without gap or overlap, in the order of their parents.
    #[error(
        "corrupt topology: object {object}: {len} children from {first}; they must start at {expected} and end by {objects}"
    )]
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
    #[error("corrupt topology: object {object} is no object's child")]
    Orphan {
        /// The object.
        object: u32,
    },
    /// A child must name the parent in whose run it is.
    #[error("corrupt topology: object {object}: parent is {found}, must be {expected}")]
    Parent {
        /// The object.
        object: u32,
        /// What it names.
        found: u32,
        /// Its parent ([`u32::MAX`] for the root).
        expected: u32,
    },
    /// A child must be in the list for its type, and its parent must be of a type that has such a list.
    #[error("corrupt topology: object {object}: a {found} among the {kind:?} children of a {parent}")]
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
    #[error("corrupt topology: object {object}: depth {found} of a {ty} whose parent's is {parent}")]
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
    #[error("corrupt topology: level {level}: {field} is {found}, must be {expected}")]
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
    #[error("corrupt topology: object {object}: slot {logical_index} at depth {depth} holds {}", .found.map_or("nothing".into(), |found| format!("object {found}")))]
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
    #[error("corrupt topology: object {object}: a {found} in a level of {expected}")]
    LevelType {
        /// The object.
        object: u32,
        /// Its type.
        found: Type,
        /// The level's type.
        expected: Type,
    },
    /// The processing units must be the deepest level, and only that.
    #[error("corrupt topology: level {level} is of {found}; the deepest, and only that, must be of PU")]
    PuLevel {
        /// The level, as an index.
        level: u32,
        /// Its type.
        found: Type,
    },
    /// A level must be sorted from left to right.
    #[error(
        "corrupt topology: object {object} comes after {previous} in its level, but before it in the tree"
    )]
    LevelOrder {
        /// The object.
        object: u32,
        /// The one before it in the level, which a walk meets later.
        previous: u32,
    },
    /// No two objects may have one gp_index.
    #[error("corrupt topology: objects {object} and {other}: both have gp_index {gp_index}")]
    GpIndex {
        /// One of them.
        object: u32,
        /// The other.
        other: u32,
        /// The number.
        gp_index: u64,
    },
    /// A set in the table must be stored in the documented form.
    #[error("corrupt topology: set {set}: {rule}")]
    SetForm {
        /// The set, as an index.
        set: u32,
        /// What is wrong.
        rule: &'static str,
    },
    /// Normal and memory objects must have all four sets, other objects none.
    #[error(
        "corrupt topology: object {object}: {field} is set {found} of {sets}, absent or where none may be"
    )]
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
    #[error(
        "corrupt topology: object {object}: {field} is not included in {within_field} of object {within}"
    )]
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
    #[error("corrupt topology: object {object}: {field} of a memory object differs from its parent's")]
    MemoryCpuset {
        /// The object.
        object: u32,
        /// Which of its sets.
        field: &'static str,
    },
    /// The complete cpusets of normal siblings must not overlap.
    #[error("corrupt topology: object {object}: processor {index} is in two of its children")]
    SiblingOverlap {
        /// The parent.
        object: u32,
        /// A processor that two of its children claim.
        index: u32,
    },
    /// A processing unit's complete_cpuset, and a NUMA node's complete_nodeset, must be its os_index alone.
    #[error("corrupt topology: object {object}: {field} is not its os_index alone ({os_index:?})")]
    OwnIndex {
        /// The object.
        object: u32,
        /// Which of its sets.
        field: &'static str,
        /// Its os_index.
        os_index: Option<u32>,
    },
    /// The tables by os_index must hold the processing units and NUMA nodes, and nothing else.
    #[error("corrupt topology: table of {table} by os_index: {os_index} leads to {found:?}")]
    OsIndexTable {
        /// Which table.
        table: Type,
        /// The number.
        os_index: u32,
        /// Which object is there, if one is.
        found: Option<u32>,
    },
    /// A reference to attributes or to another side table must be within it.
    #[error("corrupt topology: record {object}: {field} is {found}, but there are {len}")]
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
    #[error(
        "corrupt topology: record {record}: {field} has {len} records from {first}; they must start at {expected} of {table}"
    )]
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
    #[error("corrupt topology: record {record}: {rule}")]
    Fact {
        /// The record, of the table that the rule is about.
        record: u32,
        /// What must hold.
        rule: &'static str,
    },
}

debug_as_display!(BuildError, CheckError);
