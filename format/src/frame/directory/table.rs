//! The table: encoding, lookup, checks. Source: SPEC 4.4.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use super::error::DirectoryError;
use super::name::check_name;
use crate::bytes::{as_equal, fetch};
use crate::frame::header::Header;
use crate::frame::places::{Place, Section};
use crate::{Fingerprint, checksum};

/// Bytes before the slots: the number of entries and the number of slots.
const COUNTS: usize = 16;
/// Bytes of a slot: 0, or an entry's number plus 1.
const SLOT: usize = 4;
/// Bytes of an entry.
const ENTRY: usize = 96;

const PLACES: [Place; 14] = [
    NAME_HASH,
    Place::new(8, 8, "name position"),
    Place::new(16, 4, "name length"),
    Place::new(20, 4, "reserved"),
    Place::new(24, 8, "fingerprint, low half"),
    Place::new(32, 8, "fingerprint, high half"),
    Place::new(40, 8, "schema table position"),
    Place::new(48, 8, "schema table length"),
    Place::new(56, 8, "object position"),
    Place::new(64, 8, "object length"),
    Place::new(72, 8, "root offset"),
    Place::new(80, 8, "object checksum"),
    Place::new(88, 4, "object alignment"),
    Place::new(92, 4, "reserved"),
];
const NAME_HASH: Place = Place::new(0, 8, "name hash");

/// What the directory knows of one object.
///
/// Positions are bytes from the segment base.
///
/// Source: SPEC 4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name; empty for the root.
    pub name: &'a str,
    /// The fingerprint of the object's layout.
    pub fingerprint: Fingerprint,
    /// The table of the object's types, in the schema section.
    pub schema: Section,
    /// The object's bytes.
    pub object: Section,
    /// Bytes from the object's start to its root value.
    pub root: u64,
    /// XXH64 of the object's bytes.
    pub checksum: u64,
    /// The object's position is a multiple of this power of two, from 16 to the page size, and has to stay so.
    pub align: u32,
}

