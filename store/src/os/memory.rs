//! A segment's bytes in memory: mapped, or a private copy. The only module here that maps and seals.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use graven_format::Header;
use memmap2::{Mmap, MmapMut, MmapOptions};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use crate::{Cause, Error, Result};

/// Bytes that are read at once.
const PIECE: usize = 16 << 20;

/// The bytes of a segment. Their address is a multiple of the segment's page size and does not change.
pub(crate) enum Memory {
    Mapped(Mmap),
    Aligned(AlignedMap),
    /// The bytes from `start` on, `length` of them.
    Copied {
        map: Mmap,
        start: usize,
        length: usize,
    },
}

impl Memory {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Memory::Mapped(map) => map,
            Memory::Aligned(map) => map.bytes(),
            Memory::Copied { map, start, length } => &map[*start..*start + *length],
        }
    }

    /// Maps `length` bytes of the file, read-only and shared, at an address that is a multiple of `align`.
    ///
    /// # Safety
    /// Until the last use of the memory nobody changes those bytes or cuts the file.
    pub(crate) unsafe fn map(file: &File, file_offset: u64, length: usize, align: u32) -> Result<Memory> {
        // SAFETY: `MmapOptions::map` asks that nobody modify or truncate the mapped part of the file: our caller's
        // promise.
        let map = unsafe { MmapOptions::new().offset(file_offset).len(length).map(file) };
        let map = map.map_err(Error::system("map the file"))?;
        if map.as_ptr().addr().is_multiple_of(align as usize) {
            return Ok(Memory::Mapped(map));
        }
        // Only segments with pages larger than the kernel's come here.
        drop(map);
        // SAFETY: as above.
        unsafe { AlignedMap::map(file, file_offset, length, align as usize) }.map(Memory::Aligned)
    }

    /// A private copy of `length` bytes of the file.
    pub(crate) fn read(file: &File, length: usize) -> Result<Memory> {
        Memory::private(length, |bytes| {
            // Piece by piece, so that the kernel's account of the process says how far it is (proc_pid_io(5)).
            let mut pieces = (0..).step_by(PIECE).zip(bytes.chunks_mut(PIECE));
            let read = pieces.try_for_each(|(at, piece)| file.read_exact_at(piece, at));
            read.map_err(Error::system("read the file"))
        })
    }

    /// A private copy of bytes.
    pub(crate) fn copy(from: &[u8]) -> Result<Memory> {
        Memory::private(from.len(), |bytes| {
            bytes.copy_from_slice(from);
            Ok(())
        })
    }

    /// Private memory, read-only after `fill`. Mapped, not allocated: where there is none left, that is an error
    /// rather than the end of the process.
    fn private(length: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Memory> {
        let align = Header::MAX_PAGE_SIZE as usize;
        let mut map = MmapMut::map_anon(length.saturating_add(align)).map_err(Error::system("get memory"))?;
        let start = map.as_ptr().align_offset(align);
        fill(&mut map[start..start + length])?;
        let map = map.make_read_only().map_err(Error::system("protect the copy"))?;
        Ok(Memory::Copied { map, start, length })
    }
}

/// A read-only shared mapping at an address of larger alignment than the kernel's pages have.
pub(crate) struct AlignedMap {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

// SAFETY: a mapping belongs to the process, not to a thread; it is read-only.
unsafe impl Send for AlignedMap {}
// SAFETY: as above; shared use is reading.
unsafe impl Sync for AlignedMap {}

impl AlignedMap {
    /// # Safety
    /// As [`Memory::map`].
    unsafe fn map(file: &File, file_offset: u64, length: usize, align: usize) -> Result<AlignedMap> {
        let invalid = || Error::system("map the file")(nix::errno::Errno::EINVAL);
        let length = NonZeroUsize::new(length).ok_or_else(invalid)?;
        let room = length.checked_add(align).ok_or_else(invalid)?;
        let offset = i64::try_from(file_offset).map_err(|_| invalid())?;
        // Reserve more than needed, then map over the aligned part of it and give the rest back.
        // SAFETY: a new private mapping at an address of the kernel's choice touches no existing memory.
        let reserved = unsafe { mmap_anonymous(None, room, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) };
        let reserved = reserved.map_err(Error::system("reserve address space"))?;
        let slack = reserved.as_ptr().align_offset(align);
        // SAFETY: `slack < align`, so the pointer stays inside the `length + align` bytes reserved above.
        let start = unsafe { reserved.byte_add(slack) };
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED;
        // SAFETY: MAP_FIXED replaces `length` bytes from `start`, all inside our own reservation; that the file's bytes
        // do not change is our caller's promise.
        let mapped = unsafe {
            mmap(NonZeroUsize::new(start.as_ptr().addr()), length, ProtFlags::PROT_READ, flags, file, offset)
        };
        if let Err(errno) = mapped {
            // SAFETY: the reservation is ours and nothing refers to it.
            let _ = unsafe { munmap(reserved, room.get()) };
            return Err(Error::system("map the file")(errno));
        }
        if slack > 0 {
            // SAFETY: the part of our reservation before `start`; nothing refers to it.
            let _ = unsafe { munmap(reserved, slack) };
        }
        // The mapping ends at a page boundary, and the kernel's pages divide `align`.
        let used = length.get().next_multiple_of(Header::MIN_PAGE_SIZE as usize);
        if slack + used < room.get() {
            // SAFETY: `slack + used` is within the reservation.
            let rest = unsafe { reserved.byte_add(slack + used) };
            // SAFETY: the part of our reservation behind the mapping; nothing refers to it.
            let _ = unsafe { munmap(rest, room.get() - slack - used) };
        }
        Ok(AlignedMap { start, length })
    }

