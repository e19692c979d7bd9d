//! Who waits for a lock has a turn: readers that always overlap keep no writer out, writers that follow each other no
//! reader; and whoever is killed while it waits holds nobody back.
//!
//! Locks are taken by workers that are told what to do: threads of this process and processes of their own, which have to
//! behave alike.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use graven::{Guard, Region, SharedGuard, Timeout};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proptest::prelude::*;
use support::*;

const SOON: Duration = Duration::from_secs(2);
const SIZE: u64 = 64;
const EAGAIN: &str = "11";

/// What a worker has.
enum Held<'a> {
    Exclusive { _guard: Guard<'a> },
    Shared { _guard: SharedGuard<'a> },
}

/// Does as it is told: `lock`, which waits, `within`, which does so for 100 ms, or `try`; `x` exclusively or `s` shared;
/// from; to. `unlock` gives back what it has. Answers with 0 or an errno.
fn work(region: &Region, orders: impl Iterator<Item = String>, answer: impl Fn(String)) {
    assert_eq!((Errno::EAGAIN as i32).to_string(), EAGAIN);
    let mut held = Vec::new();
    for order in orders {
        let words: Vec<&str> = order.split(' ').collect();
        let [how, sharing, from, to] = words[..] else {
            held.clear();
            answer("0".into());
            continue;
        };
        let range: Range<u64> = from.parse().unwrap()..to.parse().unwrap();
        let (now, shortly) = (Timeout::Now, Timeout::Within(Duration::from_millis(100)));
        let timeout = match how {
            "try" => now,
            "within" => shortly,
            _ => Timeout::Forever,
        };
        let result = match (sharing, how) {
            ("s", _) => region.lock_shared(range, timeout).map(|_guard| Held::Shared { _guard }),
            (_, "try") => region.try_lock_range(range).map(|_guard| Held::Exclusive { _guard }),
            (_, "within") => region
                .lock_range_within(range, Duration::from_millis(100))
                .map(|_guard| Held::Exclusive { _guard }),
            _ => region.lock_range(range).map(|_guard| Held::Exclusive { _guard }),
        };
        match result {
            Ok(guard) => {
                held.push(guard);
                answer("0".into());
            }
            Err(error) => answer(error.errno().to_string()),
        }
    }
}

/// The process of a worker; never returns if this is one.
fn be_worker() {
    let Some(role) = role() else { return };
    let (mode, dir) = role.split_once(' ').unwrap();
    // On overlayfs nobody attaches read-only.
    let reads = mode == "reads" && !is_overlay(dir.as_ref());
    let region = store(dir).region("key").read_only(reads).attach(Timeout::Now).unwrap();
    work(&region, std::io::stdin().lines().map(Result::unwrap), tell);
    done();
}

/// A worker as whoever tells it sees it.
struct Worker {
    place: Place,
    answers: Receiver<String>,
}

enum Place {
    Thread(Sender<String>),
    Process(Other),
}

impl Worker {
    fn thread(dir: &Path) -> Worker {
        let (orders, told) = channel::<String>();
        let (answer, answers) = channel();
        let dir = dir.to_owned();
        thread::spawn(move || {
            let region = store(dir).region("key").attach(Timeout::Now).unwrap();
            work(&region, told.into_iter(), |words| drop(answer.send(words)));
        });
        Worker { place: Place::Thread(orders), answers }
    }

    fn process(test: &str, mode: &str, dir: &Path) -> Worker {
        let mut process = Other::start(other(test, &format!("{mode} {}", dir.display())));
        let mut output = process.take_output();
        let (answer, answers) = channel();
        thread::spawn(move || {
            while let Some(words) = hear_from(&mut output) {
                if answer.send(words).is_err() {
                    break;
                }
            }
        });
        Worker { place: Place::Process(process), answers }
    }

    fn tell(&mut self, order: &str) {
        match &mut self.place {
            Place::Thread(orders) => orders.send(order.to_owned()).unwrap(),
            Place::Process(process) => process.say(order),
        }
    }

    fn id(&self) -> i32 {
        let Place::Process(process) = &self.place else { panic!("a thread") };
        process.id() as i32
    }

    /// Stops the process, until SIGCONT.
    fn stop(&self) {
        kill(Pid::from_raw(self.id()), Signal::SIGSTOP).unwrap();
        let state = || fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        until(|| state().contains("State:\tT"));
    }

    /// What it answers, if it does so soon.
    fn answer(&self) -> Option<String> {
        self.answers.recv_timeout(SOON).ok()
    }

    fn has_answered(&self) -> Option<String> {
        self.answers.try_recv().ok()
    }

    fn unlock(&mut self) {
        assert_eq!(self.does("unlock"), "0");
    }

    fn does(&mut self, order: &str) -> String {
        self.tell(order);
        self.answer().unwrap_or_else(|| panic!("no answer to {order} within {SOON:?}"))
    }
}

/// A region, and two workers of each kind: threads, processes, a process that may only read.
fn workers(test: &str, dir: &Path) -> (Region, Vec<Worker>) {
    let region = store(dir).region("key").size(SIZE).create().unwrap();
    let workers = vec![
        Worker::thread(dir),
        Worker::thread(dir),
        Worker::process(test, "writes", dir),
        Worker::process(test, "writes", dir),
        Worker::process(test, "reads", dir),
    ];
    (region, workers)
}

/// Two different workers of these, in all ways.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |one| (0..count).filter(move |two| *two != one).map(move |two| (one, two)))
}

