//! Archived numbers and records as native ones.
//!
//! [`Native`] is implemented by both forms of each record, so that one reading of a field serves the owned and
//! the archived topology. On little-endian machines the conversion costs nothing: once inlined, only the fields
//! that are asked for are loaded.

use graven::rkyv::primitive::{ArchivedI32, ArchivedU16, ArchivedU32, ArchivedU64};

/// A value that is, or stands in an archive for, a native one.
pub(crate) trait Native {
    /// The native type.
    type Native;

    /// The native value.
    fn native(&self) -> Self::Native;
}

macro_rules! same {
    ($($ty:ty),*) => {$(
        impl Native for $ty {
            type Native = Self;
            #[inline]
            fn native(&self) -> Self {
                *self
            }
        }
    )*};
}
same!(u8, u16, u32, u64, i32, bool);

macro_rules! number {
    ($($archived:ty => $ty:ty),*) => {$(
        impl Native for $archived {
            type Native = $ty;
            #[inline]
            fn native(&self) -> $ty {
                self.to_native()
            }
        }
    )*};
}
number!(ArchivedU16 => u16, ArchivedU32 => u32, ArchivedU64 => u64, ArchivedI32 => i32);

/// Implements [`Native`] for a record and its archived form, field by field.
macro_rules! native_record {
    ($owned:ident, $archived:ident { $($field:ident),* $(,)? }) => {
        impl $crate::model::native::Native for $owned {
            type Native = Self;
            #[inline]
            fn native(&self) -> Self {
                *self
            }
        }
        impl $crate::model::native::Native for $archived {
            type Native = $owned;
            #[inline]
            fn native(&self) -> $owned {
                $owned { $($field: $crate::model::native::Native::native(&self.$field)),* }
            }
        }
    };
}

/// The same for an enum of unit variants.
macro_rules! native_enum {
    ($owned:ident, $archived:ident { $($variant:ident),* $(,)? }) => {
        impl $crate::model::native::Native for $owned {
            type Native = Self;
            #[inline]
            fn native(&self) -> Self {
                *self
            }
        }
        impl $crate::model::native::Native for $archived {
            type Native = $owned;
            #[inline]
            fn native(&self) -> $owned {
                match self {
                    $(Self::$variant => $owned::$variant,)*
                }
            }
        }
    };
}

pub(crate) use {native_enum, native_record};
