//! What hwloc's shared-memory topologies promise, row by row, for segments of any type.
//!
//! The rows are H1 to H8 and H11 to H13 of the list of hwloc's three calls: length, write, adopt. H9 and H10 are about
//! taken addresses, which cannot occur here. `docs/coming-from.md` has the table. Topologies themselves go through the
//! same calls in the tests of `graven-topology`.

mod support;

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;

use graven::{Archive, Cause, Layout, Segment, Serialize, Serializer, error::HeaderError};
use graven_format::checksum;
use support::*;

/// A file of `pages` pages, none of whose bytes is zero.
fn patterned(pages: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&pattern(pages * PAGE), 0).unwrap();
    file
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The file has the pattern still, but for the run.
fn assert_unchanged_outside(file: &File, offset: u64, length: u64) {
    let bytes = contents(file);
    let whole = pattern(bytes.len() as u64);
    let (from, to) = (offset as usize, (offset + length) as usize);
    assert!(bytes[..from] == whole[..from], "bytes before the run changed");
    assert!(bytes[to..] == whole[to..], "bytes behind the run changed");
}

// ---- H1: length ----------------------------------------------------------------------------------------------------

fn assert_length<T>(value: &T)
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let directory = directory();
    let path = directory.path().join("one.grv");
    let length = graven::encoded_len(value).unwrap();
    assert!(length.is_multiple_of(PAGE));
    assert_eq!(names_in(directory.path()), [""; 0]);

    assert_eq!(graven::write(&path, value).unwrap().length, length);
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    assert_eq!(map(&path).unwrap().header().length, length);

    let file = tempfile::tempfile().unwrap();
    assert_eq!(graven::write_at(&file, 0, length, value).unwrap().length, length);
    assert_eq!(file.metadata().unwrap().len(), length);
    assert_eq!(contents(&file), fs::read(&path).unwrap(), "write and write_at make the same bytes");
    let short = graven::write_at(&file, 0, length - PAGE, value);
    assert!(matches!(short.unwrap_err().cause(), Cause::RunTooShort { .. }), "one page less is too short");
}

/// H1
#[test]
fn encoded_len_is_the_length_in_the_header_and_of_the_file() {
    assert_length(&());
    assert_length(&7u8);
    assert_length(&"short".to_string());
    assert_length(&"long ".repeat(1000));
    assert_length(&vec![vec![1u16; 3], vec![], vec![2; 5000]]);
    assert_length(&vec!["a name that is not inline".to_string(); many(1000) / 5]);
    assert_length(&vec![0x55u8; many(1 << 20)]);
    assert_length(&(0..500u64).map(|n| (n, n.to_string())).collect::<std::collections::BTreeMap<_, _>>());
    assert_length(&Config::sample(5));
    // Sizes around the end of a page.
    for bytes in (3400..4200).step_by(8) {
        assert_length(&vec![1u8; bytes]);
    }
}

