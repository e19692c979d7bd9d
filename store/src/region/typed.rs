//! Regions that hold an archived value, edited in place.
//!
//! The body is a segment with the value as its root. Its header, schema and directory never change, so whoever attaches
//! compares layouts as for any segment; only the object's checksum is as it was in the beginning. The value is validated
//! when attaching, and again after a holder died in the middle of an edit; in between, edits through `Seal` keep it valid.
//!
//! What the layout says, that is. An equal layout does not make a valid value of a type that has invariants of its own: it
//! could be edited through another type, whose author knows nothing of them. So such a region is attached only with types
//! whose invariants have the same names at the same places, which tells honest mistakes; and, since names prove nothing, a
//! handle whose type has invariants asks them again whenever it gets the lock and anybody else had it exclusively since:
//! the header page counts. What was edited through the handle itself was edited through its type.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::path::Path;
use std::ptr::NonNull;
use std::time::Duration;

use graven_format::Schema;
use graven_format::layout::Layout;
use rkyv::seal::Seal;
use rkyv::{Archive, Portable, Serialize};

use super::any::{AnyRegion, PATIENCE};
use super::guard::{Guard, Locked, SharedGuard};
use super::handle::Region;
use super::options::RegionOptions;
use super::root::Root;
use crate::os::ofd::Sharing;
use crate::os::sync::Counter;
use crate::segment::known::Known;
use crate::{Error, RegionError, Result, Segment, Serializer, Timeout, encoded_len, write_at};

impl RegionOptions {
    /// Creates a region that holds `value`, archived, to be edited in place. Its size is what the value takes; what was
    /// set by [`size`](RegionOptions::size) does not matter.
    ///
    /// # Errors
    /// As [`create`](RegionOptions::create) and [`write_at`].
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir_in("/dev/shm")?;
    /// # let dir = dir.path();
    /// use graven_store::{Store, Timeout};
    /// // SAFETY: only this program writes below `dir`.
    /// let store = unsafe { Store::open(dir)? };
    /// let scores = store.region("scores").create_with(&vec![1u32, 2, 3])?;
    /// let mut guard = scores.lock()?;
    /// let list = rkyv::vec::ArchivedVec::as_slice_seal(guard.seal());
    /// list.unseal()[1] = 20.into();
    /// drop(guard);
    ///
    /// let other = store.region("scores").attach_as::<Vec<u32>>(Timeout::Now)?; // in any process
    /// assert_eq!(other.lock_shared(Timeout::Now)?[1], 20);
    /// let raw = store.region("scores").attach(Timeout::Now)?;
    /// assert_eq!(raw.write_at(0, b"x").unwrap_err().errno(), 1); // EPERM
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 16.1.
    pub fn create_with<T>(self, value: &T) -> Result<Region<T>>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        let (length, root) = (encoded_len(value)?, Cell::new(Root::NONE));
        let any = self.create_from(true, length, true, fill(value, &root))?;
        Ok(Region::of_value(any, root.take()))
    }

    /// Attaches to the region if it holds a `T`, or creates it with `value` if there is none.
    ///
    /// # Errors
    /// As [`create_or_attach`](RegionOptions::create_or_attach), [`create_with`](RegionOptions::create_with) and
    /// [`attach_as`](RegionOptions::attach_as).
    pub fn create_or_attach_with<T>(self, value: &T) -> Result<Region<T>>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        // What is there may be smaller than this value.
        let options = self.size(0);
        let length = encoded_len(value)?;
        let root = Cell::new(Root::NONE);
        let create = || options.create_once(false, length, true, fill(value, &root));
        let any = options.create_or_attach_from(true, create)?;
        match any.created {
            true => Ok(Region::of_value(any, root.take())),
            false => Region::typed(any, PATIENCE),
        }
    }

    /// Attaches to a region that holds a `T`, waiting for it if there is none yet. Its layout is compared and the value
    /// validated, on a copy, which takes a shared lock: waiting for that as long as it takes with [`Timeout::Forever`], else
    /// for 2 s.
    ///
    /// # Errors
    /// - As [`attach`](RegionOptions::attach).
    /// - [`RegionError::Untyped`] (EINVAL): it holds bytes.
    /// - [`Cause::Layout`](crate::Cause::Layout) (EINVAL), with what differs; [`Cause::Contents`](crate::Cause::Contents)
    ///   (EINVAL): not valid, as its last editor died. [`load`](Region::load) through a handle that is attached repairs it.
    /// - [`RegionError::StillLocked`] (ETIMEDOUT): somebody has had the lock for 2 s.
    /// - [`RegionError::OtherInvariants`] (EINVAL): of equal layout, but with invariants (`#[rkyv(bytecheck(verify))]`, a
    ///   `CheckBytes` of its own, opaque) where this type has none, or has those of a type of another name.
    pub fn attach_as<T>(self, timeout: Timeout) -> Result<Region<T>>
    where
        T: Archive<Archived: Layout>,
    {
        let any = self.attach_waiting(timeout)?;
        let patience = if timeout == Timeout::Forever { timeout } else { PATIENCE };
        Region::typed(any, patience)
    }
}

