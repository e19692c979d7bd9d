//! From a segment to typed handles: layouts compared, bytes validated.
#![warn(clippy::arithmetic_side_effects)] // what files say is added up here
#![allow(unsafe_code)] // handles on what was validated, or is said to be valid

use std::any::TypeId;

use graven_format::layout::{Layout, TypeRef};
use graven_format::{LayoutMismatch, Schema, Section, View, check_entry, checksum};
use rkyv::Archive;

#[cfg(doc)]
use crate::Cause;
use crate::segment::known::Known;
use crate::segment::part::{Adopted, Part};
use crate::segment::valid::ValidAs;
use crate::{Error, Result, Segment};

impl Segment {
    /// Adopts the root: the object with the empty name. See [`get`](Segment::get).
    ///
    /// # Errors
    /// As [`get`](Segment::get).
    pub fn root<T>(&self) -> Result<Adopted<T>>
    where
        T: Archive<Archived: Layout>,
    {
        self.get::<T>("")
    }

    /// Adopts an object: finds it, compares its layout with `T`'s, and validates its bytes.
    ///
    /// Cost: O(1) to find, O(schema) to compare, O(bytes that can be wrong) to validate; the latter once for each
    /// object of 4096 bytes or more and each type, as long as a handle of this segment lives.
    ///
    /// # Errors
    /// - [`Cause::NoObject`] (ENOENT).
    /// - [`Cause::Layout`] (EINVAL), with what differs.
    /// - [`Cause::Directory`], [`Cause::Schema`], [`Cause::Verify`] (EINVAL): damaged.
    /// - [`Cause::Contents`] (EINVAL): the bytes are no value of the type, with the way to what is wrong.
    ///
    /// # Examples
    /// See [`Segment`].
    ///
    /// Source: SPEC 8.
    pub fn get<T>(&self, name: &str) -> Result<Adopted<T>>
    where
        T: Archive<Archived: Layout>,
    {
        // First: see `typed_object`.
        let (segment, known) = (self.clone(), Known::of::<T::Archived>());
        let position = self.valid_root(name, known, TypeRef::of::<T::Archived>().id());
        let position = position.map_err(|error| self.failed(error).of_object(name).of_type::<T>())?;
        // SAFETY: the root is in bounds and aligned, and the validator of `T` has found it valid with all pointers in the
        // object's bytes (`valid_root`).
        Ok(unsafe { Part::new(segment, position) })
    }

    /// Checks an object as [`get`](Segment::get) does, and what adopting leaves out: its checksum, and that lookups in its
    /// maps find what is in them, by the keys' own `Hash` and `Ord`.
    ///
    /// [`verify`](Segment::verify) knows how strings, integers, bools and chars hash and compare. Of keys of all other
    /// types it checks nothing: only their program knows.
    ///
    /// Cost: O(bytes), each time; for B-trees times their depth. One thread does it.
    ///
    /// # Errors
    /// As [`get`](Segment::get); [`Cause::Verify`] if the checksum is another one, [`Cause::Contents`] with
    /// [`Damage::Disorder`](graven_format::Damage::Disorder) of a map: the way to it, and which entry.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("ports.grv");
    /// let ports = std::collections::HashMap::from([("ssh".to_string(), 22u16), ("http".to_string(), 80)]);
    /// graven_store::write(&path, &ports)?;
    /// let segment = graven_store::Segment::read(&path)?;
    /// segment.verify_as::<std::collections::HashMap<String, u16>>("")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 6.3, 7, 8.
    pub fn verify_as<T>(&self, name: &str) -> Result<()>
    where
        T: Archive<Archived: Layout>,
    {
        let verify = || {
            let known = Known::of::<T::Archived>();
            let (object, root) = self.typed_object(name, known)?;
            let object = self.section(object);
            View::open(self.as_bytes())?.verify_object(&self.entry(name)?, checksum(object))?;
            known.validator().check_keys(object, root)?;
            Ok(())
        };
        verify().map_err(|error: Error| self.failed(error).of_object(name).of_type::<T>())
    }

    /// Where the root of an object lies, which is valid as the type that is known.
    fn valid_root(&self, name: &str, known: &Known, id: TypeId) -> Result<usize> {
        let (object, root) = self.typed_object(name, known)?;
        let check = || self.check(known.validator(), self.section(object), root);
        self.opened.valid.check(ValidAs { object, root, id }, check)?;
        Ok(root_position(object, root))
    }

    /// Adopts an object without validating it: its layout is still compared, and its bounds checked.
    ///
    /// Cost: O(1) to find, O(schema) to compare, whatever the size of the object.
    ///
    /// # Safety
    /// The object's bytes are a valid archived `T`: for example because the segment's writer is this program, and its
    /// file has not been damaged since.
    ///
    /// # Errors
    /// As [`get`](Segment::get), but for [`Cause::Contents`].
    pub unsafe fn get_unchecked<T>(&self, name: &str) -> Result<Adopted<T>>
    where
        T: Archive<Archived: Layout>,
    {
        // First: see `typed_object`.
        let (segment, known) = (self.clone(), Known::of::<T::Archived>());
        let object = self.typed_object(name, known);
        let (object, root) = object.map_err(|error| self.failed(error).of_object(name).of_type::<T>())?;
        // SAFETY: the root is in bounds and aligned (`typed_object`); that it is valid is our caller's promise.
        Ok(unsafe { Part::new(segment, root_position(object, root)) })
    }

    /// Where an object is that has the layout of the type that is known, and room for its root, and where in it that is.
    ///
    /// Finding waits for memory. Who counts a handle does so before: a locked instruction behind it would keep the
    /// processor from fetching the object meanwhile.
    fn typed_object(&self, name: &str, known: &Known) -> Result<(Section, u64)> {
        let entry = self.entry(name)?;
        self.check_schema()?;
        let table = self.section(entry.schema);
        if !known.same_layout(table) {
            let writer = Schema::decode(table)?;
            if let Some(mismatch) = LayoutMismatch::between(&writer, &known.schema) {
                return Err(mismatch.into());
            }
        }
        check_entry(&entry, &known.schema)?;
        Ok((entry.object, entry.root))
    }
}

fn root_position(object: Section, root: u64) -> usize {
    object.position.saturating_add(root) as usize
}