/// H1
#[test]
fn encoded_len_writes_nothing() {
    if role().is_some() {
        let value = Config::sample(5);
        graven::encoded_len(&value).unwrap();
        let written = || {
            let io = fs::read_to_string("/proc/self/io").unwrap();
            let lines = io.lines().filter(|line| line.starts_with("wchar") || line.starts_with("syscw"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let before = written();
        graven::encoded_len(&value).unwrap();
        assert_eq!(written(), before);
        tell("nothing written");
        done();
    }
    if fs::read_to_string("/proc/self/io").is_err() {
        return println!("SKIPPED: no /proc/self/io here");
    }
    assert_eq!(told_by(other("encoded_len_writes_nothing", "count")), ["nothing written"]);
}

// ---- H2: the value has changed between length and write ------------------------------------------------------------

/// H2
#[test]
fn a_value_grown_since_its_length_was_asked_is_refused_with_both_lengths() {
    let mut value = vec!["a name that is not inline".to_string(); 100];
    let length = graven::encoded_len(&value).unwrap();
    value.extend(vec!["another one, for a page or two more".to_string(); 300]);
    let needed = graven::encoded_len(&value).unwrap();
    assert!(needed > length);

    let file = patterned(8 + length / PAGE);
    let size = file.metadata().unwrap().len();
    let error = graven::write_at(&file, 4 * PAGE, length, &value).unwrap_err();
    assert_eq!(error.errno(), EINVAL);
    assert!(
        matches!(error.cause(), Cause::RunTooShort { needed: n, given } if (*n, *given) == (needed, length))
    );
    assert!(error.to_string().contains(&needed.to_string()), "{error}");
    assert!(error.to_string().contains(&length.to_string()), "{error}");

    assert_eq!(file.metadata().unwrap().len(), size);
    assert_unchanged_outside(&file, 4 * PAGE, length);
    let error = map_at(&file, 4 * PAGE, length).unwrap_err();
    assert_eq!(error.errno(), EINVAL);
    assert!(matches!(error.cause(), Cause::Header(HeaderError::Incomplete)), "{error}");
}

/// H2
#[test]
fn a_run_too_short_at_the_end_of_a_file_does_not_extend_the_file_past_the_run() {
    let value = vec![1u64; 4000];
    for offset in [0, PAGE, 5 * PAGE] {
        let file = patterned(2);
        let error = graven::write_at(&file, offset, 8 * PAGE, &value).unwrap_err();
        assert!(matches!(error.cause(), Cause::RunTooShort { .. }), "{error}");
        assert!(file.metadata().unwrap().len() <= offset + 8 * PAGE);
        let error = map_at(&file, offset, 8 * PAGE).unwrap_err();
        assert!(matches!(error.cause(), Cause::Header(HeaderError::Incomplete)), "{error}");
    }
}

/// H2
#[test]
fn a_segment_overwritten_by_a_value_too_large_is_no_segment_any_more() {
    let file = patterned(6);
    graven::write_at(&file, PAGE, 2 * PAGE, &1u64).unwrap();
    graven::write_at(&file, PAGE, 2 * PAGE, &vec![1u64; 5000]).unwrap_err();
    let error = map_at(&file, PAGE, 2 * PAGE).unwrap_err();
    assert!(matches!(error.cause(), Cause::Header(HeaderError::Incomplete)), "{error}");
    assert_unchanged_outside(&file, PAGE, 2 * PAGE);
}

/// H2
#[test]
fn a_run_longer_than_needed_is_filled_with_zeros_and_adopts_with_its_own_length_only() {
    let value = Config::sample(2);
    let exact = graven::encoded_len(&value).unwrap();
    for more in [1, 3, 100] {
        let length = exact + more * PAGE;
        let file = patterned(2 + length / PAGE + 2);
        let summary = graven::write_at(&file, 2 * PAGE, length, &value).unwrap();
        assert_eq!(summary.length, length);
        assert_unchanged_outside(&file, 2 * PAGE, length);
        let bytes = contents(&file);
        assert!(
            bytes[(2 * PAGE + exact) as usize..(2 * PAGE + length) as usize].iter().all(|&byte| byte == 0)
        );

        let segment = map_at(&file, 2 * PAGE, length).unwrap();
        assert_eq!(segment.header().length, length);
        segment.verify().unwrap();
        assert_eq!(*segment.root::<Config>().unwrap(), value);
        for wrong in [exact, length - PAGE, length + PAGE] {
            let error = map_at(&file, 2 * PAGE, wrong).unwrap_err();
            assert_eq!(error.errno(), EINVAL);
            assert!(error.to_string().contains(&length.to_string()), "{error}");
            assert!(error.to_string().contains(&wrong.to_string()), "{error}");
        }
    }
}

// ---- H3: write maps nothing and keeps nothing ----------------------------------------------------------------------

/// H3
#[test]
fn writing_a_run_changes_no_byte_outside_it() {
    let value = Config::sample(3);
    let length = graven::encoded_len(&value).unwrap();
    for offset in [0, 1, 2, 7] {
        let file = patterned(8 + length / PAGE);
        graven::write_at(&file, offset * PAGE, length, &value).unwrap();
        assert_unchanged_outside(&file, offset * PAGE, length);
        assert_eq!(*map_at(&file, offset * PAGE, length).unwrap().root::<Config>().unwrap(), value);
    }
}

/// H3
#[test]
fn what_was_written_does_not_follow_the_source() {
    let mut value = Config::sample(3);
    let file = tempfile::tempfile().unwrap();
    let length = graven::encoded_len(&value).unwrap();
    graven::write_at(&file, 0, length, &value).unwrap();
    let before = value.clone();
    value.name.clear();
    value.limits.clear();
    drop(value);
    assert_eq!(*map_at(&file, 0, length).unwrap().root::<Config>().unwrap(), before);
}

/// H3
#[test]
fn writing_through_a_read_only_descriptor_is_an_error_and_changes_nothing() {
    let directory = directory();
    let path = directory.path().join("pattern");
    fs::write(&path, pattern(4 * PAGE)).unwrap();
    let error = graven::write_at(File::open(&path).unwrap(), PAGE, 2 * PAGE, &7u64).unwrap_err();
    assert_eq!(error.errno(), nix::errno::Errno::EBADF as i32);
    assert!(matches!(error.cause(), Cause::System { .. }), "{error}");
    assert!(fs::read(&path).unwrap() == pattern(4 * PAGE));
}

/// H3: pwrite(2) ignores the offset of a file opened for appending.
#[test]
fn writing_through_a_descriptor_opened_for_appending_is_an_error_and_changes_nothing() {
    let directory = directory();
    let path = directory.path().join("pattern");
    fs::write(&path, pattern(4 * PAGE)).unwrap();
    let file = OpenOptions::new().read(true).append(true).open(&path).unwrap();
    let error = graven::write_at(&file, PAGE, 2 * PAGE, &7u64).unwrap_err();
    assert_eq!(error.errno(), EINVAL, "{error}");
    assert!(fs::read(&path).unwrap() == pattern(4 * PAGE));
}

/// H3
#[test]
fn writing_leaves_no_mapping_and_no_descriptor() {
    if role().is_some() {
        let value = Config::sample(4);
        let directory = directory();
        let path = directory.path().join("one.grv");
        let file = File::create_new(directory.path().join("run")).unwrap();
        let length = graven::encoded_len(&value).unwrap();
        let write = || {
            graven::write(&path, &value).unwrap();
            graven::write_at(&file, PAGE, length, &value).unwrap();
        };
        write();
        let before = open_descriptors();
        write();
        assert_eq!(open_descriptors(), before);
        assert_eq!(mappings_of(directory.path()), []);
        tell("as before");
        drop(directory);
        done();
    }
    assert_eq!(told_by(other("writing_leaves_no_mapping_and_no_descriptor", "write")), ["as before"]);
}

// ---- H4: adopt from an independent open ----------------------------------------------------------------------------

/// H4
#[test]
fn a_segment_outlives_its_writer_its_name_and_the_descriptor_it_was_mapped_through() {
    let value = Config::sample(4);
    let length = graven::encoded_len(&value).unwrap();
    if let Some(path) = role().and_then(|role| path_in(&role, "write")) {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap();
        graven::write_at(file, 3 * PAGE, length, &value).unwrap();
        tell("written");
        done();
    }
    let directory = directory();
    let path = directory.path().join("run");
    let test = "a_segment_outlives_its_writer_its_name_and_the_descriptor_it_was_mapped_through";
    assert_eq!(told_by(other(test, &format!("write {}", path.display()))), ["written"]);

    let file = File::open(&path).unwrap();
    let descriptor = file.as_raw_fd();
    let segment = map_at(&file, 3 * PAGE, length).unwrap();
    drop(file);
    // Another test may have got the number by now, but not for this file.
    let link = fs::read_link(format!("/proc/self/fd/{descriptor}")).unwrap_or_default();
    assert!(!link.starts_with(&path), "{}", link.display());
    fs::remove_file(&path).unwrap();
    let config = segment.root::<Config>().unwrap();
    drop(segment);
    assert_eq!(*config, value);
}

// ---- H5: used like the original ------------------------------------------------------------------------------------

/// What programs ask of a config, owned or archived.
trait Ask {
    fn name(&self) -> &str;
    fn soft_limits(&self) -> impl Iterator<Item = u64>;
    fn weight(&self, key: u32) -> Option<&str>;
    fn allows(&self, user: &str) -> bool;
    fn below(&self) -> impl Iterator<Item = &Self>;
}

impl Ask for Config {
    fn name(&self) -> &str {
        &self.name
    }
    fn soft_limits(&self) -> impl Iterator<Item = u64> {
        self.limits.iter().map(|limits| limits.soft)
    }
    fn weight(&self, key: u32) -> Option<&str> {
        self.weights.get(&key).map(String::as_str)
    }
    fn allows(&self, user: &str) -> bool {
        matches!(&self.access, Access::Names { allowed, .. } if allowed.iter().any(|name| name == user))
    }
    fn below(&self) -> impl Iterator<Item = &Self> {
        self.below.iter()
    }
}

impl Ask for ArchivedConfig {
    fn name(&self) -> &str {
        &self.name
    }
    fn soft_limits(&self) -> impl Iterator<Item = u64> {
        self.limits.iter().map(|limits| limits.soft.to_native())
    }
    fn weight(&self, key: u32) -> Option<&str> {
        self.weights.get(&key.into()).map(|weight| weight.as_str())
    }
    fn allows(&self, user: &str) -> bool {
        matches!(&self.access, ArchivedAccess::Names { allowed, .. } if allowed.iter().any(|name| name == user))
    }
    fn below(&self) -> impl Iterator<Item = &Self> {
        self.below.iter()
    }
}

fn answers(config: &impl Ask, out: &mut Vec<String>) {
    out.push(config.name().to_owned());
    out.push(config.soft_limits().sum::<u64>().to_string());
    out.extend((0..50).filter_map(|key| config.weight(key).map(str::to_owned)));
    out.push(format!("{} {}", config.allows("root"), config.allows("nobody")));
    config.below().for_each(|below| answers(below, out));
}

/// H5
#[test]
fn one_generic_function_answers_alike_for_owned_and_adopted_values() {
    let value = Config::sample(5);
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &value).unwrap();
    let adopted = map(&path).unwrap().root::<Config>().unwrap();

    let (mut of_owned, mut of_adopted) = (Vec::new(), Vec::new());
    answers(&value, &mut of_owned);
    answers(&*adopted, &mut of_adopted);
    assert!(of_owned.len() > 200);
    assert_eq!(of_owned, of_adopted);
    assert_eq!(adopted.deserialize::<Config>().unwrap(), value);
}

// ---- H6: destroy ---------------------------------------------------------------------------------------------------

/// H6
#[test]
fn the_mapping_goes_with_the_last_handle() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Config::sample(2)).unwrap();

    let segment = map(&path).unwrap();
    assert_eq!(mappings_of(&path).len(), 1);
    let same = segment.clone();
    let config = segment.root::<Config>().unwrap();
    let name = config.project(|config| config.name.as_str());
    let last = name.clone();
    assert_eq!(mappings_of(&path).len(), 1, "handles share one mapping");
    drop(segment);
    drop(same);
    drop(config);
    drop(name);
    assert_eq!(mappings_of(&path).len(), 1);
    assert!(last.starts_with("level 2"));
    drop(last);
    assert_eq!(mappings_of(&path), []);
}

