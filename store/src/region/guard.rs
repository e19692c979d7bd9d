//! Guards: while one lives its range is locked, and its bytes can be reached.
//!
//! In a store that only graven writes to (the contract of [`Store::open`](crate::Store::open)) nobody else touches bytes
//! whose lock is held, so an exclusive guard may give out `&mut` and a shared one `&`.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;

use graven_format::RegionHeader;

use super::any::AnyRegion;
use super::lock::{Hold, WHOLE};
use crate::os::ofd::Sharing;
use crate::{Error, RegionError, Result, Timeout};

/// A lock that is held, and is given back when dropped: by leaving a scope or by a panic.
pub(crate) struct Locked<'a> {
    any: &'a AnyRegion,
    hold: Hold,
    /// INVARIANT: the bytes of the mapped body that `hold` is for.
    bytes: NonNull<[u8]>,
    /// Whether an exclusive holder before died.
    died: bool,
    /// Whether the next holder has to be told of a death all the same.
    tell: bool,
    /// How many had locked the whole region exclusively before, if this is a lock of the whole region.
    edits: u64,
}

impl<'a> Locked<'a> {
    /// Locks the bytes from `range` of the body, or all that there is.
    pub(crate) fn new(
        any: &'a AnyRegion,
        range: Option<Range<u64>>,
        sharing: Sharing,
        timeout: Timeout,
    ) -> Result<Locked<'a>> {
        any.process.check()?;
        let map = &any.map;
        let (range, bytes) = match range {
            None => (WHOLE, map.body()),
            Some(range) => {
                let page = u64::from(any.header.page_size);
                (page + range.start..page + range.end, map.part(range))
            }
        };
        if sharing == Sharing::Exclusive && !map.writable() {
            return Err(Error::new(RegionError::ReadOnly));
        }
        let hold = any.lock.acquire(map, range, sharing, timeout)?;
        let mut locked = Locked { any, hold, bytes, died: false, tell: false, edits: 0 };
        match (locked.hold.is_exclusive(), locked.hold.is_whole()) {
            // Nobody else holds anything: what is counted died.
            (true, true) => {
                let holders = map.word_mut(RegionHeader::HOLDERS)?;
                locked.died = holders.load() != 0;
                holders.store(1);
                locked.edits = map.word_mut(RegionHeader::EDITS)?.fetch_add(1);
            }
            (true, false) => drop(map.word_mut(RegionHeader::HOLDERS)?.fetch_add(1)),
            // No exclusive holder is there. The count stays for one that can reset it.
            (false, true) => {
                locked.died = map.word(RegionHeader::HOLDERS).load() != 0;
                locked.edits = map.word(RegionHeader::EDITS).load();
            }
            (false, false) => {}
        }
        Ok(locked)
    }

    pub(crate) fn died(&self) -> bool {
        self.died
    }

    /// How often the whole region had been locked exclusively before this lock of it.
    pub(crate) fn edits_before(&self) -> u64 {
        self.edits
    }

    /// The same, this lock included.
    pub(crate) fn edits(&self) -> u64 {
        self.edits.wrapping_add(self.hold.is_exclusive().into())
    }

    /// The locked bytes.
    pub(crate) fn bytes(&self) -> NonNull<[u8]> {
        self.bytes
    }

    /// Lets the next whole-region guard report a death too, since this one's holder could not do anything about it.
    pub(crate) fn tell_the_next(&mut self) {
        self.tell = true;
    }

    /// # Panics
    /// In a forked child: it has a copy of the guard, but not the lock.
    #[inline]
    fn assert_held(&self) {
        assert!(
            !self.any.process.has_forked(),
            "a guard was used in a forked child, which does not have its lock: attach again and lock there"
        );
    }

    fn check(&self) -> Result<()> {
        match self.died {
            true => Err(self.any.failed(RegionError::HolderDied)),
            false => Ok(()),
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // A forked child has a copy of the guard, but not the lock.
        if self.any.process.check().is_err() {
            return;
        }
        let map = &self.any.map;
        if let (true, Ok(holders)) = (self.hold.is_exclusive(), map.word_mut(RegionHeader::HOLDERS)) {
            match self.hold.is_whole() {
                true => holders.store(u64::from(self.tell)),
                false => drop(holders.update(|count| count.checked_sub(1))),
            }
        }
        self.any.lock.release(map, &self.hold);
    }
}

/// The exclusive lock of a region or of a range of it. Dereferences to its bytes, or to the archived value.
///
/// Given back when dropped. Belongs to the thread that locked.
///
/// # Panics
/// In a forked child, which has a copy of the guard but not the lock, reaching for the bytes panics; dropping it there does
/// nothing. A reference that was taken before the fork must not be used there.
pub struct Guard<'a, V: ?Sized = [u8]> {
    locked: Locked<'a>,
    /// INVARIANT: valid, in the locked bytes.
    value: NonNull<V>,
    _borrows: PhantomData<&'a mut V>,
}

