//! Why a directory or an entry cannot be right.

use alloc::string::String;

use super::name::{NameError, Named};
use crate::frame::places::Section;

/// Why a directory, or an entry, cannot be right. Positions are bytes from the segment base.
///
/// The segment is damaged or its writer breaks the format: write it again, or get it again.
///
/// Source: SPEC 4.4.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The section is not in the bytes given.
    #[error("directory damaged: its {section} are not in the segment's {segment} bytes")]
    Section {
        /// Where the header says it is.
        section: Section,
        /// Bytes of the segment.
        segment: u64,
    },
    /// The section is too short for its counts, slots and entries.
    #[error(
        "directory damaged: its {section} have no room for its counts, {slots} slots and {entries} entries"
    )]
    Truncated {
        /// Where the header says it is.
        section: Section,
        /// Entries, as recorded (0 where the counts do not fit either).
        entries: u64,
        /// Slots, as recorded.
        slots: u64,
    },
    /// More entries than a slot can count.
    #[error("directory damaged: {entries} entries at position {position}, at most {} are possible", u32::MAX)]
    TooMany {
        /// Where the count stands.
        position: u64,
        /// The count.
        entries: u64,
    },
    /// The number of slots is no power of two, or less than twice the entries.
    #[error(
        "directory damaged: {slots} slots at position {position} for {entries} entries: a power of two is needed, \
                 at least twice the entries"
    )]
    SlotCount {
        /// Where the count stands.
        position: u64,
        /// The count.
        slots: u64,
        /// The entries.
        entries: u64,
    },
    /// The caller asked for an entry that the directory has not.
    #[error("directory damaged: no entry {index}, there are {entries}")]
    NoEntry {
        /// What was asked for.
        index: usize,
        /// The entries there are.
        entries: usize,
    },
    /// Reserved bytes are in use.
    #[error("directory damaged: reserved bytes at position {position} are {got:#x}, not 0")]
    Reserved {
        /// Where they stand.
        position: u64,
        /// Their value.
        got: u32,
    },
    /// A name is not in the part of the directory where names are.
    #[error("directory damaged: name of entry {entry} ({name}) is not between positions {from} and {to}")]
    NameBounds {
        /// The entry's number.
        entry: usize,
        /// Where it says its name is.
        name: Section,
        /// Where names start.
        from: u64,
        /// Where they end.
        to: u64,
    },
    /// A name is not UTF-8.
    #[error("directory damaged: name of entry {entry} is not UTF-8 at position {position}")]
    NameNotUtf8 {
        /// The entry's number.
        entry: usize,
        /// The first wrong byte.
        position: u64,
    },
    /// A name that no object can have.
    #[error("directory damaged: entry {entry}, at position {position}: {error}")]
    Name {
        /// The entry's number.
        entry: usize,
        /// Where the name starts.
        position: u64,
        /// Why not.
        error: NameError,
    },
    /// A schema table is not in the schema section.
    #[error("directory damaged: schema table of {} ({table}) is not in the schema section ({section})", Named(.name))]
    TableBounds {
        /// The object.
        name: String,
        /// Where its entry says the table is.
        table: Section,
        /// The schema section.
        section: Section,
    },
    /// A schema table does not start at a multiple of 8.
    #[error("directory damaged: schema table of {} at position {position}, no multiple of 8", Named(.name))]
    TableAlign {
        /// The object.
        name: String,
        /// Where its entry says the table starts.
        position: u64,
    },
    /// An object's alignment is no power of two from 16 to the page size.
    #[error("directory damaged: alignment {align} of {} at position {position} is no power of two from 16 to {page_size}", Named(.name))]
    ObjectAlignment {
        /// The object.
        name: String,
        /// Where the alignment stands.
        position: u64,
        /// The alignment.
        align: u32,
        /// The page size.
        page_size: u32,
    },
    /// An object is not between the header page and the schema section.
    #[error("directory damaged: {} ({object}) is not between positions {from} and {to}", Named(.name))]
    ObjectBounds {
        /// The object.
        name: String,
        /// Where its entry says it is.
        object: Section,
        /// Where objects may start.
        from: u64,
        /// Where they have to end.
        to: u64,
    },
    /// An object does not start at a multiple of its alignment.
    #[error("directory damaged: {} at position {position}, no multiple of its alignment {align}", Named(.name))]
    ObjectPosition {
        /// The object.
        name: String,
        /// Where its entry says it starts.
        position: u64,
        /// Its alignment.
        align: u32,
    },
    /// An object's root starts behind its end.
    #[error("directory damaged: root offset {root} at position {position} is behind the {length} bytes of {}", Named(.name))]
    RootBounds {
        /// The object.
        name: String,
        /// Where the root offset stands.
        position: u64,
        /// The root offset.
        root: u64,
        /// Bytes of the object.
        length: u64,
    },
    /// A slot leads to an entry that is not there.
    #[error("directory damaged: slot at position {position} leads to entry {} of {entries}", u64::from(*.got).saturating_sub(1))]
    Slot {
        /// Where the slot stands.
        position: u64,
        /// Its value: an entry's number plus 1.
        got: u32,
        /// The entries there are.
        entries: usize,
    },
    /// All slots are in use, so that a search for an unknown name does not end.
    #[error("directory damaged: none of its {slots} slots is empty")]
    NoEmptySlot {
        /// How many there are.
        slots: usize,
    },
    /// An entry's hash is not that of its name.
    #[error("directory damaged: name hash of {} at position {position} is {recorded:#018x}, computed {computed:#018x}", Named(.name))]
    NameHash {
        /// The object.
        name: String,
        /// Where the hash stands.
        position: u64,
        /// The hash there.
        recorded: u64,
        /// The hash of the name.
        computed: u64,
    },
    /// A name does not start where the one before it ends.
    #[error("directory damaged: name of {} at position {got}, expected at {expected}", Named(.name))]
    NamePosition {
        /// The object.
        name: String,
        /// Where its entry says the name starts.
        got: u64,
        /// Where it should.
        expected: u64,
    },
    /// Bytes after the last name.
    #[error("directory damaged: {bytes} bytes at position {position} belong to no name")]
    Trailing {
        /// Where they start.
        position: u64,
        /// How many.
        bytes: u64,
    },
    /// An object starts before the end of the one before it.
    #[error("directory damaged: {} ({object}) overlaps what comes before it, which ends at position {free}", Named(.name))]
    ObjectOverlap {
        /// The object.
        name: String,
        /// Where its entry says it is.
        object: Section,
        /// Where it may start at the earliest.
        free: u64,
    },
    /// Two objects have one name.
    #[error("directory damaged: two entries name {}", Named(.name))]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// An entry is in two slots.
    #[error("directory damaged: slot {slot} leads to entry {entry}, as a slot before it does")]
    DuplicateSlot {
        /// The second slot's number.
        slot: usize,
        /// The entry's number.
        entry: usize,
    },
    /// An entry is in no slot, so that its name does not find it.
    #[error("directory damaged: no slot leads to entry {entry}")]
    NotIndexed {
        /// The entry's number.
        entry: usize,
    },
    /// An empty slot stands between the slot where the search for an entry starts and the one it is in.
    #[error(
        "directory damaged: entry {entry} is in slot {slot}, but a search that starts at slot {home} ends before it"
    )]
    Unreachable {
        /// The entry's number.
        entry: usize,
        /// The slot that it is in.
        slot: usize,
        /// The slot where the search starts.
        home: usize,
    },
}

crate::debug_as_display!(DirectoryError);
