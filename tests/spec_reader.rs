//! A reader that knows SPEC.md alone, as far as step 20 goes, and the validator: they take the same objects, damaged at
//! random. What the one takes and the other does not is a sentence that is missing, or a check.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::num::NonZeroU16;
use std::rc::{Rc, Weak};
use std::time::Duration;

use graven::layout::{Field, Niche, NumberKind, Shape};
use graven::{
    Archive, Layout, Segment, Serialize,
    format::{Schema, Validator},
};
use indexmap::IndexMap;

mod support;
use support::{Random, bytes_of};

#[derive(Archive, Serialize, Layout, Default)]
#[rkyv(serialize_bounds(__S: rkyv::ser::Writer + rkyv::ser::Allocator + rkyv::ser::Sharing, __S::Error: rkyv::rancor::Source))]
#[rkyv(bytecheck(bounds(__C: rkyv::validation::ArchiveContext + rkyv::validation::SharedContext, __C::Error: rkyv::rancor::Source)))]
struct Everything {
    scalars: (bool, Option<char>, Duration, u64),
    nonzero: Option<NonZeroU16>,
    texts: Vec<String>,
    boxed: Option<Box<[u16]>>,
    #[rkyv(with = rkyv::with::Niche)]
    niched: Option<Box<str>>,
    c: Option<CString>,
    shared: Vec<Rc<String>>,
    weak: Vec<Weak<String>>,
    slices: [Option<Rc<[u8]>>; 2],
    units: Vec<Rc<()>>,
    by_text: HashMap<String, Vec<bool>>,
    index: IndexMap<u8, Option<Box<u32>>>,
    tree: BTreeMap<u16, Result<String, bool>>,
    wide: BTreeMap<u128, u8>,
    after: Box<u8>,
    #[rkyv(omit_bounds)]
    below: Vec<Everything>,
    nodes: Vec<Rc<Node>>,
}

/// What could lead in a circle.
#[derive(Archive, Serialize, Layout)]
#[rkyv(serialize_bounds(__S: rkyv::ser::Writer + rkyv::ser::Sharing, __S::Error: rkyv::rancor::Source))]
#[rkyv(bytecheck(bounds(__C: rkyv::validation::ArchiveContext + rkyv::validation::SharedContext, __C::Error: rkyv::rancor::Source)))]
struct Node {
    #[rkyv(omit_bounds)]
    one: Option<Rc<Node>>,
    #[rkyv(omit_bounds)]
    other: Option<Rc<Node>>,
}

/// An object's bytes, and what step 20 has to keep in mind. Positions are signed, so that nothing overflows.
struct Reader<'a> {
    object: &'a [u8],
    schema: &'a Schema,
    /// W.
    width: i128,
    /// The window.
    low: i128,
    high: i128,
    /// Shared targets by position: pointee type, length, and whether they have been visited to the end.
    shared: BTreeMap<i128, (u32, i128, bool)>,
}

/// `None` refuses.
type Taken = Option<()>;

fn when(taken: bool) -> Taken {
    taken.then_some(())
}

fn align_up(n: i128, align: i128) -> i128 {
    (n + align - 1) / align * align
}

