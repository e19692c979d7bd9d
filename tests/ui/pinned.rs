//! A change of the bytes of a pinned type is an error that prints the new fingerprint.

#[graven::object]
#[layout(fingerprint = "0123456789abcdef0123456789abcdef")]
struct Pinned {
    id: u64,
    name: String,
}

#[graven::object]
struct Pair<A, B>(A, B);

graven::pin_layout!(Pair<u32, Vec<Pinned>> = "00000000000000000000000000000000");

fn main() {}
