//! Values of declared types: made from a number, written as JSON by the types themselves, and what is checked of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use graven::{
    Archive, Deserialize, Layout, Segment, Serialize, Serializer,
    format::{Fingerprint, Schema},
};
use graven_store::fuzz::{Specimen, rounds};
use indexmap::IndexMap;
use rkyv::api::high::{HighDeserializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::BoxedError;
use serde_json::Value as Json;

#[allow(unused_imports)] // a family may do without some
pub(super) mod prelude {
    pub(crate) use std::collections::{BTreeMap, BTreeSet, HashMap};
    pub(crate) use std::num::NonZeroU32;
    pub(crate) use std::rc::Rc;
    pub(crate) use std::time::Duration;

    pub(crate) use indexmap::IndexMap;

    pub(crate) use super::{Draw, Made, array, object};
}

/// Numbers that look random, and how much of a value may still be made.
pub(crate) struct Draw {
    state: u64,
    levels: u32,
    /// The longest list.
    longest: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Draw {
        Draw { state: seed, levels: 3, longest: 3 }
    }

    /// From nothing in nothing to long and flat, or short and deep.
    fn sized(seed: u64, levels: u32) -> Draw {
        let longest = [0, 60, 9, 4, 3].get(levels as usize);
        Draw { state: seed, levels, longest: longest.copied().unwrap_or(2) }
    }

    /// For what lies inside a value: ends recursion.
    pub(crate) fn below(&mut self) -> Draw {
        let state = self.next();
        Draw { state, levels: self.levels.saturating_sub(1), longest: self.longest }
    }

    fn next(&mut self) -> u64 {
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, most: u64) -> u64 {
        self.next() % (most + 1)
    }

    /// Which variant; the first, which holds no others of the type, where it is deep enough.
    pub(crate) fn variant(&mut self, count: u64) -> u64 {
        if self.levels == 0 { 0 } else { self.up_to(count - 1) }
    }

    fn len(&mut self) -> u64 {
        if self.levels == 0 { 0 } else { self.up_to(self.longest) }
    }
}

/// A type whose values can be made and written as JSON without serde: what `Value` has to say of them.
pub(crate) trait Made {
    fn make(draw: &mut Draw) -> Self;
    fn json(&self) -> String;
}

pub(crate) fn array(elements: Vec<String>) -> String {
    format!("[{}]", elements.join(","))
}

pub(crate) fn object(fields: Vec<(&str, String)>) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, json)| format!("{name:?}:{json}")).collect();
    format!("{{{}}}", fields.join(","))
}

