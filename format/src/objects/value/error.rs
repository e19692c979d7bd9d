//! Why a value cannot be read: where, of what type, and what is wrong there.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::kind::Kind;
use crate::UnsoundSchema;

pub(super) type Result<T, E = ValueError> = core::result::Result<T, E>;

/// Why a [`Value`](super::Value) did not give what it was asked for.
///
/// Prints as `PATH: offset N (TYPE): CAUSE`, the path as far as known.
#[derive(Clone, PartialEq, Eq)]
pub struct ValueError(pub(super) Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) offset: u64,
    pub(super) type_name: String,
    pub(super) path: String,
    pub(super) cause: ValueCause,
}

impl ValueError {
    /// Where the value is, from the start of the object.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The name of the value's type, as its table has it.
    pub fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// The way to the value, where the operation found its own: [`path`](super::Value::path) and serializing. Empty
    /// otherwise, and for the value that was asked itself.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong, with the facts.
    pub fn cause(&self) -> &ValueCause {
        &self.0.cause
    }

    /// Whether the object's bytes or its schema are wrong: not what was asked of them, and no limit.
    pub fn is_damage(&self) -> bool {
        use ValueCause::*;
        !matches!(
            self.0.cause,
            Kind { .. }
                | NoField { .. }
                | NoIndex { .. }
                | Range
                | KeyType
                | NotFound
                | IsNone
                | Path { .. }
                | EmptyElements { .. }
                | TooDeep { .. }
                | TooMany { .. }
                | TooLong { .. }
        )
    }

    /// The same error of a value that was found at the end of `path`.
    pub(super) fn at_path(mut self, path: impl FnOnce() -> String) -> ValueError {
        if self.0.path.is_empty() {
            self.0.path = path();
        }
        self
    }
}

/// What is wrong with a value, or with what was asked of it.
///
/// Source: SPEC 6.2 and 6.3, which say what bytes may be.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueCause {
    /// The schema cannot be followed.
    Schema(UnsoundSchema),
    /// Bytes outside the object.
    OutOfBounds {
        /// How many bytes it would be; `u64::MAX` for more.
        size: u64,
        /// Bytes of the object.
        length: u64,
    },
    /// Not at a multiple of its type's alignment.
    Unaligned {
        /// The alignment.
        align: u64,
    },
    /// What a pointer leads to does not end before the pointer.
    NotBelow {
        /// Where the pointer is.
        pointer: u64,
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
    NotUtf8 {
        /// Bytes of the text that are.
        valid: u64,
    },
    /// A C string without a final zero byte, or with another one.
    CString,
    /// A second or more of nanoseconds.
    Nanoseconds {
        /// The number.
        got: u32,
    },
    /// More entries than the bytes there are could hold, or fewer or more than the map says.
    Count {
        /// What the map says.
        count: u64,
    },
    /// A hash table without an unused place.
    Capacity {
        /// Its entries.
        count: u64,
        /// Its places.
        capacity: u64,
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
    /// A B-tree leaf with no entries, or more than it has room for.
    LeafCount {
        /// The entries it says.
        count: u64,
        /// Those it has room for.
        capacity: u64,
    },
    /// Asked for what this kind of value does not have.
    Kind {
        /// What was asked for.
        expected: &'static str,
        /// What the value is.
        got: Kind,
    },
    /// No field of that name in the struct, or in the variant there is.
    NoField {
        /// The name.
        name: String,
    },
    /// No element of that number.
    NoIndex {
        /// The number.
        index: u64,
        /// The elements there are.
        len: u64,
    },
    /// The number does not fit what it was asked as.
    Range,
    /// The map's keys are of a kind that cannot be looked up like this: iterate.
    KeyType,
    /// The map has no such key.
    NotFound,
    /// Nothing there: none, or a weak pointer to what is gone.
    IsNone,
    /// A path that cannot be read.
    Path {
        /// Where in its text.
        at: usize,
    },
    /// Elements without bytes, too many to visit one by one.
    EmptyElements {
        /// The elements there are.
        len: u64,
        /// The most that are visited.
        limit: u64,
    },
    /// Values inside each other, deeper than the limit.
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// More values than the limit.
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// More bytes of text than the limit.
    TooLong {
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { offset, type_name, path, cause } = &*self.0;
        if !path.is_empty() {
            write!(f, "{}: ", path.escape_debug())?;
        }
        write!(f, "offset {offset} ({}): {cause}", type_name.escape_debug())
    }
}

impl fmt::Display for ValueCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema(error) => error.fmt(f),
            Self::OutOfBounds { size: u64::MAX, length } => {
                write!(f, "lies outside the object's {length} bytes")
            }
            Self::OutOfBounds { size, length } => {
                write!(f, "{size} bytes lie outside the object's {length}")
            }
            Self::Unaligned { align } => write!(f, "not aligned to {align}"),
            Self::NotBelow { pointer } => write!(f, "does not end before the pointer to it, at {pointer}"),
            Self::Bool { got } => write!(f, "bool is {got}"),
            Self::Char { got } => write!(f, "char is {got:#x}"),
            Self::Zero => write!(f, "number that is never zero is zero"),
            Self::Tag { got } => write!(f, "no variant has the tag {got}"),
            Self::NotUtf8 { valid } => write!(f, "text is not UTF-8 after {valid} bytes"),
            Self::CString => write!(f, "C string does not end with its only zero byte"),
            Self::Nanoseconds { got } => write!(f, "duration has {got} nanoseconds"),
            Self::Count { count } => write!(f, "map does not have the {count} entries it says"),
            Self::Capacity { count, capacity } => {
                write!(f, "hash table has {count} entries in {capacity} places")
            }
            Self::Index { index, count } => write!(f, "index {index} leads outside {count} entries"),
            Self::NodeKind { got } => write!(f, "B-tree node of kind {got}"),
            Self::LeafCount { count, capacity } => {
                write!(f, "B-tree leaf has {count} entries, room for {capacity}")
            }
            Self::Kind { expected, got } => write!(f, "asked for {expected} of a value of kind {got:?}"),
            Self::NoField { name } => write!(f, "has no field {name:?}"),
            Self::NoIndex { index, len } => write!(f, "has no element {index}, only {len}"),
            Self::Range => write!(f, "the number does not fit what it was asked as"),
            Self::KeyType => write!(f, "keys of this kind cannot be looked up like this; iterate"),
            Self::NotFound => write!(f, "has no such key"),
            Self::IsNone => write!(f, "there is nothing"),
            Self::Path { at } => write!(f, "the path cannot be read from its byte {at} on"),
            Self::EmptyElements { len, limit } => {
                write!(f, "{len} elements without bytes are not visited one by one beyond {limit}")
            }
            Self::TooDeep { limit } => write!(f, "values inside each other deeper than {limit}"),
            Self::TooMany { limit } => write!(f, "more than {limit} values"),
            Self::TooLong { limit } => write!(f, "more than {limit} bytes of text"),
        }
    }
}

crate::debug_as_display!(ValueError, ValueCause);
impl core::error::Error for ValueError {}
