//! The checks: of the frame, of the tables, of the objects.
//!
//! Source: SPEC 7, 8.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::VerifyError;
use crate::frame::directory::{Directory, Entry};
use crate::frame::header::Header;
use crate::frame::places::Section;
use crate::frame::view::View;
use crate::{Fingerprint, ObjectError, Schema, Validator, checksum};

/// The smallest alignment of an object.
const MIN_ALIGN: u32 = 16;

impl<'a> View<'a> {
    /// Checks the schema section's checksum. O(length of the schema).
    ///
    /// # Errors
    /// [`VerifyError::SchemaChecksum`].
    ///
    /// Source: SPEC 7.
    pub fn check_schema(&self) -> Result<(), VerifyError> {
        let section = self.header().schema;
        let recorded = self.header().schema_checksum;
        check(self.part(section), recorded).map_err(|computed| VerifyError::SchemaChecksum {
            section,
            recorded,
            computed,
        })
    }

    /// Checks every byte of the segment: checksums, the directory, the schema tables, that all padding is zero, and that
    /// each object's bytes are what its schema says, with its maps in order.
    ///
    /// Linear in the bytes, but for sorting names and tables and for shared pointers. Memory: a constant times the
    /// directory and the largest schema table, and what a [`Validator`] takes. What types' own checks say of their values
    /// is not known without the types: [`Verified`] names them.
    ///
    /// # Errors
    /// [`VerifyError`], the first found.
    ///
    /// Source: SPEC 7.
    pub fn verify(&self) -> Result<Verified, VerifyError> {
        self.verify_with(|validator, object, root| validator.check(object, root))
    }

    /// [`verify`](View::verify) with another [`Validator::check`], which does the same with threads for instance.
    ///
    /// # Errors
    /// As [`verify`](View::verify).
    pub fn verify_with(
        &self,
        validate: impl FnMut(&Validator, &[u8], u64) -> Result<(), ObjectError>,
    ) -> Result<Verified, VerifyError> {
        self.verify_frame()?;
        for entry in self.directory().map_err(VerifyError::Directory)?.iter() {
            let entry = entry.map_err(VerifyError::Directory)?;
            self.verify_object(&entry, checksum(self.part(entry.object)))?;
        }
        self.verify_contents(validate)
    }

    /// Everything that [`verify`](View::verify) checks but the objects: for those who check them in
    /// parallel, or show how far they are. O(bytes outside the objects), but for sorting names and tables.
    ///
    /// # Errors
    /// As `verify`, but for [`VerifyError::ObjectChecksum`] and what [`verify_contents`](View::verify_contents) finds.
    ///
    /// # Examples
    /// ```
    /// use graven_format::{Hasher, Verified, VerifyError, View};
    /// fn verify(view: &View<'_>) -> Result<Verified, VerifyError> {
    ///     view.verify_frame()?;
    ///     for entry in view.directory().map_err(VerifyError::Directory)?.iter() {
    ///         let entry = entry.map_err(VerifyError::Directory)?;
    ///         let mut hasher = Hasher::new(0);
    ///         view.object_bytes(&entry).chunks(1 << 20).for_each(|piece| hasher.update(piece));
    ///         view.verify_object(&entry, hasher.digest())?;
    ///     }
    ///     view.verify_contents(|validator, object, root| validator.check(object, root))
    /// }
    /// ```
    /// Source: SPEC 7.
    pub fn verify_frame(&self) -> Result<(), VerifyError> {
        let header = self.header();
        let page: u64 = header.page_size.into();
        self.zero(Header::SIZE as u64, page)
            .map_err(|(position, got)| VerifyError::HeaderPage { position, got })?;
        self.check_schema()?;
        let section = header.directory;
        let recorded = header.directory_checksum;
        check(self.part(section), recorded).map_err(|computed| VerifyError::DirectoryChecksum {
            section,
            recorded,
            computed,
        })?;
        let mut used = end(section);
        if header.relocations.length > 0 {
            let section = header.relocations;
            let recorded = header.relocations_checksum;
            check(self.part(section), recorded).map_err(|computed| VerifyError::RelocationsChecksum {
                section,
                recorded,
                computed,
            })?;
            self.padding(used, section.position, "the relocations section")?;
            used = end(section);
        }
        self.padding(used, header.length, "the segment's end")?;
        self.padding(end(header.schema), header.directory.position, "the directory")?;

        let directory = self.directory().map_err(VerifyError::Directory)?;
        directory.check().map_err(VerifyError::Directory)?;
        self.verify_tables(&directory)?;

        let mut used = page;
        for entry in directory.iter() {
            let entry = entry.map_err(VerifyError::Directory)?;
            let zero = self.zero(used, entry.object.position);
            zero.map_err(|(position, got)| VerifyError::ObjectPadding {
                name: entry.name.to_string(),
                position,
                got,
            })?;
            used = end(entry.object);
        }
        self.padding(used, header.schema.position, "the schema section")
    }

