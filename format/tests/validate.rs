//! Each cause for which an object is refused, produced: the cause, the offset, and the way there; by a validator made
//! of a Rust type and by one made of its schema.

mod tables;

use graven_format::layout::Layout;
use graven_format::{Damage, Payload, Schema, Validator};
use rkyv::boxed::ArchivedBox;
use rkyv::collections::btree_map::ArchivedBTreeMap;
use rkyv::collections::swiss_table::{ArchivedHashMap, ArchivedHashSet, ArchivedIndexMap};
use rkyv::ffi::ArchivedCString;
use rkyv::option::ArchivedOption;
use rkyv::primitive::{ArchivedChar, ArchivedNonZeroU32, ArchivedU32};
use rkyv::rc::{ArcFlavor, ArchivedRc, RcFlavor};
use rkyv::result::ArchivedResult;
use rkyv::string::ArchivedString;
use rkyv::time::ArchivedDuration;
use rkyv::tuple::{ArchivedTuple2, ArchivedTuple3};
use rkyv::vec::ArchivedVec;
use tables::*;

type Refusal = (u64, &'static str, Damage);

#[track_caller]
fn refuse(validator: &Validator, object: &[u8], root: u64, (offset, path, cause): &Refusal) {
    let error = validator.check(object, root).unwrap_err();
    assert_eq!((error.offset(), error.path(), error.cause()), (*offset, *path, cause));
    let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
    assert_eq!(error.to_string(), format!("{place}offset {offset}: {cause}"));
}

/// Both validators refuse the object alike.
#[track_caller]
fn refused<T: Layout>(object: &[u8], root: u64, offset: u64, path: &'static str, cause: Damage) {
    let refusal = (offset, path, cause);
    refuse(&Validator::of::<T>(), object, root, &refusal);
    refuse(&Validator::of_schema(&Schema::of::<T>()).unwrap(), object, root, &refusal);
}

#[track_caller]
fn accepted<T: Layout>(object: &[u8], root: u64) {
    assert_eq!(Validator::of::<T>().check(object, root), Ok(()));
    assert_eq!(Validator::of_schema(&Schema::of::<T>()).unwrap().check(object, root), Ok(()));
}

fn outside(target: i64, size: u64, from: u64, until: u64) -> Damage {
    Damage::Outside { target: target as u64, size, from, until }
}

// ---- where -----------------------------------------------------------------------------------------------------

#[test]
fn a_root_lies_in_the_object_where_its_type_may() {
    for root in [2, 5, 8, u64::MAX - 1, u64::MAX] {
        let cause = Damage::Root { root, size: 4, align: 4, length: 8 };
        refused::<ArchivedU32>(&[0; 8], root, root, "", cause);
    }
    accepted::<ArchivedU32>(&[0; 8], 4);
}

/// [S5] [S6.3i] [S8.20]
#[test]
fn a_pointer_leads_to_unclaimed_bytes_before_it() {
    type Boxed = ArchivedBox<ArchivedU32>;
    accepted::<Boxed>(&words(&[7, -4]), 4);
    for (distance, target) in
        [(-8, -4), (0, 4), (4, 8), (i32::MIN, 4 - (1 << 31)), (i32::MAX, 3 + (1 << 31)), (1, 5)]
    {
        refused::<Boxed>(&words(&[7, distance]), 4, 4, "", outside(target, 4, 0, 4));
    }
    refused::<Boxed>(&words(&[7, 7, -6]), 8, 8, "", Damage::Unaligned { target: 2, align: 4 });

    type Two = ArchivedTuple2<Boxed, Boxed>;
    accepted::<Two>(&words(&[7, 7, -8, -8]), 8);
    refused::<Two>(&words(&[7, 7, -8, -12]), 8, 12, "1", outside(0, 4, 4, 8));
    refused::<Two>(&words(&[7, 7, -4, -12]), 8, 12, "1", outside(0, 4, 8, 8));

    // So it is with targets of no bytes: of a box, of a vec, of an index map.
    type Empty = ArchivedTuple2<Boxed, ArchivedBox<()>>;
    refused::<Empty>(&words(&[7, -4, -5]), 4, 8, "1", outside(3, 0, 4, 4));
    accepted::<Empty>(&words(&[7, -4, -4]), 4);
    refused::<Empty>(&words(&[7, -4, -3]), 4, 8, "1", outside(5, 0, 4, 4));
    type EmptyVec = ArchivedTuple2<Boxed, ArchivedVec<ArchivedU32>>;
    refused::<EmptyVec>(&words(&[7, -4, -8, 0]), 4, 8, "1", outside(0, 0, 4, 4));
    accepted::<EmptyVec>(&words(&[7, -4, -4, 0]), 4);
    // The root of an empty B-tree and the table of an empty hash map mean nothing.
    type EmptyTree = ArchivedTuple2<ArchivedBTreeMap<u8, u8, 5>, ArchivedHashMap<u8, u8>>;
    accepted::<EmptyTree>(&words(&[99, 0, -99, 0, 0]), 0);
}

/// [S6.3g]
#[test]
fn the_pointer_to_no_entries_of_an_index_map_is_one_like_any_other() {
    type Map = ArchivedTuple2<ArchivedBox<ArchivedU32>, ArchivedIndexMap<u8, ArchivedU32>>;
    let map = |to: i32| words(&[7, -4, 99, 0, 0, to - 20]);
    accepted::<Map>(&map(4), 4);
    refused::<Map>(&map(0), 4, 8, "1", outside(0, 0, 4, 4));
    refused::<Map>(&map(8), 4, 8, "1", outside(8, 0, 4, 4));
    refused::<Map>(&map(5), 4, 8, "1", outside(5, 0, 4, 4));
}

#[test]
fn the_length_of_a_vec_has_its_bytes() {
    type Many = ArchivedVec<ArchivedU32>;
    accepted::<Many>(&words(&[1, 2, -8, 2]), 8);
    for len in [3, 1 << 30, -1] {
        refused::<Many>(&words(&[1, 2, -8, len]), 8, 8, "", outside(0, u64::from(len as u32) * 4, 0, 8));
    }
    accepted::<Many>(&words(&[1, 2, 0, 0]), 8);
    refused::<Many>(&words(&[1, 2, 4, 0]), 8, 8, "", outside(12, 0, 0, 8));
    // Whatever their count: nothing of them can be wrong.
    accepted::<ArchivedVec<()>>(&words(&[0, -1]), 0);
    accepted::<ArchivedVec<[bool; 0]>>(&words(&[0, -1]), 0);
    accepted::<ArchivedVec<ArchivedTuple2<(), [(); 7]>>>(&words(&[0, -1]), 0);
}

// ---- what ------------------------------------------------------------------------------------------------------

#[test]
fn bytes_that_a_scalar_cannot_have_are_refused() {
    refused::<bool>(&[0, 2], 1, 1, "", Damage::Bool { got: 2 });
    for got in [0xd800, 0xdfff, 0x11_0000, u32::MAX] {
        refused::<ArchivedChar>(&got.to_le_bytes(), 0, 0, "", Damage::Char { got });
    }
    refused::<ArchivedNonZeroU32>(&[0; 4], 0, 0, "", Damage::Zero);
    let time = [[0; 8], 1_000_000_000u64.to_le_bytes()].concat();
    refused::<ArchivedDuration>(&time, 0, 8, "", Damage::Nanoseconds { got: 1_000_000_000 });
    refused::<ArchivedOption<bool>>(&[2, 1], 0, 0, "", Damage::Tag { got: 2 });
    refused::<ArchivedOption<bool>>(&[1, 2], 0, 1, "", Damage::Bool { got: 2 });
    accepted::<ArchivedOption<bool>>(&[0, 2], 0);
    refused::<ArchivedResult<bool, ()>>(&[2, 1], 0, 0, "", Damage::Tag { got: 2 });
    refused::<ArchivedResult<bool, ()>>(&[0, 3], 0, 1, "Ok.0", Damage::Bool { got: 3 });
    accepted::<ArchivedResult<bool, ()>>(&[1, 3], 0);
}

#[test]
fn bytes_that_a_scalar_in_a_variant_cannot_have_are_refused() {
    // A variant's first checks are made together with its tag's: at each place in the value, up to its last byte.
    type Bytes = ArchivedOption<ArchivedTuple3<bool, ArchivedOption<()>, [bool; 2]>>;
    assert_eq!(size_of::<Bytes>(), 5);
    for at in 1..5 {
        for got in 0..=255 {
            let mut bytes = [1, 0, 0, 0, 0];
            bytes[at] = got;
            let result = Validator::of::<Bytes>().check(&bytes, 0);
            let Err(error) = result else {
                assert!(got < 2);
                continue;
            };
            assert!(got >= 2 && error.offset() == at as u64, "{error}");
            assert_eq!(error.path(), ["0", "1", "2[0]", "2[1]"][at - 1]);
            bytes[0] = 0;
            accepted::<Bytes>(&bytes, 0);
        }
    }
    type Letter = ArchivedResult<ArchivedChar, ArchivedDuration>;
    let chars = [0, 0x7f, 0xd7ff, 0xe000, 0xffff, 0x1_0000, 0x10_ffff];
    for (number, is_char) in chars.map(|char| (char, true)).into_iter().chain(
        [0xd800, 0xdbff, 0xdfff, 0x11_0000, 1 << 31, u32::MAX - 0x7ff, u32::MAX].map(|char| (char, false)),
    ) {
        let mut bytes = [0; size_of::<Letter>()];
        bytes[4..8].copy_from_slice(&u32::to_le_bytes(number));
        let result = Validator::of::<Letter>().check(&bytes, 0);
        assert_eq!(result.is_ok(), is_char, "{number:#x}: {result:?}");
        // Nanoseconds lie elsewhere.
        bytes[0] = 1;
        accepted::<Letter>(&bytes, 0);
    }
    for (number, fits) in [(999_999_999, true), (1_000_000_000, false), (u32::MAX, false)] {
        let mut bytes = [0; size_of::<Letter>()];
        bytes[0] = 1;
        bytes[16..20].copy_from_slice(&u32::to_le_bytes(number));
        let result = Validator::of::<Letter>().check(&bytes, 0);
        assert_eq!(result.is_ok(), fits, "{number}: {result:?}");
    }
}

#[test]
fn tags_are_those_of_variants() {
    let check = |tags: &[u8], got: u8| {
        let variants: Vec<(&str, u8, &[Field<'_>])> =
            tags.iter().map(|tag| ("V", *tag, &[] as &[_])).collect();
        Validator::of_schema(&schema(&[enumeration(1, 1, &variants)])).unwrap().check(&[got], 0)
    };
    let all: Vec<u8> = (0..=255).collect();
    for tags in [&[0, 1, 2][..], &[3, 200, 201], &[255], &[], &all[..255], &all] {
        for got in 0..=255 {
            let result = check(tags, got);
            assert_eq!(result.is_ok(), tags.contains(&got), "{tags:?} {got}");
            assert!(result.err().is_none_or(|error| *error.cause() == Damage::Tag { got }));
        }
    }
}

/// [S6.3b]
#[test]
fn texts_are_utf8_and_in_line_if_they_fit() {
    accepted::<ArchivedString>(b"in line\xff", 0);
    refused::<ArchivedString>(b"in\xc0li\xff\0\0", 0, 0, "", Damage::NotUtf8 { valid: 2 });
    let out_of_line = |text: &[u8; 12], len: u8| [&text[..], &[0x80 | len, 0, 0, 0], &words(&[-12])].concat();
    accepted::<ArchivedString>(&out_of_line(b"out of line!", 12), 12);
    refused::<ArchivedString>(&out_of_line(b"out\xffof line!", 12), 12, 12, "", Damage::NotUtf8 { valid: 3 });
    refused::<ArchivedString>(&out_of_line(b"out of line!", 8), 12, 12, "", Damage::ShortText { len: 8 });
    refused::<ArchivedString>(&out_of_line(b"out of line!", 13), 12, 12, "", outside(0, 13, 0, 12));
    refused::<ArchivedBox<str>>(
        &[b"\xe2\x82__".to_vec(), words(&[-4, 4])].concat(),
        4,
        4,
        "",
        Damage::NotUtf8 { valid: 0 },
    );
    for text in [b"abc\0", b"\0\0\0\0"] {
        let bytes = [text.to_vec(), words(&[-4, 4])].concat();
        match text[0] {
            0 => refused::<ArchivedCString>(&bytes, 4, 4, "", Damage::CString),
            _ => accepted::<ArchivedCString>(&bytes, 4),
        }
    }
    for len in [0, 3] {
        let bytes = [b"abc\0".to_vec(), words(&[-4, len])].concat();
        refused::<ArchivedCString>(&bytes, 4, 4, "", Damage::CString);
    }
}

/// [S6.3j]
#[test]
fn shared_pointers_to_one_place_agree_and_do_not_lead_into_themselves() {
    type Slice = ArchivedRc<[u8], RcFlavor>;
    accepted::<ArchivedTuple2<Slice, Slice>>(&words(&[0, -4, 4, -12, 4]), 4);
    let object = words(&[0, -4, 4, -12, 3]);
    refused::<ArchivedTuple2<Slice, Slice>>(&object, 4, 12, "1", Damage::Shared { target: 0 });

    // Of one layout, and two types to rkyv.
    type Mixed = ArchivedTuple2<ArchivedRc<ArchivedU32, RcFlavor>, ArchivedRc<ArchivedU32, ArcFlavor>>;
    let object = words(&[0, -4, -8]);
    refuse(&Validator::of::<Mixed>(), &object, 4, &(8, "1", Damage::Shared { target: 0 }));
    assert_eq!(Validator::of_schema(&Schema::of::<Mixed>()).unwrap().check(&object, 4), Ok(()));

    // Targets of no bytes as well.
    type Empty = ArchivedRc<(), RcFlavor>;
    accepted::<ArchivedTuple2<Empty, Empty>>(&words(&[-0, -4]), 0);
    let object = words(&[0, 0, -4, 0]);
    type Apart = ArchivedTuple2<Empty, Slice>;
    refused::<Apart>(&object[4..], 0, 4, "1", Damage::Shared { target: 0 });

    // The first one that is visited has a window, later ones have none.
    type Late = ArchivedTuple3<
        ArchivedRc<ArchivedU32, RcFlavor>,
        ArchivedBox<ArchivedU32>,
        ArchivedRc<ArchivedU32, RcFlavor>,
    >;
    accepted::<Late>(&words(&[7, 8, -8, -8, -16]), 8);
    type First = ArchivedTuple2<ArchivedBox<ArchivedU32>, ArchivedRc<ArchivedU32, RcFlavor>>;
    refused::<First>(&words(&[7, 8, -4, -12]), 8, 12, "1", outside(0, 4, 8, 8));

    let node = schema(&[structure(4, 4, &[("next", 0, 1)]), ty(9, 4, 4).links(&[0])]);
    let node = Validator::of_schema(&node).unwrap();
    refuse(&node, &words(&[0, -4]), 4, &(0, "next.next", Damage::Cycle { target: 0 }));
}

// ---- maps ------------------------------------------------------------------------------------------------------

/// A hash map of capacity 2 with one entry, at place 0: 31 control bytes at 4, the root at 36.
fn table() -> Vec<u8> {
    let mut bytes = vec![0xff; 36];
    bytes[..4].copy_from_slice(&[0, 0, 9, 1]);
    (bytes[4], bytes[6]) = (0x11, 0x11);
    bytes.extend(words(&[-32, 1, 2]));
    bytes
}

#[test]
fn hash_tables_are_as_writers_write_them() {
    type Map = ArchivedHashMap<u8, bool>;
    let with = |at: usize, byte: u8| {
        let mut bytes = table();
        bytes[at] = byte;
        bytes
    };
    accepted::<Map>(&table(), 36);
    refused::<Map>(&with(3, 2), 36, 3, "{0}.value", Damage::Bool { got: 2 });
    // A place that nobody uses may hold anything.
    accepted::<Map>(&with(1, 2), 36);
    refused::<Map>(&with(40, 2), 36, 36, "", Damage::Capacity { count: 2, capacity: 2 });
    refused::<Map>(&with(40, 0), 36, 36, "", Damage::Count { count: 0, found: 1 });
    refused::<Map>(&with(44, 0), 36, 36, "", Damage::Capacity { count: 1, capacity: 0 });
    let huge = |capacity: i32| [&table()[..44], &words(&[capacity])].concat();
    let size = |capacity: u64| capacity * 2 + capacity.next_multiple_of(16) + 15;
    refused::<Map>(&huge(3), 36, 36, "", outside(-2, size(3), 0, 36));
    refused::<Map>(&huge(-1), 36, 36, "", outside(4 - 2 * 0xffff_ffff, size(0xffff_ffff), 0, 36));
    // Nothing to claim but control bytes.
    let set = words(&[0, 1, -1]);
    refused::<ArchivedHashSet<()>>(&set, 0, 0, "", outside(0, (1 << 32) + 15, 0, 0));
    refused::<ArchivedHashSet<()>>(&words(&[0, -2, -1]), 0, 0, "", outside(0, (1 << 32) + 15, 0, 0));
    accepted::<Map>(&words(&[0, 0, 0]), 0);
}

/// A lookup looks at sixteen control bytes at once: it takes one that says "used" for a place, wherever it is.
#[test]
fn control_bytes_that_no_writer_writes_are_refused() {
    for (index, got) in
        [(1, 0x80), (1, 0xfe), (2, 0x12), (2, 0xff), (3, 0x11), (4, 0x11), (20, 0), (30, 0x80)]
    {
        let mut bytes = table();
        bytes[4 + index] = got;
        let cause = Damage::Control { index: index as u64, got };
        refused::<ArchivedHashMap<u8, bool>>(&bytes, 36, 4 + index as u64, "", cause);
    }
}

#[test]
fn a_table_of_eight_byte_words_cannot_claim_more_than_there_is() {
    let wide = Payload { big_endian: false, offset_width: 8, unaligned: false };
    let set = schema_for(wide, &[ty(15, 24, 8).links(&[1, 1]), unit()]);
    let validator = Validator::of_schema(&set).unwrap();
    for capacity in [2, u64::MAX - 30, u64::MAX - 15, u64::MAX - 1, u64::MAX] {
        let bytes = [0, 1, capacity].map(u64::to_le_bytes).concat();
        let error = validator.check(&bytes, 0).unwrap_err();
        assert!(matches!(error.cause(), Damage::Outside { target: 0, .. }), "{error}");
    }
}

/// One entry at 40, its index at 4, control bytes at 8, the root at 44.
fn index_map() -> Vec<u8> {
    let mut bytes = vec![0xff; 44];
    bytes[..8].copy_from_slice(&[0; 8]);
    (bytes[8], bytes[10]) = (0x11, 0x11);
    bytes[40..].copy_from_slice(&[9, 1, 0, 0]);
    bytes.extend(words(&[-36, 1, 2, -16]));
    bytes
}

#[test]
fn an_index_map_leads_to_its_entries() {
    type Map = ArchivedIndexMap<u8, bool>;
    accepted::<Map>(&index_map(), 44);
    for index in [1, 2, 255] {
        let mut bytes = index_map();
        bytes[4] = index;
        refused::<Map>(&bytes, 44, 4, "", Damage::Index { index: index.into(), count: 1 });
    }
    let mut bytes = index_map();
    bytes[41] = 2;
    refused::<Map>(&bytes, 44, 41, "{0}.value", Damage::Bool { got: 2 });
    // The entries must not lie in the table.
    let bytes = [&index_map()[..56], &words(&[-56])].concat();
    refused::<Map>(&bytes, 44, 44, "", outside(0, 2, 39, 44));
}

/// A leaf with two entries at 0, the root at 12.
fn leaf(kind: u8, count: i32, says: i32) -> Vec<u8> {
    [vec![kind, 1, 2, 1, 0, 0, 0, 0], words(&[count, -12, says])].concat()
}

#[test]
fn a_b_tree_is_of_nodes_that_have_the_entries_it_says() {
    type Map = ArchivedBTreeMap<u8, bool, 2>;
    accepted::<Map>(&leaf(0, 2, 2), 12);
    refused::<Map>(&leaf(2, 2, 2), 12, 0, "", Damage::NodeKind { got: 2 });
    for count in [0, 3, -1] {
        let cause = Damage::LeafCount { count: (count as u32).into(), capacity: 2 };
        refused::<Map>(&leaf(0, count, 2), 12, 0, "", cause);
    }
    refused::<Map>(&leaf(0, 2, 1), 12, 0, "", Damage::Count { count: 1, found: 2 });
    refused::<Map>(&leaf(0, 2, 3), 12, 12, "", Damage::Count { count: 3, found: 2 });
    // An inner node is longer than a leaf.
    refused::<Map>(&leaf(1, 2, 2), 12, 12, "", outside(0, 20, 0, 12));
    let mut bytes = leaf(0, 2, 2);
    bytes[4] = 7;
    refused::<Map>(&bytes, 12, 4, "value", Damage::Bool { got: 7 });
    bytes[8] = 1;
    bytes[16] = 1;
    accepted::<Map>(&bytes, 12);
    // Whatever the pointer, if there is nothing.
    accepted::<Map>(&words(&[-1, 0]), 0);
    // Keys that are not in order are no danger: reading finds less.
    bytes[4] = 0;
    (bytes[1], bytes[2], bytes[8], bytes[16]) = (2, 1, 2, 2);
    accepted::<Map>(&bytes, 12);
}

#[test]
fn the_nodes_of_a_b_tree_are_claimed_once() {
    type Set = ArchivedBTreeMap<u8, (), 1>;
    // Leaves at 0 and 8, an inner node at 16 with two links, the root at 28.
    let tree = |left: i32, right: i32| {
        [
            vec![0, 1, 0, 0],
            words(&[1]),
            vec![0, 3, 0, 0],
            words(&[1]),
            vec![1, 2, 0, 0],
            words(&[left, right, -12, 3]),
        ]
        .concat()
    };
    accepted::<Set>(&tree(-20, -16), 28);
    refused::<Set>(&tree(-20, -24), 28, 24, "", outside(0, 8, 8, 16));
    refused::<Set>(&tree(-20, -8), 28, 24, "", outside(16, 8, 8, 16));
    refused::<Set>(&tree(-20, 1), 28, 28, "", Damage::Count { count: 3, found: 2 });
    refused::<Set>(&tree(1, -16), 28, 20, "", Damage::NoFirstNode);
}

#[test]
fn a_b_tree_has_no_more_levels_than_can_be_counted() {
    type Set = ArchivedBTreeMap<u8, (), 1>;
    // A leaf at 0, and inner nodes behind it, each with the one before.
    let tree = |levels: i32| {
        let inner =
            (1..levels).map(|level| [vec![1, 0, 0, 0], words(&[if level == 1 { -12 } else { -16 }, 1])]);
        let nodes = [vec![0, 0, 0, 0], words(&[1])].into_iter().chain(inner.flatten());
        let nodes = nodes.collect::<Vec<_>>().concat();
        let root = nodes.len() as u64;
        ([nodes, words(&[-12, levels])].concat(), root)
    };
    let (bytes, root) = tree(64);
    accepted::<Set>(&bytes, root);
    let (bytes, root) = tree(65);
    refused::<Set>(&bytes, root, 12, "…", Damage::Levels { most: 64 });
}

/// Keys and values in a leaf and in the inner node behind it, each of which may be what makes the entries' operations.
#[test]
fn keys_and_values_of_a_b_tree_are_checked_in_all_its_nodes() {
    const TEXT: [u8; 8] = *b"key\xff\xff\xff\xff\xff";
    /// A tree of two entries, of so many bytes before the count or the links, and where it is.
    fn tree(entry: &[u8]) -> (Vec<u8>, u64) {
        let len = entry.len() as i32;
        let leaf = [entry, &words(&[1])].concat();
        let inner = [&[1], &entry[1..], &words(&[-2 * len - 4, 1])].concat();
        ([leaf, inner, words(&[-len - 8, 2])].concat(), 2 * entry.len() as u64 + 12)
    }
    fn check<M: Layout>(entry: &[u8], texts: &[(usize, &'static str)]) {
        let (bytes, root) = tree(entry);
        accepted::<M>(&bytes, root);
        for node in [0, entry.len() + 4] {
            for &(at, path) in texts {
                let mut bytes = bytes.clone();
                bytes[node + at + 1] = 0xc0;
                let place = (node + at) as u64;
                refused::<M>(&bytes, root, place, path, Damage::NotUtf8 { valid: 1 });
            }
        }
    }
    let kind = [0; 4];
    check::<ArchivedBTreeMap<ArchivedString, u8, 1>>(&[&kind, &TEXT[..], &kind].concat(), &[(4, "key")]);
    check::<ArchivedBTreeMap<u8, ArchivedString, 1>>(&[&kind, &TEXT[..]].concat(), &[(4, "value")]);
    let both = [(4, "key"), (12, "value")];
    check::<ArchivedBTreeMap<ArchivedString, ArchivedString, 1>>(&[&kind, &TEXT[..], &TEXT].concat(), &both);
}

// ---- paths -----------------------------------------------------------------------------------------------------

#[test]
fn a_path_leads_through_fields_elements_variants_and_boxes() {
    type Flags = ArchivedVec<ArchivedVec<bool>>;
    let bytes = [vec![1, 0, 1, 2], words(&[-4, 2, -10, 2, -16, 2])].concat();
    refused::<Flags>(&bytes, 20, 3, "[1][1]", Damage::Bool { got: 2 });

    // An array is a step whether it is short or long; an option or a box none.
    let short = [vec![1, 1, 2, 0], words(&[-4])].concat();
    refused::<ArchivedTuple2<ArchivedBox<[bool; 3]>, ()>>(&short, 4, 2, "0[2]", Damage::Bool { got: 2 });
    let mut long = [1; 100];
    long[77] = 3;
    refused::<ArchivedTuple3<u8, [bool; 99], ()>>(&long, 0, 77, "1[76]", Damage::Bool { got: 3 });
    let nested = [1, 1, 1, 1, 0, 1, 1, 5];
    refused::<[[ArchivedOption<bool>; 2]; 2]>(&nested, 0, 7, "[1][1]", Damage::Bool { got: 5 });
    let boxed = [vec![1, 9, 0, 0], words(&[1, -8])].concat();
    refused::<ArchivedOption<ArchivedBox<ArchivedOption<bool>>>>(&boxed, 4, 1, "", Damage::Bool { got: 9 });
    let shared = [vec![1, 9, 0, 0], words(&[-4, 2])].concat();
    refused::<ArchivedRc<[bool], RcFlavor>>(&shared, 4, 1, "[1]", Damage::Bool { got: 9 });

    let user = schema(&[
        structure(12, 4, &[("id", 0, 1), ("state", 4, 2)]),
        number(4),
        enumeration(
            8,
            4,
            &[("Idle", 0, &[]), ("Busy", 1, &[("with", 4, 3)]), ("Done", 7, &[("well", 1, 4)])],
        ),
        ty(8, 4, 4).links(&[4]),
        boolean(),
    ]);
    let user = Validator::of_schema(&user).unwrap();
    let object = |tag: u8, well: u8, to: i32| {
        [vec![2, 0, 0, 0], words(&[7]), vec![tag, well, 0, 0], words(&[to])].concat()
    };
    assert_eq!(user.check(&object(0, 9, 0), 4), Ok(()));
    refuse(&user, &object(1, 9, -12), 4, &(0, "state.Busy.with", Damage::Bool { got: 2 }));
    refuse(&user, &object(1, 9, 0), 4, &(12, "state.Busy.with", outside(12, 1, 0, 4)));
    refuse(&user, &object(7, 9, 0), 4, &(9, "state.Done.well", Damage::Bool { got: 9 }));
    refuse(&user, &object(6, 9, 0), 4, &(8, "state", Damage::Tag { got: 6 }));
}

/// `struct { next: Option<Box<Self>> with a niche, flag: bool }`, `levels` of them; the first one's flag is wrong.
fn list(levels: usize) -> (Validator, Vec<u8>) {
    let types = [
        structure(8, 4, &[("next", 0, 1), ("flag", 4, 3)]),
        ty(14, 4, 4).a(2).links(&[2]),
        ty(8, 4, 4).links(&[0]),
        boolean(),
    ];
    let mut bytes = words(&[1, 2]);
    (1..levels).for_each(|_| bytes.extend(words(&[-8, 1])));
    (Validator::of_schema(&schema(&types)).unwrap(), bytes)
}

#[test]
fn of_a_long_path_the_first_steps_are_named_and_one_mark_stands_for_the_others() {
    for levels in [2, 10, 25, 26] {
        let (validator, bytes) = list(levels);
        let error = validator.check(&bytes, bytes.len() as u64 - 8).unwrap_err();
        assert_eq!(error.path(), format!("{}flag", "next.".repeat(levels - 1)));
    }
    for levels in [27, 28, 63, 64, 65, 66, 67, 1000] {
        let (validator, bytes) = list(levels);
        let error = validator.check(&bytes, bytes.len() as u64 - 8).unwrap_err();
        assert_eq!(error.path(), format!("{}next….next.flag", "next.".repeat(23)), "{levels}");
    }
}

// ---- schemas that are not what they seem -----------------------------------------------------------------------

/// Each is one more level, and none is one more operation.
#[test]
fn types_nested_deeper_than_any_stack_are_compiled() {
    const LEVELS: u32 = 20_000;
    let arrays = (1..=LEVELS).map(|inner| array(1, 1, inner, 1)).chain([boolean()]);
    let structs = (1..=LEVELS).map(|inner| structure(1, 1, &[("x", 0, inner)])).chain([boolean()]);
    for types in [arrays.collect::<Vec<_>>(), structs.collect()] {
        let validator = Validator::of_schema(&schema(&types)).unwrap();
        assert_eq!(validator.check(&[1], 0), Ok(()));
        let error = validator.check(&[2], 0).unwrap_err();
        assert_eq!((error.offset(), error.cause()), (0, &Damage::Bool { got: 2 }));
        assert!(error.path().len() < 5000);
    }
}

#[test]
fn long_names_are_on_a_path_in_part() {
    let name = "ä".repeat(1 << 20);
    let types = [structure(1, 1, &[(&name, 0, 1)]), boolean()];
    let error = Validator::of_schema(&schema(&types)).unwrap().check(&[2], 0).unwrap_err();
    assert_eq!(error.path(), "ä".repeat(200));
}

#[test]
fn an_unsound_schema_makes_no_validator() {
    let error = Validator::of_schema(&schema(&[ty(1, 2, 1)])).unwrap_err();
    assert_eq!(error, graven_format::UnsoundSchema::Size { ty: 0, size: 2, expected: 1 });
}

#[test]
fn the_types_whose_checks_are_not_known_are_named() {
    let types = [structure(1, 1, &[("a", 0, 1)]), opaque(1, 1)];
    let validator = Validator::of_schema(&schema(&types)).unwrap();
    assert_eq!(validator.unchecked_types().count(), 0, "the table does not mark it");
    assert_eq!(validator.check(&[9], 0), Ok(()));
}
