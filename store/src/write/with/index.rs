//! Index maps and sets by their archived keys: their tables; entries keep their order.

use std::hash::{BuildHasher, Hash};

use graven_format::layout::Layout;
use indexmap::{IndexMap, IndexSet};
use rkyv::{
    Place,
    collections::swiss_table::{ArchivedIndexMap, ArchivedIndexSet, IndexMapResolver, IndexSetResolver},
    rancor::{Fallible, Source},
    ser::{Allocator, Writer},
    with::{ArchiveWith, DeserializeWith, SerializeWith},
};

use super::archive::{Key, Keys, Wrapped};
use super::hash::by_hash;
use super::{ArchivedKeys, LOAD_FACTOR, refuse};
use crate::write::stream::Serializer;

impl<KW, VW, K, V, H> ArchiveWith<IndexMap<K, V, H>> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K>,
    VW: ArchiveWith<V>,
{
    type Archived = ArchivedIndexMap<KW::Archived, VW::Archived>;
    type Resolver = IndexMapResolver;

    fn resolve_with(field: &IndexMap<K, V, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedIndexMap::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
    }
}

impl<KW, VW, K, V, H, S> SerializeWith<IndexMap<K, V, H>, S> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K, Archived: Layout + Hash + Eq>
        + SerializeWith<K, S>
        + for<'s> SerializeWith<K, Serializer<'s>>,
    VW: SerializeWith<V, S>,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &IndexMap<K, V, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let keys = Keys::<KW, K>::archive(field.keys()).map_err(refuse)?;
        // Only for the keys that are equal.
        by_hash::<KW, K, S::Error>(&keys)?;
        let entry = |(number, value)| (keys.get(number), Wrapped::<VW, V>::new(value));
        ArchivedIndexMap::<KW::Archived, VW::Archived>::serialize_from_iter::<
            _,
            _,
            _,
            Key<'_, KW, K>,
            Wrapped<'_, VW, V>,
            _,
        >(field.values().enumerate().map(entry), LOAD_FACTOR, serializer)
    }
}

impl<KW, VW, KA, VA, K, V, H, D> DeserializeWith<ArchivedIndexMap<KA, VA>, IndexMap<K, V, H>, D>
    for ArchivedKeys<KW, VW>
where
    KW: DeserializeWith<KA, K, D>,
    VW: DeserializeWith<VA, V, D>,
    K: Hash + Eq,
    H: Default + BuildHasher,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        field: &ArchivedIndexMap<KA, VA>,
        deserializer: &mut D,
    ) -> Result<IndexMap<K, V, H>, D::Error> {
        let mut map = IndexMap::with_capacity_and_hasher(field.len(), H::default());
        for (key, value) in field.iter() {
            map.insert(KW::deserialize_with(key, deserializer)?, VW::deserialize_with(value, deserializer)?);
        }
        Ok(map)
    }
}

impl<KW, VW, K, H> ArchiveWith<IndexSet<K, H>> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K>,
{
    type Archived = ArchivedIndexSet<KW::Archived>;
    type Resolver = IndexSetResolver;

    fn resolve_with(field: &IndexSet<K, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedIndexSet::<KW::Archived>::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
    }
}

impl<KW, VW, K, H, S> SerializeWith<IndexSet<K, H>, S> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K, Archived: Layout + Hash + Eq>
        + SerializeWith<K, S>
        + for<'s> SerializeWith<K, Serializer<'s>>,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &IndexSet<K, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let keys = Keys::<KW, K>::archive(field.iter()).map_err(refuse)?;
        by_hash::<KW, K, S::Error>(&keys)?;
        ArchivedIndexSet::<KW::Archived>::serialize_from_iter::<_, Key<'_, KW, K>, _>(
            (0..keys.len()).map(|number| keys.get(number)),
            LOAD_FACTOR,
            serializer,
        )
    }
}

impl<KW, VW, KA, K, H, D> DeserializeWith<ArchivedIndexSet<KA>, IndexSet<K, H>, D> for ArchivedKeys<KW, VW>
where
    KW: DeserializeWith<KA, K, D>,
    K: Hash + Eq,
    H: Default + BuildHasher,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        field: &ArchivedIndexSet<KA>,
        deserializer: &mut D,
    ) -> Result<IndexSet<K, H>, D::Error> {
        field.iter().map(|key| KW::deserialize_with(key, deserializer)).collect()
    }
}
