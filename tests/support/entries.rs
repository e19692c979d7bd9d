//! Segments whose directory says what the caller likes: several entries over the same bytes, roots in the middle of
//! something, tables of other types. Header and checksums are right, so that nothing but the entries is in question.

use graven_format::{Directory, Entry, Fingerprint, Header, Mode, Payload, Section, checksum, directory};

/// Where the objects' bytes start.
pub(crate) const OBJECTS: u64 = Header::MIN_PAGE_SIZE as u64;

/// Tables as they lie in a schema section, and where.
pub(crate) struct Tables {
    pub(crate) bytes: Vec<u8>,
    /// From the start of the section.
    pub(crate) at: Vec<Section>,
}

impl Tables {
    pub(crate) fn new(tables: &[Vec<u8>]) -> Tables {
        let (mut bytes, mut at) = (Vec::new(), Vec::new());
        for table in tables {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            at.push(Section { position: bytes.len() as u64, length: table.len() as u64 });
            bytes.extend(table);
        }
        Tables { bytes, at }
    }
}

/// What an entry says. Positions are from the start of the objects, and of the schema section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    pub(crate) object: Section,
    pub(crate) root: u64,
    pub(crate) table: Section,
    pub(crate) align: u32,
}

/// The segment with these entries, which are called by their numbers.
pub(crate) fn segment(objects: &[u8], tables: &Tables, aims: &[Aim]) -> Vec<u8> {
    let schema = Section {
        position: (OBJECTS + objects.len() as u64).next_multiple_of(8),
        length: tables.bytes.len() as u64,
    };
    let names: Vec<String> = (0..aims.len()).map(|number| number.to_string()).collect();
    let entries: Vec<Entry<'_>> = names
        .iter()
        .zip(aims)
        .map(|(name, aim)| Entry {
            name,
            fingerprint: Fingerprint(0),
            schema: Section { position: schema.position.saturating_add(aim.table.position), ..aim.table },
            object: Section { position: OBJECTS.saturating_add(aim.object.position), ..aim.object },
            root: aim.root,
            checksum: 0,
            align: aim.align,
        })
        .collect();
    let at = (schema.position + schema.length).next_multiple_of(8);
    let encoded = directory::encode(&entries, at);
    let length = (at + encoded.len() as u64).next_multiple_of(OBJECTS);
    let header = Header {
        compat: 0,
        payload: Payload::NATIVE,
        mode: Mode::Relative,
        page_size: Header::MIN_PAGE_SIZE,
        length,
        address: 0,
        file_offset: 0,
        generation: 0,
        schema,
        directory: Section { position: at, length: encoded.len() as u64 },
        relocations: Section::default(),
        schema_checksum: checksum(&tables.bytes),
        directory_checksum: checksum(&encoded),
        relocations_checksum: 0,
    };
    let mut bytes = vec![0; length as usize];
    let parts: [(u64, &[u8]); 4] =
        [(0, &header.encode()), (OBJECTS, objects), (schema.position, &tables.bytes), (at, &encoded)];
    for (at, part) in parts {
        bytes[at as usize..][..part.len()].copy_from_slice(part);
    }
    assert!(Directory::new(&bytes, &header).is_ok());
    bytes
}
