//! The layout of one archived type as a canonical table: built from Rust types, encoded, decoded, fingerprinted.
//!
//! *Canonical*: types whose unfoldings are equal are one type of the table, and the numbering is fixed. So equal
//! layouts have equal tables, however many Rust types spell them. Minimising is the textbook partition refinement of
//! automata: start with classes of equal digests, split by the children's classes until nothing splits.
//!
//! Source: SPEC 6.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::any::TypeId;

use super::table::{Decoder, Encoder, MIN_TYPE, SchemaError, TABLE_HEADER, canonical_part};
use crate::types::layout::{Layout, NumberKind, Shape, Type, TypeRef, round_zero};
use crate::{Digest, Fingerprint, Payload};

/// Rounds of refinement in a fingerprint.
const ROUNDS: usize = 32;
/// Links after which two types of a table differ, if they do: SPEC 11.
pub(crate) const MAX_DISTANCE: usize = 64;

/// The layout of one archived type and of everything below it. Type 0 is the root.
///
/// # Examples
/// ```
/// use graven_format::{Schema, layout::Shape};
/// let schema = Schema::of::<rkyv::vec::ArchivedVec<bool>>();
/// assert_eq!(schema.types().len(), 2);
/// assert_eq!(schema.types()[1].shape, Shape::Bool);
/// assert_eq!(Schema::decode(&schema.encode()).unwrap(), schema);
/// ```
/// Source: SPEC 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    payload: Payload,
    types: Vec<Type<u32>>,
    /// The largest of the types'.
    max_align: u32,
}

impl Schema {
    /// The schema of an archived type in this build.
    ///
    /// O(types · depth); tens of microseconds for a large type, so keep it rather than asking again.
    pub fn of<T: Layout + ?Sized>() -> Schema {
        Schema::of_type(TypeRef::of::<T>())
    }

    /// Not generic, so that it is compiled once and not for each type.
    fn of_type(root: TypeRef) -> Schema {
        let (_, types) = unfold(root);
        let types = minimise(&types, types.len()).expect("each round but the last splits a class");
        Schema::new(Payload::NATIVE, types)
    }

    /// Types as they are, equal ones apart: to read objects with, not to be stored.
    pub(crate) fn unfolded(payload: Payload, types: Vec<Type<u32>>) -> Schema {
        Schema::new(payload, types)
    }

    fn new(payload: Payload, types: Vec<Type<u32>>) -> Schema {
        let max_align = types.iter().map(|ty| ty.align).max().unwrap_or(1);
        Schema { payload, types, max_align }
    }

    /// The payload traits of the build that the layout was measured in.
    pub fn payload(&self) -> Payload {
        self.payload
    }

    /// The types; links are indices into this slice. Never empty.
    pub fn types(&self) -> &[Type<u32>] {
        &self.types
    }

    /// The type of the object itself.
    #[inline]
    pub fn root(&self) -> &Type<u32> {
        &self.types[0]
    }

    /// The largest alignment of any type: what an object's position has to be a multiple of. O(1).
    #[inline]
    pub fn max_align(&self) -> u32 {
        self.max_align
    }

    /// The fingerprint: 32 rounds over the table. O(32 · links).
    ///
    /// Source: SPEC 6.4.
    pub fn fingerprint(&self) -> Fingerprint {
        let own: Vec<Digest> = self.types.iter().map(Type::digest).collect();
        let children: Vec<Vec<u32>> = self.types.iter().map(|ty| ty.shape.children()).collect();
        let mut digests = alloc::vec![round_zero(self.payload); own.len()];
        for _ in 0..ROUNDS {
            let round = |(own, children): (&Digest, &Vec<u32>)| {
                children.iter().fold(*own, |digest, &child| digest.digest_fast(digests[child as usize]))
            };
            digests = own.iter().zip(&children).map(round).collect();
        }
        Fingerprint(digests[0].0)
    }

    /// The table's bytes: the canonical part, then the annotations.
    ///
    /// Source: SPEC 6.1.
    pub fn encode(&self) -> Vec<u8> {
        let canonical = self.canonical();
        let mut annotations = Encoder(Vec::new());
        for ty in &self.types {
            annotations.0.push(u8::from(ty.invariants));
            annotations.text(&ty.name);
        }
        let mut out = Encoder(Vec::new());
        let end = canonical.len().saturating_add(8);
        out.u32(end as u32);
        out.u32(end.saturating_add(annotations.0.len()) as u32);
        out.0.extend(canonical);
        out.0.extend(annotations.0);
        out.0
    }

