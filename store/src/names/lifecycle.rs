//! The life of a name: who may change its files, whether its owner lives, and how it ends.
//!
//! Only the holder of the lock on NAME.own creates, replaces and unlinks the name's files; the kernel releases the lock
//! when the holder dies. So whatever else is found there is of a predecessor that died, and temporaries need no locks of
//! their own: the holder removes them. NAME.own is for its user alone (0600), or a reader could keep owners out.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::unistd::geteuid;

use crate::names::control::{Control, ControlMut, ENDS_WITH_LAST, ENDS_WITH_OWNER, SLOTS};
use crate::names::life::is_owned;
use crate::names::name::{Name, Role};
use crate::os::attach;
use crate::os::dir::{Access, Dir, file_id};
use crate::os::held::{FileId, Held, Process};
use crate::os::ofd::{self, Sharing};
use crate::os::timeout::{SHORT, Timeout};
use crate::{Cause, Error, Result};

/// How long somebody who looks whether a name is over, or has just begun to own it, may keep others from its lock.
const MOMENT: Duration = Duration::from_millis(250);

/// The right to change the files of a name. Given back when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub(crate) struct NameLock {
    held: Held,
    id: FileId,
}

impl NameLock {
    fn of(held: Held) -> Result<NameLock> {
        let id = file_id(&fstat(held.get()?).map_err(Error::system("stat"))?);
        Ok(NameLock { held, id })
    }

    /// Takes the lock of a name, and removes what a holder that died was writing. `None`: there is no such name, and it
    /// is not to be made.
    ///
    /// # Errors
    /// [`Cause::Owned`] (EBUSY); [`Cause::System`]: the name is another user's (EACCES), or as open(2).
    pub(crate) fn take(dir: &Dir, name: &Name, make: bool) -> Result<Option<NameLock>> {
        let mut looks = Timeout::Within(MOMENT).looks(SHORT);
        let mut take = || loop {
            let Some(held) = open(dir, name, make).map_err(Error::system("open"))? else { return Ok(None) };
            let lock = NameLock::of(held)?;
            let fd = lock.fd()?;
            if !ofd::try_lock(fd, Sharing::Exclusive, &(0..1)).map_err(Error::system("lock"))? {
                // Whoever owns it for long lives visibly.
                if is_owned(dir, name) || !looks.again() {
                    return Err(Error::new(Cause::Owned));
                }
                continue;
            }
            // The one before may have unlinked it between the two: then this is the lock of nothing.
            if !lock.is_named(dir, name)? {
                continue;
            }
            if Access::of(fd).map_err(Error::system("stat"))?.mode != 0o600 {
                // The umask took more than it should. Another's is as it is.
                let _ = fchmod(fd, Mode::from_bits_truncate(0o600));
            }
            dir.unlink(name.file(Role::Next)).map_err(Error::system("remove what was left"))?;
            return Ok(Some(lock));
        };
        take().map_err(|error: Error| error.of_file(&dir.path(name.file(Role::Owner))))
    }

    /// # Errors
    /// [`Cause::Forked`] (EPERM).
    pub(crate) fn fd(&self) -> Result<BorrowedFd<'_>> {
        self.held.get()
    }

    /// Gives its file to the name's user: a former user's could keep the next ones out. Only root can, and has to.
    pub(crate) fn give(&self, access: Access) {
        let _ = self.fd().map(|fd| Access { mode: 0o600, ..access }.give(fd));
    }

    /// Whether NAME.own still leads to it. Somebody else may have removed that: then it keeps nobody out.
    pub(crate) fn is_named(&self, dir: &Dir, name: &Name) -> Result<bool> {
        self.fd()?;
        dir.leads_to(name.file(Role::Owner), self.id).map_err(Error::system("stat"))
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        // Closing is not enough where another process has a copy for a moment, between clone(2) and exec(2).
        if let Ok(fd) = self.held.get() {
            let _ = ofd::unlock(fd, &(0..1));
        }
    }
}

/// Opens NAME.own, which is made if it may be.
fn open(dir: &Dir, name: &Name, make: bool) -> io::Result<Option<Held>> {
    let open = |flags| dir.create_file(name.file(Role::Owner), OFlag::O_RDWR | flags, 0o600);
    loop {
        // Not with O_CREAT: in a directory with the sticky bit the kernel refuses that for another user's file.
        match Held::open::<io::Error>(|| open(OFlag::empty())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && make => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => return result.map(Some),
        }
        match Held::open::<io::Error>(|| open(OFlag::O_CREAT | OFlag::O_EXCL)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result.map(Some),
        }
    }
}

/// Ends a name: tells its readers, and removes its files. What is left undone is finished by the next owner or sweep.
/// The lock's file stays if `lock` is to be used on.
pub(crate) fn end(dir: &Dir, name: &Name, control: Option<&ControlMut>, keep_lock: bool) -> Result<()> {
    let tell = || control.map_or(Ok(()), |control| control.announce(control.now().retired()));
    let remove = |role| {
        let file = name.file(role);
        dir.clear(&file).map_err(Error::system("remove")).map_err(|error| error.of_file(&dir.path(&file)))
    };
    let told = tell();
    // The segment first: a name without one is not there. The lock last: as long as it is there, the rest may be.
    remove(Role::Segment)?;
    // Where blocks are copied when they are written, a full disk has no room to tell until it has that of the segment.
    told.or_else(|_| tell())?;
    remove(Role::Control)?;
    remove(Role::Life)?;
    match keep_lock {
        true => Ok(()),
        false => remove(Role::Owner),
    }
}

