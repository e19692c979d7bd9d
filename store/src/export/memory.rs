//! Memory that goes on changing: one sparse file, mapped here, of which others get descriptors.
//!
//! - Its length is sealed, so no mapping of it, here or elsewhere, ever ends in SIGBUS because somebody cut it; and so are its
//!   seals, so nobody who may write can add one.
//! - Where importers only read, `F_SEAL_FUTURE_WRITE` is added once it is mapped here: that mapping goes on writing, and
//!   the kernel refuses every other, and write(2) and holes, to everybody. Allocating is not refused, so writing is
//!   allocating and a copy through the mapping.
//! - A byte that was never written has no memory. A read of it with pread(2) gives zero and allocates nothing, where a load
//!   through a mapping gives it a page.
//! - Nothing limits how much memory such a file takes, but that there is no more: whoever touches it then is killed. So what
//!   is going to be allocated is first compared with what there is.
//!
//! One memory is one unit of permission: who has a descriptor has the whole file.
//!
//! Source: memfd_create(2), fcntl(2), "File sealing"; fallocate(2).
#![warn(clippy::arithmetic_side_effects)] // what callers and the kernel say is added up here

use std::fmt;
use std::fs::File;
use std::ops::RangeBounds;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use nix::fcntl::{FallocateFlags, SealFlag};
use nix::sys::stat::Mode;

use super::handed::{Exported, Handed};
use super::protocol::Kind;
use crate::os::mapping::Mapping;
use crate::os::page::{At, kernel_page_size, range_in};
use crate::os::{blocks, memfd, room, smaps};
use crate::{Cause, Error, ExportError, Result};

/// How to create an [`ExportMemory`]. Made by [`ExportMemory::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ExportMemoryOptions {
    size: u64,
    at: At,
    importers_write: bool,
    huge_pages: bool,
}

impl ExportMemoryOptions {
    /// How many bytes it has. They need no memory before they are written.
    pub fn size(mut self, size: u64) -> ExportMemoryOptions {
        self.size = size;
        self
    }

    /// Where it is mapped in this process. Default: anywhere.
    pub fn at(mut self, at: At) -> ExportMemoryOptions {
        self.at = at;
        self
    }

    /// Whether others may write. Default: no, and then the kernel refuses it to all who have a descriptor, also of the same
    /// user. Who may trace this process, as a debugger does, writes to all of its memory, and to this through it: ptrace(2).
    pub fn importers_write(mut self, write: bool) -> ExportMemoryOptions {
        self.importers_write = write;
        self
    }

    /// Whether to ask for huge pages. Default: no. Many systems give none to shared memory
    /// (`/sys/kernel/mm/transparent_hugepage/shmem_enabled`); [`ExportMemory::stat`] says how many bytes have some.
    pub fn huge_pages(mut self, huge: bool) -> ExportMemoryOptions {
        self.huge_pages = huge;
        self
    }

    /// Creates the memory and maps it. All of it is zero, and allocated when it is written, or
    /// [reserved](ExportMemory::reserve). O(1).
    ///
    /// # Errors
    /// - [`ExportError::Size`] (EINVAL): 0, or more than `isize::MAX`.
    /// - [`Cause::AddressTaken`] (EBUSY), [`Cause::Unaligned`] (EINVAL): the exact address.
    /// - [`Cause::System`]: above the process's limit of file sizes (EFBIG), without its signal; no address space (ENOMEM);
    ///   EMFILE; EOPNOTSUPP: the kernel has no such memory, or before 5.1 cannot forbid importers to write.
    pub fn create(self) -> Result<ExportMemory> {
        let ExportMemoryOptions { size, at, importers_write, huge_pages } = self;
        let length = isize::try_from(size).ok().filter(|length| *length > 0);
        let length = length.ok_or(ExportError::Size { asked: size })?.unsigned_abs();
        let file = memfd::create(c"graven-memory", Mode::S_IRUSR | Mode::S_IWUSR)?;
        check_limit(size)?;
        file.set_len(size).map_err(Error::system("set the memory's length"))?;
        let mapping = Mapping::new(&file, 0, length, at, true)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW;
        let others = match importers_write {
            true => SealFlag::empty(),
            false => SealFlag::F_SEAL_FUTURE_WRITE,
        };
        memfd::seal(&file, seals | others)?;
        if huge_pages {
            mapping.prefer_huge_pages();
        }
        Ok(ExportMemory { file, mapping, size, importers_write })
    }
}