    /// Checks that each object's bytes are what its schema says, and that lookups in its maps find what is in them: the
    /// last part of [`verify_with`](View::verify_with).
    ///
    /// # Errors
    /// [`VerifyError::Object`], and what is wrong with directory and tables.
    ///
    /// Source: SPEC 8, step 20.
    pub fn verify_contents(
        &self,
        mut validate: impl FnMut(&Validator, &[u8], u64) -> Result<(), ObjectError>,
    ) -> Result<Verified, VerifyError> {
        let directory = self.directory().map_err(VerifyError::Directory)?;
        let mut verified = Verified::default();
        for sharing in by_table(&directory)?.chunk_by(|one, other| one.0 == other.0) {
            let mut known = None;
            for &(_, index) in sharing {
                let entry = directory.entry(index).map_err(VerifyError::Directory)?;
                let contents = match &known {
                    Some(known) => known,
                    None => {
                        let contents = self.table(&entry)?.contents(&entry)?;
                        let unchecked = contents.validator.unchecked_types().map(ToString::to_string);
                        verified.unchecked.extend(unchecked);
                        known.insert(contents)
                    }
                };
                contents.check(&entry, self.part(entry.object), &mut validate)?;
            }
        }
        verified.unchecked.sort_unstable();
        verified.unchecked.dedup();
        Ok(verified)
    }

    /// Compares the checksum that was computed of an object's bytes with the one that was recorded. O(1).
    ///
    /// # Errors
    /// [`VerifyError::ObjectChecksum`].
    ///
    /// # Examples
    /// See [`verify_frame`](View::verify_frame).
    pub fn verify_object(&self, entry: &Entry<'_>, computed: u64) -> Result<(), VerifyError> {
        let (object, recorded) = (entry.object, entry.checksum);
        match computed == recorded {
            true => Ok(()),
            false => {
                let name = entry.name.to_string();
                Err(VerifyError::ObjectChecksum { name, object, recorded, computed })
            }
        }
    }

    /// Checks the schema tables, each once, however many objects share it, and each object against its table.
    fn verify_tables(&self, directory: &Directory<'a>) -> Result<(), VerifyError> {
        let entries = by_table(directory)?;
        let section = self.header().schema;
        let mut used = section.position;
        for sharing in entries.chunk_by(|one, other| one.0 == other.0) {
            let mut table = None;
            for &(at, index) in sharing {
                let entry = directory.entry(index).map_err(VerifyError::Directory)?;
                let known = match &table {
                    Some(known) => known,
                    None => {
                        used = self.table_gap(used, at, &entry)?;
                        table.insert(self.table(&entry)?)
                    }
                };
                known.check(&entry)?;
            }
        }
        match end(section).saturating_sub(used) {
            0 => Ok(()),
            bytes => Err(VerifyError::UnusedTable { position: used, bytes }),
        }
    }

