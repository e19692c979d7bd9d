//! Memory that the program has becomes one that others can be given, where it is.
//!
//! ```text
//! look at the mappings there: what converting would silently take from them is refused
//! make a memory file of that length, allocate it, and write the bytes to it
//! map it somewhere else; seal it
//! move that mapping over what is there (mremap(2), MREMAP_FIXED)
//! ```
//! Everything that can fail comes before the last step, which is one for all threads: after an error nothing has changed.
//!
//! What a private mapping can be told by madvise(2), mlock(2) and the like is not told to the one that takes its place: the
//! kernel drops it without a word. So mappings of which that matters are refused; that huge pages were asked for, and what
//! mbind(2) said, is dropped.
#![allow(unsafe_code)] // mapping over memory that somebody has

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, SealFlag};
use nix::libc;
use nix::sys::stat::Mode;

use super::memory::{ExportMemory, check_limit};
use crate::os::mapping::Mapping;
use crate::os::page::{At, check_run, kernel_page_size};
use crate::os::{blocks, memfd, room, smaps};
use crate::{Cause, Error, ExportError, Result};

/// What a mapping is by its `VmFlags` (proc_pid_smaps(5)) and would not be any more.
const REFUSED: &[(&str, &str)] = &[
    ("lo", "it is locked in memory (mlock)"),
    ("wf", "it is wiped in forked children (MADV_WIPEONFORK)"),
    ("dc", "forked children do not have it (MADV_DONTFORK)"),
    ("dd", "it is left out of core dumps (MADV_DONTDUMP)"),
    ("mg", "its pages are merged with equal ones (MADV_MERGEABLE)"),
    ("gd", "it grows down, as stacks do"),
    ("um", "userfaultfd(2) waits for its missing pages"),
    ("uw", "userfaultfd(2) waits for writes to it"),
    ("io", "it is a device's"),
    ("pf", "its pages have no descriptions in the kernel (VM_PFNMAP)"),
    ("ht", "it consists of huge pages of a pool (hugetlbfs)"),
    ("sl", "it is sealed (mseal)"),
];

impl ExportMemory {
    /// Makes memory that this process has a memory that others can be given, at the same address and with the same
    /// contents. Others only read it, as is the default of [`ExportMemory::options`].
    ///
    /// The `len` bytes at `address`, whole pages, are one or more private writable mappings, or parts of them: of mmap(2),
    /// `.bss`, or a file mapped `MAP_PRIVATE`. Dropping the memory leaves them mapped: they stay the program's.
    ///
    /// Cost: a copy into fresh memory; for a moment there are both. Who can choose has no need of it:
    /// [`ExportMemory::options`] makes memory that is one from the start.
    ///
    /// # Errors
    /// After an error everything is as it was.
    /// - [`Cause::Unaligned`] (EINVAL): address or length is no multiple of the page size. [`ExportError::Size`] (EINVAL):
    ///   0, or more than `isize::MAX`.
    /// - [`ExportError::NotConvertible`] (EINVAL), with what it is: shared, not readable, not writable, executable, or of a
    ///   kind that the kernel would drop silently; or nothing is mapped there.
    /// - [`Cause::System`]: no memory (ENOSPC); the process's limit of file sizes (EFBIG); no mappings left (ENOMEM); EMFILE;
    ///   EOPNOTSUPP as [`create`](crate::ExportMemoryOptions::create).
    ///
    /// # Safety
    /// - Until it returns nobody writes to the memory: stores would be lost. Loads are fine.
    /// - From then on nothing frees, trims, advises (madvise(2)) or forks over these pages in the belief that they are
    ///   private: so never pages that an allocator will get back. MADV_DONTNEED, for example, does not clear them any more.
    /// - As long as the memory lives, the pages stay mapped, and writable; and when [`write_at`](ExportMemory::write_at) is
    ///   called, nobody holds a reference to the bytes that it stores to, or accesses them meanwhile: it writes here.
    /// - After fork(2) parent and child share them: what one stores the other loads, and that is no store of this program's
    ///   for whoever holds a reference.
    /// - Others read them from now on, whatever they hold.
    ///
    /// # Examples
    /// ```
    /// use std::{num::NonZeroUsize, ptr::NonNull};
    /// use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
    /// let length = 16384;
    /// let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    /// // SAFETY: a new mapping where the kernel finds room.
    /// let table: NonNull<u8> =
    ///     unsafe { mmap_anonymous(None, NonZeroUsize::new(length).unwrap(), access, MapFlags::MAP_PRIVATE)? }.cast();
    /// // SAFETY: mapped above, for writing.
    /// unsafe { table.write(7) };
    ///
    /// // SAFETY: nobody else knows of the mapping, and nobody advises or unmaps it later.
    /// let memory = unsafe { graven_store::ExportMemory::convert(table, length)? };
    /// let mut byte = [0];
    /// memory.read_at(0, &mut byte)?;
    /// assert_eq!((memory.address(), byte), (table, [7]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: mremap(2), memfd_create(2); proc_pid_smaps(5).
    pub unsafe fn convert(address: NonNull<u8>, len: usize) -> Result<ExportMemory> {
        let size = len as u64;
        if len == 0 || isize::try_from(len).is_err() {
            return Err(Error::new(ExportError::Size { asked: size }));
        }
        let (start, align) = (address.addr().get(), kernel_page_size());
        check_aligned("address", start as u64, align)?;
        check_aligned("length", size, align)?;
        check_run(start as u64, size, align)?;
        check_mappings(start..start.saturating_add(len))?;
        check_limit(size)?;
        if !room::is_available(size) {
            return Err(memfd::no_room());
        }
        let file = memfd::create(c"graven-memory", Mode::S_IRUSR | Mode::S_IWUSR)?;
        file.set_len(size).map_err(Error::system("set the memory's length"))?;
        let allocated = blocks::allocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0..size);
        allocated.map_err(Error::system("reserve memory"))?;
        copy(&file, address, len)?;
        let mapping = Mapping::new(&file, 0, len, At::Anywhere, true)?;
        memfd::seal(&file, SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_FUTURE_WRITE)?;
        // SAFETY: `move_over` asks that nobody rely on the mapping there but for its bytes, which are those copied: our
        // caller's promise, and that nobody has changed them meanwhile.
        let mapping = unsafe { mapping.move_over(address)? };
        Ok(ExportMemory { file, mapping, size, importers_write: false })
    }
}

