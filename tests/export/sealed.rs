//! Values that nobody can change any more.

use super::*;

const ALL: i32 = 1 | 2 | 4 | 8;

#[test]
fn an_export_is_a_sealed_segment_that_whoever_gets_the_descriptor_adopts() {
    let value = Config::sample(4);
    let export = Export::new(&value).unwrap();
    assert!(*export.segment().root::<Config>().unwrap() == value);
    export.segment().verify().unwrap();
    assert_eq!(export.segment().as_bytes(), bytes_of(&value), "the same bytes as in a file");

    for segment in [
        Segment::map_sealed(&export).unwrap(),
        Segment::map_sealed(File::open(export.path()).unwrap()).unwrap(),
        Segment::map_sealed(export.as_fd().try_clone_to_owned().unwrap()).unwrap(),
    ] {
        assert!(*segment.root::<Config>().unwrap() == value);
    }
    let clone = export.clone();
    let root = clone.segment().root::<Config>().unwrap();
    drop((export, clone));
    assert!(*root == value, "a mapping outlives the export");

    fn everywhere<T: Clone + Send + Sync + AsFd + std::fmt::Debug + 'static>() {}
    everywhere::<Export>();
}

#[test]
fn the_descriptor_reads_only_the_mode_is_0400_and_every_seal_is_set() {
    let before = (open_descriptors(), mappings().len());
    let export = Export::new(&7u64).unwrap();
    let flags = OFlag::from_bits_retain(fcntl(&export, FcntlArg::F_GETFL).unwrap());
    assert_eq!(flags & OFlag::O_ACCMODE, OFlag::O_RDONLY);
    assert_eq!(fcntl(&export, FcntlArg::F_GETFD).unwrap(), libc::FD_CLOEXEC);
    assert_eq!(fs::metadata(export.path()).unwrap().mode() & 0o7777, 0o400);
    assert_eq!(seals(&export) & !SEAL_EXEC, ALL);
    assert_eq!(
        (open_descriptors(), mappings().len()),
        (before.0 + 1, before.1 + 1),
        "nothing that could write"
    );
    drop(export);
    assert_eq!((open_descriptors(), mappings().len()), before);
}

#[test]
fn several_objects_are_put_and_copied_and_the_bytes_of_a_segment_are_exported_as_they_are() {
    let users = Export::with(|draft| draft.put("users", &vec!["ann".to_string()])).unwrap();
    let both = Export::with(|draft| {
        draft.copy(users.segment(), "users")?;
        let twice = draft.put("users", &1u8).unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::AlreadyExists);
        draft.put("routes", &vec![1u32, 2])
    })
    .unwrap();
    assert_eq!(both.segment().get::<Vec<String>>("users").unwrap()[0], "ann");
    assert_eq!(both.segment().get::<Vec<u32>>("routes").unwrap()[1], 2);
    both.segment().verify().unwrap();

    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Config::sample(3)).unwrap();
    let exported = Export::of(&map(&path).unwrap()).unwrap();
    assert_eq!(exported.segment().as_bytes(), fs::read(&path).unwrap());
    fs::remove_file(&path).unwrap();
    let again = Export::of(exported.segment()).unwrap();
    assert!(*again.segment().root::<Config>().unwrap() == Config::sample(3));
    assert_ne!(again.path(), exported.path());
}

#[test]
fn what_the_closure_fails_with_is_the_error_and_nothing_is_left() {
    let before = open_descriptors();
    let error = Export::with(|draft| draft.keep("users")).unwrap_err();
    is(&error, ErrorKind::NotFound, Errno::ENOENT);
    assert_eq!(error.object(), Some("users"));
    let failing = Scripted(|| Err(std::io::Error::other("not today")));
    let error = Export::new(&failing).unwrap_err();
    assert!(matches!(error.cause(), Cause::Serialize { .. }), "{error}");
    // One that failed leaves the draft as it was.
    let export = Export::with(|draft| {
        draft
            .put("long", &(vec![1u8; many(1 << 20)], Scripted(|| Err(std::io::Error::other("")))))
            .unwrap_err();
        draft.put("", &7u8)
    });
    let export = export.unwrap();
    assert_eq!(export.segment().header().length, 8192);
    assert_eq!(fs::metadata(export.path()).unwrap().len(), 8192);
    drop(export);
    assert_eq!(open_descriptors(), before);
}

