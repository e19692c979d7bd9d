//! A union's bytes do not say which of its fields they are.

#[derive(graven::Layout)]
#[repr(C)]
union Either {
    small: u8,
    large: u64,
}

#[graven::object]
union Object {
    small: u8,
    large: u64,
}

fn main() {}
