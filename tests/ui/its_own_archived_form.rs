//! A type that is its own archived form has the layout its attributes fix, not the compiler's choice.

#[derive(graven::Layout)]
#[layout(portable)]
struct Free {
    a: u8,
}

#[derive(graven::Layout)]
#[layout(portable)]
#[repr(C, u8)]
enum Tagged {
    A(u8),
}

#[derive(graven::Layout)]
#[layout(portable)]
#[repr(C)]
struct NotPortable {
    a: u8,
}

fn main() {}
