//! Pages of a file in memory, shared: wherever the kernel finds room, or at an address of the program's choice.
//!
//! Source: mmap(2).
#![allow(unsafe_code)]

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::os::page::{At, kernel_page_size};
use crate::{Cause, Error, Result};

/// One mapping; unmapped when dropped.
pub(crate) struct Mapping {
    /// INVARIANT: `length` bytes from here are a shared mapping of a file's bytes, and this value's to unmap.
    start: NonNull<u8>,
    length: NonZeroUsize,
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
            (Ok(start), _) => Mapping { start: start.cast(), length },
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
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, by the invariant; what was borrowed from it borrowed `self`, which ends here.
        let _ = unsafe { munmap(self.start.cast(), self.length.get()) };
    }
}
