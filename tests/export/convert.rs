//! Memory that the program has and that becomes one that others can be given.

use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use nix::sys::mman::{mlock, mmap_anonymous, mprotect};

use super::*;

const P: usize = PAGE as usize;
const RW: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

fn anonymous(length: usize, access: ProtFlags, flags: MapFlags) -> *mut u8 {
    // SAFETY: a new mapping where the kernel finds room.
    let map = unsafe { mmap_anonymous(None, length.try_into().unwrap(), access, flags) };
    map.unwrap().as_ptr().cast()
}

fn private(length: usize) -> *mut u8 {
    anonymous(length, RW, MapFlags::MAP_PRIVATE)
}

fn fill(at: *mut u8, bytes: &[u8]) {
    // SAFETY: the caller's mapping, for writing, of that length.
    unsafe { at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

fn contents(at: *const u8, length: usize) -> Vec<u8> {
    // SAFETY: the caller's mapping, of that length.
    (0..length).map(|offset| unsafe { at.wrapping_add(offset).read_volatile() }).collect()
}

/// The caller's memory, which nobody writes meanwhile, and that no allocator has.
fn convert(at: *mut u8, length: usize) -> graven::Result<ExportMemory> {
    // SAFETY: as above.
    unsafe { ExportMemory::convert(NonNull::new(at).unwrap(), length) }
}

/// Converts it, and sees that it is what it was, that others see what is stored later, and that nobody else writes.
fn is_converted(at: *mut u8, length: usize) {
    let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8 ^ at.addr() as u8).collect();
    fill(at, &bytes);
    let mut memory = convert(at, length).unwrap();
    assert_eq!((memory.address().as_ptr(), memory.len()), (at, length as u64));
    assert!(contents(at, length) == bytes, "the same bytes");
    assert_eq!(memory.stat().unwrap().allocated, length as u64);
    let fd = descriptor_of(&memory);
    assert_eq!(seals(&fd) & !SEAL_EXEC, 1 | 2 | 4 | 16);
    assert_eq!(mapped(&fd, length, true, MapFlags::MAP_SHARED), Err(Errno::EPERM));
    let importer = mapped(reopened(&fd, false).unwrap(), length, false, MapFlags::MAP_SHARED).unwrap();
    assert!(contents(importer, length) == bytes);
    fill(at, b"stored");
    memory.write_at(length as u64 - 1, b"!").unwrap();
    assert_eq!(
        (contents(importer, 6).as_slice(), contents(at.wrapping_add(length - 1), 1)),
        (&b"stored"[..], b"!".to_vec())
    );
    drop(memory);
    // The pages stay the program's.
    fill(at, b"again!");
    assert_eq!(contents(importer, 6), b"again!");
    unmap(importer, length);
}

#[repr(align(65536))]
struct Static(UnsafeCell<[u8; 8 * P]>);
// SAFETY: one test uses it, in one thread.
unsafe impl Sync for Static {}
static STATIC: Static = Static(UnsafeCell::new([0; 8 * P]));

#[test]
fn mappings_bss_private_files_and_runs_of_the_heap_keep_contents_and_address_and_are_shared_from_then_on() {
    let test = "convert::mappings_bss_private_files_and_runs_of_the_heap_keep_contents_and_address_and_are_shared_from_then_on";
    if !alone(test) {
        return;
    }
    is_converted(private(16 * P), 16 * P);
    is_converted(STATIC.0.get().cast(), 8 * P);
    // Parts of a mapping: its middle, and what is left of it then.
    let whole = private(16 * P);
    for (from, pages) in [(5, 3), (0, 5), (8, 8)] {
        is_converted(whole.wrapping_add(from * P), pages * P);
    }
    // A private copy of a file, which stays what it is.
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&[7; 4 * P], 0).unwrap();
    let copy = mapped(&file, 4 * P, true, MapFlags::MAP_PRIVATE).unwrap();
    is_converted(copy, 4 * P);
    let mut bytes = [0; 4 * P];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, [7; 4 * P]);
    // Several at once: no memory of a file beside some of one.
    let several = private(12 * P);
    let middle = several.wrapping_add(4 * P).addr().try_into().ok();
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED;
    // SAFETY: over the test's own mapping.
    unsafe { mmap(middle, (4 * P).try_into().unwrap(), RW, flags, &file, 0) }.unwrap();
    is_converted(several, 12 * P);
    // A run of the heap that no allocator has.
    // SAFETY: sbrk(2) gives memory above the break, which malloc(3) takes for somebody else's.
    let brk = unsafe { libc::sbrk(10 * P as isize) };
    let run = brk.cast::<u8>().wrapping_add(brk.align_offset(P));
    is_converted(run, 9 * P);
    done();
}

