//! Reading another process's memory.

use super::*;

/// Two pages, of which the second is not mapped: the address of byte 4000.
fn ends_after_96() -> usize {
    let at = 0x2d80_0000_0000_usize.try_into().unwrap();
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED_NOREPLACE;
    let write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: MAP_FIXED_NOREPLACE replaces nothing.
    let page = unsafe { nix::sys::mman::mmap_anonymous(Some(at), 4096.try_into().unwrap(), write, flags) };
    let page = page.unwrap().as_ptr().cast::<u8>();
    // SAFETY: just mapped, for writing.
    unsafe { page.write_bytes(7, 4096) };
    page.addr() + 4000
}

#[test]
fn bytes_of_another_process_are_all_read_or_the_error_says_how_many() {
    let test = "process::bytes_of_another_process_are_all_read_or_the_error_says_how_many";
    if role().is_some() {
        tell(ends_after_96());
        wait_for_go();
        done();
    }
    let mut child = Other::start(other(test, "mapped"));
    let address: usize = child.hear().parse().unwrap();
    let mut bytes = [0; 200];
    read_process(child.id(), address, &mut bytes[..96]).unwrap();
    assert_eq!(bytes[..97], [[7; 96].as_slice(), &[0]].concat());
    bytes.fill(0);
    let error = read_process(child.id(), address, &mut bytes).unwrap_err();
    is(&error, ErrorKind::NotMapped, Errno::EFAULT);
    let expected = ExportError::NotMapped { address, length: 200, read: 96 };
    assert!(matches!(error.cause(), Cause::Export(got) if *got == expected), "{error}");
    assert!(error.to_string().contains("only 96 of the 200 bytes"), "{error}");
    assert_eq!(bytes[..97], [[7; 96].as_slice(), &[0]].concat());
    for wrong in [0, address + 96, usize::MAX, usize::MAX - 200, 1 << 63] {
        let error = read_process(child.id(), wrong, &mut bytes).unwrap_err();
        let expected = ExportError::NotMapped { address: wrong, length: 200, read: 0 };
        assert!(matches!(error.cause(), Cause::Export(got) if *got == expected), "{error}");
    }
    read_process(child.id(), 0, &mut []).unwrap();

    // The kernel's own answer to the same question is a success.
    let remote = nix::sys::uio::RemoteIoVec { base: address, len: 200 };
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let local = &mut [std::io::IoSliceMut::new(&mut bytes)];
    assert_eq!(nix::sys::uio::process_vm_readv(pid, local, &[remote]), Ok(96));

    let gone = child.id();
    assert!(child.go().success());
    is(&read_process(gone, address, &mut bytes).unwrap_err(), ErrorKind::System, Errno::ESRCH);
    for pid in [0, u32::MAX, i32::MAX as u32] {
        is(&read_process(pid, address, &mut bytes).unwrap_err(), ErrorKind::System, Errno::ESRCH);
    }
}

#[test]
fn another_users_process_and_one_that_is_not_dumpable_are_refused_with_what_forbids_it() {
    let test = "process::another_users_process_and_one_that_is_not_dumpable_are_refused_with_what_forbids_it";
    if !is_root() {
        return println!("SKIPPED: only root can become another user");
    }
    if let Some(role) = role() {
        let user = role.split_once(' ').map_or(NOBODY, |(_, user)| user.parse().unwrap());
        become_user(user);
        match role.starts_with("readable") {
            true => prctl::set_dumpable(true).unwrap(),
            false => prctl::set_dumpable(false).unwrap(),
        }
        if let Some(from) = role.strip_prefix("reader ") {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            let mut words = line.split_whitespace().map(|word| word.parse::<usize>().unwrap());
            let (pid, address) = (words.next().unwrap() as u32, words.next().unwrap());
            let mut bytes = [0; 96];
            match read_process(pid, address, &mut bytes) {
                Ok(()) => tell(format!("{from} read {}", bytes == [7; 96])),
                Err(error) => {
                    is(&error, ErrorKind::NotPermitted, Errno::EPERM);
                    let cause = matches!(error.cause(), Cause::Export(ExportError::Process { pid: of, .. }) if *of == pid);
                    assert!(cause && error.to_string().contains("dumpable"), "{error}");
                    tell(format!("{from} refused"));
                }
            }
            done();
        }
        tell(ends_after_96());
        wait_for_go();
        done();
    }
    let ask = |who: &str, reader: u32| {
        let mut read = Other::start(other(test, who));
        let address: usize = read.hear().parse().unwrap();
        let mut bytes = [0; 96];
        read_process(read.id(), address, &mut bytes).unwrap();
        assert_eq!(bytes, [7; 96], "root reads all");
        let mut reader = Other::start(other(test, &format!("reader {reader}")));
        reader.say(format!("{} {address}", read.id()));
        reader.hear()
    };
    assert_eq!(ask("readable 65534", NOBODY), "65534 read true");
    assert_eq!(ask("readable 65534", SOMEBODY), "65533 refused");
    assert_eq!(ask("hidden 65534", NOBODY), "65534 refused");
}

#[test]
fn more_than_the_kernel_copies_at_once_is_read_in_pieces() {
    // Zeros, of which the kernel has one page: but for the last byte.
    let length = (2usize << 30) + 12_345;
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
    let write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping where the kernel finds room.
    let from =
        unsafe { nix::sys::mman::mmap_anonymous(None, length.try_into().unwrap(), write, flags) }.unwrap();
    let from = from.as_ptr().cast::<u8>();
    // SAFETY: in the mapping.
    unsafe { from.wrapping_add(length - 1).write(9) };
    let mut bytes = vec![1u8; length];
    read_process(std::process::id(), from.addr(), &mut bytes).unwrap();
    assert_eq!(bytes[length - 1], 9);
    let zeros = vec![0; 1 << 20];
    assert!(bytes[..length - 1].chunks(zeros.len()).all(|chunk| *chunk == zeros[..chunk.len()]));
    unmap(from, length);
}
