//! `graven schema`: the layouts of a segment's objects.
//!
//! A table is printed type by type, each at most once; types are named in each other, never expanded in each other.
//! So tables of any shape, recursive ones too, take output of a constant times their size.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use graven_format::layout::{Field, NumberKind, Shape, Type};
use graven_format::{Entry, Schema, Section, View};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::objects::no_object;
use crate::segment::inspect::payload;
use crate::text::{count, label, number, object, printable, short};

/// Built-in types inside each other that a name spells out; what goes beyond is named by its number.
const SPELLED: u32 = 16;

/// Prints the layouts of a segment's objects, or of one of them, as text or as JSON.
///
/// Objects that share a table are printed together. Cost: O(directory and schema).
///
/// # Errors
/// [`Failure::Cause`]: no segment, damage in directory or schema, or no such object.
///
/// # Examples
/// ```
/// let mut printed = Vec::new();
/// let failure = graven_cli::segment::schema::schema("some.grv", b"no segment", None, false, &mut printed).unwrap_err();
/// assert!(failure.to_string().contains("truncated"));
/// ```
pub fn schema(
    file: &str,
    bytes: &[u8],
    name: Option<&str>,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let view = View::inspect(bytes).map_err(Failure::new)?;
    let directory = view.directory().map_err(Failure::new)?;
    view.check_schema().map_err(Failure::new)?;

    // Each table with its objects, in the order of their first ones.
    let mut groups: Vec<Vec<Entry<'_>>> = Vec::new();
    match name {
        Some(name) => match view.find(name).map_err(Failure::new)? {
            Some((_, entry)) => groups.push(vec![entry]),
            None => return Err(no_object(&view, name)),
        },
        None => {
            let mut group_of: HashMap<Section, usize> = HashMap::new();
            for entry in directory.iter() {
                let entry = entry.map_err(Failure::new)?;
                let group = *group_of.entry(entry.schema).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[group].push(entry);
            }
        }
    }
    let mut left = view.header().schema.length;
    let mut decode = |entry: &Entry<'_>| {
        left = left.checked_sub(entry.schema.length).ok_or_else(|| {
            Failure::new(format!(
                "schema table of {} ({}) overlaps another",
                object(entry.name),
                entry.schema
            ))
        })?;
        Schema::decode(view.table_bytes(entry)).map_err(|error| {
            Failure::new(format!("object {} ({}): {error}", object(entry.name), entry.schema))
        })
    };

    if json {
        let (mut objects, mut tables) = (Vec::new(), Vec::new());
        for group in &groups {
            let schema = decode(&group[0])?;
            let ty = Names::new(&schema).of(0);
            objects.extend(group.iter().map(|entry| {
                let fingerprint = entry.fingerprint.to_string();
                json!({ "name": entry.name, "type": ty, "fingerprint": fingerprint, "table": tables.len() })
            }));
            tables.push(table_json(&schema));
        }
        crate::text::json(out, &json!({ "file": file, "objects": objects, "tables": tables }))?;
        return Ok(());
    }
    for (i, group) in groups.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        let schema = decode(&group[0])?;
        let mut names = Names::new(&schema);
        let ty = names.of(0);
        for entry in group {
            writeln!(out, "{}: {ty}   fingerprint {}", object(entry.name), entry.fingerprint)?;
        }
        print(&schema, &mut names, out)?;
    }
    if groups.is_empty() {
        writeln!(out, "{}: no objects", printable(file))?;
    }
    Ok(())
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

/// The names of a table's types.
///
/// Built-in types are spelled as in Rust; structs and enums have the name that their writer gave them, followed by
/// `#` and their number where that is no name or several have it. Names are harmless for a terminal and of bounded
/// length, whatever the table says.
pub(crate) struct Names<'s> {
    schema: &'s Schema,
    /// How many structs and enums have a name.
    same: HashMap<String, u32>,
    /// Types that were named by their number alone.
    mentioned: BTreeSet<u32>,
}

