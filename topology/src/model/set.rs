//! Sets of indexes: hwloc's bitmaps, kept as runs.
//!
//! A [`Set`] is a sorted list of half-open runs `[start, end)` with gaps between them. A run that ends at
//! [`END`] goes on for ever, so hwloc's infinite bitmaps need no flag, and the complement of a set is a set.
//!
//! Archived sets live in one pool per topology ([`super::tables::SetTable`]), each distinct set once, in the
//! smallest of three forms: one run in place, a slice of runs, or a slice of 64-bit words where the
//! indexes alternate (machines that number their packages even and odd). Whatever the form, [`Bits`] reads it:
//! all tests are written on runs in ascending order.

use core::fmt;
use core::iter::Peekable;
use core::ops::Range;
use core::str::FromStr;

use super::debug::debug_as_display;

/// The end of a run that never ends. Not an index: indexes are `0..END`.
pub const END: u32 = u32::MAX;

/// How long a mask may be. A mask says little per byte: this keeps a hostile one from taking long.
pub(crate) const MASK_WORDS: usize = 1 << 20;

/// A set of processors, by os_index.
pub type CpuSet = Set;
/// A set of NUMA nodes, by os_index.
pub type NodeSet = Set;

/// A set of indexes, possibly infinite: hwloc's bitmap.
///
/// Its size is 8 bytes per run, however large the indexes are. Two sets are equal exactly when they have the
/// same members. `Display` and `FromStr` are the list form (`0-3,8`, `5-` for "5 and all above").
///
/// ```
/// use graven_topology::{Bits, Set};
///
/// let some: Set = "0-3,8".parse()?;
/// assert!(some.contains(2) && !some.contains(4));
/// assert_eq!(some.weight(), Some(5));
/// let rest = some.complement();
/// assert_eq!(rest.to_string(), "4-7,9-");
/// assert_eq!(rest.weight(), None);
/// assert!("3-1".parse::<Set>().is_err());
/// # Ok::<(), graven_topology::error::ParseSetError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set {
    // INVARIANT: start < end in each run, and each run starts after the end of the one before it.
    runs: Vec<(u32, u32)>,
}

/// Tests on a set, however it is stored: implemented by the owned [`Set`] and by [`SetRef`](crate::SetRef).
///
/// Costs are in runs `r`; unless said otherwise a test is O(r) of both sets and stops as soon as it knows.
pub trait Bits {
    /// The runs of the set: ascending, not empty, with gaps between them. The last may end at [`END`].
    fn runs(&self) -> impl Iterator<Item = Range<u32>> + '_;

    /// Whether `index` is in the set.
    fn contains(&self, index: u32) -> bool {
        self.runs().take_while(|run| run.start <= index).any(|run| index < run.end)
    }

    /// Whether the set has no member. O(1).
    fn is_empty(&self) -> bool {
        self.runs().next().is_none()
    }

    /// Whether the set has all indexes from some point on.
    fn is_infinite(&self) -> bool {
        self.runs().last().is_some_and(|run| run.end == END)
    }

    /// How many indexes are in the set; `None` if infinitely many (hwloc: weight -1).
    fn weight(&self) -> Option<u64> {
        let mut weight = 0;
        for run in self.runs() {
            if run.end == END {
                return None;
            }
            weight += u64::from(run.end - run.start);
        }
        Some(weight)
    }

    /// The smallest index; `None` if the set is empty. O(1).
    fn first(&self) -> Option<u32> {
        self.runs().next().map(|run| run.start)
    }

    /// The largest index; `None` if the set is empty or infinite.
    fn last(&self) -> Option<u32> {
        self.runs().last().filter(|run| run.end != END).map(|run| run.end - 1)
    }

