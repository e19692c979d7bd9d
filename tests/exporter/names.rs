//! Names, what they lead to, and what is refused of both.

use super::*;

/// [S18.1]
#[test]
fn a_name_leads_to_what_was_made_until_it_is_removed_and_is_then_free() {
    let served = serve();
    let exporter = &served.exporter;
    let seven = Export::new(&7u64).unwrap();
    exporter.make("", &seven, permit()).unwrap();
    exporter.make("seven", &seven, permit()).unwrap();
    drop(seven);
    for name in ["", "seven"] {
        let import = served.read(name);
        assert_eq!(*import.segment().unwrap().root::<u64>().unwrap(), 7);
        assert_eq!(import.len(), import.segment().unwrap().header().length);
    }
    let taken = why(
        exporter.make("seven", &Export::new(&8u64).unwrap(), permit()),
        ErrorKind::AlreadyExists,
        Errno::EEXIST,
    );
    assert_eq!(taken, ExportError::NameTaken { name: "seven".into() });

    let absent = ExportError::NoName { name: "eight".into() };
    let is = |result| assert_eq!(why(result, ErrorKind::NotFound, Errno::ENOENT), absent);
    is(served.import("eight", Access::Read).map(drop));
    is(exporter.rebind("eight", &Export::new(&8u64).unwrap()));
    is(exporter.remove("eight"));
    is(exporter.remove_empty("eight"));

    let old = served.read("seven");
    exporter.remove("seven").unwrap();
    refused(exporter.remove("seven"), ErrorKind::NotFound, Errno::ENOENT);
    refused(served.import("seven", Access::Read), ErrorKind::NotFound, Errno::ENOENT);
    exporter.make("seven", &Export::new(&8u64).unwrap(), permit()).unwrap();
    assert_eq!(*served.read("seven").segment().unwrap().root::<u64>().unwrap(), 8);
    ended(old.check());
    assert_eq!(*old.segment().unwrap().root::<u64>().unwrap(), 7);

    for name in ["a\nb", &"a".repeat(256)] {
        let error = refused(
            exporter.make(name, &memory(1, false), permit()),
            ErrorKind::InvalidArgument,
            Errno::EINVAL,
        );
        assert!(matches!(error.cause(), Cause::Name(_)));
        refused(served.import(name, Access::Read), ErrorKind::InvalidArgument, Errno::EINVAL);
    }
    exporter.make(&"a".repeat(255), &memory(1, false), permit()).unwrap();
    served.read(&"a".repeat(255));
    let mode = exporter.make("mode", &memory(1, false), Permit::mode(0o1777));
    assert_eq!(why(mode, ErrorKind::InvalidArgument, Errno::EINVAL), ExportError::Mode { mode: 0o1777 });
}

#[test]
fn memory_outlives_its_handle_and_the_exporter_in_those_who_import_it() {
    let mut served = serve();
    let mut made = memory(5000, false);
    made.write_at(4096, b"here").unwrap();
    served.exporter.make("", &made, permit()).unwrap();
    drop(made);
    let import = served.read("");
    served.exporter.remove("").unwrap();
    served.stop();
    let path = served.path.clone();
    drop(served);
    assert!(!path.exists());
    let mut bytes = [0; 4];
    import.read_at(4096, &mut bytes).unwrap();
    let attachment = import.attach(4096, 4, At::Anywhere).unwrap();
    assert!(&bytes == b"here" && load(&attachment, 3) == b'e');
}

