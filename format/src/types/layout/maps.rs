//! Maps and sets, and the entries that rkyv's `AsVec` makes of a map.
//!
//! A hash map has a layout with rkyv's own hasher only: where an entry lies depends on the hash of its key, so the
//! hasher is part of what the bytes mean, and another one is not described by them. Keys hash or compare, else nothing
//! would be found; how they do is for the program to say where the schema does not know ([`Lookup`]).
//!
//! Source: SPEC 5.7 (hash tables), 5.8 (index maps), 5.9 (B-trees); rkyv `collections/`.

use alloc::borrow::Cow;
use core::hash::Hash;
use core::mem::offset_of;

use rkyv::{
    RawRelPtr, RelPtr,
    collections::{
        btree_map::ArchivedBTreeMap,
        btree_set::ArchivedBTreeSet,
        swiss_table::{ArchivedHashMap, ArchivedHashSet, ArchivedIndexMap, ArchivedIndexSet},
        util::Entry,
    },
    primitive::ArchivedUsize,
};

use super::{Field, Layout, Lookup, Shape, TypeRef, refine::layout};

/// `ArchivedHashTable` as rkyv declares it: pointer to the control bytes, entries, buckets.
#[repr(C)]
struct TableMirror(RawRelPtr, ArchivedUsize, ArchivedUsize);

/// `ArchivedIndexMap` as rkyv declares it: a table of indices, and a pointer to the entries.
#[repr(C)]
struct IndexMirror(TableMirror, RelPtr<u8>);

/// `ArchivedBTreeMap` as rkyv declares it: pointer to the root node, entries.
#[repr(C)]
struct TreeMirror(RelPtr<u8>, ArchivedUsize);

macro_rules! same {
    ($ty:ty, $mirror:ty) => {
        assert!(size_of::<$ty>() == size_of::<$mirror>(), "rkyv changed one of its maps");
        assert!(align_of::<$ty>() == align_of::<$mirror>(), "rkyv changed one of its maps");
    };
}

layout!([K: Layout + Hash + Eq, V: Layout] ArchivedHashMap<K, V> => "HashMap", {
    same!(ArchivedHashMap<K, V>, TableMirror);
    Shape::HashMap { key: TypeRef::of::<K>(), value: TypeRef::of::<V>() }
}, [K, V], Lookup::by_hash::<K>());
layout!([K: Layout + Hash + Eq] ArchivedHashSet<K> => "HashSet", {
    same!(ArchivedHashSet<K>, TableMirror);
    Shape::HashMap { key: TypeRef::of::<K>(), value: TypeRef::of::<()>() }
}, [K, ()], Lookup::by_hash::<K>());

layout!([K: Layout + Hash + Eq, V: Layout] ArchivedIndexMap<K, V> => "IndexMap", {
    same!(ArchivedIndexMap<K, V>, IndexMirror);
    Shape::IndexMap { key: TypeRef::of::<K>(), value: TypeRef::of::<V>() }
}, [K, V], Lookup::by_hash::<K>());
layout!([K: Layout + Hash + Eq] ArchivedIndexSet<K> => "IndexSet", {
    same!(ArchivedIndexSet<K>, IndexMirror);
    Shape::IndexMap { key: TypeRef::of::<K>(), value: TypeRef::of::<()>() }
}, [K, ()], Lookup::by_hash::<K>());

/// Entries of a full B-tree node, as the schema stores it.
const fn capacity<const E: usize>() -> u32 {
    assert!(E > 0 && E <= u32::MAX as usize, "a B-tree node has at least one entry");
    E as u32
}

layout!([K: Layout + Ord, V: Layout, const E: usize] ArchivedBTreeMap<K, V, E> => "BTreeMap", {
    same!(ArchivedBTreeMap<K, V, E>, TreeMirror);
    Shape::BTreeMap { key: TypeRef::of::<K>(), value: TypeRef::of::<V>(), capacity: capacity::<E>() }
}, [K, V], Lookup::by_order::<K>());
layout!([K: Layout + Ord, const E: usize] ArchivedBTreeSet<K, E> => "BTreeSet", {
    same!(ArchivedBTreeSet<K, E>, TreeMirror);
    Shape::BTreeMap { key: TypeRef::of::<K>(), value: TypeRef::of::<()>(), capacity: capacity::<E>() }
}, [K, ()], Lookup::by_order::<K>());

layout!([K: Layout, V: Layout] Entry<K, V> => "Entry", Shape::Struct { fields: Cow::Borrowed(&[
    Field { name: Cow::Borrowed("key"), offset: offset_of!(Entry<K, V>, key) as u64, ty: TypeRef::of::<K>() },
    Field { name: Cow::Borrowed("value"), offset: offset_of!(Entry<K, V>, value) as u64, ty: TypeRef::of::<V>() },
]) }, [K, V]);
