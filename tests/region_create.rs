//! A region appears with everything in place or not at all, for one creator; whoever attaches finds it as it was created.

#[path = "support/trace.rs"]
mod trace;

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, Instant};

use graven::{At, Cause, ErrorKind, Region, Timeout, error::RegionError, format::RegionHeader};
use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use support::*;

const WITHIN: Timeout = Timeout::Within(Duration::from_secs(2));

/// Starts `count` processes that do `role` at the same time: what each tells.
fn at_once(test: &str, role: &str, count: usize) -> Vec<String> {
    let mut others: Vec<Other> = (0..count).map(|_| Other::start(other(test, role))).collect();
    others.iter_mut().for_each(|other| assert_eq!(other.hear(), "ready"));
    others.iter_mut().for_each(Other::proceed);
    let told = others.iter_mut().map(Other::hear).collect();
    drop(others);
    told
}

#[test]
fn of_many_creators_one_creates_and_the_others_are_told_that_it_exists() {
    if let Some(role) = role() {
        let store = store(role);
        tell("ready");
        wait_for_go();
        match store.region("one").size(100).create() {
            Ok(region) => {
                region.put(0, std::process::id()).unwrap();
                tell("created");
                std::mem::forget(region);
            }
            Err(error) => tell(error.errno()),
        }
        std::thread::park_timeout(Duration::from_secs(30));
        done();
    }
    let dir = directory();
    let test = "of_many_creators_one_creates_and_the_others_are_told_that_it_exists";
    let told = at_once(test, dir.path().to_str().unwrap(), 50);
    assert_eq!(told.iter().filter(|told| *told == "created").count(), 1);
    assert_eq!(told.iter().filter(|told| **told == (Errno::EEXIST as i32).to_string()).count(), 49);
}

#[test]
fn of_fifty_processes_that_create_or_attach_one_creates_and_all_are_attached() {
    if let Some(role) = role() {
        let store = store(role);
        tell("ready");
        wait_for_go();
        let region = store.region("one").size(100).create_or_attach().unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while region.attached().unwrap() < 50 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        tell(format!("{} {} {}", region.created(), region.id(), region.attached().unwrap()));
        std::thread::park_timeout(Duration::from_secs(30));
        done();
    }
    let dir = directory();
    let test = "of_fifty_processes_that_create_or_attach_one_creates_and_all_are_attached";
    let told = at_once(test, dir.path().to_str().unwrap(), 50);
    let id = told[0].split(' ').nth(1).unwrap().to_owned();
    assert_eq!(told.iter().filter(|told| **told == format!("true {id} 50")).count(), 1);
    assert_eq!(told.iter().filter(|told| **told == format!("false {id} 50")).count(), 49);
}

#[test]
fn asking_for_more_than_there_is_or_for_nothing_is_invalid() {
    let dir = directory();
    let store = store(&dir);
    assert_eq!(region_error(&store.region("a").create_or_attach().unwrap_err()), &RegionError::Absent);
    assert_eq!(store.region("a").create_or_attach().unwrap_err().errno(), Errno::ENOENT as i32);
    let region = store.region("a").size(100).create_or_attach().unwrap();
    let smaller = RegionError::Smaller { asked: 200, existing: 100 };
    for error in [
        store.region("a").size(200).create_or_attach().unwrap_err(),
        store.region("a").size(200).attach(Timeout::Now).unwrap_err(),
    ] {
        assert_eq!(region_error(&error), &smaller);
        assert_eq!(error.errno(), EINVAL);
    }
    assert_eq!(store.region("a").create_or_attach().unwrap().id(), region.id());
    assert_eq!(store.region("a").size(50).create_or_attach().unwrap().size(), 100);

    assert_eq!(region_error(&store.region("b").create().unwrap_err()), &RegionError::Size { asked: 0 });
    let error = store.region("b").size(u64::MAX).create().unwrap_err();
    assert_eq!(region_error(&error), &RegionError::Size { asked: u64::MAX });
    for key in ["", ".b", "a/b", "../b"] {
        assert!(matches!(store.region(key).size(1).create().unwrap_err().cause(), Cause::StoreName { .. }));
        assert_eq!(store.region(key).attach(Timeout::Now).unwrap_err().errno(), EINVAL);
    }
    let error = store.region("b").size(1).read_only(true).create().unwrap_err();
    assert_eq!(region_error(&error), &RegionError::ReadOnly);
    assert_eq!(store.regions().unwrap(), ["a"]);
}

