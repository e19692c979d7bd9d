//! Validating one object with several threads.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use graven_format::{ObjectError, Validator};

/// Parts for each thread: they differ in size, and who is done early takes another.
const PARTS: usize = 16;

/// [`Validator::check`] with `threads` threads, this one included.
pub(crate) fn check(
    validator: &Validator,
    object: &[u8],
    root: u64,
    threads: NonZeroUsize,
) -> Result<(), ObjectError> {
    let parts = validator.split(object, root, threads.get().saturating_mul(PARTS))?;
    let helpers = threads.get().min(parts.len()).saturating_sub(1);
    let parts = Mutex::new(parts);
    // A list is whole whenever its lock is free.
    let left = || -> MutexGuard<'_, Vec<_>> { parts.lock().unwrap_or_else(PoisonError::into_inner) };
    let work = || {
        loop {
            let Some(part) = left().pop() else { return Ok(()) };
            if let Err(error) = validator.check_part(object, part) {
                // The others stop after the part they are at.
                left().clear();
                return Err(error);
            }
        }
    };
    thread::scope(|scope| {
        // A thread that cannot be started is not missed: the others take its parts.
        let helpers: Vec<_> =
            (0..helpers).map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let own = work();
        helpers.into_iter().fold(own, |result, helper| match helper.join() {
            Ok(other) => result.and(other),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
