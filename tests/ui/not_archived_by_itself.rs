//! A type that rkyv archives with a wrapper, which nothing but its missing impl tells.

#[graven::object]
enum Holds {
    Nothing,
    Path { name: String, path: std::path::PathBuf },
}

fn main() {}
