//! The header page of a region: what is fixed when it is created, and where its shared words stand.
//!
//! As with segments, one table says where each number stands; bytes that it leaves out are reserved.
//!
//! Source: SPEC 16.1 (layout), SPEC 16.2 (order of the checks).
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use super::header::{Header, HeaderError, check_length, decode, encode};
use super::places::{CHECKSUM, HEAD, Place};

/// What a region says about itself. Fixed when it is created; the words behind it are shared and change.
///
/// # Examples
/// ```
/// use graven_format::{HeaderError, RegionHeader};
/// let header = RegionHeader { typed: false, transient: true, page_size: 4096, size: 5000, id: 7 };
/// assert_eq!(header.length(), 4096 + 8192);
/// let mut bytes = header.encode();
/// assert_eq!(RegionHeader::decode(&bytes), Ok(header));
///
/// bytes[32] ^= 1; // the size
/// assert!(matches!(RegionHeader::decode(&bytes), Err(HeaderError::BadChecksum { .. })));
/// ```
/// Source: SPEC 16.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionHeader {
    /// Whether the body is a segment whose root is edited in place, rather than bytes.
    pub typed: bool,
    /// Whether the region ends when nobody is attached any more.
    pub transient: bool,
    /// Bytes of the header page: a power of two, as in [`Header`].
    pub page_size: u32,
    /// Bytes of the body that were asked for, at least 1.
    pub size: u64,
    /// Random, not 0: unlike that of any other region.
    pub id: u64,
}

const PLACES: [Place; 11] = [
    HEAD[0],
    HEAD[1],
    HEAD[2],
    HEAD[3],
    HEAD[4],
    Place::new(20, 1, "kind"),
    Place::new(21, 1, "lifetime"),
    Place::new(24, 4, "page size"),
    Place::new(32, 8, "size"),
    Place::new(40, 8, "id"),
    CHECKSUM,
];

impl RegionHeader {
    /// Bytes of the part that does not change.
    pub const SIZE: usize = Header::SIZE;
    /// The first eight bytes of a region.
    pub const MAGIC: [u8; 8] = *b"\x89gravRg\n";
    /// The version that this crate writes, and the only one it takes.
    pub const VERSION: u16 = Header::VERSION;
    /// Bytes of a file at most: the offsets behind them are for locks.
    pub const MAX_LENGTH: u64 = 1 << 60;
    /// Where each number stands, in ascending order. Bytes between them are reserved and zero.
    pub const PLACES: &'static [Place] = &PLACES;

    /// Holders of exclusive locks. What the lock does not say: whether one died.
    pub const HOLDERS: usize = 256;
    /// Counts released locks.
    pub const RELEASES: usize = 320;
    /// How many processes wait for a lock, at least.
    pub const WAITING: usize = 384;
    /// Notifications that nobody has taken.
    pub const NOTIFICATIONS: usize = 448;
    /// How many watch the file for notifications.
    pub const WATCHERS: usize = 512;
    /// Whether the region has an owner: 0 or 1.
    pub const OWNED: usize = 576;
    /// A byte that is written to tell those who watch the file.
    pub const BELL: u64 = 640;
    /// Counts exclusive locks of the whole region: who sees the same number again knows that nobody has edited since.
    pub const EDITS: usize = 704;

    /// Bytes of the file: header page and body, whole pages.
    ///
    /// Saturates where a size is more than any file has; [`decode`](RegionHeader::decode) refuses it.
    pub const fn length(&self) -> u64 {
        let page = self.page_size as u64;
        match self.size.checked_next_multiple_of(page) {
            Some(body) => body.saturating_add(page),
            None => u64::MAX,
        }
    }

    /// The bytes of this header, checksum included. What is wrong in the fields is written as it is.
    pub fn encode(&self) -> [u8; RegionHeader::SIZE] {
        let values = [
            u64::from_le_bytes(RegionHeader::MAGIC),
            RegionHeader::VERSION.into(),
            RegionHeader::SIZE as u64,
            0, // No incompatible features exist,
            0, // nor compatible ones.
            self.typed.into(),
            self.transient.into(),
            self.page_size.into(),
            self.size,
            self.id,
        ];
        encode(&PLACES, &values)
    }

