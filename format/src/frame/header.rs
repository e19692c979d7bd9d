//! The header: the first 256 bytes of a segment, readable by every reader whatever the objects' encoding.
//!
//! The header page of a region starts alike, and is read by the same checks.
//!
//! Source: SPEC 4 (layout), SPEC 8 (order of the checks).
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use core::fmt;

use super::places::{CHECKSUM, HEAD, Place, Section};
use crate::{Payload, checksum};

/// How the pointers inside a segment's objects are stored.
///
/// Source: SPEC 4 (mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mode {
    /// As distances: the segment can be read at any address.
    Relative = 0,
    /// As addresses: the segment belongs at [`Header::address`].
    Fixed = 1,
}

/// What a segment says about itself.
///
/// # Examples
/// ```
/// use graven_format::{Header, HeaderError, Mode, Payload, Section};
/// let header = Header {
///     compat: 0,
///     payload: Payload::NATIVE,
///     mode: Mode::Relative,
///     page_size: 4096,
///     length: 8192,
///     address: 0,
///     file_offset: 0,
///     generation: 7,
///     schema: Section { position: 4096, length: 32 },
///     directory: Section { position: 4128, length: 24 },
///     relocations: Section::default(),
///     schema_checksum: 0,
///     directory_checksum: 0,
///     relocations_checksum: 0,
/// };
/// let mut bytes = header.encode();
/// assert_eq!(Header::decode(&bytes), Ok(header));
///
/// bytes[56] ^= 1; // the generation
/// assert!(matches!(Header::decode(&bytes), Err(HeaderError::BadChecksum { .. })));
/// ```
/// Source: SPEC 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Feature bits that a reader may ignore.
    pub compat: u32,
    /// How numbers and relative offsets of the objects are encoded.
    pub payload: Payload,
    /// How pointers of the objects are stored.
    pub mode: Mode,
    /// Bytes: a power of two, [`MIN_PAGE_SIZE`](Header::MIN_PAGE_SIZE) to [`MAX_PAGE_SIZE`](Header::MAX_PAGE_SIZE).
    /// The header has a page of its own.
    pub page_size: u32,
    /// Bytes of the whole segment: a multiple of the page size.
    pub length: u64,
    /// The address that the segment wants (relative mode, 0: any) or needs (fixed mode). A multiple of the page size.
    pub address: u64,
    /// In fixed mode the segment's offset in its file, a multiple of the page size; 0 in relative mode.
    pub file_offset: u64,
    /// Counter of a name's publishes; 0 in a segment that was never published.
    pub generation: u64,
    /// The tables of types.
    pub schema: Section,
    /// The directory of objects.
    pub directory: Section,
    /// Where addresses stand in a fixed segment; empty at 0 in relative mode.
    pub relocations: Section,
    /// XXH64 of the schema section.
    pub schema_checksum: u64,
    /// XXH64 of the directory section.
    pub directory_checksum: u64,
    /// XXH64 of the relocations section; 0 where there is none.
    pub relocations_checksum: u64,
}

const PLACES: [Place; 24] = [
    HEAD[0],
    HEAD[1],
    HEAD[2],
    HEAD[3],
    HEAD[4],
    Place::new(20, 1, "endianness"),
    Place::new(21, 1, "offset width"),
    Place::new(22, 1, "alignment"),
    Place::new(23, 1, "mode"),
    Place::new(24, 4, "page size"),
    Place::new(32, 8, "length"),
    Place::new(40, 8, "address"),
    Place::new(48, 8, "file offset"),
    Place::new(56, 8, "generation"),
    Place::new(64, 8, "schema position"),
    Place::new(72, 8, "schema length"),
    Place::new(80, 8, "directory position"),
    Place::new(88, 8, "directory length"),
    Place::new(96, 8, "relocations position"),
    Place::new(104, 8, "relocations length"),
    Place::new(112, 8, "schema checksum"),
    Place::new(120, 8, "directory checksum"),
    Place::new(128, 8, "relocations checksum"),
    CHECKSUM,
];

