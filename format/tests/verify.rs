//! Each cause for which `verify` refuses a segment, produced; and that no changed byte of a segment passes it.

mod common;

use common::{Random, Segment, Wide, build, changes, narrow_table, segment, wide_table};
use graven_format::layout::Shape;
use graven_format::{
    DirectoryError, Fingerprint, Mode, Payload, Schema, SchemaError, Section, VerifyError, View, checksum,
};

fn verify(segment: &Segment) -> VerifyError {
    segment.view().verify().unwrap_err()
}

/// What is found after bytes were changed and the checksums of schema, directory and header made right again.
fn sealed(at: u64, patch: &[u8]) -> VerifyError {
    verify(segment().patch(at, patch).seal())
}

fn sums(section: Section, before: &Segment, after: &Segment) -> (Section, u64, u64) {
    let sum = |segment: &Segment| checksum(section.of(&segment.bytes).unwrap());
    (section, sum(before), sum(after))
}

#[test]
fn a_segment_as_written_passes() {
    let segment = segment();
    let view = View::open(&segment.bytes).unwrap();
    assert_eq!(view.verify().unwrap().unchecked_types(), ["Narrow", "Wide"]);
    assert_eq!(view.check_schema(), Ok(()));
    let (index, wide) = view.find("wide").unwrap().unwrap();
    assert_eq!(index, 1);
    assert_eq!(view.object_bytes(&wide), (1..=32).collect::<Vec<u8>>());
    assert_eq!(view.table_bytes(&wide), wide_table());
    assert!(matches!(Schema::decode(view.table_bytes(&wide)).unwrap().root().shape, Shape::Opaque { .. }));
    assert_eq!(view.find("none"), Ok(None));
    assert_eq!(build(&[], &[]).view().verify(), Ok(Default::default()));
}

#[test]
fn an_entry_of_another_segment_gives_no_bytes_out_of_bounds() {
    let segment = segment();
    let mut entry = segment.directory().entry(1).unwrap();
    entry.object.length = 1 << 40;
    entry.schema.position = u64::MAX;
    assert!(segment.view().object_bytes(&entry).is_empty());
    assert!(segment.view().table_bytes(&entry).is_empty());
}

#[test]
fn the_header_page_is_zero_behind_the_header() {
    for offset in [256, 300, 4095] {
        assert_eq!(sealed(offset, &[9]), VerifyError::HeaderPage { position: offset, got: 9 });
    }
}

#[test]
fn a_changed_schema_is_reported_with_both_checksums() {
    let good = segment();
    let mut bad = good.clone();
    bad.patch(good.header.schema.position + 20, &[0xee]);
    let (section, recorded, computed) = sums(good.header.schema, &good, &bad);
    let error = VerifyError::SchemaChecksum { section, recorded, computed };
    assert_eq!(verify(&bad), error);
    assert_eq!(bad.view().check_schema(), Err(error));
}

#[test]
fn a_changed_directory_is_reported_with_both_checksums() {
    let good = segment();
    let mut bad = good.clone();
    bad.patch(good.entry(0, 80), &[!good.bytes[good.entry(0, 80) as usize]]);
    let (section, recorded, computed) = sums(good.header.directory, &good, &bad);
    assert_eq!(verify(&bad), VerifyError::DirectoryChecksum { section, recorded, computed });
}

#[test]
fn changed_relocations_are_reported_with_both_checksums() {
    let mut good = segment();
    good.header.mode = Mode::Fixed;
    good.header.address = 1 << 32;
    let position = good.header.directory.end().unwrap().next_multiple_of(8);
    good.header.relocations = Section { position, length: 16 };
    good.patch(position, &[7; 16]).seal();
    good.view().verify().unwrap();
    let mut bad = good.clone();
    bad.patch(position, &[8]);
    let (section, recorded, computed) = sums(good.header.relocations, &good, &bad);
    assert_eq!(verify(&bad), VerifyError::RelocationsChecksum { section, recorded, computed });

    good.patch(position - 1, &[1]);
    let error = VerifyError::Padding { before: "the relocations section", position: position - 1, got: 1 };
    assert_eq!(verify(&good), error);
}

