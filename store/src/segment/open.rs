//! The ways to a segment: mapped, sealed, read, or from bytes.
#![warn(clippy::arithmetic_side_effects)] // what files say is added up here
#![allow(unsafe_code)] // entries whose contract only the caller can keep

use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use graven_format::{Header, View};
use nix::fcntl::OFlag;

use crate::os::memory::{self, Memory};
use crate::os::page::{check_run, kernel_page_size};
use crate::{Cause, Error, Result, Segment};

impl Segment {
    /// Maps a whole file. Nothing is copied or read ahead.
    ///
    /// # Safety
    /// Until the last handle is gone, nobody changes the file's bytes or cuts it. Files that graven wrote are never
    /// edited: they are replaced by rename, which does not touch a mapped one. A file that others may write to is for
    /// [`read`](Segment::read); a memory file that they could, for [`map_sealed`](Segment::map_sealed).
    ///
    /// # Errors
    /// - [`Cause::Header`] (EINVAL): not a segment, incomplete, cut, extended, of another version or payload.
    /// - [`Cause::NotRegular`] (EINVAL); [`Cause::System`]: as open(2) and mmap(2).
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("seven.grv");
    /// graven_store::write(&path, &7u64)?;
    /// // SAFETY: the file was written above and nobody else knows it.
    /// let segment = unsafe { graven_store::Segment::map(&path)? };
    /// assert_eq!(*segment.root::<u64>()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 8; mmap(2).
    pub unsafe fn map(path: impl AsRef<Path>) -> Result<Segment> {
        let path = path.as_ref();
        let file = open_file(path).map_err(|error| error.of_file(path))?;
        // SAFETY: our caller's promise.
        unsafe { Segment::map_file(&file, path) }
    }

    /// Maps a whole file that is open, and was found at `path`.
    ///
    /// # Safety
    /// As [`map`](Segment::map).
    pub(crate) unsafe fn map_file(file: &File, path: &Path) -> Result<Segment> {
        let map = || {
            let header = whole_file(file)?;
            // SAFETY: our caller's promise.
            let memory = unsafe { Memory::map(file, 0, to_usize(header.length)?, header.page_size) }?;
            Ok(Segment::new(memory, header, Some(path)))
        };
        map().map_err(|error: Error| error.of_file(path))
    }

    /// Maps a run of the caller's file: what [`crate::write_at`] wrote with the same offset and length.
    ///
    /// The descriptor is not kept.
    ///
    /// # Safety
    /// As [`map`](Segment::map), for the run.
    ///
    /// # Errors
    /// - [`Cause::Unaligned`]: offset or length is no multiple of the kernel's page size; [`Cause::RunOverflows`].
    /// - [`Cause::Header`]: no segment starts at the offset, or it is of another length.
    /// - [`Cause::System`]: as mmap(2).
    ///
    /// Source: SPEC 8; hwloc's `hwloc_shmem_topology_adopt` has the same arguments but for the address.
    pub unsafe fn map_at(fd: impl AsFd, file_offset: u64, length: u64) -> Result<Segment> {
        check_run(file_offset, length, kernel_page_size())?;
        let file = fd.as_fd().try_clone_to_owned().map_err(Error::system("duplicate the descriptor"))?;
        let file = File::from(file);
        let size = file.metadata().map_err(Error::system("stat the file"))?.len();
        let header = read_header(&file, file_offset, length.min(size.saturating_sub(file_offset)))?;
        header.check_length(length)?;
        if let Some(available) = size.checked_sub(file_offset).filter(|available| *available < length) {
            header.check_length(available)?;
        }
        header.check_payload()?;
        // SAFETY: our caller's promise.
        let memory = unsafe { Memory::map(&file, file_offset, to_usize(length)?, header.page_size) }?;
        Ok(Segment::new(memory, header, None))
    }