macro_rules! integers {
    ($($ty:ty)*) => {$(
        impl Made for $ty {
            /// Of any size, small ones as often as large ones.
            fn make(draw: &mut Draw) -> Self {
                let wide = u128::from(draw.next()) << 64 | u128::from(draw.next());
                (wide as $ty) >> draw.up_to(u64::from(<$ty>::BITS - 1))
            }

            fn json(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

macro_rules! scalars {
    ($($ty:ty: |$draw:ident| $make:expr, |$value:ident| $json:expr;)*) => {$(
        impl Made for $ty {
            fn make($draw: &mut Draw) -> Self {
                $make
            }

            fn json(&self) -> String {
                let $value = self;
                $json
            }
        }
    )*};
}
scalars! {
    // Quarters are the same number in either width.
    f32: |draw| draw.up_to(4000) as f32 / 4.0 - 500.0, |it| serde_json::to_string(&f64::from(*it)).unwrap();
    f64: |draw| draw.up_to(4000) as f64 / 4.0 - 500.0, |it| serde_json::to_string(it).unwrap();
    bool: |draw| draw.up_to(1) == 1, |it| it.to_string();
    char: |draw| char::from_u32(draw.up_to(0x10_ffff) as u32).unwrap_or('ß'), |it| it.to_string().json();
    (): |_draw| (), |_it| "null".to_owned();
    NonZeroU32: |draw| NonZeroU32::new(u32::make(draw)).unwrap_or(NonZeroU32::MAX), |it| it.to_string();
    Duration: |draw| Duration::new(draw.next(), draw.up_to(999_999_999) as u32),
        |it| format!(r#"{{"secs":{},"nanos":{}}}"#, it.as_secs(), it.subsec_nanos());
    String: |draw| (0..draw.up_to(20)).map(|_| if draw.up_to(9) == 0 { char::make(draw) } else { 'x' }).collect(),
        |it| serde_json::to_string(it).unwrap();
}

macro_rules! pointers {
    ($($ty:ident)*) => {$(
        impl<T: Made> Made for $ty<T> {
            fn make(draw: &mut Draw) -> Self {
                $ty::new(T::make(&mut draw.below()))
            }

            fn json(&self) -> String {
                (**self).json()
            }
        }
    )*};
}
pointers!(Box Rc);

impl<T: Made> Made for Vec<T> {
    fn make(draw: &mut Draw) -> Self {
        (0..draw.len()).map(|_| T::make(&mut draw.below())).collect()
    }

    fn json(&self) -> String {
        array(self.iter().map(T::json).collect())
    }
}

impl<T: Made> Made for Box<[T]> {
    fn make(draw: &mut Draw) -> Self {
        Vec::make(draw).into()
    }

    fn json(&self) -> String {
        array(self.iter().map(T::json).collect())
    }
}

impl<T: Made, const N: usize> Made for [T; N] {
    fn make(draw: &mut Draw) -> Self {
        std::array::from_fn(|_| T::make(&mut draw.below()))
    }

    fn json(&self) -> String {
        array(self.iter().map(T::json).collect())
    }
}

impl<T: Made> Made for Option<T> {
    fn make(draw: &mut Draw) -> Self {
        (draw.len() > 0).then(|| T::make(&mut draw.below()))
    }

    fn json(&self) -> String {
        self.as_ref().map_or("null".to_owned(), T::json)
    }
}

impl<T: Made, E: Made> Made for Result<T, E> {
    fn make(draw: &mut Draw) -> Self {
        if bool::make(draw) { Ok(T::make(&mut draw.below())) } else { Err(E::make(&mut draw.below())) }
    }

    fn json(&self) -> String {
        match self {
            Ok(value) => object(vec![("Ok", value.json())]),
            Err(value) => object(vec![("Err", value.json())]),
        }
    }
}

impl<A: Made, B: Made> Made for (A, B) {
    fn make(draw: &mut Draw) -> Self {
        (A::make(draw), B::make(draw))
    }

    fn json(&self) -> String {
        array(vec![self.0.json(), self.1.json()])
    }
}

impl<A: Made, B: Made, C: Made> Made for (A, B, C) {
    fn make(draw: &mut Draw) -> Self {
        (A::make(draw), B::make(draw), C::make(draw))
    }

    fn json(&self) -> String {
        array(vec![self.0.json(), self.1.json(), self.2.json()])
    }
}

/// A key as JSON has keys.
fn key(key: &impl Made) -> String {
    let json = key.json();
    if json.starts_with('"') { json } else { format!("{json:?}") }
}

macro_rules! maps {
    ($($ty:ident: $($bound:ident)*;)*) => {$(
        impl<K: Made $(+ $bound)*, V: Made> Made for $ty<K, V> {
            fn make(draw: &mut Draw) -> Self {
                // Now and then enough for several nodes or groups.
                let len = if draw.up_to(3) == 0 { draw.len() * 9 } else { draw.len() };
                (0..len).map(|_| (K::make(draw), V::make(&mut draw.below()))).collect()
            }

            fn json(&self) -> String {
                let entries: Vec<String> =
                    self.iter().map(|(name, value)| format!("{}:{}", key(name), value.json())).collect();
                format!("{{{}}}", entries.join(","))
            }
        }
    )*};
}
maps! {
    BTreeMap: Ord;
    HashMap: Hash Eq;
    IndexMap: Hash Eq;
}

impl<K: Made + Ord> Made for BTreeSet<K> {
    fn make(draw: &mut Draw) -> Self {
        (0..draw.len() * 4).map(|_| K::make(draw)).collect()
    }

    fn json(&self) -> String {
        array(self.iter().map(K::json).collect())
    }
}

// ---- what has to hold ----------------------------------------------------------------------------------------------

/// Numbers above 2^64 become floats on both sides.
fn parse(json: &str) -> Json {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// That the schema says what the compiler does, and the same in const evaluation.
pub(crate) fn layout<T: Archive<Archived: Layout>>(name: &str, constant: Fingerprint) {
    let schema = Schema::of::<T::Archived>();
    assert_eq!(schema.fingerprint(), constant, "{name}");
    let measured = (size_of::<T::Archived>() as u64, align_of::<T::Archived>() as u32);
    assert_eq!((schema.root().size, schema.root().align), measured, "{name}");
    assert!(schema.max_align() >= schema.root().align);
    assert_eq!(schema.check_sound(), Ok(()), "{name}");
    assert!(schema.is_canonical(), "{name}");
    assert_eq!(Schema::decode(&schema.encode()).as_ref(), Ok(&schema), "{name}");
}

/// That a value is refused with a reason, or verified, adopted and made again once it is written.
pub(crate) fn put<T>(seed: u64, levels: u32)
where
    T: Archive<Archived: Layout + Deserialize<T, HighDeserializer<BoxedError>>>
        + for<'a> Serialize<Serializer<'a>>
        + Made
        + PartialEq
        + Debug,
{
    let value = T::make(&mut Draw::sized(seed, levels));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value.grv");
    let mut writer = graven::Writer::create(&path).unwrap();
    let put = writer.put("value", &value);
    writer.finish().unwrap();
    let segment = Segment::read(&path).unwrap();
    segment.verify().unwrap_or_else(|error| panic!("{error}: {value:?}"));
    match put {
        Ok(()) => {
            let adopted = segment.get::<T>("value").unwrap_or_else(|error| panic!("{error}: {value:?}"));
            assert_eq!(adopted.deserialize::<T>().unwrap(), value);
        }
        Err(error) => {
            let refused = [graven::ErrorKind::InvalidArgument, graven::ErrorKind::TooLarge];
            assert!(refused.contains(&error.kind()), "{error}: {value:?}");
            assert!(segment.objects().next().is_none());
        }
    }
}

/// That a value is written, adopted, made again, and read without its type; and that of its object damaged at random
/// nothing is adopted that rkyv refuses.
pub(crate) fn value<T>(name: &str, seed: u64)
where
    T: Archive<
            Archived: Layout
                          + for<'a> CheckBytes<HighValidator<'a, BoxedError>>
                          + Deserialize<T, HighDeserializer<BoxedError>>,
        > + for<'a> Serialize<Serializer<'a>>
        + Made
        + PartialEq
        + Debug,
{
    let value = T::make(&mut Draw::new(seed));
    let specimen = Specimen::new(&value).unwrap_or_else(|error| panic!("{name}: {error}: {value:?}"));
    let segment = Segment::from_bytes(specimen.segment()).unwrap();
    segment.verify().unwrap_or_else(|error| panic!("{name}: {error}: {value:?}"));
    let adopted = segment.root::<T>().unwrap_or_else(|error| panic!("{name}: {error}: {value:?}"));
    assert_eq!(adopted.deserialize::<T>().unwrap(), value, "{name}");
    let by_schema = serde_json::to_string(&segment.value("").unwrap());
    let by_schema = by_schema.unwrap_or_else(|error| panic!("{name}: {error}: {value:?}"));
    assert_eq!(parse(&by_schema), parse(&value.json()), "{name}: {value:?}");

    for data in rounds(seed, 10) {
        let segment = Segment::from_bytes(specimen.damaged(&data)).unwrap();
        if segment.root::<T>().is_ok() {
            let object = &segment.as_bytes()[specimen.object()];
            let root = object.len() - size_of::<T::Archived>();
            rkyv::api::high::access_pos::<T::Archived, BoxedError>(object, root).unwrap_or_else(|error| {
                panic!("{name}: accepted, but not by rkyv: {error}: {value:?}, {data:?}")
            });
        }
    }
}
