//! What the derive measures of an archived type, and how it proves that the type is the one it describes.
//!
//! Generated code takes the archived type apart, variant by variant and field by field, and asks the compiler whether
//! each field [`Is`] of the type that the description says. No coercion comes in between: a field that only derefs to
//! that type, or unsizes to it, is another type.
//!
//! Where the fields of a struct lie says `offset_of!`. For enums that is unstable, so a variant is looked at in memory
//! of which nothing is known but the tag: matching says whether the tag means that variant, and where its fields are.
//! This happens in const evaluation, which stops if anything is read that is not there.

use core::mem::MaybeUninit;

/// Implemented by each type for itself, and for no other.
///
/// # Safety
/// `Self` is `T`.
#[diagnostic::on_unimplemented(
    message = "a field of the archived type is a `{Self}`, where the description says `{T}`",
    label = "described by this",
    note = "the archived type has to have exactly the fields that are declared here: let rkyv derive it, or write the \
            same fields"
)]
pub unsafe trait Is<T: ?Sized> {}

// SAFETY: `T` is `T`.
#[diagnostic::do_not_recommend]
unsafe impl<T: ?Sized> Is<T> for T {}

/// Fails to compile if the field is no `T`.
///
/// The field's own type is inferred from the argument alone, so that nothing leads the compiler to coerce it.
pub const fn same<T: ?Sized, F: Is<T> + ?Sized>(_: &F) {}

/// An enum's memory: the tag is this one, and no other byte is initialized.
pub const fn tagged<T>(tag: u8) -> MaybeUninit<T> {
    assert!(size_of::<T>() > 0, "the archived enum has no tag: declare it as `#[repr(u8)]`");
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the first byte of the memory, which has one.
    unsafe { value.as_mut_ptr().cast::<u8>().write(tag) };
    value
}

/// Where a field lies, in bytes.
///
/// # Safety
/// The field lies in `value`.
pub const unsafe fn offset<T, F: ?Sized>(value: &MaybeUninit<T>, field: &F) -> u64 {
    let (start, field) = (value.as_ptr().cast::<u8>(), (&raw const *field).cast::<u8>());
    // SAFETY: both point into the same value, the caller's promise.
    unsafe { field.offset_from(start) as u64 }
}
