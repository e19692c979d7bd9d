//! Each cause for which a header is refused, produced; and that no changed byte is ever taken for a header.

mod common;

use graven_format::{Header, HeaderError, Mode, Payload, Section, View, checksum};

fn header() -> Header {
    common::segment().header
}

/// The bytes of the header after `change`, with a right checksum.
fn bytes(change: impl FnOnce(&mut Header)) -> [u8; Header::SIZE] {
    let mut header = header();
    change(&mut header);
    header.encode()
}

/// The header's bytes with others at `offset`, and a right checksum.
fn patched(offset: usize, patch: &[u8]) -> [u8; Header::SIZE] {
    let mut bytes = header().encode();
    bytes[offset..offset + patch.len()].copy_from_slice(patch);
    let sum = checksum(&bytes[..248]);
    bytes[248..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(change: impl FnOnce(&mut Header)) -> HeaderError {
    Header::decode(&bytes(change)).unwrap_err()
}

fn bad(field: &'static str, offset: usize, got: u64) -> HeaderError {
    HeaderError::BadField { field, offset, got }
}

#[test]
fn what_is_encoded_is_decoded() {
    for mode in [Mode::Relative, Mode::Fixed] {
        for (big_endian, offset_width, unaligned) in [(false, 4, false), (true, 2, true), (false, 8, true)] {
            let mut header = Header {
                compat: 0xfedc_ba98,
                payload: Payload { big_endian, offset_width, unaligned },
                mode,
                page_size: 65536,
                length: 3 << 16,
                address: 0x7000_0000_0000,
                file_offset: 0,
                generation: 0x0123_4567_89ab_cdef,
                schema: Section { position: 65552, length: 100 },
                directory: Section { position: 65656, length: 200 },
                relocations: Section::default(),
                schema_checksum: 1,
                directory_checksum: 2,
                relocations_checksum: 0,
            };
            assert_eq!(Header::decode(&header.encode()), Ok(header));
            if mode == Mode::Fixed {
                header.file_offset = 65536;
                header.relocations = Section { position: 65856, length: 16 };
                header.relocations_checksum = 3;
                assert_eq!(Header::decode(&header.encode()), Ok(header));
            }
        }
    }
}

#[test]
fn bytes_stand_where_the_specification_says() {
    let bytes = Header {
        compat: 0x0504_0302,
        payload: Payload { big_endian: true, offset_width: 2, unaligned: true },
        mode: Mode::Fixed,
        page_size: 0x4000,
        length: 0x1817_1615_1413_1211,
        address: 0x2827_2625_2423_2221,
        file_offset: 0x3837_3635_3433_3231,
        generation: 0x4847_4645_4443_4241,
        schema: Section { position: 0x51, length: 0x52 },
        directory: Section { position: 0x53, length: 0x54 },
        relocations: Section { position: 0x55, length: 0x56 },
        schema_checksum: 0x57,
        directory_checksum: 0x58,
        relocations_checksum: 0x59,
    }
    .encode();
    let mut expected = [0; 256];
    expected[..8].copy_from_slice(&[0x89, 0x67, 0x72, 0x61, 0x76, 0x65, 0x6e, 0x0a]);
    expected[8..10].copy_from_slice(&[1, 0]);
    expected[10..12].copy_from_slice(&[0, 1]);
    expected[16..20].copy_from_slice(&[2, 3, 4, 5]);
    expected[20..24].copy_from_slice(&[1, 2, 1, 1]);
    expected[24..28].copy_from_slice(&[0, 0x40, 0, 0]);
    for (at, low) in [(32, 0x11), (40, 0x21), (48, 0x31), (56, 0x41)] {
        expected[at..at + 8].copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7].map(|i| low + i));
    }
    for (at, value) in (64..136).step_by(8).zip(0x51..) {
        expected[at] = value;
    }
    let sum = checksum(&expected[..248]);
    expected[248..].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(bytes, expected);
}

#[test]
fn fewer_bytes_than_a_header_are_truncated() {
    let bytes = header().encode();
    for got in 0..256 {
        let expected = HeaderError::Truncated { expected: 256, got: got as u64 };
        assert_eq!(Header::decode(&bytes[..got]), Err(expected));
    }
}

#[test]
fn a_zero_header_is_incomplete_whatever_follows() {
    assert_eq!(Header::decode(&[0; 256]), Err(HeaderError::Incomplete));
    let mut segment = common::segment();
    segment.bytes[..256].fill(0);
    assert_eq!(View::open(&segment.bytes).unwrap_err(), HeaderError::Incomplete);
}