#[test]
fn a_child_that_the_closure_forks_exports_nothing_and_a_forked_child_reads_its_parents_export() {
    let test =
        "sealed::a_child_that_the_closure_forks_exports_nothing_and_a_forked_child_reads_its_parents_export";
    if !alone(test) {
        return;
    }
    let mut forked = None;
    let export = Export::with(|draft| {
        draft.put("before", &1u8)?;
        // SAFETY: the child goes on alone, and leaves by `_exit` below.
        forked = Some(unsafe { fork() }.unwrap());
        draft.put("after", &2u8)
    });
    match (forked.unwrap(), export) {
        (ForkResult::Child, export) => {
            let refused = export.is_err_and(|error| error.errno() == Errno::EPERM as i32);
            // SAFETY: `_exit` asks for nothing.
            unsafe { libc::_exit(i32::from(!refused)) }
        }
        (ForkResult::Parent { child }, export) => {
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            let export = export.unwrap();
            export.segment().verify().unwrap();
            ended_well(|| {
                assert_eq!(*export.segment().get::<u8>("after").unwrap(), 2);
                let file = File::open(export.path()).unwrap();
                assert_eq!(*Segment::map_sealed(file).unwrap().get::<u8>("before").unwrap(), 1);
                assert_eq!(*Export::new(&3u8).unwrap().segment().root::<u8>().unwrap(), 3);
                drop(export.clone());
            });
            assert_eq!(*Segment::map_sealed(&export).unwrap().get::<u8>("after").unwrap(), 2);
        }
    }
    done();
}

#[test]
fn no_process_changes_an_export_be_it_of_another_user_or_of_the_same() {
    let test = "sealed::no_process_changes_an_export_be_it_of_another_user_or_of_the_same";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if !alone(test) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    hostile(directory.path());
    let value = Config::sample(3);
    let unchanged = |export: &Export| {
        assert_eq!(export.segment().as_bytes(), bytes_of(&value));
        export.segment().verify().unwrap();
        assert_eq!(fs::metadata(export.path()).unwrap().len(), export.segment().header().length);
    };
    let export = Export::new(&value).unwrap();
    let mut stranger = hostile(directory.path());
    stranger.uid(SOMEBODY).gid(SOMEBODY);
    let mut expected = table(READING, "");
    let words = "futimens EACCES, setxattr EACCES, reopen EACCES, path to read EACCES, path to write EACCES, \
                 getfd EPERM, executable EPERM, chmod EPERM, reopen after chmod EACCES";
    expected.extend(words.split(", ").map(str::to_owned));
    assert_eq!(attempts(stranger, &export, Some(&export.path())), expected);
    unchanged(&export);

    // As the same user, who is not root. Becoming it makes a process not dumpable, and its descriptors nobody's.
    ended_well(|| {
        become_user(NOBODY);
        prctl::set_dumpable(true).unwrap();
        let export = Export::new(&value).unwrap();
        let mut expected = table(READING, "");
        expected.extend(
            ["futimens ok", "setxattr EACCES", "reopen EACCES", "path to read ok"].map(str::to_owned),
        );
        expected.extend(["path to write EACCES", "getfd ok"].map(str::to_owned));
        expected.extend(table(READING, " by getfd"));
        expected.extend(["executable EPERM", "chmod ok", "reopen after chmod ok"].map(str::to_owned));
        expected.extend(table(REFUSED, " after chmod"));
        assert_eq!(attempts(hostile(directory.path()), &export, Some(&export.path())), expected);
        unchanged(&export);
    });
    done();
}