/// H6
#[test]
fn a_hundred_thousand_rounds_leave_as_many_mappings_and_descriptors_as_there_were() {
    if role().is_some() {
        let directory = directory();
        let path = directory.path().join("one.grv");
        graven::write(&path, &Limits { soft: 1, hard: Some(2) }).unwrap();
        let file = File::open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        let adopt = |round: u32| {
            let segment = match round % 2 {
                0 => map(&path).unwrap(),
                _ => map_at(&file, 0, length).unwrap(),
            };
            // Comparing layouts and validating are slow in debug builds, and map nothing.
            if round % 16 < 2 {
                assert_eq!(segment.root::<Limits>().unwrap().soft, 1);
            }
        };
        // What is made once per process, and what the allocator takes, comes first.
        (0..1000).for_each(adopt);
        let before = (mappings().len(), open_descriptors());
        (0..100_000).for_each(adopt);
        assert_eq!((mappings().len(), open_descriptors()), before);
        tell("as before");
        drop(directory);
        done();
    }
    let test = "a_hundred_thousand_rounds_leave_as_many_mappings_and_descriptors_as_there_were";
    assert_eq!(told_by(other(test, "adopt")), ["as before"]);
}

/// H6
#[test]
fn failed_adoptions_leave_no_mapping_and_no_descriptor() {
    if role().is_some() {
        let directory = directory();
        let (good, bad) = (directory.path().join("good.grv"), directory.path().join("bad.grv"));
        graven::write(&good, &7u64).unwrap();
        let mut bytes = fs::read(&good).unwrap();
        bytes[0] ^= 1;
        fs::write(&bad, bytes).unwrap();
        let fail = |_: u32| {
            map(&bad).unwrap_err();
            Segment::read(&bad).unwrap_err();
            map_at(File::open(&good).unwrap(), PAGE, PAGE).unwrap_err();
            Segment::map_sealed(File::open(&good).unwrap()).unwrap_err();
            map(&good).unwrap().root::<u32>().unwrap_err();
        };
        (0..100).for_each(fail);
        let before = (mappings().len(), open_descriptors());
        (0..1000).for_each(fail);
        assert_eq!((mappings().len(), open_descriptors()), before);
        tell("as before");
        drop(directory);
        done();
    }
    let test = "failed_adoptions_leave_no_mapping_and_no_descriptor";
    assert_eq!(told_by(other(test, "adopt")), ["as before"]);
}

