//! Who may do what: modes, users and groups belong to the name; readers can keep nobody from anything.

mod support;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use graven::{ErrorKind, Timeout};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use nix::libc;
use nix::sys::stat::{Mode, umask};
use support::*;

const NOBODY: u32 = 65534;
const SOMEBODY: u32 = 65533;

/// A directory that everybody may write to, as /dev/shm.
fn open_to_all() -> tempfile::TempDir {
    let directory = directory();
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o1777)).unwrap();
    directory
}

/// Mode, user and group of a name's segment and page; of its FIFO and lock, the user.
fn access(dir: &Path, name: &str) -> (u32, u32, u32) {
    let of = |ending: &str| {
        let metadata = fs::metadata(dir.join(format!("{name}{ending}"))).unwrap();
        (metadata.mode() & 0o777, metadata.uid(), metadata.gid())
    };
    let access = of(".ctl");
    assert_eq!(of(".grv"), access);
    assert_eq!(of(".life"), ((access.0 & 0o444) >> 1, access.1, access.2));
    assert_eq!((of(".own").0, of(".own").1), (0o600, access.1));
    access
}

#[test]
fn the_mode_is_less_the_umask_and_secure_is_0600_whatever_the_umask() {
    if !alone("the_mode_is_less_the_umask_and_secure_is_0600_whatever_the_umask") {
        return;
    }
    let directory = directory();
    let store = store(&directory);
    for (mask, default, group, secure) in [
        (0, 0o644, 0o660, 0o600),
        (0o022, 0o644, 0o640, 0o600),
        (0o077, 0o600, 0o600, 0o600),
        (0o777, 0o600, 0o600, 0o600),
    ] {
        umask(Mode::from_bits_truncate(mask));
        let modes = [("default", default), ("group", group), ("secure", secure)];
        for (name, mode) in modes {
            let options = store.owner_options(name);
            let mut owner = match name {
                "group" => options.mode(0o660).open(),
                "secure" => options.mode(0o666).secure().open(),
                _ => options.open(),
            }
            .unwrap();
            owner.publish(&7u64).unwrap();
            assert_eq!(access(directory.path(), name).0, mode, "{name}, umask {mask:o}");
            assert_eq!(store.stat(name).unwrap().mode, mode);
            owner.publish(&8u64).unwrap();
            assert_eq!(access(directory.path(), name).0, mode);
            owner.retire().unwrap();
        }
    }
    // An owner that takes over may set another; without, it stays.
    umask(Mode::from_bits_truncate(0o022));
    let mode = |options: graven::OwnerOptions| {
        options.open().unwrap().publish(&7u64).unwrap();
        access(directory.path(), "one").0
    };
    assert_eq!(mode(store.owner_options("one").mode(0o666)), 0o644);
    assert_eq!(mode(store.owner_options("one").mode(0o660)), 0o640);
    assert_eq!(mode(store.owner_options("one")), 0o640);
    assert_eq!(mode(store.owner_options("one").secure()), 0o600);
    assert_eq!(mode(store.owner_options("one")), 0o600);
    done();
}

#[test]
fn chmod_belongs_to_the_name() {
    let directory = directory();
    let store = store(&directory);
    check(&store.chmod("one", 0o600).unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    store.chmod("one", 0o604).unwrap();
    let mode = || access(directory.path(), "one").0;
    assert_eq!(mode(), 0o604);
    owner.publish(&8u64).unwrap();
    assert_eq!(mode(), 0o604);
    drop(owner);
    let mut owner = store.owner("one").unwrap();
    assert_eq!(mode(), 0o604);
    owner.publish(&9u64).unwrap();
    assert_eq!(mode(), 0o604);
    drop(owner);
    assert_eq!(store.sweep().unwrap(), [""; 0]);
    assert_eq!(mode(), 0o604);
    // Its user can always read and write: otherwise nobody could own it.
    store.chmod("one", 0).unwrap();
    assert_eq!(mode(), 0o600);
    // Who is attached stays attached.
    assert_eq!(**reader.latest().unwrap(), 9);
    // A change that was cut short is completed by the next owner.
    fs::set_permissions(directory.path().join("one.ctl"), PermissionsExt::from_mode(0o640)).unwrap();
    drop(store.owner("one").unwrap());
    assert_eq!(mode(), 0o640);
}

#[test]
fn a_chmod_during_publishing_is_not_lost() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    std::thread::scope(|scope| {
        let publisher = scope.spawn(move || {
            for number in 0..2000u64 {
                owner.publish(&number).unwrap();
            }
        });
        let mut mode = 0o600;
        while !publisher.is_finished() {
            mode ^= 0o044;
            match store.chmod("one", mode) {
                Ok(()) => {}
                Err(error) => panic!("{error}"),
            }
        }
        publisher.join().unwrap();
        assert_eq!(access(directory.path(), "one").0, mode);
    });
}