#[track_caller]
fn refused(at: *mut u8, length: usize, words: &str) {
    let error = convert(at, length).unwrap_err();
    is(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
    assert!(matches!(error.cause(), Cause::Export(ExportError::NotConvertible { .. })), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

/// Of four pages the third is told something; the others are refused with it, and by themselves are not.
#[track_caller]
fn refused_where(tell: impl FnOnce(NonNull<libc::c_void>), words: &str) {
    let at = private(4 * P);
    fill(at, &pattern(4 * PAGE));
    tell(NonNull::new(at.wrapping_add(2 * P)).unwrap().cast());
    let error = convert(at, 4 * P).unwrap_err();
    assert!(
        matches!(*error.cause(), Cause::Export(ExportError::NotConvertible { address, .. })
            if address == at.addr() + 2 * P),
        "{error}"
    );
    refused(at, 4 * P, words);
    refused(at.wrapping_add(2 * P), P, words);
    assert!(contents(at, 2 * P) == pattern(4 * PAGE)[..2 * P]);
    convert(at, 2 * P).unwrap();
}

#[test]
fn what_would_lose_something_is_refused_by_name_and_stays_as_it_is() {
    let test = "convert::what_would_lose_something_is_refused_by_name_and_stays_as_it_is";
    if !alone(test) {
        return;
    }
    let protect = |access| {
        move |at| {
            // SAFETY: of the test's own mapping.
            unsafe { mprotect(at, P, access) }.unwrap();
        }
    };
    // Private or not is of a mapping.
    refused(anonymous(P, RW, MapFlags::MAP_SHARED), P, "shared");
    refused_where(protect(ProtFlags::PROT_READ), "not writable");
    refused_where(protect(RW | ProtFlags::PROT_EXEC), "executable");
    refused(anonymous(P, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE), P, "not readable");
    refused(anonymous(P, RW, MapFlags::MAP_PRIVATE | MapFlags::MAP_GROWSDOWN), P, "grows down");
    // Of a pool that may be empty: nobody touches it.
    let pool = MapFlags::MAP_PRIVATE | MapFlags::MAP_HUGETLB | MapFlags::MAP_NORESERVE;
    refused(anonymous(2 << 20, RW, pool), 2 << 20, "hugetlbfs");
    // SAFETY: of the test's own mapping.
    refused_where(|at| unsafe { mlock(at, P) }.unwrap(), "mlock");
    for (advice, words) in [
        (MmapAdvise::MADV_WIPEONFORK, "MADV_WIPEONFORK"),
        (MmapAdvise::MADV_DONTFORK, "MADV_DONTFORK"),
        (MmapAdvise::MADV_DONTDUMP, "MADV_DONTDUMP"),
    ] {
        // SAFETY: as above.
        refused_where(|at| unsafe { madvise(at, P, advice) }.unwrap(), words);
    }
    refused_where(
        |at| {
            // SAFETY: as above; nothing uses it.
            unsafe { munmap(at, P) }.unwrap();
        },
        "nothing is mapped",
    );
    // Where the kernel was built with it.
    let at = private(P);
    // SAFETY: as above.
    if unsafe { madvise(NonNull::new(at).unwrap().cast(), P, MmapAdvise::MADV_MERGEABLE) }.is_ok() {
        refused(at, P, "MADV_MERGEABLE");
    }
    // mseal(2) is of 6.10.
    let at = private(P);
    // SAFETY: the mapping is the test's, and stays.
    if unsafe { libc::syscall(462, at, P, 0) } == 0 {
        refused(at, P, "mseal");
    }
    // pkeys(7), which not every processor has.
    // SAFETY: they touch no memory.
    let key = unsafe { libc::syscall(libc::SYS_pkey_alloc, 0, 0) };
    if key > 0 {
        let at = private(P);
        // SAFETY: of the test's own mapping.
        let keyed = unsafe { libc::syscall(libc::SYS_pkey_mprotect, at, P, 3, key) };
        assert_eq!(keyed, 0);
        refused(at, P, "protection key");
    }
    // What is converted is shared.
    let once = private(P);
    convert(once, P).unwrap();
    refused(once, P, "shared");
    done();
}

#[test]
fn addresses_and_lengths_that_no_pages_have_are_invalid() {
    let at = private(4 * P);
    for (address, length, what, got) in [
        (at.wrapping_add(1), P, "address", at.addr() + 1),
        (at, 100, "length", 100),
        (at, P + 1, "length", P + 1),
    ] {
        let error = convert(address, length).unwrap_err();
        is(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(
            matches!(*error.cause(), Cause::Unaligned { what: w, got: g, .. } if (w, g) == (what, got as u64)),
            "{error}"
        );
    }
    for length in [0, isize::MAX as usize + 1] {
        let error = convert(at, length).unwrap_err();
        assert!(matches!(error.cause(), Cause::Export(ExportError::Size { .. })), "{error}");
    }
    let error = convert(at, isize::MAX as usize & !(P - 1)).unwrap_err();
    is(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
    unmap(at, 4 * P);
}

#[test]
fn with_no_mappings_left_it_is_an_error_and_everything_is_as_it_was() {
    let test = "convert::with_no_mappings_left_it_is_an_error_and_everything_is_as_it_was";
    if !alone(test) {
        return;
    }
    let at = private(16 * P);
    let bytes = pattern(16 * PAGE);
    fill(at, &bytes);
    // Pages that cannot be one mapping with the next.
    let accesses = [ProtFlags::PROT_READ, ProtFlags::PROT_NONE];
    let maps = |access| {
        // SAFETY: a new mapping where the kernel finds room.
        unsafe { mmap_anonymous(None, P.try_into().unwrap(), access, MapFlags::MAP_PRIVATE) }
    };
    let taken: Vec<_> = (0..).map_while(|n| maps(accesses[n % 2]).ok()).collect();
    assert!(taken.len() > 1000);
    for free in 0..8 {
        // Its parts would be mappings of their own.
        let result = convert(at.wrapping_add(4 * P), 4 * P);
        assert!(contents(at, 16 * P) == bytes);
        match result {
            Err(error) => {
                is(&error, ErrorKind::System, Errno::ENOMEM);
                // SAFETY: of the test's own mapping.
                unsafe { munmap(taken[2 * free + 1], P) }.unwrap();
            }
            Ok(_) => {
                assert!(free > 0, "there were none");
                done();
            }
        }
    }
    // SAFETY: as above.
    taken.iter().for_each(|map| unsafe { munmap(*map, P) }.unwrap());
    convert(at.wrapping_add(4 * P), 4 * P).unwrap();
    done();
}

#[test]
fn threads_that_read_meanwhile_see_the_bytes_that_were_there_and_no_signal() {
    let test = "convert::threads_that_read_meanwhile_see_the_bytes_that_were_there_and_no_signal";
    if !alone(test) {
        return;
    }
    const LENGTH: usize = 16 * P;
    for round in 0..300u32 {
        let (byte, stop) = (round as u8 | 1, AtomicBool::new(false));
        let at = private(LENGTH);
        fill(at, &[byte; LENGTH]);
        let address = at.addr();
        let read = || {
            let start = std::ptr::with_exposed_provenance_mut::<u8>(address);
            let mut rounds = 0;
            while !stop.load(Relaxed) || rounds == 0 {
                for offset in (0..LENGTH).step_by(64) {
                    // SAFETY: mapped until the test is over; read only.
                    let seen = unsafe { AtomicU8::from_ptr(start.wrapping_add(offset)) }.load(Relaxed);
                    assert_eq!(seen, byte);
                }
                rounds += 1;
            }
        };
        let _ = at.expose_provenance();
        let memory = std::thread::scope(|scope| {
            let readers = [scope.spawn(read), scope.spawn(read)];
            let memory = convert(at, LENGTH).unwrap();
            std::thread::sleep(Duration::from_micros(200));
            stop.store(true, Relaxed);
            readers.into_iter().for_each(|reader| reader.join().unwrap());
            memory
        });
        assert!(contents(at, LENGTH) == [byte; LENGTH]);
        drop(memory);
        unmap(at, LENGTH);
    }
    done();
}

#[test]
fn what_private_memory_does_it_does_no_more_once_it_is_converted() {
    let test = "convert::what_private_memory_does_it_does_no_more_once_it_is_converted";
    if !alone(test) {
        return;
    }
    let at = private(2 * P);
    fill(at, &[7; 2 * P]);
    let memory = convert(at, 2 * P).unwrap();
    let start = NonNull::new(at).unwrap().cast();
    // SAFETY: of the test's own memory.
    unsafe { madvise(start, P, MmapAdvise::MADV_DONTNEED) }.unwrap();
    assert_eq!(contents(at, 1), [7], "not cleared");
    // SAFETY: as above.
    assert_eq!(unsafe { madvise(start, P, MmapAdvise::MADV_FREE) }, Err(Errno::EINVAL));
    ended_well(|| fill(at, &[9]));
    assert_eq!(contents(at, 1), [9], "a child's store");
    drop(memory);
    done();
}