#[test]
fn padding_between_the_parts_is_zero() {
    let good = segment();
    let padding = |before, offset| {
        assert_eq!(sealed(offset, &[4]), VerifyError::Padding { before, position: offset, got: 4 });
    };
    let tables: Vec<Section> = good.directory().iter().map(|entry| entry.unwrap().schema).collect();
    assert!(tables[0].end().unwrap() < tables[1].position, "the test needs a gap");
    padding("a schema table", tables[0].end().unwrap());
    assert!(good.header.schema.end().unwrap() < good.header.directory.position, "the test needs a gap");
    padding("the directory", good.header.schema.end().unwrap());
    padding("the segment's end", good.header.directory.end().unwrap());
    padding("the segment's end", good.header.length - 1);

    let mut short = build(&[("odd", vec![1; 33], 0, 32, 0)], &[wide_table()]);
    let offset = short.header.schema.position - 1;
    short.patch(offset, &[4]);
    assert_eq!(
        verify(&short),
        VerifyError::Padding { before: "the schema section", position: offset, got: 4 }
    );
}

#[test]
fn padding_between_objects_is_zero() {
    let error = VerifyError::ObjectPadding { name: "wide".into(), position: 4120, got: 4 };
    assert_eq!(sealed(4120, &[4]), error);
}

#[test]
fn a_damaged_directory_is_reported_as_such() {
    let (good, computed) = (segment(), checksum(b"wide"));
    let offset = good.entry(1, 0);
    let error = DirectoryError::NameHash { name: "wide".into(), position: offset, recorded: 0, computed };
    assert_eq!(sealed(offset, &[0; 8]), VerifyError::Directory(error));
    let offset = good.header.directory.position + 8;
    let error = DirectoryError::SlotCount { position: offset, slots: 5, entries: 3 };
    assert_eq!(sealed(offset, &[5]), VerifyError::Directory(error));
}

/// [S6.1a]
#[test]
fn schema_tables_stand_back_to_back_and_all_are_used() {
    let unused = build(&[("a", vec![0; 8], 0, 16, 0)], &[narrow_table(), wide_table()]);
    let offset = unused.directory().entry(0).unwrap().schema.end().unwrap();
    let bytes = unused.header.schema.end().unwrap() - offset;
    assert_eq!(verify(&unused), VerifyError::UnusedTable { position: offset, bytes });

    let skipped = build(&[("a", vec![0; 32], 0, 32, 1)], &[narrow_table(), wide_table()]);
    let table = skipped.directory().entry(0).unwrap().schema;
    let expected = skipped.header.schema.position;
    assert_eq!(verify(&skipped), VerifyError::TablePosition { name: "a".into(), table, expected });

    // The same start with another length is another table, and overlaps the first.
    let mut overlapping = segment();
    let mut table = overlapping.directory().entry(2).unwrap().schema;
    table.length += 1;
    overlapping.patch(overlapping.entry(2, 48), &table.length.to_le_bytes()).seal();
    let expected = overlapping.directory().entry(1).unwrap().schema.position;
    assert_eq!(verify(&overlapping), VerifyError::TablePosition { name: "routes".into(), table, expected });
}

/// [S6.1a]
#[test]
fn schema_tables_may_stand_in_any_order_and_equal_ones_twice() {
    let objects =
        [("first", vec![0; 32], 0, 32, 1), ("second", vec![0; 8], 0, 16, 0), ("", vec![0; 32], 0, 32, 2)];
    build(&objects, &[narrow_table(), wide_table(), wide_table()]).view().verify().unwrap();
}

#[test]
fn a_schema_table_that_cannot_be_read_is_reported_with_the_object() {
    let table = segment().directory().entry(1).unwrap().schema;
    match sealed(table.position + 16, &[200]) {
        VerifyError::Table { name, table: at, error: SchemaError::BadCode { got: 200, .. } } => {
            assert_eq!((name.as_str(), at), ("wide", table));
        }
        other => panic!("{other:?}"),
    }
}

/// [S6.1e]
#[test]
fn a_schema_table_of_another_encoding_than_the_segments_is_refused() {
    let recorded = Payload { big_endian: !Payload::NATIVE.big_endian, ..Payload::NATIVE };
    let table = segment().directory().entry(0).unwrap().schema;
    let (name, segment) = (String::new(), Payload::NATIVE);
    let error = VerifyError::TablePayload { name, table, recorded, segment };
    assert_eq!(sealed(table.position + 8, &[u8::from(recorded.big_endian)]), error);
}

#[test]
fn a_table_with_equal_types_twice_is_refused() {
    let schema = Schema::of::<rkyv::tuple::ArchivedTuple2<bool, u8>>();
    let mut table = schema.encode();
    let number = table.windows(16).rposition(|ty| ty[..8] == [2, 0, 0, 0, 1, 0, 0, 0]).expect("the type u8");
    table[number..number + 3].copy_from_slice(&[1, 0, 0]); // now a second bool
    let segment = build(&[("", vec![0; 2], 0, 16, 0)], &[table]);
    let table = segment.directory().entry(0).unwrap().schema;
    assert_eq!(verify(&segment), VerifyError::TableNotCanonical { name: String::new(), table });
}

