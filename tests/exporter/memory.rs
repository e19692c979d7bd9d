//! What importers do with memory.

use super::*;

const GIB: u64 = 1 << 30;

fn minor_faults() -> i64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD).unwrap();
    usage.minor_page_faults()
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssShmem:")).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

#[test]
fn a_sparse_memory_is_attached_in_no_time_and_read_without_allocating() {
    let test = "memory::a_sparse_memory_is_attached_in_no_time_and_read_without_allocating";
    if !alone(test) {
        return;
    }
    let served = serve();
    let mut made = memory(4 * GIB, false);
    let mut sum = 0u64;
    for island in [0, GIB + 3 * PAGE, 4 * GIB - 2 * PAGE] {
        made.reserve(island..island + 2 * PAGE).unwrap();
        let bytes = pattern(2 * PAGE);
        sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        made.write_at(island, &bytes).unwrap();
    }
    served.exporter.make("", &made, permit()).unwrap();
    let import = served.read("");
    assert_eq!(import.len(), 4 * GIB);
    let allocated = made.stat().unwrap().allocated;
    assert_eq!(allocated, 6 * PAGE);
    let begin = Instant::now();
    let attachment = import.attach(0, 4 * GIB, At::Anywhere).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2));
    let before = resident();
    assert_eq!(
        (load(&attachment, 0), load(&attachment, 4 * GIB - 1)),
        (1, pattern(2 * PAGE)[2 * PAGE as usize - 1])
    );
    // The kernel may map what is around a fault, if it is there.
    assert!((2 * PAGE..=4 * PAGE).contains(&(resident() - before)));

    // Around the islands and their ends; a pass over all of it takes seconds.
    let mut read = 0u64;
    for start in [0, GIB, 2 * GIB, 4 * GIB - (8 << 20)] {
        for piece in 0..8 {
            let mut bytes = vec![1; 1 << 20];
            import.read_at(start + (piece << 20), &mut bytes).unwrap();
            read += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
    }
    assert_eq!(read, sum);
    assert_eq!(made.stat().unwrap().allocated, allocated, "reading has allocated");
    drop((attachment, served));
    done();
}

#[test]
fn a_populated_attachment_faults_no_more() {
    let served = serve();
    let made = memory(256 * PAGE, true);
    served.exporter.make("", &made, permit()).unwrap();
    for access in [Access::Read, Access::Write] {
        let import = served.import("", access).unwrap();
        let attachment = import.options().populate(true).attach(0, 256 * PAGE, At::Anywhere).unwrap();
        assert_eq!(made.stat().unwrap().allocated, 256 * PAGE);
        let before = minor_faults();
        let mut sum = 0;
        for page in 0..256 {
            sum += u32::from(load(&attachment, page * PAGE));
            if access == Access::Write {
                store(&attachment, page * PAGE, 1);
            }
        }
        assert_eq!((minor_faults() - before, sum), (0, 0));
        if access == Access::Read {
            assert!(mapped_read_only(&attachment));
        }
    }
}

fn mapped_read_only(attachment: &Attachment) -> bool {
    let mapping = support::mapping_at(attachment.address().as_ptr().addr()).unwrap();
    mapping.permissions == "r--s"
}

