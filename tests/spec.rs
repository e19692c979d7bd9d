//! SPEC.md says what the code does: its worked example is what the writer writes, byte for byte, and its table of the
//! header is the one that the code encodes and decodes with.
#![cfg(not(any(
    feature = "big_endian",
    feature = "unaligned",
    feature = "pointer_width_16",
    feature = "pointer_width_64"
)))]

use graven::Header;

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
