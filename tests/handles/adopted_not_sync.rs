//! A reference to a handle on what may not be shared may not go to another thread either.

use std::cell::Cell;

fn used_by_two_threads<T: Sync>(_: &T) {}

fn main() {
    let count: &'static Cell<u32> = Box::leak(Box::new(Cell::new(0)));
    let segment = graven::Segment::from_bytes([]).unwrap();
    let part: graven::Part<Cell<u32>> = segment.root::<u64>().unwrap().project(move |_| count);
    used_by_two_threads(&part);
}