/// The exporter, an importer that writes, and a third that reads what the second wrote.
#[test]
fn stores_of_an_importer_are_seen_by_the_exporter_and_by_a_third_process() {
    let test = "memory::stores_of_an_importer_are_seen_by_the_exporter_and_by_a_third_process";
    if let Some(path) = role().as_deref().and_then(|role| path_in(role, "write")) {
        let import = Import::connect(&path, "", Access::Write, SOON).unwrap();
        let attachment = import.attach(PAGE, PAGE, At::Anywhere).unwrap();
        store(&attachment, 1, 77);
        import.write_at(3 * PAGE, b"by pwrite").unwrap();
        tell("written");
        wait_for_go();
        done();
    }
    if let Some(path) = role().as_deref().and_then(|role| path_in(role, "read")) {
        let import = Import::connect(&path, "", Access::Read, SOON).unwrap();
        let attachment = import.attach(0, 4 * PAGE, At::Anywhere).unwrap();
        let mut bytes = [0; 9];
        import.read_at(3 * PAGE, &mut bytes).unwrap();
        tell(format!("{} {}", load(&attachment, PAGE + 1), String::from_utf8_lossy(&bytes)));
        done();
    }
    let served = serve();
    let made = memory(4 * PAGE, true);
    served.exporter.make("", &made, permit()).unwrap();
    let start = |word: &str| Other::start(other(test, &format!("{word} {}", served.path.display())));
    let mut writer = start("write");
    assert_eq!(writer.hear(), "written");
    let mut byte = [0];
    made.read_at(PAGE + 1, &mut byte).unwrap();
    assert_eq!(byte, [77]);
    assert_eq!(start("read").hear(), "77 by pwrite");
    assert!(writer.go().success());
}

#[test]
fn removing_and_emptying_leaves_zeros_to_those_who_have_it() {
    let served = serve();
    let mut made = memory(3 * PAGE - 100, true);
    made.write_at(0, &pattern(3 * PAGE - 100)).unwrap();
    served.exporter.make("", &made, permit()).unwrap();
    let import = served.read("");
    let attachment = import.attach(0, import.len(), At::Anywhere).unwrap();
    assert_eq!(load(&attachment, 2 * PAGE), pattern(2 * PAGE + 1)[2 * PAGE as usize]);
    served.exporter.remove_empty("").unwrap();
    ended(import.check());
    assert_eq!(made.stat().unwrap().allocated, 0);
    let mut bytes = vec![1; import.len() as usize];
    import.read_at(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0) && made.stat().unwrap().allocated == 0);
    assert_eq!(load(&attachment, 2 * PAGE), 0);
    assert_eq!(made.stat().unwrap().allocated, PAGE, "a load allocates");
}

#[test]
fn attachments_take_no_descriptors_and_imports_one_and_a_connection() {
    let test = "memory::attachments_take_no_descriptors_and_imports_one_and_a_connection";
    if !alone(test) {
        return;
    }
    let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let kept = memory(1, false);
    let served = serve();
    served.exporter.make("", &memory(10 * PAGE, false), permit()).unwrap();
    nix::sys::resource::setrlimit(limit, 64, 64).unwrap();
    let before = open_descriptors();
    let import = served.read("");
    // One of the three is the exporter's, which has a fourth until its answer is sent.
    until(|| open_descriptors() == before + 3);
    let attachments: Vec<Attachment> =
        (0..5000).map(|n| import.attach(n % 10 * PAGE, PAGE, At::Anywhere).unwrap()).collect();
    assert_eq!(open_descriptors(), before + 3);
    assert!(attachments.iter().all(|attachment| load(attachment, PAGE - 1) == 0));

    // None left, at either side, is an error; and all goes on when there are.
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    let error = served.import("", Access::Read).map(drop).unwrap_err();
    assert_eq!(error.errno(), Errno::EMFILE as i32, "{error}");
    let error = served.exporter.make("none", &kept, permit()).unwrap_err();
    assert_eq!(error.errno(), Errno::EMFILE as i32, "{error}");
    drop(taken);
    served.read("");
    drop((attachments, served));
    done();
}

#[test]
fn peers_and_pages_of_all_counts_have_the_contents() {
    let served = serve();
    for pages in [1, 3, 5, 10, 1000, 10_000] {
        let mut made = memory(pages * PAGE, true);
        let bytes = pattern(pages * PAGE);
        made.write_at(0, &bytes).unwrap();
        let name = pages.to_string();
        served.exporter.make(&name, &made, permit()).unwrap();
        thread::scope(|scope| {
            for _ in 0..if pages > 1000 { 1 } else { 10 } {
                scope.spawn(|| {
                    let import = served.read(&name);
                    let attachment = import.attach(0, import.len(), At::Anywhere).unwrap();
                    // SAFETY: mapped; nobody writes while this test reads.
                    let there =
                        unsafe { std::slice::from_raw_parts(attachment.address().as_ptr(), bytes.len()) };
                    assert!(there == bytes);
                });
            }
        });
        served.exporter.remove(&name).unwrap();
    }
}

