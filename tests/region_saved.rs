//! A saved region is a whole snapshot whatever becomes of the process that saves it, and only a whole snapshot is loaded.

#[path = "support/trace.rs"]
mod trace;

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use graven::{Cause, ErrorKind, Segment, Timeout, error::RegionError};
use nix::errno::Errno;
use support::*;

/// [S16.6]
#[test]
fn what_was_saved_is_a_segment_and_comes_back() {
    let dir = directory();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("saved.grv");
    let store = store(&dir);
    let region = store.region("board").size(100_001).secure().create().unwrap();
    let contents: Vec<u8> = (0..100_001u32).map(|n| (n * 7 % 251) as u8).collect();
    region.write_at(0, &contents).unwrap();
    let summary = region.save(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().len(), summary.length);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "as secret as the region");
    let segment = Segment::read(&file).unwrap();
    segment.verify().unwrap();
    let parts: Vec<u8> = (0..summary.objects)
        .map(|part| if part == 0 { String::new() } else { part.to_string() })
        .flat_map(|name| segment.get::<Vec<u8>>(&name).unwrap().to_vec())
        .collect();
    assert_eq!(parts, contents);

    region.lock().unwrap().fill(0);
    region.load(&file).unwrap();
    assert_eq!(region.lock().unwrap()[..], contents);
    let other = store.region("other").size(100_001).create().unwrap();
    other.load(&file).unwrap();
    assert_eq!(other.lock().unwrap()[..], contents);
    // Reading is enough to save.
    let reader = store.region("board").read_only(true).attach(Timeout::Now).unwrap();
    reader.save(&file).unwrap();
    assert_eq!(reader.load(&file).unwrap_err().errno(), Errno::EPERM as i32);
    let guard = region.lock().unwrap();
    assert_eq!(region.save(&file).unwrap_err().errno(), Errno::EDEADLK as i32);
    assert_eq!(region.load(&file).unwrap_err().errno(), Errno::EDEADLK as i32);
    drop(guard);
}

#[test]
fn a_file_that_is_short_flipped_or_of_another_size_changes_nothing() {
    let dir = directory();
    let file = dir.path().join("saved.grv");
    let store = store(&dir);
    let region = store.region("board").size(300).create().unwrap();
    region.lock().unwrap().fill(3);
    region.save(&file).unwrap();
    region.lock().unwrap().fill(4);
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&file, bytes).unwrap();
        let error = region.load(&file).expect_err(what);
        assert_eq!(error.errno(), EINVAL, "{what}: {error}");
        assert!(region.lock().unwrap().iter().all(|&byte| byte == 4), "{what}");
    };
    for length in (0..whole.len()).step_by(97) {
        refused(&whole[..length], &format!("cut to {length}"));
    }
    refused(&[&whole[..], &[0]].concat(), "a byte more");
    for at in (0..whole.len()).step_by(if cfg!(debug_assertions) { 5 } else { 1 }) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        refused(&bytes, &format!("byte {at} flipped"));
    }
    for size in [1, 299, 301, 5000] {
        let other = store.region("other").size(size).create().unwrap();
        fs::write(&file, &whole).unwrap();
        let error = other.load(&file).unwrap_err();
        assert!(
            matches!(*error.cause(), Cause::Region(RegionError::SavedSize { saved: 300, .. })),
            "{error}"
        );
        assert_eq!((error.errno(), error.kind()), (EINVAL, ErrorKind::InvalidArgument));
        assert!(other.lock().unwrap().iter().all(|&byte| byte == 0));
        other.unlink().unwrap();
    }
    graven::write(&file, &7u64).unwrap();
    assert!(matches!(region.load(&file).unwrap_err().cause(), Cause::Layout(_)));
    let mut writer = graven::Writer::create(&file).unwrap();
    writer.put("elsewhere", &vec![0u8; 300]).unwrap();
    writer.finish().unwrap();
    assert_eq!(region.load(&file).unwrap_err().errno(), EINVAL);
    assert_eq!(region.load(dir.path().join("absent")).unwrap_err().errno(), Errno::ENOENT as i32);
    assert_eq!(region.load(dir.path()).unwrap_err().errno(), EINVAL);
    fs::write(&file, &whole).unwrap();
    region.load(&file).unwrap();
    assert!(region.lock().unwrap().iter().all(|&byte| byte == 3));
}

