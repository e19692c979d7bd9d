//! Descriptors that carry a lock, and what a fork does to them.
//!
//! An open-file-description lock lives until the last copy of its descriptor is closed, and fork(2) copies descriptors:
//! a child that lives on would keep its parent's locks after the parent's death. So a child closes them first of all.
//!
//! ```text
//! open:    lock the registry; open the descriptor; note its number; unlock the registry
//! use:     made in another process than this: EPERM
//! drop:    lock the registry; if the number is still noted, strike it out and close it; unlock the registry
//! fork:    lock the registry; fork
//!              in the parent: unlock it
//!              in the child: close all that is noted; strike it out; forks += 1; unlock it
//! ```
//! The steps of a fork are handlers of pthread_atfork(3). As everything else has the registry's mutex too, no fork falls
//! between opening and noting, and what is noted is open: the child closes no number that is another descriptor's.
//!
//! - The mutex is locked in one function and unlocked in another. Both run in the thread that forks, which is the only
//!   one that the child has; its guard waits in a thread-local without a destructor.
//! - The child frees nothing: another thread may have been allocating, and the allocator's own handlers may be to come.
//! - A handle remembers its process by number and count of forks, since either alone can be the same in a child; that
//!   makes dropping it there do nothing.
//! - To release a lock, unlock it ([`crate::os::ofd::unlock`]): closing does not where somebody has a copy.
//! - clone(2) and vfork(2) without libc's fork run no handlers. Between such a call and the child's exec(2), which
//!   closes them, the child shares the locks.
//!
//! Source: fcntl(2), "Open file description locks"; pthread_atfork(3).
#![allow(unsafe_code)] // registering the handlers, which close descriptors that nobody uses

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nix::errno::Errno;
use nix::libc;

use crate::os::sync::Counter;
use crate::{Cause, Error, Result};

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { watching: false, next: 0, held: Vec::new(), shared: BTreeMap::new() });

struct Registry {
    /// Whether the handlers are installed.
    watching: bool,
    /// The key of the next descriptor. Counts on in a child, so that its keys are none of its parent's.
    next: u64,
    /// INVARIANT: open descriptors of this process, each owned by the `Held` with that key.
    held: Vec<(u64, RawFd)>,
    /// What the handles of this process on one file share.
    shared: BTreeMap<FileId, Weak<dyn Any + Send + Sync>>,
}

impl Registry {
    /// Installs the handlers.
    fn watch(&mut self) -> io::Result<()> {
        if !self.watching {
            // SAFETY: pthread_atfork(3) asks for functions that may run at any fork. Ours take and release the registry's
            // mutex, in the thread that forks, and call close(2).
            let result = unsafe {
                libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child))
            };
            if result != 0 {
                return Err(Errno::from_raw(result).into());
            }
            self.watching = true;
        }
        Ok(())
    }
}

/// A file, whatever its name: device and inode.
pub(crate) type FileId = (u64, u64);

thread_local! {
    /// The registry, while this thread forks. Without a destructor it can be used however late a thread forks.
    static FORKING: Cell<Option<ManuallyDrop<MutexGuard<'static, Registry>>>> = const { Cell::new(None) };
}

/// How many forks lie between the program's first process and this one.
static FORKS: Counter = Counter::new();

fn registry() -> MutexGuard<'static, Registry> {
    // Whatever panicked left whole entries.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

extern "C" fn before_fork() {
    FORKING.set(Some(ManuallyDrop::new(registry())));
}

extern "C" fn after_fork_in_parent() {
    FORKING.take().map(ManuallyDrop::into_inner);
}

extern "C" fn after_fork_in_child() {
    let Some(mut registry) = FORKING.take().map(ManuallyDrop::into_inner) else { return };
    for &(_, fd) in &registry.held {
        // SAFETY: close(2) asks that nobody use the descriptor any more. It belongs to a `Held`, which in this process
        // gives it to nobody (`get`) and does not close it (`drop`).
        unsafe { libc::close(fd) };
    }
    registry.held.clear();
    // Leaked rather than freed: the allocator may have handlers that are still to come.
    mem::forget(mem::take(&mut registry.shared));
    FORKS.count();
}

