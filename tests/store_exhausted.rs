//! Nothing left of what the system has: an error of its number, what was there stays, and it goes on when there is
//! some again.

mod support;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use graven::{Error, Store, Timeout};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use support::*;

fn value(stamp: u64) -> Vec<u64> {
    vec![stamp; 4000]
}

fn newest(store: &Store, name: &str) -> u64 {
    let tables = store.segments(name, Timeout::Now).unwrap();
    tables.current().verify().unwrap();
    let numbers = tables.current().root::<Vec<u64>>().unwrap();
    assert!(numbers.len() == 4000 && numbers.iter().all(|number| *number == numbers[0]));
    numbers[0].to_native()
}

/// Everything that uses something up, once; each ends well or with that errno. Returns how many did not end well.
fn all(store: &Store, elsewhere: &Path, errno: Errno) -> usize {
    let mut failed = 0;
    let mut ended = |what: &str, result: Result<(), Error>| {
        if let Err(error) = result {
            assert_eq!(error.errno(), errno as i32, "{what}: {error}");
            failed += 1;
        }
    };
    ended("reader", store.reader::<Vec<u64>>("one", Timeout::Now).map(drop));
    ended("segments", store.segments("one", Timeout::Now).map(drop));
    ended(
        "latest",
        store.segments("one", Timeout::Now).and_then(|mut tables| {
            store.owner("one")?.publish_with(|draft| draft.keep(""))?;
            tables.latest()?;
            tables.descriptor().map(drop)
        }),
    );
    ended("publish", store.owner("one").and_then(|mut owner| owner.publish(&value(1)).map(drop)));
    ended(
        "create",
        store.owner("new").and_then(|mut owner| {
            owner.publish(&value(2))?;
            owner.retire()
        }),
    );
    ended("save", store.save("one", elsewhere.join("saved.grv")).map(drop));
    ended("load", store.load(elsewhere.join("loaded.grv"), "two").map(drop));
    ended("stat", store.stat("one").map(drop));
    ended("chmod", store.chmod("one", 0o644));
    failed
}

/// What has to be so between.
fn whole(store: &Store, elsewhere: &Path) {
    assert_eq!(newest(store, "one"), 1);
    if store.list().unwrap().contains(&"two".to_string()) {
        assert_eq!(newest(store, "two"), 3);
    }
    if let Ok(saved) = map(elsewhere.join("saved.grv")) {
        saved.verify().unwrap();
        fs::remove_file(elsewhere.join("saved.grv")).unwrap();
    }
    store.sweep().unwrap();
    let names = names_in(store.path());
    assert!(names.iter().all(|name| name.starts_with("one.") || name.starts_with("two.")), "{names:?}");
    assert_eq!(names_in(elsewhere), ["loaded.grv"]);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&value(1)).unwrap();
}

#[test]
fn no_room_is_an_error_wherever_it_ends_and_never_a_signal() {
    if !is_root() {
        return println!("SKIPPED: only root can mount a small file system");
    }
    if !alone("no_room_is_an_error_wherever_it_ends_and_never_a_signal") {
        return;
    }
    let small = directory();
    let mounted = || {
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
        mount(Some("tmpfs"), small.path(), Some("tmpfs"), MsFlags::empty(), Some("size=256k"))
    };
    if let Err(errno) = mounted() {
        tell(format!("SKIPPED: no small file system: {errno}"));
        done();
    }
    let store = store(&small);
    // Loaded from, and saved to, a directory of the same file system.
    fs::create_dir(small.path().join("files")).unwrap();
    let files = small.path().join("files");
    graven::write(files.join("loaded.grv"), &value(3)).unwrap();
    store.owner("one").unwrap().publish(&value(1)).unwrap();
    let pages = |count: usize| vec![1u8; count * PAGE as usize];
    let mut failures = Vec::new();
    for used in 0..60 {
        let filler = small.path().join("filler");
        // More than there is fills it to the last page.
        let _ = fs::write(&filler, pages(used));
        failures.push(all(&store, &files, Errno::ENOSPC));
        assert_eq!(newest(&store, "one"), 1);
        // A name that does not fit is not there, and takes no more than its lock.
        assert!(!store.list().unwrap().contains(&"new".to_string()));
        fs::remove_file(&filler).unwrap();
        let _ = store.remove("two");
        let _ = fs::remove_file(files.join("saved.grv"));
        store.sweep().unwrap();
    }
    tell(format!("{failures:?}"));
    assert!(failures[0] == 0 && failures.iter().any(|failed| *failed >= 4), "{failures:?}");
    store.owner("one").unwrap().publish(&value(1)).unwrap();
    let names: Vec<String> = names_in(small.path()).into_iter().filter(|name| name != "files").collect();
    assert_eq!(names, ["one.ctl", "one.grv", "one.life", "one.own"]);
    done();
}