impl<'s> Names<'s> {
    pub(crate) fn new(schema: &'s Schema) -> Names<'s> {
        let mut same = HashMap::new();
        for ty in schema.types().iter().filter_map(own_name) {
            *same.entry(ty).or_default() += 1;
        }
        Names { schema, same, mentioned: BTreeSet::new() }
    }

    /// The name of a type.
    pub(crate) fn of(&mut self, index: u32) -> String {
        self.spelled(index, &mut { SPELLED })
    }

    /// The name, at the cost of one of the `left` types that may be spelled out.
    fn spelled(&mut self, index: u32, left: &mut u32) -> String {
        // A decoded table has no links that lead nowhere.
        let schema = self.schema;
        let Some(ty) = schema.types().get(index as usize) else { return "?".to_owned() };
        if let Some(name) = own_name(ty) {
            return if self.same.get(&name) == Some(&1) { name } else { format!("{name}#{index}") };
        }
        if *left == 0 && !ty.shape.children().is_empty() {
            self.mentioned.insert(index);
            return format!("#{index}");
        }
        *left = left.saturating_sub(1);
        let bits = u128::from(ty.size) * 8;
        let mut name = |child: u32| self.spelled(child, left);
        match &ty.shape {
            Shape::Unit => "()".to_owned(),
            Shape::Bool => "bool".to_owned(),
            Shape::Number { kind, nonzero, big_endian } => {
                let order = match *big_endian == schema.payload().big_endian || ty.size < 2 {
                    true => "",
                    false if *big_endian => "_be",
                    false => "_le",
                };
                let plain = match kind {
                    NumberKind::Unsigned => format!("u{bits}{order}"),
                    NumberKind::Signed => format!("i{bits}{order}"),
                    NumberKind::Float => format!("f{bits}{order}"),
                    NumberKind::Char => format!("char{order}"),
                };
                if *nonzero { format!("NonZero<{plain}>") } else { plain }
            }
            // A tuple, or an option: all others have names of their own.
            Shape::Struct { fields } => match &fields[..] {
                [one] => format!("({},)", name(one.ty)),
                all => format!("({})", all.iter().map(|field| name(field.ty)).collect::<Vec<_>>().join(", ")),
            },
            Shape::Enum { variants } => {
                let some = variants.get(1).and_then(|some| some.fields.first());
                some.map_or_else(|| "Option".to_owned(), |field| format!("Option<{}>", name(field.ty)))
            }
            Shape::Array { element, len } => format!("[{}; {len}]", name(*element)),
            Shape::String => "String".to_owned(),
            Shape::Vec { element } => format!("Vec<{}>", name(*element)),
            Shape::Box { pointee } => format!("Box<{}>", name(*pointee)),
            Shape::Shared { pointee } => format!("Rc<{}>", name(*pointee)),
            Shape::Weak { pointee } => format!("Weak<{}>", name(*pointee)),
            Shape::Slice { element } => format!("[{}]", name(*element)),
            Shape::Str => "str".to_owned(),
            Shape::CStr => "CStr".to_owned(),
            Shape::Niched { inner, niche } => format!("Niched<{}, {niche:?}>", name(*inner)),
            Shape::HashMap { key, value } => match is_unit(schema, *value) {
                true => format!("HashSet<{}>", name(*key)),
                false => format!("HashMap<{}, {}>", name(*key), name(*value)),
            },
            Shape::IndexMap { key, value } => match is_unit(schema, *value) {
                true => format!("IndexSet<{}>", name(*key)),
                false => format!("IndexMap<{}, {}>", name(*key), name(*value)),
            },
            Shape::BTreeMap { key, value, .. } => match is_unit(schema, *value) {
                true => format!("BTreeSet<{}>", name(*key)),
                false => format!("BTreeMap<{}, {}>", name(*key), name(*value)),
            },
            Shape::Duration { .. } => "Duration".to_owned(),
            Shape::Opaque { tag } => format!("opaque {:?}", short(tag)),
            // A shape of a later format version does not decode in this one.
            _ => format!("#{index}"),
        }
    }
}

/// The name that the writer gave a struct or an enum; none for what is spelled by its parts.
fn own_name(ty: &Type<u32>) -> Option<String> {
    let numbered = |fields: &[Field<u32>]| (0..).zip(fields).all(|(i, field)| field.name == i.to_string());
    match &ty.shape {
        Shape::Struct { fields } if ty.name == "tuple" && fields.len() <= 13 && numbered(fields) => None,
        Shape::Enum { variants } if ty.name == "Option" && variants.len() == 2 => None,
        Shape::Struct { .. } if ty.name.is_empty() => Some("struct".to_owned()),
        Shape::Enum { .. } if ty.name.is_empty() => Some("enum".to_owned()),
        Shape::Struct { .. } | Shape::Enum { .. } => Some(label(&ty.name)),
        _ => None,
    }
}

fn is_unit(schema: &Schema, index: u32) -> bool {
    schema.types().get(index as usize).is_some_and(|ty| ty.shape == Shape::Unit)
}

/// A table for JSON. Types refer to each other by their position in `types`.
fn table_json(schema: &Schema) -> Value {
    let mut names = Names::new(schema);
    let fields = |fields: &[Field<u32>]| -> Value {
        let field = |field: &Field<u32>| json!({ "name": field.name, "offset": number(field.offset), "type": field.ty });
        fields.iter().map(field).collect()
    };
    let ty = |(ty, index): (&Type<u32>, u32)| {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("index", index.into());
        put("name", names.of(index).into());
        put("shape", shape_name(&ty.shape).into());
        put("size", number(ty.size));
        put("align", ty.align.into());
        put("invariants", ty.invariants.into());
        match &ty.shape {
            Shape::Struct { fields: list } => {
                put("fields", fields(list));
            }
            Shape::Enum { variants } => {
                let variant = |variant: &graven_format::layout::Variant<u32>| json!({ "name": variant.name, "tag": variant.tag, "fields": fields(&variant.fields) });
                put("variants", variants.iter().map(variant).collect());
            }
            Shape::Number { kind, nonzero, big_endian } => {
                put("kind", format!("{kind:?}").to_lowercase().into());
                put("nonzero", (*nonzero).into());
                put("big_endian", (*big_endian).into());
            }
            Shape::Array { element, len } => {
                put("element", (*element).into());
                put("len", number(*len));
            }
            Shape::Vec { element } | Shape::Slice { element } => {
                put("element", (*element).into());
            }
            Shape::Box { pointee } | Shape::Shared { pointee } | Shape::Weak { pointee } => {
                put("pointee", (*pointee).into());
            }
            Shape::Niched { inner, niche } => {
                put("inner", (*inner).into());
                put("niche", format!("{niche:?}").to_lowercase().into());
            }
            Shape::HashMap { key, value } | Shape::IndexMap { key, value } => {
                put("key", (*key).into());
                put("value", (*value).into());
            }
            Shape::BTreeMap { key, value, capacity } => {
                put("key", (*key).into());
                put("value", (*value).into());
                put("capacity", (*capacity).into());
            }
            Shape::Duration { big_endian } => {
                put("big_endian", (*big_endian).into());
            }
            Shape::Opaque { tag } => {
                put("tag", tag.as_ref().into());
            }
            _ => {}
        }
        Value::Object(object)
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
