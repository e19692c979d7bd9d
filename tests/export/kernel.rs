//! What the kernel does that exports rest on.

use super::*;

fn memfd(more: MFdFlags) -> File {
    File::from(memfd_create(c"fact", MFdFlags::MFD_CLOEXEC | more).unwrap())
}

fn sealable(length: u64) -> File {
    let file = memfd(MFdFlags::MFD_ALLOW_SEALING);
    file.set_len(length).unwrap();
    file
}

fn add(file: impl AsFd, seals: SealFlag) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_ADD_SEALS(seals)).map(drop)
}

const PUNCH: FallocateFlags = FallocateFlags::FALLOC_FL_PUNCH_HOLE.union(FallocateFlags::FALLOC_FL_KEEP_SIZE);

#[test]
fn a_new_memory_file_is_everybodys_until_its_mode_is_set_and_never_executable() {
    let test = "kernel::a_new_memory_file_is_everybodys_until_its_mode_is_set_and_never_executable";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if !alone(test) {
        return;
    }
    let made = || memfd(MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL));
    // Another user gets at it through the process that has it.
    ended_well(|| {
        let file = made();
        assert_eq!((file.metadata().unwrap().mode() & 0o7777, seals(&file)), (0o666, SEAL_EXEC));
        let executable = file.set_permissions(PermissionsExt::from_mode(0o766)).unwrap_err();
        assert_eq!(executable.raw_os_error(), Some(Errno::EPERM as i32));
        file.write_at(&[7; 8192], 0).unwrap();
        become_user(NOBODY);
        let stolen = reopened(&file, true).unwrap();
        stolen.write_at(b"x", 0).unwrap();
        fallocate(&stolen, PUNCH, 4096, 4096).unwrap();
        assert_eq!(blocks(&file), 4096);
    });
    ended_well(|| {
        let file = made();
        file.set_permissions(PermissionsExt::from_mode(0o400)).unwrap();
        become_user(NOBODY);
        assert_eq!(reopened(&file, false).unwrap_err().raw_os_error(), Some(Errno::EACCES as i32));
    });
    // Whatever vm.memfd_noexec says, which each pid namespace has for itself.
    ended_well(|| {
        unshare(CloneFlags::CLONE_NEWPID).unwrap();
        ended_well(|| {
            for setting in ["0", "1", "2"] {
                fs::write("/proc/sys/vm/memfd_noexec", setting).unwrap();
                assert_eq!(seals(made()), SEAL_EXEC);
                assert_eq!(*Export::new(&7u64).unwrap().segment().root::<u64>().unwrap(), 7);
            }
        });
    });
    done();
}

#[test]
fn writing_is_not_sealed_while_something_may_still_write() {
    let busy = |what: &str, keep: &dyn Fn(&File) -> Box<dyn FnOnce()>| {
        let file = sealable(8192);
        let end = keep(&file);
        assert_eq!(add(&file, SealFlag::F_SEAL_WRITE), Err(Errno::EBUSY), "{what}");
        end();
        add(&file, SealFlag::F_SEAL_WRITE).unwrap();
    };
    busy("a writable mapping", &|file| {
        let map = mapped(file, 8192, true, MapFlags::MAP_SHARED).unwrap();
        Box::new(move || unmap(map, 8192))
    });
    busy("a mapping for reading, of a descriptor that could write", &|file| {
        let map = mapped(file, 8192, false, MapFlags::MAP_SHARED).unwrap();
        Box::new(move || unmap(map, 8192))
    });
    let file = sealable(8192);
    let map = mapped(reopened(&file, false).unwrap(), 8192, false, MapFlags::MAP_SHARED).unwrap();
    add(&file, SealFlag::F_SEAL_WRITE).unwrap();
    unmap(map, 8192);

    // A page that a pipe holds, though nothing maps it any more.
    let file = sealable(8192);
    let map = mapped(&file, 8192, true, MapFlags::MAP_SHARED).unwrap();
    let (reads, writes) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    let piece = libc::iovec { iov_base: map.cast(), iov_len: 4096 };
    // SAFETY: the pages are mapped; vmsplice(2) takes references on them.
    let taken = unsafe { libc::vmsplice(writes.as_raw_fd(), &raw const piece, 1, 0) };
    assert_eq!(taken, 4096);
    unmap(map, 8192);
    assert_eq!(add(&file, SealFlag::F_SEAL_WRITE), Err(Errno::EBUSY));
    drop((reads, writes));
    until(|| add(&file, SealFlag::F_SEAL_WRITE).is_ok());
}

#[test]
fn without_the_seal_of_seals_a_peer_that_writes_forbids_it_to_others() {
    let file = sealable(4096);
    let peer = reopened(&file, true).unwrap();
    add(&peer, SealFlag::F_SEAL_FUTURE_WRITE).unwrap();
    assert_eq!(file.write_at(b"x", 0).unwrap_err().raw_os_error(), Some(Errno::EPERM as i32));
}

