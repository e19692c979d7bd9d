//! A value, and each step from it to another.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

use super::error::{Cause, Question, Result, ValueError, ValueFacts};
use super::kind::Kind;
use crate::Schema;
use crate::objects::damage::Damage;
use crate::types::layout::{Field, Niche, NumberKind, Shape, Type, Variant};

/// Pointers that may lead straight to each other, and levels of a B-tree. SPEC 11.
pub(super) const MAX_NESTING: u32 = 254;
/// Bytes of a type's name that an error keeps.
const MAX_NAME: usize = 80;

/// A value in an object, read by schema.
///
/// Copying is free. Boxes and shared pointers are followed by all questions but [`kind`](Value::kind),
/// [`ty`](Value::ty), [`offset`](Value::offset) and [`target`](Value::target) themselves. No question recurses.
///
/// Not checked: that pointers lead to different bytes. A hostile object may hold the same bytes many times, and be as deep
/// as it is long; whoever walks a whole tree needs a limit, as serializing has one.
///
/// # Examples
/// ```
/// use graven_format::{Schema, Value};
/// let names = vec!["Ada".to_string(), "a name that is not inline".to_string()];
/// let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&names)?;
/// let schema = Schema::of::<rkyv::vec::ArchivedVec<rkyv::string::ArchivedString>>();
///
/// let root = bytes.len() as u64 - schema.root().size;
/// let value = Value::root(&bytes, &schema, root)?;
/// assert_eq!(value.index(0)?.as_str()?, "Ada");
/// assert_eq!(value.path("[1]")?.len()?, 25);
///
/// let error = value.index(2).unwrap_err();
/// assert!(error.to_string().ends_with("has no element 2, only 2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Objects of other builds, whose segment only [`View::inspect`](crate::View::inspect) opens:
/// ```
/// use graven_format::{Schema, Value, View};
/// fn root_of<'a>(view: &View<'a>, schema: &'a mut Option<Schema>) -> Result<Value<'a>, Box<dyn std::error::Error>> {
///     view.check_schema()?;
///     let (_, entry) = view.find("")?.ok_or("no root")?;
///     let schema = schema.insert(Schema::decode(view.table_bytes(&entry))?);
///     Ok(Value::root(view.object_bytes(&entry), schema, entry.root)?)
/// }
/// ```
/// Source: SPEC 6.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub(super) object: &'a [u8],
    pub(super) schema: &'a Schema,
    /// INVARIANT: a type of the schema.
    pub(super) ty: u32,
    /// INVARIANT: this value's bytes are in the object.
    pub(super) at: u64,
    /// Elements or bytes of an unsized value; otherwise 0.
    pub(super) len: u64,
}

impl<'a> Value<'a> {
    /// Elements without bytes that [`iter`](Value::iter) and [`entries`](Value::entries) visit: more would be work
    /// that no byte stands for.
    pub const MAX_EMPTY: u64 = 1 << 16;

