//! Who is attached is counted by locks that the kernel takes back, so the last one out, or a sweep, can remove a region.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use graven::{Region, Store, Timeout};
use nix::errno::Errno;
use support::*;

fn attached_is(region: &Region, count: u64) {
    until(|| region.attached().unwrap() == count);
}

fn is_there(store: &Store) -> bool {
    store.regions().unwrap() == ["key"]
}

/// Attaches to `key` in the directory and stays.
fn stay(dir: &str) -> ! {
    let region = store(dir).region("key").size(100).delete_on_last_detach(true).create_or_attach().unwrap();
    tell("attached");
    wait_for_go();
    drop(region);
    tell("detached");
    done()
}

fn start(test: &str, dir: &tempfile::TempDir, count: usize) -> Vec<Other> {
    let start = |_| {
        let mut process = Other::start(other(test, dir.path().to_str().unwrap()));
        assert_eq!(process.hear(), "attached");
        process
    };
    (0..count).map(start).collect()
}

/// [S16.4]
#[test]
fn attachments_are_counted_down_to_the_last_which_removes_the_region() {
    const TEST: &str = "attachments_are_counted_down_to_the_last_which_removes_the_region";
    match role() {
        // In a process of its own: one that another test starts has a copy of the descriptors of the moment.
        None => return drop(told_by(other(TEST, "alone"))),
        Some(role) if role != "alone" => stay(&role),
        Some(_) => {}
    }
    let dir = directory();
    let store = store(&dir);
    let region = store.region("key").size(100).delete_on_last_detach(true).create().unwrap();
    let mut processes = start(TEST, &dir, 2);
    for count in [3, 2] {
        attached_is(&region, count);
        assert!(processes.pop().unwrap().go().success());
        assert!(is_there(&store));
    }
    attached_is(&region, 1);
    assert_eq!(store.sweep().unwrap(), Vec::<String>::new());
    drop(region);
    assert!(!is_there(&store));
    assert_eq!(store.region("key").attach(Timeout::Now).unwrap_err().errno(), Errno::ENOENT as i32);
    drop(dir);
    done();
}

#[test]
fn the_killed_do_not_count_and_what_only_they_were_attached_to_is_swept() {
    const TEST: &str = "the_killed_do_not_count_and_what_only_they_were_attached_to_is_swept";
    if let Some(role) = role() {
        stay(&role);
    }
    let dir = directory();
    let store = store(&dir);
    let mut processes = start(TEST, &dir, 5);
    let watcher = store.region("key").attach(Timeout::Now).unwrap();
    attached_is(&watcher, 6);
    for _ in 0..3 {
        processes.pop().unwrap().kill();
    }
    attached_is(&watcher, 3);
    assert_eq!(store.sweep().unwrap(), Vec::<String>::new());
    std::mem::forget(watcher);
    assert!(is_there(&store));
    assert!(processes.pop().unwrap().go().success());
    drop(processes);
    // This process's own attachment was forgotten, not dropped: it is one.
    assert_eq!(store.sweep().unwrap(), Vec::<String>::new());
    assert!(is_there(&store));
}

#[test]
fn a_sweep_frees_what_all_who_were_attached_were_killed_with() {
    const TEST: &str = "a_sweep_frees_what_all_who_were_attached_were_killed_with";
    if let Some(role) = role() {
        stay(&role);
    }
    let dir = directory();
    let store = store(&dir);
    let processes = start(TEST, &dir, 3);
    let kept = store.region("kept").size(1).create().unwrap();
    drop(kept);
    assert_eq!(store.sweep().unwrap(), Vec::<String>::new());
    drop(processes);
    until(|| store.sweep().unwrap() == ["key"]);
    assert_eq!(store.regions().unwrap(), ["kept"], "which outlives its attachments");
    assert_eq!(store.sweep().unwrap(), Vec::<String>::new());
    // A file that is no region is nobody's to remove.
    std::fs::write(dir.path().join("odd.rgn"), b"odd").unwrap();
    assert_eq!(store.sweep().unwrap(), Vec::<String>::new());
    assert_eq!(store.regions().unwrap(), ["kept", "odd"]);
}

#[test]
fn a_stale_key_does_not_keep_anybody_from_starting() {
    const TEST: &str = "a_stale_key_does_not_keep_anybody_from_starting";
    if let Some(role) = role() {
        stay(&role);
    }
    let dir = directory();
    let store = store(&dir);
    let mut processes = start(TEST, &dir, 1);
    let create = || store.region("key").size(7).delete_on_last_detach(true).create();
    assert_eq!(create().unwrap_err().errno(), Errno::EEXIST as i32, "somebody is attached");
    processes.pop().unwrap().kill();
    until(|| create().is_ok_and(|region| region.size() == 7));
    // And one that stays can be taken over as it is.
    drop(store.region("stays").size(7).create().unwrap());
    assert_eq!(store.region("stays").size(7).create().unwrap_err().errno(), Errno::EEXIST as i32);
    assert!(!store.region("stays").size(7).create_or_attach().unwrap().created());
}

#[test]
fn a_forked_child_is_attached_by_what_it_has_mapped() {
    if role().is_none() {
        // In a process of its own: a fork here would take part in what the other tests have mapped.
        told_by(other("a_forked_child_is_attached_by_what_it_has_mapped", "alone"));
        return;
    }
    use nix::sys::wait::waitpid;
    use nix::unistd::{ForkResult, fork, pipe};
    let dir = directory();
    let store = store(&dir);
    let watcher = store.region("key").size(100).delete_on_last_detach(true).create().unwrap();
    let region = store.region("key").attach(Timeout::Now).unwrap();
    let (read, write) = pipe().unwrap();
    // SAFETY: the child runs this thread alone, waits for the pipe to close, and leaves by `_exit`.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop(write);
            let _ = nix::unistd::read(&read, &mut [0]);
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(read);
            assert_eq!(watcher.attached().unwrap(), 2, "parent and child count once per handle");
            drop(region);
            assert_eq!(watcher.attached().unwrap(), 2, "the child has it mapped");
            drop(write);
            waitpid(child, None).unwrap();
            attached_is(&watcher, 1);
        }
    }
    drop((watcher, dir));
    done();
}

#[test]
fn of_ten_thousand_recreations_every_id_is_another() {
    let dir = directory();
    let store = store(&dir);
    let rounds = if cfg!(debug_assertions) { 3_000 } else { 10_000 };
    let create = |_| loop {
        match store.region("key").size(1).delete_on_last_detach(true).create() {
            Ok(region) => return region.id(),
            // A process that another test starts has a copy of the descriptors of the moment, until it calls exec.
            Err(error) => assert_eq!(error.errno(), Errno::EEXIST as i32),
        }
    };
    let ids: HashSet<u64> = (0..rounds).map(create).collect();
    assert_eq!(ids.len(), rounds);
    until(|| store.sweep().is_ok() && store.regions().unwrap().is_empty());
}

#[test]
fn handles_that_come_and_go_together_leave_no_region_without_a_holder_and_none_behind() {
    let dir = directory();
    let store = store(&dir);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..300 {
                    let region =
                        store.region("key").size(8).delete_on_last_detach(true).create_or_attach().unwrap();
                    let mut guard = region.lock_within(Duration::from_secs(10)).unwrap();
                    guard[0] = guard[0].wrapping_add(1);
                    drop(guard);
                    // Whoever is attached has the name: nobody else's end took it away.
                    let again = store.region("key").attach(Timeout::Now).unwrap();
                    assert_eq!(again.id(), region.id());
                }
            });
        }
    });
    until(|| store.sweep().is_ok() && store.regions().unwrap().is_empty());
}
