//! Owners: one at a time, followed by others, whatever becomes of them; and how names end.

#[path = "store_owners/ends.rs"]
mod ends;
#[path = "store_owners/life.rs"]
mod life;
mod support;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::process::Stdio;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use graven::{Cause, ErrorKind, Lifetime, Segment, Store, Timeout, Writer};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use support::*;

const FILES: [&str; 4] = ["one.ctl", "one.grv", "one.life", "one.own"];

/// A process that owns `one` and has published 7; its words are those of `options`.
fn owner_process(test: &str, dir: &std::path::Path, options: &str) -> Other {
    let mut process = Other::start(other(test, &format!("own {options} {}", dir.display())));
    assert_eq!(process.hear(), "owned");
    process
}

/// What that process does.
fn be_owner() -> bool {
    let Some(role) = role() else { return false };
    let words: Vec<&str> = role.split(' ').collect();
    let ["own", options, dir] = words[..] else { return false };
    let store = store(dir);
    let lifetime = if options.contains("process") { Lifetime::Process } else { Lifetime::Persistent };
    let mut owner = store.owner_options("one").lifetime(lifetime).open().unwrap();
    if !options.contains("silent") {
        owner.publish(&7u64).unwrap();
    }
    tell("owned");
    wait_for_go();
    if options.contains("twice") {
        owner.publish(&8u64).unwrap();
        std::process::abort();
    }
    done();
}

/// [S17.3]
#[test]
fn of_two_hundred_who_want_a_name_one_has_it() {
    let test = "of_two_hundred_who_want_a_name_one_has_it";
    if let Some(dir) = role() {
        let store = store(dir);
        let barrier = Barrier::new(20);
        let owned = thread::scope(|scope| {
            let threads: Vec<_> = (0..20)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let owner = store.owner("one");
                        if let Err(error) = &owner {
                            let message = check(error, ErrorKind::Busy, Errno::EBUSY);
                            assert!(matches!(error.cause(), Cause::Owned) && message.contains("live owner"));
                        }
                        owner.ok()
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        tell(owned.len());
        wait_for_go();
        done();
    }
    let directory = directory();
    let mut others: Vec<Other> =
        (0..10).map(|_| Other::start(other(test, &directory.path().display().to_string()))).collect();
    let owned: usize = others.iter_mut().map(|process| process.hear().parse::<usize>().unwrap()).sum();
    assert_eq!(owned, 1);
}

#[test]
fn names_that_lead_elsewhere_are_refused_everywhere() {
    let directory = directory();
    let store = store(&directory);
    let long = "x".repeat(201);
    for name in ["", ".", "../x", "a/b", ".hidden", "a b", "a\n", "ü", &long] {
        let errors = [
            store.owner(name).unwrap_err(),
            store.reader::<u64>(name, Timeout::Forever).unwrap_err(),
            store.segments(name, Timeout::Forever).unwrap_err(),
            store.stat(name).unwrap_err(),
            store.save(name, directory.path().join("saved")).unwrap_err(),
            store.load(directory.path().join("saved"), name).unwrap_err(),
            store.remove(name).unwrap_err(),
            store.chmod(name, 0o600).unwrap_err(),
        ];
        for error in errors {
            // Loading looks at the file first.
            if error.kind() == ErrorKind::NotFound && error.file().is_some_and(|file| file.ends_with("saved"))
            {
                continue;
            }
            check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
            assert!(matches!(error.cause(), Cause::StoreName { .. }), "{error}");
        }
    }
    assert_eq!(names_in(directory.path()), [""; 0]);
    let longest = "x".repeat(200);
    store.owner(&longest).unwrap().publish(&1u8).unwrap();
    assert_eq!(store.list().unwrap(), [longest]);
}

#[test]
fn a_store_that_is_not_there_is_not_found() {
    let directory = directory();
    // SAFETY: nothing is there.
    let error = unsafe { Store::open(directory.path().join("none")) }.unwrap_err();
    check(&error, ErrorKind::NotFound, Errno::ENOENT);
    fs::write(directory.path().join("file"), "").unwrap();
    // SAFETY: it is a file.
    let error = unsafe { Store::open(directory.path().join("file")) }.unwrap_err();
    check(&error, ErrorKind::System, Errno::ENOTDIR);
    assert_eq!(error.file(), Some(&*directory.path().join("file")));
}

#[test]
fn the_store_of_a_user_is_the_users_alone() {
    let test = "the_store_of_a_user_is_the_users_alone";
    if let Some(mut expected) = role() {
        if let Some(other) = expected.strip_prefix("as another: ") {
            expected = other.to_owned();
            become_user(65532);
        }
        // SAFETY: only this process uses it.
        match unsafe { Store::user() } {
            Ok(store) => {
                assert_eq!(fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, 0o700);
                tell(store.path().display());
            }
            Err(error) => {
                check(&error, ErrorKind::NotPermitted, Errno::EPERM);
                assert!(matches!(error.cause(), Cause::NotPrivate { .. }), "{error}");
                tell(error.to_string().contains(&expected));
            }
        }
        done();
    }
    let directory = directory();
    let at = directory.path().join("graven");
    let user = |expected: &str| {
        let mut command = other(test, expected);
        command.env("XDG_RUNTIME_DIR", directory.path()).stdin(Stdio::null());
        told_by(command).concat()
    };
    for _ in 0..2 {
        assert_eq!(user(""), at.display().to_string());
    }
    fs::set_permissions(&at, PermissionsExt::from_mode(0o750)).unwrap();
    assert_eq!(user("open to other users"), "true");
    fs::remove_dir(&at).unwrap();
    fs::DirBuilder::new().mode(0o700).create(directory.path().join("elsewhere")).unwrap();
    symlink("elsewhere", &at).unwrap();
    assert_eq!(user("symbolic link"), "true");
    if is_root() {
        fs::remove_file(&at).unwrap();
        fs::DirBuilder::new().mode(0o700).create(&at).unwrap();
        std::os::unix::fs::chown(&at, Some(65534), None).unwrap();
        assert_eq!(user("another user's"), "true");
        // With the environment of another nothing is made among their things, where it would lock them out.
        fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o777)).unwrap();
        fs::remove_dir(&at).unwrap();
        let own = user("as another: ");
        assert_eq!(own, "/dev/shm/graven-65532");
        assert!(!at.exists());
        fs::remove_dir(own).unwrap();
    } else {
        println!("SKIPPED: only root can make another user's directory");
    }
}

