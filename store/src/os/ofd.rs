//! Byte-range locks of the kernel that belong to an open file description.
//!
//! They exclude each other between descriptions, of one process or of many, whatever their pid namespace, and the kernel
//! releases them with the last descriptor *and mapping* of the description, however its process ended. Within one
//! description they do not exclude: that is for the process to arrange.
//!
//! Source: fcntl(2), "Open file description locks".

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Whom a lock keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sharing {
    /// Those who want it alone; needs a descriptor open for reading.
    Shared,
    /// All others; needs a descriptor open for writing.
    Exclusive,
}

/// The first byte behind all that can be locked.
pub(crate) const END: u64 = i64::MAX as u64;

/// Locks a range, or turns what the description holds of it into this lock. `false`: somebody else's is in the way.
///
/// # Errors
/// As fcntl(2): ENOLCK; EBADF if the descriptor is not open for what the lock needs; EINVAL for an empty range or one
/// that passes [`END`].
pub(crate) fn try_lock(fd: impl AsFd, sharing: Sharing, range: &Range<u64>) -> io::Result<bool> {
    let lock = flock(kind(sharing), range)?;
    match retry(|| fcntl(&fd, FcntlArg::F_OFD_SETLK(&lock))) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Releases what the description holds of a range.
///
/// # Errors
/// As [`try_lock`]; ENOLCK too, as a lock may have to be split.
pub(crate) fn unlock(fd: impl AsFd, range: &Range<u64>) -> io::Result<()> {
    let lock = flock(libc::F_UNLCK, range)?;
    retry(|| fcntl(&fd, FcntlArg::F_OFD_SETLK(&lock)))?;
    Ok(())
}

/// A lock, of another description, that keeps this one out: its kind and range. The first that the kernel comes upon.
///
/// # Errors
/// As [`try_lock`], but any descriptor will do.
pub(crate) fn conflict(
    fd: impl AsFd,
    sharing: Sharing,
    range: &Range<u64>,
) -> io::Result<Option<(Sharing, Range<u64>)>> {
    let mut lock = flock(kind(sharing), range)?;
    retry(|| fcntl(&fd, FcntlArg::F_OFD_GETLK(&mut lock)))?;
    let sharing = match i32::from(lock.l_type) {
        libc::F_UNLCK => return Ok(None),
        libc::F_RDLCK => Sharing::Shared,
        _ => Sharing::Exclusive,
    };
    let start = lock.l_start as u64;
    let end = match lock.l_len {
        0 => END,
        length => start.saturating_add(length as u64),
    };
    Ok(Some((sharing, start..end)))
}

fn kind(sharing: Sharing) -> i32 {
    match sharing {
        Sharing::Shared => libc::F_RDLCK,
        Sharing::Exclusive => libc::F_WRLCK,
    }
}

fn flock(kind: i32, range: &Range<u64>) -> io::Result<libc::flock> {
    // A length of 0 would mean everything behind the start.
    if range.is_empty() || range.end > END {
        return Err(Errno::EINVAL.into());
    }
    Ok(libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: range.start as libc::off_t,
        l_len: (range.end - range.start) as libc::off_t,
        // The kernel wants 0 here for locks of this kind.
        l_pid: 0,
    })
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// Two descriptions of one file.
    fn two() -> (File, File) {
        let file = tempfile::NamedTempFile::new().unwrap();
        (file.reopen().unwrap(), file.reopen().unwrap())
    }

    #[test]
    fn exclusive_locks_keep_others_out_of_their_range_only() {
        let (a, b) = two();
        assert!(try_lock(&a, Sharing::Exclusive, &(10..20)).unwrap());
        assert!(try_lock(&b, Sharing::Exclusive, &(20..30)).unwrap());
        assert!(!try_lock(&b, Sharing::Shared, &(19..20)).unwrap());
        assert_eq!(conflict(&b, Sharing::Shared, &(0..100)).unwrap(), Some((Sharing::Exclusive, 10..20)));
        unlock(&a, &(15..20)).unwrap();
        assert_eq!(conflict(&b, Sharing::Shared, &(0..100)).unwrap(), Some((Sharing::Exclusive, 10..15)));
        unlock(&a, &(0..100)).unwrap();
        assert_eq!(conflict(&b, Sharing::Exclusive, &(0..20)).unwrap(), None);
    }

    #[test]
    fn shared_locks_keep_out_exclusive_ones_only() {
        let (a, b) = two();
        assert!(try_lock(&a, Sharing::Shared, &(0..END)).unwrap());
        assert!(try_lock(&b, Sharing::Shared, &(5..6)).unwrap());
        assert!(!try_lock(&b, Sharing::Exclusive, &(5..6)).unwrap());
        assert_eq!(conflict(&b, Sharing::Exclusive, &(5..6)).unwrap(), Some((Sharing::Shared, 0..END)));
    }

    #[test]
    fn an_empty_range_is_refused_rather_than_taken_for_the_rest_of_the_file() {
        let (a, _) = two();
        for range in [5..5, 0..u64::MAX] {
            let error = try_lock(&a, Sharing::Shared, &range).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(Errno::EINVAL as i32));
        }
    }
}
