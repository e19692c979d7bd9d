//! Peers that do what they should not: exporters that hand over anything else, and clients that ask for anything else.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{
    self, AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr,
};

use super::*;

const LENGTH: u64 = 8192;
const HUGE: u64 = 2 << 20;

fn socket() -> OwnedFd {
    socket::socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap()
}

/// A connection to a socket, for bytes of the test's own.
fn raw(path: &Path) -> OwnedFd {
    let fd = socket();
    socket::connect(fd.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
    fd
}

fn send(fd: impl AsFd, bytes: &[u8], with: &[BorrowedFd<'_>]) -> nix::Result<usize> {
    let with: Vec<i32> = with.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&with)];
    let rights: &[ControlMessage<'_>] = if with.is_empty() { &[] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    socket::sendmsg::<UnixAddr>(fd.as_fd().as_raw_fd(), &[IoSlice::new(bytes)], rights, flags, None)
}

fn receive(fd: impl AsFd, bytes: &mut [u8]) -> nix::Result<usize> {
    socket::recv(fd.as_fd().as_raw_fd(), bytes, MsgFlags::empty())
}

/// The 32 bytes of an answer, as the specification has them.
fn answer(number: u32, what: u8, detail: u8, generation: u64, length: u64) -> Vec<u8> {
    let mut bytes = b"grx1".to_vec();
    bytes.extend([what, detail, 0, 0]);
    bytes.extend(number.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(generation.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes
}

fn memory_file(seals: SealFlag, length: u64) -> File {
    let file =
        File::from(memfd_create(c"hostile", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).unwrap());
    file.set_len(length).unwrap();
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    file
}

/// Of a pool that may be empty. Moved over an attachment it would replace all of 2 MiB.
fn huge_pages() -> OwnedFd {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_HUGETLB;
    let file = File::from(memfd_create(c"hostile", flags | MFdFlags::MFD_HUGE_2MB).unwrap());
    file.set_len(HUGE).unwrap();
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW)).unwrap();
    opened(&file, false)
}

fn opened(file: &File, write: bool) -> OwnedFd {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::OpenOptions::new().read(true).write(write).open(path).unwrap().into()
}

/// What a hostile exporter answers to a request with number 0: messages, each with descriptors; and then it is silent, or gone.
struct Script {
    what: &'static str,
    access: Access,
    says: Vec<(Vec<u8>, Vec<OwnedFd>)>,
    stays: bool,
    errno: Errno,
}

fn scripts() -> Vec<Script> {
    let kept = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    let fixed = kept | SealFlag::F_SEAL_WRITE;
    let (segment, memory) = (answer(0, 3, 1, 1, LENGTH), answer(0, 3, 2, 1, LENGTH));
    let read = |seals| opened(&memory_file(seals, LENGTH), false);
    let script = |what, bytes: &[u8], fds: Vec<OwnedFd>, errno| Script {
        what,
        access: Access::Read,
        says: vec![(bytes.to_vec(), fds)],
        stays: true,
        errno,
    };
    let null = || vec![OwnedFd::from(File::open("/dev/null").unwrap())];
    let (pipe, _) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    let many: Vec<OwnedFd> = (0..253).map(|_| OwnedFd::from(File::open("/dev/null").unwrap())).collect();
    let (invalid, not_sealed) = (Errno::EINVAL, Errno::EPERM);
    let mut all = vec![
        script("unsealed segment", &segment, vec![read(SealFlag::empty())], not_sealed),
        script("unsealed memory", &memory, vec![read(SealFlag::empty())], not_sealed),
        script("memory that may be cut", &memory, vec![read(SealFlag::F_SEAL_GROW)], not_sealed),
        script("memory that may grow", &memory, vec![read(SealFlag::F_SEAL_SHRINK)], not_sealed),
        script("a segment that may be cut", &segment, vec![read(SealFlag::F_SEAL_WRITE)], not_sealed),
        script("a segment that may be written", &segment, vec![read(kept)], not_sealed),
        script(
            "a segment that older mappings may write",
            &segment,
            vec![read(kept | SealFlag::F_SEAL_FUTURE_WRITE)],
            not_sealed,
        ),
        script("no segment", &segment, vec![read(fixed)], invalid),
        script("writable", &memory, vec![opened(&memory_file(kept, LENGTH), true)], invalid),
        script("a writable segment", &segment, vec![opened(&memory_file(fixed, LENGTH), true)], invalid),
        script("a longer memory", &answer(0, 3, 2, 1, LENGTH - 1), vec![read(kept)], invalid),
        script("a shorter memory", &answer(0, 3, 2, 1, 1 << 40), vec![read(kept)], invalid),
        script("memory of huge pages", &answer(0, 3, 2, 1, HUGE), vec![huge_pages()], invalid),
        script("a device", &memory, null(), invalid),
        script("a pipe", &memory, vec![pipe], invalid),
        script("a directory", &memory, vec![File::open("/").unwrap().into()], invalid),
        script("a socket", &memory, vec![socket()], invalid),
        script("a regular file", &memory, vec![File::open("/proc/self/exe").unwrap().into()], not_sealed),
        script("no descriptor", &memory, vec![], invalid),
        script("two descriptors", &memory, vec![read(kept), read(kept)], invalid),
        script("253 descriptors", &memory, many, invalid),
        script("garbage", b"hello, I am no exporter", vec![], invalid),
        script("garbage with a descriptor", b"x", null(), invalid),
        script("a short answer", &memory[..31], vec![read(kept)], invalid),
        script("a long answer", &[&memory[..], &[0]].concat(), vec![read(kept)], invalid),
        script("an unknown kind", &answer(0, 3, 3, 1, LENGTH), vec![read(kept)], invalid),
        script("an unknown refusal", &answer(0, 4, 9, 0, 0), vec![], invalid),
        script("malformed, it says", &answer(0, 4, 4, 0, 0), vec![], invalid),
        script("it could not", &answer(0, 4, 5, 0, 0), vec![], Errno::EIO),
        script("generation 0", &answer(0, 3, 2, 0, LENGTH), vec![read(kept)], invalid),
        script("silence", &[1], vec![], Errno::ETIMEDOUT),
        script(
            "the answer to something else",
            &answer(5, 3, 2, 1, LENGTH),
            vec![read(kept)],
            Errno::ETIMEDOUT,
        ),
    ];
    all.push(Script { stays: false, says: vec![], ..script("it hangs up", &[], vec![], Errno::ETIMEDOUT) });
    let write = |what, bytes: &[u8], fd, errno| Script {
        access: Access::Write,
        ..script(what, bytes, vec![fd], errno)
    };
    all.push(write("read-only where writing was asked for", &memory, read(kept), invalid));
    all.push(write("a segment to write", &segment, opened(&memory_file(fixed, LENGTH), true), invalid));
    let future = opened(&memory_file(kept | SealFlag::F_SEAL_FUTURE_WRITE, LENGTH), true);
    all.push(write("memory that nobody writes any more", &memory, future, not_sealed));
    all
}

/// Every one of them is an error, and no descriptor of any stays. [S18.2b] [S18.4] [S18.4a]
#[test]
fn whatever_a_hostile_exporter_hands_over_is_an_error_and_leaks_no_descriptor() {
    let test = "hostile::whatever_a_hostile_exporter_hands_over_is_an_error_and_leaks_no_descriptor";
    if !alone(test) {
        return;
    }
    let dir = directory();
    let path = dir.path().join("socket");
    let listener = socket();
    socket::bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    socket::listen(&listener, Backlog::MAXCONN).unwrap();
    let scripts = scripts();
    let serve = |script: &Script| {
        let fd = socket::accept(listener.as_raw_fd()).unwrap();
        // SAFETY: just made.
        let peer = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) };
        let mut request = [0; 300];
        // Who waits for a short time only may have gone.
        let gone = script.errno == Errno::ETIMEDOUT;
        let length = receive(&peer, &mut request).unwrap();
        assert!(gone || request[..length].starts_with(b"grx1\x01"));
        for (bytes, fds) in &script.says {
            let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
            let sent = send(&peer, bytes, &fds);
            assert!(gone || sent.is_ok(), "{}: {sent:?}", script.what);
        }
        peer
    };
    let before = open_descriptors();
    for round in 0..10_000 {
        let script = &scripts[round % scripts.len()];
        // Those that end with the time are slow.
        let slow = script.errno == Errno::ETIMEDOUT;
        if slow && round >= 3 * scripts.len() {
            continue;
        }
        let over = AtomicBool::new(false);
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                let peer = serve(script);
                if !script.stays {
                    drop(peer);
                    // It connects again, and again; nothing of that is left for the next.
                    while !over.load(Ordering::Relaxed) || readable(&listener) {
                        if readable(&listener) {
                            drop(serve(script));
                        }
                    }
                } else if slow {
                    until(|| over.load(Ordering::Relaxed));
                }
            });
            let time = Duration::from_millis(if slow { 50 } else { 20_000 });
            let result = Import::connect(&path, "", script.access, Timeout::Within(time));
            over.store(true, Ordering::Relaxed);
            result.map(drop).expect_err(script.what)
        });
        assert_eq!(error.errno(), script.errno as i32, "{}: {error}", script.what);
    }
    // The descriptors that were on their way are closed in a moment.
    until(|| open_descriptors() == before);
    done();
}

