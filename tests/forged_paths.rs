//! The paths of generated code lead where the program says: what is there does not decide what a description says.
//!
//! `::graven` and `::core` are this program itself, which has another answer to every question. What does not compile so
//! is in `tests/ui/crate_path.rs` and `tests/ui/graven_path.rs`.
#![forbid(unsafe_code)]
#![allow(dead_code, missing_docs)]

extern crate graven as real;
extern crate self as core;
extern crate self as graven;

pub use real::rkyv;
pub use std::{cmp, fmt, hint, marker, ops, option, primitive, ptr, result, stringify};

pub mod mem {
    pub use std::mem::*;

    pub const fn size_of<T>() -> usize {
        100
    }
    pub const fn align_of<T>() -> usize {
        200
    }
    #[macro_export]
    macro_rules! offset_of {
        ($($anything:tt)*) => {
            300
        };
    }
    pub use crate::offset_of;
}

#[macro_export]
macro_rules! panic {
    ($($anything:tt)*) => {
        0
    };
}

pub mod layout {
    pub use real::layout::*;

    #[allow(non_snake_case, non_upper_case_globals)]
    pub mod Shape {
        pub use real::layout::Shape::*;
        pub const Unit: real::layout::Shape<real::layout::TypeRef> = Str;
    }

    /// Every opaque type is a string.
    pub type Opaque<T, Tag> = <(T, Tag) as Forged>::Forged;
    use real::rkyv;
    pub trait Forged {
        type Forged;
    }
    impl<T> Forged for T {
        type Forged = rkyv::string::ArchivedString;
    }

    pub mod __private {
        pub use real::layout::__private::*;

        pub const fn same<T: ?Sized, F: ?Sized>(_: &F) {}
        pub const fn described<T: ?Sized>() {}
        pub const fn portable<T: ?Sized>() {}
    }
}

use real::layout::{Layout, Shape};
use real::rkyv::{Archive, Portable};

#[derive(Portable, real::Layout)]
#[rkyv(crate = real::rkyv)]
#[layout(portable)]
#[repr(C)]
struct Nothing;

#[derive(Portable, real::rkyv::bytecheck::CheckBytes, real::Layout)]
#[rkyv(crate = real::rkyv)]
#[bytecheck(crate = real::rkyv::bytecheck)]
#[layout(portable)]
#[repr(C)]
struct Pair {
    small: u8,
    other: [u8; 6],
}

#[derive(Archive, real::Layout)]
#[rkyv(crate = real::rkyv)]
enum Kind {
    Empty,
    Full(#[layout(opaque = "pair/1")] u8, #[layout(opaque = "pair/1")] u8),
}

#[test]
fn a_description_says_what_the_type_is_whatever_is_at_the_paths() {
    let nothing = <Nothing as Layout>::TYPE;
    assert_eq!((nothing.size, nothing.align), (0, 1));
    assert!(matches!(nothing.shape, Shape::Unit));

    let pair = <Pair as Layout>::TYPE;
    assert_eq!((pair.size, pair.align), (7, 1));
    assert!(<Pair as Layout>::INVARIANT.is_some());
    let Shape::Struct { fields } = &pair.shape else { unreachable!() };
    assert_eq!([fields[0].offset, fields[1].offset], [0, 1]);

    let kind = <ArchivedKind as Layout>::TYPE;
    assert_eq!((kind.size, kind.align), (3, 1));
    let Shape::Enum { variants } = &kind.shape else { unreachable!() };
    assert_eq!([variants[0].tag, variants[1].tag], [0, 1]);
    let fields = &variants[1].fields;
    assert_eq!([fields[0].offset, fields[1].offset], [1, 2]);
    assert_eq!(fields[0].ty.get().size, 1);
    assert!(matches!(fields[0].ty.get().shape, Shape::Opaque { .. }));
}
