//! Objects of other builds, and hostile ones, put together byte by byte: each cause for which a value cannot be read,
//! produced; and work that no byte stands for, refused.

mod tables;

use graven_format::{Damage, Kind, Payload, Question, Schema, UnsoundSchema, Value, ValueError};
use tables::*;

const BIG: Payload = Payload { big_endian: true, offset_width: 2, unaligned: true };

#[track_caller]
fn root<'a>(object: &'a [u8], schema: &'a Schema, at: u64) -> Value<'a> {
    Value::root(object, schema, at).unwrap()
}

#[track_caller]
fn damage<T: std::fmt::Debug>(result: Result<T, ValueError>) -> Damage {
    let error = result.unwrap_err();
    assert_eq!((error.question(), error.is_damage()), (None, true), "{error}");
    error.damage().unwrap().clone()
}

#[track_caller]
fn question<T: std::fmt::Debug>(result: Result<T, ValueError>) -> Question {
    let error = result.unwrap_err();
    assert_eq!((error.damage(), error.is_damage()), (None, false), "{error}");
    error.question().unwrap().clone()
}

/// What says that bytes are not between 0 and `until`.
fn outside(target: u64, size: u64, until: u64) -> Damage {
    Damage::Outside { target, size, from: 0, until }
}

// ---- other payloads ------------------------------------------------------------------------------------------------

/// `(u32 2, "in", "outside!", [300, 400], None, Some(-2))`, as a big-endian build without alignment and with offsets of
/// two bytes writes it.
#[test]
fn an_object_of_a_big_endian_unaligned_narrow_build_reads_in_any_build() {
    let u16_be = ty(2, 2, 1).c(1);
    let types = [
        structure(20, 1, &[("0", 0, 1), ("1", 4, 2), ("2", 8, 2), ("3", 12, 3), ("4", 16, 5), ("5", 18, 5)]),
        ty(2, 4, 1).c(1),
        ty(6, 4, 1),
        ty(7, 4, 1).links(&[4]),
        u16_be,
        ty(14, 2, 1).a(2).links(&[6]),
        ty(8, 2, 1).links(&[7]),
        ty(2, 1, 1).a(1),
    ];
    let mut object = b"outside!".to_vec();
    object.extend([0x01, 0x2c, 0x01, 0x90, 0xfe]); // 8: two numbers, and at 12 the target of the box
    object.extend([0, 0, 0, 2]); // 13: the root
    object.extend(*b"in\xff\0"); // 17
    object.extend([0x80, 8, 0xff, (0u8).wrapping_sub(21)]); // 21: 8 bytes, 21 before
    object.extend([0xff, (0u8).wrapping_sub(17), 0, 2]); // 25: two elements, 17 before
    object.extend([0, 1]); // 29: null
    object.extend([0xff, (0u8).wrapping_sub(19)]); // 31: 19 before
    let schema = schema_for(BIG, &types);
    let value = root(&object, &schema, 13);
    assert_eq!(value.path("0").unwrap().as_u64().unwrap(), 2);
    assert_eq!(value.path("1").unwrap().as_str().unwrap(), "in");
    assert_eq!(value.path("2").unwrap().as_str().unwrap(), "outside!");
    assert_eq!(value.path("3[0]").unwrap().as_u64().unwrap(), 300);
    assert_eq!(value.path("3[1]").unwrap().as_u64().unwrap(), 400);
    assert!(value.path("4").unwrap().option().unwrap().is_none());
    assert_eq!(value.path("5").unwrap().option().unwrap().unwrap().as_i64().unwrap(), -2);
}