    /// Checks that the table `at` is the next one after those that end at `used`, and says where it ends.
    fn table_gap(&self, used: u64, at: Section, entry: &Entry<'_>) -> Result<u64, VerifyError> {
        let expected = used.checked_next_multiple_of(8).unwrap_or(u64::MAX);
        if at.position != expected {
            let name = entry.name.to_string();
            return Err(VerifyError::TablePosition { name, table: at, expected });
        }
        self.padding(used, expected, "a schema table")?;
        Ok(end(at))
    }

    /// An entry's schema table, with all that a checking reader asks of it, but for its checksum and its place. O(table).
    ///
    /// For writers that copy objects: what they write has to pass [`verify`](View::verify) as well.
    ///
    /// # Errors
    /// [`VerifyError::Table`], [`VerifyError::TablePayload`], [`VerifyError::TableNotCanonical`],
    /// [`VerifyError::Unsound`].
    ///
    /// # Examples
    /// ```
    /// use graven_format::{Entry, VerifyError, View};
    /// /// Whether an object can be copied as it is.
    /// fn can_be_copied(view: &View<'_>, entry: &Entry<'_>) -> Result<(), VerifyError> {
    ///     view.check_schema()?;
    ///     let table = view.table(entry)?;
    ///     table.check(entry)?;
    ///     let check = |validator: &graven_format::Validator, object: &[u8], root| validator.check(object, root);
    ///     table.contents(entry)?.check(entry, view.object_bytes(entry), check)
    /// }
    /// ```
    /// Source: SPEC 8.
    pub fn table(&self, entry: &Entry<'_>) -> Result<CheckedTable, VerifyError> {
        let (name, table) = (|| entry.name.to_string(), entry.schema);
        let schema = Schema::decode(self.table_bytes(entry)).map_err(|error| VerifyError::Table {
            name: name(),
            table,
            error,
        })?;
        if schema.payload() != self.header().payload {
            return Err(VerifyError::TablePayload {
                name: name(),
                table,
                recorded: schema.payload(),
                segment: self.header().payload,
            });
        }
        if !schema.is_canonical() {
            return Err(VerifyError::TableNotCanonical { name: name(), table });
        }
        schema.check_sound().map_err(|error| VerifyError::Unsound { name: name(), table, error })?;
        let fingerprint = schema.fingerprint();
        Ok(CheckedTable { schema, fingerprint })
    }

    /// The bytes of a section. Those of the header and of entries are in bounds; nothing is there for others.
    fn part(&self, section: Section) -> &'a [u8] {
        section.of(self.bytes()).unwrap_or_default()
    }

    /// The first byte between two positions that is not zero, as an error.
    fn zero(&self, from: u64, to: u64) -> Result<(), (u64, u8)> {
        let gap = self.part(Section { position: from, length: to.saturating_sub(from) });
        match gap.iter().position(|&byte| byte != 0) {
            Some(at) => Err((from.saturating_add(at as u64), gap[at])),
            None => Ok(()),
        }
    }

    fn padding(&self, from: u64, to: u64, before: &'static str) -> Result<(), VerifyError> {
        self.zero(from, to).map_err(|(position, got)| VerifyError::Padding { before, position, got })
    }
}

/// The directory's entries by their schema tables: those that share one are neighbors.
fn by_table(directory: &Directory<'_>) -> Result<Vec<(Section, usize)>, VerifyError> {
    let mut entries = Vec::with_capacity(directory.len());
    for (index, entry) in directory.iter().enumerate() {
        entries.push((entry.map_err(VerifyError::Directory)?.schema, index));
    }
    entries.sort_unstable_by_key(|(table, index)| (table.position, table.length, *index));
    Ok(entries)
}

/// A schema table that a checking reader takes: see [`View::table`].
#[derive(Clone, Debug)]
pub struct CheckedTable {
    schema: Schema,
    fingerprint: Fingerprint,
}

