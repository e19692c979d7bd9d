//! Forks: a child has none of its parent's locks, whoever forked it.

use super::*;

#[test]
fn a_holder_killed_with_a_forked_child_alive_is_reported_all_the_same() {
    const TEST: &str = "forks::a_holder_killed_with_a_forked_child_alive_is_reported_all_the_same";
    if let Some(role) = role() {
        holder(&role);
    }
    let dir = directory();
    let region = store(&dir).region("key").size(100).create().unwrap();
    let mut process = Other::start(other(TEST, &format!("fork-and-hold {}", dir.path().display())));
    let child = Pid::from_raw(process.hear().parse().unwrap());
    let killed = Instant::now();
    process.kill();
    let guard = region.lock_within(Duration::from_secs(2)).unwrap();
    println!("told {:?} after the kill", killed.elapsed());
    assert!(guard.holder_died());
    kill(child, None).expect("the child lives on");
    kill(child, Signal::SIGKILL).unwrap();
}

/// What a forked child finds of its parent's handles; 0 if all is as it should be.
fn in_child(region: &Region, dir: &std::path::Path) -> i32 {
    let eperm = |result: graven::Result<()>| result.is_err_and(|error| error.errno() == Errno::EPERM as i32);
    let forked = [
        eperm(region.lock().map(drop)),
        eperm(region.try_lock_range(0..1).map(drop)),
        eperm(region.lock_shared(.., Timeout::Now).map(drop)),
        eperm(region.put(0, 1u8)),
        eperm(region.get::<u8>(0).map(drop)),
        eperm(region.notify()),
        eperm(region.notify_once()),
        eperm(region.wait(Timeout::Now)),
        eperm(region.unlink()),
        eperm(region.chmod(0o600)),
        eperm(region.chown(None, None)),
        eperm(region.attached().map(drop)),
        eperm(region.save(dir.join("saved.grv")).map(drop)),
    ];
    let again = store(dir).region("key").attach(Timeout::Now).is_ok();
    forked.iter().position(|right| !right).map_or(i32::from(!again) * 100, |wrong| wrong as i32 + 1)
}

#[test]
fn a_forked_child_has_to_attach_again_and_its_parents_guard_is_none_of_its() {
    let dir = directory();
    let region = store(&dir).region("key").size(100).delete_on_last_detach(true).create().unwrap();
    let guard = region.lock_range(5..6).unwrap();
    // SAFETY: the child runs this thread alone and leaves by `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let code = in_child(&region, dir.path());
            drop(guard);
            drop(region);
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            assert_eq!(guard.len(), 1);
            let other = store(&dir).region("key").attach(Timeout::Now).unwrap();
            assert_eq!(errno(other.try_lock_range(5..6)), Errno::EAGAIN as i32, "still locked");
        }
    }
}

#[test]
fn a_guard_gives_a_forked_child_no_bytes() {
    if !alone("forks::a_guard_gives_a_forked_child_no_bytes") {
        return;
    }
    let dir = directory();
    let region = store(&dir).region("key").size(8).create().unwrap();
    let mut guards = [region.lock_range(..4).unwrap()];
    let shared = region.lock_shared(4.., Timeout::Now).unwrap();
    // SAFETY: the child runs this thread alone and leaves by `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            std::panic::set_hook(Box::new(|_| {}));
            let refused = |work: &mut dyn FnMut()| catch_unwind(AssertUnwindSafe(work)).is_err();
            let right = refused(&mut || drop(guards[0].to_vec()))
                && refused(&mut || guards[0].fill(1))
                && refused(&mut || drop(shared.to_vec()));
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(i32::from(!right)) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            guards[0].fill(2);
            assert_eq!((&guards[0][..], &shared[..]), (&[2; 4][..], &[0; 4][..]));
        }
    }
    done();
}

/// Whether the next check of a `Forking` forks, and what of.
static CHECKED: AtomicI32 = AtomicI32::new(0);

#[graven::object]
#[rkyv(bytecheck(verify))]
struct Forking {
    number: u64,
}

mod verify {
    use graven::rkyv::bytecheck::Verify;
    use graven::rkyv::rancor::Fallible;

    use super::*;

