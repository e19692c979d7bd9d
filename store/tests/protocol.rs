//! The order of steps in which names change and are waited for, under all interleavings of up to three preemptions: a
//! model checker (loom) runs the lines of `src/names/protocol.rs` that readers run.
//!
//! The model's kernel: a futex compares and sleeps under a lock that waking takes, a file is replaced in one step, and
//! time passes only while the owner is dead. There are no timeouts: who is not woken hangs, which loom reports.

#[path = "../src/names/protocol.rs"]
mod protocol;

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering::*, fence};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use protocol::{Epoch, Look, Outcome, wait};

/// A name, and the file that its path leads to: also when that is of the name that came after it.
struct Name {
    epoch: AtomicU64,
    bucket: Mutex<()>,
    sleepers: Condvar,
    file: Arc<AtomicU64>,
    alive: AtomicBool,
    ends_with_owner: bool,
}

/// What is in the file: the number of the name, and the generation.
fn file(name: u64, generation: u64) -> u64 {
    name << 32 | generation
}

impl Name {
    fn new(ends_with_owner: bool) -> Arc<Name> {
        Arc::new(Name {
            epoch: AtomicU64::new(0),
            bucket: Mutex::new(()),
            sleepers: Condvar::new(),
            file: Arc::new(AtomicU64::new(file(1, 0))),
            alive: AtomicBool::new(true),
            ends_with_owner,
        })
    }

    /// As the owner does it: `ControlMut::announce`.
    fn announce(&self, epoch: Epoch) {
        self.epoch.store(epoch.0, Release);
        self.wake();
    }

    fn wake(&self) {
        let _bucket = self.bucket.lock().unwrap();
        self.sleepers.notify_all();
    }

    fn publish(&self, generation: u64) {
        self.file.store(file(1, generation), Release);
        self.announce(Epoch::of_generation(generation).unwrap());
    }

    fn retire(&self) {
        self.announce(self.epoch().retired());
        self.file.store(0, Release);
    }

    /// What a reader does with what it found: opens the file, and looks at the epoch once more.
    fn open(&self, at_least: u64) -> Option<u64> {
        let found = self.file.load(Acquire);
        if self.epoch().is_retired() {
            return None;
        }
        assert_eq!(found >> 32, 1, "another name's file");
        let generation = found & u64::from(u32::MAX);
        assert!(generation >= at_least, "{generation} where {at_least} was announced");
        Some(generation)
    }

    /// Waits until the name ends or has that generation; the generations that were returned.
    fn follow(&self, last: u64) -> (Vec<u64>, Outcome) {
        let mut seen = vec![0];
        while seen[seen.len() - 1] < last {
            match wait(self, seen[seen.len() - 1]).unwrap() {
                Outcome::Newer(at_least, epoch) => {
                    let Some(generation) = self.open(at_least) else { return (seen, Outcome::Retired) };
                    assert!(generation > seen[seen.len() - 1], "went back");
                    assert!(generation >= epoch.generation());
                    seen.push(generation);
                }
                ended => return (seen, ended),
            }
        }
        (seen, Outcome::TimedOut)
    }
}

impl Look for Name {
    type Error = std::convert::Infallible;

    fn epoch(&self) -> Epoch {
        // As `Word::load`.
        let epoch = self.epoch.load(Relaxed);
        fence(Acquire);
        Epoch(epoch)
    }

    fn on_disk(&self) -> Result<u64, Self::Error> {
        Ok(self.file.load(Acquire) & u64::from(u32::MAX))
    }

    fn owner_alive(&self) -> bool {
        self.alive.load(Acquire)
    }

    fn ends_with_owner(&self) -> bool {
        self.ends_with_owner
    }

    fn sleep(&self, seen: Epoch) -> bool {
        let bucket = self.bucket.lock().unwrap();
        if !self.alive.load(Acquire) {
            // A slice passes before anything else happens.
            drop(bucket);
            thread::yield_now();
        } else if self.epoch.load(Relaxed) as u32 == seen.0 as u32 {
            drop(self.sleepers.wait(bucket).unwrap());
        }
        true
    }
}

/// Three switches away from a thread that could go on are enough for every known kind of mistake, and keep this to
/// seconds.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// A reader beside what `owner` does: what it saw, and how that ended.
fn beside(last: u64, ends_with_owner: bool, owner: fn(&Name), check: fn(Vec<u64>, Outcome)) {
    model(move || {
        let name = Name::new(ends_with_owner);
        let reader = thread::spawn({
            let name = name.clone();
            move || name.follow(last)
        });
        owner(&name);
        let (seen, found) = reader.join().unwrap();
        check(seen, found);
    });
}

/// [S17.4a]
#[test]
fn the_last_generation_always_arrives() {
    let owner = |name: &Name| {
        name.publish(1);
        name.publish(2);
    };
    beside(2, false, owner, |seen, found| {
        assert_eq!(found, Outcome::TimedOut);
        assert_eq!(seen.last(), Some(&2));
    });
}

#[test]
fn two_readers_are_both_woken() {
    model(|| {
        let name = Name::new(false);
        let readers = [(); 2].map(|()| {
            let name = name.clone();
            thread::spawn(move || name.follow(1))
        });
        name.publish(1);
        for reader in readers {
            assert_eq!(reader.join().unwrap().0, [0, 1]);
        }
    });
}

#[test]
fn the_end_of_a_name_always_arrives() {
    let owner = |name: &Name| {
        name.publish(1);
        name.retire();
    };
    beside(9, false, owner, |seen, found| {
        assert_eq!(found, Outcome::Retired);
        assert!(seen == [0] || seen == [0, 1]);
    });
}

#[test]
fn a_reader_is_never_given_the_file_of_the_name_that_came_after() {
    let owner = |name: &Name| {
        name.publish(1);
        name.retire();
        // The next name has a page of its own. Only the path is the same.
        name.file.store(file(2, 1), Release);
        name.file.store(file(2, 2), Release);
    };
    beside(9, false, owner, |_, found| assert_eq!(found, Outcome::Retired));
}

/// The owner is killed; the slices of those who sleep pass.
fn kill(name: &Name) {
    name.alive.store(false, Release);
    name.wake();
}

#[test]
fn a_generation_that_its_owner_did_not_live_to_announce_arrives() {
    let owner = |name: &Name| {
        name.file.store(file(1, 1), Release);
        kill(name);
    };
    beside(1, false, owner, |seen, _| assert_eq!(seen, [0, 1]));
    // Also if the name ends with its owner: that is told after it.
    beside(9, true, owner, |seen, found| {
        assert_eq!((seen, found), (vec![0, 1], Outcome::OwnerGone));
    });
}

#[test]
fn the_next_owner_announces_what_it_finds_and_goes_on() {
    let owner = |name: &Name| {
        name.file.store(file(1, 1), Release);
        kill(name);
        // The next lives before it announces.
        name.alive.store(true, Release);
        let newest = name.on_disk().unwrap().max(name.epoch().generation());
        name.announce(Epoch::of_generation(newest).unwrap());
        name.publish(newest + 1);
    };
    beside(2, false, owner, |seen, _| assert_eq!(seen.last(), Some(&2)));
}