/// Checks that the value of a region has invariants of its own where the type that it is attached with has them, of types
/// of the same names. Their layouts are equal.
fn same_invariants(segment: &Segment, known: &Schema) -> Result<()> {
    let names = |schema: &Schema| -> Vec<Option<String>> {
        schema.types().iter().map(|ty| ty.invariants.then(|| ty.name.to_string())).collect()
    };
    for entry in segment.schema() {
        let (kept, asked) = (names(&entry?.1), names(known));
        let mut pairs = kept.into_iter().zip(asked);
        if let Some((kept, asked)) = pairs.find(|(kept, asked)| kept != asked) {
            return Err(Error::new(RegionError::OtherInvariants { kept, asked }));
        }
    }
    Ok(())
}

/// Writes the value behind the header page, checks it as whoever attaches would, and says where it is.
fn fill<'a, T>(
    value: &'a T,
    root: &'a Cell<Root>,
) -> impl Fn(&std::fs::File, u64, u64) -> Result<()> + use<'a, T>
where
    T: Archive<Archived: Layout> + for<'s> Serialize<Serializer<'s>>,
{
    move |file, offset, length| {
        write_at(file.as_fd(), offset, length, value)?;
        // SAFETY: `Segment::map_at` asks that nobody change or cut the bytes while they are mapped: the file has no name
        // yet that others know, and this thread is here until the segment is dropped.
        let segment = unsafe { Segment::map_at(file, offset, length) }?;
        root.set(Root::of::<T>(&segment)?);
        Ok(())
    }
}

