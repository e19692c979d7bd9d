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

use crate::types::layout::{Field, Layout, Niche, NumberKind, Shape, Type, TypeRef, Variant, round_zero};
use crate::{Digest, Fingerprint, Payload};

/// Rounds of refinement in a fingerprint.
const ROUNDS: usize = 32;
/// Links after which two types of a table differ, if they do: SPEC 11.
pub(crate) const MAX_DISTANCE: usize = 64;
/// Bytes before the first type of a table.
const TABLE_HEADER: usize = 16;
/// Bytes that the smallest encoded type takes.
const MIN_TYPE: usize = 16;

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

/// The part of an encoded table by which two layouts are compared: all but the two lengths before it and the
/// annotations after it.
///
/// O(1): the two lengths are checked, nothing else is read.
///
/// # Errors
/// [`SchemaError::Truncated`] or [`SchemaError::BadLength`].
///
/// Source: SPEC 6.1.
#[inline]
pub fn canonical_part(table: &[u8]) -> Result<&[u8], SchemaError> {
    let mut input = Decoder { bytes: table, at: 0 };
    let canonical = input.u32("canonical length")? as usize;
    let total = input.u32("total length")? as usize;
    if total != table.len() || canonical > total || canonical < TABLE_HEADER + MIN_TYPE {
        return Err(SchemaError::BadLength { canonical, total, table: table.len() });
    }
    Ok(&table[8..canonical])
}

