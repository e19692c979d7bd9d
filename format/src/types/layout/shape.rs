//! One level of a layout as data, and its digest.
//!
//! Source: SPEC 6.2, 6.4.

use alloc::{borrow::Cow, vec, vec::Vec};

use crate::Digest;

/// A list that is static in a type's description and owned in a decoded schema.
pub type List<T> = Cow<'static, [T]>;
/// A text that is static in a type's description and owned in a decoded schema.
pub type Text = Cow<'static, str>;

/// One level of a layout: a type's size, alignment and shape. `R` is the link to the types below:
/// [`TypeRef`](super::TypeRef) in descriptions, `u32` (an index) in a [`crate::Schema`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type<R: Clone + 'static> {
    /// The name a person knows the type by. No part of the fingerprint.
    pub name: Text,
    /// Bytes; 0 for unsized types.
    pub size: u64,
    /// Bytes, a power of two.
    pub align: u32,
    /// The values have to hold more than the shape says (`bytecheck(verify)`, opaque). No part of the fingerprint.
    pub invariants: bool,
    /// What the bytes are.
    pub shape: Shape<R>,
}

/// What the bytes of a type are. The numbers are the shape codes of SPEC 6.2.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Shape<R: Clone + 'static> {
    /// No bytes.
    Unit = 0,
    /// One byte, 0 or 1.
    Bool = 1,
    /// A number of the type's size.
    Number {
        /// Integer, float or char.
        kind: NumberKind,
        /// All-zero bytes are refused.
        nonzero: bool,
        /// Most significant byte first.
        big_endian: bool,
    } = 2,
    /// Fields at fixed offsets.
    Struct {
        /// In declaration order.
        fields: List<Field<R>>,
    } = 3,
    /// A tag byte at offset 0, then the fields of the variant with that tag.
    Enum {
        /// In declaration order.
        variants: List<Variant<R>>,
    } = 4,
    /// `len` elements, one after the other.
    Array {
        /// The element type.
        element: R,
        /// Elements.
        len: u64,
    } = 5,
    /// rkyv's string: inline, or a length and a relative pointer.
    String = 6,
    /// A relative pointer at 0 and a length, to elements.
    Vec {
        /// The element type.
        element: R,
    } = 7,
    /// A relative pointer, with a length behind it if the pointee is unsized.
    Box {
        /// What it points to.
        pointee: R,
    } = 8,
    /// A relative pointer that others may share.
    Shared {
        /// What it points to.
        pointee: R,
    } = 9,
    /// A shared relative pointer that may be null.
    Weak {
        /// What it points to.
        pointee: R,
    } = 10,
    /// Unsized: elements, as many as the pointer's length says.
    Slice {
        /// The element type.
        element: R,
    } = 11,
    /// Unsized: UTF-8, as many bytes as the pointer's length says.
    Str = 12,
    /// Unsized: bytes, as many as the pointer's length says, the last one and only the last one zero.
    CStr = 13,
    /// The bytes of `inner`, or a pattern that `inner` cannot have and that means "none".
    Niched {
        /// The type of the value if there is one.
        inner: R,
        /// Which pattern means "none".
        niche: Niche,
    } = 14,
    /// rkyv's Swiss table. A set has a unit value.
    HashMap {
        /// The key type.
        key: R,
        /// The value type.
        value: R,
    } = 15,
    /// rkyv's Swiss table of indices, and entries in order. A set has a unit value.
    IndexMap {
        /// The key type.
        key: R,
        /// The value type.
        value: R,
    } = 16,
    /// rkyv's B-tree. A set has a unit value.
    BTreeMap {
        /// The key type.
        key: R,
        /// The value type.
        value: R,
        /// Entries of a full node: rkyv's `E`.
        capacity: u32,
    } = 17,
    /// Seconds (u64 at 0) and nanoseconds (u32 at 8, below 10^9).
    Duration {
        /// Most significant byte first.
        big_endian: bool,
    } = 18,
    /// Bytes that only the program knows, free of pointers.
    Opaque {
        /// Its name and version, chosen by the program.
        tag: Text,
    } = 19,
}

