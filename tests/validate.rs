//! What graven's validator accepts, rkyv's accepts; what it refuses beyond that is written down: see `Extra`. Asked of
//! values of every shape with each byte changed, and with many.

mod samples;
mod support;
#[path = "validate/threads.rs"]
mod threads;

use std::collections::BTreeMap;

use graven::{
    error::{Damage, ObjectError},
    rkyv::util::AlignedVec,
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use samples::{Sample, samples};

/// What is refused though rkyv accepts it: only what no writer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extra {
    /// A control byte that a lookup takes for a used place, or for neither. In use: an entry is read
    /// that nobody checked.
    Control,
    /// An index outside of the entries. In use: a panic.
    Index,
    /// A B-tree leaf without entries: no writer writes one.
    EmptyLeaf,
    /// A null pointer before the first key of a B-tree's inner node. In use: iterating follows it.
    NoFirstNode,
}

impl Extra {
    fn of(error: &ObjectError) -> Option<Extra> {
        match error.cause() {
            Damage::Control { .. } => Some(Extra::Control),
            Damage::Index { .. } => Some(Extra::Index),
            Damage::LeafCount { count: 0, .. } => Some(Extra::EmptyLeaf),
            Damage::NoFirstNode => Some(Extra::NoFirstNode),
            _ => None,
        }
    }
}

#[derive(Debug, PartialEq)]
enum Answer {
    Accepted,
    Refused,
    RefusedByUsOnly(Extra),
}

/// Asks all validators the same, and holds them to what they promise.
#[track_caller]
fn ask(sample: &Sample, bytes: &[u8]) -> Answer {
    let (name, root) = (sample.name, sample.root as u64);
    let typed = sample.typed.check(bytes, root);
    let by_schema = sample.by_schema.check(bytes, root);
    let rkyv = (sample.rkyv)(bytes, sample.root);
    match (&typed, &by_schema) {
        (Ok(()), other) => assert_eq!(*other, Ok(()), "{name}: without types more is refused"),
        // Without types, shared pointers of the same layout are of one type.
        (Err(error), Ok(())) => {
            assert!(matches!(error.cause(), Damage::Shared { .. }), "{name}: {error}")
        }
        (Err(typed), Err(other)) => assert_eq!(typed, other, "{name}"),
    }
    match (typed, rkyv) {
        (Ok(()), Ok(())) => {
            (sample.read)(bytes, sample.root);
            Answer::Accepted
        }
        (Ok(()), Err(error)) => panic!("{name}: accepted, though rkyv says: {error}"),
        (Err(_), Err(_)) => Answer::Refused,
        (Err(error), Ok(())) => match Extra::of(&error) {
            Some(extra) => Answer::RefusedByUsOnly(extra),
            None => panic!("{name}: rkyv accepts it, and we say: {error}"),
        },
    }
}

/// Values that a byte may get: what is near, what is far, bits of pointers, tags.
fn replacements(byte: u8) -> impl Iterator<Item = u8> {
    let near = [1, 4, 8].into_iter().flat_map(move |n| [byte.wrapping_add(n), byte.wrapping_sub(n)]);
    let mut all: Vec<u8> = near.chain([0, 1, 2, 0xd8, 0xff, byte ^ 0x80]).collect();
    all.sort();
    all.dedup();
    all.into_iter().filter(move |other| *other != byte)
}

#[test]
fn everything_that_rkyv_writes_is_accepted() {
    for sample in samples() {
        assert_eq!(ask(&sample, &sample.bytes), Answer::Accepted, "{}", sample.name);
        assert_eq!(sample.typed.unchecked_types().count(), 0);
    }
}

#[test]
fn no_changed_byte_is_accepted_that_rkyv_refuses_and_what_is_refused_beyond_is_written_down() {
    let mut all = BTreeMap::new();
    for sample in samples() {
        let mut bytes = sample.bytes.clone();
        let mut counts = (0, 0, BTreeMap::new());
        for at in 0..bytes.len() {
            let byte = bytes[at];
            for other in replacements(byte) {
                bytes[at] = other;
                match ask(&sample, &bytes) {
                    Answer::Accepted => counts.0 += 1,
                    Answer::Refused => counts.1 += 1,
                    Answer::RefusedByUsOnly(extra) => {
                        *counts.2.entry(extra).or_insert(0) += 1;
                        *all.entry(extra).or_insert(0) += 1;
                    }
                }
            }
            bytes[at] = byte;
        }
        println!("{}: {} accepted, {} refused, by us only {:?}", sample.name, counts.0, counts.1, counts.2);
        assert!(counts.1 > 0, "{}: nothing was refused", sample.name);
    }
    let kinds: Vec<Extra> = all.into_keys().collect();
    // A leaf without entries and a node that is missing are counted, too: that takes two changes.
    assert_eq!(kinds, [Extra::Control, Extra::Index]);
}

