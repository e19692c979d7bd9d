//! Memory handed over at a socket: who gets what, how importers learn of change and of death, and what strangers on either
//! side can do about it.

#[path = "exporter/change.rs"]
mod change;
#[path = "exporter/death.rs"]
mod death;
#[path = "exporter/hostile.rs"]
mod hostile;
#[path = "exporter/memory.rs"]
mod memory;
#[path = "exporter/names.rs"]
mod names;
#[path = "exporter/permits.rs"]
mod permits;
mod support;

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use graven::error::ExportError;
use graven::{
    Access, At, Attachment, Cause, Error, ErrorKind, Export, ExportMemory, Exporter, Import, Permit, Timeout,
};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use support::{
    Other, PAGE, SOON, alone, become_user, done, is_root, open_descriptors, other, path_in, pattern, role,
    tell, until, wait_for_go,
};

/// An exporter at a path of its own, served by a thread until this is dropped.
struct Served {
    exporter: Arc<Exporter>,
    path: PathBuf,
    serving: Option<JoinHandle<graven::Result<()>>>,
    _dir: tempfile::TempDir,
}

/// A directory that every user reaches.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    dir
}

fn serve() -> Served {
    let dir = directory();
    let path = dir.path().join("socket");
    let exporter = Arc::new(Exporter::bind(&path).unwrap());
    let serving = thread::spawn({
        let exporter = exporter.clone();
        move || exporter.run()
    });
    Served { exporter, path, serving: Some(serving), _dir: dir }
}

impl Served {
    fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            self.exporter.stop().unwrap();
            serving.join().unwrap().unwrap();
        }
    }

    fn read(&self, name: &str) -> Import {
        self.import(name, Access::Read).unwrap()
    }

    fn import(&self, name: &str, access: Access) -> graven::Result<Import> {
        Import::connect(&self.path, name, access, SOON)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

fn permit() -> Permit {
    Permit::mode(0o600).rebind(true)
}

fn memory(size: u64, importers_write: bool) -> ExportMemory {
    ExportMemory::options().size(size).importers_write(importers_write).create().unwrap()
}

#[track_caller]
fn refused<T>(result: graven::Result<T>, kind: ErrorKind, errno: Errno) -> Error {
    let error = result.map(drop).expect_err("refused");
    assert_eq!((error.kind(), error.errno()), (kind, errno as i32), "{error}");
    error
}

/// The error that a memory is handed over with.
#[track_caller]
fn why<T>(result: graven::Result<T>, kind: ErrorKind, errno: Errno) -> ExportError {
    let error = refused(result, kind, errno);
    match error.cause() {
        Cause::Export(why) => why.clone(),
        _ => panic!("{error}"),
    }
}

#[track_caller]
fn ended<T>(result: graven::Result<T>) {
    assert_eq!(why(result, ErrorKind::Retired, Errno::ESTALE), ExportError::Ended);
}

fn load(attachment: &Attachment, offset: u64) -> u8 {
    assert!(offset < attachment.len());
    // SAFETY: in the attachment, which is mapped as long as it is borrowed.
    unsafe { attachment.address().as_ptr().wrapping_add(offset as usize).read_volatile() }
}

fn store(attachment: &Attachment, offset: u64, byte: u8) {
    assert!(offset < attachment.len());
    // SAFETY: as above, and imported for writing.
    unsafe { attachment.address().as_ptr().wrapping_add(offset as usize).write_volatile(byte) }
}

fn readable(fd: impl AsFd) -> bool {
    let fd = fd.as_fd();
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
}

/// A child of this process that does `work`, and nothing else, and how it ends.
#[track_caller]
fn in_a_child(work: impl FnOnce()) {
    // SAFETY: the child goes on in this thread alone, uses what glibc keeps usable after a fork, and leaves by `_exit`,
    // also if it panics.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: `_exit` asks for nothing.
            unsafe { libc::_exit(i32::from(done.is_err())) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
        }
    }
}