    /// The root of an object: its bytes, its schema, and where in the bytes the root is.
    ///
    /// O(schema): the schema is checked with [`Schema::check_sound`]; of the object nothing is read. The bytes need no
    /// alignment.
    ///
    /// # Errors
    /// [`Damage::Schema`]; [`Damage::Outside`], [`Damage::Unaligned`] of the root.
    ///
    /// # Examples
    /// See [`Value`].
    ///
    /// Source: SPEC 8, steps 18 and 19.
    pub fn root(object: &'a [u8], schema: &'a Schema, root: u64) -> Result<Value<'a>> {
        let value = Value { object, schema, ty: 0, at: root, len: 0 };
        schema.check_sound().map_err(|error| value.error(Damage::Schema(error)))?;
        value.place(0, root, 0)
    }

    /// The value of type `ty` at `at`, if it lies in the object and is aligned.
    pub(super) fn place(&self, ty: u32, at: u64, len: u64) -> Result<Value<'a>> {
        let value = Value { ty, at, len, ..*self };
        let size = value.byte_len().ok_or_else(|| value.too_large())?;
        value.bytes(at, size)?;
        let align = value.ty().align.into();
        if !at.is_multiple_of(align) {
            return Err(value.error(Damage::Unaligned { target: at, align }));
        }
        Ok(value)
    }

    /// The bytes of this value itself.
    pub(super) fn byte_len(&self) -> Option<u64> {
        match self.ty().shape {
            Shape::Slice { element } => self.type_of(element).size.checked_mul(self.len),
            Shape::Str | Shape::CStr => Some(self.len),
            _ => Some(self.ty().size),
        }
    }

    pub(super) fn type_of(&self, ty: u32) -> &'a Type<u32> {
        &self.schema.types()[ty as usize]
    }

    pub(super) fn error(&self, cause: impl Into<Cause>) -> ValueError {
        let name = &*self.ty().name;
        let name = if name.is_empty() { "unnamed" } else { name };
        let mut type_name: String = name.chars().take(MAX_NAME).collect();
        if type_name.len() < name.len() {
            type_name.push('…');
        }
        ValueError(Box::new(ValueFacts {
            offset: self.at,
            type_name,
            path: String::new(),
            cause: cause.into(),
        }))
    }

    pub(super) fn not(&self, expected: &'static str) -> ValueError {
        self.error(Question::Kind { expected, got: self.kind() })
    }

    fn outside(&self, target: u64, size: u64) -> ValueError {
        let until = self.object.len() as u64;
        self.error(Damage::Outside { target, size, from: 0, until })
    }

    pub(super) fn too_large(&self) -> ValueError {
        self.outside(self.at, u64::MAX)
    }

    /// Bytes of the object.
    pub(super) fn bytes(&self, at: u64, size: u64) -> Result<&'a [u8]> {
        let range = || {
            let (from, to) = (usize::try_from(at).ok()?, usize::try_from(at.checked_add(size)?).ok()?);
            self.object.get(from..to)
        };
        range().ok_or_else(|| self.outside(at, size))
    }

    /// A number of at most 16 bytes.
    pub(super) fn number(&self, at: u64, size: u64, big_endian: bool) -> Result<u128> {
        let bytes = self.bytes(at, size)?;
        let digit = |number: u128, byte: &u8| number << 8 | u128::from(*byte);
        Ok(if big_endian { bytes.iter().fold(0, digit) } else { bytes.iter().rev().fold(0, digit) })
    }

    pub(super) fn width(&self) -> u64 {
        self.schema.payload().offset_width.into()
    }

    /// A length, a count, a capacity or an index.
    pub(super) fn word(&self, at: u64) -> Result<u64> {
        Ok(self.number(at, self.width(), self.schema.payload().big_endian)? as u64)
    }

    /// A pointer's distance.
    pub(super) fn distance(&self, at: u64) -> Result<i64> {
        let unused = 64 - 8 * self.width() as u32;
        Ok((self.word(at)? << unused) as i64 >> unused)
    }

    /// Where the pointer at `pointer` leads, if `size` bytes are there, aligned: `before` of them before the target,
    /// all of them before the pointer.
    pub(super) fn follow(&self, pointer: u64, before: u64, size: u64, align: u64) -> Result<u64> {
        self.reach(pointer, pointer, before, size, align)
    }

    /// As [`follow`](Value::follow), for distances that count from `base`, which the target lies before.
    pub(super) fn reach(&self, pointer: u64, base: u64, before: u64, size: u64, align: u64) -> Result<u64> {
        let distance = self.distance(pointer)?;
        let found = || {
            let target = base.checked_add_signed(distance)?;
            let first = target.checked_sub(before)?;
            (first.checked_add(size)? <= base).then_some((first, target))
        };
        let Some((first, target)) = found() else {
            let target = base.wrapping_add_signed(distance).wrapping_sub(before);
            return Err(self.error(Damage::Outside { target, size, from: 0, until: base }));
        };
        if !first.is_multiple_of(align) {
            return Err(Value { at: first, ..*self }.error(Damage::Unaligned { target: first, align }));
        }
        Ok(target)
    }

    /// What the value is, as far as its type says. O(1), of tuples O(fields); no bytes are read.
    pub fn kind(&self) -> Kind {
        match &self.ty().shape {
            Shape::Unit => Kind::Unit,
            Shape::Bool => Kind::Bool,
            Shape::Number { kind: NumberKind::Unsigned, .. } => Kind::Unsigned,
            Shape::Number { kind: NumberKind::Signed, .. } => Kind::Signed,
            Shape::Number { kind: NumberKind::Float, .. } => Kind::Float,
            Shape::Number { kind: NumberKind::Char, .. } => Kind::Char,
            Shape::String | Shape::Str => Kind::String,
            Shape::CStr => Kind::CString,
            Shape::Struct { fields } if is_tuple(fields) => Kind::Tuple,
            Shape::Struct { .. } => Kind::Struct,
            Shape::Enum { variants } if some_of(variants).is_some() => Kind::Option,
            Shape::Enum { .. } => Kind::Enum,
            Shape::Niched { .. } | Shape::Weak { .. } => Kind::Option,
            Shape::Array { .. } | Shape::Vec { .. } | Shape::Slice { .. } => Kind::Sequence,
            Shape::HashMap { value, .. } | Shape::IndexMap { value, .. } | Shape::BTreeMap { value, .. } => {
                match self.type_of(*value).shape {
                    Shape::Unit => Kind::Set,
                    _ => Kind::Map,
                }
            }
            Shape::Box { .. } | Shape::Shared { .. } => Kind::Pointer,
            Shape::Duration { .. } => Kind::Duration,
            Shape::Opaque { .. } => Kind::Opaque,
        }
    }

    /// The value's type: its name, size, shape. O(1).
    pub fn ty(&self) -> &'a Type<u32> {
        self.type_of(self.ty)
    }

    /// The number of the value's type in [`Schema::types`]. O(1).
    pub fn type_index(&self) -> u32 {
        self.ty
    }

    /// The schema that the object is read by. O(1).
    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// Where the value is, from the start of the object. O(1).
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// What a box or a shared pointer leads to. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`] of other values; [`Damage::Outside`], [`Damage::Unaligned`].
    ///
    /// Source: SPEC 5; 6.3, "Who may point where".
    pub fn target(&self) -> Result<Value<'a>> {
        match self.ty().shape {
            Shape::Box { pointee } | Shape::Shared { pointee } => self.pointee(pointee),
            _ => Err(self.not("the target of a pointer")),
        }
    }

    pub(super) fn pointee(&self, ty: u32) -> Result<Value<'a>> {
        let len = if self.type_of(ty).shape.is_unsized() { self.word(self.at + self.width())? } else { 0 };
        let target = Value { ty, len, ..*self };
        let size = target.byte_len().ok_or_else(|| self.too_large())?;
        let align = target.ty().align.into();
        self.place(ty, self.follow(self.at, 0, size, align)?, len)
    }

    /// This value, or what boxes and shared pointers lead to: never of [`Kind::Pointer`]. O(pointers).
    ///
    /// # Errors
    /// As [`target`](Value::target); [`Question::TooDeep`] for pointers that lead straight to each other, more than
    /// 254 of them.
    pub fn resolve(&self) -> Result<Value<'a>> {
        let mut value = *self;
        for _ in 0..=MAX_NESTING {
            if !matches!(value.ty().shape, Shape::Box { .. } | Shape::Shared { .. }) {
                return Ok(value);
            }
            value = value.target()?;
        }
        Err(self.error(Question::TooDeep { limit: MAX_NESTING }))
    }

    /// A field of a struct, a tuple or an enum's variant, by name; those of tuples are `0`, `1`, …. O(fields).
    ///
    /// # Errors
    /// [`Question::Kind`] of other values, [`Question::NoField`]; of enums [`Damage::Tag`].
    pub fn field(&self, name: &str) -> Result<Value<'a>> {
        let value = self.resolve()?;
        match value.field_list("a field")?.iter().find(|field| field.name == name) {
            Some(field) => value.place_field(field),
            None => Err(value.error(Question::NoField { name: name.to_string() })),
        }
    }

    /// The fields of a struct, a tuple or an enum's variant, with their names, in the order of declaration. O(1) each.
    ///
    /// # Errors
    /// [`Question::Kind`] of other values; of enums [`Damage::Tag`].
    pub fn fields(&self) -> Result<impl ExactSizeIterator<Item = (&'a str, Result<Value<'a>>)> + use<'a>> {
        let value = self.resolve()?;
        let fields = value.field_list("fields")?;
        Ok(fields.iter().map(move |field| (&*field.name, value.place_field(field))))
    }

    pub(super) fn field_list(&self, expected: &'static str) -> Result<&'a [Field<u32>]> {
        match &self.ty().shape {
            Shape::Struct { fields } => Ok(fields),
            Shape::Enum { .. } => Ok(&self.variant()?.fields),
            _ => Err(self.not(expected)),
        }
    }

    pub(super) fn place_field(&self, field: &Field<u32>) -> Result<Value<'a>> {
        let at = self.at.checked_add(field.offset).ok_or_else(|| self.too_large())?;
        self.place(field.ty, at, 0)
    }

    /// The variant that an enum's tag says, with its name; of options in the encoding of an enum too. O(variants).
    ///
    /// # Errors
    /// [`Question::Kind`] of other values, [`Damage::Tag`].
    pub fn variant(&self) -> Result<&'a Variant<u32>> {
        let value = self.resolve()?;
        let Shape::Enum { variants } = &value.ty().shape else { return Err(value.not("a variant")) };
        let got = value.number(value.at, 1, false)? as u8;
        let found = variants.iter().find(|variant| variant.tag == got);
        found.ok_or_else(|| value.error(Damage::Tag { got }))
    }

    /// What an option holds, in whatever encoding, or a weak pointer leads to. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`] of other values, [`Damage::Tag`]; of weak pointers [`Damage::Outside`],
    /// [`Damage::Unaligned`].
    ///
    /// Source: SPEC 6.2, niched and weak.
    pub fn option(&self) -> Result<Option<Value<'a>>> {
        let value = self.resolve()?;
        match &value.ty().shape {
            Shape::Enum { variants } if some_of(variants).is_some() => {
                value.variant()?.fields.first().map(|field| value.place_field(field)).transpose()
            }
            &Shape::Weak { pointee } => match value.distance(value.at)? {
                1 => Ok(None),
                _ => value.pointee(pointee).map(Some),
            },
            &Shape::Niched { inner, niche } => {
                let inner = value.place(inner, value.at, 0)?;
                let bytes = value.bytes(value.at, value.ty().size)?;
                let none = match niche {
                    Niche::Zero => bytes.iter().all(|byte| *byte == 0),
                    Niche::NaN => inner.as_f64()?.is_nan(),
                    Niche::Null => value.distance(value.at)? == 1,
                    Niche::Bool => bytes.first().is_some_and(|byte| *byte > 1),
                };
                Ok((!none).then_some(inner))
            }
            _ => Err(value.not("an option")),
        }
    }
}

impl fmt::Debug for Value<'_> {
    /// The place and the type; not what is there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("offset", &self.at).field("type", &self.ty().name).finish()
    }
}

/// Whether fields are those of a tuple: named by their numbers, without signs and leading zeros.
pub(super) fn is_tuple(fields: &[Field<u32>]) -> bool {
    let is = |name: &str, i: usize| {
        let plain = !name.starts_with('+') && (i == 0) == name.starts_with('0') && (i > 0 || name.len() == 1);
        plain && name.parse() == Ok(i)
    };
    !fields.is_empty() && fields.iter().enumerate().all(|(i, field)| is(&field.name, i))
}

/// The field of `Some`, if these are the variants of an `Option`.
pub(super) fn some_of(variants: &[Variant<u32>]) -> Option<&Field<u32>> {
    match variants {
        [none, some] if none.name == "None" && none.fields.is_empty() && none.tag == 0 => match &*some.fields
        {
            [field] if some.name == "Some" && some.tag == 1 && field.name == "0" => Some(field),
            _ => None,
        },
        _ => None,
    }
}
