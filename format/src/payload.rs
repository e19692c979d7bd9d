//! The three traits of archived bytes that rkyv fixes for a whole build.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use core::fmt;

use rkyv::primitive::{ArchivedU32, ArchivedUsize};
use rkyv::rend::{u32_be, u32_le, unaligned::u32_ube, unaligned::u32_ule};

/// How the numbers and relative offsets of a segment's objects are encoded.
///
/// rkyv fixes all three for a build, by cargo features. A segment records them, so that a reader of another
/// build refuses instead of misreading.
///
/// Source: SPEC 4 (header fields), SPEC 5 (relative pointers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Payload {
    /// Numbers are in big-endian order, otherwise little-endian.
    pub big_endian: bool,
    /// Bytes of a relative offset and of a length: 2, 4 or 8.
    pub offset_width: u8,
    /// Numbers have alignment 1, otherwise their natural alignment.
    pub unaligned: bool,
}

/// The byte order of a number's type.
trait Order {
    const BIG_ENDIAN: bool;
}

macro_rules! orders {
    ($($ty:ty: $big_endian:literal;)*) => {$(
        impl Order for $ty {
            const BIG_ENDIAN: bool = $big_endian;
        }
    )*};
}
orders! {
    u32_le: false;
    u32_ule: false;
    u32_be: true;
    u32_ube: true;
}

impl Payload {
    /// The traits of this build, measured of rkyv's own archived types: its cargo features may be switched on by any crate
    /// of the program, whatever ours say.
    pub const NATIVE: Payload = Payload {
        big_endian: <ArchivedU32 as Order>::BIG_ENDIAN,
        offset_width: size_of::<ArchivedUsize>() as u8,
        unaligned: align_of::<ArchivedU32>() == 1,
    };

    /// The largest position in an object that a relative offset of this width can reach from anywhere: 2^(8w-1)-1.
    ///
    /// # Examples
    /// ```
    /// use graven_format::Payload;
    /// let narrow = Payload { big_endian: false, offset_width: 2, unaligned: false };
    /// assert_eq!(narrow.max_position(), 32_767);
    /// ```
    /// Source: SPEC 11 (limits).
    pub const fn max_position(self) -> u64 {
        let bits = (self.offset_width as u32).saturating_mul(8);
        match u64::MAX.checked_shr(65u32.saturating_sub(bits)) {
            Some(position) => position,
            None => 0,
        }
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-endian, {}-bit offsets, {}",
            if self.big_endian { "big" } else { "little" },
            u32::from(self.offset_width) * 8,
            if self.unaligned { "unaligned" } else { "aligned" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_traits_are_those_of_the_archived_primitives() {
        // By their bytes, where the constants go by their types.
        let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&1u32).unwrap();
        assert_eq!(bytes[..] == [0, 0, 0, 1], Payload::NATIVE.big_endian);
        assert_eq!(align_of::<rkyv::primitive::ArchivedU64>() == 1, Payload::NATIVE.unaligned);
        assert_eq!(size_of::<rkyv::boxed::ArchivedBox<u8>>(), usize::from(Payload::NATIVE.offset_width));
    }

    #[test]
    fn max_position_is_the_largest_signed_offset() {
        let max = |offset_width| Payload { offset_width, ..Payload::NATIVE }.max_position();
        assert_eq!((max(2), max(4), max(8)), (0x7fff, 0x7fff_ffff, 0x7fff_ffff_ffff_ffff));
        // No width that a header can have.
        assert_eq!((max(0), max(9), max(255)), (0, u64::MAX, u64::MAX));
    }
}
