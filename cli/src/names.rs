//! The names of types, as schemas tell them.

use std::collections::{BTreeSet, HashMap};

use graven_format::Schema;
use graven_format::layout::{Field, NumberKind, Shape, Type};

use crate::text::{label, short};

/// Built-in types inside each other that a name spells out; what goes beyond is named by its number.
const SPELLED: u32 = 16;

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
    pub(crate) mentioned: BTreeSet<u32>,
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
