//! Schema tables: canonical, the same after a round trip, and each cause for which bytes are no table, produced.

use std::borrow::Cow;

use graven_format::layout::{Field, Layout, Refine, Shape, Type, TypeRef, fingerprint_of};
use graven_format::{LayoutMismatch, Schema, SchemaError, canonical_part};
use rkyv::boxed::ArchivedBox;
use rkyv::collections::btree_map::ArchivedBTreeMap;
use rkyv::primitive::{ArchivedU32, ArchivedU64};
use rkyv::string::ArchivedString;
use rkyv::tuple::{ArchivedTuple2, ArchivedTuple3};
use rkyv::vec::ArchivedVec;

/// Declares the layout of a local type, as the derive does for archived ones.
macro_rules! layout {
    ($ty:ty, $shape:expr, $($child:ty),*) => {
        // SAFETY: no bytes are read by these descriptions.
        unsafe impl Layout for $ty {
            const TYPE: &'static Type<TypeRef> = &Type {
                name: Cow::Borrowed(stringify!($ty)),
                size: size_of::<$ty>() as u64,
                align: align_of::<$ty>() as u32,
                invariants: false,
                shape: $shape,
            };
        }
        impl<N> Refine<graven_format::layout::Next<N>> for $ty where $($child: Refine<N>),* {
            const DIGEST: graven_format::Digest =
                <$ty as Layout>::TYPE.digest()$(.digest(<$child as Refine<N>>::DIGEST))*;
        }
    };
}

macro_rules! structure {
    ($name:ident { $($field:ident: $ty:ty),* }) => {
        #[repr(C)]
        #[allow(dead_code)]
        struct $name { $($field: $ty),* }
        layout!($name, Shape::Struct {
            fields: Cow::Borrowed(&[$(Field {
                name: Cow::Borrowed(stringify!($field)),
                offset: std::mem::offset_of!($name, $field) as u64,
                ty: TypeRef::of::<$ty>(),
            }),*]),
        }, $($ty),*);
    };
}

structure!(P { x: ArchivedU32 });
structure!(Q { x: ArchivedU32 });
structure!(SameTwice { a: P, b: P });
structure!(TwoNames { a: P, b: Q });
structure!(Node { next: ArchivedBox<Node> });
structure!(Even { next: ArchivedBox<Odd> });
structure!(Odd { next: ArchivedBox<Even> });
structure!(Limits { soft: ArchivedU32, hard: ArchivedU32 });
structure!(WideLimits { soft: ArchivedU64, hard: ArchivedU32 });
structure!(Config { name: ArchivedString, limits: ArchivedVec<Limits> });
structure!(WideConfig { name: ArchivedString, limits: ArchivedVec<WideLimits> });
structure!(Renamed { title: ArchivedString, limits: ArchivedVec<Limits> });
structure!(Swapped { hard: ArchivedU32, soft: ArchivedU32 });

/// [S6.1] [S6.4]
#[test]
fn equal_unfoldings_are_equal_tables_and_fingerprints_however_many_types_spell_them() {
    let (one, two) = (Schema::of::<SameTwice>(), Schema::of::<TwoNames>());
    assert_eq!(one.canonical(), two.canonical());
    assert_eq!(one.fingerprint(), two.fingerprint());
    assert_eq!(one.types().len(), 3);

    // One recursive type, or two that take turns.
    let (one, two) = (Schema::of::<Node>(), Schema::of::<Even>());
    assert_eq!(one.canonical(), two.canonical());
    assert_eq!(one.types().len(), 2);
    assert_eq!(fingerprint_of::<Node>(), fingerprint_of::<Even>());
    assert!(one.is_canonical() && two.is_canonical());
}

/// [S6.4]
#[test]
fn names_offsets_and_types_of_fields_enter_the_fingerprint() {
    let fingerprints = [
        Schema::of::<Limits>().fingerprint(),
        Schema::of::<WideLimits>().fingerprint(),
        Schema::of::<Swapped>().fingerprint(),
        Schema::of::<Config>().fingerprint(),
        Schema::of::<WideConfig>().fingerprint(),
        Schema::of::<Renamed>().fingerprint(),
    ];
    for (i, one) in fingerprints.iter().enumerate() {
        assert!(fingerprints[i + 1..].iter().all(|other| other != one));
    }
}

