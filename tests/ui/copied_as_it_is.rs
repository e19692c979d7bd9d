//! A type whose archived form alone is aligned: rkyv would write its vectors a byte an element, and read them 64.

#[graven::object]
#[rkyv(attr(repr(C, align(64))))]
struct Line {
    byte: u8,
}

/// As it should be.
#[graven::object]
#[rkyv(attr(repr(C, align(64))))]
#[repr(align(64))]
struct Aligned {
    byte: u8,
}

/// Nothing to copy.
#[graven::object]
#[rkyv(attr(repr(C, align(64))))]
struct Text {
    text: String,
}

fn main() {
    let _ = (Line { byte: 1 }, Aligned { byte: 1 }, Text { text: String::new() });
}
