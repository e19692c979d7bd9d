//! How names end: with their owners or on purpose, done or half done.

use super::*;

/// [S17.3a]
#[test]
fn the_next_owner_of_a_killed_one_goes_on_counting_and_its_readers_go_on_reading() {
    if be_owner() {
        return;
    }
    let test = "ends::the_next_owner_of_a_killed_one_goes_on_counting_and_its_readers_go_on_reading";
    let directory = directory();
    let store = store(&directory);
    let process = owner_process(test, directory.path(), "persistent");
    let mut reader = store.reader::<u64>("one", SOON).unwrap();
    assert!(reader.owner_alive());
    check(&store.owner("one").unwrap_err(), ErrorKind::Busy, Errno::EBUSY);
    check(&store.remove("one").unwrap_err(), ErrorKind::Busy, Errno::EBUSY);
    assert_eq!(store.stat("one").unwrap().owner, Some(process.id()));
    process.kill();
    until(|| !reader.owner_alive());
    assert_eq!(**reader.latest().unwrap(), 7);
    assert_eq!(store.stat("one").unwrap().owner, None);
    // It may be followed by another, so this is no end.
    let error = reader.wait(Timeout::Within(Duration::from_millis(60))).unwrap_err();
    check(&error, ErrorKind::TimedOut, Errno::ETIMEDOUT);
    assert_eq!(store.sweep().unwrap(), [""; 0]);
    assert_eq!(**store.reader::<u64>("one", Timeout::Now).unwrap().current(), 7);
    let mut next = store.owner("one").unwrap();
    assert_eq!(next.generation(), 1);
    assert_eq!(next.publish(&8u64).unwrap(), 2);
    assert_eq!(**reader.wait(SOON).unwrap(), 8);
    assert_eq!(names_in(directory.path()), FILES);
}

