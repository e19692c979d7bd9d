//! Names and regions on overlayfs: what is mapped there is the file of the layer below, so a lock does not live on with the
//! mapping, and what is written after the file was copied up does not come through it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use graven::{Cause, Store, Timeout};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sched::{CloneFlags, unshare};
use support::*;

const SOON: Timeout = Timeout::Within(Duration::from_secs(2));

/// In a mount namespace of this process's own: an overlayfs, with what `lower` puts into its lower layer. The directory, or
/// why there is none.
fn overlay(within: &Path, lower: impl FnOnce(&Path)) -> Result<PathBuf, String> {
    let mount = |kind: &str, at: &Path, options: &str| {
        mount(Some(kind), at, Some(kind), MsFlags::empty(), Some(options))
            .map_err(|errno| format!("no {kind} can be mounted: {errno}"))
    };
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| format!("no mount namespace: {errno}"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(|errno| format!("no mount namespace: {errno}"))?;
    let path = |name: &str| within.join(name);
    mount("tmpfs", within, "size=64m")?;
    for dir in ["lower", "upper", "work", "merged"] {
        fs::create_dir(path(dir)).unwrap();
    }
    // Of a file system of its own: there a file has another number once it is copied up.
    mount("tmpfs", &path("lower"), "size=64m")?;
    lower(&path("lower"));
    let show = |name| path(name).display().to_string();
    let layers = format!("lowerdir={},upperdir={},workdir={}", show("lower"), show("upper"), show("work"));
    mount("overlay", &path("merged"), &layers)?;
    Ok(path("merged"))
}

/// As `overlay`, in a process of its own. `None`: this is the one that started it, or it was SKIPPED.
fn alone_on_overlay(test: &str, lower: impl FnOnce(&Path)) -> Option<(tempfile::TempDir, PathBuf)> {
    if !alone(test) {
        return None;
    }
    let within = directory();
    match overlay(within.path(), lower) {
        Ok(merged) => Some((within, merged)),
        Err(why) => {
            tell(format!("SKIPPED: {why}"));
            done()
        }
    }
}

fn readable(reader: &graven::Reader<u64>) -> bool {
    let mut fds = [PollFd::new(reader.descriptor().unwrap(), PollFlags::POLLIN)];
    poll(&mut fds, 2000u16).unwrap() == 1
}

/// [S17.2c]
#[test]
fn whoever_is_attached_counts_and_what_they_have_is_not_swept() {
    let test = "whoever_is_attached_counts_and_what_they_have_is_not_swept";
    if let Some(dir) = role().filter(|role| role != "alone") {
        let swept = store(&dir).sweep().unwrap();
        let again = store(&dir).region("r").size(8).delete_on_last_detach(true).create();
        tell(format!("{swept:?} {}", again.unwrap_err().errno()));
        done();
    }
    let Some((_within, dir)) = alone_on_overlay(test, |_| ()) else { return };
    let store = store(&dir);
    let region = store.region("r").size(64).delete_on_last_detach(true).create().unwrap();
    let other_region = store.region("r").attach(Timeout::Now).unwrap();
    assert_eq!(region.attached().unwrap(), 2);
    let mut owner = store.owner_options("x").delete_on_last_detach(true).open().unwrap();
    owner.publish(&1u64).unwrap();
    let mut reader = store.reader::<u64>("x", Timeout::Now).unwrap();
    let clone = reader.clone();
    assert_eq!((owner.attached().unwrap(), store.stat("x").unwrap().attached), (1, 1));
    drop(owner);
    assert_eq!(**reader.latest().unwrap(), 1);

    let swept = || told_by(other(test, dir.to_str().unwrap()));
    let kept = format!("[] {}", Errno::EEXIST as i32);
    assert_eq!(swept(), [&*kept]);
    drop((region, reader));
    assert_eq!(swept(), [&*kept], "others are attached");
    assert_eq!((other_region.attached().unwrap(), clone.attached().unwrap()), (1, 1));
    drop((other_region, clone));
    assert_eq!(names_in(&dir), [""; 0]);
    done();
}

#[test]
fn a_forked_child_stays_attached_where_a_descriptor_carries_the_attachment() {
    let test = "a_forked_child_stays_attached_where_a_descriptor_carries_the_attachment";
    let Some((_within, dir)) = alone_on_overlay(test, |_| ()) else { return };
    let store = store(&dir);
    let mut owner = store.owner("x").unwrap();
    owner.publish(&1u64).unwrap();
    let reader = store.reader::<u64>("x", Timeout::Now).unwrap();
    // SAFETY: the child runs this thread alone, and leaves by `_exit`.
    match unsafe { nix::unistd::fork() }.unwrap() {
        nix::unistd::ForkResult::Child => {
            until(|| dir.join("go").exists());
            // SAFETY: `_exit` asks for nothing.
            unsafe { nix::libc::_exit(0) }
        }
        nix::unistd::ForkResult::Parent { child } => {
            drop(reader);
            assert_eq!(owner.attached().unwrap(), 1);
            fs::write(dir.join("go"), "").unwrap();
            nix::sys::wait::waitpid(child, None).unwrap();
            assert_eq!(owner.attached().unwrap(), 0);
        }
    }
    done();
}

/// A store in an image: published, and its owner gone, before there was an overlay.
fn published(dir: &Path) -> Store {
    let store = store(dir);
    store.owner("x").unwrap().publish(&1u64).unwrap();
    store
}

#[test]
fn readers_of_a_lower_layer_learn_of_the_first_owner() {
    let test = "readers_of_a_lower_layer_learn_of_the_first_owner";
    let Some((_within, dir)) = alone_on_overlay(test, |lower| drop(published(lower))) else { return };
    let store = store(&dir);
    let attach = || store.reader::<u64>("x", Timeout::Now).unwrap();
    let (mut looking, mut sleeping, mut polling) = (attach(), attach(), attach());
    assert!(!looking.owner_alive());
    assert!(readable(&polling));
    assert_eq!(**polling.latest().unwrap(), 1);

    let mut owner = store.owner("x").unwrap();
    assert_eq!(owner.attached().unwrap(), 3);
    assert_eq!(owner.publish(&2u64).unwrap(), 2);
    assert_eq!(**looking.latest().unwrap(), 2);
    assert_eq!(**sleeping.wait(SOON).unwrap(), 2);
    assert!(readable(&polling));
    assert_eq!(**polling.latest().unwrap(), 2);
    assert!(looking.owner_alive());

    // One that sleeps meanwhile.
    let slept = std::thread::spawn(move || sleeping.wait(SOON).map(|value| value.to_native()));
    std::thread::sleep(Duration::from_millis(50));
    owner.publish(&3u64).unwrap();
    assert_eq!(slept.join().unwrap().unwrap(), 3);
    assert_eq!(**looking.latest().unwrap(), 3);
    owner.retire().unwrap();
    assert!(matches!(looking.latest().unwrap_err().cause(), Cause::Retired));
    assert!(readable(&polling));
    assert!(matches!(polling.latest().unwrap_err().cause(), Cause::Retired));
    done();
}

/// [S16.4a]
#[test]
fn a_region_is_not_attached_for_reading_where_its_mapping_may_be_of_another_file() {
    let test = "a_region_is_not_attached_for_reading_where_its_mapping_may_be_of_another_file";
    let Some((_within, dir)) = alone_on_overlay(test, |_| ()) else { return };
    let store = store(&dir);
    let region = store.region("r").size(64).create().unwrap();
    let error = store.region("r").read_only(true).attach(Timeout::Now).unwrap_err();
    assert_eq!(error.errno(), Errno::EOPNOTSUPP as i32, "{error}");
    assert!(error.to_string().contains("overlayfs"), "{error}");
    // Those who may write see what others write.
    let other = store.region("r").attach(Timeout::Now).unwrap();
    region.put(0, 7u64).unwrap();
    assert_eq!(other.get::<u64>(0).unwrap(), 7);
    done();
}

#[test]
fn processes_that_are_just_being_started_make_no_attachment_look_alive() {
    let test = "processes_that_are_just_being_started_make_no_attachment_look_alive";
    let Some((_within, dir)) = alone_on_overlay(test, |_| ()) else { return };
    let store = store(&dir);
    let mut owner = store.owner("x").unwrap();
    owner.publish(&1u64).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    let readers: Vec<_> = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(relaxed) {
                    // They have copies of all descriptors for a moment.
                    std::process::Command::new("/bin/true").status().unwrap();
                }
            });
        }
        let readers = (0..500).map(|_| store.reader::<u64>("x", Timeout::Now).unwrap()).collect();
        over.store(true, relaxed);
        readers
    });
    assert_eq!(owner.attached().unwrap(), readers.len() as u64);
    done();
}
