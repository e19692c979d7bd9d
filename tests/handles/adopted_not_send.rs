//! A handle on what may not be shared between threads may not go to another thread: it would share it.

use std::cell::Cell;

fn to_another_thread<T: Send>(_: T) {}

fn main() {
    let count: &'static Cell<u32> = Box::leak(Box::new(Cell::new(0)));
    let segment = graven::Segment::from_bytes([]).unwrap();
    let part: graven::Part<Cell<u32>> = segment.root::<u64>().unwrap().project(move |_| count);
    to_another_thread(part.clone());
    part.set(2);
}
