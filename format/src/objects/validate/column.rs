//! Checks of a few bytes: of all values of a run in one loop, or together with an enum's tag.
//!
//! What a variant starts with differs from value to value, so that a branch on it is mispredicted often. A probe is the
//! same few instructions for all of them; only where one does not pass are the variant's own operations asked, which say
//! what is wrong.

use core::ops::Range;

/// What a few bytes have to be, whatever is around them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flat {
    /// A byte that is 0 or 1.
    Bool,
    /// A byte below this: tags that are numbered through.
    Below(u8),
    /// A byte that is one of these tags.
    Tags(u32),
    /// A Unicode scalar value.
    Char { big: bool },
    /// As many bytes, not all zero.
    NonZero(u8),
    /// Less than a second, in nanoseconds.
    Nanoseconds { big: bool },
}

/// A check of each value of a run, at an offset from the value's start. It needs no order, so all values of a run are
/// checked in one loop, before anything else in them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) at: u64,
    pub(super) flat: Flat,
}

/// The columns of a run: from one number to another.
pub(super) type Columns = (u32, u32);

/// A check that takes no branch, whatever it checks: of four bytes at an offset, those that the mask keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    at: u32,
    mask: u32,
    flip: u32,
    less: u32,
    below: u32,
}

impl Probe {
    const SIZE: u64 = 4;

    /// Of bytes that have to be nothing in particular.
    pub(super) const fn passing(at: u32) -> Probe {
        Probe { at, mask: 0, flip: 0, less: 0, below: 1 }
    }

    /// Whether probes can read bytes of a value there.
    pub(super) fn fits(value: &Range<u64>) -> bool {
        value.end - value.start >= Probe::SIZE && value.end <= u32::MAX.into()
    }

    /// A column's check, of bytes of the value, which fits; none if it takes more than that.
    pub(super) fn new(Column { at, flat }: Column, value: &Range<u64>) -> Option<Probe> {
        let start = at.min(value.end - Probe::SIZE);
        let shift = 8 * (at - start) as u32;
        let probe = Probe { mask: u32::MAX, ..Probe::passing(start as u32) };
        match flat {
            Flat::Bool => Some(Probe { mask: 0xff << shift, below: 2 << shift, ..probe }),
            Flat::Below(limit) => {
                Some(Probe { mask: 0xff << shift, below: u32::from(limit) << shift, ..probe })
            }
            // Surrogates become the smallest numbers.
            Flat::Char { big: false } if shift == 0 => {
                Some(Probe { flip: 0xd800, less: 0x800, below: 0x11_0000 - 0x800, ..probe })
            }
            Flat::Nanoseconds { big: false } if shift == 0 => Some(Probe { below: 1_000_000_000, ..probe }),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn at(self) -> u64 {
        self.at.into()
    }

    #[inline]
    pub(super) fn passes(self, bytes: u32) -> bool {
        ((bytes & self.mask) ^ self.flip).wrapping_sub(self.less) < self.below
    }
}
