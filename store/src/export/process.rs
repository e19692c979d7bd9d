//! Reading the memory of another process, which need not know of it.
//!
//! Source: process_vm_readv(2); ptrace(2), "Ptrace access mode checking".

use std::fs;
use std::io::IoSliceMut;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

#[cfg(doc)]
use crate::Cause;
use crate::{Error, ExportError, Result};

/// The most that is asked for at once: the kernel cuts what is longer to 2 GiB less a page.
const PIECE: usize = 1 << 30;

/// Copies bytes out of another process's memory, from an address that it has told: all of them, or an error.
///
/// The copy is not of one moment: the process goes on meanwhile. Bytes without memory get some there, as if the process had
/// loaded them. Cost: a copy by the kernel, and a system call for each GiB.
///
/// # Errors
/// After an error the buffer holds what was read until then.
/// - [`ExportError::NotMapped`] (EFAULT), with the count that was read: nothing is mapped behind it, or nothing that may
///   be read, or it lies behind the end of a file that was cut.
/// - [`ExportError::Process`] (EPERM): the process is another user's, is not dumpable, is of another user namespace, or Yama
///   forbids it.
/// - [`Cause::System`]: no such process (ESRCH); EOPNOTSUPP where the kernel has no process_vm_readv(2).
///
/// # Examples
/// ```
/// let secret = vec![7u8; 100];
/// let mut copy = [0; 100];
/// graven_store::read_process(std::process::id(), secret.as_ptr().addr(), &mut copy)?;
/// assert_eq!(copy, *secret);
/// assert_eq!(graven_store::read_process(std::process::id(), 0, &mut copy).unwrap_err().errno(), 14); // EFAULT
/// # Ok::<(), graven_store::Error>(())
/// ```
/// Source: process_vm_readv(2).
pub fn read_process(pid: u32, address: usize, bytes: &mut [u8]) -> Result<()> {
    let action = "read another process's memory";
    let process = Pid::from_raw(pid.try_into().map_err(|_| Error::system(action)(Errno::ESRCH))?);
    let (length, mut read) = (bytes.len(), 0);
    while read < length {
        let not_mapped = || ExportError::NotMapped { address, length, read };
        let base = address.checked_add(read).ok_or_else(not_mapped)?;
        let piece = &mut bytes[read..length.min(read.saturating_add(PIECE))];
        let remote = RemoteIoVec { base, len: piece.len() };
        // Less than was asked for is what lies before a byte that cannot be read.
        match process_vm_readv(process, &mut [IoSliceMut::new(piece)], &[remote]) {
            Ok(0) | Err(Errno::EFAULT) => return Err(Error::new(not_mapped())),
            Ok(more) => read = read.saturating_add(more),
            Err(Errno::EINTR) => {}
            Err(Errno::EPERM | Errno::EACCES) => {
                let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
                let ptrace_scope = scope.and_then(|scope| scope.trim().parse().ok());
                return Err(Error::new(ExportError::Process { pid, ptrace_scope }));
            }
            Err(Errno::ENOSYS) => {
                let action = "read another process's memory: process_vm_readv(2) is of Linux 3.2";
                return Err(Error::system(action)(Errno::EOPNOTSUPP));
            }
            Err(errno) => return Err(Error::system(action)(errno)),
        }
    }
    Ok(())
}
