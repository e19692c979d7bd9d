//! What the bytes of a graven segment mean: header, directory, schema, and the layouts of archived types.
//!
//! | module | owns | SPEC |
//! |---|---|---|
//! | `header` | the first 256 bytes; the only place where their offsets are numbers | 4 |
//! | [`directory`] | name to object, O(1) | 4.4 |
//! | [`layout`] | what archived Rust types look like, as data | 6 |
//! | `schema` | those descriptions as a canonical table, and its fingerprint | 6 |
//! | `diff` | what differs between two layouts, in words | 6.5 |
//! | `sound` | whether a schema can be followed | 6.1 |
//! | `validate` | whether an object's bytes are what its schema says | 8 |
//! | `value` | objects read by schema, without types | 5, 6 |
//! | `payload` | endianness, offset width, alignment | 4, 5 |
//! | `debug` | how errors look where a program prints their `Debug` | |
//! | `hash` | checksums and digests | 7 |
//! | `region` | the header page of a region of mutable memory | 16 |
//! | `view` | a whole segment as bytes, without an operating system | 8 |
//! | `written` | what of a layout the serializer has to be kept from | 9 |
//!
//! No I/O, no operating system, `no_std` with `alloc`. The crate `graven` is what programs use; this one is for those
//! who read segments where `graven` does not run.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]
extern crate alloc;

mod bytes;
mod debug;
mod diff;
pub mod directory;
mod hash;
mod header;
#[allow(unsafe_code)] // the trait `Layout` is a promise that the compiler cannot check
pub mod layout;
mod payload;
mod region;
mod schema;
mod sound;
mod validate;
mod value;
mod view;
mod written;

pub use diff::{Difference, LayoutMismatch};
pub use directory::{Directory, DirectoryError, Entry, NameError};
pub use hash::{Digest, Hasher, checksum};
pub use header::{Header, HeaderError, Mode, Place, Section};
pub use payload::Payload;
pub use region::{RegionHeader, RegionHeaderError};
pub use schema::{Fingerprint, Schema, SchemaError, canonical_part, first_table};
pub use sound::UnsoundSchema;
pub use validate::{ObjectCause, ObjectError, Part as ObjectPart, Validator};
pub use value::{Entries, Iter, Key, Kind, Value, ValueCause, ValueError};
#[cfg(feature = "serde")]
pub use value::{Limited, Limits};
pub use view::{CheckedContents, CheckedTable, Verified, VerifyError, View, check_entry};