/// What the handles of this process on that file share; made if this is the first of them. A forked child starts anew,
/// whatever its parent's threads were doing. `make` must not come back here.
pub(crate) fn shared<T: Send + Sync + 'static>(file: FileId, make: impl FnOnce() -> T) -> Arc<T> {
    let mut registry = registry();
    let known = registry.shared.get(&file).and_then(Weak::upgrade).and_then(|any| any.downcast().ok());
    known.unwrap_or_else(|| {
        let made = Arc::new(make());
        let weak: Weak<T> = Arc::downgrade(&made);
        registry.shared.retain(|_, shared| shared.strong_count() > 0);
        registry.shared.insert(file, weak);
        made
    })
}

/// The process that a handle was made in. Its number alone would not do: in a new pid namespace the child of number 1 is
/// number 1; nor would the count of forks, which clone(2) bypasses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    id: u32,
    forks: u64,
}

impl Process {
    /// This process; its forks are counted from now on.
    ///
    /// # Errors
    /// As pthread_atfork(3): ENOMEM.
    pub(crate) fn current() -> io::Result<Process> {
        registry().watch()?;
        Ok(Process::now())
    }

    fn now() -> Process {
        Process { id: std::process::id(), forks: FORKS.get() }
    }

    /// Whether this process is a forked child of it, for those who ask all the time: clone(2) is not noticed.
    #[inline]
    pub(crate) fn has_forked(self) -> bool {
        self.forks != FORKS.get()
    }

    /// # Errors
    /// [`Cause::Forked`] (EPERM): this process is a forked child of it.
    pub(crate) fn check(self) -> Result<()> {
        match self == Process::now() {
            true => Ok(()),
            false => Err(Error::new(Cause::Forked)),
        }
    }
}

/// A descriptor that carries a lock. Closed when dropped, and in every child when forking.
#[derive(Debug)]
pub(crate) struct Held {
    /// INVARIANT: open in `process`, and registered there under `key`; closed by the one who takes it off the registry.
    fd: ManuallyDrop<OwnedFd>,
    key: u64,
    process: Process,
}

impl Held {
    /// Opens a descriptor and registers it, with no fork in between. `open` must not come back here.
    pub(crate) fn open<E: From<io::Error>>(
        open: impl FnOnce() -> std::result::Result<OwnedFd, E>,
    ) -> std::result::Result<Held, E> {
        let mut registry = registry();
        registry.watch()?;
        let fd = ManuallyDrop::new(open()?);
        let key = registry.next;
        registry.next += 1;
        registry.held.push((key, fd.as_raw_fd()));
        Ok(Held { fd, key, process: Process::now() })
    }

    /// The descriptor.
    ///
    /// # Errors
    /// [`Cause::Forked`] (EPERM): this process is a forked child of the one that opened it.
    pub(crate) fn get(&self) -> Result<BorrowedFd<'_>> {
        self.process.check()?;
        Ok(self.fd.as_fd())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut registry = registry();
        // In a child it is not there: closed already.
        if let Some(index) = registry.held.iter().position(|&(key, _)| key == self.key) {
            registry.held.swap_remove(index);
            // SAFETY: `ManuallyDrop::drop` asks that the value not be used again: `self` ends here.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};

    use super::*;
    use crate::os::ofd::{self, Sharing};

    fn open(path: &std::path::Path) -> Held {
        let open = || File::options().read(true).write(true).open(path).map(OwnedFd::from);
        Held::open::<io::Error>(open).unwrap()
    }

    #[test]
    fn a_forked_child_neither_has_the_descriptor_nor_keeps_its_lock_alive() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (held, other) = (open(file.path()), open(file.path()));
        assert!(ofd::try_lock(held.get().unwrap(), Sharing::Exclusive, &(0..1)).unwrap());
        let fd = held.fd.as_raw_fd();
        // SAFETY: the child runs this thread only, and leaves by `_exit`.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                let closed = std::fs::metadata(format!("/proc/self/fd/{fd}")).is_err();
                let refused = held.get().is_err_and(|error| error.errno() == Errno::EPERM as i32);
                // Whatever has the number now is not for the handle to close.
                let reused = File::open("/dev/null").unwrap();
                drop(held);
                let kept = std::fs::metadata(format!("/proc/self/fd/{}", reused.as_raw_fd())).is_ok();
                // SAFETY: `_exit` asks for nothing.
                unsafe { libc::_exit(i32::from(!(closed && refused && kept))) }
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
                let lock = || ofd::try_lock(other.get().unwrap(), Sharing::Exclusive, &(0..1)).unwrap();
                assert!(!lock(), "the parent's lock went with the child");
                drop(held);
                assert!(lock());
            }
        }
    }
}
