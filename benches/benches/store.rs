//! Names and generations: asking for the newest, publishing to a reader in another thread, finding one of many objects.
//!
//! Everything is on /dev/shm, and no rival has to sync. LMDB and mmap-sync cannot wait for a change: their readers ask
//! all the time, which is the fastest they can do and takes a core. So there is a reader of graven's that does the same.
//!
//! Contenders take turns, so that what else the machine does meets all of them; what is printed is of all their turns.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use graven::{Segment, Store, Timeout, Writer};
use graven_benches::scaled;
use heed::types::{Bytes, Str};
use heed::{Database, Env, EnvFlags, EnvOpenOptions};
use memmap2::Mmap;
use mmap_sync::synchronizer::Synchronizer;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use redb::{Durability, ReadableDatabase, TableDefinition};
use rkyv::rancor::BoxedError;

/// What is published: numbers, the first of which counts. 1 MiB.
type Numbers = Vec<u64>;
const COUNT: usize = 1 << 17;
/// What one of many objects is.
type Small = [u8; 100];
const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("objects");

fn folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.expect("a directory")
}

/// How often each contender has its turn.
const TURNS: usize = 20;

/// A contender: its name, and a turn of it, which says what each of some operations took, in nanoseconds.
type Contender<'a> = (&'static str, Box<dyn FnMut() -> Vec<f64> + 'a>);

/// Lets the contenders take turns, and prints their medians and minimums, and the ratios to the first.
fn compare(question: &str, mut contenders: Vec<Contender<'_>>) {
    let mut times = vec![Vec::new(); contenders.len()];
    for turn in 0..=scaled(TURNS) {
        for ((_, contender), times) in contenders.iter_mut().zip(&mut times) {
            let these = contender();
            // The first turn is to warm up.
            if turn > 0 {
                times.extend(these);
            }
        }
    }
    println!("\n| {question} | median | to graven | minimum | to graven |\n|---|---|---|---|---|");
    for times in &mut times {
        times.sort_by(f64::total_cmp);
    }
    let of = |times: &[f64]| (times[times.len() / 2], times[0]);
    let ours = of(&times[0]);
    for ((who, _), times) in contenders.iter().zip(&times) {
        let (median, minimum) = of(times);
        let (of_median, of_minimum) = (median / ours.0, minimum / ours.1);
        println!("| {who} | {} | {of_median:.2} | {} | {of_minimum:.2} |", time(median), time(minimum));
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.3} ns"),
        ns if ns < 1e6 => format!("{:.3} µs", ns / 1e3),
        ns => format!("{:.3} ms", ns / 1e6),
    }
}

/// A turn of so many operations, too short to be measured one by one: the mean of them.
fn turn<'a, T>(count: usize, mut operation: impl FnMut() -> T + 'a) -> Box<dyn FnMut() -> Vec<f64> + 'a> {
    Box::new(move || {
        let start = Instant::now();
        for _ in 0..count {
            black_box(operation());
        }
        vec![start.elapsed().as_nanos() as f64 / count as f64]
    })
}

fn lmdb(folder: &Path, size: usize) -> (Env, Database<Str, Bytes>) {
    let mut options = EnvOpenOptions::new();
    options.map_size(size);
    // SAFETY: nobody else knows the folder, and what is in it need not survive the machine.
    let env = unsafe { options.flags(EnvFlags::NO_SYNC | EnvFlags::NO_READ_AHEAD).open(folder) };
    let env = env.expect("an environment");
    let mut transaction = env.write_txn().expect("a transaction");
    let objects = env.create_database(&mut transaction, None).expect("a database");
    transaction.commit().expect("committed");
    (env, objects)
}

fn first(object: &[u8]) -> u64 {
    let numbers = rkyv::access::<rkyv::Archived<Numbers>, BoxedError>(object).expect("valid");
    numbers[0].to_native()
}