#[test]
fn what_is_of_the_other_kind_or_out_of_bounds_is_refused() {
    let served = serve();
    served.exporter.make("segment", &Export::new(&7u64).unwrap(), permit()).unwrap();
    served.exporter.make("memory", &memory(5000, true), permit()).unwrap();
    served.exporter.make("read", &memory(5000, false), permit()).unwrap();
    let (segment, import) = (served.read("segment"), served.import("memory", Access::Write).unwrap());
    let invalid = |result| why(result, ErrorKind::InvalidArgument, Errno::EINVAL);
    assert_eq!(invalid(import.segment().map(drop)), ExportError::NoSegment);
    assert_eq!(invalid(segment.attach(0, 4096, At::Anywhere).map(drop)), ExportError::NoMemory);
    let not_permitted = |result| why(result, ErrorKind::NotPermitted, Errno::EPERM);
    assert_eq!(not_permitted(segment.write_at(0, b"x")), ExportError::ReadOnly);
    assert_eq!(not_permitted(served.read("memory").write_at(0, b"x")), ExportError::ReadOnly);
    for name in ["segment", "read"] {
        assert_eq!(not_permitted(served.import(name, Access::Write).map(drop)), ExportError::ReadOnly);
        assert_eq!(not_permitted(served.exporter.remove_empty(name)), ExportError::NoHoles);
        served.read(name);
    }
    let mut head = [0; 6];
    segment.read_at(1, &mut head).unwrap();
    assert_eq!(&head, b"graven");

    assert_eq!(import.len(), 5000);
    for (offset, length) in
        [(0, 0), (0, 5001), (4096, 905), (8192, 1), (u64::MAX - 4095, 4096), (0, u64::MAX)]
    {
        let error =
            refused(import.attach(offset, length, At::Anywhere), ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(matches!(error.cause(), Cause::Bounds { size: 5000, .. }), "{error}");
    }
    for offset in [1, 4095, 4097] {
        let error =
            refused(import.attach(offset, 1, At::Anywhere), ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(matches!(error.cause(), Cause::Unaligned { what: "offset", .. }), "{error}");
    }
    for (offset, length) in [(5000, 1), (0, 5001), (u64::MAX, 1)] {
        for result in [
            import.read_at(offset, &mut vec![0; length as usize]),
            import.write_at(offset, &vec![0; length as usize]),
        ] {
            let error = refused(result, ErrorKind::InvalidArgument, Errno::EINVAL);
            assert!(matches!(error.cause(), Cause::Bounds { size: 5000, .. }), "{error}");
        }
    }
    let attachment = import.attach(0, 5000, At::Anywhere).unwrap();
    store(&attachment, 0, 9);
    let there = attachment.address().as_ptr().addr();
    let error = refused(import.attach(0, 1, At::Exact(there)), ErrorKind::Busy, Errno::EBUSY);
    assert!(matches!(error.cause(), Cause::AddressTaken { .. }), "{error}");
    assert_eq!((load(&attachment, 0), attachment.offset(), attachment.len()), (9, 0, 5000));
    drop(attachment);
    let again = import.attach(4096, 904, At::Exact(there)).unwrap();
    assert_eq!((again.address().as_ptr().addr(), again.offset(), again.len()), (there, 4096, 904));
}

#[test]
fn sockets_that_are_taken_absent_left_behind_or_not_for_this_user_are_errors() {
    let served = serve();
    served.exporter.make("", &Export::new(&7u64).unwrap(), permit()).unwrap();
    let at = |path: &Path| Import::connect(path, "", Access::Read, SOON);
    let system = |result, errno| {
        let error = refused(result, ErrorKind::System, errno);
        assert!(matches!(error.cause(), Cause::System { .. }) && error.file().is_some(), "{error}");
    };
    system(Exporter::bind(&served.path).map(drop), Errno::EADDRINUSE);
    at(&served.path).unwrap();
    let dir = directory();
    system(Exporter::bind(dir.path().join("a".repeat(200))).map(drop), Errno::ENAMETOOLONG);
    refused(Exporter::bind(dir.path().join("absent/socket")), ErrorKind::NotFound, Errno::ENOENT);
    let path = dir.path().join("socket");
    refused(at(&path), ErrorKind::NotFound, Errno::ENOENT);

    // As a killed exporter leaves it.
    let left = Exporter::bind(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666, "whatever the umask");
    let moved = dir.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    drop(left);
    assert!(moved.exists(), "only its own name is removed");
    ended(at(&moved).map(drop));
    fs::write(&path, "no socket").unwrap();
    ended(at(&path).map(drop));

    // Nobody serves: nobody answers.
    let silent = dir.path().join("silent");
    let exporter = Exporter::bind(&silent).unwrap();
    for timeout in [Timeout::Now, Timeout::Within(Duration::from_millis(30))] {
        let begin = Instant::now();
        let result = Import::connect(&silent, "", Access::Read, timeout);
        assert_eq!(why(result.map(drop), ErrorKind::TimedOut, Errno::ETIMEDOUT), ExportError::Unanswered);
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    assert!(!exporter.as_fd().as_raw_fd().is_negative());
}

#[test]
fn a_socket_that_this_user_may_not_write_to_is_not_connected_to() {
    let test = "names::a_socket_that_this_user_may_not_write_to_is_not_connected_to";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if !alone(test) {
        return;
    }
    let served = serve();
    served.exporter.make("", &memory(1, false), Permit::mode(0o444)).unwrap();
    fs::set_permissions(&served.path, PermissionsExt::from_mode(0o600)).unwrap();
    let path = served.path.clone();
    in_a_child(|| {
        become_user(65534);
        let error = Import::connect(&path, "", Access::Read, SOON).map(drop).unwrap_err();
        assert_eq!(error.errno(), Errno::EACCES as i32, "{error}");
    });
    drop(served);
    done();
}

/// [S18.4d]
#[test]
fn the_exporter_is_readable_exactly_when_it_has_something_to_do() {
    let dir = directory();
    let path = dir.path().join("socket");
    let exporter = Exporter::bind(&path).unwrap();
    exporter.make("", &memory(1, false), permit()).unwrap();
    assert!(!readable(&exporter));
    exporter.turn().unwrap();
    for _ in 0..3 {
        let importer = thread::spawn({
            let path = path.clone();
            move || Import::connect(path, "", Access::Read, SOON).unwrap()
        });
        let begin = Instant::now();
        while !importer.is_finished() && begin.elapsed() < Duration::from_secs(20) {
            if readable(&exporter) {
                exporter.turn().unwrap();
            }
        }
        let import = importer.join().unwrap();
        until(|| {
            let more = readable(&exporter);
            exporter.turn().unwrap();
            !more
        });
        drop(import);
        assert!(readable(&exporter), "of the end");
        exporter.turn().unwrap();
        assert!(!readable(&exporter));
    }
    exporter.stop().unwrap();
    exporter.run().unwrap();
    assert!(!readable(&exporter));
}
