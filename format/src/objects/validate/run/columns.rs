//! Checks of a few bytes in each value of a run.

use super::state::{Machine, Wrong};
use crate::objects::damage::Damage;
use crate::objects::validate::column::{Column, Columns, Flat};
use crate::objects::validate::words::Words;

impl Flat {
    /// What the byte has to be below.
    fn limit(self) -> u8 {
        match self {
            Flat::Below(limit) => limit,
            _ => 2,
        }
    }
}

impl<W: Words, const SPLIT: bool> Machine<'_, W, SPLIT> {
    /// Checks columns of `count` values of `size` bytes at `at`.
    pub(super) fn columns(&self, columns: Columns, at: u64, size: u64, count: u64) -> Result<(), Wrong> {
        for number in columns.0..columns.1 {
            let Column { at: offset, flat } = self.program.columns[number as usize];
            let mut places = (0..count).map(|i| at + offset + i * size);
            // SAFETY: the column's bytes are inside each value, and the values are claimed; so it is with what follows.
            let byte = |at: u64| unsafe { self.bytes.byte(at) };
            let wrong = match flat {
                Flat::Bool | Flat::Below(_) if size == 1 => {
                    // SAFETY: as above: values of one byte are all bytes.
                    let bytes = unsafe { self.bytes.slice(at + offset, count) };
                    let most = bytes.iter().fold(0, |most, byte| most.max(*byte));
                    if most < flat.limit() { None } else { places.find(|at| byte(*at) >= flat.limit()) }
                }
                Flat::Bool | Flat::Below(_) => places.find(|at| byte(*at) >= flat.limit()),
                Flat::Tags(tags) => {
                    let tags = &self.program.tags[tags as usize];
                    places.find(|at| tags[usize::from(byte(*at) / 64)] >> (byte(*at) % 64) & 1 == 0)
                }
                Flat::Char { big } => places.find(|at| {
                    // SAFETY: as above.
                    char::from_u32(unsafe { self.bytes.u32(*at, big) }).is_none()
                }),
                Flat::NonZero(width) => places.find(|at| {
                    // SAFETY: as above.
                    let number = unsafe { self.bytes.slice(*at, width.into()) };
                    number.iter().all(|byte| *byte == 0)
                }),
                Flat::Nanoseconds { big } => places.find(|at| {
                    // SAFETY: as above.
                    unsafe { self.bytes.u32(*at, big) >= 1_000_000_000 }
                }),
            };
            let Some(place) = wrong else { continue };
            let cause = match flat {
                Flat::Bool => Damage::Bool { got: byte(place) },
                Flat::Below(_) | Flat::Tags(_) => Damage::Tag { got: byte(place) },
                // SAFETY: as above: it was read before.
                Flat::Char { big } => Damage::Char { got: unsafe { self.bytes.u32(place, big) } },
                Flat::NonZero(_) => Damage::Zero,
                Flat::Nanoseconds { big } => {
                    // SAFETY: as above.
                    Damage::Nanoseconds { got: unsafe { self.bytes.u32(place, big) } }
                }
            };
            let index = (place - at - offset).checked_div(size).unwrap_or(0);
            return Err(Wrong { offset: place, cause, column: Some((index, number)) });
        }
        Ok(())
    }
}
