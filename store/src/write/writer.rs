//! Laying out a segment: objects, schema, directory, and the header last.
//!
//! A segment appears at once or not at all. At a path: it is written into a file without a name, which then takes the
//! path's. In a run of the caller's file: its old header is wiped first and the new one comes last, so whoever maps
//! it in between is told that it is incomplete.
//!
//! Source: SPEC 9.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use graven_format::layout::Layout;
use graven_format::{
    CheckedContents, Entry, Fingerprint, Header, Mode, ObjectCause, Payload, Schema, Section, Validator,
    checksum, directory,
};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::Arena;
use rkyv::ser::sharing::Share;
use rkyv::{Archive, Serialize};

use crate::os::dir::Dir;
use crate::os::held::Process;
use crate::os::page::check_run;
use crate::os::temp::Temp;
use crate::segment::known::Known;
use crate::write::rehearsal::{PADDED, Plan};
use crate::write::stream::{Kept, Stream};
use crate::{Cause, Error, Result, Segment, Serializer};

/// The smallest alignment of an object's position.
const OBJECT_ALIGN: u32 = 16;

/// What a finished segment is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Bytes, a multiple of the page size.
    pub length: u64,
    /// How many objects it has.
    pub objects: u64,
    /// The generation in its header.
    pub generation: u64,
}

/// Writes one value as the root of a segment at `path`, replacing atomically what is there: a symbolic link itself, not
/// what it leads to.
///
/// Cost: one serialization, streamed; see [`Writer`] for memory. The file's mode is 0644 less the umask. Values nested
/// more than some 10,000 levels deep overflow the stack: see [`Writer::put`].
///
/// # Errors
/// As [`Writer::create`], [`Writer::put`] and [`Writer::finish`]. After an error `path` is as it was.
///
/// # Examples
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("primes.grv");
/// let summary = graven_store::write(&path, &vec![2u32, 3, 5, 7])?;
/// assert_eq!(summary.length, 8192);
/// let segment = graven_store::Segment::read(&path)?;
/// assert_eq!(segment.root::<Vec<u32>>()?[3], 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 9.
pub fn write<T>(path: impl AsRef<Path>, value: &T) -> Result<Summary>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let mut writer = Writer::create(path)?;
    writer.put("", value)?;
    writer.finish()
}

/// The exact length of the segment that [`write()`] would make of `value`: a multiple of 4096. Nothing is written.
///
/// Cost: one serialization into nowhere.
///
/// # Errors
/// As [`Writer::put`], but for those of the file.
///
/// # Examples
/// ```
/// assert_eq!(graven_store::encoded_len(&7u8)?, 8192);
/// # Ok::<(), graven_store::Error>(())
/// ```
pub fn encoded_len<T>(value: &T) -> Result<u64>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let mut build = Build::new(Stream::counting(), Header::MIN_PAGE_SIZE, 0)?;
    build.put("", value)?;
    Ok(build.finish(0)?.0.length)
}

