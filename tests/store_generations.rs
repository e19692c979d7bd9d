//! Generations: readers have a whole one, always the newest when they ask, and are told when there is another.

mod support;
#[path = "store_generations/waiting.rs"]
mod waiting;

use std::cell::Cell;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use graven::error::VerifyError;
use graven::{Archive, Cause, Deserialize, ErrorKind, Layout, Serialize, Timeout};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::pthread::{pthread_kill, pthread_self};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::time::TimeValLike;
use support::*;

/// Tests of inotify take turns: the instances are the user's.
static TURN: Mutex<()> = Mutex::new(());

fn within(milliseconds: u64) -> Timeout {
    Timeout::Within(Duration::from_millis(milliseconds))
}

fn readable(fd: impl AsFd, milliseconds: u16) -> bool {
    poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], milliseconds).unwrap() > 0
}

#[test]
fn a_reader_has_the_newest_generation_and_keeps_older_ones_readable() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("config").unwrap();
    assert_eq!(owner.generation(), 0);
    let mut kept = Vec::new();
    let mut reader = None;
    for level in 0..5 {
        assert_eq!(owner.publish(&Config::sample(level)).unwrap(), u64::from(level) + 1);
        let reader = reader.get_or_insert_with(|| store.reader::<Config>("config", Timeout::Now).unwrap());
        let before = reader.current().clone();
        assert_eq!(*before, Config::sample(level.saturating_sub(1)), "until it looks");
        assert_eq!(**reader.latest().unwrap(), Config::sample(level));
        assert_eq!(reader.generation(), u64::from(level) + 1);
        let generation = reader.latest().unwrap().segment().header().generation;
        assert_eq!(reader.generation(), generation);
        kept.push(reader.current().clone());
    }
    drop((owner, reader));
    fs::remove_dir_all(directory.path()).unwrap();
    for (level, config) in (0..).zip(kept) {
        assert_eq!(*config, Config::sample(level));
    }
}

/// [S17.2a]
#[test]
fn four_readers_and_ten_thousand_publishes_never_make_a_mixed_value() {
    let test = "four_readers_and_ten_thousand_publishes_never_make_a_mixed_value";
    const LAST: u64 = 10_000;
    if let Some(dir) = role() {
        let mut reader = store(&dir).reader::<Vec<u64>>("numbers", SOON).unwrap();
        let (mut last, mut seen) = (0, 0);
        while last < LAST {
            let numbers = match seen % 2 {
                0 => reader.latest().unwrap().clone(),
                _ => reader.wait(SOON).unwrap().clone(),
            };
            assert!(numbers.len() == 1000 && numbers.iter().all(|number| *number == numbers[0]), "mixed");
            assert_eq!(numbers.segment().header().generation, numbers[0].to_native());
            assert!(numbers[0] >= last, "went back");
            seen += u64::from(numbers[0] > last);
            last = numbers[0].to_native();
        }
        tell(seen);
        done();
    }
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("numbers").unwrap();
    let path = directory.path().display().to_string();
    let mut readers: Vec<Other> = (0..4).map(|_| Other::start(other(test, &path))).collect();
    for generation in 1..=LAST {
        assert_eq!(owner.publish(&vec![generation; 1000]).unwrap(), generation);
        if generation == 1 {
            until(|| owner.attached().unwrap() == 4);
        }
    }
    for reader in &mut readers {
        let seen: u64 = reader.hear().parse().unwrap();
        println!("{seen} generations seen");
        assert!(seen > 10);
    }
    assert_eq!(names_in(directory.path()), ["numbers.ctl", "numbers.grv", "numbers.life", "numbers.own"]);
}

#[test]
fn seventy_thousand_generations_are_each_detected() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("count").unwrap();
    owner.publish(&0u64).unwrap();
    let mut reader = store.reader::<u64>("count", Timeout::Now).unwrap();
    // With a count of 16 bits, one of these would look like no change.
    for count in 1..=70_000u64 {
        owner.publish(&count).unwrap();
        if count % 1000 < 2 || count > 65_530 && count < 65_545 {
            assert_eq!(**reader.latest().unwrap(), count);
        }
    }
    assert_eq!(reader.generation(), 70_001);
    let mut late = store.reader::<u64>("count", Timeout::Now).unwrap();
    owner.publish_with(|draft| draft.keep("")).unwrap();
    assert_eq!(late.wait(Timeout::Now).map(|count| count.to_native()).unwrap(), 70_000);
    // On overlayfs a descriptor carries each attachment.
    let readers = if is_overlay(directory.path()) { 2 } else { 0 };
    assert_eq!(open_descriptors_of(directory.path()), 4 + readers, "store, page, lock, FIFO");
}

