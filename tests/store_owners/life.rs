//! Whether an owner lives is what its FIFO says, and nothing else that has the name.

use super::*;

/// [S17.3b]
#[test]
fn a_fifo_that_somebody_reads_makes_no_dead_owner_look_alive() {
    if be_owner() {
        return;
    }
    let test = "life::a_fifo_that_somebody_reads_makes_no_dead_owner_look_alive";
    let directory = directory();
    let store = store(&directory);
    let fifo = directory.path().join("one.life");
    let open = |read: bool| {
        let mut options = fs::File::options();
        options.read(read).write(!read).custom_flags(nix::libc::O_NONBLOCK).open(&fifo)
    };
    let owner = owner_process(test, directory.path(), "process");
    let mut reader = store.reader::<u64>("one", Timeout::Now).unwrap();
    let mut polling = reader.clone();
    polling.descriptor().unwrap();
    polling.latest().unwrap();
    let reading = open(true);
    match is_root() {
        true => assert!(reading.is_ok()),
        // Not even its user.
        false => assert_eq!(reading.as_ref().unwrap_err().raw_os_error(), Some(Errno::EACCES as i32)),
    }
    // Whoever may read the name may write there: no lock of theirs looks like the owner's, or is in its way.
    let writing = open(false).unwrap();
    let exclusive = || ofd_lock(&writing, nix::libc::F_WRLCK);
    assert_eq!(exclusive(), Err(Errno::EAGAIN));
    assert_eq!(ofd_lock(&writing, nix::libc::F_RDLCK), Err(Errno::EBADF));
    assert!(reader.owner_alive());
    owner.kill();
    // Whoever sleeps in poll is told, too.
    let told = until_some(|| {
        let mut fds = [PollFd::new(polling.descriptor().unwrap(), PollFlags::POLLIN)];
        poll(&mut fds, 2000u16).unwrap();
        polling.latest().err()
    });
    assert!(matches!(told.cause(), Cause::OwnerGone), "{told}");
    until(|| !reader.owner_alive());
    assert_eq!(exclusive(), Ok(()));
    assert!(!reader.owner_alive());
    assert!(matches!(reader.wait(SOON).unwrap_err().cause(), Cause::OwnerGone));
    assert_eq!(store.sweep().unwrap(), ["one"]);

    // The next owner's is another.
    let owner = owner_process(test, directory.path(), "process");
    assert!(store.reader::<u64>("one", Timeout::Now).unwrap().owner_alive());
    assert_eq!(store.owner("one").unwrap_err().errno(), Errno::EBUSY as i32);
    owner.kill();
    drop((reading, writing));
    drop(store.owner("one").unwrap());
    assert_eq!(store.stat("one").unwrap().owner, None);
}

/// What comes of something that is done up to three times.
fn until_some<T>(mut what: impl FnMut() -> Option<T>) -> T {
    (0..3).find_map(|_| what()).expect("it did not happen")
}

/// Takes a lock of all of an open file.
fn ofd_lock(file: &fs::File, kind: i32) -> Result<(), Errno> {
    let lock = nix::libc::flock {
        l_type: kind as i16,
        l_whence: nix::libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_SETLK(&lock)).map(drop)
}

#[test]
fn what_has_the_name_of_a_fifo_and_is_none_is_no_owner() {
    let directory = directory();
    let store = store(&directory);
    let fifo = directory.path().join("one.life");
    let target = directory.path().join("target");
    store.owner("one").unwrap().publish(&7u64).unwrap();
    let put: [&dyn Fn(); 4] = [
        &|| fs::write(&fifo, "").unwrap(),
        &|| symlink(&target, &fifo).unwrap(),
        &|| fs::create_dir(&fifo).unwrap(),
        &|| drop(std::os::unix::net::UnixListener::bind(&fifo).unwrap()),
    ];
    fs::write(&target, "").unwrap();
    for put in put {
        fs::remove_file(&fifo).unwrap();
        put();
        assert_eq!(store.stat("one").unwrap().owner, None);
        let mut owner = store.owner("one").unwrap();
        assert!(store.stat("one").unwrap().owner.is_some());
        owner.publish(&8u64).unwrap();
    }
    assert_eq!(fs::read(&target).unwrap(), b"");
}
