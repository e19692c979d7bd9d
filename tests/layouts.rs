//! What the layouts of rkyv's archived types say is what rkyv writes.
//!
//! Each family is archived by rkyv and read back by a reader that knows nothing but the description: it follows
//! offsets, tags and relative pointers from it, and writes down what it finds. A wrong offset, niche or geometry gives
//! another text, or no text at all. The reader works in every choice of byte order, offset width and alignment.

#[path = "layouts/derived.rs"]
mod derived;
#[path = "layouts/fingerprints.rs"]
mod fingerprints;
#[path = "layouts/of_rkyv.rs"]
mod of_rkyv;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    ffi::CString,
    marker::{PhantomData, PhantomPinned},
    mem::ManuallyDrop,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    num::*,
    ops::{Bound, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive},
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use graven::{
    Archive, Serialize,
    format::{Payload, Schema},
    layout::{Depth, Field, Layout, Niche, NumberKind, Refine, Shape, Type, TypeRef, fingerprint_of},
    rkyv::{
        self, Archived,
        api::high::HighSerializer,
        niche::niching::{Bool, DefaultNiche, NaN, Null, Zero},
        rancor::BoxedError,
        rend,
        ser::allocator::ArenaHandle,
        util::AlignedVec,
        with::{AsBox, AsOwned, AsVec, Map, MapNiche, Niche as WithNiche, NicheInto, Skip},
    },
};
use indexmap::{IndexMap, IndexSet};

