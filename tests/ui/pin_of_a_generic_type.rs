//! A generic type has as many layouts as instantiations.

#[graven::object]
#[layout(fingerprint = "00000000000000000000000000000000")]
struct Pair<A, B>(A, B);

fn main() {}
