//! Whether lookups in a map find what is in it: the places of hash tables, the order of B-trees.
//!
//! Not a matter of safety: a map that is out of order finds less than it has. It can be told for keys whose hash and
//! order the schema knows; other keys' are their program's, which is asked if it is there.
//!
//! Source: SPEC 6.3, Hash map, Index map, B-tree map.

use alloc::string::{String, ToString};
use core::cmp::Ordering;

use super::error::Result;
use super::key::{Key, KeyKind};
use super::kind::Kind;
use super::map::{EMPTY, GROUP, Table};
use super::own_keys::Keys;
use super::step::Value;
use crate::Schema;
use crate::types::layout::Shape;

/// Groups looked at, for each place of a table, before the rest of its places is not asked any more: with rkyv's hash it
/// is one or two, but keys may have been chosen to collide, and then all of them may lie where they have to.
const MOST_GROUPS: u64 = 32;

impl Schema {
    /// Whether it says of the keys of all its maps how they hash and compare, as it does of strings, integers, bools and
    /// chars. `None`: there are no maps. O(types).
    ///
    /// # Examples
    /// ```
    /// use graven_format::Schema;
    /// use rkyv::{collections::btree_set::ArchivedBTreeSet, net::ArchivedIpv4Addr, string::ArchivedString};
    /// assert_eq!(Schema::of::<ArchivedBTreeSet<ArchivedString>>().knows_keys(), Some(true));
    /// assert_eq!(Schema::of::<ArchivedBTreeSet<ArchivedIpv4Addr>>().knows_keys(), Some(false));
    /// assert_eq!(Schema::of::<ArchivedString>().knows_keys(), None);
    /// ```
    /// Source: SPEC 6.3, Hash map, Index map, B-tree map.
    pub fn knows_keys(&self) -> Option<bool> {
        let key = |shape: &Shape<u32>| match *shape {
            Shape::HashMap { key, .. } | Shape::IndexMap { key, .. } | Shape::BTreeMap { key, .. } => {
                Some(key)
            }
            _ => None,
        };
        let keys = self.types().iter().filter_map(|ty| key(&ty.shape));
        keys.map(|key| KeyKind::of(self.types(), key).is_some()).reduce(|all, known| all && known)
    }
}

/// Bytes of keys that are asked, for each byte of the object: maps may share their keys, and each may be as long as the
/// object.
const MOST_BYTES: u64 = 32;

/// What asking the keys of an object may still cost.
pub(crate) struct Effort {
    bytes_left: u64,
}

impl Effort {
    pub(crate) fn for_object(object: &[u8]) -> Effort {
        Effort { bytes_left: (object.len() as u64).saturating_mul(MOST_BYTES) }
    }

    /// Whether a key of so many bytes is asked.
    fn spend(&mut self, bytes: u64) -> bool {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.unwrap_or(self.bytes_left);
        left.is_some()
    }
}

/// The entries of a map of that type at a place of an object whose structure is valid.
pub(crate) fn count(object: &[u8], schema: &Schema, (ty, at): (u32, u64)) -> u64 {
    Value { object, schema, ty, at, len: 0 }.len().unwrap_or(0)
}

/// The map of a type at a place of an object whose structure is valid: what is out of order in it, if anything. By its
/// program's `keys`, if they are known. Where `effort` ends, nothing is found.
///
/// O(entries), times their depth for B-trees, and the bytes of texts that are keys.
pub(crate) fn disorder(
    object: &[u8],
    schema: &Schema,
    (ty, at): (u32, u64),
    keys: Option<Keys<'_>>,
    effort: &mut Effort,
) -> Option<String> {
    let map = Value { object, schema, ty, at, len: 0 };
    match map.find_disorder(keys, effort) {
        Ok(found) => found,
        Err(error) => Some(error.to_string()),
    }
}

