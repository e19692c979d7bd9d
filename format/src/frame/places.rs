//! Where things stand: numbers in headers and directory entries, sections in segments.
//!
//! A structure's numbers have one table of [`Place`]s. Encoding, decoding, the offsets in errors and the tests of SPEC's
//! tables all go through it, so they cannot disagree. Bytes that a table leaves out are reserved.
//!
//! Source: SPEC 4.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use core::fmt;

/// A run of a segment's bytes.
///
/// Source: SPEC 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Section {
    /// Where the first byte is, from the segment base.
    pub position: u64,
    /// Bytes.
    pub length: u64,
}

impl Section {
    /// The position after the last byte, or `None` where that is no `u64`.
    ///
    /// # Examples
    /// ```
    /// use graven_format::Section;
    /// assert_eq!(Section { position: 4096, length: 16 }.end(), Some(4112));
    /// assert_eq!(Section { position: u64::MAX, length: 16 }.end(), None);
    /// ```
    #[inline]
    pub const fn end(self) -> Option<u64> {
        self.position.checked_add(self.length)
    }

    /// These bytes of `segment`, or `None` where it does not have them all. O(1).
    #[inline]
    pub fn of(self, segment: &[u8]) -> Option<&[u8]> {
        let from = usize::try_from(self.position).ok()?;
        let to = usize::try_from(self.end()?).ok()?;
        segment.get(from..to)
    }

    /// Whether all bytes are between `from` and `to`. An empty section may stand at `to`.
    #[inline]
    pub(crate) fn within(self, from: u64, to: u64) -> bool {
        self.position >= from && self.end().is_some_and(|end| end <= to)
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at position {}", self.length, self.position)
    }
}

/// Where a little-endian number stands in a structure of fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// What SPEC calls the number.
    pub name: &'static str,
    /// Bytes from the start of the structure.
    pub offset: usize,
    /// Bytes of the number, at most 8.
    pub size: usize,
}

impl Place {
    pub(crate) const fn new(offset: usize, size: usize, name: &'static str) -> Place {
        Place { name, offset, size }
    }

    /// Writes `value` into `structure`: its low `size` bytes.
    pub(crate) fn put(self, structure: &mut [u8], value: u64) {
        let places = structure.iter_mut().skip(self.offset).take(self.size);
        for (place, byte) in places.zip(value.to_le_bytes()) {
            *place = byte;
        }
    }

    /// Reads the number from `structure`. Bytes that are not there count as zero; callers pass whole structures.
    #[inline(always)]
    pub(crate) fn get(self, structure: &[u8]) -> u64 {
        let from = structure.get(self.offset..).unwrap_or_default();
        match self.size {
            1 => from.first().map_or(0, |byte| u64::from(*byte)),
            2 => from.first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes).into()),
            4 => from.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes).into()),
            _ => from.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)),
        }
    }
}

/// What headers of segments and of regions start with.
pub(super) const HEAD: [Place; 5] = [
    Place::new(0, 8, "magic"),
    Place::new(8, 2, "format version"),
    Place::new(10, 2, "header length"),
    Place::new(12, 4, "incompatible features"),
    Place::new(16, 4, "compatible features"),
];
/// What they end with: it covers every byte before it.
pub(super) const CHECKSUM: Place = Place::new(248, 8, "header checksum");
