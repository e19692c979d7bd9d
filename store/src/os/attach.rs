//! Who is attached, by the kernel's account.
//!
//! An attachment is a shared lock on one byte, at a random offset of a range set aside for that, taken through a
//! descriptor that is then closed: the lock lives on with the *mapping* made through it, and ends with it, however the
//! process ended. So there is no table to be left wrong, and no descriptor to be kept. Forked children map the same
//! pages and count as one with their parent.
//!
//! Not on every file system: what is mapped on overlayfs is the file of the layer below, and the lock goes with the
//! descriptor. So each attachment is looked for through another descriptor once the first is closed, and where it is gone
//! that other one carries it, and is kept; on overlayfs in any case. Nothing is remembered of a file system: device numbers
//! are used again, and to look is four system calls.
//!
//! Nobody is attached exactly when the whole range can be locked exclusively.
//!
//! Source: fcntl(2), "Open file description locks"; SPEC 16.4.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use crate::os::file_system;
use crate::os::held::Held;
use crate::os::ofd::{self, Sharing};
use crate::{Error, Result};

/// How many attachments are counted. For each the kernel goes twice through the locks of the file, so the time grows with
/// the square of their number: up to here. A process that takes more makes it grow with their number only.
const MOST: u64 = 10_000;

/// Attaches: through the description of `first`, which is closed, for the mapping that `map` makes of it. Where that does
/// not keep it, the attachment is `second`'s, another description of the same file, which is returned and has to be kept.
/// `None`: somebody has the whole range locked, to remove the file; look for the file again.
///
/// `first` is held, or a child forked meanwhile would have a copy, which keeps the lock for a while.
pub(crate) fn attach<M, F: AsFd>(
    first: Held,
    second: F,
    range: &Range<u64>,
    map: impl FnOnce(BorrowedFd<'_>) -> Result<M>,
) -> Result<Option<(M, Option<F>)>> {
    let room = range.end.saturating_sub(range.start);
    let number = getrandom::u64().map_err(Error::system("choose an offset"))?;
    let at = range.start.saturating_add(number.checked_rem(room).unwrap_or(0));
    let at = at..at.saturating_add(1);
    let lock = |fd: BorrowedFd<'_>| ofd::try_lock(fd, Sharing::Shared, &at).map_err(Error::system("attach"));
    if !lock(first.get()?)? {
        return Ok(None);
    }
    let mapped = map(first.get()?)?;
    drop(first);
    let found =
        ofd::conflict(&second, Sharing::Exclusive, &at).map_err(Error::system("look for the attachment"))?;
    // Another's lock, of a range that this is in, proves nothing; nor does this one on overlayfs: another thread may be
    // starting a process, which has a copy of the first descriptor until exec(2).
    if found.is_some_and(|(_, found)| found == at) && !file_system::is_overlay(&second) {
        return Ok(Some((mapped, None)));
    }
    Ok(lock(second.as_fd())?.then_some((mapped, Some(second))))
}

/// How many attachments there are, but for those of the description of `fd`; no more than [`MOST`].
///
/// The kernel reports one lock at a time, in no order: what lies before and behind it is asked again. Two calls to the
/// kernel per attachment. Two at the same offset, one in billions, count as one.
pub(crate) fn count(fd: impl AsFd, range: &Range<u64>) -> io::Result<u64> {
    count_to(MOST, fd, range)
}

fn count_to(most: u64, fd: impl AsFd, range: &Range<u64>) -> io::Result<u64> {
    let mut attachments = 0u64;
    let mut left = vec![range.clone()];
    while attachments < most
        && let Some(range) = left.pop()
    {
        let Some((_, found)) = ofd::conflict(&fd, Sharing::Exclusive, &range)? else { continue };
        attachments = attachments.saturating_add(1);
        let parts = [range.start..found.start, found.end..range.end];
        left.extend(parts.into_iter().filter(|part| !part.is_empty()));
    }
    Ok(attachments)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    const RANGE: Range<u64> = 1 << 40..1 << 41;

    #[test]
    fn attachments_are_counted_whatever_their_positions_until_their_descriptions_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || file.reopen().unwrap();
        let counter = open();
        assert_eq!(count(&counter, &RANGE).unwrap(), 0);
        let attach = || {
            let first = Held::open::<io::Error>(|| Ok(open().into())).unwrap();
            // A mapping keeps a lock alive; so would any other copy of the description.
            attach(first, open(), &RANGE, |fd| Ok(File::from(fd.try_clone_to_owned().unwrap()))).unwrap()
        };
        let mut attached: Vec<(File, Option<File>)> = (0..200).map(|_| attach().unwrap()).collect();
        assert!(attached.iter().all(|(_, kept)| kept.is_none()));
        assert_eq!(count(&counter, &RANGE).unwrap(), 200);
        attached.truncate(3);
        assert_eq!(count(&counter, &RANGE).unwrap(), 3);
        assert!(!ofd::try_lock(&counter, Sharing::Exclusive, &RANGE).unwrap());
        drop(attached);
        assert!(ofd::try_lock(&counter, Sharing::Exclusive, &RANGE).unwrap());
        assert!(attach().is_none(), "to be removed");
    }

    #[test]
    fn where_a_mapping_does_not_keep_a_lock_the_other_descriptor_does() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || file.reopen().unwrap();
        let counter = open();
        let attach = || {
            let first = Held::open::<io::Error>(|| Ok(open().into())).unwrap();
            attach(first, open(), &RANGE, |_| Ok(())).unwrap().unwrap().1
        };
        let kept = attach();
        assert!(kept.is_some());
        assert_eq!(count(&counter, &RANGE).unwrap(), 1);
        drop(kept);
        assert_eq!(count(&counter, &RANGE).unwrap(), 0);
        // Nor does anybody's lock of a range that the attachment's byte is in.
        let hostile = open();
        assert!(ofd::try_lock(&hostile, Sharing::Shared, &RANGE).unwrap());
        let kept = attach();
        assert!(kept.is_some());
        drop(hostile);
        assert_eq!(count(&counter, &RANGE).unwrap(), 1);
    }

    #[test]
    fn who_takes_many_locks_is_counted_no_further_than_there_is_a_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (counter, hostile) = (file.reopen().unwrap(), file.reopen().unwrap());
        for at in 0..50 {
            // Not side by side, or the kernel would make one of them.
            let at = RANGE.start + 2 * at;
            assert!(ofd::try_lock(&hostile, Sharing::Shared, &(at..at + 1)).unwrap());
        }
        for most in [1, 49, 50, 51] {
            assert_eq!(count_to(most, &counter, &RANGE).unwrap(), most.min(50));
        }
        assert_eq!(count(&counter, &RANGE).unwrap(), 50);
    }

    #[test]
    fn positions_at_both_ends_are_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let counter = file.reopen().unwrap();
        let ends = [RANGE.start, RANGE.start + 1, RANGE.end - 1].map(|at| {
            let file = file.reopen().unwrap();
            assert!(ofd::try_lock(&file, Sharing::Shared, &(at..at + 1)).unwrap());
            file
        });
        assert_eq!(count(&counter, &RANGE).unwrap(), ends.len() as u64);
    }
}
