//! The types that are fuzzed: every shape, alone and inside each other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::{Bound, Range};
use std::rc::{Rc, Weak};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use graven::rkyv::bytecheck::{CheckBytes, Verify};
use graven::rkyv::collections::btree_map::{ArchivedBTreeMap, BTreeMapResolver};
use graven::rkyv::niche::niching::{DefaultNiche, NaN};
use graven::rkyv::rancor::{Fallible, Source, fail};
use graven::rkyv::ser::{Allocator, Writer};
use graven::rkyv::with::{ArchiveWith, DeserializeWith, Niche, NicheInto, SerializeWith};
use graven::rkyv::{Archive, Deserialize, Place, Portable, Serialize};
use indexmap::{IndexMap, IndexSet};

use crate::walk::{Budget, Fixed, Walk};

type Hashed<K, V> = HashMap<K, V, Fixed>;
type HashedSet<K> = HashSet<K, Fixed>;
type Indexed<K, V> = IndexMap<K, V, Fixed>;
type IndexedSet<K> = IndexSet<K, Fixed>;

/// `Walk` of a struct: all its fields.
macro_rules! walk {
    ($($archived:ident { $($field:tt),* })*) => {$(
        impl Walk for $archived {
            fn walk(&self, budget: &mut Budget) {
                let _ = &budget;
                $(self.$field.walk(budget);)*
            }
        }
    )*};
}

