//! Values read by schema are the values that were written: every shape, in every payload; and whatever happens to the
//! bytes, reading them ends, with an error or not.

#![recursion_limit = "256"] // of `json!`

#[path = "value/damage.rs"]
mod damage;
#[path = "value/same.rs"]
mod same;
#[path = "value/serialized.rs"]
mod serialized;
mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::{Bound, Range};
use std::rc::{Rc, Weak};
use std::time::Duration;

use graven::rkyv::niche::niching::{DefaultNiche, NaN};
use graven::rkyv::with::{Niche, NicheInto};
use graven::{
    Cause, ErrorKind, Segment, Value,
    error::{Question, UnsoundSchema, ValueError},
    format::{Key, Kind, Schema},
};
use graven_format::Limits;
use indexmap::{IndexMap, IndexSet};
use nix::errno::Errno;
use proptest::prelude::*;
use same::{Same, structs};
use serde_json::json;
use support::*;

// ---- values --------------------------------------------------------------------------------------------------------

#[graven::object]
struct Inner {
    a: u8,
    b: Option<u64>,
    c: String,
}

#[graven::object]
enum Event {
    Unit,
    Tuple(u8, u64, String),
    Named { id: u32, x: Option<f64>, tags: Vec<String> },
    Nested(Box<Inner>),
}

#[graven::object]
struct Node {
    name: String,
    children: Vec<Node>,
}

#[graven::object]
struct All {
    truth: bool,
    numbers: (u8, u16, u64),
    signed: (i8, i32, i128),
    wide: u128,
    floats: (f32, f64),
    letter: char,
    nonzero: NonZeroU32,
    unit: (),
    strings: Vec<String>,
    c: CString,
    nested: Vec<Vec<String>>,
    boxed: Box<u64>,
    boxed_text: Box<str>,
    boxed_slice: Box<[u16]>,
    #[allow(clippy::redundant_allocation)]
    twice: Box<Box<String>>,
    some_box: Option<Box<u32>>,
    no_string: Option<String>,
    some_string: Option<String>,
    options: Option<Option<u64>>,
    ok: Result<u32, String>,
    err: Result<u32, String>,
    array: [u16; 3],
    nothing: [u64; 0],
    shared: Rc<String>,
    again: Rc<String>,
    shared_text: Rc<str>,
    weak: Weak<String>,
    gone: Weak<String>,
    by_name: HashMap<String, u32>,
    by_box: HashMap<Box<str>, u8>,
    by_number: HashMap<u64, String>,
    by_signed: HashMap<i64, u8>,
    by_small: HashMap<i8, u8>,
    by_wide: HashMap<i128, u8>,
    by_letter: HashMap<char, bool>,
    by_truth: HashMap<bool, u64>,
    empty: HashMap<String, u32>,
    set: HashSet<u32>,
    index: IndexMap<String, u16>,
    indices: IndexSet<u64>,
    tree: BTreeMap<String, u32>,
    empty_tree: BTreeMap<u8, u8>,
    leaf: BTreeMap<u8, u8>,
    branches: BTreeSet<i32>,
    took: Duration,
    #[rkyv(with = Niche)]
    niche_box: Option<Box<u32>>,
    #[rkyv(with = Niche)]
    niche_none: Option<Box<u32>>,
    #[rkyv(with = Niche)]
    niche_zero: Option<NonZeroU32>,
    #[rkyv(with = DefaultNiche)]
    niche_bool: Option<bool>,
    #[rkyv(with = DefaultNiche)]
    niche_true: Option<bool>,
    #[rkyv(with = NicheInto<NaN>)]
    niche_nan: Option<f64>,
    #[rkyv(with = NicheInto<NaN>)]
    niche_float: Option<f64>,
    events: Vec<Event>,
    node: Node,
}

structs! {
    Inner { a, b, c }
    Node { name, children }
    All {
        truth, numbers, signed, wide, floats, letter, nonzero, unit, strings, c, nested, boxed, boxed_text, boxed_slice,
        twice, some_box, no_string, some_string, options, ok, err, array, nothing, shared, again, shared_text, weak,
        gone, by_name, by_box, by_number, by_signed, by_small, by_wide, by_letter, by_truth, empty, set, index,
        indices, tree, empty_tree, leaf, branches, took, niche_box, niche_none, niche_zero, niche_bool, niche_true,
        niche_nan, niche_float, events, node,
    }
}

