//! Segments at a path: written into a file without a name, which then takes the path's.
//!
//! Source: SPEC 9.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use graven_format::Header;
use graven_format::layout::Layout;
use nix::errno::Errno;
use rkyv::{Archive, Serialize};

#[cfg(doc)]
use crate::Cause;
use crate::os::dir::Dir;
use crate::os::temp::Temp;
use crate::write::build::{Build, Source, Summary};
use crate::write::stream::{Serializer, Stream};
use crate::{Error, Result, Segment};

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
    /// As [`put`](Writer::put); [`Cause::NoObject`] (ENOENT), [`Cause::Directory`] and
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

    /// What lays the segment out, and what errors are said to be about.
    pub(crate) fn parts(&mut self) -> (&mut Build, Option<&Path>) {
        (&mut self.build, Some(&self.path))
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

/// A segment that is complete and nowhere.
pub(crate) struct Complete {
    pub(crate) summary: Summary,
    pub(crate) temp: Temp,
    dir: Dir,
    options: WriteOptions,
}
