//! What of a layout the serializer, which is rkyv's, has to be kept from: it panics, or writes something else, where the
//! layout and the length of a text meet badly.
//!
//! - It pads from 32 zeros (`WriterExt::pad`), so that a type of a larger alignment must follow what ends well.
//! - It lays out a piece (a value, or a node of a B-tree) before it hands it over to be written, so that a pointer in it
//!   may already be too far from its target where the piece would be refused.
//!
//! Source: rkyv 0.8.18, `ser/writer/mod.rs`, `rel_ptr.rs`.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::vec::Vec;

use crate::Schema;
use crate::layout::Shape;

/// The largest alignment that rkyv pads to from anywhere.
const PADDED: u32 = 32;
/// Bytes of a B-tree's node besides entries and links, at most.
const NODE: u64 = 32;
/// Bytes of a pointer, of a count, or of a hash, at most.
const WORD: u64 = 8;

impl Schema {
    /// Whether each value can be laid out by rkyv: it cannot align to more than 32 behind a text, or whatever else may
    /// end anywhere. O(types).
    ///
    /// # Examples
    /// ```
    /// use graven_format::Schema;
    /// assert!(Schema::of::<rkyv::string::ArchivedString>().can_be_padded());
    /// ```
    pub fn can_be_padded(&self) -> bool {
        let align = self.max_align();
        if align <= PADDED {
            return true;
        }
        // Then all parts outside of the root have to be multiples of the alignment, so that each starts and ends at one.
        // But for the last part before a root of less alignment.
        let size = |ty: u32| self.types().get(ty as usize).map_or(1, |ty| ty.size);
        let aligned = |ty: u32| self.types().get(ty as usize).is_some_and(|ty| ty.align == align);
        let unsized_shape = |ty: u32| {
            let ty = self.types().get(ty as usize);
            ty.is_none_or(|ty| matches!(ty.shape, Shape::Slice { .. } | Shape::Str | Shape::CStr))
        };
        let ends_well = |shape: &Shape<u32>| match *shape {
            Shape::Vec { element } | Shape::Slice { element } => size(element).is_multiple_of(align.into()),
            // Slices are asked themselves.
            Shape::Box { pointee } => unsized_shape(pointee) || size(pointee).is_multiple_of(align.into()),
            // Behind a shared target without bytes there is one byte.
            Shape::Shared { pointee } | Shape::Weak { pointee } => {
                !unsized_shape(pointee) && size(pointee) > 0 && size(pointee).is_multiple_of(align.into())
            }
            // Nodes are structs of keys and values.
            Shape::BTreeMap { key, value, .. } => aligned(key) || aligned(value),
            Shape::String | Shape::Str | Shape::CStr | Shape::HashMap { .. } | Shape::IndexMap { .. } => {
                false
            }
            _ => true,
        };
        let lone_table = matches!(self.root().shape, Shape::HashMap { .. })
            && self.types().iter().skip(1).all(|ty| !points(&ty.shape));
        lone_table || self.types().iter().all(|ty| ends_well(&ty.shape))
    }

    /// Bytes from the start of what rkyv lays out in one piece to the end of the last pointer in it, at most, whatever the
    /// piece. O(types · depth).
    ///
    /// # Examples
    /// ```
    /// use graven_format::Schema;
    /// assert_eq!(Schema::of::<[rkyv::primitive::ArchivedU64; 1000]>().pointers_within(), 0);
    /// assert!(Schema::of::<[rkyv::string::ArchivedString; 1000]>().pointers_within() >= 2000);
    /// ```
    pub fn pointers_within(&self) -> u64 {
        let holds = self.holds_pointers();
        let piece = |ty: u32| match holds.get(ty as usize) {
            Some(false) | None => None,
            Some(true) => self.types().get(ty as usize).map(|ty| ty.size),
        };
        let size = |ty: u32| self.types().get(ty as usize).map_or(0, |ty| ty.size);
        // Key and value, each behind padding, and a hash.
        let entry = |key: u32, value: u32| {
            let padding = u64::from(self.max_align()).saturating_mul(2).saturating_add(WORD);
            size(key).saturating_add(size(value)).saturating_add(padding)
        };
        let pieces = (0u32..).zip(self.types()).map(|(number, ty)| {
            let own = piece(number).unwrap_or(0);
            let part = match ty.shape {
                Shape::HashMap { key, value } | Shape::IndexMap { key, value } => {
                    piece(key).or(piece(value)).map_or(0, |_| entry(key, value))
                }
                Shape::BTreeMap { key, value, capacity } => entry(key, value)
                    .saturating_add(WORD)
                    .saturating_mul(capacity.into())
                    .saturating_add(NODE),
                _ => 0,
            };
            own.max(part)
        });
        pieces.max().unwrap_or(0)
    }

    /// Which types have a pointer among their own bytes.
    fn holds_pointers(&self) -> Vec<bool> {
        let mut holds: Vec<bool> = self.types().iter().map(|ty| points(&ty.shape)).collect();
        loop {
            let mut changed = false;
            for (number, ty) in self.types().iter().enumerate() {
                let inline = match ty.shape {
                    Shape::Struct { .. }
                    | Shape::Enum { .. }
                    | Shape::Array { .. }
                    | Shape::Niched { .. } => ty.shape.children(),
                    _ => Vec::new(),
                };
                let below = inline.iter().any(|child| holds.get(*child as usize) == Some(&true));
                if let Some(own) = holds.get_mut(number).filter(|own| below && !**own) {
                    *own = true;
                    changed = true;
                }
            }
            if !changed {
                return holds;
            }
        }
    }
}

/// Whether a value of the shape is, or has, a pointer itself.
fn points(shape: &Shape<u32>) -> bool {
    match shape {
        Shape::String
        | Shape::Vec { .. }
        | Shape::Box { .. }
        | Shape::Shared { .. }
        | Shape::Weak { .. }
        | Shape::HashMap { .. }
        | Shape::IndexMap { .. }
        | Shape::BTreeMap { .. } => true,
        Shape::Unit
        | Shape::Bool
        | Shape::Number { .. }
        | Shape::Struct { .. }
        | Shape::Enum { .. }
        | Shape::Array { .. }
        | Shape::Slice { .. }
        | Shape::Str
        | Shape::CStr
        | Shape::Niched { .. }
        | Shape::Duration { .. }
        | Shape::Opaque { .. } => false,
    }
}
