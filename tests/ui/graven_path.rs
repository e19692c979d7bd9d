//! Where `::graven` is the program itself, a description of what is not there does not compile either.
#![forbid(unsafe_code)]

extern crate graven as real;
extern crate self as graven;

pub use real::rkyv;

pub mod layout {
    pub use real::layout::*;

    pub mod __private {
        pub use real::layout::__private::*;

        /// Compares nothing.
        pub const fn same<T: ?Sized, F: ?Sized>(_: &F) {}
    }
}

#[derive(real::rkyv::Portable)]
#[rkyv(crate = real::rkyv)]
#[repr(C)]
struct ArchivedLies {
    a: real::rkyv::boxed::ArchivedBox<u8>,
}

#[derive(real::Layout)]
struct Lies {
    a: u8,
}

fn main() {}
