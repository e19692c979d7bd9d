//! Getting at a segment's bytes, and from there to typed handles.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here
#![allow(unsafe_code)] // three entries whose contract only the caller can keep, and what they lead to

use std::any::TypeId;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use graven_format::layout::{Layout, TypeRef};
use graven_format::{
    Directory, Entry, Header, LayoutMismatch, ObjectError, Schema, Section, Validator, Value, Verified,
    VerifyError, View, check_entry, checksum,
};
use nix::fcntl::OFlag;
use nix::unistd::{SysconfVar, sysconf};
use rkyv::Archive;

use crate::known::Known;
use crate::memory::{self, Memory};
use crate::part::{Adopted, Part};
use crate::schemas::Schemas;
use crate::threads::validate;
use crate::valid::{Found, Valid};
use crate::writer::check_run;
use crate::{Cause, Error, Result};

/// Names that an error lists.
const NAMES_SHOWN: usize = 8;

/// An open segment. A handle: cloning shares the memory, which lives until the last handle on it or into it is gone.
///
/// Opening costs the same for every size: header and bounds are checked, the rest when it is used. Directory entries
/// are checked when looked up, the schema's checksum on its first use, objects when they are adopted; objects' own
/// checksums by [`verify`](Segment::verify) only.
///
/// | entry | trusts | memory |
/// |---|---|---|
/// | [`map`](Segment::map), [`map_at`](Segment::map_at) | that nobody edits or cuts the file meanwhile: `unsafe` | the file's pages |
/// | [`map_sealed`](Segment::map_sealed) | the kernel's seals | the file's pages |
/// | [`read`](Segment::read), [`from_bytes`](Segment::from_bytes) | nobody | a private copy |
///
/// # Examples
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("numbers.grv");
/// let mut writer = graven_store::Writer::create(&path)?;
/// writer.put("small", &vec![1u32, 2, 3])?;
/// writer.finish()?;
///
/// let segment = graven_store::Segment::read(&path)?;
/// assert_eq!(segment.get::<Vec<u32>>("small")?.len(), 3);
/// let error = segment.get::<Vec<u64>>("small").unwrap_err();
/// assert!(error.to_string().ends_with("layout differs: Vec[]: writer u32, adopter u64"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 8.
#[derive(Clone)]
pub struct Segment {
    inner: Arc<Inner>,
    /// Threads that validate a large object.
    threads: NonZeroUsize,
}

