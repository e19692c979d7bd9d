//! `graven inspect`: what a segment says about itself.
//!
//! Everything readable is shown before damage is reported: whoever inspects a segment may well do so because it is
//! damaged.

use std::collections::HashMap;
use std::io::Write;

use graven_format::{Entry, Header, Mode, Payload, Schema, Section, View};
use serde_json::{Value, json};

use crate::Failure;
use crate::segment::schema::Names;
use crate::text::{count, hex, number, object, printable, size, table};

/// Prints header, objects and sizes of a segment, of any build, without looking into its objects.
///
/// Cost: O(directory and schema).
///
/// # Errors
/// [`Failure::Cause`]: no segment, or the first damage found in directory and schema. What can be read nevertheless has
/// been printed then, unless as JSON, where `problems` has all of them.
///
/// # Examples
/// ```
/// let mut printed = Vec::new();
/// let failure = graven_cli::segment::inspect::inspect("some.grv", b"no segment", false, &mut printed).unwrap_err();
/// assert!(failure.to_string().contains("truncated"));
/// ```
pub fn inspect(file: &str, bytes: &[u8], json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let view = View::inspect(bytes).map_err(Failure::new)?;
    let found = Found::of(&view);
    if json {
        crate::text::json(out, &found.json(file, view.header()))?;
    } else {
        found.print(file, view.header(), out)?;
    }
    match found.problems.into_iter().next() {
        Some(problem) => Err(Failure::new(problem)),
        None => Ok(()),
    }
}

/// What directory and schema say.
pub(crate) struct Found<'a> {
    /// Each object, and the name of its type.
    pub(crate) objects: Vec<(Entry<'a>, Option<String>)>,
    pub(crate) problems: Vec<String>,
}

