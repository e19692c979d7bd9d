//! Whether a schema can be followed into an object: what a table has to promise beyond being readable.
//!
//! A decoded table has valid links and texts, and no more: it may come from anyone. Sizes that do not fit their shapes,
//! fields on top of each other, types that contain themselves would lead a reader out of what it checked. A table
//! that equals one made from Rust types needs none of this.
//!
//! Source: SPEC 6.1 (what has to be checked), 6.2 and 6.3 (sizes and alignments).
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::types::layout::{Field, Niche, NumberKind, Shape, Type};
use crate::types::schema::MAX_DISTANCE;
use crate::{Payload, Schema};

/// No type is larger: nothing in memory is.
const MAX_SIZE: u64 = i64::MAX as u64;

/// The smallest multiple of `align` that is at least `n`.
pub(crate) fn align_up(n: u64, align: u64) -> Option<u64> {
    n.checked_next_multiple_of(align)
}

/// An entry of a hash map or an index map: a struct of the key at 0 and the value. SPEC 6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryLayout {
    pub(crate) value: u64,
    pub(crate) size: u64,
    pub(crate) align: u64,
}

impl EntryLayout {
    /// `None` if the numbers are too large.
    pub(crate) fn new(key: &Type<u32>, value: &Type<u32>) -> Option<EntryLayout> {
        let align = u64::from(key.align.max(value.align));
        let at = align_up(key.size, value.align.into())?;
        let size = align_up(at.checked_add(value.size)?, align)?;
        (size <= MAX_SIZE).then_some(EntryLayout { value: at, size, align })
    }
}

/// A node of a B-tree: where keys, values and links start. SPEC 6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeLayout {
    pub(crate) keys: u64,
    pub(crate) values: u64,
    /// A leaf's count, or an inner node's pointers.
    pub(crate) links: u64,
    pub(crate) align: u64,
}

impl NodeLayout {
    /// `None` if the numbers are too large.
    pub(crate) fn new(
        payload: Payload,
        key: &Type<u32>,
        value: &Type<u32>,
        capacity: u32,
    ) -> Option<NodeLayout> {
        let (entries, word) = (u64::from(capacity), payload.word_align());
        let align = u64::from(key.align.max(value.align));
        let keys = u64::from(key.align);
        let values = align_up(keys.checked_add(entries.checked_mul(key.size)?)?, value.align.into())?;
        let end = values.checked_add(entries.checked_mul(value.size)?)?;
        let links = align_up(align_up(end, align)?, word)?;
        let end = links.checked_add(entries.checked_add(1)?.checked_mul(payload.offset_width.into())?)?;
        (end <= MAX_SIZE).then_some(NodeLayout { keys, values, links, align: align.max(word) })
    }
}

impl Payload {
    /// The alignment of a pointer, a length, a count.
    pub(crate) fn word_align(self) -> u64 {
        if self.unaligned { 1 } else { self.offset_width.into() }
    }
}

impl Shape<u32> {
    /// Has no size of its own: its pointer says how much of it there is.
    pub(crate) fn is_unsized(&self) -> bool {
        matches!(self, Shape::Slice { .. } | Shape::Str | Shape::CStr)
    }
}