/// Bytes, and how their numbers are encoded.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    /// An unsigned number of `size` bytes.
    fn number(&self, at: usize, size: usize, big_endian: bool) -> u128 {
        let bytes = &self.bytes[at..at + size];
        let digits: Vec<u8> = if big_endian { bytes.to_vec() } else { bytes.iter().rev().copied().collect() };
        digits.into_iter().fold(0, |number, byte| number << 8 | u128::from(byte))
    }

    fn width(&self) -> usize {
        Payload::NATIVE.offset_width.into()
    }

    /// A length.
    fn len(&self, at: usize) -> usize {
        self.number(at, self.width(), Payload::NATIVE.big_endian) as usize
    }

    /// A relative offset.
    fn offset(&self, at: usize) -> isize {
        let unused = 128 - 8 * self.width();
        (((self.len(at) as u128) << unused) as i128 >> unused) as isize
    }

    /// Where a relative pointer leads.
    fn target(&self, at: usize) -> usize {
        at.strict_add_signed(self.offset(at))
    }

    fn read(&self, ty: TypeRef, at: usize) -> String {
        let ty = ty.get();
        assert!(at.is_multiple_of(ty.align as usize), "{} is not aligned at {at}", ty.name);
        match &ty.shape {
            Shape::Unit => "()".into(),
            Shape::Bool => match self.bytes[at] {
                0 => "false".into(),
                1 => "true".into(),
                other => panic!("a bool of {other}"),
            },
            Shape::Number { kind, nonzero, big_endian } => {
                let number = self.number(at, ty.size as usize, *big_endian);
                assert!(!nonzero || number != 0, "a zero where none may be");
                let unused = 128 - 8 * ty.size as u32;
                match kind {
                    NumberKind::Unsigned => number.to_string(),
                    NumberKind::Signed => ((number << unused) as i128 >> unused).to_string(),
                    NumberKind::Float if ty.size == 4 => f32::from_bits(number as u32).to_string(),
                    NumberKind::Float => f64::from_bits(number as u64).to_string(),
                    NumberKind::Char => char::from_u32(number as u32).unwrap().to_string(),
                }
            }
            Shape::Struct { fields } => self.fields(fields, at),
            Shape::Enum { variants } => {
                let variant = variants.iter().find(|variant| variant.tag == self.bytes[at]).unwrap();
                if variant.fields.is_empty() {
                    variant.name.to_string()
                } else {
                    format!("{}{}", variant.name, self.fields(&variant.fields, at))
                }
            }
            Shape::Array { element, len } => self.elements(*element, at, *len as usize),
            Shape::String => {
                let (bytes, w) = (&self.bytes[at..at + 2 * self.width()], self.width());
                let text = if bytes[0] & 0xc0 != 0x80 {
                    bytes.split(|byte| *byte == 0xff).next().unwrap()
                } else {
                    let raw = self.number(at, w, Payload::NATIVE.big_endian);
                    let len = match Payload::NATIVE.big_endian {
                        false => raw & 0x3f | (raw & !0xff) >> 2,
                        true => raw & (u128::MAX >> (130 - 8 * w)),
                    };
                    let start = at.strict_add_signed(self.offset(at + w));
                    &self.bytes[start..start + len as usize]
                };
                format!("{:?}", std::str::from_utf8(text).unwrap())
            }
            Shape::Vec { element } => self.elements(*element, self.target(at), self.len(at + self.width())),
            Shape::Box { pointee } | Shape::Shared { pointee } => self.pointee(*pointee, at),
            Shape::Weak { .. } if self.offset(at) == 1 => "gone".into(),
            Shape::Weak { pointee } => self.pointee(*pointee, at),
            Shape::Niched { inner, niche } => {
                let size = ty.size as usize;
                let none = match niche {
                    Niche::Zero => self.bytes[at..at + size].iter().all(|byte| *byte == 0),
                    Niche::NaN => self.read(*inner, at) == "NaN",
                    Niche::Null => self.offset(at) == 1,
                    Niche::Bool => self.bytes[at] > 1,
                };
                if none { "none".into() } else { format!("some {}", self.read(*inner, at)) }
            }
            Shape::HashMap { key, value } => {
                let (control, len, cap) =
                    (self.target(at), self.len(at + self.width()), self.len(at + 2 * self.width()));
                let (value_at, size) = entry(key.get(), value.get());
                let full = (0..cap).filter(|i| self.bytes[control + i] < 0x80);
                let entries = full.map(|i| self.entry(*key, *value, control - (i + 1) * size, value_at));
                let mut entries: Vec<String> = if len == 0 { vec![] } else { entries.collect() };
                assert_eq!(entries.len(), len);
                entries.sort();
                format!("{{{}}}", entries.join(", "))
            }
            Shape::IndexMap { key, value } => {
                let (len, entries) = (self.len(at + self.width()), self.target(at + 3 * self.width()));
                let (value_at, size) = entry(key.get(), value.get());
                let entries: Vec<String> =
                    (0..len).map(|i| self.entry(*key, *value, entries + i * size, value_at)).collect();
                format!("{{{}}}", entries.join(", "))
            }
            Shape::BTreeMap { key, value, capacity } => {
                let (root, len) = (self.target(at), self.len(at + self.width()));
                let mut entries = Vec::new();
                if len > 0 {
                    self.node(*key, *value, *capacity as usize, root, &mut entries);
                }
                assert_eq!(entries.len(), len);
                format!("{{{}}}", entries.join(", "))
            }
            Shape::Duration { big_endian } => {
                format!("{}.{:09}s", self.number(at, 8, *big_endian), self.number(at + 8, 4, *big_endian))
            }
            Shape::Opaque { tag } => format!("{tag} {:02x?}", &self.bytes[at..at + ty.size as usize]),
            other => panic!("{other:?} is not a value"),
        }
    }

    fn fields(&self, fields: &[Field<TypeRef>], at: usize) -> String {
        let field = |f: &Field<TypeRef>| format!("{}: {}", f.name, self.read(f.ty, at + f.offset as usize));
        format!("({})", fields.iter().map(field).collect::<Vec<_>>().join(", "))
    }

    fn elements(&self, element: TypeRef, at: usize, len: usize) -> String {
        let size = element.get().size as usize;
        let elements: Vec<String> = (0..len).map(|i| self.read(element, at + i * size)).collect();
        format!("[{}]", elements.join(", "))
    }

    /// What a pointer points to; a pointer to an unsized type has the length behind it.
    fn pointee(&self, pointee: TypeRef, at: usize) -> String {
        let (target, len) = (self.target(at), at + self.width());
        match &pointee.get().shape {
            Shape::Slice { element } => self.elements(*element, target, self.len(len)),
            Shape::Str => {
                format!("{:?}", std::str::from_utf8(&self.bytes[target..target + self.len(len)]).unwrap())
            }
            Shape::CStr => {
                let text = &self.bytes[target..target + self.len(len)];
                format!("{:?}", std::ffi::CStr::from_bytes_with_nul(text).unwrap())
            }
            _ => self.read(pointee, target),
        }
    }

    fn entry(&self, key: TypeRef, value: TypeRef, at: usize, value_at: usize) -> String {
        format!("{}: {}", self.read(key, at), self.read(value, at + value_at))
    }

    /// SPEC 5.9: kind, keys, values; then a leaf's length, or an inner node's children.
    fn node(&self, key: TypeRef, value: TypeRef, capacity: usize, at: usize, entries: &mut Vec<String>) {
        let (k, v) = (key.get(), value.get());
        let pointer = align_of::<rkyv::primitive::ArchivedUsize>();
        let keys = 1usize.next_multiple_of(k.align as usize);
        let values = (keys + capacity * k.size as usize).next_multiple_of(v.align as usize);
        let end = values + capacity * v.size as usize;
        let node_align = (k.align as usize).max(v.align as usize);
        let after = end.next_multiple_of(node_align).next_multiple_of(pointer);
        let leaf = self.bytes[at] == 0;
        let count = if leaf { self.len(at + after) } else { capacity };
        for i in 0..count {
            let child = at + after + i * self.width();
            if !leaf && self.offset(child) != 1 {
                self.node(key, value, capacity, self.target(child), entries);
            }
            let (k_at, v_at) = (at + keys + i * k.size as usize, at + values + i * v.size as usize);
            entries.push(format!("{}: {}", self.read(key, k_at), self.read(value, v_at)));
        }
        let greater = at + after + capacity * self.width();
        if !leaf && self.offset(greater) != 1 {
            self.node(key, value, capacity, self.target(greater), entries);
        }
    }
}

/// Where the value of an entry is, and the entry's size.
fn entry(key: &Type<TypeRef>, value: &Type<TypeRef>) -> (usize, usize) {
    let value_at = (key.size as usize).next_multiple_of(value.align as usize);
    (value_at, (value_at + value.size as usize).next_multiple_of(key.align.max(value.align) as usize))
}

/// Archives a value and reads it through its description.
#[track_caller]
fn reads<T>(value: T, expected: &str)
where
    T: Archive<Archived: Layout + Refine<Depth>>
        + for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>,
{
    let ty = <T::Archived as Layout>::TYPE;
    assert_eq!((ty.size, ty.align), (size_of::<T::Archived>() as u64, align_of::<T::Archived>() as u32));
    let bytes = rkyv::to_bytes::<BoxedError>(&value).unwrap();
    let root = bytes.len() - size_of::<T::Archived>();
    assert_eq!(Reader { bytes: &bytes }.read(TypeRef::of::<T::Archived>(), root), expected);
    assert_eq!(fingerprint_of::<T::Archived>(), Schema::of::<T::Archived>().fingerprint());
}