impl<T> Region<T>
where
    T: Archive<Archived: Layout>,
{
    /// A handle on a value that was valid before anybody could edit it.
    fn of_value(any: AnyRegion, root: Root) -> Region<T> {
        Region { any, root, checked: Counter::new(), _holds: PhantomData }
    }

    /// A handle on a value that was there, after a look at it that waits so long for the lock.
    fn typed(any: AnyRegion, timeout: Timeout) -> Result<Region<T>> {
        if !any.header.typed {
            return Err(any.failed(RegionError::Untyped));
        }
        let mut region = Region { any, root: Root::NONE, checked: Counter::new(), _holds: PhantomData };
        let locked = region.locked(None, Sharing::Shared, timeout)?;
        let edits = locked.edits();
        let guard = SharedGuard::bytes(locked);
        let root = Segment::from_bytes(&*guard).and_then(|segment| {
            let root = Root::of::<T>(&segment)?;
            same_invariants(&segment, &Known::of::<T::Archived>().schema)?;
            Ok(root)
        });
        drop(guard);
        region.checked.set(edits);
        region.root = root.map_err(|error| region.any.failed(error))?;
        Ok(region)
    }

    /// Locks the value, waiting as long as it takes, to edit it by [`seal`](Guard::seal).
    ///
    /// If a holder died before it gave back the lock, the value is validated first. So is a value of a type that has
    /// invariants of its own whenever another handle, of this process or another, has had the exclusive lock since this one
    /// had any: O(bytes that can be wrong). Who comes first is as for
    /// [regions of bytes](Region::<[u8]>::lock).
    ///
    /// # Errors
    /// - [`Cause::Contents`](crate::Cause::Contents) (EINVAL): a holder died and left no valid value, or somebody has broken
    ///   an invariant of the type. Nobody gets the lock until [`load`](Region::load) has replaced it.
    /// - [`RegionError::Deadlock`] (EDEADLK); [`RegionError::ReadOnly`], [`Cause::Forked`](crate::Cause::Forked) (EPERM).
    ///
    /// # Examples
    /// See [`RegionOptions::create_with`].
    pub fn lock(&self) -> Result<Guard<'_, T::Archived>>
    where
        T::Archived: Send,
    {
        self.edit(Timeout::Forever)
    }

    /// Locks the value if nobody has it.
    ///
    /// # Errors
    /// [`RegionError::Locked`] (EAGAIN); else as [`lock`](Region::lock).
    pub fn try_lock(&self) -> Result<Guard<'_, T::Archived>>
    where
        T::Archived: Send,
    {
        self.edit(Timeout::Now)
    }

    /// Locks the value, waiting at most so long.
    ///
    /// # Errors
    /// [`RegionError::StillLocked`] (ETIMEDOUT); else as [`lock`](Region::lock).
    pub fn lock_within(&self, time: Duration) -> Result<Guard<'_, T::Archived>>
    where
        T::Archived: Send,
    {
        self.edit(Timeout::Within(time))
    }

    /// Locks the value for reading: any number may hold it so, and read-only attachments too.
    ///
    /// # Errors
    /// As [`lock`](Region::lock), [`try_lock`](Region::try_lock) and [`lock_within`](Region::lock_within), but for
    /// `ReadOnly`.
    pub fn lock_shared(&self, timeout: Timeout) -> Result<SharedGuard<'_, T::Archived>>
    where
        T::Archived: Sync,
    {
        let locked = self.validated(self.locked(None, Sharing::Shared, timeout)?)?;
        let value = self.value(&locked);
        // SAFETY: `SharedGuard::new` asks for a valid value in the locked bytes: validated when attaching, and by
        // `validated` if an edit may not have been finished since. `T::Archived: Sync`, so that threads and processes may
        // share it.
        Ok(unsafe { SharedGuard::new(locked, value) })
    }

    /// Replaces the value by one that [`save`](Region::save) wrote from this region, or from one of equal shape. The file
    /// is read and checked first, and changes nothing unless it is whole and holds a valid `T`.
    ///
    /// # Errors
    /// - As [`Segment::read`], [`Segment::verify`] and [`Segment::root`] (EINVAL).
    /// - [`RegionError::SavedSize`], [`RegionError::SavedElsewhere`] (EINVAL): vectors or strings of other lengths.
    /// - As [`lock`](Region::lock), but for `Contents`.
    pub fn load(&self, file: impl AsRef<Path>) -> Result<()> {
        let file = file.as_ref();
        let saved = Segment::read(file)?;
        saved.verify()?;
        let same = Root::of::<T>(&saved)? == self.root;
        self.load_segment(&saved, same, file)
    }

    fn edit(&self, timeout: Timeout) -> Result<Guard<'_, T::Archived>> {
        let locked = self.validated(self.locked(None, Sharing::Exclusive, timeout)?)?;
        let value = self.value(&locked);
        // SAFETY: `Guard::new` asks for a valid value in the bytes that are locked exclusively: validated when attaching,
        // and by `validated` if an edit may not have been finished since.
        Ok(unsafe { Guard::new(locked, value) })
    }

    /// Checks the value if a holder died, or if its type has invariants that others may have broken; if it is not valid,
    /// the next one is told as well.
    fn validated<'a>(&self, locked: Locked<'a>) -> Result<Locked<'a>> {
        let validator = Known::of::<T::Archived>().validator();
        let ask = validator.asks_types() && locked.edits_before() != self.checked.get();
        if !locked.died() && !ask {
            // By this handle, if exclusively. Nobody else has the lock exclusively now, so all threads set the same.
            self.checked.set(locked.edits());
            return Ok(locked);
        }
        let guard = SharedGuard::bytes(locked);
        let valid = validator.check(&guard[self.root.object()], self.root.offset() as u64);
        let mut locked = guard.into_locked();
        valid.map_err(|error| {
            if locked.died() {
                locked.tell_the_next();
            }
            self.any.failed(error).of_object("").of_type::<T>()
        })?;
        // Checks of the type's own may have forked: the child has no lock.
        self.any.process.check().map_err(|error| self.any.failed(error))?;
        self.checked.set(locked.edits());
        Ok(locked)
    }

    /// Where the value is.
    fn value(&self, locked: &Locked<'_>) -> NonNull<T::Archived> {
        let body = locked.bytes().cast::<u8>();
        // SAFETY: `add` asks that the offset be within the same memory: the root was found in bounds in a copy of the body,
        // and neither it nor the region's size ever changes.
        unsafe { body.add(self.root.position()) }.cast()
    }
}

impl<V: Portable> Guard<'_, V> {
    /// The value, to be edited: what can be changed in place without leaving it invalid.
    ///
    /// # Examples
    /// See [`RegionOptions::create_with`].
    pub fn seal(&mut self) -> Seal<'_, V> {
        Seal::new(self.pinned())
    }
}
