//! Damaged objects for fuzzing: bytes from a fuzzer become edits of a valid object, whose checksums are made right again.
//!
//! Random bytes never pass a checksum, and a random change of a valid file seldom passes a pointer's check. So the
//! fuzzer's bytes are read as a list of edits, each of which knows what archives are made of: a pointer may be aimed
//! at another place, a length copied over another, a run of bytes doubled or cut out.
//!
//! The edits are no format: the same bytes may mean other edits in another version.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::ops::Range;

use graven_format::layout::Layout;
use graven_format::{Entry, Header, Payload, checksum, directory};
use nix::sys::memfd::{MFdFlags, memfd_create};
use rkyv::{Archive, Serialize};

use crate::{Adopted, Error, Result, Segment, Serializer, encoded_len, write_at};

/// Bytes of fuzz data that make one edit.
pub const EDIT: usize = 8;
/// Bytes of an object that one edit can fill, move or cut.
const LONGEST_RUN: usize = 256;

/// A valid segment with one object, from which damaged ones are made.
///
/// # Examples
/// With a fuzzer, for instance in a target of cargo-fuzz:
/// ```no_run
/// # fn fuzz_target(data: &[u8]) {
/// use graven_store::fuzz::Specimen;
///
/// thread_local! {
///     static VALID: Specimen<Vec<String>> =
///         Specimen::new(&vec!["text".to_string(), "a text that is not inline".to_string()]).unwrap();
/// }
/// VALID.with(|valid| {
///     if let Ok(texts) = valid.adopt(data) {
///         // Whatever the program does with an adopted object. It may be any value of the type.
///         let _ = texts.iter().map(|text| text.len()).sum::<usize>();
///     }
/// });
/// # }
/// ```
/// Without one, in a test: see [`rounds`].
pub struct Specimen<T> {
    segment: Vec<u8>,
    header: Header,
    object: Range<usize>,
    of: PhantomData<fn() -> T>,
}

impl<T> Specimen<T>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    /// Writes the value. Cost: O(bytes).
    ///
    /// # Errors
    /// As [`crate::write_at`].
    pub fn new(value: &T) -> Result<Specimen<T>> {
        let file = memfd_create(c"specimen", MFdFlags::MFD_CLOEXEC);
        let mut file = File::from(file.map_err(|error| Error::system("create a memory file")(error))?);
        write_at(&file, 0, encoded_len(value)?, value)?;
        let mut segment = Vec::new();
        let read = |file: &mut File, bytes: &mut Vec<u8>| {
            std::io::Seek::rewind(file)?;
            file.read_to_end(bytes)
        };
        read(&mut file, &mut segment).map_err(Error::system("read the memory file"))?;
        let opened = Segment::from_bytes(&segment)?;
        let object = opened.entry("")?.object;
        let object = object.position as usize..(object.position + object.length) as usize;
        Ok(Specimen { header: *opened.header(), segment, object, of: PhantomData })
    }
}

impl<T> Specimen<T> {
    /// The whole segment, undamaged.
    pub fn segment(&self) -> &[u8] {
        &self.segment
    }

    /// Where in the segment the object is.
    pub fn object(&self) -> Range<usize> {
        self.object.clone()
    }

    /// The segment with the object damaged as `data` says (see [`damage`]) and all checksums right. Cost: O(bytes).
    ///
    /// # Panics
    /// Never: a specimen is a valid segment.
    pub fn damaged(&self, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.segment.clone();
        damage(&mut bytes[self.object.clone()], data);
        let sum = checksum(&bytes[self.object.clone()]);
        let opened = graven_format::Directory::new(&self.segment, &self.header);
        let entry = opened.and_then(|directory| directory.entry(0)).expect("the directory is as written");
        let at = self.header.directory.position;
        let encoded = directory::encode(&[Entry { checksum: sum, ..entry }], at);
        bytes[at as usize..][..encoded.len()].copy_from_slice(&encoded);
        let header = Header { directory_checksum: checksum(&encoded), ..self.header };
        bytes[..Header::SIZE].copy_from_slice(&header.encode());
        bytes
    }

