//! Values of every shape, small enough to make each of their bytes wrong.
//!
//! But for vecs of elements without bytes: rkyv visits each, however many a damaged length says there are.
#![allow(dead_code)] // fields are there to be archived; each test file uses a part

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::fmt::Debug;
use std::hash::BuildHasherDefault;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroI64, NonZeroU8, NonZeroU32};
use std::ops::{Bound, Range};
use std::rc::{Rc, Weak};
use std::time::Duration;

use graven::rkyv::collections::btree_map::{ArchivedBTreeMap, BTreeMapResolver};
use graven::rkyv::niche::niching::{DefaultNiche, NaN};
use graven::rkyv::rancor::{Fallible, Source};
use graven::rkyv::ser::{Allocator, Writer};
use graven::rkyv::with::{ArchiveWith, Niche, NicheInto, SerializeWith};
use graven::rkyv::{self, Archive, Place, Serialize};
use graven::{Layout, format::Validator};
use indexmap::{IndexMap, IndexSet};

pub(crate) type Fixed = BuildHasherDefault<DefaultHasher>;
type Error = rkyv::rancor::BoxedError;

/// An archived value, and what to ask about it.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: rkyv::util::AlignedVec,
    pub(crate) root: usize,
    pub(crate) typed: Validator,
    pub(crate) by_schema: Validator,
    pub(crate) schema: graven::format::Schema,
    /// What rkyv's own checked access says.
    pub(crate) rkyv: fn(&[u8], usize) -> Result<(), Error>,
    /// Reads all of a value that was accepted.
    pub(crate) read: fn(&[u8], usize) -> usize,
}

