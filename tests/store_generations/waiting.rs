//! Waiting: in a call, on a descriptor, through signals.

use super::*;

#[test]
fn who_waits_is_woken_by_the_next_generation_and_by_the_end_of_the_name() {
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("numbers").unwrap();
    owner.publish(&1u64).unwrap();
    let reader = store.reader::<u64>("numbers", Timeout::Now).unwrap();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                let mut reader = reader.clone();
                scope.spawn(move || {
                    assert_eq!(**reader.wait(SOON).unwrap(), 2);
                    let error = reader.wait(SOON).unwrap_err();
                    assert_eq!(**reader.current(), 2);
                    (error, Instant::now())
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(60));
        owner.publish(&2u64).unwrap();
        thread::sleep(Duration::from_millis(60));
        let retired = Instant::now();
        owner.retire().unwrap();
        for waiter in waiters {
            let (error, told) = waiter.join().unwrap();
            assert!(matches!(error.cause(), Cause::Retired), "{error}");
            assert_eq!((error.kind(), error.errno()), (ErrorKind::Retired, Errno::ESTALE as i32));
            println!("told after {:?}", told - retired);
            assert!(told - retired < Duration::from_secs(2));
        }
    });
    assert_eq!(names_in(directory.path()), [""; 0]);
}

#[test]
fn an_absent_name_times_out_in_time_without_burning_the_processor() {
    let directory = directory();
    let store = store(&directory);
    let error = store.reader::<u64>("none", Timeout::Now).unwrap_err();
    assert!(matches!(error.cause(), Cause::NoName), "{error}");
    assert_eq!((error.kind(), error.errno()), (ErrorKind::NotFound, Errno::ENOENT as i32));
    assert_eq!(error.file(), Some(&*directory.path().join("none")));
    let used = || getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let busy = || used().user_time().num_microseconds() + used().system_time().num_microseconds();
    // Nothing there at all, and a name under which nothing is published.
    let _owner = store.owner("silent").unwrap();
    for name in ["none", "silent"] {
        let (start, before) = (Instant::now(), busy());
        let error = store.reader::<u64>(name, within(50)).unwrap_err();
        let (took, cost) = (start.elapsed(), busy() - before);
        assert!(matches!(error.cause(), Cause::TimedOut), "{error}");
        assert_eq!((error.kind(), error.errno()), (ErrorKind::TimedOut, Errno::ETIMEDOUT as i32));
        println!("{name}: {took:?}, {cost} µs of processor");
        assert!(took >= Duration::from_millis(50) && took < Duration::from_secs(2));
        assert!(cost < 20_000, "{cost} µs");
    }
    assert_eq!(names_in(directory.path()), ["silent.ctl", "silent.life", "silent.own"]);
}

#[test]
fn a_reader_waits_for_the_first_publish() {
    let directory = directory();
    let store = store(&directory);
    thread::scope(|scope| {
        let readers = [SOON, Timeout::Forever].map(|timeout| {
            let store = store.clone();
            scope.spawn(move || {
                store.reader::<u64>("later", timeout).map(|reader| reader.current().to_native())
            })
        });
        thread::sleep(Duration::from_millis(30));
        let mut owner = store.owner("later").unwrap();
        thread::sleep(Duration::from_millis(30));
        owner.publish(&7u64).unwrap();
        for reader in readers {
            assert_eq!(reader.join().unwrap().unwrap(), 7);
        }
    });
}