impl Header {
    /// Bytes of the header.
    pub const SIZE: usize = 256;
    /// The first eight bytes of a segment. The first is no ASCII and the last a line feed, so that a transfer that
    /// cuts bit 7 or translates line ends is noticed as such.
    pub const MAGIC: [u8; 8] = *b"\x89graven\n";
    /// The format version that this crate writes, and the only one it reads.
    pub const VERSION: u16 = 1;
    /// The smallest page size a segment may have.
    pub const MIN_PAGE_SIZE: u32 = 4096;
    /// The largest page size a segment may have.
    pub const MAX_PAGE_SIZE: u32 = 65536;
    /// Where each number stands, in ascending order. Bytes between them are reserved and zero.
    ///
    /// For programs that print a header byte by byte.
    pub const PLACES: &'static [Place] = &PLACES;

    /// The bytes of this header, checksum included.
    ///
    /// O(1). What is wrong in the fields is written as it is: [`decode`](Header::decode) refuses it.
    ///
    /// Source: SPEC 4.
    pub fn encode(&self) -> [u8; Header::SIZE] {
        let values = [
            u64::from_le_bytes(Header::MAGIC),
            Header::VERSION.into(),
            Header::SIZE as u64,
            0, // No incompatible features exist.
            self.compat.into(),
            self.payload.big_endian.into(),
            self.payload.offset_width.into(),
            self.payload.unaligned.into(),
            self.mode as u64,
            self.page_size.into(),
            self.length,
            self.address,
            self.file_offset,
            self.generation,
            self.schema.position,
            self.schema.length,
            self.directory.position,
            self.directory.length,
            self.relocations.position,
            self.relocations.length,
            self.schema_checksum,
            self.directory_checksum,
            self.relocations_checksum,
        ];
        encode(&PLACES, &values)
    }

    /// Reads the header at the start of `bytes`, which may go on behind it.
    ///
    /// O(1): 256 bytes are read. All checks are made that need nothing else; follow with
    /// [`check_length`](Header::check_length), and with [`check_payload`](Header::check_payload) before objects are
    /// read.
    ///
    /// # Errors
    /// Each [`HeaderError`] but `Extended`, `ForeignPayload` and `FixedMode`: the first one in the order of the
    /// variants, but that address and file offset ([`HeaderError::BadField`]) come last, as they need the page size.
    ///
    /// Source: SPEC 4, SPEC 8.
    pub fn decode(bytes: &[u8]) -> Result<Header, HeaderError> {
        let [
            _magic,
            _version,
            _header_length,
            _incompat,
            compat,
            endian,
            offset_width,
            alignment,
            mode,
            page_size,
            length,
            address,
            file_offset,
            generation,
            schema_position,
            schema_length,
            directory_position,
            directory_length,
            relocations_position,
            relocations_length,
            schema_checksum,
            directory_checksum,
            relocations_checksum,
            _checksum,
        ] = decode(bytes, PLACES, Header::MAGIC)?;

        let payload = Payload {
            big_endian: endian.flag()?,
            offset_width: match offset_width.got {
                2 | 4 | 8 => offset_width.got as u8,
                _ => return Err(offset_width.bad()),
            },
            unaligned: alignment.flag()?,
        };
        let mode = if mode.flag()? { Mode::Fixed } else { Mode::Relative };
        let page = page_size.page_size()?.into();
        if !length.got.is_multiple_of(page) {
            return Err(HeaderError::Length { length: length.got, page_size: page as u32 });
        }

        // The order in the file is fixed, so each section starts where the one before it may end at the earliest.
        let section = |name, position: Number, length_of: Number, from| {
            let section = Section { position: position.got, length: length_of.got };
            if !section.within(from, length.got) {
                return Err(HeaderError::SectionBounds { section: name, got: section, from, to: length.got });
            }
            if !section.position.is_multiple_of(8) {
                return Err(HeaderError::SectionAlign { section: name, position: section.position });
            }
            Ok((section, section.position.saturating_add(section.length)))
        };
        let (schema, end) = section("schema", schema_position, schema_length, page)?;
        let (directory, end) = section("directory", directory_position, directory_length, end)?;
        let mut relocations = Section::default();
        let parts = [relocations_position, relocations_length, relocations_checksum];
        if mode == Mode::Relative {
            parts.into_iter().chain([file_offset]).try_for_each(|value| value.check(value.got == 0))?;
        } else if parts.iter().any(|value| value.got != 0) {
            (relocations, _) = section("relocations", relocations_position, relocations_length, end)?;
        }
        let end = address.got.checked_add(length.got);
        address.check(address.got.is_multiple_of(page) && end.is_some())?;
        address.check(mode == Mode::Relative || address.got != 0)?;
        file_offset.check(file_offset.got.is_multiple_of(page))?;

        Ok(Header {
            compat: compat.got as u32,
            payload,
            mode,
            page_size: page as u32,
            length: length.got,
            address: address.got,
            file_offset: file_offset.got,
            generation: generation.got,
            schema,
            directory,
            relocations,
            schema_checksum: schema_checksum.got,
            directory_checksum: directory_checksum.got,
            relocations_checksum: relocations_checksum.got,
        })
    }

