//! Names and generations: asking for the newest, publishing to a reader in another thread, finding one of many objects.
//!
//! Everything is on /dev/shm, and no rival has to sync. LMDB and mmap-sync cannot wait for a change: their readers ask
//! all the time, which is the fastest they can do and takes a core. So there is a reader of graven's that does the same.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
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
/// Tells the readers to end.
const END: u64 = u64::MAX;
/// What one of many objects is.
type Small = [u8; 100];
const TABLE: TableDefinition<&str, &[u8]> = TableDefinition::new("objects");

fn folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.expect("a directory")
}

fn settings(group: &mut BenchmarkGroup<'_, WallTime>) {
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
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

fn latest(criterion: &mut Criterion) {
    let folder = folder();
    let mut group = criterion.benchmark_group("latest, nothing new");
    settings(&mut group);
    let numbers: Numbers = vec![7; 16];

    // SAFETY: nobody else knows the folder.
    let store = unsafe { Store::open(&folder) }.expect("a store");
    store.owner("numbers").expect("ours").publish(&numbers).expect("published");
    let mut reader = store.reader::<Numbers>("numbers", Timeout::Now).expect("attached");
    group.bench_function("graven", |bencher| {
        bencher.iter(|| reader.latest().expect("published")[0].to_native());
    });

    let (env, objects) = lmdb(folder.path(), 1 << 20);
    let mut transaction = env.write_txn().expect("a transaction");
    let bytes = rkyv::to_bytes::<BoxedError>(&numbers).expect("it can be written");
    objects.put(&mut transaction, "numbers", &bytes).expect("put");
    transaction.commit().expect("committed");
    group.bench_function("LMDB, a transaction", |bencher| {
        bencher.iter(|| {
            let transaction = env.read_txn().expect("a transaction");
            objects.get(&transaction, "numbers").expect("read").map(<[u8]>::len)
        });
    });

    let mut synchronizer = Synchronizer::new(folder.path().join("sync").as_os_str());
    synchronizer.write(&numbers, Duration::ZERO).expect("written");
    group.bench_function("mmap-sync, unchecked", |bencher| {
        // SAFETY: what was written is what is read.
        bencher.iter(|| unsafe { synchronizer.read::<Numbers>(false) }.expect("read")[0]);
    });
    group.finish();
}

/// Measures from before `publish` is called with a number until `reader`, in another thread, has seen that number.
fn publish_to(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut publish: impl FnMut(&Numbers),
    mut reader: impl FnMut() -> u64 + Send,
) {
    let seen = AtomicU64::new(0);
    let mut numbers: Numbers = (0..COUNT as u64).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            while seen.load(Ordering::Relaxed) != END {
                seen.store(reader(), Ordering::Release);
            }
        });
        let mut count = 0;
        let mut publish = |number| {
            numbers[0] = number;
            publish(&numbers);
            while seen.load(Ordering::Acquire) != number {
                thread::yield_now();
            }
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                count += 1;
                publish(count);
            });
        });
        publish(END);
    });
}

fn publish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish 1 MiB");
    settings(&mut group);
    let initial: Numbers = vec![0; COUNT];

    for asking in [false, true] {
        let folder = folder();
        // SAFETY: nobody else knows the folder.
        let store = unsafe { Store::open(&folder) }.expect("a store");
        let mut owner = store.owner("numbers").expect("ours");
        owner.publish(&initial).expect("published");
        let mut reader = store.reader::<Numbers>("numbers", Timeout::Now).expect("attached");
        let publish = |numbers: &Numbers| {
            owner.publish(numbers).expect("published");
        };
        if asking {
            publish_to(&mut group, "graven, asking", publish, || {
                thread::yield_now();
                reader.latest().expect("published")[0].to_native()
            });
        } else {
            publish_to(&mut group, "graven, waiting", publish, || {
                reader.wait(Timeout::Forever).expect("published")[0].to_native()
            });
        }
    }

    let lmdb_folder = folder();
    let (env, objects) = lmdb(lmdb_folder.path(), 64 << 20);
    let put = |numbers: &Numbers| {
        let bytes = rkyv::to_bytes::<BoxedError>(numbers).expect("it can be written");
        let mut transaction = env.write_txn().expect("a transaction");
        objects.put(&mut transaction, "numbers", &bytes).expect("put");
        transaction.commit().expect("committed");
    };
    put(&initial);
    publish_to(&mut group, "LMDB, asking", put, || {
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
    publish_to(&mut group, "file, rename, inotify", write, || {
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
    let write = |numbers: &Numbers| {
        writer.write(numbers, Duration::from_secs(1)).expect("written");
    };
    publish_to(&mut group, "mmap-sync, asking", write, || {
        thread::yield_now();
        // SAFETY: the writer waits a second for readers before it overwrites what they read.
        unsafe { reader.read::<Numbers>(true) }.expect("read")[0]
    });
    group.finish();
}

fn get(criterion: &mut Criterion) {
    let count = scaled(1_000_000);
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
    let mut group = criterion.benchmark_group(format!("get, {count} objects"));
    settings(&mut group);
    let mut next = names.iter().cycle();
    group.bench_function("graven", |bencher| {
        bencher.iter(|| segment.get::<Small>(next.next().expect("endless")).expect("there")[8]);
    });
    group.bench_function("graven unchecked", |bencher| {
        // SAFETY: written above.
        bencher.iter(|| {
            unsafe { segment.get_unchecked::<Small>(next.next().expect("endless")) }.expect("there")[8]
        });
    });
    let transaction = env.read_txn().expect("a transaction");
    group.bench_function("LMDB, one transaction", |bencher| {
        bencher.iter(|| {
            let object = objects.get(&transaction, next.next().expect("endless"));
            black_box(object.expect("read").expect("there")[8])
        });
    });
    let table = database.begin_read().expect("a transaction").open_table(TABLE).expect("a table");
    group.bench_function("redb, one transaction", |bencher| {
        bencher.iter(|| {
            let object = table.get(next.next().expect("endless").as_str()).expect("read").expect("there");
            black_box(object.value()[8])
        });
    });
    group.finish();
}

criterion_group!(benches, latest, publish, get);
criterion_main!(benches);
