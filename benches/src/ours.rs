//! graven's validator, as the benchmarks call it: the one place to change when it changes.

use std::marker::PhantomData;
use std::num::NonZeroUsize;

use rkyv::rancor::BoxedError;
use rkyv::validation::{Validator as Pair, archive::ArchiveValidator, shared::SharedValidator};

use crate::Measured;

/// What [`graven::Segment::get`] validates an object with, without finding it and without remembering the result.
pub struct Validator<T>(PhantomData<T>);

impl<T: Measured> Validator<T> {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Validator<T> {
        Validator(PhantomData)
    }

    pub fn accepts(&self, object: &[u8], root: usize) -> bool {
        let archive = ArchiveValidator::with_max_depth(object, NonZeroUsize::new(256));
        let mut context = Pair::new(archive, SharedValidator::new());
        rkyv::api::access_pos_with_context::<T::Archived, _, BoxedError>(object, root, &mut context).is_ok()
    }
}