/// Memory of this process that others can be given by descriptor, and that goes on changing.
///
/// Bytes that were never written take no memory. Where they are is up to the program: there is no allocator, no lock and no
/// notification in it. Others may write at any time if they are allowed to, so there are addresses and copies, and no
/// references; see [`Region`](crate::Region) for memory under a lock.
///
/// Dropping it unmaps it here, but for what was [converted](ExportMemory::convert). A forked child has the same memory, and changes it for its parent too.
///
/// # Examples
/// ```
/// use graven_store::ExportMemory;
/// let mut memory = ExportMemory::options().size(1 << 32).create()?;
/// memory.reserve(4096..8192)?; // there is room for these now, or it is an error now
/// memory.write_at(5000, b"hello")?;
///
/// let mut bytes = [1; 6];
/// memory.read_at(4999, &mut bytes)?;
/// assert_eq!(&bytes, b"\0hello");
/// assert_eq!(memory.stat()?.allocated, 4096);
///
/// let error = memory.read_at((1 << 32) - 5, &mut bytes).unwrap_err();
/// assert_eq!(error.errno(), 22); // EINVAL: not all of it is in the memory
/// # Ok::<(), graven_store::Error>(())
/// ```
/// Source: memfd_create(2), fcntl(2), fallocate(2).
pub struct ExportMemory {
    /// INVARIANT: as long as `size` says, and that is sealed.
    pub(super) file: File,
    /// All of it, for writing.
    pub(super) mapping: Mapping,
    pub(super) size: u64,
    pub(super) importers_write: bool,
}

/// What an [`ExportMemory`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStat {
    /// The bytes that are allocated: written, reserved, or loaded through a mapping.
    pub allocated: u64,
    /// The bytes that this process has mapped by huge pages.
    pub huge_pages: u64,
}

impl ExportMemory {
    /// The settings to create one with.
    pub fn options() -> ExportMemoryOptions {
        ExportMemoryOptions { size: 0, at: At::Anywhere, importers_write: false, huge_pages: false }
    }

    /// Where its first byte is in this process, until it is dropped.
    ///
    /// Loads of bytes that have no memory yet allocate it, and stores may be killed where there is none left: reserve first.
    /// What others may write meanwhile is for atomics and volatile copies, not for references.
    pub fn address(&self) -> NonNull<u8> {
        self.mapping.start()
    }