/// The derives of every type here.
macro_rules! objects {
    ($($(#[$meta:meta])* pub $kind:ident $name:ident $body:tt)*) => {$(
        #[graven::object]
        #[derive(Arbitrary, Clone, Debug, PartialEq, serde::Serialize)]
        $(#[$meta])*
        pub $kind $name $body
    )*};
}

/// A float that is equal to itself.
fn single(u: &mut Unstructured<'_>) -> arbitrary::Result<f32> {
    u.arbitrary().map(|float: f32| if float.is_nan() { 0.5 } else { float })
}

fn double(u: &mut Unstructured<'_>) -> arbitrary::Result<f64> {
    u.arbitrary().map(|float: f64| if float.is_nan() { 0.5 } else { float })
}

objects! {
    pub struct Numbers {
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: u128,
        f: i8,
        g: i16,
        h: i32,
        i: i64,
        j: i128,
        #[arbitrary(with = single)]
        k: f32,
        #[arbitrary(with = double)]
        l: f64,
        m: bool,
        n: char,
        o: NonZeroU32,
        p: (),
    }

    pub struct Strings {
        one: String,
        many: Vec<String>,
        boxed: Box<str>,
        c: CString,
    }

    pub struct NestedLists {
        numbers: Vec<Vec<Vec<u16>>>,
        texts: Vec<Vec<String>>,
        flags: Vec<bool>,
        letters: Vec<char>,
    }

    pub struct Inner {
        a: u8,
        b: Option<u64>,
        c: String,
    }

    pub enum Event {
        Unit,
        Tuple(u8, u64, String),
        Named { id: u32, x: Option<bool>, tags: Vec<String> },
        Nested(Box<Inner>),
        Wide(u128),
        Flag(bool, char),
    }

    #[derive(Copy)]
    pub enum Color {
        Red = 3,
        Green = 200,
        Blue,
    }

    pub struct Enums {
        one: Event,
        colors: Vec<Color>,
        events: Vec<Event>,
        results: Vec<Result<u32, String>>,
        maybe: Option<Event>,
    }

    pub struct Options {
        byte: Option<u8>,
        text: Option<String>,
        twice: Option<Option<u64>>,
        boxed: Option<Box<u32>>,
        list: Vec<Option<bool>>,
        color: Option<Color>,
    }

    pub struct Niches {
        #[rkyv(with = Niche)]
        boxed: Option<Box<u32>>,
        #[rkyv(with = Niche)]
        text: Option<Box<str>>,
        #[rkyv(with = Niche)]
        number: Option<NonZeroU32>,
        #[rkyv(with = DefaultNiche)]
        flag: Option<bool>,
        #[rkyv(with = NicheInto<NaN>)]
        #[arbitrary(with = |u: &mut Unstructured<'_>| Ok(if u.arbitrary()? { Some(double(u)?) } else { None }))]
        float: Option<f64>,
    }

    pub struct Boxes {
        number: Box<u64>,
        text: Box<str>,
        slice: Box<[u16]>,
        texts: Box<[String]>,
        #[allow(clippy::redundant_allocation)]
        twice: Box<Box<String>>,
        flag: Box<bool>,
    }

    pub struct Hashes {
        by_name: Hashed<String, u32>,
        by_number: Hashed<u64, String>,
        by_letter: Hashed<char, bool>,
        lists: Hashed<String, Vec<u8>>,
        set: HashedSet<u32>,
        names: HashedSet<String>,
    }

    pub struct Indexes {
        by_name: Indexed<String, u16>,
        by_number: Indexed<u32, String>,
        set: IndexedSet<u64>,
    }

    pub struct Trees {
        by_number: BTreeMap<u64, u8>,
        by_name: BTreeMap<String, (u8, u64)>,
        by_byte: BTreeMap<u8, u128>,
        set: BTreeSet<i128>,
        #[rkyv(with = Wide<1>)]
        narrow: BTreeMap<u32, u32>,
        #[rkyv(with = Wide<2>)]
        two: BTreeMap<u8, String>,
        #[rkyv(with = Wide<9>)]
        wide: BTreeMap<u16, u64>,
    }

    pub struct Times {
        took: Duration,
        each: Vec<Duration>,
        #[serde(skip)]
        address: IpAddr,
        #[serde(skip)]
        sockets: Vec<SocketAddr>,
        range: Range<u32>,
        bounds: Vec<Bound<char>>,
    }

    pub struct Tuples {
        pair: (u8, u64),
        triples: Vec<(bool, String, char)>,
        array: [u16; 3],
        flags: [bool; 5],
        texts: [String; 2],
        square: [[u8; 2]; 2],
        nothing: [u64; 0],
        // By schema it cannot be told from a struct with one unnamed field, which serde writes as that field.
        #[serde(skip)]
        single: (u32,),
    }

    pub struct Empty {}

    /// Elements without bytes, of which there may be any number.
    pub struct Empties {
        units: Vec<()>,
        empties: Vec<Empty>,
        options: Vec<Option<()>>,
        none: [String; 0],
    }

    pub struct Mixed {
        node: Option<Node>,
        numbers: Vec<Numbers>,
        event: Event,
        hashes: Option<Box<Hashes>>,
        trees: Vec<Trees>,
        options: Vec<Options>,
        niches: [Niches; 2],
        verified: Vec<Verified>,
        discounts: Vec<Discount>,
    }
}

walk! {
    ArchivedNumbers { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p }
    ArchivedStrings { one, many, boxed, c }
    ArchivedNestedLists { numbers, texts, flags, letters }
    ArchivedInner { a, b, c }
    ArchivedEnums { one, colors, events, results, maybe }
    ArchivedOptions { byte, text, twice, boxed, list, color }
    ArchivedNiches { boxed, text, number, flag, float }
    ArchivedBoxes { number, text, slice, texts, twice, flag }
    ArchivedHashes { by_name, by_number, by_letter, lists, set, names }
    ArchivedIndexes { by_name, by_number, set }
    ArchivedTrees { by_number, by_name, by_byte, set, narrow, two, wide }
    ArchivedNode { id, flag, name, children, next, by_name }
    ArchivedTimes { took, each, address, sockets, range, bounds }
    ArchivedTuples { pair, triples, array, flags, texts, square, nothing, single }
    ArchivedEmpty {}
    ArchivedEmpties { units, empties, options, none }
    ArchivedMixed { node, numbers, event, hashes, trees, options, niches, verified, discounts }
}

impl Walk for ArchivedEvent {
    fn walk(&self, budget: &mut Budget) {
        match self {
            ArchivedEvent::Unit => {}
            ArchivedEvent::Tuple(a, b, c) => {
                a.walk(budget);
                b.walk(budget);
                c.walk(budget);
            }
            ArchivedEvent::Named { id, x, tags } => {
                id.walk(budget);
                x.walk(budget);
                tags.walk(budget);
            }
            ArchivedEvent::Nested(inner) => inner.walk(budget),
            ArchivedEvent::Wide(number) => number.walk(budget),
            ArchivedEvent::Flag(a, b) => {
                a.walk(budget);
                b.walk(budget);
            }
        }
    }
}

impl Walk for ArchivedColor {
    fn walk(&self, _: &mut Budget) {
        // SAFETY: the archived enum is `repr(u8)`.
        let tag = unsafe { std::ptr::from_ref(self).cast::<u8>().read_volatile() };
        assert!(matches!(tag, 3 | 200 | 201), "a color of {tag}");
    }
}

/// A tree: nested as deep as the data says, but for what reading back by serde allows.
#[graven::object]
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Node {
    id: u64,
    flag: bool,
    name: String,
    children: Vec<Node>,
    next: Option<Box<Node>>,
    by_name: BTreeMap<u8, Node>,
}

impl Node {
    fn levels(u: &mut Unstructured<'_>, levels: u32) -> arbitrary::Result<Node> {
        let below = |u: &mut Unstructured<'_>, most| match levels {
            0 => Ok(0),
            _ => u.int_in_range(0..=most),
        };
        let (id, flag, name) = u.arbitrary()?;
        let children = (0..below(u, 4)?).map(|_| Node::levels(u, levels - 1)).collect::<Result<_, _>>()?;
        let next =
            (0..below(u, 1)?).map(|_| Ok(Box::new(Node::levels(u, levels - 1)?))).next().transpose()?;
        let by_name = (0..below(u, 7)?).map(|key| Ok((key as u8, Node::levels(u, levels - 1)?)));
        Ok(Node { id, flag, name, children, next, by_name: by_name.collect::<Result<_, _>>()? })
    }
}

impl<'a> Arbitrary<'a> for Node {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Node> {
        Node::levels(u, 5)
    }
}

// ---- shared pointers -----------------------------------------------------------------------------------------------

/// Pointers that share: strong, weak, dangling, to sized and unsized.
#[graven::object]
#[derive(Clone, Debug, serde::Serialize)]
pub struct Shared {
    strong: Vec<Rc<Inner>>,
    weak: Vec<Weak<Inner>>,
    text: Rc<str>,
    texts: Vec<Rc<str>>,
    gone: Weak<String>,
    below: Option<Rc<Shared>>,
    same: Option<Rc<Shared>>,
}
walk! { ArchivedShared { strong, weak, text, texts, gone, below, same } }

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        let upgrade = |weak: &[Weak<Inner>]| weak.iter().map(Weak::upgrade).collect::<Vec<_>>();
        self.strong == other.strong
            && upgrade(&self.weak) == upgrade(&other.weak)
            && (&self.text, &self.texts) == (&other.text, &other.texts)
            && self.gone.upgrade() == other.gone.upgrade()
            && self.below == other.below
            && self.same == other.same
    }
}

