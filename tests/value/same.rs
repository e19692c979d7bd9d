//! Comparing a value that was written with what is read by schema, shape by shape.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::rc::{Rc, Weak};
use std::time::Duration;

use graven::{
    Value,
    error::Question,
    format::{Key, Kind},
};
use indexmap::{IndexMap, IndexSet};

/// What a value reads as if it is the one that was written.
pub(crate) trait Same {
    #[track_caller]
    fn same(&self, value: Value<'_>);
}

macro_rules! numbers {
    ($($ty:ty: $get:ident $wide:ty, $kind:ident;)*) => {$(
        impl Same for $ty {
            fn same(&self, value: Value<'_>) {
                assert_eq!(value.kind(), Kind::$kind);
                assert_eq!(value.$get().unwrap(), <$wide>::from(*self));
            }
        }
    )*};
}
numbers! {
    bool: as_bool bool, Bool;
    u8: as_u64 u64, Unsigned;
    u16: as_i64 i64, Unsigned;
    u32: as_u128 u128, Unsigned;
    u64: as_u64 u64, Unsigned;
    u128: as_u128 u128, Unsigned;
    i8: as_i64 i64, Signed;
    i16: as_i128 i128, Signed;
    i32: as_i64 i64, Signed;
    i64: as_i64 i64, Signed;
    i128: as_i128 i128, Signed;
    f32: as_f64 f64, Float;
    f64: as_f64 f64, Float;
    char: as_char char, Char;
    Duration: as_duration Duration, Duration;
}

impl Same for NonZeroU32 {
    fn same(&self, value: Value<'_>) {
        self.get().same(value);
    }
}

impl Same for () {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.kind(), Kind::Unit);
    }
}

impl Same for str {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.as_str().unwrap(), self);
        assert_eq!(value.as_bytes().unwrap(), self.as_bytes());
        assert_eq!(value.len().unwrap(), self.len() as u64);
    }
}
impl Same for String {
    fn same(&self, value: Value<'_>) {
        self.as_str().same(value);
    }
}
impl Same for CString {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.target().unwrap().kind(), Kind::CString);
        assert_eq!(value.as_bytes().unwrap(), self.as_bytes());
    }
}

macro_rules! pointers {
    ($($ty:ident),*) => {$(
        impl<T: Same + ?Sized> Same for $ty<T> {
            fn same(&self, value: Value<'_>) {
                assert_eq!(value.kind(), Kind::Pointer);
                (**self).same(value.target().unwrap());
            }
        }
    )*};
}
pointers!(Box, Rc);

impl<T: Same> Same for Weak<T> {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.kind(), Kind::Option);
        match (self.upgrade(), value.option().unwrap()) {
            (Some(target), Some(value)) => (*target).same(value),
            (None, None) => {}
            (target, value) => panic!("{} {}", target.is_some(), value.is_some()),
        }
    }
}

impl<T: Same> Same for Option<T> {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.kind(), Kind::Option);
        match (self, value.option().unwrap()) {
            (Some(target), Some(value)) => target.same(value),
            (None, None) => {}
            (target, value) => panic!("{} {}", target.is_some(), value.is_some()),
        }
    }
}

impl<T: Same> Same for [T] {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.len().unwrap(), self.len() as u64);
        let mut elements = value.iter().unwrap();
        for (i, element) in self.iter().enumerate() {
            element.same(elements.next().unwrap().unwrap());
            element.same(value.index(i as u64).unwrap());
        }
        assert!(elements.next().is_none());
        let error = value.index(self.len() as u64).unwrap_err();
        let expected = Question::NoIndex { index: self.len() as u64, len: self.len() as u64 };
        assert_eq!(error.question(), Some(&expected));
    }
}
impl<T: Same> Same for Vec<T> {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.kind(), Kind::Sequence);
        self.as_slice().same(value);
    }
}
impl<T: Same, const N: usize> Same for [T; N] {
    fn same(&self, value: Value<'_>) {
        self.as_slice().same(value);
    }
}

impl<T: Same, E: Same> Same for Result<T, E> {
    fn same(&self, value: Value<'_>) {
        assert_eq!(value.kind(), Kind::Enum);
        assert_eq!(value.variant().unwrap().name, if self.is_ok() { "Ok" } else { "Err" });
        match self {
            Ok(inside) => inside.same(value.field("0").unwrap()),
            Err(inside) => inside.same(value.field("0").unwrap()),
        }
    }
}

macro_rules! tuples {
    ($($($name:ident $index:tt),*;)*) => {$(
        impl<$($name: Same),*> Same for ($($name,)*) {
            fn same(&self, value: Value<'_>) {
                assert_eq!(value.kind(), Kind::Tuple);
                $(self.$index.same(value.field(stringify!($index)).unwrap());)*
            }
        }
    )*};
}
tuples!(A 0, B 1; A 0, B 1, C 2;);

/// A key of a map, and one that the map might not have.
pub(crate) trait MapKey: Same + Ord + Hash + Clone + Debug {
    fn key(&self) -> Key<'_>;
}
impl MapKey for String {
    fn key(&self) -> Key<'_> {
        self.into()
    }
}
impl MapKey for Box<str> {
    fn key(&self) -> Key<'_> {
        (&**self).into()
    }
}
macro_rules! map_keys {
    ($($ty:ty),*) => {$(
        impl MapKey for $ty {
            fn key(&self) -> Key<'_> {
                (*self).into()
            }
        }
    )*};
}
map_keys!(u8, u16, u32, u64, u128, i8, i32, i64, i128, bool, char);

#[track_caller]
fn same_map<'m, K: MapKey + 'm, V: Same + 'm>(
    entries: impl Iterator<Item = (&'m K, &'m V)>,
    value: Value<'_>,
    in_order: bool,
) {
    let entries: Vec<_> = entries.collect();
    assert_eq!(value.len().unwrap(), entries.len() as u64);
    let found: Vec<_> = value.entries().unwrap().map(Result::unwrap).collect();
    assert_eq!(found.len(), entries.len());
    for (i, (key, held)) in entries.iter().enumerate() {
        held.same(value.get(key.key()).unwrap().unwrap_or_else(|| panic!("no {key:?}")));
        if in_order {
            key.same(found[i].0);
            held.same(found[i].1);
        }
    }
}

macro_rules! maps {
    ($($ty:ident $in_order:literal;)*) => {$(
        impl<K: MapKey, V: Same> Same for $ty<K, V> {
            fn same(&self, value: Value<'_>) {
                assert_eq!(value.kind(), Kind::Map);
                same_map(self.iter(), value, $in_order);
            }
        }
    )*};
}
maps!(HashMap false; BTreeMap true; IndexMap true;);
macro_rules! sets {
    ($($ty:ident $in_order:literal;)*) => {$(
        impl<K: MapKey> Same for $ty<K> {
            fn same(&self, value: Value<'_>) {
                assert_eq!(value.kind(), Kind::Set);
                same_map(self.iter().map(|key| (key, &())), value, $in_order);
            }
        }
    )*};
}
sets!(HashSet false; BTreeSet true; IndexSet true;);

macro_rules! structs {
    ($($ty:ident { $($field:ident),* $(,)? })*) => {$(
        impl Same for $ty {
            fn same(&self, value: Value<'_>) {
                assert_eq!(value.kind(), Kind::Struct);
                let names: Vec<&str> = value.fields().unwrap().map(|(name, _)| name).collect();
                assert_eq!(names, [$(stringify!($field)),*]);
                $(self.$field.same(value.field(stringify!($field)).unwrap());)*
            }
        }
    )*};
}
pub(crate) use structs;
