//! The cases that GEOPM tests its SharedMemory with, each on shared memory and on a disk.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use graven::{Region, Store, Timeout};
use nix::errno::Errno;
use support::*;

const SECOND: Timeout = Timeout::Within(Duration::from_secs(1));

/// Does a case in a store in memory and in one on a disk, unless that copies blocks when they are written.
fn both(case: impl Fn(&Store, &Path)) {
    for dir in [directory(), tempfile::tempdir().unwrap()] {
        match store(&dir).region("first").size(1).create() {
            Err(error) if error.errno() == Errno::EOPNOTSUPP as i32 => println!("SKIPPED: {error}"),
            first => {
                first.unwrap().unlink().unwrap();
                case(&store(&dir), dir.path());
            }
        }
    }
}

fn file(dir: &Path) -> std::path::PathBuf {
    dir.join("geopm-shm-test.rgn")
}

const KEY: &str = "geopm-shm-test";
const SIZE: u64 = 32;

#[test]
fn fd_check() {
    both(|store, dir| {
        let owner = Region::owner(store, KEY, SIZE).unwrap();
        assert_eq!((owner.key(), owner.size()), (KEY, SIZE));
        assert!(file(dir).exists());
        std::thread::sleep(Duration::from_millis(100));
        assert!(file(dir).exists());
        owner.unlink().unwrap();
        assert!(!file(dir).exists());
        drop(owner);
        let kept = Region::owner(store, KEY, SIZE).unwrap();
        drop(kept);
        assert!(file(dir).exists(), "dropping a handle removes nothing");
    });
}

#[test]
fn invalid_construction() {
    both(|store, _| {
        assert_eq!(Region::owner(store, KEY, 0).unwrap_err().errno(), EINVAL);
        assert_eq!(Region::owner(store, "", SIZE).unwrap_err().errno(), EINVAL);
        assert_eq!(Region::owner_secure(store, "", SIZE).unwrap_err().errno(), EINVAL);
        assert_eq!(Region::user(store, "", SECOND).unwrap_err().errno(), EINVAL);
        assert_eq!(Region::user(store, "", Timeout::Now).unwrap_err().errno(), EINVAL);
        let soon = Timeout::Within(Duration::from_millis(20));
        assert_eq!(Region::user(store, KEY, soon).unwrap_err().errno(), Errno::ETIMEDOUT as i32);
        let _owner = Region::owner(store, KEY, SIZE).unwrap();
        assert_eq!(Region::owner(store, KEY, SIZE).unwrap_err().errno(), Errno::EEXIST as i32);
    });
}

#[test]
fn share_data() {
    both(|store, _| {
        let owner = Region::owner(store, KEY, SIZE).unwrap();
        let user = Region::user(store, KEY, SECOND).unwrap();
        owner.write_at(0, b"You are a key.").unwrap();
        let theirs = user.lock().unwrap().to_vec();
        assert_eq!(owner.lock().unwrap()[..], theirs);
        assert_eq!(&user.lock().unwrap()[..14], b"You are a key.");
        assert_ne!(owner.address(), user.address());
        owner.unlink().unwrap();
        assert_eq!(&user.lock().unwrap()[..14], b"You are a key.");
    });
}

#[test]
fn share_data_ipc() {
    if let Some(role) = role() {
        let user = Region::user(&store(role), KEY, SECOND).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while user.get::<u8>(0).unwrap() == 0 && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        tell(String::from_utf8_lossy(&user.lock().unwrap()[..14]));
        user.write_at(14, b"!").unwrap();
        done();
    }
    both(|store, dir| {
        let mut process = Other::start(other("share_data_ipc", dir.to_str().unwrap()));
        let owner = Region::owner(store, KEY, SIZE).unwrap();
        owner.write_at(0, b"You are a key.").unwrap();
        assert_eq!(process.hear(), "You are a key.");
        assert!(process.go().success());
        assert_eq!(owner.get::<u8>(14).unwrap(), b'!');
    });
}

fn lock_case(mine: &Region, theirs: &Region) {
    drop(mine.try_lock().unwrap());
    let guard = mine.lock().unwrap();
    for region in [mine, theirs] {
        assert_eq!(region.try_lock().unwrap_err().errno(), Errno::EAGAIN as i32);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(theirs.try_lock().unwrap_err().errno(), Errno::EAGAIN as i32));
    });
    assert_eq!(mine.lock().unwrap_err().errno(), Errno::EDEADLK as i32);
    drop(guard);
    drop(theirs.try_lock().unwrap());
    drop(mine.try_lock().unwrap());
}

#[test]
fn lock_shmem() {
    both(|store, _| {
        let owner = Region::owner(store, KEY, SIZE).unwrap();
        let user = Region::user(store, KEY, SECOND).unwrap();
        lock_case(&owner, &user);
    });
}

#[test]
fn lock_shmem_u() {
    both(|store, _| {
        let owner = Region::owner(store, KEY, SIZE).unwrap();
        let user = Region::user(store, KEY, SECOND).unwrap();
        lock_case(&user, &owner);
    });
}

#[test]
fn chown() {
    both(|store, dir| {
        let owner = Region::owner(store, KEY, SIZE).unwrap();
        let user = Region::user(store, KEY, SECOND).unwrap();
        let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        owner.chown(Some(uid), Some(gid)).unwrap();
        if is_root() {
            user.chown(Some(1234), None).unwrap();
            assert_eq!(fs::metadata(file(dir)).unwrap().uid(), 1234);
        } else {
            assert_eq!(user.chown(Some(0), None).unwrap_err().errno(), Errno::EPERM as i32);
        }
        owner.unlink().unwrap();
        assert_eq!(owner.chown(Some(uid), Some(gid)).unwrap_err().errno(), Errno::ENOENT as i32);
    });
}

#[test]
fn default_permissions() {
    if role().is_none() {
        // The umask is the whole process's.
        told_by(other("default_permissions", "alone"));
        return;
    }
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    both(|store, dir| {
        let _owner = Region::owner(store, KEY, SIZE).unwrap();
        assert_eq!(fs::metadata(file(dir)).unwrap().permissions().mode() & 0o777, 0o666);
    });
    done();
}

#[test]
fn secure_permissions() {
    if role().is_none() {
        told_by(other("secure_permissions", "alone"));
        return;
    }
    for mask in [0, 0o077, 0o377] {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
        both(|store, dir| {
            let _owner = Region::owner_secure(store, KEY, SIZE).unwrap();
            assert_eq!(fs::metadata(file(dir)).unwrap().permissions().mode() & 0o777, 0o600);
            nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        });
    }
    done();
}
