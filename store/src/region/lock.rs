//! The lock of a region, and of ranges of it.
//!
//! Three things together: a table of this process's own holders, since the kernel does not keep two threads of one
//! description apart; the kernel's byte-range lock, which ends with its process however that ended, whatever the pid
//! namespace; and a count of exclusive holders in the header page, which says whether one died before it could give
//! back what it held.
//!
//! ```text
//! lock:    wait until no holder of this process excludes the range          (a condition variable)
//!          wait until the kernel grants it: try, sleep until somebody releases or 25 ms have passed, try again
//!          holders += 1; had a whole-region lock found any, one died
//! unlock:  holders -= 1; unlock the range in the kernel; releases += 1; wake
//! ```
//! The slices of 25 ms are for holders that are killed: they wake nobody.
//!
//! Nobody queues, as the kernel's locks have no queue. So an exclusive lock can wait for ever if shared ones are taken
//! faster than they are given back. A turnstile, one more byte that everybody locks first, would end that. But it would
//! be two more system calls for each lock, or a word that says when they are needed; who waits for one range would hold
//! up those who want others; and this process's own table would have to do the same for its threads.
//!
//! | offsets that are locked | for |
//! |---|---|
//! | page size + n | byte n of the body |
//! | 0 to 2^62 | the whole region |
//! | 2^62 | the owner |
//! | 2^62 + 1 | who removes the name |
//! | 2^62 + 2^32 to the end | attachments |
//!
//! Source: SPEC 16.3; fcntl(2), futex(2).

use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use graven_format::RegionHeader;

use super::RegionError;
use super::map::Map;
use crate::held::Held;
use crate::ofd::{self, END, Sharing};
use crate::timeout::{Deadline, Timeout};
use crate::{Error, Result};

/// What the whole region's lock covers.
pub(crate) const WHOLE: Range<u64> = 0..OWNER.start;
/// Held exclusively by the process that created the region, as long as it has that handle.
pub(crate) const OWNER: Range<u64> = 1 << 62..(1 << 62) + 1;
/// Held exclusively while somebody removes the name, so that nobody removes the name of a region that came after.
pub(crate) const REMOVAL: Range<u64> = OWNER.end..OWNER.end + 1;
/// Where attachments are.
pub(crate) const ATTACHMENTS: Range<u64> = OWNER.start + (1 << 32)..END;
/// Held exclusively to remove a region that nobody is attached to.
pub(crate) const UNATTACHED: Range<u64> = REMOVAL.start..END;

/// How long a holder's death may go unnoticed.
pub(crate) const SLICE: Duration = Duration::from_millis(25);

/// What this process's handles on one region share: the descriptors that carry its locks, and who holds what.
pub(crate) struct Lock {
    table: Mutex<Table>,
    released: Condvar,
    /// Open for writing; absent as long as this process is attached read-only.
    writer: OnceLock<Held>,
    /// Open for reading only.
    reader: OnceLock<Held>,
}

#[derive(Default)]
struct Table {
    next: u64,
    holds: Vec<Hold>,
}

/// A lock that this process holds, or waits for in the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    id: u64,
    range: Range<u64>,
    sharing: Sharing,
    thread: ThreadId,
    /// Which descriptor carries it.
    by_writer: bool,
}

impl Hold {
    fn overlaps(&self, range: &Range<u64>) -> bool {
        self.range.start < range.end && range.start < self.range.end
    }

    fn excludes(&self, range: &Range<u64>, sharing: Sharing) -> bool {
        self.overlaps(range) && (self.sharing, sharing) != (Sharing::Shared, Sharing::Shared)
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.sharing == Sharing::Exclusive
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.range == WHOLE
    }
}

