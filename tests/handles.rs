//! What the types of the handles promise: who may hold them, for how long, and that nothing can be changed through
//! them. The compile-fail cases are in `tests/handles/`, each with the compiler's words.

mod support;

use std::cell::Cell;
use std::sync::Arc;

use graven::{Adopted, Part, Segment};
use support::*;

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}
fn is_clone<T: Clone>() {}
fn is_static<T: 'static>() {}

#[test]
fn what_does_not_keep_the_promises_does_not_compile() {
    let native = graven::format::Payload::NATIVE;
    if native != (graven::format::Payload { big_endian: false, offset_width: 4, unaligned: false }) {
        return println!("SKIPPED: the compiler names other types in builds with other features");
    }
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/handles/*.rs");
}

#[test]
fn handles_can_be_cloned_kept_and_shared_between_threads() {
    is_send::<Segment>();
    is_sync::<Segment>();
    is_clone::<Segment>();
    is_static::<Segment>();
    is_send::<Adopted<Config>>();
    is_sync::<Adopted<Config>>();
    is_clone::<Adopted<Config>>();
    is_static::<Adopted<Config>>();
    is_send::<Part<str>>();
    is_sync::<Part<[ArchivedLimits]>>();
    is_clone::<Part<str>>();
    is_static::<Part<str>>();
    is_send::<graven::Writer>();
    is_send::<graven::Error>();
    is_sync::<graven::Error>();

    let value = Config::sample(4);
    let segment = Segment::from_bytes(bytes_of(&value)).unwrap();
    let adopted = segment.root::<Config>().unwrap();
    let name = adopted.project(|config| config.name.as_str());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (segment, adopted, name, value) =
                (segment.clone(), adopted.clone(), name.clone(), value.clone());
            std::thread::spawn(move || {
                assert_eq!(*adopted, value);
                assert_eq!(*segment.root::<Config>().unwrap(), value);
                assert_eq!(&*name, value.name.as_str());
            })
        })
        .collect();
    drop((segment, adopted));
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(&*name, value.name);
}

#[test]
fn a_handle_on_what_cannot_be_shared_stays_in_its_thread_and_works_there() {
    // What a projection leads to may lie outside the segment, if it lives forever.
    thread_local!(static COUNT: &'static Cell<u32> = Box::leak(Box::new(Cell::new(0))));
    let segment = Segment::from_bytes(bytes_of(&7u64)).unwrap();
    let count: Part<Cell<u32>> = segment.root::<u64>().unwrap().project(|_| COUNT.with(|count| *count));
    drop(segment);
    count.set(count.get() + 1);
    assert_eq!(count.clone().get(), 1);
}

#[test]
fn a_part_outlives_the_handles_it_came_from_and_knows_its_segment() {
    let value = Config::sample(3);
    let segment = Segment::from_bytes(bytes_of(&value)).unwrap();
    let address = segment.as_bytes().as_ptr();
    let below = segment.root::<Config>().unwrap().project(|config| &config.below[1]);
    drop(segment);
    let limits = below.project(|config| config.limits.as_slice());
    let missing = below.try_project(|config| config.limits.get(1000).ok_or("no such limit"));
    assert_eq!(missing.err(), Some("no such limit"));
    let first = below.try_project(|config| config.limits.first().ok_or("none")).unwrap();
    drop(below);
    assert_eq!(limits.len(), 2);
    assert_eq!(first.soft, 0);
    assert_eq!(limits.segment().as_bytes().as_ptr(), address);
    assert!(limits.segment().as_bytes().as_ptr_range().contains(&limits.as_ptr().cast()));
    assert_eq!(limits.segment().root::<Config>().unwrap().deserialize::<Config>().unwrap(), value);
}

#[test]
fn handles_adopted_twice_lead_to_the_same_bytes() {
    let segment = Segment::from_bytes(bytes_of(&Config::sample(3))).unwrap();
    let one = segment.root::<Config>().unwrap();
    let two = segment.clone().root::<Config>().unwrap();
    // SAFETY: written by this test, as what it is adopted as.
    let unchecked = unsafe { segment.get_unchecked::<Config>("") }.unwrap();
    assert!(std::ptr::eq(&*one, &*two) && std::ptr::eq(&*one, &*unchecked));
}

#[test]
fn debug_of_a_handle_is_that_of_its_value() {
    let adopted =
        Segment::from_bytes(bytes_of(&Limits { soft: 1, hard: None })).unwrap().root::<Limits>().unwrap();
    assert_eq!(format!("{adopted:?}"), format!("{:?}", &*adopted));
    assert!(format!("{:?}", adopted.segment()).contains("page_size: 4096"));
}

#[test]
fn threads_that_adopt_at_the_same_time_all_get_the_value() {
    let value = Config::sample(5);
    let segment = Arc::new(Segment::from_bytes(bytes_of(&value)).unwrap());
    let start = Arc::new(std::sync::Barrier::new(4));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (segment, start) = (Arc::clone(&segment), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                (0..20).for_each(|_| assert!(segment.root::<Config>().unwrap().name.starts_with("level 5")));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*segment.root::<Config>().unwrap(), value);
}