#[test]
fn a_chmod_beside_a_takeover_is_not_lost() {
    let directory = directory();
    let store = store(&directory);
    store.owner("one").unwrap().publish(&7u64).unwrap();
    std::thread::scope(|scope| {
        let owners = scope.spawn(|| {
            for number in 0..500u64 {
                store.owner("one").unwrap().publish(&number).unwrap();
            }
        });
        let mut mode = 0o600;
        while !owners.is_finished() {
            mode ^= 0o044;
            store.chmod("one", mode).unwrap();
        }
        owners.join().unwrap();
        assert_eq!(access(directory.path(), "one").0, mode);
        drop(store.owner("one").unwrap());
        assert_eq!(access(directory.path(), "one").0, mode);
    });
}

/// [S17.4]
#[test]
fn chown_belongs_to_the_name_and_what_cannot_be_given_is_not_published() {
    let test = "chown_belongs_to_the_name_and_what_cannot_be_given_is_not_published";
    if let Some(dir) = role() {
        // Owns the name until it is given to another.
        become_user(NOBODY);
        let store = store(dir);
        let mut owner = store.owner("theirs").unwrap();
        owner.publish(&7u64).unwrap();
        check(&store.chown("theirs", Some(SOMEBODY), None).unwrap_err(), ErrorKind::System, Errno::EPERM);
        tell("owned");
        wait_for_go();
        let error = owner.publish(&8u64).unwrap_err();
        check(&error, ErrorKind::System, Errno::EPERM);
        assert!(error.to_string().contains("give it"), "{error}");
        assert_eq!(owner.generation(), 1);
        done();
    }
    if !is_root() {
        return println!("SKIPPED: only root can give files away");
    }
    let directory = open_to_all();
    let store = store(&directory);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&7u64).unwrap();
    store.chown("one", Some(NOBODY), Some(SOMEBODY)).unwrap();
    store.chmod("one", 0o640).unwrap();
    let given = (0o640, NOBODY, SOMEBODY);
    assert_eq!(access(directory.path(), "one"), given);
    owner.publish(&8u64).unwrap();
    assert_eq!(access(directory.path(), "one"), given);
    drop(owner);
    store.owner("one").unwrap().publish(&9u64).unwrap();
    assert_eq!(access(directory.path(), "one"), given);
    assert_eq!(store.sweep().unwrap(), [""; 0]);
    assert_eq!(access(directory.path(), "one"), given);
    let stat = store.stat("one").unwrap();
    assert_eq!((stat.mode, stat.uid, stat.gid), given);

    let mut process = Other::start(other(test, &directory.path().display().to_string()));
    assert_eq!(process.hear(), "owned");
    store.chown("theirs", Some(SOMEBODY), None).unwrap();
    assert!(process.go().success());
    assert_eq!(**store.reader::<u64>("theirs", Timeout::Now).unwrap().current(), 7);
    assert_eq!(
        names_in(directory.path()).iter().filter(|name| name.starts_with("theirs")).count(),
        4,
        "nothing is left of what failed"
    );
}

#[test]
fn who_looks_at_another_users_name_leaves_it_to_that_user_and_who_takes_it_has_it_alone() {
    let test = "who_looks_at_another_users_name_leaves_it_to_that_user_and_who_takes_it_has_it_alone";
    if let Some(dir) = role() {
        become_user(NOBODY);
        let store = store(dir);
        let mut owner = store.owner_options("one").lifetime(graven::Lifetime::Process).open().unwrap();
        owner.publish(&7u64).unwrap();
        tell("owned");
        wait_for_go();
        done();
    }
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    let directory = open_to_all();
    let store = store(&directory);
    let lock = directory.path().join("one.own");
    let killed = || {
        let mut process = Other::start(other(test, &directory.path().display().to_string()));
        assert_eq!(process.hear(), "owned");
        process.kill();
        until(|| store.stat("one").unwrap().owner.is_none());
    };
    killed();
    fs::remove_file(&lock).unwrap();
    assert_eq!(store.sweep().unwrap(), [""; 0]);
    assert!(!lock.exists(), "its user could not open it");

    killed();
    let _owner = store.owner("one").unwrap();
    assert_eq!(fs::metadata(&lock).unwrap().uid(), 0, "another user could lock it");
}

#[test]
fn a_strangers_file_keeps_nobody_from_saving() {
    let test = "a_strangers_file_keeps_nobody_from_saving";
    if let Some(dir) = role() {
        become_user(NOBODY);
        let path = Path::new(&dir).join("target");
        graven::write(&path, &7u64).unwrap();
        tell("written");
        wait_for_go();
        graven::write(&path, &8u64).unwrap();
        done();
    }
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    let directory = open_to_all();
    let mut process = Other::start(other(test, &directory.path().display().to_string()));
    assert_eq!(process.hear(), "written");
    // What an unfinished file of that name is called.
    let strangers = directory.path().join(format!(".graven-{:016x}.tmp", graven_format::checksum(b"target")));
    fs::write(&strangers, "").unwrap();
    fs::set_permissions(&strangers, PermissionsExt::from_mode(0o666)).unwrap();
    std::os::unix::fs::chown(&strangers, Some(SOMEBODY), None).unwrap();
    assert!(process.go().success());
    assert_eq!(*map(directory.path().join("target")).unwrap().root::<u64>().unwrap(), 8);
    assert!(strangers.exists());
}