    /// How many bytes it has. Never 0.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Gives bytes memory now, in whole pages: no room is an error here, rather than the end of whoever touches them. What
    /// they hold stays.
    ///
    /// Nothing is allocated if there is less memory available than the range needs, by the system's estimate and by the
    /// limits of control groups that can be read; what is allocated already is not counted as needed, as far as that can be
    /// told without going through it. Others may take the memory between this look and its use: where the kernel finds
    /// none after all, a part may have been allocated. Cost: a third of a millisecond, less where little is needed often.
    ///
    /// # Errors
    /// - [`Cause::Bounds`] (EINVAL): not all in the memory, or empty.
    /// - [`Cause::System`]: no room (ENOSPC); a range behind the process's limit of file sizes (EFBIG).
    pub fn reserve(&self, range: impl RangeBounds<u64>) -> Result<()> {
        let range = range_in(range, self.size)?;
        check_limit(range.end)?;
        let page = kernel_page_size();
        let pages = |bytes: u64| bytes.checked_next_multiple_of(page).unwrap_or(u64::MAX);
        let length = pages(range.end).saturating_sub(range.start & page.wrapping_neg());
        let missing = pages(self.size).saturating_sub(memfd::allocated(&self.file)?);
        let needed = length.min(missing);
        if needed > 0 && !room::is_available(needed) {
            return Err(memfd::no_room());
        }
        let allocated = blocks::allocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, range);
        allocated.map_err(Error::system("reserve memory"))
    }

    /// Takes memory away from bytes, which are zero then: whole pages of them, the rest is zeroed.
    ///
    /// # Errors
    /// - [`ExportError::NoHoles`] (EPERM): importers only read it.
    /// - [`Cause::Bounds`] (EINVAL): not all in the memory, or empty.
    ///
    /// # Examples
    /// ```
    /// # use graven_store::ExportMemory;
    /// let mut memory = ExportMemory::options().size(1 << 20).importers_write(true).create()?;
    /// memory.write_at(0, &[7; 8192])?;
    /// memory.discard(..4096)?;
    /// assert_eq!(memory.stat()?.allocated, 4096);
    ///
    /// let read_only = ExportMemory::options().size(1 << 20).create()?;
    /// assert_eq!(read_only.discard(..4096).unwrap_err().errno(), 1); // EPERM
    /// # Ok::<(), graven_store::Error>(())
    /// ```
    pub fn discard(&self, range: impl RangeBounds<u64>) -> Result<()> {
        let mut range = range_in(range, self.size)?;
        if !self.importers_write {
            return Err(Error::new(ExportError::NoHoles));
        }
        if range.end == self.size {
            // The rest of the last page is nobody's.
            range.end = self.size.checked_next_multiple_of(kernel_page_size()).unwrap_or(self.size);
        }
        blocks::punch(&self.file, range).map_err(Error::system("discard memory"))
    }

    /// Copies bytes out. Those that have no memory are zeros, and get none. What others write meanwhile may be there in part.
    ///
    /// # Errors
    /// [`Cause::Bounds`] (EINVAL): not all of them are in the memory.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.check(offset, bytes.len())?;
        self.file.read_exact_at(bytes, offset).map_err(Error::system("read the memory"))
    }

    /// Copies bytes in, and gives those memory that have none: see [`reserve`](ExportMemory::reserve).
    ///
    /// `&mut`, so that two threads do not write at once through one handle; others that may write still do.
    ///
    /// # Errors
    /// As [`reserve`](ExportMemory::reserve); of no bytes, only [`Cause::Bounds`]. Nothing is written then.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = self.check(offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.reserve(offset..end)?;
        match self.importers_write {
            // They may make holes meanwhile, for which a store through the mapping would have to find memory.
            true => self.file.write_all_at(bytes, offset).map_err(Error::system("write the memory")),
            false => {
                let at = usize::try_from(offset).map_err(|_| ExportError::Size { asked: offset })?;
                self.mapping.write(at, bytes);
                Ok(())
            }
        }
    }

    /// What it takes. Cost: a look at all mappings of this process, of which the kernel tells some 20,000 in a second.
    ///
    /// # Errors
    /// [`Cause::System`]: without /proc.
    pub fn stat(&self) -> Result<MemoryStat> {
        let mapped =
            smaps::of(self.mapping.addresses()).map_err(Error::system("look at the memory's pages"))?;
        let huge_pages = mapped.iter().map(|vma| vma.huge).fold(0, u64::saturating_add);
        Ok(MemoryStat { allocated: memfd::allocated(&self.file)?, huge_pages })
    }

    /// The end of so many bytes from `offset`.
    ///
    /// # Errors
    /// [`Cause::Bounds`] (EINVAL).
    fn check(&self, offset: u64, length: usize) -> Result<u64> {
        let (length, size) = (length as u64, self.size);
        let end = offset.checked_add(length).filter(|end| *end <= size);
        end.ok_or_else(|| Error::new(Cause::Bounds { offset, length, size }))
    }
}

/// Whether this process may have a file of that length: a signal would end it otherwise.
pub(super) fn check_limit(length: u64) -> Result<()> {
    match length <= memfd::size_limit() {
        true => Ok(()),
        false => Err(memfd::too_long()),
    }
}

impl Exported for ExportMemory {
    fn handed(&self) -> Result<Handed> {
        let file = self.file.try_clone().map_err(Error::system("duplicate the descriptor"))?;
        let (length, importers_write) = (self.size, self.importers_write);
        Ok(Handed { file, kind: Kind::Memory, length, importers_write })
    }
}

impl fmt::Debug for ExportMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportMemory")
            .field("address", &self.address())
            .field("len", &self.size)
            .field("importers_write", &self.importers_write)
            .finish_non_exhaustive()
    }
}