#[test]
fn a_leaf_without_entries_is_refused_though_rkyv_accepts_it() {
    let samples = samples();
    let sample = samples.iter().find(|sample| sample.name == "B-tree").unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let count = sample.root + 4;
    let all = word(&sample.bytes, count);
    let mut met = 0;
    for at in (0..sample.root).step_by(4) {
        let entries = word(&sample.bytes, at);
        if (1..=5).contains(&entries) {
            let mut bytes = sample.bytes.clone();
            bytes[at..at + 4].copy_from_slice(&0u32.to_le_bytes());
            bytes[count..count + 4].copy_from_slice(&(all - entries).to_le_bytes());
            met += u32::from(ask(sample, &bytes) == Answer::RefusedByUsOnly(Extra::EmptyLeaf));
        }
    }
    assert!(met > 4, "{met} leaves");
}

#[test]
fn a_null_pointer_before_the_first_key_of_a_b_tree_is_refused_though_rkyv_accepts_it() {
    let samples = samples();
    let mut met = 0;
    for sample in samples.iter().filter(|sample| sample.name.contains("B-tree")) {
        let (mut bytes, count) = (sample.bytes.clone(), sample.root + 4);
        for at in (0..sample.root).step_by(4) {
            let word = |bytes: &[u8], at: usize| -> [u8; 4] { bytes[at..at + 4].try_into().unwrap() };
            let (link, all) = (word(&bytes, at), word(&bytes, count));
            // As many entries as are missing then, if it is the link of a node, small enough to be looked for.
            for missing in 1..40.min(u32::from_le_bytes(all)) {
                bytes[at..at + 4].copy_from_slice(&1u32.to_le_bytes());
                bytes[count..count + 4].copy_from_slice(&(u32::from_le_bytes(all) - missing).to_le_bytes());
                met += u32::from(ask(sample, &bytes) == Answer::RefusedByUsOnly(Extra::NoFirstNode));
            }
            bytes[at..at + 4].copy_from_slice(&link);
            bytes[count..count + 4].copy_from_slice(&all);
        }
    }
    assert!(met > 0, "no such node");
}

/// Every split of an object together finds what one check finds.
#[track_caller]
fn split_and_check(sample: &Sample, bytes: &[u8], parts: usize) -> (usize, bool) {
    match sample.typed.split(bytes, sample.root as u64, parts) {
        Err(_) => (0, false),
        Ok(found) => {
            let all = found.iter().all(|part| sample.typed.check_part(bytes, *part).is_ok());
            (found.len(), all)
        }
    }
}

#[test]
fn parts_of_an_object_are_accepted_exactly_if_the_object_is() {
    let mut most = 0;
    for sample in samples() {
        let mut bytes = sample.bytes.clone();
        for parts in 0..=64 {
            let (count, accepted) = split_and_check(&sample, &bytes, parts);
            assert!(accepted, "{} in {parts} parts", sample.name);
            most = most.max(count);
        }
        for at in 0..bytes.len() {
            let byte = bytes[at];
            for other in [byte ^ 1, byte ^ 0x80, byte.wrapping_add(4), 0xff] {
                bytes[at] = other;
                let whole = sample.typed.check(&bytes, sample.root as u64).is_ok();
                for parts in [2, 5, 64] {
                    let (_, accepted) = split_and_check(&sample, &bytes, parts);
                    assert_eq!(accepted, whole, "{}: byte {at} is {other}, {parts} parts", sample.name);
                }
            }
            bytes[at] = byte;
        }
    }
    assert!(most > 4, "objects were split: {most} parts");
}

