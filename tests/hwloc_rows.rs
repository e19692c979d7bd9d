//! What hwloc's shared-memory topologies promise, row by row, for segments of any type.
//!
//! The rows are H1 to H8 and H11 to H13 of the list of hwloc's three calls: length, write, adopt. H9 and H10 are about
//! taken addresses, which cannot occur here. `docs/coming-from.md` has the table. Topologies themselves go through the
//! same calls in the tests of `graven-topology`.

#[path = "hwloc_rows/adopting.rs"]
mod adopting;
#[path = "hwloc_rows/refused.rs"]
mod refused;
mod support;
#[path = "hwloc_rows/writing.rs"]
mod writing;

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;

use graven::{Archive, Cause, Layout, Segment, Serialize, Serializer, error::HeaderError};
use graven_format::checksum;
use support::*;

/// A file of `pages` pages, none of whose bytes is zero.
fn patterned(pages: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&pattern(pages * PAGE), 0).unwrap();
    file
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The file has the pattern still, but for the run.
fn assert_unchanged_outside(file: &File, offset: u64, length: u64) {
    let bytes = contents(file);
    let whole = pattern(bytes.len() as u64);
    let (from, to) = (offset as usize, (offset + length) as usize);
    assert!(bytes[..from] == whole[..from], "bytes before the run changed");
    assert!(bytes[to..] == whole[to..], "bytes behind the run changed");
}
