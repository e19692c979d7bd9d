//! Keys as they are archived, before the map that they are in is.
//!
//! The only module of `with` that may use `unsafe`: reading what was archived and checked a moment ago.
#![allow(unsafe_code)]

use std::any::type_name;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Range;

use graven_format::Header;
use graven_format::layout::Layout;
use rkyv::{
    Archive, Place, Serialize,
    rancor::Fallible,
    with::{ArchiveWith, SerializeWith},
};

use crate::Cause;
use crate::segment::known::Known;
use crate::write::serialize::serialize;
use crate::write::stream::{Kept, Serializer, Stream};

/// A value, archived as a wrapper says.
pub(super) struct Wrapped<'a, W, T>(pub(super) &'a T, PhantomData<W>);

impl<'a, W, T> Wrapped<'a, W, T> {
    pub(super) fn new(value: &'a T) -> Self {
        Wrapped(value, PhantomData)
    }
}

impl<W: ArchiveWith<T>, T> Archive for Wrapped<'_, W, T> {
    type Archived = W::Archived;
    type Resolver = W::Resolver;

    fn resolve(&self, resolver: Self::Resolver, out: Place<Self::Archived>) {
        W::resolve_with(self.0, resolver, out);
    }
}

impl<W: SerializeWith<T, S>, T, S: Fallible + ?Sized> Serialize<S> for Wrapped<'_, W, T> {
    fn serialize(&self, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        W::serialize_with(self.0, serializer)
    }
}

/// A key that hashes as it is archived.
pub(super) struct Key<'a, W: ArchiveWith<K>, K> {
    key: &'a K,
    archived: &'a W::Archived,
}

impl<'a, W: ArchiveWith<K>, K> Key<'a, W, K> {
    pub(super) fn archived(&self) -> &'a W::Archived {
        self.archived
    }
}

impl<W: ArchiveWith<K>, K> Clone for Key<'_, W, K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W: ArchiveWith<K>, K> Copy for Key<'_, W, K> {}

impl<W: ArchiveWith<K>, K> Archive for Key<'_, W, K> {
    type Archived = W::Archived;
    type Resolver = W::Resolver;

    fn resolve(&self, resolver: Self::Resolver, out: Place<Self::Archived>) {
        W::resolve_with(self.key, resolver, out);
    }
}

impl<W: SerializeWith<K, S>, K, S: Fallible + ?Sized> Serialize<S> for Key<'_, W, K> {
    fn serialize(&self, serializer: &mut S) -> Result<Self::Resolver, S::Error> {
        W::serialize_with(self.key, serializer)
    }
}

impl<W: ArchiveWith<K, Archived: Hash>, K> Hash for Key<'_, W, K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.archived.hash(state);
    }
}
impl<W: ArchiveWith<K, Archived: PartialEq>, K> PartialEq for Key<'_, W, K> {
    fn eq(&self, other: &Self) -> bool {
        self.archived == other.archived
    }
}
impl<W: ArchiveWith<K, Archived: Eq>, K> Eq for Key<'_, W, K> {}
impl<W: ArchiveWith<K, Archived: Ord>, K> PartialOrd for Key<'_, W, K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<W: ArchiveWith<K, Archived: Ord>, K> Ord for Key<'_, W, K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.archived.cmp(other.archived)
    }
}

/// The keys of one map, archived, each apart from the others.
pub(super) struct Keys<'a, W, K> {
    bytes: Kept,
    keys: Vec<WrittenKey<'a, K>>,
    wrapper: PhantomData<W>,
}

struct WrittenKey<'a, K> {
    key: &'a K,
    /// INVARIANT: checked as an object with this root, and aligned as its types are.
    bytes: Range<usize>,
    root: usize,
}

impl<'a, W: ArchiveWith<K, Archived: Layout>, K> Keys<'a, W, K> {
    /// Writes each key as an object of its own, so with all that is asked of one. Compiled once for all kinds of maps.
    pub(super) fn archive(keys: &mut dyn Iterator<Item = &'a K>) -> Result<Self, Cause>
    where
        W: for<'s> SerializeWith<K, Serializer<'s>>,
    {
        let known = Known::of::<W::Archived>();
        let (align, page_size) = (known.schema.max_align(), Header::MAX_PAGE_SIZE);
        if align > page_size {
            return Err(Cause::Overaligned { align, page_size });
        }
        let (mut bytes, mut stream, mut kept) = (Kept::new(), Stream::counting(), Kept::new());
        let archive = |key| -> Result<_, Cause> {
            stream.begin_object();
            stream.keep_object(std::mem::take(&mut kept));
            let root = serialize(&mut stream, known, &Wrapped::<W, K>::new(key));
            kept = stream.kept().unwrap_or_default();
            let root = root.map_err(|cause| stream.rewind(0).unwrap_or(cause))?;
            // Serializing is the user's code, and safe to get wrong. What has been checked is out of its reach.
            bytes.resize(bytes.len().next_multiple_of(align as usize), 0);
            let start = bytes.len();
            bytes.extend_from_slice(&kept);
            known.validator().check(&bytes[start..], root).map_err(|error| Cause::Serialize {
                message: format!("a key of a map (`{}`) is not archived as one: {error}", type_name::<K>()),
            })?;
            Ok(WrittenKey { key, bytes: start..bytes.len(), root: root as usize })
        };
        let keys = keys.map(archive).collect::<Result<_, _>>()?;
        Ok(Keys { bytes, keys, wrapper: PhantomData })
    }

    /// The key of this number.
    pub(super) fn get(&self, number: usize) -> Key<'_, W, K> {
        let WrittenKey { key, bytes, root } = &self.keys[number];
        // SAFETY: `access_pos_unchecked` asks that a valid `W::Archived` be at that position.
        // - valid: `Keys::archive` has checked these bytes with this root, by the layout of `W::Archived`, and nobody can
        //   change them since: they are in the same place in `self.bytes`, which is borrowed.
        // - aligned in memory: `Kept` is aligned to the largest page, `Keys::archive` refuses types of larger alignment,
        //   and these bytes start at a multiple of theirs.
        let archived =
            unsafe { rkyv::api::access_pos_unchecked::<W::Archived>(&self.bytes[bytes.clone()], *root) };
        Key { key, archived }
    }

    /// The bytes of the key of this number: the same wherever it is.
    pub(super) fn bytes(&self, number: usize) -> &[u8] {
        &self.bytes[self.keys[number].bytes.clone()]
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
