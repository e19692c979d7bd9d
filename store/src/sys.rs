//! Calls that nix lacks.
#![allow(unsafe_code)]

use nix::libc;

/// A number that nobody can guess, and that a forked child does not repeat.
pub(crate) fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: getrandom(2) writes up to `len` bytes to the buffer, which has as many.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got == bytes.len() as isize {
        return u64::from_le_bytes(bytes);
    }
    // Only before the system has booted, or where a sandbox forbids the call.
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}
