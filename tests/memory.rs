//! The writer's memory does not grow with the objects.
//!
//! A counting allocator measures the highest amount of heap in use while a segment is written, beyond what the value
//! itself holds. Numbers that depend on the type (hash maps, shared pointers) are reported, not bounded: the table in
//! the docs of `Writer` says how they grow.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to `System` with the caller's own arguments; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: our caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: our caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests of this file take turns: the counters are the process's.
static TURN: Mutex<()> = Mutex::new(());

/// The highest heap use during `run`, beyond what was in use before.
fn peak(run: impl FnOnce()) -> usize {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    run();
    PEAK.load(Relaxed) - before
}

const BOUND: usize = 16 << 20;

#[graven::object]
struct Node {
    name: String,
    children: Vec<Node>,
}

/// A tree with `fanout` children a node, `depth` levels deep.
fn tree(depth: u32, fanout: usize) -> Node {
    let below = if depth == 0 { 0 } else { fanout };
    Node {
        name: format!("node of height {depth}, a name"),
        children: (0..below).map(|_| tree(depth - 1, fanout)).collect(),
    }
}

#[test]
fn four_gigabytes_in_objects_of_256_mib_take_a_bounded_heap() {
    let _turn = TURN.lock().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let objects = 16;
    match nix::sys::statvfs::statvfs(dir.path()) {
        Ok(fs) if fs.blocks_available() * fs.fragment_size() > 6 << 30 => {}
        _ => return println!("SKIPPED: less than 6 GiB of disk free"),
    }
    let numbers: Vec<u64> = (0..32 << 20).collect();
    let peak = peak(|| {
        let mut writer = graven::Writer::create(dir.path().join("big.grv")).unwrap();
        for i in 0..objects {
            writer.put(&i.to_string(), &numbers).unwrap();
        }
        assert!(writer.finish().unwrap().length > 4 << 30);
    });
    println!("heap peak beyond the values, 4 GiB of numbers: {peak} bytes");
    assert!(peak < BOUND, "{peak}");
}

#[test]
fn a_tree_of_262_mb_takes_a_bounded_heap() {
    let _turn = TURN.lock().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tree = tree(14, 3);
    let peak = peak(|| {
        let summary = graven::write(dir.path().join("tree.grv"), &tree).unwrap();
        assert!(summary.length > 262_000_000, "{}", summary.length);
    });
    println!("heap peak beyond the values, tree: {peak} bytes");
    assert!(peak < BOUND, "{peak}");
}

#[test]
fn rkyvs_scratch_is_given_back_after_each_object() {
    let _turn = TURN.lock().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let map: HashMap<u64, u64> = (0..1 << 20).map(|i| (i, i)).collect();
    let shared: Vec<Rc<u64>> = (0..1 << 20).map(Rc::new).collect();
    let mut writer = graven::Writer::create(dir.path().join("scratch.grv")).unwrap();
    let before = IN_USE.load(Relaxed);
    let of_map = peak(|| writer.put("map", &map).unwrap());
    let of_shared = peak(|| writer.put("shared", &shared).unwrap());
    println!(
        "heap peak per entry, HashMap<u64, u64>: {} bytes; Vec<Rc<u64>>: {} bytes",
        of_map >> 20,
        of_shared >> 20
    );
    assert!(IN_USE.load(Relaxed) < before + (1 << 20), "scratch was kept");
    writer.finish().unwrap();
}
