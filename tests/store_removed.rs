//! What belongs to a name can be removed by others: cleaners of old files, logind's RemoveIPC, `rm`. An owner whose lock is
//! removed is not alone any more; one whose page is removed tells nobody. Whoever is asked for something knows that before
//! they say that it is done, and puts nothing over what another owner has put there.

mod support;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use graven::{Cause, Error, ErrorKind, Lifetime, Owner, Store, Timeout};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use support::*;

const SECOND: Duration = Duration::from_secs(1);
const SOON: Timeout = Timeout::Within(Duration::from_secs(2));

fn removed(error: &Error) {
    assert!(matches!(error.cause(), Cause::Removed), "{error}");
    assert_eq!((error.kind(), error.errno()), (ErrorKind::Retired, Errno::ESTALE as i32));
    assert!(error.to_string().contains("files were removed"), "{error}");
}

fn owned(store: &Store) -> Owner {
    let mut owner = store.owner("one").unwrap();
    owner.publish(&1u64).unwrap();
    owner
}

fn newest(store: &Store) -> u64 {
    store.reader::<u64>("one", Timeout::Now).unwrap().current().to_native()
}

fn remove(dir: &Path, endings: &[&str]) {
    for ending in endings {
        fs::remove_file(dir.join(format!("one{ending}"))).unwrap();
    }
}

/// [S17.4c]
#[test]
fn an_owner_whose_files_were_removed_publishes_nothing() {
    for endings in [&[".own"][..], &[".ctl"], &[".life"], &[".own", ".ctl", ".life", ".grv"]] {
        let directory = directory();
        let store = store(&directory);
        let mut owner = owned(&store);
        remove(directory.path(), endings);
        let there = names_in(directory.path());
        removed(&owner.publish(&2u64).unwrap_err());
        removed(&owner.publish_with(|draft| draft.keep("")).unwrap_err());
        assert_eq!(owner.generation(), 1);
        assert_eq!(names_in(directory.path()), there, "{endings:?}");
        // As before, and again.
        removed(&owner.publish(&2u64).unwrap_err());
        drop(owner);
        assert_eq!(names_in(directory.path()), there);
        // The next owner puts it in order.
        let mut next = store.owner("one").unwrap();
        let generation = next.publish(&3u64).unwrap();
        assert_eq!(generation, if endings.len() == 4 { 1 } else { 2 });
        assert_eq!(newest(&store), 3);
        next.retire().unwrap();
        assert_eq!(names_in(directory.path()), [""; 0]);
    }
}

#[test]
fn of_two_owners_the_one_whose_lock_was_removed_is_told_and_spoils_nothing() {
    for lifetime in [Lifetime::Persistent, Lifetime::Process] {
        let directory = directory();
        let store = store(&directory);
        let own = || store.owner_options("one").lifetime(lifetime).open().unwrap();
        let mut first = own();
        first.publish(&1u64).unwrap();
        remove(directory.path(), &[".own"]);
        let mut second = own();
        let generation = second.publish(&20u64).unwrap();
        // Nor is anything told in the place of the other.
        let page = || fs::read(directory.path().join("one.ctl")).unwrap();
        let told = page();
        removed(&first.publish(&10u64).unwrap_err());
        assert!(page() == told);
        assert_eq!(newest(&store), 20);
        assert_eq!(second.publish(&30u64).unwrap(), generation + 1);
        let there = names_in(directory.path());
        // Neither the end of its handle nor an end on purpose is one of the name.
        removed(&first.retire().unwrap_err());
        assert_eq!(names_in(directory.path()), there);
        let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
        assert_eq!(**reader.latest().unwrap(), 30);
        second.publish(&40u64).unwrap();
        assert_eq!(**reader.latest().unwrap(), 40);
        assert!(reader.owner_alive());
    }
}

#[test]
fn what_another_owner_publishes_while_a_draft_is_made_is_not_overwritten() {
    let directory = directory();
    let store = store(&directory);
    let mut first = owned(&store);
    let mut second = None;
    let published = first.publish_with(|draft| {
        remove(directory.path(), &[".own"]);
        let mut other = store.owner("one").unwrap();
        other.publish(&20u64)?;
        second = Some(other);
        draft.put("", &10u64)
    });
    removed(&published.unwrap_err());
    assert_eq!(newest(&store), 20);
    drop(first);
    assert_eq!(second.unwrap().publish(&30u64).unwrap(), 3);
}

