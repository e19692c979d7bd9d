//! The lock of a region, and of ranges of it.
//!
//! Three things together: a table of this process's own holders, since the kernel does not keep two threads of one
//! description apart; the kernel's byte-range lock, which ends with its process however that ended, whatever the pid
//! namespace; and a count of exclusive holders in the header page, which says whether one died before it could give
//! back what it held.
//!
//! ```text
//! lock:    until it is granted: if nobody of this process excludes it, and nobody who waits holds it back,
//!              try the kernel's; if refused, line up, and sleep until somebody releases or 25 ms have passed
//!          holders += 1; had a whole-region lock found any, one died
//! unlock:  holders -= 1; unlock the range in the kernel; releases += 1; wake
//! ```
//! The slices of 25 ms are for holders that are killed: they wake nobody.
//!
//! # Who waits for whom
//! The kernel's locks have no queue: shared ones that always overlap would keep an exclusive one out for ever. So who waits
//! has a lock that says so, on a range of offsets beside that of the bytes, and others look at it before they try:
//!
//! - Who waits for an exclusive lock, and only readers are in the way, locks the *gate* of its range, exclusively. New
//!   readers of the range stay outside until it has had its turn.
//! - Who waits for a shared lock locks the *queue* of its range, shared. Nobody takes the gate, nor an exclusive lock,
//!   before those in the queue have had theirs: so a reader waits for one writer, the one that has the lock or the gate.
//! - Who has a lock of the region already neither looks nor lines up: what it waits for might be waiting for it.
//! - Who has been held back for a second goes on as if nobody waited: those who come first may be stopped, or wait for
//!   whoever waits for this one, in another thread or another process, which nobody can see.
//!
//! Nothing of it outlives a process, so one that is killed while it waits holds nobody back. Whoever wants to be neither
//! held back nor seen to wait finds one more system call for an exclusive lock, none for a shared one while the header page
//! says that nobody waits. Between writers there is no order.
//!
//! | offsets that are locked | for |
//! |---|---|
//! | page size + n | byte n of the body |
//! | 0 to 2^60 | the whole region |
//! | 2^60 and 2^61, each + the same | the gate and the queue of the same |
//! | 2^62 | the owner |
//! | 2^62 + 1 | who removes the name |
//! | 2^62 + 2 | who writes the file while it has a name for that: see `temp` |
//! | 2^62 + 2^32 to the end | attachments |
//!
//! Source: SPEC 16.3; fcntl(2), futex(2).

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use graven_format::RegionHeader;

use super::map::Map;
use crate::os::held::Held;
use crate::os::ofd::{self, END, Sharing};
use crate::os::timeout::{Deadline, SLICE, Timeout};
use crate::{Error, RegionError, Result};

/// What the whole region's lock covers.
pub(crate) const WHOLE: Range<u64> = 0..RegionHeader::MAX_LENGTH;
/// From a byte to its place in the gate, and in the queue.
const GATE: u64 = 1 << 60;
const QUEUE: u64 = 1 << 61;
/// Held exclusively by the process that created the region, as long as it has that handle.
pub(crate) const OWNER: Range<u64> = 1 << 62..(1 << 62) + 1;
/// Held exclusively while somebody removes the name, so that nobody removes the name of a region that came after.
pub(crate) const REMOVAL: Range<u64> = OWNER.end..OWNER.end + 1;
/// Where attachments are.
pub(crate) const ATTACHMENTS: Range<u64> = OWNER.start + (1 << 32)..END;
/// Held exclusively to remove a region that nobody is attached to.
pub(crate) const UNATTACHED: Range<u64> = REMOVAL.start..END;

/// How long those who come first are let go first.
const PATIENCE: Duration = Duration::from_secs(1);

/// What this process's handles on one region share: the descriptors that carry its locks, and who holds what.
pub(crate) struct Lock {
    table: Mutex<Holders>,
    /// Open for writing; absent as long as this process is attached read-only.
    writer: OnceLock<Held>,
    /// Open for reading only.
    reader: OnceLock<Held>,
}

