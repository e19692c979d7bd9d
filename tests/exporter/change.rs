//! Names that lead elsewhere: how importers learn of it, and what they have until they ask.

use super::*;

/// [S18.5] [S18.5a]
#[test]
fn importers_are_told_once_and_have_the_old_until_they_refresh() {
    let served = serve();
    let exporter = &served.exporter;
    let made = |byte: u8| {
        let mut made = memory(2 * PAGE, false);
        made.write_at(0, &vec![byte; 2 * PAGE as usize]).unwrap();
        made
    };
    exporter.make("", &made(1), permit()).unwrap();
    let mut import = served.read("");
    let mut attachment = import.attach(PAGE, PAGE, At::Anywhere).unwrap();
    let address = attachment.address();
    let read = |import: &Import| {
        let mut byte = [0];
        import.read_at(PAGE, &mut byte).unwrap();
        byte[0]
    };
    assert!(!import.changed().unwrap() && !readable(&import));
    assert_eq!(
        why(import.wait(Timeout::Within(Duration::from_millis(5))), ErrorKind::TimedOut, Errno::ETIMEDOUT),
        ExportError::Unchanged
    );
    for byte in 2..=100 {
        exporter.rebind("", &made(byte)).unwrap();
    }
    let mut unread = 0i32;
    // SAFETY: FIONREAD writes an int.
    let asked = unsafe { libc::ioctl(import.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut unread) };
    assert_eq!((asked, unread), (0, 1), "one byte, however often");
    for _ in 0..2 {
        assert!(import.changed().unwrap() && readable(&import));
        import.wait(Timeout::Now).unwrap();
        import.check().unwrap();
        assert_eq!((read(&import), load(&attachment, 0)), (1, 1));
    }
    import.refresh().unwrap();
    assert!(!import.changed().unwrap() && !readable(&import));
    assert_eq!((read(&import), load(&attachment, 0)), (100, 1));
    attachment.refresh(&import).unwrap();
    assert_eq!((load(&attachment, 0), attachment.address()), (100, address));
    import.refresh().unwrap();
    assert_eq!(read(&import), 100, "the same again");

    exporter.rebind("", &made(101)).unwrap();
    exporter.remove("").unwrap();
    ended(import.changed());
    ended(import.wait(Timeout::Forever));
    ended(import.refresh());
    assert!(readable(&import));
    assert_eq!((read(&import), load(&attachment, 0)), (100, 100));
    import.attach(0, PAGE, At::Anywhere).unwrap();
}

/// News that was received is no longer in the socket: it is kept until what it is about has come. [S18.5a]
#[test]
fn what_changed_stays_so_where_refreshing_fails() {
    let mut served = serve();
    served.exporter.make("", &memory(PAGE, false), permit()).unwrap();
    let mut import = served.read("");
    served.stop();
    served.exporter.rebind("", &memory(PAGE, false)).unwrap();
    let unanswered = why(import.refresh(), ErrorKind::TimedOut, Errno::ETIMEDOUT);
    assert_eq!(unanswered, ExportError::Unanswered);
    assert!(import.changed().unwrap());
    // The answer comes after all.
    served.exporter.turn().unwrap();
    for _ in 0..2 {
        assert!(import.changed().unwrap());
        import.wait(Timeout::Forever).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| served.exporter.run());
        let refreshed = import.refresh();
        served.exporter.stop().unwrap();
        refreshed.unwrap();
    });
    assert!(!import.changed().unwrap());
}

#[test]
fn a_name_leads_elsewhere_only_if_its_permit_says_so_and_to_what_is_like_it() {
    let served = serve();
    let exporter = &served.exporter;
    let seven = Export::new(&7u64).unwrap();
    exporter.make("for good", &seven, Permit::mode(0o600)).unwrap();
    let bound = exporter.rebind("for good", &seven);
    assert_eq!(
        why(bound, ErrorKind::NotPermitted, Errno::EPERM),
        ExportError::Bound { name: "for good".into() }
    );
    exporter.make("segment", &seven, permit()).unwrap();
    exporter.make("memory", &memory(seven.segment().header().length, false), permit()).unwrap();
    let import = served.read("memory");
    let unlike = |result| {
        let why = why(result, ErrorKind::InvalidArgument, Errno::EINVAL);
        assert!(matches!(why, ExportError::Unlike { .. }), "{why}");
    };
    let length = seven.segment().header().length;
    unlike(exporter.rebind("memory", &seven));
    unlike(exporter.rebind("memory", &memory(length + 1, false)));
    unlike(exporter.rebind("memory", &memory(length, true)));
    unlike(exporter.rebind("segment", &memory(length, false)));
    unlike(exporter.rebind("segment", &Export::new(&vec![0u64; 1000]).unwrap()));
    assert!(!import.changed().unwrap());

    // Attachments of one import are not refreshed from another.
    exporter.make("larger", &memory(2 * length, false), permit()).unwrap();
    exporter.make("written", &memory(2 * length, true), permit()).unwrap();
    let larger = served.read("larger");
    let mut attachment = larger.attach(0, 2 * length, At::Anywhere).unwrap();
    unlike(attachment.refresh(&import));
    unlike(attachment.refresh(&served.read("segment")));
    unlike(attachment.refresh(&served.import("written", Access::Write).unwrap()));
    attachment.refresh(&larger).unwrap();
}

