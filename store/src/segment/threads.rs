//! Validating one object with several threads.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use graven_format::{ObjectError, Validator};

/// Parts for each thread: they differ in size, and who is done early takes another.
const PARTS: usize = 16;
/// Bytes from which on threads are worth their start.
const WORTH_THREADS: usize = 1 << 20;

/// [`Validator::check`] with up to `threads` threads, this one included: what they share is what lies behind different
/// pointers. Small objects are not worth it, and are checked by this thread.
///
/// # Errors
/// As [`Validator::check`]; of several errors, any. A path starts at the part of the object where it was found.
///
/// # Examples
/// ```
/// use graven_format::Validator;
/// use rkyv::{rancor::BoxedError, string::ArchivedString, vec::ArchivedVec};
/// let bytes = rkyv::to_bytes::<BoxedError>(&vec!["one".to_string(), "two".to_string()])?;
/// let root = bytes.len() - size_of::<ArchivedVec<ArchivedString>>();
/// let validator = Validator::of::<ArchivedVec<ArchivedString>>();
/// graven_store::validate(&validator, &bytes, root as u64, 2.try_into()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn validate(
    validator: &Validator,
    object: &[u8],
    root: u64,
    threads: NonZeroUsize,
) -> Result<(), ObjectError> {
    if threads == NonZeroUsize::MIN || object.len() < WORTH_THREADS {
        return validator.check(object, root);
    }
    in_parts(validator, object, root, threads)
}

fn in_parts(
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
