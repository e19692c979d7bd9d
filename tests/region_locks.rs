//! A lock keeps everyone else out of its bytes, and outlives nobody: neither its holder, however that dies, nor a fork.

#[path = "region_locks/forks.rs"]
mod forks;
mod support;

use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use graven::{Cause, ErrorKind, Region, Timeout, error::RegionError};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use support::*;

const SHORT: Duration = Duration::from_millis(60);

/// Attaches to `key` in the directory that the role names, and does as it says.
fn holder(role: &str) -> ! {
    let (what, dir) = role.split_once(' ').unwrap();
    let region = store(dir).region("key").attach(Timeout::Now).unwrap();
    match what {
        "hold" => {
            let mut guard = region.lock().unwrap();
            guard[0] = 1;
            tell("locked");
            wait_for_go();
            guard[1] = 1;
        }
        "hold-range" => {
            let _guard = region.lock_range(10..20).unwrap();
            tell("locked");
            wait_for_go();
        }
        "hold-shared" => {
            let _guard = region.lock_shared(.., Timeout::Now).unwrap();
            tell("locked");
            wait_for_go();
        }
        "try" => tell(region.try_lock().map_or_else(|error| error.errno(), |_| 0)),
        "fork-and-hold" => {
            let _guard = region.lock().unwrap();
            // SAFETY: the child sleeps, and is killed by its parent's parent.
            match unsafe { fork() }.unwrap() {
                ForkResult::Child => loop {
                    std::thread::sleep(Duration::from_secs(1));
                },
                ForkResult::Parent { child } => {
                    tell(child);
                    wait_for_go();
                }
            }
        }
        other => panic!("{other}"),
    }
    done()
}

#[test]
fn a_holder_that_is_killed_is_reported_by_the_next_guard_and_only_by_that() {
    const TEST: &str = "a_holder_that_is_killed_is_reported_by_the_next_guard_and_only_by_that";
    if let Some(role) = role() {
        holder(&role);
    }
    let dir = directory();
    let region = store(&dir).region("key").size(4096).create().unwrap();
    for role in ["hold", "hold-range"] {
        let mut process = Other::start(other(TEST, &format!("{role} {}", dir.path().display())));
        assert_eq!(process.hear(), "locked");
        assert_eq!(errno(region.try_lock()), Errno::EAGAIN as i32);
        let started = Instant::now();
        let (guard, killed) = std::thread::scope(|scope| {
            let killer = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(40));
                let killed = Instant::now();
                process.kill();
                killed
            });
            let guard = region.lock_within(Duration::from_secs(2)).unwrap();
            (guard, killer.join().unwrap())
        });
        println!("{role}: told {:?} after the kill", killed.elapsed());
        assert!(started.elapsed() < Duration::from_secs(2));
        assert!(guard.holder_died());
        let error = guard.check().unwrap_err();
        assert_eq!((error.errno(), error.kind()), (Errno::EOWNERDEAD as i32, ErrorKind::HolderDied));
        drop(guard);
        assert!(!region.lock().unwrap().holder_died());
    }
    // One that leaves in order, and one that only reads, leave nothing to report.
    for role in ["hold", "hold-shared"] {
        let mut process = Other::start(other(TEST, &format!("{role} {}", dir.path().display())));
        assert_eq!(process.hear(), "locked");
        match role {
            "hold" => assert!(process.go().success()),
            _ => drop(process),
        }
        until(|| region.try_lock().is_ok_and(|guard| guard.check().is_ok()));
    }
    assert_eq!(region.lock().unwrap()[1], 1);
}