impl Reader<'_> {
    fn takes(object: &[u8], schema: &Schema, root: u64) -> bool {
        let width = schema.payload().offset_width.into();
        let high = i128::from(root);
        let mut reader = Reader { object, schema, width, low: 0, high, shared: BTreeMap::new() };
        reader.value(0, high).is_some()
    }

    fn size(&self, ty: u32) -> i128 {
        self.schema.types()[ty as usize].size.into()
    }

    fn align(&self, ty: u32) -> i128 {
        self.schema.types()[ty as usize].align.into()
    }

    /// w.
    fn word_align(&self) -> i128 {
        if self.schema.payload().unaligned { 1 } else { self.width }
    }

    /// Bytes that are known to be there.
    fn bytes(&self, at: i128, len: i128) -> &[u8] {
        &self.object[at as usize..(at + len) as usize]
    }

    fn number(&self, at: i128, len: i128, big_endian: bool) -> i128 {
        let digit = |number, byte: &u8| number << 8 | i128::from(*byte);
        let bytes = self.bytes(at, len).iter();
        if big_endian { bytes.fold(0, digit) } else { bytes.rev().fold(0, digit) }
    }

    fn word(&self, at: i128) -> i128 {
        self.number(at, self.width, self.schema.payload().big_endian)
    }

    fn distance(&self, at: i128) -> i128 {
        let (word, all) = (self.word(at), 1i128 << (8 * self.width));
        if word < all / 2 { word } else { word - all }
    }

    /// A target in its window, whose pointers are visited.
    fn target(
        &mut self,
        first: i128,
        size: i128,
        align: i128,
        visit: impl FnOnce(&mut Self) -> Taken,
    ) -> Taken {
        when(first % align == 0 && self.low <= first && first + size <= self.high)?;
        let high = std::mem::replace(&mut self.high, first);
        visit(self)?;
        (self.low, self.high) = (first + size, high);
        Some(())
    }

    fn elements(&mut self, ty: u32, first: i128, count: i128) -> Taken {
        let size = self.size(ty);
        let count = if size == 0 { count.min(1) } else { count };
        (0..count).try_for_each(|i| self.value(ty, first + i * size))
    }

    fn text(&mut self, first: i128, len: i128) -> Taken {
        self.target(first, len, 1, |reader| when(std::str::from_utf8(reader.bytes(first, len)).is_ok()))
    }

    /// What a box or a shared pointer at `at` leads to.
    fn pointee(&mut self, ty: u32, at: i128) -> Taken {
        let first = at + self.distance(at);
        let len = |reader: &Self| reader.word(at + reader.width);
        match self.schema.types()[ty as usize].shape {
            Shape::Str => self.text(first, len(self)),
            Shape::CStr => {
                let len = len(self);
                self.target(first, len, 1, |reader| {
                    let (last, text) = reader.bytes(first, len).split_last()?;
                    when(*last == 0 && !text.contains(&0))
                })
            }
            Shape::Slice { element } => {
                let (count, align) = (len(self), self.align(element));
                self.target(first, count * self.size(element), align, |reader| {
                    reader.elements(element, first, count)
                })
            }
            _ => self.target(first, self.size(ty), self.align(ty), |reader| reader.value(ty, first)),
        }
    }

    fn share(&mut self, pointee: u32, at: i128, weak: bool) -> Taken {
        if weak && self.distance(at) == 1 {
            return Some(());
        }
        let is_unsized = |shape: &Shape<u32>| matches!(shape, Shape::Str | Shape::CStr | Shape::Slice { .. });
        let is_unsized = is_unsized(&self.schema.types()[pointee as usize].shape);
        let len = if is_unsized { self.word(at + self.width) } else { 1 };
        let first = at + self.distance(at);
        if let Some(known) = self.shared.get(&first) {
            return when(*known == (pointee, len, true));
        }
        self.shared.insert(first, (pointee, len, false));
        self.pointee(pointee, at)?;
        self.shared.insert(first, (pointee, len, true));
        Some(())
    }

    fn fields(&mut self, fields: &[Field<u32>], at: i128) -> Taken {
        fields.iter().try_for_each(|field| self.value(field.ty, at + i128::from(field.offset)))
    }

    fn value(&mut self, ty: u32, at: i128) -> Taken {
        let schema = self.schema;
        match &schema.types()[ty as usize].shape {
            Shape::Bool => when(self.number(at, 1, false) < 2),
            Shape::Number { kind: NumberKind::Char, big_endian, .. } => {
                when(char::from_u32(self.number(at, 4, *big_endian) as u32).is_some())
            }
            Shape::Number { nonzero, .. } => {
                when(!nonzero || self.bytes(at, self.size(ty)).iter().any(|byte| *byte != 0))
            }
            Shape::Duration { big_endian } => when(self.number(at + 8, 4, *big_endian) < 1_000_000_000),
            Shape::Struct { fields } => self.fields(fields, at),
            Shape::Enum { variants } => {
                let tag = self.number(at, 1, false) as u8;
                self.fields(&variants.iter().find(|variant| variant.tag == tag)?.fields, at)
            }
            Shape::Array { element, len } => self.elements(*element, at, (*len).into()),
            Shape::String => self.string(at),
            Shape::Vec { element } => {
                let (element, count) = (*element, self.word(at + self.width));
                let first = at + self.distance(at);
                self.target(first, count * self.size(element), self.align(element), |reader| {
                    reader.elements(element, first, count)
                })
            }
            Shape::Box { pointee } => self.pointee(*pointee, at),
            Shape::Shared { pointee } => self.share(*pointee, at, false),
            Shape::Weak { pointee } => self.share(*pointee, at, true),
            Shape::Niched { inner, niche: Niche::Null } if self.distance(at) != 1 => self.value(*inner, at),
            Shape::HashMap { key, value } => {
                let (of_value, size, align) = self.entry(*key, *value);
                self.table(at, size, align, |reader, place| {
                    reader.value(*key, place)?;
                    reader.value(*value, place + of_value)
                })
            }
            Shape::IndexMap { key, value } => {
                let (of_value, size, align) = self.entry(*key, *value);
                let count = self.word(at + self.width);
                self.table(at, self.width, self.word_align(), |reader, place| {
                    when(reader.word(place) < count)
                })?;
                let pointer = at + 3 * self.width;
                let first = pointer + self.distance(pointer);
                self.target(first, count * size, align, |reader| {
                    (0..count).try_for_each(|i| {
                        reader.value(*key, first + i * size)?;
                        reader.value(*value, first + i * size + of_value)
                    })
                })
            }
            Shape::BTreeMap { key, value, capacity } => {
                let count = self.word(at + self.width);
                if count == 0 {
                    return Some(());
                }
                when(self.node(at, (*key, *value, (*capacity).into()), 1)? == count)
            }
            _ => Some(()),
        }
    }

    fn string(&mut self, at: i128) -> Taken {
        let width = self.width;
        if self.bytes(at, 1)[0] & 0xc0 != 0x80 {
            let text = self.bytes(at, 2 * width).split(|byte| *byte == 0xff).next()?;
            return when(std::str::from_utf8(text).is_ok());
        }
        let r = self.word(at);
        let len = match self.schema.payload().big_endian {
            true => r & ((1 << (8 * width - 2)) - 1),
            false => (r & 0x3f) | ((r & !0xff) >> 2),
        };
        when(len > 2 * width)?;
        self.text(at + self.distance(at + width), len)
    }

    /// Where the value is in an entry, the entry's size and its alignment.
    fn entry(&self, key: u32, value: u32) -> (i128, i128, i128) {
        let align = self.align(key).max(self.align(value));
        let of_value = align_up(self.size(key), self.align(value));
        (of_value, align_up(of_value + self.size(value), align), align)
    }

    fn table(
        &mut self,
        at: i128,
        size: i128,
        align: i128,
        mut visit: impl FnMut(&mut Self, i128) -> Taken,
    ) -> Taken {
        let (count, capacity) = (self.word(at + self.width), self.word(at + 2 * self.width));
        if (count, capacity) == (0, 0) {
            return Some(());
        }
        when(count < capacity)?;
        let (control, controls) = (at + self.distance(at), align_up(capacity, 16) + 15);
        let first = control - capacity * size;
        self.target(first, capacity * size + controls, align, |reader| {
            let byte = |reader: &Self, i: i128| reader.bytes(control + i, 1)[0];
            let repeated = capacity.min(controls - capacity);
            let used: Vec<i128> = (0..capacity).filter(|i| byte(reader, *i) < 0x80).collect();
            when(used.len() as i128 == count)?;
            when((0..capacity).all(|i| byte(reader, i) < 0x80 || byte(reader, i) == 0xff))?;
            when((0..repeated).all(|i| byte(reader, capacity + i) == byte(reader, i)))?;
            when((capacity + repeated..controls).all(|i| byte(reader, i) == 0xff))?;
            used.iter().try_for_each(|i| visit(reader, control - (i + 1) * size))
        })
    }

    /// The node that the pointer at `pointer` leads to: how many entries there are in it and below it.
    fn node(&mut self, pointer: i128, tree: (u32, u32, i128), level: u32) -> Option<i128> {
        let (key, value, capacity) = tree;
        let (keys, values) = (self.size(key), self.size(value));
        let (k, v) = (self.align(key), self.align(value));
        let f = align_up(1, k);
        let g = align_up(f + capacity * keys, v);
        let n = align_up(align_up(g + capacity * values, k.max(v)), self.word_align());
        let align = k.max(v).max(self.word_align());

        when(level <= 64)?;
        let at = pointer + self.distance(pointer);
        when(self.low <= at && at < self.high)?;
        let inner = match self.number(at, 1, false) {
            0 => false,
            1 => true,
            _ => return None,
        };
        let words = if inner { capacity + 1 } else { 1 };
        let mut found = capacity;
        self.target(at, align_up(n + words * self.width, align), align, |reader| {
            let width = reader.width;
            if !inner {
                found = reader.word(at + n);
                when((1..=capacity).contains(&found))?;
            }
            let entries = found;
            for link in (0..words).filter(|_| inner).map(|i| at + n + i * width) {
                match reader.distance(link) {
                    1 => when(link != at + n)?,
                    _ => found += reader.node(link, tree, level + 1)?,
                }
            }
            (0..entries).try_for_each(|i| {
                reader.value(key, at + f + i * keys)?;
                reader.value(value, at + g + i * values)
            })
        })?;
        Some(found)
    }
}

