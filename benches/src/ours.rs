//! graven's validator, as the benchmarks call it: the one place to change when it changes.

use std::marker::PhantomData;
use std::num::NonZeroUsize;

use crate::Measured;

/// What [`graven::Segment::get`] validates an object with, without finding it and without remembering the result.
pub struct Validator<T>(graven::format::Validator, PhantomData<T>);

impl<T: Measured> Validator<T> {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Validator<T> {
        Validator(graven::format::Validator::of::<T::Archived>(), PhantomData)
    }

    pub fn accepts(&self, object: &[u8], root: usize) -> bool {
        self.0.check(object, root as u64).is_ok()
    }

    pub fn accepts_with_threads(&self, object: &[u8], root: usize, threads: usize) -> bool {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        graven::format::validate(&self.0, object, root as u64, threads).is_ok()
    }
}