/// The shared lock of a region or of a range of it: no exclusive lock is held there meanwhile. Dereferences to its bytes,
/// or to the archived value.
///
/// As [`Guard`], but for reading; read-only attachments can have it.
///
/// # Panics
/// As [`Guard`]: in a forked child.
pub struct SharedGuard<'a, V: ?Sized = [u8]> {
    locked: Locked<'a>,
    /// INVARIANT: as in `Guard`.
    value: NonNull<V>,
    _borrows: PhantomData<&'a V>,
}

// SAFETY: what another thread can do with a `&Guard` is read the value and its own flag.
unsafe impl<V: ?Sized + Sync> Sync for Guard<'_, V> {}
// SAFETY: as above.
unsafe impl<V: ?Sized + Sync> Sync for SharedGuard<'_, V> {}

impl<'a, V: ?Sized> Guard<'a, V> {
    /// # Safety
    /// `value` is a valid `V` in the bytes that `locked` has exclusively.
    pub(crate) unsafe fn new(locked: Locked<'a>, value: NonNull<V>) -> Guard<'a, V> {
        Guard { locked, value, _borrows: PhantomData }
    }

    /// Whether a holder of an exclusive lock died before it gave it back, since the last exclusive guard of the whole
    /// region. Only guards of the whole region know.
    pub fn holder_died(&self) -> bool {
        self.locked.died()
    }

    /// # Errors
    /// [`RegionError::HolderDied`] (EOWNERDEAD), as [`holder_died`](Guard::holder_died): for programs that would rather
    /// use `?`.
    pub fn check(&self) -> Result<()> {
        self.locked.check()
    }

    /// The value, as the start of edits that keep it valid.
    pub(crate) fn pinned(&mut self) -> &mut V {
        self.locked.assert_held();
        // SAFETY: `NonNull::as_mut` asks for a valid, aligned value that nobody else uses: the invariant, and the lock,
        // which is exclusive; the borrow of `self` keeps other references of this guard away.
        unsafe { self.value.as_mut() }
    }
}

impl<'a> Guard<'a> {
    /// A guard of the bytes of a lock that is exclusive.
    pub(crate) fn bytes(locked: Locked<'a>) -> Guard<'a> {
        debug_assert!(locked.hold.is_exclusive());
        let value = locked.bytes();
        // SAFETY: the bytes that `locked` has (its INVARIANT); any bytes are valid.
        unsafe { Guard::new(locked, value) }
    }
}

impl<'a> SharedGuard<'a> {
    /// A guard of the bytes of a lock.
    pub(crate) fn bytes(locked: Locked<'a>) -> SharedGuard<'a> {
        let value = locked.bytes();
        // SAFETY: as above.
        unsafe { SharedGuard::new(locked, value) }
    }

    /// The lock again.
    pub(crate) fn into_locked(self) -> Locked<'a> {
        self.locked
    }
}

impl<'a, V: ?Sized> SharedGuard<'a, V> {
    /// # Safety
    /// `value` is a valid `V` in the bytes that `locked` has.
    pub(crate) unsafe fn new(locked: Locked<'a>, value: NonNull<V>) -> SharedGuard<'a, V> {
        SharedGuard { locked, value, _borrows: PhantomData }
    }

    /// As [`Guard::holder_died`].
    pub fn holder_died(&self) -> bool {
        self.locked.died()
    }

    /// # Errors
    /// [`RegionError::HolderDied`] (EOWNERDEAD), as [`Guard::check`].
    pub fn check(&self) -> Result<()> {
        self.locked.check()
    }
}

impl<V: ?Sized> Deref for Guard<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.locked.assert_held();
        // SAFETY: `NonNull::as_ref` asks for a valid, aligned value that nobody changes meanwhile: the invariant, and the
        // lock; `&mut` from this guard borrow it.
        unsafe { self.value.as_ref() }
    }
}

impl DerefMut for Guard<'_, [u8]> {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.pinned()
    }
}

impl<V: ?Sized> Deref for SharedGuard<'_, V> {
    type Target = V;

    fn deref(&self) -> &V {
        self.locked.assert_held();
        // SAFETY: as in `Guard`; those who share the lock only read.
        unsafe { self.value.as_ref() }
    }
}

impl<V: ?Sized> fmt::Debug for Guard<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("holder_died", &self.holder_died()).finish_non_exhaustive()
    }
}

impl<V: ?Sized> fmt::Debug for SharedGuard<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedGuard").field("holder_died", &self.holder_died()).finish_non_exhaustive()
    }
}
