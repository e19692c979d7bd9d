//! What of a layout the serializer, which is rkyv's, has to be kept from.
//!
//! It lays out a piece (a value, or a node of a B-tree) before it hands it over to be written, so that a pointer in it may
//! already be too far from its target where the piece would be refused: it panics then, or writes something else.
//!
//! Source: rkyv 0.8.18, `rel_ptr.rs`.
#![warn(clippy::arithmetic_side_effects)] // what a file says is added up here

use alloc::vec::Vec;

use crate::Schema;
use crate::types::layout::Shape;

/// Bytes of a B-tree's node besides entries and links, at most.
const NODE: u64 = 32;
/// Bytes of a pointer, of a count, or of a hash, at most.
const WORD: u64 = 8;

impl Schema {
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
