//! Types that only the program knows: a size, an alignment, and a name with a version.
//!
//! A schema cannot look into them, so they must not hold relative pointers: nobody would check where those lead.
//! Their own check is called with an empty context, and a type that can be checked with an empty context cannot have
//! followed a pointer. That is what [`PointerFree`] asks for.
//!
//! Source: SPEC 6.2 (opaque types).

use alloc::borrow::Cow;
use core::marker::PhantomData;

use rkyv::bytecheck::{CheckBytes, Verify};

use super::{Alone, Invariant, Layout, Next, Refine, Shape, Type, TypeRef};
use crate::Digest;

/// The name and version that a program gives to bytes only it knows. `#[layout(opaque = "name/version")]` on a field
/// writes one.
pub trait OpaqueTag: 'static {
    /// `name/version`. It enters the fingerprint.
    const TAG: &'static str;
}

/// Stands for a `T` in a layout that says no more of it than its size, its alignment and the tag of `Tag`.
///
/// There is no value of this type.
pub struct Opaque<T, Tag>(PhantomData<(T, Tag)>);

// SAFETY: `Opaque<T, _>` stands for the bytes of a `T`: its size and alignment, measured; nothing else is said.
unsafe impl<T: PointerFree, Tag: OpaqueTag> Layout for Opaque<T, Tag> {
    const TYPE: &'static Type<TypeRef> = &Type {
        name: Cow::Borrowed(Tag::TAG),
        size: size_of::<T>() as u64,
        align: align_of::<T>() as u32,
        invariants: true,
        shape: Shape::Opaque { tag: Cow::Borrowed(Tag::TAG) },
    };
    const INVARIANT: Option<Invariant> = Some(Invariant::check_bytes::<T>());
}
impl<__N, T: PointerFree, Tag: OpaqueTag> Refine<Next<__N>> for Opaque<T, Tag> {
    const DIGEST: Digest = Self::LEVEL;
}

/// A type whose check needs no archive around it, because it holds no relative pointers.
///
/// A promise, and nobody can make it but by the check that keeps it: every type that has one is `PointerFree` already,
/// and no other type can be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be opaque: it may hold relative pointers",
    label = "checking this needs the archive around it",
    note = "an opaque type is checked with an empty context, so nobody would check where its pointers lead",
    note = "in a `Vec` or another container the elements can be opaque, one by one: put a struct around an element, whose \
            field has the `#[layout(opaque = \"name/version\")]`",
    note = "or derive `Layout` for it, or archive it as plain bytes; a hand-written `CheckBytes` has to take any context"
)]
pub trait PointerFree: CheckBytes<Alone> {}

#[diagnostic::do_not_recommend]
impl<T: CheckBytes<Alone>> PointerFree for T {}

/// A type whose own invariants (`#[rkyv(bytecheck(verify))]`) can be checked without the archive around it.
///
/// As with [`PointerFree`], the check itself is the promise.
#[diagnostic::on_unimplemented(
    message = "the `Verify` of `{Self}` cannot be called without the archive around it",
    label = "not `Verify` in an empty context",
    note = "the structure is checked before; write `impl<C: Fallible + ?Sized> Verify<C>`, where `C::Error: Source` \
            may be asked for and `C: ArchiveContext` may not"
)]
pub trait VerifiedAlone: Verify<Alone> {}

#[diagnostic::do_not_recommend]
impl<T: Verify<Alone>> VerifiedAlone for T {}