impl<'a> Found<'a> {
    pub(crate) fn of(view: &View<'a>) -> Found<'a> {
        let mut found = Found { objects: Vec::new(), problems: Vec::new() };
        let directory = match view.directory() {
            Ok(directory) => directory,
            Err(error) => {
                found.problems.push(error.to_string());
                return found;
            }
        };
        let schema = view.check_schema();
        found.problems.extend(schema.as_ref().err().map(|error| error.to_string()));
        let mut types = TypeNames { view, seen: HashMap::new(), left: view.header().schema.length };
        for entry in directory.iter() {
            match entry {
                Ok(entry) => {
                    let name = schema.is_ok().then(|| types.of(&entry));
                    let name =
                        name.and_then(|name| name.map_err(|problem| found.problems.push(problem)).ok());
                    found.objects.push((entry, name));
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

    /// Bytes of all objects. They cannot overlap in a segment that verifies; in others the sum is capped.
    fn object_bytes(&self) -> u64 {
        self.objects.iter().fold(0, |sum: u64, (entry, _)| sum.saturating_add(entry.object.length))
    }

    /// Bytes that belong to nothing, if the directory could be read.
    fn padding(&self, header: &Header) -> u64 {
        let parts =
            [header.schema.length, header.directory.length, header.relocations.length, self.object_bytes()];
        parts
            .iter()
            .fold(header.length.saturating_sub(Header::SIZE as u64), |left, part| left.saturating_sub(*part))
    }

    fn print(&self, file: &str, header: &Header, out: &mut dyn Write) -> Result<(), Failure> {
        let objects = self.objects.len() as u64;
        writeln!(out, "{}: segment, {}, {}", printable(file), size(header.length), count(objects, "object"))?;
        writeln!(out)?;
        let here = if header.payload == Payload::NATIVE { "" } else { " (not this build's)" };
        writeln!(out, "format version  {}", Header::VERSION)?;
        writeln!(out, "payload         {}{here}", header.payload)?;
        match header.mode {
            Mode::Relative if header.address == 0 => {
                writeln!(out, "mode            relative, at any address")?
            }
            Mode::Relative => writeln!(out, "mode            relative, preferably at {:#x}", header.address)?,
            Mode::Fixed => writeln!(
                out,
                "mode            fixed at {:#x}, file offset {}",
                header.address, header.file_offset
            )?,
        }
        writeln!(out, "page size       {}", size(header.page_size.into()))?;
        writeln!(out, "length          {}", count(header.length, "byte"))?;
        writeln!(out, "generation      {}", header.generation)?;
        if header.compat != 0 {
            writeln!(out, "features        {:#010x}, all of which may be ignored", header.compat)?;
        }

        writeln!(out)?;
        let row = |name: &str, at: Option<u64>, bytes: u64, checksum: Option<u64>| {
            let hex = checksum.map(|checksum| format!("{checksum:016x}"));
            let at = at.map(|at| at.to_string());
            vec![name.to_owned(), at.unwrap_or_default(), bytes.to_string(), hex.unwrap_or_default()]
        };
        let section =
            |name, part: Section, checksum| row(name, Some(part.position), part.length, Some(checksum));
        let mut rows = vec![
            row("header", Some(0), Header::SIZE as u64, None),
            row("objects", Some(header.page_size.into()), self.object_bytes(), None),
            section("schema", header.schema, header.schema_checksum),
            section("directory", header.directory, header.directory_checksum),
        ];
        if header.relocations.length > 0 {
            rows.push(section("relocations", header.relocations, header.relocations_checksum));
        }
        rows.push(row("padding", None, self.padding(header), None));
        table(out, "", &["section", ">position", ">bytes", "checksum"], &rows)?;

        if !self.objects.is_empty() {
            writeln!(out)?;
            let row = |(entry, ty): &(Entry<'_>, Option<String>)| {
                vec![
                    object(entry.name),
                    ty.clone().unwrap_or_else(|| "?".to_owned()),
                    entry.object.position.to_string(),
                    entry.object.length.to_string(),
                    entry.root.to_string(),
                    entry.align.to_string(),
                    entry.fingerprint.to_string(),
                    format!("{:016x}", entry.checksum),
                ]
            };
            let headings =
                ["object", "type", ">position", ">bytes", ">root", ">align", "fingerprint", "checksum"];
            table(out, "", &headings, &self.objects.iter().map(row).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    fn json(&self, file: &str, header: &Header) -> Value {
        let part =
            |part: Section| json!({ "position": number(part.position), "length": number(part.length) });
        let section = |section: Section, checksum| {
            let mut value = part(section);
            value["checksum"] = hex(checksum);
            value
        };
        let object = |(entry, ty): &(Entry<'_>, Option<String>)| {
            json!({
                "name": entry.name,
                "type": ty,
                "position": number(entry.object.position),
                "length": number(entry.object.length),
                "root": number(entry.root),
                "align": entry.align,
                "fingerprint": entry.fingerprint.to_string(),
                "checksum": hex(entry.checksum),
                "schema": part(entry.schema),
            })
        };
        json!({
            "file": file,
            "header": {
                "format_version": Header::VERSION,
                "compat": header.compat,
                "payload": payload(header.payload),
                "mode": match header.mode { Mode::Relative => "relative", Mode::Fixed => "fixed" },
                "page_size": header.page_size,
                "length": number(header.length),
                "address": number(header.address),
                "file_offset": number(header.file_offset),
                "generation": number(header.generation),
                "schema": section(header.schema, header.schema_checksum),
                "directory": section(header.directory, header.directory_checksum),
                "relocations": match header.relocations.length {
                    0 => Value::Null,
                    _ => section(header.relocations, header.relocations_checksum),
                },
            },
            "objects": self.objects.iter().map(object).collect::<Vec<_>>(),
            "sizes": {
                "header": Header::SIZE,
                "objects": number(self.object_bytes()),
                "schema": number(header.schema.length),
                "directory": number(header.directory.length),
                "relocations": number(header.relocations.length),
                "padding": number(self.padding(header)),
            },
            "problems": self.problems,
        })
    }
}

/// Payload traits for JSON.
pub(crate) fn payload(payload: Payload) -> Value {
    json!({
        "endian": if payload.big_endian { "big" } else { "little" },
        "offset_width": payload.offset_width,
        "aligned": !payload.unaligned,
        "native": payload == Payload::NATIVE,
    })
}

/// Decodes each table once, however many objects share it, and no more bytes of tables than there are: entries that
/// someone made up may have tables that overlap.
struct TypeNames<'v, 'a> {
    view: &'v View<'a>,
    seen: HashMap<Section, Result<String, String>>,
    left: u64,
}

impl TypeNames<'_, '_> {
    fn of(&mut self, entry: &Entry<'_>) -> Result<String, String> {
        let (view, left) = (self.view, &mut self.left);
        let decode = || {
            let name = object(entry.name);
            *left = left
                .checked_sub(entry.schema.length)
                .ok_or_else(|| format!("schema table of {name} ({}) overlaps another", entry.schema))?;
            let schema = Schema::decode(view.table_bytes(entry))
                .map_err(|error| format!("object {name} ({}): {error}", entry.schema))?;
            Ok(Names::new(&schema).of(0))
        };
        self.seen.entry(entry.schema).or_insert_with(decode).clone()
    }
}
