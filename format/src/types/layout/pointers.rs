//! Relative pointers to one value: boxes, optional boxes, shared and weak pointers; and the values that a niche makes
//! optional, of which the null pointer is one.
//!
//! Source: SPEC 5.2 (relative pointers), 5.6 (niches); rkyv `boxed.rs`, `rc.rs`, `niche/`.

use alloc::borrow::Cow;
use core::any::TypeId;
use core::num::{NonZeroI8, NonZeroU8};

use rkyv::{
    RelPtr,
    boxed::ArchivedBox,
    niche::{
        niched_option::NichedOption,
        niching::{Bool, DefaultNiche, NaN, Null, Zero},
        option_box::ArchivedOptionBox,
        option_nonzero::{
            ArchivedOptionNonZeroI8, ArchivedOptionNonZeroI16, ArchivedOptionNonZeroI32,
            ArchivedOptionNonZeroI64, ArchivedOptionNonZeroI128, ArchivedOptionNonZeroU8,
            ArchivedOptionNonZeroU16, ArchivedOptionNonZeroU32, ArchivedOptionNonZeroU64,
            ArchivedOptionNonZeroU128,
        },
    },
    primitive::{
        ArchivedF32, ArchivedF64, ArchivedNonZeroI16, ArchivedNonZeroI32, ArchivedNonZeroI64,
        ArchivedNonZeroI128, ArchivedNonZeroU16, ArchivedNonZeroU32, ArchivedNonZeroU64, ArchivedNonZeroU128,
    },
    rc::{ArchivedRc, ArchivedRcWeak},
    traits::ArchivePointee,
};

use super::{Layout, Next, Niche, Refine, Shape, Type, TypeRef, refine::layout};
use crate::Digest;

layout!([T: Layout + ArchivePointee + ?Sized] ArchivedBox<T> => "Box", {
    assert!(size_of::<ArchivedBox<T>>() == size_of::<RelPtr<T>>(), "rkyv changed its box");
    Shape::Box { pointee: TypeRef::of::<T>() }
}, [T]);

// The flavor says whose pointer it was (`Rc`, `Arc`, ...) and has no bytes.
layout!([T: Layout + ArchivePointee + ?Sized, F] ArchivedRc<T, F> => "Rc", {
    assert!(size_of::<ArchivedRc<T, F>>() == size_of::<RelPtr<T>>(), "rkyv changed its shared pointer");
    Shape::Shared { pointee: TypeRef::of::<T>() }
}, [T]);
// SAFETY: as for the strong pointer, of which rkyv's weak one is a transparent wrapper: the same bytes, or a null offset.
unsafe impl<T: Layout + ArchivePointee + ?Sized, F> Layout for ArchivedRcWeak<T, F> {
    const TYPE: &'static Type<TypeRef> = &Type {
        name: Cow::Borrowed("Weak"),
        size: size_of::<ArchivedRcWeak<T, F>>() as u64,
        align: align_of::<ArchivedRcWeak<T, F>>() as u32,
        invariants: false,
        shape: {
            assert!(
                size_of::<ArchivedRcWeak<T, F>>() == size_of::<RelPtr<T>>(),
                "rkyv changed its weak pointer"
            );
            Shape::Weak { pointee: TypeRef::of::<T>() }
        },
    };
    const SHARED: fn() -> TypeId = typeid::of::<ArchivedRc<T, F>>;
}
impl<__N, T: Layout + ArchivePointee + Refine<__N> + ?Sized, F> Refine<Next<__N>> for ArchivedRcWeak<T, F> {
    const DIGEST: Digest = Self::LEVEL.digest(T::DIGEST);
}

layout!([T: Layout + ArchivePointee + ?Sized] ArchivedOptionBox<T> => "Option", {
    assert!(size_of::<ArchivedOptionBox<T>>() == size_of::<ArchivedBox<T>>(), "rkyv changed its optional box");
    Shape::Niched { inner: TypeRef::of::<ArchivedBox<T>>(), niche: Niche::Null }
}, [ArchivedBox<T>]);

