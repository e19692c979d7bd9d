//! Pages of a file in memory, shared: wherever the kernel finds room, or at an address of the program's choice.
//!
//! Source: mmap(2).
#![allow(unsafe_code)]

use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{MRemapFlags, MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mremap, munmap};

use crate::os::page::{At, kernel_page_size};
use crate::{Cause, Error, Result};

/// One mapping; unmapped when dropped.
pub(crate) struct Mapping {
    /// INVARIANT: `length` bytes from here are a shared mapping of a file's bytes, and this value's to unmap.
    start: NonNull<u8>,
    length: NonZeroUsize,
    writable: bool,
    /// Whether it stays mapped when this is dropped.
    kept: bool,
}

// SAFETY: a mapping belongs to the process, not to a thread. What may be done with its bytes is for its users.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of the file from `offset` on. The description of `fd` lives as long as the mapping.
    ///
    /// # Errors
    /// [`Cause::AddressTaken`] (EBUSY), [`Cause::Unaligned`] (EINVAL): the exact address; [`Cause::System`], as mmap(2).
    pub(crate) fn new(fd: impl AsFd, offset: u64, length: usize, at: At, writable: bool) -> Result<Mapping> {
        let invalid = || Error::system("map the memory")(Errno::EINVAL);
        let length = NonZeroUsize::new(length).ok_or_else(invalid)?;
        let offset = i64::try_from(offset).map_err(|_| invalid())?;
        let protection = match writable {
            true => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            false => ProtFlags::PROT_READ,
        };
        let (address, flags) = match at {
            At::Anywhere => (None, MapFlags::MAP_SHARED),
            At::Exact(address) => {
                let align = kernel_page_size();
                match NonZeroUsize::new(address) {
                    Some(some) if (address as u64).is_multiple_of(align) => {
                        (Some(some), MapFlags::MAP_SHARED | MapFlags::MAP_FIXED_NOREPLACE)
                    }
                    _ => {
                        let got = address as u64;
                        return Err(Error::new(Cause::Unaligned { what: "address", got, align }));
                    }
                }
            }
        };
        // SAFETY: a new shared mapping at an address where nothing is mapped: the kernel's choice, or one that
        // MAP_FIXED_NOREPLACE guards; so no existing memory is touched.
        let mapped = unsafe { mmap(address, length, protection, flags, &fd, offset) };
        let taken = |address: NonZeroUsize| {
            Error::new(Cause::AddressTaken { address: address.get(), length: length.get() as u64 })
        };
        let mapping = match (mapped, address) {
            (Ok(start), _) => Mapping { start: start.cast(), length, writable, kept: false },
            (Err(Errno::EEXIST), Some(address)) => return Err(taken(address)),
            (Err(errno), _) => return Err(Error::system("map the memory")(errno)),
        };
        // Kernels before 4.17 take the address for a hint.
        match address {
            Some(address) if mapping.start.addr() != address => Err(taken(address)),
            _ => Ok(mapping),
        }
    }

    /// Its first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The bytes that were asked for.
    pub(crate) fn length(&self) -> usize {
        self.length.get()
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> Range<usize> {
        let start = self.start.addr().get();
        start..start.saturating_add(self.length.get())
    }

    /// Asks the kernel for huge pages there. It may have none, or be told to use none.
    pub(crate) fn prefer_huge_pages(&self) {
        // SAFETY: madvise(2) with MADV_HUGEPAGE changes how memory of ours is backed, none of its bytes.
        let _ = unsafe { madvise(self.start.cast(), self.length.get(), MmapAdvise::MADV_HUGEPAGE) };
    }

    /// Moves the mapping to an address, over what is mapped there, and leaves it there when it is dropped.
    ///
    /// In one step, for other threads: whoever loads there meanwhile has what was there, or what is. After an error what
    /// was there still is.
    ///
    /// # Safety
    /// Nobody relies on what is mapped there now but for its bytes, which are those of this mapping.
    ///
    /// Source: mremap(2).
    pub(crate) unsafe fn move_over(mut self, to: NonNull<u8>) -> Result<Mapping> {
        let (from, length) = (self.start.cast(), self.length.get());
        let flags = MRemapFlags::MREMAP_MAYMOVE | MRemapFlags::MREMAP_FIXED;
        // SAFETY: mremap(2) unmaps what is at `to`, our caller's promise, and where this mapping was, which is ours.
        let moved = unsafe { mremap(from, length, length, flags, Some(to.cast())) };
        self.start = moved.map_err(Error::system("map the memory over what is there"))?.cast();
        self.kept = true;
        Ok(self)
    }

    /// Maps the same length of another file, from `offset` on, at the same address. Who loads there meanwhile has what was
    /// there, or what is; after an error what was there still is.
    ///
    /// # Errors
    /// [`Cause::System`], as mmap(2) and mremap(2).
    pub(crate) fn replace(&mut self, fd: impl AsFd, offset: u64) -> Result<()> {
        let other = Mapping::new(fd, offset, self.length.get(), At::Anywhere, self.writable)?;
        // SAFETY: `move_over` asks that nobody rely on what is mapped there: this mapping, of the same length, borrowed
        // exclusively. It is this value's to unmap as before, as the other leaves it there.
        unsafe { other.move_over(self.start) }.map(drop)
    }

    /// Maps all its pages now; those without memory get some.
    ///
    /// # Errors
    /// [`Cause::System`]: ENOMEM. Kernels before 5.14 know nothing of it, and map pages when they are touched.
    pub(crate) fn populate(&self) -> Result<()> {
        let advice = match self.writable {
            true => MmapAdvise::MADV_POPULATE_WRITE,
            false => MmapAdvise::MADV_POPULATE_READ,
        };
        loop {
            // SAFETY: madvise(2) with this advice changes when memory of ours is mapped, none of its bytes.
            return match unsafe { madvise(self.start.cast(), self.length.get(), advice) } {
                Ok(()) | Err(Errno::EINVAL) => Ok(()),
                Err(Errno::EINTR) => continue,
                Err(errno) => Err(Error::system("map the memory's pages")(errno)),
            };
        }
    }

    /// Copies bytes in. Others may read meanwhile, and have some of them only.
    ///
    /// # Panics
    /// Not mapped for writing, or not all of them are in it.
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset.checked_add(bytes.len());
        assert!(self.writable && end.is_some_and(|end| end <= self.length.get()), "not in the mapping");
        // SAFETY: `add` asks that the offset be within the same memory: just compared with its length.
        let to = unsafe { self.start.add(offset) };
        // SAFETY: `copy_from` asks for
        // - so many bytes readable at `bytes`, and writable at `to`: a slice, and mapped for writing, just compared;
        // - alignment to 1. The two may overlap.
        // No reference leads to them: users have the address only, and `self` is borrowed exclusively; where the program
        // had the memory before, whoever converted it promised so. Other processes are none of the abstract machine's
        // threads.
        unsafe { to.copy_from(NonNull::from(bytes).cast(), bytes.len()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // SAFETY: the mapping is ours, by the invariant; what was borrowed from it borrowed `self`, which ends here.
        let _ = unsafe { munmap(self.start.cast(), self.length.get()) };
    }
}
