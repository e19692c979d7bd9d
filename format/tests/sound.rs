//! Tables that can be read and not followed: each cause, produced from bytes. And those that Rust types make, which are
//! all sound.

mod tables;

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use graven_format::layout::{Layout, Niche, NumberKind, Type, TypeRef};
use graven_format::{Payload, Schema, UnsoundSchema};
use proptest::prelude::*;
use rkyv::boxed::ArchivedBox;
use rkyv::collections::btree_map::ArchivedBTreeMap;
use rkyv::collections::swiss_table::{ArchivedHashMap, ArchivedHashSet, ArchivedIndexMap};
use rkyv::niche::niched_option::NichedOption;
use rkyv::niche::niching::{Bool, NaN, Null, Zero};
use rkyv::niche::option_box::ArchivedOptionBox;
use rkyv::niche::option_nonzero::ArchivedOptionNonZeroU32;
use rkyv::option::ArchivedOption;
use rkyv::primitive::*;
use rkyv::rc::{ArchivedRc, ArchivedRcWeak, RcFlavor};
use rkyv::result::ArchivedResult;
use rkyv::string::ArchivedString;
use rkyv::tuple::{ArchivedTuple2, ArchivedTuple3};
use rkyv::vec::ArchivedVec;
use tables::*;

#[track_caller]
fn unsound(types: &[Ty], expected: UnsoundSchema) {
    let error = schema(types).check_sound().unwrap_err();
    assert_eq!(error, expected);
    assert!(error.to_string().starts_with("schema cannot be followed: "), "{error}");
}

#[track_caller]
fn sound(types: &[Ty]) {
    assert_eq!(schema(types).check_sound(), Ok(()));
}

/// [S6.1d]
#[test]
fn a_type_that_contains_itself_is_refused_unless_a_pointer_lies_between() {
    let field = |ty| [("of", 0, ty)];
    unsound(&[structure(0, 1, &field(0))], UnsoundSchema::ContainsItself { ty: 0 });
    unsound(&[array(4, 4, 0, 1)], UnsoundSchema::ContainsItself { ty: 0 });
    unsound(&[array(0, 4, 0, 0)], UnsoundSchema::ContainsItself { ty: 0 });
    unsound(
        &[structure(0, 1, &field(1)), structure(0, 1, &field(2)), structure(0, 1, &field(1))],
        UnsoundSchema::ContainsItself { ty: 1 },
    );

    sound(&[structure(4, 4, &field(1)), ty(8, 4, 4).links(&[0])]);
    sound(&[ty(8, 4, 4).links(&[0])]);
    // Twice the same type is not itself.
    sound(&[structure(8, 4, &[("a", 0, 1), ("b", 4, 1)]), number(4)]);
}

/// [S6.1d] [S6.2a]
#[test]
fn sizes_and_alignments_are_those_of_the_shape_in_the_tables_payload() {
    let shapes: &[(u8, u64, u32)] =
        &[(1, 1, 1), (6, 8, 4), (7, 8, 4), (8, 4, 4), (9, 4, 4), (10, 4, 4), (18, 16, 8)];
    for &(code, size, align) in shapes {
        let of = |size, align| {
            let links: &[u32] = if (7..=10).contains(&code) { &[1] } else { &[] };
            [ty(code, size, align).links(links), boolean()]
        };
        sound(&of(size, align));
        unsound(&of(size + 1, align), UnsoundSchema::Size { ty: 0, size: size + 1, expected: size });
        let expected = u64::from(align);
        unsound(&of(size, 2 * align), UnsoundSchema::Align { ty: 0, align: 2 * align, expected });
    }
    for (code, size) in [(15, 12), (16, 16), (17, 8)] {
        let of = |size| [ty(code, size, 4).links(&[1, 1]).word(5), boolean()];
        let of = |size| {
            let mut types = of(size);
            types[0].rest.truncate(if code == 17 { 12 } else { 8 });
            types
        };
        sound(&of(size));
        unsound(&of(size - 1), UnsoundSchema::Size { ty: 0, size: size - 1, expected: size });
    }
    unsound(&[ty(0, 1, 1)], UnsoundSchema::Size { ty: 0, size: 1, expected: 0 });
    sound(&[ty(0, 0, 64)]);

    // The same shapes in other payloads.
    for (offset_width, unaligned) in [(2, false), (4, true), (8, false), (8, true)] {
        let payload = Payload { offset_width, unaligned, ..LITTLE };
        let (w, align) = (u64::from(offset_width), if unaligned { 1 } else { offset_width.into() });
        let duration = if unaligned { ty(18, 12, 1) } else { ty(18, 16, 8) };
        let types = [ty(16, 4 * w, align).links(&[1, 2]), ty(6, 2 * w, align), duration];
        assert_eq!(schema_for(payload, &types).check_sound(), Ok(()));
        assert!(
            schema_for(Payload { offset_width: 6 - offset_width.min(4), ..payload }, &types)
                .check_sound()
                .is_err()
        );
    }
}

