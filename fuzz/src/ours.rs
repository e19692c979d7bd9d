//! graven's validator, as the targets call it: the one place to change when it changes.

use graven::rkyv::bytecheck::CheckBytes;
use graven::rkyv::{Archived, api::high::HighDeserializer, api::high::HighValidator, rancor::BoxedError};
use graven::{
    Adopted, Archive, Deserialize, Layout, Segment, Serialize, Serializer,
    format::{Schema, Validator},
};

use crate::walk::Walk;

/// A type that can be written, adopted, read to the end and made again.
pub trait Fuzzed:
    Archive<
        Archived: Layout
                      + Walk
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
                          + for<'a> CheckBytes<HighValidator<'a, BoxedError>>
                          + Deserialize<Self, HighDeserializer<BoxedError>>,
        > + for<'a> Serialize<Serializer<'a>>
        + Sized
        + 'static
{
}

/// The validators of a type.
pub struct Ours {
    /// As adopting has it.
    typed: Validator,
    /// As programs without the type have it.
    by_schema: Validator,
}

impl Ours {
    pub fn of<T: Fuzzed>(schema: &Schema) -> Ours {
        let by_schema = Validator::of_schema(schema).expect("the schema of a Rust type");
        Ours { typed: Validator::of::<T::Archived>(), by_schema }
    }

    /// Whether the object is accepted, and the ways to ask that agree: in one go, in parts, by schema.
    pub fn accept(&self, name: &str, object: &[u8], root: u64) -> bool {
        let whole = self.typed.check(object, root);
        let parts = self.typed.split(object, root, 4);
        let parts = parts
            .and_then(|parts| parts.into_iter().try_for_each(|part| self.typed.check_part(object, part)));
        assert_eq!(whole.is_ok(), parts.is_ok(), "{name}: {whole:?} in one go, {parts:?} in parts");
        let by_schema = self.by_schema.check(object, root);
        if self.by_schema.unchecked_types().next().is_none() || whole.is_ok() {
            assert_eq!(whole.is_ok(), by_schema.is_ok(), "{name}: {whole:?}, by schema {by_schema:?}");
        }
        whole.is_ok()
    }
}

/// Adopts the segment's root.
pub fn adopt<T: Fuzzed>(segment: &[u8]) -> graven::Result<Adopted<T>> {
    Segment::from_bytes(segment)?.root::<T>()
}

/// Whether rkyv's own checked access accepts the object, however deep it is nested.
pub fn rkyv_accepts<T: Fuzzed>(object: &[u8], root: usize) -> Result<(), BoxedError> {
    graven::rkyv::api::high::access_pos::<Archived<T>, BoxedError>(object, root).map(drop)
}
