//! A reference into an adopted value cannot leave the scope of the handle, however the value was reached.

fn of_adopted(segment: &graven::Segment) -> &str {
    let adopted = segment.root::<String>().unwrap();
    adopted.as_str()
}

fn of_part(adopted: &graven::Adopted<(String, u32)>) -> &str {
    let part = adopted.project(|pair| pair.0.as_str());
    &part
}

fn for_ever(adopted: &graven::Adopted<String>) -> &'static str {
    adopted.as_str()
}

fn main() {}
