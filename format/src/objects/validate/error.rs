//! Why an object's bytes are not a value of its type: where, and what is wrong there.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::types::layout::InvariantError;

/// Why a [`Validator`](super::Validator) refuses an object.
///
/// Prints as `PATH: offset N: CAUSE`. Of a path with many steps the first ones are named.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectError(pub(super) Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) offset: u64,
    pub(super) path: String,
    pub(super) cause: ObjectCause,
}

impl ObjectError {
    /// Where the bytes are that are wrong, from the start of the object.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The way to the value from the root, as far as it is named: `users[3].name`. Entries of hash maps and index
    /// maps have the number of their place: `routes{5}.value`; those of B-trees none: `names.key`. Empty for the root itself.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong, with the facts.
    pub fn cause(&self) -> &ObjectCause {
        &self.0.cause
    }
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { offset, path, cause } = &*self.0;
        if !path.is_empty() {
            write!(f, "{}: ", path.escape_debug())?;
        }
        write!(f, "offset {offset}: {cause}")
    }
}

crate::debug_as_display!(ObjectError, ObjectCause);
impl core::error::Error for ObjectError {}

/// What is wrong with an object's bytes.
///
/// Source: SPEC 6.2 and 6.3, which say what bytes may be.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectCause {
    /// The root, or the memory the object is in, is not where its type needs it.
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
    /// A pointer leads out of the bytes that it may lead into: those before it that no other pointer has claimed.
    Outside {
        /// Where the target would start; wraps around below 0.
        target: u64,
        /// How many bytes it would have; `u64::MAX` for more.
        size: u64,
        /// Where unclaimed bytes start.
        from: u64,
        /// Where they end.
        until: u64,
    },
    /// A pointer's target is not at a multiple of its type's alignment.
    Unaligned {
        /// Where the target is.
        target: u64,
        /// The alignment.
        align: u64,
    },
    /// A bool other than 0 and 1.
    Bool {
        /// The byte.
        got: u8,
    },
    /// A char that is no Unicode scalar value.
    Char {
        /// The number.
        got: u32,
    },
    /// A number that is never zero is zero.
    Zero,
    /// An enum's tag that none of its variants has.
    Tag {
        /// The byte.
        got: u8,
    },
    /// Text that is not UTF-8.
    NotUtf8,
    /// A text out of line that would fit in line.
    ShortText {
        /// Its length.
        len: u64,
    },
    /// A C string without a final zero byte, or with another one.
    CString,
    /// A second or more of nanoseconds.
    Nanoseconds {
        /// The number.
        got: u32,
    },
    /// A hash table without an unused place.
    Capacity {
        /// Its entries.
        count: u64,
        /// Its places.
        capacity: u64,
    },
    /// A control byte of a hash table that no writer writes: neither a used place's nor an unused one's, or a
    /// repetition unlike what it repeats.
    Control {
        /// The byte's number in the table.
        index: u64,
        /// The byte.
        got: u8,
    },
    /// More or fewer entries than the map says.
    Count {
        /// What the map says.
        count: u64,
        /// Entries found, as far as they were counted.
        found: u64,
    },
    /// A hash table of indices leads outside the entries.
    Index {
        /// The index.
        index: u64,
        /// The entries there are.
        count: u64,
    },
    /// A B-tree node that is neither leaf nor inner node.
    NodeKind {
        /// The byte.
        got: u8,
    },
    /// A B-tree leaf without entries, or with more than a node has room for.
    LeafCount {
        /// What the leaf says.
        count: u64,
        /// The room.
        capacity: u64,
    },
    /// A B-tree's inner node has nothing before its first key, which is where reading in order starts.
    NoFirstNode,
    /// A B-tree has more levels than any number of entries needs. Programs that read it recurse as deep.
    Levels {
        /// The most there are.
        most: u64,
    },
    /// A shared pointer leads back into itself.
    Cycle {
        /// The target.
        target: u64,
    },
    /// Two shared pointers to the same place disagree on the type or the length there.
    Shared {
        /// The place.
        target: u64,
    },
    /// The type's own check refuses the value.
    Invariant(InvariantError),
    /// The memory that checking needs is not to be had.
    OutOfMemory,
    /// Lookups in a map do not find all that is in it.
    Disorder {
        /// What is out of order.
        what: String,
    },
}

impl fmt::Display for ObjectCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root { root, size, align, length } => write!(
                f,
                "root of {size} bytes at {root} of {length} bytes, or memory that is not aligned to {align}"
            ),
            Self::Outside { target, size, from, until } => write!(
                f,
                "pointer to {} for {size} bytes, where only {from} to {until} is free",
                *target as i64
            ),
            Self::Unaligned { target, align } => {
                write!(f, "pointer to {target}, no multiple of the alignment {align}")
            }
            Self::Bool { got } => write!(f, "bool is {got}, neither 0 nor 1"),
            Self::Char { got } => write!(f, "{got:#x} is no Unicode scalar value"),
            Self::Zero => f.write_str("zero, in a number that is never zero"),
            Self::Tag { got } => write!(f, "no variant has the tag {got}"),
            Self::NotUtf8 => f.write_str("text is not UTF-8"),
            Self::ShortText { len } => {
                write!(f, "text of {len} bytes is out of line, though it fits in line")
            }
            Self::CString => f.write_str("C string has a zero byte inside, or none at its end"),
            Self::Nanoseconds { got } => write!(f, "{got} nanoseconds are a second or more"),
            Self::Capacity { count, capacity } => {
                write!(f, "hash table of {capacity} places has {count} entries: at least one place is unused")
            }
            Self::Control { index, got } => {
                write!(
                    f,
                    "control byte {index} of the hash table is {got:#04x}, which no writer writes there"
                )
            }
            Self::Count { count, found } => write!(f, "map says {count} entries and has {found}"),
            Self::Index { index, count } => write!(f, "index {index} of {count} entries"),
            Self::NodeKind { got } => write!(f, "B-tree node of kind {got}, neither leaf (0) nor inner (1)"),
            Self::LeafCount { count, capacity } => {
                write!(f, "B-tree leaf with {count} entries, not 1 to {capacity}")
            }
            Self::NoFirstNode => f.write_str("B-tree inner node has no node before its first key"),
            Self::Levels { most } => write!(f, "B-tree has more than {most} levels"),
            Self::Cycle { target } => write!(f, "shared pointer to {target} leads back into itself"),
            Self::Shared { target } => {
                write!(f, "shared pointers to {target} disagree on its type or its length")
            }
            Self::Invariant(error) => write!(f, "{error}"),
            Self::Disorder { what } => write!(f, "map is out of order: {what}"),
            Self::OutOfMemory => f.write_str("no memory for what is to be remembered while checking"),
        }
    }
}
