//! Objects of builds with other words: checked by their schema in any build, whatever their width, order and alignment.

mod tables;

use graven_format::{Damage, Payload, Schema, Validator};
use tables::*;

/// An object being put together, and where its parts are.
struct Object {
    payload: Payload,
    bytes: Vec<u8>,
    root: usize,
    text: usize,
    number: usize,
    controls: usize,
    leaf: usize,
}

impl Object {
    fn encode(&self, number: i64, size: usize) -> Vec<u8> {
        match self.payload.big_endian {
            true => number.to_be_bytes()[8 - size..].to_vec(),
            false => number.to_le_bytes()[..size].to_vec(),
        }
    }

    fn width(&self) -> usize {
        self.payload.offset_width.into()
    }

    fn align(&self, align: usize) -> usize {
        if self.payload.unaligned { 1 } else { align }
    }

    fn pad(&mut self, align: usize) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(self.align(align)), 0);
        self.bytes.len()
    }

    fn word(&mut self, number: i64) {
        let word = self.encode(number, self.width());
        self.bytes.extend(word);
    }

    fn pointer(&mut self, target: usize) {
        self.word(target as i64 - self.bytes.len() as i64);
    }

    fn set(&mut self, at: usize, number: i64, size: usize) {
        let bytes = self.encode(number, size);
        self.bytes[at..at + size].copy_from_slice(&bytes);
    }

    /// Where the root's fields are: a vec, a char, a box, a hash map and a B-tree; then its size and alignment.
    fn fields(&self) -> [usize; 7] {
        let width = self.width();
        let up = |at: usize, align: usize| at.next_multiple_of(self.align(align));
        let letter = up(2 * width, 4);
        let boxed = up(letter + 4, width);
        let (map, tree) = (boxed + width, boxed + 4 * width);
        let align = self.align(width.max(4));
        [0, letter, boxed, map, tree, (tree + 2 * width).next_multiple_of(align), align]
    }

    /// `{ list: ["in", "…"], letter: 'ß', boxed: 7, map: {9: true}, tree: {1: true, 2: false} }`.
    fn new(payload: Payload) -> Object {
        let (text, number, controls, leaf) = (0, 0, 0, 0);
        let mut o = Object { payload, bytes: Vec::new(), root: 0, text, number, controls, leaf };
        let width = o.width();
        o.bytes.extend(b"a text of more than sixteen bytes");
        let len = o.bytes.len() as i64;
        let list = o.pad(width);
        o.bytes.extend(b"in\xff");
        o.bytes.resize(list + 2 * width, 0);
        let long = o.bytes.len();
        o.word(if payload.big_endian { len | (1 << (8 * width - 1)) } else { len | 0x80 });
        o.word(-(long as i64));
        o.number = o.pad(2);
        o.bytes.extend(o.encode(7, 2));
        o.bytes.extend([0, 0, 9, 1]);
        o.controls = o.bytes.len();
        let mut controls = [0xff; 31];
        (controls[0], controls[2]) = (0x11, 0x11);
        o.bytes.extend(controls);
        o.leaf = o.pad(width);
        o.bytes.extend([0, 1, 2, 1, 0]);
        o.pad(width);
        o.word(2);
        let [_, letter, boxed, map, _, size, _] = o.fields();
        o.root = o.pad(width.max(4));
        o.pointer(list);
        o.word(2);
        o.bytes.resize(o.root + letter, 0);
        o.bytes.extend(o.encode(u32::from('ß').into(), 4));
        o.bytes.resize(o.root + boxed, 0);
        o.pointer(o.number);
        assert_eq!(o.bytes.len(), o.root + map);
        o.pointer(o.controls);
        o.word(1);
        o.word(2);
        o.pointer(o.leaf);
        o.word(2);
        o.bytes.resize(o.root + size, 0);
        o
    }

    fn schema(&self) -> Schema {
        let (big, w) = (self.payload.big_endian.into(), self.width() as u64);
        let a = |align: usize| self.align(align) as u32;
        let [list, letter, boxed, map, tree, size, align] = self.fields().map(|place| place as u64);
        let fields = [
            ("list", list, 1),
            ("letter", letter, 3),
            ("boxed", boxed, 4),
            ("map", map, 6),
            ("tree", tree, 9),
        ];
        let word = a(w as usize);
        let types = [
            structure(size, align as u32, &fields),
            ty(7, 2 * w, word).links(&[2]),
            ty(6, 2 * w, word),
            ty(2, 4, a(4)).a(3).c(big),
            ty(8, w, word).links(&[5]),
            ty(2, 2, a(2)).b(1).c(big),
            ty(15, 3 * w, word).links(&[7, 8]),
            number(1),
            boolean(),
            ty(17, 2 * w, word).links(&[7, 8]).word(2),
        ];
        schema_for(self.payload, &types)
    }
}