// ---- H7: read-only -------------------------------------------------------------------------------------------------

/// H7; that no `&mut` is to be had is in `handles.rs`.
#[test]
fn the_kernel_knows_mapped_segments_as_shared_and_read_only() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Config::sample(2)).unwrap();
    let length = fs::metadata(&path).unwrap().len();
    let whole = map(&path).unwrap();
    let run = map_at(File::open(&path).unwrap(), 0, length).unwrap();
    for segment in [&whole, &run] {
        let mapping = mapping_at(segment.as_bytes().as_ptr().addr()).unwrap();
        assert_eq!(mapping.permissions, "r--s");
        assert_eq!(mapping.path, path.to_str().unwrap());
    }

    // Larger pages than the kernel's take another way to a mapping.
    let path = directory.path().join("large-pages.grv");
    let mut writer = graven::Writer::options().page_size(65536).create(&path).unwrap();
    writer.put("", &7u64).unwrap();
    writer.finish().unwrap();
    let segment = map(&path).unwrap();
    let address = segment.as_bytes().as_ptr().addr();
    assert!(address.is_multiple_of(65536));
    let mapping = mapping_at(address).unwrap();
    assert_eq!((mapping.permissions.as_str(), mapping.addresses.len()), ("r--s", segment.as_bytes().len()));
}