    /// All of the table that two layouts are compared by: see [`canonical_part`].
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Encoder(Vec::new());
        let Payload { big_endian, offset_width, unaligned } = self.payload;
        out.0.extend([u8::from(big_endian), offset_width, u8::from(unaligned), 0]);
        out.u32(self.types.len() as u32);
        for ty in &self.types {
            out.ty(ty);
        }
        out.0
    }

    /// Reads a table. Memory is bounded by a constant factor of the table's bytes.
    ///
    /// # Errors
    /// [`SchemaError`], one variant per cause. What is accepted has valid links and texts; whether the layouts can
    /// be followed into memory is for a validator to say.
    ///
    /// Source: SPEC 6.1.
    pub fn decode(table: &[u8]) -> Result<Schema, SchemaError> {
        let canonical = &table[..canonical_part(table)?.len().saturating_add(8)];
        let mut input = Decoder { bytes: canonical, at: 8 };
        let big_endian = input.flag("endianness")?;
        let offset_width = input.u8("offset width")?;
        if !matches!(offset_width, 2 | 4 | 8) {
            return Err(SchemaError::BadCode { what: "offset width", offset: 9, got: offset_width });
        }
        let unaligned = input.flag("alignment")?;
        input.zero("reserved byte")?;
        let count = input.u32("type count")?;
        if count == 0 || count as usize > canonical.len().saturating_sub(TABLE_HEADER) / MIN_TYPE {
            return Err(SchemaError::BadCount { what: "types", offset: 12, count: count.into() });
        }
        let mut types = Vec::with_capacity(count as usize);
        for _ in 0..count {
            types.push(input.ty(count)?);
        }
        input.end()?;
        let mut input = Decoder { bytes: table, at: canonical.len() };
        for ty in &mut types {
            ty.invariants = input.flag("annotation flags")?;
            ty.name = Cow::Owned(input.text("type name")?);
        }
        input.end()?;
        Ok(Schema::new(Payload { big_endian, offset_width, unaligned }, types))
    }

    /// Whether equal unfoldings are one type and the types are numbered as they have to be: of every table a conforming
    /// writer writes, and of every schema made from Rust types, unless two types of it differ only behind more than 64
    /// links (SPEC 11), which is what two chains of 65 boxes do. At most O(65 · links).
    ///
    /// Source: SPEC 6.1.
    pub fn is_canonical(&self) -> bool {
        let Some(minimal) = minimise(&self.types, MAX_DISTANCE) else { return false };
        minimal.len() == self.types.len()
            && minimal.iter().zip(&self.types).all(|(minimal, ty)| minimal.shape == ty.shape)
    }

    /// A type's name for a person, as it appears in errors and in `graven schema`: `u32`, `Vec<String>`, `Limits`.
    ///
    /// Nested names end after a few levels with `…`.
    pub fn name_of(&self, ty: u32) -> String {
        self.name_at(ty, 4)
    }

    fn name_at(&self, ty: u32, depth: u32) -> String {
        let Some(ty) = self.types.get(ty as usize) else { return "?".to_string() };
        if depth == 0 {
            return "…".to_string();
        }
        let name = |child: &u32| self.name_at(*child, depth.saturating_sub(1));
        let bits = ty.size.saturating_mul(8);
        match &ty.shape {
            Shape::Unit => "()".to_string(),
            Shape::Bool => "bool".to_string(),
            Shape::Number { kind, nonzero, big_endian } => {
                let (letter, order) = match kind {
                    NumberKind::Unsigned => ("u", ""),
                    NumberKind::Signed => ("i", ""),
                    NumberKind::Float => ("f", ""),
                    NumberKind::Char => ("char", ""),
                };
                let order = if *big_endian != self.payload.big_endian && ty.size > 1 {
                    if *big_endian { "_be" } else { "_le" }
                } else {
                    order
                };
                let width = if *kind == NumberKind::Char { String::new() } else { bits.to_string() };
                if *nonzero {
                    alloc::format!("NonZero<{letter}{width}{order}>")
                } else {
                    alloc::format!("{letter}{width}{order}")
                }
            }
            Shape::Enum { variants } if ty.name == "Option" && variants.len() == 2 => {
                match variants[1].fields.first() {
                    Some(field) => alloc::format!("Option<{}>", name(&field.ty)),
                    None => ty.name.to_string(),
                }
            }
            Shape::Struct { fields } if ty.name == "tuple" => {
                let fields: Vec<String> = fields.iter().map(|field| name(&field.ty)).collect();
                alloc::format!("({})", fields.join(", "))
            }
            Shape::Struct { .. } if ty.name.is_empty() => "struct".to_string(),
            Shape::Enum { .. } if ty.name.is_empty() => "enum".to_string(),
            Shape::Struct { .. } | Shape::Enum { .. } => ty.name.to_string(),
            Shape::Array { element, len } => alloc::format!("[{}; {len}]", name(element)),
            Shape::String => "String".to_string(),
            Shape::Vec { element } => alloc::format!("Vec<{}>", name(element)),
            Shape::Box { pointee } => alloc::format!("Box<{}>", name(pointee)),
            Shape::Shared { pointee } => alloc::format!("Rc<{}>", name(pointee)),
            Shape::Weak { pointee } => alloc::format!("Weak<{}>", name(pointee)),
            Shape::Slice { element } => alloc::format!("[{}]", name(element)),
            Shape::Str => "str".to_string(),
            Shape::CStr => "CStr".to_string(),
            Shape::Niched { inner, niche } => alloc::format!("Niched<{}, {niche:?}>", name(inner)),
            Shape::HashMap { key, value } => alloc::format!("HashMap<{}, {}>", name(key), name(value)),
            Shape::IndexMap { key, value } => alloc::format!("IndexMap<{}, {}>", name(key), name(value)),
            Shape::BTreeMap { key, value, .. } => {
                alloc::format!("BTreeMap<{}, {}>", name(key), name(value))
            }
            Shape::Duration { .. } => "Duration".to_string(),
            Shape::Opaque { tag } => alloc::format!("opaque {tag:?}"),
        }
    }
}

