//! The owner of a name: the one process that publishes under it.
//!
//! Publishing is a segment that takes the place of the one before, by rename(2): whoever opens the name's file has a
//! complete generation, old or new, without a lock. Only then is the epoch counted up and whoever sleeps on it woken. An
//! owner that dies in between leaves a generation that nobody was told of: readers that see the owner gone look at the
//! file themselves, and the next owner begins with telling.
//!
//! Objects that a generation keeps are copied as bytes, straight from the mapping, and hashed on the way, so damage does
//! not travel on. copy_file_range(2) would not be faster: the bytes are in the cache from being hashed.

use std::cell::OnceCell;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::path::Path;

use graven_format::layout::Layout;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use rkyv::{Archive, Serialize};

use crate::names::control::{ControlMut, ENDS_WITH_LAST, ENDS_WITH_OWNER, OWN_BITS};
use crate::names::life::{self, Life};
use crate::names::lifecycle::{self, NameLock};
use crate::names::name::{Name, Role};
use crate::names::protocol::Epoch;
use crate::names::published::Published;
use crate::os::dir::{Access, Dir, check_links};
use crate::os::temp::Temp;
use crate::write::build::{Build, Source};
use crate::write::writer::Complete;
use crate::{Cause, Error, Result, Segment, Serializer, WriteOptions, Writer};

/// How long a name lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until it is retired or removed. The next owner goes on counting where the one before stopped.
    Persistent,
    /// As long as its owner, however that ends: SIGKILL too. The next owner starts a new name.
    Process,
}

/// How a name is to be owned. Made by [`Store::owner_options`](crate::Store::owner_options).
///
/// What is not set stays as the name has it; a new name gets the defaults.
#[derive(Clone, Debug)]
#[must_use]
pub struct OwnerOptions {
    dir: Dir,
    name: String,
    mode: Option<u32>,
    secure: bool,
    lifetime: Option<Lifetime>,
    delete_on_last_detach: Option<bool>,
    durable: bool,
    page_size: Option<u32>,
}

impl OwnerOptions {
    pub(crate) fn new(dir: &Dir, name: &str) -> OwnerOptions {
        OwnerOptions {
            dir: dir.clone(),
            name: name.to_owned(),
            mode: None,
            secure: false,
            lifetime: None,
            delete_on_last_detach: None,
            durable: false,
            page_size: None,
        }
    }

    /// The name's nine permission bits, less the umask as for open(2), and never without the user's own to read and
    /// write. Default: 0644.
    ///
    /// Who may read it may attach. Its owner can only be a process of its user, or root.
    pub fn mode(mut self, mode: u32) -> OwnerOptions {
        self.mode = Some(mode & 0o777);
        self
    }

    /// For this user alone: mode 0600, whatever the umask.
    pub fn secure(mut self) -> OwnerOptions {
        self.secure = true;
        self
    }

    /// How long the name lives. Default: [`Lifetime::Persistent`].
    pub fn lifetime(mut self, lifetime: Lifetime) -> OwnerOptions {
        self.lifetime = Some(lifetime);
        self
    }

    /// Whether the name ends when its owner and all that were attached are gone, however they ended. Default: no.
    ///
    /// The last one out removes it if it may: an owner or a reader that is dropped, of the same user. After those that
    /// were killed, or of other users, the next owner or [`Store::sweep`](crate::Store::sweep) does.
    pub fn delete_on_last_detach(mut self, delete: bool) -> OwnerOptions {
        self.delete_on_last_detach = Some(delete);
        self
    }

    /// Whether publishing waits until the generation is on the disk (fsync(2)). Default: no.
    pub fn durable(mut self, durable: bool) -> OwnerOptions {
        self.durable = durable;
        self
    }

    /// The page size of what is published: see [`WriteOptions::page_size`].
    pub fn page_size(mut self, page_size: u32) -> OwnerOptions {
        self.page_size = Some(page_size);
        self
    }

