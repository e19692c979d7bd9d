//! rkyv copies discriminants into other enums, where `Self` is another type.

#[derive(graven::Layout)]
#[repr(u8)]
enum Numbers {
    First = Self::START,
    Second = 7,
}

impl Numbers {
    const START: u8 = 3;
}

#[derive(graven::Layout)]
enum Empty {}

fn main() {}