/// Two entries of a hash map in a big-endian table: capacity 3, so 31 control bytes.
#[test]
fn a_hash_map_of_a_big_endian_build_finds_its_keys_in_any_build() {
    let types = [ty(15, 6, 1).links(&[1, 2]), ty(2, 2, 1).c(1), boolean()];
    let hash = |key: u64| key.wrapping_mul(0x517c_c1b7_2722_0a95);
    let keys = [7u64, 300];
    let mut places = [None; 3];
    for key in keys {
        let mut at = (hash(key) % 3) as usize;
        while places[at].is_some() {
            at = (at + 1) % 3;
        }
        places[at] = Some(key);
    }
    let mut object = Vec::new();
    for place in places.iter().rev() {
        let key = place.unwrap_or(0) as u16;
        object.extend(key.to_be_bytes());
        object.push(u8::from(key == 300));
    }
    let control: Vec<u8> =
        places.iter().map(|place| place.map_or(0xff, |key| (hash(key) >> 57) as u8)).collect();
    // Repeated once; those behind are unused.
    object.extend([&control[..], &control, &[0xff; 25]].concat());
    let at = object.len() as u64;
    object.extend((9i16 - at as i16).to_be_bytes());
    object.extend([0, 2, 0, 3]);
    let schema = schema_for(BIG, &types);
    let map = root(&object, &schema, at);
    assert!(!map.get(7u8).unwrap().unwrap().as_bool().unwrap());
    assert!(map.get(300).unwrap().unwrap().as_bool().unwrap());
    assert!(map.get(301).unwrap().is_none());
    assert_eq!(map.entries().unwrap().map(Result::unwrap).count(), 2);
}

// ---- causes --------------------------------------------------------------------------------------------------------

#[test]
fn an_unsound_schema_or_a_root_outside_the_object_is_refused_first() {
    let broken = schema(&[ty(1, 2, 1)]);
    let error = damage(Value::root(&[0; 8], &broken, 0));
    assert_eq!(error, Damage::Schema(UnsoundSchema::Size { ty: 0, size: 2, expected: 1 }));
    let number = schema(&[number(4)]);
    for at in [5, 8, u64::MAX] {
        assert_eq!(damage(Value::root(&[0; 8], &number, at)), outside(at, 4, 8));
    }
    assert_eq!(damage(Value::root(&[0; 8], &number, 2)), Damage::Unaligned { target: 2, align: 4 });
}

#[test]
fn bytes_that_a_scalar_cannot_have_are_refused() {
    let read = |ty: Ty, bytes: &[u8]| (schema(&[ty]), bytes.to_vec());
    let (of, bytes) = read(boolean(), &[2]);
    assert_eq!(damage(root(&bytes, &of, 0).as_bool()), Damage::Bool { got: 2 });
    let (of, bytes) = read(number(4).a(3), &0xd800u32.to_le_bytes());
    assert_eq!(damage(root(&bytes, &of, 0).as_char()), Damage::Char { got: 0xd800 });
    let (of, bytes) = read(number(4).b(1), &[0; 4]);
    assert_eq!(damage(root(&bytes, &of, 0).as_u64()), Damage::Zero);
    let (of, bytes) = read(ty(18, 16, 8), &[0xff; 16]);
    assert_eq!(damage(root(&bytes, &of, 0).as_duration()), Damage::Nanoseconds { got: u32::MAX });
    let (of, bytes) = read(ty(6, 8, 4), b"ab\xc0d\xff\0\0\0");
    assert_eq!(damage(root(&bytes, &of, 0).as_str()), Damage::NotUtf8 { valid: 2 });
    let (of, bytes) = read(enumeration(1, 1, &[("A", 3, &[])]), &[4]);
    assert_eq!(damage(root(&bytes, &of, 0).variant()), Damage::Tag { got: 4 });
    assert_eq!(damage(root(&bytes, &of, 0).field("x")), Damage::Tag { got: 4 });
}

