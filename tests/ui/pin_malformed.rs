//! A pin is 32 hexadecimal digits.

#[graven::object]
#[layout(fingerprint = "todo")]
struct Pinned(u8);

graven::pin_layout!(u32 = "todo");

fn main() {}