#[test]
fn a_fingerprint_that_is_not_its_schemas_is_refused() {
    let computed = Schema::of::<Wide>().fingerprint();
    let recorded = Fingerprint(!computed.0);
    let error = VerifyError::Fingerprint { name: "wide".into(), recorded, computed };
    assert_eq!(sealed(segment().entry(1, 24), &recorded.0.to_le_bytes()), error);
}

#[test]
fn an_alignment_too_small_for_the_types_is_refused() {
    let error = VerifyError::Alignment { name: "wide".into(), align: 16, needed: 32 };
    assert_eq!(sealed(segment().entry(1, 88), &[16]), error);
}

#[test]
fn an_object_too_short_for_its_root_is_refused() {
    let error = |root| VerifyError::RootSize { name: "wide".into(), root, size: 32, length: 32 };
    for root in [1, 32] {
        assert_eq!(sealed(segment().entry(1, 72), &[root]), error(root.into()));
    }
}

#[test]
fn a_root_that_is_not_aligned_for_its_type_is_refused() {
    let unaligned = build(&[("a", vec![0; 64], 16, 32, 0)], &[wide_table()]);
    assert_eq!(verify(&unaligned), VerifyError::RootAlign { name: "a".into(), root: 16, align: 32 });
}

#[test]
fn a_changed_object_is_reported_with_both_checksums() {
    let good = segment();
    let mut bad = good.clone();
    bad.patch(4160, &[0xee]);
    let object = Section { position: 4160, length: 8 };
    let (object, recorded, computed) = sums(object, &good, &bad);
    let error = VerifyError::ObjectChecksum { name: "routes".into(), object, recorded, computed };
    assert_eq!(verify(&bad), error);
}

/// Opens and verifies; and uses everything on the way, so that nothing panics.
fn passes(bytes: &[u8]) -> bool {
    let Ok(view) = View::open(bytes) else { return false };
    for name in ["", "wide", "routes", "x"] {
        if let Ok(Some((_, entry))) = view.find(name) {
            let _ = Schema::decode(view.table_bytes(&entry));
            assert!(view.object_bytes(&entry).len() <= bytes.len());
        }
    }
    if let Ok(directory) = view.directory() {
        assert!(directory.iter().count() == directory.len());
    }
    view.verify().map_err(|error| error.to_string()).is_ok()
}

#[test]
fn no_changed_byte_of_a_segment_passes() {
    let mut segment = segment();
    assert!(passes(&segment.bytes));
    // All changes of each byte that means something, one of each that is padding.
    let used = segment.header.directory.end().unwrap() as usize;
    for offset in 0..segment.bytes.len() {
        let byte = segment.bytes[offset];
        let meaning = offset < 256 || (4096..used).contains(&offset);
        for change in changes(byte).take(if meaning { 10 } else { 1 }) {
            segment.bytes[offset] = change;
            assert!(!passes(&segment.bytes), "{change:#04x} instead of {byte:#04x} at {offset}");
        }
        segment.bytes[offset] = byte;
    }
}

#[test]
fn segments_of_any_bytes_with_right_checksums_never_panic() {
    let good = segment();
    let parts = [good.header.schema, good.header.directory];
    let mut random = Random(5);
    for _ in 0..10_000 {
        let mut segment = good.clone();
        for _ in 0..1 + random.below(4) {
            let part = parts[random.below(2) as usize];
            let byte = [0, 1, 0x7f, 0xff, random.below(256) as u8][random.below(5) as usize];
            segment.patch(part.position + random.below(part.length), &[byte]);
        }
        segment.seal();
        passes(&segment.bytes);
    }
}

#[test]
fn any_number_of_objects_may_share_a_table() {
    let names: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
    let objects: Vec<_> = names.iter().map(|name| (name.as_str(), vec![1; 32], 0, 32, 0)).collect();
    let segment = build(&objects, &[wide_table()]);
    assert_eq!(segment.view().verify().unwrap().unchecked_types(), ["Wide"]);
}

#[test]
fn messages_name_the_object_and_the_offset() {
    let error = sealed(4121, &[4]).to_string();
    assert!(error.contains("object \"wide\"") && error.contains("4121"), "{error}");
    let mut bad = segment();
    bad.patch(4096, &[0xee]);
    let error = verify(&bad).to_string();
    assert!(error.contains("the root object") && error.contains("24 bytes at position 4096"), "{error}");
}
