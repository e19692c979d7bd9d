//! What file systems differ in: whether a block that is there can be written when the disk is full.
//!
//! btrfs and xfs share blocks between files, and copy them when they are written. Where such a disk is full, a store to a
//! mapped file is SIGBUS. So nothing is stored through mappings there: names are told of by pwrite(2), whose error is one,
//! and regions are refused.

#[path = "support/mounted.rs"]
mod mounted;
mod support;

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread;

use graven::{Error, Reader, Region, Timeout};
use mounted::{fill, mounted};
use nix::errno::Errno;
use nix::libc;
use support::*;

/// File systems that copy blocks when they are written, and others.
const COPIES: [&str; 2] = ["btrfs", "xfs"];
const KEEPS: [&str; 3] = ["ext4", "tmpfs", "overlay"];

/// Runs the test once for each file system, in a process of its own; where this is that process, its kind, and a directory
/// in it.
fn on_each(test: &str, kinds: &[&str]) -> Option<(String, PathBuf)> {
    let Some(role) = role() else {
        for kind in kinds {
            // Not in memory: disks are larger than they look.
            let dir = tempfile::tempdir().expect("a temporary directory");
            for words in told_by(other(test, &format!("{kind} {}", dir.path().display()))) {
                println!("{kind}: {words}");
            }
        }
        return None;
    };
    let (kind, dir) = role.split_once(' ').expect("a kind, and a directory");
    let [at, scratch] = ["mounted", "scratch"].map(|name| Path::new(dir).join(name));
    for dir in [&at, &scratch] {
        fs::create_dir(dir).expect("in an empty directory");
    }
    if let Err(what) = mounted(kind, &at, &scratch) {
        tell(format!("SKIPPED: {what}"));
        done();
    }
    let dir = at.join("store");
    fs::create_dir(&dir).expect("room");
    Some((kind.to_owned(), dir))
}

/// Lets another file share all blocks of a file, as `cp --reflink` does, and waits until that is so.
fn share_blocks(path: &Path) {
    let (from, to) = (File::open(path).unwrap(), File::create(path.with_extension("shared")).unwrap());
    // SAFETY: ioctl(2) FICLONE takes two descriptors, and touches no memory.
    let shared = unsafe { libc::ioctl(to.as_raw_fd(), libc::FICLONE, from.as_raw_fd()) };
    assert_eq!(shared, 0, "{}", Errno::last());
    nix::unistd::syncfs(&to).unwrap();
}

fn no_room(error: &Error) -> bool {
    error.errno() == Errno::ENOSPC as i32
}

fn value(stamp: u64) -> Vec<u64> {
    vec![stamp; 2000]
}

fn stamp_of(reader: &mut Reader<Vec<u64>>) -> u64 {
    let value = reader.latest().unwrap();
    assert!(value.len() == 2000 && value.iter().all(|number| *number == value[0]));
    value[0].to_native()
}