#[test]
fn a_count_that_passes_what_the_kernel_compares_is_noticed_all_the_same() {
    let directory = directory();
    let store = store(&directory);
    // The kernel compares the low 32 bits of twice the generation.
    for last in [(1 << 31) - 1, (1 << 32) - 1, 1 << 62] {
        let name = format!("from-{last}");
        let mut writer = graven::Writer::options()
            .generation(last)
            .create(directory.path().join(format!("{name}.grv")))
            .unwrap();
        writer.put("", &last).unwrap();
        writer.finish().unwrap();
        let mut owner = store.owner(&name).unwrap();
        let mut reader = store.reader::<u64>(&name, Timeout::Now).unwrap();
        let mut far = reader.clone();
        thread::scope(|scope| {
            let waiter = scope.spawn(move || reader.wait(SOON).map(|number| number.to_native()));
            thread::sleep(Duration::from_millis(10));
            assert_eq!(owner.publish(&(last + 1)).unwrap(), last + 1);
            assert_eq!(waiter.join().unwrap().unwrap(), last + 1);
        });
        // So far that a narrower count would be the same again.
        for jump in [1 << 15, 1 << 16, 1 << 31, 1 << 32] {
            drop(owner);
            let newest = far.generation().max(last + 1) + jump;
            let path = directory.path().join(format!("{name}.grv"));
            let mut writer = graven::Writer::options().generation(newest).create(path).unwrap();
            writer.put("", &newest).unwrap();
            writer.finish().unwrap();
            owner = store.owner(&name).unwrap();
            assert_eq!(owner.generation(), newest);
            assert_eq!(**far.latest().unwrap(), newest);
        }
    }
}

/// [S17.3c]
#[test]
fn the_last_generation_is_published_and_told_of_and_none_after_it() {
    const LAST: u64 = i64::MAX as u64;
    /// What says that there is no room for a generation of that number.
    #[track_caller]
    fn exhausted<T: std::fmt::Debug>(result: graven::Result<T>, number: u64) {
        let error = result.unwrap_err();
        assert!(matches!(error.cause(), Cause::Exhausted { generation } if *generation == number), "{error}");
        assert_eq!((error.kind(), error.errno()), (ErrorKind::InvalidArgument, EINVAL));
        assert!(error.to_string().contains(&format!("{number} is above 2^63 - 1")), "{error}");
    }
    let dir = directory();
    let store = store(&dir);
    let published = |name: &str, generation: u64| {
        let path = dir.path().join(format!("{name}.grv"));
        let mut writer = graven::Writer::options().generation(generation).create(path).unwrap();
        writer.put("", &generation).unwrap();
        writer.finish().unwrap();
    };

    published("name", LAST - 1);
    let mut owner = store.owner("name").unwrap();
    let mut reader = store.reader::<u64>("name", Timeout::Now).unwrap();
    assert_eq!(
        (owner.generation(), reader.generation(), **reader.latest().unwrap()),
        (LAST - 1, LAST - 1, (LAST - 1).into())
    );
    assert_eq!(owner.publish(&7u64).unwrap(), LAST);
    assert_eq!((**reader.latest().unwrap(), reader.generation()), (7u64.into(), LAST));
    for _ in 0..2 {
        exhausted(owner.publish(&8u64), LAST + 1);
    }
    assert_eq!((owner.generation(), **reader.latest().unwrap()), (LAST, 7u64.into()));
    drop(owner);
    exhausted(store.load(dir.path().join("name.grv"), "name"), LAST + 1);
    // The end is told of by an odd epoch: there is one after the last even one.
    let mut owner = store.owner("name").unwrap();
    exhausted(owner.publish(&8u64), LAST + 1);
    store.save("name", dir.path().join("saved")).unwrap();
    owner.retire().unwrap();
    assert!(matches!(reader.latest().unwrap_err().cause(), Cause::Retired));
    assert_eq!(store.load(dir.path().join("saved"), "name").unwrap(), 1);

    for generation in [LAST + 1, LAST + 2, u64::MAX] {
        published("above", generation);
        exhausted(store.owner("above"), generation);
        // A page is there, and says less.
        store.owner("page").unwrap().publish(&1u64).unwrap();
        published("page", generation);
        exhausted(store.owner("page"), generation);
        let reader = store.reader::<u64>("page", Timeout::Now).unwrap();
        assert_eq!(reader.generation(), generation);
        store.remove("page").unwrap();
        assert_eq!(store.load(dir.path().join("above.grv"), "other").unwrap(), 1);
        store.remove("other").unwrap();
    }
}

