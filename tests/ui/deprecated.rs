//! What rkyv's derives name although it is deprecated, where no attribute of the type's reaches.
#![deny(warnings)]

#[graven::object]
#[deprecated]
struct Type {
    a: u8,
}

#[graven::object]
enum Variant {
    Now,
    #[deprecated(note = "now is the time")]
    Then(u8),
}

#[graven::object]
enum Field {
    Tuple(#[deprecated] u8),
    Named {
        #[deprecated]
        a: u8,
    },
}

fn main() {}