    /// Maps a whole memory file that is sealed against change: safe, whoever made it.
    ///
    /// The descriptor is not kept.
    ///
    /// # Errors
    /// - [`Cause::NotSealed`] (EPERM): F_SEAL_WRITE or F_SEAL_SHRINK is not set. F_SEAL_FUTURE_WRITE does not do: it
    ///   leaves older mappings writable.
    /// - As [`map`](Segment::map).
    ///
    /// # Examples
    /// ```
    /// use nix::{fcntl::{FcntlArg, SealFlag, fcntl}, sys::memfd::{MFdFlags, memfd_create}};
    /// let memory = std::fs::File::from(memfd_create(c"seven", MFdFlags::MFD_ALLOW_SEALING)?);
    /// graven_store::write_at(&memory, 0, graven_store::encoded_len(&7u64)?, &7u64)?;
    /// assert_eq!(graven_store::Segment::map_sealed(&memory).unwrap_err().errno(), 1); // EPERM
    ///
    /// fcntl(&memory, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK))?;
    /// assert_eq!(*graven_store::Segment::map_sealed(&memory)?.root::<u64>()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 8; memfd_create(2), fcntl(2).
    pub fn map_sealed(fd: impl AsFd) -> Result<Segment> {
        memory::check_seals(&fd)?;
        let file = fd.as_fd().try_clone_to_owned().map_err(Error::system("duplicate the descriptor"))?;
        let file = File::from(file);
        let header = whole_file(&file)?;
        let memory = memory::map_sealed(&file, to_usize(header.length)?, header.page_size)?;
        Ok(Segment::new(memory, header, None))
    }

    /// Reads a whole file into private memory: safe, whatever others do to the file. Cost: O(bytes).
    ///
    /// # Errors
    /// As [`map`](Segment::map); a file cut meanwhile is [`Cause::System`].
    pub fn read(path: impl AsRef<Path>) -> Result<Segment> {
        let path = path.as_ref();
        let read = || {
            let (file, header) = open(path)?;
            let memory = Memory::read(&file, to_usize(header.length)?)?;
            // Again, of what was read: the file may have changed meanwhile.
            let header = *View::open(memory.bytes())?.header();
            Ok(Segment::new(memory, header, Some(path)))
        };
        read().map_err(|error: Error| error.of_file(path))
    }

    /// Takes a copy of a segment's bytes. Cost: O(bytes). Without an operating system use [`graven_format::View`].
    ///
    /// # Errors
    /// [`Cause::Header`].
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("seven.grv");
    /// graven_store::write(&path, &7u64)?;
    /// let segment = graven_store::Segment::from_bytes(std::fs::read(&path)?)?;
    /// assert_eq!(*segment.root::<u64>()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Segment> {
        let bytes = bytes.as_ref();
        View::open(bytes)?;
        let memory = Memory::copy(bytes)?;
        // Again, of the copy: a region's bytes may be changed by who does not keep to its locks.
        let header = *View::open(memory.bytes())?.header();
        Ok(Segment::new(memory, header, None))
    }
}

fn open_file(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    // Opening a pipe must not wait for its other end.
    let open = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    open.map_err(Error::system("open"))
}

/// Opens a file for reading; its header, if its length fits.
fn open(path: &Path) -> Result<(File, Header)> {
    let file = open_file(path)?;
    let header = whole_file(&file)?;
    Ok((file, header))
}

/// The header of a file that is one segment.
fn whole_file(file: &File) -> Result<Header> {
    let metadata = file.metadata().map_err(Error::system("stat the file"))?;
    if !metadata.is_file() {
        return Err(Error::new(Cause::NotRegular));
    }
    let header = read_header(file, 0, metadata.len())?;
    header.check_length(metadata.len())?;
    header.check_payload()?;
    Ok(header)
}

/// The header at `file_offset`, where there are `available` bytes.
pub(crate) fn read_header(file: &File, file_offset: u64, available: u64) -> Result<Header> {
    let mut bytes = [0; Header::SIZE];
    let bytes = &mut bytes[..Header::SIZE.min(to_usize(available)?)];
    file.read_exact_at(bytes, file_offset).map_err(Error::system("read the header"))?;
    Ok(Header::decode(bytes)?)
}

fn to_usize(number: u64) -> Result<usize> {
    usize::try_from(number).map_err(|_| Error::system("map the file")(nix::errno::Errno::ENOMEM))
}
