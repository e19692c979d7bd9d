//! What values have to hold beyond their structure: the program's own code, called where such a value occurs.
//!
//! The structure of a value has passed when its invariant is asked, so the code may look at all of it. It is called
//! without the archive around it: what can be checked so follows no pointer that nobody checked.
//!
//! Source: SPEC 6.2 (opaque types), 8 (validating).

use alloc::string::{String, ToString};
use core::fmt;

use rkyv::bytecheck::{CheckBytes, Verify};
use rkyv::rancor::{Source, Strategy, Trace};

/// The context that invariants are checked with: none, but for the error.
pub type Alone = Strategy<(), InvariantError>;

/// Why a value's own check refuses it: its message, behind the traces that were added on the way.
#[derive(Clone, PartialEq, Eq)]
pub struct InvariantError(String);

/// What rkyv says where the reason comes as a trace.
const NO_REASON: &str = "`Option` is `None`, expected `Some`";
/// Bytes after which a message takes no more traces.
const MAX_MESSAGE: usize = 1000;

impl fmt::Display for InvariantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::debug_as_display!(InvariantError);
impl core::error::Error for InvariantError {}

impl Trace for InvariantError {
    fn trace<R: fmt::Debug + fmt::Display + Send + Sync + 'static>(self, trace: R) -> InvariantError {
        match self.0 {
            message if message == NO_REASON => InvariantError(trace.to_string()),
            message if message.len() > MAX_MESSAGE => InvariantError(message),
            message => InvariantError(alloc::format!("{trace}: {message}")),
        }
    }
}

impl Source for InvariantError {
    fn new<E: core::error::Error + Send + Sync + 'static>(source: E) -> InvariantError {
        InvariantError(source.to_string())
    }
}

/// A type's own check, to be called on a value whose structure has passed.
#[derive(Clone, Copy, Debug)]
pub struct Invariant(unsafe fn(*const u8) -> Result<(), InvariantError>);

impl Invariant {
    /// `T`'s [`Verify`]: `#[rkyv(bytecheck(verify))]`.
    pub const fn verify<T: Verify<Alone>>() -> Invariant {
        unsafe fn check<T: Verify<Alone>>(value: *const u8) -> Result<(), InvariantError> {
            // SAFETY: points to a `T` whose structure has passed, as the caller of `Invariant::check` promises.
            let value = unsafe { &*value.cast::<T>() };
            value.verify(Strategy::wrap(&mut ()))
        }
        Invariant(check::<T>)
    }

    /// `T`'s [`CheckBytes`]: hand-written, or of bytes that only the program knows.
    pub const fn check_bytes<T: CheckBytes<Alone>>() -> Invariant {
        unsafe fn check<T: CheckBytes<Alone>>(value: *const u8) -> Result<(), InvariantError> {
            // SAFETY: `check_bytes` asks for an aligned pointer to as many initialized bytes as `T` has: the promise
            // of `Invariant::check`'s caller.
            unsafe { T::check_bytes(value.cast(), Strategy::wrap(&mut ())) }
        }
        Invariant(check::<T>)
    }

    /// Asks the value at `value`.
    ///
    /// # Safety
    /// `value` is aligned for the type this invariant is of and points to initialized bytes of it, which nobody
    /// changes. If the type is not opaque, they are a structurally valid value, whose pointers lead to valid values.
    pub unsafe fn check(self, value: *const u8) -> Result<(), InvariantError> {
        // SAFETY: our caller's promise.
        unsafe { (self.0)(value) }
    }
}