/// [S5]
#[test]
fn pointers_lead_into_the_object_aligned_and_down() {
    for code in [8, 9] {
        let of = schema(&[ty(code, 4, 4).links(&[1]), number(4)]);
        let target = |distance| {
            let object = words(&[0, distance, 0]);
            damage(root(&object, &of, 4).target())
        };
        assert_eq!(target(-8), outside(-4i64 as u64, 4, 4));
        assert_eq!(target(i32::MIN), outside((i64::from(i32::MIN) + 4) as u64, 4, 4));
        assert_eq!(target(8), outside(12, 4, 4));
        assert_eq!(target(-2), outside(2, 4, 4));
        let unaligned = damage(root(&words(&[0, 0, -6]), &of, 8).target());
        assert_eq!(unaligned, Damage::Unaligned { target: 2, align: 4 });
        for up in [0, 4] {
            assert_eq!(target(up), outside(4 + up as u64, 4, 4));
        }
        assert_eq!(root(&words(&[5, -4]), &of, 4).as_u64().unwrap(), 5);
    }
    // A text ends before its string, not before the pointer in it.
    let string = schema(&[ty(6, 8, 4)]);
    let text = |distance| [&b"0123456789abc\0\0\0"[..], &words(&[0x8d, distance])].concat();
    assert_eq!(root(&text(-16), &string, 16).as_str().unwrap(), "0123456789abc");
    assert_eq!(damage(root(&text(-12), &string, 16).as_str()), outside(4, 13, 16));

    // Weak ones may lead nowhere, too.
    let weak = schema(&[ty(10, 4, 4).links(&[1]), number(4)]);
    assert_eq!(damage(root(&words(&[0, 4, 7]), &weak, 4).option()), outside(8, 4, 4));
    assert!(root(&words(&[1]), &weak, 0).option().unwrap().is_none());
    assert_eq!(question(root(&words(&[1]), &weak, 0).path("x")), Question::IsNone);
}

#[test]
fn lengths_are_compared_with_the_bytes_there_are() {
    for element in [number(4), array(1 << 40, 1, 2, 1 << 40)] {
        let of = schema(&[ty(7, 8, 4).links(&[1]), element, boolean()]);
        for len in [2, 3, i32::MAX, -1] {
            let object = words(&[5, -4, len]);
            assert!(matches!(damage(root(&object, &of, 4).iter()), Damage::Outside { .. }));
            assert!(root(&object, &of, 4).len().is_err() && root(&object, &of, 4).index(0).is_err());
        }
    }
    let text = schema(&[ty(8, 8, 4).links(&[1]), ty(12, 0, 1)]);
    assert_eq!(damage(root(&words(&[0, -4, 9]), &text, 4).as_str()), outside(0, 9, 4));
    // Out of line, in a string: the length's two parts are 0x3f and all bits above the first byte.
    let string = schema(&[ty(6, 8, 4)]);
    assert!(root(&words(&[0, -65, -4]), &string, 4).as_str().is_err());
}

#[test]
fn c_strings_end_with_their_only_zero() {
    let of = schema(&[ty(8, 8, 4).links(&[1]), ty(13, 0, 1)]);
    for (bytes, len, text) in
        [(b"abc\0", 4, Some(&b"abc"[..])), (b"a\0c\0", 4, None), (b"abcd", 4, None), (b"\0\0\0\0", 0, None)]
    {
        let object = [&bytes[..], &words(&[-4, len])].concat();
        match text {
            Some(text) => assert_eq!(root(&object, &of, 4).as_bytes().unwrap(), text),
            None => assert_eq!(damage(root(&object, &of, 4).as_bytes()), Damage::CString),
        }
    }
}

#[test]
fn pointers_that_lead_straight_to_each_other_are_given_up() {
    let of = schema(&[ty(9, 4, 4).links(&[0])]);
    let object = words(&[-4; 300]);
    let value = root(&object, &of, 4 * 299);
    assert_eq!(value.target().unwrap().kind(), Kind::Pointer);
    assert_eq!(question(value.as_u64()), Question::TooDeep { limit: 254 });
    assert!(value.as_str().is_err() && value.len().is_err() && value.path("a.b.c").is_err());
}

// ---- maps ----------------------------------------------------------------------------------------------------------

/// A hash map of `u8` to unit at the end of an object, with these control bytes.
fn set(places: &[u8], control: &[u8], count: i32, capacity: i32) -> (Schema, Vec<u8>, u64) {
    let mut object = [places, control].concat();
    object.resize(object.len().next_multiple_of(4), 0);
    let at = object.len();
    object.extend(words(&[places.len() as i32 - at as i32, count, capacity]));
    (schema(&[ty(15, 12, 4).links(&[1, 2]), number(1), unit()]), object, at as u64)
}

