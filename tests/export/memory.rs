//! Memory that goes on changing.

use super::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// `F_SEAL_FUTURE_WRITE`.
const FUTURE_WRITE: i32 = 16;

fn memory(size: u64, importers_write: bool) -> ExportMemory {
    ExportMemory::options().size(size).importers_write(importers_write).create().unwrap()
}

fn allocated(memory: &ExportMemory) -> u64 {
    memory.stat().unwrap().allocated
}

/// Bytes of shared memory that this process has mapped and touched.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssShmem:")).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

/// A byte through the address.
fn load(memory: &ExportMemory, offset: u64) -> u8 {
    assert!(offset < memory.len());
    // SAFETY: in the memory, which is mapped as long as it is borrowed.
    unsafe { memory.address().as_ptr().wrapping_add(offset as usize).read_volatile() }
}

fn store(memory: &ExportMemory, offset: u64, byte: u8) {
    assert!(offset < memory.len());
    // SAFETY: as above, and mapped for writing.
    unsafe { memory.address().as_ptr().wrapping_add(offset as usize).write_volatile(byte) }
}

#[test]
fn a_memory_has_the_size_asked_for_and_every_byte_within_and_none_behind() {
    for write in [false, true] {
        let mut memory = memory(5000, write);
        assert_eq!(memory.len(), 5000);
        let all = pattern(5000);
        memory.write_at(0, &all).unwrap();
        let mut read = vec![0; 5000];
        memory.read_at(0, &mut read).unwrap();
        assert_eq!(read, all);
        assert_eq!((0..5000).map(|at| load(&memory, at)).collect::<Vec<u8>>(), all);
        memory.write_at(4999, b"!").unwrap();
        memory.read_at(5000, &mut []).unwrap();
        memory.write_at(5000, b"").unwrap();
        for (offset, length) in [(0, 5001), (1, 5000), (5000, 1), (5001, 0), (u64::MAX, 1), (u64::MAX - 3, 4)]
        {
            for error in [
                memory.read_at(offset, &mut vec![0; length]).unwrap_err(),
                memory.write_at(offset, &vec![0; length]).unwrap_err(),
            ] {
                is(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
                let Cause::Bounds { offset: got, length: of, size: 5000 } = *error.cause() else {
                    panic!("{error}")
                };
                assert_eq!((got, of), (offset, length as u64));
            }
        }
        #[expect(clippy::reversed_empty_ranges)]
        let wrong = [0..0, 5000..5000, 7..6, 0..5001, 4999..u64::MAX, u64::MAX..u64::MAX];
        for range in wrong {
            for error in
                [memory.reserve(range.clone()).unwrap_err(), memory.discard(range.clone()).unwrap_err()]
            {
                is(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
                assert!(matches!(error.cause(), Cause::Bounds { size: 5000, .. }), "{error}");
            }
        }
        memory.reserve(4999..).unwrap();
        memory.read_at(0, &mut read).unwrap();
        assert!(read[..4999] == all[..4999] && read[4999] == b'!', "nothing changed");
    }
}

#[test]
fn sizes_that_no_process_can_map_are_invalid() {
    for size in [0, 1 << 63, u64::MAX, isize::MAX as u64 + 1] {
        let error = ExportMemory::options().size(size).create().unwrap_err();
        is(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(
            matches!(error.cause(), Cause::Export(ExportError::Size { asked }) if *asked == size),
            "{error}"
        );
    }
    // More than there are addresses.
    let error = ExportMemory::options().size(1 << 60).create().unwrap_err();
    is(&error, ErrorKind::System, Errno::ENOMEM);
    // And all that there is, more than once: nothing is allocated.
    assert_eq!(memory(1 << 44, false).len(), 1 << 44);
}

#[test]
fn an_exact_address_is_exact_or_refused_and_what_is_there_stays() {
    let base = 0x2d00_0000_0000_usize;
    let at = |address| ExportMemory::options().size(5000).at(At::Exact(address)).create();
    let mut placed = at(base).unwrap();
    assert_eq!(placed.address().as_ptr().addr(), base);
    placed.write_at(0, &[7; 5000]).unwrap();
    for address in [base, base - 4096, base + 4096] {
        let before = open_descriptors();
        let error = at(address).unwrap_err();
        is(&error, ErrorKind::Busy, Errno::EBUSY);
        assert!(
            matches!(*error.cause(), Cause::AddressTaken { address: got, .. } if got == address),
            "{error}"
        );
        assert_eq!(open_descriptors(), before);
    }
    for address in [base + 1, 0, 100] {
        let error = at(address).unwrap_err();
        is(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(matches!(error.cause(), Cause::Unaligned { what: "address", .. }), "{error}");
    }
    assert!((0..5000).all(|offset| load(&placed, offset) == 7));
    drop(placed);
    at(base).unwrap();
}

#[test]
fn the_mode_is_0600_and_the_length_and_the_seals_are_sealed() {
    for write in [false, true] {
        let memory = memory(5000, write);
        let fd = descriptor_of(&memory);
        let is = File::from(fd.try_clone().unwrap()).metadata().unwrap();
        assert_eq!((is.mode() & 0o7777, is.len()), (0o600, 5000));
        assert_eq!(seals(&fd) & !SEAL_EXEC, 1 | 2 | 4 | if write { 0 } else { FUTURE_WRITE });
        // A peer that may write adds no seal.
        for seal in [SealFlag::F_SEAL_WRITE, SealFlag::F_SEAL_FUTURE_WRITE] {
            assert_eq!(fcntl(&fd, FcntlArg::F_ADD_SEALS(seal)), Err(Errno::EPERM));
        }
        let file = reopened(&fd, true).unwrap();
        for length in [0, 4999, 5001] {
            assert_eq!(file.set_len(length).unwrap_err().raw_os_error(), Some(Errno::EPERM as i32));
        }
    }
}

#[test]
fn what_importers_only_read_the_exporter_goes_on_writing_and_nobody_else_does() {
    let mut memory = memory(3 * PAGE, false);
    let fd = descriptor_of(&memory);
    store(&memory, 0, 1);
    memory.write_at(PAGE - 2, b"over").unwrap();
    let file = reopened(&fd, true).unwrap();
    for refused in [
        file.write_at(b"x", 0).unwrap_err().raw_os_error().map(Errno::from_raw),
        mapped(&fd, 4096, true, MapFlags::MAP_SHARED).err(),
        fallocate(&fd, FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, 4096)
            .err(),
    ] {
        assert_eq!(refused, Some(Errno::EPERM));
    }
    // SAFETY: of the test's memory, which is refused.
    let removed = unsafe { madvise(memory.address().cast(), 4096, MmapAdvise::MADV_REMOVE) };
    assert_eq!(removed, Err(Errno::EPERM), "not even through the exporter's own mapping");
    let error = memory.discard(..PAGE).unwrap_err();
    let message = is(&error, ErrorKind::NotPermitted, Errno::EPERM);
    assert!(
        matches!(error.cause(), Cause::Export(ExportError::NoHoles)) && message.contains("importers_write")
    );
    // Allocating is allowed, and changes nothing.
    fallocate(&fd, FallocateFlags::FALLOC_FL_KEEP_SIZE, 2 * PAGE as i64, 4096).unwrap();

    let reading = mapped(&fd, 2 * PAGE as usize, false, MapFlags::MAP_SHARED).unwrap();
    store(&memory, 1, 9);
    // SAFETY: mapped above.
    let seen = [0, 1, 4094, 4097].map(|at| unsafe { reading.wrapping_add(at).read_volatile() });
    assert_eq!(seen, [1, 9, b'o', b'r']);
    unmap(reading, 2 * PAGE as usize);
}

#[test]
fn a_forked_child_has_the_same_memory_and_goes_on_with_it() {
    if !alone("memory::a_forked_child_has_the_same_memory_and_goes_on_with_it") {
        return;
    }
    for write in [false, true] {
        let mut memory = Some(memory(1 << 20, write));
        memory.as_mut().unwrap().write_at(0, b"parent").unwrap();
        ended_well(|| {
            let mut memory = memory.take().unwrap();
            assert_eq!(load(&memory, 5), b't');
            store(&memory, 0, b'c');
            memory.write_at(5000, b"child").unwrap();
            memory.reserve(..16384).unwrap();
            assert_eq!(allocated(&memory), 16384);
            drop(memory);
        });
        let memory = memory.unwrap();
        let mut bytes = [0; 6];
        memory.read_at(0, &mut bytes).unwrap();
        assert_eq!(&bytes, b"carent");
        assert_eq!((load(&memory, 5004), allocated(&memory)), (b'd', 16384));
    }
    done();
}

#[test]
fn four_gigabytes_with_three_islands_take_what_was_touched_and_reads_of_holes_take_nothing() {
    if !alone(
        "memory::four_gigabytes_with_three_islands_take_what_was_touched_and_reads_of_holes_take_nothing",
    ) {
        return;
    }
    let start = Instant::now();
    let mut memory = memory(4 * GIB, false);
    assert!(start.elapsed() < Duration::from_secs(2), "O(1): {:?}", start.elapsed());
    assert_eq!(allocated(&memory), 0);
    let islands = [0..MIB, 2 * GIB - 4096..2 * GIB + MIB, 4 * GIB - 3 * MIB..4 * GIB];
    for island in &islands {
        memory.reserve(island.clone()).unwrap();
    }
    let reserved: u64 = islands.iter().map(|island| island.end - island.start).sum();
    assert_eq!(allocated(&memory), reserved);
    let before = resident();
    for at in (islands[1].start..islands[1].end).step_by(4096) {
        store(&memory, at, 1);
    }
    assert_eq!(resident() - before, islands[1].end - islands[1].start, "as many pages as were touched");
    memory.write_at(islands[2].end - 8192, &[1; 8192]).unwrap();

    // Every pattern of holes and islands that 16 pages around an island's ends can be read in.
    let (mut sum, mut buffer) = (0u64, vec![0u8; 16 * 4096]);
    let start = islands[1].start - 8 * 4096;
    for from in 0..16 {
        for to in from + 1..=16 {
            let piece = &mut buffer[..(to - from) * 4096];
            memory.read_at(start + 4096 * from as u64, piece).unwrap();
            let ones: u64 = piece.iter().map(|byte| u64::from(*byte)).sum();
            assert_eq!(ones, to.saturating_sub(8).saturating_sub(from.saturating_sub(8)) as u64);
            sum += ones;
        }
    }
    assert!(sum > 0);
    // And all of it: holes are zeros, and stay holes.
    let (mut sum, mut buffer) = (0u64, vec![0u8; 16 << 20]);
    for at in (0..4 * GIB).step_by(buffer.len()) {
        memory.read_at(at, &mut buffer).unwrap();
        let pages = buffer.chunks(4096).filter(|page| **page != [0; 4096]);
        sum += pages.flatten().map(|byte| u64::from(*byte)).sum::<u64>();
    }
    assert_eq!(sum, (islands[1].end - islands[1].start) / 4096 + 8192);
    assert_eq!(allocated(&memory), reserved);
    done();
}

#[test]
fn whatever_is_written_reserved_and_discarded_the_bytes_are_those_of_a_vector() {
    let size = 40 * PAGE - 100;
    let (mut memory, mut model) = (memory(size, true), vec![0u8; size as usize]);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for round in 0..3000u32 {
        let (a, b) = (random.below(size as usize), random.below(size as usize));
        let range = a.min(b)..a.max(b) + 1;
        let bytes = range.start as u64..range.end as u64;
        match random.below(4) {
            0 => {
                let of = vec![round as u8 | 1; range.len()];
                memory.write_at(bytes.start, &of).unwrap();
                model[range].copy_from_slice(&of);
            }
            1 => {
                memory.discard(bytes).unwrap();
                model[range].fill(0);
            }
            2 => memory.reserve(bytes).unwrap(),
            _ => {
                let mut read = vec![1; range.len()];
                memory.read_at(bytes.start, &mut read).unwrap();
                assert!(read == model[range]);
            }
        }
        assert!(allocated(&memory) <= 40 * PAGE);
    }
    memory.discard(..).unwrap();
    assert_eq!(allocated(&memory), 0);
}

#[test]
fn twice_the_machines_memory_is_no_room_at_once_and_nothing_is_allocated() {
    let info = fs::read_to_string("/proc/meminfo").unwrap();
    let total =
        info.lines().next().unwrap().split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024;
    let (quarter, write) = (total / 4, false);
    let mut memory = memory(3 * total, write);
    // The shortest of several times: others have the processor too.
    let times = (0..10).map(|_| {
        let start = Instant::now();
        is(&memory.reserve(..2 * total).unwrap_err(), ErrorKind::System, Errno::ENOSPC);
        start.elapsed()
    });
    let took = times.min().unwrap();
    assert!(took < Duration::from_secs(2), "{took:?}");
    is(&memory.reserve(quarter..2 * total + quarter).unwrap_err(), ErrorKind::System, Errno::ENOSPC);
    assert_eq!(allocated(&memory), 0);
    // What there is room for there is.
    memory.reserve(total..total + MIB).unwrap();
    memory.write_at(2 * total, b"x").unwrap();
    assert_eq!(allocated(&memory), MIB + 4096);
}

#[test]
fn reserving_again_needs_nothing_and_signals_every_millisecond_interrupt_nothing() {
    let test = "memory::reserving_again_needs_nothing_and_signals_every_millisecond_interrupt_nothing";
    if !alone(test) {
        return;
    }
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing.
    unsafe { nix::sys::signal::signal(Signal::SIGALRM, nix::sys::signal::SigHandler::Handler(nothing)) }
        .unwrap();
    let every = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: setitimer(2) reads the structure.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(set, 0);
    let mut memory = memory(200 * MIB, false);
    for _ in 0..3 {
        memory.reserve(..).unwrap();
        assert_eq!(allocated(&memory), 200 * MIB);
    }
    memory.write_at(0, &vec![7; 50 << 20]).unwrap();
    let mut bytes = vec![0; 50 << 20];
    memory.read_at(0, &mut bytes).unwrap();
    read_process(std::process::id(), memory.address().as_ptr().addr(), &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 7));
    let export = Export::new(&bytes).unwrap();
    assert_eq!(export.segment().root::<Vec<u8>>().unwrap().len(), 50 << 20);
    done();
}

#[test]
fn huge_pages_are_asked_for_and_what_there_are_is_said() {
    let memory = ExportMemory::options().size(16 * MIB).huge_pages(true).create().unwrap();
    assert_eq!(memory.stat().unwrap().huge_pages, 0, "none before it is touched");
    for at in (0..16 * MIB).step_by(4096) {
        store(&memory, at, 1);
    }
    let stat = memory.stat().unwrap();
    assert_eq!(stat.allocated, 16 * MIB);
    let shared = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled").unwrap_or_default();
    match shared.contains("[never]") || shared.contains("[deny]") || shared.is_empty() {
        true => assert_eq!(stat.huge_pages, 0, "the host forbids them"),
        false => assert!(stat.huge_pages.is_multiple_of(2 * MIB) && stat.huge_pages <= 16 * MIB, "{stat:?}"),
    }
}

/// As [`REFUSED`], of a memory that importers write.
const ALLOWED: &[(&str, &str)] = &[
    ("ok", "write, pwrite, splice, map, mprotect, remove, punch"),
    ("EPERM", "cut, lengthen, append, seal"),
    ("EOPNOTSUPP", "zero"),
];

#[test]
fn no_process_writes_a_memory_that_importers_only_read_and_none_cuts_or_seals_any() {
    let test = "memory::no_process_writes_a_memory_that_importers_only_read_and_none_cuts_or_seals_any";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if !alone(test) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    hostile(directory.path());
    let say = |expected: &mut Vec<String>, words: &str| expected.extend(words.split(", ").map(str::to_owned));
    let bytes = pattern(2 * PAGE);
    let made = |write| {
        let mut memory = memory(2 * PAGE, write);
        memory.write_at(0, &bytes).unwrap();
        memory
    };
    let unchanged = |memory: &ExportMemory| {
        let mut now = vec![0; bytes.len()];
        memory.read_at(0, &mut now).unwrap();
        assert!(now == bytes);
    };
    let path = |fd: &OwnedFd| format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd());

    // Another user, with what an importer gets: a descriptor opened for reading, or for writing.
    let stranger = || {
        let mut stranger = hostile(directory.path());
        stranger.uid(SOMEBODY).gid(SOMEBODY);
        stranger
    };
    for write in [false, true] {
        let memory = made(write);
        let fd = descriptor_of(&memory);
        let mut expected = table(READING, "");
        say(&mut expected, "futimens EACCES, setxattr EACCES, reopen EACCES, path to read EACCES");
        say(&mut expected, "path to write EACCES, getfd EPERM, executable EPERM, chmod EPERM");
        say(&mut expected, "reopen after chmod EACCES");
        let path = path(&fd);
        assert_eq!(attempts(stranger(), reopened(&fd, false).unwrap(), Some(path.as_ref())), expected);
        unchanged(&memory);

        let mut expected = table(if write { ALLOWED } else { REFUSED }, "");
        // Who has a descriptor for writing sets the times to now.
        say(&mut expected, "futimens ok, setxattr ok, reopen EACCES, executable EPERM, chmod EPERM");
        say(&mut expected, "reopen after chmod EACCES");
        let said = attempts(stranger(), reopened(&fd, true).unwrap(), None);
        let same = |line: &&String| !line.starts_with("setxattr") && !line.starts_with("futimens");
        assert_eq!(
            said.iter().filter(same).collect::<Vec<_>>(),
            expected.iter().filter(same).collect::<Vec<_>>()
        );
        match write {
            true => assert_eq!(allocated(&memory), PAGE, "what may write may make holes"),
            false => unchanged(&memory),
        }
        assert_eq!(File::from(fd).metadata().unwrap().len(), 2 * PAGE);
    }

    // The same user, who is not root, and takes the exporter's own descriptor.
    ended_well(|| {
        become_user(NOBODY);
        prctl::set_dumpable(true).unwrap();
        let memory = made(false);
        let fd = descriptor_of(&memory);
        let mut expected = table(READING, "");
        say(&mut expected, "futimens ok, setxattr ok, reopen ok");
        expected.extend(table(REFUSED, " reopened"));
        say(&mut expected, "path to read ok, path to write ok");
        expected.extend(table(REFUSED, " by path"));
        say(&mut expected, "getfd ok");
        expected.extend(table(REFUSED, " by getfd"));
        say(&mut expected, "executable EPERM, chmod ok, reopen after chmod ok");
        expected.extend(table(REFUSED, " after chmod"));
        let path = path(&fd);
        assert_eq!(
            attempts(hostile(directory.path()), reopened(&fd, false).unwrap(), Some(path.as_ref())),
            expected
        );
        unchanged(&memory);
    });
    done();
}
