//! An open directory, through whose descriptor its files are reached: never by path again, and never through a link.
//!
//! Source: open(2), fstatat(2), unlinkat(2).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};

use crate::os::held::FileId;

/// An open directory. Cloning shares the descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    fd: Arc<OwnedFd>,
    /// Absolute, as it was when the directory was opened: for errors.
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