#[test]
fn each_of_70_000_changes_is_detected() {
    if !alone("change::each_of_70_000_changes_is_detected") {
        return;
    }
    let served = serve();
    let made = [memory(PAGE, false), memory(PAGE, false)];
    served.exporter.make("", &made[0], permit()).unwrap();
    let mut import = served.read("");
    let descriptors = open_descriptors();
    for round in 1..=70_000 {
        served.exporter.rebind("", &made[round % 2]).unwrap();
        assert!(import.changed().unwrap(), "{round}");
        import.refresh().unwrap();
        assert!(!import.changed().unwrap(), "{round}");
    }
    // The exporter may not have closed its copy of the first one when they were counted.
    until(|| open_descriptors() <= descriptors);
    drop((served, import));
    done();
}

#[test]
fn readers_of_sealed_segments_never_see_a_mixed_value_and_keep_the_old() {
    const LENGTH: usize = 2000;
    let served = serve();
    let value = |round: u32| Export::new(&vec![round; LENGTH]).unwrap();
    served.exporter.make("", &value(0), permit()).unwrap();
    let rounds: u32 = 10_000;
    let check = |import: &Import| {
        let value = import.segment().unwrap().root::<Vec<u32>>().unwrap();
        let first = value[0].to_native();
        assert!(value.iter().all(|number| *number == first), "mixed");
        first
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut import = served.read("");
                let (first, oldest) = (check(&import), import.segment().unwrap().clone());
                let mut last = first;
                while last < rounds {
                    import.wait(SOON).unwrap();
                    import.refresh().unwrap();
                    let next = check(&import);
                    assert!(next > last || next == rounds, "{next} after {last}");
                    last = next;
                }
                assert_eq!(oldest.root::<Vec<u32>>().unwrap()[LENGTH - 1].to_native(), first);
            });
        }
        for round in 1..=rounds {
            served.exporter.rebind("", &value(round)).unwrap();
        }
    });
}

/// Loads go on through the address while it is refreshed. [S18.5b]
#[test]
fn an_attachment_that_is_refreshed_under_a_reading_thread_is_never_unmapped() {
    let served = serve();
    let made = |byte: u8| {
        let mut made = memory(16 * PAGE, false);
        made.write_at(0, &vec![byte; 16 * PAGE as usize]).unwrap();
        made
    };
    let pair = [made(1), made(2)];
    served.exporter.make("", &pair[0], permit()).unwrap();
    let mut import = served.read("");
    let mut attachment = import.attach(0, 16 * PAGE, At::Anywhere).unwrap();
    let address = attachment.address().as_ptr().addr();
    let over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut loads = 0usize;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let at = (address + loads % (16 * PAGE as usize)) as *const u8;
                // SAFETY: mapped until `over`.
                let byte = unsafe { at.read_volatile() };
                assert!(byte == 1 || byte == 2, "{byte}");
                loads += 4001;
            }
        });
        for round in 1..2000 {
            served.exporter.rebind("", &pair[round % 2]).unwrap();
            import.refresh().unwrap();
            attachment.refresh(&import).unwrap();
            assert_eq!(usize::from(load(&attachment, 5 * PAGE)), 1 + round % 2);
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn who_waits_is_woken_by_a_change_and_by_the_end_within_milliseconds_and_by_no_signal() {
    let test = "change::who_waits_is_woken_by_a_change_and_by_the_end_within_milliseconds_and_by_no_signal";
    if !alone(test) {
        return;
    }
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as *const () as usize;
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGALRM, handler) };
    let every = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: it reads the timer.
    assert_eq!(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) }, 0);

    let served = serve();
    let mut least = [Duration::MAX; 2];
    for round in 0..20 {
        let name = format!("{round}");
        served.exporter.make(&name, &memory(PAGE, false), permit()).unwrap();
        for (end, least) in [false, true].into_iter().zip(&mut least) {
            let import = served.read(&name);
            let woken = thread::spawn(move || (import.wait(SOON), Instant::now()));
            thread::sleep(Duration::from_millis(20));
            let begin = Instant::now();
            match end {
                true => served.exporter.remove(&name).unwrap(),
                false => served.exporter.rebind(&name, &memory(PAGE, false)).unwrap(),
            }
            let (result, at) = woken.join().unwrap();
            match end {
                true => ended(result),
                false => result.unwrap(),
            }
            *least = at.saturating_duration_since(begin).min(*least);
        }
    }
    // The machine may be busy; the least of twenty says what it takes.
    assert!(least.iter().all(|least| *least < Duration::from_secs(2)), "{least:?}");
    let served_not = directory();
    let path = served_not.path().join("socket");
    let silent = Exporter::bind(&path).unwrap();
    let result = Import::connect(&path, "", Access::Read, Timeout::Within(Duration::from_millis(50)));
    refused(result, ErrorKind::TimedOut, Errno::ETIMEDOUT);
    drop((silent, served));
    done();
}

#[test]
fn an_exporter_that_does_not_answer_a_refresh_is_an_error_and_all_is_as_it_was() {
    let mut served = serve();
    let mut made = memory(PAGE, false);
    served.exporter.make("", &made, permit()).unwrap();
    let mut import = served.read("");
    served.stop();
    made.write_at(0, b"old").unwrap();
    let other = memory(PAGE, false);
    served.exporter.rebind("", &other).unwrap();
    let begin = Instant::now();
    assert_eq!(why(import.refresh(), ErrorKind::TimedOut, Errno::ETIMEDOUT), ExportError::Unanswered);
    assert!(begin.elapsed() < Duration::from_secs(10));
    let mut bytes = [0; 3];
    import.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"old");
    // The answer that comes late is for nobody.
    served.exporter.turn().unwrap();
    let serving = thread::spawn({
        let exporter = served.exporter.clone();
        move || exporter.run()
    });
    import.refresh().unwrap();
    import.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0\0");
    assert!(!import.changed().unwrap());
    served.serving = Some(serving);
}