/// All Rust types below one, itself first: who they are, and what they look like, linked by index.
pub(crate) fn unfold(root: TypeRef) -> (Vec<TypeRef>, Vec<Type<u32>>) {
    let mut index: BTreeMap<TypeId, u32> = BTreeMap::from([(root.id(), 0)]);
    let mut found = alloc::vec![root];
    let mut types: Vec<Type<u32>> = Vec::new();
    while let Some(&next) = found.get(types.len()) {
        let ty = next.get();
        let shape = ty.shape.map(|child| {
            *index.entry(child.id()).or_insert_with(|| {
                found.push(*child);
                found.len().saturating_sub(1) as u32
            })
        });
        types.push(with_shape(ty, shape));
    }
    (found, types)
}

/// Merges the types of equal unfolding and numbers the rest by depth-first preorder from type 0. `None` if two types
/// differ behind more links than `distance` only: each round looks one link further, and one more finds nothing.
fn minimise(types: &[Type<u32>], distance: usize) -> Option<Vec<Type<u32>>> {
    let children: Vec<Vec<u32>> = types.iter().map(|ty| ty.shape.children()).collect();
    let mut classes = classes_of(types.iter().map(Type::digest));
    let mut stable = false;
    for _ in 0..=distance {
        let signature = |i: usize| {
            let below: Vec<u32> = children[i].iter().map(|&child| classes.0[child as usize]).collect();
            (classes.0[i], below)
        };
        let finer = classes_of((0..types.len()).map(signature));
        stable = finer.1 == classes.1;
        classes = finer;
        if stable {
            break;
        }
    }
    if !stable {
        return None;
    }
    let (class_of, class_count) = classes;

    // Preorder over classes. `number[class]` is the type's place in the table.
    let mut number = alloc::vec![u32::MAX; class_count];
    let mut order = Vec::with_capacity(class_count);
    let mut stack = alloc::vec![0u32];
    while let Some(at) = stack.pop() {
        let place = &mut number[class_of[at as usize] as usize];
        if *place == u32::MAX {
            *place = order.len() as u32;
            order.push(at as usize);
            stack.extend(children[at as usize].iter().rev());
        }
    }
    let invariants = |class: u32| types.iter().zip(&class_of).any(|(ty, &of)| of == class && ty.invariants);
    let renumber = |&at: &usize| {
        let shape = types[at].shape.map(|child| number[class_of[*child as usize] as usize]);
        Type { invariants: invariants(class_of[at]), ..with_shape(&types[at], shape) }
    };
    Some(order.iter().map(renumber).collect())
}

fn with_shape<R: Clone>(ty: &Type<R>, shape: Shape<u32>) -> Type<u32> {
    Type { name: ty.name.clone(), size: ty.size, align: ty.align, invariants: ty.invariants, shape }
}

/// Numbers equal keys alike, in order of first appearance; also says how many different ones there are.
fn classes_of<K: Ord>(keys: impl Iterator<Item = K>) -> (Vec<u32>, usize) {
    let mut numbers = BTreeMap::new();
    let classes = keys
        .map(|key| {
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        })
        .collect();
    (classes, numbers.len())
}