#[test]
fn another_magic_is_no_segment() {
    let got = *b"\x7fELF\x02\x01\x01\x00";
    assert_eq!(
        Header::decode(&patched(0, &got)),
        Err(HeaderError::BadMagic { got, expected: Header::MAGIC })
    );
}

#[test]
fn another_version_is_unsupported_and_the_remedy_depends_on_which() {
    let error = |got: u16| {
        let error = Header::decode(&patched(8, &got.to_le_bytes())).unwrap_err();
        assert_eq!(error, HeaderError::UnsupportedVersion { got });
        error.to_string()
    };
    assert!(error(2).ends_with("update the reader"));
    assert!(error(0).ends_with("write it again"));
}

#[test]
fn another_version_is_reported_even_where_its_checksum_is_unlike_ours() {
    let mut bytes = header().encode();
    bytes[8] = 2;
    assert_eq!(Header::decode(&bytes), Err(HeaderError::UnsupportedVersion { got: 2 }));
}

#[test]
fn another_header_length_is_damage() {
    let bytes = patched(10, &255u16.to_le_bytes());
    assert_eq!(Header::decode(&bytes), Err(HeaderError::HeaderLength { got: 255 }));
}

#[test]
fn a_wrong_checksum_is_reported_with_both_values() {
    let mut bytes = header().encode();
    let computed = checksum(&bytes[..248]);
    bytes[248] ^= 1;
    assert_eq!(Header::decode(&bytes), Err(HeaderError::BadChecksum { recorded: computed ^ 1, computed }));
}

#[test]
fn every_incompatible_bit_is_refused_and_no_compatible_one() {
    for bit in 0..32 {
        let unknown = 1u32 << bit;
        let bytes = patched(12, &unknown.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(HeaderError::UnsupportedFeature { unknown }));
        let compatible = patched(16, &unknown.to_le_bytes());
        assert_eq!(Header::decode(&compatible).unwrap().compat, unknown);
    }
}

#[test]
fn every_reserved_byte_has_to_be_zero() {
    for offset in (28..32).chain(136..248) {
        let bytes = patched(offset, &[7]);
        assert_eq!(Header::decode(&bytes), Err(HeaderError::Reserved { offset, got: 7 }));
    }
}

#[test]
fn unknown_values_of_the_payload_traits_are_bad_fields() {
    assert_eq!(Header::decode(&patched(20, &[2])), Err(bad("endianness", 20, 2)));
    for width in [0, 1, 3, 5, 16, 255] {
        assert_eq!(Header::decode(&patched(21, &[width])), Err(bad("offset width", 21, width.into())));
    }
    assert_eq!(Header::decode(&patched(22, &[2])), Err(bad("alignment", 22, 2)));
    assert_eq!(Header::decode(&patched(23, &[2])), Err(bad("mode", 23, 2)));
}

#[test]
fn page_sizes_are_powers_of_two_from_4_to_64_kib() {
    for got in [0, 1, 2048, 4095, 4097, 12288, 131072, 1 << 31, u32::MAX] {
        assert_eq!(decode(|header| header.page_size = got), HeaderError::PageSize { got });
    }
    for page_size in [4096, 8192, 16384, 32768, 65536] {
        let bytes = bytes(|header| {
            let page = u64::from(page_size);
            header.page_size = page_size;
            header.length = page * 2;
            header.schema.position = page;
            header.directory.position = page + header.schema.length.next_multiple_of(8);
        });
        assert_eq!(Header::decode(&bytes).unwrap().page_size, page_size);
    }
}

#[test]
fn a_length_that_is_no_number_of_pages_is_refused() {
    let error = HeaderError::Length { length: 8191, page_size: 4096 };
    assert_eq!(decode(|header| header.length = 8191), error);
}

#[test]
fn sections_out_of_order_or_bounds_are_refused() {
    let good = header();
    let schema_end = good.schema.end().unwrap();
    let schema = |position, length| {
        let got = Section { position, length };
        let error = HeaderError::SectionBounds { section: "schema", got, from: 4096, to: good.length };
        assert_eq!(decode(|header| header.schema = got), error);
    };
    schema(4088, 8);
    schema(0, 0);
    schema(4096, good.length);
    schema(good.length + 8, 0);
    schema(8, u64::MAX);
    schema(u64::MAX - 7, 16);
    let directory = |position, length| {
        let got = Section { position, length };
        let error =
            HeaderError::SectionBounds { section: "directory", got, from: schema_end, to: good.length };
        assert_eq!(decode(|header| header.directory = got), error);
    };
    directory(good.schema.position, 8);
    directory(good.directory.position, good.length);
    directory(u64::MAX - 7, 8);
    let empty = |header: &mut Header| header.length = 0;
    assert!(matches!(decode(empty), HeaderError::SectionBounds { section: "schema", to: 0, .. }));
}

