//! Writing what cannot be written: the writer goes on, and what was there stays.

use super::*;

/// Fails in `put`, then finishes: the writer is as it was before, and nothing of the failure is in the file.
fn fails_and_goes_on(options: graven::WriteOptions, fail: impl Fn(&mut Writer) -> Error) -> Error {
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &7u64).unwrap();
    let before = fs::read(&path).unwrap();

    let mut writer = options.clone().create(&path).unwrap();
    let first = fail(&mut writer);
    assert!(fs::read(&path).unwrap() == before, "nothing is visible before finish");
    writer.put("numbers", &vec![1u32; 1000]).unwrap();
    let again = fail(&mut writer);
    assert_eq!(format!("{:?}", first.cause()), format!("{:?}", again.cause()));
    assert_eq!(first.file(), Some(&*path));
    writer.put("config", &Config::sample(3)).unwrap();
    fail(&mut writer);
    let summary = writer.finish().unwrap();
    assert_eq!(summary.objects, 2);
    assert_eq!(fs::metadata(&path).unwrap().len(), summary.length);
    assert_eq!(names_in(directory.path()), ["one.grv"]);
    let segment = map(&path).unwrap();
    segment.verify().unwrap();
    assert_eq!(*segment.get::<Config>("config").unwrap(), Config::sample(3));

    // The same without the failures has the same bytes.
    let clean = directory.path().join("clean.grv");
    let mut writer = options.clone().create(&clean).unwrap();
    writer.put("numbers", &vec![1u32; 1000]).unwrap();
    writer.put("config", &Config::sample(3)).unwrap();
    writer.finish().unwrap();
    assert!(fs::read(&clean).unwrap() == fs::read(&path).unwrap());

    // Given up after the failure: nothing is left.
    fs::remove_file(&clean).unwrap();
    let before = fs::read(&path).unwrap();
    let mut writer = options.create(&path).unwrap();
    fail(&mut writer);
    drop(writer);
    assert_eq!(names_in(directory.path()), ["one.grv"]);
    assert!(fs::read(&path).unwrap() == before);
    first
}

#[test]
fn a_name_that_objects_may_not_have_is_refused() {
    for (name, long) in [("x".repeat(256), true), ("a\nb".to_string(), false), ("\u{7f}".to_string(), false)]
    {
        let error = fails_and_goes_on(Writer::options(), |writer| writer.put(&name, &7u64).unwrap_err());
        check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
        match error.cause() {
            Cause::Name(NameError::TooLong { length: 256 }) => assert!(long),
            Cause::Name(NameError::Control { .. }) => assert!(!long),
            other => panic!("{other:?}"),
        }
    }
    // The longest name, and one of every other kind of character.
    let (_directory, path) = with_object(&"ü".repeat(127), &7u64);
    assert_eq!(*map(path).unwrap().get::<u64>(&"ü".repeat(127)).unwrap(), 7);
}

#[test]
fn a_name_is_given_once_only() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    for name in ["", "numbers"] {
        let mut writer = Writer::create(&path).unwrap();
        writer.put(name, &vec![1u32; 1000]).unwrap();
        let error = writer.put(name, &7u64).unwrap_err();
        check(&error, ErrorKind::AlreadyExists, Errno::EEXIST);
        assert!(matches!(error.cause(), Cause::ObjectExists), "{error}");
        assert_eq!(error.object(), Some(name));
        let other = Segment::from_bytes(bytes_of(&7u64)).unwrap();
        if name.is_empty() {
            assert!(matches!(writer.copy(&other, "").unwrap_err().cause(), Cause::ObjectExists));
        }
        writer.put("other", &8u64).unwrap();
        assert_eq!(writer.finish().unwrap().objects, 2);
        let segment = map(&path).unwrap();
        segment.verify().unwrap();
        assert_eq!(segment.get::<Vec<u32>>(name).unwrap().len(), 1000);
    }
}

