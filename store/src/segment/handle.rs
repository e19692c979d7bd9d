//! An open segment: its bytes, what is in it, and values without types.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use graven_format::{
    Directory, Entry, Header, ObjectError, Schema, Section, Validator, Value, Verified, VerifyError, View,
    check_entry,
};

use crate::os::memory::Memory;
use crate::segment::schemas::Schemas;
use crate::segment::threads::validate;
use crate::segment::valid::Valid;
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
    pub(super) opened: Arc<Opened>,
    /// Threads that validate a large object.
    threads: NonZeroUsize,
}

/// What handles share.
pub(super) struct Opened {
    memory: Memory,
    header: Header,
    /// For errors.
    path: Option<PathBuf>,
    schema_checked: OnceLock<()>,
    pub(super) valid: Valid,
    /// What values without types borrow.
    schemas: Schemas,
}

impl Segment {
    /// INVARIANT: `header` was decoded from the memory's bytes, and fits their number and this build.
    ///
    /// # Panics
    /// It does not fit their number: what is found by the header would not be in the memory.
    pub(super) fn new(memory: Memory, header: Header, path: Option<&Path>) -> Segment {
        assert!(header.length == memory.bytes().len() as u64, "the header of other bytes");
        let path = path.map(Path::to_owned);
        let (schema_checked, valid) = (OnceLock::new(), Valid::of(header.length));
        let schemas = Schemas::default();
        let opened = Opened { memory, header, path, schema_checked, valid, schemas };
        Segment { opened: Arc::new(opened), threads: NonZeroUsize::MIN }
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
        match &self.opened.path {
            Some(path) => error.into().of_file(path),
            None => error.into(),
        }
    }

    /// The header. O(1).
    pub fn header(&self) -> &Header {
        &self.opened.header
    }

    /// The segment's bytes. O(1).
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.opened.memory.bytes()
    }

    /// The segment as whoever checks it wants it.
    pub(crate) fn view(&self) -> View<'_> {
        View::reopen(self.as_bytes(), *self.header())
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
            let schema = self.opened.schemas.of(section, bytes, &entry, table)?;
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
            // Everything is looked at, the header too: it may have changed since it was decoded.
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
        if self.opened.schema_checked.get().is_none() {
            self.view().check_schema()?;
            // Damage is not remembered: it is an error each time.
            let _ = self.opened.schema_checked.set(());
        }
        Ok(())
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