    /// Compares the recorded length with the bytes there are.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] where `available` is less, [`HeaderError::Extended`] where it is more.
    ///
    /// Source: SPEC 8.
    pub fn check_length(&self, available: u64) -> Result<(), HeaderError> {
        check_length(self.length, available)
    }

    /// Asks whether this build can read the segment's objects.
    ///
    /// # Errors
    /// [`HeaderError::ForeignPayload`] where numbers or offsets are encoded unlike this build's,
    /// [`HeaderError::FixedMode`] where pointers are addresses.
    ///
    /// Source: SPEC 8.
    pub fn check_payload(&self) -> Result<(), HeaderError> {
        if self.payload != Payload::NATIVE {
            return Err(HeaderError::ForeignPayload { segment: self.payload, build: Payload::NATIVE });
        }
        match self.mode {
            Mode::Relative => Ok(()),
            Mode::Fixed => Err(HeaderError::FixedMode { address: self.address }),
        }
    }
}

/// A number and where it was read.
#[derive(Clone, Copy)]
pub(super) struct Number {
    place: Place,
    pub(super) got: u64,
}

impl Number {
    fn bad(self) -> HeaderError {
        HeaderError::BadField { field: self.place.name, offset: self.place.offset, got: self.got }
    }

    pub(super) fn check(self, good: bool) -> Result<(), HeaderError> {
        if good { Ok(()) } else { Err(self.bad()) }
    }

    pub(super) fn flag(self) -> Result<bool, HeaderError> {
        self.check(self.got <= 1)?;
        Ok(self.got == 1)
    }

    pub(super) fn page_size(self) -> Result<u32, HeaderError> {
        let pages = u64::from(Header::MIN_PAGE_SIZE)..=u64::from(Header::MAX_PAGE_SIZE);
        match self.got.is_power_of_two() && pages.contains(&self.got) {
            true => Ok(self.got as u32),
            false => Err(HeaderError::PageSize { got: self.got as u32 }),
        }
    }
}

/// The bytes of a header, of a segment or a region: `values` at `places`, and their checksum.
pub(super) fn encode(places: &[Place], values: &[u64]) -> [u8; Header::SIZE] {
    let mut bytes = [0; Header::SIZE];
    for (place, value) in places.iter().zip(values) {
        place.put(&mut bytes, *value);
    }
    let sum = checksum(&bytes[..CHECKSUM.offset]);
    CHECKSUM.put(&mut bytes, sum);
    bytes
}

