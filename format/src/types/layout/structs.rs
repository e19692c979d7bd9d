//! Structs of rkyv's: tuples, ranges, durations; the types without bytes; the wrapper that adds none.
//!
//! Source: SPEC 5.5; rkyv `tuple.rs`, `ops.rs`, `time.rs`.

use alloc::borrow::Cow;
use core::{
    any::TypeId,
    marker::{PhantomData, PhantomPinned},
    mem::{ManuallyDrop, offset_of},
};

use rkyv::{
    ops::{
        ArchivedRange, ArchivedRangeFrom, ArchivedRangeFull, ArchivedRangeInclusive, ArchivedRangeTo,
        ArchivedRangeToInclusive,
    },
    primitive::{ArchivedU32, ArchivedU64},
    time::ArchivedDuration,
    tuple::*,
};

use super::{Invariant, Layout, Lookup, Next, Refine, Shape, Type, TypeRef, refine::layout};
use crate::{Digest, Payload};

layout!([] () => "()", Shape::Unit, []);
layout!([T: ?Sized] PhantomData<T> => "PhantomData", Shape::Unit, []);
layout!([] PhantomPinned => "PhantomPinned", Shape::Unit, []);
layout!([] ArchivedRangeFull => "RangeFull", {
    assert!(size_of::<ArchivedRangeFull>() == 0, "rkyv changed its full range");
    Shape::Unit
}, []);

// SAFETY: `ManuallyDrop<T>` has the bytes of `T` (`#[repr(transparent)]`), which `T::TYPE` describes.
unsafe impl<T: Layout> Layout for ManuallyDrop<T> {
    const TYPE: &'static Type<TypeRef> = T::TYPE;
    const INVARIANT: Option<Invariant> = T::INVARIANT;
    const LOOKUP: Option<Lookup> = T::LOOKUP;
    const SHARED: fn() -> TypeId = T::SHARED;
}
impl<__N, T: Layout + Refine<Next<__N>>> Refine<Next<__N>> for ManuallyDrop<T> {
    const DIGEST: Digest = T::DIGEST;
}

/// The fields of a struct: `name: type` at the offset of `member` in `$ty`.
macro_rules! fields {
    ($ty:ty: $($name:expr, $member:tt, $field:ty;)*) => {
        Shape::Struct { fields: Cow::Borrowed(&[$($crate::layout::Field {
            name: Cow::Borrowed($name),
            offset: core::mem::offset_of!($ty, $member) as u64,
            ty: $crate::layout::TypeRef::of::<$field>(),
        },)*]) }
    };
}
pub(super) use fields;

macro_rules! tuple {
    ($tuple:ident: $($element:ident $index:tt),*) => {
        layout!([$($element: Layout),*] $tuple<$($element),*> => "tuple",
            fields!($tuple<$($element),*>: $(stringify!($index), $index, $element;)*), [$($element),*]);
    };
}
tuple!(ArchivedTuple1: A 0);
tuple!(ArchivedTuple2: A 0, B 1);
tuple!(ArchivedTuple3: A 0, B 1, C 2);
tuple!(ArchivedTuple4: A 0, B 1, C 2, D 3);
tuple!(ArchivedTuple5: A 0, B 1, C 2, D 3, E 4);
tuple!(ArchivedTuple6: A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(ArchivedTuple7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(ArchivedTuple8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(ArchivedTuple9: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(ArchivedTuple10: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(ArchivedTuple11: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(ArchivedTuple12: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
tuple!(ArchivedTuple13: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);

layout!([T: Layout] ArchivedRange<T> => "Range",
    fields!(ArchivedRange<T>: "start", start, T; "end", end, T;), [T, T]);
layout!([T: Layout] ArchivedRangeInclusive<T> => "RangeInclusive",
    fields!(ArchivedRangeInclusive<T>: "start", start, T; "end", end, T;), [T, T]);
layout!([T: Layout] ArchivedRangeFrom<T> => "RangeFrom",
    fields!(ArchivedRangeFrom<T>: "start", start, T;), [T]);
layout!([T: Layout] ArchivedRangeTo<T> => "RangeTo",
    fields!(ArchivedRangeTo<T>: "end", end, T;), [T]);
layout!([T: Layout] ArchivedRangeToInclusive<T> => "RangeToInclusive",
    fields!(ArchivedRangeToInclusive<T>: "end", end, T;), [T]);

/// `ArchivedDuration` as rkyv declares it; its fields are private.
#[repr(C)]
struct DurationMirror(ArchivedU64, ArchivedU32);

layout!([] ArchivedDuration => "Duration", {
    assert!(size_of::<ArchivedDuration>() == size_of::<DurationMirror>(), "rkyv changed its duration");
    assert!(align_of::<ArchivedDuration>() == align_of::<DurationMirror>(), "rkyv changed its duration");
    assert!(offset_of!(DurationMirror, 0) == 0 && offset_of!(DurationMirror, 1) == 8, "rkyv changed its duration");
    Shape::Duration { big_endian: Payload::NATIVE.big_endian }
}, []);

// A UUID is archived as itself, so its layout has to come from here.
#[cfg(feature = "uuid-1")]
layout!([] uuid::Uuid => "Uuid", {
    assert!(size_of::<uuid::Uuid>() == 16 && align_of::<uuid::Uuid>() == 1, "uuid is no longer sixteen bytes");
    Shape::Array { element: TypeRef::of::<u8>(), len: 16 }
}, [u8]);
