//! What is wrong in a segment.

use alloc::string::String;

use crate::frame::directory::{DirectoryError, Named};
use crate::frame::places::Section;
use crate::{Fingerprint, ObjectError, Payload, SchemaError, UnsoundSchema};

/// What is wrong in a segment whose header is right. Positions are bytes from the segment base.
///
/// The segment is damaged or its writer breaks the format: write it again, or get it again.
///
/// Source: SPEC 7.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A byte of the header page, behind the header, is not zero.
    #[error("header page damaged: byte at position {position} is {got:#04x}, not 0")]
    HeaderPage {
        /// The first such byte.
        position: u64,
        /// Its value.
        got: u8,
    },
    /// The schema section was changed.
    #[error("schema section ({section}) damaged: checksum {recorded:#018x}, computed {computed:#018x}")]
    SchemaChecksum {
        /// The section.
        section: Section,
        /// What the header says.
        recorded: u64,
        /// What the bytes give.
        computed: u64,
    },
    /// The directory was changed.
    #[error("directory ({section}) damaged: checksum {recorded:#018x}, computed {computed:#018x}")]
    DirectoryChecksum {
        /// The section.
        section: Section,
        /// What the header says.
        recorded: u64,
        /// What the bytes give.
        computed: u64,
    },
    /// The relocations were changed.
    #[error("relocations section ({section}) damaged: checksum {recorded:#018x}, computed {computed:#018x}")]
    RelocationsChecksum {
        /// The section.
        section: Section,
        /// What the header says.
        recorded: u64,
        /// What the bytes give.
        computed: u64,
    },
    /// A byte between two parts is not zero.
    #[error("padding before {before} damaged: byte at position {position} is {got:#04x}, not 0")]
    Padding {
        /// The part that follows.
        before: &'static str,
        /// The first such byte.
        position: u64,
        /// Its value.
        got: u8,
    },
    /// The directory cannot be right.
    #[error(transparent)]
    Directory(DirectoryError),
    /// A schema table does not follow the one before it.
    #[error("schema table of {} ({table}) is out of place: expected at position {expected}", Named(.name))]
    TablePosition {
        /// The first object with that table.
        name: String,
        /// Where its entry says the table is.
        table: Section,
        /// Where it should start.
        expected: u64,
    },
    /// Bytes of the schema section that no object uses.
    #[error("schema section has {bytes} bytes at position {position} that no object uses")]
    UnusedTable {
        /// Where they start.
        position: u64,
        /// How many.
        bytes: u64,
    },
    /// A schema table cannot be read.
    #[error("schema table of {} ({table}): {error}", Named(.name))]
    Table {
        /// The first object with that table.
        name: String,
        /// The table.
        table: Section,
        /// What is wrong with it.
        error: SchemaError,
    },
    /// A schema table has equal types twice, or numbers them in another order than equal layouts have to.
    #[error("schema table of {} ({table}) has equal types twice, or numbers them in another order", Named(.name))]
    TableNotCanonical {
        /// The first object with that table.
        name: String,
        /// The table.
        table: Section,
    },
    /// A schema table is of a build with other payload traits than the segment.
    #[error("schema table of {} ({table}) is for another encoding ({recorded}) than the segment's ({segment})", Named(.name))]
    TablePayload {
        /// The first object with that table.
        name: String,
        /// The table.
        table: Section,
        /// The table's traits.
        recorded: Payload,
        /// The segment's.
        segment: Payload,
    },
    /// An entry's fingerprint is not that of its schema table.
    #[error("fingerprint {recorded} of {} is not its schema table's, {computed}", Named(.name))]
    Fingerprint {
        /// The object.
        name: String,
        /// What the entry says.
        recorded: Fingerprint,
        /// What the table gives.
        computed: Fingerprint,
    },
    /// An object's alignment is too small for its types.
    #[error("{} is aligned to {align}, but its types need {needed}", Named(.name))]
    Alignment {
        /// The object.
        name: String,
        /// What the entry says.
        align: u32,
        /// What its types need.
        needed: u32,
    },
    /// An object is too short for its root.
    #[error("{} has {length} bytes, too few for its root of {size} bytes at {root}", Named(.name))]
    RootSize {
        /// The object.
        name: String,
        /// Where in the object the root starts.
        root: u64,
        /// Bytes of the root's type.
        size: u64,
        /// Bytes of the object.
        length: u64,
    },
    /// An object's root is not aligned for its type.
    #[error("{} has its root at {root}, no multiple of the alignment {align} of its type", Named(.name))]
    RootAlign {
        /// The object.
        name: String,
        /// Where in the object the root starts.
        root: u64,
        /// The alignment of the root's type.
        align: u32,
    },
    /// A byte before an object, which belongs to none, is not zero.
    #[error("padding before {} damaged: byte at position {position} is {got:#04x}, not 0", Named(.name))]
    ObjectPadding {
        /// The object that follows.
        name: String,
        /// The first such byte.
        position: u64,
        /// Its value.
        got: u8,
    },
    /// An object was changed.
    #[error("{} ({object}) damaged: checksum {recorded:#018x}, computed {computed:#018x}", Named(.name))]
    ObjectChecksum {
        /// The object.
        name: String,
        /// Its bytes.
        object: Section,
        /// What the entry says.
        recorded: u64,
        /// What the bytes give.
        computed: u64,
    },
    /// A schema table cannot be followed into an object.
    #[error("schema table of {} ({table}) cannot be followed: {error}", Named(.name))]
    Unsound {
        /// An object of that table.
        name: String,
        /// The table.
        table: Section,
        /// Why.
        error: UnsoundSchema,
    },
    /// An object's bytes are not what its schema says.
    #[error("{} is not valid: {error}", Named(.name))]
    Object {
        /// The object.
        name: String,
        /// Where, and what is wrong.
        error: ObjectError,
    },
}

crate::debug_as_display!(VerifyError);
