//! What an archived type looks like in memory, as data.
//!
//! [`Layout`] is implemented for *archived* types: rkyv's own here, one file per family, the user's by
//! `#[derive(Layout)]`. A [`Type`] describes one level and links to the types below it. The links are functions
//! ([`TypeRef`]), so that recursive types are no constant cycle; [`crate::Schema`] follows them and stores indices
//! instead. Both use the same [`Type`], so there is one definition of what a fingerprint covers: [`Type::digest`].
//!
//! Source: SPEC 6.

mod containers;
mod describe;
mod enums;
mod fields;
mod generated;
mod invariant;
mod keys;
mod maps;
mod measure;
mod network;
mod numbers;
mod opaque;
mod pin;
mod pointers;
mod refine;
mod shape;
mod structs;

pub use describe::{Layout, TypeRef};
pub use invariant::{Alone, Invariant, InvariantError};
pub(crate) use keys::Code;
pub use keys::Lookup;
pub use opaque::{Opaque, OpaqueTag, PointerFree, VerifiedAlone};
pub use pointers::DescribedNiche;
pub(crate) use refine::round_zero;
pub use refine::{Depth, Next, Refine, Zero, fingerprint_of};
pub use shape::{Field, List, Niche, NumberKind, Shape, Text, Type, Variant};

/// What generated code is written with. Not for other use, and no part of what versions promise.
#[doc(hidden)]
pub mod __private {
    pub use rkyv;

    pub use super::{
        describe::Measure,
        fields::{Archives, Checks, Deserializes, Field, Writes},
        generated::{Copied, NotCopied, described, portable},
        keys::{KeyOf, KeyType, UnknownKey},
        measure::Unchecked,
        pin::check_pin,
    };
    pub use crate::Digest;
}
