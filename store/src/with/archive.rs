//! Keys as they are archived, before the map that they are in is.
//!
//! The only module of `with` that may use `unsafe`: reading what was archived a moment ago.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Range;

use rkyv::{
    Archive, Place, Portable, Serialize,
    rancor::{BoxedError, Fallible, Strategy},
    ser::{
        Positional, WriterExt,
        allocator::{Arena, ArenaHandle},
        sharing::Share,
    },
    util::AlignedVec,
    with::{ArchiveWith, SerializeWith},
};

/// The most that the alignment of a key may be: that of the largest page.
const ALIGN: usize = 4096;
/// What each key's bytes start at a multiple of, so that they are the same wherever that is.
const START: usize = 16;

/// What keys are archived with before their map is: the bound on keys is `KW: for<'a> SerializeWith<K, Scratch<'a>>`.
pub type Scratch<'a> = Strategy<rkyv::ser::Serializer<AlignedVec<ALIGN>, ArenaHandle<'a>, Share>, BoxedError>;

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
    bytes: AlignedVec<ALIGN>,
    /// Each key and the bytes of its own. INVARIANT: the archived key is what they end with.
    keys: Vec<(&'a K, Range<usize>)>,
    wrapper: PhantomData<W>,
}

impl<'a, W: ArchiveWith<K>, K> Keys<'a, W, K> {
    pub(super) fn archive(keys: impl Iterator<Item = &'a K>) -> Result<Self, BoxedError>
    where
        W: for<'s> SerializeWith<K, Scratch<'s>>,
    {
        const { assert!(align_of::<W::Archived>() <= ALIGN, "a key's alignment is at most 4096") }
        let (mut bytes, mut arena) = (AlignedVec::new(), Arena::new());
        let archive = |key| {
            WriterExt::<BoxedError>::align(&mut bytes, START)?;
            let start = bytes.pos();
            bytes = rkyv::api::high::to_bytes_in_with_alloc(
                &Wrapped::<W, K>::new(key),
                std::mem::take(&mut bytes),
                arena.acquire(),
            )?;
            Ok((key, start..bytes.len()))
        };
        let keys = keys.map(archive).collect::<Result<_, _>>()?;
        Ok(Keys { bytes, keys, wrapper: PhantomData })
    }

    /// The key of this number.
    pub(super) fn get(&self, number: usize) -> Key<'_, W, K> {
        let (key, bytes) = &self.keys[number];
        Key { key, archived: root(&self.bytes[..bytes.end]) }
    }

    /// The bytes of the key of this number: the same wherever it is.
    pub(super) fn bytes(&self, number: usize) -> &[u8] {
        &self.bytes[self.keys[number].1.clone()]
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The value that was serialized last, at the end of `bytes`.
fn root<T: Portable>(bytes: &[u8]) -> &T {
    // SAFETY: `access_unchecked` asks that a valid `T` be where a root is, as near to the end as it fits.
    // - rkyv's serializer has put it there: it aligns, resolves the root and writes nothing behind it (`Keys::archive`
    //   and the invariant of `Keys::keys`; `T` is the archived type of what was serialized).
    // - aligned in memory: the bytes start at a multiple of `ALIGN`, which is no less than `T`'s alignment.
    unsafe { rkyv::access_unchecked::<T>(bytes) }
}