/// [S6.4]
#[test]
fn fingerprints_are_the_same_in_const_evaluation_at_run_time_and_from_a_decoded_table() {
    fn check<T: Layout + Refine<graven_format::layout::Depth>>() {
        let schema = Schema::of::<T>();
        let decoded = Schema::decode(&schema.encode()).unwrap();
        assert_eq!(decoded, schema);
        assert_eq!(schema.fingerprint(), const { fingerprint_of::<T>() });
        assert_eq!(decoded.fingerprint(), schema.fingerprint());
    }
    check::<Config>();
    check::<Even>();
    check::<ArchivedBTreeMap<ArchivedString, ArchivedVec<Node>>>();
    check::<ArchivedTuple3<bool, [Config; 7], ArchivedU64>>();
}

fn table() -> Vec<u8> {
    Schema::of::<Config>().encode()
}

fn error_of(change: impl FnOnce(&mut Vec<u8>)) -> SchemaError {
    let mut table = table();
    change(&mut table);
    Schema::decode(&table).unwrap_err()
}

/// Where the first occurrence of `bytes` starts.
fn find(table: &[u8], bytes: &[u8]) -> usize {
    table.windows(bytes.len()).position(|window| window == bytes).unwrap()
}

/// [S6.1b]
#[test]
fn a_table_cut_before_its_lengths_is_truncated() {
    let error = Schema::decode(&table()[..3]).unwrap_err();
    assert_eq!(error, SchemaError::Truncated { what: "canonical length", offset: 0 });
}

/// [S6.1b]
#[test]
fn a_table_of_another_length_than_it_says_is_refused_at_every_length() {
    let table = table();
    for len in 8..table.len() {
        let error = Schema::decode(&table[..len]).unwrap_err();
        assert!(matches!(error, SchemaError::BadLength { table, .. } if table == len), "{error}");
        assert!(canonical_part(&table[..len]).is_err());
    }
}

/// [S6.1b]
#[test]
fn counts_beyond_the_table_are_refused_before_anything_is_allocated() {
    for count in [0, 1000, u32::MAX] {
        let error = error_of(|table| table[12..16].copy_from_slice(&count.to_le_bytes()));
        assert_eq!(error, SchemaError::BadCount { what: "types", offset: 12, count: count.into() });
    }
    // The root's fields: their count stands behind its 16 bytes.
    let error = error_of(|table| table[32..36].copy_from_slice(&u32::MAX.to_le_bytes()));
    assert_eq!(error, SchemaError::BadCount { what: "fields", offset: 32, count: u32::MAX.into() });
}

/// [S6.1b]
#[test]
fn unknown_codes_are_refused_with_their_place() {
    let code = |offset: usize, got: u8| error_of(|table| table[offset] = got);
    let bad = |what, offset, got| SchemaError::BadCode { what, offset, got };
    assert_eq!(code(8, 2), bad("endianness", 8, 2));
    assert_eq!(code(9, 3), bad("offset width", 9, 3));
    assert_eq!(code(10, 7), bad("alignment", 10, 7));
    assert_eq!(code(11, 1), bad("reserved byte", 11, 1));
    assert_eq!(code(16, 20), bad("shape", 16, 20));
    assert_eq!(code(17, 1), bad("shape parameter", 17, 1));
    let annotation = canonical_part(&table()).unwrap().len() + 8;
    assert_eq!(code(annotation, 2), bad("annotation flags", annotation, 2));
}

/// [S6.1b]
#[test]
fn an_alignment_is_a_power_of_two() {
    let error = error_of(|table| table[20] = 3);
    assert_eq!(error, SchemaError::BadAlign { offset: 20, align: 3 });
}

/// [S6.1b]
#[test]
fn a_link_leads_to_a_type_of_the_table() {
    let types = Schema::of::<Config>().types().len() as u32;
    let error = error_of(|table| table[36..40].copy_from_slice(&types.to_le_bytes()));
    assert_eq!(error, SchemaError::BadLink { offset: 36, link: types, types });
}

/// [S6.1b]
#[test]
fn names_are_utf_8() {
    let offset = find(&table(), b"limits");
    let error = error_of(|table| table[offset] = 0xff);
    assert_eq!(error, SchemaError::NotUtf8 { what: "field name", offset });
}

/// [S6.1b]
#[test]
fn a_text_longer_than_the_rest_is_truncated() {
    let offset = find(&table(), b"limits");
    let error = error_of(|table| table[offset - 4..offset].copy_from_slice(&u32::MAX.to_le_bytes()));
    assert_eq!(error, SchemaError::Truncated { what: "field name", offset });
}

