//! Segments built by hand, so that each byte can be made wrong.
#![allow(dead_code)] // each test binary uses its part

use std::borrow::Cow;

use graven_format::layout::{Layout, Shape, Type, TypeRef};
use graven_format::{
    Directory, Entry, Fingerprint, Header, Mode, Payload, Schema, Section, View, checksum, directory,
};

/// A type with more alignment than any of rkyv's, in every build.
#[repr(C, align(32))]
pub(crate) struct Wide([u8; 32]);

// SAFETY: size and alignment are those of `Wide`; an opaque type says nothing else.
unsafe impl Layout for Wide {
    const TYPE: &'static Type<TypeRef> = &Type {
        name: Cow::Borrowed("Wide"),
        size: 32,
        align: 32,
        invariants: true,
        shape: Shape::Opaque { tag: Cow::Borrowed("wide/1") },
    };
}

/// A type of eight bytes. Neither table is a multiple of 8 long, so that there is padding behind both.
#[repr(C, align(8))]
pub(crate) struct Narrow([u8; 8]);

// SAFETY: size and alignment are those of `Narrow`; an opaque type says nothing else.
unsafe impl Layout for Narrow {
    const TYPE: &'static Type<TypeRef> = &Type {
        name: Cow::Borrowed("Narrow"),
        size: 8,
        align: 8,
        invariants: true,
        shape: Shape::Opaque { tag: Cow::Borrowed("narrow/1") },
    };
}

pub(crate) fn narrow_table() -> Vec<u8> {
    Schema::of::<Narrow>().encode()
}

pub(crate) fn wide_table() -> Vec<u8> {
    Schema::of::<Wide>().encode()
}

/// An object to be: name, bytes, root offset, alignment, number of its table.
pub(crate) type Object<'a> = (&'a str, Vec<u8>, u64, u32, usize);

/// A segment and its header, which stays the unchanged one while the bytes change.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: Header,
}

/// Three objects, two of one layout; padding before the second, before its table and before the directory.
pub(crate) fn segment() -> Segment {
    let objects = [
        ("", (1..=24).collect(), 16, 16, 0),
        ("wide", (1..=32).collect(), 0, 32, 1),
        ("routes", (1..=8).collect(), 0, 16, 0),
    ];
    build(&objects, &[narrow_table(), wide_table()])
}

pub(crate) fn build(objects: &[Object<'_>], tables: &[Vec<u8>]) -> Segment {
    let page_size = 4096;
    let mut bytes = vec![0; page_size];
    let positions: Vec<u64> = objects
        .iter()
        .map(|(_, object, _, align, _)| {
            bytes.resize(bytes.len().next_multiple_of(*align as usize), 0);
            bytes.extend(object);
            (bytes.len() - object.len()) as u64
        })
        .collect();

    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let schema_position = bytes.len() as u64;
    let sections: Vec<Section> = tables
        .iter()
        .map(|table| {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            bytes.extend(table);
            Section { position: (bytes.len() - table.len()) as u64, length: table.len() as u64 }
        })
        .collect();
    let schema = Section { position: schema_position, length: bytes.len() as u64 - schema_position };

    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let entries: Vec<Entry<'_>> = objects
        .iter()
        .zip(positions)
        .map(|((name, object, root, align, table), position)| Entry {
            name,
            fingerprint: tables
                .get(*table)
                .and_then(|table| Some(Schema::decode(table).ok()?.fingerprint()))
                .unwrap_or(Fingerprint(0)),
            schema: sections.get(*table).copied().unwrap_or(schema),
            object: Section { position, length: object.len() as u64 },
            root: *root,
            checksum: checksum(object),
            align: *align,
        })
        .collect();
    let position = bytes.len() as u64;
    let directory = directory::encode(&entries, position);
    bytes.extend(&directory);
    let directory = Section { position, length: directory.len() as u64 };
    bytes.resize(bytes.len().next_multiple_of(page_size), 0);

    let header = Header {
        compat: 0,
        payload: Payload::NATIVE,
        mode: Mode::Relative,
        page_size: page_size as u32,
        length: bytes.len() as u64,
        address: 0,
        file_offset: 0,
        generation: 3,
        schema,
        directory,
        relocations: Section::default(),
        schema_checksum: 0,
        directory_checksum: 0,
        relocations_checksum: 0,
    };
    let mut segment = Segment { bytes, header };
    segment.seal();
    segment
}

impl Segment {
    /// Makes the checksums right again, and writes the header.
    pub(crate) fn seal(&mut self) -> &mut Segment {
        let sum = |section: Section| section.of(&self.bytes).map_or(0, checksum);
        self.header.schema_checksum = sum(self.header.schema);
        self.header.directory_checksum = sum(self.header.directory);
        if self.header.relocations.length > 0 {
            self.header.relocations_checksum = sum(self.header.relocations);
        }
        let header = self.header.encode();
        self.bytes[..header.len()].copy_from_slice(&header);
        self
    }

    pub(crate) fn patch(&mut self, at: u64, bytes: &[u8]) -> &mut Segment {
        self.bytes[at as usize..][..bytes.len()].copy_from_slice(bytes);
        self
    }

    pub(crate) fn view(&self) -> View<'_> {
        View::inspect(&self.bytes).expect("the header was not changed")
    }

    pub(crate) fn directory(&self) -> Directory<'_> {
        Directory::new(&self.bytes, &self.header).expect("the counts were not changed")
    }

    pub(crate) fn u64_at(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.bytes[at as usize..][..8].try_into().unwrap())
    }

    pub(crate) fn u32_at(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.bytes[at as usize..][..4].try_into().unwrap())
    }

    pub(crate) fn slots(&self) -> u64 {
        self.u64_at(self.header.directory.position + 8)
    }

    /// Where a slot stands.
    pub(crate) fn slot(&self, slot: u64) -> u64 {
        self.header.directory.position + 16 + 4 * slot
    }

    /// Where byte `offset` of an entry stands.
    pub(crate) fn entry(&self, entry: u64, offset: u64) -> u64 {
        self.header.directory.position + 16 + (4 * self.slots()).next_multiple_of(8) + 96 * entry + offset
    }
}

/// Numbers that look random and are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

/// What a byte is changed to: zero, all ones, each bit flipped. Only real changes.
pub(crate) fn changes(byte: u8) -> impl Iterator<Item = u8> {
    let flips = (0..8).map(move |bit| byte ^ 1 << bit);
    [0x00, 0xff].into_iter().chain(flips).filter(move |&changed| changed != byte)
}
