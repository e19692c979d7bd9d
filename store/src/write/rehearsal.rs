//! Objects with larger alignments than rkyv can pad to: serialized twice, the first time to learn where it aligns.
//!
//! rkyv pads from 32 zeros, and panics where a type of alignment 64 has to follow a text; nothing of that can be overridden.
//! But it pads by calling [`write`](rkyv::ser::Writer::write), by nothing too, right after it has asked where it is. So:
//!
//! ```text
//! first    say 0 for each offset, which is aligned to anything, and note after which questions nothing is written
//! then     at those questions, say the next multiple of the object's largest alignment; write the zeros that go before
//! ```
//! A value that is another the second time, as one behind a lock can be, is refused where that is seen.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The largest alignment that rkyv pads to from anywhere.
pub(crate) const PADDED: u32 = 32;

/// Which of the questions for an offset come before padding.
#[derive(Default)]
pub(crate) struct Plan {
    pads: Vec<bool>,
    /// Questions so far. Asked through a shared reference, as the next is.
    asked: AtomicUsize,
    /// Zeros to be written before anything else.
    owed: AtomicU64,
    /// The alignment, the second time.
    align: Option<u64>,
}

/// What comes before bytes that are to be written.
pub(crate) enum Before {
    /// Nothing is written at all.
    Rehearsal,
    Zeros(u64),
    /// The value is not the one that was rehearsed.
    Changed,
}

impl Plan {
    /// The plan that the first time has made.
    pub(crate) fn follow(self, align: u64) -> Plan {
        Plan { pads: self.pads, align: Some(align), ..Plan::default() }
    }

    /// What to answer, at that offset in the object.
    pub(crate) fn offset(&self, offset: u64) -> u64 {
        let question = self.asked.fetch_add(1, Relaxed);
        let Some(align) = self.align else { return 0 };
        match self.pads.get(question) {
            Some(true) => {
                let aligned = offset.next_multiple_of(align);
                self.owed.store(aligned - offset, Relaxed);
                aligned
            }
            _ => offset,
        }
    }

    pub(crate) fn before(&mut self, bytes: &[u8]) -> Before {
        if self.align.is_some() {
            let owed = std::mem::take(self.owed.get_mut());
            return if owed > 0 && !bytes.is_empty() { Before::Changed } else { Before::Zeros(owed) };
        }
        if let (true, Some(last)) = (bytes.is_empty(), self.asked.get_mut().checked_sub(1)) {
            self.pads.resize(last + 1, false);
            self.pads[last] = true;
        }
        Before::Rehearsal
    }
}