/// What a [`Shape::Number`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NumberKind {
    /// An unsigned integer.
    Unsigned = 0,
    /// A two's complement integer.
    Signed = 1,
    /// An IEEE 754 number.
    Float = 2,
    /// A Unicode scalar value in four bytes.
    Char = 3,
}

/// Which byte pattern of the inner type means "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Niche {
    /// All bytes zero.
    Zero = 0,
    /// Any NaN.
    NaN = 1,
    /// The relative offset 1, which is rkyv's null.
    Null = 2,
    /// A byte above 1.
    Bool = 3,
}

/// A field of a struct or of an enum's variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<R> {
    /// Its name; its number in tuples.
    pub name: Text,
    /// Bytes from the start of the struct or enum.
    pub offset: u64,
    /// Its type.
    pub ty: R,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant<R: Clone + 'static> {
    /// Its name.
    pub name: Text,
    /// The tag byte that selects it.
    pub tag: u8,
    /// Its fields, in declaration order.
    pub fields: List<Field<R>>,
}

impl<R: Clone + 'static> Shape<R> {
    /// The shape's number in the encoded schema.
    pub const fn code(&self) -> u8 {
        match self {
            Shape::Unit => 0,
            Shape::Bool => 1,
            Shape::Number { .. } => 2,
            Shape::Struct { .. } => 3,
            Shape::Enum { .. } => 4,
            Shape::Array { .. } => 5,
            Shape::String => 6,
            Shape::Vec { .. } => 7,
            Shape::Box { .. } => 8,
            Shape::Shared { .. } => 9,
            Shape::Weak { .. } => 10,
            Shape::Slice { .. } => 11,
            Shape::Str => 12,
            Shape::CStr => 13,
            Shape::Niched { .. } => 14,
            Shape::HashMap { .. } => 15,
            Shape::IndexMap { .. } => 16,
            Shape::BTreeMap { .. } => 17,
            Shape::Duration { .. } => 18,
            Shape::Opaque { .. } => 19,
        }
    }

    /// The links to the types below, in the order of SPEC 6.4.
    pub fn children(&self) -> Vec<R> {
        let of = |fields: &[Field<R>]| fields.iter().map(|field| field.ty.clone()).collect();
        match self {
            Shape::Struct { fields } => of(fields),
            Shape::Enum { variants } => variants.iter().flat_map(|v| of(&v.fields)).collect(),
            Shape::Array { element: one, .. }
            | Shape::Vec { element: one }
            | Shape::Slice { element: one }
            | Shape::Box { pointee: one }
            | Shape::Shared { pointee: one }
            | Shape::Weak { pointee: one }
            | Shape::Niched { inner: one, .. } => vec![one.clone()],
            Shape::HashMap { key, value }
            | Shape::IndexMap { key, value }
            | Shape::BTreeMap { key, value, .. } => vec![key.clone(), value.clone()],
            Shape::Unit
            | Shape::Bool
            | Shape::Number { .. }
            | Shape::String
            | Shape::Str
            | Shape::CStr
            | Shape::Duration { .. }
            | Shape::Opaque { .. } => vec![],
        }
    }

    /// The same shape with other links: `link` is called once per child, in the order of [`children`](Self::children).
    pub fn map<S: Clone + 'static>(&self, mut link: impl FnMut(&R) -> S) -> Shape<S> {
        fn fields<R, S: Clone>(list: &[Field<R>], link: &mut impl FnMut(&R) -> S) -> List<Field<S>> {
            let map = |f: &Field<R>| Field { name: f.name.clone(), offset: f.offset, ty: link(&f.ty) };
            list.iter().map(map).collect()
        }
        match self {
            Shape::Unit => Shape::Unit,
            Shape::Bool => Shape::Bool,
            &Shape::Number { kind, nonzero, big_endian } => Shape::Number { kind, nonzero, big_endian },
            Shape::Struct { fields: list } => Shape::Struct { fields: fields(list, &mut link) },
            Shape::Enum { variants } => Shape::Enum {
                variants: variants
                    .iter()
                    .map(|v| Variant {
                        name: v.name.clone(),
                        tag: v.tag,
                        fields: fields(&v.fields, &mut link),
                    })
                    .collect(),
            },
            Shape::Array { element, len } => Shape::Array { element: link(element), len: *len },
            Shape::String => Shape::String,
            Shape::Vec { element } => Shape::Vec { element: link(element) },
            Shape::Box { pointee } => Shape::Box { pointee: link(pointee) },
            Shape::Shared { pointee } => Shape::Shared { pointee: link(pointee) },
            Shape::Weak { pointee } => Shape::Weak { pointee: link(pointee) },
            Shape::Slice { element } => Shape::Slice { element: link(element) },
            Shape::Str => Shape::Str,
            Shape::CStr => Shape::CStr,
            Shape::Niched { inner, niche } => Shape::Niched { inner: link(inner), niche: *niche },
            Shape::HashMap { key, value } => Shape::HashMap { key: link(key), value: link(value) },
            Shape::IndexMap { key, value } => Shape::IndexMap { key: link(key), value: link(value) },
            Shape::BTreeMap { key, value, capacity } => {
                Shape::BTreeMap { key: link(key), value: link(value), capacity: *capacity }
            }
            &Shape::Duration { big_endian } => Shape::Duration { big_endian },
            Shape::Opaque { tag } => Shape::Opaque { tag: tag.clone() },
        }
    }
}

