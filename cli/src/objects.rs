//! The objects of a segment of any build: what the segment says of them, their layouts, their values.

use std::collections::HashMap;
use std::rc::Rc;

use graven_format::{Directory, Entry, Schema, Section, Value, View, check_entry, checksum};

use crate::Failure;
use crate::names::Names;
use crate::text::{object, short};

/// The layouts of a segment's objects. Each table is decoded once, however many objects share it, and no more bytes of
/// tables than there are: entries that someone made up may have tables that overlap.
pub(crate) struct Schemas<'a> {
    view: View<'a>,
    known: HashMap<Section, Result<Rc<Schema>, String>>,
    left: u64,
}

impl<'a> Schemas<'a> {
    pub(crate) fn new(view: View<'a>) -> Schemas<'a> {
        Schemas { view, known: HashMap::new(), left: view.header().schema.length }
    }

    /// The layout of an object, or what is wrong with its table.
    pub(crate) fn of(&mut self, entry: &Entry<'_>) -> Result<Rc<Schema>, Failure> {
        let (view, left) = (self.view, &mut self.left);
        let decode = || {
            *left = left.checked_sub(entry.schema.length).ok_or("its schema table overlaps another")?;
            let schema = Schema::decode(view.table_bytes(entry)).map_err(|error| error.to_string())?;
            Ok(Rc::new(schema))
        };
        let schema = self.known.entry(entry.schema).or_insert_with(decode).clone();
        schema.map_err(|what| Schemas::failure(entry, &what))
    }

    fn failure(entry: &Entry<'_>, what: &str) -> Failure {
        Failure::new(format!("object {} ({}): {what}", object(entry.name), entry.schema))
    }
}

/// What a segment says of its objects, as far as it can be read.
pub(crate) struct Overview<'a> {
    /// Each object, and the name of its type.
    pub(crate) objects: Vec<(Entry<'a>, Option<String>)>,
    pub(crate) problems: Vec<String>,
}

impl<'a> Overview<'a> {
    pub(crate) fn of(view: &View<'a>) -> Overview<'a> {
        let mut found = Overview { objects: Vec::new(), problems: Vec::new() };
        let directory = match view.directory() {
            Ok(directory) => directory,
            Err(error) => {
                found.problems.push(error.to_string());
                return found;
            }
        };
        let schema = view.check_schema();
        found.problems.extend(schema.as_ref().err().map(|error| error.to_string()));
        let mut schemas = Schemas::new(*view);
        for entry in directory.iter() {
            match entry {
                Ok(entry) => {
                    let ty = schema.is_ok().then(|| schemas.of(&entry)).and_then(|schema| {
                        schema.map_err(|failure| found.problems.push(failure.to_string())).ok()
                    });
                    found.objects.push((entry, ty.map(|schema| Names::new(&schema).of(0))));
                }
                // The next entries of a directory that someone made up would say the same.
                Err(error) => {
                    found.problems.push(error.to_string());
                    break;
                }
            }
        }
        found
    }
}

/// The objects of a segment, after a look at the schema's checksum.
pub(crate) struct Objects<'a> {
    view: View<'a>,
    directory: Directory<'a>,
    /// As they are; [`schema`](Objects::schema) looks at their payload too.
    pub(crate) schemas: Schemas<'a>,
}

impl<'a> Objects<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Result<Objects<'a>, Failure> {
        let view = View::inspect(bytes).map_err(Failure::new)?;
        let directory = view.directory().map_err(Failure::new)?;
        view.check_schema().map_err(Failure::new)?;
        Ok(Objects { view, directory, schemas: Schemas::new(view) })
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
        const SHOWN: usize = 8;
        let mut present: Vec<String> = self
            .directory
            .iter()
            .take(SHOWN)
            .filter_map(Result::ok)
            .map(|entry| object(entry.name))
            .collect();
        if self.directory.len() > SHOWN {
            present.push(format!("{} more", self.directory.len() - SHOWN));
        }
        if present.is_empty() {
            present.push("none".to_owned());
        }
        Failure::new(format!("no object {}; the segment has {}", short(object(name)), present.join(", ")))
    }

    /// The layout of an object.
    pub(crate) fn schema(&mut self, entry: &Entry<'_>) -> Result<Rc<Schema>, Failure> {
        let schema = self.schemas.of(entry)?;
        if schema.payload() != self.view.header().payload {
            let what = format!("its schema is for payload {}, not the segment's", schema.payload());
            return Err(Schemas::failure(entry, &what));
        }
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

/// Values that a walk over an object visits at most: more than any object has that does not hold the same bytes again
/// and again.
pub(crate) fn most_values(object: &[u8]) -> u64 {
    (1 << 18) + 4 * object.len() as u64
}
