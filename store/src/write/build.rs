//! Laying out a segment: objects, schema, directory, and a header for whoever makes it complete.
//!
//! Source: SPEC 9.

use std::collections::HashMap;
use std::sync::Arc;

use graven_format::layout::Layout;
use graven_format::{
    CheckedContents, Entry, Fingerprint, Header, Mode, Payload, Section, Validator, checksum, directory,
};
use rkyv::{Archive, Serialize};

use crate::segment::known::Known;
use crate::write::serialize::{check_keys, check_written, serialize};
use crate::write::stream::{Kept, Serializer, Stream};
use crate::{Cause, Error, Result, Segment};

/// The smallest alignment of an object's position.
const OBJECT_ALIGN: u32 = 16;

/// What a finished segment is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Bytes, a multiple of the page size.
    pub length: u64,
    /// How many objects it has.
    pub objects: u64,
    /// The generation in its header.
    pub generation: u64,
}

/// A segment in the making.
pub(crate) struct Build {
    stream: Stream,
    /// The segment position behind the last object. What the stream has behind it is of one that failed.
    end: u64,
    page_size: u32,
    generation: u64,
    pub(crate) objects: Vec<Object>,
    by_name: HashMap<String, usize>,
    /// The schema section, and where each table lies in it.
    tables: Vec<u8>,
    table_at: HashMap<Vec<u8>, u64>,
    /// The tables of objects that were copied.
    copied: HashMap<Vec<u8>, Arc<CheckedContents>>,
}

/// Where an object that is copied comes from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// Anywhere: it is checked.
    Any,
    /// A generation of ours, or a segment that has been verified.
    Ours,
    /// A region: it was edited in place, so that its checksum is no longer right. It is checked.
    Edited,
}

pub(crate) struct Object {
    name: String,
    fingerprint: Fingerprint,
    /// Position relative to the schema section.
    table: Section,
    bytes: Section,
    root: u64,
    checksum: u64,
    align: u32,
}

impl Build {
    pub(crate) fn new(mut stream: Stream, page_size: u32, generation: u64) -> Result<Build> {
        if !page_size.is_power_of_two()
            || !(Header::MIN_PAGE_SIZE..=Header::MAX_PAGE_SIZE).contains(&page_size)
        {
            return Err(Error::new(Cause::PageSize { got: page_size }));
        }
        stream.pad_to(page_size.into()).map_err(Error::new)?;
        Ok(Build {
            end: stream.position(),
            stream,
            page_size,
            generation,
            objects: Vec::new(),
            by_name: HashMap::new(),
            tables: Vec::new(),
            table_at: HashMap::new(),
            copied: HashMap::new(),
        })
    }