#[test]
fn both_sides_see_the_size_that_was_asked_for_and_zeros() {
    let dir = directory();
    let store = store(&dir);
    for size in [1, 4095, 4096, 4097, 1 << 30] {
        let created = match store.region("sized").size(size).create() {
            Err(error) if error.errno() == Errno::ENOSPC as i32 => {
                println!("SKIPPED: no room for {size} bytes");
                continue;
            }
            created => created.unwrap(),
        };
        let attached = store.region("sized").attach(Timeout::Now).unwrap();
        assert_eq!((created.size(), attached.size()), (size, size));
        assert_eq!(created.key(), "sized");
        assert!(attached.address().addr().get().is_multiple_of(4096));
        assert_eq!(attached.lock().unwrap().len() as u64, size);
        assert_eq!(attached.get::<u8>(size - 1).unwrap(), 0);
        created.put::<u8>(size - 1, 7).unwrap();
        assert_eq!(attached.get::<u8>(size - 1).unwrap(), 7);
        created.unlink().unwrap();
    }
}

#[test]
fn no_room_is_an_error_when_creating_and_never_a_signal_later() {
    use nix::mount::{MsFlags, mount, umount};
    if !is_root() {
        return println!("SKIPPED: mounting a small file system needs root");
    }
    if let Some(role) = role() {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("tmpfs"), &*role, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
        let store = store(&role);
        let error = store.region("large").size(1 << 20).create().unwrap_err();
        tell(error.errno());
        tell(store.regions().unwrap().len());
        // Header page and body: what fits can be written to the last byte.
        let region = store.region("fits").size(60 << 10).create().unwrap();
        region.lock().unwrap().fill(1);
        tell("filled");
        drop(region);
        let _ = umount(&*role);
        done();
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "no_room_is_an_error_when_creating_and_never_a_signal_later";
    let told = told_by(other(test, dir.path().to_str().unwrap()));
    assert_eq!(told, [(Errno::ENOSPC as i32).to_string(), "0".into(), "filled".into()]);
}

#[test]
fn a_file_system_that_cannot_allocate_ahead_is_refused_with_what_it_lacks() {
    use nix::mount::{MsFlags, mount};
    if !is_root() {
        return println!("SKIPPED: mounting a file system needs root");
    }
    if let Some(role) = role() {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("ramfs"), &*role, Some("ramfs"), MsFlags::empty(), None::<&str>).unwrap();
        let error = store(&role).region("key").size(1).create().unwrap_err();
        tell(error.errno());
        tell(error);
        tell(fs::read_dir(&role).unwrap().count());
        done();
    }
    let dir = tempfile::tempdir().unwrap();
    let test = "a_file_system_that_cannot_allocate_ahead_is_refused_with_what_it_lacks";
    let told = told_by(other(test, dir.path().to_str().unwrap()));
    assert_eq!((&*told[0], &*told[2]), (&*(Errno::EOPNOTSUPP as i32).to_string(), "0"));
    assert!(told[1].contains("fallocate(2)"), "{}", told[1]);
}

/// [S16.2a]
#[test]
fn what_is_no_region_is_invalid_at_once() {
    let dir = directory();
    let store = store(&dir);
    let path = dir.path().join("odd.rgn");
    let refused = |contents: &[u8]| {
        fs::write(&path, contents).unwrap();
        let error = store.region("odd").attach(WITHIN).unwrap_err();
        assert_eq!((error.errno(), error.kind()), (EINVAL, ErrorKind::InvalidSegment));
        assert!(error.to_string().starts_with(path.to_str().unwrap()), "{error}");
        // Nor is it something to create over.
        assert_eq!(store.region("odd").size(1).create().unwrap_err().errno(), Errno::EEXIST as i32);
    };
    refused(b"");
    refused(b"8 bytes.");
    refused(&[0; 4096]);
    let header = RegionHeader { typed: false, transient: false, page_size: 4096, size: 4096, id: 1 };
    let mut page = header.encode().to_vec();
    page.resize(8192, 0);
    refused(&page[..8191]);
    refused(&[&page[..], &[0; 4096]].concat());
    fs::write(&path, &page).unwrap();
    assert_eq!(store.region("odd").attach(Timeout::Now).unwrap().size(), 4096);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = store.region("odd").read_only(true).attach(Timeout::Now).unwrap_err();
    assert!(matches!(error.cause(), Cause::NotRegular));
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert_eq!(store.region("odd").attach(Timeout::Now).unwrap_err().errno(), Errno::ELOOP as i32);
}