#[test]
fn tables_without_room_or_with_another_count_than_they_say_are_refused() {
    let full = |count, capacity| {
        let (of, object, at) = set(&[1; 16], &[0; 31], count, capacity);
        let map = root(&object, &of, at);
        map.entries()
            .and_then(|entries| entries.map(|entry| entry.map(|_| ())).collect::<Result<Vec<_>, _>>())
    };
    assert_eq!(damage(full(3, 3)), Damage::Capacity { count: 3, capacity: 3 });
    assert_eq!(damage(full(-1, 3)), Damage::Capacity { count: u32::MAX.into(), capacity: 3 });
    assert!(matches!(damage(full(3, 40)), Damage::Outside { .. }));
    assert!(matches!(damage(full(3, -1)), Damage::Outside { .. }));
    assert_eq!(damage(full(3, 4)), Damage::Count { count: 3, found: 4 });
    assert!(full(0, 0).unwrap().is_empty());
    let (of, object, at) = set(&[1; 16], &[[0; 4], [0xff; 4]].concat().repeat(4)[..31], 15, 16);
    let map = root(&object, &of, at);
    let last = map.entries().unwrap().last().unwrap();
    assert_eq!(damage(last), Damage::Count { count: 15, found: 8 });
    assert_eq!(Damage::Count { count: 15, found: 8 }.to_string(), "map says 15 entries and has at most 8");
    assert_eq!(Damage::Count { count: 3, found: 4 }.to_string(), "map says 3 entries and has at least 4");
    let outside = Damage::Outside { target: 8, size: u64::MAX, from: 0, until: 16 };
    assert_eq!(outside.to_string(), "more bytes than there can be at 8, where only 0 to 16 is free");
}

/// [S6.3c]
#[test]
fn a_probe_that_meets_no_unused_place_ends() {
    for capacity in [1000usize, 1008, 1009] {
        for byte in [0, 0x7f, 0x80] {
            let control = vec![byte; 1 + capacity.next_multiple_of(16) + 15];
            let (of, object, at) = set(&vec![200; capacity], &control, 1, capacity as i32);
            for key in 0..=255u8 {
                let found = root(&object, &of, at).get(key).unwrap().is_some();
                assert!(key == 200 || !found);
            }
        }
    }
}

#[test]
fn indices_outside_the_entries_are_refused_where_a_lookup_meets_them() {
    let of = schema(&[ty(16, 16, 4).links(&[1, 1]), number(1)]);
    // Entries at 0, two places for indices at 4, control bytes at 12.
    let mut object = vec![7, 70, 0, 0];
    object.extend(words(&[9, 9]));
    object.extend([0; 32]);
    object.truncate(12 + 31);
    object.push(0);
    let at = object.len() as i32;
    object.extend(words(&[12 - at, 1, 2, -(at + 12)]));
    let map = root(&object, &of, at as u64);
    assert_eq!(map.entries().unwrap().next().unwrap().unwrap().1.as_u64().unwrap(), 70);
    // The hash of 0 is 0, as all control bytes.
    assert_eq!(damage(map.get(0)), Damage::Index { index: 9, count: 1 });
}

/// Otherwise one lookup could cost as much as all keys are long, which may be one long text again and again.
#[test]
fn a_lookup_asks_of_other_keys_only_that_they_differ() {
    // "b", "a?", then "a", of which the second is not UTF-8.
    let texts = [
        *b"b\xff\xff\xff\xff\xff\xff\xff",
        *b"a\xfe\xff\xff\xff\xff\xff\xff",
        *b"a\xff\xff\xff\xff\xff\xff\xff",
    ];
    let of = schema(&[ty(17, 8, 4).links(&[1, 2]).word(3), ty(6, 8, 4), unit()]);
    // A leaf: its kind, keys at 4, the count at 28.
    let leaf = |order: [usize; 3]| {
        let mut object = vec![0; 4];
        order.iter().for_each(|i| object.extend(texts[*i]));
        object.extend(words(&[3, 0, 0, 0]));
        let at = object.len() as i32;
        object.extend(words(&[-at, 3]));
        (object, at as u64)
    };
    let (object, at) = leaf([2, 1, 0]);
    let map = root(&object, &of, at);
    assert!(map.get("b").unwrap().is_some() && map.get("a").unwrap().is_some());
    assert!(map.get("c").unwrap().is_none());
    let second = map.entries().unwrap().nth(1).unwrap().unwrap().0;
    assert_eq!(damage(second.as_str()), Damage::NotUtf8 { valid: 1 });
}

