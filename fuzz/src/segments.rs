//! Segments as fuzz data: without the zeros that make up most of a small one, and with a byte of flags before.

use graven::{Archive, Layout, Segment, Serialize, Serializer, Writer};
use graven_format::{Header, Section, checksum};

use crate::cases::sample;
use crate::types::*;

/// Make the checksums right.
const MEND: u8 = 1;
/// The data is the header and what follows the header page, without the zeros between and behind.
const PACKED: u8 = 2;
/// Let the header say the length that there is.
const LENGTH: u8 = 4;
/// The data is no segment, but several entries over the same bytes.
pub const SHARED: u8 = 8;
/// Pages of a segment made from fuzz data, at most.
const MAX_PAGES: usize = 8;
const PAGE: usize = Header::MIN_PAGE_SIZE as usize;

/// A segment as fuzz data.
pub fn pack(segment: &[u8]) -> Vec<u8> {
    let end = segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let body = segment.get(PAGE..end).unwrap_or_default();
    [&[MEND | PACKED | LENGTH], &segment[..Header::SIZE], body].concat()
}

/// The segment, or what is none, that fuzz data stands for.
pub fn unpack(data: &[u8]) -> Vec<u8> {
    let Some((flags, data)) = data.split_first() else { return Vec::new() };
    let mut bytes = data.to_vec();
    if flags & PACKED != 0 && data.len() >= Header::SIZE {
        let (header, body) = data.split_at(Header::SIZE);
        bytes = [header, &[0; PAGE - Header::SIZE], body].concat();
        bytes.resize(bytes.len().next_multiple_of(PAGE).min(MAX_PAGES * PAGE), 0);
    }
    let length = bytes.len() as u64;
    if flags & LENGTH != 0 {
        set(&mut bytes, "length", length);
    }
    if flags & MEND != 0 {
        mend(&mut bytes);
    }
    bytes
}

/// Makes the checksums right of whatever sections the header says there are.
fn mend(bytes: &mut [u8]) {
    if bytes.len() < Header::SIZE {
        return;
    }
    for name in ["schema", "directory"] {
        let section = Section {
            position: get(bytes, &format!("{name} position")),
            length: get(bytes, &format!("{name} length")),
        };
        if let Some(section) = section.of(bytes) {
            let sum = checksum(section);
            set(bytes, &format!("{name} checksum"), sum);
        }
    }
    let place = place("header checksum");
    let sum = checksum(&bytes[..place.offset]);
    set(bytes, "header checksum", sum);
}

fn place(name: &str) -> &'static graven_format::Place {
    Header::PLACES
        .iter()
        .find(|place| place.name == name)
        .unwrap_or_else(|| panic!("no {name:?} in a header"))
}

fn set(bytes: &mut [u8], name: &str, value: u64) {
    let place = place(name);
    if let Some(bytes) = bytes.get_mut(place.offset..place.offset + place.size) {
        bytes.copy_from_slice(&value.to_le_bytes()[..place.size]);
    }
}

fn get(bytes: &[u8], name: &str) -> u64 {
    let place = place(name);
    let mut number = [0; 8];
    number[..place.size].copy_from_slice(&bytes[place.offset..][..place.size]);
    u64::from_le_bytes(number)
}

/// Segments of none, one and several objects.
pub fn seeds() -> Vec<Vec<u8>> {
    fn one<T>(name: &str, value: &T) -> Vec<u8>
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        write(|writer| writer.put(name, value))
    }
    let several = |writer: &mut Writer| {
        writer.put("", &sample::<Node>(300))?;
        writer.put("numbers", &vec![1u32, 2, 3])?;
        writer.put("hashes", &sample::<Hashes>(300))?;
        writer.put("more numbers", &vec![7u32])
    };
    vec![
        write(|_| Ok(())),
        one("", &7u64),
        one("numbers", &vec![1u32, 2, 3]),
        one("", &sample::<Node>(200)),
        one("hashes", &sample::<Hashes>(200)),
        one("", &sample::<VerifiedEverywhere>(200)),
        write(several),
    ]
}

fn write(put: impl FnOnce(&mut Writer) -> graven::Result<()>) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("graven-seed-{}", std::process::id()));
    let written = || {
        let mut writer = Writer::create(&path)?;
        put(&mut writer)?;
        writer.finish()
    };
    written().expect("a segment in the directory for temporary files");
    let bytes = std::fs::read(&path).expect("just written");
    let _ = std::fs::remove_file(&path);
    assert_eq!(Segment::from_bytes(unpack(&pack(&bytes))).expect("a segment").as_bytes(), bytes);
    bytes
}