/// [S16.3b]
#[test]
fn readers_whose_locks_always_overlap_keep_no_writer_out() {
    const TEST: &str = "readers_whose_locks_always_overlap_keep_no_writer_out";
    if let Some(role) = role() {
        let region = store(&role).region("key").attach(Timeout::Now).unwrap();
        loop {
            let _guard = region.lock_shared(.., Timeout::Forever).unwrap();
            thread::sleep(Duration::from_millis(20));
        }
    }
    let dir = directory();
    let region = store(&dir).region("key").size(SIZE).create().unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    // In processes, then in threads of this one.
    for processes in [3, 0] {
        let start = || Other::start(other(TEST, dir.path().to_str().unwrap()));
        let readers: Vec<Other> = (0..processes).map(|_| start()).collect();
        stop.store(false, std::sync::atomic::Ordering::Relaxed);
        thread::scope(|scope| {
            for thread in processes..3 {
                let region = &region;
                scope.spawn(move || {
                    thread::sleep(Duration::from_millis(7 * thread as u64));
                    while !stopped() {
                        let _guard = region.lock_shared(.., Timeout::Forever).unwrap();
                        thread::sleep(Duration::from_millis(20));
                    }
                });
            }
            thread::sleep(Duration::from_millis(100));
            let had = (0..5).try_for_each(|_| {
                drop(region.lock_within(SOON)?);
                region.lock_range_within(..SIZE / 2, SOON).map(drop)
            });
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            had.unwrap();
        });
        drop(readers);
    }
}

/// [S16.3b] Also when it gives up, or is killed.
#[test]
fn who_waits_to_write_holds_new_readers_of_its_range_back_as_long_as_it_waits() {
    const TEST: &str = "who_waits_to_write_holds_new_readers_of_its_range_back_as_long_as_it_waits";
    be_worker();
    let dir = directory();
    let (_region, mut workers) = workers(TEST, dir.path());
    let writers = workers.len() - 1;
    for (reader, writer) in pairs(workers.len()).filter(|(_, writer)| *writer < writers) {
        let third = (0..writers).find(|third| ![reader, writer].contains(third)).unwrap();
        for order in ["lock", "within"] {
            assert_eq!(workers[reader].does("try s 0 10"), "0");
            workers[writer].tell(&format!("{order} x 5 20"));
            // Once it waits, readers of what it waits for stay outside, whoever they are; others do not.
            if order == "lock" {
                for other in (0..workers.len()).filter(|other| ![reader, writer].contains(other)) {
                    let start = Instant::now();
                    while workers[other].does("try s 15 16") != EAGAIN {
                        workers[other].unlock();
                        assert!(start.elapsed() < SOON, "{other} is not held back");
                    }
                }
                assert_eq!(workers[third].does("try s 0 5"), "0");
                assert_eq!(workers[third].does("try x 20 30"), "0");
                workers[third].unlock();
                workers[reader].unlock();
                assert_eq!(workers[writer].answer().unwrap(), "0");
                workers[writer].unlock();
            } else {
                assert_eq!(workers[writer].answer().unwrap(), (Errno::ETIMEDOUT as i32).to_string());
                assert_eq!(workers[third].does("try s 15 16"), "0");
                workers[third].unlock();
                workers[reader].unlock();
            }
        }
    }
    // Killed.
    assert_eq!(workers[0].does("try s 0 10"), "0");
    workers[2].tell("lock x 5 20");
    until(|| {
        workers[1].unlock();
        workers[1].does("try s 15 16") == EAGAIN
    });
    workers.remove(2);
    assert_eq!(workers[1].does("lock s 15 16"), "0");
}

