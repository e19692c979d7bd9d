//! What unsafe code believes of a type is not said by safe code.
#![forbid(unsafe_code)]

use graven::layout::{Invariant, PointerFree, VerifiedAlone};
use graven::rkyv::{Portable, boxed::ArchivedBox, rend::u32_le};

#[derive(Portable)]
#[repr(C)]
struct HasAPointer(ArchivedBox<u32_le>);

impl PointerFree for HasAPointer {}
impl VerifiedAlone for HasAPointer {}

struct SaysOf;
impl PointerFree for SaysOf {
    const INVARIANT: Invariant = Invariant::check_bytes::<u8>();
}

impl graven::layout::Layout for SaysOf {
    const TYPE: &'static graven::layout::Type<graven::layout::TypeRef> = <u8 as graven::Layout>::TYPE;
}
impl graven::layout::DescribedNiche<HasAPointer> for SaysOf {
    const NICHE: graven::layout::Niche = graven::layout::Niche::Null;
}

fn main() {}
