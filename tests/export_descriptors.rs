//! Memory handed over by descriptor: what it promises, whoever tries to break it, and what of the kernel that rests on.
//!
//! The facts about the kernel in `export/kernel.rs` are not ours; a kernel on which one of them fails is one on which a
//! promise may not hold.

#[path = "export/convert.rs"]
mod convert;
#[path = "export/kernel.rs"]
mod kernel;
#[path = "export/memory.rs"]
mod memory;
#[path = "export/process.rs"]
mod process;
#[path = "export/sealed.rs"]
mod sealed;
mod support;

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use graven::error::ExportError;
use graven::{At, Cause, Error, ErrorKind, Export, ExportMemory, Segment, read_process};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, OFlag, SealFlag, fallocate, fcntl};
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, munmap};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use support::*;

const NOBODY: u32 = 65534;
const SOMEBODY: u32 = 65533;

/// The exit of a child that does `work` and nothing else.
fn ends(work: impl FnOnce()) -> WaitStatus {
    // SAFETY: the child goes on in this thread alone, uses what glibc keeps usable after a fork, and leaves by `_exit`,
    // also if it panics.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: `_exit` asks for nothing.
            unsafe { libc::_exit(i32::from(done.is_err())) }
        }
        ForkResult::Parent { child } => waitpid(child, None).unwrap(),
    }
}

#[track_caller]
fn ended_well(work: impl FnOnce()) {
    let status = ends(work);
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

#[track_caller]
fn is(error: &Error, kind: ErrorKind, errno: Errno) -> String {
    assert_eq!((error.kind(), error.errno()), (kind, errno as i32), "{error}");
    error.to_string()
}

/// This process's own descriptor of a memory, as another process may get one.
fn descriptor_of(memory: &ExportMemory) -> OwnedFd {
    let at = memory.address().as_ptr().addr();
    let inode = |line: &str| line.split_whitespace().nth(4).unwrap().to_owned();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let start = format!("{at:x}-");
    let inode = inode(maps.lines().find(|line| line.starts_with(&start)).expect("mapped"));
    let found = fs::read_dir("/proc/self/fd").unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        let is = fs::metadata(entry.path()).is_ok_and(|is| is.ino().to_string() == inode);
        is.then(|| entry.file_name().into_string().unwrap().parse::<i32>().unwrap())
    });
    // SAFETY: open, and only borrowed: duplicated at once.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(found.expect("it keeps a descriptor")) };
    fd.try_clone_to_owned().unwrap()
}

fn reopened(fd: impl AsFd, write: bool) -> std::io::Result<File> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    fs::OpenOptions::new().read(true).write(write).open(path)
}

fn seals(fd: impl AsFd) -> i32 {
    fcntl(fd, FcntlArg::F_GET_SEALS).unwrap()
}

/// `F_SEAL_EXEC` of fcntl(2), Linux 6.3.
const SEAL_EXEC: i32 = 0x20;

fn blocks(fd: impl AsFd) -> u64 {
    let file = File::from(fd.as_fd().try_clone_to_owned().unwrap());
    512 * file.metadata().unwrap().blocks()
}

/// A mapping of a descriptor, unmapped by nobody.
fn mapped(fd: impl AsFd, length: usize, write: bool, flags: MapFlags) -> nix::Result<*mut u8> {
    let write = if write { ProtFlags::PROT_WRITE } else { ProtFlags::empty() };
    let length = length.try_into().unwrap();
    // SAFETY: a new mapping where the kernel finds room.
    let map = unsafe { mmap(None, length, ProtFlags::PROT_READ | write, flags, fd, 0) };
    map.map(|at| at.as_ptr().cast())
}

fn unmap(at: *mut u8, length: usize) {
    // SAFETY: the test's own mapping, which it leaves alone from now on.
    unsafe { munmap(std::ptr::NonNull::new(at).unwrap().cast(), length) }.unwrap();
}

/// The program `hostile.c`, compiled, where everybody can run it.
fn hostile(directory: &Path) -> Command {
    let program = directory.join("hostile");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/export/hostile.c");
    if !program.exists() {
        fs::set_permissions(directory, PermissionsExt::from_mode(0o755)).unwrap();
        let output = Command::new("cc").args(["-Wall", "-Werror", "-o"]).arg(&program).arg(source).output();
        let output = output.expect("a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Command::new(program)
}

/// What the kernel says to each of its attempts; a line each.
fn attempts(mut command: Command, fd: impl AsFd, path: Option<&Path>) -> Vec<String> {
    let stdin = Stdio::from(fd.as_fd().try_clone_to_owned().unwrap());
    let output = command.args(path).stdin(stdin).output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What a hostile process gets as answers with a descriptor that was opened for reading: a row for each errno.
const READING: &[(&str, &str)] = &[
    ("EBADF", "write, pwrite, splice, punch, zero, append"),
    ("EACCES", "map, mprotect, remove"),
    ("EINVAL", "cut, lengthen"),
    ("EPERM", "seal"),
];
/// And with one that was opened for writing, where importers only read.
const REFUSED: &[(&str, &str)] = &[
    ("EPERM", "write, pwrite, splice, map, punch, cut, lengthen, append, seal"),
    ("EACCES", "mprotect, remove"),
    ("EOPNOTSUPP", "zero"),
];

/// The attempts that a table says, in its order: `errno: what, what`.
fn table(rows: &[(&str, &str)], how: &str) -> Vec<String> {
    let order = [
        "write", "pwrite", "splice", "map", "mprotect", "remove", "punch", "zero", "cut", "lengthen",
        "append", "seal",
    ];
    let said = |what: &str| {
        let row = rows.iter().find(|(_, row)| row.split(", ").any(|word| word == what));
        format!("{what}{how} {}", row.expect(what).0)
    };
    order.map(said).into()
}

/// Makes the system call refuse where the argument has one of those bits: in this process, for good.
fn refuse(call: libc::c_long, argument: u32, bits: u32, errno: Errno) {
    let low_half = 16 + 8 * argument + if cfg!(target_endian = "big") { 4 } else { 0 };
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, equal) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    let (has, answer) = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, libc::BPF_RET | libc::BPF_K);
    let mut steps = [
        step(load, 0, 0, 0),
        step(equal, 0, 3, call as u32),
        step(load, 0, 0, low_half),
        step(has, 0, 1, bits),
        step(answer, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    prctl::set_no_new_privs().unwrap();
    // SAFETY: PR_SET_SECCOMP reads the program, which lives until it returns.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", Errno::last());
}
