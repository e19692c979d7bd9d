//! Damaged objects of every type: what graven accepts, rkyv accepts, and a program can read to the end.
//!
//! The first byte picks the type, the second one of its valid objects; the rest are edits of it
//! ([`graven::fuzz::damage`]). What has to hold:
//! - an object without damage is accepted;
//! - adopting, validating in one go, in parts, and by schema say the same;
//! - if graven accepts, `rkyv::access` does;
//! - if graven accepts, reading everything through the Rust types and through [`graven::Value`] finds no bool above 1, no
//!   broken text, no value that the type's own check rules out, and reads nothing outside the object, which lies in
//!   memory of exactly its size;
//! - reading by schema never panics and reads nothing outside, accepted or not.

use std::fmt::Write;

use arbitrary::Arbitrary;
use graven::Value;
use graven::rkyv::{Archived, api::access_pos_unchecked};

use crate::cases::{self, Case, ForCase};
use crate::exact::Exact;
use crate::ours::{self, Fuzzed};
use crate::values;
use crate::walk::{Budget, Walk};

/// Bytes of a debug text after which no more is written.
const LONGEST_DEBUG: usize = 1 << 13;

pub fn run(data: &[u8]) {
    if let [case, specimen, edits @ ..] = data {
        cases::with((*case).into(), &mut Differential { specimen: (*specimen).into(), edits });
    }
}

struct Differential<'a> {
    specimen: usize,
    edits: &'a [u8],
}

impl ForCase for Differential<'_> {
    fn with<T: Fuzzed + for<'a> Arbitrary<'a>>(&mut self, case: &'static Case<T>) {
        let prepared = case.prepared();
        let specimen = &prepared.specimens[self.specimen % prepared.specimens.len()];
        let object = &specimen.damaged(self.edits)[specimen.object()];
        let object = Exact::new(object, prepared.schema.max_align() as usize);
        let root = object.len() - size_of::<Archived<T>>();

        let adopted = ours::adopt(specimen, self.edits);
        assert_eq!(
            prepared.ours.accept(case.name, &object, root as u64),
            adopted.is_ok(),
            "{}: {adopted:?}",
            case.name
        );
        if self.edits.len() < graven::fuzz::EDIT {
            adopted.as_ref().unwrap_or_else(|error| panic!("{}, undamaged: {error}", case.name));
        }
        if adopted.is_ok() {
            if !case.slow {
                let accepts = ours::rkyv_accepts::<T>(&object, root);
                accepts.unwrap_or_else(|error| panic!("{}: accepted, but not by rkyv: {error}", case.name));
            }
            // SAFETY: this is what is tested: that what was found valid is.
            let archived = unsafe { access_pos_unchecked::<Archived<T>>(&object, root) };
            archived.walk(&mut Budget(20_000));
            // A list goes on to its end even if nobody takes the text.
            if !case.slow {
                let _ = write!(Short(LONGEST_DEBUG), "{archived:?}");
            }
        }

        let value =
            Value::root(&object, &prepared.schema, root as u64).expect("a schema of Rust types, and room");
        let damage = values::walk(value, &mut 2_000);
        if adopted.is_ok() {
            damage.unwrap_or_else(|error| panic!("{}: accepted, but not by schema: {error}", case.name));
        }
        // Follows the same rules as the walk, so some of the inputs will do.
        if self.specimen >= 128 {
            values::serialize(value);
        }
    }
}

/// Takes so many bytes of text and no more.
struct Short(usize);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(std::fmt::Error)?;
        Ok(())
    }
}
