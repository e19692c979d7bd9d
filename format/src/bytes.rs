//! What safe code cannot ask for or cannot know of bytes.
#![allow(unsafe_code)]

/// Has the processor fetch the byte at `at`, if it can, while other work goes on.
#[inline(always)]
pub(crate) fn fetch(bytes: &[u8], at: u64) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse"))]
    if at < bytes.len() as u64 {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: `add` asks that the offset stay within the slice, as just compared, and fit an `isize`, as the length of a
        // slice does.
        let place = unsafe { bytes.as_ptr().add(at as usize) };
        // SAFETY: `_mm_prefetch` asks for SSE, for which this is compiled; it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse")))]
    let _ = (bytes, at);
}

/// The bytes as text if they are `text`, without asking whether they are UTF-8.
#[inline(always)]
pub(crate) fn as_equal<'a>(bytes: &'a [u8], text: &str) -> Option<&'a str> {
    // SAFETY: `from_utf8_unchecked` asks for UTF-8: they are equal to the bytes of a `str`.
    (bytes == text.as_bytes()).then(|| unsafe { core::str::from_utf8_unchecked(bytes) })
}
