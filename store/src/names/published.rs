//! What is published under a name: the file of its newest generation, however it is going to be used.
#![allow(unsafe_code)] // mapping it

use std::fs::File;
use std::io;
use std::path::PathBuf;

use graven_format::Header;
use nix::fcntl::OFlag;

use crate::names::name::{Name, Role};
use crate::os::dir::Dir;
use crate::segment::open::read_header;
use crate::{Error, Result, Segment};

/// A generation that was the newest when it was opened.
pub(crate) struct Published {
    /// INVARIANT: found in the directory of a store.
    file: File,
    path: PathBuf,
}

impl Published {
    /// Opens it, in the directory of a store; `None`: nothing is published.
    ///
    /// # Errors
    /// [`Cause::System`](crate::Cause::System): as open(2).
    pub(crate) fn open(dir: &Dir, name: &Name) -> Result<Option<Published>> {
        let file = name.file(Role::Segment);
        let path = dir.path(&file);
        match dir.open_file(&file, OFlag::O_RDONLY) {
            Ok(fd) => Ok(Some(Published { file: fd.into(), path })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::system("open")(error).of_file(&path)),
        }
    }

    /// The header of what is published; `None` if nothing is, or it cannot be read as one.
    ///
    /// # Errors
    /// [`Cause::System`](crate::Cause::System): as open(2) and fstat(2).
    pub(crate) fn header(dir: &Dir, name: &Name) -> Result<Option<Header>> {
        let Some(Published { file, path }) = Published::open(dir, name)? else { return Ok(None) };
        let metadata = file.metadata().map_err(|error| Error::system("stat")(error).of_file(&path))?;
        Ok(read_header(&file, 0, metadata.len()).ok())
    }

    /// # Errors
    /// As [`Segment::map`].
    pub(crate) fn map(&self) -> Result<Segment> {
        // SAFETY: `map_file` asks that nobody change or cut the file: only graven writes below a store's directory
        // (`Store::open`), and it replaces generations, never edits them.
        unsafe { Segment::map_file(&self.file, &self.path) }
    }
}