/// Writes one value as the root of a segment into a run of the caller's file: `length` bytes from `file_offset`.
///
/// `length` is [`encoded_len`] or more; what is left over is zeros, and belongs to the segment. No byte outside the run
/// is changed. The file grows up to the run's end if it is shorter. While it is written, and after an error, the run
/// adopts as incomplete (EINVAL).
///
/// # Errors
/// - [`Cause::Unaligned`]: offset or length is no multiple of 4096; [`Cause::RunOverflows`],
///   [`Cause::Appending`]. Nothing is touched then.
/// - [`Cause::RunTooShort`] (EINVAL) with the length needed and the length given.
/// - [`Cause::System`]: the descriptor is not open for writing (EBADF), no room (ENOSPC).
/// - As [`Writer::put`].
///
/// # Examples
/// ```
/// let file = tempfile::tempfile()?;
/// let value = vec![1u64; 1000];
/// let length = graven_store::encoded_len(&value)?;
/// graven_store::write_at(&file, 4096, length, &value)?;
/// // SAFETY: nobody else knows the file.
/// let segment = unsafe { graven_store::Segment::map_at(&file, 4096, length)? };
/// assert_eq!(segment.root::<Vec<u64>>()?.len(), 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 9.2; hwloc's `hwloc_shmem_topology_write` has the same arguments but for the address.
pub fn write_at<T>(fd: impl AsFd, file_offset: u64, length: u64, value: &T) -> Result<Summary>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let page_size = Header::MIN_PAGE_SIZE;
    check_run(file_offset, length, page_size.into())?;
    let flags = fcntl(&fd, FcntlArg::F_GETFL).map_err(Error::system("read the descriptor's flags"))?;
    if OFlag::from_bits_retain(flags).contains(OFlag::O_APPEND) {
        return Err(Error::new(Cause::Appending));
    }
    let file = fd.as_fd().try_clone_to_owned().map_err(Error::system("duplicate the descriptor"))?;
    let process = Process::current().map_err(Error::system("watch for forks"))?;
    let stream = Stream::to_file(File::from(file), file_offset, length, process);
    if length > 0 {
        stream.write_at(0, &[0; Header::SIZE]).map_err(Error::new)?;
    }
    let mut build = Build::new(stream, page_size, 0)?;
    build.put("", value)?;
    let (summary, header, stream) = build.finish(length)?;
    if stream.overflowed() {
        return Err(Error::new(Cause::RunTooShort { needed: summary.length, given: length }));
    }
    stream.write_at(0, &header.encode()).map_err(Error::new)?;
    Ok(summary)
}

/// How a [`Writer`] writes. Made by [`Writer::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct WriteOptions {
    mode: u32,
    page_size: u32,
    durable: bool,
    create_new: bool,
    generation: u64,
}

impl WriteOptions {
    /// The file's nine permission bits, less the umask as for open(2). Default: 0644.
    pub fn mode(mut self, mode: u32) -> WriteOptions {
        self.mode = mode;
        self
    }

    /// The segment's page size: a power of two from 4096 (the default) to 65536. A machine with larger pages maps a run
    /// of a file only at multiples of its own.
    pub fn page_size(mut self, page_size: u32) -> WriteOptions {
        self.page_size = page_size;
        self
    }

    /// Whether `finish` waits until file and directory entry are on the disk (fsync(2)). Default: no.
    pub fn durable(mut self, durable: bool) -> WriteOptions {
        self.durable = durable;
        self
    }

    /// Whether `finish` refuses to replace what is at the path (EEXIST). Default: no.
    pub fn create_new(mut self, create_new: bool) -> WriteOptions {
        self.create_new = create_new;
        self
    }

    /// The generation recorded in the header. Default: 0.
    pub fn generation(mut self, generation: u64) -> WriteOptions {
        self.generation = generation;
        self
    }

    /// Starts a segment that will appear at `path`.
    ///
    /// # Errors
    /// As [`Writer::create`]; [`Cause::PageSize`] (EINVAL).
    pub fn create(self, path: impl AsRef<Path>) -> Result<Writer> {
        let path = path.as_ref().to_owned();
        self.open(&path).map_err(|error| error.of_file(&path))
    }

    fn open(self, path: &Path) -> Result<Writer> {
        // The working directory may be another when the segment is finished.
        let target = std::path::absolute(path).map_err(Error::system("find the working directory"))?;
        let directory = target.parent().unwrap_or(Path::new("/"));
        let dir = Dir::open(directory).map_err(Error::system("open the directory it is to be in"))?;
        self.open_in(&dir, target.file_name().unwrap_or_default(), None, path)
    }