#[test]
#[should_panic(expected = "a part of another object")]
fn a_part_is_of_the_bytes_it_was_found_in() {
    let samples = samples();
    let tree = samples.iter().find(|sample| sample.name == "tree").unwrap();
    let parts = tree.typed.split(&tree.bytes, tree.root as u64, 4).unwrap();
    let _ = tree.typed.check_part(&tree.bytes[..8], parts[0]);
}

#[test]
#[should_panic(expected = "a part of another object")]
fn a_part_is_of_the_validator_that_found_it() {
    let samples = samples();
    let tree = samples.iter().find(|sample| sample.name == "tree").unwrap();
    let parts = tree.typed.split(&tree.bytes, tree.root as u64, 4).unwrap();
    let _ = samples[0].typed.check_part(&tree.bytes, parts[0]);
}

/// `Chain` is written by hand: rkyv's serializer would recurse as deep.
#[graven::object]
struct Chain {
    next: Option<Box<Chain>>,
    name: String,
}

#[test]
fn a_list_deeper_than_any_stack_is_adopted_by_type_on_a_small_stack() {
    const LEVELS: u32 = 1_000_000;
    let mut bytes = AlignedVec::<16>::new();
    for level in 0..LEVELS {
        // An option and a pointer of four bytes each, and a text in line.
        let next = if level == 0 { [0u32, 0] } else { [1, (-20i32) as u32] };
        next.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes.extend_from_slice(b"chain\xff\0\0");
    }
    let root = u64::from(LEVELS - 1) * 16;
    let check = move || {
        let validator = graven::format::Validator::of::<ArchivedChain>();
        assert_eq!(validator.check(&bytes, root), Ok(()));
        assert_eq!(validator.split(&bytes, root, 8).unwrap().len(), 1);
        bytes[8] = 0xc0;
        let error = validator.check(&bytes, root).unwrap_err();
        assert_eq!((error.offset(), error.cause()), (8, &Damage::NotUtf8 { valid: 0 }));
    };
    std::thread::Builder::new().stack_size(64 << 10).spawn(check).unwrap().join().unwrap();
}

/// A change of some bytes: where, as a part of all, and to what.
#[derive(Clone, Debug)]
enum Edit {
    Byte(u8),
    /// A pointer or a length as it could be: small and to be added.
    Add(i8),
    /// Four bytes from elsewhere.
    Copy(u16),
    Word(u32),
}

fn edits() -> impl Strategy<Value = Vec<(u16, Edit)>> {
    let edit = prop_oneof![
        any::<u8>().prop_map(Edit::Byte),
        any::<i8>().prop_map(Edit::Add),
        any::<u16>().prop_map(Edit::Copy),
        prop_oneof![Just(0), Just(1), Just(u32::MAX), Just(1 << 31), any::<u32>()].prop_map(Edit::Word),
    ];
    prop::collection::vec((any::<u16>(), edit), 1..5)
}

fn apply(bytes: &mut AlignedVec, (at, edit): &(u16, Edit)) {
    let place = |part: u16| ((usize::from(part) * (bytes.len() / 4)) >> 16) * 4;
    let word = place(*at);
    match edit {
        Edit::Byte(byte) => {
            let at = (usize::from(*at) * bytes.len()) >> 16;
            bytes[at] = *byte;
        }
        Edit::Add(n) => {
            let number = i32::from_le_bytes(bytes[word..word + 4].try_into().unwrap());
            bytes[word..word + 4].copy_from_slice(&number.wrapping_add((*n).into()).to_le_bytes());
        }
        Edit::Copy(from) => {
            let from = place(*from);
            bytes.copy_within(from..from + 4, word);
        }
        Edit::Word(number) => bytes[word..word + 4].copy_from_slice(&number.to_le_bytes()),
    }
}

thread_local! {
    static SAMPLES: Vec<Sample> = samples();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn objects_changed_at_random_are_accepted_only_if_rkyv_accepts_them(edits in edits()) {
        SAMPLES.with(|samples| for sample in samples {
            let mut bytes = sample.bytes.clone();
            edits.iter().for_each(|edit| apply(&mut bytes, edit));
            let answer = ask(sample, &bytes);
            let (_, accepted) = split_and_check(sample, &bytes, 8);
            assert_eq!(accepted, answer == Answer::Accepted, "{}", sample.name);
        });
    }
}
