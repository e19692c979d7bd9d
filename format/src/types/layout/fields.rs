//! What `#[graven::object]` takes for granted of a field whose bounds it leaves out.
//!
//! rkyv's derives ask of each field's type that it be archived, which never ends for types that lead back to themselves;
//! without the question, a type that is not archived is an error wherever generated code touches the field. So the question
//! is asked once per field, beside the type: by an impl of [`Field`] for the field's type, which asks nothing and so always
//! ends, but may only stand there if the type is all that the trait's supertraits say. The derives' impls ask for one of the
//! other traits, which follow from that impl, and know their supertraits of the field.
//!
//! `Owner` and `I`, the number of the field, keep the impls apart. That there are five traits, and each says no more than its
//! impls need, keeps one missing impl from being several errors.

use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::{BoxedError, Fallible};
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Portable, Serialize};

/// A field that is archived, written, deserialized and checked with these.
pub trait Field<
    Owner: ?Sized,
    const I: usize,
    S: Fallible + ?Sized,
    D: Fallible + ?Sized,
    C: Fallible + ?Sized,
>: Serialize<S> + Archive<Archived: CheckBytes<C> + Deserialize<Self, D>> + Sized
{
}

/// Some serializer, deserializer and context, for impls that have none.
type AnySerializer = HighSerializer<AlignedVec, ArenaHandle<'static>, BoxedError>;
type AnyDeserializer = HighDeserializer<BoxedError>;
type AnyContext = HighValidator<'static, BoxedError>;

/// A field that is archived.
pub trait Archives<Owner: ?Sized, const I: usize>: Archive<Archived: Portable> {}
impl<F, Owner: ?Sized, const I: usize> Archives<Owner, I> for F where
    F: Field<Owner, I, AnySerializer, AnyDeserializer, AnyContext>
{
}

/// A field that can be written.
pub trait Writes<Owner: ?Sized, const I: usize, S: Fallible + ?Sized>: Serialize<S> {}
impl<F, Owner: ?Sized, const I: usize, S: Fallible + ?Sized> Writes<Owner, I, S> for F where
    F: Field<Owner, I, S, AnyDeserializer, AnyContext>
{
}

/// A field that can be deserialized.
pub trait Deserializes<Owner: ?Sized, const I: usize, D: Fallible + ?Sized>:
    Archive<Archived: Deserialize<Self, D>> + Sized
{
}
impl<F, Owner: ?Sized, const I: usize, D: Fallible + ?Sized> Deserializes<Owner, I, D> for F where
    F: Field<Owner, I, AnySerializer, D, AnyContext>
{
}

/// A field that can be checked.
pub trait Checks<Owner: ?Sized, const I: usize, C: Fallible + ?Sized>:
    Archive<Archived: CheckBytes<C>>
{
}
impl<F, Owner: ?Sized, const I: usize, C: Fallible + ?Sized> Checks<Owner, I, C> for F where
    F: Field<Owner, I, AnySerializer, AnyDeserializer, C>
{
}
