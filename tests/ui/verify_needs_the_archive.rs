//! A type's own check is called after the structure has been checked, without the archive around it.

use graven::rkyv::{bytecheck::Verify, rancor::Fallible, validation::ArchiveContext};

#[graven::object]
#[rkyv(bytecheck(verify))]
struct Checked {
    value: u8,
}

unsafe impl<C: Fallible + ArchiveContext + ?Sized> Verify<C> for ArchivedChecked {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        Ok(())
    }
}

fn main() {}
