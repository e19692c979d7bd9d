//! A segment as bytes, without an operating system: open, and find an object.
//!
//! Looking at a segment costs nothing that grows with it.
//!
//! Source: SPEC 8 (opening).
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use super::directory::{Directory, DirectoryError, Entry};
use super::header::{Header, HeaderError};

/// A segment, read in place.
///
/// The bytes need no alignment.
///
/// Source: SPEC 8.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// As many as the header says, but for what [`reopen`](View::reopen) is given.
    bytes: &'a [u8],
    /// Its sections are in order and in bounds of the length that it says.
    header: Header,
}

impl<'a> View<'a> {
    /// The segment in `bytes`, to read its objects in this build.
    ///
    /// O(1): the header is checked, and the number of bytes. Nothing else is looked at.
    ///
    /// # Errors
    /// [`HeaderError`], from [`Header::decode`], [`Header::check_length`] and [`Header::check_payload`] in this order.
    ///
    /// # Examples
    /// ```
    /// use graven_format::{HeaderError, View};
    /// let error = View::open(b"\x7fELF").unwrap_err();
    /// assert_eq!(error, HeaderError::Truncated { expected: 256, got: 4 });
    /// ```
    /// Source: SPEC 8.
    pub fn open(bytes: &'a [u8]) -> Result<View<'a>, HeaderError> {
        let view = View::inspect(bytes)?;
        view.header.check_payload()?;
        Ok(view)
    }

    /// The segment in `bytes`, to look at all but its objects: for segments of other builds too.
    ///
    /// O(1), like [`open`](View::open). Header, directory and schema read the same in every build.
    ///
    /// # Errors
    /// [`HeaderError`], but neither `ForeignPayload` nor `FixedMode`.
    ///
    /// Source: SPEC 8.
    pub fn inspect(bytes: &'a [u8]) -> Result<View<'a>, HeaderError> {
        let header = Header::decode(bytes)?;
        header.check_length(bytes.len() as u64)?;
        Ok(View { bytes, header })
    }

    /// The segment in `bytes`, whose header was decoded before, by [`open`](View::open) of the same bytes. O(1): nothing is
    /// looked at.
    ///
    /// With the header of other bytes: whatever is there in these, or errors.
    pub fn reopen(bytes: &'a [u8], header: Header) -> View<'a> {
        View { bytes, header }
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The whole segment.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The directory. O(1).
    ///
    /// # Errors
    /// [`DirectoryError`] as from [`Directory::new`].
    pub fn directory(&self) -> Result<Directory<'a>, DirectoryError> {
        Directory::new(self.bytes, &self.header)
    }

    /// The entry of the object with this name, and its number. O(1) expected.
    ///
    /// # Errors
    /// [`DirectoryError`] as from [`Directory::new`] and [`Directory::find`].
    pub fn find(&self, name: &str) -> Result<Option<(usize, Entry<'a>)>, DirectoryError> {
        self.directory()?.find(name)
    }

    /// The bytes of an object of this segment. O(1); they are not checked.
    ///
    /// For an entry of another segment: whatever is there in this one, or nothing.
    pub fn object_bytes(&self, entry: &Entry<'_>) -> &'a [u8] {
        entry.object.of(self.bytes).unwrap_or_default()
    }

    /// The schema table of an object of this segment, with its annotations: input for [`Schema::decode`](crate::Schema::decode) and
    /// [`canonical_part`](crate::canonical_part). O(1).
    ///
    /// Call [`check_schema`](View::check_schema) once before the first. For an entry of another segment: whatever is
    /// there in this one, or nothing.
    pub fn table_bytes(&self, entry: &Entry<'_>) -> &'a [u8] {
        entry.schema.of(self.bytes).unwrap_or_default()
    }
}