impl Shared {
    fn levels(u: &mut Unstructured<'_>, levels: u32) -> arbitrary::Result<Shared> {
        let owners: Vec<Rc<Inner>> = u.arbitrary()?;
        let pick = |u: &mut Unstructured<'_>| -> arbitrary::Result<Vec<Rc<Inner>>> {
            match owners.is_empty() {
                true => Ok(Vec::new()),
                false => (0..u.int_in_range(0..=5)?).map(|_| Ok(u.choose(&owners)?.clone())).collect(),
            }
        };
        let (mut strong, weak) = (pick(u)?, pick(u)?.iter().map(Rc::downgrade).collect());
        strong.extend(owners.iter().cloned());
        let text: Rc<str> = u.arbitrary::<String>()?.into();
        let below =
            if levels > 0 && u.arbitrary()? { Some(Rc::new(Shared::levels(u, levels - 1)?)) } else { None };
        let same = if u.arbitrary()? { below.clone() } else { None };
        Ok(Shared {
            strong,
            weak,
            texts: vec![text.clone(); u.int_in_range(0..=2)?],
            text,
            gone: Weak::new(),
            below,
            same,
        })
    }
}

impl<'a> Arbitrary<'a> for Shared {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Shared> {
        Shared::levels(u, 3)
    }
}

