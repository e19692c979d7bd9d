//! H8, H11 to H13: flags, alignment, another offset, length or layout.

use super::*;

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
