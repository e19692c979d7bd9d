//! A type archived as another one needs a layout for that one, which has to have its fields.

use graven::rkyv::{Portable, primitive::ArchivedU16};

#[derive(Portable)]
#[repr(C)]
struct WithoutLayout {
    a: ArchivedU16,
}

#[derive(graven::Archive, graven::Layout)]
#[rkyv(as = WithoutLayout)]
#[layout(skip)]
struct Skips {
    a: u16,
}

#[derive(Portable)]
#[repr(C)]
struct WithMore {
    a: ArchivedU16,
    b: u8,
}

#[derive(graven::Archive, graven::Layout)]
#[rkyv(as = WithMore)]
struct HasLess {
    a: u16,
}

fn main() {}