    /// The indexes, ascending. On an infinite set this goes on to `END - 1`: bound it with `take`.
    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs().flatten()
    }

    /// Whether every member is also in `other`.
    fn is_included_in(&self, other: &impl Bits) -> bool {
        let mut theirs = other.runs().peekable();
        self.runs().all(|run| {
            while theirs.next_if(|their| their.end < run.end).is_some() {}
            theirs.peek().is_some_and(|their| their.start <= run.start)
        })
    }

    /// Whether some index is in both sets.
    fn intersects(&self, other: &impl Bits) -> bool {
        let mut theirs = other.runs().peekable();
        self.runs().any(|run| {
            while theirs.next_if(|their| their.end <= run.start).is_some() {}
            theirs.peek().is_some_and(|their| their.start < run.end)
        })
    }

    /// Whether both sets have the same members.
    fn equals(&self, other: &impl Bits) -> bool {
        self.runs().eq(other.runs())
    }

    /// An owned copy.
    fn to_set(&self) -> Set {
        self.runs().collect()
    }

    /// The list form, `0-3,8`; an infinite set ends in `5-`; the empty set is the empty string.
    ///
    /// The kernel writes cpulist files this way; hwloc calls it the list format.
    fn list(&self) -> impl fmt::Display + '_
    where
        Self: Sized,
    {
        List(self)
    }

    /// hwloc's default text form: words of 32 bits in hexadecimal, the highest first, after `0xf...f` if
    /// the set is infinite. A word without members is left out between its commas; the empty set is `0x0`.
    ///
    /// Printed as hwloc does on 64-bit systems (an infinite set is cut at a multiple of 64). The text is as long
    /// as the largest index says, a comma for each 32 below it: mind what you print if you do not trust it.
    fn mask(&self) -> impl fmt::Display + '_
    where
        Self: Sized,
    {
        Mask(self)
    }
}

struct List<'a, B>(&'a B);

impl<B: Bits> fmt::Display for List<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for run in self.0.runs() {
            match run {
                Range { start, end: END } => write!(f, "{separator}{start}-")?,
                Range { start, end } if end - start == 1 => write!(f, "{separator}{start}")?,
                Range { start, end } => write!(f, "{separator}{start}-{}", end - 1)?,
            }
            separator = ",";
        }
        Ok(())
    }
}

struct Mask<'a, B>(&'a B);