fn payloads() -> impl Iterator<Item = Payload> {
    [2, 4, 8].into_iter().flat_map(|offset_width| {
        [(false, false), (true, false), (false, true), (true, true)].map(|(big_endian, unaligned)| Payload {
            big_endian,
            offset_width,
            unaligned,
        })
    })
}

#[test]
fn an_object_of_any_payload_is_checked_by_its_schema_in_any_build() {
    for payload in payloads() {
        let object = Object::new(payload);
        let validator = Validator::of_schema(&object.schema()).unwrap();
        let root = object.root as u64;
        assert_eq!(validator.check(&object.bytes, root), Ok(()), "{payload:?}");

        let [list, letter, boxed, map, tree, ..] = object.fields().map(|field| object.root + field);
        let width = object.width();
        let refused = |at: usize,
                       number: i64,
                       size: usize,
                       offset: usize,
                       path: &str,
                       expected: &dyn Fn(&Damage) -> bool| {
            let mut damaged = Object { bytes: object.bytes.clone(), ..Object::new(payload) };
            damaged.set(at, number, size);
            let error = validator.check(&damaged.bytes, root).unwrap_err();
            assert_eq!((error.offset(), error.path()), (offset as u64, path), "{payload:?}: {error}");
            assert!(expected(error.cause()), "{payload:?}: {error}");
        };
        let outside = |cause: &Damage| matches!(cause, Damage::Outside { .. });
        refused(list + width, 5000, width, list, "list", &outside);
        refused(list, 1, width, list, "list", &outside);
        refused(boxed, 2, width, boxed, "boxed", &outside);
        refused(letter, 0xd800, 4, letter, "letter", &|cause| *cause == Damage::Char { got: 0xd800 });
        refused(object.number, 0, 2, object.number, "boxed", &|cause| *cause == Damage::Zero);
        let long = (object.number - 2 * width) / width * width;
        refused(
            object.text + 3,
            0xff,
            1,
            if payload.unaligned { object.number - 2 * width } else { long },
            "list[1]",
            &|cause| *cause == Damage::NotUtf8 { valid: 3 },
        );
        let places = object.controls;
        refused(places - 1, 2, 1, places - 1, "map{0}.value", &|cause| *cause == Damage::Bool { got: 2 });
        let expected = Damage::Control { index: 30, got: 1 };
        refused(places + 30, 1, 1, places + 30, "map", &|cause| *cause == expected);
        let expected = Damage::Capacity { count: 2, capacity: 2 };
        refused(map + width, 2, width, map, "map", &|cause| *cause == expected);
        refused(map + 2 * width, -1, width, map, "map", &outside);
        let expected = Damage::NodeKind { got: 3 };
        refused(object.leaf, 3, 1, object.leaf, "tree", &|cause| *cause == expected);
        let expected = Damage::Count { count: 3, found: 2 };
        refused(tree + width, 3, width, tree, "tree", &|cause| *cause == expected);
    }
}

/// Whatever the byte, the answer is one: nothing is read outside (debug builds ask at each read), nothing overflows.
#[test]
fn an_object_of_any_payload_with_any_byte_changed_gets_an_answer() {
    for payload in payloads() {
        let object = Object::new(payload);
        let validator = Validator::of_schema(&object.schema()).unwrap();
        let (mut bytes, mut refused) = (object.bytes.clone(), 0);
        for at in 0..bytes.len() {
            let byte = bytes[at];
            for other in [0, 1, 0x7f, 0x80, 0xff, byte ^ 1, byte ^ 0x80, byte.wrapping_add(4)] {
                bytes[at] = other;
                let whole = validator.check(&bytes, object.root as u64);
                let parts = validator.split(&bytes, object.root as u64, 4);
                let parts = parts
                    .and_then(|parts| parts.iter().try_for_each(|part| validator.check_part(&bytes, *part)));
                assert_eq!(whole.is_ok(), parts.is_ok());
                refused += u32::from(whole.is_err());
            }
            bytes[at] = byte;
        }
        assert!(refused > 100, "{payload:?}: {refused}");
    }
}