// ---- B-trees with other nodes --------------------------------------------------------------------------------------

/// A B-tree whose full nodes have `E` entries.
pub struct Wide<const E: usize>;

impl<K: Archive<Archived: Ord> + Ord, V: Archive, const E: usize> ArchiveWith<BTreeMap<K, V>> for Wide<E> {
    type Archived = ArchivedBTreeMap<K::Archived, V::Archived, E>;
    type Resolver = BTreeMapResolver;

    fn resolve_with(map: &BTreeMap<K, V>, resolver: BTreeMapResolver, out: Place<Self::Archived>) {
        Self::Archived::resolve_from_len(map.len(), resolver, out);
    }
}

impl<K, V, S, const E: usize> SerializeWith<BTreeMap<K, V>, S> for Wide<E>
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

impl<K, V, D, const E: usize>
    DeserializeWith<ArchivedBTreeMap<K::Archived, V::Archived, E>, BTreeMap<K, V>, D> for Wide<E>
where
    K: Archive<Archived: Deserialize<K, D> + Ord> + Ord,
    V: Archive<Archived: Deserialize<V, D>>,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        map: &ArchivedBTreeMap<K::Archived, V::Archived, E>,
        deserializer: &mut D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        map.iter()
            .map(|(key, value)| Ok((key.deserialize(deserializer)?, value.deserialize(deserializer)?)))
            .collect()
    }
}

// ---- types with checks of their own --------------------------------------------------------------------------------

#[derive(Debug)]
struct Wrong;

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value that the type rules out")
    }
}

impl std::error::Error for Wrong {}

/// A type with an invariant over its fields, checked by `bytecheck(verify)`.
#[graven::object]
#[rkyv(bytecheck(verify))]
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Verified {
    low: u16,
    high: u16,
    flag: bool,
}

// SAFETY: every value is sound; what is checked is what the program relies on.
unsafe impl<C: Fallible<Error: Source> + ?Sized> Verify<C> for ArchivedVerified {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        if self.low > self.high {
            fail!(Wrong);
        }
        Ok(())
    }
}

impl<'a> Arbitrary<'a> for Verified {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Verified> {
        let (one, other): (u16, u16) = u.arbitrary()?;
        Ok(Verified { low: one.min(other), high: one.max(other), flag: u.arbitrary()? })
    }
}

impl Walk for ArchivedVerified {
    fn walk(&self, budget: &mut Budget) {
        self.flag.walk(budget);
        assert!(self.low <= self.high, "an invariant that nobody checked");
    }
}

/// Its own archived form, with a check written by hand: 0 to 100.
#[derive(
    Clone, Copy, Debug, PartialEq, Archive, Serialize, Deserialize, Portable, graven::Layout, serde::Serialize,
)]
#[rkyv(as = Discount, crate = graven::rkyv)]
#[layout(portable, invariants)]
#[repr(C)]
pub struct Discount(u8);

// SAFETY: every byte is a valid `u8`; whether it is a discount is checked.
unsafe impl<C: Fallible<Error: Source> + ?Sized> CheckBytes<C> for Discount {
    unsafe fn check_bytes(value: *const Self, _: &mut C) -> Result<(), C::Error> {
        // SAFETY: `check_bytes` is called with a pointer to as many initialized bytes as the type has.
        if unsafe { value.cast::<u8>().read() } > 100 {
            fail!(Wrong);
        }
        Ok(())
    }
}