    /// Becomes the owner: of a new name, or of one whose owner is gone.
    ///
    /// Nothing is visible of a new name until the first publish. A name whose owner died is taken over with its newest
    /// generation, and the count goes on; unless it was to live as long as its owner, then it ends first. Some 30 system
    /// calls.
    ///
    /// # Errors
    /// - [`Cause::StoreName`] (EINVAL): not a name that a store can have.
    /// - [`Cause::Owned`] (EBUSY): a live owner has the name, here or in another process.
    /// - [`Cause::Exhausted`] (EINVAL): the generation that is there has a number above 2^63 - 1.
    /// - [`Cause::Control`] (EINVAL): what is there is no name; [`Store::remove`](crate::Store::remove) clears it away.
    /// - [`Cause::System`]: another user's name (EACCES), no room (ENOSPC), or as open(2), linkat(2), mmap(2).
    pub fn open(self) -> Result<Owner> {
        let name = Name::new(&self.name)?;
        let path = self.dir.path(&self.name);
        self.take(name).map_err(|error| error.of_file(&path))
    }

    fn take(self, name: Name) -> Result<Owner> {
        let (dir, name) = (&self.dir, &name);
        let lock = NameLock::take(dir, name, true)?.ok_or_else(|| Error::new(Cause::NoName))?;
        let mut control = ControlMut::open(dir, name)?;
        if control.as_ref().is_some_and(lifecycle::has_ended) {
            lifecycle::end(dir, name, control.as_ref(), true)?;
            control = None;
        }
        let on_disk = Published::header(dir, name)?.map_or(0, |header| header.generation);
        let (control, life, generation) = match control {
            None => {
                let epoch = epoch_of(on_disk)?;
                let (control, temp) = ControlMut::create(dir, name, self.new_mode(), epoch, self.flags(0))?;
                let access = Access::of(&control.file).map_err(Error::system("stat the control page"))?;
                lock.give(access);
                let life = Life::make(dir, name, access)?;
                control.note_owner()?;
                temp.link().map_err(Error::system("place the control page"))?;
                (control, life, on_disk)
            }
            Some(control) => {
                let generation = on_disk.max(control.now().generation());
                let epoch = epoch_of(generation)?;
                self.change_mode(name, &control)?;
                let access = || Access::of(&control.file).map_err(Error::system("stat the control page"));
                let mut given = access()?;
                lock.give(given);
                give(dir, name, Role::Segment, given)?;
                let life = Life::make(dir, name, given)?;
                // A chmod or chown in between has found the files before.
                while let now = access()?
                    && now != given
                {
                    given = now;
                    give(dir, name, Role::Segment, given)?;
                    life::give(dir, name, given)?;
                }
                control.set_flags(self.flags(control.flags()))?;
                control.note_owner()?;
                // A generation that its owner did not live to tell of is told of now.
                control.announce(epoch)?;
                (control, life, generation)
            }
        };
        let (dir, name) = (dir.clone(), name.clone());
        let OwnerOptions { durable, page_size, .. } = self;
        Ok(Owner { control, life, lock, dir, name, generation, durable, page_size })
    }

    /// The mode of a new name, and whether the umask is to be left out.
    fn new_mode(&self) -> (u32, bool) {
        match self.secure {
            true => (0o600, true),
            false => (self.mode.unwrap_or(0o644), false),
        }
    }

    /// The name's mode, if it is to be another.
    fn change_mode(&self, name: &Name, control: &ControlMut) -> Result<()> {
        let change = || -> io::Result<()> {
            let mode = match (self.secure, self.mode) {
                (true, _) => 0o600,
                // The umask cannot be asked for without changing it: a file that goes away tells what it leaves.
                (false, Some(mode)) => {
                    let next = name.file(Role::Next);
                    let temp = Temp::create(&self.dir, &next, Some(next.clone()), mode)?;
                    Access::of(temp.file()?)?.mode | OWN_BITS
                }
                (false, None) => return Ok(()),
            };
            check_links(&control.file)?;
            Ok(fchmod(&control.file, Mode::from_bits_truncate(mode))?)
        };
        change().map_err(Error::system("change the mode"))
    }

    fn flags(&self, before: u64) -> u64 {
        let mut flags = before;
        let mut set = |flag: u64, on| match on {
            Some(true) => flags |= flag,
            Some(false) => flags &= !flag,
            None => {}
        };
        set(ENDS_WITH_OWNER, self.lifetime.map(|lifetime| lifetime == Lifetime::Process));
        set(ENDS_WITH_LAST, self.delete_on_last_detach);
        flags
    }
}

/// The epoch of a generation.
///
/// # Errors
/// [`Cause::Exhausted`] (EINVAL).
fn epoch_of(generation: u64) -> Result<Epoch> {
    Epoch::of_generation(generation).ok_or_else(|| Error::new(Cause::Exhausted { generation }))
}