/// A B-tree of `u8` to unit, `capacity` 1, whose nodes are put together by hand; the root comes last.
fn tree(object: &[u8], root_node: i32, count: i32) -> (Schema, Vec<u8>, u64) {
    let at = object.len() as i32;
    let of = schema(&[ty(17, 8, 4).links(&[1, 2]).word(1), number(1), unit()]);
    (of, [object, &words(&[root_node - at, count])].concat(), at as u64)
}

fn leaf(key: u8, count: i32) -> Vec<u8> {
    [&[0, key, 0, 0][..], &words(&[count])].concat()
}

fn inner(key: u8, before: i32, behind: i32) -> Vec<u8> {
    [&[1, key, 0, 0][..], &words(&[before, behind])].concat()
}

fn keys(tree: &(Schema, Vec<u8>, u64)) -> Result<Vec<u64>, ValueError> {
    root(&tree.1, &tree.0, tree.2).entries()?.map(|entry| entry?.0.as_u64()).collect()
}

#[test]
fn b_trees_are_read_in_order_past_null_pointers() {
    // A leaf at 0, one at 8, an inner node with both at 16, one with that and null at 28.
    let nodes = [leaf(1, 1), leaf(3, 1), inner(2, -20, -16), inner(4, -16, 1)].concat();
    let whole = tree(&nodes, 28, 4);
    assert_eq!(keys(&whole).unwrap(), [1, 2, 3, 4]);
    let map = root(&whole.1, &whole.0, whole.2);
    for key in 0..=255u8 {
        assert_eq!(map.get(key).unwrap().is_some(), (1..=4).contains(&key));
    }
    for count in [3, 5, 40] {
        let refused = damage(keys(&tree(&nodes, 28, count)));
        assert!(matches!(refused, Damage::Count { count: said, .. } if said == count as u64), "{refused}");
    }
}

#[test]
fn b_trees_with_nodes_that_cannot_be_are_refused() {
    assert_eq!(damage(keys(&tree(&[2, 1, 0, 0, 1, 0, 0, 0], 0, 1))), Damage::NodeKind { got: 2 });
    for count in [0, 2, -1] {
        let expected = Damage::LeafCount { count: u64::from(count as u32), capacity: 1 };
        let damaged = tree(&leaf(1, count), 0, 1);
        assert_eq!(damage(keys(&damaged)), expected);
        assert_eq!(damage(root(&damaged.1, &damaged.0, damaged.2).get(1)), expected);
    }
    // Up, to itself, and to the byte behind the pointer's first.
    for (before, expected) in [(4, 16), (-4, 16), (0, 16)] {
        let damaged = keys(&tree(&[leaf(0, 1), leaf(0, 1), inner(2, before, 1)].concat(), 16, 3));
        assert!(matches!(damage(damaged), Damage::Outside { until, .. } if until == expected + 4));
    }
    let (of, mut object, at) = tree(&leaf(1, 1), 0, 1);
    object[at as usize..at as usize + 4].copy_from_slice(&1i32.to_le_bytes());
    assert_eq!(damage(root(&object, &of, at).get(1)), outside(at + 1, 1, at));
}

/// Each inner node leads to the one before it twice: 2^40 entries, by 40 nodes.
#[test]
fn b_trees_that_lead_to_the_same_node_again_and_again_end_at_the_bytes_there_are() {
    let mut nodes = leaf(0, 1);
    for i in 0..40 {
        let below = if i == 0 { -8 } else { -12 };
        nodes.extend(inner(i, below - 4, below - 8));
    }
    let root_node = nodes.len() as i32 - 12;
    let bytes = nodes.len() as i32 + 8;
    for count in [i32::MAX, bytes] {
        let refused = damage(keys(&tree(&nodes, root_node, count)));
        assert!(matches!(refused, Damage::Count { count: said, .. } if said == count as u64), "{refused}");
    }
}

#[test]
fn b_trees_deeper_than_any_of_their_count_are_given_up() {
    let mut nodes = leaf(0, 1);
    for i in 0..300 {
        nodes.extend(inner(200, if i == 0 { -12 } else { -16 }, 1));
    }
    let deep = tree(&nodes, nodes.len() as i32 - 12, 301);
    assert_eq!(question(keys(&deep)), Question::TooDeep { limit: 254 });
    assert_eq!(question(root(&deep.1, &deep.0, deep.2).get(100)), Question::TooDeep { limit: 254 });
}

