//! A region's pages in memory: the header page with its shared words, and the body at an address of its own.
//!
//! Two mappings, so that the body can be where the program wants it. Every block of the file was allocated when the
//! region was created, so no access can fail for want of room.
//!
//! Source: mmap(2); SPEC 16.1.
#![allow(unsafe_code)]

use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use graven_format::RegionHeader;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::os::page::{At, kernel_page_size};
use crate::os::sync::{Word, WordMut};
use crate::{Cause, Error, RegionError, Result};

/// The mapped pages of a region.
pub(crate) struct Map {
    header: Pages,
    body: Pages,
    /// The bytes of the body that were asked for.
    size: usize,
    writable: bool,
}

impl Map {
    /// Maps the region in `fd`. The description of `fd` lives as long as the map.
    ///
    /// The file has the length that the header says: the caller has compared them.
    pub(crate) fn new(fd: impl AsFd, header: &RegionHeader, at: At, writable: bool) -> Result<Map> {
        let too_large = || Error::system("map the region")(Errno::ENOMEM);
        let page = u64::from(header.page_size);
        let size = usize::try_from(header.size).map_err(|_| too_large())?;
        let length = usize::try_from(header.length() - page).map_err(|_| too_large())?;
        let body = Pages::map(&fd, page, length, at, writable)?;
        let header = Pages::map(&fd, 0, header.page_size as usize, At::Anywhere, writable)?;
        Ok(Map { header, body, size, writable })
    }

    /// A shared word of the header page, to be read: one of [`RegionHeader`]'s offsets.
    pub(crate) fn word(&self, offset: usize) -> Word<'_> {
        // SAFETY: `Word::new` asks for
        // - 8 aligned, readable bytes backed by the file during the borrow: the page is mapped while `self` lives, and
        //   the offset is a multiple of 8 inside its 4096 bytes or more (`slot`);
        // - access through words only: nothing else here reads those of the page.
        unsafe { Word::new(self.slot(offset)) }
    }

    /// The same, to be written.
    ///
    /// # Errors
    /// [`RegionError::ReadOnly`].
    pub(crate) fn word_mut(&self, offset: usize) -> Result<WordMut<'_>> {
        if !self.writable {
            return Err(Error::new(RegionError::ReadOnly));
        }
        // SAFETY: as above; and the page is mapped writable, its block allocated when the region was created.
        Ok(unsafe { WordMut::new(self.slot(offset)) })
    }

    fn slot(&self, offset: usize) -> NonNull<u64> {
        assert!(
            offset.is_multiple_of(8) && offset + 8 <= self.header.length.get(),
            "not an offset of a word"
        );
        // SAFETY: `add` asks that the offset be within the same memory: just compared with the page's length.
        unsafe { self.header.start.add(offset) }.cast()
    }

    /// The body, as many bytes as were asked for.
    pub(crate) fn body(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.body.start, self.size)
    }

    /// A part of the body.
    ///
    /// # Panics
    /// Not in the body.
    pub(crate) fn part(&self, range: Range<u64>) -> NonNull<[u8]> {
        assert!(range.start <= range.end && range.end <= self.size as u64, "not in the body");
        // SAFETY: `add` asks that the offset be within the same memory: just compared with the body's size.
        let start = unsafe { self.body.start.add(range.start as usize) };
        NonNull::slice_from_raw_parts(start, (range.end - range.start) as usize)
    }

    pub(crate) fn writable(&self) -> bool {
        self.writable
    }
}

/// One mapping; unmapped when dropped.
struct Pages {
    /// INVARIANT: `length` bytes from here are a shared mapping of a file's bytes, and this value's to unmap.
    start: NonNull<u8>,
    length: NonZeroUsize,
}

// SAFETY: a mapping belongs to the process, not to a thread. What may be done with its bytes is for `Map`'s users.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Pages {
    fn map(fd: impl AsFd, offset: u64, length: usize, at: At, writable: bool) -> Result<Pages> {
        let invalid = || Error::system("map the region")(Errno::EINVAL);
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
            Error::new(RegionError::AddressTaken { address: address.get(), length: length.get() as u64 })
        };
        let pages = match (mapped, address) {
            (Ok(start), _) => Pages { start: start.cast(), length },
            (Err(Errno::EEXIST), Some(address)) => return Err(taken(address)),
            (Err(errno), _) => return Err(Error::system("map the region")(errno)),
        };
        // Kernels before 4.17 take the address for a hint.
        match address {
            Some(address) if pages.start.addr() != address => Err(taken(address)),
            _ => Ok(pages),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, by the invariant; what was borrowed from it borrowed `self`, which ends here.
        let _ = unsafe { munmap(self.start.cast(), self.length.get()) };
    }
}