impl Same for Event {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.kind(), Kind::Enum);
        let name = &*value.variant().unwrap().name;
        match self {
            Event::Unit => {
                assert_eq!(name, "Unit");
                assert_eq!(value.fields().unwrap().len(), 0);
            }
            Event::Tuple(a, b, c) => {
                assert_eq!(name, "Tuple");
                a.same(value.field("0").unwrap());
                b.same(value.field("1").unwrap());
                c.same(value.field("2").unwrap());
            }
            Event::Named { id, x, tags } => {
                assert_eq!(name, "Named");
                id.same(value.field("id").unwrap());
                x.same(value.field("x").unwrap());
                tags.same(value.field("tags").unwrap());
            }
            Event::Nested(inner) => {
                assert_eq!(name, "Nested");
                inner.same(value.field("0").unwrap());
            }
        }
    }
}

fn text(len: usize) -> String {
    "abcdefghijklmnopqrstuvwxyzäöü0123456789".chars().cycle().take(len).collect()
}

impl All {
    /// The larger, the more entries its maps have.
    fn sample(size: u32) -> All {
        let shared = Rc::new(text(20));
        let leaf = |name: &str| Node { name: name.into(), children: vec![] };
        All {
            truth: true,
            numbers: (200, 65535, 1 << 60),
            signed: (-5, -7, -(1 << 100)),
            wide: u128::MAX - 1,
            floats: (1.5, -2.25),
            letter: '\u{1f600}',
            nonzero: NonZeroU32::new(77).unwrap(),
            unit: (),
            strings: [0, 3, 4, 5, 7, 8, 9, 15, 16, 17, 64, 100].map(text).into(),
            c: c"c string".into(),
            nested: vec![vec![], vec![text(3), text(30)]],
            boxed: Box::new(99),
            boxed_text: text(20).into(),
            boxed_slice: [7, 8].into(),
            twice: Box::new(Box::new(text(9))),
            some_box: Some(Box::new(5)),
            no_string: None,
            some_string: Some(text(17)),
            options: Some(Some(3)),
            ok: Ok(4),
            err: Err(text(12)),
            array: [1, 2, 3],
            nothing: [],
            again: shared.clone(),
            shared_text: text(31).into(),
            weak: Rc::downgrade(&shared),
            gone: Weak::new(),
            shared,
            by_name: (0..size).map(|i| (text(i as usize), i)).collect(),
            by_box: (0..size as u8).map(|i| (format!("key{i}").into(), i)).collect(),
            by_number: (0..u64::from(size)).map(|i| (i * 7919, format!("value number {i}"))).collect(),
            by_signed: (0..size as u8).map(|i| (-(i64::from(i) << (i % 60)), i)).collect(),
            by_small: (0..size as u8).map(|i| (-(i as i8 / 2), i)).collect(),
            by_wide: (0..size as u8).map(|i| (-(1 << (i % 120)), i)).collect(),
            by_letter: text(39).chars().map(|letter| (letter, letter.is_ascii())).collect(),
            by_truth: [(true, 1)].into(),
            empty: HashMap::new(),
            set: (0..size).collect(),
            index: (0..size as u16).map(|i| (format!("im{i}"), i)).collect(),
            indices: (0..u64::from(size)).map(|i| i << 33 ^ i).collect(),
            tree: (0..3 * size).map(|i| (format!("bt{i:03}"), i)).collect(),
            empty_tree: BTreeMap::new(),
            leaf: (0..5).map(|i| (i, i)).collect(),
            branches: (0..size as i32).map(|i| i - 7).collect(),
            took: Duration::new(5, 123),
            niche_box: Some(Box::new(6)),
            niche_none: None,
            niche_zero: None,
            niche_bool: None,
            niche_true: Some(true),
            niche_nan: None,
            niche_float: Some(0.25),
            events: vec![
                Event::Unit,
                Event::Tuple(1, 2, text(10)),
                Event::Named { id: 5, x: Some(0.5), tags: vec![text(2), text(22)] },
                Event::Nested(Box::new(Inner { a: 1, b: Some(2), c: text(9) })),
            ],
            node: Node {
                name: "root".into(),
                children: vec![
                    leaf("child number one"),
                    Node { name: "c2".into(), children: vec![leaf("g")] },
                ],
            },
        }
    }
}