#[test]
fn a_value_that_refuses_to_be_serialized_says_why_and_leaves_no_bytes() {
    // Fails after more bytes than any buffer keeps, and after few.
    for elements in [many(1_000_000) as u32, 3] {
        let error = fails_and_goes_on(Writer::options(), |writer| {
            let numbers: Vec<u32> = (0..elements).collect();
            let refuse = Scripted(|| Err(io::Error::other("out of ink")));
            writer.put("tuple", &(numbers, refuse)).unwrap_err()
        });
        let message = check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(
            matches!(error.cause(), Cause::Serialize { message } if message.contains("out of ink")),
            "{error}"
        );
        assert!(message.contains("object \"tuple\"") && message.contains("Scripted"), "{message}");
    }
    let error = graven::encoded_len(&Scripted(|| Err(io::Error::other("out of ink")))).unwrap_err();
    check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
}

#[test]
fn a_value_that_panics_when_serialized_leaves_no_bytes() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    for elements in [many(1_000_000), 3] {
        let mut writer = Writer::create(&path).unwrap();
        let mut put = || writer.put("tuple", &(vec![9u32; elements], Scripted(|| panic!("on purpose"))));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut put));
        assert!(caught.is_err());
        writer.put("number", &7u64).unwrap();
        let mut put = || writer.put("tuple", &(vec![9u32; elements], Scripted(|| panic!("on purpose"))));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut put));
        assert!(caught.is_err());
        assert_eq!(writer.finish().unwrap().objects, 1);
        let segment = map(&path).unwrap();
        segment.verify().unwrap();
        assert_eq!(*segment.get::<u64>("number").unwrap(), 7);
    }
}

#[test]
fn a_run_whose_value_refuses_to_be_serialized_adopts_as_incomplete() {
    let file = tempfile::tempfile().unwrap();
    graven::write_at(&file, 0, 8192, &7u64).unwrap();
    let error =
        graven::write_at(&file, 0, 8192, &Scripted(|| Err(io::Error::other("out of ink")))).unwrap_err();
    assert!(matches!(error.cause(), Cause::Serialize { .. }), "{error}");
    let error = map_at(&file, 0, 8192).unwrap_err();
    assert!(matches!(error.cause(), Cause::Header(HeaderError::Incomplete)), "{error}");
    graven::write_at(&file, 0, 8192, &8u64).unwrap();
    assert_eq!(*map_at(&file, 0, 8192).unwrap().root::<u64>().unwrap(), 8);
}

/// Archived with an alignment of two pages.
#[graven::object]
#[repr(align(8192))]
#[rkyv(attr(repr(align(8192))))]
struct TwoPages {
    byte: u8,
}

#[test]
fn a_type_aligned_above_the_page_size_is_refused_and_fits_larger_pages() {
    let error = fails_and_goes_on(Writer::options(), |writer| {
        writer.put("aligned", &vec![TwoPages { byte: 1 }]).unwrap_err()
    });
    let message = check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
    assert!(matches!(error.cause(), Cause::Overaligned { align: 8192, page_size: 4096 }), "{error}");
    assert!(
        message.contains("8192") && message.contains("4096") && message.contains("TwoPages"),
        "{message}"
    );
    assert!(matches!(
        graven::encoded_len(&TwoPages { byte: 1 }).unwrap_err().cause(),
        Cause::Overaligned { .. }
    ));

    let directory = directory();
    let path = directory.path().join("large.grv");
    let mut writer = Writer::options().page_size(8192).create(&path).unwrap();
    writer.put("small", &1u8).unwrap();
    writer.put("aligned", &TwoPages { byte: 2 }).unwrap();
    writer.finish().unwrap();
    let file = File::open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    let ways = [
        map(&path).unwrap(),
        map_at(&file, 0, length).unwrap(),
        Segment::read(&path).unwrap(),
        Segment::from_bytes(fs::read(&path).unwrap()).unwrap(),
    ];
    for segment in ways {
        segment.verify().unwrap();
        let aligned = segment.get::<TwoPages>("aligned").unwrap();
        assert!(std::ptr::from_ref(&*aligned).addr().is_multiple_of(8192));
        assert_eq!(aligned.byte, 2);
    }
}