/// The page is there when it is opened, and has gone when the change is made: sooner or later it is so.
#[test]
fn a_change_of_mode_or_owner_says_that_the_page_went_meanwhile() {
    let directory = directory();
    let store = store(&directory);
    let _owner = owned(&store);
    let [page, aside] = ["one.ctl", "aside"].map(|name| directory.path().join(name));
    let change = |how: &str| match how {
        "chmod" => store.chmod("one", 0o600),
        _ => store.chown("one", None, None),
    };
    for how in ["chmod", "chown"] {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    fs::rename(&page, &aside).unwrap();
                    fs::rename(&aside, &page).unwrap();
                }
            });
            let start = Instant::now();
            let told =
                std::iter::repeat_with(|| change(how).err()).take_while(|_| start.elapsed() < 10 * SECOND);
            let told = told.flatten().find(|error| !matches!(error.cause(), Cause::NoName));
            done.store(true, Relaxed);
            removed(&told.expect("within ten seconds"));
        });
        change(how).unwrap();
    }
}

#[test]
fn a_generation_that_was_removed_is_not_kept_and_the_next_heals_the_name() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = owned(&store);
    remove(directory.path(), &[".grv"]);
    removed(&owner.publish_with(|draft| draft.keep("")).unwrap_err());
    assert_eq!(owner.publish(&2u64).unwrap(), 2);
    assert_eq!(newest(&store), 2);
}

/// [S17.2b]
#[test]
fn readers_of_a_page_that_was_removed_are_told_whoever_owns_the_name_now() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = owned(&store);
    let attach = || store.reader::<u64>("one", Timeout::Now).unwrap();
    let (mut sleeping, mut polling, mut looking) = (attach(), attach(), attach());
    polling.descriptor().unwrap();
    polling.latest().unwrap();
    remove(directory.path(), &[".own", ".ctl", ".life", ".grv"]);
    // Another store's name by now.
    let mut other = store.owner("one").unwrap();
    other.publish(&7u64).unwrap();
    removed(&sleeping.wait(SOON).unwrap_err());
    let mut fds = [PollFd::new(polling.descriptor().unwrap(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, 2000u16).unwrap(), 1);
    removed(&polling.latest().unwrap_err());
    assert_eq!(sleeping.attached().unwrap_err().errno(), Errno::ESTALE as i32);
    // Who only loads is told by the owner, once that knows.
    assert_eq!(**looking.latest().unwrap(), 1);
    removed(&owner.publish(&2u64).unwrap_err());
    assert!(matches!(looking.latest().unwrap_err().cause(), Cause::Retired));
    assert_eq!((**looking.current()).to_native(), 1);
    assert_eq!(newest(&store), 7);
    assert_eq!(other.publish(&8u64).unwrap(), 2);
}

#[test]
fn a_name_that_ends_with_its_process_ends_though_its_page_was_removed() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner_options("one").lifetime(Lifetime::Process).open().unwrap();
    owner.publish(&1u64).unwrap();
    remove(directory.path(), &[".ctl"]);
    removed(&owner.publish(&2u64).unwrap_err());
    drop(owner);
    assert_eq!(names_in(directory.path()), [""; 0]);
    let mut owner = store.owner_options("one").lifetime(Lifetime::Process).open().unwrap();
    owner.publish(&1u64).unwrap();
    remove(directory.path(), &[".ctl", ".life"]);
    owner.retire().unwrap();
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn an_end_is_not_taken_back_by_an_owner_whose_lock_was_removed() {
    let directory = directory();
    let store = store(&directory);
    let mut first = owned(&store);
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    remove(directory.path(), &[".own"]);
    let mut second = store.owner("one").unwrap();
    second.publish(&2u64).unwrap();
    second.retire().unwrap();
    removed(&first.publish(&3u64).unwrap_err());
    drop(first);
    assert!(matches!(reader.latest().unwrap_err().cause(), Cause::Retired));
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn an_end_is_not_taken_back_when_the_page_comes_back() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = owned(&store);
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    let [page, aside] = ["one.ctl", "aside"].map(|name| directory.path().join(name));
    fs::rename(&page, &aside).unwrap();
    removed(&owner.publish(&2u64).unwrap_err());
    fs::rename(&aside, &page).unwrap();
    removed(&owner.publish(&3u64).unwrap_err());
    assert!(matches!(reader.latest().unwrap_err().cause(), Cause::Retired));
}

#[test]
fn a_descriptor_tells_of_a_page_that_was_moved_away() {
    let directory = directory();
    let store = store(&directory);
    let _owner = owned(&store);
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    reader.descriptor().unwrap();
    reader.latest().unwrap();
    fs::rename(directory.path().join("one.ctl"), directory.path().join("aside")).unwrap();
    let mut polled = [PollFd::new(reader.descriptor().unwrap(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut polled, 2000u16).unwrap(), 1);
    removed(&reader.latest().unwrap_err());
}