#[test]
fn no_descriptors_left_is_an_error_wherever_it_ends() {
    if !alone("no_descriptors_left_is_an_error_wherever_it_ends") {
        return;
    }
    let [directory, elsewhere] = [(); 2].map(|()| directory());
    let store = store(&directory);
    store.owner("one").unwrap().publish(&value(1)).unwrap();
    graven::write(elsewhere.path().join("loaded.grv"), &value(3)).unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // One is open while they are counted.
    let used = open_descriptors() as u64 - 1;
    let mut failures = Vec::new();
    for left in 0..20 {
        setrlimit(Resource::RLIMIT_NOFILE, used + left, hard).unwrap();
        failures.push(all(&store, elsewhere.path(), Errno::EMFILE));
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        assert_eq!(open_descriptors() as u64 - 1, used, "with {left} left");
        whole(&store, elsewhere.path());
        let _ = store.remove("two");
    }
    tell(format!("{failures:?}"));
    // Some need one at a time only, which a gap below the limit gives them.
    assert!(failures[0] >= 5 && failures.last() == Some(&0), "{failures:?}");
    done();
}

#[test]
fn no_mappings_left_is_an_error_wherever_it_ends() {
    if !alone("no_mappings_left_is_an_error_wherever_it_ends") {
        return;
    }
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    if limit.trim().parse::<usize>().unwrap() > 1 << 17 {
        tell(format!("SKIPPED: {} mappings are to be had", limit.trim()));
        done();
    }
    let [directory, elsewhere] = [(); 2].map(|()| directory());
    let store = store(&directory);
    store.owner("one").unwrap().publish(&value(1)).unwrap();
    graven::write(elsewhere.path().join("loaded.grv"), &value(3)).unwrap();
    // What is used on the way is there before: types, buffers, the harness.
    assert_eq!(all(&store, elsewhere.path(), Errno::ENOMEM), 0);
    whole(&store, elsewhere.path());
    let page = NonZeroUsize::new(PAGE as usize).unwrap();
    let mut taken = Vec::with_capacity(1 << 17);
    let mut failures = Vec::new();
    for left in 0..8 {
        // Neighbours of different protection stay mappings of their own.
        while let Ok(at) = {
            let protection = if taken.len() % 2 == 0 { ProtFlags::PROT_READ } else { ProtFlags::PROT_NONE };
            // SAFETY: a new mapping at an address of the kernel's choice touches nothing.
            unsafe { mmap_anonymous(None, page, protection, MapFlags::MAP_PRIVATE) }
        } {
            taken.push(at);
        }
        for _ in 0..left {
            // SAFETY: one of those made above, which nothing refers to.
            unsafe { munmap(taken.pop().unwrap(), page.get()) }.unwrap();
        }
        failures.push(all(&store, elsewhere.path(), Errno::ENOMEM));
        for _ in 0..100 {
            // SAFETY: as above.
            unsafe { munmap(taken.pop().unwrap(), page.get()) }.unwrap();
        }
        whole(&store, elsewhere.path());
        let _ = store.remove("two");
    }
    tell(format!("{failures:?}"));
    assert!(failures[0] >= 5 && failures.last() == Some(&0), "{failures:?}");
    done();
}

#[test]
fn a_limit_of_file_sizes_is_an_error_where_its_signal_is_ignored() {
    if !alone("a_limit_of_file_sizes_is_an_error_where_its_signal_is_ignored") {
        return;
    }
    // SAFETY: signal(2) with SIG_IGN installs no handler.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
    let [directory, elsewhere] = [(); 2].map(|()| directory());
    let store = store(&directory);
    store.owner("one").unwrap().publish(&value(1)).unwrap();
    graven::write(elsewhere.path().join("loaded.grv"), &value(3)).unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    let mut failures = Vec::new();
    for limit in [0, 100, 4096, 8192, 40_000, 1 << 20] {
        setrlimit(Resource::RLIMIT_FSIZE, limit, hard).unwrap();
        failures.push(all(&store, elsewhere.path(), Errno::EFBIG));
        let region = store.region("large").size(1 << 20).create();
        assert_eq!(region.unwrap_err().errno(), Errno::EFBIG as i32);
        let write = graven::write(elsewhere.path().join("written"), &vec![1u64; many(1 << 18)]);
        assert!(many(1 << 18) < 1 << 18 || write.is_err_and(|error| error.errno() == Errno::EFBIG as i32));
        setrlimit(Resource::RLIMIT_FSIZE, soft, hard).unwrap();
        whole(&store, elsewhere.path());
        let _ = store.remove("two");
        let _ = store.remove("new");
        assert_eq!(names_in(directory.path()), ["one.ctl", "one.grv", "one.life", "one.own"], "{limit}");
        let _ = fs::remove_file(elsewhere.path().join("written"));
    }
    tell(format!("{failures:?}"));
    assert!(failures[0] >= 4 && failures.last() == Some(&0), "{failures:?}");
    done();
}