impl<R: Clone + 'static> Type<R> {
    /// The digest of this level alone: all that a fingerprint covers but the types below.
    ///
    /// Source: SPEC 6.4.
    pub const fn digest(&self) -> Digest {
        let digest =
            Digest::EMPTY.number(self.shape.code() as u64).number(self.size).number(self.align as u64);
        match &self.shape {
            Shape::Number { kind, nonzero, big_endian } => {
                digest.number(*kind as u64).number(*nonzero as u64).number(*big_endian as u64)
            }
            Shape::Struct { fields } => fields_digest(digest, slice(fields)),
            Shape::Enum { variants } => {
                let variants = slice(variants);
                let mut digest = digest.number(variants.len() as u64);
                let mut i = 0;
                while i < variants.len() {
                    digest = digest.text(str(&variants[i].name)).number(variants[i].tag as u64);
                    digest = fields_digest(digest, slice(&variants[i].fields));
                    i += 1;
                }
                digest
            }
            Shape::Array { len, .. } => digest.number(*len),
            Shape::Niched { niche, .. } => digest.number(*niche as u64),
            Shape::BTreeMap { capacity, .. } => digest.number(*capacity as u64),
            Shape::Duration { big_endian } => digest.number(*big_endian as u64),
            Shape::Opaque { tag } => digest.text(str(tag)),
            Shape::Unit
            | Shape::Bool
            | Shape::String
            | Shape::Vec { .. }
            | Shape::Box { .. }
            | Shape::Shared { .. }
            | Shape::Weak { .. }
            | Shape::Slice { .. }
            | Shape::Str
            | Shape::CStr
            | Shape::HashMap { .. }
            | Shape::IndexMap { .. } => digest,
        }
    }
}

const fn fields_digest<R>(mut digest: Digest, fields: &[Field<R>]) -> Digest {
    digest = digest.number(fields.len() as u64);
    let mut i = 0;
    while i < fields.len() {
        digest = digest.text(str(&fields[i].name)).number(fields[i].offset);
        i += 1;
    }
    digest
}

/// `&list[..]`, in const evaluation too.
const fn slice<T: Clone>(list: &List<T>) -> &[T] {
    match list {
        Cow::Borrowed(list) => list,
        Cow::Owned(list) => list.as_slice(),
    }
}

/// `&text[..]`, in const evaluation too.
const fn str(text: &Text) -> &str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => text.as_str(),
    }
}