#[test]
fn shared_guards_report_a_death_too_until_somebody_can_put_it_right() {
    const TEST: &str = "shared_guards_report_a_death_too_until_somebody_can_put_it_right";
    if let Some(role) = role() {
        holder(&role);
    }
    let dir = directory();
    let store = store(&dir);
    let region = store.region("key").size(4096).create().unwrap();
    let reader = store.region("key").read_only(true).attach(Timeout::Now).unwrap();
    let mut process = Other::start(other(TEST, &format!("hold {}", dir.path().display())));
    assert_eq!(process.hear(), "locked");
    assert_eq!(errno(reader.lock_shared(.., Timeout::Within(SHORT))), Errno::ETIMEDOUT as i32);
    process.kill();
    for _ in 0..2 {
        let guard = reader.lock_shared(.., Timeout::Within(Duration::from_secs(2))).unwrap();
        assert!(guard.holder_died());
        assert_eq!(guard.check().unwrap_err().errno(), Errno::EOWNERDEAD as i32);
    }
    assert!(region.lock().unwrap().holder_died());
    assert!(!reader.lock_shared(.., Timeout::Now).unwrap().holder_died());
}

#[test]
fn asking_again_is_a_deadlock_for_the_holder_and_refused_or_timed_out_for_others() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("key").size(100).create().unwrap();
    let again = store.region("key").attach(Timeout::Now).unwrap();
    let guard = region.lock().unwrap();
    for region in [&region, &again] {
        assert_eq!(errno(region.lock()), Errno::EDEADLK as i32);
        assert_eq!(errno(region.lock_within(SHORT)), Errno::EDEADLK as i32);
        assert_eq!(errno(region.lock_range(5..6)), Errno::EDEADLK as i32);
        assert_eq!(errno(region.lock_shared(.., Timeout::Forever)), Errno::EDEADLK as i32);
        assert_eq!(errno(region.put(0, 1u8)), Errno::EDEADLK as i32);
        assert_eq!(region.try_lock().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(errno(again.try_lock()), Errno::EAGAIN as i32);
            let start = Instant::now();
            let error = again.lock_within(SHORT).unwrap_err();
            assert!(matches!(error.cause(), Cause::Region(RegionError::StillLocked)));
            assert_eq!(error.errno(), Errno::ETIMEDOUT as i32);
            assert!((SHORT..Duration::from_secs(2)).contains(&start.elapsed()), "{:?}", start.elapsed());
        });
    });
    drop(guard);
    drop(again.try_lock().unwrap());
    let error = store.region("key").read_only(true).attach(Timeout::Now).unwrap().lock().unwrap_err();
    assert!(matches!(error.cause(), Cause::Region(RegionError::ReadOnly)));
    assert_eq!((error.errno(), error.kind()), (Errno::EPERM as i32, ErrorKind::NotPermitted));
}

#[test]
fn a_deadline_against_another_process_passes_and_an_unlock_wakes_who_waits() {
    const TEST: &str = "a_deadline_against_another_process_passes_and_an_unlock_wakes_who_waits";
    if let Some(role) = role() {
        holder(&role);
    }
    let dir = directory();
    let region = store(&dir).region("key").size(100).create().unwrap();
    let mut process = Other::start(other(TEST, &format!("hold {}", dir.path().display())));
    assert_eq!(process.hear(), "locked");
    let start = Instant::now();
    assert_eq!(errno(region.lock_within(SHORT)), Errno::ETIMEDOUT as i32);
    assert!((SHORT..Duration::from_secs(2)).contains(&start.elapsed()), "{:?}", start.elapsed());
    let guard = std::thread::scope(|scope| {
        scope.spawn(|| assert!(process.go().success()));
        region.lock_within(Duration::from_secs(2)).unwrap()
    });
    assert!(!guard.holder_died());
    assert_eq!(guard[..2], [1, 1]);
}

