//! Why a text is no topology.

use core::fmt;
use std::io;

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
#[derive(Debug)]
#[non_exhaustive]
pub enum XmlError {
    /// The file could not be read.
    Io {
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not UTF-8: hwloc writes nothing else.
    NotUtf8 {
        /// Offset of the first byte that is not.
        offset: u64,
    },
    /// Not XML, as a tag that ends nothing. Was the file edited by hand?
    Syntax {
        /// Where.
        at: LineColumn,
        /// What the XML parser says.
        message: String,
    },
    /// The text ends inside of an element: the file was cut off.
    Truncated {
        /// Where.
        at: LineColumn,
    },
    /// A document type with definitions of its own: take the part between `[` and `]` out. No entity is expanded.
    Dtd {
        /// Where.
        at: LineColumn,
    },
    /// A reference to an entity other than the five that XML has.
    Entity {
        /// Where.
        at: LineColumn,
        /// The entity, or what is wrong with it.
        name: String,
    },
    /// Elements are nested deeper than any topology's.
    TooDeep {
        /// Where.
        at: LineColumn,
        /// How many levels are allowed.
        limit: u64,
    },
    /// More of something than any machine has: see [`crate::xml`].
    TooMany {
        /// Where.
        at: LineColumn,
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// The outermost element is no `<topology>`: not one of hwloc's topologies.
    NotTopology {
        /// Where.
        at: LineColumn,
        /// What it is.
        found: String,
    },
    /// A format that is not known: 1.x, 2.x and 3.0 are. Export the file again with an older hwloc.
    Version {
        /// Where.
        at: LineColumn,
        /// The version.
        found: String,
    },
    /// An element where it has no meaning.
    UnexpectedElement {
        /// Where.
        at: LineColumn,
        /// The element.
        found: String,
    },
    /// The topology has no object.
    NoObject {
        /// Where.
        at: LineColumn,
    },
    /// An attribute that must be there is not.
    MissingAttribute {
        /// Where.
        at: LineColumn,
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute twice on one element.
    DuplicateAttribute {
        /// Where.
        at: LineColumn,
        /// The attribute.
        attribute: String,
    },
    /// A value that is none for its attribute, such as a number out of range.
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
    /// A name that is no type of object.
    UnknownType {
        /// Where.
        at: LineColumn,
        /// The attribute.
        attribute: &'static str,
        /// The name.
        value: String,
    },
    /// An object below one that cannot have it.
    Misplaced {
        /// Where.
        at: LineColumn,
        /// The object's type.
        child: Type,
        /// Its parent's type.
        parent: Type,
    },
    /// An object without a set that its type must have, or with one that it cannot have.
    Sets {
        /// Where.
        at: LineColumn,
        /// The object's type.
        ty: Type,
        /// What is wrong.
        rule: &'static str,
    },
    /// The type of a cache is not that of its level and kind.
    CacheType {
        /// Where.
        at: LineColumn,
        /// The type.
        ty: Type,
        /// The level.
        level: u32,
    },
    /// A number that must be unique is used twice.
    Duplicate {
        /// Where it is used again.
        at: LineColumn,
        /// The attribute.
        attribute: &'static str,
        /// The number.
        value: u64,
    },
    /// A reference to an object that is not in the file.
    UnknownObject {
        /// Where.
        at: LineColumn,
        /// The type that is named.
        ty: Type,
        /// The number that is named: os_index or gp_index.
        index: u64,
    },
    /// A list that is shorter or longer than was announced.
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
    Build(BuildError),
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { .. } => write!(f, "cannot read the topology"),
            Self::NotUtf8 { offset } => write!(f, "not UTF-8 from byte {offset} on"),
            Self::Syntax { at, message } => write!(f, "{at}: not well-formed XML: {message}"),
            Self::Truncated { at } => write!(f, "{at}: the text ends here, cut off"),
            Self::Dtd { at } => {
                write!(f, "{at}: a document type with definitions is not read; take what is in [] out")
            }
            Self::Entity { at, name } => write!(f, "{at}: entity not known: {name}"),
            Self::TooDeep { at, limit } => write!(f, "{at}: nested deeper than {limit} elements"),
            Self::TooMany { at, what, limit } => write!(f, "{at}: more than {limit} {what}"),
            Self::NotTopology { at, found } => write!(f, "{at}: <{found}> is no <topology>"),
            Self::Version { at, found } => {
                write!(
                    f,
                    "{at}: version={found:?} is unknown: 1.x, 2.x and 3.0 are read; export it for one of them"
                )
            }
            Self::UnexpectedElement { at, found } => write!(f, "{at}: <{found}> has no meaning here"),
            Self::NoObject { at } => write!(f, "{at}: the topology has no <object>"),
            Self::MissingAttribute { at, attribute } => write!(f, "{at}: attribute {attribute} is missing"),
            Self::DuplicateAttribute { at, attribute } => {
                write!(f, "{at}: attribute {attribute} is there twice")
            }
            Self::Value { at, attribute, value, expected } => {
                write!(f, "{at}: {attribute}={value:?} is not {expected}")
            }
            Self::UnknownType { at, attribute, value } => {
                write!(f, "{at}: {attribute}={value:?} is no type of object")
            }
            Self::Misplaced { at, child, parent } => write!(f, "{at}: a {child} cannot be below a {parent}"),
            Self::Sets { at, ty, rule } => write!(f, "{at}: {ty}: {rule}"),
            Self::CacheType { at, ty, level } => {
                write!(f, "{at}: type {ty} is not that of a cache with depth={level} and this cache_type")
            }
            Self::Duplicate { at, attribute, value } => write!(f, "{at}: {attribute}={value} is used twice"),
            Self::UnknownObject { at, ty, index } => {
                write!(f, "{at}: {ty} with index {index} is named, but not in the file")
            }
            Self::Count { at, what, expected, found } => {
                write!(f, "{at}: {found} {what}, {expected} were announced")
            }
            Self::Build(_) => write!(f, "the file was read, but describes no topology"),
        }
    }
}

impl core::error::Error for XmlError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { source } => Some(source),
            Self::Build(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BuildError> for XmlError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}