/// The table that a run of tables starts with: the length is in it. O(1).
///
/// # Errors
/// [`SchemaError::Truncated`] or [`SchemaError::BadLength`], as [`canonical_part`].
///
/// # Examples
/// ```
/// use graven_format::{Schema, first_table};
/// let table = Schema::of::<bool>().encode();
/// let two = [&*table, &*table].concat();
/// assert_eq!(first_table(&two), Ok(&*table));
/// assert!(first_table(&two[1..]).is_err());
/// ```
/// Source: SPEC 6.1.
pub fn first_table(bytes: &[u8]) -> Result<&[u8], SchemaError> {
    let mut input = Decoder { bytes, at: 4 };
    let total = input.u32("total length")? as usize;
    let table = bytes.get(..total).unwrap_or(bytes);
    canonical_part(table)?;
    Ok(table)
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

struct Encoder(Vec<u8>);

impl Encoder {
    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
    }

    fn fields(&mut self, fields: &[Field<u32>]) {
        self.u32(fields.len() as u32);
        for field in fields {
            self.u32(field.ty);
            self.u64(field.offset);
            self.text(&field.name);
        }
    }

    fn ty(&mut self, ty: &Type<u32>) {
        let parameters = match &ty.shape {
            Shape::Number { kind, nonzero, big_endian } => {
                [*kind as u8, u8::from(*nonzero), u8::from(*big_endian)]
            }
            Shape::Duration { big_endian } => [u8::from(*big_endian), 0, 0],
            Shape::Niched { niche, .. } => [*niche as u8, 0, 0],
            _ => [0; 3],
        };
        self.0.push(ty.shape.code());
        self.0.extend(parameters);
        self.u32(ty.align);
        self.u64(ty.size);
        match &ty.shape {
            Shape::Struct { fields } => self.fields(fields),
            Shape::Enum { variants } => {
                self.u32(variants.len() as u32);
                for variant in variants.iter() {
                    self.0.push(variant.tag);
                    self.text(&variant.name);
                    self.fields(&variant.fields);
                }
            }
            Shape::Opaque { tag } => self.text(tag),
            shape => {
                for child in shape.children() {
                    self.u32(child);
                }
                match shape {
                    Shape::Array { len, .. } => self.u64(*len),
                    Shape::BTreeMap { capacity, .. } => self.u32(*capacity),
                    _ => {}
                }
            }
        }
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Decoder<'a> {
    fn take(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], SchemaError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or(SchemaError::Truncated { what, offset: self.at })?;
        self.at = self.at.saturating_add(len);
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SchemaError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or(SchemaError::Truncated { what, offset: self.at })?;
        self.at = self.at.saturating_add(N);
        Ok(*taken)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, SchemaError> {
        Ok(self.array::<1>(what)?[0])
    }

    #[inline]
    fn u32(&mut self, what: &'static str) -> Result<u32, SchemaError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, SchemaError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn code(&mut self, what: &'static str, limit: u8) -> Result<u8, SchemaError> {
        let offset = self.at;
        match self.u8(what)? {
            code if code < limit => Ok(code),
            got => Err(SchemaError::BadCode { what, offset, got }),
        }
    }

    fn flag(&mut self, what: &'static str) -> Result<bool, SchemaError> {
        Ok(self.code(what, 2)? == 1)
    }

    fn zero(&mut self, what: &'static str) -> Result<(), SchemaError> {
        self.code(what, 1).map(drop)
    }

    fn text(&mut self, what: &'static str) -> Result<String, SchemaError> {
        let len = self.u32(what)? as usize;
        let offset = self.at;
        let bytes = self.take(what, len)?;
        let text = core::str::from_utf8(bytes).map_err(|_| SchemaError::NotUtf8 { what, offset })?;
        Ok(text.to_string())
    }

    fn link(&mut self, count: u32) -> Result<u32, SchemaError> {
        let offset = self.at;
        match self.u32("link to a type")? {
            link if link < count => Ok(link),
            link => Err(SchemaError::BadLink { offset, link, types: count }),
        }
    }

    /// A count of things that take at least `size` bytes each, so that it cannot ask for more memory than there is.
    fn count(&mut self, what: &'static str, size: usize) -> Result<usize, SchemaError> {
        let offset = self.at;
        let count = self.u32(what)?;
        let left = self.bytes.len().saturating_sub(self.at);
        if count as usize > left.checked_div(size).unwrap_or(0) {
            return Err(SchemaError::BadCount { what, offset, count: count.into() });
        }
        Ok(count as usize)
    }

    fn fields(&mut self, types: u32) -> Result<Vec<Field<u32>>, SchemaError> {
        let mut fields = Vec::with_capacity(self.count("fields", 16)?);
        for _ in 0..fields.capacity() {
            let ty = self.link(types)?;
            let offset = self.u64("field offset")?;
            fields.push(Field { name: Cow::Owned(self.text("field name")?), offset, ty });
        }
        Ok(fields)
    }

    fn variants(&mut self, types: u32) -> Result<Vec<Variant<u32>>, SchemaError> {
        let mut variants = Vec::with_capacity(self.count("variants", 9)?);
        for _ in 0..variants.capacity() {
            let tag = self.u8("variant tag")?;
            let name = Cow::Owned(self.text("variant name")?);
            variants.push(Variant { name, tag, fields: Cow::Owned(self.fields(types)?) });
        }
        Ok(variants)
    }

    fn ty(&mut self, types: u32) -> Result<Type<u32>, SchemaError> {
        let at = self.at;
        let code = self.u8("shape")?;
        let limits: [u8; 3] = match code {
            2 => [4, 2, 2],
            14 => [4, 1, 1],
            18 => [2, 1, 1],
            _ => [1; 3],
        };
        let a = self.code("shape parameter", limits[0])?;
        let b = self.code("shape parameter", limits[1])?;
        let c = self.code("shape parameter", limits[2])?;
        let align = self.u32("alignment")?;
        if !align.is_power_of_two() {
            return Err(SchemaError::BadAlign { offset: at.saturating_add(4), align });
        }
        let size = self.u64("size")?;
        let shape = match code {
            0 => Shape::Unit,
            1 => Shape::Bool,
            2 => Shape::Number {
                kind: [NumberKind::Unsigned, NumberKind::Signed, NumberKind::Float, NumberKind::Char]
                    [usize::from(a)],
                nonzero: b == 1,
                big_endian: c == 1,
            },
            3 => Shape::Struct { fields: Cow::Owned(self.fields(types)?) },
            4 => Shape::Enum { variants: Cow::Owned(self.variants(types)?) },
            5 => Shape::Array { element: self.link(types)?, len: self.u64("array length")? },
            6 => Shape::String,
            7 => Shape::Vec { element: self.link(types)? },
            8 => Shape::Box { pointee: self.link(types)? },
            9 => Shape::Shared { pointee: self.link(types)? },
            10 => Shape::Weak { pointee: self.link(types)? },
            11 => Shape::Slice { element: self.link(types)? },
            12 => Shape::Str,
            13 => Shape::CStr,
            14 => Shape::Niched {
                inner: self.link(types)?,
                niche: [Niche::Zero, Niche::NaN, Niche::Null, Niche::Bool][usize::from(a)],
            },
            15 => Shape::HashMap { key: self.link(types)?, value: self.link(types)? },
            16 => Shape::IndexMap { key: self.link(types)?, value: self.link(types)? },
            17 => Shape::BTreeMap {
                key: self.link(types)?,
                value: self.link(types)?,
                capacity: self.u32("B-tree capacity")?,
            },
            18 => Shape::Duration { big_endian: a == 1 },
            19 => Shape::Opaque { tag: Cow::Owned(self.text("opaque tag")?) },
            got => return Err(SchemaError::BadCode { what: "shape", offset: at, got }),
        };
        Ok(Type { name: Cow::Borrowed(""), size, align, invariants: false, shape })
    }

    fn end(&self) -> Result<(), SchemaError> {
        match self.bytes.len().saturating_sub(self.at) {
            0 => Ok(()),
            bytes => Err(SchemaError::Trailing { offset: self.at, bytes }),
        }
    }
}

/// Why bytes are not a schema table. Offsets are from the start of the table.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The bytes end inside `what`.
    #[error("schema table damaged: {what} at offset {offset} is cut off")]
    Truncated {
        /// The part that is cut.
        what: &'static str,
        /// Where it starts.
        offset: usize,
    },
    /// The table's two lengths do not fit each other or the bytes there are.
    #[error(
        "schema table damaged: its lengths (canonical {canonical}, total {total}) do not fit its {table} bytes"
    )]
    BadLength {
        /// Length of the canonical part, as recorded.
        canonical: usize,
        /// Length of the whole table, as recorded.
        total: usize,
        /// Length of the bytes given.
        table: usize,
    },
    /// More things than the rest of the table has room for, or none.
    #[error("schema table damaged: {count} {what} at offset {offset} do not fit the table")]
    BadCount {
        /// What is counted.
        what: &'static str,
        /// Where the count stands.
        offset: usize,
        /// The count.
        count: u64,
    },
    /// A code byte outside its range.
    #[error("schema table damaged: {what} at offset {offset} has the unknown value {got}")]
    BadCode {
        /// What the byte means.
        what: &'static str,
        /// Where it stands.
        offset: usize,
        /// Its value.
        got: u8,
    },
    /// An alignment that is no power of two.
    #[error("schema table damaged: alignment {align} at offset {offset} is no power of two")]
    BadAlign {
        /// Where it stands.
        offset: usize,
        /// Its value.
        align: u32,
    },
    /// A link to a type that the table has not.
    #[error("schema table damaged: link at offset {offset} leads to type {link} of {types}")]
    BadLink {
        /// Where it stands.
        offset: usize,
        /// Its value.
        link: u32,
        /// The types there are.
        types: u32,
    },
    /// A name that is not UTF-8.
    #[error("schema table damaged: {what} at offset {offset} is not UTF-8")]
    NotUtf8 {
        /// What is named.
        what: &'static str,
        /// Where the name starts.
        offset: usize,
    },
    /// Bytes left over after the last part.
    #[error("schema table damaged: {bytes} bytes too many at offset {offset}")]
    Trailing {
        /// Where they start.
        offset: usize,
        /// How many.
        bytes: usize,
    },
}

crate::debug_as_display!(SchemaError);
