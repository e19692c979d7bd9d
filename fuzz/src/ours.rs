//! graven's validator, as the targets call it: the one place to change when it changes.

use graven::fuzz::Specimen;
use graven::rkyv::bytecheck::CheckBytes;
use graven::rkyv::{Archived, api::high::HighDeserializer, api::high::HighValidator, rancor::BoxedError};
use graven::{Adopted, Archive, Deserialize, Layout, Serialize, Serializer};

use crate::walk::Walk;

/// Whether what graven accepts is more than memory safe: no index map whose lookups would panic, no table on which a
/// probe does not end. rkyv promises neither, so until graven's own validator does, those lookups are left out.
pub const REFUSES_WHAT_WOULD_PANIC: bool = false;

/// A type that can be written, adopted, read to the end and made again.
pub trait Fuzzed:
    Archive<
        Archived: Layout
                      + Walk
                      + std::fmt::Debug
                      + for<'a> CheckBytes<HighValidator<'a, BoxedError>>
                      + Deserialize<Self, HighDeserializer<BoxedError>>,
    > + for<'a> Serialize<Serializer<'a>>
    + Sized
    + 'static
{
}

impl<T> Fuzzed for T where
    T: Archive<
            Archived: Layout
                          + Walk
                          + std::fmt::Debug
                          + for<'a> CheckBytes<HighValidator<'a, BoxedError>>
                          + Deserialize<Self, HighDeserializer<BoxedError>>,
        > + for<'a> Serialize<Serializer<'a>>
        + Sized
        + 'static
{
}

/// Adopts the specimen damaged as `edits` says: what is asked whether it accepts too much.
pub fn adopt<T: Fuzzed>(specimen: &Specimen<T>, edits: &[u8]) -> graven::Result<Adopted<T>> {
    specimen.adopt(edits)
}

/// Whether rkyv's own checked access accepts the object, however deep it is nested.
pub fn rkyv_accepts<T: Fuzzed>(object: &[u8], root: usize) -> Result<(), BoxedError> {
    graven::rkyv::api::high::access_pos::<Archived<T>, BoxedError>(object, root).map(drop)
}