fn sample<T>(name: &'static str, value: &T) -> Sample
where
    T: Archive
        + for<'a> Serialize<
            rkyv::api::high::HighSerializer<
                rkyv::util::AlignedVec,
                rkyv::ser::allocator::ArenaHandle<'a>,
                Error,
            >,
        >,
    T::Archived:
        Layout + Debug + for<'a> rkyv::bytecheck::CheckBytes<rkyv::api::high::HighValidator<'a, Error>>,
{
    let bytes = rkyv::to_bytes::<Error>(value).unwrap();
    let root = bytes.len() - size_of::<T::Archived>();
    let schema = graven::format::Schema::of::<T::Archived>();
    Sample {
        name,
        bytes,
        root,
        typed: Validator::of::<T::Archived>(),
        by_schema: Validator::of_schema(&schema).unwrap(),
        schema,
        rkyv: |bytes, root| rkyv::api::high::access_pos::<T::Archived, Error>(bytes, root).map(drop),
        read: |bytes, root| {
            // SAFETY: the caller's validator has accepted the bytes, which is what is tested.
            let value =
                unsafe { rkyv::access_unchecked::<T::Archived>(&bytes[..root + size_of::<T::Archived>()]) };
            format!("{value:?}").len()
        },
    }
}

/// Archives types without a word about bounds.
macro_rules! objects {
    ($($(#[$meta:meta])* $kind:ident $name:ident $(<$generic:ident>)? $body:tt)*) => {$(
        #[graven::object]
        #[rkyv(derive(Debug))]
        $(#[$meta])*
        $kind $name $(<$generic>)? $body
    )*};
}

objects! {
    struct Inner { small: u8, flag: bool, name: String, far: Option<u64> }
    struct Nested { first: Inner, id: u32, second: Inner, tail: (u8, bool, char) }
    enum Event { Nothing, Moved(i32, f64, String), Named { id: NonZeroU32, x: Option<bool>, tags: Vec<String> }, Boxed(Box<Inner>), Flag(bool, char) }
    enum Color { Red = 3, Green = 200, Blue }
    enum Few { One, Two, Three }
    struct Enums { events: Vec<Event>, colors: Vec<Color>, few: [Few; 5], one: Result<u32, String>, two: Result<bool, ()> }
    struct Options { byte: Option<u8>, text: Option<String>, twice: Option<Option<bool>>, boxed: Option<Box<u32>>, list: Vec<Option<char>> }
    struct Niches {
        #[rkyv(with = Niche)]
        boxed: Option<Box<u32>>,
        #[rkyv(with = Niche)]
        text: Option<Box<str>>,
        #[rkyv(with = Niche)]
        none: Option<Box<[u16]>>,
        #[rkyv(with = Niche)]
        number: Option<NonZeroU32>,
        #[rkyv(with = DefaultNiche)]
        flag: Option<bool>,
        #[rkyv(with = NicheInto<NaN>)]
        float: Option<f64>,
    }
    struct Shared { one: Rc<String>, two: Rc<String>, other: Rc<String>, slice: Rc<[u16]>, again: Rc<[u16]>, text: Rc<str>, weak: Weak<String>, dangling: Weak<u8> }
    struct Scalars { letter: char, one: NonZeroU8, two: NonZeroI64, time: Duration, c: CString, address: IpAddr, socket: SocketAddr, range: Range<u16>, bound: Bound<bool>, unit: () }
    struct Arrays { flags: [Option<bool>; 20], names: [String; 3], pairs: [(u8, char); 17], none: [bool; 0] }
    struct Tree { name: String, children: Vec<Tree>, other: Option<Box<Tree>> }
    struct Maps { table: HashMap<String, Vec<u8>, Fixed>, set: HashSet<u16, Fixed>, units: HashSet<(), Fixed>, none: HashMap<bool, bool, Fixed>, flags: HashMap<u8, bool, Fixed> }
    struct Indexed { map: IndexMap<String, Option<u8>, Fixed>, set: IndexSet<char, Fixed>, none: IndexMap<u8, u8, Fixed>, plain: IndexMap<u32, u32, Fixed> }
    struct Sorted { map: BTreeMap<u32, String>, set: BTreeSet<u16>, flags: BTreeMap<u8, bool>, none: BTreeMap<u8, u8>, units: BTreeMap<(), ()> }
    struct InMaps { deep: HashMap<u8, BTreeMap<String, Vec<Rc<Inner>>>, Fixed>, index: IndexMap<u16, HashSet<String, Fixed>, Fixed>, trees: BTreeMap<u8, BTreeMap<u8, Box<bool>>> }
    struct Units { none: PhantomData<u8>, shared: Rc<()>, again: Rc<()>, boxed: Box<()> }
}

/// A B-tree whose nodes have room for `E` entries.
pub(crate) struct Room<const E: usize>;

impl<K: Archive<Archived: Ord> + Ord, V: Archive, const E: usize> ArchiveWith<BTreeMap<K, V>> for Room<E> {
    type Archived = ArchivedBTreeMap<K::Archived, V::Archived, E>;
    type Resolver = BTreeMapResolver;

    fn resolve_with(map: &BTreeMap<K, V>, resolver: BTreeMapResolver, out: Place<Self::Archived>) {
        Self::Archived::resolve_from_len(map.len(), resolver, out);
    }
}

impl<K, V, S, const E: usize> SerializeWith<BTreeMap<K, V>, S> for Room<E>
where
    K: Serialize<S, Archived: Ord> + Ord,
    V: Serialize<S>,
    S: Allocator + Fallible<Error: Source> + Writer + ?Sized,
{
    fn serialize_with(map: &BTreeMap<K, V>, serializer: &mut S) -> Result<BTreeMapResolver, S::Error> {
        ArchivedBTreeMap::<K::Archived, V::Archived, E>::serialize_from_ordered_iter::<_, _, _, K, V, _>(
            map.iter(),
            serializer,
        )
    }
}

#[derive(Archive, Serialize, Layout)]
#[rkyv(derive(Debug))]
struct Rooms {
    #[rkyv(with = Room<1>)]
    one: BTreeMap<u8, String>,
    #[rkyv(with = Room<3>)]
    three: BTreeMap<u16, bool>,
    #[rkyv(with = Room<8>)]
    eight: BTreeMap<char, ()>,
}

fn inner(n: u8) -> Inner {
    Inner {
        small: n,
        flag: n.is_multiple_of(2),
        name: format!("{:1$}", n, usize::from(n)),
        far: n.is_multiple_of(3).then_some(7),
    }
}

fn tree(levels: usize) -> Tree {
    Tree {
        name: format!("level {levels}"),
        children: (0..levels).map(tree).collect(),
        other: (levels % 2 == 1).then(|| Box::new(tree(levels - 1))),
    }
}

pub(crate) fn samples() -> Vec<Sample> {
    let shared: Rc<String> = Rc::new("shared by several".into());
    let unit = Rc::new(());
    let numbers: Rc<[u16]> = Rc::from([1, 2, 3]);
    let letters =
        |count: u8| (0..count).map(|n| format!("{}", char::from(b'a' + n)).repeat(1 + usize::from(n)));
    vec![
        sample("nested", &Nested { first: inner(3), id: 5, second: inner(12), tail: (9, true, 'ß') }),
        sample(
            "strings",
            &["", "in", "12345678", "123456789", "ßü€", "out of line: ßü€, €€"].map(String::from),
        ),
        sample(
            "lists",
            &vec![vec![vec!["one".to_string(), "a long one of this kind".into()], vec![]], vec![]],
        ),
        sample(
            "enums",
            &Enums {
                events: vec![
                    Event::Nothing,
                    Event::Moved(-1, 0.5, "a place further away".into()),
                    Event::Named { id: 7.try_into().unwrap(), x: Some(true), tags: letters(2).collect() },
                    Event::Boxed(Box::new(inner(11))),
                    Event::Flag(true, 'x'),
                ],
                colors: vec![Color::Red, Color::Green, Color::Blue],
                few: [Few::One, Few::Two, Few::Three, Few::One, Few::Two],
                one: Err("wrong from the start".into()),
                two: Ok(false),
            },
        ),
        sample(
            "options",
            &Options {
                byte: Some(1),
                text: Some("a text of some length".into()),
                twice: Some(Some(true)),
                boxed: Some(Box::new(8)),
                list: vec![Some('a'), None, Some('€')],
            },
        ),
        sample(
            "niches",
            &Niches {
                boxed: Some(Box::new(1)),
                text: Some("boxed".into()),
                none: None,
                number: None,
                flag: Some(true),
                float: None,
            },
        ),
        sample(
            "shared",
            &Shared {
                one: shared.clone(),
                two: shared.clone(),
                other: Rc::new("another".into()),
                slice: numbers.clone(),
                again: numbers,
                text: Rc::from("text of its own"),
                weak: Rc::downgrade(&shared),
                dangling: Weak::new(),
            },
        ),
        sample(
            "scalars",
            &Scalars {
                letter: 'é',
                one: 1.try_into().unwrap(),
                two: (-1).try_into().unwrap(),
                time: Duration::new(3, 999_999_999),
                c: c"a C string".into(),
                address: IpAddr::from([127, 0, 0, 1]),
                socket: SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 80)),
                range: 3..9,
                bound: Bound::Excluded(true),
                unit: (),
            },
        ),
        sample(
            "arrays",
            &Arrays {
                flags: std::array::from_fn(|n| (n % 3 > 0).then_some(n % 2 == 0)),
                names: ["", "second", "the third of three"].map(String::from),
                pairs: [(1, 'p'); 17],
                none: [],
            },
        ),
        sample("tree", &tree(3)),
        sample(
            "hash maps",
            &Maps {
                table: letters(5).map(|text| (text.clone(), text.into_bytes())).collect(),
                set: (0..20).map(|n| n * 77).collect(),
                units: HashSet::from_iter([()]),
                none: HashMap::default(),
                flags: (0..16).map(|n| (n, n % 2 == 0)).collect(),
            },
        ),
        sample(
            "index maps",
            &Indexed {
                map: letters(9)
                    .map(|text| (text.clone(), text.len().is_multiple_of(2).then_some(1)))
                    .collect(),
                set: "index".chars().collect(),
                none: IndexMap::default(),
                plain: (0..7).map(|n| (n, n + 1)).collect(),
            },
        ),
        sample(
            "B-trees",
            &Sorted {
                map: letters(12).zip(0..).map(|(text, n)| (n, text)).collect(),
                set: (0..3).collect(),
                flags: (0..40).map(|n| (n, n % 3 == 0)).collect(),
                none: BTreeMap::new(),
                units: BTreeMap::from([((), ())]),
            },
        ),
        sample("B-tree", &(0..30).map(|n| (n, n % 2 == 0)).collect::<BTreeMap<u8, bool>>()),
        sample(
            "B-trees with other nodes",
            &Rooms {
                one: letters(7).zip(0..).map(|(text, n)| (n, text)).collect(),
                three: (0..17).map(|n| (n, n % 2 == 0)).collect(),
                eight: ('a'..'q').map(|letter| (letter, ())).collect(),
            },
        ),
        sample(
            "maps in maps",
            &InMaps {
                deep: (0..3)
                    .map(|n| {
                        (
                            n,
                            letters(n + 1)
                                .map(|text| (text, vec![Rc::new(inner(n)), Rc::new(inner(9))]))
                                .collect(),
                        )
                    })
                    .collect(),
                index: (0..3).map(|n| (n, letters(n as u8).collect())).collect(),
                trees: (0..7).map(|n| (n, (0..n).map(|m| (m, Box::new(m == n))).collect())).collect(),
            },
        ),
        sample("units", &Units { none: PhantomData, shared: unit.clone(), again: unit, boxed: Box::new(()) }),
    ]
}