/// [S18.2c]
#[test]
fn what_is_no_request_is_answered_so_and_ends_the_connection() {
    let served = serve();
    served.exporter.make("", &memory(LENGTH, false), permit()).unwrap();
    let open = b"grx1\x01\x01\0\0\x07\0\0\0";
    let fetch = b"grx1\x02\0\0\0\x09\0\0\0";
    let malformed: &[&[&[u8]]] = &[
        &[b"g"],
        &[&open[..11]],
        &[b"GRX1\x01\x01\0\0\x07\0\0\0"],
        &[fetch],
        &[open, open],
        &[open, b"x"],
        &[&[open, &[b'a'; 256][..]].concat()],
        &[&[0; 5000]],
    ];
    for messages in malformed {
        let fd = raw(&served.path);
        let mut bytes = [0; 64];
        for (index, message) in messages.iter().enumerate() {
            send(&fd, message, &[]).unwrap();
            let length = receive(&fd, &mut bytes).unwrap();
            assert_eq!(length, 32);
            let refused = index + 1 == messages.len();
            assert_eq!(bytes[4..6], if refused { [4, 4] } else { [3, 2] }, "{messages:?}");
        }
        assert!(matches!(receive(&fd, &mut bytes), Ok(0) | Err(Errno::ECONNRESET)));
    }
    // As the specification says it, byte by byte.
    let fd = raw(&served.path);
    send(&fd, open, &[File::open("/dev/null").unwrap().as_fd()]).unwrap();
    let mut bytes = [0; 64];
    assert_eq!(receive(&fd, &mut bytes).unwrap(), 32);
    assert_eq!(bytes[..32], answer(7, 3, 2, 1, LENGTH));
    served.exporter.rebind("", &memory(LENGTH, false)).unwrap();
    assert_eq!((receive(&fd, &mut bytes).unwrap(), bytes[0]), (1, 1));
    send(&fd, fetch, &[]).unwrap();
    assert_eq!(receive(&fd, &mut bytes).unwrap(), 32);
    assert_eq!(bytes[..32], answer(9, 3, 2, 2, LENGTH));
    for (name, why) in [(&b"absent"[..], 1), (b"", 3)] {
        let fd = raw(&served.path);
        send(&fd, &[b"grx1\x01\x02\0\0\x05\0\0\0", name].concat(), &[]).unwrap();
        assert_eq!(receive(&fd, &mut bytes).unwrap(), 32);
        assert_eq!(bytes[..32], answer(5, 4, why, 0, 0));
    }
}

