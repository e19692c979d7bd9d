//! Blocks of a file, allocated ahead or given back: fallocate(2), whatever signals come.
//!
//! Source: fallocate(2).

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsFd;

use graven_format::Header;
use nix::Result;
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// The most of a file that is allocated in one go: so much is lost when a signal comes in between.
const PIECE: u64 = 64 << 20;

/// Allocates the blocks of that part of a file. After an error some of them may be.
pub(crate) fn allocate(file: impl AsFd, flags: FallocateFlags, range: Range<u64>) -> Result<()> {
    let (mut at, mut piece) = (range.start, PIECE);
    while at < range.end {
        let end = range.end.min(at.saturating_add(piece));
        match change(&file, flags, at..end) {
            Ok(()) => at = end,
            // A signal undoes the whole call: with one every millisecond only small pieces get through.
            Err(Errno::EINTR) => piece = (piece / 2).max(Header::MIN_PAGE_SIZE.into()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Gives the blocks of that part of a file back: it reads as zeros.
pub(crate) fn punch(file: &File, range: Range<u64>) -> Result<()> {
    let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    loop {
        match change(file, flags, range.clone()) {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

fn change(file: impl AsFd, flags: FallocateFlags, range: Range<u64>) -> Result<()> {
    let number = |number: u64| i64::try_from(number).map_err(|_| Errno::EFBIG);
    fallocate(file, flags, number(range.start)?, number(range.end.saturating_sub(range.start))?)
}
