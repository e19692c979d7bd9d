//! A reference into an adopted value ends before the handle.

fn main() {
    let segment = graven::Segment::from_bytes([]).unwrap();
    let adopted = segment.root::<Vec<u32>>().unwrap();
    let first = &adopted[0];
    drop(adopted);
    println!("{first}");
}