    /// Adopts the damaged segment: an error, or a value of the type, though perhaps not the one that was written.
    ///
    /// Cost: O(bytes).
    ///
    /// # Errors
    /// [`Cause::Contents`](crate::Cause::Contents) if the damage matters to the type, as [`Segment::root`].
    ///
    /// # Examples
    /// ```
    /// # use graven_store::fuzz::Specimen;
    /// let specimen = Specimen::new(&true)?;
    /// assert_eq!(*specimen.adopt(&[])?, true);
    /// // The first edit there is: byte 0 becomes 2.
    /// assert_eq!(specimen.adopt(&[0, 0, 0, 0, 2, 0, 0, 0]).unwrap_err().errno(), 22); // EINVAL
    /// # Ok::<(), graven_store::Error>(())
    /// ```
    pub fn adopt(&self, data: &[u8]) -> Result<Adopted<T>>
    where
        T: Archive<Archived: Layout>,
    {
        Segment::from_bytes(self.damaged(data))?.root::<T>()
    }
}

impl<T> fmt::Debug for Specimen<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Specimen").field("length", &self.segment.len()).field("object", &self.object).finish()
    }
}

/// Damages bytes as `data` says: each [`EDIT`] bytes of it are one edit, what is left over is none. No data, no damage.
///
/// Edits set or flip bits of a byte; write a number, a length or a relative pointer over a word; copy a word or a run to
/// another place; fill a run; cut one out, so that what is before it moves towards what is behind.
///
/// # Examples
/// ```
/// let mut bytes = [1, 2, 3, 4];
/// graven_store::fuzz::damage(&mut bytes, &[1, 0, 2, 0, 7, 0, 0, 0]); // flip bit 7 of byte 2
/// assert_eq!(bytes, [1, 2, 0x83, 4]);
/// ```
pub fn damage(bytes: &mut [u8], data: &[u8]) {
    for edit in data.chunks_exact(EDIT) {
        let [kind, size, at @ .., a, b, c, d] = edit else { return };
        let [low, high] = at else { return };
        let value = u32::from_le_bytes([*a, *b, *c, *d]);
        Edit { kind: *kind, size: *size, at: u16::from_le_bytes([*low, *high]), value }.apply(bytes);
    }
}

struct Edit {
    kind: u8,
    size: u8,
    at: u16,
    value: u32,
}

impl Edit {
    fn apply(&self, bytes: &mut [u8]) {
        let len = bytes.len();
        if len == 0 {
            return;
        }
        // In objects of more than 64 KiB the size says where too.
        let at =
            if len > 1 << 16 { usize::from(self.size) << 16 | usize::from(self.at) } else { self.at.into() };
        let at = at % len;
        let other = self.value as usize % len;
        let width = usize::from(Payload::NATIVE.offset_width);
        // Most words are aligned; the top bit of the size says that this one is not.
        let word = if self.size & 0x80 == 0 { at - at % width } else { at };
        let run = |from: usize| from..len.min(from + 1 + usize::from(self.size) % LONGEST_RUN);
        match self.kind % 12 {
            0 => bytes[at] = self.value as u8,
            1 => bytes[at] ^= 1 << (self.value % 8),
            2 => put(bytes, word, 1 << (self.size % 4), self.value.into()),
            3 => put(bytes, word, width, interesting(self.value, word, len)),
            4 => put(bytes, word, width, (other as u64).wrapping_sub(word as u64)),
            // As 4, aligned as most pointees are.
            5 => put(bytes, word, width, ((other - other % width) as u64).wrapping_sub(word as u64)),
            6 => {
                let from = other - other % width;
                bytes.copy_within(from..len.min(from + width).min(from + len - word), word);
            }
            7 => {
                let from = run(other);
                let to = at.min(len - from.len());
                bytes.copy_within(from, to);
            }
            8 => {
                // Bounds are off by little.
                let step = (i64::from(self.value % 17) - 8) as u64;
                put(bytes, word, width, get(bytes, word, width).wrapping_add(step));
            }
            9 => {
                let cut = run(at);
                bytes.copy_within(..cut.start, cut.len());
                bytes[..cut.len()].fill(0);
            }
            10 => bytes[run(at)].fill(self.value as u8),
            // Two words exchanged.
            _ => {
                let from = other - other % width;
                let (one, two) = (get(bytes, word, width), get(bytes, from, width));
                put(bytes, word, width, two);
                put(bytes, from, width, one);
            }
        }
    }
}

