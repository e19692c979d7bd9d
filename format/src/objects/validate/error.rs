//! Why an object's bytes are not a value of its type: where, and what is wrong there.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::objects::damage::Damage;

/// Why a [`Validator`](super::Validator) refuses an object.
///
/// Prints as `PATH: offset N: CAUSE`. Of a path with many steps the first ones are named.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectError(pub(super) Box<ObjectFacts>);

#[derive(Clone, PartialEq, Eq)]
pub(super) struct ObjectFacts {
    pub(super) offset: u64,
    pub(super) path: String,
    pub(super) cause: Damage,
}

impl ObjectError {
    /// Where the bytes are that are wrong, from the start of the object.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The way to the value from the root, as far as it is named: `users[3].name`. Entries of hash maps and index
    /// maps have the number of their place: `routes{5}.value`; those of B-trees none: `names.key`. Empty for the root itself.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// What is wrong, with the facts.
    pub fn cause(&self) -> &Damage {
        &self.0.cause
    }
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectFacts { offset, path, cause } = &*self.0;
        if !path.is_empty() {
            write!(f, "{}: ", path.escape_debug())?;
        }
        write!(f, "offset {offset}: {cause}")
    }
}

crate::debug_as_display!(ObjectError);
impl core::error::Error for ObjectError {}