#[track_caller]
fn reads_as_written<T>(value: &T)
where
    T: graven::Archive<Archived: graven::Layout> + for<'a> graven::Serialize<graven::Serializer<'a>> + Same,
{
    let segment = segment_of(value);
    value.same(segment.value("").unwrap());
}

// ---- tests ---------------------------------------------------------------------------------------------------------

#[test]
fn every_shape_reads_as_the_value_that_was_written() {
    for size in [0, 1, 2, 6, 7, 20, 60] {
        reads_as_written(&All::sample(size));
    }
}

#[test]
fn keys_that_a_map_does_not_have_are_not_found() {
    let segment = segment_of(&All::sample(20));
    let all = segment.value("").unwrap();
    let none = |field: &str, key: Key<'_>| {
        assert!(all.field(field).unwrap().get(key).unwrap().is_none(), "{field} {key:?}");
    };
    for field in ["by_name", "by_box", "empty", "index", "tree"] {
        for key in
            ["nobody", "key", "bt0000", "bt", "zz", "key99", "a name that nobody has, and a long one at that"]
        {
            none(field, key.into());
        }
    }
    for field in
        ["by_number", "by_signed", "by_small", "by_wide", "set", "indices", "branches", "leaf", "empty_tree"]
    {
        // 19 is in some of them; numbers that a key cannot be are in none.
        for key in [19i128 << 70 | 5, i128::MAX, i128::MIN, 1_000_000_007, -1_000_000_007] {
            none(field, key.into());
        }
        none(field, u128::MAX.into());
    }
    none("by_letter", '!'.into());
    none("by_truth", false.into());

    for (field, key) in [("by_name", Key::from(1)), ("by_number", "1".into()), ("by_truth", 'x'.into())] {
        let error = all.field(field).unwrap().get(key).unwrap_err();
        assert_eq!(error.question(), Some(&Question::KeyType));
        assert!(!error.is_damage());
    }
}

#[test]
fn integers_of_every_width_find_the_same_key() {
    let segment = segment_of(&BTreeMap::from([(-3i64, 'a'), (200, 'b')]));
    let map = segment.value("").unwrap();
    assert_eq!(map.get(-3i8).unwrap().unwrap().as_char().unwrap(), 'a');
    assert_eq!(map.get(-3i128).unwrap().unwrap().as_char().unwrap(), 'a');
    assert_eq!(map.get(200u8).unwrap().unwrap().as_char().unwrap(), 'b');
    assert_eq!(map.path("[-3]").unwrap().as_char().unwrap(), 'a');
}

/// The nodes of these have padding behind their keys and values, and null pointers where there is nothing below.
#[test]
fn trees_of_every_size_read_as_written_whatever_the_alignment_of_their_keys() {
    for size in 0..80u8 {
        reads_as_written(&(0..size).map(|i| (u64::from(i), i)).collect::<BTreeMap<_, _>>());
        reads_as_written(
            &(0..size).map(|i| (u128::from(i) << 90, text(i.into()))).collect::<BTreeMap<_, _>>(),
        );
        reads_as_written(&(0..size).map(|i| (i, u128::from(i))).collect::<BTreeMap<_, _>>());
        reads_as_written(&(0..size).map(|i| (text(i.into()), (i, u64::from(i)))).collect::<BTreeMap<_, _>>());
        reads_as_written(&(0..size).map(|i| i128::from(i) - 40).collect::<BTreeSet<_>>());
    }
}

#[test]
fn maps_whose_keys_cannot_be_looked_up_can_be_visited() {
    let segment = segment_of(&BTreeMap::from([((1u8, 2u64), 'a'), ((3, 4), 'b')]));
    let map = segment.value("").unwrap();
    assert_eq!(map.get(1).unwrap_err().question(), Some(&Question::KeyType));
    let read: Vec<(u64, char)> = map
        .entries()
        .unwrap()
        .map(|entry| entry.and_then(|(key, value)| Ok((key.field("1")?.as_u64()?, value.as_char()?))))
        .collect::<Result<_, ValueError>>()
        .unwrap();
    assert_eq!(read, [(2, 'a'), (4, 'b')]);
}

