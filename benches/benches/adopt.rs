//! From a file to a value that can be read: `Segment::map` and `root` against mapping the file and `rkyv::access`, with
//! and without validation, by size. The file's pages are in memory; the mapping is new each time.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use graven::{Archive, Segment};
use graven_benches::*;
use memmap2::Mmap;

type ArchivedNode = <Node as Archive>::Archived;

fn map(path: &Path) -> Mmap {
    // SAFETY: `adopt` wrote the file, and nobody else knows it.
    unsafe { Mmap::map(&File::open(path).expect("written")) }.expect("mapped")
}

fn segment(path: &Path) -> Segment {
    // SAFETY: as above.
    unsafe { Segment::map(path) }.expect("a segment")
}

fn adopt(criterion: &mut Criterion) {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    let path = folder.join(format!("graven-bench-{}.grv", std::process::id()));
    // 12 KiB, 300 KiB, 10 MiB, 300 MiB
    for nodes in [243, 6_200, 210_000, 6_200_000] {
        let nodes = if nodes > 10_000 { scaled(nodes) } else { nodes };
        graven::write(&path, &tree(nodes)).expect("written");
        let entry = segment(&path);
        let entry = entry.objects().next().expect("the root").expect("whole");
        let (from, root) = (entry.object.position as usize, entry.root as usize);
        let object = from..from + entry.object.length as usize;

        let mut group = criterion.benchmark_group("adopt");
        group.throughput(Throughput::Bytes(object.len() as u64));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        let name = match object.len() {
            small @ ..1_000_000 => format!("{} KiB", small >> 10),
            large => format!("{} MiB", large >> 20),
        };
        let id = |who| BenchmarkId::new(who, &name);
        group.bench_function(id("rkyv"), |bencher| {
            bencher.iter(|| {
                let map = map(&path);
                assert!(rkyv_accepts::<Node>(&map[object.clone()], root));
                map
            });
        });
        group.bench_function(id("graven"), |bencher| {
            bencher.iter(|| segment(&path).root::<Node>().expect("valid"));
        });
        group.bench_function(id("rkyv unchecked"), |bencher| {
            bencher.iter(|| {
                let map = map(&path);
                // SAFETY: `graven::write` has made the object.
                let node =
                    unsafe { rkyv::api::access_pos_unchecked::<ArchivedNode>(&map[object.clone()], root) };
                std::hint::black_box(node);
                map
            });
        });
        group.bench_function(id("graven unchecked"), |bencher| {
            // SAFETY: `graven::write` has made the object.
            bencher.iter(|| unsafe { segment(&path).get_unchecked::<Node>("") }.expect("found"));
        });
        group.finish();
    }
    let _ = std::fs::remove_file(&path);
}

criterion_group!(benches, adopt);
criterion_main!(benches);