impl Schema {
    /// Checks that the types can be laid out as the table says, so that a reader may follow it into an object: a
    /// reader by schema, such as [`Value`](crate::Value), asks this first of a table it got from elsewhere.
    ///
    /// - No type contains itself other than through a pointer.
    /// - Sizes and alignments are those that the shapes have for the table's payload; sizes are multiples of alignments.
    /// - Fields are aligned, inside, behind an enum's tag, and apart from each other; an enum's tags differ.
    /// - Unsized types are pointees only; niches are those of their values; B-tree nodes have room for an entry.
    ///
    /// True of every schema made from Rust types. Numbers may have alignment 1 in any payload: programs can name such
    /// types. Types without bytes may have any alignment.
    ///
    /// O(table), but for sorting fields that are not in the order of their offsets; memory: some words per type. Does
    /// not recurse. Whether the table is canonical is for [`is_canonical`](Schema::is_canonical) to say.
    ///
    /// # Errors
    /// [`UnsoundSchema`], one variant per cause, with the number of the type.
    ///
    /// # Examples
    /// ```
    /// use graven_format::{Schema, UnsoundSchema};
    /// let mut table = Schema::of::<rkyv::string::ArchivedString>().encode();
    /// assert_eq!(Schema::decode(&table)?.check_sound(), Ok(()));
    ///
    /// let size = Schema::decode(&table)?.root().size;
    /// table[24] = 3; // where type 0 has its size
    /// let error = Schema::decode(&table)?.check_sound().unwrap_err();
    /// assert_eq!(error, UnsoundSchema::Size { ty: 0, size: 3, expected: size });
    /// # Ok::<(), graven_format::SchemaError>(())
    /// ```
    /// Source: SPEC 6.1, its paragraph on what to check before following a table.
    pub fn check_sound(&self) -> Result<(), UnsoundSchema> {
        if self.root().shape.is_unsized() {
            return Err(UnsoundSchema::UnsizedRoot);
        }
        for (number, ty) in (0..).zip(self.types()) {
            Checker { schema: self, number, ty }.check()?;
        }
        containment_order(self.types()).map(drop)
    }

    /// Checks that a checking reader takes the table, as far as a schema made from Rust types leaves that open:
    /// [`check_sound`](Schema::check_sound), and that types which differ do so within 64 links. Writers ask this of the
    /// types that they write.
    ///
    /// At most O(65 · links).
    ///
    /// # Errors
    /// [`UnsoundSchema`].
    ///
    /// Source: SPEC 6.1, 11.
    pub fn check_writable(&self) -> Result<(), UnsoundSchema> {
        self.check_sound()?;
        match self.is_canonical() {
            true => Ok(()),
            false => Err(UnsoundSchema::TooFar { links: MAX_DISTANCE as u64 }),
        }
    }
}

/// The types in an order in which each comes after those that lie inside it: depth first with an explicit stack.
pub(crate) fn containment_order(types: &[Type<u32>]) -> Result<Vec<u32>, UnsoundSchema> {
    let inside = |ty: u32| match &types[ty as usize].shape {
        shape @ (Shape::Struct { .. } | Shape::Enum { .. } | Shape::Array { .. } | Shape::Niched { .. }) => {
            shape.children()
        }
        _ => Vec::new(),
    };
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = alloc::vec![State::New; types.len()];
    let mut order = Vec::with_capacity(types.len());
    for first in 0..types.len() as u32 {
        // Types on the way down, each with those inside it that are still to do.
        let mut open: Vec<(u32, Vec<u32>)> = Vec::new();
        let mut next = Some(first);
        loop {
            if let Some(ty) = next.take() {
                match states[ty as usize] {
                    State::Open => return Err(UnsoundSchema::ContainsItself { ty }),
                    State::Done => {}
                    State::New => {
                        states[ty as usize] = State::Open;
                        open.push((ty, inside(ty)));
                    }
                }
            }
            let Some((ty, rest)) = open.last_mut() else { break };
            next = rest.pop();
            if next.is_none() {
                states[*ty as usize] = State::Done;
                order.push(*ty);
                open.pop();
            }
        }
    }
    Ok(order)
}

/// One type of a table.
struct Checker<'a> {
    schema: &'a Schema,
    number: u32,
    ty: &'a Type<u32>,
}

