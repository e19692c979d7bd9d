#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub use graven_derive::{Layout, object};
pub use graven_format::layout::{self, Layout, fingerprint_of};
pub use graven_format::{
    Difference, DirectoryError, Entries, Entry, Fingerprint, Header, HeaderError, Key, Kind, LayoutMismatch,
    Mode, NameError, ObjectCause, ObjectError, Payload, Schema, SchemaError, Section, UnsoundSchema,
    Validator, Value, ValueCause, ValueError, VerifyError, pin_layout,
};
#[cfg(feature = "serde")]
pub use graven_format::{Limited, Limits};
#[cfg(feature = "fuzz")]
pub use graven_store::fuzz;
pub use graven_store::{
    Adopted, Cause, Error, ErrorKind, Part, Result, Segment, Serializer, Summary, WriteOptions, Writer,
    encoded_len, validate, with, write, write_at,
};
pub use rkyv::{self, Archive, Deserialize, Serialize};
