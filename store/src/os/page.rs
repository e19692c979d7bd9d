//! Pages: how large the kernel's are, runs of them in a file, and where in memory they go.

use std::ops::{Bound, Range, RangeBounds};

use graven_format::Header;
use nix::unistd::{SysconfVar, sysconf};

use crate::{Cause, Error, Result};

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum At {
    /// Wherever the kernel finds room.
    Anywhere,
    /// At exactly this address, a multiple of the page size; never on top of something else.
    Exact(usize),
}

/// The size of the kernel's pages.
pub(crate) fn kernel_page_size() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok());
    size.unwrap_or(Header::MIN_PAGE_SIZE.into())
}

/// Offset and length of a run of pages.
pub(crate) fn check_run(file_offset: u64, length: u64, align: u64) -> Result<()> {
    for (what, got) in [("file offset", file_offset), ("length", length)] {
        if !got.is_multiple_of(align) {
            return Err(Error::new(Cause::Unaligned { what, got, align }));
        }
    }
    match file_offset.checked_add(length) {
        Some(end) if end <= i64::MAX as u64 => Ok(()),
        _ => Err(Error::new(Cause::RunOverflows { file_offset, length })),
    }
}

/// What is said by a range of bytes, if it is in the `size` bytes that there are, and not empty.
///
/// # Errors
/// [`Cause::Bounds`] (EINVAL).
pub(crate) fn range_in(range: impl RangeBounds<u64>, size: u64) -> Result<Range<u64>> {
    // Past the last number there is nothing: such a range is not in there.
    let start = match range.start_bound() {
        Bound::Included(&start) => start,
        Bound::Excluded(&start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&end) => end.saturating_add(1),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => size,
    };
    match start < end && end <= size {
        true => Ok(start..end),
        false => Err(Error::new(Cause::Bounds { offset: start, length: end.saturating_sub(start), size })),
    }
}
