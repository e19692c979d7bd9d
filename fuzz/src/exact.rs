//! An object in memory of exactly its size, so that the address sanitizer sees a read of one byte too many.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::Deref;
use std::ptr::NonNull;

/// A copy of bytes in an allocation of exactly their length.
pub struct Exact {
    start: NonNull<u8>,
    layout: Layout,
}

impl Exact {
    /// A copy whose address is a multiple of `align`.
    pub fn new(bytes: &[u8], align: usize) -> Exact {
        let layout = Layout::from_size_align(bytes.len().max(1), align).expect("an alignment of a schema");
        // SAFETY: the layout has a size.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        // SAFETY: both are of that length, and the allocation is new.
        unsafe { start.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        // An object has at least one byte, or nothing reads the one that stands for none.
        Exact { start, layout }
    }
}

impl Deref for Exact {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: allocated and filled in `new`, and never changed.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Exact {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}