/// Whether a name has ended although its files are there; nobody owns it, as its lock is held.
pub(crate) fn has_ended(control: &ControlMut) -> bool {
    control.now().is_retired()
        || control.has(ENDS_WITH_OWNER)
        || control.has(ENDS_WITH_LAST) && keep_out(control.file.as_fd())
}

/// Keeps everybody from attaching until the page is closed, if nobody is attached.
fn keep_out(file: BorrowedFd<'_>) -> bool {
    ofd::try_lock(file, Sharing::Exclusive, &SLOTS).unwrap_or(false)
}

/// Ends a name if nobody owns it and it is not to outlive that. Returns whether it did.
///
/// # Errors
/// [`Cause::Owned`] (EBUSY); [`Cause::System`].
pub(crate) fn end_if_over(dir: &Dir, name: &Name) -> Result<bool> {
    // In another user's name the lock's file would be ours, and keep that user out.
    let ours = |role| dir.stat(name.file(role)).map(|stat| stat.is_some_and(|stat| is_own_user(stat.st_uid)));
    let ours = ours(Role::Control).and_then(|page| Ok(page || ours(Role::Life)?));
    let Some(_lock) = NameLock::take(dir, name, ours.map_err(Error::system("stat"))?)? else {
        return Ok(false);
    };
    // A page that cannot be read says nothing about the name: it is left for people to look at.
    let control = ControlMut::open(dir, name)?;
    let published = dir.stat(name.file(Role::Segment)).map_err(Error::system("stat"))?.is_some();
    let over = match &control {
        // Published, and kept by whoever removed the page.
        None => !published,
        Some(control) => !published || has_ended(control),
    };
    if over {
        end(dir, name, control.as_ref(), false)?;
    }
    Ok(over)
}

fn is_own_user(user: u32) -> bool {
    user == geteuid().as_raw()
}

/// An attachment to a name: its page, mapped read-only, with a lock that lives as long.
pub(crate) struct Attachment {
    pub(crate) control: Control,
    // Dropped after the page, and with it the lock, is gone.
    last: Last,
}

/// Ends a name that is to end with its last attachment, if this was the last.
struct Last {
    dir: Dir,
    name: Name,
    process: Process,
    armed: bool,
}

impl Attachment {
    /// Attaches to a name; `None` if there is none, or none any more.
    ///
    /// # Errors
    /// [`Cause::Control`] (EINVAL), [`Cause::System`].
    pub(crate) fn new(dir: &Dir, name: &Name) -> Result<Option<Attachment>> {
        let Some(control) = Control::attach(dir, name)? else { return Ok(None) };
        let over = control.now().is_retired() || control.has(ENDS_WITH_OWNER) && !is_owned(dir, name);
        let process = Process::current().map_err(Error::system("watch for forks"))?;
        let last = Last { dir: dir.clone(), name: name.clone(), process, armed: false };
        Ok((!over).then_some(Attachment { control, last }))
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.last.dir
    }

    pub(crate) fn name(&self) -> &Name {
        &self.last.name
    }

    /// # Errors
    /// [`Cause::Retired`] (ESTALE), or [`Cause::Removed`] (ESTALE) if the page is not the name's any more and nobody said
    /// so: whoever owns the name will not tell of anything there.
    pub(crate) fn check_named(&self) -> Result<()> {
        // Where the kernel does not say, it is.
        match self.control.is_named(self.dir(), self.name()).unwrap_or(true) {
            true => Ok(()),
            false if self.control.now().is_retired() => Err(Error::new(Cause::Retired)),
            false => Err(Error::new(Cause::Removed)),
        }
    }

    /// Whether this is a forked child of the process that attached.
    pub(crate) fn is_forked(&self) -> bool {
        self.last.process.check().is_err()
    }

    /// How many are attached to the name.
    ///
    /// # Errors
    /// As [`check_named`](Attachment::check_named); [`Cause::System`].
    pub(crate) fn count(&self) -> Result<u64> {
        self.check_named()?;
        match Control::open(self.dir(), self.name())? {
            // Retired before its page was removed: this one is the same.
            Some((_, file)) if !self.control.now().is_retired() => count(&file),
            _ => Err(Error::new(Cause::Retired)),
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.last.armed = self.control.has(ENDS_WITH_LAST) && !self.is_forked();
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        if self.armed {
            // Not the last, or another user's: whoever comes next, or sweeps, ends it.
            let _ = end_if_over(&self.dir, &self.name);
        }
    }
}

/// How many are attached to the name of a page.
pub(crate) fn count(file: impl AsFd) -> Result<u64> {
    attach::count(file, &SLOTS).map_err(Error::system("count the attachments"))
}