/// Locks and sleeping in memory of another process.
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls of one kind in a row, on the same memory")]
#[test]
fn an_attachment_is_memory_for_mutexes_conditions_semaphores_and_futexes() {
    let served = serve();
    served.exporter.make("", &memory(16 * PAGE, true), permit()).unwrap();
    let import = served.import("", Access::Write).unwrap();
    let (one, two) =
        (import.attach(0, PAGE, At::Anywhere).unwrap(), import.attach(0, PAGE, At::Anywhere).unwrap());
    let mutex = |attachment: &Attachment| attachment.address().as_ptr().cast::<libc::pthread_mutex_t>();
    // SAFETY: the attribute and the mutex are initialized before they are used, in memory that is mapped throughout; the
    // two addresses are of the same mutex, which is shared between processes.
    unsafe {
        let mut attributes = std::mem::zeroed();
        libc::pthread_mutexattr_init(&raw mut attributes);
        libc::pthread_mutexattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED);
        assert_eq!(libc::pthread_mutex_init(mutex(&one), &raw const attributes), 0);
        assert_eq!(libc::pthread_mutex_lock(mutex(&one)), 0);
        assert_eq!(libc::pthread_mutex_trylock(mutex(&two)), libc::EBUSY);
        assert_eq!(libc::pthread_mutex_unlock(mutex(&one)), 0);
        assert_eq!(libc::pthread_mutex_trylock(mutex(&two)), 0);
        assert_eq!(libc::pthread_mutex_unlock(mutex(&two)), 0);
    }
    // A condition, and a semaphore whose operations are read from there.
    let condition = |attachment: &Attachment| {
        attachment.address().as_ptr().wrapping_add(1024).cast::<libc::pthread_cond_t>().addr()
    };
    let (waits, signals) = (condition(&one), condition(&two));
    let (locks, unlocks) = (mutex(&one).addr(), mutex(&two).addr());
    // SAFETY: as above, of the condition; the thread is joined before its memory is unmapped.
    unsafe {
        let mut attributes = std::mem::zeroed();
        libc::pthread_condattr_init(&raw mut attributes);
        libc::pthread_condattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED);
        assert_eq!(libc::pthread_cond_init(waits as *mut _, &raw const attributes), 0);
        let done = one.address().as_ptr().wrapping_add(3000).addr();
        let waiter = thread::spawn(move || {
            let _ = libc::pthread_mutex_lock(locks as *mut _);
            while (done as *const u8).read_volatile() == 0 {
                let _ = libc::pthread_cond_wait(waits as *mut _, locks as *mut _);
            }
            libc::pthread_mutex_unlock(locks as *mut _)
        });
        assert_eq!(libc::pthread_mutex_lock(unlocks as *mut _), 0);
        store(&two, 3000, 1);
        assert_eq!(libc::pthread_cond_signal(signals as *mut _), 0);
        assert_eq!(libc::pthread_mutex_unlock(unlocks as *mut _), 0);
        assert_eq!(waiter.join().unwrap(), 0);

        let semaphore = libc::semget(libc::IPC_PRIVATE, 1, 0o600);
        let operation = one.address().as_ptr().wrapping_add(3072).cast::<libc::sembuf>();
        operation.write(libc::sembuf { sem_num: 0, sem_op: 2, sem_flg: 0 });
        assert_eq!(libc::semop(semaphore, operation, 1), 0);
        assert_eq!(libc::semctl(semaphore, 0, libc::GETVAL), 2);
        assert_eq!(libc::semctl(semaphore, 0, libc::IPC_RMID), 0);
    }
    // A futex: who sleeps at one address is woken through the other.
    let word = |attachment: &Attachment| attachment.address().as_ptr().wrapping_add(2048).addr();
    let (sleeps, wakes) = (word(&one), word(&two));
    let sleeper = thread::spawn(move || {
        // SAFETY: FUTEX_WAIT reads a word that is mapped until this thread is joined.
        unsafe {
            libc::syscall(libc::SYS_futex, sleeps, libc::FUTEX_WAIT, 0, std::ptr::null::<libc::timespec>())
        }
    });
    // SAFETY: FUTEX_WAKE touches no memory.
    until(|| unsafe { libc::syscall(libc::SYS_futex, wakes, libc::FUTEX_WAKE, 1) } == 1);
    assert_eq!(sleeper.join().unwrap(), 0);
}