    /// Reads the header at the start of `bytes`, which may go on behind it. O(1).
    ///
    /// # Errors
    /// The first [`HeaderError`] in the order of the variants, of those that are not about segments only.
    ///
    /// Source: SPEC 16.2.
    pub fn decode(bytes: &[u8]) -> Result<RegionHeader, HeaderError> {
        let [_, _, _, _, _, kind, lifetime, page_size, size, id, _] =
            decode(bytes, PLACES, RegionHeader::MAGIC)?;
        let header = RegionHeader {
            typed: kind.flag()?,
            transient: lifetime.flag()?,
            page_size: page_size.page_size()?,
            size: size.got,
            id: id.got,
        };
        size.check(header.size > 0 && header.length() <= RegionHeader::MAX_LENGTH)?;
        id.check(header.id != 0)?;
        Ok(header)
    }

    /// Compares the length with the bytes that the file has.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] where there are fewer, [`HeaderError::Extended`] where there are more.
    pub fn check_length(&self, available: u64) -> Result<(), HeaderError> {
        check_length(self.length(), available)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum;

    const HEADER: RegionHeader =
        RegionHeader { typed: true, transient: false, page_size: 4096, size: 4097, id: 1 };

    fn with(offset: usize, byte: u8) -> Result<RegionHeader, HeaderError> {
        let mut bytes = HEADER.encode();
        bytes[offset] = byte;
        let sum = checksum(&bytes[..248]);
        bytes[248..].copy_from_slice(&sum.to_le_bytes());
        RegionHeader::decode(&bytes)
    }

    /// [S16.2]
    #[test]
    fn every_byte_that_a_header_cannot_have_is_refused_with_its_place() {
        assert_eq!(RegionHeader::decode(&HEADER.encode()), Ok(HEADER));
        assert_eq!(RegionHeader::decode(&[0; 8]), Err(HeaderError::Truncated { expected: 256, got: 8 }));
        assert!(matches!(with(0, 0), Err(HeaderError::BadMagic { .. })));
        assert_eq!(with(8, 2), Err(HeaderError::UnsupportedVersion { got: 2 }));
        assert_eq!(with(13, 1), Err(HeaderError::UnsupportedFeature { unknown: 256 }));
        let bad = |field, offset, got| Err(HeaderError::BadField { field, offset, got });
        assert_eq!(with(10, 1), Err(HeaderError::HeaderLength { got: 257 }));
        assert_eq!(with(20, 2), bad("kind", 20, 2));
        assert_eq!(with(21, 2), bad("lifetime", 21, 2));
        assert_eq!(with(24, 1), Err(HeaderError::PageSize { got: 4097 }));
        assert_eq!(with(39, 0x10), bad("size", 32, 1 << 60 | 4097));
        assert_eq!(with(40, 0), bad("id", 40, 0));
        assert_eq!(with(16, 1), Ok(HEADER), "compatible features are ignored");
        for offset in (22..24).chain(28..32).chain(48..248) {
            assert_eq!(with(offset, 1), Err(HeaderError::Reserved { offset, got: 1 }));
        }
        for offset in 0..RegionHeader::SIZE {
            let mut bytes = HEADER.encode();
            bytes[offset] ^= 0x10;
            assert!(RegionHeader::decode(&bytes).is_err(), "offset {offset}");
        }
        assert_eq!(RegionHeader::decode(&[0; 256]), Err(HeaderError::Incomplete));
        assert_eq!(HEADER.check_length(3 * 4096), Ok(()));
        assert_eq!(HEADER.check_length(4 * 4096), Err(HeaderError::Extended { expected: 12288, got: 16384 }));
        assert_eq!(HEADER.check_length(8192), Err(HeaderError::Truncated { expected: 12288, got: 8192 }));
    }
}