/// Gives one of the name's files to whom the name is.
pub(crate) fn give(dir: &Dir, name: &Name, role: Role, access: Access) -> Result<()> {
    let file = name.file(role);
    let give = || match dir.open_file(&file, OFlag::O_RDONLY) {
        Ok(fd) => access.give(fd),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    give()
        .map_err(Error::system("change user, group or mode"))
        .map_err(|error| error.of_file(&dir.path(&file)))
}

/// The one live publisher of a name. Dropping it leaves the name to the next, with what was published, unless its
/// [`Lifetime`] is that of the process.
///
/// In a forked child it can do nothing, and dropping it there does nothing: the parent is the owner. clone(2) without
/// libc's fork(3) bypasses what this rests on: such a child keeps the name owned until it exits or calls exec(2).
///
/// # Examples
/// ```
/// # let dir = tempfile::tempdir()?;
/// // SAFETY: only graven writes below this directory.
/// let store = unsafe { graven_store::Store::open(&dir)? };
/// let mut owner = store.owner("primes")?;
/// assert_eq!(owner.publish(&vec![2u32, 3, 5])?, 1);
/// assert_eq!(owner.publish(&vec![2u32, 3, 5, 7])?, 2);
/// assert_eq!(store.owner("primes").unwrap_err().errno(), 16); // EBUSY
/// drop(owner);
/// assert_eq!(store.owner("primes")?.generation(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Owner {
    control: ControlMut,
    life: Life,
    lock: NameLock,
    dir: Dir,
    name: Name,
    generation: u64,
    durable: bool,
    page_size: Option<u32>,
}

