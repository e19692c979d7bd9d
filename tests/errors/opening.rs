//! Opening what is no segment, or none that this build reads.

use super::*;

/// The bytes of a segment with a changed header under a right checksum: why they do not open.
fn header(change: impl Fn(&mut [u8])) -> HeaderError {
    let mut bytes = bytes_of(&7u64);
    change(&mut bytes);
    reseal_header(&mut bytes);
    let error = Segment::from_bytes(bytes).unwrap_err();
    check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
    match error.cause() {
        Cause::Header(error) => error.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bytes_that_are_no_segment_are_invalid() {
    for bytes in [&b""[..], b"\x89graven\n", &[1; 255]] {
        let error = Segment::from_bytes(bytes).unwrap_err();
        let message = check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
        assert!(message.contains("truncated") && message.contains(&bytes.len().to_string()), "{message}");
    }
    let whole = bytes_of(&7u64);
    let mut wrong_sum = whole.clone();
    wrong_sum[60] ^= 1;
    type Expected = fn(&HeaderError) -> bool;
    let cases: [(Vec<u8>, Expected); 5] = [
        (vec![0; 4096], |error| matches!(error, HeaderError::Incomplete)),
        (vec![b'x'; 4096], |error| matches!(error, HeaderError::BadMagic { .. })),
        (wrong_sum, |error| matches!(error, HeaderError::BadChecksum { .. })),
        (whole[..4096].to_vec(), |error| matches!(error, HeaderError::Truncated { .. })),
        ([whole, vec![0; 4096]].concat(), |error| matches!(error, HeaderError::Extended { .. })),
    ];
    for (bytes, expected) in cases {
        let error = Segment::from_bytes(bytes).unwrap_err();
        check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
        let Cause::Header(header) = error.cause() else { panic!("{error}") };
        assert!(expected(header), "{header}");
    }
}

#[test]
fn headers_that_say_something_impossible_are_invalid() {
    assert!(matches!(
        header(|b| set_header(b, "format version", 2)),
        HeaderError::UnsupportedVersion { got: 2 }
    ));
    assert!(matches!(
        header(|b| set_header(b, "header length", 512)),
        HeaderError::HeaderLength { got: 512 }
    ));
    let incompatible = header(|b| set_header(b, "incompatible features", 8));
    assert!(matches!(incompatible, HeaderError::UnsupportedFeature { unknown: 8 }));
    assert!(matches!(header(|b| b[200] = 9), HeaderError::Reserved { offset: 200, got: 9 }));
    let width = header(|b| set_header(b, "offset width", 3));
    assert!(matches!(width, HeaderError::BadField { field: "offset width", offset: 21, got: 3 }));
    assert!(matches!(header(|b| set_header(b, "mode", 2)), HeaderError::BadField { field: "mode", .. }));
    let file_offset = header(|b| set_header(b, "file offset", 4096));
    assert!(matches!(file_offset, HeaderError::BadField { field: "file offset", .. }));
    assert!(matches!(header(|b| set_header(b, "page size", 2048)), HeaderError::PageSize { got: 2048 }));
    let length = header(|b| set_header(b, "length", 8191));
    assert!(matches!(length, HeaderError::Length { length: 8191, page_size: 4096 }));
    let schema = header(|b| set_header(b, "schema position", 8));
    assert!(matches!(schema, HeaderError::SectionBounds { section: "schema", .. }));
    let directory = header(|b| set_header(b, "directory length", u64::MAX));
    assert!(matches!(directory, HeaderError::SectionBounds { section: "directory", .. }));
    let align = header(|b| {
        set_header(b, "schema length", 0);
        set_header(b, "schema position", 4100);
    });
    assert!(matches!(align, HeaderError::SectionAlign { section: "schema", position: 4100 }));
    let native = graven::format::Payload::NATIVE;
    let foreign = header(|b| set_header(b, "endianness", u64::from(!native.big_endian)));
    assert!(matches!(foreign, HeaderError::ForeignPayload { build, .. } if build == native));
    let fixed = header(|b| {
        set_header(b, "mode", 1);
        set_header(b, "address", 0x1000_0000);
    });
    assert!(matches!(fixed, HeaderError::FixedMode { address: 0x1000_0000 }));
}

#[test]
fn what_is_not_a_regular_file_is_refused_without_waiting() {
    let directory = directory();
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Nobody will ever open the other end of the pipe.
    for path in [directory.path(), Path::new("/dev/null"), Path::new("/dev/zero"), &fifo] {
        for result in [map(path), Segment::read(path)] {
            let error = result.unwrap_err();
            let message = check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
            assert!(matches!(error.cause(), Cause::NotRegular), "{error}");
            assert_eq!(error.file(), Some(path));
            assert!(message.contains("regular file"), "{message}");
        }
    }
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    check(&map(&socket).unwrap_err(), ErrorKind::System, Errno::ENXIO);
}

#[test]
fn memory_that_may_still_change_is_not_mapped_as_sealed() {
    let cases = [
        (SealFlag::empty(), "F_SEAL_SHRINK and F_SEAL_WRITE"),
        (SealFlag::F_SEAL_SHRINK, "F_SEAL_WRITE"),
        (SealFlag::F_SEAL_WRITE, "F_SEAL_SHRINK"),
        (SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_FUTURE_WRITE, "F_SEAL_WRITE"),
    ];
    for (seals, lacks) in cases {
        let memory = File::from(memfd_create(c"graven test", MFdFlags::MFD_ALLOW_SEALING).unwrap());
        graven::write_at(&memory, 0, 8192, &7u64).unwrap();
        fcntl(&memory, FcntlArg::F_ADD_SEALS(seals)).unwrap();
        let error = Segment::map_sealed(&memory).unwrap_err();
        let message = check(&error, ErrorKind::NotSealed, Errno::EPERM);
        assert!(matches!(error.cause(), Cause::NotSealed { missing } if *missing == lacks), "{error}");
        assert!(message.contains(lacks), "{message}");
        // The missing ones make it good.
        fcntl(&memory, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_WRITE)).unwrap();
        assert_eq!(*Segment::map_sealed(&memory).unwrap().root::<u64>().unwrap(), 7);
    }
    let (_directory, path) = with_object("", &7u64);
    let error = Segment::map_sealed(File::open(path).unwrap()).unwrap_err();
    check(&error, ErrorKind::NotSealed, Errno::EPERM);
}

#[test]
fn sealed_memory_that_is_no_segment_is_invalid() {
    for (bytes, seals) in [(0, SealFlag::F_SEAL_GROW), (100, SealFlag::empty()), (8192, SealFlag::empty())] {
        let memory = File::from(memfd_create(c"graven test", MFdFlags::MFD_ALLOW_SEALING).unwrap());
        memory.set_len(bytes).unwrap();
        let needed = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_WRITE;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(needed | seals)).unwrap();
        let error = Segment::map_sealed(&memory).unwrap_err();
        check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
    }
}

#[test]
fn a_path_that_is_not_there_is_not_found() {
    let directory = directory();
    for path in [directory.path().join("none.grv"), directory.path().join("none/one.grv")] {
        for error in [map(&path).unwrap_err(), Segment::read(&path).unwrap_err()] {
            check(&error, ErrorKind::NotFound, Errno::ENOENT);
            assert!(matches!(error.cause(), Cause::System { action: "open", .. }), "{error}");
            assert_eq!(error.file(), Some(&*path));
        }
    }
    let path = directory.path().join("none/one.grv");
    let error = graven::write(&path, &7u64).unwrap_err();
    check(&error, ErrorKind::NotFound, Errno::ENOENT);
    assert_eq!(error.file(), Some(&*path));
    let error = graven::write(Path::new("/proc/self/none/one.grv"), &7u64).unwrap_err();
    check(&error, ErrorKind::NotFound, Errno::ENOENT);
    let under_a_file = directory.path().join("file");
    fs::write(&under_a_file, "").unwrap();
    let error = graven::write(under_a_file.join("one.grv"), &7u64).unwrap_err();
    check(&error, ErrorKind::System, Errno::ENOTDIR);
}
