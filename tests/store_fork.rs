//! Forks: a child is no second owner, keeps nobody's name, and may go on reading.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use graven::{Archive, Cause, Deserialize, Layout, Lifetime, Serialize, Timeout};
use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use support::*;

const SOON: Timeout = Timeout::Within(Duration::from_secs(20));

fn child(work: impl FnOnce()) -> Pid {
    // SAFETY: the child goes on in this thread alone, uses what glibc keeps usable after a fork, and leaves by `_exit`,
    // also if it panics.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(i32::from(done.is_err())) }
        }
        ForkResult::Parent { child } => child,
    }
}

/// Waits for the end of a child, which has to come soon: it may hang.
fn ended_well(child: Pid) {
    until(|| match waitpid(child, Some(WaitPidFlag::WNOHANG)).unwrap() {
        WaitStatus::StillAlive => false,
        status => {
            assert_eq!(status, WaitStatus::Exited(child, 0));
            true
        }
    });
}

#[test]
fn a_child_owns_nothing_and_its_drop_does_nothing() {
    if !alone("a_child_owns_nothing_and_its_drop_does_nothing") {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    let options = store.owner_options("one").lifetime(Lifetime::Process).delete_on_last_detach(true);
    let mut owner = Some(options.open().unwrap());
    owner.as_mut().unwrap().publish(&7u64).unwrap();
    let mut reader = Some(store.reader::<u64>("one", Timeout::Now).unwrap());

    let refused = |error: graven::Error| {
        assert!(matches!(error.cause(), Cause::Forked), "{error}");
        assert_eq!(error.errno(), Errno::EPERM as i32);
        assert!(error.to_string().contains("attach again"), "{error}");
    };
    ended_well(child(|| {
        let mut owner = owner.take().unwrap();
        refused(owner.publish(&8u64).unwrap_err());
        refused(owner.publish_with(|draft| draft.keep("")).unwrap_err());
        // The parent lives.
        assert_eq!(store.owner("one").unwrap_err().errno(), Errno::EBUSY as i32);
        drop(owner);
        drop(reader.take());
    }));
    ended_well(child(|| refused(owner.take().unwrap().retire().unwrap_err())));
    assert_eq!(**reader.as_mut().unwrap().latest().unwrap(), 7);
    assert!(reader.as_ref().unwrap().owner_alive());
    let mut owner = owner.unwrap();
    assert_eq!(owner.publish(&9u64).unwrap(), 2);
    assert_eq!(**reader.as_mut().unwrap().latest().unwrap(), 9);
    assert_eq!(owner.attached().unwrap(), 1);
    owner.retire().unwrap();
    assert_eq!(names_in(directory.path()), [""; 0]);
    done();
}

#[test]
fn a_child_reads_on_and_sees_what_is_published_later() {
    if !alone("a_child_reads_on_and_sees_what_is_published_later") {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    let forked = child(|| {
        assert_eq!(**reader.latest().unwrap(), 7);
        assert_eq!(**reader.wait(SOON).unwrap(), 8);
        assert!(reader.owner_alive());
        // Parent and child share the mapping, so they are one attachment; a new one is another.
        assert_eq!(reader.attached().unwrap(), 1);
        let mut own = store.reader::<u64>("one", SOON).unwrap();
        assert_eq!(reader.attached().unwrap(), 2);
        assert_eq!(own.wait(SOON).unwrap().to_native(), 9);
        assert_eq!(**reader.wait(SOON).unwrap(), 9);
        assert_eq!(reader.wait(SOON).unwrap_err().errno(), Errno::ESTALE as i32);
        assert_eq!(**reader.current(), 9);
    });
    std::thread::sleep(Duration::from_millis(30));
    owner.publish(&8u64).unwrap();
    until(|| owner.attached().unwrap() == 2);
    // The attachment lasts as long as either has it.
    drop(reader);
    assert_eq!(owner.attached().unwrap(), 2);
    owner.publish(&9u64).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    owner.retire().unwrap();
    ended_well(forked);
    done();
}

#[test]
fn children_that_another_thread_forks_keep_no_name_after_their_parent_was_killed() {
    let test = "children_that_another_thread_forks_keep_no_name_after_their_parent_was_killed";
    if let Some(dir) = role() {
        let dir = Path::new(&dir);
        let stop = dir.join("stop");
        std::thread::spawn(move || {
            for _ in 0..200 {
                child(|| {
                    // Lives on until it is told to end; and ends by itself if nobody does.
                    for _ in 0..10_000 {
                        if stop.exists() {
                            return;
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            }
        });
        // Owning, publishing and giving up, all the while.
        let store = store(dir);
        for round in 0u64.. {
            let mut owner = store.owner("one").unwrap();
            owner.publish(&round).unwrap();
            if round == 200 {
                tell("owned");
            }
        }
    }
    for _ in 0..5 {
        let directory = directory();
        let store = store(&directory);
        let mut command = other(test, &directory.path().display().to_string());
        // The children inherit it, and the test would wait for their ends.
        command.stderr(Stdio::null());
        let mut process = Other::start(command);
        assert_eq!(process.hear(), "owned");
        let mut reader = store.reader::<u64>("one", SOON).unwrap();
        process.kill();
        // At once, though its children live.
        let mut owner = store.owner("one").unwrap();
        owner.publish(&u64::MAX).unwrap();
        assert_eq!(**reader.latest().unwrap(), u64::MAX);
        fs::write(directory.path().join("stop"), "").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(**reader.latest().unwrap(), u64::MAX, "the children's ends retire nothing");
        owner.publish(&1u64).unwrap();
        assert!(reader.owner_alive());
        drop(owner);
        until(|| !reader.owner_alive());
    }
}

// ---- in the middle of a validation ---------------------------------------------------------------------------------

/// Whether validation waits, and whether it does.
static HOLD: AtomicBool = AtomicBool::new(false);
static HELD: AtomicBool = AtomicBool::new(false);

#[derive(Archive, Serialize, Deserialize, Layout)]
#[rkyv(bytecheck(verify))]
struct Slow {
    number: u64,
}

mod verify {
    use graven::rkyv::bytecheck::Verify;
    use graven::rkyv::rancor::Fallible;

    use super::*;

    // SAFETY: reads nothing.
    unsafe impl<C: Fallible + ?Sized> Verify<C> for ArchivedSlow {
        fn verify(&self, _: &mut C) -> Result<(), C::Error> {
            while HOLD.load(SeqCst) {
                HELD.store(true, SeqCst);
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        }
    }
}

#[test]
fn a_child_does_not_wait_for_what_its_parents_threads_were_doing() {
    if !alone("a_child_does_not_wait_for_what_its_parents_threads_were_doing") {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("slow").unwrap();
    owner.publish(&Slow { number: 1 }).unwrap();
    let mut reader = store.reader::<Slow>("slow", Timeout::Now).unwrap();
    owner.publish(&Slow { number: 2 }).unwrap();
    HOLD.store(true, SeqCst);
    let mut clone = reader.clone();
    let slow = std::thread::spawn(move || clone.latest().unwrap().number.to_native());
    until(|| HELD.load(SeqCst));
    // The thread that validates, and all that it has locked, is not there in the child.
    ended_well(child(|| {
        HOLD.store(false, SeqCst);
        assert_eq!(reader.latest().unwrap().number, 2);
    }));
    HOLD.store(false, SeqCst);
    assert_eq!(slow.join().unwrap(), 2);
    assert_eq!(reader.latest().unwrap().number, 2);
    done();
}