#[test]
fn ranges_exclude_each_other_only_where_they_overlap() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("key").size(100).create().unwrap();
    let mut low = region.lock_range(..50).unwrap();
    let mut high = region.lock_range(50..=99).unwrap();
    (low[49], high[0]) = (1, 2);
    assert_eq!((low.len(), high.len()), (50, 50));
    assert_eq!(errno(region.try_lock_range(49..51)), Errno::EAGAIN as i32);
    assert_eq!(errno(region.try_lock()), Errno::EAGAIN as i32);
    assert_eq!(errno(region.lock_range_within(0..1, SHORT)), Errno::EDEADLK as i32);
    drop(low);
    drop(region.try_lock_range(0..50).unwrap());
    drop(high);

    // Shared ones of one process over each other: who leaves first leaves the other's bytes locked.
    let first = region.lock_shared(0..60, Timeout::Now).unwrap();
    let second = region.lock_shared(40..100, Timeout::Now).unwrap();
    assert_eq!((first[49], second[10]), (1, 2));
    drop(first);
    drop(region.try_lock_range(0..40).unwrap());
    assert_eq!(errno(region.try_lock_range(39..41)), Errno::EAGAIN as i32);
    drop(second);
    drop(region.try_lock().unwrap());

    #[expect(clippy::reversed_empty_ranges)]
    let wrong = [5..5, 6..5, 50..101, 100..100, 0..u64::MAX, u64::MAX..u64::MAX];
    for range in wrong {
        let error = region.lock_range(range.clone()).unwrap_err();
        assert!(matches!(error.cause(), Cause::Bounds { size: 100, .. }), "{range:?}: {error}");
        assert_eq!(error.errno(), EINVAL);
    }
}

/// [S16.3]
#[test]
fn processes_exclude_each_other_where_their_ranges_overlap() {
    const TEST: &str = "processes_exclude_each_other_where_their_ranges_overlap";
    if let Some(role) = role() {
        holder(&role);
    }
    let dir = directory();
    let region = store(&dir).region("key").size(100).create().unwrap();
    let mut process = Other::start(other(TEST, &format!("hold-range {}", dir.path().display())));
    assert_eq!(process.hear(), "locked");
    assert_eq!(errno(region.try_lock()), Errno::EAGAIN as i32);
    assert_eq!(errno(region.try_lock_range(19..20)), Errno::EAGAIN as i32);
    assert_eq!(errno(region.lock_shared(0..11, Timeout::Now)), Errno::EAGAIN as i32);
    drop(region.try_lock_range(0..10).unwrap());
    drop(region.try_lock_range(20..100).unwrap());
    region.put(20, 7u8).unwrap();
    assert!(process.go().success());
    drop(region.try_lock().unwrap());
}

#[test]
fn a_panic_releases_the_lock() {
    let dir = directory();
    let region = store(&dir).region("key").size(100).create().unwrap();
    let panicked = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let _whole = region.lock().unwrap();
            panic!("on purpose");
        });
        thread.join().is_err()
    });
    assert!(panicked);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _range = region.lock_range(3..4).unwrap();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert!(!region.try_lock().unwrap().holder_died(), "a panic is no death: the guard was given back");
}

#[test]
fn threads_count_right_under_one_lock() {
    let dir = directory();
    let store = store(&dir);
    store.region("key").size(8).create().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let region = store.region("key").attach(Timeout::Now).unwrap();
                for round in 0..500 {
                    let mut guard = match (thread + round) % 2 {
                        0 => region.lock().unwrap(),
                        _ => region.lock_range(..).unwrap(),
                    };
                    let count = u64::from_le_bytes(*guard.first_chunk().unwrap());
                    guard.copy_from_slice(&(count + 1).to_le_bytes());
                }
            });
        }
    });
    assert_eq!(store.region("key").attach(Timeout::Now).unwrap().get::<u64>(0).unwrap(), 2000);
}

