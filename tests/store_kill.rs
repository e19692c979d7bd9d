//! Processes killed at any moment: whoever looks has a whole generation, old or new, and the next one goes on.
//!
//! A process is killed (SIGKILL) at each entry to a system call and each return from one of what it does, then the
//! promises are checked. Then publishers that take over from each other are killed at random, a thousand times.

mod support;
#[path = "support/trace.rs"]
mod trace;

use std::fs;
use std::path::Path;
use std::time::Duration;

use graven::{Error, ErrorKind, Lifetime, Segment, Store, Timeout};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use support::*;
use trace::kill_at_every_system_call;

const FILES: [&str; 4] = ["one.ctl", "one.grv", "one.life", "one.own"];

/// A value that nothing else makes by accident.
fn value(stamp: u64) -> Vec<u64> {
    (0..3000).map(|n| stamp * 10_000 + n).collect()
}

fn check(segment: &Segment, stamps: &[u64]) -> u64 {
    segment.verify().unwrap();
    let numbers = segment.root::<Vec<u64>>().unwrap();
    let stamp = numbers[0] / 10_000;
    assert!(stamps.contains(&stamp), "{stamp} is none of {stamps:?}");
    assert_eq!(*numbers, value(stamp));
    stamp
}

/// What is published is one of these, or nothing if that may be. Returns the stamp, 0 for nothing.
fn published(store: &Store, stamps: &[u64]) -> u64 {
    match store.segments("one", Timeout::Now) {
        Ok(tables) => check(tables.current(), stamps),
        Err(error) => {
            assert!(stamps.contains(&0), "{error}");
            absent(&error);
            0
        }
    }
}