fn latest() {
    let folder = folder();
    let numbers: Numbers = vec![7; 16];

    // SAFETY: nobody else knows the folder.
    let store = unsafe { Store::open(&folder) }.expect("a store");
    store.owner("numbers").expect("ours").publish(&numbers).expect("published");
    let mut reader = store.reader::<Numbers>("numbers", Timeout::Now).expect("attached");

    let (env, objects) = lmdb(folder.path(), 1 << 20);
    let mut transaction = env.write_txn().expect("a transaction");
    let bytes = rkyv::to_bytes::<BoxedError>(&numbers).expect("it can be written");
    objects.put(&mut transaction, "numbers", &bytes).expect("put");
    transaction.commit().expect("committed");

    let mut synchronizer = Synchronizer::new(folder.path().join("sync").as_os_str());
    synchronizer.write(&numbers, Duration::ZERO).expect("written");

    let count = 100_000;
    let contenders: Vec<Contender<'_>> = vec![
        ("graven", turn(10 * count, || reader.latest().expect("published")[0].to_native())),
        (
            "mmap-sync, unchecked",
            // SAFETY: what was written is what is read.
            turn(count, || unsafe { synchronizer.read::<Numbers>(false) }.expect("read")[0]),
        ),
        (
            "LMDB, a transaction",
            turn(count, || {
                let transaction = env.read_txn().expect("a transaction");
                objects.get(&transaction, "numbers").expect("read").map(<[u8]>::len)
            }),
        ),
    ];
    compare("latest, nothing new", contenders);
}

/// Publishes in a turn of a contender.
const PUBLISHES: usize = 25;

/// Measures from before `publish` is called with a number until `reader`, in another thread, has seen that number.
fn publish_to<'a>(
    mut publish: impl FnMut(&Numbers) + 'a,
    mut reader: impl FnMut() -> u64 + Send + 'a,
) -> Box<dyn FnMut() -> Vec<f64> + 'a> {
    let mut numbers: Numbers = (0..COUNT as u64).collect();
    let mut count = 0;
    Box::new(move || {
        let (seen, over) = (AtomicU64::new(0), AtomicBool::new(false));
        let mut publish = || {
            count += 1;
            numbers[0] = count;
            let start = Instant::now();
            publish(&numbers);
            while !over.load(Ordering::Relaxed) && seen.load(Ordering::Acquire) != count {
                thread::yield_now();
            }
            start.elapsed().as_nanos() as f64
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    seen.store(reader(), Ordering::Release);
                }
            });
            let times = (0..PUBLISHES).map(|_| publish()).collect();
            over.store(true, Ordering::Relaxed);
            // For a reader that sleeps.
            publish();
            times
        })
    })
}

fn publish() {
    let initial: Numbers = vec![0; COUNT];

    let folders = [folder(), folder()];
    let [(waits, mut waiting), (asks, mut asking)] = folders.each_ref().map(|folder| {
        // SAFETY: nobody else knows the folder.
        let store = unsafe { Store::open(folder) }.expect("a store");
        let mut owner = store.owner("numbers").expect("ours");
        owner.publish(&initial).expect("published");
        let reader = store.reader::<Numbers>("numbers", Timeout::Now).expect("attached");
        let publish = move |numbers: &Numbers| {
            owner.publish(numbers).expect("published");
        };
        (publish, reader)
    });
    let waiting =
        publish_to(waits, move || waiting.wait(Timeout::Forever).expect("published")[0].to_native());
    let asking = publish_to(asks, move || {
        thread::yield_now();
        asking.latest().expect("published")[0].to_native()
    });

    let lmdb_folder = folder();
    let (env, objects) = lmdb(lmdb_folder.path(), 64 << 20);
    let put = |numbers: &Numbers| {
        let bytes = rkyv::to_bytes::<BoxedError>(numbers).expect("it can be written");
        let mut transaction = env.write_txn().expect("a transaction");
        objects.put(&mut transaction, "numbers", &bytes).expect("put");
        transaction.commit().expect("committed");
    };
    put(&initial);
    let lmdb = publish_to(put, || {
        thread::yield_now();
        let transaction = env.read_txn().expect("a transaction");
        first(objects.get(&transaction, "numbers").expect("read").expect("put"))
    });

    let files = folder();
    let (new, path) = (files.path().join("new"), files.path().join("numbers"));
    let inotify = Inotify::init(InitFlags::empty()).expect("inotify");
    inotify.add_watch(files.path(), AddWatchFlags::IN_MOVED_TO).expect("watched");
    let write = |numbers: &Numbers| {
        let bytes = rkyv::to_bytes::<BoxedError>(numbers).expect("it can be written");
        fs::write(&new, &bytes).expect("written");
        fs::rename(&new, &path).expect("renamed");
    };
    let file = publish_to(write, || {
        inotify.read_events().expect("an event");
        // SAFETY: files are replaced, not edited.
        let map = unsafe { Mmap::map(&File::open(&path).expect("there")) }.expect("mapped");
        first(&map)
    });

    let sync_folder = folder();
    let prefix = sync_folder.path().join("sync");
    let mut writer = Synchronizer::new(prefix.as_os_str());
    writer.write(&initial, Duration::ZERO).expect("written");
    let mut reader = Synchronizer::new(prefix.as_os_str());
    let write = move |numbers: &Numbers| {
        writer.write(numbers, Duration::from_secs(1)).expect("written");
    };
    let sync = publish_to(write, move || {
        thread::yield_now();
        // SAFETY: the writer waits a second for readers before it overwrites what they read.
        unsafe { reader.read::<Numbers>(true) }.expect("read")[0]
    });
    let contenders: Vec<Contender<'_>> = vec![
        ("graven, the reader sleeps in `wait`", waiting),
        ("graven, the reader asks all the time", asking),
        ("mmap-sync, the reader asks all the time", sync),
        ("a file, rename(2), a reader that sleeps on inotify(7)", file),
        ("LMDB, the reader asks all the time", lmdb),
    ];
    compare("publish 1 MiB", contenders);
}

