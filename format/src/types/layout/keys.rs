//! Keys of maps: how a program finds them, and which types are known to hash otherwise than the types they are archived
//! as.
//!
//! rkyv places an entry of a hash map by the hash of the key before archiving, and looks it up by that of the archived
//! key. The standard library hashes an address as an integer, and a run of integers as one piece of bytes, which rkyv's
//! hasher takes in words of eight; archived ones hash one by one. `tests/keys.rs` measures all of them.
#![allow(unsafe_code)] // keys of a type that only the program knows

use alloc::{boxed::Box, rc::Rc, sync::Arc, vec::Vec};
use core::cmp::Ordering;
use core::hash::Hash;
use core::marker::PhantomData;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use rkyv::hash::{FxHasher64, hash_value};

/// How lookups in a map find its keys: the archived key type's own code.
#[derive(Clone, Copy, Debug)]
pub struct Lookup(Code);

/// Functions of pointers to keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Code {
    /// Of a hash table: the hash, and whether two are equal.
    Hash(unsafe fn(*const u8) -> u64, unsafe fn(*const u8, *const u8) -> bool),
    /// Of a B-tree.
    Order(unsafe fn(*const u8, *const u8) -> Ordering),
}

impl Lookup {
    /// By `K`'s [`Hash`], with rkyv's hasher, and [`Eq`].
    pub const fn by_hash<K: Hash + Eq>() -> Lookup {
        unsafe fn hash<K: Hash>(key: *const u8) -> u64 {
            // SAFETY: points to a valid `K`, as whoever calls a `Code` promises.
            hash_value::<K, FxHasher64>(unsafe { &*key.cast::<K>() })
        }
        unsafe fn equal<K: Eq>(one: *const u8, other: *const u8) -> bool {
            // SAFETY: as above.
            let one = unsafe { &*one.cast::<K>() };
            // SAFETY: as above.
            let other = unsafe { &*other.cast::<K>() };
            one == other
        }
        Lookup(Code::Hash(hash::<K>, equal::<K>))
    }

    /// By `K`'s [`Ord`].
    pub const fn by_order<K: Ord>() -> Lookup {
        unsafe fn compare<K: Ord>(one: *const u8, other: *const u8) -> Ordering {
            // SAFETY: points to a valid `K`, as whoever calls a `Code` promises.
            let one = unsafe { &*one.cast::<K>() };
            // SAFETY: as above.
            let other = unsafe { &*other.cast::<K>() };
            one.cmp(other)
        }
        Lookup(Code::Order(compare::<K>))
    }

    /// To be called with keys of a map of this type, in an object that has passed, and that is aligned in memory.
    pub(crate) fn code(self) -> Code {
        self.0
    }
}

/// A type before archiving of which is known how it hashes.
///
/// Implemented for the standard library's types that are made of nothing but themselves, and by `#[derive(Layout)]` for
/// types without parameters. It says nothing of a `Hash` that is written by hand.
#[doc(hidden)]
pub trait KeyType {
    /// Whether the archived key's hash is another one.
    const DIFFERS: bool;
}

/// A type of the standard library: it holds no key types of the program's, so that the question ends.
trait Leaf {
    const DIFFERS: bool;
    /// Whether runs of it are hashed as one piece of bytes, which archived ones are not.
    const RUNS_DIFFER: bool;
}

/// Words of eight bytes are what integers of eight bytes are hashed as, where their bytes are in the order of a hash.
const WORDS_DIFFER: bool = cfg!(target_endian = "big");

macro_rules! leaves {
    ($($differs:literal $runs_differ:expr, for $($ty:ty)*;)*) => {$($(
        impl Leaf for $ty {
            const DIFFERS: bool = $differs;
            const RUNS_DIFFER: bool = $runs_differ;
        }
        impl KeyType for $ty {
            const DIFFERS: bool = $differs;
        }
    )*)*};
}
leaves! {
    false false, for u8 i8;
    false true, for u16 u32 i16 i32;
    false WORDS_DIFFER, for u64 u128 i64 i128;
    true true, for Ipv4Addr Ipv6Addr IpAddr SocketAddrV4 SocketAddrV6 SocketAddr;
}

macro_rules! runs {
    ($([$($generics:tt)*] $ty:ty;)*) => {$(
        #[allow(private_bounds)]
        impl<T: Leaf, $($generics)*> KeyType for $ty {
            const DIFFERS: bool = T::RUNS_DIFFER;
        }
    )*};
}
runs! {
    [const N: usize] [T; N];
    [] Vec<T>;
    [] Box<[T]>;
    [] Rc<[T]>;
    [] Arc<[T]>;
}

macro_rules! pointers {
    ($($ty:ty)*) => {$(
        #[allow(private_bounds)]
        impl<T: Leaf> KeyType for $ty {
            const DIFFERS: bool = T::DIFFERS;
        }
    )*};
}
pointers! { Box<T> Rc<T> Arc<T> }

/// Whether a type is known to hash otherwise when it is archived: `KeyOf::<T>::DIFFERS` is the associated constant of
/// this type if `T` is a [`KeyType`], that of [`UnknownKey`] otherwise.
#[doc(hidden)]
#[derive(Debug)]
pub struct KeyOf<T: ?Sized>(PhantomData<T>);

impl<T: KeyType + ?Sized> KeyOf<T> {
    #[doc(hidden)]
    pub const DIFFERS: bool = T::DIFFERS;
}

#[doc(hidden)]
pub trait UnknownKey {
    #[doc(hidden)]
    const DIFFERS: bool = false;
}

impl<T: ?Sized> UnknownKey for KeyOf<T> {}
