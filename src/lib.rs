#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub use graven_derive::{Layout, object};
pub use graven_format::layout::{self, Layout, fingerprint_of};
pub use graven_format::{
    Difference, DirectoryError, Entries, Entry, Fingerprint, Header, HeaderError, Key, Kind, LayoutMismatch,
    Mode, NameError, ObjectCause, ObjectError, Payload, RegionHeader, RegionHeaderError, Schema, SchemaError,
    Section, UnsoundSchema, Validator, Value, ValueCause, ValueError, Verified, VerifyError, pin_layout,
};
#[cfg(feature = "serde")]
pub use graven_format::{Limited, Limits};
#[cfg(feature = "fuzz")]
pub use graven_store::fuzz;
pub use graven_store::{
    Adopted, At, Cause, Draft, Error, ErrorKind, Guard, Lifetime, Number, Owner, OwnerOptions, Part, Reader,
    Region, RegionError, RegionOptions, Result, Segment, Segments, Serializer, SharedGuard, Stat, Store,
    Summary, Timeout, WriteOptions, Writer, encoded_len, validate, with, write, write_at,
};
pub use rkyv::{self, Archive, Deserialize, Serialize};

// The code in docs/ runs.
#[cfg(doctest)]
#[doc = include_str!("../docs/sharing.md")]
struct Sharing;
#[cfg(doctest)]
#[doc = include_str!("../docs/coming-from.md")]
struct ComingFrom;