/// A user has so many descriptors on their way, to all peers together: who does not read gets few. [S18.6]
#[test]
fn who_does_not_read_is_sent_few_descriptors() {
    let served = serve();
    served.exporter.make("", &memory(LENGTH, false), permit()).unwrap();
    let deaf = raw(&served.path);
    send(&deaf, b"grx1\x01\x01\0\0\x07\0\0\0", &[]).unwrap();
    until(|| !matches!(send(&deaf, b"grx1\x02\0\0\0\x09\0\0\0", &[]), Ok(_) | Err(Errno::EAGAIN)));
    let mut answers = 0;
    while matches!(receive(&deaf, &mut [0; 64]), Ok(32)) {
        answers += 1;
    }
    assert!((1..=16).contains(&answers), "{answers}");
}

/// [S18.6]
#[test]
fn others_are_served_at_once_whatever_hostile_clients_do() {
    let test = "hostile::others_are_served_at_once_whatever_hostile_clients_do";
    if !alone(test) {
        return;
    }
    let served = serve();
    served.exporter.make("", &memory(LENGTH, false), permit()).unwrap();
    let over = AtomicBool::new(false);
    let open = b"grx1\x01\x01\0\0\x07\0\0\0";
    // Half a request, kept open.
    let half: Vec<OwnedFd> = (0..20).map(|_| raw(&served.path)).collect();
    for fd in &half {
        send(fd, &open[..5], &[]).unwrap();
    }
    // Asks, and never reads.
    let deaf = raw(&served.path);
    send(&deaf, open, &[]).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = send(&deaf, b"grx1\x02\0\0\0\x09\0\0\0", &[]);
                thread::sleep(Duration::from_micros(100));
            }
        });
        // Connects, over and over, and asks nothing.
        scope.spawn(|| {
            let mut kept = std::collections::VecDeque::new();
            while !over.load(Ordering::Relaxed) {
                kept.push_back(raw(&served.path));
                if kept.len() > 200 {
                    kept.pop_front();
                }
                thread::sleep(Duration::from_micros(50));
            }
        });
        let mut times = Vec::new();
        for _ in 0..200 {
            let begin = Instant::now();
            let mut import = served.read("");
            served.exporter.rebind("", &memory(LENGTH, false)).unwrap();
            assert!(import.changed().unwrap());
            import.refresh().unwrap();
            times.push(begin.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        times.sort();
        // The machine may be busy otherwise: most of them.
        assert!(times[100] < Duration::from_secs(2), "{:?}", &times[100..]);
    });
    drop(served);
    done();
}