#[test]
fn addresses_ranges_and_bounds_are_structs_and_enums() {
    let value: (IpAddr, SocketAddr, Range<u32>) =
        ([127, 0, 0, 1].into(), "[fe80::1]:443".parse().unwrap(), 3..9);
    let segment = segment_of(&value);
    let read = segment.value("").unwrap();
    assert_eq!(read.path("0").unwrap().variant().unwrap().name, "V4");
    assert_eq!(read.path("0.0.octets").unwrap().as_bytes().unwrap(), [127, 0, 0, 1]);
    assert_eq!(read.path("1.0.port").unwrap().as_u64().unwrap(), 443);
    assert_eq!(read.path("1.0.ip.octets[0]").unwrap().as_u64().unwrap(), 0xfe);
    assert_eq!(read.path("2.end").unwrap().as_u64().unwrap(), 9);

    let segment = segment_of(&[Bound::Included(1i64), Bound::Unbounded]);
    let read = segment.value("").unwrap();
    assert_eq!(read.path("[0].0").unwrap().as_i64().unwrap(), 1);
    assert_eq!(read.path("[1]").unwrap().variant().unwrap().name, "Unbounded");
}

#[test]
fn paths_lead_through_fields_elements_keys_pointers_and_options() {
    let of_all = segment_of(&All::sample(20));
    let all = of_all.value("").unwrap();
    let text_at =
        |path: &str| all.path(path).unwrap_or_else(|error| panic!("{path}: {error}")).as_str().unwrap();
    assert_eq!(text_at("node.children[1].children[0].name"), "g");
    assert_eq!(text_at(".node.name"), "root");
    assert_eq!(text_at("events[3].0.c"), text(9));
    assert_eq!(text_at("by_number[7919]"), "value number 1");
    assert_eq!(all.path("tree.bt003").unwrap().as_u64().unwrap(), 3);
    assert_eq!(all.path(r#"["tree"]["bt003"]"#).unwrap().as_u64().unwrap(), 3);
    assert_eq!(all.path("").unwrap().offset(), all.offset());
    let deep = [Some(Some(Box::new(Inner { a: 1, b: Some(2), c: text(9) })))];
    let options = segment_of(&deep);
    assert_eq!(options.value("").unwrap().path("[0].c").unwrap().as_str().unwrap(), text(9));

    for (path, question, known) in [
        ("node.parent", Question::NoField { name: "parent".into() }, "node.parent"),
        ("node.children[2].name", Question::NoIndex { index: 2, len: 2 }, "node.children[2]"),
        ("tree.nothing.x", Question::NotFound, "tree.nothing"),
        ("no_string.x", Question::IsNone, "no_string.x"),
        ("node..name", Question::Path { at: 4 }, "node"),
        ("node.name]", Question::NoField { name: "name]".into() }, "node.name]"),
        ("node[", Question::Path { at: 4 }, "node"),
        (r#"node["na"#, Question::Path { at: 4 }, "node"),
        ("strings[0]x", Question::Path { at: 10 }, "strings[0]"),
        ("strings[-1]", Question::Range, "strings[-1]"),
    ] {
        let error = all.path(path).unwrap_err();
        assert_eq!((error.question(), error.path()), (Some(&question), known), "{path}");
        assert!(!error.is_damage());
    }
}

#[test]
fn a_value_asked_for_what_it_is_not_says_what_it_is() {
    let segment = segment_of(&(-1i64, "text".to_string(), Some(1u8)));
    let value = segment.value("").unwrap();
    let error = value.field("0").unwrap().as_str().unwrap_err();
    assert_eq!(error.question(), Some(&Question::Kind { expected: "a string", got: Kind::Signed }));
    assert_eq!(
        error.to_string(),
        format!("offset {} (i64): asked for a string of a value of kind Signed", value.offset())
    );
    let question = |result: Result<u64, ValueError>| result.unwrap_err().question().cloned();
    assert_eq!(question(value.field("0").unwrap().as_u64()), Some(Question::Range));
    assert_eq!(question(value.len()), Some(Question::Kind { expected: "a length", got: Kind::Tuple }));
    assert_eq!(
        question(value.field("2").unwrap().as_u64()),
        Some(Question::Kind { expected: "an integer", got: Kind::Option })
    );
}

// ---- segments ------------------------------------------------------------------------------------------------------

#[test]
fn a_schema_that_cannot_be_followed_is_refused_before_the_object_is_read() {
    let mut bytes = bytes_of(&vec![1u32, 2, 3]);
    let header = *Segment::from_bytes(&bytes).unwrap().header();
    bytes[range(header.schema).start + 24] += 1; // the size of the first type
    reseal(&mut bytes, &header);
    let segment = Segment::from_bytes(bytes).unwrap();
    let error = segment.value("").unwrap_err();
    assert_eq!((error.kind(), error.errno()), (ErrorKind::InvalidSegment, Errno::EINVAL as i32));
    assert!(matches!(error.cause(), Cause::Unsound(UnsoundSchema::Size { ty: 0, .. })), "{error}");
    assert!(error.to_string().starts_with("root: schema cannot be followed: type 0 has size"), "{error}");
}

#[test]
fn errors_of_values_become_errors_of_the_segment() {
    fn port(segment: &Segment, name: &str) -> graven::Result<u64> {
        Ok(segment.value(name)?.path("[0].port")?.as_u64()?)
    }
    let segment = segment_of(&vec![1u32]);
    let error = port(&segment, "").unwrap_err();
    assert_eq!((error.kind(), error.errno()), (ErrorKind::InvalidArgument, Errno::EINVAL as i32));
    assert!(matches!(error.cause(), Cause::Value(value) if value.path() == "[0].port"), "{error}");
    let error = port(&segment, "ports").unwrap_err();
    assert_eq!((error.kind(), error.object()), (ErrorKind::NotFound, Some("ports")));
}

#[test]
fn values_outlive_the_name_they_were_asked_by_and_are_shared_between_threads() {
    let directory = directory();
    let path = directory.path().join("many.grv");
    let mut writer = graven::Writer::create(&path).unwrap();
    for i in 0..600u32 {
        match i % 3 {
            0 => writer.put(&format!("object {i}"), &i).unwrap(),
            1 => writer.put(&format!("object {i}"), &vec![i]).unwrap(),
            _ => writer.put(&format!("object {i}"), &(i, "text".to_string())).unwrap(),
        };
    }
    writer.finish().unwrap();
    let segment = Segment::read(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for i in 0..600 {
                    let value = {
                        let name = format!("object {i}");
                        segment.value(&name).unwrap()
                    };
                    let number = ["", "[0]", "0"][i as usize % 3];
                    assert_eq!(value.path(number).unwrap().as_u64().unwrap(), i);
                }
            });
        }
    });
}

