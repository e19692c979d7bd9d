//! Memory without a name: files that only descriptors lead to, and the seals that bind everybody who has one.
//!
//! - A new one has mode 0666, and whoever may look at this process's descriptors opens it again by that mode. So its mode is
//!   set before anything else happens to it.
//! - Nobody executes it: the flag for that is of Linux 6.3, and allows sealing too; kernels before take the older flag.
//! - Seals are added, never removed. The last one, `F_SEAL_SEAL`, keeps everybody who may write from adding more.
//! - A descriptor keeps the rights that it was opened with. One for reading is made by opening the file anew, which needs
//!   /proc.
//!
//! Source: memfd_create(2), fcntl(2), "File sealing"; proc_pid_fd(5).

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::stat::{Mode, fchmod};

use crate::{Error, Result};

/// What `st_blocks` counts in: stat(3type).
const BLOCK: u64 = 512;

/// Makes an empty file of that mode, open for reading and writing. `name` is for people: it stands in /proc.
///
/// # Errors
/// EOPNOTSUPP where the kernel has no such files; EMFILE, ENFILE, ENOMEM.
pub(crate) fn create(name: &CStr, mode: Mode) -> Result<File> {
    // <linux/memfd.h>; nix has no name for it.
    let no_exec = MFdFlags::from_bits_retain(nix::libc::MFD_NOEXEC_SEAL);
    let made = match memfd_create(name, MFdFlags::MFD_CLOEXEC | no_exec) {
        Err(Errno::EINVAL) => memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING),
        made => made,
    };
    let file = made.map_err(|errno| match errno {
        Errno::ENOSYS => Error::system("make memory: memfd_create(2) is of Linux 3.17, or forbidden here")(
            Errno::EOPNOTSUPP,
        ),
        errno => Error::system("make memory")(errno),
    })?;
    fchmod(&file, mode).map_err(Error::system("set the memory's mode"))?;
    Ok(file.into())
}

/// Adds the seals, and the one after which nobody adds any.
///
/// # Errors
/// EOPNOTSUPP where the kernel does not know one of them; EBUSY, for `F_SEAL_WRITE`, while something may still write.
pub(crate) fn seal(file: &File, seals: SealFlag) -> Result<()> {
    let added = fcntl(file, FcntlArg::F_ADD_SEALS(seals | SealFlag::F_SEAL_SEAL));
    added.map(drop).map_err(|errno| match errno {
        Errno::EINVAL => {
            Error::system("seal the memory: F_SEAL_FUTURE_WRITE is of Linux 5.1")(Errno::EOPNOTSUPP)
        }
        errno => Error::system("seal the memory")(errno),
    })
}

/// Another descriptor of the file, with a description of its own: for reading only, or for writing too.
///
/// # Errors
/// EOPNOTSUPP without /proc; EACCES by the file's mode; EMFILE.
pub(crate) fn reopen(file: &File, write: bool) -> Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let opened = OpenOptions::new().read(true).write(write).custom_flags(OFlag::O_CLOEXEC.bits()).open(path);
    let opened = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::system("open the memory again: /proc is not mounted")(Errno::EOPNOTSUPP)
        }
        _ => Error::system("open the memory again")(error),
    })?;
    Ok(opened.into())
}

/// The bytes of a file that have room in memory, whether somebody has touched them or not.
pub(crate) fn allocated(file: &File) -> Result<u64> {
    let metadata = file.metadata().map_err(Error::system("stat the memory"))?;
    Ok(metadata.blocks().saturating_mul(BLOCK))
}

/// How long this process may make a file: beyond that the kernel kills it (SIGXFSZ).
///
/// Source: getrlimit(2), RLIMIT_FSIZE.
pub(crate) fn size_limit() -> u64 {
    match getrlimit(Resource::RLIMIT_FSIZE) {
        Ok((limit, _)) if limit != RLIM_INFINITY => limit,
        _ => u64::MAX,
    }
}

/// The errors of memory that would be too long, or for which there is no room: said before anything is done.
pub(crate) fn too_long() -> Error {
    Error::system("have memory beyond the process's limit of file sizes (ulimit -f)")(Errno::EFBIG)
}

pub(crate) fn no_room() -> Error {
    Error::system("get as much memory: less is available")(Errno::ENOSPC)
}
