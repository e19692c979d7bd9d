//! Who is attached: the kernel's account, without descriptors, right after any death.

mod support;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use graven::{ErrorKind, Timeout};
use nix::sys::resource::{Resource, setrlimit};
use support::*;

/// Attaches to `one` in the directory of the role, says so, and stays. Whether this process is to do that.
fn be_attached() -> bool {
    let Some(dir) = role().filter(|role| role != "alone") else { return false };
    let reader = store(dir).reader::<u64>("one", SOON).unwrap();
    tell(reader.attached().unwrap());
    wait_for_go();
    drop(reader);
    done();
}

fn attached(test: &str, dir: &std::path::Path, count: usize) -> Vec<Other> {
    let mut processes: Vec<Other> = Vec::new();
    for number in 1..=count {
        let mut process = Other::start(other(test, &dir.display().to_string()));
        assert_eq!(process.hear(), number.to_string());
        processes.push(process);
    }
    processes
}

#[test]
fn five_thousand_attachments_need_no_descriptors() {
    let test = "five_thousand_attachments_need_no_descriptors";
    if !alone(test) {
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64).unwrap();
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    let descriptors = open_descriptors();
    let mut readers: Vec<_> = (0..5000).map(|_| store.reader::<u64>("one", Timeout::Now).unwrap()).collect();
    assert_eq!(open_descriptors(), descriptors);
    let start = Instant::now();
    assert_eq!(owner.attached().unwrap(), 5000);
    tell(format!("counted in {:?}", start.elapsed()));
    // Each can go on to the next generation, and needs no descriptor for that either.
    owner.publish(&8u64).unwrap();
    for reader in &mut readers {
        assert_eq!(**reader.latest().unwrap(), 8);
    }
    assert_eq!(open_descriptors(), descriptors);
    readers.truncate(1234);
    assert_eq!(owner.attached().unwrap(), 1234);
    // A clone is the same attachment.
    let clones: Vec<_> = readers.iter().take(10).cloned().collect();
    assert_eq!(owner.attached().unwrap(), 1234);
    readers.clear();
    assert_eq!(owner.attached().unwrap(), 10);
    drop(clones);
    assert_eq!(owner.attached().unwrap(), 0);
    done();
}

#[test]
fn the_killed_are_not_counted() {
    if be_attached() {
        return;
    }
    let test = "the_killed_are_not_counted";
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    let mut processes = attached(test, directory.path(), 5);
    assert_eq!((owner.attached().unwrap(), store.stat("one").unwrap().attached), (5, 5));
    processes.pop().unwrap().kill();
    processes.pop().unwrap().kill();
    assert_eq!((owner.attached().unwrap(), store.stat("one").unwrap().attached), (3, 3));
    // Those who leave by themselves neither.
    for left in [2, 1, 0] {
        assert!(processes.pop().unwrap().go().success());
        assert_eq!(owner.attached().unwrap(), left);
    }
    assert_eq!(store.list().unwrap(), ["one"], "it is kept unless that was asked for");
}

#[test]
fn the_last_one_out_ends_a_name_that_is_to_end_with_it() {
    if be_attached() {
        return;
    }
    let test = "the_last_one_out_ends_a_name_that_is_to_end_with_it";
    let directory = directory();
    let store = store(&directory);
    let create = || {
        let mut owner = store.owner_options("one").delete_on_last_detach(true).open().unwrap();
        owner.publish(&7u64).unwrap();
        owner
    };
    // Readers last: 3, 2, 1, 0.
    let owner = create();
    let mut processes = attached(test, directory.path(), 3);
    drop(owner);
    for left in [2, 1] {
        assert!(processes.pop().unwrap().go().success());
        assert_eq!(store.stat("one").unwrap().attached, left);
        assert_eq!(store.sweep().unwrap(), [""; 0], "somebody is attached");
    }
    assert!(processes.pop().unwrap().go().success());
    assert_eq!(names_in(directory.path()), [""; 0]);

    // The owner last.
    let owner = create();
    for process in attached(test, directory.path(), 2) {
        assert!(process.go().success());
    }
    assert_eq!(store.stat("one").unwrap().attached, 0);
    assert!(store.stat("one").unwrap().delete_on_last_detach);
    drop(owner);
    assert_eq!(names_in(directory.path()), [""; 0]);

    // Killed, all of them: sweep, and not before.
    let owner = create();
    let mut processes = attached(test, directory.path(), 5);
    drop(owner);
    for _ in 0..2 {
        processes.pop().unwrap().kill();
    }
    assert_eq!(store.sweep().unwrap(), [""; 0], "three are attached");
    assert_eq!(store.stat("one").unwrap().attached, 3);
    for process in processes {
        process.kill();
    }
    assert_eq!(store.list().unwrap(), ["one"], "nobody was left to end it");
    assert_eq!(store.sweep().unwrap(), ["one"]);
    assert_eq!(names_in(directory.path()), [""; 0]);

    // Or the next owner, which begins anew; while somebody is attached it goes on.
    let owner = create();
    let processes = attached(test, directory.path(), 1);
    drop(owner);
    assert_eq!(store.owner("one").unwrap().generation(), 1);
    for process in processes {
        process.kill();
    }
    let next = store.owner("one").unwrap();
    assert_eq!(next.generation(), 0);
    drop(next);
    // What the option says at last counts.
    let mut owner = store.owner_options("one").delete_on_last_detach(true).open().unwrap();
    owner.publish(&7u64).unwrap();
    let reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    drop(owner);
    drop(store.owner_options("one").delete_on_last_detach(false).open().unwrap());
    drop(reader);
    assert_eq!(store.list().unwrap(), ["one"]);
}

#[test]
fn attaching_and_detaching_ten_thousand_times_leaves_nothing() {
    let test = "attaching_and_detaching_ten_thousand_times_leaves_nothing";
    if !alone(test) {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    let (descriptors, maps) = (open_descriptors(), mappings().len());
    for round in 0..10_000u64 {
        let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
        if round % 10 == 0 {
            reader.descriptor().unwrap();
            owner.publish(&round).unwrap();
            assert_eq!(**reader.latest().unwrap(), round);
        }
    }
    assert_eq!(open_descriptors(), descriptors);
    assert!(mappings().len() < maps + 5);
    assert_eq!(owner.attached().unwrap(), 0);
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    owner.retire().unwrap();
    assert_eq!(reader.latest().unwrap_err().kind(), ErrorKind::Retired);
    done();
}

#[test]
fn those_who_attach_while_the_last_leaves_have_the_name_or_find_it_absent() {
    let directory = directory();
    let store = store(&directory);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 1..=500u64 {
                let mut owner = store.owner_options("one").delete_on_last_detach(true).open().unwrap();
                owner.publish(&round).unwrap();
            }
            over.store(true, Relaxed);
        });
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    match store.reader::<u64>("one", Timeout::Now) {
                        // Attached, so it does not end.
                        Ok(mut reader) => {
                            for _ in 0..3 {
                                reader.latest().unwrap();
                            }
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                    }
                }
            });
        }
    });
    store.sweep().unwrap();
    assert_eq!(names_in(directory.path()), [""; 0]);
}
