//! Generated code believes the crate that it is told is graven: to tell it another one is a promise, as `unsafe` is.
#![forbid(unsafe_code)]

mod other {
    pub mod layout {
        pub use graven::layout::*;
        pub mod __private {
            pub use graven::layout::__private::*;
            /// Compares nothing.
            pub const fn same<T: ?Sized, F: ?Sized>(_: &F) {}
        }
    }
}

#[derive(graven::rkyv::Portable)]
#[rkyv(crate = graven::rkyv)]
#[repr(C)]
struct ArchivedLies {
    a: graven::rkyv::boxed::ArchivedBox<u8>,
}

#[derive(graven::Layout)]
#[layout(crate = other)]
struct Lies {
    a: u8,
}

/// A path that starts at a crate leads into no module of this one.
#[graven::object(crate = ::graven)]
struct Honest {
    a: u8,
}

fn main() {}
