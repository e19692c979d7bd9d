//! The fingerprint as a compile-time constant: 32 rounds of refinement, counted in types.
//!
//! `Refine<N>::DIGEST` is the digest of a type after `N` rounds. A recursive type needs its own digest of one
//! round less, so the constants end. [`crate::Schema::fingerprint`] does the same rounds over a table.
//!
//! Source: SPEC 6.4.

use core::marker::PhantomData;

use super::Layout;
use crate::{Digest, Fingerprint, Payload};

/// No rounds.
pub struct Zero;
/// One round more than `N`.
pub struct Next<N>(PhantomData<N>);

type Add4<N> = Next<Next<Next<Next<N>>>>;
type Add16<N> = Add4<Add4<Add4<Add4<N>>>>;
/// The rounds of a fingerprint: 32.
pub type Depth = Add16<Add16<Zero>>;

/// A type with a [`Layout`] whose digest after `N` rounds is known at compile time.
///
/// Implemented beside every `Layout`: the type's own digest, then the children's of one round less, in order.
pub trait Refine<N> {
    /// The digest after `N` rounds.
    const DIGEST: Digest;
}

impl<T: Layout + ?Sized> Refine<Zero> for T {
    const DIGEST: Digest = round_zero(Payload::NATIVE);
}

/// The digest of every type before the first round: that of the payload's traits.
pub(crate) const fn round_zero(payload: Payload) -> Digest {
    Digest::EMPTY
        .number(payload.big_endian as u64)
        .number(payload.offset_width as u64)
        .number(payload.unaligned as u64)
}

/// The fingerprint of an archived type, as a constant.
///
/// Equal to `Schema::of::<T>().fingerprint()`. Costs compile time only.
///
/// # Examples
/// ```
/// use graven_format::{Fingerprint, Schema, layout};
/// const BYTES: Fingerprint = layout::fingerprint_of::<rkyv::vec::ArchivedVec<u8>>();
/// assert_eq!(BYTES, Schema::of::<rkyv::vec::ArchivedVec<u8>>().fingerprint());
/// ```
/// Source: SPEC 6.4.
pub const fn fingerprint_of<T: Refine<Depth> + ?Sized>() -> Fingerprint {
    Fingerprint(<T as Refine<Depth>>::DIGEST.0)
}

/// Implements `Layout` and `Refine` for an archived type: `[generics] type => name, shape, [children]`, and of a map
/// how lookups find its keys.
macro_rules! layout {
    ([$($generics:tt)*] $ty:ty => $name:expr, $shape:expr, [$($child:ty),*] $(, $lookup:expr)?) => {
        layout!([$($generics)*] $ty => $name, size_of::<$ty>(), align_of::<$ty>(), $shape, [$($child),*] $(, $lookup)?);
    };
    ([$($generics:tt)*] $ty:ty => $name:expr, $size:expr, $align:expr, $shape:expr, [$($child:ty),*] $(, $lookup:expr)?) => {
        // SAFETY: `TYPE` describes exactly the bytes of the type: the shape is rkyv's definition of it, cited in this
        // file and pinned by the tests of `tests/layouts.rs`; size and alignment are the compiler's.
        unsafe impl<$($generics)*> $crate::layout::Layout for $ty {
            const TYPE: &'static $crate::layout::Type<$crate::layout::TypeRef> = &$crate::layout::Type {
                name: alloc::borrow::Cow::Borrowed($name),
                size: $size as u64,
                align: $align as u32,
                invariants: false,
                shape: $shape,
            };
            $(const LOOKUP: Option<$crate::layout::Lookup> = Some($lookup);)?
        }
        impl<__N, $($generics)*> $crate::layout::Refine<$crate::layout::Next<__N>> for $ty
        where
            $($child: $crate::layout::Refine<__N>,)*
        {
            const DIGEST: $crate::Digest = <$ty as $crate::layout::Layout>::LEVEL
                $(.digest(<$child as $crate::layout::Refine<__N>>::DIGEST))*;
        }
    };
}
pub(crate) use layout;
