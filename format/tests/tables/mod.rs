//! Schema tables put together byte by byte, of any payload, sound or not.
#![allow(dead_code)] // each test file uses a part of it

use graven_format::{Payload, Schema};

/// An encoded type. `children` are numbers of types.
#[derive(Clone, Debug)]
pub(crate) struct Ty {
    pub(crate) code: u8,
    pub(crate) parameters: [u8; 3],
    pub(crate) align: u32,
    pub(crate) size: u64,
    pub(crate) rest: Vec<u8>,
}

pub(crate) type Field<'a> = (&'a str, u64, u32);

pub(crate) fn ty(code: u8, size: u64, align: u32) -> Ty {
    Ty { code, parameters: [0; 3], align, size, rest: Vec::new() }
}

impl Ty {
    pub(crate) fn a(mut self, a: u8) -> Ty {
        self.parameters[0] = a;
        self
    }

    pub(crate) fn b(mut self, b: u8) -> Ty {
        self.parameters[1] = b;
        self
    }

    pub(crate) fn c(mut self, c: u8) -> Ty {
        self.parameters[2] = c;
        self
    }

    pub(crate) fn links(mut self, children: &[u32]) -> Ty {
        children.iter().for_each(|child| self.rest.extend(child.to_le_bytes()));
        self
    }

    pub(crate) fn long(mut self, number: u64) -> Ty {
        self.rest.extend(number.to_le_bytes());
        self
    }

    pub(crate) fn word(mut self, number: u32) -> Ty {
        self.rest.extend(number.to_le_bytes());
        self
    }

    fn text(mut self, text: &str) -> Ty {
        self = self.word(text.len() as u32);
        self.rest.extend(text.as_bytes());
        self
    }

    fn fields(mut self, fields: &[Field<'_>]) -> Ty {
        self = self.word(fields.len() as u32);
        for (name, offset, ty) in fields {
            self = self.word(*ty).long(*offset).text(name);
        }
        self
    }
}

pub(crate) fn unit() -> Ty {
    ty(0, 0, 1)
}
pub(crate) fn boolean() -> Ty {
    ty(1, 1, 1)
}
/// Unsigned, naturally aligned.
pub(crate) fn number(size: u64) -> Ty {
    ty(2, size, size as u32)
}
pub(crate) fn structure(size: u64, align: u32, fields: &[Field<'_>]) -> Ty {
    ty(3, size, align).fields(fields)
}
pub(crate) fn enumeration(size: u64, align: u32, variants: &[(&str, u8, &[Field<'_>])]) -> Ty {
    let mut ty = ty(4, size, align).word(variants.len() as u32);
    for (name, tag, fields) in variants {
        ty.rest.push(*tag);
        ty = ty.text(name).fields(fields);
    }
    ty
}
pub(crate) fn array(size: u64, align: u32, element: u32, len: u64) -> Ty {
    ty(5, size, align).links(&[element]).long(len)
}
pub(crate) fn opaque(size: u64, align: u32) -> Ty {
    ty(19, size, align).text("bytes/1")
}

/// Decodes a table of these types, which has to be readable.
pub(crate) fn schema_for(payload: Payload, types: &[Ty]) -> Schema {
    let mut canonical =
        vec![u8::from(payload.big_endian), payload.offset_width, u8::from(payload.unaligned), 0];
    canonical.extend((types.len() as u32).to_le_bytes());
    for ty in types {
        canonical.push(ty.code);
        canonical.extend(ty.parameters);
        canonical.extend(ty.align.to_le_bytes());
        canonical.extend(ty.size.to_le_bytes());
        canonical.extend(&ty.rest);
    }
    // An annotation is a byte of flags and an empty name.
    let annotations = vec![0; 5 * types.len()];
    let end = 8 + canonical.len() as u32;
    let mut table = [end.to_le_bytes(), (end + annotations.len() as u32).to_le_bytes()].concat();
    table.extend(canonical);
    table.extend(annotations);
    Schema::decode(&table).expect("a readable table")
}

pub(crate) const LITTLE: Payload = Payload { big_endian: false, offset_width: 4, unaligned: false };

pub(crate) fn schema(types: &[Ty]) -> Schema {
    schema_for(LITTLE, types)
}

/// Words of four bytes, little-endian: pointers, lengths and counts of [`LITTLE`].
pub(crate) fn words(words: &[i32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
