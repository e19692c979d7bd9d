//! Each cause for which a directory or an entry is refused, produced; and that names find what they should.

mod common;

use common::{Random, Segment, build, narrow_table, segment};
use graven_format::directory::{check_name, encode};
use graven_format::{Directory, DirectoryError, Entry, Fingerprint, NameError, Section, checksum};

fn le(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

/// What entry 1 (`wide`) is refused for, after bytes of it are changed.
fn entry_error(offset: u64, patch: &[u8]) -> DirectoryError {
    let mut segment = segment();
    segment.patch(segment.entry(1, offset), patch);
    let error = segment.directory().entry(1).unwrap_err();
    // Finding and checking come across it too; the other entries do not.
    assert_eq!(segment.directory().check(), Err(error.clone()));
    assert_eq!(segment.directory().find("wide"), Err(error.clone()));
    assert!(segment.directory().find("routes").unwrap().is_some());
    error
}

/// What the whole directory is refused for.
fn check_error(segment: &Segment) -> DirectoryError {
    segment.directory().check().unwrap_err()
}

fn named(names: &[&str]) -> Segment {
    let objects: Vec<_> = names.iter().map(|name| (*name, vec![0; 8], 0, 16, 0)).collect();
    build(&objects, &[narrow_table()])
}

#[test]
fn what_is_encoded_is_read_and_found() {
    let segment = segment();
    let directory = segment.directory();
    assert_eq!((directory.len(), directory.is_empty()), (3, false));
    assert_eq!(directory.check(), Ok(()));
    let entries: Vec<Entry<'_>> = directory.iter().map(Result::unwrap).collect();
    assert_eq!(entries.iter().map(|entry| entry.name).collect::<Vec<_>>(), ["", "wide", "routes"]);
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(directory.entry(index), Ok(*entry));
        assert_eq!(directory.find(entry.name), Ok(Some((index, *entry))));
    }
    assert_eq!(entries[1].object, Section { position: 4128, length: 32 });
    assert_eq!(entries[1].align, 32);
    assert_eq!(directory.find("Wide"), Ok(None));
    let again = encode(&entries, segment.header.directory.position);
    assert_eq!(segment.header.directory.of(&segment.bytes), Some(&again[..]));
}

#[test]
fn bytes_stand_where_the_specification_says() {
    let entry = Entry {
        name: "ab",
        fingerprint: Fingerprint(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100),
        schema: Section { position: 0x11, length: 0x12 },
        object: Section { position: 0x13, length: 0x14 },
        root: 0x15,
        checksum: 0x16,
        align: 0x17,
    };
    let bytes = encode(&[entry], 0x1000);
    let mut expected = vec![0; 16 + 2 * 4 + 96 + 2];
    expected[0] = 1;
    expected[8] = 2;
    let hash = checksum(b"ab");
    expected[16 + 4 * (hash as usize & 1)] = 1;
    expected[24..32].copy_from_slice(&le(hash));
    expected[32..40].copy_from_slice(&le(0x1000 + 120));
    expected[40] = 2;
    expected[48..64].copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    for (at, value) in (64..120).step_by(8).zip(0x11..) {
        expected[at] = value;
    }
    expected[120..].copy_from_slice(b"ab");
    assert_eq!(bytes, expected);
}

#[test]
fn a_directory_of_nothing_has_one_empty_slot() {
    let bytes = encode(&[], 4096);
    let mut expected = vec![0; 24];
    expected[8] = 1;
    assert_eq!(bytes, expected);
    let segment = build(&[], &[]);
    assert_eq!(segment.directory().check(), Ok(()));
    assert!(segment.directory().is_empty());
    assert_eq!(segment.directory().find(""), Ok(None));
}

