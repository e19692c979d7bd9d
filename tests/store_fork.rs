//! Forks: a child is no second owner, keeps nobody's name, and may go on reading.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::time::Duration;

use graven::rkyv::{Place, primitive::ArchivedU64, rancor::Fallible};
use graven::{Archive, Cause, Deserialize, Layout, Lifetime, Segment, Serialize, Timeout};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use support::*;

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

// ---- in the middle of writing --------------------------------------------------------------------------------------

/// The test's process, and whether the next stamp that is serialized in it forks.
static PARENT: AtomicI32 = AtomicI32::new(0);
static FORK: AtomicBool = AtomicBool::new(false);
/// The child of that fork.
static CHILD: AtomicI32 = AtomicI32::new(0);
/// Whether the parent waits for the child before it goes on, or the child for the parent.
static PARENT_FIRST: AtomicBool = AtomicBool::new(false);

/// Is 1 where the parent writes it, and 666 in a child.
struct Stamp;

impl Archive for Stamp {
    type Archived = ArchivedU64;
    type Resolver = ();

    fn resolve(&self, (): (), out: Place<ArchivedU64>) {
        out.write(if in_parent() { 1.into() } else { 666.into() });
    }
}

impl<S: Fallible + ?Sized> Serialize<S> for Stamp {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        fork_if_asked();
        Ok(())
    }
}

fn in_parent() -> bool {
    PARENT.load(SeqCst) == std::process::id() as i32
}

/// Where the parent says that it is done.
fn parent_is_done() -> &'static Path {
    Path::new("done")
}

/// As user code that is called in the middle of a write may do.
fn fork_if_asked() {
    if !FORK.swap(false, SeqCst) {
        return;
    }
    // SAFETY: the child goes on in this thread alone, and leaves by `_exit`: in `check_both`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child if PARENT_FIRST.load(SeqCst) => until(|| parent_is_done().exists()),
        ForkResult::Child => {}
        ForkResult::Parent { child } => {
            CHILD.store(child.as_raw(), SeqCst);
            if !PARENT_FIRST.load(SeqCst) {
                ended_well(child);
            }
        }
    }
}

/// Does it, with a fork in the middle: EPERM in the child, and what it returns in the parent.
fn check_both<T>(what: &str, parent_first: bool, write: impl FnOnce() -> graven::Result<T>) -> T {
    let _ = fs::remove_file(parent_is_done());
    PARENT.store(std::process::id() as i32, SeqCst);
    PARENT_FIRST.store(parent_first, SeqCst);
    FORK.store(true, SeqCst);
    let written = write();
    if !in_parent() {
        let refused = written.is_err_and(|error| {
            let forked = matches!(error.cause(), Cause::Forked) && error.errno() == Errno::EPERM as i32;
            if !forked {
                eprintln!("{what}: {error}");
            }
            forked
        });
        // SAFETY: `_exit` asks for nothing.
        unsafe { nix::libc::_exit(i32::from(!refused)) }
    }
    assert!(!FORK.load(SeqCst), "{what} does not serialize");
    if parent_first {
        fs::write(parent_is_done(), "").unwrap();
        ended_well(Pid::from_raw(CHILD.load(SeqCst)));
    }
    written.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// More than a writer keeps in memory: so the child would write, too.
fn stamps() -> Vec<Stamp> {
    (0..many(100_000)).map(|_| Stamp).collect()
}

fn only_the_parents(stamps: &[ArchivedU64]) {
    assert_eq!(stamps.len(), many(100_000));
    assert!(stamps.iter().all(|stamp| *stamp == 1));
}

/// Every way to write a value, forking while it is serialized. In the working directory.
fn forks_while_serializing(parent_first: bool) {
    let store = store(".");
    let mut owner = store.owner("one").unwrap();
    check_both("publish", parent_first, || owner.publish(&stamps()));
    let mut reader = store.reader::<Vec<u64>>("one", Timeout::Now).unwrap();
    let kept = reader.latest().unwrap().clone();
    let publish =
        || owner.publish_with(|draft| draft.put("", &stamps()).and_then(|()| draft.put("more", &1u8)));
    assert_eq!(check_both("publish_with", parent_first, publish), 2);
    only_the_parents(&kept);
    only_the_parents(reader.latest().unwrap());
    assert_eq!(owner.publish(&vec![1u64]).unwrap(), 3);
    owner.retire().unwrap();

    check_both("write", parent_first, || graven::write("written", &stamps()));
    check_both("write over", parent_first, || graven::write("written", &stamps()));
    only_the_parents(&Segment::read("written").unwrap().root::<Vec<u64>>().unwrap());
    let mut writer = graven::Writer::create("by-writer").unwrap();
    check_both("put", parent_first, || {
        writer.put("", &stamps())?;
        writer.put("more", &1u8)?;
        writer.finish()
    });
    Segment::read("by-writer").unwrap().verify().unwrap();
    let file = fs::File::options().read(true).write(true).create_new(true).open("run").unwrap();
    let length = graven::encoded_len(&stamps()).unwrap();
    check_both("write_at", parent_first, || graven::write_at(&file, 4096, length, &stamps()));
    only_the_parents(&map_at(&file, 4096, length).unwrap().root::<Vec<u64>>().unwrap());

    // Asks for the length first: that may fork and write in both, but not both in the same file.
    let value = || CountDown(std::cell::Cell::new(2));
    let region = check_both("create_with", parent_first, || store.region("r").create_with(&value()));
    assert_eq!(*region.lock_shared(Timeout::Now).unwrap(), 1);
    region.unlink().unwrap();
    let create = || store.region("r").create_or_attach_with(&value());
    let region = check_both("create_or_attach_with", parent_first, create);
    assert_eq!(*region.lock_shared(Timeout::Now).unwrap(), 1);
    region.unlink().unwrap();
    for file in ["written", "by-writer", "run", "done"] {
        let _ = fs::remove_file(file);
    }
    assert_eq!(names_in(Path::new(".")), [""; 0]);
}

/// As a stamp, but the so-manieth serializing is the one that may fork.
struct CountDown(std::cell::Cell<u32>);

impl Archive for CountDown {
    type Archived = ArchivedU64;
    type Resolver = ();

    fn resolve(&self, (): (), out: Place<ArchivedU64>) {
        Stamp.resolve((), out);
    }
}

impl<S: Fallible + ?Sized> Serialize<S> for CountDown {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        self.0.set(self.0.get().saturating_sub(1));
        if self.0.get() == 0 {
            fork_if_asked();
        }
        Ok(())
    }
}

