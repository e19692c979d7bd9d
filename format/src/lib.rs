//! What the bytes of a graven segment mean: header, directory, schema, and the layouts of archived types.
//!
//! | floor | module | owns | SPEC |
//! |---|---|---|---|
//! | ground | `bytes`, `debug` | what safe code cannot ask of bytes; how errors look as `Debug` | |
//! | | `hash` | checksums and digests | 7 |
//! | | `payload` | endianness, offset width, alignment | 4, 5 |
//! | types | [`layout`] | what archived Rust types look like, as data | 6 |
//! | | `schema`, `table` | those descriptions as a canonical table, and its fingerprint | 6 |
//! | | `sound` | whether a schema can be followed | 6.1 |
//! | | `diff` | what differs between two layouts, in words | 6.5 |
//! | | `written` | what of a layout the serializer has to be kept from | 9 |
//! | objects | `damage` | what can be wrong with an object's bytes | 6.2, 6.3 |
//! | | `validate` | whether an object's bytes are what its schema says | 8 |
//! | | `value` | objects read by schema, without types | 5, 6 |
//! | frame | `places` | where numbers and sections stand | 4 |
//! | | `header` | the first 256 bytes of a segment | 4 |
//! | | `region` | the header page of a region of mutable memory | 16 |
//! | | [`directory`] | name to object, O(1) | 4.4 |
//! | | `view`, `verify` | a whole segment as bytes, without an operating system; checking all of them | 7, 8 |
//!
//! A floor imports from those above it in this table, and from no other; no two modules import each other.
//!
//! No I/O, no operating system, `no_std` with `alloc`. The crate `graven` is what programs use; this one is for those
//! who read segments where `graven` does not run.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
extern crate alloc;

mod bytes;
mod debug;
mod frame;
mod hash;
mod objects;
mod payload;
mod types;

pub use frame::directory::{self, Directory, DirectoryError, Entry, NameError};
pub use frame::header::{Header, HeaderError, Mode};
pub use frame::places::{Place, Section};
pub use frame::region::RegionHeader;
pub use frame::verify::{CheckedContents, CheckedTable, Verified, VerifyError, check_entry};
pub use frame::view::View;
pub use hash::{Digest, Fingerprint, Hasher, checksum};
pub use objects::damage::Damage;
pub use objects::validate::{ObjectError, ObjectPart, Validator};
pub use objects::value::{Entries, Iter, Key, Kind, Question, Value, ValueError};
#[cfg(feature = "serde")]
pub use objects::value::{Limited, Limits};
pub use payload::Payload;
pub use types::diff::{Difference, LayoutMismatch};
pub use types::layout;
pub use types::schema::Schema;
pub use types::sound::UnsoundSchema;
pub use types::table::{SchemaError, canonical_part, first_table};