/// Descriptors of this process that lead below a directory.
fn open_descriptors_of(dir: &std::path::Path) -> usize {
    let links =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links.filter(|link| link.starts_with(dir)).count()
}

#[test]
fn objects_of_one_generation_change_together_and_kept_ones_are_copied_as_bytes() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("tables").unwrap();
    let error = owner.publish_with(|draft| draft.keep("users")).unwrap_err();
    assert!(matches!(error.cause(), Cause::NoObject { count: 0, .. }), "{error}");
    let users = vec!["ann".to_string(), "a name that is longer than a pointer".to_string()];
    owner
        .publish_with(|draft| {
            draft.put("users", &users)?;
            draft.put("routes", &vec![1u32])?;
            draft.put("limits", &(1u8, 2u64))
        })
        .unwrap();
    let mut tables = store.segments("tables", Timeout::Now).unwrap();
    let first = tables.latest().unwrap().clone();
    owner
        .publish_with(|draft| {
            draft.put("routes", &vec![1u32, 2])?;
            draft.keep("users")
        })
        .unwrap();
    let second = tables.latest().unwrap().clone();
    second.verify().unwrap();
    assert_eq!(second.get::<Vec<u32>>("routes").unwrap().len(), 2);
    assert_eq!(second.get::<Vec<String>>("users").unwrap().as_slice(), users.as_slice());
    assert_eq!(second.get::<(u8, u64)>("limits").unwrap_err().kind(), ErrorKind::NotFound);
    let bytes = |segment: &graven::Segment, name| {
        let entry = segment.objects().map(|entry| entry.unwrap()).find(|entry| entry.name == name).unwrap();
        segment.as_bytes()[range(entry.object)].to_vec()
    };
    assert_eq!(bytes(&first, "users"), bytes(&second, "users"));

    // What fails leaves the generation before, and the owner able to go on.
    for failing in ["none", "routes"] {
        let error = owner.publish_with(|draft| {
            draft.keep("routes")?;
            draft.keep(failing)
        });
        assert!(error.is_err());
    }
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            owner.publish_with(|_| panic!("in the middle"))
        }))
        .is_err()
    );
    assert_eq!(owner.generation(), 2);
    assert_eq!(tables.latest().unwrap().header().generation, 2);
    assert_eq!(owner.publish_with(|draft| draft.copy(&first, "limits")).unwrap(), 3);
    assert_eq!(tables.latest().unwrap().get::<(u8, u64)>("limits").unwrap().1, 2);
    // A generation without objects is one.
    assert_eq!(owner.publish_with(|_| Ok(())).unwrap(), 4);
    assert_eq!(tables.latest().unwrap().objects().count(), 0);
    assert_eq!(names_in(directory.path()), ["tables.ctl", "tables.grv", "tables.life", "tables.own"]);
}

#[test]
fn a_damaged_object_is_not_kept() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&vec![1u32; 100]).unwrap();
    let path = directory.path().join("one.grv");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 5] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let error = owner.publish_with(|draft| draft.keep("")).unwrap_err();
    assert!(matches!(error.cause(), Cause::Verify(VerifyError::ObjectChecksum { .. })), "{error}");
    assert_eq!(error.file(), Some(&*path));
    assert_eq!(owner.generation(), 1);
}

// ---- validation ----------------------------------------------------------------------------------------------------

thread_local!(static VALIDATED: Cell<usize> = const { Cell::new(0) });
static VALIDATED_BY_ALL: AtomicUsize = AtomicUsize::new(0);

/// Counts how often it is validated; not valid if it is odd.
#[derive(Archive, Serialize, Deserialize, Layout)]
#[rkyv(bytecheck(verify), derive(Debug))]
struct Even {
    number: u32,
}

mod verify {
    use graven::rkyv::bytecheck::Verify;
    use graven::rkyv::rancor::{Fallible, Source, fail};

    use super::*;

    #[derive(Debug)]
    struct Odd;

    impl std::fmt::Display for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("odd")
        }
    }

    impl std::error::Error for Odd {}

    // SAFETY: reads the number only.
    unsafe impl<C: Fallible<Error: Source> + ?Sized> Verify<C> for ArchivedEven {
        fn verify(&self, _: &mut C) -> Result<(), C::Error> {
            VALIDATED.set(VALIDATED.get() + 1);
            VALIDATED_BY_ALL.fetch_add(1, Relaxed);
            if self.number % 2 == 1 {
                fail!(Odd);
            }
            Ok(())
        }
    }
}

