//! H1 to H3: lengths, and writing into a run of a file.

use super::*;

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
    assert_eq!(told_by(other("writing::encoded_len_writes_nothing", "count")), ["nothing written"]);
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
    assert_eq!(
        told_by(other("writing::writing_leaves_no_mapping_and_no_descriptor", "write")),
        ["as before"]
    );
}