#[test]
fn what_future_writes_are_forbidden_of_forked_children_write_through_the_mapping_they_inherit() {
    let test =
        "kernel::what_future_writes_are_forbidden_of_forked_children_write_through_the_mapping_they_inherit";
    if !alone(test) {
        return;
    }
    let file = sealable(4096);
    let map = mapped(&file, 4096, true, MapFlags::MAP_SHARED).unwrap();
    add(&file, SealFlag::F_SEAL_FUTURE_WRITE).unwrap();
    // SAFETY: mapped for writing.
    ended_well(|| unsafe { map.write_volatile(3) });
    // SAFETY: mapped.
    assert_eq!(unsafe { map.read_volatile() }, 3);
    assert_eq!(mapped(&file, 4096, true, MapFlags::MAP_SHARED), Err(Errno::EPERM));
    assert_eq!(fallocate(&file, PUNCH, 0, 4096), Err(Errno::EPERM));
    fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, 4096).unwrap();
    done();
}

#[test]
fn a_path_to_a_descriptor_opens_by_the_files_mode_and_pidfd_getfd_asks_for_none() {
    let test = "kernel::a_path_to_a_descriptor_opens_by_the_files_mode_and_pidfd_getfd_asks_for_none";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if let Some(user) =
        role().and_then(|role| role.strip_prefix("user ").map(|user| user.parse::<u32>().unwrap()))
    {
        if user != 0 {
            become_user(user);
        }
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        let path = Path::new(line.trim_end());
        let number =
            |back| path.iter().rev().nth(back).unwrap().to_str().unwrap().parse::<libc::c_long>().unwrap();
        let open = |write| match fs::OpenOptions::new().read(true).write(write).open(path) {
            Ok(_) => "ok".to_owned(),
            Err(error) => format!("{:?}", Errno::from_raw(error.raw_os_error().unwrap())),
        };
        // SAFETY: it touches no memory.
        let process = unsafe { libc::syscall(libc::SYS_pidfd_open, number(2), 0) };
        // SAFETY: as above.
        let got = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, number(0), 0) };
        let got = if got < 0 { format!("{:?}", Errno::last()) } else { "ok".into() };
        tell(format!("{} {} {got}", open(false), open(true)));
        done();
    }
    if let Some(role) = role().filter(|role| role != "alone") {
        // The exporter, of a user of its own.
        become_user(NOBODY);
        prctl::set_dumpable(role == "dumpable").unwrap();
        let files = [0o600, 0o400, 0o200, 0].map(|mode| {
            let file = sealable(4096);
            file.set_permissions(PermissionsExt::from_mode(mode)).unwrap();
            file
        });
        for file in &files {
            tell(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
        }
        wait_for_go();
        done();
    }
    let ask = |exporter: &str, user: u32| {
        let mut exporter = Other::start(other(test, exporter));
        let paths: Vec<String> = (0..4).map(|_| exporter.hear()).collect();
        let answers = paths.iter().map(|path| {
            let mut asked = Other::start(other(test, &format!("user {user}")));
            asked.say(path);
            asked.hear()
        });
        answers.collect::<Vec<String>>()
    };
    assert_eq!(
        ask("dumpable", NOBODY),
        ["ok ok ok", "ok EACCES ok", "EACCES EACCES ok", "EACCES EACCES ok"],
        "the mode decides; but for pidfd_getfd(2)"
    );
    assert_eq!(ask("dumpable", 0), ["ok ok ok"; 4], "root has all");
    assert_eq!(ask("dumpable", SOMEBODY), ["EACCES EACCES EPERM"; 4]);
    assert_eq!(ask("hidden", NOBODY), ["EACCES EACCES EPERM"; 4]);
}

#[test]
fn pages_that_nobody_touched_count_as_holes_though_they_are_allocated() {
    let file = sealable(1 << 20);
    fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, 65536).unwrap();
    assert_eq!(blocks(&file), 65536);
    let data = nix::unistd::lseek(&file, 0, nix::unistd::Whence::SeekData);
    assert_eq!(data, Err(Errno::ENXIO), "no data anywhere");
    file.write_at(b"x", 8192).unwrap();
    assert_eq!(nix::unistd::lseek(&file, 0, nix::unistd::Whence::SeekData), Ok(8192));
}