struct Inner {
    memory: Memory,
    header: Header,
    /// For errors.
    path: Option<PathBuf>,
    schema_checked: OnceLock<()>,
    valid: Valid,
    /// What values without types borrow.
    schemas: Schemas,
}

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
            Segment::new(memory, Some(path))
        };
        map().map_err(|error| error.of_file(path))
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
        // SAFETY: our caller's promise.
        Segment::new(unsafe { Memory::map(&file, file_offset, to_usize(length)?, header.page_size) }?, None)
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
        Segment::new(memory::map_sealed(&file, to_usize(header.length)?, header.page_size)?, None)
    }

    /// Reads a whole file into private memory: safe, whatever others do to the file. Cost: O(bytes).
    ///
    /// # Errors
    /// As [`map`](Segment::map); a file cut meanwhile is [`Cause::System`].
    pub fn read(path: impl AsRef<Path>) -> Result<Segment> {
        let path = path.as_ref();
        let read = || {
            let (file, header) = open(path)?;
            Segment::new(Memory::read(&file, to_usize(header.length)?)?, Some(path))
        };
        read().map_err(|error| error.of_file(path))
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
        View::open(bytes.as_ref())?;
        Segment::new(Memory::copy(bytes.as_ref())?, None)
    }

    fn new(memory: Memory, path: Option<&Path>) -> Result<Segment> {
        let header = *View::open(memory.bytes())?.header();
        let path = path.map(Path::to_owned);
        let (schema_checked, valid) = (OnceLock::new(), Valid::of(header.length));
        let schemas = Schemas::default();
        let inner = Inner { memory, header, path, schema_checked, valid, schemas };
        Ok(Segment { inner: Arc::new(inner), threads: NonZeroUsize::MIN })
    }

    /// A handle that validates large objects with several threads, each for as long as it takes. One is the default.
    ///
    /// Objects with shared pointers, or with types that have checks of their own, are validated by one thread all the
    /// same; so are arrays of texts, whose pointers lie beside each other: what threads share is what lies behind
    /// different pointers.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("lists.grv");
    /// graven_store::write(&path, &vec![vec!["a".to_string()], vec![]])?;
    /// let segment = graven_store::Segment::read(&path)?.with_threads(2.try_into()?);
    /// assert_eq!(segment.root::<Vec<Vec<String>>>()?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_threads(mut self, threads: NonZeroUsize) -> Segment {
        self.threads = threads;
        self
    }

    /// The error, which is about this segment.
    pub(crate) fn failed(&self, error: impl Into<Error>) -> Error {
        match &self.inner.path {
            Some(path) => error.into().of_file(path),
            None => error.into(),
        }
    }

    /// The header. O(1).
    pub fn header(&self) -> &Header {
        &self.inner.header
    }

    /// The segment's bytes. O(1).
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.inner.memory.bytes()
    }

    #[inline(always)]
    fn directory(&self) -> Result<Directory<'_>> {
        Ok(Directory::new(self.as_bytes(), self.header())?)
    }

    /// The bytes of a section that the directory names: bounds were checked with the entry.
    #[inline]
    pub(crate) fn section(&self, section: Section) -> &[u8] {
        section.of(self.as_bytes()).unwrap_or_default()
    }

    /// The objects, in the order they were put. O(1) each; an entry is checked when it comes up.
    pub fn objects(&self) -> impl Iterator<Item = Result<Entry<'_>>> {
        let directory = self.directory();
        let (directory, error) = match directory {
            Ok(directory) => (Some(directory), None),
            Err(error) => (None, Some(Err(self.failed(error)))),
        };
        let entries = directory.into_iter().flat_map(|directory| directory.iter());
        error.into_iter().chain(entries.map(|entry| entry.map_err(|error| self.failed(error))))
    }

    /// The objects' names and layouts, in the order they were put. O(schema) each.
    pub fn schema(&self) -> impl Iterator<Item = Result<(&str, Schema)>> {
        self.objects().map(|entry| {
            let entry = entry?;
            let decode = || {
                self.check_schema()?;
                Ok(Schema::decode(self.section(entry.schema))?)
            };
            let schema = decode().map_err(|error: Error| self.failed(error).of_object(entry.name))?;
            Ok((entry.name, schema))
        })
    }

    /// Adopts the root: the object with the empty name. See [`get`](Segment::get).
    ///
    /// # Errors
    /// As [`get`](Segment::get).
    pub fn root<T>(&self) -> Result<Adopted<T>>
    where
        T: Archive<Archived: Layout>,
    {
        self.get::<T>("")
    }

    /// Adopts an object: finds it, compares its layout with `T`'s, and validates its bytes.
    ///
    /// Cost: O(1) to find, O(schema) to compare, O(bytes that can be wrong) to validate; the latter once for each
    /// object of 4096 bytes or more and each type, as long as a handle of this segment lives.
    ///
    /// # Errors
    /// - [`Cause::NoObject`] (ENOENT).
    /// - [`Cause::Layout`] (EINVAL), with what differs.
    /// - [`Cause::Directory`], [`Cause::Schema`], [`Cause::Verify`] (EINVAL): damaged.
    /// - [`Cause::Contents`] (EINVAL): the bytes are no value of the type, with the way to what is wrong.
    ///
    /// # Examples
    /// See [`Segment`].
    ///
    /// Source: SPEC 8.
    pub fn get<T>(&self, name: &str) -> Result<Adopted<T>>
    where
        T: Archive<Archived: Layout>,
    {
        // First: see `typed_object`.
        let (segment, known) = (self.clone(), Known::of::<T::Archived>());
        let offset = self.valid_root(name, known, TypeRef::of::<T::Archived>().id());
        let offset = offset.map_err(|error| self.failed(error).of_object(name).of_type::<T>())?;
        // SAFETY: the root is in bounds and aligned, and the validator of `T` has found it valid with all pointers in the
        // object's bytes (`valid_root`).
        Ok(unsafe { Part::new(segment, offset) })
    }

    /// Checks an object as [`get`](Segment::get) does, and what adopting leaves out: its checksum, and that lookups in its
    /// maps find what is in them, by the keys' own `Hash` and `Ord`.
    ///
    /// [`verify`](Segment::verify) knows how strings, integers, bools and chars hash and compare. Of keys of all other
    /// types it checks nothing: only their program knows.
    ///
    /// Cost: O(bytes), each time; for B-trees times their depth. One thread does it.
    ///
    /// # Errors
    /// As [`get`](Segment::get); [`Cause::Verify`] if the checksum is another one, [`Cause::Contents`] with
    /// [`ObjectCause::Disorder`](graven_format::ObjectCause::Disorder) of a map: the way to it, and which entry.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("ports.grv");
    /// let ports = std::collections::HashMap::from([("ssh".to_string(), 22u16), ("http".to_string(), 80)]);
    /// graven_store::write(&path, &ports)?;
    /// let segment = graven_store::Segment::read(&path)?;
    /// segment.verify_as::<std::collections::HashMap<String, u16>>("")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 6.3, 7, 8.
    pub fn verify_as<T>(&self, name: &str) -> Result<()>
    where
        T: Archive<Archived: Layout>,
    {
        let verify = || {
            let known = Known::of::<T::Archived>();
            let (object, root) = self.typed_object(name, known)?;
            let object = self.section(object);
            View::open(self.as_bytes())?.verify_object(&self.entry(name)?, checksum(object))?;
            known.validator().check_keys(object, root)?;
            Ok(())
        };
        verify().map_err(|error: Error| self.failed(error).of_object(name).of_type::<T>())
    }

    /// Where the root of an object lies, which is valid as the type that is known.
    fn valid_root(&self, name: &str, known: &Known, id: TypeId) -> Result<usize> {
        let (object, root) = self.typed_object(name, known)?;
        let check = || self.check(known.validator(), self.section(object), root);
        self.inner.valid.check(Found { object, root, id }, check)?;
        Ok(root_offset(object, root))
    }

    /// Adopts an object without validating it: its layout is still compared, and its bounds checked.
    ///
    /// Cost: O(1) to find, O(schema) to compare, whatever the size of the object.
    ///
    /// # Safety
    /// The object's bytes are a valid archived `T`: for example because the segment's writer is this program, and its
    /// file has not been damaged since.
    ///
    /// # Errors
    /// As [`get`](Segment::get), but for [`Cause::Contents`].
    pub unsafe fn get_unchecked<T>(&self, name: &str) -> Result<Adopted<T>>
    where
        T: Archive<Archived: Layout>,
    {
        // First: see `typed_object`.
        let (segment, known) = (self.clone(), Known::of::<T::Archived>());
        let object = self.typed_object(name, known);
        let (object, root) = object.map_err(|error| self.failed(error).of_object(name).of_type::<T>())?;
        // SAFETY: the root is in bounds and aligned (`typed_object`); that it is valid is our caller's promise.
        Ok(unsafe { Part::new(segment, root_offset(object, root)) })
    }

    /// An object without its types, to be asked by its schema what it holds.
    ///
    /// Cost: O(1) to find, O(schema): it is checked each time, and decoded once as long as a handle of this segment
    /// lives; values borrow it, which keeps them small and free to copy. Of the object nothing is read: what is wrong in
    /// its bytes is an error of the value that is asked for it.
    ///
    /// # Errors
    /// - [`Cause::NoObject`] (ENOENT).
    /// - [`Cause::Unsound`] (EINVAL): the schema cannot be followed.
    /// - [`Cause::Directory`], [`Cause::Schema`], [`Cause::Verify`] (EINVAL): damaged.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("ports.grv");
    /// let mut writer = graven_store::Writer::create(&path)?;
    /// writer.put("ports", &vec![("http".to_string(), 80u16), ("https".to_string(), 443)])?;
    /// writer.finish()?;
    ///
    /// let segment = graven_store::Segment::read(&path)?;
    /// let ports = segment.value("ports")?;
    /// assert_eq!(ports.len()?, 2);
    /// assert_eq!(ports.path("[1].0")?.as_str()?, "https");
    /// assert_eq!(ports.path("[1].1")?.as_u64()?, 443);
    /// assert_eq!(segment.value("routes").unwrap_err().errno(), 2); // ENOENT
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 6.1, 8.
    pub fn value(&self, name: &str) -> Result<Value<'_>> {
        let value = || {
            let entry = self.entry(name)?;
            self.check_schema()?;
            let section = self.header().schema;
            let (bytes, table) = (self.section(section), self.section(entry.schema));
            let schema = self.inner.schemas.of(section, bytes, &entry, table)?;
            if schema.payload() != self.header().payload {
                return Err(Error::new(VerifyError::TablePayload {
                    name: name.to_owned(),
                    table: entry.schema,
                    recorded: schema.payload(),
                    segment: self.header().payload,
                }));
            }
            check_entry(&entry, schema)?;
            Ok(Value::root(self.section(entry.object), schema, entry.root)?)
        };
        value().map_err(|error: Error| self.failed(error).of_object(name))
    }

    /// Checks everything that can be checked without types: directory, schema, all checksums, all padding, that each
    /// object's bytes are what its schema says, and that lookups in its maps find what is in them.
    ///
    /// What types' own checks would say is not known without the types: the answer names those types.
    ///
    /// Cost: O(bytes).
    ///
    /// # Errors
    /// [`Cause::Verify`], with the first damage found.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("numbers.grv");
    /// graven_store::write(&path, &vec![1u32, 2])?;
    /// let verified = graven_store::Segment::read(&path)?.verify()?;
    /// assert!(verified.unchecked_types().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 7, 8.
    pub fn verify(&self) -> Result<Verified> {
        let verify = || {
            let validate = |validator: &Validator, object: &[u8], root| self.check(validator, object, root);
            Ok(View::open(self.as_bytes())?.verify_with(validate)?)
        };
        verify().map_err(|error: Error| self.failed(error))
    }

    #[inline(always)]
    pub(crate) fn entry(&self, name: &str) -> Result<Entry<'_>> {
        let directory = self.directory()?;
        match directory.find(name)? {
            Some((_, entry)) => Ok(entry),
            None => {
                let names = directory.iter().take(NAMES_SHOWN).filter_map(Result::ok);
                let present = names.map(|entry| entry.name.to_owned()).collect();
                Err(Error::new(Cause::NoObject { present, count: directory.len() as u64 }))
            }
        }
    }

    #[inline]
    pub(crate) fn check_schema(&self) -> Result<()> {
        let check = || View::open(self.as_bytes())?.check_schema().map_err(Error::new);
        if self.inner.schema_checked.get().is_none() {
            check()?;
            // Damage is not remembered: it is an error each time.
            let _ = self.inner.schema_checked.set(());
        }
        Ok(())
    }

    /// Where an object is that has the layout of the type that is known, and room for its root, and where in it that is.
    ///
    /// Finding waits for memory. Who counts a handle does so before: a locked instruction behind it would keep the
    /// processor from fetching the object meanwhile.
    fn typed_object(&self, name: &str, known: &Known) -> Result<(Section, u64)> {
        let entry = self.entry(name)?;
        self.check_schema()?;
        let table = self.section(entry.schema);
        if !known.same_layout(table) {
            let writer = Schema::decode(table)?;
            if let Some(mismatch) = LayoutMismatch::between(&writer, &known.schema) {
                return Err(mismatch.into());
            }
        }
        check_entry(&entry, &known.schema)?;
        Ok((entry.object, entry.root))
    }

    #[inline]
    pub(crate) fn check(&self, validator: &Validator, object: &[u8], root: u64) -> Result<(), ObjectError> {
        validate(validator, object, root, self.threads)
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment")
            .field("address", &self.as_bytes().as_ptr())
            .field("header", self.header())
            .finish()
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
    Ok(header)
}

/// The header at `file_offset`, where there are `available` bytes.
pub(crate) fn read_header(file: &File, file_offset: u64, available: u64) -> Result<Header> {
    let mut bytes = [0; Header::SIZE];
    let bytes = &mut bytes[..Header::SIZE.min(to_usize(available)?)];
    file.read_exact_at(bytes, file_offset).map_err(Error::system("read the header"))?;
    Ok(Header::decode(bytes)?)
}

fn root_offset(object: Section, root: u64) -> usize {
    object.position.saturating_add(root) as usize
}

fn to_usize(number: u64) -> Result<usize> {
    usize::try_from(number).map_err(|_| Error::system("map the file")(nix::errno::Errno::ENOMEM))
}

fn kernel_page_size() -> u64 {
    sysconf(SysconfVar::PAGE_SIZE).ok().flatten().map_or(u64::from(Header::MIN_PAGE_SIZE), |size| size as u64)
}