#[test]
fn another_user_reads_what_it_may_and_owns_nothing() {
    let test = "another_user_reads_what_it_may_and_owns_nothing";
    if let Some(dir) = role() {
        become_user(NOBODY);
        let store = store(dir);
        let mut reader = store.reader::<u64>("open", SOON).unwrap();
        assert!(reader.owner_alive());
        assert_eq!(reader.attached().unwrap(), 1);
        // Refused at once, however long it may take.
        for error in [
            store.reader::<u64>("secret", Timeout::Forever).unwrap_err(),
            store.stat("secret").unwrap_err(),
            store.save("secret", "/dev/shm/none").unwrap_err(),
            store.owner("secret").unwrap_err(),
            store.owner("open").unwrap_err(),
            store.remove("open").unwrap_err(),
        ] {
            check(&error, ErrorKind::System, Errno::EACCES);
        }
        check(&store.chmod("open", 0o666).unwrap_err(), ErrorKind::System, Errno::EPERM);
        assert_eq!(store.sweep().unwrap(), [""; 0]);
        tell("attached");
        assert_eq!(**reader.wait(SOON).unwrap(), 8);
        reader.descriptor().unwrap();
        tell("told");
        while reader.owner_alive() {
            std::thread::sleep(Duration::from_millis(1));
        }
        tell("its owner is gone");
        check(&reader.wait(SOON).unwrap_err(), ErrorKind::Retired, Errno::ESTALE);
        done();
    }
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    let directory = open_to_all();
    let store = store(&directory);
    let mut open = store.owner("open").unwrap();
    open.publish(&7u64).unwrap();
    let mut secret = store.owner_options("secret").secure().open().unwrap();
    secret.publish(&7u64).unwrap();
    let mut process = Other::start(other(test, &directory.path().display().to_string()));
    assert_eq!(process.hear(), "attached");
    open.publish(&8u64).unwrap();
    assert_eq!(process.hear(), "told");
    drop(open);
    assert_eq!(process.hear(), "its owner is gone");
    store.owner("open").unwrap().retire().unwrap();
    assert!(process.go().success());
}

/// [S17.6]
#[test]
fn a_hostile_reader_that_locks_all_it_can_open_blocks_neither_publishing_nor_taking_over() {
    let test = "a_hostile_reader_that_locks_all_it_can_open_blocks_neither_publishing_nor_taking_over";
    if let Some(dir) = role() {
        become_user(NOBODY);
        let mut held = Vec::new();
        let mut locked = 0;
        for name in names_in(Path::new(&dir)) {
            for (read, write) in [(true, false), (false, true), (true, true)] {
                let mut options = OpenOptions::new();
                options.read(read).write(write).custom_flags(libc::O_NONBLOCK);
                let Ok(file) = options.open(Path::new(&dir).join(&name)) else { continue };
                assert!(!name.ends_with(".own"), "the lock is the owner's alone");
                for kind in [libc::F_RDLCK, libc::F_WRLCK] {
                    let lock =
                        libc::flock { l_type: kind as i16, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
                    locked += usize::from(fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).is_ok());
                    locked += usize::from(fcntl(&file, FcntlArg::F_SETLK(&lock)).is_ok());
                }
                match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                    Ok(lock) => held.push(Ok(lock)),
                    Err((file, _)) => held.push(Err(file)),
                }
            }
        }
        tell(locked);
        wait_for_go();
        drop(held);
        done();
    }
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    let directory = open_to_all();
    let store = store(&directory);
    let mut owner = store.owner_options("one").mode(0o666).delete_on_last_detach(true).open().unwrap();
    owner.publish(&7u64).unwrap();
    store.chmod("one", 0o644).unwrap();
    let mut process = Other::start(other(test, &directory.path().display().to_string()));
    let locked: usize = process.hear().parse().unwrap();
    assert!(locked >= 2, "{locked} locks: it is to have page and segment");
    owner.publish(&8u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    owner.publish(&9u64).unwrap();
    assert_eq!(**reader.latest().unwrap(), 9);
    drop(owner);
    let mut owner = store.owner("one").unwrap();
    assert_eq!(owner.publish(&10u64).unwrap(), 4);
    assert_eq!(**reader.wait(SOON).unwrap(), 10);
    store.chmod("one", 0o640).unwrap();
    // It passes for attached, so this name does not end by itself. That is all.
    drop((owner, reader));
    assert_eq!(store.sweep().unwrap(), [""; 0]);
    assert!(store.stat("one").unwrap().attached >= 1);
    store.remove("one").unwrap();
    assert_eq!(names_in(directory.path()), [""; 0]);
    assert!(process.go().success());
}
