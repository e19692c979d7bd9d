//! An object right beside a page that must not be touched: reading outside it ends the program, whatever the build.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::ptr::NonNull;

use graven_format::checksum;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};

/// At least a page, on all machines that this runs on.
const GUARD: usize = 1 << 16;
/// Bytes of the longest object.
const ROOM: usize = 1 << 17;
/// Bytes before and behind an object that are filled, where there is room: no bool, no text, no good pointer.
const FILLED: usize = 64;

/// A copy of bytes that starts behind such a page, or ends before one: which of the two, the bytes decide.
///
/// Where the length is no multiple of the alignment, less than an alignment lies between its end and the page.
pub struct Exact {
    /// `ROOM` bytes between two guards, in use by nobody else.
    room: NonNull<u8>,
    start: usize,
    len: usize,
}

thread_local! {
    /// Rooms that nobody uses: to map one takes longer than most of what is done in it.
    static UNUSED: RefCell<Vec<NonNull<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Exact {
    /// A copy whose address is a multiple of `align`.
    pub fn new(bytes: &[u8], align: usize) -> Exact {
        let len = bytes.len();
        assert!(len <= ROOM && align <= GUARD, "{len} bytes, aligned to {align}");
        let room = UNUSED.with_borrow_mut(Vec::pop).unwrap_or_else(map);
        let start = if checksum(bytes) % 2 == 0 { 0 } else { (ROOM - len) / align * align };
        // SAFETY: mapped for good, readable and writable, and taken from the list: nobody else's.
        let all = unsafe { std::slice::from_raw_parts_mut(room.as_ptr(), ROOM) };
        all[start.saturating_sub(FILLED)..start].fill(0xff);
        all[start..start + len].copy_from_slice(bytes);
        all[start + len..ROOM.min(start + len + FILLED)].fill(0xff);
        Exact { room, start, len }
    }
}

/// A room between two guards.
fn map() -> NonNull<u8> {
    let size = NonZeroUsize::new(GUARD + ROOM + GUARD).expect("not zero");
    // SAFETY: a new private mapping, where the kernel likes.
    let guards = unsafe { mmap_anonymous(None, size, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) };
    // SAFETY: `GUARD` bytes into the mapping.
    let room = unsafe { guards.expect("address space").byte_add(GUARD) };
    // SAFETY: `ROOM` bytes of the mapping, which nobody else knows.
    let opened = unsafe { mprotect(room, ROOM, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE) };
    opened.expect("memory");
    room.cast()
}

impl Deref for Exact {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` and `len` lie in the room.
        let start = unsafe { self.room.add(self.start) };
        // SAFETY: filled in `new`, and changed by nobody until `drop`.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), self.len) }
    }
}

impl Drop for Exact {
    fn drop(&mut self) {
        UNUSED.with_borrow_mut(|unused| unused.push(self.room));
    }
}
