//! Writers and readers in processes of their own: this test program starts itself again.
//!
//! Threads would not do: they share addresses, descriptors and page tables, which is what the promises are about.

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Stdio;

use graven::{Cause, Segment, Writer};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use support::*;

/// Makes sure that nothing will be mapped at these addresses in this process.
fn reserve(addresses: &[usize], length: usize) {
    for &address in addresses {
        let length = length.next_multiple_of(PAGE as usize).try_into().unwrap();
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED_NOREPLACE | MapFlags::MAP_NORESERVE;
        // SAFETY: MAP_FIXED_NOREPLACE replaces no mapping, and nobody will use this one.
        let reserved =
            unsafe { mmap_anonymous(address.try_into().ok(), length, ProtFlags::PROT_NONE, flags) };
        // Where something else is already, a segment will not come either.
        assert!(reserved.is_ok() || reserved == Err(nix::errno::Errno::EEXIST), "{reserved:?}");
    }
}

fn address(segment: &Segment) -> usize {
    segment.as_bytes().as_ptr().addr()
}

fn seals() -> FcntlArg<'static> {
    FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW)
}

#[test]
fn three_processes_adopt_one_segment_at_three_addresses_and_read_the_same() {
    if let Some(role) = role() {
        // `ADDRESS,ADDRESS… PATH`: where others have the segment, and the segment.
        let (taken, path) = role.split_once(' ').unwrap();
        let taken: Vec<usize> = taken.split(',').filter_map(|address| address.parse().ok()).collect();
        reserve(&taken, fs::metadata(path).unwrap().len() as usize);
        let segment = map(path).unwrap();
        segment.verify().unwrap();
        let config = segment.root::<Config>().unwrap();
        tell(format!("{} {:016x}", address(&segment), config.digest()));
        wait_for_go();
        // The others are still there, or gone: it makes no difference.
        tell(format!("{} {:016x}", address(&segment), config.digest()));
        done();
    }
    let value = Config::sample(6);
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &value).unwrap();
    let segment = map(&path).unwrap();
    let digest = format!("{:016x}", segment.root::<Config>().unwrap().digest());

    let test = "three_processes_adopt_one_segment_at_three_addresses_and_read_the_same";
    let mut addresses = vec![address(&segment)];
    let mut others = Vec::new();
    for _ in 0..3 {
        let taken: Vec<String> = addresses.iter().map(usize::to_string).collect();
        let mut process = Other::start(other(test, &format!("{} {}", taken.join(","), path.display())));
        let told = process.hear();
        println!("process {} adopted at {told}", process.id());
        let (at, read) = told.split_once(' ').unwrap();
        assert_eq!(read, digest);
        addresses.push(at.parse().unwrap());
        others.push((process, told));
    }
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 4, "the writer and three others, each elsewhere");
    for (mut process, told) in others {
        process.proceed();
        assert_eq!(process.hear(), told);
        assert!(process.go().success());
    }
}

#[test]
fn segments_at_several_offsets_of_one_file_are_adopted_by_other_processes() {
    let values = [Config::sample(0), Config::sample(4), Config::sample(2)];
    let lengths = values.each_ref().map(|value| graven::encoded_len(value).unwrap());
    // With a page of something else before, a gap, and no gap.
    let offsets = [PAGE, 5 * PAGE + lengths[0], 5 * PAGE + lengths[0] + lengths[1]];
    if let Some(role) = role() {
        let (index, path) = role.split_once(' ').unwrap();
        let index: usize = index.parse().unwrap();
        let segment = map_at(File::open(path).unwrap(), offsets[index], lengths[index]).unwrap();
        segment.verify().unwrap();
        tell(format!("{:016x}", segment.root::<Config>().unwrap().digest()));
        done();
    }
    let directory = directory();
    let path = directory.path().join("several");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    for i in [2, 0, 1] {
        graven::write_at(&file, offsets[i], lengths[i], &values[i]).unwrap();
    }
    let test = "segments_at_several_offsets_of_one_file_are_adopted_by_other_processes";
    for i in 0..3 {
        let here = map_at(&file, offsets[i], lengths[i]).unwrap().root::<Config>().unwrap();
        assert_eq!(*here, values[i]);
        assert_eq!(
            told_by(other(test, &format!("{i} {}", path.display()))),
            [format!("{:016x}", here.digest())]
        );
    }
}

