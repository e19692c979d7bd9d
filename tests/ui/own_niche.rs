//! What a program's own niching means by its bytes is code, which no schema holds.

use graven::rkyv::{Place, niche::niching::Niching, primitive::ArchivedU32, with::NicheInto};

struct NeverOdd;

impl Niching<ArchivedU32> for NeverOdd {
    unsafe fn is_niched(niched: *const ArchivedU32) -> bool {
        unsafe { (*niched).to_native() % 2 == 1 }
    }
    fn resolve_niched(out: Place<ArchivedU32>) {
        out.write(1.into());
    }
}

#[graven::object]
struct Holds {
    #[rkyv(with = NicheInto<NeverOdd>)]
    even: Option<u32>,
}

fn main() {}