#[test]
fn killed_at_any_system_call_of_a_save_the_file_is_the_old_one_or_the_new_one() {
    let dir = directory();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("saved.grv");
    let store = store(&dir);
    let region = store.region("board").size(10_000).create().unwrap();
    region.lock().unwrap().fill(1);
    region.save(&file).unwrap();
    region.lock().unwrap().fill(2);
    let (mut old, mut new) = (0, 0);
    let save = || {
        let region = self::store(&dir).region("board").attach(Timeout::Now).unwrap();
        region.save(&file).unwrap();
    };
    let kills = trace::kill_at_every_system_call(save, |killed| {
        let segment = Segment::read(&file).unwrap();
        segment.verify().unwrap();
        let root = segment.root::<Vec<u8>>().unwrap();
        match root[0] {
            1 => old += 1,
            _ => new += 1,
        }
        assert!(root.iter().all(|&byte| byte == root[0]));
        assert!(killed || root[0] == 2);
        let guard = region.lock_within(std::time::Duration::from_secs(2)).unwrap();
        assert!(!guard.holder_died(), "who saves only reads");
        drop(guard);
        // A snapshot before: the next one has to show that it is new.
        region.lock().unwrap().fill(1);
        region.save(&file).unwrap();
        region.lock().unwrap().fill(2);
    });
    println!("killed at {kills} stops: {old} times the old file, {new} times the new one");
    assert!(kills > 60 && old > 40 && new > 1);
    // Not more than one left behind by each that was killed between two names.
    assert!(fs::read_dir(files.path()).unwrap().count() < 10);
}

#[test]
fn killed_at_any_system_call_of_a_load_the_region_is_old_new_or_said_to_be_torn() {
    let dir = directory();
    let file = dir.path().join("saved.grv");
    let store = store(&dir);
    let region = store.region("board").size(10_000).create().unwrap();
    region.lock().unwrap().fill(1);
    region.save(&file).unwrap();
    let load = || {
        let region = self::store(&dir).region("board").attach(Timeout::Now).unwrap();
        region.load(&file).unwrap();
    };
    region.lock().unwrap().fill(2);
    let (mut whole, mut torn) = (0, 0);
    let kills = trace::kill_at_every_system_call(load, |killed| {
        let mut guard = region.lock_within(std::time::Duration::from_secs(2)).unwrap();
        match guard.holder_died() {
            true => torn += 1,
            false => {
                whole += 1;
                assert!(guard.iter().all(|&byte| byte == guard[0]));
                assert!(killed || guard[0] == 1);
            }
        }
        guard.fill(2);
    });
    println!("killed at {kills} stops: {whole} times whole, {torn} times said to be torn");
    assert!(kills > 30 && whole > 20);
}

#[test]
fn snapshots_of_a_region_that_is_written_meanwhile_are_of_one_moment() {
    let dir = directory();
    let store = store(&dir);
    let region = store.region("board").size(200_000).create().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = store.region("board").attach(Timeout::Now).unwrap();
            let mut byte = 0u8;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                byte = byte.wrapping_add(1);
                writer.lock().unwrap().fill(byte);
            }
        });
        for round in 0..50 {
            let file = dir.path().join(format!("{round}.grv"));
            region.save(&file).unwrap();
            let segment = Segment::read(&file).unwrap();
            segment.verify().unwrap();
            let root = segment.root::<Vec<u8>>().unwrap();
            assert!(root.iter().all(|&byte| byte == root[0]), "torn");
            fs::remove_file(file).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