/// [S6.1b]
#[test]
fn nothing_is_left_over() {
    let len = table().len();
    let error = error_of(|table| {
        table.push(0);
        let total = table.len() as u32;
        table[4..8].copy_from_slice(&total.to_le_bytes());
    });
    assert_eq!(error, SchemaError::Trailing { offset: len, bytes: 1 });
}

/// [S6.1b]
#[test]
fn no_changed_byte_makes_decoding_or_comparing_panic() {
    let (good, table) = (Schema::of::<WideConfig>(), table());
    for at in 0..table.len() {
        for bit in 0..8 {
            let mut table = table.clone();
            table[at] ^= 1 << bit;
            if let Ok(schema) = Schema::decode(&table) {
                schema.fingerprint();
                schema.is_canonical();
                schema.name_of(0);
                let _ = LayoutMismatch::between(&schema, &good).map(|mismatch| mismatch.to_string());
            }
        }
    }
}

fn mismatch<W: Layout, A: Layout>() -> String {
    LayoutMismatch::between(&Schema::of::<W>(), &Schema::of::<A>()).expect("the layouts differ").to_string()
}

#[test]
fn a_difference_names_the_path_and_what_both_sides_have_there() {
    assert_eq!(
        mismatch::<Limits, WideLimits>(),
        "layout differs: WideLimits.soft: writer u32 at offset 0, adopter u64 at offset 0 (and 1 more)"
    );
    assert_eq!(
        mismatch::<Config, WideConfig>(),
        "layout differs: WideConfig.limits[].soft: writer u32 at offset 0, adopter u64 at offset 0 (and 1 more)"
    );
    assert_eq!(
        mismatch::<Config, Renamed>(),
        "layout differs: Renamed.name: writer String at offset 0, adopter nothing (and 1 more)"
    );
    assert_eq!(
        mismatch::<Limits, Swapped>(),
        "layout differs: Swapped.soft: writer u32 at offset 0, adopter u32 at offset 4 (and 1 more)"
    );
    assert_eq!(
        mismatch::<ArchivedTuple2<bool, u8>, bool>(),
        "layout differs: bool: writer (bool, u8), adopter bool"
    );
}

#[test]
fn equal_layouts_have_no_difference_and_different_ones_always_have_one() {
    assert_eq!(LayoutMismatch::between(&Schema::of::<SameTwice>(), &Schema::of::<TwoNames>()), None);
    let schemas =
        [Schema::of::<Limits>(), Schema::of::<Swapped>(), Schema::of::<Config>(), Schema::of::<Even>()];
    for (i, one) in schemas.iter().enumerate() {
        for (j, other) in schemas.iter().enumerate() {
            assert_eq!(LayoutMismatch::between(one, other).is_none(), i == j);
        }
    }
}

#[test]
fn types_that_take_different_room_for_the_same_parts_differ() {
    #[repr(C, align(16))]
    #[allow(dead_code)]
    struct Roomy {
        soft: ArchivedU32,
        hard: ArchivedU32,
    }
    layout!(
        Roomy,
        Shape::Struct {
            fields: Cow::Borrowed(&[
                Field { name: Cow::Borrowed("soft"), offset: 0, ty: TypeRef::of::<ArchivedU32>() },
                Field { name: Cow::Borrowed("hard"), offset: 4, ty: TypeRef::of::<ArchivedU32>() },
            ])
        },
        ArchivedU32,
        ArchivedU32
    );
    assert_eq!(
        mismatch::<Limits, Roomy>(),
        "layout differs: Roomy: writer 8 bytes, alignment 4, adopter 16 bytes, alignment 16"
    );
}

/// The walk has a stack of its own: a table may be as deep as it is long.
#[test]
fn tables_as_deep_as_they_are_long_are_compared_and_named() {
    let deep = |types: u32, last: u8| {
        let mut table = vec![0; 8];
        table.extend([0, 4, 0, 0]);
        table.extend(types.to_le_bytes());
        for i in 1..types {
            table.extend([8, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]); // a box
            table.extend(i.to_le_bytes());
        }
        table.extend([last, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let canonical = table.len() as u32;
        table.extend(vec![0; 5 * types as usize]);
        let total = table.len() as u32;
        table[..4].copy_from_slice(&canonical.to_le_bytes());
        table[4..8].copy_from_slice(&total.to_le_bytes());
        Schema::decode(&table).unwrap()
    };
    let (one, other) = (deep(20_000, 1), deep(20_000, 12));
    let mismatch = LayoutMismatch::between(&one, &other).unwrap();
    assert_eq!(mismatch.differences().len(), 1);
    assert!(one.name_of(0).starts_with("Box<Box<"));
}