#[test]
fn two_pid_namespaces_exclude_each_other() {
    const TEST: &str = "two_pid_namespaces_exclude_each_other";
    if let Some(role) = role() {
        holder(&role);
    }
    if !is_root()
        || Command::new("unshare").args(["--pid", "--fork", "true"]).status().is_ok_and(|it| !it.success())
    {
        return println!("SKIPPED: a new pid namespace needs root and unshare(1)");
    }
    let dir = directory();
    let region = store(&dir).region("key").size(100).create().unwrap();
    // Both are process 1 of their namespaces.
    let namespaced = |role: &str| {
        let inner = other(TEST, &format!("{role} {}", dir.path().display()));
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child"]).arg(inner.get_program()).args(inner.get_args());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    };
    let mut process = Other::start(namespaced("hold"));
    assert_eq!(process.hear(), "locked");
    assert_eq!(errno(region.try_lock()), Errno::EAGAIN as i32);
    assert_eq!(told_by(namespaced("try")), [(Errno::EAGAIN as i32).to_string()]);
    process.kill();
    assert!(region.lock_within(Duration::from_secs(2)).unwrap().holder_died());
    assert_eq!(told_by(namespaced("try")), ["0"]);
}

#[test]
fn a_signal_every_millisecond_interrupts_nothing() {
    const TEST: &str = "a_signal_every_millisecond_interrupts_nothing";
    if let Some(role) = role() {
        let (role, dir) = role.split_once(' ').unwrap();
        if role != "signals" {
            holder(&format!("{role} {dir}"));
        }
        extern "C" fn nothing(_: i32) {}
        use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
        let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing; no SA_RESTART, so that system calls are interrupted.
        unsafe { sigaction(Signal::SIGALRM, &action) }.unwrap();
        let every = nix::libc::itimerval {
            it_interval: nix::libc::timeval { tv_sec: 0, tv_usec: 1000 },
            it_value: nix::libc::timeval { tv_sec: 0, tv_usec: 1000 },
        };
        // SAFETY: setitimer(2) reads the one and writes nothing.
        assert_eq!(unsafe { nix::libc::setitimer(nix::libc::ITIMER_REAL, &every, std::ptr::null_mut()) }, 0);
        let store = store(dir);
        let region = store.region("key").attach(Timeout::Now).unwrap();
        let time = Duration::from_millis(200);
        let start = Instant::now();
        assert_eq!(errno(region.lock_within(time)), Errno::ETIMEDOUT as i32);
        assert_eq!(errno(region.wait(Timeout::Within(time))), Errno::ETIMEDOUT as i32);
        assert_eq!(errno(store.region("absent").attach(Timeout::Within(time))), Errno::ETIMEDOUT as i32);
        let guard = store.region("own").size(1).create().unwrap();
        let _held = guard.lock().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(errno(guard.lock_within(time)), Errno::ETIMEDOUT as i32));
        });
        assert!(start.elapsed() >= 4 * time, "{:?}", start.elapsed());
        // Allocating takes longer than a millisecond.
        let large = store.region("large").size(64 << 20).create().unwrap();
        large.put((64 << 20) - 8, 1u64).unwrap();
        large.save(std::path::Path::new(dir).join("large.grv")).unwrap();
        large.load(std::path::Path::new(dir).join("large.grv")).unwrap();
        tell("done");
        done();
    }
    let dir = directory();
    let _region = store(&dir).region("key").size(100).create().unwrap();
    let mut process = Other::start(other(TEST, &format!("hold {}", dir.path().display())));
    assert_eq!(process.hear(), "locked");
    assert_eq!(told_by(other(TEST, &format!("signals {}", dir.path().display()))), ["done"]);
}

#[test]
fn five_thousand_attachments_of_one_process_share_its_descriptors() {
    use nix::sys::resource::{Resource, setrlimit};
    if let Some(role) = role() {
        setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
        let store = store(role);
        let first = store.region("key").attach(Timeout::Now).unwrap();
        let before = open_descriptors();
        let all: Vec<Region> = (0..5000).map(|_| store.region("key").attach(Timeout::Now).unwrap()).collect();
        assert_eq!(open_descriptors(), before);
        all[4999].put(0, 1u8).unwrap();
        tell(first.attached().unwrap());
        let none: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        assert!(none.last().is_some_and(|file| file.as_raw_fd() < 64));
        tell(errno(store.region("key").attach(Timeout::Now)));
        tell(first.get::<u8>(0).unwrap());
        done();
    }
    let dir = directory();
    let region = store(&dir).region("key").size(100).create().unwrap();
    let test = "five_thousand_attachments_of_one_process_share_its_descriptors";
    let told = told_by(other(test, dir.path().to_str().unwrap()));
    assert_eq!(told, ["5002", &(Errno::EMFILE as i32).to_string(), "1"]);
    until(|| region.attached().unwrap() == 1);
}
