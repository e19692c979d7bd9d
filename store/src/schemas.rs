//! The schemas that values without types borrow: each table of a segment decoded once, kept as long as the segment.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use graven_format::{Entry, Schema, Section, VerifyError};

use crate::{Error, Result};

/// Tables start at multiples of this.
const TABLE_ALIGN: u64 = 8;
/// Slots that are allocated together.
const CHUNK: usize = 256;

type Chunk = OnceLock<Box<[OnceLock<Schema>]>>;

/// Decoded tables, by their position. Memory: a constant times the tables that were asked for, and a word for each 128
/// bytes of the schema section.
#[derive(Default)]
pub(crate) struct Schemas {
    /// A slot for each multiple of 8 in the schema section, so that what is in it never moves.
    slots: OnceLock<Box<[Chunk]>>,
    /// Where the tables in the slots start and end. They do not overlap, so that there cannot be more of them than
    /// the section has bytes for.
    kept: Mutex<BTreeMap<u64, u64>>,
}

impl Schemas {
    /// The schema of an entry whose table is `table`, in the schema section `section`.
    pub(crate) fn of(&self, section: Section, entry: &Entry<'_>, table: &[u8]) -> Result<&Schema> {
        let index = ((entry.schema.position - section.position) / TABLE_ALIGN) as usize;
        let chunks = self.slots.get_or_init(|| {
            let slots = section.length.div_ceil(TABLE_ALIGN) as usize + 1;
            (0..slots.div_ceil(CHUNK)).map(|_| Chunk::new()).collect()
        });
        let chunk = chunks[index / CHUNK].get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        let slot = &chunk[index % CHUNK];
        // Two lengths of a table: only one of them can be what the table itself says.
        graven_format::canonical_part(table)?;
        if let Some(schema) = slot.get() {
            return Ok(schema);
        }
        let schema = Schema::decode(table)?;
        schema.check_sound()?;
        self.keep(entry)?;
        Ok(slot.get_or_init(|| schema))
    }

    /// Notes a table that is to be kept, unless it overlaps another.
    fn keep(&self, entry: &Entry<'_>) -> Result<()> {
        let (start, end) = (entry.schema.position, entry.schema.position + entry.schema.length);
        // A panic while the lock is held cannot leave the map half changed.
        let mut kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let overlapping =
            kept.range(..end).next_back().filter(|(at, until)| **until > start && **at != start);
        if let Some((_, until)) = overlapping {
            return Err(Error::new(VerifyError::TablePosition {
                name: entry.name.to_owned(),
                table: entry.schema,
                expected: until.next_multiple_of(TABLE_ALIGN),
            }));
        }
        kept.insert(start, end);
        Ok(())
    }
}