impl Lock {
    pub(crate) fn new() -> Lock {
        Lock {
            table: Mutex::default(),
            released: Condvar::new(),
            writer: OnceLock::new(),
            reader: OnceLock::new(),
        }
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
    pub(crate) fn any(&self) -> Result<&Held> {
        self.writer.get().or(self.reader.get()).ok_or_else(|| Error::new(RegionError::ReadOnly))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds it panics halfway through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
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
        let hold = self.reserve(range, sharing, timeout, deadline)?;
        self.ask_kernel(map, &hold, timeout, deadline).inspect_err(|_| self.release(map, &hold))?;
        Ok(hold)
    }

    /// Keeps out the other threads of this process.
    fn reserve(
        &self,
        range: Range<u64>,
        sharing: Sharing,
        timeout: Timeout,
        deadline: Deadline,
    ) -> Result<Hold> {
        let thread = thread::current().id();
        let mut table = self.table();
        loop {
            let mut excluding = table.holds.iter().filter(|hold| hold.excludes(&range, sharing)).peekable();
            if excluding.peek().is_none() {
                break;
            }
            if timeout == Timeout::Now {
                return Err(Error::new(RegionError::Locked));
            }
            if excluding.any(|hold| hold.thread == thread) {
                return Err(Error::new(RegionError::Deadlock));
            }
            let left = deadline.left(Duration::from_secs(60));
            let left = left.ok_or_else(|| Error::new(RegionError::StillLocked))?;
            table = self
                .released
                .wait_timeout(table, left)
                .map_or_else(|poison| poison.into_inner().0, |woken| woken.0);
        }
        let hold = Hold { id: table.next, range, sharing, thread, by_writer: self.writer.get().is_some() };
        table.next += 1;
        table.holds.push(hold.clone());
        Ok(hold)
    }

    /// Keeps out the other processes, and other handles of this one.
    fn ask_kernel(&self, map: &Map, hold: &Hold, timeout: Timeout, deadline: Deadline) -> Result<()> {
        let releases = map.word(RegionHeader::RELEASES);
        let fd = self.carrier(hold)?.get()?;
        let attempt = || {
            let seen = releases.load();
            let granted =
                ofd::try_lock(fd, hold.sharing, &hold.range).map_err(Error::system("lock the region"));
            granted.map(|granted| (!granted).then_some(seen))
        };
        if attempt()?.is_none() {
            return Ok(());
        }
        if timeout == Timeout::Now {
            return Err(Error::new(RegionError::Locked));
        }
        // Who cannot write is not counted, and notices a release with the next slice.
        let waiting = map.word_mut(RegionHeader::WAITING).ok();
        let count = |change: fn(u64) -> Option<u64>| waiting.and_then(|waiting| waiting.update(change));
        count(|waiting| waiting.checked_add(1));
        let result = loop {
            match attempt() {
                Ok(None) => break Ok(()),
                Ok(Some(seen)) => match deadline.left(SLICE) {
                    Some(left) => releases.wait(seen, left),
                    None => break Err(Error::new(RegionError::StillLocked)),
                },
                Err(error) => break Err(error),
            }
        };
        count(|waiting| waiting.checked_sub(1));
        result
    }

    fn carrier(&self, hold: &Hold) -> Result<&Held> {
        let held = if hold.by_writer { &self.writer } else { &self.reader };
        held.get().ok_or_else(|| Error::new(RegionError::ReadOnly))
    }

    /// Releases a lock, and wakes who waits for it. A hold that the kernel never granted is released too.
    pub(crate) fn release(&self, map: &Map, hold: &Hold) {
        let mut table = self.table();
        table.holds.retain(|other| other.id != hold.id);
        if let Ok(fd) = self.carrier(hold).and_then(Held::get) {
            // What other threads share on the same description stays locked.
            let others = table.holds.iter().filter(|other| other.by_writer == hold.by_writer);
            for piece in without(hold.range.clone(), others.map(|other| &other.range)) {
                // Fails for want of kernel memory only, when a lock has to be split; closing the descriptor will do it.
                let _ = ofd::unlock(fd, &piece);
            }
        }
        drop(table);
        self.released.notify_all();
        if let Ok(releases) = map.word_mut(RegionHeader::RELEASES) {
            releases.fetch_add(1);
            if map.word(RegionHeader::WAITING).load() != 0 {
                releases.wake_all();
            }
        }
    }
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
