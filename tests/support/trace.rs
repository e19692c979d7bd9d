//! Killing a process at each of its system calls.

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// A forked child that does `work`, stopped before it begins.
fn start(work: &dyn Fn()) -> Pid {
    // SAFETY: the child goes on in this thread alone. It uses the allocator, which glibc keeps usable after a fork, and
    // no lock of the test harness; it leaves by `_exit`, also if it panics.
    match unsafe { fork() }.expect("a process") {
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                ptrace::traceme().expect("allowed");
                raise(Signal::SIGSTOP).expect("allowed");
                work();
            }));
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(i32::from(done.is_err())) }
        }
        ForkResult::Parent { child } => {
            let stopped = waitpid(child, None).expect("it is ours");
            assert_eq!(stopped, WaitStatus::Stopped(child, Signal::SIGSTOP));
            ptrace::setoptions(
                child,
                ptrace::Options::PTRACE_O_EXITKILL | ptrace::Options::PTRACE_O_TRACESYSGOOD,
            )
            .expect("it is stopped");
            child
        }
    }
}

/// Does `work` in a child that is killed (SIGKILL) when it enters or leaves a system call for the time `stop`, counted
/// from 0. Whether there was such a time: otherwise the work is done.
fn kill_at(work: &dyn Fn(), stop: usize) -> bool {
    let child = start(work);
    let mut stops = 0;
    loop {
        ptrace::syscall(child, None).expect("it is stopped");
        match waitpid(child, None).expect("it is ours") {
            WaitStatus::PtraceSyscall(_) if stops == stop => {
                kill(child, Signal::SIGKILL).expect("it lives");
                let dead = waitpid(child, None).expect("it is ours");
                assert_eq!(dead, WaitStatus::Signaled(child, Signal::SIGKILL, false));
                return true;
            }
            WaitStatus::PtraceSyscall(_) => stops += 1,
            WaitStatus::Exited(_, 0) => return false,
            other => panic!("{other:?}"),
        }
    }
}

/// Does `work` in children that are killed at each entry to a system call and each return from one, and once to its
/// end; after each calls `check` with whether it was killed. How often it was killed.
pub(crate) fn kill_at_every_system_call(work: impl Fn(), mut check: impl FnMut(bool)) -> usize {
    let mut stop = 0;
    loop {
        let killed = kill_at(&work, stop);
        check(killed);
        if !killed {
            return stop;
        }
        stop += 1;
    }
}
