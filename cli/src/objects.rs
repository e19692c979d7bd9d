//! The objects of a segment of any build, as values.

use std::collections::HashMap;
use std::rc::Rc;

use graven_format::{Directory, Entry, Schema, Section, Value, View, check_entry, checksum};

use crate::Failure;
use crate::text::{object, short};

/// The objects of a segment, whose tables are decoded once, however many objects share them, and no more bytes of
/// tables than there are: entries that someone made up may have tables that overlap.
pub(crate) struct Objects<'a> {
    view: View<'a>,
    directory: Directory<'a>,
    tables: HashMap<Section, Rc<Schema>>,
    left: u64,
}

impl<'a> Objects<'a> {
    /// The segment's objects, after a look at the schema's checksum.
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Objects<'a>, Failure> {
        let view = View::inspect(bytes).map_err(Failure::new)?;
        let directory = view.directory().map_err(Failure::new)?;
        view.check_schema().map_err(Failure::new)?;
        let left = view.header().schema.length;
        Ok(Objects { view, directory, tables: HashMap::new(), left })
    }

    /// All of them, in the directory's order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Result<Entry<'a>, Failure>> + use<'a> {
        let directory = self.directory;
        (0..directory.len()).map(move |index| directory.entry(index).map_err(Failure::new))
    }

    /// The object of a name.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Entry<'a>>, Failure> {
        Ok(self.view.find(name).map_err(Failure::new)?.map(|(_, entry)| entry))
    }

    /// The failure that there is no such object.
    pub(crate) fn none(&self, name: &str) -> Failure {
        no_object(&self.view, name)
    }

    /// The layout of an object.
    pub(crate) fn schema(&mut self, entry: &Entry<'_>) -> Result<Rc<Schema>, Failure> {
        if let Some(known) = self.tables.get(&entry.schema) {
            return Ok(known.clone());
        }
        let of =
            |what: String| Failure::new(format!("object {} ({}): {what}", object(entry.name), entry.schema));
        self.left = self
            .left
            .checked_sub(entry.schema.length)
            .ok_or_else(|| of("its schema table overlaps another".to_owned()))?;
        let schema =
            Rc::new(Schema::decode(self.view.table_bytes(entry)).map_err(|error| of(error.to_string()))?);
        if schema.payload() != self.view.header().payload {
            return Err(of(format!("its schema is for payload {}, not the segment's", schema.payload())));
        }
        self.tables.insert(entry.schema, schema.clone());
        Ok(schema)
    }

    /// The root value of an object.
    pub(crate) fn value<'s>(&self, entry: &Entry<'_>, schema: &'s Schema) -> Result<Value<'s>, Failure>
    where
        'a: 's,
    {
        check_entry(entry, schema).map_err(Failure::new)?;
        Value::root(self.bytes(entry), schema, entry.root)
            .map_err(|error| Failure::new(format!("object {}: {error}", object(entry.name))))
    }

    /// The bytes of an object.
    pub(crate) fn bytes(&self, entry: &Entry<'_>) -> &'a [u8] {
        self.view.object_bytes(entry)
    }

    /// Whether the bytes of an object are as written. O(bytes).
    pub(crate) fn check(&self, entry: &Entry<'_>) -> Result<(), Failure> {
        let computed = checksum(self.bytes(entry));
        if computed == entry.checksum {
            return Ok(());
        }
        Err(Failure::new(format!(
            "object {} is not as it was written: checksum {:016x}, computed {computed:016x}",
            object(entry.name),
            entry.checksum
        )))
    }
}

/// The failure that a segment has no object of this name, with the names of some that it has.
pub(crate) fn no_object(view: &View<'_>, name: &str) -> Failure {
    const SHOWN: usize = 8;
    let Ok(directory) = view.directory() else { return Failure::new("no such object") };
    let mut present: Vec<String> =
        directory.iter().take(SHOWN).filter_map(Result::ok).map(|entry| object(entry.name)).collect();
    if directory.len() > SHOWN {
        present.push(format!("{} more", directory.len() - SHOWN));
    }
    if present.is_empty() {
        present.push("none".to_owned());
    }
    Failure::new(format!("no object {}; the segment has {}", short(object(name)), present.join(", ")))
}

/// Values that a walk over an object visits at most: more than any object has that does not hold the same bytes again
/// and again.
pub(crate) fn most_values(object: &[u8]) -> u64 {
    (1 << 18) + 4 * object.len() as u64
}
