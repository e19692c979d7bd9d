//! What can be handed over: the file behind a segment or a memory, opened anew for each who gets it.

use std::fs::File;
use std::os::fd::OwnedFd;

use super::protocol::Kind;
use crate::os::blocks;
use crate::os::memfd;
use crate::os::page::kernel_page_size;
use crate::{Error, ExportError, Result};

/// What an exporter can hand over: an [`Export`](super::Export) or an [`ExportMemory`](super::ExportMemory).
pub trait Exported {
    #[doc(hidden)]
    fn handed(&self) -> Result<Handed>;
}

/// A descriptor of an exporter's own.
#[derive(Debug)]
pub struct Handed {
    pub(super) file: File,
    pub(super) kind: Kind,
    pub(super) length: u64,
    pub(super) importers_write: bool,
}

impl Handed {
    /// A descriptor for an importer: with an open file description of its own.
    pub(super) fn open(&self, write: bool) -> Result<OwnedFd> {
        memfd::reopen(&self.file, write)
    }

    /// Whether importers cannot tell them apart but by their contents.
    pub(super) fn is_like(&self, other: &Handed) -> bool {
        (self.kind, self.length, self.importers_write) == (other.kind, other.length, other.importers_write)
    }

    /// # Errors
    /// [`ExportError::NoHoles`] (EPERM): its seals refuse it.
    pub(super) fn check_holes(&self) -> Result<()> {
        match self.importers_write {
            true => Ok(()),
            false => Err(Error::new(ExportError::NoHoles)),
        }
    }

    /// Takes all memory away from it.
    pub(super) fn empty(&self) -> Result<()> {
        let end = self.length.checked_next_multiple_of(kernel_page_size()).unwrap_or(self.length);
        blocks::punch(&self.file, 0..end).map_err(Error::system("discard memory"))
    }
}