/// The kernel has no descriptor for the next connection, also where there is none to take.
#[test]
fn who_has_the_last_descriptor_is_not_dropped_for_nobody() {
    if !alone("hostile::who_has_the_last_descriptor_is_not_dropped_for_nobody") {
        return;
    }
    let dir = directory();
    let path = dir.path().join("socket");
    let exporter = Exporter::bind(&path).unwrap();
    exporter.make("", &memory(LENGTH, false), permit()).unwrap();
    let peer = socket();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 40, 40).unwrap();
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    taken.pop();
    socket::connect(peer.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    exporter.turn().unwrap();
    send(&peer, b"grx1\x01\x01\0\0\x07\0\0\0", &[]).unwrap();
    exporter.turn().unwrap();
    assert_eq!(receive(&peer, &mut [0; 64]), Ok(32));
    done();
}

#[test]
fn an_exporter_and_an_importer_without_descriptors_go_on_when_they_have_some() {
    let test = "hostile::an_exporter_and_an_importer_without_descriptors_go_on_when_they_have_some";
    if let Some(path) = role().as_deref().and_then(|role| path_in(role, "serve")) {
        let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
        nix::sys::resource::setrlimit(limit, 40, 40).unwrap();
        let exporter = Exporter::bind(&path).unwrap();
        exporter.make("", &memory(LENGTH, false), permit()).unwrap();
        tell("ready");
        exporter.run().unwrap();
        done();
    }
    if let Some(path) = role().as_deref().and_then(|role| path_in(role, "import")) {
        let connect = || Import::connect(&path, "", Access::Read, SOON);
        connect().unwrap();
        let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
        nix::sys::resource::setrlimit(limit, 40, 40).unwrap();
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        // None for the connection, and then none for what comes.
        for _ in 0..2 {
            let error = connect().map(drop).unwrap_err();
            assert_eq!(error.errno(), Errno::EMFILE as i32, "{error}");
            taken.pop();
        }
        connect().unwrap();
        done();
    }
    let dir = directory();
    let path = dir.path().join("socket");
    let mut server = Other::start(other(test, &format!("serve {}", path.display())));
    assert_eq!(server.hear(), "ready");
    assert!(Other::start(other(test, &format!("import {}", path.display()))).go().success());
    // Silent connections make place.
    let silent: Vec<OwnedFd> = (0..100).map(|_| raw(&path)).collect();
    let connect = |time| Import::connect(&path, "", Access::Read, Timeout::Within(time));
    let mut imports = vec![connect(Duration::from_secs(20)).unwrap()];
    // Importers do not.
    while let Ok(import) = connect(Duration::from_millis(100)) {
        imports.push(import);
        assert!(imports.len() < 40);
    }
    assert!(imports.len() > 10, "{}", imports.len());
    imports.truncate(1);
    drop(silent);
    connect(Duration::from_secs(20)).unwrap();
    imports[0].refresh().unwrap();
    server.kill();
}