#[test]
fn page_sizes_that_segments_cannot_have_are_refused() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    for size in [0, 1, 2048, 4095, 5000, 12288, 131_072, u32::MAX] {
        let error = Writer::options().page_size(size).create(&path).unwrap_err();
        let message = check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(matches!(error.cause(), Cause::PageSize { got } if *got == size), "{error}");
        assert!(message.contains(&size.to_string()), "{message}");
    }
    assert_eq!(names_in(directory.path()), [""; 0]);
    for size in [4096, 8192, 16384, 32768, 65536] {
        let mut writer = Writer::options().page_size(size).create(&path).unwrap();
        writer.put("", &vec![7u64; 3000]).unwrap();
        let summary = writer.finish().unwrap();
        assert!(summary.length.is_multiple_of(size.into()));
        let segment = map(&path).unwrap();
        segment.verify().unwrap();
        assert_eq!(segment.root::<Vec<u64>>().unwrap().len(), 3000);
    }
}

#[test]
fn runs_off_page_boundaries_past_the_end_of_files_or_too_short_are_refused() {
    let file = tempfile::tempfile().unwrap();
    let error = graven::write_at(&file, 100, 8192, &7u64).unwrap_err();
    let message = check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
    assert!(
        matches!(error.cause(), Cause::Unaligned { what: "file offset", got: 100, align: 4096 }),
        "{error}"
    );
    assert!(message.contains("100") && message.contains("4096"), "{message}");
    let error = graven::write_at(&file, 4096, u64::MAX - 4095, &7u64).unwrap_err();
    check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
    assert!(matches!(error.cause(), Cause::RunOverflows { file_offset: 4096, .. }), "{error}");
    assert_eq!(file.metadata().unwrap().len(), 0);
    for given in [0, 4096] {
        let error = graven::write_at(&file, 0, given, &7u64).unwrap_err();
        let message = check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(
            matches!(error.cause(), Cause::RunTooShort { needed: 8192, given: g } if *g == given),
            "{error}"
        );
        assert!(message.contains("8192") && message.contains(&given.to_string()), "{message}");
        assert!(file.metadata().unwrap().len() <= given);
    }
}

#[test]
fn a_descriptor_open_for_appending_cannot_write_a_run() {
    let directory = directory();
    let path = directory.path().join("run");
    fs::write(&path, pattern(3 * PAGE)).unwrap();
    let appending = OpenOptions::new().append(true).open(&path).unwrap();
    let error = graven::write_at(&appending, PAGE, 2 * PAGE, &7u64).unwrap_err();
    let message = check(&error, ErrorKind::InvalidArgument, Errno::EINVAL);
    assert!(matches!(error.cause(), Cause::Appending), "{error}");
    assert!(message.contains("O_APPEND"), "{message}");
    assert!(fs::read(&path).unwrap() == pattern(3 * PAGE));
}

#[test]
fn an_object_that_is_not_what_its_checksum_says_is_not_copied() {
    let (_directory, path) = with_object("damaged", &vec![0x0101_0101u32; 100]);
    let mut bytes = fs::read(path).unwrap();
    bytes[4096 + 7] ^= 4;
    let damaged = Segment::from_bytes(&bytes).unwrap();
    let error = fails_and_goes_on(Writer::options(), |writer| writer.copy(&damaged, "damaged").unwrap_err());
    let message = check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
    let Cause::Verify(VerifyError::ObjectChecksum { recorded, computed, .. }) = error.cause() else {
        panic!("{error}")
    };
    assert_ne!(recorded, computed);
    assert!(message.contains("object \"damaged\"") && message.contains("checksum"), "{message}");
    let error = fails_and_goes_on(Writer::options(), |writer| writer.copy(&damaged, "none").unwrap_err());
    check(&error, ErrorKind::NotFound, Errno::ENOENT);
    assert!(matches!(error.cause(), Cause::NoObject { .. }), "{error}");
}