// ---- elements without bytes ----------------------------------------------------------------------------------------

#[test]
fn elements_without_bytes_are_counted_and_found_but_not_visited_one_by_one_without_end() {
    let limit = Value::MAX_EMPTY;
    let of = schema(&[ty(7, 8, 4).links(&[1]), unit()]);
    let object = words(&[0, -1]);
    let value = root(&object, &of, 0);
    assert_eq!(value.len().unwrap(), u64::from(u32::MAX));
    assert_eq!(value.index(u64::from(u32::MAX) - 1).unwrap().kind(), Kind::Unit);
    let visited: Vec<_> = value.iter().unwrap().collect();
    assert_eq!(visited.len() as u64, limit + 1);
    let last = visited.into_iter().next_back().unwrap();
    assert_eq!(question(last), Question::EmptyElements { len: u32::MAX.into(), limit });

    let of = schema(&[array(0, 1, 1, u64::MAX), unit()]);
    assert_eq!(root(&[], &of, 0).iter().unwrap().count() as u64, limit + 1);

    // A leaf with room for four thousand million entries of nothing.
    let of = schema(&[ty(17, 8, 4).links(&[1, 1]).word(u32::MAX), unit()]);
    let object = words(&[0, -1, -8, -1]);
    assert_eq!(
        question(root(&object, &of, 8).entries()),
        Question::EmptyElements { len: u32::MAX.into(), limit }
    );
}

// ---- names and paths ------------------------------------------------------------------------------------------------

#[test]
fn fields_whose_names_only_count_as_numbers_are_no_tuple() {
    let kind = |names: [&str; 2]| {
        let of = schema(&[structure(2, 1, &[(names[0], 0, 1), (names[1], 1, 1)]), number(1)]);
        root(&[7, 8], &of, 0).kind()
    };
    assert_eq!(kind(["0", "1"]), Kind::Tuple);
    for names in [["+0", "1"], ["0", "+1"], ["00", "1"], ["0", "01"], ["1", "0"], ["0", ""]] {
        assert_eq!(kind(names), Kind::Struct, "{names:?}");
    }
}

#[test]
fn entries_are_found_by_their_number_and_chars_and_bools_by_themselves() {
    let map = |key: Ty| schema(&[ty(16, 16, 4).links(&[1, 2]), key, number(1)]);
    // Two entries at 0, of four bytes and one, two places for indices at 16, control bytes at 24.
    let object = |keys: [u32; 2]| {
        let mut object = Vec::new();
        for (key, value) in keys.iter().zip([70, 71]) {
            object.extend(words(&[*key as i32, value]));
        }
        object.extend(words(&[1, 0]));
        object.extend([0; 2]);
        object.extend([0xff; 30]);
        let at = object.len() as i32;
        object.extend(words(&[24 - at, 2, 3, -(at + 12)]));
        (object, at as u64)
    };
    let (bytes, at) = object(['a'.into(), 'b'.into()]);
    let of = map(number(4).a(3));
    let chars = root(&bytes, &of, at);
    assert_eq!(chars.path("{0}").unwrap().as_u64().unwrap(), 70);
    assert_eq!(chars.path("{1}").unwrap().as_u64().unwrap(), 71);
    assert_eq!(question(chars.path("{2}")), Question::NoIndex { index: 2, len: 2 });
    assert_eq!(question(chars.path("[\"ab\"]")), Question::NotFound);
    assert_eq!(question(chars.path("[true]")), Question::KeyType);
    for path in ["{", "{1", "{-1}", "{x}", "[tru]"] {
        assert_eq!(question(chars.path(path)), Question::Path { at: 0 }, "{path}");
    }
    // A set of one place gives the key.
    let (of, bytes, at) = set(&[1; 16], &[[0; 1], [0xff; 1]].concat().repeat(16)[..31], 8, 16);
    assert_eq!(root(&bytes, &of, at).path("{3}").unwrap().as_u64().unwrap(), 1);
}

// ---- whole trees ---------------------------------------------------------------------------------------------------

