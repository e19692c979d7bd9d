//! Who looks at what in which order, when a name changes while somebody waits for it.
//!
//! ```text
//! publish   rename the new generation into its place; epoch = 2 * generation; wake
//! retire    epoch |= 1; wake; unlink the files
//! take over epoch = 2 * max(epoch's generation, the file's); wake
//! read      epoch; the file, if the epoch's generation is newer; epoch once more: retired means another name's file
//! wait      epoch; if nothing is newer: does the owner live? else the file; sleep while the epoch is the same
//! ```
//! The epoch is stored after the rename, so a reader that sees it finds that generation in the file, or a newer one. The
//! kernel compares the epoch again when it puts a reader to sleep, so no store is slept through. An owner that is killed
//! stores nothing: so sleep is cut into slices, after each of which the reader looks whether it lives.
//!
//! What is looked at is a trait, so that a model checker can run these very lines: `tests/protocol.rs`.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here

/// What the word of a name says: twice the generation, and whether the name has been retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(pub(crate) u64);

impl Epoch {
    /// `None`: names do not count that far. The last generation is 2^63 - 1.
    pub(crate) fn of_generation(generation: u64) -> Option<Epoch> {
        generation.checked_mul(2).map(Epoch)
    }

    pub(crate) fn generation(self) -> u64 {
        self.0 / 2
    }

    pub(crate) fn is_retired(self) -> bool {
        self.0 % 2 == 1
    }

    pub(crate) fn retired(self) -> Epoch {
        Epoch(self.0 | 1)
    }
}

/// What a reader sees of a name.
pub(crate) trait Look {
    type Error;

    fn epoch(&self) -> Epoch;

    /// The generation of the name's file, 0 if there is none.
    fn on_disk(&self) -> Result<u64, Self::Error>;

    fn owner_alive(&self) -> bool;

    fn ends_with_owner(&self) -> bool;

    /// Sleeps for a slice of time, or less if the epoch is not `seen`, or changes. `false`: the time to wait is over.
    fn sleep(&self, seen: Epoch) -> bool;
}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A generation of at least that number is there, if the name has not been retired since: whoever opens it looks at
    /// the epoch again. That was the epoch before.
    Newer(u64, Epoch),
    /// The name has ended.
    Retired,
    /// The name ends with its owner, who is gone.
    OwnerGone,
    TimedOut,
}

/// Waits for a generation newer than `known`.
pub(crate) fn wait<L: Look>(name: &L, known: u64) -> Result<Outcome, L::Error> {
    loop {
        let epoch = name.epoch();
        if epoch.is_retired() {
            return Ok(Outcome::Retired);
        }
        let mut newest = epoch.generation();
        if newest <= known && !name.owner_alive() {
            // It may have died before it could tell of its last generation.
            newest = name.on_disk()?;
            if newest <= known && name.ends_with_owner() {
                return Ok(Outcome::OwnerGone);
            }
        }
        if newest > known {
            return Ok(Outcome::Newer(newest, epoch));
        }
        if !name.sleep(epoch) {
            return Ok(Outcome::TimedOut);
        }
    }
}
