//! Why a directory or an entry cannot be right.

use alloc::string::String;
use core::fmt;

use super::name::{NameError, Named};
use crate::frame::places::Section;

/// Why a directory, or an entry, cannot be right. Offsets are from the segment base.
///
/// The segment is damaged or its writer breaks the format: write it again, or get it again.
///
/// Source: SPEC 4.4.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The section is not in the bytes given.
    Section {
        /// Where the header says it is.
        section: Section,
        /// Bytes of the segment.
        segment: u64,
    },
    /// The section is too short for its counts, slots and entries.
    Truncated {
        /// Where the header says it is.
        section: Section,
        /// Entries, as recorded (0 where the counts do not fit either).
        entries: u64,
        /// Slots, as recorded.
        slots: u64,
    },
    /// More entries than a slot can count.
    TooMany {
        /// Where the count stands.
        offset: u64,
        /// The count.
        entries: u64,
    },
    /// The number of slots is no power of two, or less than twice the entries.
    SlotCount {
        /// Where the count stands.
        offset: u64,
        /// The count.
        slots: u64,
        /// The entries.
        entries: u64,
    },
    /// The caller asked for an entry that the directory has not.
    NoEntry {
        /// What was asked for.
        index: usize,
        /// The entries there are.
        entries: usize,
    },
    /// Reserved bytes are in use.
    Reserved {
        /// Where they stand.
        offset: u64,
        /// Their value.
        got: u32,
    },
    /// A name is not in the part of the directory where names are.
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
    NameNotUtf8 {
        /// The entry's number.
        entry: usize,
        /// The first wrong byte.
        offset: u64,
    },
    /// A name that no object can have.
    Name {
        /// The entry's number.
        entry: usize,
        /// Where the name starts.
        offset: u64,
        /// Why not.
        error: NameError,
    },
    /// A schema table is not in the schema section.
    TableBounds {
        /// The object.
        name: String,
        /// Where its entry says the table is.
        table: Section,
        /// The schema section.
        section: Section,
    },
    /// A schema table does not start at a multiple of 8.
    TableAlign {
        /// The object.
        name: String,
        /// Where its entry says the table starts.
        position: u64,
    },
    /// An object's alignment is no power of two from 16 to the page size.
    ObjectAlignment {
        /// The object.
        name: String,
        /// Where the alignment stands.
        offset: u64,
        /// The alignment.
        align: u32,
        /// The page size.
        page_size: u32,
    },
    /// An object is not between the header page and the schema section.
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
    ObjectPosition {
        /// The object.
        name: String,
        /// Where its entry says it starts.
        position: u64,
        /// Its alignment.
        align: u32,
    },
    /// An object's root starts behind its end.
    RootBounds {
        /// The object.
        name: String,
        /// Where the root offset stands.
        offset: u64,
        /// The root offset.
        root: u64,
        /// Bytes of the object.
        length: u64,
    },
    /// A slot leads to an entry that is not there.
    Slot {
        /// Where the slot stands.
        offset: u64,
        /// Its value: an entry's number plus 1.
        got: u32,
        /// The entries there are.
        entries: usize,
    },
    /// All slots are in use, so that a search for an unknown name does not end.
    NoEmptySlot {
        /// How many there are.
        slots: usize,
    },
    /// An entry's hash is not that of its name.
    NameHash {
        /// The object.
        name: String,
        /// Where the hash stands.
        offset: u64,
        /// The hash there.
        recorded: u64,
        /// The hash of the name.
        computed: u64,
    },
    /// A name does not start where the one before it ends.
    NamePosition {
        /// The object.
        name: String,
        /// Where its entry says the name starts.
        got: u64,
        /// Where it should.
        expected: u64,
    },
    /// Bytes after the last name.
    Trailing {
        /// Where they start.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// An object starts before the end of the one before it.
    ObjectOverlap {
        /// The object.
        name: String,
        /// Where its entry says it is.
        object: Section,
        /// Where it may start at the earliest.
        free: u64,
    },
    /// Two objects have one name.
    DuplicateName {
        /// The name.
        name: String,
    },
    /// An entry is in two slots.
    DuplicateSlot {
        /// The second slot's number.
        slot: usize,
        /// The entry's number.
        entry: usize,
    },
    /// An entry is in no slot, so that its name does not find it.
    NotIndexed {
        /// The entry's number.
        entry: usize,
    },
    /// An empty slot stands between the slot where the search for an entry starts and the one it is in.
    Unreachable {
        /// The entry's number.
        entry: usize,
        /// The slot that it is in.
        slot: usize,
        /// The slot where the search starts.
        home: usize,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "directory damaged: ")?;
        match self {
            Self::Section { section, segment } => {
                write!(f, "its {section} are not in the segment's {segment} bytes")
            }
            Self::Truncated { section, entries, slots } => {
                write!(f, "its {section} have no room for its counts, {slots} slots and {entries} entries")
            }
            Self::TooMany { offset, entries } => {
                write!(f, "{entries} entries at offset {offset}, at most {} are possible", u32::MAX)
            }
            Self::SlotCount { offset, slots, entries } => write!(
                f,
                "{slots} slots at offset {offset} for {entries} entries: a power of two is needed, \
                 at least twice the entries"
            ),
            Self::NoEntry { index, entries } => {
                write!(f, "no entry {index}, there are {entries}")
            }
            Self::Reserved { offset, got } => {
                write!(f, "reserved bytes at offset {offset} are {got:#x}, not 0")
            }
            Self::NameBounds { entry, name, from, to } => {
                write!(f, "name of entry {entry} ({name}) is not between offsets {from} and {to}")
            }
            Self::NameNotUtf8 { entry, offset } => {
                write!(f, "name of entry {entry} is not UTF-8 at offset {offset}")
            }
            Self::Name { entry, offset, error } => {
                write!(f, "entry {entry}, at offset {offset}: {error}")
            }
            Self::TableBounds { name, table, section } => write!(
                f,
                "schema table of {} ({table}) is not in the schema section ({section})",
                Named(name)
            ),
            Self::TableAlign { name, position } => {
                write!(f, "schema table of {} at offset {position}, no multiple of 8", Named(name))
            }
            Self::ObjectAlignment { name, offset, align, page_size } => write!(
                f,
                "alignment {align} of {} at offset {offset} is no power of two from 16 to {page_size}",
                Named(name)
            ),
            Self::ObjectBounds { name, object, from, to } => {
                write!(f, "{} ({object}) is not between offsets {from} and {to}", Named(name))
            }
            Self::ObjectPosition { name, position, align } => {
                write!(f, "{} at offset {position}, no multiple of its alignment {align}", Named(name))
            }
            Self::RootBounds { name, offset, root, length } => write!(
                f,
                "root offset {root} at offset {offset} is behind the {length} bytes of {}",
                Named(name)
            ),
            Self::Slot { offset, got, entries } => write!(
                f,
                "slot at offset {offset} leads to entry {} of {entries}",
                u64::from(*got).saturating_sub(1)
            ),
            Self::NoEmptySlot { slots } => write!(f, "none of its {slots} slots is empty"),
            Self::NameHash { name, offset, recorded, computed } => write!(
                f,
                "name hash of {} at offset {offset} is {recorded:#018x}, computed {computed:#018x}",
                Named(name)
            ),
            Self::NamePosition { name, got, expected } => {
                write!(f, "name of {} at offset {got}, expected at {expected}", Named(name))
            }
            Self::Trailing { offset, bytes } => {
                write!(f, "{bytes} bytes at offset {offset} belong to no name")
            }
            Self::ObjectOverlap { name, object, free } => write!(
                f,
                "{} ({object}) overlaps what comes before it, which ends at offset {free}",
                Named(name)
            ),
            Self::DuplicateName { name } => write!(f, "two entries name {}", Named(name)),
            Self::DuplicateSlot { slot, entry } => {
                write!(f, "slot {slot} leads to entry {entry}, as a slot before it does")
            }
            Self::NotIndexed { entry } => write!(f, "no slot leads to entry {entry}"),
            Self::Unreachable { entry, slot, home } => write!(
                f,
                "entry {entry} is in slot {slot}, but a search that starts at slot {home} ends before it"
            ),
        }
    }
}

crate::debug_as_display!(DirectoryError);
impl core::error::Error for DirectoryError {}
