//! SPEC.md says what the code does: its worked example is what the writer writes, byte for byte, and its table of the
//! header is the one that the code encodes and decodes with.
#![cfg(not(any(
    feature = "big_endian",
    feature = "unaligned",
    feature = "pointer_width_16",
    feature = "pointer_width_64"
)))]

use graven::format::{Header, RegionHeader};

const SPEC: &str = include_str!("../SPEC.md");

#[graven::object]
struct Sample {
    id: u32,
    name: String,
    ports: Vec<u16>,
}

fn segment() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sample.grv");
    let sample = Sample { id: 7, name: "twelve bytes".into(), ports: vec![80, 443] };
    graven::write(&path, &sample).unwrap();
    std::fs::read(path).unwrap()
}

/// Lines of the worked example: `+0x1000 | 50 00 | u16 | 80 | why`.
fn example() -> impl Iterator<Item = (usize, Vec<u8>)> {
    let lines = SPEC.lines().filter_map(|line| line.strip_prefix("+0x"));
    lines.map(|line| {
        let mut cells = line.split('|').map(str::trim);
        let offset = usize::from_str_radix(cells.next().unwrap(), 16).unwrap();
        let bytes = cells.next().unwrap().split(' ');
        (offset, bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect())
    })
}

#[test]
fn the_worked_example_is_what_the_writer_writes() {
    let written = segment();
    let mut described = vec![0; written.len()];
    let mut end = 0;
    for (offset, bytes) in example() {
        assert!(offset >= end, "+0x{offset:x} overlaps the line before");
        end = offset + bytes.len();
        described[offset..end].copy_from_slice(&bytes);
    }
    for (i, (written, described)) in written.chunks(16).zip(described.chunks(16)).enumerate() {
        assert_eq!(written, described, "at +0x{:x}", i * 16);
    }
}

#[test]
fn the_header_table_is_the_one_of_the_code() {
    for place in Header::PLACES {
        let row = format!("| {} | {} | {} |", place.offset, place.size, place.name);
        assert!(SPEC.contains(&row), "SPEC.md has no row {row:?}");
    }
}

#[test]
fn the_tables_of_a_region_are_those_of_the_code() {
    for place in RegionHeader::PLACES {
        let row = format!("| {} | {} | {} |", place.offset, place.size, place.name);
        assert!(SPEC.contains(&row), "SPEC.md has no row {row:?}");
    }
    for (offset, word) in [
        (RegionHeader::HOLDERS, "holders"),
        (RegionHeader::RELEASES, "releases"),
        (RegionHeader::WAITING, "waiting"),
        (RegionHeader::NOTIFICATIONS, "notifications"),
        (RegionHeader::WATCHERS, "watchers"),
        (RegionHeader::OWNED, "owned"),
        (RegionHeader::BELL as usize, "bell"),
    ] {
        let row = format!("| {offset} | {word}");
        assert!(SPEC.contains(&row), "SPEC.md has no row {row:?}");
    }
}

/// [S9]
#[test]
fn a_segment_has_no_holes() {
    use nix::unistd::{Whence, lseek};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zeros.grv");
    // Zeros of every kind: in the object, in a large header page, in padding.
    let mut writer = graven::Writer::options().page_size(65536).create(&path).unwrap();
    writer.put("zeros", &vec![0u64; 100_000]).unwrap();
    let length = writer.finish().unwrap().length;
    let file = std::fs::File::open(&path).unwrap();
    assert_eq!(lseek(&file, 0, Whence::SeekHole), Ok(length as i64));
}

#[test]
fn a_segment_of_larger_pages_than_the_kernels_is_mapped_at_a_multiple_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.grv");
    let mut writer = graven::Writer::options().page_size(65536).create(&path).unwrap();
    writer.put("", &vec![1u64, 2, 3]).unwrap();
    assert_eq!(writer.finish().unwrap().length, 2 * 65536);
    let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().matches("large.grv").count();
    // Neighbours of one page each make it unlikely that an address is aligned by chance.
    let mut segments = Vec::new();
    for _ in 0..20 {
        // SAFETY: the file is this test's own.
        let segment = unsafe { graven::Segment::map(&path) }.unwrap();
        assert!(segment.as_bytes().as_ptr().addr().is_multiple_of(65536));
        assert_eq!(segment.root::<Vec<u64>>().unwrap()[2], 3);
        segments.push((segment, tempfile::tempfile().unwrap()));
    }
    assert_eq!(mappings(), 20);
    drop(segments);
    assert_eq!(mappings(), 0);
}