/// H7
#[test]
fn a_store_through_a_raw_pointer_kills_the_process_and_leaves_the_file() {
    if let Some(path) = role().and_then(|role| path_in(&role, "store")) {
        let segment = map(path).unwrap();
        let limits = segment.root::<Limits>().unwrap();
        tell("adopted");
        let pointer = std::ptr::from_ref(&*limits).cast_mut().cast::<u8>();
        // SAFETY: none. The test is about what the kernel does.
        unsafe { pointer.write_volatile(1) };
        tell("still alive");
        done();
    }
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &Limits { soft: 0, hard: None }).unwrap();
    let before = checksum(&fs::read(&path).unwrap());
    let test = "a_store_through_a_raw_pointer_kills_the_process_and_leaves_the_file";
    let output = other(test, &format!("store {}", path.display())).output().unwrap();
    assert_eq!(output.status.signal(), Some(nix::sys::signal::Signal::SIGSEGV as i32), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("@adopted") && !told.contains("@still alive"), "{told}");
    assert_eq!(checksum(&fs::read(&path).unwrap()), before);
}

// ---- H8: no flags --------------------------------------------------------------------------------------------------

/// H8
#[test]
fn every_reserved_byte_of_the_header_has_to_be_zero() {
    let whole = bytes_of(&Config::sample(1));
    let places = graven::format::Header::PLACES;
    let reserved = (0..graven::format::Header::SIZE).filter(|offset| {
        !places.iter().any(|place| (place.offset..place.offset + place.size).contains(offset))
    });
    let reserved: Vec<usize> = reserved.collect();
    assert!(reserved.contains(&28) && reserved.contains(&136) && reserved.contains(&247));
    for at in reserved {
        for value in [1, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            reseal_header(&mut bytes);
            let error = Segment::from_bytes(&bytes).unwrap_err();
            assert_eq!(error.errno(), EINVAL);
            let cause = error.cause();
            assert!(
                matches!(cause, Cause::Header(HeaderError::Reserved { offset, got }) if (*offset, *got) == (at, value))
            );
        }
    }
    // The word for incompatible features is the place where flags would be.
    for bit in 0..32 {
        let mut bytes = whole.clone();
        set_header(&mut bytes, "incompatible features", 1 << bit);
        reseal_header(&mut bytes);
        let error = Segment::from_bytes(&bytes).unwrap_err();
        assert_eq!(error.errno(), EINVAL);
        let unknown = 1u32 << bit;
        assert!(
            matches!(error.cause(), Cause::Header(HeaderError::UnsupportedFeature { unknown: bits }) if *bits == unknown)
        );
    }
    // Compatible features are for readers to ignore.
    let mut bytes = whole;
    set_header(&mut bytes, "compatible features", 0xffff_ffff);
    reseal_header(&mut bytes);
    Segment::from_bytes(&bytes).unwrap().root::<Config>().unwrap();
}