    /// A segment that will be called `target` in `dir`, and `own` for a moment, if nobody else uses that. `path` is for
    /// errors.
    pub(crate) fn open_in(
        self,
        dir: &Dir,
        target: impl AsRef<OsStr>,
        own: Option<String>,
        path: &Path,
    ) -> Result<Writer> {
        let temp = Temp::create(dir, target, own, self.mode & 0o777);
        let temp = temp.map_err(Error::system("create a file in the directory"))?;
        let handle =
            temp.file().and_then(File::try_clone).map_err(Error::system("duplicate the descriptor"))?;
        let stream = Stream::to_file(handle, 0, u64::MAX, temp.process());
        let build = Build::new(stream, self.page_size, self.generation)?;
        Ok(Writer { build, temp, dir: dir.clone(), path: path.to_owned(), options: self })
    }
}

/// Writes a segment of any number of objects, which appears at its path at once when finished.
///
/// Objects stream through one buffer of 256 KiB, so the writer's memory does not grow with the objects. It keeps about
/// 200 bytes per object for the directory, and the schema tables. rkyv needs scratch on top, which is given back after
/// each object:
///
/// | type | scratch |
/// |---|---|
/// | numbers, strings, arrays of them, `Vec` of plain numbers | none |
/// | `Vec<T>`, `Box<[T]>` | per element of the collection being written, the size of `T`'s resolver: 8 bytes for `String` or `Vec<U>`, the sum over the fields for structs; nested collections add up |
/// | `HashMap`, `HashSet`, `IndexMap`, `IndexSet` | the whole table: archived entry plus control byte per slot, and a resolver per entry |
/// | `BTreeMap`, `BTreeSet` | one node per level, and a resolver per entry |
/// | any map, in any place | the object, until it is complete, for lookups to be tried: of the first 16 values of its type, with two keys in each of its maps, that a process writes; of all, if there are keys that are no strings, integers, bools or chars |
/// | `Rc`, `Arc`, `Weak` | about 32 bytes per distinct pointee, until the object ends; the whole object, to look at it again, if the type shares slices as well as arrays of one type, or bytes as well as text |
///
/// Dropping a writer leaves nothing. A forked child has a copy that writes nothing, is [`Cause::Forked`] (EPERM), and whose
/// drop does nothing: also where serializing a value is what forked.
///
/// # Examples
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("tables.grv");
/// let mut writer = graven_store::Writer::create(&path)?;
/// writer.put("users", &vec!["ann".to_string()])?;
/// writer.put("limits", &(1u32, 2u64))?;
/// assert_eq!(writer.finish()?.objects, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Source: SPEC 9.
pub struct Writer {
    build: Build,
    temp: Temp,
    dir: Dir,
    /// As the caller named it: where it goes, and for errors.
    path: PathBuf,
    options: WriteOptions,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("path", &self.path)
            .field("objects", &self.build.objects.len())
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts a segment that will appear at `path`, with the default [`WriteOptions`].
    ///
    /// # Errors
    /// [`Cause::System`]: the directory does not exist (ENOENT) or may not be written to (EACCES), or as open(2).
    pub fn create(path: impl AsRef<Path>) -> Result<Writer> {
        Writer::options().create(path)
    }

    /// The settings to start a segment with.
    pub fn options() -> WriteOptions {
        WriteOptions {
            mode: 0o644,
            page_size: Header::MIN_PAGE_SIZE,
            durable: false,
            create_new: false,
            generation: 0,
        }
    }