#[test]
fn each_of_many_names_is_found_and_no_other() {
    for count in [1, 2, 3, 4, 5, 7, 8, 9, 100, 3000] {
        let names: Vec<String> = (0..count).map(|i| format!("object {i}")).collect();
        let segment = named(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let directory = segment.directory();
        assert_eq!(directory.check(), Ok(()));
        for (index, name) in names.iter().enumerate() {
            assert_eq!(directory.find(name).unwrap().unwrap().0, index);
        }
        assert_eq!(directory.find("object").unwrap(), None);
        assert!(segment.slots().is_power_of_two() && segment.slots() < 4 * count.max(1));
    }
}

#[test]
fn names_have_at_most_255_bytes_and_no_control_characters() {
    assert_eq!(check_name(""), Ok(()));
    assert_eq!(check_name(&"é".repeat(127)), Ok(()));
    assert_eq!(check_name(&"é".repeat(128)), Err(NameError::TooLong { length: 256 }));
    for character in ['\0', '\n', '\x1f', '\x7f', '\u{80}', '\u{9f}'] {
        let name = format!("ü{character}");
        assert_eq!(check_name(&name), Err(NameError::Control { offset: 2, character }));
    }
    assert_eq!(check_name(" ~\u{a0}\u{200b}/"), Ok(()));
}

#[test]
fn a_section_outside_the_segment_is_refused() {
    let segment = segment();
    let error = DirectoryError::Section { section: segment.header.directory, segment: 4200 };
    assert_eq!(Directory::new(&segment.bytes[..4200], &segment.header).unwrap_err(), error);
    let mut header = segment.header;
    header.directory.position = u64::MAX;
    let error = Directory::new(&segment.bytes, &header).unwrap_err();
    assert!(matches!(error, DirectoryError::Section { .. }));
}

#[test]
fn a_section_too_short_for_its_counts_is_truncated() {
    let mut segment = segment();
    let truncated = |segment: &Segment| match Directory::new(&segment.bytes, &segment.header) {
        Err(DirectoryError::Truncated { entries, slots, .. }) => (entries, slots),
        other => panic!("{other:?}"),
    };
    let length = segment.header.directory.length;
    for length in 0..16 {
        segment.header.directory.length = length;
        assert_eq!(truncated(&segment), (0, 0));
    }
    for length in 16..length - "wideroutes".len() as u64 {
        segment.header.directory.length = length;
        assert_eq!(truncated(&segment), (3, 8));
    }
    segment.header.directory.length = length;
    let position = segment.header.directory.position;
    segment.patch(position + 8, &le(1 << 63));
    assert_eq!(truncated(&segment), (3, 1 << 63));
    segment.patch(position, &le(u32::MAX.into()));
    segment.patch(position + 8, &le(1 << 33));
    assert_eq!(truncated(&segment), (u32::MAX.into(), 1 << 33));
}

#[test]
fn more_entries_than_a_slot_can_count_are_refused() {
    let mut segment = segment();
    let offset = segment.header.directory.position;
    for entries in [1 << 32, u64::MAX] {
        segment.patch(offset, &le(entries));
        let error = Directory::new(&segment.bytes, &segment.header).unwrap_err();
        assert_eq!(error, DirectoryError::TooMany { position: offset, entries });
    }
}

#[test]
fn the_slots_are_a_power_of_two_and_twice_the_entries() {
    let mut segment = segment();
    let offset = segment.header.directory.position + 8;
    for slots in [0, 1, 2, 4, 6, 7, 9, u64::MAX] {
        segment.patch(offset, &le(slots));
        let error = Directory::new(&segment.bytes, &segment.header).unwrap_err();
        assert_eq!(error, DirectoryError::SlotCount { position: offset, slots, entries: 3 });
    }
}

#[test]
fn an_entry_that_is_not_there_is_an_error() {
    let segment = segment();
    for index in [3, usize::MAX] {
        let error = DirectoryError::NoEntry { index, entries: 3 };
        assert_eq!(segment.directory().entry(index), Err(error));
    }
}

#[test]
fn reserved_bytes_of_an_entry_have_to_be_zero() {
    for offset in [20, 92] {
        let error = entry_error(offset, &[0, 0, 3, 0]);
        let offset = segment().entry(1, offset);
        assert_eq!(error, DirectoryError::Reserved { position: offset, got: 0x30000 });
    }
}

/// [S4.4c]
#[test]
fn padding_behind_the_slots_has_to_be_zero() {
    let mut segment = build(&[], &[]);
    let offset = segment.slot(1);
    segment.patch(offset + 1, &[5]);
    assert_eq!(check_error(&segment), DirectoryError::Reserved { position: offset, got: 0x500 });
}

#[test]
fn a_name_outside_the_names_is_refused() {
    let good = segment();
    let from = good.entry(3, 0);
    let to = good.header.directory.end().unwrap();
    let bounds = |position, length| DirectoryError::NameBounds {
        entry: 1,
        name: Section { position, length },
        from,
        to,
    };
    for position in [0, 4096, from - 1, to - 3, to + 1, u64::MAX - 3, u64::MAX] {
        assert_eq!(entry_error(8, &le(position)), bounds(position, 4));
    }
    assert_eq!(entry_error(16, &11u32.to_le_bytes()), bounds(from, 11));
    assert_eq!(entry_error(16, &u32::MAX.to_le_bytes()), bounds(from, u32::MAX.into()));
}

#[test]
fn a_name_that_is_not_utf8_is_refused_with_the_first_wrong_byte() {
    let mut segment = segment();
    let names = segment.entry(3, 0);
    segment.patch(names + 2, &[0xff]);
    let error = DirectoryError::NameNotUtf8 { entry: 1, position: names + 2 };
    assert_eq!(segment.directory().entry(1), Err(error.clone()));
    assert_eq!(check_error(&segment), error);
}

#[test]
fn a_name_that_no_object_may_have_is_refused() {
    let mut segment = named(&["wide\u{7e}", &"x".repeat(255)]);
    let names = segment.entry(2, 0);
    segment.patch(names + 4, &[0x7f]);
    let error = NameError::Control { offset: 4, character: '\u{7f}' };
    assert_eq!(check_error(&segment), DirectoryError::Name { entry: 0, position: names, error });
    segment.patch(names + 4, b"~");
    segment.patch(segment.entry(0, 16), &256u32.to_le_bytes());
    let error = NameError::TooLong { length: 256 };
    assert_eq!(check_error(&segment), DirectoryError::Name { entry: 0, position: names, error });
}

#[test]
fn a_schema_table_outside_the_schema_section_is_refused() {
    let section = segment().header.schema;
    let length = segment().directory().entry(1).unwrap().schema.length;
    for position in [0, section.position - 8, section.end().unwrap() - 8, u64::MAX - 7] {
        let table = Section { position, length };
        let error = DirectoryError::TableBounds { name: "wide".into(), table, section };
        assert_eq!(entry_error(40, &le(position)), error);
    }
    assert!(matches!(entry_error(48, &le(u64::MAX)), DirectoryError::TableBounds { .. }));
}

#[test]
fn a_schema_table_starts_at_a_multiple_of_eight() {
    let position = segment().directory().entry(1).unwrap().schema.position - 4;
    let error = DirectoryError::TableAlign { name: "wide".into(), position };
    assert_eq!(entry_error(40, &le(position)), error);
}

#[test]
fn an_alignment_is_a_power_of_two_from_16_to_the_page_size() {
    for align in [0, 1, 8, 24, 8192, 1 << 31, u32::MAX] {
        let offset = segment().entry(1, 88);
        let error =
            DirectoryError::ObjectAlignment { name: "wide".into(), position: offset, align, page_size: 4096 };
        assert_eq!(entry_error(88, &align.to_le_bytes()), error);
    }
}

#[test]
fn an_object_outside_the_objects_part_is_refused() {
    let to = segment().header.schema.position;
    let bounds = |position, length| DirectoryError::ObjectBounds {
        name: "wide".into(),
        object: Section { position, length },
        from: 4096,
        to,
    };
    for position in [0, 4064, to, u64::MAX - 31] {
        assert_eq!(entry_error(56, &le(position)), bounds(position, 32));
    }
    for length in [to - 4128 + 1, u64::MAX - 4128, u64::MAX] {
        assert_eq!(entry_error(64, &le(length)), bounds(4128, length));
    }
}

#[test]
fn an_object_is_at_a_multiple_of_its_alignment() {
    let error = |position, align| DirectoryError::ObjectPosition { name: "wide".into(), position, align };
    assert_eq!(entry_error(56, &le(4112)), error(4112, 32));
    assert_eq!(entry_error(88, &64u32.to_le_bytes()), error(4128, 64));
}

#[test]
fn a_root_behind_its_object_is_refused() {
    for root in [33, u64::MAX] {
        let offset = segment().entry(1, 72);
        let error = DirectoryError::RootBounds { name: "wide".into(), position: offset, root, length: 32 };
        assert_eq!(entry_error(72, &le(root)), error);
    }
}

#[test]
fn a_slot_that_leads_nowhere_is_refused() {
    let mut segment = segment();
    let home = checksum(b"wide") % 8;
    for got in [4, u32::MAX] {
        let offset = segment.slot(home);
        segment.patch(offset, &got.to_le_bytes());
        let error = DirectoryError::Slot { position: offset, got, entries: 3 };
        assert_eq!(segment.directory().find("wide"), Err(error.clone()));
        assert_eq!(check_error(&segment), error);
    }
}

/// [S4.4a]
#[test]
fn a_search_in_slots_that_are_all_full_ends_with_an_error() {
    let mut segment = segment();
    for slot in 0..8 {
        segment.patch(segment.slot(slot), &[1]);
    }
    assert_eq!(segment.directory().find("nothing"), Err(DirectoryError::NoEmptySlot { slots: 8 }));
}

/// [S4.4c]
#[test]
fn a_hash_that_is_not_its_names_is_refused() {
    let mut segment = segment();
    let offset = segment.entry(1, 0);
    let computed = checksum(b"wide");
    segment.patch(offset, &le(computed ^ 256));
    let (name, recorded) = ("wide".to_owned(), computed ^ 256);
    assert_eq!(
        check_error(&segment),
        DirectoryError::NameHash { name, position: offset, recorded, computed }
    );
    assert_eq!(segment.directory().find("wide"), Ok(None));
}

#[test]
fn a_name_of_the_same_hash_is_not_taken_for_the_one_looked_for() {
    let mut segment = named(&["alone"]);
    let hash = checksum(b"other");
    segment.patch(segment.slot(0), &[0; 8]);
    segment.patch(segment.slot(hash % 2), &[1]);
    segment.patch(segment.entry(0, 0), &le(hash));
    assert_eq!(segment.directory().find("other"), Ok(None));
}

/// [S4.4c]
#[test]
fn names_stand_back_to_back() {
    let mut segment = segment();
    let names = segment.entry(3, 0);
    segment.patch(segment.entry(1, 0), &le(checksum(b"ide")));
    segment.patch(segment.entry(1, 8), &le(names + 1));
    segment.patch(segment.entry(1, 16), &[3]);
    let error = DirectoryError::NamePosition { name: "ide".into(), got: names + 1, expected: names };
    assert_eq!(check_error(&segment), error);
}

/// [S4.4c]
#[test]
fn nothing_stands_behind_the_last_name() {
    let mut segment = segment();
    let offset = segment.header.directory.end().unwrap();
    segment.header.directory.length += 3;
    assert_eq!(check_error(&segment), DirectoryError::Trailing { position: offset, bytes: 3 });
}

/// [S4.4c]
#[test]
fn objects_are_in_order_and_do_not_overlap() {
    let mut segment = segment();
    segment.patch(segment.entry(2, 56), &le(4144));
    let object = Section { position: 4144, length: 8 };
    let error = DirectoryError::ObjectOverlap { name: "routes".into(), object, free: 4160 };
    assert_eq!(check_error(&segment), error);
}

/// [S4.4c]
#[test]
fn two_objects_of_one_name_are_refused() {
    let mut segment = named(&["aa", "ab"]);
    let names = segment.entry(2, 0);
    segment.patch(names + 3, b"a");
    segment.patch(segment.entry(1, 0), &le(checksum(b"aa")));
    assert_eq!(check_error(&segment), DirectoryError::DuplicateName { name: "aa".into() });
}

/// [S4.4c]
#[test]
fn each_entry_is_in_exactly_one_slot() {
    let good = segment();
    let empty = (0..8).find(|&slot| good.u32_at(good.slot(slot)) == 0).unwrap();
    let full = (0..8).find(|&slot| good.u32_at(good.slot(slot)) == 2).unwrap();

    let mut segment = good.clone();
    segment.patch(good.slot(empty), &[2]);
    let slot = empty.max(full) as usize;
    assert_eq!(check_error(&segment), DirectoryError::DuplicateSlot { slot, entry: 1 });

    let mut segment = good.clone();
    segment.patch(good.slot(full), &[0]);
    assert_eq!(check_error(&segment), DirectoryError::NotIndexed { entry: 1 });
    assert_eq!(segment.directory().find("wide"), Ok(None));
}

/// [S4.4c]
#[test]
fn an_entry_behind_an_empty_slot_is_unreachable() {
    let mut segment = named(&["alone"]);
    let home = checksum(b"alone") % 2;
    segment.patch(segment.slot(home), &[0]);
    segment.patch(segment.slot(1 - home), &[1]);
    let (home, slot) = (home as usize, 1 - home as usize);
    assert_eq!(check_error(&segment), DirectoryError::Unreachable { entry: 0, slot, home });
    assert_eq!(segment.directory().find("alone"), Ok(None));
}

/// The slots are checked in one pass; the oracle is to search for each name.
#[test]
fn slots_pass_the_check_exactly_if_every_name_finds_its_entry() {
    let mut random = Random(7);
    let mut good = 0;
    for _ in 0..5_000 {
        let names: Vec<String> =
            (0..1 + random.below(4)).map(|_| random.below(1 << 40).to_string()).collect();
        let mut segment = named(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let slots = segment.slots();
        for slot in 0..slots {
            segment.patch(segment.slot(slot), &[0]);
        }
        for (entry, name) in names.iter().enumerate() {
            // Mostly near its home, so that good and bad tables both come up.
            let home = checksum(name.as_bytes()) + random.below(2);
            let mut from_home = (0..slots).map(|step| (home + step) % slots);
            let slot = from_home.find(|&slot| segment.u32_at(segment.slot(slot)) == 0).unwrap();
            segment.patch(segment.slot(slot), &[entry as u8 + 1]);
        }
        let directory = segment.directory();
        let found = names
            .iter()
            .enumerate()
            .all(|(index, name)| directory.find(name).unwrap().is_some_and(|(found, _)| found == index));
        assert_eq!(directory.check().is_ok(), found);
        good += usize::from(found);
    }
    assert!((500..4_500).contains(&good), "both cases come up: {good}");
}

#[test]
fn a_directory_of_any_bytes_never_panics() {
    let good = segment();
    let section = good.header.directory;
    let mut random = Random(11);
    for _ in 0..20_000 {
        let mut segment = good.clone();
        for _ in 0..1 + random.below(4) {
            let at = section.position + random.below(section.length);
            let byte = [0, 1, 0x7f, 0xff, random.below(256) as u8][random.below(5) as usize];
            segment.patch(at, &[byte]);
        }
        let Ok(directory) = Directory::new(&segment.bytes, &segment.header) else { continue };
        let entries = directory.iter().filter(Result::is_ok).count();
        let found = ["", "wide", "routes", "x"].iter().filter_map(|name| directory.find(name).ok()).count();
        if directory.check().is_ok() {
            assert_eq!((entries, found), (3, 4));
        }
    }
}

#[test]
fn messages_name_the_object_and_the_offset() {
    let offset = segment().entry(1, 88).to_string();
    let error = entry_error(88, &[3, 0, 0, 0]).to_string();
    assert!(error.contains("object \"wide\"") && error.contains(&offset), "{error}");
    let mut segment = segment();
    segment.patch(segment.entry(0, 72), &le(99));
    assert!(check_error(&segment).to_string().contains("the root object"));
}

/// [S4.4b]
#[test]
fn a_damaged_entry_does_not_keep_the_others_from_being_found() {
    let mut segment = segment();
    let align = segment.entry(1, 88);
    let segment = segment.patch(align, &[3]).seal();
    let directory = segment.directory();
    assert!(matches!(directory.find("wide"), Err(DirectoryError::ObjectAlignment { .. })));
    assert_eq!(directory.find("routes").unwrap().unwrap().0, 2);
    assert_eq!(directory.find("").unwrap().unwrap().0, 0);
}