/// The bytes of the directory of `entries`, which will stand at `position` in the segment.
///
/// O(n). The entries keep their order. Their names have to differ, or one of them will not be found (a debug build
/// panics); there may be at most `u32::MAX`. Nothing else about them is checked here: [`Directory`] does that.
///
/// # Examples
/// ```
/// assert_eq!(graven_format::directory::encode(&[], 4096).len(), 24);
/// ```
/// Source: SPEC 4.4.
pub fn encode(entries: &[Entry<'_>], position: u64) -> Vec<u8> {
    debug_assert!(u32::try_from(entries.len()).is_ok(), "too many entries");
    let slots = entries.len().saturating_mul(2).max(1).next_power_of_two();
    let mut index = alloc::vec![0u32; slots];
    for (number, entry) in (1u32..).zip(entries) {
        let mut at = home(checksum(entry.name.as_bytes()), slots);
        while index[at] != 0 {
            debug_assert_ne!(
                entries[(index[at] as usize).saturating_sub(1)].name,
                entry.name,
                "names must differ"
            );
            at = at.wrapping_add(1) & slots.wrapping_sub(1);
        }
        index[at] = number;
    }

    let names = names_start(entries.len(), slots).unwrap_or(usize::MAX);
    let mut out = Vec::new();
    out.extend((entries.len() as u64).to_le_bytes());
    out.extend((slots as u64).to_le_bytes());
    out.extend(index.iter().flat_map(|slot| slot.to_le_bytes()));
    out.resize(out.len().next_multiple_of(8), 0);
    let mut name_position = position.saturating_add(names as u64);
    for entry in entries {
        let values = [
            checksum(entry.name.as_bytes()),
            name_position,
            entry.name.len() as u64,
            0,
            entry.fingerprint.0 as u64,
            (entry.fingerprint.0 >> 64) as u64,
            entry.schema.position,
            entry.schema.length,
            entry.object.position,
            entry.object.length,
            entry.root,
            entry.checksum,
            entry.align.into(),
            0,
        ];
        let mut bytes = [0; ENTRY];
        for (place, value) in PLACES.iter().zip(values) {
            place.put(&mut bytes, value);
        }
        out.extend(bytes);
        name_position = name_position.saturating_add(entry.name.len() as u64);
    }
    out.extend(entries.iter().flat_map(|entry| entry.name.bytes()));
    out
}

/// The slot where the search for a hash starts. `slots` is a power of two.
fn home(hash: u64, slots: usize) -> usize {
    // The mask is below `slots`, so the result fits a usize.
    (hash & (slots as u64).wrapping_sub(1)) as usize
}

/// Bytes of the directory before the names.
fn names_start(entries: usize, slots: usize) -> Option<usize> {
    let index = slots.checked_mul(SLOT)?.checked_next_multiple_of(8)?;
    COUNTS.checked_add(index)?.checked_add(entries.checked_mul(ENTRY)?)
}

/// The directory of a segment, read in place.
///
/// # Examples
/// ```
/// use graven_format::{Directory, Entry, Fingerprint, Header, Mode, Payload, Section, directory};
///
/// let users = Entry {
///     name: "users",
///     fingerprint: Fingerprint(1),
///     schema: Section { position: 4112, length: 40 },
///     object: Section { position: 4096, length: 16 },
///     root: 8,
///     checksum: 0,
///     align: 16,
/// };
/// let directory = directory::encode(&[users], 4152);
/// let header = Header {
///     compat: 0,
///     payload: Payload::NATIVE,
///     mode: Mode::Relative,
///     page_size: 4096,
///     length: 8192,
///     address: 0,
///     file_offset: 0,
///     generation: 0,
///     schema: users.schema,
///     directory: Section { position: 4152, length: directory.len() as u64 },
///     relocations: Section::default(),
///     schema_checksum: 0,
///     directory_checksum: 0,
///     relocations_checksum: 0,
/// };
/// let mut segment = vec![0; 8192];
/// segment[4152..][..directory.len()].copy_from_slice(&directory);
///
/// let directory = Directory::new(&segment, &header)?;
/// assert_eq!(directory.find("users")?, Some((0, users)));
/// assert_eq!(directory.find("routes")?, None);
/// # Ok::<(), graven_format::DirectoryError>(())
/// ```
/// Source: SPEC 4.4.
#[derive(Clone, Copy)]
pub struct Directory<'a> {
    /// The whole segment: objects in it are fetched ahead.
    segment: &'a [u8],
    /// The whole section.
    bytes: &'a [u8],
    /// INVARIANT: as many as the count says, a power of two, at least 1, at least twice the entries.
    slots: &'a [[u8; SLOT]],
    /// INVARIANT: as many as the count says, at most `u32::MAX`.
    entries: &'a [[u8; ENTRY]],
    /// Where the section starts.
    position: u64,
    /// Bytes of the section before the names.
    names: usize,
    /// Where the objects may be.
    objects: (u64, u64),
    /// Where the schema tables may be.
    schema: Section,
    page_size: u32,
}