    pub(crate) fn put<T>(&mut self, name: &str, value: &T) -> Result<()>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        let known = Known::of::<T::Archived>();
        let write = |stream: &mut Stream| {
            known.writable()?;
            let (aliased, maps) = (known.can_be_aliased(), known.looks_into_maps_of::<T>());
            if aliased || maps {
                stream.keep_object(Kept::new());
            }
            let root = serialize(stream, known, value)?;
            if let Some(object) = stream.kept() {
                aliased.then(|| check_written(&known.schema, &object, root)).transpose()?;
                maps.then(|| check_keys::<T>(known, &object, root)).transpose()?;
            }
            Ok(root)
        };
        self.object(name, known.schema.max_align(), known.fingerprint(), &known.table, write)
            .map_err(|error| error.of_object(name).of_type::<T>())
    }

    pub(crate) fn copy(&mut self, segment: &Segment, name: &str, source: Source) -> Result<()> {
        let entry = segment.entry(name)?;
        segment.check_schema()?;
        let table = segment.section(entry.schema);
        let known = match self.copied.get(table) {
            Some(known) => known.clone(),
            None => {
                let known = Arc::new(segment.view().table(&entry)?.contents(&entry)?);
                self.copied.insert(table.to_owned(), known.clone());
                known
            }
        };
        known.table().check(&entry)?;
        let append = |stream: &mut Stream| {
            let object = segment.section(entry.object);
            stream.append(object)?;
            // Hashed on its way, as what is new: a second look at the bytes would cost as much as copying them.
            let computed = stream.checksum();
            if !matches!(source, Source::Edited) {
                segment.view().verify_object(&entry, computed)?;
            }
            if !matches!(source, Source::Ours) {
                let check =
                    |validator: &Validator, object: &[u8], root| segment.check(validator, object, root);
                known.check(&entry, object, check)?;
            }
            Ok(entry.root)
        };
        self.object(name, entry.align, entry.fingerprint, table, append)
    }

    /// Adds the object whose bytes `write` appends; it returns the offset of the root in them.
    fn object(
        &mut self,
        name: &str,
        align: u32,
        fingerprint: Fingerprint,
        table: &[u8],
        write: impl FnOnce(&mut Stream) -> Result<u64, Cause>,
    ) -> Result<()> {
        self.stream.check()?;
        directory::check_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(Error::new(Cause::ObjectExists));
        }
        let align = align.max(OBJECT_ALIGN);
        if align > self.page_size {
            return Err(Error::new(Cause::Overaligned { align, page_size: self.page_size }));
        }
        // Mostly there is nothing; a value whose `Serialize` panicked may have left something.
        let _ = self.stream.rewind(self.end);
        let written = self.stream.pad(align.into()).and_then(|()| {
            self.stream.begin_object();
            let position = self.stream.position();
            Ok((position, write(&mut self.stream)?))
        });
        let (position, root) = match written {
            Ok(written) => written,
            // What stopped the stream is the cause; rkyv's words are only about the stop.
            Err(cause) => return Err(Error::new(self.stream.rewind(self.end).unwrap_or(cause))),
        };
        let checksum = self.stream.checksum();
        self.end = self.stream.position();
        let bytes = Section { position, length: self.end - position };
        let table = self.table(table);
        self.by_name.insert(name.to_owned(), self.objects.len());
        self.objects.push(Object { name: name.to_owned(), fingerprint, table, bytes, root, checksum, align });
        Ok(())
    }

    /// Where the table lies in the schema section; equal tables are stored once.
    fn table(&mut self, table: &[u8]) -> Section {
        let position = *self.table_at.entry(table.to_owned()).or_insert_with(|| {
            self.tables.resize(self.tables.len().next_multiple_of(8), 0);
            let position = self.tables.len() as u64;
            self.tables.extend(table);
            position
        });
        Section { position, length: table.len() as u64 }
    }

    /// Appends schema and directory, and zeros to the end: of the last page, or of `length` bytes if that is more. The
    /// header is made but not written: what makes the segment complete is for the caller to time.
    pub(crate) fn finish(mut self, length: u64) -> Result<(Summary, Header, Stream)> {
        let (schema, directory, directory_bytes) = self.sections().map_err(Error::new)?;
        let end = self.stream.position().next_multiple_of(self.page_size.into());
        self.stream.pad_to(end.max(length)).map_err(Error::new)?;
        self.stream.flush().map_err(Error::new)?;
        let header = Header {
            compat: 0,
            payload: Payload::NATIVE,
            mode: Mode::Relative,
            page_size: self.page_size,
            length: self.stream.position(),
            address: 0,
            file_offset: 0,
            generation: self.generation,
            schema,
            directory,
            relocations: Section { position: 0, length: 0 },
            schema_checksum: checksum(&self.tables),
            directory_checksum: checksum(&directory_bytes),
            relocations_checksum: 0,
        };
        let objects = self.objects.len() as u64;
        Ok((Summary { length: header.length, objects, generation: self.generation }, header, self.stream))
    }

    /// Appends schema and directory: where they are, and the directory's bytes.
    fn sections(&mut self) -> Result<(Section, Section, Vec<u8>), Cause> {
        let _ = self.stream.rewind(self.end);
        self.stream.pad(8)?;
        let schema = Section { position: self.stream.position(), length: self.tables.len() as u64 };
        self.stream.append(&self.tables)?;
        self.stream.pad(8)?;
        let entries = self.objects.iter().map(|object| Entry {
            name: &object.name,
            fingerprint: object.fingerprint,
            schema: Section { position: schema.position + object.table.position, ..object.table },
            object: object.bytes,
            root: object.root,
            checksum: object.checksum,
            align: object.align,
        });
        let entries: Vec<Entry<'_>> = entries.collect();
        let bytes = directory::encode(&entries, self.stream.position());
        let directory = Section { position: self.stream.position(), length: bytes.len() as u64 };
        self.stream.append(&bytes)?;
        Ok((schema, directory, bytes))
    }
}