#[test]
fn a_hole_is_read_without_memory_by_pread_and_by_nothing_else() {
    let file = sealable(1 << 20);
    let mut bytes = vec![1; 1 << 20];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
    assert_eq!(blocks(&file), 0);
    for (flags, read) in [(MapFlags::MAP_SHARED, 4096), (MapFlags::MAP_PRIVATE, 8192)] {
        let map = mapped(&file, 1 << 20, false, flags).unwrap();
        // SAFETY: mapped.
        assert_eq!(unsafe { map.wrapping_add(read).read_volatile() }, 0);
        assert_eq!(blocks(&file), read as u64, "a page for each load");
        unmap(map, 1 << 20);
    }
    let map = mapped(&file, 1 << 20, false, MapFlags::MAP_SHARED).unwrap();
    // SAFETY: of the test's own mapping. Linux 5.14; nix has no name for it.
    let populated = unsafe { libc::madvise(map.wrapping_add(16384).cast(), 4096, libc::MADV_POPULATE_READ) };
    assert_eq!((populated, blocks(&file)), (0, 12288));
    read_process(std::process::id(), map.addr() + 32768, &mut bytes[..1]).unwrap();
    assert_eq!(blocks(&file), 16384);
    unmap(map, 1 << 20);

    // A gigabyte of holes takes no longer than the copy.
    let file = sealable(1 << 30);
    let start = Instant::now();
    for at in (0..1 << 30).step_by(bytes.len()) {
        file.read_exact_at(&mut bytes, at).unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(blocks(&file), 0);
}

#[test]
fn behind_the_end_of_a_file_that_was_cut_a_load_is_a_signal_and_copies_say_so() {
    let test = "kernel::behind_the_end_of_a_file_that_was_cut_a_load_is_a_signal_and_copies_say_so";
    if !alone(test) {
        return;
    }
    let file = sealable(8192);
    let map = mapped(&file, 8192, false, MapFlags::MAP_SHARED).unwrap();
    file.set_len(0).unwrap();
    let mut byte = [0];
    assert_eq!(file.read_at(&mut byte, 0).unwrap(), 0);
    let error = read_process(std::process::id(), map.addr(), &mut byte).unwrap_err();
    is(&error, ErrorKind::NotMapped, Errno::EFAULT);
    let status = ends(|| {
        // SAFETY: mapped, and the signal that comes is what is asked for.
        unsafe { map.read_volatile() };
    });
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGBUS, _)), "{status:?}");
    done();
}

#[test]
fn a_file_beyond_the_limit_of_file_sizes_is_the_end_where_nobody_looks_first() {
    let test = "kernel::a_file_beyond_the_limit_of_file_sizes_is_the_end_where_nobody_looks_first";
    if !alone(test) {
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    let limit = || setrlimit(Resource::RLIMIT_FSIZE, 4096, hard).unwrap();
    let status = ends(|| {
        let file = sealable(0);
        limit();
        let _ = file.write_at(b"x", 4096);
    });
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGXFSZ, _)), "{status:?}");
    ended_well(|| {
        // SAFETY: no handler.
        unsafe { nix::sys::signal::signal(Signal::SIGXFSZ, nix::sys::signal::SigHandler::SigIgn) }.unwrap();
        let file = sealable(0);
        limit();
        assert_eq!(file.write_at(b"x", 4096).unwrap_err().raw_os_error(), Some(Errno::EFBIG as i32));
    });
    done();
}

#[test]
fn what_a_mapping_was_told_is_gone_without_a_word_when_another_is_moved_over_it() {
    let test = "kernel::what_a_mapping_was_told_is_gone_without_a_word_when_another_is_moved_over_it";
    if !alone(test) {
        return;
    }
    let flags_at = |at: *mut u8| {
        let text = fs::read_to_string("/proc/self/smaps").unwrap();
        let of = text.split_once(&format!("\n{:x}-", at.addr())).expect("a mapping starts there").1;
        let flags = of.lines().find_map(|line| line.strip_prefix("VmFlags:")).unwrap();
        let told = flags.split_whitespace().filter(|flag| ["lo", "dc", "wf", "dd", "hg"].contains(flag));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    let (length, write) = (4 << 20, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    // SAFETY: a new mapping where the kernel finds room.
    let private = unsafe {
        nix::sys::mman::mmap_anonymous(None, length.try_into().unwrap(), write, MapFlags::MAP_PRIVATE)
    };
    let private = private.unwrap();
    for advice in [
        MmapAdvise::MADV_DONTFORK,
        MmapAdvise::MADV_WIPEONFORK,
        MmapAdvise::MADV_DONTDUMP,
        MmapAdvise::MADV_HUGEPAGE,
    ] {
        // SAFETY: of the test's own mapping.
        unsafe { madvise(private, length, advice) }.unwrap();
    }
    // SAFETY: as above.
    unsafe { nix::sys::mman::mlock(private, length) }.unwrap();
    let at = private.as_ptr().cast::<u8>();
    let mut told = flags_at(at);
    told.sort();
    assert_eq!(told, ["dc", "dd", "hg", "lo", "wf"]);

    let other = mapped(sealable(length as u64), length, true, MapFlags::MAP_SHARED).unwrap();
    let over = nix::sys::mman::MRemapFlags::MREMAP_MAYMOVE | nix::sys::mman::MRemapFlags::MREMAP_FIXED;
    let other = std::ptr::NonNull::new(other).unwrap().cast();
    // SAFETY: both are the test's own, and nothing refers into them.
    unsafe { nix::sys::mman::mremap(other, length, length, over, Some(private)) }.unwrap();
    assert_eq!(flags_at(at), [""; 0]);
    done();
}
