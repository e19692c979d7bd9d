//! An opaque tag names a version, so that a change of the bytes can be told.

#[graven::object]
#[layout(opaque = "stamp")]
struct OnType(u32);

#[graven::object]
struct OnField {
    #[layout(opaque = "stamp/")]
    empty: u32,
    #[layout(opaque = "a stamp/1")]
    space: u32,
    #[layout(opaque = "stamp/1/2")]
    slashes: u32,
}

fn main() {}