    // SAFETY: reads nothing.
    unsafe impl<C: Fallible + ?Sized> Verify<C> for ArchivedForking {
        fn verify(&self, _: &mut C) -> Result<(), C::Error> {
            if CHECKED.swap(0, Ordering::Relaxed) != 0 {
                // SAFETY: the child runs this thread alone and leaves by `_exit`.
                if let ForkResult::Parent { child } = unsafe { fork() }.unwrap() {
                    let status = waitpid(child, None).unwrap();
                    CHECKED
                        .store(if status == WaitStatus::Exited(child, 0) { 2 } else { 3 }, Ordering::Relaxed);
                }
            }
            Ok(())
        }
    }
}

#[test]
fn a_child_that_a_check_of_the_value_forks_has_no_lock() {
    let test = "forks::a_child_that_a_check_of_the_value_forks_has_no_lock";
    if let Some(dir) = role() {
        let region = store(dir).region("key").attach_as::<Forking>(Timeout::Now).unwrap();
        let _guard = region.lock().unwrap();
        // Dies with it, so that the next has to check.
        done();
    }
    let dir = directory();
    let region = store(&dir).region("key").create_with(&Forking { number: 7 }).unwrap();
    for exclusive in [true, false] {
        told_by(other(test, dir.path().to_str().unwrap()));
        let parent = std::process::id();
        CHECKED.store(1, Ordering::Relaxed);
        let locked = match exclusive {
            true => region.lock().map(|guard| guard.number.to_native()),
            false => region.lock_shared(Timeout::Forever).map(|guard| guard.number.to_native()),
        };
        if std::process::id() != parent {
            let refused = locked.is_err_and(|error| error.errno() == Errno::EPERM as i32);
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(i32::from(!refused)) }
        }
        assert_eq!(locked.unwrap(), 7);
        assert_eq!(CHECKED.swap(0, Ordering::Relaxed), 2);
    }
}

#[test]
fn children_forked_by_another_thread_leave_no_lock_stuck_and_exclude_nobody() {
    if role().is_none() {
        // In a process of its own: the children keep open what the other tests have open.
        told_by(other(
            "forks::children_forked_by_another_thread_leave_no_lock_stuck_and_exclude_nobody",
            "alone",
        ));
        return;
    }
    let dir = directory();
    let store = store(&dir);
    let region = store.region("key").size(64).create().unwrap();
    let forking = AtomicBool::new(true);
    let children = if cfg!(debug_assertions) { 300 } else { 1000 };
    let mut alive = Vec::new();
    std::thread::scope(|scope| {
        for slot in 0..2 {
            let (store, forking) = (&store, &forking);
            scope.spawn(move || {
                while forking.load(Ordering::Relaxed) {
                    // Handles come and go, too: their descriptors are opened while the other thread forks.
                    let region = store.region("key").attach(Timeout::Now).unwrap();
                    for _ in 0..20 {
                        let mut guard = region
                            .lock_range_within(8 * slot..8 * slot + 8, Duration::from_secs(20))
                            .unwrap();
                        guard[0] = guard[0].wrapping_add(1);
                    }
                    drop(region.lock_within(Duration::from_secs(20)).unwrap());
                }
            });
        }
        for round in 0..children {
            // SAFETY: the child runs this thread alone; it attaches, locks for a moment and sleeps, or only sleeps.
            match unsafe { fork() }.unwrap() {
                ForkResult::Child => {
                    let locked = round % 10 != 0 || {
                        let attached = self::store(&dir).region("key").attach(Timeout::Now);
                        attached.is_ok_and(|region| region.lock_within(Duration::from_secs(20)).is_ok())
                    };
                    if locked {
                        std::thread::sleep(Duration::from_secs(60));
                    }
                    // SAFETY: `_exit` asks for nothing.
                    unsafe { nix::libc::_exit(1) }
                }
                ForkResult::Parent { child } => alive.push(child),
            }
        }
        forking.store(false, Ordering::Relaxed);
    });
    // All children live on, and every byte can be locked.
    for _ in 0..100 {
        drop(region.lock_within(Duration::from_secs(2)).unwrap());
    }
    for child in alive {
        kill(child, Signal::SIGKILL).unwrap();
        assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Signaled(..)), "it ended by itself");
    }
    drop(region.try_lock().unwrap());
    drop(dir);
    done();
}