// ---- H11: alignment ------------------------------------------------------------------------------------------------

/// Offset and length of a run, and what is not aligned in it.
const UNALIGNED: [(u64, u64, &str); 8] = [
    (PAGE + 1, 2 * PAGE, "file offset"),
    (PAGE - 1, 2 * PAGE, "file offset"),
    (PAGE + 512, 2 * PAGE, "file offset"),
    (PAGE - 512, 2 * PAGE, "file offset"),
    (PAGE, 2 * PAGE + 1, "length"),
    (PAGE, 2 * PAGE - 1, "length"),
    (PAGE, 2 * PAGE + 512, "length"),
    (PAGE, 2 * PAGE - 512, "length"),
];

fn assert_unaligned(error: &graven::Error, offset: u64, length: u64, wrong: &str) {
    assert_eq!(error.errno(), EINVAL);
    let number = if wrong == "length" { length } else { offset };
    let cause = error.cause();
    assert!(
        matches!(cause, Cause::Unaligned { what, got, .. } if (*what, *got) == (wrong, number)),
        "{error}"
    );
    assert!(error.to_string().contains(&number.to_string()), "{error}");
}

/// H11
#[test]
fn a_run_off_page_boundaries_is_not_written_and_nothing_is_touched() {
    let file = patterned(4);
    for (offset, length, wrong) in UNALIGNED {
        let error = graven::write_at(&file, offset, length, &7u64).unwrap_err();
        assert_unaligned(&error, offset, length, wrong);
        assert!(contents(&file) == pattern(4 * PAGE));
    }
}

/// H11
#[test]
fn a_run_off_page_boundaries_is_not_adopted() {
    let file = patterned(4);
    graven::write_at(&file, PAGE, 2 * PAGE, &7u64).unwrap();
    let before = contents(&file);
    for (offset, length, wrong) in UNALIGNED {
        let error = map_at(&file, offset, length).unwrap_err();
        assert_unaligned(&error, offset, length, wrong);
        assert!(contents(&file) == before);
    }
    map_at(&file, PAGE, 2 * PAGE).unwrap();
}

// ---- H12: unlike write ---------------------------------------------------------------------------------------------

/// H12
#[test]
fn an_offset_where_no_segment_starts_is_refused() {
    let value = vec![0x5a5a_5a5au32; 5000];
    let length = graven::encoded_len(&value).unwrap();
    let file = patterned(2);
    graven::write_at(&file, 4 * PAGE, length, &value).unwrap();
    let end = 4 * PAGE + length;
    let cause = |offset: u64, length: u64| {
        let error = map_at(&file, offset, length).unwrap_err();
        assert_eq!(error.errno(), EINVAL, "{error}");
        match error.cause() {
            Cause::Header(header) => header.clone(),
            _ => panic!("{error}"),
        }
    };
    // Other data, a hole, the inside of the segment, the last page of the file, behind its end.
    assert!(matches!(cause(0, length), HeaderError::BadMagic { .. }));
    assert!(matches!(cause(2 * PAGE, length), HeaderError::Incomplete));
    assert!(matches!(cause(5 * PAGE, length), HeaderError::BadMagic { .. }));
    assert!(matches!(cause(end - PAGE, PAGE), HeaderError::BadMagic { .. } | HeaderError::Incomplete));
    assert!(matches!(cause(end, length), HeaderError::Truncated { got: 0, .. }));
    assert!(matches!(cause(1 << 40, length), HeaderError::Truncated { got: 0, .. }));
    assert_eq!(map_at(&file, 4 * PAGE, length).unwrap().root::<Vec<u32>>().unwrap().len(), 5000);
}

