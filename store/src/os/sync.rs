//! A counter in memory that several processes map: the one file of this crate that names atomics and futexes.
//!
//! A [`Word`] is 64 bits wide and only ever counts up. Whoever counts up stores first and wakes then; whoever waits
//! compares the low half, in the kernel and under the kernel's lock, with what it has seen. So no count is slept
//! through, whichever side comes first.
//!
//! A word on a page that nobody maps writable is stored by pwrite(2), which can fail where a store through a mapping would
//! be a signal; nothing promises that its eight bytes arrive together, so [`Word::settled`] loads until two loads agree.
//!
//! Readers map the page read-only. Rust allows atomic loads there if they are relaxed, so [`Word::load`] is a relaxed
//! load and a fence, which compiles to the same instruction as an acquire load on x86 and costs a barrier elsewhere.
#![allow(unsafe_code)]

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

/// A 64-bit counter in shared memory that this process may read, and sleep on.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a>(&'a AtomicU64);

/// A [`Word`] that this process may also write: its page is mapped writable.
#[derive(Clone, Copy)]
pub(crate) struct WordMut<'a>(Word<'a>);

impl<'a> Word<'a> {
    /// # Safety
    /// - `at` is aligned to 8 bytes, and the 8 bytes are mapped, readable and backed by the file as long as `'a` lasts.
    /// - During `'a` this process touches them through words only.
    #[inline]
    pub(crate) unsafe fn new(at: NonNull<u64>) -> Word<'a> {
        // SAFETY: `AtomicU64::from_ptr` asks for
        // - alignment to 8, validity for reads during `'a`: our caller's promise; writes are for `WordMut`, whose
        //   caller promises a writable page, and loads are relaxed, which Rust allows on read-only memory;
        // - no conflicting non-atomic access: our caller's promise. Other processes are none of the abstract machine's
        //   threads; what graven stores there is stored by words.
        Word(unsafe { AtomicU64::from_ptr(at.as_ptr()) })
    }

    /// The count, and everything that happened before it was stored.
    #[inline]
    pub(crate) fn load(self) -> u64 {
        let count = self.0.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        count
    }

    /// The count, where it is stored by pwrite(2).
    pub(crate) fn settled(self) -> u64 {
        let mut count = self.load();
        loop {
            match self.load() {
                again if again == count => return count,
                again => count = again,
            }
        }
    }

    /// Sleeps until another process or thread wakes this word, at most `timeout`. Returns at once if the word's low half
    /// differs from that of `seen`. Sometimes returns for no reason, a signal for example: look again.
    pub(crate) fn wait(self, seen: u64, timeout: Duration) {
        // Longer than the kernel can count is as good as for ever.
        let seconds = timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX);
        let timeout = libc::timespec { tv_sec: seconds, tv_nsec: timeout.subsec_nanos().into() };
        // SAFETY: futex(2) FUTEX_WAIT reads the four bytes at the address, which are mapped while `self` lives, and the
        // timespec. Not FUTEX_PRIVATE_FLAG: the memory is shared. All errors mean: look again.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.low_half(),
                libc::FUTEX_WAIT,
                seen as u32,
                &raw const timeout,
                std::ptr::null::<u32>(),
                0u32,
            )
        };
    }

    /// Wakes whoever waits; how many did.
    pub(crate) fn wake_all(self) -> u32 {
        self.wake(u32::MAX >> 1)
    }

    /// Wakes up to `count` of those who wait; how many it were.
    pub(crate) fn wake(self, count: u32) -> u32 {
        // SAFETY: futex(2) FUTEX_WAKE touches no memory: the address is a key.
        let woken = unsafe { libc::syscall(libc::SYS_futex, self.low_half(), libc::FUTEX_WAKE, count) };
        // EFAULT and EINVAL cannot be: the address is mapped and aligned.
        debug_assert!(woken >= 0, "{}", Errno::last());
        woken.max(0) as u32
    }

    /// Where the kernel compares: the 32 bits that change with every count.
    fn low_half(self) -> *const u32 {
        let half = self.0.as_ptr().cast_const().cast::<u32>();
        half.wrapping_add(usize::from(cfg!(target_endian = "big")))
    }
}

impl<'a> WordMut<'a> {
    /// # Safety
    /// As [`Word::new`], and the 8 bytes are mapped writable, with their block allocated.
    pub(crate) unsafe fn new(at: NonNull<u64>) -> WordMut<'a> {
        // SAFETY: our caller's promise.
        WordMut(unsafe { Word::new(at) })
    }

    /// Sets the count, after everything that this thread has done before.
    pub(crate) fn store(self, count: u64) {
        self.0.0.store(count, Ordering::Release);
    }

    /// Adds to the count: what it was.
    pub(crate) fn fetch_add(self, more: u64) -> u64 {
        self.0.0.fetch_add(more, Ordering::AcqRel)
    }

    /// Changes the count as `change` says, in one step: what it was. `None` if there is nothing to change.
    pub(crate) fn update(self, change: impl FnMut(u64) -> Option<u64>) -> Option<u64> {
        self.0.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).ok()
    }
}

impl<'a> Deref for WordMut<'a> {
    type Target = Word<'a>;

    fn deref(&self) -> &Word<'a> {
        &self.0
    }
}

/// Everything that this thread has done before comes before the pwrite(2) that follows, for whoever loads what it wrote.
pub(crate) fn order_before_write() {
    fence(Ordering::Release);
}

/// A count of this process's own, which any of its threads may read at any time.
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// Counts one more: what the count was.
    pub(crate) fn count(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    fn word(memory: &mut u64) -> WordMut<'_> {
        // SAFETY: an exclusive borrow of an aligned u64, used through words only as long as it lasts.
        unsafe { WordMut::new(NonNull::from(memory)) }
    }

    #[test]
    fn a_waiter_is_woken_by_a_count_and_does_not_sleep_on_one_that_it_has_missed() {
        let mut memory = 0;
        let word = word(&mut memory);
        thread::scope(|scope| {
            scope.spawn(|| {
                for count in 1..=100 {
                    word.store(count);
                    word.wake_all();
                }
            });
            let mut seen = 0;
            while seen < 100 {
                word.wait(seen, Duration::from_secs(60));
                seen = word.load();
            }
        });
        assert_eq!(word.fetch_add(2), 100);
        let start = Instant::now();
        word.wait(100, Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(30), "the count had changed already");
        word.wait(102, Duration::from_millis(5));
        assert!(start.elapsed() >= Duration::from_millis(5), "nobody counts: the timeout passes");
    }

    #[test]
    fn a_timeout_of_any_length_is_taken() {
        let mut memory = 7;
        let word = word(&mut memory);
        word.wait(7, Duration::ZERO);
        word.wait(8, Duration::MAX);
        assert_eq!(word.wake(1), 0);
    }
}