#[derive(Default)]
struct Holders {
    next: u64,
    holds: Vec<Hold>,
    /// How many threads sleep, or are about to.
    sleepers: u64,
}

/// A lock that a thread of this process has, or waits for.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    id: u64,
    range: Range<u64>,
    sharing: Sharing,
    thread: ThreadId,
    /// Which descriptor carries it.
    by_writer: bool,
    stage: Stage,
}

/// How far a lock is: what of it the kernel knows, and the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing, and it is not in the table.
    Asked,
    /// A shared one that waits: the queue.
    Queued,
    /// An exclusive one that waits for readers: the gate.
    AtGate,
    /// The bytes.
    Granted,
}

impl Hold {
    fn overlaps(&self, range: &Range<u64>) -> bool {
        self.range.start < range.end && range.start < self.range.end
    }

    fn excludes(&self, range: &Range<u64>, sharing: Sharing) -> bool {
        self.stage == Stage::Granted
            && self.overlaps(range)
            && (self.sharing, sharing) != (Sharing::Shared, Sharing::Shared)
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.sharing == Sharing::Exclusive
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.range == WHOLE
    }

    /// The place of its range among the gates, or in the queue.
    fn at(&self, place: u64) -> Range<u64> {
        self.range.start + place..self.range.end + place
    }

    /// What the kernel has locked for it.
    fn locked(&self) -> Option<Range<u64>> {
        match self.stage {
            Stage::Asked => None,
            Stage::Queued => Some(self.at(QUEUE)),
            Stage::AtGate => Some(self.at(GATE)),
            Stage::Granted => Some(self.at(0)),
        }
    }
}

impl Holders {
    /// Whether another thread is that far with a lock of some of the same bytes.
    fn has(&self, stage: Stage, hold: &Hold) -> bool {
        self.holds
            .iter()
            .any(|other| other.id != hold.id && other.stage == stage && other.overlaps(&hold.range))
    }

    /// Whether another thread has some of the same bytes exclusively.
    fn has_exclusive(&self, hold: &Hold) -> bool {
        self.holds.iter().any(|other| other.excludes(&hold.range, Sharing::Shared))
    }
}

impl Lock {
    pub(crate) fn new() -> Lock {
        Lock { table: Mutex::default(), writer: OnceLock::new(), reader: OnceLock::new() }
    }

    /// Has a descriptor, of the right kind. `open` gives one of the same file.
    pub(crate) fn descriptor(&self, writable: bool, open: impl FnOnce() -> Result<Held>) -> Result<&Held> {
        let place = if writable { &self.writer } else { &self.reader };
        if let Some(held) = self.writer.get().or(place.get()) {
            return Ok(held);
        }
        // Two threads may open one each; the second is closed again.
        let _ = place.set(open()?);
        place.get().ok_or_else(|| Error::new(RegionError::ReadOnly))
    }

    /// The descriptor open for writing.
    ///
    /// # Errors
    /// [`RegionError::ReadOnly`].
    pub(crate) fn writer(&self) -> Result<&Held> {
        self.writer.get().ok_or_else(|| Error::new(RegionError::ReadOnly))
    }

    /// Any descriptor.
    ///
    /// # Errors
    /// [`RegionError::ReadOnly`] if there is none; there is one as soon as a handle is.
    pub(crate) fn held(&self) -> Result<&Held> {
        self.writer.get().or(self.reader.get()).ok_or_else(|| Error::new(RegionError::ReadOnly))
    }