#[test]
fn one_process_adopts_a_segment_twice_at_two_addresses() {
    let value = Config::sample(3);
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &value).unwrap();
    let (one, two) = (map(&path).unwrap(), map(&path).unwrap());
    assert_ne!(address(&one), address(&two));
    let (first, second) = (one.root::<Config>().unwrap(), two.root::<Config>().unwrap());
    assert!(!std::ptr::eq(&*first, &*second));
    assert_eq!(first.digest(), second.digest());
    drop((one, first));
    assert_eq!(*second, value);
}

#[test]
fn a_segment_is_adopted_after_its_writer_has_exited_and_its_file_is_unlinked() {
    let test = "a_segment_is_adopted_after_its_writer_has_exited_and_its_file_is_unlinked";
    let length = graven::encoded_len(&Config::sample(4)).unwrap();
    match role() {
        Some(role) if role == "read" => {
            // The descriptor is all that this process has.
            let segment = map_at(std::io::stdin(), 0, length).unwrap();
            tell(format!("{:016x}", segment.root::<Config>().unwrap().digest()));
            done();
        }
        Some(role) => {
            graven::write(path_in(&role, "write").unwrap(), &Config::sample(4)).unwrap();
            tell(std::process::id());
            done();
        }
        None => {}
    }
    let directory = directory();
    let path = directory.path().join("one.grv");
    let writer = told_by(other(test, &format!("write {}", path.display()))).concat();
    assert!(!Path::new("/proc").join(&writer).exists(), "the writer is gone");
    let file = File::open(&path).unwrap();
    let digest = format!("{:016x}", map(&path).unwrap().root::<Config>().unwrap().digest());
    fs::remove_file(&path).unwrap();
    assert_eq!(names_in(directory.path()), [""; 0]);

    let mut reader = other(test, "read");
    reader.stdin(Stdio::from(file));
    assert_eq!(told_by(reader), [digest]);
}

#[test]
fn a_reader_keeps_the_old_segment_when_another_process_replaces_it() {
    if let Some(path) = role().and_then(|role| path_in(&role, "replace")) {
        graven::write(path, &Config::sample(1)).unwrap();
        tell("replaced");
        done();
    }
    let (old, new) = (Config::sample(4), Config::sample(1));
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &old).unwrap();
    let segment = map(&path).unwrap();
    let before = segment.root::<Config>().unwrap();
    let test = "a_reader_keeps_the_old_segment_when_another_process_replaces_it";
    assert_eq!(told_by(other(test, &format!("replace {}", path.display()))), ["replaced"]);

    assert_eq!(names_in(directory.path()), ["one.grv"]);
    assert_eq!(*before, old);
    assert_eq!(*segment.root::<Config>().unwrap(), old, "adopted anew from the old handle");
    segment.verify().unwrap();
    assert_eq!(*map(&path).unwrap().root::<Config>().unwrap(), new);
}

/// What kill -9 in the middle of `put` leaves at the path, seen from here.
fn kill_a_writer_in_put(directory: &Path) {
    let path = directory.join("one.grv");
    let test = "a_writer_killed_in_put_leaves_the_path_as_it_was";
    let mut writer = Other::start(other(test, &format!("write {}", path.display())));
    assert_eq!(writer.hear(), "half of it is written");
    let status = writer.kill();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
}

#[test]
fn a_writer_killed_in_put_leaves_the_path_as_it_was() {
    if let Some(path) = role().and_then(|role| path_in(&role, "write")) {
        let mut writer = Writer::create(&path).unwrap();
        writer.put("done", &vec![1u64; many(100_000)]).unwrap();
        let stop = Scripted(|| {
            tell("half of it is written");
            wait_for_go();
            Ok(())
        });
        writer.put("half", &(vec![2u64; many(100_000)], stop)).unwrap();
        writer.finish().unwrap();
        done();
    }
    let directory = directory();
    let path = directory.path().join("one.grv");
    kill_a_writer_in_put(directory.path());
    assert!(!path.exists(), "there was no file");

    graven::write(&path, &7u64).unwrap();
    let before = fs::read(&path).unwrap();
    kill_a_writer_in_put(directory.path());
    assert!(fs::read(&path).unwrap() == before, "there was another segment");
    assert_eq!(*map(&path).unwrap().root::<u64>().unwrap(), 7);
}

