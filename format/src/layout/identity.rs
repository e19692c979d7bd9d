//! The identity of a type, lifetimes left out.
//!
//! What a type's bytes are does not depend on its lifetimes, and no code of a type can: so a type that borrows has one
//! layout, whatever it borrows from, and its identity is that of the same type with `'static` for every lifetime.
//! `TypeId` says just that, but [`TypeId::of`] asks for the bound.

use core::any::TypeId;
use core::marker::PhantomData;
use core::mem;

/// The `TypeId` of `T` with `'static` for every lifetime.
pub(crate) fn identity<T: ?Sized>() -> TypeId {
    trait OfStatic {
        fn id(&self) -> TypeId
        where
            Self: 'static;
    }
    impl<T: ?Sized> OfStatic for PhantomData<T> {
        fn id(&self) -> TypeId
        where
            Self: 'static,
        {
            TypeId::of::<T>()
        }
    }
    let of: &dyn OfStatic = &PhantomData::<T>;
    // SAFETY: the two types differ in the lifetimes of the trait object only. `id` is all that is called through it: it
    // reads nothing of `self`, keeps nothing, and its code is the same for every lifetime, as types are compiled without.
    let of = unsafe { mem::transmute::<&dyn OfStatic, &(dyn OfStatic + 'static)>(of) };
    of.id()
}