/// [S6.1d] [S6.2a]
#[test]
fn pointers_to_unsized_types_have_room_for_the_length() {
    for pointee in [ty(11, 0, 4).links(&[2]), ty(12, 0, 1), ty(13, 0, 1)] {
        for code in [8, 9, 10] {
            let of = |size| [ty(code, size, 4).links(&[1]), pointee.clone(), number(4)];
            sound(&of(8));
            unsound(&of(4), UnsoundSchema::Size { ty: 0, size: 4, expected: 8 });
        }
    }
    unsound(
        &[ty(8, 8, 4).links(&[1]), ty(11, 0, 8).links(&[2]), number(4)],
        UnsoundSchema::Align { ty: 1, align: 8, expected: 4 },
    );
}

/// [S6.1d]
#[test]
fn unsized_types_are_pointees_only() {
    unsound(&[ty(12, 0, 1)], UnsoundSchema::UnsizedRoot);
    let holders = [
        ty(7, 8, 4).links(&[1]),
        array(0, 1, 1, 3),
        structure(0, 1, &[("text", 0, 1)]),
        enumeration(1, 1, &[("Text", 0, &[("0", 1, 1)])]),
        ty(14, 0, 1).links(&[1]),
        ty(15, 12, 4).links(&[1, 2]),
        ty(16, 16, 4).links(&[2, 1]),
        ty(17, 8, 4).links(&[1, 2]).word(5),
    ];
    for holder in holders {
        unsound(&[holder, ty(12, 0, 1), boolean()], UnsoundSchema::Unsized { ty: 0, child: 1 });
    }
    unsound(
        &[ty(8, 8, 4).links(&[1]), ty(11, 0, 1).links(&[2]), ty(13, 0, 1)],
        UnsoundSchema::Unsized { ty: 1, child: 2 },
    );
}

/// [S6.1d] [S6.2a]
#[test]
fn numbers_have_the_sizes_of_their_kind_and_only_integers_are_never_zero() {
    for (a, kind, sizes) in [
        (0, NumberKind::Unsigned, &[1, 2, 4, 8, 16][..]),
        (1, NumberKind::Signed, &[1, 2, 4, 8, 16]),
        (2, NumberKind::Float, &[4, 8]),
        (3, NumberKind::Char, &[4]),
    ] {
        for size in 0..20 {
            let number = ty(2, size, 1).a(a);
            match sizes.contains(&size) {
                true => {
                    sound(std::slice::from_ref(&number));
                    sound(&[ty(2, size, size as u32).a(a)]);
                    if size > 1 {
                        let wrong = UnsoundSchema::Align { ty: 0, align: 2 * size as u32, expected: size };
                        unsound(&[ty(2, size, 2 * size as u32).a(a)], wrong);
                    }
                    match a {
                        0 | 1 => sound(&[number.b(1)]),
                        _ => unsound(&[number.b(1)], UnsoundSchema::NonZero { ty: 0, kind }),
                    }
                }
                false => unsound(&[number], UnsoundSchema::NumberSize { ty: 0, kind, size }),
            }
        }
    }
}

/// [S6.1d] [S6.2a]
#[test]
fn arrays_are_as_long_as_their_elements_together_without_overflow() {
    sound(&[array(12, 4, 1, 3), number(4)]);
    sound(&[array(0, 1, 1, u64::MAX), unit()]);
    unsound(&[array(12, 4, 1, 4), number(4)], UnsoundSchema::Size { ty: 0, size: 12, expected: 16 });
    for len in [1 << 62, 1 << 63, u64::MAX] {
        let too_large = schema(&[array(len.wrapping_mul(4), 4, 1, len), number(4)]).check_sound();
        assert_eq!(too_large, Err(UnsoundSchema::TooLarge { ty: 0 }));
    }
    unsound(&[opaque(1 << 63, 1)], UnsoundSchema::TooLarge { ty: 0 });
}