/// H12
#[test]
fn a_length_unlike_that_of_the_write_is_refused() {
    let value = vec![1u32; 5000];
    let length = graven::encoded_len(&value).unwrap();
    let file = patterned(20);
    graven::write_at(&file, PAGE, length, &value).unwrap();
    for wrong in [0, PAGE, length - PAGE, length + PAGE, 2 * length, 1 << 40] {
        let error = map_at(&file, PAGE, wrong).unwrap_err();
        assert_eq!(error.errno(), EINVAL, "{error}");
        use HeaderError::{Extended, Truncated};
        let lengths = match error.cause() {
            Cause::Header(Truncated { expected, got } | Extended { expected, got }) => (*expected, *got),
            _ => panic!("{error}"),
        };
        let header = graven::format::Header::SIZE as u64;
        assert_eq!(lengths, if wrong == 0 { (header, 0) } else { (length, wrong) }, "{error}");
    }
    // The run is as it was, but the file now ends before it does.
    file.set_len(length).unwrap();
    let error = map_at(&file, PAGE, length).unwrap_err();
    assert!(matches!(error.cause(), Cause::Header(HeaderError::Truncated { .. })), "{error}");
}

/// H12
#[test]
fn lengths_and_offsets_that_overflow_are_refused() {
    let file = patterned(2);
    for (offset, length) in [(u64::MAX - 4095, PAGE), (PAGE, u64::MAX - 4095), (1 << 63, 2 * PAGE)] {
        for error in [
            map_at(&file, offset, length).unwrap_err(),
            graven::write_at(&file, offset, length, &7u64).unwrap_err(),
        ] {
            assert_eq!(error.errno(), EINVAL);
            assert!(matches!(error.cause(), Cause::RunOverflows { .. }), "{error}");
        }
    }
    assert!(contents(&file) == pattern(2 * PAGE));
}

// ---- H13: layout ---------------------------------------------------------------------------------------------------

/// H13
#[test]
fn another_type_is_refused_with_what_differs() {
    let bytes = bytes_of(&Config::sample(2));
    let segment = Segment::from_bytes(&bytes).unwrap();
    for error in [
        segment.root::<Limits>().unwrap_err(),
        segment.root::<String>().unwrap_err(),
        segment.root::<Vec<Config>>().unwrap_err(),
    ] {
        assert_eq!(error.errno(), EINVAL);
        assert!(matches!(error.cause(), Cause::Layout(_)), "{error}");
        assert!(error.to_string().contains("layout differs: "), "{error}");
    }
    // SAFETY: the object is valid, whatever it is taken for.
    let unchecked = unsafe { segment.get_unchecked::<Limits>("") };
    assert!(matches!(unchecked.unwrap_err().cause(), Cause::Layout(_)), "unchecked or not");
}

/// A segment as another build would have written it, as far as its header tells.
fn foreign(change: impl Fn(&mut [u8])) -> graven::Error {
    let mut bytes = bytes_of(&Config::sample(2));
    change(&mut bytes);
    reseal_header(&mut bytes);
    let directory = directory();
    let path = directory.path().join("foreign.grv");
    fs::write(&path, &bytes).unwrap();
    let errors = [
        Segment::from_bytes(&bytes).unwrap_err(),
        Segment::read(&path).unwrap_err(),
        map(&path).unwrap_err(),
        map_at(File::open(&path).unwrap(), 0, bytes.len() as u64).unwrap_err(),
    ];
    for error in &errors {
        assert_eq!(error.errno(), EINVAL);
        assert_eq!(
            format!("{:?}", error.cause()),
            format!("{:?}", errors[0].cause()),
            "every way in says the same"
        );
    }
    let [error, ..] = errors;
    error
}