impl CheckedTable {
    /// Checks an entry of this table: that its fingerprint is the table's, and [`check_entry`]. O(1).
    ///
    /// # Errors
    /// [`VerifyError::Fingerprint`], and those of [`check_entry`].
    pub fn check(&self, entry: &Entry<'_>) -> Result<(), VerifyError> {
        if entry.fingerprint != self.fingerprint {
            return Err(VerifyError::Fingerprint {
                name: entry.name.to_string(),
                recorded: entry.fingerprint,
                computed: self.fingerprint,
            });
        }
        check_entry(entry, &self.schema)
    }

    /// What checks the objects of this table, of which `entry` is one. O(table).
    ///
    /// # Errors
    /// [`VerifyError::Unsound`]: none of a table that came from [`View::table`].
    pub fn contents(self, entry: &Entry<'_>) -> Result<CheckedContents, VerifyError> {
        let (name, table) = (|| entry.name.to_string(), entry.schema);
        let validator = Validator::of_schema(&self.schema);
        let validator = validator.map_err(|error| VerifyError::Unsound { name: name(), table, error })?;
        Ok(CheckedContents { table: self, validator })
    }
}

/// Checks objects of one schema table: see [`View::table`].
#[derive(Debug)]
pub struct CheckedContents {
    table: CheckedTable,
    validator: Validator,
}

impl CheckedContents {
    /// The table.
    pub fn table(&self) -> &CheckedTable {
        &self.table
    }

    /// Checks an object whose entry has passed: that its bytes are what the table says, by `validate`, and that lookups in
    /// its maps find what is in them. O(bytes).
    ///
    /// # Errors
    /// [`VerifyError::Object`].
    pub fn check(
        &self,
        entry: &Entry<'_>,
        object: &[u8],
        mut validate: impl FnMut(&Validator, &[u8], u64) -> Result<(), ObjectError>,
    ) -> Result<(), VerifyError> {
        let mut check = || {
            validate(&self.validator, object, entry.root)?;
            match self.validator.has_maps() {
                true => self.validator.disorder(&self.table.schema, object, entry.root).map(drop),
                false => Ok(()),
            }
        };
        check().map_err(|error| VerifyError::Object { name: entry.name.to_string(), error })
    }
}

/// What [`View::verify`] could not check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    unchecked: Vec<String>,
}

impl Verified {
    /// The names of the types whose values have to hold more than their structure, by checks of their own, which only
    /// programs with these types can call. Sorted, each once.
    pub fn unchecked_types(&self) -> &[String] {
        &self.unchecked
    }
}

/// Checks that an entry of a [`Directory`] has room for a root of the layout `schema`, aligned. O(1).
///
/// # Errors
/// [`VerifyError::Alignment`], [`VerifyError::RootSize`], [`VerifyError::RootAlign`].
#[inline(always)]
pub fn check_entry(entry: &Entry<'_>, schema: &Schema) -> Result<(), VerifyError> {
    let name = || entry.name.to_string();
    let needed = schema.max_align().max(MIN_ALIGN);
    if entry.align < needed {
        return Err(VerifyError::Alignment { name: name(), align: entry.align, needed });
    }
    let root = schema.root();
    if entry.root.checked_add(root.size).is_none_or(|end| end > entry.object.length) {
        let length = entry.object.length;
        return Err(VerifyError::RootSize { name: name(), root: entry.root, size: root.size, length });
    }
    // The object's position is a multiple of `entry.align`, and so of the root's alignment.
    if entry.root & u64::from(root.align).wrapping_sub(1) != 0 {
        return Err(VerifyError::RootAlign { name: name(), root: entry.root, align: root.align });
    }
    Ok(())
}

/// The end of a section that was checked to have one.
fn end(section: Section) -> u64 {
    section.end().unwrap_or(u64::MAX)
}

/// Compares the checksum of `bytes` with the recorded one; the error is what it is.
fn check(bytes: &[u8], recorded: u64) -> Result<(), u64> {
    match checksum(bytes) {
        computed if computed == recorded => Ok(()),
        computed => Err(computed),
    }
}
