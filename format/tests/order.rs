//! Maps whose keys are out of place are safe to adopt, and `View::verify` finds them.

mod common;

use std::collections::BTreeSet;
use std::rc::Rc;

use graven_format::layout::Layout;
use graven_format::{Damage, Schema, Validator, VerifyError};
use rkyv::Archived;
use rkyv::collections::btree_map::ArchivedBTreeMap;
use rkyv::collections::swiss_table::{ArchivedHashSet, ArchivedIndexMap};
use rkyv::primitive::ArchivedU32;
use rkyv::rancor::BoxedError;
use rkyv::string::ArchivedString;
use rkyv::tuple::ArchivedTuple1;

fn words(words: &[i32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What `verify` finds in the maps of an object that may be adopted.
#[track_caller]
fn found<T: Layout>(object: &[u8], root: u64) -> Option<(u64, String)> {
    assert_eq!(Validator::of::<T>().check(object, root), Ok(()));
    let table = Schema::of::<T>().encode();
    let segment = common::build(&[("map", object.to_vec(), root, 16, 0)], &[table]);
    match segment.view().verify() {
        Ok(_) => None,
        Err(VerifyError::Object { name, error }) if name == "map" => match error.cause() {
            Damage::Disorder { what } => Some((error.offset(), what.clone())),
            _ => panic!("{error}"),
        },
        Err(other) => panic!("{other}"),
    }
}

/// A leaf with two entries at 0, the root at 12.
fn leaf(keys: [u8; 2]) -> Vec<u8> {
    [vec![0, keys[0], keys[1], 1, 0, 0, 0, 0], words(&[2, -12, 2])].concat()
}

/// [S6.3h]
#[test]
fn keys_of_a_b_tree_ascend() {
    type Map = ArchivedBTreeMap<u8, bool, 2>;
    assert_eq!(found::<Map>(&leaf([1, 2]), 12), None);
    for keys in [[2, 1], [7, 7]] {
        let (offset, what) = found::<Map>(&leaf(keys), 12).unwrap();
        assert_eq!((offset, &*what), (12, "key 1 is not above the one before it"));
    }
}

fn hash(key: u8) -> u64 {
    u64::from(key).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// A set of bytes with these control bytes and keys at places; the root last.
fn set(capacity: usize, places: &[(usize, u8, u8)]) -> (Vec<u8>, u64) {
    let mut bytes = vec![0; capacity];
    let mut controls = vec![0xff; capacity.next_multiple_of(16) + 15];
    for (place, key, control) in places {
        bytes[capacity - 1 - place] = *key;
        controls[*place] = *control;
        if let Some(repeated) = controls.get_mut(capacity + place) {
            *repeated = *control;
        }
    }
    bytes.extend(controls);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let root = bytes.len();
    bytes.extend(words(&[capacity as i32 - root as i32, places.len() as i32, capacity as i32]));
    (bytes, root as u64)
}

#[test]
fn entries_of_a_hash_table_are_where_a_lookup_finds_them() {
    type Set = ArchivedHashSet<u8>;
    let (key, control) = (9, (hash(9) >> 57) as u8);
    let start = (hash(key) % 40) as usize;
    for step in 0..16 {
        let (bytes, root) = set(40, &[((start + step) % 40, key, control)]);
        assert_eq!(found::<Set>(&bytes, root), None, "{step}");
    }
    for step in 16..40 {
        let place = (start + step) % 40;
        let (bytes, root) = set(40, &[(place, key, control)]);
        let what = format!("the entry at place {place} is not where a lookup finds it");
        assert_eq!(found::<Set>(&bytes, root), Some((root, what)));
    }
    let (bytes, root) = set(40, &[(start, key, control ^ 1)]);
    let what = format!("the entry at place {start} has not the hash that its control byte says");
    assert_eq!(found::<Set>(&bytes, root), Some((root, what)));
}

/// Numbers by value whatever their sign, texts by their bytes, chars by their numbers. [S6.3h]
#[test]
fn keys_of_a_b_tree_are_in_the_order_of_their_kind() {
    fn in_order<K: Layout + Ord>(object: &[u8], root: u64) -> bool {
        found::<ArchivedBTreeMap<K, bool, 2>>(object, root).is_none()
    }
    let bytes = |one: i8, other: i8| leaf([one as u8, other as u8]);
    assert!(in_order::<i8>(&bytes(-1, 0), 12) && !in_order::<i8>(&bytes(0, -1), 12));
    assert!(in_order::<u8>(&bytes(0, -1), 12) && !in_order::<u8>(&bytes(-1, 0), 12));
    assert!(in_order::<bool>(&leaf([0, 1]), 12) && !in_order::<bool>(&leaf([1, 0]), 12));
    // A leaf of two keys of eight bytes, 4 behind its start, with two bools, padding and a count behind them.
    let texts = |one: &[u8; 8], other: &[u8; 8]| {
        [&[0; 4], &one[..], other, &[1, 0, 0, 0], &words(&[2, -28, 2])].concat()
    };
    let (z, umlaut) = (b"z\xff\xff\xff\xff\xff\xff\xff", b"\xc3\xa4\xff\xff\xff\xff\xff\xff");
    assert!(in_order::<ArchivedString>(&texts(z, umlaut), 28));
    assert!(!in_order::<ArchivedString>(&texts(umlaut, z), 28));
}

/// Nor can other keys' order and hash be known: these may be a program's own. [S6.3f]
#[test]
fn keys_that_look_like_tuples_or_are_arrays_are_not_checked() {
    for keys in [[2, 1], [7, 7]] {
        assert_eq!(found::<ArchivedBTreeMap<ArchivedTuple1<u8>, bool, 2>>(&leaf(keys), 12), None);
        assert_eq!(found::<ArchivedBTreeMap<[u8; 1], bool, 2>>(&leaf(keys), 12), None);
    }
    let (bytes, root) = set(40, &[(7, 9, 1), (30, 9, 2)]);
    assert_eq!(found::<ArchivedHashSet<ArchivedTuple1<u8>>>(&bytes, root), None);
    assert_eq!(found::<ArchivedHashSet<[u8; 1]>>(&bytes, root), None);
    assert!(found::<ArchivedHashSet<u8>>(&bytes, root).is_some());
}

/// [S6.3d]
#[test]
fn keys_of_a_hash_table_differ() {
    type Set = ArchivedHashSet<u8>;
    let (control, start) = ((hash(9) >> 57) as u8, (hash(9) % 40) as usize);
    let (first, second) = (start, (start + 5) % 40);
    let (bytes, root) = set(40, &[(first, 9, control), (second, 9, control)]);
    let what = format!("the entry at place {second} has the key of that at place {first}");
    assert_eq!(found::<Set>(&bytes, root), Some((root, what)));
}

#[test]
fn each_entry_of_an_index_map_has_one_place() {
    // The indices of three places at 0, the last place first; control bytes at 12, two entries at 44, the root.
    let map = |indices: [i32; 2]| {
        let mut bytes = words(&[0, indices[1], indices[0]]);
        let mut controls = [0xff; 32];
        for (place, index) in indices.iter().enumerate() {
            controls[place] = (hash([9, 8][*index as usize]) >> 57) as u8;
            controls[3 + place] = controls[place];
        }
        bytes.extend(controls);
        bytes.extend([9, 1, 8, 1]);
        bytes.extend(words(&[12 - 48, 2, 3, 44 - 60]));
        (bytes, 48)
    };
    for indices in [[0, 1], [1, 0]] {
        let (bytes, root) = map(indices);
        assert_eq!(found::<ArchivedIndexMap<u8, bool>>(&bytes, root), None);
    }
    for indices in [[0, 0], [1, 1]] {
        let (bytes, root) = map(indices);
        let what = "the entry at place 1 is there twice".to_string();
        assert_eq!(found::<ArchivedIndexMap<u8, bool>>(&bytes, root), Some((root, what)));
    }
}

#[test]
fn b_trees_that_rkyv_writes_are_in_order() {
    for count in [0, 1, 2, 7, 15, 16, 17, 100, 1000] {
        let sorted: std::collections::BTreeMap<u32, bool> = (0..count).map(|n| (n * 3, true)).collect();
        let bytes = rkyv::to_bytes::<BoxedError>(&sorted).unwrap();
        let root = bytes.len() as u64 - 8;
        assert_eq!(found::<ArchivedBTreeMap<ArchivedU32, bool>>(&bytes, root), None, "{count}");
    }
}

/// A set out of order among sets that share a long text, as it does, half of them on either side. [S8a]
#[test]
fn keys_are_asked_until_they_have_32_times_the_bytes_of_the_object() {
    let found_among = |sets: usize| {
        let shared: Rc<str> = "long ".repeat(1 << 14).into();
        let mut value = vec![BTreeSet::from([shared]); sets];
        value[sets / 2].insert("other key".into());
        let mut bytes = rkyv::to_bytes::<BoxedError>(&value).unwrap().to_vec();
        let other = bytes.windows(9).position(|text| text == b"other key").unwrap();
        bytes[other] = b'a';
        let root = bytes.len() - size_of::<Archived<Vec<BTreeSet<Rc<str>>>>>();
        found::<Archived<Vec<BTreeSet<Rc<str>>>>>(&bytes, root as u64)
    };
    for sets in [1, 3, 61] {
        assert!(found_among(sets).unwrap().1.contains("not above"), "{sets}");
    }
    for sets in [101, 1001] {
        assert_eq!(found_among(sets), None, "{sets}");
    }
}
