//! A range of imported memory, mapped.
//!
//! It needs no descriptor, and lives on whatever becomes of the import, the exporter or their connection. Its length is
//! sealed, so no load or store in it raises a signal.

use std::fmt;
use std::ptr::NonNull;

use super::import::Import;
use super::permit::Access;
use crate::os::mapping::Mapping;
use crate::os::page::{At, kernel_page_size, range_in};
use crate::{Cause, Error, ExportError, Result};

/// How to attach to an [`Import`]. Made by [`Import::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AttachOptions<'a> {
    import: &'a Import,
    populate: bool,
}

impl AttachOptions<'_> {
    /// Whether all its pages are mapped at once, so that later loads and stores cost no fault. Default: no. Bytes without
    /// memory get some.
    pub fn populate(mut self, populate: bool) -> Self {
        self.populate = populate;
        self
    }

    /// As [`Import::attach`], with these options.
    ///
    /// # Errors
    /// As [`Import::attach`]; with `populate` ENOMEM where there is no memory.
    ///
    /// # Examples
    /// See [`Import::attach`].
    pub fn attach(&self, offset: u64, len: u64, at: At) -> Result<Attachment> {
        let import = self.import;
        let write = import.access == Access::Write;
        let attach = || {
            let align = kernel_page_size();
            if !import.is_memory() {
                return Err(Error::new(ExportError::NoMemory));
            }
            if !offset.is_multiple_of(align) {
                return Err(Error::new(Cause::Unaligned { what: "offset", got: offset, align }));
            }
            range_in(offset..offset.saturating_add(len), import.len())?;
            let length = usize::try_from(len).map_err(|_| ExportError::Size { asked: len })?;
            let mapping = Mapping::new(import.file(), offset, length, at, write)?;
            if self.populate {
                mapping.populate()?;
            }
            Ok(Attachment { mapping, offset, len, write })
        };
        attach().map_err(|error| import.failed(error))
    }
}

impl Import {
    /// Settings to attach with.
    pub fn options(&self) -> AttachOptions<'_> {
        AttachOptions { import: self, populate: false }
    }

    /// Maps a range of imported memory: for reading, and for writing if it was imported so. O(1), whatever its length.
    ///
    /// # Errors
    /// - [`ExportError::NoMemory`] (EINVAL): it is a segment.
    /// - [`Cause::Unaligned`] (EINVAL): the offset, or the exact address, is no multiple of the page size.
    /// - [`Cause::Bounds`] (EINVAL): not all in it, or empty.
    /// - [`Cause::AddressTaken`] (EBUSY): the exact address; what is there stays.
    /// - [`Cause::System`]: no address space, or too many mappings (ENOMEM).
    ///
    /// # Examples
    /// ```
    /// # use graven_store::{Access, At, ExportMemory, Exporter, Import, Permit, Timeout};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("socket");
    /// # let mut memory = ExportMemory::options().size(5000).create()?;
    /// # let exporter = Exporter::bind(&path)?;
    /// # exporter.make("", &memory, Permit::mode(0o644))?;
    /// # std::thread::scope(|scope| {
    /// # scope.spawn(|| exporter.run());
    /// # let import = Import::connect(&path, "", Access::Read, Timeout::Forever);
    /// # exporter.stop().unwrap();
    /// # let import = import?;
    /// let all = import.options().populate(true).attach(0, import.len(), At::Anywhere)?;
    /// memory.write_at(4999, b"!")?;
    /// // SAFETY: 4999 is in the attachment, which is mapped as long as `all` lives.
    /// assert_eq!(unsafe { all.address().add(4999).read_volatile() }, b'!');
    ///
    /// let error = import.attach(4096, 905, At::Anywhere).unwrap_err();
    /// assert_eq!(error.errno(), 22); // EINVAL: one byte too many
    /// # Ok::<(), graven_store::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn attach(&self, offset: u64, len: u64, at: At) -> Result<Attachment> {
        self.options().attach(offset, len, at)
    }
}

/// A mapped range of imported memory. Dropping it detaches.
///
/// Others write there at any time, so there is an address, for atomics and volatile copies, and no reference. A forked child
/// has the same memory.
pub struct Attachment {
    mapping: Mapping,
    offset: u64,
    len: u64,
    write: bool,
}

impl Attachment {
    /// Where its first byte is, until it is dropped. Stores are for what was imported for writing; elsewhere they are SIGSEGV.
    pub fn address(&self) -> NonNull<u8> {
        self.mapping.start()
    }

    /// How many bytes it has. Never 0.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The offset of its first byte in the memory.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Maps the same range of what the import has now, at the same address.
    ///
    /// `&mut`, since threads that load through the address meanwhile may see bytes of both; never anything else, nor a
    /// signal. Cost: some 20 µs. After an error it is as it was.
    ///
    /// # Errors
    /// - [`ExportError::Unlike`] (EINVAL): the import is of a segment, of a memory that ends before the range does, or for
    ///   another access. Of another name it may be, if it is like that.
    /// - ENOMEM, of [`Cause::System`].
    ///
    /// # Examples
    /// See [`Import`].
    pub fn refresh(&mut self, import: &Import) -> Result<()> {
        let end = self.offset.saturating_add(self.len);
        let like =
            import.is_memory() && end <= import.len() && self.write == (import.access == Access::Write);
        if !like {
            return Err(import.failed(ExportError::Unlike { had: end, has: import.len() }));
        }
        self.mapping.replace(import.file(), self.offset).map_err(|error| import.failed(error))
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("address", &self.address())
            .field("len", &self.len)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}