/// [S17.1]
#[test]
fn a_control_page_that_is_none_is_refused_and_can_be_removed() {
    let directory = directory();
    let store = store(&directory);
    let page = directory.path().join("one.ctl");
    let mut owner = store.owner("other").unwrap();
    owner.publish(&7u64).unwrap();
    let whole = fs::read(directory.path().join("other.ctl")).unwrap();
    let mut version = whole.clone();
    version[8] += 1;
    for (bytes, what) in [
        (vec![1; 8], "too short"),
        (whole[..4095].to_vec(), "too short"),
        (vec![1; 4096], "other bytes"),
        (version, "another version"),
    ] {
        fs::write(&page, bytes).unwrap();
        let mut writer = Writer::create(directory.path().join("one.grv")).unwrap();
        writer.put("", &7u64).unwrap();
        writer.finish().unwrap();
        let errors = [
            store.reader::<u64>("one", Timeout::Forever).unwrap_err(),
            store.owner("one").unwrap_err(),
            store.stat("one").unwrap_err(),
            store.chmod("one", 0o600).unwrap_err(),
        ];
        for error in errors {
            let message = check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
            assert!(matches!(error.cause(), Cause::Control { .. }) && message.contains(what), "{message}");
            assert_eq!(error.file(), Some(&*page));
        }
        assert_eq!(store.sweep().unwrap(), [""; 0], "it says nothing about the name");
        store.remove("one").unwrap();
        store.owner("one").unwrap().retire().unwrap();
    }
    let target = directory.path().join("target");
    fs::write(&target, "another's").unwrap();
    let put: [&dyn Fn(); 5] = [
        &|| fs::create_dir(&page).unwrap(),
        &|| symlink(&target, &page).unwrap(),
        &|| symlink("nowhere", &page).unwrap(),
        &|| drop(std::os::unix::net::UnixListener::bind(&page).unwrap()),
        &|| nix::unistd::mkfifo(&page, nix::sys::stat::Mode::S_IRWXU).unwrap(),
    ];
    for put in put {
        put();
        let errors = [store.reader::<u64>("one", Timeout::Now).unwrap_err(), store.owner("one").unwrap_err()];
        for error in errors {
            assert!(matches!(error.cause(), Cause::Control { what: "not a regular file" }), "{error}");
        }
        store.remove("one").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"another's");
        store.owner("one").unwrap().retire().unwrap();
    }
    // What is in a directory is not removed along.
    fs::create_dir(&page).unwrap();
    fs::write(page.join("file"), "").unwrap();
    let error = store.remove("one").unwrap_err();
    check(&error, ErrorKind::System, Errno::ENOTEMPTY);
    assert_eq!(error.file(), Some(&*page));
}

