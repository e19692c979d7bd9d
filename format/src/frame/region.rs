//! The header page of a region: what is fixed when it is created, and where its shared words stand.
//!
//! As with segments, one table says where each number stands; bytes that it leaves out are reserved.
//!
//! Source: SPEC 16.1 (layout), SPEC 16.2 (order of the checks).
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use core::fmt;

use crate::{Header, Place, checksum};

/// What a region says about itself. Fixed when it is created; the words behind it are shared and change.
///
/// # Examples
/// ```
/// use graven_format::{RegionHeader, RegionHeaderError};
/// let header = RegionHeader { typed: false, transient: true, page_size: 4096, size: 5000, id: 7 };
/// assert_eq!(header.length(), 4096 + 8192);
/// let mut bytes = header.encode();
/// assert_eq!(RegionHeader::decode(&bytes), Ok(header));
///
/// bytes[32] ^= 1; // the size
/// assert!(matches!(RegionHeader::decode(&bytes), Err(RegionHeaderError::BadChecksum { .. })));
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
    Place::new(0, 8, "magic"),
    Place::new(8, 2, "format version"),
    Place::new(10, 2, "header length"),
    Place::new(12, 4, "incompatible features"),
    Place::new(16, 4, "compatible features"),
    Place::new(20, 1, "kind"),
    Place::new(21, 1, "lifetime"),
    Place::new(24, 4, "page size"),
    Place::new(32, 8, "size"),
    Place::new(40, 8, "id"),
    CHECKSUM,
];
const CHECKSUM: Place = Place::new(248, 8, "header checksum");

impl RegionHeader {
    /// Bytes of the part that does not change.
    pub const SIZE: usize = 256;
    /// The first eight bytes of a region.
    pub const MAGIC: [u8; 8] = *b"\x89gravRg\n";
    /// The version that this crate writes, and the only one it takes.
    pub const VERSION: u16 = 1;
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
        let mut bytes = [0; RegionHeader::SIZE];
        for (place, value) in PLACES.iter().zip(values) {
            place.put(&mut bytes, value);
        }
        let sum = checksum(&bytes[..CHECKSUM.offset]);
        CHECKSUM.put(&mut bytes, sum);
        bytes
    }

    /// Reads the header at the start of `bytes`, which may go on behind it. O(1).
    ///
    /// # Errors
    /// The first [`RegionHeaderError`] in the order of the variants, but that `Length` is for
    /// [`check_length`](RegionHeader::check_length).
    ///
    /// Source: SPEC 16.2.
    pub fn decode(bytes: &[u8]) -> Result<RegionHeader, RegionHeaderError> {
        let Some(bytes) = bytes.first_chunk::<{ RegionHeader::SIZE }>() else {
            return Err(RegionHeaderError::Truncated { got: bytes.len() as u64 });
        };
        let [magic, version, length, incompat, _, kind, lifetime, page_size, size, id, recorded] =
            PLACES.map(|place| place.get(bytes));
        if magic != u64::from_le_bytes(RegionHeader::MAGIC) {
            return Err(RegionHeaderError::BadMagic { got: magic.to_le_bytes() });
        }
        if version != u64::from(RegionHeader::VERSION) {
            return Err(RegionHeaderError::UnsupportedVersion { got: version as u16 });
        }
        let computed = checksum(&bytes[..CHECKSUM.offset]);
        if recorded != computed {
            return Err(RegionHeaderError::BadChecksum { recorded, computed });
        }
        if incompat != 0 {
            return Err(RegionHeaderError::UnsupportedFeature { unknown: incompat as u32 });
        }
        let mut reserved =
            PLACES.windows(2).flat_map(|pair| pair[0].offset.saturating_add(pair[0].size)..pair[1].offset);
        if let Some(offset) = reserved.find(|&offset| bytes[offset] != 0) {
            return Err(RegionHeaderError::Reserved { offset, got: bytes[offset] });
        }
        let pages = u64::from(Header::MIN_PAGE_SIZE)..=u64::from(Header::MAX_PAGE_SIZE);
        let header = RegionHeader {
            typed: kind == 1,
            transient: lifetime == 1,
            page_size: page_size as u32,
            size,
            id,
        };
        let good = [
            length == RegionHeader::SIZE as u64,
            kind <= 1,
            lifetime <= 1,
            page_size.is_power_of_two() && pages.contains(&page_size),
            size > 0 && header.length() <= RegionHeader::MAX_LENGTH,
            id != 0,
        ];
        let fields = [2, 5, 6, 7, 8, 9].map(|field: usize| PLACES[field]);
        match good.iter().position(|good| !good).map(|index| fields[index]) {
            Some(Place { name: field, offset, .. }) => {
                let got =
                    PLACES.iter().find(|place| place.offset == offset).map_or(0, |place| place.get(bytes));
                Err(RegionHeaderError::BadField { field, offset, got })
            }
            None => Ok(header),
        }
    }

    /// Compares the length with the bytes that the file has.
    ///
    /// # Errors
    /// [`RegionHeaderError::Length`].
    pub fn check_length(&self, available: u64) -> Result<(), RegionHeaderError> {
        match self.length() == available {
            true => Ok(()),
            false => Err(RegionHeaderError::Length { expected: self.length(), got: available }),
        }
    }
}