#[test]
fn no_descriptors_left_is_an_error_at_every_step_and_leaks_none() {
    let test = "sealed::no_descriptors_left_is_an_error_at_every_step_and_leaks_none";
    if !alone(test) {
        return;
    }
    let segment = Export::new(&7u64).unwrap().segment().clone();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // Without gaps between their numbers.
    let fillers: Vec<File> = {
        let listed = fs::read_dir("/proc/self/fd").unwrap();
        let highest =
            listed.map(|entry| entry.unwrap().file_name().into_string().unwrap().parse::<i32>().unwrap());
        let highest = highest.max().unwrap();
        std::iter::repeat_with(|| File::open("/dev/null").unwrap())
            .take_while(|filler| filler.as_raw_fd() <= highest)
            .collect()
    };
    let open = open_descriptors() as u64 - 1;
    let mut failed = 0;
    for more in 0..8 {
        setrlimit(Resource::RLIMIT_NOFILE, open + more, hard).unwrap();
        let exports = [Export::new(&7u64), Export::of(&segment)];
        let memory = ExportMemory::options().size(1).create();
        for error in exports.iter().filter_map(|export| export.as_ref().err()).chain(memory.as_ref().err()) {
            is(error, ErrorKind::System, Errno::EMFILE);
            failed += 1;
        }
        drop((exports, memory));
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        assert_eq!(open_descriptors() as u64 - 1, open);
    }
    assert!((5..16).contains(&failed), "{failed} failed");
    drop(fillers);
    done();
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_not_its_signal() {
    let test = "sealed::a_limit_of_file_sizes_is_an_error_and_not_its_signal";
    if !alone(test) {
        return;
    }
    let large = Export::new(&vec![1u8; many(100_000)]).unwrap();
    let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 8192, hard).unwrap();
    assert!(
        is(&Export::of(large.segment()).unwrap_err(), ErrorKind::System, Errno::EFBIG).contains("ulimit -f")
    );
    is(&Export::new(&vec![1u8; many(100_000)]).unwrap_err(), ErrorKind::System, Errno::EFBIG);
    assert_eq!(Export::new(&7u64).unwrap().segment().header().length, 8192, "as long as may be");

    let create = |size| ExportMemory::options().size(size).importers_write(true).create();
    is(&create(8193).unwrap_err(), ErrorKind::System, Errno::EFBIG);
    let mut memory = create(8192).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 4096, hard).unwrap();
    memory.write_at(0, &[1; 4096]).unwrap();
    is(&memory.write_at(4096, &[1]).unwrap_err(), ErrorKind::System, Errno::EFBIG);
    is(&memory.reserve(..).unwrap_err(), ErrorKind::System, Errno::EFBIG);
    assert_eq!(memory.stat().unwrap().allocated, 4096);
    done();
}

#[test]
fn where_the_kernel_or_proc_lacks_something_it_is_named() {
    let test = "sealed::where_the_kernel_or_proc_lacks_something_it_is_named";
    if !is_root() {
        return println!("SKIPPED: only root can take /proc away");
    }
    if !alone(test) {
        return;
    }
    // Before 6.3.
    refuse(libc::SYS_memfd_create, 1, libc::MFD_NOEXEC_SEAL, Errno::EINVAL);
    let export = Export::new(&7u64).unwrap();
    assert_eq!(seals(&export), ALL);
    let memory = ExportMemory::options().size(4096).create().unwrap();
    assert_eq!(seals(descriptor_of(&memory)), 1 | 2 | 4 | 16);
    assert_eq!(fs::metadata(export.path()).unwrap().mode() & 0o7777, 0o400);

    // Before 5.1.
    refuse(libc::SYS_fcntl, 2, 0x10, Errno::EINVAL);
    let error = ExportMemory::options().size(4096).create().unwrap_err();
    let message = is(&error, ErrorKind::System, Errno::EOPNOTSUPP);
    assert!(message.contains("F_SEAL_FUTURE_WRITE") && message.contains("5.1"), "{message}");
    ExportMemory::options().size(4096).importers_write(true).create().unwrap();

    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let private = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    while nix::mount::umount2("/proc", nix::mount::MntFlags::MNT_DETACH).is_ok() {}
    let message = is(&Export::new(&7u64).unwrap_err(), ErrorKind::System, Errno::EOPNOTSUPP);
    assert!(message.contains("/proc"), "{message}");
    // Nothing is known of the room then, and nothing refused.
    let mut memory = ExportMemory::options().size(1 << 30).importers_write(true).create().unwrap();
    memory.write_at(0, b"x").unwrap();
    is(&memory.stat().unwrap_err(), ErrorKind::NotFound, Errno::ENOENT);

    refuse(libc::SYS_memfd_create, 1, u32::MAX, Errno::ENOSYS);
    let message = is(&Export::new(&7u64).unwrap_err(), ErrorKind::System, Errno::EOPNOTSUPP);
    assert!(message.contains("memfd_create") && message.contains("3.17"), "{message}");
    done();
}