/// H13. Real segments of other builds are read in `.ci/run`.
/// [S4.2]
#[test]
fn segments_of_builds_with_other_features_are_refused_with_the_feature_to_build_with() {
    let native = graven::format::Payload::NATIVE;
    let message = |change: &dyn Fn(&mut [u8])| {
        let error = foreign(change);
        let message = error.to_string();
        match error.cause() {
            Cause::Header(HeaderError::ForeignPayload { segment, build }) => {
                assert_eq!(*build, native);
                assert_ne!(*segment, native);
            }
            _ => panic!("{error}"),
        }
        message
    };
    let endian = message(&|bytes| set_header(bytes, "endianness", u64::from(!native.big_endian)));
    assert!(endian.contains("big-endian") && endian.contains("`big_endian`"), "{endian}");
    let alignment = message(&|bytes| set_header(bytes, "alignment", u64::from(!native.unaligned)));
    assert!(alignment.contains("unaligned") && alignment.contains("`unaligned`"), "{alignment}");
    for width in [2, 4, 8].into_iter().filter(|&width| width != native.offset_width) {
        let text = message(&|bytes| set_header(bytes, "offset width", width.into()));
        assert!(text.contains(&format!("{}-bit offsets", 8 * u32::from(width))), "{text}");
        assert!(text.contains("`pointer_width_"), "{text}");
    }
}

/// H13
#[test]
fn other_format_versions_are_refused_with_the_version() {
    for version in [0, 2, 0xffff] {
        let error = foreign(|bytes| set_header(bytes, "format version", version));
        let cause = error.cause();
        assert!(
            matches!(cause, Cause::Header(HeaderError::UnsupportedVersion { got }) if u64::from(*got) == version)
        );
        assert!(error.to_string().contains(&format!("version {version}")), "{error}");
    }
}

/// H13
#[test]
fn segments_of_raw_pointers_are_refused_with_their_address() {
    let error = foreign(|bytes| {
        set_header(bytes, "mode", 1);
        set_header(bytes, "address", 0x1000_0000_0000);
    });
    assert!(matches!(error.cause(), Cause::Header(HeaderError::FixedMode { address: 0x1000_0000_0000 })));
    assert!(error.to_string().contains("0x100000000000"), "{error}");
}

/// H13: hwloc compares one number for all of this.
#[test]
fn each_refusal_of_a_header_has_a_message_of_its_own() {
    let mut messages: Vec<String> = [
        foreign(|bytes| bytes[0] = b'#'),
        foreign(|bytes| bytes[..256].fill(0)),
        foreign(|bytes| set_header(bytes, "format version", 9)),
        foreign(|bytes| set_header(bytes, "header length", 128)),
        foreign(|bytes| set_header(bytes, "incompatible features", 4)),
        foreign(|bytes| bytes[140] = 1),
        foreign(|bytes| set_header(bytes, "page size", 8000)),
        foreign(|bytes| set_header(bytes, "schema position", 4099)),
        foreign(|bytes| set_header(bytes, "schema length", 1 << 40)),
        foreign(|bytes| {
            set_header(bytes, "endianness", u64::from(!graven::format::Payload::NATIVE.big_endian))
        }),
        foreign(|bytes| set_header(bytes, "mode", 7)),
        foreign(|bytes| set_header(bytes, "length", 1 << 20)),
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 12, "{messages:#?}");
}

/// The descriptor may be of any kind that can be borrowed.
#[test]
fn runs_are_written_and_adopted_through_owned_and_borrowed_descriptors() {
    let file = tempfile::tempfile().unwrap();
    graven::write_at(&file, 0, 2 * PAGE, &7u64).unwrap();
    let owned: OwnedFd = file.into();
    graven::write_at(&owned, 2 * PAGE, 2 * PAGE, &8u64).unwrap();
    assert_eq!(*map_at(&owned, 0, 2 * PAGE).unwrap().root::<u64>().unwrap(), 7);
    assert_eq!(*map_at(owned, 2 * PAGE, 2 * PAGE).unwrap().root::<u64>().unwrap(), 8);
}

/// A name that may be a symbolic link, and is opened without waiting for anybody.
#[test]
fn opening_asks_for_nothing_but_reading() {
    let directory = directory();
    let path = directory.path().join("one.grv");
    graven::write(&path, &7u64).unwrap();
    // A directory of files that nobody may write, on a link: still adopted.
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(&path).unwrap();
    assert_eq!(*map(&link).unwrap().root::<u64>().unwrap(), 7);
    assert_eq!(*map_at(file, 0, 2 * PAGE).unwrap().root::<u64>().unwrap(), 7);
}