#[test]
fn sections_start_at_multiples_of_eight() {
    let position = header().schema.position - 4;
    let error = HeaderError::SectionAlign { section: "schema", position };
    assert_eq!(decode(|header| header.schema.position = position), error);
    let position = header().directory.position + 4;
    let error = HeaderError::SectionAlign { section: "directory", position };
    assert_eq!(decode(|header| header.directory.position = position), error);
}

#[test]
fn a_relative_segment_has_neither_relocations_nor_a_file_offset() {
    let error = decode(|header| header.relocations.position = 4096);
    assert_eq!(error, bad("relocations position", 96, 4096));
    assert_eq!(decode(|header| header.relocations.length = 8), bad("relocations length", 104, 8));
    assert_eq!(decode(|header| header.relocations_checksum = 1), bad("relocations checksum", 128, 1));
    assert_eq!(decode(|header| header.file_offset = 4096), bad("file offset", 48, 4096));
}

#[test]
fn addresses_are_multiples_of_the_page_size_that_the_segment_fits_behind() {
    assert_eq!(decode(|header| header.address = 4097), bad("address", 40, 4097));
    let last = u64::MAX - 4095;
    assert_eq!(decode(|header| header.address = last), bad("address", 40, last));
    let address = 0x7000_0000_0000;
    assert_eq!(Header::decode(&bytes(|header| header.address = address)).unwrap().address, address);
}

/// [S4.3]
#[test]
fn a_fixed_segment_has_an_address_and_relocations_behind_the_directory() {
    let fixed = |change: fn(&mut Header)| {
        Header::decode(&bytes(|header| {
            header.mode = Mode::Fixed;
            header.address = 1 << 40;
            change(header);
        }))
    };
    assert_eq!(fixed(|_| ()).unwrap().mode, Mode::Fixed);
    assert_eq!(fixed(|header| header.address = 0), Err(bad("address", 40, 0)));
    assert_eq!(fixed(|header| header.file_offset = 100), Err(bad("file offset", 48, 100)));
    let error = fixed(|header| header.relocations = Section { position: 4096, length: 8 });
    assert!(matches!(error, Err(HeaderError::SectionBounds { section: "relocations", .. })));
    let error = fixed(|header| header.relocations = Section { position: 8190, length: 1 });
    assert_eq!(error, Err(HeaderError::SectionAlign { section: "relocations", position: 8190 }));
}

#[test]
fn a_segment_cut_at_any_length_is_truncated_and_one_byte_more_is_extended() {
    let mut bytes = common::segment().bytes;
    let length = bytes.len() as u64;
    for got in 0..length {
        let expected = if got < 256 { 256 } else { length };
        let error = View::open(&bytes[..got as usize]).unwrap_err();
        assert_eq!(error, HeaderError::Truncated { expected, got });
    }
    assert_eq!(View::open(&bytes).unwrap().bytes(), bytes);
    bytes.push(0);
    let error = HeaderError::Extended { expected: length, got: length + 1 };
    assert_eq!(View::open(&bytes).unwrap_err(), error);
}

#[test]
fn objects_of_another_build_are_foreign_and_the_message_names_the_features() {
    let build = Payload::NATIVE;
    let error = |segment: Payload| {
        let mut bytes = common::segment();
        bytes.header.payload = segment;
        bytes.seal();
        let error = View::open(&bytes.bytes).unwrap_err();
        assert_eq!(error, HeaderError::ForeignPayload { segment, build });
        assert_eq!(View::inspect(&bytes.bytes).unwrap().header().payload, segment);
        error.to_string()
    };
    let with = |yes| if yes { "with" } else { "without" };

    let swapped = error(Payload { big_endian: !build.big_endian, ..build });
    assert!(swapped.ends_with(&format!("{} the feature `big_endian`", with(!build.big_endian))), "{swapped}");
    let shifted = error(Payload { unaligned: !build.unaligned, ..build });
    assert!(shifted.ends_with(&format!("{} the feature `unaligned`", with(!build.unaligned))), "{shifted}");
    for offset_width in [2, 4, 8].into_iter().filter(|&width| width != build.offset_width) {
        let message = error(Payload { offset_width, ..build });
        for (width, feature) in [(2, "`pointer_width_16`"), (8, "`pointer_width_64`")] {
            let named = message.contains(&format!("with the feature {feature}"));
            assert_eq!(named, offset_width == width, "{message}");
            let named = message.contains(&format!("without the feature {feature}"));
            assert_eq!(named, build.offset_width == width, "{message}");
        }
        assert!(!message.contains("endian`") && !message.contains("`unaligned"), "{message}");
    }
}

