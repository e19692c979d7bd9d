//! NAME.life: how anybody learns whether a name's owner lives.
//!
//! A FIFO that the owner made, has open for reading and locked. Whoever may read the name may open it for writing, and
//! nobody for reading, its user included: the owner opened it before it took that permission away. So opening it for
//! writing fails (ENXIO) once the owner is gone, for any user and in any pid namespace, and whoever has it open is told
//! of the owner's death.
//!
//! Root can open it for reading all the same, and a reading end looks like an owner. So the lock is the proof: shared, on
//! all of the FIFO, which needs a reading end, as fcntl(2) gives shared locks to readers and exclusive ones to writers
//! only. Those who may open it for writing can ask for the lock, and can neither take one like it nor, as it covers all,
//! be in its way. Each owner makes a FIFO of its own: what the one before left may be open somewhere, or locked.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstat};
use nix::unistd::{Gid, Uid, fchownat, mkfifoat};

use crate::names::name::{Name, Role};
use crate::os::dir::{Access, Dir, check_links, file_id};
use crate::os::held::{FileId, Held};
use crate::os::ofd::{self, END, Sharing};
use crate::{Error, Result};

/// The owner's end: open as long as the owner lives.
pub(crate) struct Life {
    _held: Held,
    pub(crate) id: FileId,
}

impl Life {
    /// Makes the FIFO of an owner, in place of what is there. For the holder of the name's lock.
    pub(crate) fn make(dir: &Dir, name: &Name, access: Access) -> Result<Life> {
        let file = name.file(Role::Life);
        let make = || -> io::Result<Life> {
            dir.clear(&file)?;
            mkfifoat(dir, &*file, Mode::S_IRUSR | Mode::S_IWUSR)?;
            let open = || Held::open::<io::Error>(|| dir.open_file(&file, OFlag::O_RDONLY));
            let held = match open() {
                // The umask may have taken what its user needs.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
                    fchmodat(dir, &*file, mode, FchmodatFlags::NoFollowSymlink)?;
                    open()?
                }
                held => held?,
            };
            let fd = held.get().map_err(io::Error::from)?;
            let stat = fstat(fd)?;
            // As long as it is this user's alone nobody else has a lock there.
            if !is_fifo(&stat) || !ofd::try_lock(fd, Sharing::Shared, &(0..END))? {
                return Err(Errno::EBUSY.into());
            }
            life_access(access).give(fd)?;
            Ok(Life { _held: held, id: file_id(&stat) })
        };
        make()
            .map_err(Error::system("make the FIFO that says that the owner lives"))
            .map_err(|error| error.of_file(&dir.path(&file)))
    }
}

/// Who may read the name may open its FIFO for writing.
fn life_access(access: Access) -> Access {
    Access { mode: (access.mode & 0o444) >> 1, ..access }
}

/// Gives the FIFO to whom the name is. What is there and is none, a link for example, stays as it is, and what it leads to.
pub(crate) fn give(dir: &Dir, name: &Name, access: Access) -> Result<()> {
    let (file, access) = (name.file(Role::Life), life_access(access));
    let give = || -> io::Result<()> {
        // Not opened for that: a dead owner's cannot be, and who is nobody's writer is not told of a death.
        let fd = match dir.open_file(&file, OFlag::O_PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            fd => fd?,
        };
        let stat = fstat(&fd)?;
        if !is_fifo(&stat) || Access::from(stat) == access {
            return Ok(());
        }
        check_links(&fd)?;
        let (user, group) = (Uid::from_raw(access.uid), Gid::from_raw(access.gid));
        fchownat(&fd, "", Some(user), Some(group), AtFlags::AT_EMPTY_PATH)?;
        let mode = Mode::from_bits_truncate(access.mode);
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        match fchmodat(AT_FDCWD, &*path, mode, FchmodatFlags::FollowSymlink) {
            // Without /proc: as a writer. Who may open a dead owner's does not matter.
            Err(Errno::ENOENT) => end(dir, name)?.map_or(Ok(()), |fd| access.give(fd)),
            changed => Ok(changed?),
        }
    };
    give()
        .map_err(Error::system("change user, group or mode"))
        .map_err(|error| error.of_file(&dir.path(&file)))
}

/// A writing end of a live owner's FIFO; `None` if no owner lives.
pub(crate) fn end(dir: &Dir, name: &Name) -> io::Result<Option<OwnedFd>> {
    match dir.open_file(name.file(Role::Life), OFlag::O_WRONLY) {
        Ok(fd) => Ok(is_lived(&fd)?.then_some(fd)),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            // None, or nobody reads it, or it is a link or a directory: none of ours.
            Some(Errno::ENOENT | Errno::ENXIO | Errno::ELOOP | Errno::EISDIR) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Whether the owner lives whose FIFO that is a writing end of.
pub(crate) fn is_lived(end: impl AsFd) -> io::Result<bool> {
    let lock = ofd::conflict(&end, Sharing::Exclusive, &(0..END))?;
    Ok(lock.is_some_and(|(sharing, _)| sharing == Sharing::Shared))
}

/// Whether an owner lives. Where the kernel does not say, for lack of descriptors perhaps, it is taken to live.
pub(crate) fn is_owned(dir: &Dir, name: &Name) -> bool {
    !matches!(end(dir, name), Ok(None))
}

fn is_fifo(stat: &nix::sys::stat::FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO
}