#[test]
fn a_name_that_lives_as_long_as_its_process_ends_with_it_also_by_sigkill() {
    if be_owner() {
        return;
    }
    let test = "ends::a_name_that_lives_as_long_as_its_process_ends_with_it_also_by_sigkill";
    let directory = directory();
    let store = store(&directory);
    let process = owner_process(test, directory.path(), "process");
    let mut reader = store.reader::<u64>("one", SOON).unwrap();
    let mut waiting = reader.clone();
    let waiter = thread::spawn(move || (waiting.wait(SOON).unwrap_err(), Instant::now()));
    thread::sleep(Duration::from_millis(30));
    let killed = Instant::now();
    process.kill();
    let (error, told) = waiter.join().unwrap();
    let message = check(&error, ErrorKind::Retired, Errno::ESTALE);
    assert!(matches!(error.cause(), Cause::OwnerGone) && message.contains("owner is gone"), "{message}");
    println!("told after {:?}", told - killed);
    assert!(told - killed < Duration::from_secs(2));
    // Nobody has marked it yet: what there was can be read, but nobody attaches any more.
    assert_eq!(**reader.latest().unwrap(), 7);
    check(&store.reader::<u64>("one", Timeout::Now).unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    // With a descriptor it is noticed by `latest` too.
    let mut watching = reader.clone();
    watching.descriptor().unwrap();
    check(&watching.latest().unwrap_err(), ErrorKind::Retired, Errno::ESTALE);

    // The next owner ends it first, and starts anew.
    let mut next = store.owner("one").unwrap();
    assert_eq!(next.generation(), 0);
    check(&reader.latest().unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
    assert_eq!(next.publish(&8u64).unwrap(), 1);
    check(&reader.wait(SOON).unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
    assert_eq!(**reader.current(), 7);
    assert_eq!(**store.reader::<u64>("one", Timeout::Now).unwrap().current(), 8);
    // That one persists: what was set for the one before is not.
    drop(next);
    assert_eq!(store.stat("one").unwrap().lifetime, Lifetime::Persistent);

    // sweep marks it as well.
    store.remove("one").unwrap();
    let process = owner_process(test, directory.path(), "process");
    let mut reader = store.reader::<u64>("one", SOON).unwrap();
    assert_eq!(store.sweep().unwrap(), [""; 0]);
    process.kill();
    until(|| !reader.owner_alive());
    assert_eq!(store.sweep().unwrap(), ["one"]);
    check(&reader.latest().unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
    assert_eq!(names_in(directory.path()), [""; 0]);

    // Dropping such an owner retires the name.
    let mut owner = store.owner_options("one").lifetime(Lifetime::Process).open().unwrap();
    owner.publish(&9u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    drop(owner);
    let error = reader.latest().unwrap_err();
    assert!(matches!(error.cause(), Cause::Retired), "{error}");
    assert_eq!(names_in(directory.path()), [""; 0]);
}

/// [S17.2]
#[test]
fn what_an_owner_told_of_before_it_died_is_given_before_its_death_is_told() {
    if be_owner() {
        return;
    }
    let test = "ends::what_an_owner_told_of_before_it_died_is_given_before_its_death_is_told";
    let directory = directory();
    let store = store(&directory);
    let process = owner_process(test, directory.path(), "process,twice");
    let mut reader = store.reader::<u64>("one", SOON).unwrap();
    reader.descriptor().unwrap();
    assert_eq!(**reader.latest().unwrap(), 7);
    assert!(!process.go().success());
    assert_eq!(**reader.latest().unwrap(), 8);
    let error = reader.latest().unwrap_err();
    assert!(matches!(error.cause(), Cause::OwnerGone), "{error}");
}

#[test]
fn a_name_whose_owner_died_before_publishing_is_not_there() {
    if be_owner() {
        return;
    }
    let test = "ends::a_name_whose_owner_died_before_publishing_is_not_there";
    let directory = directory();
    let store = store(&directory);
    for again in [false, true] {
        let process = owner_process(test, directory.path(), "silent");
        check(&store.reader::<u64>("one", Timeout::Now).unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
        assert_eq!(store.list().unwrap(), [""; 0]);
        assert_eq!(store.stat("one").unwrap().generation, 0);
        process.kill();
        check(&store.reader::<u64>("one", Timeout::Now).unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
        match again {
            false => until(|| store.sweep().unwrap() == ["one"]),
            true => drop(store.owner("one").unwrap()),
        }
    }
    assert_eq!(store.sweep().unwrap(), ["one"]);
    assert_eq!(names_in(directory.path()), [""; 0]);
}

/// [S17.2]
#[test]
fn a_retired_name_can_be_used_anew_and_old_readers_are_told_rather_than_given_the_new() {
    let directory = directory();
    let store = store(&directory);
    let mut old = Vec::new();
    for round in 0..50u64 {
        let mut owner = store.owner("one").unwrap();
        assert_eq!(owner.publish(&round).unwrap(), 1);
        old.push(store.reader::<u64>("one", Timeout::Now).unwrap());
        owner.retire().unwrap();
        assert_eq!(names_in(directory.path()), [""; 0]);
    }
    store.owner("one").unwrap().publish(&99u64).unwrap();
    for (round, mut reader) in (0..).zip(old) {
        check(&reader.latest().unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
        check(&reader.wait(Timeout::Forever).unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
        check(&reader.attached().unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
        assert!(!reader.owner_alive() || store.stat("one").unwrap().owner.is_some());
        assert_eq!(**reader.current(), round);
    }
}

/// [S17.5]
#[test]
fn a_half_done_end_is_finished_by_the_next_owner_or_by_sweep() {
    let directory = directory();
    let store = store(&directory);
    // An end in which each number of files has been removed, in the order in which they are.
    for removed in 0..4 {
        for next in [false, true] {
            let mut owner = store.owner("one").unwrap();
            owner.publish(&7u64).unwrap();
            let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
            let kept = tempfile::tempdir_in(directory.path()).unwrap();
            for file in FILES {
                fs::hard_link(directory.path().join(file), kept.path().join(file)).unwrap();
            }
            owner.retire().unwrap();
            for file in &["one.grv", "one.ctl", "one.life", "one.own"][removed..] {
                fs::rename(kept.path().join(file), directory.path().join(file)).unwrap();
            }
            drop(kept);
            check(&reader.latest().unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
            check(&store.reader::<u64>("one", Timeout::Now).unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
            if next {
                let mut owner = store.owner("one").unwrap();
                assert_eq!(owner.publish(&8u64).unwrap(), 1);
                owner.retire().unwrap();
            } else {
                assert_eq!(store.sweep().unwrap(), ["one"]);
            }
            assert_eq!(names_in(directory.path()), [""; 0], "{removed} removed");
        }
    }
}

#[test]
fn remove_ends_a_name_that_nobody_owns() {
    let directory = directory();
    let store = store(&directory);
    check(&store.remove("one").unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    check(&store.remove("one").unwrap_err(), ErrorKind::Busy, Errno::EBUSY);
    drop(owner);
    store.remove("one").unwrap();
    check(&reader.latest().unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
    check(&store.remove("one").unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    assert_eq!(names_in(directory.path()), [""; 0]);
}