/// The numbers of the header at the start of `bytes`, of a segment or a region, and what is checked of both: in the order
/// of [`HeaderError`], up to `Reserved`. `places` starts with [`HEAD`] and ends with [`CHECKSUM`].
#[inline]
pub(super) fn decode<const N: usize>(
    bytes: &[u8],
    places: [Place; N],
    expected: [u8; 8],
) -> Result<[Number; N], HeaderError> {
    let Some(bytes) = bytes.first_chunk::<{ Header::SIZE }>() else {
        return Err(HeaderError::Truncated { expected: Header::SIZE as u64, got: bytes.len() as u64 });
    };
    if bytes.iter().all(|&byte| byte == 0) {
        return Err(HeaderError::Incomplete);
    }
    let [magic, version, length, incompat, _] = HEAD.map(|place| place.get(bytes));
    if magic != u64::from_le_bytes(expected) {
        return Err(HeaderError::BadMagic { got: magic.to_le_bytes(), expected });
    }
    if version != u64::from(Header::VERSION) {
        return Err(HeaderError::UnsupportedVersion { got: version as u16 });
    }
    if length != Header::SIZE as u64 {
        return Err(HeaderError::HeaderLength { got: length as u16 });
    }
    let (recorded, computed) = (CHECKSUM.get(bytes), checksum(&bytes[..CHECKSUM.offset]));
    if recorded != computed {
        return Err(HeaderError::BadChecksum { recorded, computed });
    }
    if incompat != 0 {
        return Err(HeaderError::UnsupportedFeature { unknown: incompat as u32 });
    }
    let mut reserved =
        places.windows(2).flat_map(|pair| pair[0].offset.saturating_add(pair[0].size)..pair[1].offset);
    if let Some(offset) = reserved.find(|&offset| bytes[offset] != 0) {
        return Err(HeaderError::Reserved { offset, got: bytes[offset] });
    }
    Ok(places.map(|place| Number { place, got: place.get(bytes) }))
}

/// Compares the length that a header says with the bytes there are.
pub(super) fn check_length(expected: u64, got: u64) -> Result<(), HeaderError> {
    match got {
        got if got < expected => Err(HeaderError::Truncated { expected, got }),
        got if got > expected => Err(HeaderError::Extended { expected, got }),
        _ => Ok(()),
    }
}

