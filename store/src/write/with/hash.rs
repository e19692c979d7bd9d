//! Hash maps and sets by their archived keys.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use graven_format::layout::Layout;
use rkyv::{
    Place,
    collections::swiss_table::{ArchivedHashMap, ArchivedHashSet, HashMapResolver, HashSetResolver},
    hash::{FxHasher64, hash_value},
    rancor::{Fallible, Source},
    ser::{Allocator, Writer},
    with::{ArchiveWith, DeserializeWith, SerializeWith},
};

use super::archive::{Key, Keys, Wrapped};
use super::{ArchivedKeys, EqualKeys, LOAD_FACTOR, refuse};
use crate::write::stream::Serializer;

/// How many keys of the same hash each is compared with: whoever chooses the keys can make all hashes equal. An equal key
/// farther away is for writers to find, who look for every key of a map.
const COMPARED: usize = 32;

/// The numbers of the keys in the order in which they are written: by hash, and where hashes are equal by the bytes of
/// the archived key.
pub(super) fn by_hash<KW, K, E>(keys: &Keys<'_, KW, K>) -> Result<Vec<usize>, E>
where
    KW: ArchiveWith<K, Archived: Layout + Hash + Eq>,
    E: Source,
{
    let hash = |number| hash_value::<_, FxHasher64>(&keys.get(number));
    let mut order: Vec<(u64, usize)> = (0..keys.len()).map(|number| (hash(number), number)).collect();
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| keys.bytes(a.1).cmp(keys.bytes(b.1))));
    for same in order.chunk_by(|a, b| a.0 == b.0) {
        for (i, (_, key)) in same.iter().enumerate() {
            // Those with equal bytes are side by side.
            let before = &same[i.saturating_sub(COMPARED)..i];
            if before.iter().any(|(_, other)| keys.get(*other) == keys.get(*key)) {
                return Err(E::new(EqualKeys::of::<K>()));
            }
        }
    }
    Ok(order.into_iter().map(|(_, number)| number).collect())
}

impl<KW, VW, K, V, H> ArchiveWith<HashMap<K, V, H>> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K>,
    VW: ArchiveWith<V>,
{
    type Archived = ArchivedHashMap<KW::Archived, VW::Archived>;
    type Resolver = HashMapResolver;

    fn resolve_with(field: &HashMap<K, V, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedHashMap::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
    }
}

impl<KW, VW, K, V, H, S> SerializeWith<HashMap<K, V, H>, S> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K, Archived: Layout + Hash + Eq>
        + SerializeWith<K, S>
        + for<'s> SerializeWith<K, Serializer<'s>>,
    VW: SerializeWith<V, S>,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &HashMap<K, V, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let keys = Keys::<KW, K>::archive(field.keys()).map_err(refuse)?;
        let values: Vec<&V> = field.values().collect();
        let order = by_hash(&keys)?;
        let entry = |number: &usize| (keys.get(*number), Wrapped::<VW, V>::new(values[*number]));
        ArchivedHashMap::<KW::Archived, VW::Archived>::serialize_from_iter::<
            _,
            _,
            _,
            Key<'_, KW, K>,
            Wrapped<'_, VW, V>,
            _,
        >(order.iter().map(entry), LOAD_FACTOR, serializer)
    }
}

impl<KW, VW, KA, VA, K, V, H, D> DeserializeWith<ArchivedHashMap<KA, VA>, HashMap<K, V, H>, D>
    for ArchivedKeys<KW, VW>
where
    KW: DeserializeWith<KA, K, D>,
    VW: DeserializeWith<VA, V, D>,
    K: Hash + Eq,
    H: Default + BuildHasher,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        field: &ArchivedHashMap<KA, VA>,
        deserializer: &mut D,
    ) -> Result<HashMap<K, V, H>, D::Error> {
        let mut map = HashMap::with_capacity_and_hasher(field.len(), H::default());
        for (key, value) in field.iter() {
            map.insert(KW::deserialize_with(key, deserializer)?, VW::deserialize_with(value, deserializer)?);
        }
        Ok(map)
    }
}

impl<KW, VW, K, H> ArchiveWith<HashSet<K, H>> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K>,
{
    type Archived = ArchivedHashSet<KW::Archived>;
    type Resolver = HashSetResolver;

    fn resolve_with(field: &HashSet<K, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedHashSet::<KW::Archived>::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
    }
}

impl<KW, VW, K, H, S> SerializeWith<HashSet<K, H>, S> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K, Archived: Layout + Hash + Eq>
        + SerializeWith<K, S>
        + for<'s> SerializeWith<K, Serializer<'s>>,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &HashSet<K, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let keys = Keys::<KW, K>::archive(field.iter()).map_err(refuse)?;
        let order = by_hash(&keys)?;
        ArchivedHashSet::<KW::Archived>::serialize_from_iter::<_, Key<'_, KW, K>, _>(
            order.iter().map(|number| keys.get(*number)),
            LOAD_FACTOR,
            serializer,
        )
    }
}

impl<KW, VW, KA, K, H, D> DeserializeWith<ArchivedHashSet<KA>, HashSet<K, H>, D> for ArchivedKeys<KW, VW>
where
    KW: DeserializeWith<KA, K, D>,
    K: Hash + Eq,
    H: Default + BuildHasher,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        field: &ArchivedHashSet<KA>,
        deserializer: &mut D,
    ) -> Result<HashSet<K, H>, D::Error> {
        field.iter().map(|key| KW::deserialize_with(key, deserializer)).collect()
    }
}
