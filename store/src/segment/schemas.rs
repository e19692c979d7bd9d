//! The schemas that values without types borrow: each table of a segment decoded once, kept as long as the segment.
//!
//! Tables lie back to back, and each begins with its length (SPEC 6.1). So where tables are is known of the section alone,
//! and an entry that names other bytes is refused, whatever others were asked for before. As tables do not overlap, all of
//! them decoded take a constant times the section's bytes, whatever a directory says.
#![warn(clippy::arithmetic_side_effects)] // what files, pages and other processes say is added up here

use std::sync::OnceLock;

use graven_format::{Entry, Schema, Section, VerifyError, canonical_part, first_table};

use crate::{Error, Result};

/// Tables start at multiples of this.
const TABLE_ALIGN: u64 = 8;

/// Decoded tables. Memory: a constant times the tables, and what was decoded of them.
#[derive(Default)]
pub(crate) struct Schemas {
    /// In the order of the section, for as far as tables can be told apart.
    tables: OnceLock<Box<[Table]>>,
}

struct Table {
    at: Section,
    schema: OnceLock<Schema>,
}

impl Schemas {
    /// The schema of an entry whose table is `table`; `bytes` are those of the schema section. The first call looks at the
    /// start of each table.
    pub(crate) fn of(
        &self,
        section: Section,
        bytes: &[u8],
        entry: &Entry<'_>,
        table: &[u8],
    ) -> Result<&Schema> {
        // Its length is what it says itself, so that its position says which it is.
        canonical_part(table)?;
        let tables = self.tables.get_or_init(|| tables(section, bytes));
        let before = tables.partition_point(|known| known.at.position < entry.schema.position);
        let Some(known) = tables.get(before).filter(|known| known.at == entry.schema) else {
            return Err(Error::new(VerifyError::TablePosition {
                name: entry.name.to_owned(),
                table: entry.schema,
                expected: tables.get(before).map_or_else(|| end(section, tables), |next| next.at.position),
            }));
        };
        if let Some(schema) = known.schema.get() {
            return Ok(schema);
        }
        let schema = Schema::decode(table)?;
        schema.check_sound()?;
        Ok(known.schema.get_or_init(|| schema))
    }
}

/// Where the tables of the section are.
fn tables(section: Section, bytes: &[u8]) -> Box<[Table]> {
    let mut tables = Vec::new();
    loop {
        let position = end(section, &tables);
        let before = usize::try_from(position.saturating_sub(section.position)).unwrap_or(usize::MAX);
        let Ok(table) = first_table(bytes.get(before..).unwrap_or_default()) else { return tables.into() };
        let at = Section { position, length: table.len() as u64 };
        tables.push(Table { at, schema: OnceLock::new() });
    }
}

/// Where the next table starts, behind these.
fn end(section: Section, tables: &[Table]) -> u64 {
    tables.last().map_or(section.position, |table| {
        table.at.end().and_then(|end| end.checked_next_multiple_of(TABLE_ALIGN)).unwrap_or(u64::MAX)
    })
}
