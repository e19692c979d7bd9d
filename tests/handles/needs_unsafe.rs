//! Where the kernel does not hold others off, and where nothing is validated, the caller has to promise.

fn main() {
    let segment = graven::Segment::map("one.grv").unwrap();
    let file = std::fs::File::open("one.grv").unwrap();
    graven::Segment::map_at(&file, 0, 8192).unwrap();
    segment.get_unchecked::<u64>("").unwrap();
}
