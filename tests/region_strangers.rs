//! Nobody waits for a stranger for ever: what somebody else can keep others from by locks on a region's file, by reading it
//! alone or by writing, is refused in time, and is no more than SPEC 16.3 says.

mod support;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use graven::{Cause, ErrorKind, Region, Timeout, error::RegionError};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use support::*;

const OWNER: u64 = 1 << 62;
const REMOVAL: u64 = OWNER + 1;
const ATTACHMENTS: Range<u64> = OWNER + (1 << 32)..END;
const END: u64 = i64::MAX as u64;

/// Locks some bytes of a region's file by a description of its own, which may only read or also write.
fn stranger(dir: &Path, writes: bool, range: Range<u64>) -> nix::Result<File> {
    let file = File::options().read(true).write(writes).open(dir.join("key.rgn")).unwrap();
    let kind = if writes { libc::F_WRLCK } else { libc::F_RDLCK };
    let lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: range.start as libc::off_t,
        l_len: (range.end - range.start) as libc::off_t,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock))?;
    Ok(file)
}

fn is_kept(error: graven::Error, started: Instant) {
    let Cause::Region(cause) = error.cause() else { panic!("{error}") };
    assert_eq!(cause, &RegionError::Kept);
    assert_eq!((error.errno(), error.kind()), (Errno::EBUSY as i32, ErrorKind::Busy));
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(8), "{waited:?}");
}

/// Everything that a reader of the file cannot keep anybody from, done once.
fn what_goes_on(dir: &Path, region: &Region) {
    let store = store(dir);
    let other = store.region("key").attach(Timeout::Now).unwrap();
    let reader = store.region("key").read_only(true).attach(Timeout::Now).unwrap();
    for handle in [region, &other, &reader] {
        drop(handle.lock_shared(.., Timeout::Now).unwrap());
        handle.get::<u64>(8).unwrap();
        assert!(handle.attached().unwrap() >= 3);
    }
    region.notify().unwrap();
    other.wait(Timeout::Now).unwrap();
    assert_eq!(other.wait(Timeout::Now).unwrap_err().errno(), Errno::ETIMEDOUT as i32, "nobody has died");
    assert!(!store.region("key").size(1).create_or_attach().unwrap().created());
    assert_eq!(store.region("key").size(1).create().unwrap_err().errno(), Errno::EEXIST as i32);
    region.save(dir.join("saved")).unwrap();
    region.chmod(0o644).unwrap();
    assert_eq!(store.regions().unwrap(), ["key"]);
}

/// [S16.3c]
#[test]
fn who_may_only_read_keeps_writers_and_removal_out_and_nobody_else() {
    let dir = directory();
    // Without an owner, whose lock would keep a stranger's out.
    let region = store(&dir).region("key").size(64).create_or_attach().unwrap();
    let page = region.size().next_multiple_of(PAGE).max(PAGE);
    let (gate, queue) = (1 << 60, 1 << 61);
    for range in [
        0..END,
        0..gate,
        page..page + 1,
        gate..queue,
        queue..OWNER,
        OWNER..REMOVAL,
        REMOVAL..REMOVAL + 1,
        ATTACHMENTS,
    ] {
        let has = |at: Range<u64>| range.start < at.end && at.start < range.end;
        let _stranger = stranger(dir.path(), false, range.clone()).unwrap();
        what_goes_on(dir.path(), &region);
        let bytes = page..page + 64;
        let keeps_writers_out = has(bytes.clone()) || has(queue + bytes.start..queue + bytes.end);
        let (now, soon) = match keeps_writers_out {
            true => (Errno::EAGAIN as i32, Errno::ETIMEDOUT as i32),
            false => (0, 0),
        };
        let errno =
            |result: graven::Result<_>| result.map_or_else(|error: graven::Error| error.errno(), |_| 0);
        assert_eq!(errno(region.try_lock().map(drop)), now, "{range:?}");
        assert_eq!(errno(region.lock_within(Duration::from_millis(30)).map(drop)), soon, "{range:?}");
    }
    for range in [0..END, REMOVAL..REMOVAL + 1] {
        let _stranger = stranger(dir.path(), false, range).unwrap();
        let started = Instant::now();
        is_kept(region.unlink().unwrap_err(), started);
    }
    // More than shared locks there are not for who may only read.
    let file = File::open(dir.path().join("key.rgn")).unwrap();
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    assert_eq!(fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)), Err(Errno::EBADF));
    region.unlink().unwrap();
}

#[test]
fn who_looks_like_the_owner_by_a_lock_hides_no_death() {
    const TEST: &str = "who_looks_like_the_owner_by_a_lock_hides_no_death";
    if let Some(role) = role() {
        let _region = store(&role).region("key").size(8).create().unwrap();
        tell("created");
        wait_for_go();
        done();
    }
    let dir = directory();
    let mut owner = Other::start(other(TEST, dir.path().to_str().unwrap()));
    assert_eq!(owner.hear(), "created");
    let region = store(&dir).region("key").attach(Timeout::Now).unwrap();
    let _stranger = stranger(dir.path(), false, OWNER..REMOVAL).unwrap_err();
    owner.kill();
    let _stranger = stranger(dir.path(), false, OWNER..REMOVAL).unwrap();
    let error = region.wait(Timeout::Within(Duration::from_secs(2))).unwrap_err();
    assert_eq!(error.errno(), Errno::ESTALE as i32);
}

#[test]
fn who_is_stopped_while_removing_or_editing_is_waited_for_no_longer_than_two_seconds() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("key").create_with(&vec![1u64, 2]).unwrap();
    let removing = stranger(dir.path(), true, REMOVAL..REMOVAL + 1).unwrap();
    let started = Instant::now();
    is_kept(region.unlink().unwrap_err(), started);
    drop((removing, region));
    let removing = stranger(dir.path(), true, REMOVAL..END).unwrap();
    let started = Instant::now();
    is_kept(store.region("key").create_or_attach_with(&vec![1u64, 2]).unwrap_err(), started);
    assert_eq!(store.region("key").attach(Timeout::Now).unwrap_err().errno(), Errno::ENOENT as i32);
    drop(removing);

    let _editing = stranger(dir.path(), true, 0..OWNER).unwrap();
    let short = Timeout::Within(Duration::from_millis(1));
    for attach in [Timeout::Now, short] {
        let started = Instant::now();
        let error = store.region("key").attach_as::<Vec<u64>>(attach).unwrap_err();
        assert_eq!(error.errno(), Errno::ETIMEDOUT as i32, "{error}");
        assert!(started.elapsed() >= Duration::from_secs(2));
    }
    assert_eq!(
        store.region("key").create_or_attach_with(&vec![1u64]).unwrap_err().errno(),
        Errno::ETIMEDOUT as i32
    );
}
