//! rkyv's own enums: `Option`, `Result`, `Bound`. Each is `#[repr(u8)]`: a tag byte, then the variant's fields as in
//! a `#[repr(C)]` struct that starts with the tag.
//!
//! Source: SPEC 5.5; Rust reference, "primitive representation of enums with fields".

use alloc::borrow::Cow;
use rkyv::{ops::ArchivedBound, option::ArchivedOption, result::ArchivedResult};

use super::{Layout, Shape, refine::layout};

/// A variant with one field, as a struct.
#[repr(C)]
pub(super) struct One<T>(u8, T);

impl<T> One<T> {
    /// Where the field is.
    pub(super) const OFFSET: u64 = core::mem::offset_of!(One<T>, 1) as u64;
}

/// The size and alignment of an enum whose largest variant has these fields.
pub(super) const fn enum_size(variants: &[(usize, usize)]) -> (usize, usize) {
    let (mut size, mut align) = (1, 1);
    let mut i = 0;
    while i < variants.len() {
        if variants[i].0 > size {
            size = variants[i].0;
        }
        if variants[i].1 > align {
            align = variants[i].1;
        }
        i += 1;
    }
    (size.next_multiple_of(align), align)
}

/// A variant: `name, tag` without fields, `name, tag, T` with one field of type `T`.
macro_rules! variant {
    ($name:literal, $tag:literal) => {
        $crate::layout::Variant { name: Cow::Borrowed($name), tag: $tag, fields: Cow::Borrowed(&[]) }
    };
    ($name:literal, $tag:literal, $ty:ty) => {
        $crate::layout::Variant {
            name: Cow::Borrowed($name),
            tag: $tag,
            fields: Cow::Borrowed(&[$crate::layout::Field {
                name: Cow::Borrowed("0"),
                offset: $crate::layout::enums::One::<$ty>::OFFSET,
                ty: $crate::layout::TypeRef::of::<$ty>(),
            }]),
        }
    };
}

/// Checks that the enum is as large as the largest of these one-field variants.
macro_rules! enum_of {
    ($ty:ty: $($field:ty),*) => {
        let (size, align) = $crate::layout::enums::enum_size(&[
            $((size_of::<$crate::layout::enums::One<$field>>(), align_of::<$crate::layout::enums::One<$field>>()),)*
        ]);
        assert!(size_of::<$ty>() == size && align_of::<$ty>() == align, "rkyv changed one of its enums");
    };
}
pub(super) use {enum_of, variant};

layout!([T: Layout] ArchivedOption<T> => "Option", {
    enum_of!(ArchivedOption<T>: T);
    Shape::Enum { variants: Cow::Borrowed(&[variant!("None", 0), variant!("Some", 1, T)]) }
}, [T]);

layout!([T: Layout, E: Layout] ArchivedResult<T, E> => "Result", {
    enum_of!(ArchivedResult<T, E>: T, E);
    Shape::Enum { variants: Cow::Borrowed(&[variant!("Ok", 0, T), variant!("Err", 1, E)]) }
}, [T, E]);

layout!([T: Layout] ArchivedBound<T> => "Bound", {
    enum_of!(ArchivedBound<T>: T);
    Shape::Enum {
        variants: Cow::Borrowed(&[variant!("Included", 0, T), variant!("Excluded", 1, T), variant!("Unbounded", 2)]),
    }
}, [T, T]);