#[test]
fn a_generation_is_mapped_and_validated_once_for_all_clones_and_a_bad_one_never_again() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("even").unwrap();
    owner.publish(&Even { number: 0 }).unwrap();
    let reader = store.reader::<Even>("even", Timeout::Now).unwrap();
    let path = directory.path().join("even.grv");
    assert_eq!((VALIDATED_BY_ALL.load(Relaxed), mappings_of(&path).len()), (1, 1));

    owner.publish(&Even { number: 2 }).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            let mut reader = reader.clone();
            scope.spawn(move || {
                for _ in 0..100 {
                    assert_eq!(reader.latest().unwrap().number, 2);
                }
            });
        }
    });
    assert_eq!(VALIDATED_BY_ALL.load(Relaxed), 2);
    let mut reader = reader;
    let mut two = reader.clone();
    assert_eq!(two.latest().unwrap().number, 2);
    assert_eq!(reader.latest().unwrap().number, 2);
    assert_eq!(mappings_of(&path).len(), 1, "the one of the generation before is gone");

    // Not valid: refused each time, validated once; what was good stays.
    owner.publish(&Even { number: 3 }).unwrap();
    for reader in [&mut reader, &mut two] {
        for _ in 0..10 {
            let error = reader.latest().unwrap_err();
            assert!(
                matches!(error.cause(), Cause::Contents(error) if error.to_string().contains("odd")),
                "{error}"
            );
            assert_eq!(error.errno(), EINVAL);
            assert_eq!(reader.current().number, 2);
        }
        // `wait` says so once, then waits for another.
        assert_eq!(reader.wait(Timeout::Now).unwrap_err().kind(), ErrorKind::InvalidSegment);
        assert_eq!(reader.wait(Timeout::Now).unwrap_err().kind(), ErrorKind::TimedOut);
    }
    assert_eq!(VALIDATED_BY_ALL.load(Relaxed), 3);
    owner.publish(&Even { number: 4 }).unwrap();
    assert_eq!(two.wait(Timeout::Now).unwrap().number, 4);
    assert_eq!(reader.latest().unwrap().number, 4);
    assert_eq!(VALIDATED_BY_ALL.load(Relaxed), 4);

    // Another layout is refused the same way; a reader that trusts contents does not validate.
    owner.publish(&7u64).unwrap();
    assert_eq!(reader.latest().unwrap_err().kind(), ErrorKind::LayoutDiffers);
    assert_eq!(reader.current().number, 4);
    owner.publish(&Even { number: 5 }).unwrap();
    // SAFETY: an odd number is no `Even`, but nothing relies on that.
    let mut unchecked = unsafe { store.reader_unchecked::<Even>("even", Timeout::Now) }.unwrap();
    assert_eq!(unchecked.latest().unwrap().number, 5);
    assert_eq!(VALIDATED_BY_ALL.load(Relaxed), 4);
    owner.publish(&7u64).unwrap();
    assert_eq!(unchecked.latest().unwrap_err().kind(), ErrorKind::LayoutDiffers);
    // New attachments are told at once.
    let error = store.reader::<Even>("even", Timeout::Forever).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LayoutDiffers);
    assert_eq!(store.reader::<u64>("even", Timeout::Now).unwrap().latest().unwrap().to_native(), 7);
}

#[test]
fn a_generation_whose_header_is_damaged_is_refused_and_the_next_is_taken() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&1u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    owner.publish(&2u64).unwrap();
    let path = directory.path().join("one.grv");
    fs::remove_file(&path).unwrap();
    fs::write(&path, [7; 4096]).unwrap();
    for _ in 0..3 {
        let error = reader.latest().unwrap_err();
        assert_eq!((error.kind(), error.file()), (ErrorKind::InvalidSegment, Some(&*path)));
        assert_eq!(**reader.current(), 1);
    }
    assert_eq!(store.reader::<u64>("one", Timeout::Forever).unwrap_err().kind(), ErrorKind::InvalidSegment);
    // The owner's own count goes on, also that of the next.
    drop(owner);
    let mut owner = store.owner("one").unwrap();
    assert_eq!(owner.publish(&3u64).unwrap(), 3);
    assert_eq!(**reader.latest().unwrap(), 3);
}
