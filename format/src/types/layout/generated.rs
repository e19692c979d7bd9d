//! What generated code asks of the types that it describes.

use core::marker::PhantomData;

use super::Layout;

/// Fails to compile if `T` has no layout.
pub const fn described<T: Layout + ?Sized>() {}
/// Asks how rkyv writes slices of `T`, if it archives `T` at all.
pub struct Copied<T>(PhantomData<T>);
impl<T: rkyv::Archive> Copied<T> {
    /// Fails to compile if rkyv copies slices of `T` as they are, and they are not what `T` is archived as: it compares
    /// where the fields are, and not how long the two types are.
    pub const CHECK: () = assert!(
        !T::COPY_OPTIMIZATION.is_enabled() || size_of::<T>() == size_of::<T::Archived>(),
        "its archived form is aligned to more than the type is, and rkyv would write slices of it without the bytes \
         between them: put the same `#[repr(align(…))]` on the type itself"
    );
}
/// What [`Copied`] says of types that rkyv does not archive.
pub trait NotCopied {
    /// Nothing to check.
    const CHECK: () = ();
}
impl<T> NotCopied for Copied<T> {}
/// Fails to compile if `T` is no archived type.
pub const fn portable<T: rkyv::Portable + ?Sized>() {}