#[test]
fn a_segment_of_raw_pointers_is_only_inspected() {
    let mut segment = common::segment();
    segment.header.mode = Mode::Fixed;
    segment.header.address = 1 << 40;
    segment.seal();
    assert_eq!(View::open(&segment.bytes).unwrap_err(), HeaderError::FixedMode { address: 1 << 40 });
    View::inspect(&segment.bytes).unwrap().verify().unwrap();
}

#[test]
fn every_changed_byte_of_a_header_is_refused() {
    let good = header().encode();
    for offset in 0..good.len() {
        for byte in common::changes(good[offset]) {
            let mut bytes = good;
            bytes[offset] = byte;
            let error = Header::decode(&bytes).expect_err("a changed header");
            let expected = match offset {
                0..8 => matches!(error, HeaderError::BadMagic { .. }),
                8..10 => matches!(error, HeaderError::UnsupportedVersion { .. }),
                10..12 => matches!(error, HeaderError::HeaderLength { .. }),
                _ => matches!(error, HeaderError::BadChecksum { .. }),
            };
            assert!(expected, "{byte:#04x} at {offset}: {error}");
        }
    }
}

#[test]
fn any_bytes_with_a_right_checksum_are_refused_or_are_exactly_the_header_they_decode_to() {
    let good = header().encode();
    let mut random = common::Random(1);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut bytes = good;
        for _ in 0..1 + random.below(3) {
            let offset = 12 + random.below(236) as usize;
            bytes[offset] = [0, 1, 4, 0xff, random.below(256) as u8][random.below(5) as usize];
        }
        let sum = checksum(&bytes[..248]);
        bytes[248..].copy_from_slice(&sum.to_le_bytes());
        if let Ok(header) = Header::decode(&bytes) {
            accepted += 1;
            assert_eq!(header.encode(), bytes);
            assert!(header.schema.end().unwrap() <= header.directory.position);
            assert!(header.directory.end().unwrap() <= header.length);
        }
    }
    assert!(accepted > 100, "the loop reaches the good case too: {accepted}");
}

#[test]
fn messages_say_where() {
    let error = Header::decode(&patched(140, &[9])).unwrap_err().to_string();
    assert!(error.contains("offset 140") && error.contains("0x09"), "{error}");
    let error = decode(|header| header.address = 5).to_string();
    assert!(error.contains("address at offset 40") && error.contains('5'), "{error}");
    let error = Header::decode(b"short").unwrap_err().to_string();
    assert!(error.starts_with("truncated: 256 bytes expected, 5 found"), "{error}");
}

