//! Locks on bytes, and copies that lock what they need.

use std::ops::{Range, RangeBounds};
use std::time::Duration;

use super::guard::{Guard, SharedGuard};
use super::handle::Region;
use crate::os::ofd::Sharing;
use crate::os::page::range_in;
use crate::{Cause, Error, RegionError, Result, Timeout};

/// A number that [`Region::get`] and [`Region::put`] copy: integers and floats of 1 to 8 bytes.
pub trait Number: sealed::Sealed + Copy {
    /// Its bytes.
    #[doc(hidden)]
    type Bytes: AsMut<[u8]> + AsRef<[u8]> + Default;
    #[doc(hidden)]
    fn to_le(self) -> Self::Bytes;
    #[doc(hidden)]
    fn from_le(bytes: Self::Bytes) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! numbers {
    ($($ty:ident),*) => {$(
        impl sealed::Sealed for $ty {}
        impl Number for $ty {
            type Bytes = [u8; size_of::<$ty>()];
            fn to_le(self) -> Self::Bytes {
                self.to_le_bytes()
            }
            fn from_le(bytes: Self::Bytes) -> $ty {
                $ty::from_le_bytes(bytes)
            }
        }
    )*};
}
numbers!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

impl Region {
    /// Locks the whole region, waiting as long as it takes. A holder that is killed is noticed within 25 ms.
    ///
    /// While it waits for readers, new readers of its range wait for it, so that readers whose locks always overlap keep no
    /// writer out; and a reader waits for one writer, not for those who come after it. Writers among each other have no
    /// order. A thread that has a lock of the region passes those who wait, as they might be waiting for it; any other does
    /// after a second, as they might be stopped.
    ///
    /// [`Guard::holder_died`] says whether one was since the last such guard, with the whole region or a part of it. A
    /// panic gives a lock back as any end of a scope does, and is not reported.
    ///
    /// Two system calls where nobody holds it or waits for it, one to release.
    ///
    /// # Errors
    /// - [`RegionError::Deadlock`] (EDEADLK): this thread has it, or a part of it.
    /// - [`RegionError::ReadOnly`], [`RegionError::Typed`], [`Cause::Forked`] (EPERM).
    /// - [`Cause::System`]: ENOLCK, as fcntl(2).
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// # use graven_store::{Store, Timeout};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// let region = store.region("board").size(100).create()?;
    /// let mut guard = region.lock()?;
    /// if guard.holder_died() {
    ///     guard.fill(0); // a process was killed while it wrote
    /// }
    /// guard[..5].copy_from_slice(b"hello");
    /// assert_eq!(region.lock().unwrap_err().errno(), 35); // EDEADLK
    /// drop(guard);
    /// assert_eq!(&region.lock()?[..5], b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 16.3.
    pub fn lock(&self) -> Result<Guard<'_>> {
        self.exclusive(None, Timeout::Forever)
    }