/// [S6.1d]
#[test]
fn fields_are_aligned_inside_and_apart() {
    let of = |size, align, fields: &[Field<'_>]| vec![structure(size, align, fields), number(4), unit()];
    sound(&of(8, 4, &[("a", 0, 1), ("b", 4, 1)]));
    sound(&of(8, 4, &[("b", 4, 1), ("a", 0, 1)])); // in any order
    sound(&of(8, 4, &[("a", 0, 1), ("none", 4, 2), ("end", 8, 2), ("b", 4, 1)]));
    sound(&of(0, 1, &[("none", 0, 2), ("other", 0, 2)]));
    let field = || "b".to_string();
    unsound(
        &of(8, 4, &[("a", 0, 1), ("b", 2, 1)]),
        UnsoundSchema::FieldUnaligned { ty: 0, field: field(), offset: 2, align: 4 },
    );
    unsound(
        &of(8, 2, &[("b", 0, 1)]),
        UnsoundSchema::FieldUnaligned { ty: 0, field: field(), offset: 0, align: 4 },
    );
    for offset in [8, 1 << 32, u64::MAX - 3] {
        unsound(
            &of(8, 4, &[("a", 0, 1), ("b", offset, 1)]),
            UnsoundSchema::FieldOutside { ty: 0, field: field(), offset, size: 4, within: 8 },
        );
    }
    let overlap = UnsoundSchema::FieldOverlap { ty: 0, field: field(), offset: 4, used: 8 };
    unsound(&of(12, 4, &[("a", 0, 1), ("c", 4, 1), ("b", 4, 1)]), overlap.clone());
    let long = |fields: &[Field<'_>]| [structure(12, 4, fields), number(4), array(8, 4, 1, 2)];
    unsound(&long(&[("b", 4, 1), ("a", 0, 2)]), overlap.clone());
    unsound(&long(&[("a", 0, 2), ("c", 8, 1), ("b", 4, 1)]), overlap);
    for (size, align) in [(6, 4), (1, 2)] {
        unsound(&[structure(size, align, &[])], UnsoundSchema::SizeOfAlign { ty: 0, size, align });
    }
    unsound(&[opaque(6, 4)], UnsoundSchema::SizeOfAlign { ty: 0, size: 6, align: 4 });
}

/// [S6.1d]
#[test]
fn fields_of_enums_lie_behind_a_tag_that_only_their_variant_has() {
    let of = |size, variants: &[(&str, u8, &[Field<'_>])]| {
        vec![enumeration(size, 4, variants), number(4), boolean(), unit()]
    };
    sound(&of(8, &[("A", 7, &[("0", 4, 1)]), ("B", 0, &[("0", 1, 2), ("1", 4, 1)]), ("C", 1, &[])]));
    sound(&of(8, &[("A", 0, &[("0", 4, 1)]), ("B", 1, &[("0", 4, 1)])])); // variants share their bytes
    unsound(
        &of(8, &[("A", 3, &[]), ("B", 4, &[]), ("C", 3, &[])]),
        UnsoundSchema::TagTwice { ty: 0, tag: 3 },
    );
    unsound(
        &of(8, &[("A", 0, &[]), ("B", 1, &[("x", 0, 2)])]),
        UnsoundSchema::FieldOnTag { ty: 0, field: "B.x".into() },
    );
    unsound(
        &of(8, &[("B", 1, &[("x", 4, 1), ("y", 5, 2)])]),
        UnsoundSchema::FieldOverlap { ty: 0, field: "B.y".into(), offset: 5, used: 8 },
    );
    unsound(&of(0, &[("A", 0, &[])]), UnsoundSchema::NoTag { ty: 0 });
    unsound(&of(6, &[]), UnsoundSchema::SizeOfAlign { ty: 0, size: 6, align: 4 });
}

/// [S6.1d]
#[test]
fn niches_are_those_of_their_values() {
    let inner = [number(4).b(1), ty(2, 8, 8).a(2), ty(8, 4, 4).links(&[1]), boolean(), number(4)];
    for (a, niche) in [Niche::Zero, Niche::NaN, Niche::Null, Niche::Bool].into_iter().enumerate() {
        for (i, value) in inner.iter().enumerate() {
            let types = [ty(14, value.size, value.align).a(a as u8).links(&[1]), value.clone()];
            match a == i {
                true => sound(&types),
                false => unsound(&types, UnsoundSchema::Niche { ty: 0, niche, inner: 1 }),
            }
        }
    }
    let wrong = [ty(14, 8, 4).links(&[1]), number(4).b(1)];
    unsound(&wrong, UnsoundSchema::Size { ty: 0, size: 8, expected: 4 });
}

/// [S6.1d]
#[test]
fn nodes_and_entries_of_maps_have_room_and_fit_into_memory() {
    let tree = |entries| [ty(17, 8, 4).links(&[1, 2]).word(entries), opaque(1 << 40, 1), unit()];
    sound(&tree(5));
    unsound(&tree(0), UnsoundSchema::NoEntries { ty: 0 });
    unsound(&tree(1 << 31), UnsoundSchema::TooLarge { ty: 0 });
    sound(&[ty(17, 8, 4).links(&[1, 1]).word(u32::MAX), unit()]);
    let huge = opaque(i64::MAX as u64 - 7, 8);
    for map in [ty(15, 12, 4), ty(16, 16, 4)] {
        unsound(&[map.links(&[1, 1]), huge.clone()], UnsoundSchema::TooLarge { ty: 0 });
    }
}

#[test]
fn types_inside_each_other_by_the_hundred_thousand_are_checked_in_linear_time_without_recursion() {
    let count = 200_000;
    let mut types: Vec<Ty> = (1..count).map(|i| structure(4, 4, &[("of", 0, i)])).collect();
    types.push(number(4));
    let long = schema(&types);
    let closed = schema(&[types, vec![structure(4, 4, &[("of", 0, count)])]].concat());
    let checked = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
        let start = Instant::now();
        assert_eq!(long.check_sound(), Ok(()));
        assert_eq!(closed.check_sound(), Err(UnsoundSchema::ContainsItself { ty: count }));
        start.elapsed()
    });
    assert!(checked.unwrap().join().unwrap() < Duration::from_secs(5));
}

/// A type as a key: its map's layout is asked for, never its hash or order.
struct Key<T>(PhantomData<T>);

// SAFETY: nobody has a value of it.
unsafe impl<T: Layout> Layout for Key<T> {
    const TYPE: &'static Type<TypeRef> = T::TYPE;
}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
impl<T> PartialEq for Key<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl<T> Eq for Key<T> {}

/// Every wrapper around a type. Asked through pointers: calls of as many functions as there are types, in one function,
/// took the compiler a minute.
fn wrapped<T: Layout>() -> [fn() -> Schema; 19] {
    [
        Schema::of::<T>,
        Schema::of::<ArchivedVec<T>>,
        Schema::of::<ArchivedBox<T>>,
        Schema::of::<ArchivedBox<[T]>>,
        Schema::of::<ArchivedRc<T, RcFlavor>>,
        Schema::of::<ArchivedRcWeak<[T], RcFlavor>>,
        Schema::of::<ArchivedOption<T>>,
        Schema::of::<ArchivedOptionBox<T>>,
        Schema::of::<NichedOption<ArchivedBox<T>, Null>>,
        Schema::of::<ArchivedResult<T, ArchivedString>>,
        Schema::of::<ArchivedTuple2<bool, T>>,
        Schema::of::<ArchivedTuple3<T, u8, T>>,
        Schema::of::<[T; 0]>,
        Schema::of::<[T; 3]>,
        Schema::of::<ArchivedHashMap<ArchivedString, T>>,
        Schema::of::<ArchivedHashSet<Key<T>>>,
        Schema::of::<ArchivedIndexMap<Key<T>, ArchivedU64>>,
        Schema::of::<ArchivedBTreeMap<u8, T, 1>>,
        Schema::of::<ArchivedBTreeMap<ArchivedU128, T, 64>>,
    ]
}

#[test]
fn everything_that_archived_types_make_is_sound() {
    macro_rules! families {
        ($($ty:ty),* $(,)?) => {[$(
            wrapped::<$ty>(),
            wrapped::<ArchivedOption<ArchivedTuple2<u8, $ty>>>(),
            wrapped::<[ArchivedVec<$ty>; 2]>(),
            wrapped::<ArchivedBTreeMap<ArchivedU16, ArchivedHashMap<ArchivedU32, $ty>>>(),
        )*]};
    }
    let schemas = families!(
        (),
        bool,
        i8,
        ArchivedU16,
        ArchivedU128,
        ArchivedI64,
        ArchivedF32,
        ArchivedChar,
        rkyv::rend::u64_be,
        rkyv::rend::unaligned::u64_ule,
        ArchivedNonZeroU32,
        ArchivedString,
        rkyv::ffi::ArchivedCString,
        ArchivedBox<str>,
        rkyv::time::ArchivedDuration,
        rkyv::net::ArchivedSocketAddr,
        rkyv::ops::ArchivedRange<ArchivedI32>,
        rkyv::ops::ArchivedBound<ArchivedU128>,
        ArchivedOptionNonZeroU32,
        NichedOption<ArchivedF64, NaN>,
        NichedOption<bool, Bool>,
        NichedOption<ArchivedNonZeroI128, Zero>,
        [ArchivedU64; 0],
    );
    for schema in schemas.as_flattened() {
        let schema = schema();
        assert_eq!(schema.check_sound(), Ok(()), "{}", schema.name_of(0));
    }
}

/// Types laid out as `#[repr(C)]` and rkyv do, in any payload: each may hold those before it.
fn laid_out() -> impl Strategy<Value = (Payload, Vec<Ty>)> {
    let payload = (any::<bool>(), prop::sample::select(vec![2u8, 4, 8]), any::<bool>())
        .prop_map(|(big_endian, offset_width, unaligned)| Payload { big_endian, offset_width, unaligned });
    let choices = prop::collection::vec((0u8..12, prop::collection::vec(any::<u32>(), 0..6)), 1..30);
    (payload, choices).prop_map(|(payload, choices)| {
        let (w, n) = (u64::from(payload.offset_width), choices.len() as u32);
        let word = if payload.unaligned { 1 } else { u32::from(payload.offset_width) };
        let mut types: Vec<Ty> = Vec::new(); // in reverse: the last one is type 0
        for (i, (shape, numbers)) in choices.into_iter().enumerate() {
            let number = |k: usize| numbers.get(k).copied().unwrap_or(k as u32);
            let earlier = |k: usize| number(k) % (i as u32).max(1);
            let link = |earlier: u32| n - 1 - earlier;
            let row = |start: u64, types: &[Ty]| {
                let (mut at, mut align, mut fields) = (start, 1, Vec::new());
                for k in 0..if i == 0 { 0 } else { numbers.len() } {
                    let ty = &types[earlier(k) as usize];
                    at = at.next_multiple_of(ty.align.into());
                    fields.push((["a", "b", "c", "d", "e"][k], at, link(earlier(k))));
                    (at, align) = (at + ty.size, align.max(ty.align));
                }
                (fields, at, align)
            };
            types.push(match shape {
                0 => boolean(),
                1 => {
                    let size = 1 << (number(0) % 5);
                    let align = if payload.unaligned { 1 } else { size as u32 };
                    ty(2, size, align).a((number(1) % 2) as u8).b((number(2) % 2) as u8)
                }
                2 => ty(6, 2 * w, word),
                3 => ty(7, 2 * w, word).links(&[link(earlier(0))]),
                4 => ty(8 + (number(1) % 3) as u8, w, word).links(&[link(earlier(0))]),
                5 => ty(15, 3 * w, word).links(&[link(earlier(0)), link(earlier(1))]),
                6 => ty(16, 4 * w, word).links(&[link(earlier(0)), link(earlier(1))]),
                7 => ty(17, 2 * w, word).links(&[link(earlier(0)), link(earlier(1))]).word(number(2) % 9 + 1),
                8 if i > 0 => {
                    let element = &types[earlier(0) as usize];
                    let len = u64::from(number(1) % 4);
                    array(len * element.size, element.align, link(earlier(0)), len)
                }
                9 => {
                    let (fields, end, align) = row(1, &types);
                    let size = end.next_multiple_of(align.into());
                    enumeration(size, align, &[("A", 0, &fields), ("B", 200, &[])])
                }
                10 | 11 => {
                    let (fields, end, align) = row(0, &types);
                    structure(end.next_multiple_of(align.into()), align, &fields)
                }
                _ => unit(),
            });
        }
        types.reverse();
        (payload, types)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_laid_out_as_rust_does_is_sound_in_every_payload((payload, types) in laid_out()) {
        prop_assert_eq!(schema_for(payload, &types).check_sound(), Ok(()));
    }

    #[test]
    fn numbers_changed_at_random_never_panic((payload, mut types) in laid_out(), at: usize, by: u64) {
        let at = at % types.len();
        match by % 3 {
            0 => types[at].size = by >> (by % 61),
            1 => types[at].align = 1 << (by >> 2 & 31),
            _ => types[at].size = types[at].size.wrapping_add(by % 9),
        }
        let _ = schema_for(payload, &types).check_sound();
    }
}
