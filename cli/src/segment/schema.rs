//! `graven schema`: the layouts of a segment's objects.
//!
//! A table is printed type by type, each at most once; types are named in each other, never expanded in each other.
//! So tables of any shape, recursive ones too, take output of a constant times their size.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use graven_format::layout::{Field, Shape, Type, Variant};
use graven_format::{Entry, Schema, Section};
use serde_json::{Value, json};

use crate::Failure;
use crate::names::Names;
use crate::objects::Objects;
use crate::source;
use crate::text::{self, count, label, number, object, payload, printable};

/// Print the layouts of a segment's objects
///
/// Structs and enums are printed like Rust, with the offset and size in bytes of each field. Objects of equal
/// layout are printed together.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  graven schema users.grv             all objects
  graven schema users.grv routes      the object \"routes\"
  graven schema users.grv ''          the root, whose name is empty
  graven schema --json users.grv")]
pub struct Layouts {
    /// The segment
    pub file: PathBuf,
    /// Only the object of this name
    pub object: Option<String>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

impl Layouts {
    pub(crate) fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let bytes = source::described(&self.file)?;
        self.print(&bytes, out).map_err(|failure| failure.of_file(&self.file))
    }

    /// Prints the layouts of the objects in `bytes`, or of one of them, as text or as JSON.
    ///
    /// Objects that share a table are printed together. Cost: O(directory and schema).
    ///
    /// # Errors
    /// [`Failure::Cause`]: no segment, damage in directory or schema, or no such object.
    ///
    /// # Examples
    /// ```
    /// use graven_cli::segment::schema::Layouts;
    /// let what = Layouts { file: "some.grv".into(), object: None, json: false };
    /// let failure = what.print(b"no segment", &mut Vec::new()).unwrap_err();
    /// assert!(failure.to_string().contains("truncated"));
    /// ```
    pub fn print(&self, bytes: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
        let mut objects = Objects::of(bytes)?;
        let groups = match &self.object {
            Some(name) => vec![vec![objects.find(name)?.ok_or_else(|| objects.none(name))?]],
            None => by_table(&objects)?,
        };
        let file = self.file.to_string_lossy();
        if self.json {
            let (mut list, mut tables) = (Vec::new(), Vec::new());
            for group in &groups {
                let schema = objects.schemas.of(&group[0])?;
                let ty = Names::new(&schema).of(0);
                list.extend(group.iter().map(|entry| {
                    let fingerprint = entry.fingerprint.to_string();
                    json!({ "name": entry.name, "type": ty, "fingerprint": fingerprint, "table": tables.len() })
                }));
                tables.push(table_json(&schema));
            }
            return Ok(text::json(out, &json!({ "file": file, "objects": list, "tables": tables }))?);
        }
        for (i, group) in groups.iter().enumerate() {
            if i > 0 {
                writeln!(out)?;
            }
            let schema = objects.schemas.of(&group[0])?;
            let mut names = Names::new(&schema);
            let ty = names.of(0);
            for entry in group {
                writeln!(out, "{}: {ty}   fingerprint {}", object(entry.name), entry.fingerprint)?;
            }
            print(&schema, &mut names, out)?;
        }
        if groups.is_empty() {
            writeln!(out, "{}: no objects", printable(&file))?;
        }
        Ok(())
    }
}