#[test]
fn waiting_for_a_region_takes_the_time_given_and_hardly_any_of_the_processor() {
    let dir = directory();
    let store = store(&dir);
    let cpu = || {
        let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD).unwrap();
        let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
        micros(usage.user_time()) + micros(usage.system_time())
    };
    let (start, before) = (Instant::now(), cpu());
    let error = store.region("absent").attach(Timeout::Within(Duration::from_millis(50))).unwrap_err();
    assert_eq!(region_error(&error), &RegionError::NotCreated);
    assert_eq!(error.errno(), Errno::ETIMEDOUT as i32);
    println!("waited {:?}, {} µs of the processor", start.elapsed(), cpu() - before);
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert!(cpu() - before < 25_000, "looking every 1 to 20 ms");

    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.region("late").attach(WITHIN).unwrap());
        std::thread::sleep(Duration::from_millis(30));
        let created = store.region("late").size(8).create().unwrap();
        (waiting.join().unwrap().id(), created.id())
    });
    assert_eq!(waiting.0, waiting.1);
}

#[test]
fn modes_are_those_asked_for_and_users_meet_in_a_store_they_can_reach() {
    if let Some(role) = role() {
        become_user(65534);
        let store = store(&role);
        let read_only = store.region("shared").read_only(true).attach(Timeout::Now).unwrap();
        tell(read_only.get::<u8>(0).unwrap());
        tell(read_only.put(0, 1u8).unwrap_err().errno());
        let start = Instant::now();
        tell(store.region("shared").attach(Timeout::Within(Duration::from_secs(60))).unwrap_err().errno());
        tell(store.region("secret").read_only(true).attach(WITHIN).unwrap_err().errno());
        assert!(start.elapsed() < Duration::from_secs(30), "denied at once");
        tell(read_only.chmod(0o666).unwrap_err().errno());
        tell(read_only.chown(Some(65534), None).unwrap_err().errno());
        // Modes that leave nothing to the creator itself.
        let own = tempfile::tempdir().unwrap();
        let region = self::store(&own).region("own").size(1).mode(0).create().unwrap();
        region.put(0, 1u8).unwrap();
        assert_eq!(fs::metadata(own.path().join("own.rgn")).unwrap().mode() & 0o777, 0);
        assert_eq!(
            self::store(&own).region("own").attach(Timeout::Now).unwrap_err().errno(),
            Errno::EACCES as i32
        );
        let error = read_only.unlink().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::System, "{error}");
        tell(error.errno());
        drop((region, own));
        done();
    }
    let dir = directory();
    let store = store(&dir);
    let mode = |key: &str| fs::metadata(dir.path().join(format!("{key}.rgn"))).unwrap().mode() & 0o777;
    // The umask is the whole process's: this is the only test here that asks for modes.
    let before = umask(Mode::empty());
    let secure = |mask| {
        umask(Mode::from_bits_truncate(mask));
        Region::owner_secure(&store, &format!("secure-{mask}"), 1).unwrap();
        assert_eq!(mode(&format!("secure-{mask}")), 0o600);
    };
    secure(0);
    secure(0o077);
    umask(Mode::from_bits_truncate(0o022));
    let default = store.region("default").size(1).create().unwrap();
    assert_eq!(mode("default"), 0o644);
    default.chmod(0o640).unwrap();
    assert_eq!(mode("default"), 0o640);
    let shared = store.region("shared").size(1).mode(0o664).create().unwrap();
    let _secret = store.region("secret").size(1).secure().create().unwrap();
    umask(before);
    shared.put(0, 9u8).unwrap();
    if !is_root() {
        return println!("SKIPPED: becoming another user needs root");
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let test = "modes_are_those_asked_for_and_users_meet_in_a_store_they_can_reach";
    let told = told_by(other(test, dir.path().to_str().unwrap()));
    let [eperm, eacces] = [Errno::EPERM as i32, Errno::EACCES as i32];
    let expected = [9, eperm, eacces, eacces, eperm, eperm, eacces];
    assert_eq!(told, expected.map(|number| number.to_string()));
    shared.chown(Some(65534), Some(65534)).unwrap();
    let metadata = fs::metadata(dir.path().join("shared.rgn")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (65534, 65534));
    shared.unlink().unwrap();
    for error in [shared.chown(Some(0), None).unwrap_err(), shared.chmod(0o600).unwrap_err()] {
        assert_eq!(region_error(&error), &RegionError::Unlinked);
        assert_eq!(error.errno(), Errno::ENOENT as i32);
    }
}

