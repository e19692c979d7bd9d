//! The one hash of the format: XXH64, for checksums and names, and twice for 128-bit digests.
//!
//! Everything here runs in const evaluation too, so that a fingerprint can be a compile-time constant.
//! Source: SPEC 7 (checksums), SPEC 6.4 (digests), SPEC B (XXH64 in pseudo-code).

use core::fmt;

use xxhash_rust::const_xxh64;
pub use xxhash_rust::xxh64::Xxh64 as Hasher;

/// The checksum of `bytes`: XXH64 with seed 0.
///
/// O(n), several GB/s. It finds damage, not forgery. Use [`Hasher`] with seed 0 for bytes that come in pieces.
///
/// # Examples
/// ```
/// assert_eq!(graven_format::checksum(b""), 0xef46_db37_51d8_e999);
/// ```
/// Source: SPEC 7.
pub fn checksum(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh64::xxh64(bytes, 0)
}

/// A 128-bit value that grows by items: the building block of fingerprints.
///
/// Source: SPEC 6.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest of no items.
    pub const EMPTY: Digest = Digest(0);

    /// `H(bytes)`: XXH64 with seed 0 in the low half, with seed 1 in the high half.
    pub const fn of(bytes: &[u8]) -> Digest {
        let low = const_xxh64::xxh64(bytes, 0) as u128;
        let high = const_xxh64::xxh64(bytes, 1) as u128;
        Digest(high << 64 | low)
    }

    /// Adds a number: `H(self ‖ le64(number))`.
    #[must_use]
    pub const fn number(self, number: u64) -> Digest {
        let mut bytes = [0; 24];
        put(&mut bytes, 0, &self.0.to_le_bytes());
        put(&mut bytes, 16, &number.to_le_bytes());
        Digest::of(&bytes)
    }

    /// Adds another digest: `H(self ‖ other)`.
    #[must_use]
    pub const fn digest(self, other: Digest) -> Digest {
        let mut bytes = [0; 32];
        put(&mut bytes, 0, &self.0.to_le_bytes());
        put(&mut bytes, 16, &other.0.to_le_bytes());
        Digest::of(&bytes)
    }

    /// [`digest`](Digest::digest) for run time, several times as fast: const evaluation has no unaligned reads.
    #[must_use]
    pub(crate) fn digest_fast(self, other: Digest) -> Digest {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.0.to_le_bytes());
        bytes[16..].copy_from_slice(&other.0.to_le_bytes());
        let half = |seed| u128::from(xxhash_rust::xxh64::xxh64(&bytes, seed));
        Digest(half(1) << 64 | half(0))
    }

    /// Adds a text: `H(self ‖ H(text))`.
    #[must_use]
    pub const fn text(self, text: &str) -> Digest {
        self.digest(Digest::of(text.as_bytes()))
    }
}

/// A 128-bit hash of one object's canonical schema: equal exactly when the layouts are, but for collisions and for
/// differences more than 32 links away from the root (adopting compares the tables too).
///
/// Prints as 32 hexadecimal digits.
///
/// Source: SPEC 6.4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

const fn put(to: &mut [u8], at: usize, from: &[u8]) {
    let (_, rest) = to.split_at_mut(at);
    let (place, _) = rest.split_at_mut(from.len());
    place.copy_from_slice(from);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn const_and_streaming_hashes_agree() {
        let bytes: Vec<u8> = (0..200u8).collect();
        for len in 0..bytes.len() {
            let mut hasher = Hasher::new(0);
            for piece in bytes[..len].chunks(7) {
                hasher.update(piece);
            }
            assert_eq!(hasher.digest(), checksum(&bytes[..len]));
            let digest = Digest::of(&bytes[..len]);
            assert_eq!(digest.0 as u64, checksum(&bytes[..len]));
            assert_eq!(digest.digest(Digest::EMPTY), digest.digest_fast(Digest::EMPTY));
        }
    }
}