/// Why a file is not a region that this build attaches to. Variants follow the order of the checks.
///
/// Source: SPEC 16.2.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionHeaderError {
    /// Fewer bytes than a header: no region was created here, since a region appears whole.
    Truncated {
        /// Bytes that are there.
        got: u64,
    },
    /// The first bytes are not those of a region.
    BadMagic {
        /// The bytes.
        got: [u8; 8],
    },
    /// Another version. Update the program.
    UnsupportedVersion {
        /// The version.
        got: u16,
    },
    /// The header was changed after it was written.
    BadChecksum {
        /// What the header says.
        recorded: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// The region needs a feature that this program does not know.
    UnsupportedFeature {
        /// The unknown bits.
        unknown: u32,
    },
    /// A reserved byte is in use.
    Reserved {
        /// The first such byte.
        offset: usize,
        /// Its value.
        got: u8,
    },
    /// A number outside what the specification allows there.
    BadField {
        /// What SPEC calls the number.
        field: &'static str,
        /// Where it stands.
        offset: usize,
        /// Its value.
        got: u64,
    },
    /// The file is shorter or longer than the region: somebody changed its length.
    Length {
        /// Bytes that the region has.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
}

impl fmt::Display for RegionHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { got } => write!(
                f,
                "not a graven region: {got} bytes, a header has {}; remove the file and create the region again",
                RegionHeader::SIZE
            ),
            Self::BadMagic { got } => write!(
                f,
                "not a graven region: offset 0 has \"{}\" instead of \"{}\"; check the key and the store",
                got.escape_ascii(),
                RegionHeader::MAGIC.escape_ascii()
            ),
            Self::UnsupportedVersion { got } => write!(
                f,
                "region version {got} at offset 8 is not supported: this program knows version {}; {}",
                RegionHeader::VERSION,
                if *got > RegionHeader::VERSION { "update it" } else { "create the region again" }
            ),
            Self::BadChecksum { recorded, computed } => write!(
                f,
                "region header damaged: checksum {recorded:#018x} at offset {}, computed {computed:#018x}; \
                 create the region again",
                CHECKSUM.offset
            ),
            Self::UnsupportedFeature { unknown } => write!(
                f,
                "region needs features this program does not know: bits {unknown:#010x} at offset 12; update it"
            ),
            Self::Reserved { offset, got } => write!(
                f,
                "region header wrong: reserved byte at offset {offset} is {got:#04x}, not 0; its writer breaks the format"
            ),
            Self::BadField { field, offset, got } => write!(
                f,
                "region header wrong: {field} at offset {offset} may not be {got}; its writer breaks the format"
            ),
            Self::Length { expected, got } => write!(
                f,
                "region damaged: {expected} bytes expected, the file has {got}; create the region again"
            ),
        }
    }
}

crate::debug_as_display!(RegionHeaderError);
impl core::error::Error for RegionHeaderError {}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: RegionHeader =
        RegionHeader { typed: true, transient: false, page_size: 4096, size: 4097, id: 1 };

    fn with(offset: usize, byte: u8) -> Result<RegionHeader, RegionHeaderError> {
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
        assert_eq!(RegionHeader::decode(&[0; 8]), Err(RegionHeaderError::Truncated { got: 8 }));
        assert!(matches!(with(0, 0), Err(RegionHeaderError::BadMagic { .. })));
        assert_eq!(with(8, 2), Err(RegionHeaderError::UnsupportedVersion { got: 2 }));
        assert_eq!(with(13, 1), Err(RegionHeaderError::UnsupportedFeature { unknown: 256 }));
        let bad = |field, offset, got| Err(RegionHeaderError::BadField { field, offset, got });
        assert_eq!(with(10, 1), bad("header length", 10, 257));
        assert_eq!(with(20, 2), bad("kind", 20, 2));
        assert_eq!(with(21, 2), bad("lifetime", 21, 2));
        assert_eq!(with(24, 1), bad("page size", 24, 4097));
        assert_eq!(with(39, 0x10), bad("size", 32, 1 << 60 | 4097));
        assert_eq!(with(40, 0), bad("id", 40, 0));
        assert_eq!(with(16, 1), Ok(HEADER), "compatible features are ignored");
        for offset in (22..24).chain(28..32).chain(48..248) {
            assert_eq!(with(offset, 1), Err(RegionHeaderError::Reserved { offset, got: 1 }));
        }
        for offset in 0..RegionHeader::SIZE {
            let mut bytes = HEADER.encode();
            bytes[offset] ^= 0x10;
            assert!(RegionHeader::decode(&bytes).is_err(), "offset {offset}");
        }
        assert_eq!(HEADER.check_length(3 * 4096), Ok(()));
        assert_eq!(HEADER.check_length(8192), Err(RegionHeaderError::Length { expected: 12288, got: 8192 }));
    }
}