fn get(count: usize) {
    let folder = folder();
    let mut names: Vec<String> = (0..count).map(|number| format!("object-{number}")).collect();
    names.sort_unstable(); // what LMDB and redb load fastest
    let object = |name: &str| -> Small {
        let mut object = [0; 100];
        object[..name.len()].copy_from_slice(name.as_bytes());
        object
    };

    let path = folder.path().join("objects.grv");
    let mut writer = Writer::create(&path).expect("a file");
    for name in &names {
        writer.put(name, &object(name)).expect("put");
    }
    writer.finish().expect("written");
    // SAFETY: nobody else knows the file.
    let segment = unsafe { Segment::map(&path) }.expect("a segment");

    let (env, objects) = lmdb(folder.path(), 4 << 30);
    let mut transaction = env.write_txn().expect("a transaction");
    for name in &names {
        objects.put(&mut transaction, name, &object(name)).expect("put");
    }
    transaction.commit().expect("committed");

    let database = redb::Database::create(folder.path().join("redb")).expect("a database");
    let mut transaction = database.begin_write().expect("a transaction");
    transaction.set_durability(Durability::Immediate).expect("set");
    let mut table = transaction.open_table(TABLE).expect("a table");
    for name in &names {
        table.insert(name.as_str(), object(name).as_slice()).expect("put");
    }
    drop(table);
    transaction.commit().expect("committed");

    // All of them in an order without pattern, so that no cache helps where there are many.
    let mut state = 1_u64;
    for at in (1..names.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        names.swap(at, (state >> 33) as usize % (at + 1));
    }
    // Copied, so that they are beside each other in memory: what is to be measured is not finding the names.
    let names = names.clone();
    let transaction = env.read_txn().expect("a transaction");
    let table = database.begin_read().expect("a transaction").open_table(TABLE).expect("a table");
    // Where there are many, a contender asks for other names at each turn, and the two that share memory for others.
    let next = |skipped| names.iter().cycle().skip(skipped);
    let (mut ours, mut unchecked, mut theirs, mut others) = (next(0), next(count / 2), next(0), next(0));
    let each = count.div_ceil(TURNS).max(20_000);
    let contenders: Vec<Contender<'_>> = vec![
        ("graven", turn(each, || segment.get::<Small>(ours.next().expect("endless")).expect("there")[8])),
        (
            "graven, unchecked",
            turn(each, || {
                let name = unchecked.next().expect("endless");
                // SAFETY: written above.
                unsafe { segment.get_unchecked::<Small>(name) }.expect("there")[8]
            }),
        ),
        (
            "LMDB, one transaction",
            turn(each, || {
                let object = objects.get(&transaction, theirs.next().expect("endless"));
                object.expect("read").expect("there")[8]
            }),
        ),
        (
            "redb, one transaction",
            turn(each, || {
                let name = others.next().expect("endless").as_str();
                table.get(name).expect("read").expect("there").value()[8]
            }),
        ),
    ];
    compare(&format!("get, {count} objects"), contenders);
}

fn main() {
    // What follows `--` on the command line, but for what cargo adds, is a part of the questions to ask.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let asked =
        |question: &str| wanted.is_empty() || wanted.iter().any(|part| question.contains(part.as_str()));
    if asked("latest") {
        latest();
    }
    if asked("publish") {
        publish();
    }
    for count in [10_000, scaled(1_000_000)] {
        if asked("get") {
            get(count);
        }
    }
}
