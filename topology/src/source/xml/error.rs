//! Why a text is no topology.

use core::fmt;
use std::io;

use crate::model::debug::debug_as_display;
use crate::model::error::BuildError;
use crate::model::types::Type;

/// Where in the text something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: u64,
    /// The column in it, from 1, in bytes.
    pub column: u64,
    /// The innermost element that is open there; empty outside of all.
    pub element: String,
}

impl fmt::Display for LineColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        match self.element.as_str() {
            "" => Ok(()),
            element => write!(f, " in <{element}>"),
        }
    }
}

/// Why a text is no topology, and where.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// The file could not be read.
    #[error("cannot read the topology")]
    Io {
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not UTF-8: hwloc writes nothing else.
    #[error("not UTF-8 from byte {offset} on")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        offset: u64,
    },
    /// Not XML, as a tag that ends nothing. Was the file edited by hand?
    #[error("{at}: not well-formed XML: {message}")]
    Syntax {
        /// Where.
        at: LineColumn,
        /// What the XML parser says.
        message: String,
    },
    /// The text ends inside of an element: the file was cut off.
    #[error("{at}: the text ends here, cut off")]
    Truncated {
        /// Where.
        at: LineColumn,
    },
    /// A document type with definitions of its own: take the part between `[` and `]` out. No entity is expanded.
    #[error("{at}: a document type with definitions is not read; take what is in [] out")]
    Dtd {
        /// Where.
        at: LineColumn,
    },
    /// A reference to an entity other than the five that XML has.
    #[error("{at}: entity not known: {name}")]
    Entity {
        /// Where.
        at: LineColumn,
        /// The entity, or what is wrong with it.
        name: String,
    },
    /// More of something than any machine has, elements in each other too: see [`crate::xml`].
    #[error("{at}: more than {limit} {what}")]
    TooMany {
        /// Where.
        at: LineColumn,
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// The outermost element is no `<topology>`: not one of hwloc's topologies.
    #[error("{at}: <{found}> is no <topology>")]
    NotTopology {
        /// Where.
        at: LineColumn,
        /// What it is.
        found: String,
    },
    /// A format that is not known: 1.x, 2.x and 3.0 are. Export the file again with an older hwloc.
    #[error("{at}: version={found:?} is unknown: 1.x, 2.x and 3.0 are read; export it for one of them")]
    Version {
        /// Where.
        at: LineColumn,
        /// The version.
        found: String,
    },
    /// An element where it has no meaning.
    #[error("{at}: <{found}> has no meaning here")]
    UnexpectedElement {
        /// Where.
        at: LineColumn,
        /// The element.
        found: String,
    },
    /// The topology has no object.
    #[error("{at}: the topology has no <object>")]
    NoObject {
        /// Where.
        at: LineColumn,
    },
    /// An attribute that must be there is not.
    #[error("{at}: attribute {attribute} is missing")]
    MissingAttribute {
        /// Where.
        at: LineColumn,
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute twice on one element.
    #[error("{at}: attribute {attribute} is there twice")]
    DuplicateAttribute {
        /// Where.
        at: LineColumn,
        /// The attribute.
        attribute: String,
    },
    /// A value that is none for its attribute, such as a number out of range.
    #[error("{at}: {attribute}={value:?} is not {expected}")]
    Value {
        /// Where.
        at: LineColumn,
        /// The attribute.
        attribute: String,
        /// The value; the start of it if it is long.
        value: String,
        /// What would be one.
        expected: &'static str,
    },
    /// An object below one that cannot have it.
    #[error("{at}: a {child} cannot be below a {parent}")]
    Misplaced {
        /// Where.
        at: LineColumn,
        /// The object's type.
        child: Type,
        /// Its parent's type.
        parent: Type,
    },
    /// An object without a set that its type must have, or with one that it cannot have.
    #[error("{at}: {ty}: {rule}")]
    Sets {
        /// Where.
        at: LineColumn,
        /// The object's type.
        ty: Type,
        /// What is wrong.
        rule: &'static str,
    },
    /// The type of a cache is not that of its level and kind.
    #[error("{at}: type {ty} is not that of a cache with depth={level} and this cache_type")]
    CacheType {
        /// Where.
        at: LineColumn,
        /// The type.
        ty: Type,
        /// The level.
        level: u32,
    },
    /// A number that must be unique is used twice.
    #[error("{at}: {attribute}={value} is used twice")]
    Duplicate {
        /// Where it is used again.
        at: LineColumn,
        /// The attribute.
        attribute: &'static str,
        /// The number.
        value: u64,
    },
    /// A reference to an object that is not in the file.
    #[error("{at}: {ty} with index {index} is named, but not in the file")]
    UnknownObject {
        /// Where.
        at: LineColumn,
        /// The type that is named.
        ty: Type,
        /// The number that is named: os_index or gp_index.
        index: u64,
    },
    /// A list that is shorter or longer than was announced.
    #[error("{at}: {found} {what}, {expected} were announced")]
    Count {
        /// Where.
        at: LineColumn,
        /// Of what.
        what: &'static str,
        /// How many there should be.
        expected: u64,
        /// How many there are, counted to one more at most.
        found: u64,
    },
    /// All of it could be read, but it is no topology.
    #[error("the file was read, but describes no topology")]
    Build(#[from] BuildError),
}

debug_as_display!(XmlError);