#[test]
fn an_exact_address_is_exact_or_refused_and_nothing_is_mapped_over() {
    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
    let dir = directory();
    let store = store(&dir);
    let created = store.region("placed").size(3 * PAGE).create().unwrap();
    created.put(0, 5u64).unwrap();
    let at = 0x2a00_0000_0000;
    let placed = store.region("placed").at(At::Exact(at)).attach(Timeout::Now).unwrap();
    assert_eq!(placed.address().addr().get(), at);
    assert_eq!(placed.get::<u64>(0).unwrap(), 5);
    let taken = |at: usize| {
        let error = store.region("placed").at(At::Exact(at)).attach(Timeout::Now).unwrap_err();
        let (address, length) = (at, 3 * PAGE);
        assert!(
            matches!(*error.cause(), Cause::AddressTaken { address: a, length: l } if (a, l) == (address, length)),
            "{error}"
        );
        assert_eq!(error.errno(), Errno::EBUSY as i32);
    };
    taken(at);
    // The first, a middle and the last page: what is there stays as it is.
    let base = 0x2b00_0000_0000_usize;
    for page in 0..3 {
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED_NOREPLACE;
        let address = (base + page * PAGE as usize).try_into().ok();
        // SAFETY: MAP_FIXED_NOREPLACE replaces no mapping.
        let other = unsafe {
            mmap_anonymous(
                address,
                (PAGE as usize).try_into().unwrap(),
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                flags,
            )
        }
        .unwrap();
        let other = other.cast::<u64>();
        // SAFETY: a page of this test's own, readable and writable.
        unsafe { other.write_volatile(77) };
        taken(base);
        // SAFETY: as above.
        assert_eq!(unsafe { other.read_volatile() }, 77);
        // SAFETY: as above; nobody uses it any more.
        unsafe { nix::sys::mman::munmap(other.cast(), PAGE as usize) }.unwrap();
    }
    for at in [1, at + 512, at - 1, 0] {
        let error = store.region("placed").at(At::Exact(at)).attach(Timeout::Now).unwrap_err();
        assert!(matches!(error.cause(), Cause::Unaligned { what: "address", .. }), "{error}");
        assert_eq!(error.errno(), EINVAL);
    }
    // No address space there.
    assert!(store.region("placed").at(At::Exact(usize::MAX & !0xffff)).attach(Timeout::Now).is_err());
    drop(placed);
    store.region("placed").at(At::Exact(at)).attach(Timeout::Now).unwrap();
    // What was refused is not attached. (Children that other tests fork have a part in it as long as they live.)
    until(|| created.attached().unwrap() == 1);
}

#[test]
fn the_same_address_serves_every_process() {
    const AT: usize = 0x2c00_0000_0000;
    if let Some(role) = role() {
        let region = store(role).region("placed").at(At::Exact(AT)).attach(Timeout::Now).unwrap();
        // A raw pointer that every process stores and follows.
        let stored: u64 = region.get(8).unwrap();
        assert_eq!(stored as usize, region.address().addr().get() + 16);
        region.put(16, region.get::<u64>(16).unwrap() + 1).unwrap();
        done();
    }
    let dir = directory();
    let region = store(&dir).region("placed").size(64).at(At::Exact(AT)).create().unwrap();
    region.put(8, AT as u64 + 16).unwrap();
    let runs = if cfg!(debug_assertions) { 100 } else { 500 };
    for _ in 0..runs {
        told_by(other("the_same_address_serves_every_process", dir.path().to_str().unwrap()));
    }
    assert_eq!(region.get::<u64>(16).unwrap(), runs);
}