fn absent(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

/// After a death the next owner publishes, and nothing is left but the name's files; then it ends the name.
fn the_next_goes_on(store: &Store, sweep: bool) {
    if sweep {
        store.sweep().unwrap();
        let mut names = names_in(store.path());
        if !names.is_empty() && !names.contains(&FILES[2].to_owned()) {
            // Killed before it had a FIFO of its own. The next owner makes one anyway.
            names.insert(2, FILES[2].to_owned());
        }
        assert!(names.is_empty() || names == FILES, "{names:?}");
    }
    let mut owner = store.owner("one").unwrap();
    let generation = owner.publish(&value(9)).unwrap();
    let tables = store.segments("one", Timeout::Now).unwrap();
    assert_eq!(check(tables.current(), &[9]), 9);
    assert_eq!(tables.generation(), generation);
    assert_eq!(names_in(store.path()), FILES);
    owner.retire().unwrap();
    assert_eq!(names_in(store.path()), [""; 0]);
}

#[test]
fn a_creator_killed_at_any_system_call_leaves_a_whole_name_or_none() {
    if !alone("a_creator_killed_at_any_system_call_leaves_a_whole_name_or_none") {
        return;
    }
    for lifetime in [Lifetime::Persistent, Lifetime::Process] {
        let directory = directory();
        let store = store(&directory);
        let mut round = 0;
        let (mut none, mut whole) = (0, 0);
        let create = || {
            let mut owner = store.owner_options("one").lifetime(lifetime).open().unwrap();
            owner.publish(&value(1)).unwrap();
            // Its end is not what is looked at.
            std::process::exit(0);
        };
        let kills = kill_at_every_system_call(create, |_| {
            let there = published(&store, &[0, 1]);
            none += usize::from(there == 0);
            whole += usize::from(there == 1);
            assert!(lifetime == Lifetime::Persistent || there == 0, "it is to end with its process");
            the_next_goes_on(&store, round % 2 == 0);
            round += 1;
        });
        tell(format!("{lifetime:?}: {kills} kills: {none} left nothing, {whole} a name"));
        assert!(kills > 40 && none > 20);
    }
    done();
}

#[test]
fn an_owner_killed_at_any_system_call_leaves_the_old_or_the_new_generation() {
    if !alone("an_owner_killed_at_any_system_call_leaves_the_old_or_the_new_generation") {
        return;
    }
    for durable in [false, true] {
        let directory = directory();
        let store = store(&directory);
        let before = || {
            let mut owner = store.owner("one").unwrap();
            owner.publish(&value(1)).unwrap();
            drop(owner);
            store.segments("one", Timeout::Now).unwrap()
        };
        let mut reader = before();
        let (mut round, mut old, mut new) = (0, 0, 0);
        let publish = || {
            let mut owner = store.owner_options("one").durable(durable).open().unwrap();
            owner.publish_with(|draft| draft.put("", &value(2))).unwrap();
            owner.publish_with(|draft| draft.keep("")).unwrap();
            std::process::exit(0);
        };
        let kills = kill_at_every_system_call(publish, |killed| {
            // Who attaches now, who has been attached, and who waits, all have a whole one; nobody goes back.
            let there = published(&store, &[1, 2]);
            assert!(killed || there == 2);
            let generation = reader.generation();
            assert!([1, there].contains(&check(reader.latest().unwrap(), &[1, 2])));
            if there == 2 && reader.generation() == generation {
                // It died before it could tell.
                assert_eq!(check(reader.wait(Timeout::Now).unwrap(), &[2]), 2);
            }
            assert!(reader.generation() >= generation);
            old += usize::from(there == 1);
            new += usize::from(there == 2);
            let published = reader.generation();
            the_next_goes_on(&store, round % 2 == 0);
            assert_eq!(reader.latest().unwrap_err().kind(), ErrorKind::Retired);
            assert_eq!(reader.generation(), published);
            reader = before();
            round += 1;
        });
        tell(format!("durable {durable}: {kills} kills: {old} left the old generation, {new} a new one"));
        assert!(old > 20 && new > 20);
    }
    done();
}

#[test]
fn a_name_whose_end_is_killed_at_any_system_call_is_there_or_ends() {
    if !alone("a_name_whose_end_is_killed_at_any_system_call_is_there_or_ends") {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    let before = |last: bool| {
        let mut owner = store.owner_options("one").delete_on_last_detach(last).open().unwrap();
        owner.publish(&value(1)).unwrap();
        let reader = store.segments("one", Timeout::Now).unwrap();
        drop(owner);
        reader
    };
    for what in ["retire", "remove", "last detach"] {
        let last = what == "last detach";
        // The one that ends it is to be the last.
        let mut reader = (!last).then(|| before(false));
        let (mut round, mut there, mut gone) = (0, 0, 0);
        let kills = kill_at_every_system_call(
            || {
                match what {
                    "retire" => store.owner("one").unwrap().retire().unwrap(),
                    "remove" => store.remove("one").unwrap(),
                    _ => drop(before(true)),
                }
                std::process::exit(0);
            },
            |killed| {
                match published(&store, &[0, 1]) {
                    0 => gone += 1,
                    _ => there += 1,
                }
                if let Some(reader) = &mut reader {
                    let retired = reader.latest().is_err_and(|error| error.kind() == ErrorKind::Retired);
                    assert!(killed || retired);
                    assert_eq!(check(reader.current(), &[1]), 1);
                }
                the_next_goes_on(&store, round % 2 == 0);
                round += 1;
                if !last {
                    reader = Some(before(last));
                }
            },
        );
        tell(format!("{what}: {kills} kills: {there} left the name, {gone} none"));
        assert!(there > 0 && gone > 0);
        drop(reader);
        let _ = store.remove("one");
    }
    done();
}

#[test]
fn a_save_killed_at_any_system_call_leaves_the_old_or_the_new_file() {
    if !alone("a_save_killed_at_any_system_call_leaves_the_old_or_the_new_file") {
        return;
    }
    let [directory, elsewhere] = [(); 2].map(|()| directory());
    let store = store(&directory);
    store.owner("one").unwrap().publish(&value(2)).unwrap();
    let file = elsewhere.path().join("saved.grv");
    for there in [false, true] {
        let before = |file: &Path| match there {
            true => drop(graven::write(file, &value(1)).unwrap()),
            false => drop(fs::remove_file(file)),
        };
        before(&file);
        let (mut old, mut new, mut left) = (0, 0, 0);
        let save = || {
            store.save("one", &file).unwrap();
            std::process::exit(0);
        };
        let kills = kill_at_every_system_call(save, |killed| {
            match map(&file) {
                Ok(segment) => match check(&segment, if there { &[1, 2] } else { &[2] }) {
                    1 => old += 1,
                    _ => new += 1,
                },
                Err(error) => {
                    assert!(!there);
                    absent(&error);
                    old += 1;
                }
            }
            assert!(killed || new > 0);
            // At most the second name of a file that is whole, which the next save removes.
            left += names_in(elsewhere.path()).iter().filter(|name| name.starts_with(".graven-")).count();
            graven::write(&file, &value(1)).unwrap();
            graven::write(&file, &value(1)).unwrap();
            assert_eq!(names_in(elsewhere.path()), ["saved.grv"]);
            before(&file);
        });
        tell(format!("{kills} kills: {old} left the old file, {new} the new one, {left} a second name"));
        assert!(old > 20 && new > 0 && (left > 0) == there);
    }
    assert_eq!(names_in(directory.path()), FILES);
    done();
}

#[test]
fn a_load_killed_at_any_system_call_leaves_the_old_or_the_new_generation() {
    if !alone("a_load_killed_at_any_system_call_leaves_the_old_or_the_new_generation") {
        return;
    }
    let [directory, elsewhere] = [(); 2].map(|()| directory());
    let store = store(&directory);
    let file = elsewhere.path().join("saved.grv");
    graven::write(&file, &value(2)).unwrap();
    store.owner("one").unwrap().publish(&value(1)).unwrap();
    let load = || {
        store.load(&file, "one").unwrap();
        std::process::exit(0);
    };
    let (mut old, mut new) = (0, 0);
    let kills = kill_at_every_system_call(load, |_| {
        match published(&store, &[1, 2]) {
            1 => old += 1,
            _ => new += 1,
        }
        the_next_goes_on(&store, true);
        store.owner("one").unwrap().publish(&value(1)).unwrap();
    });
    tell(format!("{kills} kills: {old} left the old generation, {new} the new one"));
    assert!(old > 20 && new > 0);
    done();
}

// ---- at random -----------------------------------------------------------------------------------------------------

const KILLS: usize = 1000;

/// A process that does `work`, for ever.
fn child(work: impl FnOnce()) -> Pid {
    // SAFETY: this process has one thread that does anything; the child leaves by `_exit`, also if it panics.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(1) }
        }
        ForkResult::Parent { child } => child,
    }
}