/// An optional non-zero integer: the bytes of the integer, zero meaning none.
macro_rules! optional_nonzero {
    ($($option:ident: $inner:ty;)*) => {$(
        layout!([] $option => "Option", {
            assert!(size_of::<$option>() == size_of::<$inner>(), "rkyv changed an optional integer");
            assert!(align_of::<$option>() == align_of::<$inner>(), "rkyv changed an optional integer");
            Shape::Niched { inner: TypeRef::of::<$inner>(), niche: Niche::Zero }
        }, [$inner]);
    )*};
}
optional_nonzero! {
    ArchivedOptionNonZeroU8: NonZeroU8;
    ArchivedOptionNonZeroU16: ArchivedNonZeroU16;
    ArchivedOptionNonZeroU32: ArchivedNonZeroU32;
    ArchivedOptionNonZeroU64: ArchivedNonZeroU64;
    ArchivedOptionNonZeroU128: ArchivedNonZeroU128;
    ArchivedOptionNonZeroI8: NonZeroI8;
    ArchivedOptionNonZeroI16: ArchivedNonZeroI16;
    ArchivedOptionNonZeroI32: ArchivedNonZeroI32;
    ArchivedOptionNonZeroI64: ArchivedNonZeroI64;
    ArchivedOptionNonZeroI128: ArchivedNonZeroI128;
}

/// A niching of rkyv's whose byte pattern for "none" in a `T` can be described.
///
/// A program's own niching decides by code; the bytes do not say what it means. Neither does a niche that a struct
/// takes from one of its fields (`#[rkyv(niche)]`) have a pattern of its own.
///
/// # Safety
/// `Self`'s `Niching<T>` says "none" exactly for the pattern [`NICHE`](DescribedNiche::NICHE).
///
/// Source: SPEC 5.6.
#[diagnostic::on_unimplemented(
    message = "what `{Self}` writes into a `{T}` to say \"none\" cannot be described",
    label = "not one of rkyv's niches on one of rkyv's types",
    note = "leave the wrapper out: a plain `Option` has a layout",
    note = "or, if the value holds no pointers, write `#[layout(opaque = \"name/version\")]` on the field"
)]
pub unsafe trait DescribedNiche<T> {
    /// The pattern.
    const NICHE: Niche;
}

macro_rules! niche {
    ($(($($generics:tt)*) $inner:ty: $niching:ident $niche:ident;)*) => {$(
        // SAFETY: rkyv's `niching.rs` decides by this pattern; `DefaultNiche` forwards to the niche named here.
        #[diagnostic::do_not_recommend]
        unsafe impl<$($generics)*> DescribedNiche<$inner> for $niching {
            const NICHE: Niche = Niche::$niche;
        }
    )*};
}
niche! {
    () bool: Bool Bool;
    () bool: DefaultNiche Bool;
    () ArchivedF32: NaN NaN;
    () ArchivedF64: NaN NaN;
    (T: ArchivePointee + ?Sized) ArchivedBox<T>: Null Null;
    (T: ArchivePointee + ?Sized) ArchivedBox<T>: DefaultNiche Null;
}
macro_rules! zero_niche {
    ($($inner:ty),*) => {$(
        niche! {
            () $inner: Zero Zero;
            () $inner: DefaultNiche Zero;
        }
    )*};
}
zero_niche!(NonZeroU8, ArchivedNonZeroU16, ArchivedNonZeroU32, ArchivedNonZeroU64, ArchivedNonZeroU128);
zero_niche!(NonZeroI8, ArchivedNonZeroI16, ArchivedNonZeroI32, ArchivedNonZeroI64, ArchivedNonZeroI128);

layout!([T: Layout, N: DescribedNiche<T> + ?Sized] NichedOption<T, N> => "Option", {
    assert!(size_of::<NichedOption<T, N>>() == size_of::<T>(), "rkyv changed its niched option");
    assert!(align_of::<NichedOption<T, N>>() == align_of::<T>(), "rkyv changed its niched option");
    Shape::Niched { inner: TypeRef::of::<T>(), niche: N::NICHE }
}, [T]);
