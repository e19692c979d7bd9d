//! What some file systems do otherwise than the rest.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::statfs::{HUGETLBFS_MAGIC, OVERLAYFS_SUPER_MAGIC, fstatfs};

/// Whether a file is on overlayfs, where what is mapped is the file of the layer below. Source: statfs(2).
pub(crate) fn is_overlay(fd: impl AsFd) -> bool {
    fstatfs(fd).is_ok_and(|found| found.filesystem_type() == OVERLAYFS_SUPER_MAGIC)
}

/// Whether a file consists of huge pages of a pool (hugetlbfs). It can be sealed as others can, but the kernel rounds what is
/// mapped, moved and unmapped of it to huge pages: moved over a mapping, it would replace what is behind that too. And a load
/// where somebody has made a hole is SIGBUS once the pool is empty. Source: mmap(2), mremap(2), memfd_create(2).
pub(crate) fn is_huge(fd: impl AsFd) -> bool {
    fstatfs(fd).is_ok_and(|found| found.filesystem_type() == HUGETLBFS_MAGIC)
}

/// Whether a file's blocks are copied when they are written, as those of a file system that can share them between files
/// are: then a block that is allocated does not mean room to write it, and a store through a mapping may find the disk
/// full, which is SIGBUS. The descriptor is open for reading and writing.
///
/// Tried, not known: such a file system takes the request to share a part of the file with the same file, and finds it
/// invalid; all others have no such request. Each time, as it costs less than to keep what was found: numbers of devices
/// are used again.
///
/// Source: ioctl_ficlonerange(2).
pub(crate) fn copies_blocks(fd: impl AsFd) -> bool {
    let fd = fd.as_fd().as_raw_fd();
    // Overlapping and not at a block's start: nobody can grant that.
    let part = libc::file_clone_range { src_fd: fd.into(), src_offset: 1, src_length: 1, dest_offset: 1 };
    // SAFETY: ioctl(2) FICLONERANGE reads the structure, and nothing else of this process.
    let result = unsafe { libc::ioctl(fd, libc::FICLONERANGE, &raw const part) };
    let unknown = [Errno::EOPNOTSUPP, Errno::ENOTTY, Errno::ENOSYS];
    result == 0 || !unknown.contains(&Errno::last())
}