/// Takes the name whenever nobody has it, and publishes as fast as it can. Two objects of the same stamp: one is new,
/// the other kept or new.
fn publisher(store: &Store, seed: u64) {
    let mut random = Random(seed);
    loop {
        let mut owner = match store.owner("one") {
            Ok(owner) => owner,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
        };
        loop {
            let stamp = random.next() >> 32;
            let length = 1 + random.below(2000);
            let numbers: Vec<u64> = (0..length as u64).map(|n| stamp ^ (n * n)).collect();
            let sum = numbers.iter().fold(stamp, |sum, number| sum.rotate_left(7) ^ number);
            owner
                .publish_with(|draft| {
                    draft.put("numbers", &numbers)?;
                    draft.put("sum", &(stamp, sum))?;
                    match stamp.is_multiple_of(2) && draft.keep("once").is_ok() {
                        true => Ok(()),
                        false => draft.put("once", &"once and for all".to_string()),
                    }
                })
                .unwrap();
            if random.below(50) == 0 {
                break;
            }
        }
    }
}

/// Follows the name, and checks all it gets. Ends when the name does.
fn reader(store: &Store) -> String {
    let mut tables = store.segments("one", Timeout::Within(Duration::from_secs(20))).unwrap();
    let (mut last, mut seen) = (0, 0);
    let (mut descriptors, mut maps) = (0, 0);
    loop {
        let result = match seen % 3 {
            0 => tables.latest().cloned(),
            _ => tables.wait(Timeout::Within(Duration::from_secs(20))).cloned(),
        };
        let tables = match result {
            Ok(tables) => tables,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Retired, "{error}");
                return format!("{seen} generations, {last} the last");
            }
        };
        let generation = tables.header().generation;
        assert!(generation >= last, "{generation} after {last}");
        seen += u64::from(generation > last);
        last = generation;
        let sum = tables.get::<(u64, u64)>("sum").unwrap();
        let stamp = sum.0.to_native();
        let numbers = tables.get::<Vec<u64>>("numbers").unwrap();
        let computed = numbers.iter().fold(stamp, |sum, number| sum.rotate_left(7) ^ number.to_native());
        assert_eq!(computed, sum.1, "torn");
        assert_eq!(tables.get::<String>("once").unwrap().as_str(), "once and for all");
        drop((sum, numbers, tables));
        if seen == 10 {
            (descriptors, maps) = (open_descriptors(), mappings().len());
        } else if seen > 10 && seen % 100 == 0 {
            assert_eq!(open_descriptors(), descriptors, "descriptors leak");
            assert!(mappings().len() < maps + 20, "mappings leak: {} after {maps}", mappings().len());
        }
    }
}

#[test]
fn publishers_that_take_over_from_each_other_can_be_killed_a_thousand_times() {
    let test = "publishers_that_take_over_from_each_other_can_be_killed_a_thousand_times";
    if let Some(dir) = role().filter(|role| role != "alone") {
        tell(reader(&store(dir)));
        done();
    }
    if !alone(test) {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    let path = directory.path().display().to_string();
    let mut readers: Vec<Other> = (0..8).map(|_| Other::start(other(test, &path))).collect();
    let mut random = Random(0x5eed);
    let seed = |random: &mut Random| random.next() | 1;
    let mut publishers = [0; 2].map(|_: i32| {
        let seed = seed(&mut random);
        child(|| publisher(&store, seed))
    });
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_micros(random.below(12_000) as u64));
        let victim = &mut publishers[random.below(2)];
        assert_eq!(kill(*victim, None), Ok(()), "it lives until it is killed");
        kill(*victim, Signal::SIGKILL).unwrap();
        let status = waitpid(*victim, None).unwrap();
        assert!(matches!(status, nix::sys::wait::WaitStatus::Signaled(..)), "it panicked: {status:?}");
        let seed = seed(&mut random);
        *victim = child(|| publisher(&store, seed));
    }
    for publisher in publishers {
        kill(publisher, Signal::SIGKILL).unwrap();
        waitpid(publisher, None).unwrap();
    }
    // The second name is the next owner's to remove, or sweep's.
    store.sweep().unwrap();
    assert_eq!(names_in(directory.path()), FILES);
    assert_eq!(store.stat("one").unwrap().attached, 8);
    store.remove("one").unwrap();
    for reader in &mut readers {
        tell(reader.hear());
    }
    assert_eq!(names_in(directory.path()), [""; 0]);
    done();
}
