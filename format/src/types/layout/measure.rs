//! What the derive measures of an archived type, and how it proves that the type is the one it describes.
//!
//! Generated code takes the archived type apart, variant by variant and field by field, and asks the compiler whether
//! each field [`Is`] of the type that the description says. No coercion comes in between: a field that only derefs to
//! that type, or unsizes to it, is another type.
//!
//! A type is looked at in memory of which nothing is known, or of an enum nothing but the tag: where its fields are, and
//! whether the tag means the variant that it should. This happens in const evaluation, which stops if anything is read
//! that is not there.
//!
//! Whatever generated code names may be something else: the program says where graven is, and `::graven` and even
//! `::core` may be the program itself, renamed. Only one path is sure, that of the trait that is implemented: if it is
//! not [`Layout`], nothing is promised. So all that a description is made of comes from there: it is a method of
//! [`Layout::MEASURE`], or the syntax of a literal whose type [`Layout::TYPE`] fixes.

use alloc::borrow::Cow;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use rkyv::bytecheck::CheckBytes;

use super::describe::Measure;
use super::{
    Alone, Field, Invariant, Layout, Opaque, OpaqueTag, PointerFree, Shape, Type, TypeRef, Variant,
    VerifiedAlone,
};

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

impl<T: ?Sized> Clone for Measure<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: ?Sized> Copy for Measure<T> {}

impl<T: ?Sized> Measure<T> {
    /// Fails to compile if the field is no `A`.
    ///
    /// The field's own type is inferred from the argument alone, so that nothing leads the compiler to coerce it.
    pub const fn same<A: ?Sized, F: Is<A> + ?Sized>(self, _: &F) {}

    /// The link to a field's type.
    pub const fn link<F: Layout + ?Sized>(self) -> TypeRef {
        TypeRef::of::<F>()
    }

    /// The link that stands for a field of which no more is said than its size and the tag.
    pub const fn opaque<F: PointerFree, Tag: OpaqueTag>(self) -> TypeRef {
        TypeRef::of::<Opaque<F, Tag>>()
    }

    /// A field.
    pub const fn field(self, name: &'static str, offset: u64, ty: TypeRef) -> Field<TypeRef> {
        Field { name: Cow::Borrowed(name), offset, ty }
    }

    /// A variant.
    pub const fn variant(
        self,
        name: &'static str,
        tag: u8,
        fields: &'static [Field<TypeRef>],
    ) -> Variant<TypeRef> {
        Variant { name: Cow::Borrowed(name), tag, fields: Cow::Borrowed(fields) }
    }

    /// A struct's shape.
    pub const fn of_struct(self, fields: &'static [Field<TypeRef>]) -> Shape<TypeRef> {
        match fields {
            [] => Shape::Unit,
            _ => Shape::Struct { fields: Cow::Borrowed(fields) },
        }
    }

    /// An enum's shape.
    pub const fn of_enum(self, variants: &'static [Variant<TypeRef>]) -> Shape<TypeRef> {
        Shape::Enum { variants: Cow::Borrowed(variants) }
    }

    /// The shape of bytes that only the program knows.
    pub const fn of_opaque(self, tag: &'static str) -> Shape<TypeRef> {
        Shape::Opaque { tag: Cow::Borrowed(tag) }
    }

    /// Matching has found another variant.
    #[track_caller]
    pub const fn another_variant(self) -> ! {
        panic!("a discriminant means another variant in the archived enum")
    }
}

impl<T> Measure<T> {
    /// The description.
    pub const fn described(self, name: &'static str, shape: Shape<TypeRef>) -> Type<TypeRef>
    where
        T: Layout,
    {
        Type {
            name: Cow::Borrowed(name),
            size: size_of::<T>() as u64,
            align: align_of::<T>() as u32,
            invariants: T::INVARIANT.is_some(),
            shape,
        }
    }

    /// A struct's memory: no byte is initialized.
    pub const fn memory(self) -> MaybeUninit<T> {
        MaybeUninit::uninit()
    }

    /// An enum's memory: the tag is this one, and no other byte is initialized.
    #[track_caller]
    pub const fn tagged(self, tag: u8) -> MaybeUninit<T> {
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
    pub const unsafe fn offset<F: ?Sized>(self, value: &MaybeUninit<T>, field: *const F) -> u64 {
        let (start, field) = (value.as_ptr().cast::<u8>(), field.cast::<u8>());
        // SAFETY: both point into the same value, the caller's promise.
        unsafe { field.offset_from(start) as u64 }
    }

    /// `T`'s own check. Fails to compile if `T` may hold pointers.
    pub const fn pointer_free(self) -> Option<Invariant>
    where
        T: PointerFree,
    {
        Some(Invariant::check_bytes::<T>())
    }

    /// `T`'s own check. Fails to compile if it needs the archive around it.
    pub const fn verified_alone(self) -> Option<Invariant>
    where
        T: VerifiedAlone,
    {
        Some(Invariant::verify::<T>())
    }

    /// What was found of `T`'s own check.
    pub const fn found(self, found: Found<T>) -> Option<Invariant> {
        found.0
    }
}

/// Whether a type has a check that works alone, and which.
pub struct Found<T>(Option<Invariant>, PhantomData<T>);

impl<T: CheckBytes<Alone>> Measure<T> {
    /// Of a type without parameters: this constant if it has such a check, that of [`Unchecked`] otherwise.
    pub const ALONE: Found<T> = Found(Some(Invariant::check_bytes::<T>()), PhantomData);
}

/// What is found of other types.
pub trait Unchecked<T> {
    /// None.
    const ALONE: Found<T> = Found(None, PhantomData);
}

impl<T> Unchecked<T> for Measure<T> {}
