//! One missing derive: few errors, the first at the field, and one names the remedy.

struct Inner {
    x: u8,
}

#[graven::object]
struct Outer {
    number: u32,
    inner: Vec<Inner>,
    itself: Option<Box<Outer>>,
}

fn main() {}