/// Input and output from memory of another process, and to it.
#[test]
fn an_attachment_is_memory_for_locked_pages_direct_io_and_pipes() {
    let served = serve();
    served.exporter.make("", &memory(16 * PAGE, true), permit()).unwrap();
    let import = served.import("", Access::Write).unwrap();
    let pages = import.attach(PAGE, 2 * PAGE, At::Anywhere).unwrap();
    // SAFETY: mapped.
    assert_eq!(unsafe { libc::mlock(pages.address().as_ptr().cast(), 2 * PAGE as usize) }, 0);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = dir.path().join("file");
    let bytes = pattern(PAGE);
    import.write_at(PAGE, &bytes).unwrap();
    use std::os::unix::fs::OpenOptionsExt;
    let open = || {
        fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_DIRECT)
            .open(&path)
    };
    match open() {
        Err(error) => println!("SKIPPED: no direct input and output here: {error}"),
        Ok(file) => {
            // SAFETY: a page of the attachment, mapped; it is only read meanwhile.
            let from = unsafe { std::slice::from_raw_parts(pages.address().as_ptr(), PAGE as usize) };
            file.write_all_at(from, 0).unwrap();
            let to = pages.address().as_ptr().wrapping_add(PAGE as usize);
            // SAFETY: the other page, which nothing else touches meanwhile.
            let to = unsafe { std::slice::from_raw_parts_mut(to, PAGE as usize) };
            file.read_exact_at(to, 0).unwrap();
            let mut read = vec![0; PAGE as usize];
            import.read_at(2 * PAGE, &mut read).unwrap();
            assert_eq!(read, bytes);
        }
    }
    let (reads, writes) = nix::unistd::pipe().unwrap();
    let piece = libc::iovec { iov_base: pages.address().as_ptr().cast(), iov_len: 100 };
    // SAFETY: the pages are mapped; vmsplice(2) takes references on them.
    assert_eq!(unsafe { libc::vmsplice(writes.as_raw_fd(), &raw const piece, 1, 0) }, 100);
    let mut read = [0; 100];
    assert_eq!(nix::unistd::read(&reads, &mut read).unwrap(), 100);
    assert_eq!(read, bytes[..100]);
}

/// A write(2) behind the limit of file sizes would end the process.
#[test]
fn writing_behind_the_limit_of_file_sizes_is_an_error_and_no_signal() {
    if !alone("memory::writing_behind_the_limit_of_file_sizes_is_an_error_and_no_signal") {
        return;
    }
    let served = serve();
    served.exporter.make("", &memory(4 * PAGE, true), permit()).unwrap();
    let import = served.import("", Access::Write).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_FSIZE, PAGE, PAGE).unwrap();
    import.write_at(PAGE - 1, &[1]).unwrap();
    for (offset, bytes) in [(PAGE, &[2u8][..]), (PAGE - 1, &[2, 2])] {
        let error = import.write_at(offset, bytes).unwrap_err();
        assert_eq!(error.errno(), Errno::EFBIG as i32, "{error}");
    }
    let mut bytes = [9; 3];
    import.read_at(PAGE - 1, &mut bytes).unwrap();
    assert_eq!(bytes, [1, 0, 0]);
    done();
}