#[test]
fn a_segment_that_passes_the_limit_of_a_control_group_is_an_error_rather_than_the_end() {
    let test = "sealed::a_segment_that_passes_the_limit_of_a_control_group_is_an_error_rather_than_the_end";
    let Some(group) = role().and_then(|role| path_in(&role, "in")) else {
        let directory = directory();
        let group = Path::new("/sys/fs/cgroup/memory").join(format!("graven-{}", std::process::id()));
        if fs::create_dir(&group).is_err() {
            return println!("SKIPPED: no control group of memory to be had");
        }
        let told = told_by(other(test, &format!("in {}", group.display())));
        fs::remove_dir(&group).unwrap();
        drop(directory);
        assert_eq!(told, ["no room"]);
        return;
    };
    fs::write(group.join("memory.limit_in_bytes"), (64 << 20).to_string()).unwrap();
    fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    let value = vec![1u8; 40 << 20];
    is(&Export::new(&value).unwrap_err(), ErrorKind::System, Errno::ENOSPC);
    let memory = ExportMemory::options().size(1 << 30).create().unwrap();
    is(&memory.reserve(..).unwrap_err(), ErrorKind::System, Errno::ENOSPC);
    assert_eq!(memory.stat().unwrap().allocated, 0);
    memory.reserve(..1 << 20).unwrap();
    drop(value);
    Export::new(&vec![1u8; many(1 << 20)]).unwrap();
    // Where nobody looks first, whoever touches the memory is killed.
    let status = ends(|| {
        fs::write("/proc/self/oom_score_adj", "1000").unwrap();
        let file = File::from(memfd_create(c"large", MFdFlags::MFD_CLOEXEC).unwrap());
        let piece = vec![1; 1 << 20];
        for at in 0..256 {
            file.write_all_at(&piece, at << 20).unwrap();
        }
    });
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
    tell("no room");
    done();
}

/// What writes to another process's memory, whatever its protection.
fn traced(address: usize) -> [Option<Errno>; 2] {
    let remote = nix::sys::uio::RemoteIoVec { base: address, len: 1 };
    let pid = nix::unistd::Pid::this();
    let by_call = nix::sys::uio::process_vm_writev(pid, &[std::io::IoSlice::new(b"X")], &[remote]);
    let memory = fs::OpenOptions::new().write(true).open("/proc/self/mem").unwrap();
    let by_file = memory.write_at(b"X", address as u64);
    [by_call.err(), by_file.err().map(|error| Errno::from_raw(error.raw_os_error().unwrap()))]
}

#[test]
fn not_even_who_may_trace_the_exporter_changes_an_export_but_a_memory_through_its_mapping() {
    let export = Export::new(&7u64).unwrap();
    let bytes = export.segment().as_bytes();
    assert_eq!(traced(bytes.as_ptr().addr() + 4096), [Some(Errno::EFAULT), Some(Errno::EIO)]);
    export.segment().verify().unwrap();

    let memory = ExportMemory::options().size(4096).create().unwrap();
    assert_eq!(traced(memory.address().as_ptr().addr()), [None, None]);
    let mut byte = [0];
    memory.read_at(0, &mut byte).unwrap();
    assert_eq!(&byte, b"X");
}
