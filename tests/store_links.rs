//! Links and paths: what is changed or removed in a store is what is there, never what it leads to.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use graven::rkyv::{Place, rancor::Fallible};
use graven::{Archive, Serialize, Timeout};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use support::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

/// [S17.6a]
#[test]
fn no_link_leads_to_what_is_changed() {
    let directory = directory();
    let store = store(&directory);
    let path = |name: &str| directory.path().join(name);
    let target = path("target");
    for role in ["life", "grv", "own", "ctl"] {
        for hard in [false, true] {
            store.owner_options("one").mode(0o600).open().unwrap().publish(&7u64).unwrap();
            let file = path(&format!("one.{role}"));
            // A hard link has to be to something of the same kind to be taken for it.
            fs::rename(&file, &target).unwrap();
            fs::set_permissions(&target, PermissionsExt::from_mode(0o600)).unwrap();
            match hard {
                true => fs::hard_link(&target, &file).unwrap(),
                false => symlink(&target, &file).unwrap(),
            }
            let changed = store.chmod("one", 0o644);
            assert_eq!(mode(&target), 0o600, "{role} {hard}");
            // The lock's mode is that already.
            let untouched = role == "own" && hard || role == "life" && !hard;
            let errno = changed.map_or_else(|error| error.errno(), |()| 0);
            let expected = match (hard, role) {
                _ if untouched => 0,
                (true, _) => Errno::EMLINK as i32,
                (false, "ctl") => Errno::EINVAL as i32,
                (false, _) => Errno::ELOOP as i32,
            };
            assert_eq!(errno, expected, "{role} {hard}");
            if is_root() {
                let _ = store.chown("one", Some(12345), Some(12345));
                assert_eq!(fs::metadata(&target).unwrap().uid(), 0, "{role} {hard}");
            }
            fs::remove_file(&file).unwrap();
            fs::remove_file(&target).unwrap();
            if role == "own" || role == "ctl" {
                // Or the next owner would count on from what is there, which is somebody else's by now.
                for ending in ["grv", "ctl", "life", "own"] {
                    let _ = fs::remove_file(path(&format!("one.{ending}")));
                }
            }
            store.owner("one").unwrap().retire().unwrap();
            assert_eq!(names_in(directory.path()), [""; 0]);
        }
    }
}

/// Attaches, lets `move_away` do what it does with the directory, and asks for what there is.
fn works_wherever_the_directory_is(move_away: impl FnOnce(&Path)) {
    let directory = directory();
    let dir = directory.path().join("store");
    fs::create_dir(&dir).unwrap();
    let store = store(&dir);
    let mut owner = store.owner("one").unwrap();
    owner.publish(&1u64).unwrap();
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    let transient = store.region("over").size(8).create().unwrap();
    drop(store.owner("nothing-published").unwrap());
    move_away(&dir);

    let readable = |reader: &graven::Reader<u64>, milliseconds: u16| {
        poll(&mut [PollFd::new(reader.descriptor().unwrap(), PollFlags::POLLIN)], milliseconds).unwrap() == 1
    };
    assert!(readable(&reader, 2000));
    reader.latest().unwrap();
    owner.publish(&2u64).unwrap();
    assert!(readable(&reader, 2000));
    assert_eq!(**reader.latest().unwrap(), 2);
    // Asked for before the directory moved, or after: both are told.
    let mut other = store.reader::<u64>("one", Timeout::Now).unwrap();
    assert!(readable(&other, 2000));
    other.latest().unwrap();
    owner.publish(&3u64).unwrap();
    assert!(readable(&other, 2000) && readable(&reader, 2000));
    assert_eq!(**other.latest().unwrap(), 3);

    assert_eq!(store.list().unwrap(), ["one"]);
    assert_eq!(store.regions().unwrap(), ["over"]);
    assert_eq!(store.sweep().unwrap(), ["nothing-published"]);
    assert_eq!(store.stat("one").unwrap().generation, 3);
    store.chmod("one", 0o600).unwrap();
    transient.notify().unwrap();
    transient.unlink().unwrap();
    owner.retire().unwrap();
    assert_eq!(store.list().unwrap(), [""; 0]);
}

