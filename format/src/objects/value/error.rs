//! Why a value cannot be read: where, of what type, and what is wrong there.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::kind::Kind;
use crate::objects::damage::Damage;

pub(super) type Result<T, E = ValueError> = core::result::Result<T, E>;

/// Why a [`Value`](super::Value) did not give what it was asked for.
///
/// Prints as `PATH: offset N (TYPE): CAUSE`, the path as far as known.
#[derive(Clone, PartialEq, Eq)]
pub struct ValueError(pub(super) Box<ValueFacts>);

#[derive(Clone, PartialEq, Eq)]
pub(super) struct ValueFacts {
    pub(super) offset: u64,
    pub(super) type_name: String,
    pub(super) path: String,
    pub(super) cause: Cause,
}

impl ValueError {
    /// Where the value is, from the start of the object.
    pub fn offset(&self) -> u64 {
        self.0.offset
    }

    /// The name of the value's type, as its table has it.
    pub fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// The way to the value, where the operation found its own: [`path`](super::Value::path) and serializing. Empty
    /// otherwise, and for the value that was asked itself.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Whether the object's bytes or its schema are wrong: not what was asked of them, and no limit.
    pub fn is_damage(&self) -> bool {
        self.damage().is_some()
    }

    /// What is wrong with the object's bytes or its schema, with the facts; `None` if something else is.
    pub fn damage(&self) -> Option<&Damage> {
        match &self.0.cause {
            Cause::Damage(damage) => Some(damage),
            Cause::Question(_) => None,
        }
    }

    /// What is wrong with what was asked, or which limit was passed; `None` if the object is damaged.
    pub fn question(&self) -> Option<&Question> {
        match &self.0.cause {
            Cause::Damage(_) => None,
            Cause::Question(question) => Some(question),
        }
    }

    /// The same error of a value that was found at the end of `path`.
    pub(super) fn at_path(mut self, path: impl FnOnce() -> String) -> ValueError {
        if self.0.path.is_empty() {
            self.0.path = path();
        }
        self
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Cause {
    Damage(Damage),
    Question(Question),
}

impl From<Damage> for Cause {
    fn from(damage: Damage) -> Cause {
        Cause::Damage(damage)
    }
}

impl From<Question> for Cause {
    fn from(question: Question) -> Cause {
        Cause::Question(question)
    }
}

/// What a value cannot answer, whatever its bytes, or not within a limit.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Question {
    /// Asked for what this kind of value does not have.
    #[error("asked for {expected} of a value of kind {got:?}")]
    Kind {
        /// What was asked for.
        expected: &'static str,
        /// What the value is.
        got: Kind,
    },
    /// No field of that name in the struct, or in the variant there is.
    #[error("has no field {name:?}")]
    NoField {
        /// The name.
        name: String,
    },
    /// No element of that number.
    #[error("has no element {index}, only {len}")]
    NoIndex {
        /// The number.
        index: u64,
        /// The elements there are.
        len: u64,
    },
    /// The number does not fit what it was asked as.
    #[error("the number does not fit what it was asked as")]
    Range,
    /// The map's keys are of a kind that cannot be looked up like this: iterate.
    #[error("keys of this kind cannot be looked up like this; iterate")]
    KeyType,
    /// The map has no such key.
    #[error("has no such key")]
    NotFound,
    /// Nothing there: none, or a weak pointer to what is gone.
    #[error("there is nothing")]
    IsNone,
    /// A path that cannot be read.
    #[error("the path cannot be read from its byte {at} on")]
    Path {
        /// Where in its text.
        at: usize,
    },
    /// Elements without bytes, too many to visit one by one.
    #[error("{len} elements without bytes are not visited one by one beyond {limit}")]
    EmptyElements {
        /// The elements there are.
        len: u64,
        /// The most that are visited.
        limit: u64,
    },
    /// Values inside each other, deeper than the limit.
    #[error("values inside each other deeper than {limit}")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// More values than the limit.
    #[error("more than {limit} values")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// More bytes of text than the limit.
    #[error("more than {limit} bytes of text")]
    TooLong {
        /// The limit.
        limit: u64,
    },
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ValueFacts { offset, type_name, path, cause } = &*self.0;
        if !path.is_empty() {
            write!(f, "{}: ", path.escape_debug())?;
        }
        write!(f, "offset {offset} ({}): ", type_name.escape_debug())?;
        match cause {
            Cause::Damage(damage) => damage.fmt(f),
            Cause::Question(question) => question.fmt(f),
        }
    }
}

crate::debug_as_display!(ValueError, Question);
impl core::error::Error for ValueError {}
