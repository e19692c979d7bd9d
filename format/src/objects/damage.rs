//! What can be wrong with an object's bytes: one wording, for the validator and for values.
//!
//! Source: SPEC 6.2 and 6.3, which say what bytes may be.

use alloc::string::String;

use crate::types::layout::InvariantError;
use crate::types::sound::UnsoundSchema;

/// What is wrong with an object.
///
/// Source: SPEC 6.2 and 6.3, which say what bytes may be.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The schema cannot be followed.
    #[error("{0}")]
    Schema(UnsoundSchema),
    /// The root, or the memory the object is in, is not where its type needs it.
    #[error("root of {size} bytes at {root} of {length} bytes, or memory that is not aligned to {align}")]
    Root {
        /// Where the root would be, from the start of the object.
        root: u64,
        /// Its size.
        size: u64,
        /// The largest alignment of any type in the object.
        align: u64,
        /// Bytes of the object.
        length: u64,
    },
    /// A value is not among the bytes where it may be: those of the object; of a pointer's target those before the pointer,
    /// and for the validator, which remembers them, only those that no other pointer has claimed.
    #[error(fmt = outside)]
    Outside {
        /// Where the value would start; wraps around below 0.
        target: u64,
        /// How many bytes it would have; `u64::MAX` for more.
        size: u64,
        /// Where it may start at the earliest.
        from: u64,
        /// Where it has to end at the latest.
        until: u64,
    },
    /// A value is not at a multiple of its type's alignment.
    #[error("{target} is no multiple of the alignment {align}")]
    Unaligned {
        /// Where the value is.
        target: u64,
        /// The alignment.
        align: u64,
    },
    /// A bool other than 0 and 1.
    #[error("bool is {got}, neither 0 nor 1")]
    Bool {
        /// The byte.
        got: u8,
    },
    /// A char that is no Unicode scalar value.
    #[error("{got:#x} is no Unicode scalar value")]
    Char {
        /// The number.
        got: u32,
    },
    /// A number that is never zero is zero.
    #[error("zero, in a number that is never zero")]
    Zero,
    /// An enum's tag that none of its variants has.
    #[error("no variant has the tag {got}")]
    Tag {
        /// The byte.
        got: u8,
    },
    /// Text that is not UTF-8.
    #[error("text is not UTF-8 after {valid} bytes")]
    NotUtf8 {
        /// Bytes of the text that are.
        valid: u64,
    },
    /// A text out of line that would fit in line.
    #[error("text of {len} bytes is out of line, though it fits in line")]
    ShortText {
        /// Its length.
        len: u64,
    },
    /// A C string without a final zero byte, or with another one.
    #[error("C string has a zero byte inside, or none at its end")]
    CString,
    /// A second or more of nanoseconds.
    #[error("{got} nanoseconds are a second or more")]
    Nanoseconds {
        /// The number.
        got: u32,
    },
    /// A hash table without an unused place.
    #[error("hash table of {capacity} places has {count} entries: at least one place is unused")]
    Capacity {
        /// Its entries.
        count: u64,
        /// Its places.
        capacity: u64,
    },
    /// A control byte of a hash table that no writer writes: neither a used place's nor an unused one's, or a
    /// repetition unlike what it repeats.
    #[error("control byte {index} of the hash table is {got:#04x}, which no writer writes there")]
    Control {
        /// The byte's number in the table.
        index: u64,
        /// The byte.
        got: u8,
    },
    /// More or fewer entries than the map says.
    #[error("map says {count} entries and has at {} {found}", if found > count { "least" } else { "most" })]
    Count {
        /// What the map says.
        count: u64,
        /// Entries found: as far as they were counted, or as many as the object has room for.
        found: u64,
    },
    /// A hash table of indices leads outside the entries.
    #[error("index {index} of {count} entries")]
    Index {
        /// The index.
        index: u64,
        /// The entries there are.
        count: u64,
    },
    /// A B-tree node that is neither leaf nor inner node.
    #[error("B-tree node of kind {got}, neither leaf (0) nor inner (1)")]
    NodeKind {
        /// The byte.
        got: u8,
    },
    /// A B-tree leaf without entries, or with more than a node has room for.
    #[error("B-tree leaf with {count} entries, not 1 to {capacity}")]
    LeafCount {
        /// What the leaf says.
        count: u64,
        /// The room.
        capacity: u64,
    },
    /// A B-tree's inner node has nothing before its first key, which is where reading in order starts.
    #[error("B-tree inner node has no node before its first key")]
    NoFirstNode,
    /// A B-tree has more levels than any number of entries needs. Programs that read it recurse as deep.
    #[error("B-tree has more than {most} levels")]
    Levels {
        /// The most there are.
        most: u64,
    },
    /// A shared pointer leads back into itself.
    #[error("shared pointer to {target} leads back into itself")]
    Cycle {
        /// The target.
        target: u64,
    },
    /// Two shared pointers to the same place disagree on the type or the length there.
    #[error("shared pointers to {target} disagree on its type or its length")]
    Shared {
        /// The place.
        target: u64,
    },
    /// The type's own check refuses the value.
    #[error("{0}")]
    Invariant(InvariantError),
    /// The memory that checking needs is not to be had.
    #[error("no memory for what is to be remembered while checking")]
    OutOfMemory,
    /// Lookups in a map do not find all that is in it.
    #[error("map is out of order: {what}")]
    Disorder {
        /// What is out of order.
        what: String,
    },
}

crate::debug_as_display!(Damage);

fn outside(
    target: &u64,
    size: &u64,
    from: &u64,
    until: &u64,
    f: &mut core::fmt::Formatter<'_>,
) -> core::fmt::Result {
    match *size {
        u64::MAX => f.write_str("more bytes than there can be at ")?,
        size => write!(f, "{size} bytes at ")?,
    }
    write!(f, "{}, where only {from} to {until} is free", *target as i64)
}
