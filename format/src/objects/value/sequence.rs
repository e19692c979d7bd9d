//! Elements back to back: vectors, arrays, slices.

use super::error::{Question, Result};
use super::kind::Kind;
use super::step::Value;
use crate::types::layout::Shape;

impl<'a> Value<'a> {
    /// The sequence that this value, which is no pointer, is or points to; all of it in the object.
    pub(super) fn elements(&self, expected: &'static str) -> Result<Elements> {
        match self.ty().shape {
            Shape::Array { element, len } => Ok(Elements { element, start: self.at, len }),
            Shape::Slice { element } => Ok(Elements { element, start: self.at, len: self.len }),
            Shape::Vec { element } => {
                let (len, of) = (self.word(self.at + self.width())?, self.type_of(element));
                let size = of.size.checked_mul(len).ok_or_else(|| self.too_large())?;
                Ok(Elements { element, start: self.follow(self.at, 0, size, of.align.into())?, len })
            }
            _ => Err(self.not(expected)),
        }
    }

    /// How many elements a sequence has, entries a map or a set, bytes a string. O(1), for C strings O(bytes). A map
    /// may turn out to have another number of entries when they are visited.
    ///
    /// # Errors
    /// [`Question::Kind`] of other values; [`Damage::Outside`](crate::Damage::Outside),
    /// [`Damage::Count`](crate::Damage::Count), [`Damage::Capacity`](crate::Damage::Capacity) if the elements cannot be where
    /// they are said to be.
    #[allow(clippy::len_without_is_empty)] // fallible, and not of every value
    pub fn len(&self) -> Result<u64> {
        let value = self.resolve()?;
        match value.kind() {
            Kind::String | Kind::CString => Ok(value.as_bytes()?.len() as u64),
            Kind::Map | Kind::Set => Ok(value.entries()?.left()),
            _ => Ok(value.elements("a length")?.len),
        }
    }

    /// An element of a sequence. O(1).
    ///
    /// # Errors
    /// [`Question::Kind`] of other values, [`Question::NoIndex`]; [`Damage::Outside`](crate::Damage::Outside).
    pub fn index(&self, index: u64) -> Result<Value<'a>> {
        let value = self.resolve()?;
        let elements = value.elements("an element by number")?;
        match index < elements.len {
            true => value.element(elements, index),
            false => Err(value.error(Question::NoIndex { index, len: elements.len })),
        }
    }

    pub(super) fn element(&self, elements: Elements, index: u64) -> Result<Value<'a>> {
        // Does not overflow: all of them lie in the object.
        self.place(elements.element, elements.start + index * self.type_of(elements.element).size, 0)
    }

    /// The elements of a sequence. O(1) each.
    ///
    /// # Errors
    /// As [`index`](Value::index). Elements without bytes end with [`Question::EmptyElements`] after
    /// [`MAX_EMPTY`](Value::MAX_EMPTY) of them.
    ///
    /// # Examples
    /// ```
    /// # use graven_format::{Schema, Value};
    /// # let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&vec![1u16, 2, 3])?;
    /// # let schema = Schema::of::<rkyv::vec::ArchivedVec<rkyv::primitive::ArchivedU16>>();
    /// # let value = Value::root(&bytes, &schema, bytes.len() as u64 - schema.root().size)?;
    /// let mut sum = 0;
    /// for element in value.iter()? {
    ///     sum += element?.as_u64()?;
    /// }
    /// assert_eq!(sum, 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> Result<Iter<'a>> {
        let value = self.resolve()?;
        Ok(Iter { value, elements: value.elements("elements")?, next: 0 })
    }
}

/// Elements back to back, all of them in the object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements {
    pub(super) element: u32,
    pub(super) start: u64,
    pub(super) len: u64,
}

/// The elements of a sequence: see [`Value::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    value: Value<'a>,
    elements: Elements,
    next: u64,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Result<Value<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let Elements { element, len, .. } = self.elements;
        if self.next >= len {
            return None;
        }
        let index = self.next;
        self.next += 1;
        if self.value.type_of(element).size == 0 && index >= Value::MAX_EMPTY {
            self.next = len;
            let limit = Value::MAX_EMPTY;
            return Some(Err(self.value.error(Question::EmptyElements { len, limit })));
        }
        Some(self.value.element(self.elements, index))
    }
}
