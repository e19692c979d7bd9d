//! Reading an object by its schema, without its types: values that are asked what they are and what they hold.
//!
//! A [`Value`] is a place in an object and a type of its schema. Each step to another value checks that it lies in the
//! object's bytes, aligned, and below the pointer that leads to it; each question checks the bytes it reads. So bytes
//! may come from anyone: what is wrong is an error when it is met, and what is not looked at is not found wrong.
//!
//! Byte order, offset width and alignments are taken from the schema, not from this build: segments of other builds
//! read the same.
//!
//! | module | owns |
//! |---|---|
//! | `kind`, `error` | what a value is; why it cannot be read |
//! | `step` | a value, and each step to another |
//! | `sequence` | elements |
//! | `key` | keys that can be looked up |
//! | `map` | entries of the three maps, and finding one |
//! | `order`, `own_keys` | whether lookups find what is there; keys asked by their own code |
//! | `path` | `users[3].name` |
//! | `scalar` | numbers, chars, durations, text |
//! | `serialize` | serde, with limits (feature `serde`) |
//!
//! Arithmetic: as in `validate`, what the object says is bounded first (`place`, `follow`, `checked_mul`), and what the schema
//! says is sound; a value's position and size are inside the object.
//!
//! Source: SPEC 5, 6.

mod error;
mod key;
mod kind;
mod map;
mod order;
mod own_keys;
mod path;
mod scalar;
mod sequence;
#[cfg(feature = "serde")]
mod serialize;
mod step;

pub use error::{Question, ValueError};
pub use key::Key;
pub use kind::Kind;
pub use map::Entries;
pub(crate) use order::{Effort, count, disorder};
pub(crate) use own_keys::Keys;
pub use sequence::Iter;
#[cfg(feature = "serde")]
pub use serialize::{Limited, Limits};
pub use step::Value;
