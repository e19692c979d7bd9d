//! Opens and verifies a segment without std, as firmware or a kernel module would.
#![no_std]

use core::alloc::{GlobalAlloc, Layout};

struct Nowhere;

// SAFETY: null is what an allocator answers that has no memory.
unsafe impl GlobalAlloc for Nowhere {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nowhere = Nowhere;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// 0 if the bytes are a sound segment.
///
/// # Safety
/// `bytes` leads to `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn segment_is_sound(bytes: *const u8, len: usize) -> i32 {
    // SAFETY: our caller's promise.
    let bytes = unsafe { core::slice::from_raw_parts(bytes, len) };
    match graven_format::View::open(bytes).map(|view| view.verify()) {
        Ok(Ok(_)) => 0,
        _ => 1,
    }
}