/// [S16.1]
#[test]
fn a_creator_killed_at_any_system_call_leaves_a_whole_region_or_none() {
    let dir = directory();
    let path = dir.path().to_owned();
    let store = store(&dir);
    let (mut whole, mut none) = (0, 0);
    let create = || {
        let region = self::store(&path).region("new").size(10_000).create().unwrap();
        std::mem::forget(region);
    };
    let kills = trace::kill_at_every_system_call(create, |killed| {
        match store.region("new").attach(Timeout::Now) {
            Ok(region) => {
                whole += 1;
                assert_eq!(region.size(), 10_000);
                let guard = region.lock().unwrap();
                assert!(guard.iter().all(|&byte| byte == 0));
                drop(guard);
                assert_eq!(region.attached().unwrap(), 1, "the dead are not attached");
                region.unlink().unwrap();
            }
            Err(error) => {
                none += 1;
                assert!(killed && error.errno() == Errno::ENOENT as i32, "{error}");
            }
        }
        let left: Vec<_> = fs::read_dir(&path).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    });
    println!("killed at {kills} stops: {whole} regions, {none} times none");
    assert!(kills > 40 && whole > 1 && none > 20);
}

#[test]
fn who_attaches_while_others_create_and_unlink_never_sees_half_a_region() {
    let dir = directory();
    let rounds = if cfg!(debug_assertions) { 5_000 } else { 100_000 };
    let (store, seen) = (store(&dir), std::sync::atomic::AtomicU64::new(0));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    match store.region("flicker").attach(Timeout::Now) {
                        Ok(region) => {
                            assert_eq!(region.size(), 100);
                            seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        }
                        Err(error) => assert_eq!(error.errno(), Errno::ENOENT as i32, "{error}"),
                    }
                }
            });
        }
        let mut ids = std::collections::HashSet::new();
        for _ in 0..rounds {
            let region = store.region("flicker").size(100).create().unwrap();
            assert!(ids.insert(region.id()), "an id came twice");
            region.unlink().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    println!("attached {seen:?} times during {rounds} rounds");
}

#[test]
fn unlinking_one_leaves_another_of_the_same_key_and_a_mapping_outlives_its_name() {
    let dir = directory();
    let store = store(&dir);
    let a = store.region("key").size(8).create().unwrap();
    let a2 = store.region("key").attach(Timeout::Now).unwrap();
    a.put(0, 1u64).unwrap();
    a2.unlink().unwrap();
    assert_eq!(store.region("key").attach(Timeout::Now).unwrap_err().errno(), Errno::ENOENT as i32);
    let b = store.region("key").size(8).create().unwrap();
    assert_ne!(a.id(), b.id());
    assert_eq!(region_error(&a.unlink().unwrap_err()), &RegionError::Unlinked);
    assert_eq!(store.region("key").attach(Timeout::Now).unwrap().id(), b.id());
    a.put(0, a2.get::<u64>(0).unwrap() + 1).unwrap();
    assert_eq!((a2.get::<u64>(0).unwrap(), b.get::<u64>(0).unwrap()), (2, 0));
    b.unlink().unwrap();
    assert_eq!(b.unlink().unwrap_err().errno(), Errno::ENOENT as i32);
}

#[test]
fn creating_two_keys_at_once_does_not_wait_for_each_other() {
    let dir = directory();
    let store = store(&dir);
    let both = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        for key in ["left", "right"] {
            let (store, both) = (&store, &both);
            scope.spawn(move || {
                let region = store.region(key).size(1 << 20).create().unwrap();
                both.wait();
                assert_eq!(store.regions().unwrap(), ["left", "right"]);
                assert!(region.created());
            });
        }
    });
}
