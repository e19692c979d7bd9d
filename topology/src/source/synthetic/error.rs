//! Why a text describes no machine.

use crate::model::debug::debug_as_display;
use crate::model::error::BuildError;
use crate::model::types::Type;

/// Why a text describes no machine. Positions are in bytes, from 0; the word is what stands there.
///
/// Where hwloc prints a warning and goes on (unknown attributes, indexes that do not fit), this is an error too.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// Nothing is described: there must be processing units at least, as `pu:1`.
    #[error("nothing is described: try `pu:1`")]
    Empty,
    /// Not a type of object that may stand here: normal ones and NUMA nodes, in brackets NUMA nodes only.
    #[error("byte {at}: `{word}` is no type that may stand here (try pack, numa, l3, core, pu)")]
    Type {
        /// Where.
        at: usize,
        /// What.
        word: String,
    },
    /// After a type there must be `:` and a number of 1 or more, decimal or from `0x` on hexadecimal.
    #[error("byte {at}: `{word}`: a type is followed by a colon and a number, as in `core:2`")]
    Count {
        /// Where.
        at: usize,
        /// What.
        word: String,
    },
    /// Attributes are `size=` of caches, `memory=` and `memorysidecachesize=` of NUMA nodes, each a number with
    /// or without a unit (`64kB`, `1GiB`), and `indexes=`.
    #[error(
        "byte {at}: `{word}` is no attribute here (caches: size=, NUMA nodes: memory=, memorysidecachesize=, all: indexes=)"
    )]
    Attribute {
        /// Where.
        at: usize,
        /// What.
        word: String,
    },
    /// A bracket that is not closed.
    #[error("byte {at}: `{word}` is not closed")]
    Unclosed {
        /// Where it is opened.
        at: usize,
        /// The bracket.
        word: String,
    },
    /// Several levels of a type of which there may be one; all but groups. NUMA nodes are a level or attached.
    #[error("byte {at}: `{word}`: there is {ty} already")]
    Twice {
        /// Where the second is.
        at: usize,
        /// What.
        word: String,
        /// The type.
        ty: Type,
    },
    /// Either all levels have types, or none has but the last.
    #[error("byte {at}: `{word}`: all levels have a type, or none has but the last")]
    Mixed {
        /// Where the first is that is not as those before.
        at: usize,
        /// What.
        word: String,
    },
    /// The last level must be the processing units, and no other.
    #[error("byte {at}: `{word}`: the last level must be PU, and is {ty}")]
    LastLevel {
        /// Where the last level is.
        at: usize,
        /// What.
        word: String,
        /// Its type.
        ty: Type,
    },
    /// More objects than are made of a text.
    #[error("byte {at}: `{word}` makes {objects} objects, limit {limit}")]
    TooMany {
        /// Where there were too many.
        at: usize,
        /// What.
        word: String,
        /// How many there would be with it.
        objects: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// Indexes that do not number the objects of their level.
    #[error("byte {at}: `{word}`: {rule}")]
    Indexes {
        /// Where.
        at: usize,
        /// What.
        word: String,
        /// What they must be.
        rule: &'static str,
    },
    /// What is described cannot be built: more levels, or kinds of groups, than any machine has.
    #[error("what is described cannot be built")]
    Build(#[source] BuildError),
}

debug_as_display!(SyntheticError);