impl<B: Bits> fmt::Display for Mask<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The members below the infinite tail, and where hwloc would cut the tail off: at a whole u64.
        let set = self.0.to_set();
        let tail = set.runs.last().filter(|run| run.1 == END).map(|run| run.0);
        let bits = match tail {
            Some(start) => u64::from(start).next_multiple_of(64),
            None => set.runs.last().map_or(0, |run| u64::from(run.1)),
        };
        let words = bits.div_ceil(32);
        let mut comma = "";
        if tail.is_some() {
            f.write_str("0xf...f")?;
            comma = ",";
        } else if words == 0 {
            return f.write_str("0x0");
        }
        let mut runs = set.runs.iter().rev().peekable();
        for word in (0..words).rev() {
            let (low, high) = (word * 32, word * 32 + 32);
            let mut value = 0u32;
            while let Some(&&(start, end)) = runs.peek() {
                let (start, end) = (u64::from(start), u64::from(end));
                if end > low {
                    let (from, to) = (start.max(low) - low, end.min(high) - low);
                    if from < to {
                        value |= ((1u64 << to) - (1u64 << from)) as u32;
                    }
                }
                if start < low {
                    break;
                }
                runs.next();
            }
            match value {
                0 if word == 0 => write!(f, "{comma}0x0")?,
                0 => f.write_str(comma)?,
                _ => write!(f, "{comma}0x{value:08x}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

impl Bits for Set {
    fn runs(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        self.runs.iter().map(|&(start, end)| start..end)
    }

    /// O(log r).
    fn contains(&self, index: u32) -> bool {
        let next = self.runs.partition_point(|run| run.0 <= index);
        next > 0 && index < self.runs[next - 1].1
    }

    /// O(1).
    fn is_infinite(&self) -> bool {
        self.runs.last().is_some_and(|run| run.1 == END)
    }

    /// O(1).
    fn last(&self) -> Option<u32> {
        self.runs.last().filter(|run| run.1 != END).map(|run| run.1 - 1)
    }

    fn to_set(&self) -> Set {
        self.clone()
    }
}

impl Set {
    /// The set without members.
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// The set of all indexes (hwloc: full).
    pub fn full() -> Self {
        Self::from(0..END)
    }

    /// The set of all indexes from `start` on.
    pub fn from_index(start: u32) -> Self {
        Self::from(start..END)
    }

    /// The set of `index` alone; empty if `index` is [`END`], which is no index.
    pub fn only(index: u32) -> Self {
        let mut set = Self::new();
        set.insert(index);
        set
    }

    /// Parses the list form: `0-3,8`, `5-`, or nothing for the empty set. White space at the ends is ignored.
    ///
    /// # Errors
    /// [`ParseSetError::Number`] for what is no index, [`ParseSetError::Reversed`] for a run that ends before
    /// it starts; both name the part of the text.
    ///
    /// Source: cpuset(7), "List format"; `hwloc_bitmap_list_sscanf`.
    pub fn from_list(text: &str) -> Result<Self, ParseSetError> {
        let mut set = Self::new();
        for part in text.trim().split(',').filter(|part| !part.is_empty()) {
            let index = |digits: &str| {
                let number = digits.parse::<u32>().ok().filter(|&number| number != END);
                number.ok_or_else(|| ParseSetError::Number { part: part.into() })
            };
            let run = match part.split_once('-') {
                None => {
                    let start = index(part)?;
                    start..start + 1
                }
                Some((start, "")) => index(start)?..END,
                Some((start, last)) => index(start)?..index(last)? + 1,
            };
            if run.is_empty() {
                return Err(ParseSetError::Reversed { part: part.into() });
            }
            set.insert_range(run);
        }
        Ok(set)
    }

    /// Parses hwloc's default form and the kernel's mask form: words of 32 bits in hexadecimal, the highest
    /// first, with or without `0x`, after `0xf...f` if the set is infinite.
    ///
    /// # Errors
    /// [`ParseSetError::Number`] for a word that is no hexadecimal number of 32 bits,
    /// [`ParseSetError::TooLong`] for more than 1,048,576 words, that is, 33 million indexes.
    ///
    /// Source: cpuset(7), "Mask format"; `hwloc_bitmap_sscanf`.
    pub fn from_mask(text: &str) -> Result<Self, ParseSetError> {
        let text = text.trim();
        let (infinite, text) = match text.strip_prefix("0xf...f") {
            Some("") => return Ok(Self::full()),
            Some(rest) => match rest.strip_prefix(',') {
                Some(rest) => (true, rest),
                None => return Err(ParseSetError::Number { part: text.into() }),
            },
            None => (false, text),
        };
        let words = text.split(',').count();
        if words > MASK_WORDS {
            return Err(ParseSetError::TooLong { words: words as u64, limit: MASK_WORDS as u64 });
        }
        let mut set = Self::new();
        for (position, part) in text.rsplit(',').enumerate() {
            let digits = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X")).unwrap_or(part);
            let mut value = match digits {
                "" if part.is_empty() => 0,
                _ if digits.starts_with('+') => return Err(ParseSetError::Number { part: part.into() }),
                _ => u32::from_str_radix(digits, 16)
                    .map_err(|_| ParseSetError::Number { part: part.into() })?,
            };
            let base = position as u32 * 32;
            while value != 0 {
                let start = value.trailing_zeros();
                let len = (value >> start).trailing_ones();
                set.insert_range(base + start..base + start + len);
                value &= !((((1u64 << len) - 1) << start) as u32);
            }
        }
        if infinite {
            set.insert_range(words as u32 * 32..END);
        }
        Ok(set)
    }

    /// Adds `index`; whether it was absent. [`END`] is no index and is never added.
    pub fn insert(&mut self, index: u32) -> bool {
        let absent = index != END && !self.contains(index);
        if absent {
            self.insert_range(index..index + 1);
        }
        absent
    }

    /// Adds all indexes of `run`; nothing if it is empty. O(log r), plus the runs behind it that move.
    pub fn insert_range(&mut self, run: Range<u32>) {
        if run.is_empty() {
            return;
        }
        // Every run that overlaps or touches the new one is merged with it.
        let from = self.runs.partition_point(|old| old.1 < run.start);
        let to = self.runs.partition_point(|old| old.0 <= run.end);
        let merged = match self.runs.get(from..to) {
            Some([only]) => (only.0.min(run.start), only.1.max(run.end)),
            Some([first, .., last]) => (first.0.min(run.start), last.1.max(run.end)),
            _ => (run.start, run.end),
        };
        self.runs.splice(from..to, [merged]);
    }

    /// Takes `index` out; whether it was there.
    pub fn remove(&mut self, index: u32) -> bool {
        let present = self.contains(index);
        if present {
            *self = self.and_not(&Self::only(index));
        }
        present
    }

    /// The indexes that are in both sets. O(r), as are the next four.
    pub fn and(&self, other: &impl Bits) -> Self {
        combine(self, other, |a, b| a && b)
    }

    /// The indexes that are in either set.
    pub fn or(&self, other: &impl Bits) -> Self {
        combine(self, other, |a, b| a || b)
    }

    /// The indexes of this set that are not in `other`.
    pub fn and_not(&self, other: &impl Bits) -> Self {
        combine(self, other, |a, b| a && !b)
    }

    /// The indexes that are in exactly one of the sets.
    pub fn xor(&self, other: &impl Bits) -> Self {
        combine(self, other, |a, b| a != b)
    }

    /// The indexes that are not in the set (hwloc: not). Infinite unless this set is infinite.
    pub fn complement(&self) -> Self {
        combine(self, &Self::new(), |a, _| !a)
    }
}

/// Sweeps over the edges of both sets and keeps the stretches that `keep` wants.
fn combine(a: &impl Bits, b: &impl Bits, keep: fn(bool, bool) -> bool) -> Set {
    fn edges(set: &impl Bits) -> Peekable<impl Iterator<Item = u32>> {
        set.runs().flat_map(|run| [run.start, run.end]).peekable()
    }
    let (mut a, mut b) = (edges(a), edges(b));
    let (mut in_a, mut in_b, mut from) = (false, false, 0);
    let mut out: Vec<(u32, u32)> = Vec::new();
    loop {
        let to = a.peek().copied().unwrap_or(END).min(b.peek().copied().unwrap_or(END));
        if from < to && keep(in_a, in_b) {
            match out.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => out.push((from, to)),
            }
        }
        if to == END {
            return Set { runs: out };
        }
        in_a ^= a.next_if_eq(&to).is_some();
        in_b ^= b.next_if_eq(&to).is_some();
        from = to;
    }
}

impl From<Range<u32>> for Set {
    fn from(run: Range<u32>) -> Self {
        let mut set = Self::new();
        set.insert_range(run);
        set
    }
}

impl FromIterator<u32> for Set {
    fn from_iter<I: IntoIterator<Item = u32>>(indexes: I) -> Self {
        let mut set = Self::new();
        set.extend(indexes);
        set
    }
}

impl Extend<u32> for Set {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, indexes: I) {
        for index in indexes {
            self.insert(index);
        }
    }
}

impl FromIterator<Range<u32>> for Set {
    fn from_iter<I: IntoIterator<Item = Range<u32>>>(runs: I) -> Self {
        let mut set = Self::new();
        for run in runs {
            set.insert_range(run);
        }
        set
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        List(self).fmt(f)
    }
}

impl FromStr for Set {
    type Err = ParseSetError;

    /// The mask form if the text starts with `0x`, else the list form.
    fn from_str(text: &str) -> Result<Self, ParseSetError> {
        if text.trim_start().starts_with("0x") { Self::from_mask(text) } else { Self::from_list(text) }
    }
}

/// Why a text is not a set.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSetError {
    /// A part between two commas that is no index (list form) or no word of 32 bits (mask form).
    #[error("not a set: `{part}` is no number in range")]
    Number {
        /// The part.
        part: String,
    },
    /// A run that ends before it starts, as `3-1`.
    #[error("not a set: `{part}` ends before it starts")]
    Reversed {
        /// The run.
        part: String,
    },
    /// A mask of more words than any machine needs: use the list form.
    #[error("not a set: {words} words, limit {limit}")]
    TooLong {
        /// How many words it has.
        words: u64,
        /// How many are allowed.
        limit: u64,
    },
}

debug_as_display!(ParseSetError);