/// [S8]
///
/// A header that breaks every rule is mended rule by rule; each time the first rule still broken is reported.
#[test]
fn the_checks_come_in_the_order_of_the_specification() {
    type Mend = (fn(&mut [u8; Header::SIZE]), fn(&HeaderError) -> bool);
    fn set(bytes: &mut [u8; Header::SIZE], at: usize, value: &[u8]) {
        bytes[at..at + value.len()].copy_from_slice(value);
    }
    let good = header();
    let mends: [Mend; 12] = [
        (|b| set(b, 0, &Header::MAGIC), |e| matches!(e, HeaderError::BadMagic { .. })),
        (|b| set(b, 8, &[1, 0]), |e| matches!(e, HeaderError::UnsupportedVersion { .. })),
        (|b| set(b, 10, &[0, 1]), |e| matches!(e, HeaderError::HeaderLength { .. })),
        (|_| {}, |e| matches!(e, HeaderError::BadChecksum { .. })),
        (|b| set(b, 12, &[0; 4]), |e| matches!(e, HeaderError::UnsupportedFeature { .. })),
        (|b| set(b, 28, &[0; 4]), |e| matches!(e, HeaderError::Reserved { offset: 28, .. })),
        (|b| set(b, 136, &[0; 112]), |e| matches!(e, HeaderError::Reserved { offset: 136, .. })),
        (|b| set(b, 20, &[0, 4, 0, 0]), |e| matches!(e, HeaderError::BadField { .. })),
        (|b| set(b, 24, &4096u32.to_le_bytes()), |e| matches!(e, HeaderError::PageSize { .. })),
        (|b| set(b, 32, &header().encode()[32..40]), |e| matches!(e, HeaderError::Length { .. })),
        (|b| set(b, 64, &header().encode()[64..96]), |e| matches!(e, HeaderError::SectionBounds { .. })),
        (|b| set(b, 40, &header().encode()[40..56]), |e| matches!(e, HeaderError::BadField { .. })),
    ];
    let mut bytes = good.encode().map(|byte| !byte);
    let mut sealed = false;
    for (i, (mend, expected)) in mends.iter().enumerate() {
        if sealed {
            let sum = checksum(&bytes[..248]);
            bytes[248..].copy_from_slice(&sum.to_le_bytes());
        }
        let error = Header::decode(&bytes).unwrap_err();
        assert!(expected(&error), "rule {i}: {error}");
        sealed |= matches!(error, HeaderError::BadChecksum { .. });
        mend(&mut bytes);
    }
    // Relocations are the last that is still wrong.
    let sum = checksum(&bytes[..248]);
    bytes[248..].copy_from_slice(&sum.to_le_bytes());
    assert!(Header::decode(&bytes).is_err());
    bytes[96..112].copy_from_slice(&good.encode()[96..112]);
    bytes[112..136].copy_from_slice(&good.encode()[112..136]);
    let sum = checksum(&bytes[..248]);
    bytes[248..].copy_from_slice(&sum.to_le_bytes());
    assert!(Header::decode(&bytes).is_ok());
}

/// [S8b]
#[test]
fn sections_are_checked_one_after_the_other_and_what_the_mode_wants_behind_them() {
    type Step = (fn(&mut Header), fn(&HeaderError) -> bool);
    fn is_bad(error: &HeaderError, name: &str) -> bool {
        matches!(error, HeaderError::BadField { field, .. } if *field == name)
    }
    fn is_bounds(error: &HeaderError, name: &str) -> bool {
        matches!(error, HeaderError::SectionBounds { section, .. } if *section == name)
    }
    fn is_align(error: &HeaderError, name: &str) -> bool {
        matches!(error, HeaderError::SectionAlign { section, .. } if *section == name)
    }
    // What mends a rule, and the rule; the last first.
    let relative: [Step; 9] = [
        (|h| h.address = 0, |e| is_bad(e, "address")),
        (|h| h.file_offset = 0, |e| is_bad(e, "file offset")),
        (|h| h.relocations_checksum = 0, |e| is_bad(e, "relocations checksum")),
        (|h| h.relocations.length = 0, |e| is_bad(e, "relocations length")),
        (|h| h.relocations.position = 0, |e| is_bad(e, "relocations position")),
        (|h| h.directory.position += 4, |e| is_align(e, "directory")),
        (|h| h.directory.length = 24, |e| is_bounds(e, "directory")),
        (|h| h.schema.position += 4, |e| is_align(e, "schema")),
        (|h| h.schema.length = 4, |e| is_bounds(e, "schema")),
    ];
    let fixed: [Step; 4] = [
        (|h| h.file_offset = 0, |e| is_bad(e, "file offset")),
        (|h| h.address = 4096, |e| is_bad(e, "address")),
        (|h| h.relocations.position += 4, |e| is_align(e, "relocations")),
        (|h| h.relocations.length = 8, |e| is_bounds(e, "relocations")),
    ];
    let mut broken = header();
    broken.schema = Section { position: 4100, length: u64::MAX };
    broken.directory = Section { position: 4124, length: u64::MAX };
    broken.relocations = Section { position: 4164, length: u64::MAX };
    (broken.relocations_checksum, broken.file_offset, broken.address) = (1, 1, 1);
    let mended = |mut broken: Header, steps: &[Step]| {
        for (mend, expected) in steps.iter().rev() {
            let error = Header::decode(&broken.encode()).unwrap_err();
            assert!(expected(&error), "{error}");
            mend(&mut broken);
        }
        assert_eq!(Header::decode(&broken.encode()), Ok(broken));
        broken
    };
    let whole = mended(broken, &relative);
    broken = Header { mode: Mode::Fixed, address: 1, ..whole };
    (broken.relocations, broken.file_offset) = (Section { position: 4164, length: u64::MAX }, 1);
    mended(broken, &fixed);
}