/// Each change is one that `verify` refuses, under right checksums: none of it travels on. [S9a]
#[test]
fn an_object_that_verify_would_refuse_is_not_copied() {
    let (_directory, path) = with_object("names", &vec!["a name that is out of line".to_string()]);
    let whole = fs::read(path).unwrap();
    let header = Header::decode(&whole).unwrap();
    let entry = entry_at(&whole, &header, 0) as usize;
    let schema = range(header.schema);
    let root = get_u64(&whole, entry as u64 + 72);
    /// What is changed, where, to what, and what `verify` says then.
    type Change = (&'static str, usize, u8, fn(&VerifyError) -> bool);
    let changes: [Change; 7] = [
        ("a table that cannot be read", schema.start + 16, 77, |error| {
            matches!(error, VerifyError::Table { .. })
        }),
        ("a table of another build", schema.start + 8, 1, |error| {
            matches!(error, VerifyError::TablePayload { .. })
        }),
        ("a size that is not the shape's", schema.start + 24, 4, |error| {
            matches!(error, VerifyError::Unsound { .. })
        }),
        ("a fingerprint", entry + 24, !whole[entry + 24], |error| {
            matches!(error, VerifyError::Fingerprint { .. })
        }),
        ("a root that ends behind the object", entry + 72, root as u8 + 4, |error| {
            matches!(error, VerifyError::RootSize { .. })
        }),
        ("a root that is not aligned", entry + 72, root as u8 - 2, |error| {
            matches!(error, VerifyError::RootAlign { .. })
        }),
        ("a text that is not UTF-8", 4096, 0xff, |error| matches!(error, VerifyError::Object { .. })),
    ];
    for (what, at, byte, expected) in changes {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        reseal_objects(&mut bytes, &header);
        reseal(&mut bytes, &header);
        let damaged = Segment::from_bytes(&bytes).unwrap();
        let error = damaged.verify().unwrap_err();
        assert!(matches!(error.cause(), Cause::Verify(error) if expected(error)), "{what}: {error}");
        let error =
            fails_and_goes_on(Writer::options(), |writer| writer.copy(&damaged, "names").unwrap_err());
        check(&error, ErrorKind::InvalidSegment, Errno::EINVAL);
        assert!(matches!(error.cause(), Cause::Verify(error) if expected(error)), "{what}: {error}");
    }
    let mut bytes = whole.clone();
    bytes[schema.end - 1] ^= 1;
    let damaged = Segment::from_bytes(&bytes).unwrap();
    let error = fails_and_goes_on(Writer::options(), |writer| writer.copy(&damaged, "names").unwrap_err());
    assert!(matches!(error.cause(), Cause::Verify(VerifyError::SchemaChecksum { .. })), "{error}");
}

#[test]
fn a_copied_object_needs_the_alignment_it_was_written_with() {
    let directory = directory();
    let path = directory.path().join("large.grv");
    let mut writer = Writer::options().page_size(8192).create(&path).unwrap();
    writer.put("aligned", &TwoPages { byte: 2 }).unwrap();
    writer.finish().unwrap();
    let segment = map(&path).unwrap();
    let error = fails_and_goes_on(Writer::options(), |writer| writer.copy(&segment, "aligned").unwrap_err());
    assert!(matches!(error.cause(), Cause::Overaligned { align: 8192, page_size: 4096 }), "{error}");
}

#[test]
fn a_path_that_may_not_be_replaced_is_not() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &7u64).unwrap();
    let before = fs::read(&path).unwrap();
    let mut writer = Writer::options().create_new(true).create(&path).unwrap();
    writer.put("", &8u64).unwrap();
    let error = writer.finish().unwrap_err();
    check(&error, ErrorKind::AlreadyExists, Errno::EEXIST);
    assert_eq!(error.file(), Some(&*path));
    assert!(fs::read(&path).unwrap() == before);
    assert_eq!(names_in(directory.path()), ["one.grv"]);
    fs::remove_file(&path).unwrap();
    let mut writer = Writer::options().create_new(true).create(&path).unwrap();
    writer.put("", &8u64).unwrap();
    writer.finish().unwrap();
    assert_eq!(*map(&path).unwrap().root::<u64>().unwrap(), 8);

    // A directory is not replaced either.
    let taken = directory.path().join("directory.grv");
    fs::create_dir(&taken).unwrap();
    let error = graven::write(&taken, &7u64).unwrap_err();
    check(&error, ErrorKind::System, Errno::EISDIR);
    assert_eq!(names_in(directory.path()), ["directory.grv", "one.grv"]);
}