impl fmt::Debug for Directory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("position", &self.position)
            .field("entries", &self.entries.len())
            .field("slots", &self.slots.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Directory<'a> {
    /// The directory of `segment`, whose header is `header`.
    ///
    /// O(1): the two counts are read, and must fit the section; no entry is looked at. The header's checks
    /// ([`Header::decode`], [`Header::check_length`]) come first.
    ///
    /// # Errors
    /// [`DirectoryError::Section`], [`Truncated`](DirectoryError::Truncated),
    /// [`TooMany`](DirectoryError::TooMany) or [`SlotCount`](DirectoryError::SlotCount).
    ///
    /// Source: SPEC 4.4, SPEC 8.
    #[inline(always)]
    pub fn new(segment: &'a [u8], header: &Header) -> Result<Directory<'a>, DirectoryError> {
        let section = header.directory;
        let position = section.position;
        let Some(bytes) = section.of(segment) else {
            return Err(DirectoryError::Section { section, segment: segment.len() as u64 });
        };
        let (Some(count), Some(slots)) = (number(bytes, 0), number(bytes, 8)) else {
            return Err(DirectoryError::Truncated { section, entries: 0, slots: 0 });
        };
        if count > u32::MAX.into() {
            return Err(DirectoryError::TooMany { position, entries: count });
        }
        if !slots.is_power_of_two() || slots < count.saturating_mul(2) {
            let position = position.saturating_add(8);
            return Err(DirectoryError::SlotCount { position, slots, entries: count });
        }
        let parts = || {
            let (entries, slots) = (usize::try_from(count).ok()?, usize::try_from(slots).ok()?);
            let names = names_start(entries, slots)?;
            let index = bytes.get(COUNTS..)?.get(..slots.checked_mul(SLOT)?)?;
            let entries = bytes.get(names.checked_sub(entries.checked_mul(ENTRY)?)?..names)?;
            Some((index.as_chunks().0, entries.as_chunks().0, names))
        };
        let Some((slots, entries, names)) = parts() else {
            return Err(DirectoryError::Truncated { section, entries: count, slots });
        };
        Ok(Directory {
            segment,
            bytes,
            slots,
            entries,
            position,
            names,
            objects: (header.page_size.into(), header.schema.position),
            schema: header.schema,
            page_size: header.page_size,
        })
    }

    /// The number of objects. O(1).
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no objects. O(1).
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry with the number `index`, from 0, in the order of writing.
    ///
    /// O(1). What it says is checked against the bounds of the segment's parts; its object and schema table are not
    /// looked at, nor other entries.
    ///
    /// # Errors
    /// [`DirectoryError::NoEntry`] where there are not so many; `Reserved`, or a variant that starts with `Name`,
    /// `Table`, `Object` or `Root`, where the entry cannot be right.
    ///
    /// Source: SPEC 4.4.
    #[inline]
    pub fn entry(&self, index: usize) -> Result<Entry<'a>, DirectoryError> {
        self.entry_or_named(index, None).map(|(entry, _)| entry)
    }

    /// The entry with the number `index`, and whether it has the name that is asked for.
    #[inline(always)]
    fn entry_or_named(&self, index: usize, asked: Option<&str>) -> Result<(Entry<'a>, bool), DirectoryError> {
        let Some(bytes) = self.entries.get(index) else {
            return Err(DirectoryError::NoEntry { index, entries: self.entries.len() });
        };
        // By constant places, so that each is one load.
        let [
            _hash,
            name_position,
            name_length,
            reserved,
            fingerprint_low,
            fingerprint_high,
            table_position,
            table_length,
            object_position,
            object_length,
            root,
            checksum,
            align,
            reserved_too,
        ] = PLACES;
        let read = |place: Place| (place, place.get(bytes));
        let (name_position, name_length) = (read(name_position), read(name_length));
        let (fingerprint_low, fingerprint_high) = (read(fingerprint_low), read(fingerprint_high));
        let (table_position, table_length) = (read(table_position), read(table_length));
        let (object_position, object_length) = (read(object_position), read(object_length));
        let (root, checksum, align) = (read(root), read(checksum), read(align));
        let (reserved, reserved_too) = (read(reserved), read(reserved_too));
        let position_of =
            |(place, _): (Place, u64)| self.entry_position(index).saturating_add(place.offset as u64);
        for number in [reserved, reserved_too] {
            if number.1 != 0 {
                return Err(DirectoryError::Reserved { position: position_of(number), got: number.1 as u32 });
            }
        }

        let at = Section { position: name_position.1, length: name_length.1 };
        let name = self.name(at).ok_or_else(|| DirectoryError::NameBounds {
            entry: index,
            name: at,
            from: self.position.saturating_add(self.names as u64),
            to: self.position.saturating_add(self.bytes.len() as u64),
        })?;
        let asked = asked.and_then(|asked| as_equal(name, asked));
        let name = match asked {
            Some(name) => name,
            None => core::str::from_utf8(name).map_err(|error| DirectoryError::NameNotUtf8 {
                entry: index,
                position: at.position.saturating_add(error.valid_up_to() as u64),
            })?,
        };
        check_name(name).map_err(|error| DirectoryError::Name {
            entry: index,
            position: at.position,
            error,
        })?;

        let schema = Section { position: table_position.1, length: table_length.1 };
        // The section's end was checked with the header.
        if !schema.within(self.schema.position, self.schema.end().unwrap_or(0)) {
            let (name, section) = (name.to_string(), self.schema);
            return Err(DirectoryError::TableBounds { name, table: schema, section });
        }
        if !schema.position.is_multiple_of(8) {
            return Err(DirectoryError::TableAlign { name: name.to_string(), position: schema.position });
        }
        let (align_place, align) = (align, align.1 as u32);
        if !align.is_power_of_two() || !(16..=self.page_size).contains(&align) {
            let position = position_of(align_place);
            let (name, page_size) = (name.to_string(), self.page_size);
            return Err(DirectoryError::ObjectAlignment { name, position, align, page_size });
        }
        let object = Section { position: object_position.1, length: object_length.1 };
        let (from, to) = self.objects;
        if !object.within(from, to) {
            return Err(DirectoryError::ObjectBounds { name: name.to_string(), object, from, to });
        }
        if object.position & u64::from(align).wrapping_sub(1) != 0 {
            let (name, position) = (name.to_string(), object.position);
            return Err(DirectoryError::ObjectPosition { name, position, align });
        }
        if root.1 > object.length {
            let (name, position) = (name.to_string(), position_of(root));
            return Err(DirectoryError::RootBounds { name, position, root: root.1, length: object.length });
        }
        let entry = Entry {
            name,
            fingerprint: Fingerprint(u128::from(fingerprint_high.1) << 64 | u128::from(fingerprint_low.1)),
            schema,
            object,
            root: root.1,
            checksum: checksum.1,
            align,
        };
        Ok((entry, asked.is_some()))
    }

    /// The entry with this name, and its number.
    ///
    /// O(1) expected: one or two slots. Bytes made to be slow cost one look at each slot. Entries with another name
    /// hash are not looked at.
    ///
    /// # Errors
    /// Those of [`entry`](Directory::entry) for the entries it looks at; [`DirectoryError::Slot`] for a slot that
    /// leads nowhere; [`DirectoryError::NoEmptySlot`] where the search would never end.
    ///
    /// Source: SPEC 4.4.
    #[inline(always)] // like what it calls: the answer is of a dozen words, and copied by each function that returns it
    pub fn find(&self, name: &str) -> Result<Option<(usize, Entry<'a>)>, DirectoryError> {
        let hash = checksum(name.as_bytes());
        let home = home(hash, self.slots.len());
        for slot in (home..self.slots.len()).chain(0..home) {
            let Some(index) = self.slot(slot)? else { return Ok(None) };
            self.read_ahead(slot);
            if self.hash(index) == hash {
                self.read_ahead_object(index);
                let (entry, is_asked) = self.entry_or_named(index, Some(name))?;
                if is_asked {
                    return Ok(Some((index, entry)));
                }
            }
        }
        Err(DirectoryError::NoEmptySlot { slots: self.slots.len() })
    }

    /// The entries in the order of writing, each checked as by [`entry`](Directory::entry).
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<Entry<'a>, DirectoryError>> + use<'a> {
        let directory = *self;
        (0..self.len()).map(move |index| directory.entry(index))
    }

    /// Checks the whole directory: that every entry is right and is what its name leads to, that names are unique
    /// and stand back to back to the end of the section, that objects are in order and do not overlap, and that
    /// reserved bytes are zero.
    ///
    /// O(n log n) time, for the uniqueness of names, and 17 bytes of memory per entry.
    ///
    /// # Errors
    /// Each [`DirectoryError`] but `NoEntry` and those of [`new`](Directory::new).
    ///
    /// Source: SPEC 4.4, SPEC 7.
    pub fn check(&self) -> Result<(), DirectoryError> {
        let index_end = COUNTS.saturating_add(self.slots.as_flattened().len());
        let entries_start = self.names.saturating_sub(self.entries.as_flattened().len());
        let padding = self.bytes.get(index_end..entries_start).unwrap_or_default();
        if padding.iter().any(|&byte| byte != 0) {
            let got = padding.iter().rev().fold(0, |got, &byte| got << 8 | u32::from(byte));
            return Err(DirectoryError::Reserved {
                position: self.position.saturating_add(index_end as u64),
                got,
            });
        }

        let mut names = Vec::with_capacity(self.len());
        let mut name_position = self.position.saturating_add(self.names as u64);
        let mut object_position = self.objects.0;
        for (index, entry) in self.iter().enumerate() {
            let entry = entry?;
            let computed = checksum(entry.name.as_bytes());
            if self.hash(index) != computed {
                return Err(DirectoryError::NameHash {
                    name: entry.name.to_string(),
                    position: self.entry_position(index),
                    recorded: self.hash(index),
                    computed,
                });
            }
            let got = PLACES[1].get(&self.entries[index]);
            if got != name_position {
                let name = entry.name.to_string();
                return Err(DirectoryError::NamePosition { name, got, expected: name_position });
            }
            name_position = name_position.saturating_add(entry.name.len() as u64);
            if entry.object.position < object_position {
                return Err(DirectoryError::ObjectOverlap {
                    name: entry.name.to_string(),
                    object: entry.object,
                    free: object_position,
                });
            }
            object_position = entry.object.end().unwrap_or(u64::MAX);
            names.push(entry.name);
        }
        let end = self.position.saturating_add(self.bytes.len() as u64);
        if name_position != end {
            return Err(DirectoryError::Trailing {
                position: name_position,
                bytes: end.saturating_sub(name_position),
            });
        }
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(DirectoryError::DuplicateName { name: pair[0].to_string() });
        }
        self.check_slots()
    }

    /// Checks that each entry is in exactly one slot and that a search gets there.
    ///
    /// A search from an entry's home gets to its slot exactly if no slot between the two is empty. So one pass that
    /// counts the full slots before each slot answers for all entries, whereas a search for each would be quadratic
    /// on bytes that someone chose. Names are unique here, so no search ends too early either.
    fn check_slots(&self) -> Result<(), DirectoryError> {
        let mut seen = alloc::vec![false; self.len()];
        let mut start = None;
        for slot in 0..self.slots.len() {
            match self.slot(slot)? {
                None => start = Some(slot),
                Some(index) => {
                    if core::mem::replace(&mut seen[index], true) {
                        return Err(DirectoryError::DuplicateSlot { slot, entry: index });
                    }
                }
            }
        }
        if let Some(entry) = seen.iter().position(|seen| !seen) {
            return Err(DirectoryError::NotIndexed { entry });
        }
        let Some(start) = start else {
            return Err(DirectoryError::NoEmptySlot { slots: self.slots.len() });
        };
        let mut full = 0usize;
        for slot in (start..self.slots.len()).chain(0..start) {
            let Some(index) = self.slot(slot)? else {
                full = 0;
                continue;
            };
            let home = home(self.hash(index), self.slots.len());
            // Modulo the number of slots, a power of two.
            let distance = slot.wrapping_sub(home) & self.slots.len().wrapping_sub(1);
            if distance > full {
                return Err(DirectoryError::Unreachable { entry: index, slot, home });
            }
            full = full.saturating_add(1);
        }
        Ok(())
    }

    /// The number of the entry that a slot leads to. `slot` is below the number of slots.
    #[inline]
    fn slot(&self, slot: usize) -> Result<Option<usize>, DirectoryError> {
        let got = self.slots.get(slot).map_or(0, |&bytes| u32::from_le_bytes(bytes));
        let Some(index) = got.checked_sub(1) else { return Ok(None) };
        match usize::try_from(index) {
            Ok(index) if index < self.len() => Ok(Some(index)),
            _ => {
                let position = (COUNTS as u64).saturating_add((slot as u64).saturating_mul(SLOT as u64));
                let position = self.position.saturating_add(position);
                Err(DirectoryError::Slot { position, got, entries: self.len() })
            }
        }
    }

    /// Has the processor fetch the entry of the slot behind this one, while it waits for this one's: every third search
    /// goes on to it.
    #[inline]
    fn read_ahead(&self, slot: usize) {
        let next = self.slots.get(slot.saturating_add(1)).map_or(0, |&bytes| u32::from_le_bytes(bytes));
        if let Some(index) = next.checked_sub(1) {
            fetch(self.entries.as_flattened(), u64::from(index).saturating_mul(ENTRY as u64));
        }
    }

    /// Has the processor fetch the root of an entry's object, while it waits for the entry's name.
    #[inline]
    fn read_ahead_object(&self, index: usize) {
        if let Some(entry) = self.entries.get(index) {
            let [.., object_position, _, root, _, _, _] = PLACES;
            let at = object_position.get(entry).saturating_add(root.get(entry));
            fetch(self.segment, at);
        }
    }

    /// The hash that an entry records for its name.
    #[inline]
    fn hash(&self, index: usize) -> u64 {
        self.entries.get(index).map_or(0, |entry| NAME_HASH.get(entry))
    }

    /// Where an entry stands in the segment.
    fn entry_position(&self, index: usize) -> u64 {
        let entries = self.names.saturating_sub(self.entries.as_flattened().len());
        let before = (entries as u64).saturating_add((index as u64).saturating_mul(ENTRY as u64));
        self.position.saturating_add(before)
    }

    /// The bytes of a name, if they are where names are.
    #[inline]
    fn name(&self, at: Section) -> Option<&'a [u8]> {
        let position = at.position.checked_sub(self.position)?.checked_sub(self.names as u64)?;
        Section { position, length: at.length }.of(self.bytes.get(self.names..)?)
    }
}

/// The number at `offset`, if it is there.
fn number(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_fill_an_entry_without_gaps() {
        let mut end = 0;
        for place in PLACES {
            assert_eq!(place.offset, end, "{place:?}");
            end += place.size;
        }
        assert_eq!(end, ENTRY);
    }
}
