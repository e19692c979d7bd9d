//! Wrappers for fields: `#[rkyv(with = …)]`.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, Hash},
};

use rkyv::{
    Archive, Deserialize, Place, Serialize,
    collections::swiss_table::{ArchivedHashMap, ArchivedHashSet, HashMapResolver, HashSetResolver},
    rancor::{Fallible, Source},
    ser::{Allocator, Writer},
    with::{ArchiveWith, DeserializeWith, SerializeWith},
};

/// Archives a `HashMap` or a `HashSet` of the standard library in the order of its keys, so that equal values are
/// equal bytes.
///
/// The standard library iterates in another order in every process, and where entries collide the order decides who
/// lies where. The archived type is the same as without the wrapper; lookups cost the same. Writing sorts a list of
/// references first: O(n log n), and 8 to 16 bytes per entry.
///
/// Inside other containers write `#[rkyv(with = graven::rkyv::with::Map<graven::with::Sorted>)]`.
///
/// # Examples
/// ```
/// # use graven_store as graven;
/// use std::collections::HashMap;
///
/// #[derive(rkyv::Archive, rkyv::Serialize)]
/// struct Ports {
///     #[rkyv(with = graven::with::Sorted)]
///     by_name: HashMap<String, u16>,
/// }
///
/// let ports = |names: [&str; 3]| Ports { by_name: names.map(|name| (name.to_string(), name.len() as u16)).into() };
/// let bytes = |ports: Ports| rkyv::to_bytes::<rkyv::rancor::Error>(&ports).unwrap().into_vec();
/// assert_eq!(bytes(ports(["ssh", "http", "dns"])), bytes(ports(["dns", "ssh", "http"])));
/// ```
/// Source: SPEC 5.7 (hash tables).
#[derive(Debug)]
pub struct Sorted;

/// Entries per bucket, as in rkyv's own impls for these types.
const LOAD_FACTOR: (usize, usize) = (7, 8);

impl<K, V, H> ArchiveWith<HashMap<K, V, H>> for Sorted
where
    K: Archive<Archived: Hash + Eq> + Hash + Eq,
    V: Archive,
{
    type Archived = ArchivedHashMap<K::Archived, V::Archived>;
    type Resolver = HashMapResolver;

    fn resolve_with(field: &HashMap<K, V, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedHashMap::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
    }
}

impl<K, V, H, S> SerializeWith<HashMap<K, V, H>, S> for Sorted
where
    K: Serialize<S, Archived: Hash + Eq> + Hash + Ord,
    V: Serialize<S>,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &HashMap<K, V, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let mut entries: Vec<(&K, &V)> = field.iter().collect();
        entries.sort_unstable_by_key(|&(key, _)| key);
        ArchivedHashMap::<K::Archived, V::Archived>::serialize_from_iter::<_, _, _, K, V, _>(
            entries.into_iter(),
            LOAD_FACTOR,
            serializer,
        )
    }
}

impl<K, V, H, D> DeserializeWith<ArchivedHashMap<K::Archived, V::Archived>, HashMap<K, V, H>, D> for Sorted
where
    K: Archive<Archived: Deserialize<K, D> + Hash + Eq> + Hash + Eq,
    V: Archive<Archived: Deserialize<V, D>>,
    H: Default + BuildHasher,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        field: &ArchivedHashMap<K::Archived, V::Archived>,
        deserializer: &mut D,
    ) -> Result<HashMap<K, V, H>, D::Error> {
        field.deserialize(deserializer)
    }
}

impl<K, H> ArchiveWith<HashSet<K, H>> for Sorted
where
    K: Archive<Archived: Hash + Eq> + Hash + Eq,
{
    type Archived = ArchivedHashSet<K::Archived>;
    type Resolver = HashSetResolver;

    fn resolve_with(field: &HashSet<K, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedHashSet::<K::Archived>::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
    }
}

impl<K, H, S> SerializeWith<HashSet<K, H>, S> for Sorted
where
    K: Serialize<S, Archived: Hash + Eq> + Hash + Ord,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &HashSet<K, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let mut keys: Vec<&K> = field.iter().collect();
        keys.sort_unstable();
        ArchivedHashSet::<K::Archived>::serialize_from_iter::<_, K, _>(
            keys.into_iter(),
            LOAD_FACTOR,
            serializer,
        )
    }
}

impl<K, H, D> DeserializeWith<ArchivedHashSet<K::Archived>, HashSet<K, H>, D> for Sorted
where
    K: Archive<Archived: Deserialize<K, D> + Hash + Eq> + Hash + Eq,
    H: Default + BuildHasher,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        field: &ArchivedHashSet<K::Archived>,
        deserializer: &mut D,
    ) -> Result<HashSet<K, H>, D::Error> {
        field.deserialize(deserializer)
    }
}