impl<'a> Checker<'a> {
    fn type_of(&self, number: u32) -> &'a Type<u32> {
        &self.schema.types()[number as usize]
    }

    /// A type that lies here, or elsewhere by the count: not behind a pointer that says its length.
    fn sized(&self, child: u32) -> Result<&'a Type<u32>, UnsoundSchema> {
        match self.type_of(child) {
            ty if ty.shape.is_unsized() => Err(UnsoundSchema::Unsized { ty: self.number, child }),
            ty => Ok(ty),
        }
    }

    fn is(&self, size: u64, align: u64) -> Result<(), UnsoundSchema> {
        self.is_size(size)?;
        self.is_align(align)
    }

    fn is_size(&self, expected: u64) -> Result<(), UnsoundSchema> {
        match self.ty.size {
            size if size == expected => Ok(()),
            size => Err(UnsoundSchema::Size { ty: self.number, size, expected }),
        }
    }

    fn is_align(&self, expected: u64) -> Result<(), UnsoundSchema> {
        match self.ty.align {
            align if u64::from(align) == expected => Ok(()),
            align => Err(UnsoundSchema::Align { ty: self.number, align, expected }),
        }
    }

    fn check(&self) -> Result<(), UnsoundSchema> {
        let Type { size, align, ref shape, .. } = *self.ty;
        let ty = self.number;
        if size > MAX_SIZE {
            return Err(UnsoundSchema::TooLarge { ty });
        }
        let (w, word) = (u64::from(self.schema.payload().offset_width), self.schema.payload().word_align());
        match shape {
            Shape::Unit => self.is_size(0),
            Shape::Bool => self.is(1, 1),
            Shape::Str | Shape::CStr => self.is(0, 1),
            &Shape::Number { kind, nonzero, .. } => {
                let sizes: &[u64] = match kind {
                    NumberKind::Unsigned | NumberKind::Signed => &[1, 2, 4, 8, 16],
                    NumberKind::Float => &[4, 8],
                    NumberKind::Char => &[4],
                };
                if !sizes.contains(&size) {
                    return Err(UnsoundSchema::NumberSize { ty, kind, size });
                }
                if nonzero && matches!(kind, NumberKind::Float | NumberKind::Char) {
                    return Err(UnsoundSchema::NonZero { ty, kind });
                }
                if align == 1 { Ok(()) } else { self.is_align(size) }
            }
            Shape::Struct { fields } => {
                self.size_fits_align()?;
                self.fields(fields, 0, None)
            }
            Shape::Enum { variants } => {
                self.size_fits_align()?;
                if size == 0 {
                    return Err(UnsoundSchema::NoTag { ty });
                }
                let mut tags = [false; 256];
                for variant in variants.iter() {
                    if core::mem::replace(&mut tags[usize::from(variant.tag)], true) {
                        return Err(UnsoundSchema::TagTwice { ty, tag: variant.tag });
                    }
                    self.fields(&variant.fields, 1, Some(&variant.name))?;
                }
                Ok(())
            }
            Shape::Array { element, len } => {
                let element = self.sized(*element)?;
                let size = element.size.checked_mul(*len).ok_or(UnsoundSchema::TooLarge { ty })?;
                self.is(size, element.align.into())
            }
            Shape::Vec { element } => {
                self.sized(*element)?;
                self.is(w.saturating_mul(2), word)
            }
            Shape::String => self.is(w.saturating_mul(2), word),
            Shape::Box { pointee } | Shape::Shared { pointee } | Shape::Weak { pointee } => {
                let with_length = self.type_of(*pointee).shape.is_unsized();
                self.is(if with_length { w.saturating_mul(2) } else { w }, word)
            }
            Shape::Slice { element } => {
                let element = self.sized(*element)?;
                self.is(0, element.align.into())
            }
            &Shape::Niched { inner, niche } => {
                let value = self.sized(inner)?;
                let fits = match (niche, &value.shape) {
                    (Niche::Zero, Shape::Number { nonzero, .. }) => *nonzero,
                    (Niche::NaN, Shape::Number { kind, .. }) => *kind == NumberKind::Float,
                    (Niche::Null, Shape::Box { .. }) | (Niche::Bool, Shape::Bool) => true,
                    _ => false,
                };
                if !fits {
                    return Err(UnsoundSchema::Niche { ty, niche, inner });
                }
                self.is(value.size, value.align.into())
            }
            Shape::HashMap { key, value } | Shape::IndexMap { key, value } => {
                let (key, value) = (self.sized(*key)?, self.sized(*value)?);
                EntryLayout::new(key, value).ok_or(UnsoundSchema::TooLarge { ty })?;
                let words = if matches!(shape, Shape::HashMap { .. }) { 3 } else { 4 };
                self.is(w.saturating_mul(words), word)
            }
            &Shape::BTreeMap { key, value, capacity } => {
                let (key, value) = (self.sized(key)?, self.sized(value)?);
                if capacity == 0 {
                    return Err(UnsoundSchema::NoEntries { ty });
                }
                NodeLayout::new(self.schema.payload(), key, value, capacity)
                    .ok_or(UnsoundSchema::TooLarge { ty })?;
                self.is(w.saturating_mul(2), word)
            }
            Shape::Duration { .. } if self.schema.payload().unaligned => self.is(12, 1),
            Shape::Duration { .. } => self.is(16, 8),
            Shape::Opaque { .. } => self.size_fits_align(),
        }
    }

    fn size_fits_align(&self) -> Result<(), UnsoundSchema> {
        let Type { size, align, .. } = *self.ty;
        if !size.is_multiple_of(align.into()) {
            return Err(UnsoundSchema::SizeOfAlign { ty: self.number, size, align });
        }
        Ok(())
    }

    /// Checks fields that share their bytes with no other but `before` bytes of tag.
    fn fields(&self, fields: &[Field<u32>], before: u64, variant: Option<&str>) -> Result<(), UnsoundSchema> {
        let ty = self.number;
        let name = |field: &Field<u32>| match variant {
            Some(variant) => alloc::format!("{variant}.{}", field.name),
            None => field.name.to_string(),
        };
        let mut sorted = true;
        let mut last = 0;
        for field in fields {
            let (offset, of) = (field.offset, self.sized(field.ty)?);
            if of.align > self.ty.align || !offset.is_multiple_of(of.align.into()) {
                let (field, align) = (name(field), of.align);
                return Err(UnsoundSchema::FieldUnaligned { ty, field, offset, align });
            }
            if offset < before {
                return Err(UnsoundSchema::FieldOnTag { ty, field: name(field) });
            }
            if offset.checked_add(of.size).is_none_or(|end| end > self.ty.size) {
                let (field, size, within) = (name(field), of.size, self.ty.size);
                return Err(UnsoundSchema::FieldOutside { ty, field, offset, size, within });
            }
            sorted &= last <= offset;
            last = offset;
        }
        let mut order: Vec<&Field<u32>> =
            fields.iter().filter(|field| self.type_of(field.ty).size > 0).collect();
        if !sorted {
            order.sort_by_key(|field| field.offset);
        }
        for pair in order.windows(2) {
            let used = pair[0].offset.saturating_add(self.type_of(pair[0].ty).size);
            if used > pair[1].offset {
                let (field, offset) = (name(pair[1]), pair[1].offset);
                return Err(UnsoundSchema::FieldOverlap { ty, field, offset, used });
            }
        }
        Ok(())
    }
}

