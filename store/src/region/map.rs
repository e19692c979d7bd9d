//! A region's pages in memory: the header page with its shared words, and the body at an address of its own.
//!
//! Two mappings, so that the body can be where the program wants it. Every block of the file was allocated when the
//! region was created, so no access can fail for want of room.
//!
//! Source: mmap(2); SPEC 16.1.
#![allow(unsafe_code)]

use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use graven_format::RegionHeader;
use nix::errno::Errno;

use crate::os::mapping::Mapping;
use crate::os::page::At;
use crate::os::sync::{Word, WordMut};
use crate::{Error, RegionError, Result};

/// The mapped pages of a region.
pub(crate) struct Map {
    header: Mapping,
    body: Mapping,
    /// The bytes of the body that were asked for.
    size: usize,
    writable: bool,
}

impl Map {
    /// Maps the region in `fd`. The description of `fd` lives as long as the map.
    ///
    /// The file has the length that the header says: the caller has compared them.
    pub(crate) fn new(fd: impl AsFd, header: &RegionHeader, at: At, writable: bool) -> Result<Map> {
        let too_large = || Error::system("map the region")(Errno::ENOMEM);
        let page = u64::from(header.page_size);
        let size = usize::try_from(header.size).map_err(|_| too_large())?;
        let length = usize::try_from(header.length() - page).map_err(|_| too_large())?;
        let body = Mapping::new(&fd, page, length, at, writable)?;
        let header = Mapping::new(&fd, 0, header.page_size as usize, At::Anywhere, writable)?;
        Ok(Map { header, body, size, writable })
    }

    /// A shared word of the header page, to be read: one of [`RegionHeader`]'s offsets.
    pub(crate) fn word(&self, offset: usize) -> Word<'_> {
        // SAFETY: `Word::new` asks for
        // - 8 aligned, readable bytes backed by the file during the borrow: the page is mapped while `self` lives, and
        //   the offset is a multiple of 8 inside its 4096 bytes or more (`slot`);
        // - access through words only: nothing else here reads those of the page.
        unsafe { Word::new(self.slot(offset)) }
    }

    /// The same, to be written.
    ///
    /// # Errors
    /// [`RegionError::ReadOnly`].
    pub(crate) fn word_mut(&self, offset: usize) -> Result<WordMut<'_>> {
        if !self.writable {
            return Err(Error::new(RegionError::ReadOnly));
        }
        // SAFETY: as above; and the page is mapped writable, its block allocated when the region was created.
        Ok(unsafe { WordMut::new(self.slot(offset)) })
    }

    fn slot(&self, offset: usize) -> NonNull<u64> {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.header.length(), "not an offset of a word");
        // SAFETY: `add` asks that the offset be within the same memory: just compared with the page's length.
        unsafe { self.header.start().add(offset) }.cast()
    }

    /// The body, as many bytes as were asked for.
    pub(crate) fn body(&self) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(self.body.start(), self.size)
    }

    /// A part of the body.
    ///
    /// # Panics
    /// Not in the body.
    pub(crate) fn part(&self, range: Range<u64>) -> NonNull<[u8]> {
        assert!(range.start <= range.end && range.end <= self.size as u64, "not in the body");
        // SAFETY: `add` asks that the offset be within the same memory: just compared with the body's size.
        let start = unsafe { self.body.start().add(range.start as usize) };
        NonNull::slice_from_raw_parts(start, (range.end - range.start) as usize)
    }

    pub(crate) fn writable(&self) -> bool {
        self.writable
    }
}
