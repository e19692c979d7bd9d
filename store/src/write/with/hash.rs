//! Hash maps and sets, and index maps and sets, by their archived keys: the same tables, but that entries of the latter
//! keep their order.

use std::collections::{HashMap, HashSet};
use std::convert::identity;
use std::hash::{BuildHasher, Hash};

use graven_format::layout::Layout;
#[cfg(feature = "indexmap-2")]
use indexmap::{IndexMap, IndexSet};
#[cfg(feature = "indexmap-2")]
use rkyv::collections::swiss_table::{
    ArchivedIndexMap, ArchivedIndexSet, IndexMapResolver, IndexSetResolver,
};
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
fn by_hash<KW, K, E>(keys: &Keys<'_, KW, K>) -> Result<Vec<usize>, E>
where
    KW: ArchiveWith<K, Archived: Layout + Hash + Eq>,
    E: Source,
{
    let hash = |number| hash_value::<_, FxHasher64>(&keys.get(number));
    let order = (0..keys.len()).map(|number| (hash(number), number)).collect();
    let order = ordered(order, &|number| keys.bytes(number), &|a, b| keys.get(a) == keys.get(b));
    order.ok_or_else(|| E::new(EqualKeys::of::<K>()))
}

/// As [`by_hash`], of keys by their hashes; `None` if two are equal. Compiled once, and not for each type of keys: sorting
/// is much code.
fn ordered<'k>(
    mut order: Vec<(u64, usize)>,
    bytes: &dyn Fn(usize) -> &'k [u8],
    equal: &dyn Fn(usize, usize) -> bool,
) -> Option<Vec<usize>> {
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| bytes(a.1).cmp(bytes(b.1))));
    for same in order.chunk_by(|a, b| a.0 == b.0) {
        for (i, (_, key)) in same.iter().enumerate() {
            // Those with equal bytes are side by side.
            let before = &same[i.saturating_sub(COMPARED)..i];
            if before.iter().any(|(_, other)| equal(*other, *key)) {
                return None;
            }
        }
    }
    Some(order.into_iter().map(|(_, number)| number).collect())
}

/// Maps and sets of one kind. `$order` makes the order in which entries are written of the order of their hashes.
macro_rules! tables {
    ($Map:ident $ArchivedMap:ident $MapResolver:ident, $Set:ident $ArchivedSet:ident $SetResolver:ident, $order:expr) => {
        impl<KW, VW, K, V, H> ArchiveWith<$Map<K, V, H>> for ArchivedKeys<KW, VW>
        where
            KW: ArchiveWith<K>,
            VW: ArchiveWith<V>,
        {
            type Archived = $ArchivedMap<KW::Archived, VW::Archived>;
            type Resolver = $MapResolver;

            fn resolve_with(field: &$Map<K, V, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
                $ArchivedMap::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
            }
        }

        impl<KW, VW, K, V, H, S> SerializeWith<$Map<K, V, H>, S> for ArchivedKeys<KW, VW>
        where
            KW: ArchiveWith<K, Archived: Layout + Hash + Eq>
                + SerializeWith<K, S>
                + for<'s> SerializeWith<K, Serializer<'s>>,
            VW: SerializeWith<V, S>,
            S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
        {
            fn serialize_with(field: &$Map<K, V, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
                let keys = Keys::<KW, K>::archive(&mut field.keys()).map_err(refuse)?;
                let values: Vec<&V> = field.values().collect();
                let order = $order(by_hash(&keys)?);
                let entry = |number: &usize| (keys.get(*number), Wrapped::<VW, V>::new(values[*number]));
                $ArchivedMap::<KW::Archived, VW::Archived>::serialize_from_iter::<
                    _,
                    _,
                    _,
                    Key<'_, KW, K>,
                    Wrapped<'_, VW, V>,
                    _,
                >(order.iter().map(entry), LOAD_FACTOR, serializer)
            }
        }

        impl<KW, VW, KA, VA, K, V, H, D> DeserializeWith<$ArchivedMap<KA, VA>, $Map<K, V, H>, D>
            for ArchivedKeys<KW, VW>
        where
            KW: DeserializeWith<KA, K, D>,
            VW: DeserializeWith<VA, V, D>,
            K: Hash + Eq,
            H: Default + BuildHasher,
            D: Fallible + ?Sized,
        {
            fn deserialize_with(
                field: &$ArchivedMap<KA, VA>,
                deserializer: &mut D,
            ) -> Result<$Map<K, V, H>, D::Error> {
                let mut map = $Map::with_capacity_and_hasher(field.len(), H::default());
                for (key, value) in field.iter() {
                    map.insert(
                        KW::deserialize_with(key, deserializer)?,
                        VW::deserialize_with(value, deserializer)?,
                    );
                }
                Ok(map)
            }
        }

        impl<KW, VW, K, H> ArchiveWith<$Set<K, H>> for ArchivedKeys<KW, VW>
        where
            KW: ArchiveWith<K>,
        {
            type Archived = $ArchivedSet<KW::Archived>;
            type Resolver = $SetResolver;

            fn resolve_with(field: &$Set<K, H>, resolver: Self::Resolver, out: Place<Self::Archived>) {
                $ArchivedSet::<KW::Archived>::resolve_from_len(field.len(), LOAD_FACTOR, resolver, out);
            }
        }

        impl<KW, VW, K, H, S> SerializeWith<$Set<K, H>, S> for ArchivedKeys<KW, VW>
        where
            KW: ArchiveWith<K, Archived: Layout + Hash + Eq>
                + SerializeWith<K, S>
                + for<'s> SerializeWith<K, Serializer<'s>>,
            S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
        {
            fn serialize_with(field: &$Set<K, H>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
                let keys = Keys::<KW, K>::archive(&mut field.iter()).map_err(refuse)?;
                let order = $order(by_hash(&keys)?);
                $ArchivedSet::<KW::Archived>::serialize_from_iter::<_, Key<'_, KW, K>, _>(
                    order.iter().map(|number| keys.get(*number)),
                    LOAD_FACTOR,
                    serializer,
                )
            }
        }

        impl<KW, VW, KA, K, H, D> DeserializeWith<$ArchivedSet<KA>, $Set<K, H>, D> for ArchivedKeys<KW, VW>
        where
            KW: DeserializeWith<KA, K, D>,
            K: Hash + Eq,
            H: Default + BuildHasher,
            D: Fallible + ?Sized,
        {
            fn deserialize_with(
                field: &$ArchivedSet<KA>,
                deserializer: &mut D,
            ) -> Result<$Set<K, H>, D::Error> {
                field.iter().map(|key| KW::deserialize_with(key, deserializer)).collect()
            }
        }
    };
}
tables!(HashMap ArchivedHashMap HashMapResolver, HashSet ArchivedHashSet HashSetResolver, identity);
#[cfg(feature = "indexmap-2")]
tables!(IndexMap ArchivedIndexMap IndexMapResolver, IndexSet ArchivedIndexSet IndexSetResolver, as_they_are);

/// The order of entries that keep their own: their hashes are looked at for equal keys only.
#[cfg(feature = "indexmap-2")]
fn as_they_are(order: Vec<usize>) -> Vec<usize> {
    (0..order.len()).collect()
}