impl Owner {
    /// Publishes a value as the root of a new generation: its number.
    ///
    /// Cost: one serialization, streamed into a new file, and some 10 system calls. Readers go on reading the generation
    /// they have; its memory is freed with the last of them.
    ///
    /// # Errors
    /// After an error the generation before stays the newest, and the owner can publish again.
    /// - As [`Writer::put`] and [`Writer::finish`]: no room is ENOSPC, never a signal.
    /// - [`Cause::System`]: EPERM, if this process may not give files to the user and group of the name.
    /// - [`Cause::Removed`] (ESTALE): something else has removed the name's lock, page or FIFO, and another owner may be
    ///   there. Nothing is published, unless it happened just now; drop this owner and open another.
    /// - [`Cause::Forked`] (EPERM): in a forked child, of which serializing the value may have made one.
    /// - [`Cause::Exhausted`] (EINVAL): the name has generation 2^63 - 1, the last one.
    ///
    /// An error of the last steps leaves the new generation in its place, and [`generation`](Owner::generation) says its
    /// number: that of the directory's fsync(2), with `durable`; and ENOSPC where there was room for everything but to
    /// tell of it, which can be on file systems that copy blocks when they are written (btrfs, xfs made with reflink).
    /// Then whoever attaches finds it, and those who are attached are told by the next publish that finds room.
    pub fn publish<T>(&mut self, value: &T) -> Result<u64>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        self.publish_with(|draft| draft.put("", value))
    }

    /// Publishes a new generation of several objects, written or kept by `make`: its number.
    ///
    /// All of them become visible at once, when `make` has returned `Ok`.
    ///
    /// # Errors
    /// Those of `make`, and as [`publish`](Owner::publish). A child that `make` forks has [`Cause::Forked`] (EPERM) from
    /// everything that it does with its copy of the draft.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = unsafe { graven_store::Store::open(&dir)? };
    /// let mut owner = store.owner("tables")?;
    /// owner.publish_with(|draft| {
    ///     draft.put("users", &vec!["ann".to_string()])?;
    ///     draft.put("routes", &vec![1u32, 2])
    /// })?;
    /// // The users are copied as bytes: not serialized, not even known as a type.
    /// owner.publish_with(|draft| {
    ///     draft.keep("users")?;
    ///     draft.put("routes", &vec![1u32, 2, 3])
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn publish_with(&mut self, make: impl FnOnce(&mut Draft<'_>) -> Result<()>) -> Result<u64> {
        let path = self.dir.path(self.name.file(Role::Segment));
        self.replace(make).map_err(|error| error.of_file(&path))
    }

    fn replace(&mut self, make: impl FnOnce(&mut Draft<'_>) -> Result<()>) -> Result<u64> {
        self.lock.fd()?;
        let (before, generation) = (epoch_of(self.generation)?, self.generation.saturating_add(1));
        let epoch = epoch_of(generation)?;
        let access = || Access::of(&self.control.file).map_err(Error::system("stat the control page"));
        let writer = self.options(generation).mode(access()?.mode);
        let segment = self.name.file(Role::Segment);
        let path = self.dir.path(&segment);
        let mut writer = writer.open_in(&self.dir, segment, Some(self.name.file(Role::Next)), &path)?;
        make(&mut Draft::new(writer.parts(), Some(self)))?;
        let given = access()?;
        let file = writer.file();
        file.and_then(|file| given.give(file))
            .map_err(Error::system("give it to the name's user, group and mode"))?;
        let Complete { mut temp, .. } = writer.complete()?;
        // Before anything is written that another owner could have written by now.
        self.check_named()?;
        self.control.prepare(before)?;
        temp.replace().map_err(Error::system("put the generation in its place"))?;
        // That was the commit.
        self.generation = generation;
        // A chmod or chown in between has found the file before.
        if let Ok(now) = access()
            && now != given
            && let Ok(file) = temp.file()
        {
            let _ = fchmod(file, Mode::from_bits_truncate(now.mode));
            let _ = now.give(file);
        }
        self.control.announce(epoch)?;
        if self.durable {
            self.dir.sync().map_err(Error::system("sync the directory"))?;
        }
        // Or nobody may have been told.
        self.check_named()?;
        Ok(generation)
    }

    /// Whether lock, page and FIFO are still the name's: whoever can write to the directory can remove them, and then
    /// another owner may be there.
    ///
    /// # Errors
    /// [`Cause::Removed`] (ESTALE).
    fn check_named(&self) -> Result<()> {
        let named = |role, id| self.dir.leads_to(self.name.file(role), id).map_err(Error::system("stat"));
        let named_page = self.control.is_named(&self.dir, &self.name).map_err(Error::system("stat"))?;
        // An end that was told of stays one, also where the page has its name again.
        let paged = named_page && !self.control.now().is_retired();
        if !named_page {
            // Nobody else will tell those who have it mapped.
            let _ = self.control.announce(self.control.now().retired());
        }
        match paged && self.lock.is_named(&self.dir, &self.name)? && named(Role::Life, self.life.id)? {
            true => Ok(()),
            false => Err(Error::new(Cause::Removed)),
        }
    }

    fn options(&self, generation: u64) -> WriteOptions {
        let options = Writer::options().generation(generation).durable(self.durable);
        match self.page_size {
            Some(page_size) => options.page_size(page_size),
            None => options,
        }
    }

    /// The newest generation; 0 before the first publish.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How many readers are attached. Clones of a reader, and forked children, count as one. Cost: two system calls for
    /// each, the cost of which grows with their number: 5,000 take some tenths of a second. Counting ends at 10,000, which
    /// stands for as many or more: whoever may read the name could appear as any number.
    ///
    /// # Errors
    /// [`Cause::System`], as fcntl(2).
    pub fn attached(&self) -> Result<u64> {
        lifecycle::count(self.control.file.as_fd())
    }

    /// Ends the name: readers have the error [`Cause::Retired`] (ESTALE) at their next `latest` or `wait`, who sleeps is
    /// woken. They go on reading what they have. The name can be used anew.
    ///
    /// # Errors
    /// [`Cause::System`], as unlink(2), or no room to tell (ENOSPC, as [`publish`](Owner::publish)): what is left is ended
    /// by [`Store::sweep`](crate::Store::sweep), or owned by the next owner. [`Cause::Removed`] (ESTALE): the name is not this
    /// owner's any more. [`Cause::Forked`] (EPERM): in a forked child.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = unsafe { graven_store::Store::open(&dir)? };
    /// let mut owner = store.owner("seven")?;
    /// owner.publish(&7u64)?;
    /// let mut reader = store.reader::<u64>("seven", graven_store::Timeout::Now)?;
    /// owner.retire()?;
    /// assert_eq!(reader.latest().unwrap_err().errno(), 116); // ESTALE
    /// assert_eq!(**reader.current(), 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retire(self) -> Result<()> {
        let retire = || match self.lock.is_named(&self.dir, &self.name)? {
            true => lifecycle::end(&self.dir, &self.name, Some(&self.control), false),
            // What is there may be another owner's.
            false => self.check_named(),
        };
        retire().map_err(|error| error.of_file(&self.dir.path(self.name.to_string())))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // In a forked child nothing is ours, nor where the lock is not the name's; after `retire` there is nothing left.
        if !self.lock.is_named(&self.dir, &self.name).unwrap_or(false) {
            return;
        }
        let over = match self.control.now().is_retired() {
            // Only that page, which somebody has removed.
            true => self.control.has(ENDS_WITH_OWNER),
            false => lifecycle::has_ended(&self.control),
        };
        if over {
            let _ = lifecycle::end(&self.dir, &self.name, Some(&self.control), false);
        }
    }
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner")
            .field("name", &self.name.to_string())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// A segment of several objects in the making, of which nothing is visible yet: a generation
/// ([`Owner::publish_with`]), or an export ([`Export::with`](crate::Export::with)).
pub struct Draft<'a> {
    build: &'a mut Build,
    /// For errors.
    path: Option<&'a Path>,
    /// Whose last generation there are objects of to be kept.
    owner: Option<&'a Owner>,
    before: OnceCell<Segment>,
    /// Neither longer nor shorter: no draft can take the place of another, whose name and number are not its own.
    _publish: PhantomData<fn(&'a ()) -> &'a ()>,
}

impl<'d> Draft<'d> {
    pub(crate) fn new(
        (build, path): (&'d mut Build, Option<&'d Path>),
        owner: Option<&'d Owner>,
    ) -> Draft<'d> {
        Draft { build, path, owner, before: OnceCell::new(), _publish: PhantomData }
    }

    /// Adds an object. The empty name is the root's. See [`Writer::put`].
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub fn put<T>(&mut self, name: &str, value: &T) -> Result<()>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        self.build.put(name, value).map_err(|error| self.failed(error))
    }

    /// Adds an object of any segment, as bytes. See [`Writer::copy`].
    ///
    /// # Errors
    /// As [`Writer::copy`].
    pub fn copy(&mut self, segment: &Segment, name: &str) -> Result<()> {
        self.copy_from(segment, name, Source::Any)
    }

    /// Adds an object of the generation before, as bytes: it is not serialized again. Cost: O(bytes), a copy and a
    /// checksum.
    ///
    /// # Errors
    /// - As [`Writer::copy`]: the generation before, if there is one, has no such object (ENOENT), or a damaged one
    ///   (EINVAL). An export has none before.
    /// - [`Cause::Removed`] (ESTALE): the name's files were removed, that generation for example.
    pub fn keep(&mut self, name: &str) -> Result<()> {
        let before = self.before(name)?.clone();
        self.copy_from(&before, name, Source::Ours)
    }

    /// As [`copy`](Draft::copy), of a segment that has been verified.
    pub(crate) fn copy_verified(&mut self, segment: &Segment, name: &str) -> Result<()> {
        self.copy_from(segment, name, Source::Ours)
    }

    fn copy_from(&mut self, segment: &Segment, name: &str, source: Source) -> Result<()> {
        let copied = self.build.copy(segment, name, source);
        copied.map_err(|error| self.failed(error.of_object(name)))
    }

    fn failed(&self, error: Error) -> Error {
        match self.path {
            Some(path) => error.of_file(path),
            None => error,
        }
    }

    fn before(&self, name: &str) -> Result<&Segment> {
        if self.before.get().is_none() {
            let nothing = || Error::new(Cause::NoObject { present: Vec::new(), count: 0 }).of_object(name);
            let owner = self.owner.ok_or_else(nothing)?;
            let Owner { dir, name: owned, generation, .. } = owner;
            owner.check_named()?;
            let none = match generation {
                0 => nothing(),
                _ => Error::new(Cause::Removed),
            };
            let published = Published::open(dir, owned)?;
            let published = published.ok_or_else(|| none.of_file(&dir.path(owned.file(Role::Segment))))?;
            let _ = self.before.set(published.map()?);
        }
        self.before.get().ok_or_else(|| Error::new(Cause::NoName))
    }
}

impl std::fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft")
            .field("path", &self.path)
            .field("objects", &self.build.objects.len())
            .finish_non_exhaustive()
    }
}