    /// Adds an object. The empty name is the root's.
    ///
    /// Serializes `value` once, into the file; twice if something in its type is aligned to more than 32. If its type has
    /// maps, looks up all keys before the object counts: of each value, or of the first 16 (see the table of [`Writer`]).
    ///
    /// rkyv's serializer recurses: a value nested more than some 10,000 levels deep overflows the stack. A list of boxes,
    /// which needs least, does at 43,000 levels on a thread's 2 MiB and at 170,000 on the main thread's usual 8 MiB; in a
    /// build that is not optimized at 3,700 and 14,900. Neither adopting nor dropping what was adopted recurses. And it
    /// cuts counts to the offset width, which only vectors of elements without bytes can pass: `Vec<()>`.
    ///
    /// # Errors
    /// After an error the writer is as it was before the call.
    /// - [`Cause::Name`]: longer than 255 bytes, or a control character in it; [`Cause::ObjectExists`] (EEXIST).
    /// - [`Cause::Unwritable`]: readers would refuse the type's layout, as types in it differ only behind 65 links.
    /// - [`Cause::Overaligned`]: the type's alignment is above the page size.
    /// - [`Cause::TooLarge`] (EFBIG): the archived object passes the reach of its relative offsets, 2 GiB unless built
    ///   with the feature `pointer_width_64`.
    /// - [`Cause::Serialize`]: the type's `Serialize` refused the value.
    /// - [`Cause::Keys`]: lookups in a map would not find all its keys, because they hash or compare otherwise than the
    ///   keys that they are archived as. See [`ArchivedKeys`](crate::with::ArchivedKeys).
    /// - [`Cause::System`]: no room (ENOSPC), or as pwrite(2).
    pub fn put<T>(&mut self, name: &str, value: &T) -> Result<()>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        self.build.put(name, value).map_err(|error| error.of_file(&self.path))
    }

    /// Adds an object of another segment, under the same name, as bytes: nothing is deserialized or serialized.
    ///
    /// Objects are position-independent, so this is a copy. Damage and forgeries do not travel on: of the object is checked
    /// what [`Segment::verify`] checks. Cost: O(bytes).
    ///
    /// # Errors
    /// As [`put`](Writer::put); [`Cause::NoObject`] (ENOENT), [`Cause::Directory`], [`Cause::Checksum`] and
    /// [`Cause::Verify`] (EINVAL) of `segment`.
    pub fn copy(&mut self, segment: &Segment, name: &str) -> Result<()> {
        self.copy_from(segment, name, Source::Any)
    }

    /// As [`copy`](Writer::copy), of a segment that graven wrote itself or that has been verified: of the object's bytes
    /// only the checksum is checked.
    pub(crate) fn copy_ours(&mut self, segment: &Segment, name: &str) -> Result<()> {
        self.copy_from(segment, name, Source::Ours)
    }

    /// As [`copy`](Writer::copy), of an object that was edited in place: its checksum is not asked, but made right.
    pub(crate) fn copy_edited(&mut self, segment: &Segment, name: &str) -> Result<()> {
        self.copy_from(segment, name, Source::Edited)
    }

    fn copy_from(&mut self, segment: &Segment, name: &str, source: Source) -> Result<()> {
        self.build.copy(segment, name, source).map_err(|error| error.of_object(name).of_file(&self.path))
    }

    /// Completes the segment and makes it appear at its path, atomically.
    ///
    /// # Errors
    /// [`Cause::System`]: as pwrite(2), fsync(2) or rename(2); EEXIST with [`WriteOptions::create_new`]. The path is as it
    /// was then, and nothing is left beside it.
    pub fn finish(self) -> Result<Summary> {
        let path = self.path.clone();
        let finish = || {
            let Complete { summary, mut temp, dir, options } = self.complete()?;
            let placed = match path.file_name() {
                None => Err(Errno::EISDIR.into()),
                // A name that nobody has is taken in one step. Only replacing takes two.
                Some(_) => match temp.link() {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !options.create_new => {
                        temp.replace()
                    }
                    placed => placed,
                },
            };
            placed.map_err(Error::system("put the file in its place"))?;
            if options.durable {
                dir.sync().map_err(Error::system("sync the directory"))?;
            }
            Ok(summary)
        };
        finish().map_err(|error: Error| error.of_file(&path))
    }

    /// The file that is being written.
    ///
    /// # Errors
    /// [`Cause::Forked`] (EPERM).
    pub(crate) fn file(&self) -> io::Result<&File> {
        self.temp.file()
    }

    /// Writes what is missing to a complete segment, which has not been placed yet.
    pub(crate) fn complete(self) -> Result<Complete> {
        let Writer { build, temp, dir, path: _, options } = self;
        let (summary, header, stream) = build.finish(0)?;
        // An object that failed may have left bytes behind the end.
        let file = temp.file().map_err(Error::system("set the file's length"))?;
        file.set_len(summary.length).map_err(Error::system("set the file's length"))?;
        stream.write_at(0, &header.encode()).map_err(Error::new)?;
        if options.durable {
            file.sync_all().map_err(Error::system("sync the file"))?;
        }
        Ok(Complete { summary, temp, dir, options })
    }
}