/// A number that lengths, offsets and tags go wrong at.
fn interesting(choice: u32, at: usize, len: usize) -> u64 {
    let (at, len) = (at as u64, len as u64);
    let small = u64::from(choice >> 8);
    match choice as u8 % 16 {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => i64::MAX as u64,
        4 => 1 << 31,
        5 => (1 << 31) - 1,
        6 => 1 << 63,
        7 => len,
        8 => len.wrapping_sub(at),
        9 => at.wrapping_neg(),
        10 => len.wrapping_sub(at).wrapping_sub(small % 16),
        11 => at.wrapping_neg().wrapping_sub(small % 16),
        12 => 1 << (small % 64),
        13 => (1 << (small % 64)) - 1,
        // A long string's length, as it stands in the string.
        14 => 0x80 | (small & 0x3f) | (small & !0x3f) << 2,
        _ => small,
    }
}

/// Writes a number in the build's byte order, as far as there is room.
fn put(bytes: &mut [u8], at: usize, size: usize, number: u64) {
    let mut digits = number.to_le_bytes();
    let digits = &mut digits[..size.min(8)];
    if Payload::NATIVE.big_endian {
        digits.reverse();
    }
    for (byte, digit) in bytes[at..].iter_mut().zip(digits) {
        *byte = *digit;
    }
}

fn get(bytes: &[u8], at: usize, size: usize) -> u64 {
    let digits = bytes[at..].iter().take(size);
    let digit = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if Payload::NATIVE.big_endian { digits.fold(0, digit) } else { digits.rev().fold(0, digit) }
}

/// Fuzz data without a fuzzer, the same in every run: mostly one to three edits.
///
/// Not guided by what the program does with it, so it finds less than a fuzzer; but it needs nothing but `cargo test`.
///
/// # Examples
/// ```
/// use graven_store::fuzz::{Specimen, rounds};
/// let specimen = Specimen::new(&vec!["a".to_string(), "a text that is not inline".to_string()])?;
/// let (mut refused, mut adopted) = (0, 0);
/// for data in rounds(1, 1000) {
///     match specimen.adopt(&data) {
///         Ok(texts) => adopted += texts.iter().all(|text| text.chars().count() <= text.len()) as u32,
///         Err(_) => refused += 1,
///     }
/// }
/// assert!(refused > 0 && refused + adopted == 1000);
/// # Ok::<(), graven_store::Error>(())
/// ```
pub fn rounds(seed: u64, rounds: u32) -> impl Iterator<Item = Vec<u8>> {
    // splitmix64
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (0..rounds).map(move |_| {
        let edits = 1 + next() % 3 * (next() % 2);
        (0..edits).flat_map(|_| next().to_le_bytes()).collect()
    })
}

#[cfg(test)]
mod tests {
    use graven_format::VerifyError;

    use super::*;
    use crate::Cause;

    #[test]
    fn every_kind_of_edit_changes_something_and_none_leaves_the_bytes() {
        let mut changed = [0; 12];
        for length in [1, 3, 4, 7, 8, 64, 1000, 70_000] {
            let whole: Vec<u8> = (0..length).map(|n| (n % 251) as u8 | 1).collect();
            for data in rounds(length, 3000).filter(|data| data.len() == EDIT) {
                let mut bytes = whole.clone();
                damage(&mut bytes, &data);
                assert_eq!(bytes.len(), whole.len());
                changed[usize::from(data[0] % 12)] += u32::from(bytes != whole);
            }
        }
        assert!(changed.iter().all(|changed| *changed > 500), "{changed:?}");
        damage(&mut [], &[0; 80]);
    }

    #[test]
    fn a_damaged_segment_has_right_checksums_and_no_data_is_no_damage() {
        let specimen = Specimen::new(&vec![1u32, 2, 3]).unwrap();
        assert_eq!(specimen.damaged(&[]), specimen.segment());
        assert_eq!(specimen.damaged(&[0; EDIT - 1]), specimen.segment());
        for data in rounds(7, 300) {
            // What the edits made of the object may be refused, never the frame around it.
            match Segment::from_bytes(specimen.damaged(&data)).unwrap().verify() {
                Ok(_) => {}
                Err(error) => {
                    assert!(matches!(error.cause(), Cause::Verify(VerifyError::Object { .. })), "{error}")
                }
            }
        }
    }
}
