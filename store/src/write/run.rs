//! Segments in a run of the caller's file: the old header is wiped first and the new one comes last, so whoever maps the
//! run in between is told that it is incomplete.
//!
//! Source: SPEC 9.2.

use std::fs::File;
use std::os::fd::AsFd;

use graven_format::Header;
use graven_format::layout::Layout;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rkyv::{Archive, Serialize};

use crate::os::held::Process;
use crate::os::page::check_run;
use crate::write::build::{Build, Summary};
use crate::write::stream::{Serializer, Stream};
use crate::{Cause, Error, Result};

/// The exact length of the segment that [`write()`](crate::write()) would make of `value`: a multiple of 4096. Nothing is written.
///
/// Cost: one serialization into nowhere.
///
/// # Errors
/// As [`Writer::put`](crate::Writer::put), but for those of the file.
///
/// # Examples
/// ```
/// assert_eq!(graven_store::encoded_len(&7u8)?, 8192);
/// # Ok::<(), graven_store::Error>(())
/// ```
pub fn encoded_len<T>(value: &T) -> Result<u64>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let mut build = Build::new(Stream::counting(), Header::MIN_PAGE_SIZE, 0)?;
    build.put("", value)?;
    Ok(build.finish(0)?.0.length)
}

/// Writes one value as the root of a segment into a run of the caller's file: `length` bytes from `file_offset`.
///
/// `length` is [`encoded_len`] or more; what is left over is zeros, and belongs to the segment. No byte outside the run
/// is changed. The file grows up to the run's end if it is shorter. While it is written, and after an error, the run
/// adopts as incomplete (EINVAL).
///
/// # Errors
/// - [`Cause::Unaligned`]: offset or length is no multiple of 4096; [`Cause::RunOverflows`],
///   [`Cause::Appending`]. Nothing is touched then.
/// - [`Cause::RunTooShort`] (EINVAL) with the length needed and the length given.
/// - [`Cause::System`]: the descriptor is not open for writing (EBADF), no room (ENOSPC).
/// - As [`Writer::put`](crate::Writer::put).
///
/// # Examples
/// ```
/// let file = tempfile::tempfile()?;
/// let value = vec![1u64; 1000];
/// let length = graven_store::encoded_len(&value)?;
/// graven_store::write_at(&file, 4096, length, &value)?;
/// // SAFETY: nobody else knows the file.
/// let segment = unsafe { graven_store::Segment::map_at(&file, 4096, length)? };
/// assert_eq!(segment.root::<Vec<u64>>()?.len(), 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 9.2; hwloc's `hwloc_shmem_topology_write` has the same arguments but for the address.
pub fn write_at<T>(fd: impl AsFd, file_offset: u64, length: u64, value: &T) -> Result<Summary>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let page_size = Header::MIN_PAGE_SIZE;
    check_run(file_offset, length, page_size.into())?;
    let flags = fcntl(&fd, FcntlArg::F_GETFL).map_err(Error::system("read the descriptor's flags"))?;
    if OFlag::from_bits_retain(flags).contains(OFlag::O_APPEND) {
        return Err(Error::new(Cause::Appending));
    }
    let file = fd.as_fd().try_clone_to_owned().map_err(Error::system("duplicate the descriptor"))?;
    let process = Process::current().map_err(Error::system("watch for forks"))?;
    let stream = Stream::to_file(File::from(file), file_offset, length, process);
    if length > 0 {
        stream.write_at(0, &[0; Header::SIZE]).map_err(Error::new)?;
    }
    let mut build = Build::new(stream, page_size, 0)?;
    build.put("", value)?;
    let (summary, header, stream) = build.finish(length)?;
    if stream.overflowed() {
        return Err(Error::new(Cause::RunTooShort { needed: summary.length, given: length }));
    }
    stream.write_at(0, &header.encode()).map_err(Error::new)?;
    Ok(summary)
}
