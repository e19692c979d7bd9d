//! Objects as deep as they are long, and schemas made to cost: neither the stack nor the memory grows beyond what the
//! docs of `Validator` say.

mod common;
mod tables;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::thread;

use graven_format::{Damage, Payload, Schema, Validator};
use tables::*;

struct Counting;

thread_local! {
    /// Bytes in use that this thread asked for, their peak, and the most that it gets at once.
    static USE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
}

// SAFETY: every call goes to `System` with the caller's own arguments, or fails; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > MOST.get() {
            return std::ptr::null_mut();
        }
        let (now, peak) = USE.get();
        let now = now.wrapping_add(layout.size());
        USE.set((now, peak.max(now)));
        // SAFETY: our caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let (now, peak) = USE.get();
        USE.set((now.wrapping_sub(layout.size()), peak));
        // SAFETY: our caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The highest heap use during `run`, beyond what was in use before. Counted from 1 GiB: what others give back here is
/// no less than nothing.
fn peak(run: impl FnOnce()) -> usize {
    USE.set((1 << 30, 1 << 30));
    run();
    USE.get().1 - (1 << 30)
}

/// Levels of lists: more than any stack has frames.
const LEVELS: usize = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
/// What the docs of `Validator` promise, for each byte of the object.
const BOUND: usize = 64;

/// `size` bytes a level, each with a pointer of four bytes at `pointer` to the level below; the first has a null.
fn list(levels: usize, size: usize, pointer: usize, level: &[u8]) -> (Vec<u8>, u64) {
    let mut bytes = level.repeat(levels);
    let distance = -((size + pointer) as i32);
    for i in 0..levels {
        let distance = if i == 0 { 1 } else { distance };
        bytes[i * size + pointer..][..4].copy_from_slice(&distance.to_le_bytes());
    }
    (bytes, ((levels - 1) * size) as u64)
}

/// A struct of a nullable box of itself and a string, in one order or the other.
fn shape(box_first: bool) -> Schema {
    let (niched, string) = (|to| ty(14, 4, 4).a(2).links(&[to]), ty(6, 8, 4));
    let boxed = ty(8, 4, 4).links(&[0]);
    match box_first {
        true => schema(&[structure(12, 4, &[("next", 0, 1), ("name", 4, 3)]), niched(2), boxed, string]),
        false => schema(&[structure(12, 4, &[("name", 0, 1), ("next", 8, 2)]), string, niched(3), boxed]),
    }
}

fn deep(levels: usize, box_first: bool) -> (Schema, Vec<u8>, u64) {
    let name = b"a name\xff\0";
    let level = if box_first { [&[0; 4][..], name].concat() } else { [&name[..], &[0; 4]].concat() };
    let (bytes, root) = list(levels, 12, if box_first { 0 } else { 8 }, &level);
    (shape(box_first), bytes, root)
}

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(64 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn lists_deeper_than_any_stack_are_checked_on_a_small_one_in_bounded_memory() {
    for box_first in [false, true] {
        on_a_small_stack(move || {
            let (schema, mut bytes, root) = deep(LEVELS, box_first);
            let validator = Validator::of_schema(&schema).unwrap();
            let used = peak(|| assert_eq!(validator.check(&bytes, root), Ok(())));
            println!(
                "{LEVELS} levels, box first {box_first}: {used} bytes of heap for {} of object",
                bytes.len()
            );
            // A pointer that comes last needs no return.
            assert!(used <= if box_first { BOUND * bytes.len() } else { 32 << 10 }, "{used}");

            bytes[if box_first { 4 } else { 0 }] = 0xc0;
            let error = validator.check(&bytes, root).unwrap_err();
            assert_eq!(*error.cause(), Damage::NotUtf8 { valid: 0 });
            assert!(error.path().matches("next").count() < 30 && error.path().contains('…'), "{error}");
        });
    }
}

#[test]
fn a_segment_with_a_deep_list_is_verified_on_a_small_stack() {
    for box_first in [false, true] {
        let (schema, bytes, root) = deep(LEVELS / 10, box_first);
        let segment = common::build(&[("deep", bytes, root, 16, 0)], &[schema.encode()]);
        on_a_small_stack(move || {
            segment.view().verify().unwrap();
        });
    }
}

#[test]
fn memory_that_is_not_to_be_had_is_an_error() {
    let (schema, bytes, root) = deep(10_000, true);
    let validator = Validator::of_schema(&schema).unwrap();
    MOST.set(100_000);
    let error = validator.check(&bytes, root).unwrap_err();
    MOST.set(usize::MAX);
    assert_eq!(*error.cause(), Damage::OutOfMemory);
    assert_eq!(validator.check(&bytes, root), Ok(()));
}

#[test]
fn shared_pointers_to_each_other_take_bounded_memory() {
    for (width, size) in [(2u8, 2usize), (4, 4), (8, 8)] {
        let payload = Payload { big_endian: false, offset_width: width, unaligned: false };
        let align = u32::from(width);
        let types =
            [structure(size as u64, align, &[("next", 0, 1)]), ty(10, size as u64, align).links(&[0])];
        let schema = schema_for(payload, &types);
        // The stack has just grown.
        let levels = 65_600;
        let mut bytes = Vec::new();
        for level in 0..levels {
            let distance = if level == 0 { 1 } else { -(size as i64) };
            bytes.extend(&distance.to_le_bytes()[..size]);
        }
        let validator = Validator::of_schema(&schema).unwrap();
        let root = (bytes.len() - size) as u64;
        let used = peak(|| assert_eq!(validator.check(&bytes, root), Ok(())));
        println!("offsets of {width} bytes: {} bytes of heap a byte of object", used / bytes.len());
        let bound = if width == 2 { 2 * BOUND } else { BOUND };
        assert!(used <= bound * bytes.len(), "{used}");
    }
}

/// A level of the object is four bytes, and as many types inside each other as the schema likes.
#[test]
fn types_nested_deeply_take_no_memory_of_their_own() {
    const TYPES: u32 = 2_000;
    let mut types: Vec<Ty> = (1..=TYPES).map(|inner| structure(4, 4, &[("x", 0, inner)])).collect();
    types.push(ty(14, 4, 4).a(2).links(&[TYPES + 1]));
    types.push(ty(8, 4, 4).links(&[0]));
    let validator = Validator::of_schema(&schema(&types)).unwrap();
    let (bytes, root) = list(5_000, 4, 0, &[0; 4]);
    let used = peak(|| assert_eq!(validator.check(&bytes, root), Ok(())));
    println!("{TYPES} types inside each other: {used} bytes of heap for {} of object", bytes.len());
    assert!(used <= 32 << 10, "{used}");
}

/// Each of many fields has a long name on its way.
#[test]
fn explaining_takes_bounded_memory_whatever_the_names() {
    const FIELDS: usize = 2_000;
    let long = "n".repeat(60_000);
    let fields: Vec<(String, u64)> = (0..FIELDS).map(|i| (i.to_string(), i as u64)).collect();
    let outer: Vec<Field<'_>> = fields.iter().map(|(name, at)| (&**name, *at, 1)).collect();
    let types = [structure(FIELDS as u64, 1, &outer), structure(1, 1, &[(&long, 0, 2)]), boolean()];
    let validator = Validator::of_schema(&schema(&types)).unwrap();
    let mut bytes = vec![1; FIELDS];
    bytes[77] = 2;
    let used = peak(|| {
        let error = validator.check(&bytes, 0).unwrap_err();
        assert_eq!(error.path(), format!("77.{}", "n".repeat(200)));
    });
    println!("explained in {used} bytes of heap");
    assert!(used < 4 << 20, "{used}");
}
