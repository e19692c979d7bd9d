//! Keys of a map, asked by their own code.
#![allow(unsafe_code)] // code of a type that only the program knows

use core::cmp::Ordering;

use crate::types::layout::{Code, Lookup};

/// The keys of a map in an object.
///
/// INVARIANT: the object is valid, aligned in memory, and `code` is that of the map's key type.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    object: &'a [u8],
    code: Code,
}

impl<'a> Keys<'a> {
    /// For a map whose keys are found by `lookup`, of an object that has passed and is aligned in memory.
    pub(crate) fn new(object: &'a [u8], lookup: Lookup) -> Keys<'a> {
        Keys { object, code: lookup.code() }
    }

    /// The hash of the key at `at`, which is one of the map's.
    pub(crate) fn hash(&self, at: u64) -> Option<u64> {
        match self.code {
            // SAFETY: a `Code` asks for a valid key of its type: the invariant of `Keys`, and what our caller says of `at`.
            Code::Hash(hash, _) => Some(unsafe { hash(self.key(at)) }),
            Code::Order(_) => None,
        }
    }

    /// How the keys at two places compare, which are both of the map's.
    pub(crate) fn compare(&self, one: u64, other: u64) -> Option<Ordering> {
        match self.code {
            // SAFETY: as above.
            Code::Order(compare) => Some(unsafe { compare(self.key(one), self.key(other)) }),
            Code::Hash(..) => None,
        }
    }

    /// Whether the keys at two places are equal, which are both of the map's.
    pub(crate) fn equal(&self, one: u64, other: u64) -> Option<bool> {
        match self.code {
            // SAFETY: as above.
            Code::Hash(_, equal) => Some(unsafe { equal(self.key(one), self.key(other)) }),
            Code::Order(_) => None,
        }
    }

    /// Of the whole object, as what a key points to lies before it.
    fn key(&self, at: u64) -> *const u8 {
        self.object.as_ptr().wrapping_add(at as usize)
    }
}
