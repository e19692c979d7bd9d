//! Validating an object that lies in memory: graven against `rkyv::access`, on the same bytes, in one run.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use graven::Segment;
use graven_benches::*;
use graven_format::View;
use rkyv::Serialize;
use rkyv::api::high::HighSerializer;
use rkyv::rancor::BoxedError;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;

fn compare<T>(criterion: &mut Criterion, name: &str, value: T)
where
    T: Measured
        + for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>
        + for<'a> Serialize<graven::Serializer<'a>>,
{
    let (bytes, root) = archive(&value);
    let file = tempfile::NamedTempFile::new().expect("a file");
    graven::write(file.path(), &value).expect("written");
    drop(value);
    let segment = Segment::read(file.path()).expect("a segment");
    let view = View::open(segment.as_bytes()).expect("a segment");
    let validator = ours::Validator::<T>::new();
    assert!(rkyv_accepts::<T>(&bytes, root) && validator.accepts(&bytes, root));
    view.verify_contents(|validator, object, root| validator.check(object, root)).expect("in order");
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
    // By schema, as `verify` does: structure, then whether maps find what is in them.
    let order = |bencher: &mut Bencher<'_>| {
        bencher.iter(|| view.verify_contents(|validator, object, root| validator.check(object, root)));
    };
    group.bench_function(id("graven, and order"), order);
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