/// Why bytes are not a segment, or a region, that this reader accepts.
///
/// Variants follow the order of the checks. What is wrong in a header of a right checksum is its writer's fault.
///
/// Source: SPEC 8, 16.2.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Fewer bytes than a header, or than the header says there are: cut, or still being copied. Get it again.
    #[error("truncated: {expected} bytes expected, {got} found; get all of it again")]
    Truncated {
        /// Bytes that have to be there.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// The header is all zeros: its writer has not finished, or died. Wait, or write it again.
    #[error("incomplete: the header (offset 0) is still zero, so the writer has not finished or died")]
    Incomplete,
    /// The first bytes are others. Look for another file or offset; of a region, check the key and the store.
    #[error("not a graven {}: offset 0 has \"{}\" instead of \"{}\"; check the file and the offset",
        if *.expected == Header::MAGIC { "segment" } else { "region" }, .got.escape_ascii(), .expected.escape_ascii())]
    BadMagic {
        /// The bytes.
        got: [u8; 8],
        /// What they should be.
        expected: [u8; 8],
    },
    /// Another format version. Update the reader, or write it again.
    #[error("format version {got} at offset 8 is not supported: this reader knows version {}; {}",
        Header::VERSION, if *.got > Header::VERSION { "update the reader" } else { "write it again" })]
    UnsupportedVersion {
        /// The version.
        got: u16,
    },
    /// The header's length is not that of its version: damaged.
    #[error(
        "header damaged: length {got} at offset 10, version {} has {}; write it again",
        Header::VERSION,
        Header::SIZE
    )]
    HeaderLength {
        /// The length.
        got: u16,
    },
    /// The header was changed after it was written.
    #[error("header damaged: checksum {recorded:#018x} at offset {}, computed {computed:#018x}; write it again",
        CHECKSUM.offset)]
    BadChecksum {
        /// What the header says.
        recorded: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// It needs a feature that this reader does not know: update the reader.
    #[error(
        "needs features that this reader does not know: bits {unknown:#010x} at offset 12; update the reader"
    )]
    UnsupportedFeature {
        /// The unknown bits.
        unknown: u32,
    },
    /// A reserved byte is in use: not written to this specification.
    #[error(
        "header wrong: reserved byte at offset {offset} is {got:#04x}, not 0; its writer breaks the format"
    )]
    Reserved {
        /// The first such byte.
        offset: usize,
        /// Its value.
        got: u8,
    },
    /// A number outside what the specification allows there.
    #[error("header wrong: {field} at offset {offset} may not be {got}; its writer breaks the format")]
    BadField {
        /// What SPEC calls the number.
        field: &'static str,
        /// Where it stands.
        offset: usize,
        /// Its value.
        got: u64,
    },
    /// The page size is no power of two from 4096 to 65536.
    #[error(
        "header wrong: page size {got} at offset 24 is no power of two from {} to {}; its writer breaks the format",
        Header::MIN_PAGE_SIZE,
        Header::MAX_PAGE_SIZE
    )]
    PageSize {
        /// The page size.
        got: u32,
    },
    /// The length is no multiple of the page size.
    #[error(
        "header wrong: length {length} at offset 32 is no multiple of the page size {page_size}; \
             its writer breaks the format"
    )]
    Length {
        /// The length.
        length: u64,
        /// The page size.
        page_size: u32,
    },
    /// A section reaches out of its part of the segment: into what comes before, or over the end.
    #[error(
        "header wrong: {section} section ({got}) is not between positions {from} and {to}; \
             its writer breaks the format"
    )]
    SectionBounds {
        /// `schema`, `directory` or `relocations`.
        section: &'static str,
        /// Where the header says it is.
        got: Section,
        /// Where the first byte may stand at the earliest.
        from: u64,
        /// Where it has to end at the latest.
        to: u64,
    },
    /// A section does not start at a multiple of 8.
    #[error(
        "header wrong: {section} section at position {position}, no multiple of 8; its writer breaks the format"
    )]
    SectionAlign {
        /// `schema`, `directory` or `relocations`.
        section: &'static str,
        /// Where the header says it starts.
        position: u64,
    },
    /// More bytes than the header says there are: something was appended, or the length asked for is wrong.
    #[error("extended: {expected} bytes expected, {got} found; pass exactly its bytes")]
    Extended {
        /// Bytes that have to be there.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// The objects are encoded for builds with other cargo features, of this crate or, by any other crate of the program, of
    /// rkyv. Intact, but not for this program.
    #[error(
        "segment has another encoding ({segment}) than this build ({build}): build the reader {}",
        Features(segment, build)
    )]
    ForeignPayload {
        /// How the objects are encoded.
        segment: Payload,
        /// What this build reads.
        build: Payload,
    },
    /// The objects hold addresses: this reader takes segments with relative pointers only.
    #[error(
        "segment holds raw pointers for address {address:#x} (fixed mode, offset 23): \
             this reader takes relative segments only"
    )]
    FixedMode {
        /// Where the segment belongs.
        address: u64,
    },
}

crate::debug_as_display!(HeaderError);

/// Which cargo features make a build (the second) read a segment (the first).
struct Features<'a>(&'a Payload, &'a Payload);

impl fmt::Display for Features<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Features(segment, build) = self;
        let features = [
            ("big_endian", segment.big_endian, build.big_endian),
            ("pointer_width_16", segment.offset_width == 2, build.offset_width == 2),
            ("pointer_width_64", segment.offset_width == 8, build.offset_width == 8),
            ("unaligned", segment.unaligned, build.unaligned),
        ];
        let mut separator = "";
        for (feature, wanted, _) in features.into_iter().filter(|(_, wanted, present)| wanted != present) {
            write!(f, "{separator}{} the feature `{feature}`", if wanted { "with" } else { "without" })?;
            separator = " and ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_order_and_overlap_nowhere() {
        for pair in PLACES.windows(2) {
            assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{pair:?}");
        }
        assert_eq!(CHECKSUM.offset + CHECKSUM.size, Header::SIZE);
    }
}