#[test]
fn a_run_whose_writer_was_killed_adopts_as_incomplete() {
    let test = "a_run_whose_writer_was_killed_adopts_as_incomplete";
    if let Some(path) = role().and_then(|role| path_in(&role, "write")) {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let stop = Scripted(|| {
            tell("half of it is written");
            wait_for_go();
            Ok(())
        });
        let _ = graven::write_at(&file, PAGE, 512 * PAGE, &(vec![2u64; many(100_000)], stop));
        done();
    }
    let directory = directory();
    let path = directory.path().join("run");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    graven::write_at(&file, PAGE, 512 * PAGE, &7u64).unwrap();
    let mut writer = Other::start(other(test, &format!("write {}", path.display())));
    assert_eq!(writer.hear(), "half of it is written");
    writer.kill();
    let error = map_at(&file, PAGE, 512 * PAGE).unwrap_err();
    assert_eq!(error.errno(), EINVAL);
    assert!(matches!(error.cause(), Cause::Header(graven::error::HeaderError::Incomplete)), "{error}");
}

/// A sealed memory file with the value.
fn sealed(value: &Config) -> File {
    let flags = MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC;
    let memory = File::from(memfd_create(c"graven test", flags).unwrap());
    graven::write_at(&memory, 0, graven::encoded_len(value).unwrap(), value).unwrap();
    fcntl(&memory, seals()).unwrap();
    memory
}

#[test]
fn sealed_memory_is_adopted_by_the_heir_of_its_descriptor() {
    if role().is_some() {
        let segment = Segment::map_sealed(std::io::stdin()).unwrap();
        let mapping = mapping_at(address(&segment)).unwrap();
        assert_eq!(mapping.permissions, "r--s");
        tell(format!("{:016x}", segment.root::<Config>().unwrap().digest()));
        done();
    }
    let value = Config::sample(4);
    let memory = sealed(&value);
    let here = Segment::map_sealed(&memory).unwrap().root::<Config>().unwrap();
    assert_eq!(*here, value);
    let mut heir = other("sealed_memory_is_adopted_by_the_heir_of_its_descriptor", "read");
    heir.stdin(Stdio::from(memory));
    assert_eq!(told_by(heir), [format!("{:016x}", here.digest())]);
}

#[test]
fn sealed_memory_is_adopted_through_the_descriptor_table_of_a_process_that_then_dies() {
    let test = "sealed_memory_is_adopted_through_the_descriptor_table_of_a_process_that_then_dies";
    let value = Config::sample(4);
    if role().is_some() {
        let memory = sealed(&value);
        tell(memory.as_raw_fd());
        wait_for_go();
        done();
    }
    let mut writer = Other::start(other(test, "write"));
    let path = format!("/proc/{}/fd/{}", writer.id(), writer.hear());
    let segment = match File::open(&path) {
        Ok(memory) => Segment::map_sealed(memory).unwrap(),
        Err(error) => return println!("SKIPPED: cannot open {path}: {error}"),
    };
    writer.kill();
    assert_eq!(*segment.root::<Config>().unwrap(), value);
    assert!(File::open(&path).is_err(), "the writer is gone");
    segment.verify().unwrap();
}

#[test]
fn processes_that_write_one_path_at_the_same_time_leave_one_whole_segment() {
    if let Some(role) = role() {
        let (levels, path) = role.split_once(' ').unwrap();
        let value = Config::sample(levels.parse().unwrap());
        tell("ready");
        wait_for_go();
        for _ in 0..30 {
            graven::write(path, &value).unwrap();
        }
        done();
    }
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Config::sample(0)).unwrap();
    let test = "processes_that_write_one_path_at_the_same_time_leave_one_whole_segment";
    let start = |levels| Other::start(other(test, &format!("{levels} {}", path.display())));
    let mut writers: Vec<Other> = (1..4).map(start).collect();
    writers.iter_mut().for_each(|writer| assert_eq!(writer.hear(), "ready"));
    writers.iter_mut().for_each(Other::proceed);
    let check = || {
        let segment = map(&path).unwrap();
        segment.verify().unwrap();
        let config = segment.root::<Config>().unwrap();
        assert!((0..4).any(|levels| *config == Config::sample(levels)));
    };
    for writer in writers {
        (0..20).for_each(|_| check());
        assert!(writer.go().success());
    }
    check();
    assert_eq!(names_in(directory.path()), ["one.grv"]);
}