#[cfg(feature = "serde")]
mod serialized {
    use graven_format::Limits;

    use super::*;

    #[test]
    fn values_inside_each_other_end_at_the_depth_limit() {
        let of = schema(&[structure(8, 4, &[("next", 0, 1), ("other", 4, 1)]), ty(9, 4, 4).links(&[0])]);
        let object = words(&[-8; 400]);
        let error = serde_json::to_string(&root(&object, &of, 4 * 398)).unwrap_err().to_string();
        assert!(error.starts_with("next.next.next"), "{error}");
        assert!(error.ends_with("values inside each other deeper than 128"), "{error}");
    }

    /// 2^100 values by 800 bytes.
    #[test]
    fn the_same_bytes_read_again_and_again_end_at_the_limit_of_values() {
        let of = schema(&[structure(8, 4, &[("a", 0, 1), ("b", 4, 1)]), ty(9, 4, 4).links(&[0])]);
        let mut object = words(&[1 << 30, 1 << 30]);
        (0..100).for_each(|_| object.extend(words(&[-8, -12])));
        let at = object.len() as u64 - 8;
        let limits = Limits { elements: 10_000, ..Limits::default() };
        let end = |of: &Schema| {
            serde_json::to_string(&root(&object, of, at).with_limits(limits)).unwrap_err().to_string()
        };
        // The first leaf is damage, which is met first.
        assert!(end(&of).ends_with("8 bytes at 1073741824, where only 0 to 0 is free"), "{}", end(&of));
        let optional = schema(&[structure(8, 4, &[("a", 0, 1), ("b", 4, 1)]), ty(10, 4, 4).links(&[0])]);
        let mut object = words(&[1, 1]);
        (0..40).for_each(|_| object.extend(words(&[-8, -12])));
        let at = object.len() as u64 - 8;
        let value = root(&object, &optional, at).with_limits(limits);
        let error = serde_json::to_string(&value).unwrap_err().to_string();
        assert!(error.ends_with("more than 10000 values"), "{error}");
    }

    #[test]
    fn elements_without_bytes_are_not_serialized_without_end() {
        let of = schema(&[ty(7, 8, 4).links(&[1]), unit()]);
        let object = words(&[0, -1]);
        let error = serde_json::to_value(root(&object, &of, 0)).unwrap_err().to_string();
        assert!(error.ends_with("elements without bytes are not visited one by one beyond 65536"), "{error}");

        // Arrays of arrays of nothing: each within the limit, together beyond any.
        let limit = 1 << 16;
        let of = schema(&[array(0, 1, 1, limit), array(0, 1, 2, limit), array(0, 1, 3, limit), unit()]);
        let error = serde_json::to_string(&root(&[], &of, 0)).unwrap_err().to_string();
        assert!(error.ends_with("more than 16777216 values"), "{error}");
    }

    #[test]
    fn the_place_that_an_error_names_can_be_read_as_a_path() {
        let names = ["plain", "a.b", "x[0]", "\"\\", ""];
        let fields: Vec<(&str, u64, u32)> = names.iter().zip(0..).map(|(name, i)| (*name, i, 1)).collect();
        let of = schema(&[structure(5, 1, &fields), boolean()]);
        for bad in 0..5 {
            let mut object = [0; 5];
            object[bad] = 2;
            let value = root(&object, &of, 0);
            let error = serde_json::to_string(&value).unwrap_err().to_string();
            let path =
                error.strip_suffix(&format!(": offset {bad} (unnamed): bool is 2, neither 0 nor 1")).unwrap();
            let path = path.replace(r#"\""#, "\"").replace(r"\\", "\\");
            assert_eq!(value.path(&path).unwrap().offset(), bad as u64, "{path}");
        }
    }

    #[test]
    fn opaque_bytes_are_serialized_as_they_are() {
        let of = schema(&[structure(4, 1, &[("a", 0, 1), ("b", 3, 2)]), opaque(3, 1), boolean()]);
        let object = [9, 8, 7, 1];
        let value = root(&object, &of, 0);
        assert_eq!(value.path("a").unwrap().as_bytes().unwrap(), [9, 8, 7]);
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"a":[9,8,7],"b":true}"#);
    }
}
