//! What a segment lends ends with the segment.

fn main() {
    let segment = graven::Segment::from_bytes([]).unwrap();
    let bytes = segment.as_bytes();
    drop(segment);
    println!("{}", bytes.len());

    let segment = graven::Segment::from_bytes([]).unwrap();
    let entry = segment.objects().next();
    drop(segment);
    println!("{entry:?}");
}
