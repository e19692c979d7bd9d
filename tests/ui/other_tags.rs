//! The tags of the archived enum are those of the variants that are declared, whoever wrote it.
#![forbid(unsafe_code)]

use graven::rkyv::{Portable, boxed::ArchivedBox, rend::u32_le};

#[derive(Portable)]
#[repr(u8)]
enum ArchivedSwapped {
    Pointer(ArchivedBox<u32_le>) = 1,
    Number(u32_le) = 0,
}
#[derive(graven::Layout)]
enum Swapped {
    Pointer(Box<u32>),
    Number(u32),
}

#[derive(Portable)]
#[repr(u8)]
enum ArchivedMoved {
    One,
    Two = 7,
}
#[derive(graven::Layout)]
enum Moved {
    One,
    Two,
}

/// Not portable, so nothing can be archived as this: a layout would lie all the same.
enum ArchivedNiched {
    Some(bool),
    None,
}
#[derive(graven::Layout)]
enum Niched {
    Some(bool),
    None,
}

fn main() {}