fn check_aligned(what: &'static str, got: u64, align: u64) -> Result<()> {
    match got.is_multiple_of(align) {
        true => Ok(()),
        false => Err(Error::new(Cause::Unaligned { what, got, align })),
    }
}

/// Whether mappings of which converting takes nothing have all of those addresses.
///
/// # Errors
/// [`ExportError::NotConvertible`].
fn check_mappings(addresses: Range<usize>) -> Result<()> {
    let refused = |address, what| Err(Error::new(ExportError::NotConvertible { address, what }));
    let mut at = addresses.start;
    for vma in smaps::of(addresses.clone()).map_err(Error::system("look at the mappings there"))? {
        if vma.addresses.start > at {
            return refused(at, "nothing is mapped there");
        }
        let is = |at, letter| vma.permissions.as_bytes().get(at) == Some(&letter);
        let flag = REFUSED.iter().find(|(flag, _)| vma.flags.iter().any(|has| has == flag));
        let what = match flag {
            _ if !is(3, b'p') => "it is shared",
            _ if !is(0, b'r') => "it is not readable",
            _ if !is(1, b'w') => "it is not writable",
            _ if is(2, b'x') => "it is executable",
            _ if vma.protection_key != 0 => "it has a protection key (pkey_mprotect)",
            Some((_, what)) => what,
            None => {
                at = vma.addresses.end;
                continue;
            }
        };
        return refused(vma.addresses.start.max(addresses.start), what);
    }
    match at < addresses.end {
        true => refused(at, "nothing is mapped there"),
        false => Ok(()),
    }
}

/// Copies memory of this process to a file, whatever else reads it.
fn copy(file: &File, from: NonNull<u8>, length: usize) -> Result<()> {
    let mut done = 0;
    while done < length {
        let (source, left) = (from.as_ptr().wrapping_add(done), length.saturating_sub(done));
        // SAFETY: pwrite(2) reads `left` bytes at `source`, or says EFAULT: no reference to them is made.
        let written =
            unsafe { libc::pwrite(file.as_raw_fd(), source.cast_const().cast(), left, done as i64) };
        match usize::try_from(written) {
            Ok(written) => done = done.saturating_add(written),
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(Error::system("copy the memory")(Errno::last())),
        }
    }
    Ok(())
}
