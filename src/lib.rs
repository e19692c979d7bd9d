//! [docs/coming-from.md]: guide::coming_from
//! [docs/sharing.md]: guide::sharing
//! [docs/trust.md]: guide::trust
//! [keys]: guide::sharing#tables-by-key
//!
#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

pub use graven_derive::{Layout, object};
pub use graven_format::layout::{self, Layout};
pub use graven_format::{Value, pin_layout};
#[cfg(feature = "fuzz")]
pub use graven_store::fuzz;
pub use graven_store::{
    Access, Adopted, At, Attachment, Cause, Draft, Error, ErrorKind, Export, ExportMemory, Exporter, Guard,
    Import, Lifetime, Owner, OwnerOptions, Part, Permit, Reader, Region, RegionOptions, Result, Segment,
    Segments, Serializer, SharedGuard, Stat, Store, Summary, Timeout, WriteOptions, Writer, encoded_len,
    read_process, with, write, write_at,
};
pub use rkyv::{self, Archive, Deserialize, Serialize, munge::munge};

/// What the bytes of a segment mean: header, directory, schema, values without types, and checking them.
///
/// For programs that look into segments rather than at values of their own types. `graven-format` has the same, and more,
/// without an operating system.
pub mod format {
    pub use graven_format::{
        Entries, Entry, Fingerprint, Header, Iter, Key, Kind, Mode, Payload, Question, RegionHeader, Schema,
        Section, Validator, ValueError, Verified,
    };
    #[cfg(feature = "serde")]
    pub use graven_format::{Limited, Limits};
    pub use graven_store::{Number, validate};
}

/// What a [`Cause`] holds: an error type for each task that can fail, with the facts.
///
/// [`Error`] is what functions return; [the guide](crate::guide::errors) lists what to do about each.
pub mod error {
    pub use graven_format::layout::InvariantError;
    pub use graven_format::{
        Damage, Difference, DirectoryError, HeaderError, LayoutMismatch, NameError, ObjectError, Question,
        SchemaError, UnsoundSchema, ValueError, VerifyError,
    };
    pub use graven_store::{ExportError, RegionError};
}

/// What graven is good for, and how it is used there: the pages of `docs/`.
pub mod guide {
    /// [errors.md]: crate::guide::errors
    ///
    #[doc = include_str!("../docs/coming-from.md")]
    pub mod coming_from {}
    #[doc = include_str!("../docs/errors.md")]
    pub mod errors {}
    #[doc = include_str!("../docs/performance.md")]
    pub mod performance {}
    #[doc = include_str!("../docs/sharing.md")]
    pub mod sharing {}
    #[doc = include_str!("../docs/trust.md")]
    pub mod trust {}
}
