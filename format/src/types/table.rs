//! The bytes of a schema table: writing and reading its parts.
//!
//! Source: SPEC 6.1.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::layout::{Field, Niche, NumberKind, Shape, Type, Variant};

/// Bytes before the first type of a table.
pub(super) const TABLE_HEADER: usize = 16;
/// Bytes that the smallest encoded type takes.
pub(super) const MIN_TYPE: usize = 16;

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

pub(super) struct Encoder(pub(super) Vec<u8>);

impl Encoder {
    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
    }

    pub(super) fn fields(&mut self, fields: &[Field<u32>]) {
        self.u32(fields.len() as u32);
        for field in fields {
            self.u32(field.ty);
            self.u64(field.offset);
            self.text(&field.name);
        }
    }

    pub(super) fn ty(&mut self, ty: &Type<u32>) {
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

pub(super) struct Decoder<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Decoder<'a> {
    pub(super) fn take(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], SchemaError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..len).ok_or(SchemaError::Truncated { what, offset: self.at })?;
        self.at = self.at.saturating_add(len);
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SchemaError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or(SchemaError::Truncated { what, offset: self.at })?;
        self.at = self.at.saturating_add(N);
        Ok(*taken)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, SchemaError> {
        Ok(self.array::<1>(what)?[0])
    }

    #[inline]
    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, SchemaError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, SchemaError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    pub(super) fn code(&mut self, what: &'static str, limit: u8) -> Result<u8, SchemaError> {
        let offset = self.at;
        match self.u8(what)? {
            code if code < limit => Ok(code),
            got => Err(SchemaError::BadCode { what, offset, got }),
        }
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, SchemaError> {
        Ok(self.code(what, 2)? == 1)
    }

    pub(super) fn zero(&mut self, what: &'static str) -> Result<(), SchemaError> {
        self.code(what, 1).map(drop)
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<String, SchemaError> {
        let len = self.u32(what)? as usize;
        let offset = self.at;
        let bytes = self.take(what, len)?;
        let text = core::str::from_utf8(bytes).map_err(|_| SchemaError::NotUtf8 { what, offset })?;
        Ok(text.to_string())
    }

    pub(super) fn link(&mut self, count: u32) -> Result<u32, SchemaError> {
        let offset = self.at;
        match self.u32("link to a type")? {
            link if link < count => Ok(link),
            link => Err(SchemaError::BadLink { offset, link, types: count }),
        }
    }

    /// A count of things that take at least `size` bytes each, so that it cannot ask for more memory than there is.
    pub(super) fn count(&mut self, what: &'static str, size: usize) -> Result<usize, SchemaError> {
        let offset = self.at;
        let count = self.u32(what)?;
        let left = self.bytes.len().saturating_sub(self.at);
        if count as usize > left.checked_div(size).unwrap_or(0) {
            return Err(SchemaError::BadCount { what, offset, count: count.into() });
        }
        Ok(count as usize)
    }

    pub(super) fn fields(&mut self, types: u32) -> Result<Vec<Field<u32>>, SchemaError> {
        let mut fields = Vec::with_capacity(self.count("fields", 16)?);
        for _ in 0..fields.capacity() {
            let ty = self.link(types)?;
            let offset = self.u64("field offset")?;
            fields.push(Field { name: Cow::Owned(self.text("field name")?), offset, ty });
        }
        Ok(fields)
    }

    pub(super) fn variants(&mut self, types: u32) -> Result<Vec<Variant<u32>>, SchemaError> {
        let mut variants = Vec::with_capacity(self.count("variants", 9)?);
        for _ in 0..variants.capacity() {
            let tag = self.u8("variant tag")?;
            let name = Cow::Owned(self.text("variant name")?);
            variants.push(Variant { name, tag, fields: Cow::Owned(self.fields(types)?) });
        }
        Ok(variants)
    }

    pub(super) fn ty(&mut self, types: u32) -> Result<Type<u32>, SchemaError> {
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

    pub(super) fn end(&self) -> Result<(), SchemaError> {
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
