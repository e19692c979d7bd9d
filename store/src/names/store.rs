//! A directory of named segments.
//!
//! ```text
//! NAME.grv   the newest generation, replaced by rename(2)
//! NAME.ctl   a page that readers map: epoch, notes, attachments' locks; see `control`
//! NAME.own   the owner's lock, 0600; see `lifecycle`
//! NAME.life  a FIFO that the owner has open for reading
//! .NAME.grv.tmp  a generation between linkat(2) and rename(2), of the owner or of one that died
//! ```
//! Generations are written without a name (O_TMPFILE), and their only other name is the owner's alone: so what a writer
//! leaves that dies is at most that one file, and who holds the name's lock may remove it. Temporaries with locks of
//! their own, to tell the dead writers' from the living, are not needed.
#![allow(unsafe_code)] // entries whose contract only the caller can keep

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use graven_format::layout::Layout;
use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::{Gid, Uid, geteuid, mkdir};
use rkyv::Archive;

use crate::names::control::{Control, ControlMut, ENDS_WITH_LAST, ENDS_WITH_OWNER, Notes, OWN_BITS};
use crate::names::life;
use crate::names::lifecycle::{self, NameLock};
use crate::names::name::{Name, Role};
use crate::names::owner::{Lifetime, Owner, OwnerOptions, give};
use crate::names::published::Published;
use crate::names::reader::{Reader, Segments};
use crate::os::dir::{Access, Dir, check_links};
use crate::os::temp;
use crate::os::timeout::Timeout;
use crate::{Cause, Error, Result, Segment, Summary, Writer};

/// A directory of named segments. Cloning is cheap: clones share one descriptor.
///
/// # Examples
/// ```
/// use graven_store::{Store, Timeout};
/// # let dir = tempfile::tempdir()?;
/// // SAFETY: only graven writes below this directory.
/// let store = unsafe { Store::open(&dir)? };
/// let mut owner = store.owner("limits")?;
/// owner.publish(&(10u32, 20u32))?;
///
/// // In this process or another, now or later:
/// let mut reader = store.reader::<(u32, u32)>("limits", Timeout::Forever)?;
/// assert_eq!(reader.latest()?.1, 20);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) dir: Dir,
}

/// What a name is like: see [`Store::stat`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The newest generation; 0 if none has been published.
    pub generation: u64,
    /// Bytes of the newest generation; 0 if none has been published.
    pub length: u64,
    /// Whose it is.
    pub uid: u32,
    /// Whose it is.
    pub gid: u32,
    /// The nine permission bits: who may read it may attach.
    pub mode: u32,
    /// The process of the live owner, if there is one: its number in its own pid namespace.
    pub owner: Option<u32>,
    /// When the last owner began to own it.
    pub owned: SystemTime,
    /// When the newest generation was announced.
    pub published: SystemTime,
    /// How many are attached; 10,000 stands for as many or more.
    pub attached: u64,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Whether it ends when its owner and all that were attached are gone.
    pub delete_on_last_detach: bool,
}

impl Store {
    /// Opens a directory that is there. It may be on any file system of this machine; on tmpfs, like /dev/shm, it is
    /// shared memory.
    ///
    /// # Safety
    /// As long as a handle that comes from the store lives, only graven changes files below `dir`: nobody edits, cuts or
    /// replaces them otherwise. Who may write there, the directory's mode says.
    ///
    /// # Errors
    /// [`Cause::System`]: ENOENT, ENOTDIR, EACCES.
    ///
    /// # Examples
    /// See [`Store`].
    pub unsafe fn open(dir: impl AsRef<Path>) -> Result<Store> {
        let path = dir.as_ref();
        let dir = Dir::open(path).map_err(Error::system("open the store's directory"));
        Ok(Store { dir: dir.map_err(|error| error.of_file(path))? })
    }