// ---- families ------------------------------------------------------------------------------------------------------

#[graven::object]
#[derive(Debug)]
struct Family {
    texts: Vec<Option<String>>,
    by_text: HashMap<String, Vec<u8>>,
    by_signed: BTreeMap<i64, Option<Box<str>>>,
    by_wide: BTreeMap<u128, u16>,
    ordered: IndexMap<u32, i128>,
    letters: HashSet<char>,
    #[rkyv(with = Niche)]
    small: Option<NonZeroU32>,
    results: Vec<Result<(u8, u64), (char, String)>>,
}
structs! { Family { texts, by_text, by_signed, by_wide, ordered, letters, small, results } }

fn family() -> impl Strategy<Value = Family> {
    use prop::collection::{btree_map, hash_map, hash_set, vec};
    let boxed = |text: Option<String>| text.map(String::into_boxed_str);
    (
        vec(any::<Option<String>>(), 0..8),
        hash_map(any::<String>(), vec(any::<u8>(), 0..9), 0..20),
        btree_map(any::<i64>(), any::<Option<String>>().prop_map(boxed), 0..20),
        btree_map(any::<u128>(), any::<u16>(), 0..20),
        vec((any::<u32>(), any::<i128>()), 0..20).prop_map(|entries| entries.into_iter().collect()),
        hash_set(any::<char>(), 0..40),
        any::<Option<NonZeroU32>>(),
        vec(any::<Result<(u8, u64), (char, String)>>(), 0..5),
    )
        .prop_map(|(texts, by_text, by_signed, by_wide, ordered, letters, small, results)| Family {
            texts,
            by_text,
            by_signed,
            by_wide,
            ordered,
            letters,
            small,
            results,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_reads_as_it_was(family in family()) {
        let segment = segment_of(&family);
        let value = segment.value("").unwrap();
        prop_assert_eq!(value.schema().check_sound(), Ok(()));
        family.same(value);
    }
}