/// [S17.1b]
#[test]
fn a_full_disk_is_an_error_for_names_where_written_blocks_are_copied() {
    const TEST: &str = "a_full_disk_is_an_error_for_names_where_written_blocks_are_copied";
    let Some((_, dir)) = on_each(TEST, &COPIES) else { return };
    let store = store(&dir);
    let mut owner = store.owner("name").unwrap();
    let generation = owner.publish(&value(0)).unwrap();
    assert_eq!(generation, 1);
    let mut reader = store.reader::<Vec<u64>>("name", Timeout::Now).unwrap();
    let mut refusals = 0;
    for round in 0..5 {
        share_blocks(&dir.join("name.ctl"));
        let filler = fill(&dir);
        for _ in 0..50 {
            let stamp = owner.generation() + 1;
            let published = owner.publish(&value(stamp));
            if let Err(error) = &published {
                assert!(no_room(error), "{error}");
                refusals += 1;
            }
            // Told of or not, what is read is whole, and never newer than what is in its place.
            let read = stamp_of(&mut reader);
            assert!(read <= owner.generation() && (published.is_err() || read == stamp));
            let mut late = store.reader::<Vec<u64>>("name", Timeout::Now).unwrap();
            assert_eq!(stamp_of(&mut late), if owner.generation() == 1 { 0 } else { owner.generation() });
            nix::unistd::syncfs(&filler).unwrap();
        }
        fs::remove_file(dir.join("filler")).unwrap();
        fs::remove_file(dir.join("name.shared")).unwrap();
        nix::unistd::syncfs(&filler).unwrap();
        filler.set_len(0).unwrap();
        drop(filler);
        let generation = owner.publish(&value(owner.generation() + 1)).unwrap();
        assert_eq!(stamp_of(&mut reader), generation, "round {round}");
    }
    tell(format!("{refusals} times no room"));
    assert!(refusals > 0);
    // Where it is looked for before anything is visible, not even the last moment is too late.
    let generation = owner.generation();
    assert!(no_room(&without_room(|| owner.publish(&value(generation + 1)).unwrap_err())));
    assert_eq!(owner.generation(), generation);
    assert_eq!(stamp_of(&mut store.reader("name", Timeout::Now).unwrap()), generation);

    // The end finds room, or says that it did not and is made up for later.
    share_blocks(&dir.join("name.ctl"));
    let filler = fill(&dir);
    if let Err(error) = owner.retire() {
        assert!(no_room(&error), "{error}");
    }
    fs::remove_file(dir.join("filler")).unwrap();
    drop(filler);
    store.sweep().unwrap();
    assert_eq!(reader.latest().unwrap_err().errno(), Errno::ESTALE as i32);
    assert_eq!(names_in(&dir), ["name.shared"]);
    done();
}

/// [S16.1a]
#[test]
fn regions_are_refused_where_written_blocks_are_copied() {
    const TEST: &str = "regions_are_refused_where_written_blocks_are_copied";
    let Some((_, dir)) = on_each(TEST, &COPIES) else { return };
    let (store, elsewhere) = (store(&dir), directory());
    let options = || store.region("key").size(5);
    let refused = |result: Result<(), Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.errno(), Errno::EOPNOTSUPP as i32, "{error}");
        assert!(error.to_string().contains("tmpfs"), "{error}");
    };
    refused(options().create().map(drop));
    refused(options().create_or_attach().map(drop));
    refused(store.region("key").create_with(&value(1)).map(drop));
    refused(store.region("key").create_or_attach_with(&value(1)).map(drop));
    refused(Region::owner(&store, "key", 1).map(drop));
    assert!(names_in(&dir).is_empty());
    // One from elsewhere can be read, as reading needs no room.
    let there = support::store(&elsewhere).region("key").size(5).create().unwrap();
    there.write_at(0, b"hello").unwrap();
    fs::copy(elsewhere.path().join("key.rgn"), dir.join("key.rgn")).unwrap();
    refused(options().attach(Timeout::Now).map(drop));
    refused(options().create_or_attach().map(drop));
    let copy = options().read_only(true).attach(Timeout::Now).unwrap();
    assert_eq!(&copy.lock_shared(.., Timeout::Now).unwrap()[..], b"hello");
    done();
}

/// [S16.1]
#[test]
fn a_full_disk_is_no_signal_for_regions_where_they_can_be() {
    const TEST: &str = "a_full_disk_is_no_signal_for_regions_where_they_can_be";
    let Some((kind, dir)) = on_each(TEST, &KEEPS) else { return };
    let store = store(&dir);
    let region = store.region("key").size(4 << 20).create().unwrap();
    let filler = fill(if kind == "overlay" { dir.as_path() } else { dir.parent().unwrap() });
    assert!(no_room(&store.region("other").size(4 << 20).create().unwrap_err()));
    for byte in 0..5 {
        region.lock().unwrap().fill(byte);
        nix::unistd::syncfs(&filler).unwrap();
        region.notify().unwrap();
        region.wait(Timeout::Now).unwrap();
    }
    assert_eq!(region.get::<u8>((4 << 20) - 1).unwrap(), 4);
    done();
}

/// Lets this thread find no room when it writes what changes in a control page, and nothing else.
fn no_room_to_tell() {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    // The low halves of the second and third argument's successors: count and offset of pwrite64(2).
    let argument = |number: u32| 16 + 8 * number + if cfg!(target_endian = "big") { 4 } else { 0 };
    let filter = [
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, 5, libc::SYS_pwrite64 as u32),
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0, argument(2)),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 88),
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0, argument(3)),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 64),
        step(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSPC as u32),
        step(BPF_RET | BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: prctl(2) PR_SET_NO_NEW_PRIVS takes numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: PR_SET_SECCOMP reads the program, which lives until the call has returned.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(set, 0, "{}", Errno::last());
}