fn everything(random: &mut Random, levels: usize) -> Everything {
    fn many<T>(random: &mut Random, most: usize, mut make: impl FnMut(&mut Random) -> T) -> Vec<T> {
        (0..random.below(most + 1)).map(|_| make(random)).collect()
    }
    let text = |random: &mut Random| "é".repeat(random.below(8));
    let pool: Vec<Rc<String>> = (0..2).map(|_| Rc::new(text(random))).collect();
    let slice: Rc<[u8]> = many(random, 3, |_| 7).into();
    Everything {
        scalars: (true, Some('x'), Duration::new(1, 2), 3),
        nonzero: NonZeroU16::new(4),
        texts: many(random, 3, text),
        boxed: (random.below(2) == 0).then(|| many(random, 3, |_| 5).into()),
        niched: (random.below(2) == 0).then(|| text(random).into()),
        c: (random.below(2) == 0).then(|| CString::new(text(random)).unwrap()),
        shared: many(random, 3, |random| pool[random.below(2)].clone()),
        weak: many(random, 3, |random| match random.below(3) {
            2 => Weak::new(),
            i => Rc::downgrade(&pool[i]),
        }),
        slices: [Some(slice.clone()), (random.below(2) == 0).then_some(slice)],
        units: many(random, 2, |_| Rc::new(())),
        by_text: many(random, 3, |random| (text(random), many(random, 2, |_| true))).into_iter().collect(),
        index: many(random, 3, |random| (random.below(9) as u8, Some(Box::new(6)))).into_iter().collect(),
        tree: (0..random.below(20) as u16)
            .map(|key| (key, if key % 3 == 0 { Ok(text(random)) } else { Err(true) }))
            .collect(),
        wide: (0..random.below(3) as u128).map(|key| (key, 1)).collect(),
        after: Box::new(8),
        nodes: {
            let end = Rc::new(Node { one: None, other: None });
            let middle = Rc::new(Node { one: Some(end.clone()), other: Some(end.clone()) });
            many(random, 3, |random| match random.below(3) {
                0 => end.clone(),
                1 => middle.clone(),
                _ => Rc::new(Node { one: Some(middle.clone()), other: Some(end.clone()) }),
            })
        },
        below: match levels {
            0 => Vec::new(),
            _ => many(random, 2, |random| everything(random, levels - 1)),
        },
    }
}