#[test]
fn the_descriptor_is_readable_when_there_is_something_new_and_not_otherwise() {
    let _turn = TURN.lock().unwrap();
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("numbers").unwrap();
    owner.publish(&1u64).unwrap();
    let mut reader = store.reader::<u64>("numbers", Timeout::Now).unwrap();
    assert!(readable(reader.descriptor().unwrap(), 0), "at first");
    reader.latest().unwrap();
    assert!(!readable(&reader, 60));
    for number in 2..10u64 {
        owner.publish(&number).unwrap();
        assert!(readable(&reader, 2000));
        match number % 2 {
            0 => assert_eq!(**reader.latest().unwrap(), number),
            _ => assert_eq!(**reader.wait(Timeout::Now).unwrap(), number),
        }
        assert!(!readable(&reader, 0));
    }
    // In one epoll with a socket.
    let (mut one, two) = UnixStream::pair().unwrap();
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    epoll.add(&two, EpollEvent::new(EpollFlags::EPOLLIN, 1)).unwrap();
    epoll.add(&reader, EpollEvent::new(EpollFlags::EPOLLIN, 2)).unwrap();
    let mut events = [EpollEvent::empty(); 4];
    assert_eq!(epoll.wait(&mut events, 0u8).unwrap(), 0);
    std::io::Write::write_all(&mut one, b"x").unwrap();
    owner.publish(&10u64).unwrap();
    assert_eq!(epoll.wait(&mut events, 2000u16).unwrap(), 2);
    reader.latest().unwrap();
    assert_eq!(epoll.wait(&mut events, 0u8).unwrap(), 1);

    // The end of its owner is told once; another owner is noticed.
    drop(owner);
    assert!(readable(&reader, 2000));
    reader.latest().unwrap();
    assert!(!readable(&reader, 60) && !reader.owner_alive());
    let mut owner = store.owner("numbers").unwrap();
    assert!(readable(&reader, 2000));
    reader.latest().unwrap();
    assert!(reader.owner_alive());
    owner.publish(&11u64).unwrap();
    assert!(readable(&reader, 2000));
    assert_eq!(**reader.latest().unwrap(), 11);
    owner.retire().unwrap();
    assert!(readable(&reader, 2000));
    assert_eq!(reader.latest().unwrap_err().errno(), Errno::ESTALE as i32);
}

#[test]
fn without_an_inotify_instance_the_descriptor_is_readable_now_and_then() {
    let _turn = TURN.lock().unwrap();
    let directory = directory();
    let store = store(&directory);
    let mut owner = store.owner("numbers").unwrap();
    owner.publish(&1u64).unwrap();
    let mut taken = Vec::new();
    while let Ok(instance) = nix::sys::inotify::Inotify::init(nix::sys::inotify::InitFlags::empty()) {
        taken.push(instance);
        if taken.len() > 10_000 {
            return println!("SKIPPED: more than 10,000 inotify instances are to be had");
        }
    }
    let mut reader = store.reader::<u64>("numbers", Timeout::Now).unwrap();
    reader.descriptor().unwrap();
    drop(taken);
    reader.latest().unwrap();
    owner.publish(&2u64).unwrap();
    assert!(readable(&reader, 2000));
    assert_eq!(**reader.latest().unwrap(), 2);
    assert!(!readable(&reader, 0));
    assert!(readable(&reader, 2000), "it comes again though nothing is new");
}

#[test]
fn signals_end_no_wait() {
    let test = "waiting::signals_end_no_wait";
    if let Some(dir) = role() {
        extern "C" fn nothing(_: i32) {}
        let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGALRM, &action) }.unwrap();
        let me = pthread_self();
        let signals = thread::spawn(move || {
            loop {
                let _ = pthread_kill(me, Signal::SIGALRM);
                thread::sleep(Duration::from_millis(1));
            }
        });
        let store = store(dir);
        let start = Instant::now();
        let absent = store.reader::<u64>("none", within(100)).unwrap_err();
        assert_eq!(absent.errno(), Errno::ETIMEDOUT as i32);
        let mut owner = store.owner("numbers").unwrap();
        owner.publish(&1u64).unwrap();
        let mut reader = store.reader::<u64>("numbers", SOON).unwrap();
        let error = reader.wait(within(200)).unwrap_err();
        assert_eq!(error.errno(), Errno::ETIMEDOUT as i32);
        assert!(start.elapsed() >= Duration::from_millis(300), "cut short");
        for number in 2..2000u64 {
            owner.publish(&number).unwrap();
            assert_eq!(**reader.wait(SOON).unwrap(), number);
            drop(store.reader::<u64>("numbers", SOON).unwrap());
        }
        owner.retire().unwrap();
        assert!(!signals.is_finished());
        tell("no EINTR");
        done();
    }
    let directory = directory();
    // The thread that runs the test is the one that is signalled: threads are the harness's.
    assert_eq!(told_by(other(test, &directory.path().display().to_string())), ["no EINTR"]);
}