/// What `work` returns when it finds no room to tell.
fn without_room<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = || {
        no_room_to_tell();
        work()
    };
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// [S17.4b]
#[test]
fn a_generation_that_could_not_be_told_of_is_told_of_by_the_next() {
    let dir = directory();
    let store = store(&dir);
    let mut owner = store.owner("name").unwrap();
    owner.publish(&value(1)).unwrap();
    let mut reader = store.reader::<Vec<u64>>("name", Timeout::Now).unwrap();
    let mut second = store.reader::<Vec<u64>>("name", Timeout::Now).unwrap();
    for generation in [2, 2, 2] {
        // The second and the third time nothing more is put in its place: it could not be told of either.
        let error = without_room(|| owner.publish(&value(2)).unwrap_err());
        assert!(no_room(&error), "{error}");
        assert_eq!(owner.generation(), generation, "it is in its place");
        assert_eq!(stamp_of(&mut reader), 1, "nobody was told");
        assert_eq!(reader.wait(Timeout::Now).unwrap_err().errno(), Errno::ETIMEDOUT as i32);
        assert_eq!(stamp_of(&mut store.reader("name", Timeout::Now).unwrap()), 2, "whoever comes finds it");
    }
    // Who sleeps is woken by what is told late, even if nothing comes after it.
    let waiting = thread::spawn(move || {
        let result = second.wait(Timeout::Forever).map(|value| value[0].to_native());
        result.unwrap()
    });
    let error =
        owner.publish_with(|draft| draft.put("", &value(3)).and_then(|()| draft.put("", &0u8))).unwrap_err();
    assert_eq!(error.errno(), Errno::EEXIST as i32);
    assert_eq!(owner.publish(&value(3)).unwrap(), 3);
    assert_eq!(stamp_of(&mut reader), 3);
    assert!(waiting.join().unwrap() >= 2);

    // An owner that comes next tells of it, too.
    assert!(no_room(&without_room(|| owner.publish(&value(4)).unwrap_err())));
    drop(owner);
    assert!(no_room(&without_room(|| store.owner("name").unwrap_err())));
    assert_eq!(stamp_of(&mut reader), 3);
    let owner = store.owner("name").unwrap();
    assert_eq!(stamp_of(&mut reader), 4);

    // The end is told of when there is room.
    assert!(no_room(&without_room(|| owner.retire().unwrap_err())));
    assert_eq!(stamp_of(&mut reader), 4);
    assert_eq!(names_in(dir.path()), ["name.ctl", "name.life", "name.own"]);
    assert_eq!(store.sweep().unwrap(), ["name"]);
    assert_eq!(reader.latest().unwrap_err().errno(), Errno::ESTALE as i32);
    assert!(names_in(dir.path()).is_empty());
}

#[test]
fn nothing_of_a_store_but_regions_is_mapped_writable() {
    if !alone("nothing_of_a_store_but_regions_is_mapped_writable") {
        return;
    }
    let dir = directory();
    let store = store(&dir);
    let mut owner = store.owner("name").unwrap();
    owner.publish(&value(1)).unwrap();
    let _reader = store.reader::<Vec<u64>>("name", Timeout::Now).unwrap();
    let second = store.owner("second").unwrap();
    drop(second);
    let _second = store.owner("second").unwrap();
    store.save("name", dir.path().join("saved")).unwrap();
    let mapped = |writable: bool| {
        let here = dir.path().to_str().unwrap();
        let is_so = |mapping: &Mapping| {
            mapping.path.contains(here)
                && mapping.permissions.ends_with('s')
                && mapping.permissions.contains('w') == writable
        };
        mappings().into_iter().filter(is_so).count()
    };
    assert!(mapped(false) >= 4);
    assert_eq!(mapped(true), 0);
    let _region = store.region("key").size(1).create().unwrap();
    assert!(mapped(true) > 0);
    done();
}