impl<'a> Arbitrary<'a> for Discount {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Discount> {
        u.int_in_range(0..=100).map(Discount)
    }
}

impl Walk for Discount {
    fn walk(&self, _: &mut Budget) {
        assert!(self.0 <= 100, "an invariant that nobody checked");
    }
}

/// A type of which a schema knows nothing but size, alignment and tag.
#[derive(Clone, Copy, Debug, PartialEq, Archive, Serialize, Deserialize, Portable)]
#[rkyv(as = Stamp, crate = graven::rkyv)]
#[repr(C)]
pub struct Stamp([u8; 6]);

// SAFETY: every array of bytes is valid; whether it is a stamp is checked.
unsafe impl<C: Fallible<Error: Source> + ?Sized> CheckBytes<C> for Stamp {
    unsafe fn check_bytes(value: *const Self, _: &mut C) -> Result<(), C::Error> {
        // SAFETY: `check_bytes` is called with a pointer to as many initialized bytes as the type has.
        if unsafe { value.cast::<[u8; 6]>().read() }[5] != 0x5a {
            fail!(Wrong);
        }
        Ok(())
    }
}

objects! {
    pub struct Stamped {
        small: u8,
        #[layout(opaque = "stamp/1")]
        #[serde(skip)]
        at: Stamp,
        count: u16,
    }
}
walk! { ArchivedStamped { small, at, count } }

impl<'a> Arbitrary<'a> for Stamp {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Stamp> {
        let [a, b, c, d, e]: [u8; 5] = u.arbitrary()?;
        Ok(Stamp([a, b, c, d, e, 0x5a]))
    }
}

impl Walk for Stamp {
    fn walk(&self, _: &mut Budget) {
        assert!(self.0[5] == 0x5a, "an invariant that nobody checked");
    }
}

/// A type with a check of its own in every place where a check may be forgotten.
macro_rules! everywhere {
    ($($name:ident $archived:ident, $either:ident $archived_either:ident: $inner:ty;)*) => {$(
        objects! {
            pub enum $either {
                Nothing,
                One($inner),
                Named { before: u32, it: $inner },
                Many(Vec<$inner>),
            }

            pub struct $name {
                one: $inner,
                list: Vec<$inner>,
                option: Option<$inner>,
                array: [$inner; 2],
                pair: (u8, $inner),
                boxed: Box<$inner>,
                slice: Box<[$inner]>,
                shared: Rc<$inner>,
                result: Result<$inner, u8>,
                choice: $either,
                choices: Vec<$either>,
                ordered: BTreeMap<u8, $inner>,
                hashed: Hashed<String, $inner>,
                indexed: Indexed<u8, $inner>,
                #[rkyv(with = Niche)]
                niched: Option<Box<$inner>>,
            }
        }
        walk! {
            $archived {
                one, list, option, array, pair, boxed, slice, shared, result, choice, choices, ordered, hashed,
                indexed, niched
            }
        }

        impl Walk for $archived_either {
            fn walk(&self, budget: &mut Budget) {
                match self {
                    $archived_either::Nothing => {}
                    $archived_either::One(it) => it.walk(budget),
                    $archived_either::Named { before, it } => {
                        before.walk(budget);
                        it.walk(budget);
                    }
                    $archived_either::Many(all) => all.walk(budget),
                }
            }
        }
    )*};
}
everywhere! {
    VerifiedEverywhere ArchivedVerifiedEverywhere, EitherVerified ArchivedEitherVerified: Verified;
    DiscountEverywhere ArchivedDiscountEverywhere, EitherDiscount ArchivedEitherDiscount: Discount;
    StampedEverywhere ArchivedStampedEverywhere, EitherStamped ArchivedEitherStamped: Stamped;
}