#[test]
fn a_store_goes_with_its_directory_when_that_is_renamed() {
    works_wherever_the_directory_is(|dir| fs::rename(dir, dir.with_extension("moved")).unwrap());
    // Another by the same name, with files of the same names.
    works_wherever_the_directory_is(|dir| {
        fs::rename(dir, dir.with_extension("moved")).unwrap();
        fs::create_dir(dir).unwrap();
        let store = store(dir);
        store.owner("other").unwrap().publish(&7u64).unwrap();
        store.owner("one").unwrap().publish(&7u64).unwrap();
    });
}

#[test]
fn a_store_stays_where_it_is_when_the_root_directory_changes() {
    let test = "a_store_stays_where_it_is_when_the_root_directory_changes";
    if !alone(test) {
        return;
    }
    if !is_root() {
        tell("SKIPPED: only root can change its root directory");
        done();
    }
    let jail = directory();
    // No /proc either: nothing is reached by way of that.
    works_wherever_the_directory_is(|_| std::os::unix::fs::chroot(jail.path()).unwrap());
    done();
}

/// [S17.5a]
#[test]
fn another_programs_files_stay_and_what_a_killed_writer_has_left_goes() {
    let test = "another_programs_files_stay_and_what_a_killed_writer_has_left_goes";
    /// Ends its process while it is serialized.
    fn deadly() -> Scripted<impl Fn() -> Result<(), std::io::Error>> {
        // SAFETY: `_exit` asks for nothing.
        Scripted(|| unsafe { nix::libc::_exit(0) })
    }
    if let Some(role) = role() {
        let (jail, what) = role.split_once(' ').unwrap();
        // Without /proc unfinished files have names, as where O_TMPFILE is not to be had.
        std::os::unix::fs::chroot(jail).unwrap();
        std::env::set_current_dir("/").unwrap();
        match what {
            "write" => drop(graven::write("data.grv", &deadly()).unwrap()),
            "region" => drop(store(".").region("r").create_with(&Once(deadly(), false.into())).unwrap()),
            _ => drop(store(".").owner("one").unwrap().publish(&deadly()).unwrap()),
        }
        unreachable!();
    }
    let directory = directory();
    let dir = directory.path();
    let others = [".data.grv.tmp", ".graven-data.tmp", ".one.own.tmp", "data.grv.tmp"];
    for other in others {
        fs::write(dir.join(other), "another program's").unwrap();
    }
    graven::write(dir.join("data.grv"), &1u8).unwrap();
    graven::write(dir.join("data.grv"), &1u8).unwrap();
    let mut all: Vec<String> = others.map(str::to_owned).into();
    all.push("data.grv".into());
    all.sort();
    assert_eq!(names_in(dir), all);
    if !is_root() {
        return println!("SKIPPED: only root can be where /proc is not");
    }
    let killed = |what: &str| told_by(other(test, &format!("{} {what}", dir.display())));
    let store = store(dir);
    for what in ["write", "region", "publish"] {
        for _ in 0..3 {
            killed(what);
        }
        let left = names_in(dir).iter().filter(|name| !all.contains(*name)).count();
        // Not one for each time; of a name its files as well.
        assert_eq!(left, if what == "publish" { 4 } else { 1 }, "{what}: {:?}", names_in(dir));
        assert_eq!(store.sweep().unwrap(), if what == "publish" { &["one"][..] } else { &[] });
        assert_eq!(names_in(dir), all, "{what}");
    }
    // The next who writes there removes it, too.
    killed("write");
    graven::write(dir.join("data.grv"), &1u8).unwrap();
    graven::write(dir.join("data.grv"), &1u8).unwrap();
    assert_eq!(names_in(dir), all);
}

/// Serialized once for its length, and then as what is in it.
struct Once<T>(T, std::cell::Cell<bool>);

impl<T: Archive> Archive for Once<T> {
    type Archived = T::Archived;
    type Resolver = T::Resolver;

    fn resolve(&self, resolver: T::Resolver, out: Place<T::Archived>) {
        self.0.resolve(resolver, out);
    }
}

impl<T: Serialize<S> + Archive<Resolver = ()>, S: Fallible + ?Sized> Serialize<S> for Once<T> {
    fn serialize(&self, serializer: &mut S) -> Result<(), S::Error> {
        if self.1.replace(true) { self.0.serialize(serializer) } else { Ok(()) }
    }
}
