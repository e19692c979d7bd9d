//! There is no way from a handle to a `&mut`: segments are never edited.

use graven::{Adopted, Part};

fn field(mut adopted: Adopted<(u64, String)>) {
    adopted.0 = 7.into();
}

fn whole(adopted: &mut Adopted<Vec<u64>>) -> &mut [graven::rkyv::primitive::ArchivedU64] {
    &mut **adopted
}

fn deref_mut(part: &mut Part<str>) {
    std::ops::DerefMut::deref_mut(part).make_ascii_lowercase();
}

fn bytes(segment: &mut graven::Segment) {
    segment.as_bytes()[0] = 1;
}

fn main() {}
