//! What the system refuses is an error of its own number.

use super::*;

#[test]
fn what_the_system_denies_is_an_error_of_its_own_number() {
    let test = "system::what_the_system_denies_is_an_error_of_its_own_number";
    if let Some(path) = role().and_then(|role| path_in(&role, "as nobody")) {
        become_user(65534);
        let secret = path.join("secret.grv");
        for error in [map(&secret).unwrap_err(), Segment::read(&secret).unwrap_err()] {
            check(&error, ErrorKind::System, Errno::EACCES);
            assert_eq!(error.file(), Some(&*secret));
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);
        }
        check(&Writer::create(path.join("new.grv")).unwrap_err(), ErrorKind::System, Errno::EACCES);
        check(&graven::write(&secret, &7u64).unwrap_err(), ErrorKind::System, Errno::EACCES);
        tell("denied");
        done();
    }
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    let directory = directory();
    fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let secret = directory.path().join("secret.grv");
    let mut writer = Writer::options().mode(0o600).create(&secret).unwrap();
    writer.put("", &7u64).unwrap();
    writer.finish().unwrap();
    assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&secret).unwrap();
    assert_eq!(told_by(other(test, &format!("as nobody {}", directory.path().display()))), ["denied"]);
    assert_eq!(names_in(directory.path()), ["secret.grv"]);
    assert!(fs::read(&secret).unwrap() == before);
}

/// Mounts a file system of 64 KiB where only this process sees it.
fn mount_tiny(at: &Path) -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some("size=64k"))
}

#[test]
fn no_room_is_an_error_and_what_was_visible_stays() {
    let test = "system::no_room_is_an_error_and_what_was_visible_stays";
    if let Some(directory) = role().and_then(|role| path_in(&role, "tiny")) {
        if let Err(errno) = mount_tiny(&directory) {
            tell(format!("SKIPPED: cannot mount: {errno}"));
            done();
        }
        let path = directory.join("one.grv");
        graven::write(&path, &vec![7u8; 10_000]).unwrap();
        let before = fs::read(&path).unwrap();
        // In put, where the buffer is full, and in finish, where it is not.
        let mut writer = Writer::create(&path).unwrap();
        let error = writer.put("large", &vec![1u8; 1 << 20]).unwrap_err();
        let message = check(&error, ErrorKind::System, Errno::ENOSPC);
        assert!(message.contains("object \"large\""), "{message}");
        assert!(fs::read(&path).unwrap() == before);
        // Without what did not fit it fits.
        writer.put("small", &vec![2u8; 10_000]).unwrap();
        writer.finish().unwrap();
        let segment = Segment::read(&path).unwrap();
        segment.verify().unwrap();
        assert_eq!(segment.get::<Vec<u8>>("small").unwrap().len(), 10_000);
        assert_eq!(names_in(&directory), ["one.grv"]);

        let before = fs::read(&path).unwrap();
        let error = graven::write(&path, &vec![1u8; 100_000]).unwrap_err();
        check(&error, ErrorKind::System, Errno::ENOSPC);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::StorageFull);
        assert!(fs::read(&path).unwrap() == before);
        assert_eq!(names_in(&directory), ["one.grv"]);

        let run =
            OpenOptions::new().read(true).write(true).create_new(true).open(directory.join("run")).unwrap();
        let value = vec![1u8; 100_000];
        let length = graven::encoded_len(&value).unwrap();
        let error = graven::write_at(&run, 0, length, &value).unwrap_err();
        check(&error, ErrorKind::System, Errno::ENOSPC);
        assert_eq!(map_at(&run, 0, length).unwrap_err().errno(), EINVAL);
        tell("no room");
        done();
    }
    if graven::format::Payload::NATIVE.offset_width == 2 {
        return println!("SKIPPED: objects are too small here to fill a file system");
    }
    let directory = directory();
    let told = told_by(other(test, &format!("tiny {}", directory.path().display()))).concat();
    assert!(told == "no room" || told.starts_with("SKIPPED"), "{told}");
    println!("{told}");
}

#[test]
fn no_descriptors_left_is_an_error_and_reading_goes_on() {
    let test = "system::no_descriptors_left_is_an_error_and_reading_goes_on";
    if let Some(path) = role().and_then(|role| path_in(&role, "map")) {
        let segment = map(&path).unwrap();
        let file = File::open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // The next descriptor would have this number.
        let next = std::os::fd::AsRawFd::as_raw_fd(&file) as u64 + 1;
        setrlimit(Resource::RLIMIT_NOFILE, next, hard).unwrap();
        for error in [
            map(&path).unwrap_err(),
            Segment::read(&path).unwrap_err(),
            map_at(&file, 0, length).unwrap_err(),
            Writer::create(path.with_extension("new")).unwrap_err(),
        ] {
            check(&error, ErrorKind::System, Errno::EMFILE);
        }
        assert_eq!(*segment.root::<u64>().unwrap(), 7, "an open segment needs none");
        tell("none left");
        done();
    }
    let (directory, path) = with_object("", &7u64);
    assert_eq!(told_by(other(test, &format!("map {}", path.display()))), ["none left"]);
    assert_eq!(names_in(directory.path()), ["one.grv"]);
}

#[test]
fn no_address_space_left_is_an_error_for_mappings_and_for_copies() {
    let test = "system::no_address_space_left_is_an_error_for_mappings_and_for_copies";
    if let Some(path) = role().and_then(|role| path_in(&role, "map")) {
        let (_, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        setrlimit(Resource::RLIMIT_AS, 1 << 30, hard).unwrap();
        let error = map(&path).unwrap_err();
        check(&error, ErrorKind::System, Errno::ENOMEM);
        assert_eq!(error.file(), Some(&*path));
        tell("no mapping");
        let error = Segment::read(&path).unwrap_err();
        check(&error, ErrorKind::System, Errno::ENOMEM);
        tell("no copy");
        done();
    }
    // 4 GiB of hole, and a header that has it so.
    let directory = directory();
    let path = directory.path().join("large.grv");
    let mut bytes = bytes_of(&7u64);
    set_header(&mut bytes, "length", 4 << 30);
    reseal_header(&mut bytes);
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(4 << 30).unwrap();
    assert_eq!(*map(&path).unwrap().root::<u64>().unwrap(), 7, "there is nothing wrong with it");
    assert_eq!(told_by(other(test, &format!("map {}", path.display()))), ["no mapping", "no copy"]);
}

#[test]
fn descriptors_that_cannot_be_written_read_or_mapped_are_errors_of_the_system() {
    let (directory, path) = with_object("", &7u64);
    let read_only = File::open(&path).unwrap();
    let error = graven::write_at(&read_only, 0, 8192, &8u64).unwrap_err();
    check(&error, ErrorKind::System, Errno::EBADF);
    let write_only = OpenOptions::new().write(true).open(&path).unwrap();
    check(&map_at(&write_only, 0, 8192).unwrap_err(), ErrorKind::System, Errno::EBADF);
    let (pipe, _other_end) = io::pipe().unwrap();
    let error = graven::write_at(&_other_end, 0, 8192, &8u64).unwrap_err();
    check(&error, ErrorKind::System, Errno::ESPIPE);
    assert_eq!(map_at(&pipe, 0, 8192).unwrap_err().errno(), EINVAL);
    let of_directory =
        OpenOptions::new().read(true).custom_flags(nix::libc::O_DIRECTORY).open(directory.path()).unwrap();
    assert!(map_at(&of_directory, 0, 8192).is_err());
    assert_eq!(*map(&path).unwrap().root::<u64>().unwrap(), 7);
}
