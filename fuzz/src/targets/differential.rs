//! Damaged objects of every type: what graven accepts, rkyv accepts, and a program can read to the end.
//!
//! The first byte picks the type, the second one of its valid objects; the rest are edits of it
//! ([`graven::fuzz::damage`]). What has to hold:
//! - an object without damage is accepted;
//! - validating in one go, in parts and by schema say the same, and so does adopting;
//! - if graven accepts, `rkyv::access` does;
//! - if graven accepts, reading everything through the Rust types and through [`graven::Value`] finds no bool above 1, no
//!   broken text, no value that the type's own check rules out, and reads nothing outside the object, which lies
//!   beside a page that must not be touched;
//! - reading by schema never panics and reads nothing outside, accepted or not.
//!
//! Adopting and reading by schema are done with some inputs only: [`Dice`].

use arbitrary::Arbitrary;
use graven::Value;
use graven::rkyv::{Archived, api::access_pos_unchecked};

use crate::cases::{self, Case, ForCase};
use crate::dice::Dice;
use crate::exact::Exact;
use crate::ours::{self, Fuzzed};
use crate::values;
use crate::walk::{Budget, Walk};

pub fn run(data: &[u8]) {
    if let [case, specimen, edits @ ..] = data {
        cases::with(
            (*case).into(),
            &mut Differential { specimen: (*specimen).into(), edits, dice: Dice::of(data) },
        );
    }
}

struct Differential<'a> {
    specimen: usize,
    edits: &'a [u8],
    dice: Dice,
}

impl ForCase for Differential<'_> {
    fn with<T: Fuzzed + for<'a> Arbitrary<'a>>(&mut self, case: &'static Case<T>) {
        let prepared = case.prepared();
        let specimen = &prepared.specimens[self.specimen % prepared.specimens.len()];
        let segment = specimen.damaged(self.edits);
        let object = Exact::new(&segment[specimen.object()], prepared.schema.max_align() as usize);
        let root = object.len() - size_of::<Archived<T>>();
        let undamaged = self.edits.len() < graven::fuzz::EDIT;

        let accepted = prepared.ours.accept(case.name, &object, root as u64);
        if undamaged || self.dice.one_in(4) {
            let refused = ours::adopt::<T>(&segment).err();
            assert_eq!(accepted, refused.is_none(), "{}: {refused:?}", case.name);
            assert!(accepted || !undamaged, "{}, undamaged: {refused:?}", case.name);
        }
        if accepted {
            if !case.slow {
                let accepts = ours::rkyv_accepts::<T>(&object, root);
                accepts.unwrap_or_else(|error| panic!("{}: accepted, but not by rkyv: {error}", case.name));
            }
            // SAFETY: this is what is tested: that what was found valid is.
            let archived = unsafe { access_pos_unchecked::<Archived<T>>(&object, root) };
            archived.walk(&mut Budget(20_000));
        }

        if self.dice.one_in(8) {
            let value = Value::root(&object, &prepared.schema, root as u64)
                .expect("a schema of Rust types, and room");
            let damage = values::walk(value, &mut 2_000);
            if accepted {
                damage.unwrap_or_else(|error| panic!("{}: accepted, but not by schema: {error}", case.name));
            }
            if self.dice.one_in(4) {
                values::serialize(value);
            }
        }
    }
}