/// Lookups in the maps of an object that has been written find what is in them: rkyv places entries by the keys of the
/// program, and what they are archived as may hash or compare otherwise.
fn check_keys<T>(known: &Known, object: &[u8], root: u64) -> Result<(), Cause> {
    let asked = known.validator().check_keys(object, root).map_err(|error| match error.cause() {
        ObjectCause::Disorder { .. } => Cause::Keys(error),
        _ => Cause::Contents(error),
    })?;
    if asked {
        known.has_looked_into_maps_of::<T>();
    }
    Ok(())
}

/// A segment that is complete and nowhere.
pub(crate) struct Complete {
    pub(crate) summary: Summary,
    pub(crate) temp: Temp,
    dir: Dir,
    options: WriteOptions,
}

/// Checks an object that has been written, where only its bytes tell.
fn check_written(schema: &Schema, object: &[u8], root: u64) -> Result<(), Cause> {
    let validator = Validator::of_schema(schema).map_err(Cause::Unwritable)?;
    validator.check(object, root).map_err(|error| Cause::Serialize {
        message: format!(
            "{error}; what is shared both as an array and as a slice, or as text and as bytes, can be written once \
             only: clone its contents for one of them, or use rkyv::with::Unshare"
        ),
    })
}

/// Serializes a value of that layout as the object that the stream is at the start of. Where its root is.
pub(crate) fn serialize<T>(stream: &mut Stream, known: &Known, value: &T) -> Result<u64, Cause>
where
    T: Archive + for<'a> Serialize<Serializer<'a>>,
{
    let (pointers, align) = (known.writable()?, known.schema.max_align());
    let plan = (align > PADDED).then(|| rehearse(value, pointers)).transpose()?;
    stream.expect_pointers_within(pointers, align);
    if let Some(plan) = plan {
        stream.plan(plan.follow(align.into()));
    }
    let mut arena = Arena::new();
    let mut serializer = rkyv::ser::Serializer::new(stream, arena.acquire(), Share::new());
    Ok(rkyv::api::serialize_using(value, &mut serializer).map_err(not_serialized)? as u64)
}

