//! An open directory, and files that appear in it complete or not at all.
//!
//! A new file has no name while it is written (O_TMPFILE), so a writer that dies leaves nothing. It gets one by
//! linkat(2), which refuses a name that is taken; replacing takes a second name and rename(2), as the kernel has no link
//! that replaces. Where the file system lacks O_TMPFILE, or /proc is not there to link through, the file has the second
//! name from the start.
//!
//! A writer that dies between linkat and rename leaves the second name, which the next that replaces the same file removes.
//!
//! Source: open(2), linkat(2), rename(2).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, linkat, unlinkat};

use crate::held::{FileId, Process};
use crate::ofd::{self, Sharing};
use crate::sys;

/// The longest name of a file.
const MAX_NAME: usize = 255;

/// An open directory. Cloning shares the descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    fd: Arc<OwnedFd>,
    /// Absolute, as it was when the directory was opened: for errors, and for the kernel's path-only calls.
    path: Arc<PathBuf>,
}

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Dir> {
        Dir::open_with(path, OFlag::empty())
    }

    /// As `open`, unless it is a symbolic link: ENOTDIR.
    pub(crate) fn open_itself(path: &Path) -> io::Result<Dir> {
        Dir::open_with(path, OFlag::O_NOFOLLOW)
    }

    fn open_with(path: &Path, flags: OFlag) -> io::Result<Dir> {
        let path = Arc::new(std::path::absolute(path)?);
        let flags = flags | OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Dir { fd: Arc::new(open(&*path, flags, Mode::empty())?), path })
    }

    /// The absolute path of a file in it.
    pub(crate) fn path(&self, file: impl AsRef<OsStr>) -> PathBuf {
        self.path.join(file.as_ref())
    }

    /// The absolute path of the directory.
    pub(crate) fn own_path(&self) -> &Path {
        &self.path
    }

    /// Opens a file. Never waits, follows no symbolic link.
    pub(crate) fn open_file(&self, file: impl AsRef<OsStr>, flags: OFlag) -> io::Result<OwnedFd> {
        self.create_file(file, flags, 0)
    }

    /// Opens a file, with flags that may create it. Never waits, follows no symbolic link.
    pub(crate) fn create_file(
        &self,
        file: impl AsRef<OsStr>,
        flags: OFlag,
        mode: u32,
    ) -> io::Result<OwnedFd> {
        let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        loop {
            match openat(&self.fd, file.as_ref(), flags, Mode::from_bits_truncate(mode)) {
                Err(Errno::EINTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// What a file is like; `None` if there is none.
    pub(crate) fn stat(&self, file: impl AsRef<OsStr>) -> io::Result<Option<FileStat>> {
        match fstatat(&self.fd, file.as_ref(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Removes a file; `false` if there is none.
    pub(crate) fn unlink(&self, file: impl AsRef<OsStr>) -> io::Result<bool> {
        match unlinkat(&self.fd, file.as_ref(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(renameat(&self.fd, from.as_ref(), &self.fd, to.as_ref())?)
    }

    /// Removes what has a name, whatever it is: a link, not what it leads to; a directory only if it is empty.
    pub(crate) fn clear(&self, file: impl AsRef<OsStr>) -> io::Result<()> {
        match unlinkat(&self.fd, file.as_ref(), UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => Ok(unlinkat(&self.fd, file.as_ref(), UnlinkatFlags::RemoveDir)?),
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether that is a name of this file.
    pub(crate) fn leads_to(&self, file: impl AsRef<OsStr>, id: FileId) -> io::Result<bool> {
        Ok(self.stat(file)?.is_some_and(|stat| file_id(&stat) == id))
    }

    /// The names in it, in no order.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        // Of the open directory: its path may be another's by now, or none.
        let mut entries =
            nix::dir::Dir::openat(&self.fd, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        let names =
            entries.iter().map(|entry| Ok(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned()));
        names
            .filter(|name: &io::Result<OsString>| {
                !name.as_ref().is_ok_and(|name| name == "." || name == "..")
            })
            .collect()
    }

    /// Waits until what was linked and renamed is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        // A path descriptor cannot be synced.
        File::from(self.open_file(".", OFlag::O_RDONLY | OFlag::O_DIRECTORY)?).sync_all()
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A file on its way into a directory. Dropped before it is placed, it leaves nothing.
///
/// It belongs to the process that made it: in a forked child everything here is EPERM, and dropping it does nothing.
#[derive(Debug)]
pub(crate) struct Temp {
    dir: Dir,
    file: File,
    process: Process,
    /// The name that it has, if it has one.
    name: Option<String>,
}

impl Temp {
    /// A new file, open for reading and writing, of that mode less the umask. `second` is the name that it takes where
    /// it needs one: a name that nobody else uses.
    pub(crate) fn create(dir: &Dir, second: &str, mode: u32) -> io::Result<Temp> {
        let process = Process::current()?;
        if can_link_unnamed() {
            match dir.create_file(".", OFlag::O_TMPFILE | OFlag::O_RDWR, mode) {
                Ok(fd) => return Ok(Temp { dir: dir.clone(), file: fd.into(), process, name: None }),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    // The file system lacks it.
                    Some(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL) => {}
                    _ => return Err(error),
                },
            }
        }
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        let fd = dir.create_file(second, flags, mode)?;
        Ok(Temp { dir: dir.clone(), file: fd.into(), process, name: Some(second.to_owned()) })
    }

    /// The file. To be asked for again after code of the user's: that may have forked.
    ///
    /// # Errors
    /// [`Cause::Forked`](crate::Cause::Forked) (EPERM).
    pub(crate) fn file(&self) -> io::Result<&File> {
        self.process.check()?;
        Ok(&self.file)
    }

    pub(crate) fn process(&self) -> Process {
        self.process
    }

    /// Opens it once more: another description of the same file.
    pub(crate) fn reopen(&self, flags: OFlag) -> io::Result<OwnedFd> {
        let Some(name) = &self.name else {
            let flags = flags | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
            let file = format!("/proc/self/fd/{}", self.file()?.as_raw_fd());
            return Ok(open(&*file, flags, Mode::empty())?);
        };
        self.process.check()?;
        self.dir.open_file(name, flags)
    }

    /// Gives it a name that nobody has.
    ///
    /// # Errors
    /// EEXIST, and as linkat(2).
    pub(crate) fn link(&self, target: impl AsRef<OsStr>) -> io::Result<()> {
        self.process.check()?;
        match &self.name {
            None => {
                let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                linkat(AT_FDCWD, &*file, &self.dir, target.as_ref(), AtFlags::AT_SYMLINK_FOLLOW)?;
            }
            Some(name) => {
                linkat(&self.dir, &**name, &self.dir, target.as_ref(), AtFlags::empty())?;
            }
        }
        Ok(())
    }

    /// Gives it a name, in place of what has it. `second` is for the moment before.
    ///
    /// # Errors
    /// As linkat(2) and rename(2). The file is nowhere then.
    pub(crate) fn replace(&mut self, second: &str, target: impl AsRef<OsStr>) -> io::Result<()> {
        self.process.check()?;
        if self.name.is_none() {
            self.link(second)?;
            self.name = Some(second.to_owned());
        }
        self.dir.rename(self.name.as_deref().unwrap_or(second), target)?;
        self.name = None;
        Ok(())
    }
}

impl Temp {
    /// As `replace`, where others may be doing the same: the second name is made of the target's, and what a writer
    /// that died has left under it is removed. Writers that live are told from the dead by a lock on their file.
    pub(crate) fn replace_among_others(&mut self, target: &OsStr) -> io::Result<()> {
        let second = format!(".{}.tmp", target.to_string_lossy());
        // Where there are no locks, or is no room in the name, what is left stays.
        if self.name.is_none()
            && second.len() <= MAX_NAME
            && ofd::try_lock(&self.file, Sharing::Exclusive, &(0..1)).unwrap_or(false)
            && self.link_over_dead(&second)?
        {
            self.name = Some(second);
        }
        self.replace(&second_name(), target)
    }

    /// Links it, if need be after removing what is there and whose writer is dead. `false`: it lives.
    fn link_over_dead(&self, second: &str) -> io::Result<bool> {
        loop {
            match self.link(second) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => return linked.map(|()| true),
            }
            let Ok(other) = self.dir.open_file(second, OFlag::O_RDWR) else { return Ok(false) };
            if !ofd::try_lock(&other, Sharing::Exclusive, &(0..1)).unwrap_or(false) {
                return Ok(false);
            }
            // With its lock: nobody else removes it, and its writer has not just renamed it.
            if self.dir.leads_to(second, file_id(&fstat(&other)?))? {
                self.dir.unlink(second)?;
            }
        }
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let (Some(name), Ok(())) = (&self.name, self.process.check()) {
            let _ = self.dir.unlink(name);
        }
    }
}

/// Whether a file without a name can be given one: through /proc, as AT_EMPTY_PATH needs a capability.
fn can_link_unnamed() -> bool {
    Path::new("/proc/self/fd").is_dir()
}

/// A name that nobody has thought of, for a file that will not keep it.
pub(crate) fn second_name() -> String {
    format!(".graven-{:016x}.tmp", sys::random())
}

/// The kernel's number for a file.
pub(crate) fn file_id(stat: &FileStat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

/// Who may do what with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The nine permission bits.
    pub(crate) mode: u32,
}

impl Access {
    pub(crate) fn of(fd: impl AsFd) -> io::Result<Access> {
        Ok(Access::from(fstat(fd)?))
    }

    /// Gives a file to the same user and group, with the same mode.
    ///
    /// # Errors
    /// As fchown(2) and fchmod(2): EPERM; EMLINK: it has other names.
    pub(crate) fn give(self, fd: impl AsFd) -> io::Result<()> {
        let now = Access::of(&fd)?;
        if now != self {
            check_links(&fd)?;
        }
        if (now.uid, now.gid) != (self.uid, self.gid) {
            fchown(&fd, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))?;
        }
        if now.mode != self.mode {
            fchmod(&fd, Mode::from_bits_truncate(self.mode))?;
        }
        Ok(())
    }
}

/// Whether a file has one name at most. One with another may be somebody else's file, whose mode and owner are not for
/// whoever can make a link to change.
///
/// # Errors
/// EMLINK.
pub(crate) fn check_links(fd: impl AsFd) -> io::Result<()> {
    match fstat(fd)?.st_nlink {
        0 | 1 => Ok(()),
        _ => Err(Errno::EMLINK.into()),
    }
}

impl From<FileStat> for Access {
    fn from(stat: FileStat) -> Access {
        Access { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o777 }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_is_nowhere_until_it_is_placed_and_leaves_nothing_if_it_never_is() {
        let directory = tempfile::tempdir().unwrap();
        let dir = Dir::open(directory.path()).unwrap();
        let names = || {
            let mut names = dir.names().unwrap();
            names.sort();
            names
        };
        // Both kinds: without a name, and as where the file system lacks that.
        let named = || Temp {
            dir: dir.clone(),
            file: dir
                .create_file("second", OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL, 0o600)
                .unwrap()
                .into(),
            process: Process::current().unwrap(),
            name: Some("second".into()),
        };
        let unnamed = || Temp::create(&dir, "second", 0o600).unwrap();
        for make in [&named as &dyn Fn() -> Temp, &unnamed] {
            drop(make());
            assert!(names().is_empty());
            let temp = make();
            let again = File::from(temp.reopen(OFlag::O_RDONLY).unwrap());
            assert_eq!(again.metadata().unwrap().ino(), temp.file().unwrap().metadata().unwrap().ino());
            temp.file().unwrap().write_all(b"one").unwrap();
            temp.link("target").unwrap();
            drop(temp);
            let mut temp = make();
            assert_eq!(temp.link("target").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            temp.file().unwrap().write_all(b"two").unwrap();
            temp.replace("second", "target").unwrap();
            assert_eq!(temp.file().unwrap().metadata().unwrap().nlink(), 1);
            drop(temp);
            assert_eq!(names(), ["target"]);
            assert_eq!(std::fs::read(dir.path("target")).unwrap(), b"two");
            assert!(dir.unlink("target").unwrap() && !dir.unlink("target").unwrap());
        }
    }
}
