//! Whatever is at the path where the program says that graven is, a description of what is not there does not compile.
#![forbid(unsafe_code)]

// The program itself, under names that start at a crate.
extern crate self as forged;

pub mod layout {
    pub use graven::layout::*;

    /// Structs without fields have a list of others.
    #[allow(non_snake_case)]
    pub mod Shape {
        pub use graven::layout::Shape::*;
        #[allow(non_upper_case_globals)]
        pub const Unit: graven::layout::Shape<graven::layout::TypeRef> = graven::layout::Shape::Str;
    }

    /// All opaque types are bytes.
    pub type Opaque<T, Tag> = <(T, Tag) as __private::Byte>::Byte;

    pub mod __private {
        pub use graven::layout::__private::*;

        /// Compares nothing.
        pub const fn same<T: ?Sized, F: ?Sized>(_: &F) {}
        pub const fn offset<T, F: ?Sized>(_: &std::mem::MaybeUninit<T>, _: &F) -> u64 {
            0
        }

        /// There is no check.
        pub type Measure<T> = <T as Byte>::Measure;

        pub trait Byte {
            type Byte;
            type Measure;
        }
        impl<T> Byte for T {
            type Byte = u8;
            type Measure = graven::layout::__private::Measure<graven::rkyv::boxed::ArchivedBox<u8>>;
        }
    }
}

#[derive(graven::rkyv::Portable)]
#[rkyv(crate = graven::rkyv)]
#[repr(C)]
struct ArchivedLies {
    a: graven::rkyv::boxed::ArchivedBox<u8>,
}

/// By a path that starts at a crate.
#[derive(graven::Layout)]
#[layout(crate = ::forged)]
struct Lies {
    a: u8,
}

/// By another one.
mod by_a_module {
    #[derive(graven::rkyv::Portable)]
    #[rkyv(crate = graven::rkyv)]
    #[repr(C)]
    struct ArchivedLies {
        a: graven::rkyv::boxed::ArchivedBox<u8>,
    }

    #[derive(graven::Layout)]
    #[layout(crate = crate)]
    struct Lies {
        a: u8,
    }
}

/// An opaque type with pointers is nothing else.
mod opaque {
    #[derive(graven::rkyv::Archive, graven::Layout)]
    #[rkyv(crate = graven::rkyv)]
    #[layout(crate = ::forged)]
    struct Holder {
        #[layout(opaque = "string/1")]
        text: String,
    }
}

/// A type's own check is looked for in that type.
mod checked {
    #[derive(graven::rkyv::Portable, graven::Layout)]
    #[rkyv(crate = graven::rkyv)]
    #[layout(portable, crate = ::forged)]
    #[repr(C)]
    struct Even(u8);
}

fn main() {}
