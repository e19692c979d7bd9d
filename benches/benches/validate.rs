//! Validating an object that lies in memory: graven against `rkyv::access`, on the same bytes, in one run.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use graven_benches::*;
use rkyv::Serialize;
use rkyv::api::high::HighSerializer;
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;

fn compare<T>(criterion: &mut Criterion, name: &str, value: T)
where
    T: Measured + for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>,
{
    let (bytes, root) = archive(&value);
    drop(value);
    let validator = ours::Validator::<T>::new();
    assert!(rkyv_accepts::<T>(&bytes, root) && validator.accepts(&bytes, root));
    let mut group = criterion.benchmark_group("validate");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    let id = |who| BenchmarkId::new(who, name);
    group.bench_function(id("rkyv"), |bencher| bencher.iter(|| rkyv_accepts::<T>(black_box(&bytes), root)));
    group.bench_function(id("graven"), |bencher| bencher.iter(|| validator.accepts(black_box(&bytes), root)));
    let two = |bencher: &mut Bencher<'_>| {
        bencher.iter(|| validator.accepts_with_threads(black_box(&bytes), root, 2));
    };
    group.bench_function(id("graven, 2 threads"), two);
    group.finish();
}

fn validate(criterion: &mut Criterion) {
    compare(criterion, "tree", tree(scaled(5_400_000)));
    compare(criterion, "numbers", numbers(scaled(1_000_000)));
    compare(criterion, "flags", flags(scaled(4_000_000)));
    compare(criterion, "strings", strings(scaled(2_000_000)));
    compare(criterion, "hash map", hash_map(scaled(500_000)));
    compare(criterion, "B-tree", b_tree(scaled(500_000)));
    compare(criterion, "enums", events(scaled(2_000_000)));
    compare(criterion, "topologies", topologies());
}

criterion_group!(benches, validate);
criterion_main!(benches);
