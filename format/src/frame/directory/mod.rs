//! The directory: from an object's name to its entry, in O(1), without building anything.
//!
//! A hash table with linear probing, as bytes: counts, slots, entries, names. An entry is looked at only when it is
//! asked for, so opening a segment costs the same for one object and for a million. [`Directory::check`] looks at all.
//!
//! Source: SPEC 4.4.

mod error;
mod name;
mod table;

pub use error::DirectoryError;
pub(crate) use name::Named;
pub use name::{NameError, check_name};
pub use table::{Directory, Entry, encode};