#[test]
fn save_and_load_carry_generations_whole_or_not_at_all() {
    let directory = directory();
    let store = store(&directory);
    let elsewhere = support::directory();
    let file = elsewhere.path().join("saved.grv");
    check(&store.save("one", &file).unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    let mut owner = store.owner("one").unwrap();
    check(&store.save("one", &file).unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    for _ in 0..3 {
        owner
            .publish_with(|draft| {
                draft.put("config", &Config::sample(3))?;
                draft.put("numbers", &vec![1u32; 5000])
            })
            .unwrap();
    }
    let summary = store.save("one", &file).unwrap();
    assert_eq!((summary.objects, summary.generation), (2, 0));
    // Equal contents make equal files, whatever the generation.
    let mut writer = Writer::create(elsewhere.path().join("written.grv")).unwrap();
    writer.put("config", &Config::sample(3)).unwrap();
    writer.put("numbers", &vec![1u32; 5000]).unwrap();
    writer.finish().unwrap();
    let saved = fs::read(&file).unwrap();
    assert!(saved == fs::read(elsewhere.path().join("written.grv")).unwrap());

    // Into a name that is owned, no. Into one that is not, or not there: the next generation.
    check(&store.load(&file, "one").unwrap_err(), ErrorKind::Busy, Errno::EBUSY);
    drop(owner);
    let mut reader = store.segments("one", Timeout::Now).unwrap();
    assert_eq!(store.load(&file, "one").unwrap(), 4);
    assert_eq!(store.load(&file, "two").unwrap(), 1);
    let loaded = reader.latest().unwrap();
    loaded.verify().unwrap();
    assert_eq!(loaded.header().generation, 4);
    assert_eq!(*loaded.get::<Config>("config").unwrap(), Config::sample(3));

    // What is cut or changed changes nothing.
    let before = (fs::read(directory.path().join("one.grv")).unwrap(), names_in(directory.path()));
    let damaged = elsewhere.path().join("damaged.grv");
    let mut random = Random(1);
    let cuts =
        [0, 1, 8, 255, 4096, saved.len() - 4096, saved.len() - 1].map(|length| saved[..length].to_vec());
    let flips = (0..200).map(|_| {
        let mut bytes = saved.clone();
        let bit = random.below(8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    for bytes in cuts.into_iter().chain(flips) {
        fs::write(&damaged, bytes).unwrap();
        check(&store.load(&damaged, "one").unwrap_err(), ErrorKind::InvalidSegment, Errno::EINVAL);
        check(&store.load(&damaged, "none").unwrap_err(), ErrorKind::InvalidSegment, Errno::EINVAL);
    }
    check(&store.load(elsewhere.path().join("none"), "one").unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    assert!(before == (fs::read(directory.path().join("one.grv")).unwrap(), names_in(directory.path())));

    // A damaged generation is not saved, and the file stays.
    let path = directory.path().join("two.grv");
    let mut bytes = fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    check(&store.save("two", &file).unwrap_err(), ErrorKind::InvalidSegment, Errno::EINVAL);
    assert!(fs::read(&file).unwrap() == saved);
    Segment::read(&file).unwrap().verify().unwrap();
    assert_eq!(names_in(elsewhere.path()), ["damaged.grv", "saved.grv", "written.grv"]);
}

#[test]
fn list_and_stat_say_what_there_is() {
    let directory = directory();
    let store = store(&directory);
    assert_eq!(store.list().unwrap(), [""; 0]);
    check(&store.stat("b").unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    let before = std::time::SystemTime::now() - Duration::from_secs(1);
    let mut owners: Vec<_> = ["b", "a.grv", "c"].map(|name| store.owner(name).unwrap()).into();
    for owner in &mut owners[..2] {
        owner.publish(&7u64).unwrap();
        owner.publish(&8u64).unwrap();
    }
    fs::write(directory.path().join("other file"), "").unwrap();
    assert_eq!(store.list().unwrap(), ["a.grv", "b"]);
    let stat = store.stat("b").unwrap();
    let reader = store.reader::<u64>("b", Timeout::Now).unwrap();
    assert_eq!((stat.generation, stat.length, stat.attached), (2, 8192, 0));
    assert_eq!((stat.owner, stat.uid), (Some(std::process::id()), nix::unistd::geteuid().as_raw()));
    assert_eq!((stat.lifetime, stat.delete_on_last_detach), (Lifetime::Persistent, false));
    assert!(before <= stat.owned && stat.owned <= stat.published, "{stat:?}");
    assert!(stat.published <= std::time::SystemTime::now() + Duration::from_secs(1));
    assert_eq!(store.stat("b").unwrap().attached, 1);
    assert_eq!((store.stat("c").unwrap().generation, store.stat("c").unwrap().length), (0, 0));
    drop((owners, reader));
    assert_eq!(store.stat("b").unwrap().owner, None);
}

#[test]
fn two_names_are_created_at_once_without_waiting_for_each_other() {
    let directory = directory();
    let store = store(&directory);
    let one = store.owner("one").unwrap();
    thread::scope(|scope| {
        for name in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let mut owner = store.owner(&format!("name-{name}")).unwrap();
                for number in 0..50u64 {
                    owner.publish(&number).unwrap();
                }
            });
        }
    });
    drop(one);
    assert_eq!(store.list().unwrap().len(), 8);
}

/// [S17.1a]
#[test]
fn an_attacher_never_sees_a_half_made_name() {
    let test = "an_attacher_never_sees_a_half_made_name";
    if let Some(dir) = role() {
        let store = store(dir);
        let (mut whole, mut absent) = (0u64, 0u64);
        loop {
            match store.reader::<Vec<u64>>("one", Timeout::Now) {
                Ok(reader) => {
                    let numbers = reader.current();
                    assert!(numbers.len() == 100 && numbers.iter().all(|number| *number == numbers[0]));
                    whole += 1;
                    if numbers[0] == u64::MAX {
                        break;
                    }
                }
                Err(error) => {
                    check(&error, ErrorKind::NotFound, Errno::ENOENT);
                    absent += 1;
                }
            }
        }
        tell(format!("{whole} {absent}"));
        done();
    }
    let directory = directory();
    let store = store(&directory);
    let path = directory.path().display().to_string();
    let mut attachers: Vec<Other> = (0..2).map(|_| Other::start(other(test, &path))).collect();
    for cycle in 0..10_000u64 {
        let mut owner = store.owner("one").unwrap();
        owner.publish(&vec![cycle; 100]).unwrap();
        owner.retire().unwrap();
    }
    store.owner("one").unwrap().publish(&vec![u64::MAX; 100]).unwrap();
    for attacher in &mut attachers {
        println!("whole and absent: {}", attacher.hear());
    }
}

#[test]
fn fifty_processes_and_one_creates_what_all_attach_to() {
    let test = "fifty_processes_and_one_creates_what_all_attach_to";
    if let Some(dir) = role() {
        let store = store(dir);
        let owner = store.owner("one");
        let created = owner.is_ok();
        let owner = owner.map(|mut owner| {
            owner.publish(&7u64).unwrap();
            owner
        });
        let reader = store.reader::<u64>("one", SOON).unwrap();
        assert_eq!(**reader.current(), 7);
        tell(created);
        wait_for_go();
        drop(owner);
        done();
    }
    let directory = directory();
    let path = directory.path().display().to_string();
    let mut processes: Vec<Other> = (0..50).map(|_| Other::start(other(test, &path))).collect();
    let created = processes.iter_mut().map(Other::hear).filter(|created| created == "true").count();
    assert_eq!(created, 1);
    assert_eq!(store(&directory).stat("one").unwrap().attached, 50);
}
