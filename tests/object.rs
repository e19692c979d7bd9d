//! `#[graven::object]` takes any type without a word about bounds: recursive, mutually recursive, generic, all of them
//! at once. Without it rkyv's derives ask for the impl they are about to make, and rustc reports an overflow.

#[path = "object/borrowed.rs"]
mod borrowed;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    marker::PhantomData,
    rc::{Rc, Weak},
};

use graven::rkyv::{
    self, Archive, Archived, Deserialize, Serialize,
    api::high::{HighDeserializer, HighValidator},
    bytecheck::CheckBytes,
    de::Pool,
    rancor::{BoxedError, Source, Strategy},
    ser::{Serializer, Writer, allocator::ArenaHandle, sharing::Share},
};

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Limits {
    soft: u64,
    hard: u64,
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Nothing;

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Pair<A, B>(A, B);

#[graven::object]
#[rkyv(derive(Debug, Hash, PartialEq, Eq), compare(PartialEq))]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Color {
    Red = 3,
    Green = 200,
    Blue,
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Nothing,
    Moved(i32, f64, String),
    Split { id: u128, into: Vec<Event>, by: HashMap<Color, Rc<Event>> },
}

#[graven::object]
#[derive(Clone, Debug, Default)]
struct Node {
    name: String,
    children: Vec<Node>,
    other: Option<Box<Self>>,
    seen: BTreeMap<String, Node>,
    up: Weak<Node>,
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
enum Tree<T> {
    Leaf(T),
    Branch { left: Box<Tree<T>>, right: Box<Self>, weight: u16 },
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct List<T, const N: usize>
where
    T: Clone,
{
    next: Option<Box<List<T, N>>>,
    values: Vec<[T; N]>,
    unit: PhantomData<fn() -> T>,
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Folder {
    entries: Vec<Entry>,
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    File(String),
    Folder(Box<Folder>),
    Links(HashMap<String, Link>),
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Link {
    to: Rc<Entry>,
    folder: Option<Box<Folder>>,
}

/// Generic types that hold each other: the circle is closed where the bounds are omitted.
#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Even<T> {
    #[rkyv(omit_bounds)]
    rest: Option<Box<Odd<T>>>,
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Odd<T> {
    values: Vec<T>,
    #[rkyv(omit_bounds)]
    rest: Box<Even<T>>,
}

#[graven::object]
#[rkyv(bytecheck(verify), archived = CheckedPercent, serialize_bounds(__S: Sized), derive(Debug))]
#[derive(Clone, Debug, PartialEq)]
struct Percent {
    value: u8,
}

#[derive(Debug)]
struct TooMuch;
impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("more than 100 percent")
    }
}
impl std::error::Error for TooMuch {}

// SAFETY: the value is checked, nothing else depends on it.
unsafe impl<C: rkyv::rancor::Fallible<Error: Source> + ?Sized> rkyv::bytecheck::Verify<C> for CheckedPercent {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        if self.value <= 100 { Ok(()) } else { Err(C::Error::new(TooMuch)) }
    }
}

#[graven::object]
#[derive(Clone, Debug, PartialEq)]
struct Reproducible {
    #[rkyv(with = graven::with::Sorted)]
    map: HashMap<String, Vec<u32>>,
    #[rkyv(with = graven::with::Sorted)]
    set: HashSet<u64>,
    #[rkyv(with = rkyv::with::Map<graven::with::Sorted>)]
    maps: Vec<HashMap<u8, u8>>,
}

/// The serializer that graven writes with: any writer, an arena, sharing, any error.
type Custom<'a, W, E> = Strategy<Serializer<W, ArenaHandle<'a>, Share>, E>;

/// Archives, checks and deserializes, generic over the error type: what graven asks of an object.
fn archived_bytes<T, W, E>(value: &T, writer: W) -> Result<W, E>
where
    T: for<'a> Serialize<Custom<'a, W, E>>,
    W: Writer<E>,
    E: Source,
{
    let mut arena = rkyv::ser::allocator::Arena::new();
    let mut serializer = Serializer::new(writer, arena.acquire(), Share::new());
    rkyv::api::serialize_using::<_, E>(value, &mut serializer)?;
    Ok(serializer.into_writer())
}

fn round_trip<T>(value: &T) -> T
where
    T: Archive + for<'a> Serialize<Custom<'a, rkyv::util::AlignedVec, BoxedError>>,
    T::Archived: for<'a> CheckBytes<HighValidator<'a, BoxedError>>
        + Deserialize<T, HighDeserializer<BoxedError>>
        + graven::Layout,
{
    let bytes = archived_bytes::<_, _, BoxedError>(value, rkyv::util::AlignedVec::<16>::new()).unwrap();
    let archived = rkyv::access::<T::Archived, BoxedError>(&bytes).unwrap();
    let mut pool = Pool::new();
    let back = rkyv::api::deserialize_using::<T, _, BoxedError>(archived, &mut pool).unwrap();
    let size = <T::Archived as graven::Layout>::TYPE.size;
    assert_eq!(size, size_of::<T::Archived>() as u64);
    back
}

fn same<T>(value: T)
where
    T: PartialEq
        + std::fmt::Debug
        + Archive
        + for<'a> Serialize<Custom<'a, rkyv::util::AlignedVec, BoxedError>>,
    T::Archived: for<'a> CheckBytes<HighValidator<'a, BoxedError>>
        + Deserialize<T, HighDeserializer<BoxedError>>
        + graven::Layout,
{
    assert_eq!(round_trip(&value), value);
}

fn tree(depth: u16) -> Tree<String> {
    match depth.checked_sub(1) {
        None => Tree::Leaf("leaf".repeat(5)),
        Some(below) => {
            Tree::Branch { left: Box::new(tree(below)), right: Box::new(tree(below)), weight: depth }
        }
    }
}

#[test]
fn objects_of_every_kind_come_back_as_they_went() {
    same(Limits { soft: 1, hard: u64::MAX });
    same(Nothing);
    same(Pair(String::from("a"), vec![Nothing, Nothing]));
    for color in [Color::Red, Color::Green, Color::Blue] {
        same(color);
    }
    let moved = Event::Moved(-1, 2.5, "three and a bit".into());
    let by = HashMap::from([(Color::Red, Rc::new(Event::Nothing)), (Color::Blue, Rc::new(moved.clone()))]);
    same(Event::Split { id: 1 << 100, into: vec![moved, Event::Nothing], by });
    same(tree(4));
    let list = List { next: None, values: vec![[1u8, 2], [3, 4]], unit: PhantomData };
    same(List { next: Some(Box::new(list)), values: vec![], unit: PhantomData });
    same(Percent { value: 100 });
}

#[test]
fn types_that_hold_themselves_and_each_other_come_back_as_they_went() {
    let file = Entry::File("a file with a long name".into());
    let folder = Folder { entries: vec![file.clone()] };
    let link = Link { to: Rc::new(file), folder: Some(Box::new(folder.clone())) };
    same(Folder {
        entries: vec![Entry::Folder(Box::new(folder)), Entry::Links(HashMap::from([("x".into(), link)]))],
    });

    let even =
        Even { rest: Some(Box::new(Odd { values: vec![1u32, 2], rest: Box::new(Even { rest: None }) })) };
    same(even);

    let child = Rc::new(Node { name: "child".into(), ..Node::default() });
    let node = Node {
        name: "root".into(),
        children: vec![Node { up: Rc::downgrade(&child), ..Node::default() }],
        other: Some(Box::default()),
        seen: BTreeMap::from([("one".into(), Node::default())]),
        up: Weak::new(),
    };
    let back = round_trip(&node);
    assert_eq!(back.seen["one"].name, "");
    assert_eq!(back.children.len(), 1);
}

#[test]
fn archived_fields_keep_their_names_and_visibility() {
    let bytes = rkyv::to_bytes::<BoxedError>(&Limits { soft: 7, hard: 9 }).unwrap();
    let limits: &ArchivedLimits = rkyv::access::<_, BoxedError>(&bytes).unwrap();
    assert_eq!((limits.soft.to_native(), limits.hard.to_native()), (7, 9));
    assert_eq!(format!("{:?}", ArchivedColor::Green), "Green");
    assert!(ArchivedColor::Blue == Color::Blue);
}

#[test]
fn bounds_and_checks_of_the_user_are_kept() {
    let wrong = rkyv::access::<CheckedPercent, BoxedError>(&[101]);
    assert!(wrong.unwrap_err().to_string().contains("more than 100 percent"));
    assert!(<CheckedPercent as graven::Layout>::TYPE.invariants);
    assert!(!<ArchivedLimits as graven::Layout>::TYPE.invariants);
}

#[test]
fn sorted_maps_are_the_same_bytes_in_any_insertion_order() {
    let words: Vec<String> = (0..500).map(|i| format!("word {}", i * 7919 % 1000)).collect();
    let value = |order: &mut dyn Iterator<Item = &String>| {
        let map: HashMap<String, Vec<u32>> =
            order.map(|word| (word.clone(), vec![word.len() as u32])).collect();
        let set = map.keys().map(|word| word.len() as u64 * 31 + word.as_bytes()[5] as u64).collect();
        let maps = vec![map.keys().map(|word| (word.as_bytes()[5], 1)).collect(), HashMap::new()];
        Reproducible { map, set, maps }
    };
    let (forward, backward) = (value(&mut words.iter()), value(&mut words.iter().rev()));
    assert_eq!(forward, backward);
    let bytes = rkyv::to_bytes::<BoxedError>(&forward).unwrap();
    assert_eq!(bytes[..], rkyv::to_bytes::<BoxedError>(&backward).unwrap()[..]);

    let archived = rkyv::access::<Archived<Reproducible>, BoxedError>(&bytes).unwrap();
    assert_eq!(archived.map.get("word 919").unwrap()[0], 8);
    assert!(
        forward
            .set
            .iter()
            .all(|number| archived.set.contains(&rkyv::primitive::ArchivedU64::from_native(*number)))
    );
    same(forward);
}