impl<'a> Value<'a> {
    fn find_disorder(&self, keys: Option<Keys<'_>>, effort: &mut Effort) -> Result<Option<String>> {
        match self.ty().shape {
            Shape::HashMap { key, value } => {
                let layout = self.entry_layout(key, value)?;
                let (_, Some(table)) = self.table(layout.size, layout.align)? else { return Ok(None) };
                self.misplaced(table, key, keys, effort, |place| Ok(Some(place)))
            }
            Shape::IndexMap { key, value } => {
                let layout = self.entry_layout(key, value)?;
                let (count, Some(table)) = self.index_table()? else { return Ok(None) };
                let start = self.row(layout, count)?;
                let mut met = alloc::vec![false; count as usize];
                self.misplaced(table, key, keys, effort, |place| {
                    let index = self.word(place)?;
                    let twice = core::mem::replace(&mut met[index as usize], true);
                    Ok((!twice).then_some(start + index * layout.size))
                })
            }
            Shape::BTreeMap { key, .. } if let Some(keys) = keys => {
                let (mut last, kind) = (None, self.key_kind(key));
                for (number, entry) in self.entries()?.enumerate() {
                    let (key, _) = entry?;
                    if !effort.spend(key.key_bytes(kind)?) {
                        return Ok(None);
                    }
                    let at = key.at;
                    if let Some(last) = last.replace(at)
                        && keys.compare(last, at) != Some(Ordering::Less)
                    {
                        return Ok(Some(alloc::format!("key {number} is not above the one before it")));
                    }
                }
                Ok(None)
            }
            Shape::BTreeMap { key, .. } if let Some(kind) = self.key_kind(key) => {
                let mut last: Option<Key<'a>> = None;
                for (number, entry) in self.entries()?.enumerate() {
                    let (key, _) = entry?;
                    if !effort.spend(key.key_bytes(Some(kind))?) {
                        return Ok(None);
                    }
                    if let Some(last) = last
                        && last.compare(key)? != Ordering::Less
                    {
                        return Ok(Some(alloc::format!("key {number} is not above the one before it")));
                    }
                    last = key.as_key()?;
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The first entry of a table that a lookup of its key does not end at. `entry` says where the entry of a place is;
    /// none if another place has led to it.
    fn misplaced(
        &self,
        table: Table,
        key: u32,
        keys: Option<Keys<'_>>,
        effort: &mut Effort,
        mut entry: impl FnMut(u64) -> Result<Option<u64>>,
    ) -> Result<Option<String>> {
        let kind = self.key_kind(key);
        // Neither overflows: there are as many control bytes.
        let places = table.capacity.next_multiple_of(GROUP);
        let modulus = (places + GROUP - 1).next_power_of_two();
        let control = self.bytes(table.control, places + GROUP - 1)?;
        let used = |place: &u64| control[*place as usize] < 0x80;
        // Of each place that is used, where its entry is, its key's hash, and how long that is.
        let mut known = alloc::vec![(0, 0, 0); table.capacity as usize];
        for place in (0..table.capacity).filter(used) {
            let wrong = |what: &str| Ok(Some(alloc::format!("the entry at place {place} {what}")));
            let Some(at) = entry(table.place(place))? else { return wrong("is there twice") };
            let long = self.place(key, at, 0)?.key_bytes(kind)?;
            if !effort.spend(long) {
                return Ok(None);
            }
            let hash = match (keys.and_then(|keys| keys.hash(at)), kind) {
                (None, Some(kind)) => Some(self.place(key, at, 0)?.hash(kind)?),
                (own, _) => own,
            };
            let Some(hash) = hash else { continue };
            if u64::from(control[place as usize]) != hash >> 57 {
                return wrong("has not the hash that its control byte says");
            }
            known[place as usize] = (at, hash, long);
        }
        if kind.is_none() && keys.is_none() {
            return Ok(None);
        }
        let mut groups_left = table.capacity.saturating_mul(MOST_GROUPS);
        for place in (0..table.capacity).filter(used) {
            let (at, hash, long) = known[place as usize];
            let wrong = |what: &str| Ok(Some(alloc::format!("the entry at place {place} {what}")));
            let (mut position, mut stride) = (hash % table.capacity, 0);
            'groups: loop {
                if position < places {
                    let Some(left) = groups_left.checked_sub(1) else { return Ok(None) };
                    groups_left = left;
                    let group = &control[position as usize..][..GROUP as usize];
                    for (j, _) in (0..).zip(group).filter(|(_, byte)| u64::from(**byte) == hash >> 57) {
                        let met = (position + j) % table.capacity;
                        if met == place {
                            break 'groups;
                        }
                        let (other, its_hash, _) = known[met as usize];
                        if its_hash == hash && !effort.spend(long) {
                            return Ok(None);
                        }
                        let equal = its_hash == hash
                            && match keys.and_then(|keys| keys.equal(at, other)) {
                                Some(equal) => equal,
                                None => {
                                    self.place(key, at, 0)?.as_key()?
                                        == self.place(key, other, 0)?.as_key()?
                                }
                            };
                        if equal {
                            return wrong(&alloc::format!("has the key of that at place {met}"));
                        }
                    }
                    if group.contains(&EMPTY) {
                        return wrong("is not where a lookup finds it");
                    }
                }
                stride += GROUP;
                position = (position + stride) % modulus;
            }
        }
        Ok(None)
    }

    /// The value as a key to look up, if it can be one.
    fn as_key(&self) -> Result<Option<Key<'a>>> {
        let value = self.resolve()?;
        Ok(match value.kind() {
            Kind::String => Some(Key::Str(value.as_str()?)),
            Kind::Bool => Some(Key::Bool(value.as_bool()?)),
            Kind::Char => Some(Key::Char(value.as_char()?)),
            Kind::Unsigned => Some(Key::Unsigned(value.as_u128()?)),
            Kind::Signed => Some(Key::Signed(value.as_i128()?)),
            _ => None,
        })
    }

    /// What may be long of a key: a text, which may be that of many keys.
    fn key_bytes(&self, kind: Option<KeyKind>) -> Result<u64> {
        match kind {
            Some(KeyKind::Text) => self.len(),
            _ => Ok(0),
        }
    }

    fn hash(&self, kind: KeyKind) -> Result<u64> {
        Ok(self.as_key()?.map_or(0, |key| key.hash(kind)))
    }
}