    /// The user's own store: `$XDG_RUNTIME_DIR/graven`, or where there is no such directory, or it is another user's (as with
    /// `sudo -E`), `/dev/shm/graven-UID`. Made if it is not there, for this user alone.
    ///
    /// # Safety
    /// As [`open`](Store::open).
    ///
    /// # Errors
    /// - [`Cause::NotPrivate`] (EPERM): it is another user's, open to others, or a symbolic link.
    /// - [`Cause::System`]: as mkdir(2) and open(2).
    pub unsafe fn user() -> Result<Store> {
        let runtime =
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let user = geteuid();
        // As root with another's environment: what is made there would lock them out.
        let own = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|found| found.uid() == user.as_raw());
        let path = match runtime.filter(own) {
            Some(runtime) => runtime.join("graven"),
            None => PathBuf::from(format!("/dev/shm/graven-{user}")),
        };
        Store::private(&path).map_err(|error| error.of_file(&path))
    }

    fn private(path: &Path) -> Result<Store> {
        match mkdir(path, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(Error::system("make the directory")(errno)),
        }
        let not_private = |what| Err(Error::new(Cause::NotPrivate { what }));
        let dir = match Dir::open_itself(path) {
            Ok(dir) => dir,
            Err(error) if error.raw_os_error() == Some(Errno::ENOTDIR as i32) => {
                return not_private("it is a symbolic link, or no directory");
            }
            Err(error) => return Err(Error::system("open the store's directory")(error)),
        };
        // Of what is open: the path may lead elsewhere by now.
        let stat = fstat(&dir).map_err(Error::system("stat the store's directory"))?;
        if stat.st_uid != geteuid().as_raw() {
            return not_private("the directory is another user's");
        }
        if stat.st_mode & 0o077 != 0 {
            return not_private("the directory is open to other users");
        }
        Ok(Store { dir })
    }

    /// The directory, as it was called when the store was opened: files are reached through a descriptor, also after it was
    /// renamed.
    pub fn path(&self) -> &Path {
        self.dir.own_path()
    }

    /// Becomes the owner of a name, with the default options: see [`OwnerOptions::open`].
    ///
    /// # Errors
    /// [`Cause::StoreName`] (EINVAL), and as [`OwnerOptions::open`].
    pub fn owner(&self, name: &str) -> Result<Owner> {
        self.owner_options(name).open()
    }

    /// The settings to become the owner of a name with.
    ///
    /// # Examples
    /// ```
    /// use graven_store::{Lifetime, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = unsafe { Store::open(&dir)? };
    /// let mut owner = store.owner_options("session").secure().lifetime(Lifetime::Process).open()?;
    /// owner.publish(&1u8)?;
    /// assert_eq!(store.stat("session")?.mode, 0o600);
    /// drop(owner);
    /// assert_eq!(store.stat("session").unwrap_err().errno(), 2); // ENOENT
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn owner_options(&self, name: &str) -> OwnerOptions {
        OwnerOptions::new(&self.dir, name)
    }

    /// Attaches to a name, and adopts the root of its newest generation. Waits for the first publish.
    ///
    /// Cost: some 15 system calls, and what [`Segment::get`] costs. Waiting for a name that is not there looks for it
    /// each 1 to 20 ms.
    ///
    /// # Errors
    /// - [`Cause::StoreName`] (EINVAL).
    /// - [`Cause::NoName`] (ENOENT) with [`Timeout::Now`], [`Cause::TimedOut`] (ETIMEDOUT) with others: nothing is
    ///   published.
    /// - As [`Segment::map`] and [`Segment::get`], at once: what is published is of another layout, or bad.
    /// - [`Cause::System`], at once: EACCES, EMFILE, ENOMEM. [`Cause::Control`] (EINVAL).
    pub fn reader<T>(&self, name: &str, timeout: Timeout) -> Result<Reader<T>>
    where
        T: Archive<Archived: Layout>,
    {
        Reader::attach(&self.dir, &Name::new(name)?, timeout)
    }

    /// As [`reader`](Store::reader), without validating: layouts are still compared, contents trusted.
    ///
    /// # Safety
    /// The root of each generation that this reader or a clone of it returns is a valid archived `T` if it has its
    /// layout: for example because whoever may write to the store runs programs that we trust.
    ///
    /// # Errors
    /// As [`reader`](Store::reader), but for [`Cause::Contents`].
    pub unsafe fn reader_unchecked<T>(&self, name: &str, timeout: Timeout) -> Result<Reader<T>>
    where
        T: Archive<Archived: Layout>,
    {
        // SAFETY: our caller's promise.
        unsafe { Reader::attach_unchecked(&self.dir, &Name::new(name)?, timeout) }
    }

    /// Attaches to a name whose generations are of several objects. Waits for the first publish.
    ///
    /// # Errors
    /// As [`reader`](Store::reader), but for those of the root.
    pub fn segments(&self, name: &str, timeout: Timeout) -> Result<Segments> {
        Segments::attach(&self.dir, &Name::new(name)?, timeout)
    }

    /// The names under which something is published, sorted. O(files in the directory).
    ///
    /// # Errors
    /// [`Cause::System`], as readdir(3).
    pub fn list(&self) -> Result<Vec<String>> {
        let files = self.files()?.into_iter();
        let mut names: Vec<String> =
            files.filter(|(_, role)| *role == Role::Segment).map(|(name, _)| name.to_string()).collect();
        names.sort();
        Ok(names)
    }

    /// The files of names, in no order.
    fn files(&self) -> Result<Vec<(Name, Role)>> {
        let names = self.dir.names().map_err(Error::system("read the directory"));
        let names = names.map_err(|error| error.of_file(self.path()))?;
        Ok(names.iter().filter_map(|file| Name::of_file(file.to_str()?)).collect())
    }

    /// What a name is like. Does not attach. Cost: some 10 system calls, and [`Owner::attached`].
    ///
    /// # Errors
    /// [`Cause::StoreName`] (EINVAL); [`Cause::NoName`] (ENOENT); [`Cause::Control`] (EINVAL); [`Cause::System`].
    pub fn stat(&self, name: &str) -> Result<Stat> {
        let name = Name::new(name)?;
        let stat = || {
            let Some((control, file)) = Control::open(&self.dir, &name)? else {
                return Err(Error::new(Cause::NoName));
            };
            let access = Access::of(&file).map_err(Error::system("stat the control page"))?;
            let newest = Published::header(&self.dir, &name)?;
            if control.now().is_retired() {
                return Err(Error::new(Cause::NoName));
            }
            let notes = Notes::read(&file).map_err(Error::system("read the control page"))?;
            Ok(Stat {
                generation: newest.map_or(0, |header| header.generation),
                length: newest.map_or(0, |header| header.length),
                uid: access.uid,
                gid: access.gid,
                mode: access.mode,
                owner: life::is_owned(&self.dir, &name).then_some(notes.pid),
                owned: notes.owned,
                published: notes.published,
                attached: lifecycle::count(file.as_fd())?,
                lifetime: match control.has(ENDS_WITH_OWNER) {
                    true => Lifetime::Process,
                    false => Lifetime::Persistent,
                },
                delete_on_last_detach: control.has(ENDS_WITH_LAST),
            })
        };
        stat().map_err(|error: Error| self.of_name(&name, error))
    }

    /// Saves the newest generation as a file, which is replaced atomically. Cost: O(bytes).
    ///
    /// Objects are copied as bytes, and checked on the way. The file's generation is 0: equal contents make equal files.
    ///
    /// # Errors
    /// - [`Cause::NoName`] (ENOENT); [`Cause::StoreName`] (EINVAL).
    /// - As [`Segment::map`], [`Writer::copy`], [`Writer::finish`]. The file is as it was then.
    pub fn save(&self, name: &str, file: impl AsRef<Path>) -> Result<Summary> {
        let name = Name::new(name)?;
        let Some(published) = Published::open(&self.dir, &name)? else {
            return Err(self.of_name(&name, Error::new(Cause::NoName)));
        };
        let segment = published.map()?;
        let mut writer = Writer::options().page_size(segment.header().page_size).create(file)?;
        copy_all(&segment, |object| writer.copy_ours(&segment, object))?;
        writer.finish()
    }

    /// Publishes a file's objects under a name that nobody owns: its new generation. The whole file is read and checked
    /// first. Cost: O(bytes).
    ///
    /// # Errors
    /// The name is as it was then.
    /// - As [`Segment::read`] and [`Segment::verify`]: short, damaged, of another version (EINVAL); no such file.
    /// - As [`owner`](Store::owner) and [`Owner::publish`]: [`Cause::Owned`] (EBUSY).
    pub fn load(&self, file: impl AsRef<Path>, name: &str) -> Result<u64> {
        let options = self.owner_options(name);
        let segment = Segment::read(file)?;
        segment.verify()?;
        let mut owner = options.page_size(segment.header().page_size).open()?;
        owner.publish_with(|draft| copy_all(&segment, |object| draft.copy_verified(&segment, object)))
    }

    /// Ends a name that nobody owns, as [`Owner::retire`] does.
    ///
    /// # Errors
    /// [`Cause::StoreName`] (EINVAL); [`Cause::NoName`] (ENOENT); [`Cause::Owned`] (EBUSY);
    /// [`Cause::System`]: another user's name (EACCES).
    pub fn remove(&self, name: &str) -> Result<()> {
        let name = Name::new(name)?;
        let remove = || {
            let stat = |role| self.dir.stat(name.file(role)).map_err(Error::system("stat"));
            if stat(Role::Segment)?.is_none() && stat(Role::Control)?.is_none() {
                return Err(Error::new(Cause::NoName));
            }
            let _lock = NameLock::take(&self.dir, &name, true)?;
            // What is not a control page is removed all the same: a link, a socket, an empty directory itself.
            let control = match ControlMut::open(&self.dir, &name) {
                Err(error) if matches!(error.cause(), Cause::Control { .. }) => None,
                control => control?,
            };
            lifecycle::end(&self.dir, &name, control.as_ref(), false)
        };
        remove().map_err(|error: Error| self.of_name(&name, error))
    }

    /// What [`sweep`](Store::sweep) does but for regions: the names that it ended, sorted.
    pub(crate) fn sweep_names(&self) -> Result<Vec<String>> {
        // A segment alone, and what lies beside it, is a file like any other: whoever owns a name makes the rest first.
        let owned = |role| matches!(role, Role::Control | Role::Owner | Role::Life);
        let files = self.files()?.into_iter();
        let mut names: Vec<Name> = files.filter_map(|(name, role)| owned(role).then_some(name)).collect();
        names.sort();
        names.dedup();
        // Whoever owns a name keeps it in order.
        names.retain(|name| !life::is_owned(&self.dir, name));
        names.retain(|name| lifecycle::end_if_over(&self.dir, name).unwrap_or(false));
        temp::sweep(&self.dir)
            .map_err(Error::system("read the directory"))
            .map_err(|error| error.of_file(self.path()))?;
        Ok(names.iter().map(Name::to_string).collect())
    }

    /// Gives a name to another user or group: `None` stays as it is. Later generations and owners keep it.
    ///
    /// # Errors
    /// [`Cause::StoreName`] (EINVAL); [`Cause::NoName`] (ENOENT); [`Cause::System`], as fchown(2): EPERM; EMLINK, ELOOP: a
    /// file of the name is a link, or has another name. [`Cause::Removed`] (ESTALE): the name's files went meanwhile.
    pub fn chown(&self, name: &str, uid: Option<u32>, gid: Option<u32>) -> Result<()> {
        let (owner, group) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        self.change(name, |page| Ok(nix::unistd::fchown(page, owner, group)?))
    }

    /// Changes a name's nine permission bits, for those who attach from now on. Later generations and owners keep them.
    /// The user's own to read and write are always set.
    ///
    /// # Errors
    /// As [`chown`](Store::chown).
    pub fn chmod(&self, name: &str, mode: u32) -> Result<()> {
        self.change(name, |page| Ok(fchmod(page, Mode::from_bits_truncate(mode & 0o777 | OWN_BITS))?))
    }

    fn change(&self, name: &str, change: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
        let name = Name::new(name)?;
        let change = || {
            let Some((control, page)) = Control::open(&self.dir, &name)? else {
                return Err(Error::new(Cause::NoName));
            };
            // The page first: it is what later generations are like, and who may not read it does not attach.
            let changed = check_links(&page).and_then(|()| change(&page));
            changed.map_err(Error::system("change user, group or mode"))?;
            let access = Access::of(&page).map_err(Error::system("stat the control page"))?;
            give(&self.dir, &name, Role::Segment, access)?;
            life::give(&self.dir, &name, access)?;
            give(&self.dir, &name, Role::Owner, Access { mode: 0o600, ..access })?;
            match control.is_named(&self.dir, &name).map_err(Error::system("stat"))? {
                true => Ok(()),
                false if control.now().is_retired() => Err(Error::new(Cause::NoName)),
                false => Err(Error::new(Cause::Removed)),
            }
        };
        change().map_err(|error: Error| self.of_name(&name, error))
    }

    fn of_name(&self, name: &Name, error: Error) -> Error {
        error.of_file(&self.dir.path(name.to_string()))
    }
}

/// The store's directory, opened as a path (O_PATH): for openat(2) and the like, which find its files wherever it is by now.
impl AsFd for Store {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

/// Calls `copy` with the name of each object.
fn copy_all(segment: &Segment, mut copy: impl FnMut(&str) -> Result<()>) -> Result<()> {
    segment.objects().try_for_each(|entry| copy(entry?.name))
}
