//! Texts: where they are, and whether they are what they have to be.

use core::hint::select_unpredictable;

use super::state::{Machine, Wrong, claim};
use crate::objects::damage::Damage;
use crate::objects::validate::words::{Bytes, Words};

impl<W: Words, const SPLIT: bool> Machine<'_, W, SPLIT> {
    /// Checks the text that the pointer at `place` leads to; where unclaimed bytes start behind it.
    pub(super) fn text(
        &self,
        place: u64,
        nullable: bool,
        c: bool,
        low: u64,
        high: u64,
    ) -> Result<u64, Wrong> {
        // SAFETY: the caller's operation is at `place`, inside its value.
        let distance = unsafe { self.bytes.distance::<W>(place) };
        if nullable && distance == 1 {
            return Ok(low);
        }
        // SAFETY: as above: a pointer with a length.
        let len = unsafe { self.bytes.word::<W>(place + W::WIDTH) };
        let target = place.wrapping_add(distance);
        claim(place, target, len, 1, low, high)?;
        if c {
            // SAFETY: just claimed.
            let text = unsafe { self.bytes.slice(target, len) };
            if text.iter().position(|byte| *byte == 0) != text.len().checked_sub(1) || text.is_empty() {
                return Wrong::at(place, Damage::CString);
            }
        // SAFETY: just claimed.
        } else if !unsafe { self.bytes.is_utf8(target, len) } {
            // SAFETY: just claimed.
            return unsafe { self.not_utf8(place, target, len) };
        }
        Ok(target + len)
    }

    /// The error for bytes that are not UTF-8.
    ///
    /// # Safety
    /// They are inside the object.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn not_utf8(&self, place: u64, start: u64, len: u64) -> Result<u64, Wrong> {
        // SAFETY: our caller's text is inside the object.
        let text = core::str::from_utf8(unsafe { self.bytes.slice(start, len) });
        let valid = text.map_or_else(|error| error.valid_up_to() as u64, |_| len);
        Wrong::at(place, Damage::NotUtf8 { valid })
    }
}

/// Where the text of an rkyv string is.
pub(super) struct Text {
    pub(super) out_of_line: bool,
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Text {
    /// # Safety
    /// The string's bytes are inside the object.
    #[inline(always)]
    pub(super) unsafe fn at<W: Words>(bytes: Bytes<'_>, place: u64) -> Text {
        // SAFETY: inside the string.
        let first = unsafe { bytes.byte(place) };
        // SAFETY: as above.
        let word = unsafe { bytes.word::<W>(place) };
        // SAFETY: as above: a string has two words.
        let distance = unsafe { bytes.distance::<W>(place + W::WIDTH) };
        let outer_len = match W::BIG {
            false => (word & 0x3f) | ((word & !0xff) >> 2),
            true => word & (u64::MAX >> (66 - 8 * W::WIDTH)),
        };
        // SAFETY: as above.
        let inner_len = unsafe { inline_len::<W>(bytes, place) };
        let out_of_line = first & 0xc0 == 0x80;
        Text {
            out_of_line,
            start: select_unpredictable(out_of_line, place.wrapping_add(distance), place),
            len: select_unpredictable(out_of_line, outer_len, inner_len),
        }
    }
}

/// The length of a string's text if it is in line: up to the first 0xff.
///
/// # Safety
/// The string's bytes are inside the object.
#[inline(always)]
unsafe fn inline_len<W: Words>(bytes: Bytes<'_>, place: u64) -> u64 {
    /// The position of the first byte of ones in the lowest `size` bytes, or `size`.
    #[inline(always)]
    fn first_ones(number: u64, size: u64) -> u64 {
        const LOW: u64 = 0x0101_0101_0101_0101;
        // A byte of `zeros` is zero where a byte of `number` is ones; above the first such byte more may be marked.
        let zeros = !number;
        let marks = zeros.wrapping_sub(LOW) & number & (LOW << 7);
        (u64::from(marks.trailing_zeros()) / 8).min(size)
    }
    // SAFETY: our caller's promise, for each read of as many bytes as the string has.
    let text = unsafe { bytes.slice(place, 2 * W::WIDTH) };
    let number = |text: &[u8]| {
        let mut number = [0; 8];
        number[..text.len()].copy_from_slice(text);
        u64::from_le_bytes(number)
    };
    match W::WIDTH {
        2 => first_ones(number(&text[..4]), 4),
        4 => first_ones(number(&text[..8]), 8),
        _ => match first_ones(number(&text[..8]), 8) {
            8 => 8 + first_ones(number(&text[8..16]), 8),
            first => first,
        },
    }
}
