//! Reading numbers of an object's payload, without asking whether they are inside it.
#![allow(unsafe_code)] // the one place of the format where bytes are read unchecked

/// How an object's words are encoded: their width, and the order of their bytes. One validator is compiled for each.
pub(super) trait Words: Copy {
    /// Bytes of an offset, a length, a count.
    const WIDTH: u64;
    /// Most significant byte first.
    const BIG: bool;
}

macro_rules! words {
    ($($name:ident $width:literal $big:literal;)*) => {$(
        #[derive(Clone, Copy)]
        pub(super) struct $name;
        impl Words for $name {
            const WIDTH: u64 = $width;
            const BIG: bool = $big;
        }
    )*};
}
words! {
    Little2 2 false; Little4 4 false; Little8 8 false;
    Big2 2 true; Big4 4 true; Big8 8 true;
}

/// The bytes of an object. Every read asks its caller to know that the bytes are there.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bytes<'a> {
        Bytes(bytes)
    }

    pub(super) fn len(self) -> u64 {
        self.0.len() as u64
    }

    /// # Safety
    /// `at + N` is at most the object's length.
    #[inline(always)]
    unsafe fn read<const N: usize>(self, at: u64) -> [u8; N] {
        debug_assert!(at.checked_add(N as u64).is_some_and(|end| end <= self.len()));
        // SAFETY: `add` asks that the offset stay within the slice: our caller's promise.
        let place = unsafe { self.0.as_ptr().add(at as usize) };
        // SAFETY: `read_unaligned` asks for as many readable, initialized bytes: our caller's promise; `[u8; N]` has
        // no invalid values.
        unsafe { place.cast::<[u8; N]>().read_unaligned() }
    }

    /// # Safety
    /// `at` is inside the object.
    #[inline(always)]
    pub(super) unsafe fn byte(self, at: u64) -> u8 {
        // SAFETY: our caller's promise.
        let [byte] = unsafe { self.read(at) };
        byte
    }

    /// The top bits of those of eight bytes that are below 0x80, the first byte lowest.
    ///
    /// # Safety
    /// `at + 8` is at most the object's length.
    #[inline(always)]
    pub(super) unsafe fn below_0x80(self, at: u64) -> u64 {
        // SAFETY: our caller's promise.
        let bytes = unsafe { self.read(at) };
        !u64::from_le_bytes(bytes) & 0x8080_8080_8080_8080
    }

    /// A number of four bytes.
    ///
    /// # Safety
    /// `at + 4` is at most the object's length.
    #[inline(always)]
    pub(super) unsafe fn u32(self, at: u64, big: bool) -> u32 {
        // SAFETY: our caller's promise.
        let bytes = unsafe { self.read(at) };
        if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// A length, a count, an index.
    ///
    /// # Safety
    /// `at + W::WIDTH` is at most the object's length.
    #[inline(always)]
    pub(super) unsafe fn word<W: Words>(self, at: u64) -> u64 {
        macro_rules! read {
            ($number:ty) => {{
                // SAFETY: our caller's promise; the width is that of the number.
                let bytes = unsafe { self.read(at) };
                if W::BIG { <$number>::from_be_bytes(bytes) } else { <$number>::from_le_bytes(bytes) }
            }};
        }
        match W::WIDTH {
            2 => u64::from(read!(u16)),
            4 => u64::from(read!(u32)),
            _ => read!(u64),
        }
    }

    /// A relative pointer's distance, to be added with wrapping.
    ///
    /// # Safety
    /// As [`word`](Bytes::word).
    #[inline(always)]
    pub(super) unsafe fn distance<W: Words>(self, at: u64) -> u64 {
        // SAFETY: our caller's promise.
        let word = unsafe { self.word::<W>(at) };
        match W::WIDTH {
            2 => word as i16 as u64,
            4 => word as i32 as u64,
            _ => word,
        }
    }

    /// # Safety
    /// `at + len` is at most the object's length.
    #[inline(always)]
    pub(super) unsafe fn slice(self, at: u64, len: u64) -> &'a [u8] {
        debug_assert!(at.checked_add(len).is_some_and(|end| end <= self.len()));
        // SAFETY: `get_unchecked` asks that the range be inside: our caller's promise.
        unsafe { self.0.get_unchecked(at as usize..(at + len) as usize) }
    }

    /// Whether a text is UTF-8. Most texts are short and ASCII: those take no branch that depends on their length.
    ///
    /// # Safety
    /// `at + len` is at most the object's length.
    #[inline(always)]
    pub(super) unsafe fn is_utf8(self, at: u64, len: u64) -> bool {
        const SHORT: u64 = 32;
        if len <= SHORT && at + SHORT <= self.len() {
            // SAFETY: `at + 32` is at most the object's length, as just compared.
            let bytes: [u8; 32] = unsafe { self.read(at) };
            let keep = &HIGH_BITS[len as usize];
            let mut high = 0;
            for i in 0..32 {
                high |= bytes[i] & keep[i];
            }
            if high == 0 {
                return true;
            }
        }
        // SAFETY: our caller's promise.
        let text = unsafe { self.slice(at, len) };
        text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok()
    }

    /// The address of a byte.
    ///
    /// # Safety
    /// `at` is at most the object's length.
    #[inline(always)]
    pub(super) unsafe fn address(self, at: u64) -> *const u8 {
        // SAFETY: `add` asks that the offset stay within the slice: our caller's promise.
        unsafe { self.0.as_ptr().add(at as usize) }
    }
}

/// For each length up to 32, the top bits of as many bytes.
static HIGH_BITS: [[u8; 32]; 33] = {
    let mut masks = [[0; 32]; 33];
    let mut len = 0;
    while len <= 32 {
        let mut i = 0;
        while i < len {
            masks[len][i] = 0x80;
            i += 1;
        }
        len += 1;
    }
    masks
};