    fn bytes(&self) -> &[u8] {
        let start = self.start.as_ptr().cast::<u8>();
        // SAFETY: `from_raw_parts` asks for
        // - `length` readable bytes from `start`: the mapping made in `map`, unmapped only by `drop`;
        // - alignment 1, no null: `NonNull`;
        // - initialized and unchanging bytes: a file's, and the promise of `map`'s caller;
        // - at most `isize::MAX` bytes: the kernel mapped them.
        unsafe { std::slice::from_raw_parts(start, self.length.get()) }
    }
}

impl Drop for AlignedMap {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours; references into it borrow from `self`, which ends here.
        let _ = unsafe { munmap(self.start, self.length.get()) };
    }
}

/// Maps a memory file whose seals promise that its bytes will not change.
pub(crate) fn map_sealed(file: &File, length: usize, align: u32) -> Result<Memory> {
    check_seals(file)?;
    // SAFETY: `Memory::map` asks that nobody change the bytes or cut the file.
    // - not changed: F_SEAL_WRITE is set, checked above. The kernel grants that seal only while no writable shared
    //   mapping exists and refuses writes afterwards (fcntl(2)).
    // - not cut: F_SEAL_SHRINK is set, checked above; F_SEAL_WRITE also stops hole punching.
    // - for good: seals can be added, never removed (fcntl(2)).
    unsafe { Memory::map(file, 0, length, align) }
}

/// Checks the seals that [`map_sealed`] relies on.
pub(crate) fn check_seals(file: impl AsFd) -> Result<()> {
    let seals = seals(file);
    let missing = match (seals.contains(SealFlag::F_SEAL_SHRINK), seals.contains(SealFlag::F_SEAL_WRITE)) {
        (true, true) => return Ok(()),
        (false, true) => "F_SEAL_SHRINK",
        (true, false) => "F_SEAL_WRITE",
        (false, false) => "F_SEAL_SHRINK and F_SEAL_WRITE",
    };
    Err(Error::new(Cause::NotSealed { missing }))
}

/// Checks the seals that mapping memory of a changing file relies on: nobody cuts it, or lengthens it.
pub(crate) fn check_kept_length(file: impl AsFd) -> Result<()> {
    let seals = seals(file);
    let missing = match (seals.contains(SealFlag::F_SEAL_SHRINK), seals.contains(SealFlag::F_SEAL_GROW)) {
        (true, true) => return Ok(()),
        (false, true) => "F_SEAL_SHRINK",
        (true, false) => "F_SEAL_GROW",
        (false, false) => "F_SEAL_SHRINK and F_SEAL_GROW",
    };
    Err(Error::new(Cause::NotSealed { missing }))
}

/// Whether the seals let it be mapped for writing.
pub(crate) fn may_write(file: impl AsFd) -> bool {
    !seals(file).intersects(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_FUTURE_WRITE)
}

fn seals(file: impl AsFd) -> SealFlag {
    // Files that cannot be sealed answer EINVAL: they have no seals.
    fcntl(file, FcntlArg::F_GET_SEALS).map_or(SealFlag::empty(), SealFlag::from_bits_truncate)
}
