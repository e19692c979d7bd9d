//! Handles on sets in the table of a topology.

use core::fmt;
use core::ops::Range;

use super::records::{SetEntry, Span};
use super::set::{Bits, END};
use super::tables::Tables;

/// A set of a topology, read in place. Tests and text forms are those of [`Bits`].
pub struct SetRef<'a, T> {
    topology: &'a T,
    entry: SetEntry,
}

impl<T> Clone for SetRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SetRef<'_, T> {}

impl<'a, T: Tables> SetRef<'a, T> {
    pub(crate) fn new(topology: &'a T, set: u32) -> Option<Self> {
        Some(Self { topology, entry: topology.set_entry(set)? })
    }
}

impl<T: Tables, B: Bits> PartialEq<B> for SetRef<'_, T> {
    fn eq(&self, other: &B) -> bool {
        self.equals(other)
    }
}

impl<T: Tables> fmt::Display for SetRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list().fmt(f)
    }
}

impl<T: Tables> fmt::Debug for SetRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.list())
    }
}

impl<T: Tables> Bits for SetRef<'_, T> {
    fn runs(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let cursor = match self.entry {
            SetEntry::Run { start, end } => Cursor::Run(start..end),
            SetEntry::Runs { first, len } => {
                Cursor::Runs(Span { first, len }.within(self.topology.run_count()))
            }
            SetEntry::Words { first, len, base } => {
                let words = Span { first, len }.within(self.topology.word_count());
                Cursor::Words { bit: 0, words, base }
            }
        };
        Runs { topology: self.topology, cursor, floor: 0 }
    }

    /// O(1) for a set of one run or of words, O(log r) for runs.
    fn contains(&self, index: u32) -> bool {
        match self.entry {
            SetEntry::Run { start, end } => (start..end).contains(&index),
            SetEntry::Runs { first, len } => {
                let Range { start: mut low, end: mut high } =
                    Span { first, len }.within(self.topology.run_count());
                while low < high {
                    let middle = low + (high - low) / 2;
                    match self.topology.run(middle) {
                        Some(run) if run.end <= index => low = middle + 1,
                        Some(run) if run.start > index => high = middle,
                        found => return found.is_some(),
                    }
                }
                false
            }
            SetEntry::Words { first, len, base } => {
                let word = (index / 64).checked_sub(base).filter(|&word| word < len && index != END);
                let word = word.and_then(|word| self.topology.word(first.checked_add(word)?));
                word.is_some_and(|word| word >> (index % 64) & 1 == 1)
            }
        }
    }
}

enum Cursor {
    Run(Range<u32>),
    Runs(Range<u32>),
    Words { bit: u32, words: Range<u32>, base: u32 },
}

/// The runs of a stored set; whatever the tables say, they ascend and have gaps between them.
struct Runs<'a, T> {
    topology: &'a T,
    cursor: Cursor,
    /// The first index that the next run may start at.
    floor: u32,
}

impl<T: Tables> Iterator for Runs<'_, T> {
    type Item = Range<u32>;

    #[inline]
    fn next(&mut self) -> Option<Range<u32>> {
        let run = match &mut self.cursor {
            Cursor::Run(run) => core::mem::replace(run, 0..0),
            Cursor::Runs(rest) => {
                let run = self.topology.run(rest.next()?)?;
                run.start..run.end
            }
            Cursor::Words { bit, words, base } => next_run(self.topology, bit, words, base)?,
        };
        // One run that is out of order ends the set: the tables are corrupt.
        if run.is_empty() || run.start < self.floor {
            self.cursor = Cursor::Run(0..0);
            return None;
        }
        self.floor = run.end.saturating_add(1);
        Some(run)
    }
}

/// The next run of ones in `words`, from `bit` of the first of them on. `base` is the number of that word in the
/// set, and moves with it.
fn next_run<T: Tables>(
    topology: &T,
    bit: &mut u32,
    words: &mut Range<u32>,
    base: &mut u32,
) -> Option<Range<u32>> {
    let index = |base: u32, bit: u32| u32::try_from(u64::from(base) * 64 + u64::from(bit)).unwrap_or(END);
    let mut start = None;
    while words.start < words.end {
        let rest = topology.word(words.start)? >> *bit;
        match start {
            // Looking for a one.
            None if rest == 0 => {}
            None => {
                *bit += rest.trailing_zeros();
                start = Some(index(*base, *bit));
                continue;
            }
            // Looking for the zero after it.
            Some(start) if (!rest).trailing_zeros() < 64 - *bit => {
                *bit += (!rest).trailing_zeros();
                return Some(start..index(*base, *bit));
            }
            Some(_) => {}
        }
        words.start += 1;
        *base = base.saturating_add(1);
        *bit = 0;
    }
    start.map(|start| start..index(*base, 0))
}