/// Why a schema, though readable, cannot be followed into an object. `ty` is the number of the type that is wrong.
///
/// The table was damaged or forged, or its writer breaks the format. Do not read the object.
///
/// Source: SPEC 6.1.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsoundSchema {
    /// The object itself would be unsized.
    #[error("schema cannot be followed: the object would be unsized")]
    UnsizedRoot,
    /// A type contains itself, with no pointer between.
    #[error("schema cannot be followed: type {ty} contains itself without a pointer between")]
    ContainsItself {
        /// The type.
        ty: u32,
    },
    /// A size that the shape does not have in this payload.
    #[error("schema cannot be followed: type {ty} has size {size}, its shape {expected}")]
    Size {
        /// The type.
        ty: u32,
        /// As in the table.
        size: u64,
        /// What the shape gives.
        expected: u64,
    },
    /// An alignment that the shape does not have in this payload.
    #[error("schema cannot be followed: type {ty} has alignment {align}, its shape {expected}")]
    Align {
        /// The type.
        ty: u32,
        /// As in the table.
        align: u32,
        /// What the shape gives.
        expected: u64,
    },
    /// A size that is no multiple of the alignment.
    #[error("schema cannot be followed: type {ty} has size {size}, no multiple of its alignment {align}")]
    SizeOfAlign {
        /// The type.
        ty: u32,
        /// Its size.
        size: u64,
        /// Its alignment.
        align: u32,
    },
    /// The type, or what its pointers lead to, would be larger than any memory.
    #[error("schema cannot be followed: type {ty} is larger than any memory")]
    TooLarge {
        /// The type.
        ty: u32,
    },
    /// A number of a size that its kind does not have.
    #[error("schema cannot be followed: type {ty} is a number ({kind:?}) of {size} bytes")]
    NumberSize {
        /// The type.
        ty: u32,
        /// Its kind.
        kind: NumberKind,
        /// Its size.
        size: u64,
    },
    /// A number said to be never zero that is no integer.
    #[error("schema cannot be followed: type {ty} is a number ({kind:?}) that is never zero")]
    NonZero {
        /// The type.
        ty: u32,
        /// Its kind.
        kind: NumberKind,
    },
    /// A field that is aligned less than its type has to be, in its place or by the type that has it.
    #[error(
        "schema cannot be followed: field {field:?} of type {ty}, at {offset}, is not aligned to {align}"
    )]
    FieldUnaligned {
        /// The type that has the field.
        ty: u32,
        /// The field: `name`, or `Variant.name`.
        field: String,
        /// Where it is.
        offset: u64,
        /// The alignment of the field's type.
        align: u32,
    },
    /// A field on an enum's tag.
    #[error("schema cannot be followed: field {field:?} of type {ty} lies on the tag")]
    FieldOnTag {
        /// The enum.
        ty: u32,
        /// The field: `Variant.name`.
        field: String,
    },
    /// A field that ends behind its type.
    #[error(
        "schema cannot be followed: field {field:?} of type {ty}, {size} bytes at {offset}, ends behind the type's {within} bytes"
    )]
    FieldOutside {
        /// The type that has the field.
        ty: u32,
        /// The field: `name`, or `Variant.name`.
        field: String,
        /// Where it is.
        offset: u64,
        /// Its size.
        size: u64,
        /// The size of the type that has it.
        within: u64,
    },
    /// A field on another one.
    #[error(
        "schema cannot be followed: field {field:?} of type {ty}, at {offset}, lies on the field before it, which ends at {used}"
    )]
    FieldOverlap {
        /// The type that has the fields.
        ty: u32,
        /// The later field: `name`, or `Variant.name`.
        field: String,
        /// Where it is.
        offset: u64,
        /// Where the field before it ends.
        used: u64,
    },
    /// An enum without room for its tag.
    #[error("schema cannot be followed: enum {ty} has no room for its tag")]
    NoTag {
        /// The enum.
        ty: u32,
    },
    /// Two variants with one tag.
    #[error("schema cannot be followed: enum {ty} has two variants with tag {tag}")]
    TagTwice {
        /// The enum.
        ty: u32,
        /// The tag.
        tag: u8,
    },
    /// An unsized type where no pointer says its length.
    #[error("schema cannot be followed: type {ty} has the unsized type {child} without a pointer between")]
    Unsized {
        /// The type that has it.
        ty: u32,
        /// The unsized type.
        child: u32,
    },
    /// A niche that its value does not have.
    #[error("schema cannot be followed: type {ty} has a niche ({niche:?}) that type {inner} does not have")]
    Niche {
        /// The niched type.
        ty: u32,
        /// Its niche.
        niche: Niche,
        /// The type of the value.
        inner: u32,
    },
    /// A B-tree whose nodes have no entries.
    #[error("schema cannot be followed: B-tree {ty} has nodes without entries")]
    NoEntries {
        /// The B-tree.
        ty: u32,
    },
    /// Two types differ only behind more links than readers look, as in a box in a box in a box, 66 of them. A struct on
    /// the way whose field has a name of its own is a difference that is near. Of types that are to be written only.
    #[error(
        "schema cannot be followed: two of its types differ only behind more than {links} links; put a struct with a field of another name \
                 between"
    )]
    TooFar {
        /// The most links there may be.
        links: u64,
    },
}

crate::debug_as_display!(UnsoundSchema);