/// Each table's objects, in the order of the first ones.
fn by_table<'a>(objects: &Objects<'a>) -> Result<Vec<Vec<Entry<'a>>>, Failure> {
    let (mut groups, mut group_of) = (Vec::<Vec<Entry<'a>>>::new(), HashMap::<Section, usize>::new());
    for entry in objects.iter() {
        let entry = entry?;
        let group = *group_of.entry(entry.schema).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    Ok(groups)
}

/// Prints structs and enums, and the types that were too deep inside others to be spelled out.
fn print(schema: &Schema, names: &mut Names<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut done = BTreeSet::new();
    for (ty, index) in schema.types().iter().zip(0..) {
        let invariants = if ty.invariants { ", invariants of its own" } else { "" };
        let facts = format!("// {}, align {}{invariants}", count(ty.size, "byte"), ty.align);
        let name = names.of(index);
        match &ty.shape {
            Shape::Struct { fields } => {
                writeln!(out, "\nstruct {name}  {facts}")?;
                print_fields(schema, names, fields, 0, ty.size, out)?;
            }
            Shape::Enum { variants } => {
                writeln!(out, "\nenum {name}  {facts}")?;
                line(out, 0, Some(1), "// tag")?;
                for variant in variants.iter() {
                    writeln!(out, "  {} = {}", label(&variant.name), variant.tag)?;
                    print_fields(schema, names, &variant.fields, 1, ty.size, out)?;
                }
            }
            _ => continue,
        }
        done.insert(index);
    }
    while let Some(index) = names.mentioned.pop_first() {
        if done.insert(index) {
            let ty = &schema.types()[index as usize];
            let name = names.of(index);
            writeln!(out, "\ntype #{index} = {name}  // {}, align {}", count(ty.size, "byte"), ty.align)?;
        }
    }
    Ok(())
}

/// Prints fields, and the gaps between them: from `start` to `end` of a struct or variant whose fields are in order.
fn print_fields(
    schema: &Schema,
    names: &mut Names<'_>,
    fields: &[Field<u32>],
    start: u64,
    end: u64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut used = start;
    let gap = |used: u64, to: u64, out: &mut dyn Write| match to.checked_sub(used) {
        Some(bytes @ 1..) => line(out, used, Some(bytes), "// padding"),
        _ => Ok(()),
    };
    for field in fields {
        let ty = &schema.types()[field.ty as usize];
        gap(used, field.offset, out)?;
        line(out, field.offset, Some(ty.size), &format!("{}: {}", label(&field.name), names.of(field.ty)))?;
        used = used.max(field.offset.saturating_add(ty.size));
    }
    gap(used, end, out)
}

fn line(out: &mut dyn Write, offset: u64, size: Option<u64>, what: &str) -> Result<(), Failure> {
    let size = size.map(|size| size.to_string()).unwrap_or_default();
    writeln!(out, "{offset:>8} {size:>6}  {what}")?;
    Ok(())
}

/// A table for JSON. Types refer to each other by their index in `types`.
fn table_json(schema: &Schema) -> Value {
    let mut names = Names::new(schema);
    let fields = |fields: &[Field<u32>]| -> Value {
        let field = |field: &Field<u32>| json!({ "name": field.name, "offset": number(field.offset), "type": field.ty });
        fields.iter().map(field).collect()
    };
    let lower = |name: &dyn std::fmt::Debug| format!("{name:?}").to_lowercase();
    let ty = |(ty, index): (&Type<u32>, u32)| {
        let mut all = json!({
            "index": index,
            "name": names.of(index),
            "shape": shape_name(&ty.shape),
            "size": number(ty.size),
            "align": ty.align,
            "invariants": ty.invariants,
        });
        let own = match &ty.shape {
            Shape::Struct { fields: list } => json!({ "fields": fields(list) }),
            Shape::Enum { variants } => {
                let variant = |variant: &Variant<u32>| {
                    let Variant { name, tag, fields: list } = variant;
                    json!({ "name": name, "tag": tag, "fields": fields(list) })
                };
                json!({ "variants": variants.iter().map(variant).collect::<Value>() })
            }
            Shape::Number { kind, nonzero, big_endian } => {
                json!({ "kind": lower(kind), "nonzero": nonzero, "big_endian": big_endian })
            }
            Shape::Array { element, len } => json!({ "element": element, "len": number(*len) }),
            Shape::Vec { element } | Shape::Slice { element } => json!({ "element": element }),
            Shape::Box { pointee } | Shape::Shared { pointee } | Shape::Weak { pointee } => {
                json!({ "pointee": pointee })
            }
            Shape::Niched { inner, niche } => json!({ "inner": inner, "niche": lower(niche) }),
            Shape::HashMap { key, value } | Shape::IndexMap { key, value } => {
                json!({ "key": key, "value": value })
            }
            Shape::BTreeMap { key, value, capacity } => {
                json!({ "key": key, "value": value, "capacity": capacity })
            }
            Shape::Duration { big_endian } => json!({ "big_endian": big_endian }),
            Shape::Opaque { tag } => json!({ "tag": tag.as_ref() }),
            _ => json!({}),
        };
        if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
            all.extend(own);
        }
        all
    };
    let types: Value = schema.types().iter().zip(0..).map(ty).collect();
    json!({ "payload": payload(schema.payload()), "types": types })
}

/// SPEC 6.2's name of a shape.
fn shape_name(shape: &Shape<u32>) -> &'static str {
    match shape {
        Shape::Unit => "unit",
        Shape::Bool => "bool",
        Shape::Number { .. } => "number",
        Shape::Struct { .. } => "struct",
        Shape::Enum { .. } => "enum",
        Shape::Array { .. } => "array",
        Shape::String => "string",
        Shape::Vec { .. } => "vec",
        Shape::Box { .. } => "box",
        Shape::Shared { .. } => "shared",
        Shape::Weak { .. } => "weak",
        Shape::Slice { .. } => "slice",
        Shape::Str => "str",
        Shape::CStr => "cstr",
        Shape::Niched { .. } => "niched",
        Shape::HashMap { .. } => "hash_map",
        Shape::IndexMap { .. } => "index_map",
        Shape::BTreeMap { .. } => "btree_map",
        Shape::Duration { .. } => "duration",
        Shape::Opaque { .. } => "opaque",
        _ => "unknown",
    }
}
