//! Handles on archived values: a pointer into a segment, and the segment kept alive.
#![allow(unsafe_code)]

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

use rkyv::api::high::HighDeserializer;
use rkyv::rancor::BoxedError;
use rkyv::{Archive, Deserialize};

use crate::{Cause, Error, Segment};

/// A whole object, adopted: its layout compared and its bytes validated. Dereferences to the archived value.
pub type Adopted<T> = Part<<T as Archive>::Archived>;

/// An archived value in a segment, or a part of one. Dereferences to it.
///
/// Owned and cheap to clone; the segment's memory lives as long as the last handle on it. There is no way to a `&mut`:
/// segments are never edited.
///
/// # Examples
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("pair.grv");
/// graven_store::write(&path, &("name".to_string(), vec![1u8, 2, 3]))?;
/// let pair = graven_store::Segment::read(&path)?.root::<(String, Vec<u8>)>()?;
/// let bytes = pair.project(|pair| &pair.1);
/// drop(pair);
/// assert_eq!(bytes.as_slice(), [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Part<U: ?Sized> {
    /// INVARIANT: points to a valid `U` in the memory of `segment`, or anywhere for the whole life of the process.
    value: NonNull<U>,
    segment: Segment,
}

// SAFETY: a `Part` gives out `&U` only, so handing one to another thread needs `U: Sync`, like `&U` itself and like
// `Arc<U>` would if it could never be unwrapped. The segment is `Send + Sync`.
unsafe impl<U: ?Sized + Sync> Send for Part<U> {}
// SAFETY: as above.
unsafe impl<U: ?Sized + Sync> Sync for Part<U> {}

impl<U> Part<U> {
    /// # Safety
    /// At `position` of the segment is a valid `U`: in bounds, aligned, all of its own pointers within the segment.
    pub(crate) unsafe fn new(segment: Segment, position: usize) -> Part<U> {
        let start = NonNull::from(segment.as_bytes()).cast::<u8>();
        // SAFETY: `add` asks that the position be within the same memory: our caller's promise.
        let value = unsafe { start.add(position) }.cast::<U>();
        Part { value, segment }
    }

    /// The value that this was archived from. Cost: one allocation for each of the value's own.
    ///
    /// rkyv's deserializer recurses, like its serializer: see [`Writer::put`](crate::Writer::put).
    ///
    /// # Errors
    /// [`Cause::Deserialize`] (EINVAL): the type's `Deserialize` refused.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("list.grv");
    /// graven_store::write(&path, &vec![7u32, 8])?;
    /// let list: Vec<u32> = graven_store::Segment::read(&path)?.root::<Vec<u32>>()?.deserialize()?;
    /// assert_eq!(list, [7, 8]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deserialize<T>(&self) -> crate::Result<T>
    where
        T: Archive<Archived = U>,
        U: Deserialize<T, HighDeserializer<BoxedError>>,
    {
        rkyv::deserialize::<T, BoxedError>(&**self)
            .map_err(|error| Error::new(Cause::Deserialize { message: error.to_string() }))
            .map_err(|error| self.segment.failed(error).of_type::<T>())
    }
}

impl<U: ?Sized + 'static> Part<U> {
    /// A handle on a part of this value. O(1).
    ///
    /// # Examples
    /// See [`Part`].
    pub fn project<V: ?Sized + 'static>(&self, part: impl for<'a> FnOnce(&'a U) -> &'a V) -> Part<V> {
        // INVARIANT: the closure works for every lifetime, so what it returns lies in the value or is static. Both types are
        // without borrows: for others the signature would imply that they outlive the lifetime, so that it were not every
        // one, and the closure could return what it has borrowed elsewhere.
        Part { value: NonNull::from(part(self)), segment: self.segment.clone() }
    }

    /// A handle on a part of this value, or the reason why there is none. O(1).
    ///
    /// # Errors
    /// The closure's.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("list.grv");
    /// graven_store::write(&path, &vec![7u32])?;
    /// let list = graven_store::Segment::read(&path)?.root::<Vec<u32>>()?;
    /// assert!(list.try_project(|list| list.get(1).ok_or("too short")).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_project<V: ?Sized + 'static, E>(
        &self,
        part: impl for<'a> FnOnce(&'a U) -> Result<&'a V, E>,
    ) -> Result<Part<V>, E> {
        Ok(Part { value: NonNull::from(part(self)?), segment: self.segment.clone() })
    }
}

impl<U: ?Sized> Part<U> {
    /// The segment it lies in.
    pub fn segment(&self) -> &Segment {
        &self.segment
    }
}

impl<U: ?Sized> Deref for Part<U> {
    type Target = U;

    fn deref(&self) -> &U {
        // SAFETY: the invariant of `value`: it points to a valid `U`, whose memory `segment` keeps alive and which
        // nobody changes.
        unsafe { self.value.as_ref() }
    }
}

impl<U: ?Sized> Clone for Part<U> {
    fn clone(&self) -> Part<U> {
        Part { value: self.value, segment: self.segment.clone() }
    }
}

impl<U: ?Sized + fmt::Debug> fmt::Debug for Part<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        U::fmt(self, f)
    }
}