/// Why rkyv stopped. What is a part too large has been written apart from the rest, as keys of maps are.
fn not_serialized(error: BoxedError) -> Cause {
    let first: Option<&(dyn std::error::Error + 'static)> = Some(BoxedError::inner(&error));
    let mut causes = std::iter::successors(first, |error| error.source());
    match causes.find_map(|error| error.downcast_ref::<Error>()).map(Error::cause) {
        Some(&Cause::TooLarge { limit }) => Cause::TooLarge { limit },
        Some(Cause::Serialize { message }) => Cause::Serialize { message: message.clone() },
        _ => Cause::Serialize { message: error.to_string() },
    }
}

/// Serializes a value into nowhere, to learn where it has to be aligned.
fn rehearse<T>(value: &T, pointers: u64) -> Result<Plan, Cause>
where
    T: Archive + for<'a> Serialize<Serializer<'a>>,
{
    let limit = Payload::NATIVE.max_position();
    if pointers > limit {
        // Not even a piece by itself could be laid out.
        return Err(Cause::TooLarge { limit });
    }
    let mut stream = Stream::counting();
    stream.plan(Plan::default());
    let mut arena = Arena::new();
    let mut serializer = rkyv::ser::Serializer::new(&mut stream, arena.acquire(), Share::new());
    let root = rkyv::api::serialize_using(value, &mut serializer);
    root.map_err(not_serialized)?;
    drop(serializer);
    Ok(stream.rehearsed())
}

/// A segment in the making.
struct Build {
    stream: Stream,
    /// The segment position behind the last object. What the stream has behind it is of one that failed.
    end: u64,
    page_size: u32,
    generation: u64,
    objects: Vec<Object>,
    by_name: HashMap<String, usize>,
    /// The schema section, and where each table lies in it.
    tables: Vec<u8>,
    table_at: HashMap<Vec<u8>, u64>,
    /// The tables of objects that were copied.
    copied: HashMap<Vec<u8>, Arc<CheckedContents>>,
}

/// Where an object that is copied comes from.
#[derive(Clone, Copy)]
enum Source {
    /// Anywhere: it is checked.
    Any,
    /// A generation of ours, or a segment that has been verified.
    Ours,
    /// A region: it was edited in place, so that its checksum is no longer right. It is checked.
    Edited,
}

struct Object {
    name: String,
    fingerprint: Fingerprint,
    /// Position relative to the schema section.
    table: Section,
    bytes: Section,
    root: u64,
    checksum: u64,
    align: u32,
}

impl Build {
    fn new(mut stream: Stream, page_size: u32, generation: u64) -> Result<Build> {
        if !page_size.is_power_of_two()
            || !(Header::MIN_PAGE_SIZE..=Header::MAX_PAGE_SIZE).contains(&page_size)
        {
            return Err(Error::new(Cause::PageSize { got: page_size }));
        }
        stream.pad_to(page_size.into()).map_err(Error::new)?;
        Ok(Build {
            end: stream.position(),
            stream,
            page_size,
            generation,
            objects: Vec::new(),
            by_name: HashMap::new(),
            tables: Vec::new(),
            table_at: HashMap::new(),
            copied: HashMap::new(),
        })
    }

    fn put<T>(&mut self, name: &str, value: &T) -> Result<()>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        let known = Known::of::<T::Archived>();
        let write = |stream: &mut Stream| {
            known.writable()?;
            let (aliased, maps) = (known.can_be_aliased(), known.looks_into_maps_of::<T>());
            if aliased || maps {
                stream.keep_object(Kept::new());
            }
            let root = serialize(stream, known, value)?;
            if let Some(object) = stream.kept() {
                aliased.then(|| check_written(&known.schema, &object, root)).transpose()?;
                maps.then(|| check_keys::<T>(known, &object, root)).transpose()?;
            }
            Ok(root)
        };
        self.object(name, known.schema.max_align(), known.fingerprint(), &known.table, write)
            .map_err(|error| error.of_object(name).of_type::<T>())
    }

    fn copy(&mut self, segment: &Segment, name: &str, source: Source) -> Result<()> {
        let entry = segment.entry(name)?;
        segment.check_schema()?;
        let table = segment.section(entry.schema);
        let known = match self.copied.get(table) {
            Some(known) => known.clone(),
            None => {
                let known = Arc::new(segment.view().table(&entry)?.contents(&entry)?);
                self.copied.insert(table.to_owned(), known.clone());
                known
            }
        };
        known.table().check(&entry)?;
        let append = |stream: &mut Stream| {
            let object = segment.section(entry.object);
            stream.append(object)?;
            // Hashed on its way, as what is new: a second look at the bytes would cost as much as copying them.
            let (recorded, computed) = (entry.checksum, stream.checksum());
            if recorded != computed && !matches!(source, Source::Edited) {
                return Err(Cause::Checksum { recorded, computed });
            }
            if !matches!(source, Source::Ours) {
                let check =
                    |validator: &Validator, object: &[u8], root| segment.check(validator, object, root);
                known.check(&entry, object, check)?;
            }
            Ok(entry.root)
        };
        self.object(name, entry.align, entry.fingerprint, table, append)
    }

    /// Adds the object whose bytes `write` appends; it returns the offset of the root in them.
    fn object(
        &mut self,
        name: &str,
        align: u32,
        fingerprint: Fingerprint,
        table: &[u8],
        write: impl FnOnce(&mut Stream) -> Result<u64, Cause>,
    ) -> Result<()> {
        self.stream.check()?;
        directory::check_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(Error::new(Cause::ObjectExists));
        }
        let align = align.max(OBJECT_ALIGN);
        if align > self.page_size {
            return Err(Error::new(Cause::Overaligned { align, page_size: self.page_size }));
        }
        // Mostly there is nothing; a value whose `Serialize` panicked may have left something.
        let _ = self.stream.rewind(self.end);
        let written = self.stream.pad(align.into()).and_then(|()| {
            self.stream.begin_object();
            let position = self.stream.position();
            Ok((position, write(&mut self.stream)?))
        });
        let (position, root) = match written {
            Ok(written) => written,
            // What stopped the stream is the cause; rkyv's words are only about the stop.
            Err(cause) => return Err(Error::new(self.stream.rewind(self.end).unwrap_or(cause))),
        };
        let checksum = self.stream.checksum();
        self.end = self.stream.position();
        let bytes = Section { position, length: self.end - position };
        let table = self.table(table);
        self.by_name.insert(name.to_owned(), self.objects.len());
        self.objects.push(Object { name: name.to_owned(), fingerprint, table, bytes, root, checksum, align });
        Ok(())
    }

    /// Where the table lies in the schema section; equal tables are stored once.
    fn table(&mut self, table: &[u8]) -> Section {
        let position = *self.table_at.entry(table.to_owned()).or_insert_with(|| {
            self.tables.resize(self.tables.len().next_multiple_of(8), 0);
            let position = self.tables.len() as u64;
            self.tables.extend(table);
            position
        });
        Section { position, length: table.len() as u64 }
    }

    /// Appends schema and directory, and zeros to the end: of the last page, or of `length` bytes if that is more. The
    /// header is made but not written: what makes the segment complete is for the caller to time.
    fn finish(mut self, length: u64) -> Result<(Summary, Header, Stream)> {
        let (schema, directory, directory_bytes) = self.sections().map_err(Error::new)?;
        let end = self.stream.position().next_multiple_of(self.page_size.into());
        self.stream.pad_to(end.max(length)).map_err(Error::new)?;
        self.stream.flush().map_err(Error::new)?;
        let header = Header {
            compat: 0,
            payload: Payload::NATIVE,
            mode: Mode::Relative,
            page_size: self.page_size,
            length: self.stream.position(),
            address: 0,
            file_offset: 0,
            generation: self.generation,
            schema,
            directory,
            relocations: Section { position: 0, length: 0 },
            schema_checksum: checksum(&self.tables),
            directory_checksum: checksum(&directory_bytes),
            relocations_checksum: 0,
        };
        let objects = self.objects.len() as u64;
        Ok((Summary { length: header.length, objects, generation: self.generation }, header, self.stream))
    }

    /// Appends schema and directory: where they are, and the directory's bytes.
    fn sections(&mut self) -> Result<(Section, Section, Vec<u8>), Cause> {
        let _ = self.stream.rewind(self.end);
        self.stream.pad(8)?;
        let schema = Section { position: self.stream.position(), length: self.tables.len() as u64 };
        self.stream.append(&self.tables)?;
        self.stream.pad(8)?;
        let entries = self.objects.iter().map(|object| Entry {
            name: &object.name,
            fingerprint: object.fingerprint,
            schema: Section { position: schema.position + object.table.position, ..object.table },
            object: object.bytes,
            root: object.root,
            checksum: object.checksum,
            align: object.align,
        });
        let entries: Vec<Entry<'_>> = entries.collect();
        let bytes = directory::encode(&entries, self.stream.position());
        let directory = Section { position: self.stream.position(), length: bytes.len() as u64 };
        self.stream.append(&bytes)?;
        Ok((schema, directory, bytes))
    }
}