    /// Locks the whole region if nobody has it or a part of it, and nobody who comes first waits for it.
    ///
    /// # Errors
    /// [`RegionError::Locked`] (EAGAIN), also if it is this thread that has it; else as [`lock`](Region::lock).
    pub fn try_lock(&self) -> Result<Guard<'_>> {
        self.exclusive(None, Timeout::Now)
    }

    /// Locks the whole region, waiting at most so long.
    ///
    /// # Errors
    /// [`RegionError::StillLocked`] (ETIMEDOUT); else as [`lock`](Region::lock).
    pub fn lock_within(&self, time: Duration) -> Result<Guard<'_>> {
        self.exclusive(None, Timeout::Within(time))
    }

    /// Locks some bytes, waiting as long as it takes. Others may hold other ranges meanwhile. Whether a holder died is
    /// left to be reported to the next who locks the whole region.
    ///
    /// # Errors
    /// [`Cause::Bounds`] (EINVAL): not all in the region, or empty; else as [`lock`](Region::lock).
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// # use graven_store::{Store, Timeout};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// let region = store.region("board").size(100).create()?;
    /// let mut low = region.lock_range(..50)?;
    /// let mut high = region.lock_range(50..)?;
    /// (low[0], high[0]) = (1, 2);
    /// assert_eq!(region.try_lock_range(49..51).unwrap_err().errno(), 11); // EAGAIN
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock_range(&self, range: impl RangeBounds<u64>) -> Result<Guard<'_>> {
        self.exclusive(Some(self.range(range)?), Timeout::Forever)
    }

    /// Locks some bytes if nobody has any of them, and nobody who comes first waits for them.
    ///
    /// # Errors
    /// As [`lock_range`](Region::lock_range) and [`try_lock`](Region::try_lock).
    pub fn try_lock_range(&self, range: impl RangeBounds<u64>) -> Result<Guard<'_>> {
        self.exclusive(Some(self.range(range)?), Timeout::Now)
    }

    /// Locks some bytes, waiting at most so long.
    ///
    /// # Errors
    /// As [`lock_range`](Region::lock_range) and [`lock_within`](Region::lock_within).
    pub fn lock_range_within(&self, range: impl RangeBounds<u64>, time: Duration) -> Result<Guard<'_>> {
        self.exclusive(Some(self.range(range)?), Timeout::Within(time))
    }

    /// Locks some bytes, or all with `..`, for reading: any number may hold them so, and read-only attachments too. Who
    /// waits for an exclusive lock of some of them comes first, for a second: see [`lock`](Region::lock). And while this
    /// waits for all bytes, as [`save`](Region::save) does, locks of some of them that are asked for may come as much later.
    ///
    /// # Errors
    /// As [`lock_range`](Region::lock_range), but for `ReadOnly` and `Typed`; with [`Timeout::Now`] as
    /// [`try_lock`](Region::try_lock), with [`Timeout::Within`] as [`lock_within`](Region::lock_within).
    pub fn lock_shared(&self, range: impl RangeBounds<u64>, timeout: Timeout) -> Result<SharedGuard<'_>> {
        let range = self.range(range)?;
        let whole = range == (0..self.size());
        self.locked((!whole).then_some(range), Sharing::Shared, timeout).map(SharedGuard::bytes)
    }

    /// Copies a number out, of `size_of::<N>()` bytes in little-endian order. Locks them for reading, waiting as long as it
    /// takes: as [`read_at`](Region::read_at), which says how to wait less.
    ///
    /// # Errors
    /// [`Cause::Bounds`] (EINVAL); [`Cause::Unaligned`] (EINVAL): the offset is no multiple of the size; as
    /// [`lock_shared`](Region::lock_shared) without a timeout.
    ///
    /// # Examples
    /// See [`Region`].
    pub fn get<N: Number>(&self, offset: u64) -> Result<N> {
        let mut bytes = N::Bytes::default();
        self.check_alignment::<N>(offset)?;
        self.read_at(offset, bytes.as_mut())?;
        Ok(N::from_le(bytes))
    }

    /// Copies a number in: what [`get`](Region::get) gives. Locks its bytes, waiting as long as it takes: as
    /// [`write_at`](Region::write_at), which says how to wait less.
    ///
    /// # Errors
    /// As [`get`](Region::get) and [`lock`](Region::lock).
    pub fn put<N: Number>(&self, offset: u64, number: N) -> Result<()> {
        self.check_alignment::<N>(offset)?;
        self.write_at(offset, number.to_le().as_ref())
    }

    /// Copies bytes out. Locks them for reading, waiting as long as it takes. To wait for some time only, or not at all,
    /// lock them with [`lock_shared`](Region::lock_shared), whose guard has them.
    ///
    /// # Errors
    /// [`Cause::Bounds`] (EINVAL), also where offset and length overflow; as
    /// [`lock_shared`](Region::lock_shared) without a timeout.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// use std::time::Duration;
    /// # use graven_store::{Store, Timeout};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// let region = store.region("board").size(100).create()?;
    /// region.put(8, 7u64)?;
    ///
    /// // The same with a deadline, for reading and for writing:
    /// let soon = Duration::from_millis(10);
    /// let guard = region.lock_shared(8..16, Timeout::Within(soon))?;
    /// assert_eq!(u64::from_le_bytes(guard[..].try_into()?), 7);
    /// drop(guard);
    /// region.lock_range_within(8..16, soon)?.copy_from_slice(&8u64.to_le_bytes());
    /// assert_eq!(region.get::<u64>(8)?, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.read_vectored(&mut [(offset, bytes)])
    }

    /// Copies bytes in. Locks them, waiting as long as it takes. To wait for some time only, lock them with
    /// [`lock_range_within`](Region::lock_range_within); not at all, with [`try_lock_range`](Region::try_lock_range).
    ///
    /// # Errors
    /// [`Cause::Bounds`] (EINVAL), also where offset and length overflow; as [`lock`](Region::lock).
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.write_vectored(&[(offset, bytes)])
    }

    /// Copies several pieces out, of one moment: all from the first to the last byte is locked for reading meanwhile.
    ///
    /// # Errors
    /// As [`read_at`](Region::read_at); then nothing was copied.
    pub fn read_vectored(&self, pieces: &mut [(u64, &mut [u8])]) -> Result<()> {
        let Some(hull) = self.hull(pieces.iter().map(|(offset, bytes)| (*offset, bytes.len())))? else {
            return Ok(());
        };
        let start = hull.start;
        let guard = self.locked(Some(hull), Sharing::Shared, Timeout::Forever).map(SharedGuard::bytes)?;
        for (offset, bytes) in pieces.iter_mut().filter(|(_, bytes)| !bytes.is_empty()) {
            let at = (*offset - start) as usize;
            bytes.copy_from_slice(&guard[at..at + bytes.len()]);
        }
        Ok(())
    }

    /// Copies several pieces in, in order and in one moment: all from the first to the last byte is locked meanwhile.
    /// Everything is checked before anything is written.
    ///
    /// # Errors
    /// As [`write_at`](Region::write_at); then nothing was written.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// # use graven_store::{Store, Timeout};
    /// # // SAFETY: only this program writes below `dir`.
    /// # let store = unsafe { Store::open(dir)? };
    /// let region = store.region("board").size(100).create()?;
    /// assert!(region.write_vectored(&[(0, b"ab"), (u64::MAX, b"c")]).is_err());
    /// assert_eq!(region.get::<u8>(0)?, 0);
    /// region.write_vectored(&[(0, b"ab"), (99, b"c")])?;
    /// assert_eq!(region.get::<u8>(99)?, b'c');
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_vectored(&self, pieces: &[(u64, &[u8])]) -> Result<()> {
        let Some(hull) = self.hull(pieces.iter().map(|(offset, bytes)| (*offset, bytes.len())))? else {
            return self.check_raw();
        };
        let start = hull.start;
        let mut guard = self.exclusive(Some(hull), Timeout::Forever)?;
        for (offset, bytes) in pieces.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let at = (*offset - start) as usize;
            guard[at..at + bytes.len()].copy_from_slice(bytes);
        }
        Ok(())
    }

    pub(super) fn exclusive(&self, range: Option<Range<u64>>, timeout: Timeout) -> Result<Guard<'_>> {
        self.check_raw()?;
        self.locked(range, Sharing::Exclusive, timeout).map(Guard::bytes)
    }

    /// Bytes of an archived value are changed through its type only.
    pub(super) fn check_raw(&self) -> Result<()> {
        match self.any.header.typed {
            true => Err(self.any.failed(RegionError::Typed)),
            false => Ok(()),
        }
    }

    /// What is said by a range of bytes, if it is in the region and not empty.
    fn range(&self, range: impl RangeBounds<u64>) -> Result<Range<u64>> {
        range_in(range, self.size()).map_err(|error| self.any.failed(error))
    }

    /// The range from the first to the last byte of all pieces that have any; `None` if none has.
    fn hull(&self, pieces: impl Iterator<Item = (u64, usize)>) -> Result<Option<Range<u64>>> {
        let mut hull: Option<Range<u64>> = None;
        for (offset, length) in pieces {
            let length = length as u64;
            let end = offset.checked_add(length).filter(|end| *end <= self.size());
            let end = end.ok_or_else(|| self.out_of_bounds(offset, length.max(1)))?;
            if length > 0 {
                let hull = hull.get_or_insert(offset..end);
                *hull = hull.start.min(offset)..hull.end.max(end);
            }
        }
        Ok(hull)
    }

    fn out_of_bounds(&self, offset: u64, length: u64) -> Error {
        self.any.failed(Cause::Bounds { offset, length, size: self.size() })
    }

    fn check_alignment<N: Number>(&self, offset: u64) -> Result<()> {
        let align = size_of::<N>() as u64;
        match offset.is_multiple_of(align) {
            true => Ok(()),
            false => {
                Err(self.any.failed(Error::new(Cause::Unaligned { what: "offset", got: offset, align })))
            }
        }
    }
}