    fn table(&self) -> MutexGuard<'_, Holders> {
        // Nothing that holds it panics halfway through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carrier(&self, hold: &Hold) -> Result<&Held> {
        let held = if hold.by_writer { &self.writer } else { &self.reader };
        held.get().ok_or_else(|| Error::new(RegionError::ReadOnly))
    }

    /// Locks a range. The words of `map` are how the others tell that they have released theirs.
    ///
    /// # Errors
    /// [`RegionError::Locked`] with [`Timeout::Now`], [`RegionError::StillLocked`] with another,
    /// [`RegionError::Deadlock`]; as fcntl(2).
    pub(crate) fn acquire(
        &self,
        map: &Map,
        range: Range<u64>,
        sharing: Sharing,
        timeout: Timeout,
    ) -> Result<Hold> {
        let deadline = timeout.start();
        let (mut hold, passes) = self.ask(range, sharing, timeout)?;
        if self.attempt(map, &mut hold, passes)? {
            return Ok(hold);
        }
        if timeout == Timeout::Now {
            return Err(Error::new(RegionError::Locked));
        }
        let result = self.wait(map, &mut hold, passes, deadline);
        if result.is_err() {
            self.release(map, &hold);
        }
        result.map(|()| hold)
    }

    /// A lock that this thread may wait for; and whether it passes those who wait, as it has another one.
    fn ask(&self, range: Range<u64>, sharing: Sharing, timeout: Timeout) -> Result<(Hold, bool)> {
        let thread = thread::current().id();
        let mut table = self.table();
        let mine = |hold: &&Hold| hold.thread == thread && hold.stage == Stage::Granted;
        if timeout != Timeout::Now
            && table.holds.iter().filter(mine).any(|hold| hold.excludes(&range, sharing))
        {
            return Err(Error::new(RegionError::Deadlock));
        }
        let passes = table.holds.iter().any(|hold| mine(&hold));
        table.next += 1;
        let by_writer = self.writer.get().is_some();
        Ok((Hold { id: table.next, range, sharing, thread, by_writer, stage: Stage::Asked }, passes))
    }

    /// Takes the lock if it is to be had now.
    fn attempt(&self, map: &Map, hold: &mut Hold, passes: bool) -> Result<bool> {
        let mut table = self.table();
        if table.holds.iter().any(|other| other.excludes(&hold.range, hold.sharing))
            || !passes && self.is_held_back(&table, map, hold)?
        {
            return Ok(false);
        }
        let fd = self.carrier(hold)?.get()?;
        if !ofd::try_lock(fd, hold.sharing, &hold.range).map_err(failed)? {
            return Ok(false);
        }
        self.leave(&mut table, hold);
        hold.stage = Stage::Granted;
        table.holds.push(hold.clone());
        Ok(true)
    }

    /// Whether others, who wait, come first.
    fn is_held_back(&self, table: &Holders, map: &Map, hold: &Hold) -> Result<bool> {
        if hold.stage == Stage::AtGate {
            return Ok(false);
        }
        let fd = self.carrier(hold)?.get()?;
        // Whoever has a gate can write, and was counted first. Of locks that are none: a gate is exclusive.
        let gate = || match map.word(RegionHeader::WAITING).load() {
            0 => Ok(None),
            _ => ofd::conflict(fd, Sharing::Shared, &hold.at(GATE)),
        };
        if table.has(Stage::AtGate, hold) || gate().map_err(failed)?.is_some() {
            return Ok(true);
        }
        let queue = || ofd::conflict(fd, Sharing::Exclusive, &hold.at(QUEUE)).map_err(failed);
        Ok(hold.is_exclusive() && (table.has(Stage::Queued, hold) || queue()?.is_some()))
    }

    /// Lets the others know that this one waits, if it is time for that.
    fn line_up(&self, map: &Map, hold: &mut Hold) -> Result<()> {
        let mut table = self.table();
        let fd = self.carrier(hold)?.get()?;
        let (stage, place) = match hold.is_exclusive() {
            false => (Stage::Queued, QUEUE),
            true => (Stage::AtGate, GATE),
        };
        if hold.stage == stage {
            return Ok(());
        }
        if hold.is_exclusive() {
            // Readers who come while a writer has the lock line up, and come first.
            let writes = table.has_exclusive(hold)
                || ofd::conflict(fd, Sharing::Shared, &hold.range).map_err(failed)?.is_some();
            if writes || self.is_held_back(&table, map, hold)? {
                return Ok(());
            }
        }
        // The queue is only ever shared; and of two that go to the gate one comes first.
        if ofd::try_lock(fd, hold.sharing, &hold.at(place)).map_err(failed)? {
            hold.stage = stage;
            table.holds.push(hold.clone());
        }
        Ok(())
    }

    fn wait(&self, map: &Map, hold: &mut Hold, passes: bool, deadline: Deadline) -> Result<()> {
        let releases = map.word(RegionHeader::RELEASES);
        // Who cannot write is not counted, and may notice a release with the next slice only.
        let waiting = map.word_mut(RegionHeader::WAITING).ok();
        let count = |change: fn(u64) -> Option<u64>| waiting.and_then(|waiting| waiting.update(change));
        count(|waiting| waiting.checked_add(1));
        self.table().sleepers += 1;
        let patience = Timeout::Within(PATIENCE).start();
        let result = loop {
            let seen = releases.load();
            let passes = passes || patience.left(SLICE).is_none();
            let step = self.attempt(map, hold, passes).and_then(|granted| match granted || passes {
                true => Ok(granted),
                false => self.line_up(map, hold).map(|()| false),
            });
            match step {
                Ok(true) => break Ok(()),
                Ok(false) => match deadline.left(SLICE) {
                    Some(left) => releases.wait(seen, left),
                    None => break Err(Error::new(RegionError::StillLocked)),
                },
                Err(error) => break Err(error),
            }
        };
        let mut table = self.table();
        table.sleepers -= 1;
        let sleepers = table.sleepers;
        drop(table);
        count(|waiting| waiting.checked_sub(1));
        if result.is_ok() && !hold.is_exclusive() {
            // Writers may have waited for it to leave the queue.
            self.wake(map, sleepers);
        }
        result
    }

    /// Takes a lock that is in the table out of it, and out of the kernel.
    fn leave(&self, table: &mut Holders, hold: &Hold) {
        table.holds.retain(|other| other.id != hold.id);
        let (Some(range), Ok(fd)) = (hold.locked(), self.carrier(hold).and_then(Held::get)) else { return };
        // What other threads share on the same description stays locked.
        let others =
            table.holds.iter().filter(|other| (other.by_writer, other.stage) == (hold.by_writer, hold.stage));
        let others: Vec<Range<u64>> = others.filter_map(Hold::locked).collect();
        for piece in without(range, others.iter()) {
            // Fails for want of kernel memory only, when a lock has to be split; closing the descriptor will do it.
            let _ = ofd::unlock(fd, &piece);
        }
    }

    /// Releases a lock, and wakes who waits for it. One that was never granted is given up.
    pub(crate) fn release(&self, map: &Map, hold: &Hold) {
        let mut table = self.table();
        self.leave(&mut table, hold);
        let sleepers = table.sleepers;
        drop(table);
        self.wake(map, sleepers);
    }

    fn wake(&self, map: &Map, sleepers: u64) {
        if let Ok(releases) = map.word_mut(RegionHeader::RELEASES) {
            releases.fetch_add(1);
        }
        if sleepers != 0 || map.word(RegionHeader::WAITING).load() != 0 {
            map.word(RegionHeader::RELEASES).wake_all();
        }
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::system("lock the region")(error)
}

/// The parts of a range that are in none of the others.
fn without<'a>(range: Range<u64>, others: impl Iterator<Item = &'a Range<u64>>) -> Vec<Range<u64>> {
    let mut pieces = vec![range];
    for other in others {
        let cut = |piece: Range<u64>| {
            let before = piece.start..piece.end.min(other.start);
            let after = piece.start.max(other.end)..piece.end;
            [before, after].into_iter().filter(|part| !part.is_empty())
        };
        pieces = pieces.into_iter().flat_map(cut).collect();
    }
    pieces
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init)] // ranges are what is meant
mod tests {
    use super::*;

    #[test]
    fn what_is_unlocked_is_what_nobody_else_of_the_process_shares() {
        assert_eq!(without(0..10, [].iter()), [0..10]);
        assert_eq!(without(0..10, [3..5, 8..20].iter()), [0..3, 5..8]);
        assert_eq!(without(5..10, [0..20].iter()), []);
        assert_eq!(without(5..10, [0..5, 10..12].iter()), [5..10]);
    }
}