/// [S5] [S6.3i] [S6.3j] [S8.20]
#[test]
fn a_reader_by_the_spec_takes_what_the_validator_takes() {
    let schema = Schema::of::<<Everything as Archive>::Archived>();
    let validator = Validator::of_schema(&schema).unwrap();
    let rounds = if cfg!(debug_assertions) { 60 } else { 400 };
    let (mut taken, mut refused) = (0, 0);
    for seed in 1..rounds {
        let mut random = Random(seed);
        let bytes = bytes_of(&everything(&mut random, 1));
        let segment = Segment::from_bytes(&bytes).unwrap();
        let entry = segment.objects().next().unwrap().unwrap();
        let (object, root) = (entry.object.of(&bytes).unwrap(), entry.root);
        assert!(Reader::takes(object, &schema, root), "seed {seed}");
        for round in 0..400 {
            let mut object = object.to_vec();
            for _ in 0..1 + random.below(2) {
                let at = random.below(object.len());
                let byte = object[at];
                object[at] = match random.below(6) {
                    0 => 0,
                    1 => 1,
                    2 => 0xff,
                    3 => byte.wrapping_add(1 << random.below(4)),
                    4 => byte.wrapping_sub(1 << random.below(4)),
                    _ => byte ^ 1 << random.below(8),
                };
            }
            let checked = validator.check(&object, root);
            let by_spec = Reader::takes(&object, &schema, root);
            assert_eq!(by_spec, checked.is_ok(), "seed {seed}, round {round}: {checked:?}");
            *if by_spec { &mut taken } else { &mut refused } += 1;
        }
    }
    assert!(taken > 1000 && refused > 1000, "{taken} taken, {refused} refused");
}