/// [S16.3b] Who comes later to write comes later, however many they are.
#[test]
fn a_reader_waits_for_one_writer() {
    const TEST: &str = "a_reader_waits_for_one_writer";
    be_worker();
    let dir = directory();
    let (_region, mut workers) = workers(TEST, dir.path());
    let writers = 0..workers.len() - 1;
    for reader in 0..workers.len() {
        for first in writers.clone().filter(|first| *first != reader) {
            let later: Vec<usize> =
                writers.clone().filter(|later| ![reader, first].contains(later)).collect();
            assert_eq!(workers[first].does("lock x 0 20"), "0");
            workers[reader].tell("lock s 10 30");
            // It is in the queue when nobody can have what it waits for, though nobody has it.
            until(|| {
                workers[later[0]].unlock();
                workers[later[0]].does("try x 25 26") == EAGAIN
            });
            for later in &later {
                workers[*later].tell("lock x 0 64");
            }
            workers[first].unlock();
            assert_eq!(workers[reader].answer().unwrap(), "0");
            assert!(later.iter().all(|later| workers[*later].has_answered().is_none()));
            workers[reader].unlock();
            let mut left = later.clone();
            let start = Instant::now();
            while !left.is_empty() {
                left.retain(|later| match workers[*later].has_answered() {
                    Some(answer) => {
                        assert_eq!(answer, "0");
                        workers[*later].unlock();
                        false
                    }
                    None => true,
                });
                assert!(start.elapsed() < SOON, "{left:?} wait in vain");
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// [S16.3b] Readers that may not write are not counted where others look first: they have their turn all the same.
#[test]
fn writers_that_follow_each_other_keep_no_reader_out() {
    const TEST: &str = "writers_that_follow_each_other_keep_no_reader_out";
    if let Some(role) = role() {
        let region = store(&role).region("key").attach(Timeout::Now).unwrap();
        loop {
            let _guard = region.lock_range(..).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
    }
    let dir = directory();
    let region = store(&dir).region("key").size(SIZE).create().unwrap();
    let start = || Other::start(other(TEST, dir.path().to_str().unwrap()));
    let _writers: Vec<Other> = (0..3).map(|_| start()).collect();
    let reader = store(&dir).region("key").read_only(true).attach(Timeout::Now).unwrap();
    until(|| region.try_lock().is_err());
    for _ in 0..20 {
        drop(region.lock_shared(.., Timeout::Within(SOON)).unwrap());
        drop(reader.lock_shared(3..9, Timeout::Within(SOON)).unwrap());
    }
}

/// [S16.3b] Or the two would wait for each other.
#[test]
fn who_has_a_lock_passes_those_who_wait_for_it() {
    const TEST: &str = "who_has_a_lock_passes_those_who_wait_for_it";
    be_worker();
    let dir = directory();
    let (_region, mut workers) = workers(TEST, dir.path());
    let writers = workers.len() - 1;
    for (holder, writer) in pairs(workers.len()).filter(|(_, writer)| *writer < writers) {
        let third = (0..workers.len()).find(|third| ![holder, writer].contains(third)).unwrap();
        assert_eq!(workers[holder].does("lock s 0 10"), "0");
        workers[writer].tell("lock x 0 64");
        until(|| {
            workers[third].unlock();
            workers[third].does("try s 20 30") == EAGAIN
        });
        assert_eq!(workers[holder].does("lock s 5 30"), "0");
        assert_eq!(workers[holder].does("try s 5 40"), "0");
        if holder < writers {
            assert_eq!(workers[holder].does("lock x 40 50"), "0");
            assert_eq!(workers[holder].does("lock x 45 50"), (Errno::EDEADLK as i32).to_string());
        }
        assert!(workers[writer].has_answered().is_none());
        workers[holder].unlock();
        assert_eq!(workers[writer].answer().unwrap(), "0");
        workers[writer].unlock();
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Takes a lock, or waits for it, if the worker has none; else tries.
    Lock(u8, bool, u64, u64),
    Try(u8, bool, u64, u64),
    Unlock(u8),
    Kill(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lock = || (0..5u8, any::<bool>(), 0..SIZE - 20, 1..20u64);
    let step = prop_oneof![
        4 => lock().prop_map(|(worker, shared, at, length)| Step::Lock(worker, shared, at, at + length)),
        3 => lock().prop_map(|(worker, shared, at, length)| Step::Try(worker, shared, at, at + length)),
        4 => (0..5u8).prop_map(Step::Unlock),
        1 => (2..5u8).prop_map(Step::Kill),
    ];
    prop::collection::vec(step, 1..40)
}

#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    shared: bool,
    range: Range<u64>,
}

impl Wanted {
    fn excludes(&self, other: &Wanted) -> bool {
        let overlap = self.range.start < other.range.end && other.range.start < self.range.end;
        overlap && !(self.shared && other.shared)
    }

    fn order(&self, how: &str) -> String {
        let sharing = if self.shared { "s" } else { "x" };
        format!("{how} {sharing} {} {}", self.range.start, self.range.end)
    }
}

/// What workers have and wait for.
#[derive(Default)]
struct Model {
    has: BTreeMap<usize, Vec<Wanted>>,
    waits: BTreeMap<usize, Wanted>,
}

impl Model {
    fn is_free(&self, wanted: &Wanted, worker: usize) -> bool {
        let others = self.has.iter().filter(|(other, _)| **other != worker);
        !others.flat_map(|(_, held)| held).any(|held| held.excludes(wanted))
    }

    fn take_answers(&mut self, workers: &[Worker]) {
        for (index, worker) in workers.iter().enumerate() {
            let Some(wanted) = self.waits.get(&index).cloned() else { continue };
            if let Some(answer) = worker.has_answered() {
                assert_eq!(answer, "0");
                assert!(self.is_free(&wanted, index), "{index} has {wanted:?} beside {:?}", self.has);
                self.waits.remove(&index);
                self.has.entry(index).or_default().push(wanted);
            }
        }
    }

    /// Those who wait for what nobody has, and nobody else waits for, have it soon.
    fn settle(&mut self, workers: &[Worker]) {
        let start = Instant::now();
        loop {
            self.take_answers(workers);
            let alone = |(worker, wanted): (&usize, &Wanted)| {
                let mut others = self.waits.iter().filter(|(other, _)| *other != worker);
                self.is_free(wanted, *worker) && !others.any(|(_, other)| other.excludes(wanted))
            };
            if !self.waits.iter().any(alone) {
                return;
            }
            assert!(start.elapsed() < SOON, "{:?} beside {:?}", self.waits, self.has);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 40 } else { 400 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Locks that exclude each other are never held together; what can be had is had, whoever waits, gives up or is
    /// killed; and in the end nobody waits.
    #[test]
    fn locks_are_what_a_model_of_them_is(steps in steps()) {
        const TEST: &str = "locks_are_what_a_model_of_them_is";
        be_worker();
        let dir = directory();
        let (_region, mut workers) = workers(TEST, dir.path());
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Lock(worker, shared, from, to) | Step::Try(worker, shared, from, to) => {
                    let worker = worker as usize;
                    let wanted = Wanted { shared: shared || worker == 4, range: from..to };
                    if model.waits.contains_key(&worker) {
                        continue;
                    }
                    let own = model.has.get(&worker).is_some_and(|held| !held.is_empty());
                    if matches!(step, Step::Lock(..)) && !own {
                        workers[worker].tell(&wanted.order("lock"));
                        model.waits.insert(worker, wanted);
                    } else {
                        let answer = workers[worker].does(&wanted.order("try"));
                        model.take_answers(&workers);
                        let mine = model.has.get(&worker).is_some_and(|held| held.iter().any(|held| held.excludes(&wanted)));
                        let free = model.is_free(&wanted, worker) && !mine;
                        // Who waits may come first, or may have had it for a moment that was not told of.
                        let sure = !free || model.waits.is_empty();
                        prop_assert!(answer == "0" || answer == EAGAIN, "{}", answer);
                        prop_assert!(!sure || (answer == "0") == free, "{:?}: {} beside {:?}", wanted, answer, model.has);
                        if answer == "0" {
                            model.has.entry(worker).or_default().push(wanted);
                        }
                    }
                }
                Step::Unlock(worker) => {
                    let worker = worker as usize;
                    if model.has.remove(&worker).is_some() {
                        workers[worker].unlock();
                    }
                }
                Step::Kill(worker) => {
                    let worker = worker as usize;
                    model.has.remove(&worker);
                    model.waits.remove(&worker);
                    let mode = if worker == 4 { "reads" } else { "writes" };
                    let new = Worker::process(TEST, mode, dir.path());
                    drop(std::mem::replace(&mut workers[worker], new));
                }
            }
            model.settle(&workers);
        }
        let start = Instant::now();
        while !(model.waits.is_empty() && model.has.values().all(Vec::is_empty)) {
            model.take_answers(&workers);
            for (worker, held) in &mut model.has {
                if !std::mem::take(held).is_empty() {
                    workers[*worker].unlock();
                }
            }
            prop_assert!(start.elapsed() < SOON, "{:?} wait in vain", model.waits);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// [S16.3d] It cannot be told from one that waits, and cannot go away.
#[test]
fn who_is_stopped_while_it_waits_holds_nobody_back_for_long() {
    const TEST: &str = "who_is_stopped_while_it_waits_holds_nobody_back_for_long";
    be_worker();
    let dir = directory();
    let (_region, mut workers) = workers(TEST, dir.path());
    for (had, waits, later) in [("s", "x", "s"), ("x", "s", "x")] {
        assert_eq!(workers[0].does(&format!("try {had} 0 10")), "0");
        workers[2].tell(&format!("lock {waits} 5 20"));
        until(|| {
            workers[1].unlock();
            workers[1].does(&format!("try {later} 15 16")) == EAGAIN
        });
        workers[2].stop();
        workers[0].unlock();
        assert_eq!(workers[1].does(&format!("lock {later} 15 16")), "0");
        workers[1].unlock();
        kill(Pid::from_raw(workers[2].id()), Signal::SIGCONT).unwrap();
        assert_eq!(workers[2].answer().unwrap(), "0");
        workers[2].unlock();
    }
}

/// [S16.3d] Nobody can see that the three wait for each other.
#[test]
fn who_waits_behind_one_that_waits_for_a_thread_that_waits_for_it_gets_its_turn() {
    let dir = directory();
    let region = store(&dir).region("key").size(SIZE).create().unwrap();
    let low = region.lock_range(0..8).unwrap();
    thread::scope(|scope| {
        let whole = scope.spawn(|| region.lock_shared(.., Timeout::Forever).map(drop));
        until(|| scope.spawn(|| region.try_lock_range(32..40).is_err()).join().unwrap());
        // Which the thread that has `low` waits for.
        let other = scope.spawn(|| region.lock_range_within(16..24, SOON).map(drop));
        other.join().unwrap().unwrap();
        drop(low);
        whole.join().unwrap().unwrap();
    });
}