#[test]
fn a_child_that_serializing_forks_writes_nothing_and_removes_nothing() {
    if !alone("a_child_that_serializing_forks_writes_nothing_and_removes_nothing") {
        return;
    }
    let directory = directory();
    std::env::set_current_dir(directory.path()).unwrap();
    for parent_first in [false, true] {
        forks_while_serializing(parent_first);
    }
    done();
}

#[test]
fn where_unfinished_files_have_names_a_child_leaves_those_of_its_parent_alone() {
    if !alone("where_unfinished_files_have_names_a_child_leaves_those_of_its_parent_alone") {
        return;
    }
    if !is_root() {
        tell("SKIPPED: only root can be where /proc is not");
        done();
    }
    let directory = directory();
    // Without /proc a file that has no name cannot be given one.
    std::os::unix::fs::chroot(directory.path()).unwrap();
    std::env::set_current_dir("/").unwrap();
    for parent_first in [false, true] {
        forks_while_serializing(parent_first);
    }
    done();
}

/// What makes a draft.
type Make<'a> = dyn Fn(&mut graven::Draft<'_>) -> graven::Result<()> + 'a;

#[test]
fn a_child_that_the_closure_of_a_publish_forks_publishes_nothing() {
    if !alone("a_child_that_the_closure_of_a_publish_forks_publishes_nothing") {
        return;
    }
    let directory = directory();
    std::env::set_current_dir(directory.path()).unwrap();
    let store = store(".");
    let mut owner = store.owner("one").unwrap();
    PARENT.store(std::process::id() as i32, SeqCst);
    let first = owner.publish(&stamps()).unwrap();
    let other = store.segments("one", Timeout::Now).unwrap().current().clone();
    let mut reader = store.reader::<Vec<u64>>("one", Timeout::Now).unwrap();
    let kept = reader.latest().unwrap().clone();
    let mut last = first;
    for parent_first in [false, true] {
        let ways: [(&str, &Make<'_>); 4] = [
            ("put", &|draft| draft.put("", &stamps())),
            ("copy", &|draft| draft.copy(&other, "")),
            ("keep", &|draft| draft.keep("")),
            ("nothing", &|_| Ok(())),
        ];
        for (what, make) in ways {
            last += 1;
            let publish = || {
                owner.publish_with(|draft| {
                    draft.put(what, &1u8)?;
                    fork_if_asked();
                    make(draft)?;
                    if what == "nothing" { draft.put("", &stamps()) } else { Ok(()) }
                })
            };
            assert_eq!(check_both(what, parent_first, publish), last);
            only_the_parents(&kept);
            only_the_parents(reader.latest().unwrap());
            assert_eq!(reader.generation(), last);
        }
    }
    owner.retire().unwrap();
    let _ = fs::remove_file(parent_is_done());
    assert_eq!(names_in(Path::new(".")), [""; 0]);
    done();
}

#[test]
fn what_a_child_reads_of_its_parents_descriptor_the_parent_does_not_miss() {
    let test = "what_a_child_reads_of_its_parents_descriptor_the_parent_does_not_miss";
    if !alone(test) {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&1u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    let readable = |reader: &graven::Reader<u64>, milliseconds: u16| {
        let mut fds = [PollFd::new(reader.descriptor().unwrap(), PollFlags::POLLIN)];
        poll(&mut fds, milliseconds).unwrap() == 1
    };
    assert!(readable(&reader, 2000));
    reader.latest().unwrap();
    assert!(!readable(&reader, 0));
    owner.publish(&2u64).unwrap();
    ended_well(child(|| {
        let error = reader.descriptor().unwrap_err();
        assert!(matches!(error.cause(), Cause::Forked), "{error}");
        assert_eq!(**reader.latest().unwrap(), 2);
        // One of its own.
        assert!(readable(&reader, 2000));
        reader.latest().unwrap();
        assert!(!readable(&reader, 0));
    }));
    assert!(readable(&reader, 0), "the child has taken the event");
    assert_eq!(**reader.latest().unwrap(), 2);
    done();
}
