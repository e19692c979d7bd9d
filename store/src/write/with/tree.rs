//! B-tree maps and sets by their archived keys.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use graven_format::layout::Layout;
use rkyv::{
    Place,
    collections::{
        btree_map::{ArchivedBTreeMap, BTreeMapResolver},
        btree_set::{ArchivedBTreeSet, BTreeSetResolver},
    },
    rancor::{Fallible, Source},
    ser::{Allocator, Writer},
    with::{ArchiveWith, DeserializeWith, SerializeWith},
};

use super::archive::{Key, Keys, Wrapped};
use super::{ArchivedKeys, EqualKeys, refuse};
use crate::write::stream::Serializer;

/// The numbers of the keys in the order of the archived ones.
fn by_order<KW, K, E>(keys: &Keys<'_, KW, K>) -> Result<Vec<usize>, E>
where
    KW: ArchiveWith<K, Archived: Layout + Ord>,
    E: Source,
{
    let order = ordered(keys.len(), &|a, b| keys.get(a).cmp(&keys.get(b)));
    order.ok_or_else(|| E::new(EqualKeys::of::<K>()))
}

/// So many numbers in this order; `None` if two are equal. Compiled once, and not for each type of keys: sorting is much code.
fn ordered(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Option<Vec<usize>> {
    let ascend = |order: &[usize]| order.is_sorted_by(|a, b| compare(*a, *b) == Ordering::Less);
    let mut order: Vec<usize> = (0..count).collect();
    // Mostly they do.
    if !ascend(&order) {
        order.sort_by(|a, b| compare(*a, *b));
        if !ascend(&order) {
            return None;
        }
    }
    Some(order)
}

impl<KW, VW, K, V> ArchiveWith<BTreeMap<K, V>> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K>,
    VW: ArchiveWith<V>,
{
    type Archived = ArchivedBTreeMap<KW::Archived, VW::Archived>;
    type Resolver = BTreeMapResolver;

    fn resolve_with(field: &BTreeMap<K, V>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedBTreeMap::resolve_from_len(field.len(), resolver, out);
    }
}

impl<KW, VW, K, V, S> SerializeWith<BTreeMap<K, V>, S> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K, Archived: Layout + Ord>
        + SerializeWith<K, S>
        + for<'s> SerializeWith<K, Serializer<'s>>,
    VW: SerializeWith<V, S>,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &BTreeMap<K, V>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let keys = Keys::<KW, K>::archive(&mut field.keys()).map_err(refuse)?;
        let values: Vec<&V> = field.values().collect();
        let order = by_order(&keys)?;
        let entry = |number: &usize| (keys.get(*number), Wrapped::<VW, V>::new(values[*number]));
        ArchivedBTreeMap::<KW::Archived, VW::Archived>::serialize_from_ordered_iter::<
            _,
            _,
            _,
            Key<'_, KW, K>,
            Wrapped<'_, VW, V>,
            _,
        >(order.iter().map(entry), serializer)
    }
}

impl<KW, VW, KA, VA, K, V, D> DeserializeWith<ArchivedBTreeMap<KA, VA>, BTreeMap<K, V>, D>
    for ArchivedKeys<KW, VW>
where
    KW: DeserializeWith<KA, K, D>,
    VW: DeserializeWith<VA, V, D>,
    K: Ord,
    D: Fallible + ?Sized,
{
    fn deserialize_with(
        field: &ArchivedBTreeMap<KA, VA>,
        deserializer: &mut D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        let mut map = BTreeMap::new();
        let mut insert = |key: &KA, value: &VA| {
            map.insert(KW::deserialize_with(key, deserializer)?, VW::deserialize_with(value, deserializer)?);
            Ok(())
        };
        let failed = field.visit(|key, value| match insert(key, value) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        });
        failed.map_or(Ok(map), Err)
    }
}

impl<KW, VW, K> ArchiveWith<BTreeSet<K>> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K>,
{
    type Archived = ArchivedBTreeSet<KW::Archived>;
    type Resolver = BTreeSetResolver;

    fn resolve_with(field: &BTreeSet<K>, resolver: Self::Resolver, out: Place<Self::Archived>) {
        ArchivedBTreeSet::<KW::Archived>::resolve_from_len(field.len(), resolver, out);
    }
}

impl<KW, VW, K, S> SerializeWith<BTreeSet<K>, S> for ArchivedKeys<KW, VW>
where
    KW: ArchiveWith<K, Archived: Layout + Ord>
        + SerializeWith<K, S>
        + for<'s> SerializeWith<K, Serializer<'s>>,
    S: Fallible<Error: Source> + Writer + Allocator + ?Sized,
{
    fn serialize_with(field: &BTreeSet<K>, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        let keys = Keys::<KW, K>::archive(&mut field.iter()).map_err(refuse)?;
        let order = by_order(&keys)?;
        ArchivedBTreeSet::<KW::Archived>::serialize_from_ordered_iter::<_, Key<'_, KW, K>, _>(
            order.iter().map(|number| keys.get(*number)),
            serializer,
        )
    }
}

impl<KW, VW, KA, K, D> DeserializeWith<ArchivedBTreeSet<KA>, BTreeSet<K>, D> for ArchivedKeys<KW, VW>
where
    KW: DeserializeWith<KA, K, D>,
    K: Ord,
    D: Fallible + ?Sized,
{
    fn deserialize_with(field: &ArchivedBTreeSet<KA>, deserializer: &mut D) -> Result<BTreeSet<K>, D::Error> {
        let mut set = BTreeSet::new();
        let failed = field.visit(|key| match KW::deserialize_with(key, deserializer) {
            Ok(key) => {
                set.insert(key);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        });
        failed.map_or(Ok(set), Err)
    }
}
