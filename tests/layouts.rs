//! What the layouts of rkyv's archived types say is what rkyv writes.
//!
//! Each family is archived by rkyv and read back by a reader that knows nothing but the description: it follows
//! offsets, tags and relative pointers from it, and writes down what it finds. A wrong offset, niche or geometry gives
//! another text, or no text at all. The reader works in every choice of byte order, offset width and alignment.

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

// ---- the reader -----------------------------------------------------------------------------------------------

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

// ---- rkyv's types ---------------------------------------------------------------------------------------------

#[test]
fn numbers_are_where_and_what_their_layout_says() {
    reads(0xfeu8, "254");
    reads(-2i8, "-2");
    reads(0xfedcu16, "65244");
    reads(-1234i16, "-1234");
    reads(0xfedc_ba98u32, "4275878552");
    reads(i32::MIN, "-2147483648");
    reads(u64::MAX - 1, "18446744073709551614");
    reads(-1i64, "-1");
    reads(u128::MAX, "340282366920938463463374607431768211455");
    reads(i128::MIN, "-170141183460469231731687303715884105728");
    reads(1.5f32, "1.5");
    reads(-2.25f64, "-2.25");
    reads('ü', "ü");
    reads(true, "true");
    reads(NonZeroU8::MAX, "255");
    reads(NonZeroI8::MIN, "-128");
    reads(NonZeroU16::MAX, "65535");
    reads(NonZeroI16::MIN, "-32768");
    reads(NonZeroU32::MAX, "4294967295");
    reads(NonZeroI32::MIN, "-2147483648");
    reads(NonZeroU64::MAX, "18446744073709551615");
    reads(NonZeroI64::MIN, "-9223372036854775808");
    reads(NonZeroU128::MIN, "1");
    reads(NonZeroI128::MAX, "170141183460469231731687303715884105727");
    // Cut to the offset width by rkyv; small values are the same.
    reads(1000usize, "1000");
    reads(-1000isize, "-1000");
    reads(NonZeroUsize::MIN, "1");
    reads(NonZeroIsize::new(-5).unwrap(), "-5");
}

#[test]
fn numbers_that_name_their_byte_order_keep_it_in_every_build() {
    reads(rend::u32_be::from_native(0x0102_0304), "16909060");
    reads(rend::u32_le::from_native(0x0102_0304), "16909060");
    reads(rend::i16_be::from_native(-2), "-2");
    reads(rend::f64_be::from_native(0.5), "0.5");
    reads(rend::char_be::from_native('x'), "x");
    reads(rend::NonZeroI64_be::new(-3).unwrap(), "-3");
    let order = |ty: &Type<TypeRef>| matches!(ty.shape, Shape::Number { big_endian: true, .. });
    assert!(order(rend::unaligned::u128_ube::TYPE) && !order(rend::unaligned::u128_ule::TYPE));
    assert_eq!(rend::unaligned::u128_ube::TYPE.align, 1);
    assert_eq!(rend::unaligned::NonZeroU16_ule::TYPE.size, 2);
}

#[test]
fn containers_are_where_and_what_their_layout_says() {
    reads(vec![1u32, 2, 3], "[1, 2, 3]");
    reads(Vec::<u64>::new(), "[]");
    reads(
        vec![vec![String::from("a"), "b".repeat(100)], vec![]],
        &format!("[[\"a\", \"{}\"], []]", "b".repeat(100)),
    );
    reads(VecDeque::from([1u16, 2]), "[1, 2]");
    reads([[1u8, 2], [3, 4]], "[[1, 2], [3, 4]]");
    reads([(); 3], "[(), (), ()]");
    for len in [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 63, 64, 65, 300, 5_000] {
        let text: String = "añ€𝄞b".chars().cycle().take(len).collect();
        reads(text.clone(), &format!("{text:?}"));
    }
    reads(CString::new("c string").unwrap(), "\"c string\"");
    reads(vec![CString::default()], "[\"\"]");
}

#[test]
fn structs_and_enums_of_rkyv_are_where_and_what_their_layout_says() {
    reads((), "()");
    reads(PhantomData::<String>, "()");
    reads(PhantomPinned, "()");
    reads(ManuallyDrop::new(5u16), "5");
    reads((1u8,), "(0: 1)");
    reads((1u8, 2u64, 3u16), "(0: 1, 1: 2, 2: 3)");
    reads(
        (1u8, 2u16, 3u8, 4u32, 5u8, 6u64, 7u8, String::from("8"), 9u8, 10u128, 11u8, 12u16, 13u8),
        "(0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: \"8\", 8: 9, 9: 10, 10: 11, 11: 12, 12: 13)",
    );
    reads((Some(1u64), None::<u64>, Some(())), "(0: Some(0: 1), 1: None, 2: Some(0: ()))");
    reads(Some(Some(String::from("deep"))), "Some(0: Some(0: \"deep\"))");
    reads((Ok::<u8, u64>(1), Err::<u8, u64>(2)), "(0: Ok(0: 1), 1: Err(0: 2))");
    reads(
        [Bound::Included(1u32), Bound::Excluded(2), Bound::Unbounded],
        "[Included(0: 1), Excluded(0: 2), Unbounded]",
    );
    reads(Range { start: 1u8, end: 2 }, "(start: 1, end: 2)");
    reads(RangeInclusive::new(1u64, 2), "(start: 1, end: 2)");
    reads(RangeFrom { start: 1u8 }, "(start: 1)");
    reads(RangeTo { end: 1u16 }, "(end: 1)");
    reads(RangeToInclusive { end: 1u16 }, "(end: 1)");
    reads(RangeFull, "()");
    reads(Duration::new(u64::MAX, 999_999_999), "18446744073709551615.999999999s");
    reads((1u8, Duration::from_millis(1500)), "(0: 1, 1: 1.500000000s)");
    reads(uuid::Uuid::from_u128(1), "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]");
}

#[test]
fn addresses_are_where_and_what_their_layout_says() {
    let (v4, v6) = (Ipv4Addr::new(1, 2, 3, 4), Ipv6Addr::from_bits(5));
    let octets = "(octets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5])";
    reads(v4, "(octets: [1, 2, 3, 4])");
    reads(v6, octets);
    reads(IpAddr::V4(v4), "V4(0: (octets: [1, 2, 3, 4]))");
    reads(IpAddr::V6(v6), &format!("V6(0: {octets})"));
    let socket = SocketAddrV4::new(v4, 80);
    reads(socket, "(ip: (octets: [1, 2, 3, 4]), port: 80)");
    reads(SocketAddr::V4(socket), "V4(0: (ip: (octets: [1, 2, 3, 4]), port: 80))");
    let socket = SocketAddrV6::new(v6, 81, 82, 83);
    let expected = format!("(ip: {octets}, port: 81, flowinfo: 82, scope_id: 83)");
    reads(socket, &expected);
    reads(SocketAddr::V6(socket), &format!("V6(0: {expected})"));
}

#[test]
fn pointers_are_where_and_what_their_layout_says() {
    reads(Box::new(1u64), "1");
    reads(Box::<str>::from("boxed"), "\"boxed\"");
    reads(Box::<[u16]>::from([1, 2]), "[1, 2]");
    reads(Some(Box::new(Some(Box::new(1u8)))), "Some(0: Some(0: 1))");
    let shared = Rc::new(String::from("a shared string"));
    reads(
        (shared.clone(), shared.clone(), Rc::downgrade(&shared), Weak::<String>::new()),
        "(0: \"a shared string\", 1: \"a shared string\", 2: \"a shared string\", 3: gone)",
    );
    reads(Arc::<[u32]>::from([1, 2]), "[1, 2]");
    let shared = Arc::<str>::from("arc");
    reads((shared.clone(), shared), "(0: \"arc\", 1: \"arc\")");
}

#[test]
fn maps_are_where_and_what_their_layout_says() {
    for len in [0u32, 1, 2, 5, 6, 7, 13, 14, 15, 16, 17, 35, 36, 100, 1000] {
        let pairs = |sorted: bool| {
            let mut pairs: Vec<String> = (0..len).map(|i| format!("{}: {i}", 3 * i)).collect();
            if sorted {
                pairs.sort();
            }
            format!("{{{}}}", pairs.join(", "))
        };
        let units = |sorted: bool| {
            let mut units: Vec<String> = (0..len).map(|i| format!("{i}: ()")).collect();
            if sorted {
                units.sort();
            }
            format!("{{{}}}", units.join(", "))
        };
        reads((0..len).map(|i| (3 * i as u64, i as u16)).collect::<HashMap<_, _>>(), &pairs(true));
        reads((0..len).collect::<HashSet<_>>(), &units(true));
        reads((0..len).map(|i| (3 * i as u16, i as u64)).collect::<IndexMap<_, _>>(), &pairs(false));
        reads((0..len).collect::<IndexSet<_>>(), &units(false));
        reads((0..len).map(|i| (3 * i as u64, i as u16)).collect::<BTreeMap<_, _>>(), &pairs(false));
        reads((0..len).map(|i| (3 * i as u16, i as u64)).collect::<BTreeMap<_, _>>(), &pairs(false));
        reads((0..len).map(|i| (3 * i, i as u128)).collect::<BTreeMap<_, _>>(), &pairs(false));
        reads((0..len).collect::<BTreeSet<_>>(), &units(false));
    }
    let nested = BTreeMap::from([(String::from("a"), HashMap::from([(Color::Red, vec![1u8])]))]);
    reads(nested, "{\"a\": {Red: [1]}}");
}

#[graven::object]
struct Niches {
    #[rkyv(with = WithNiche)]
    boxed: Option<Box<u32>>,
    #[rkyv(with = WithNiche)]
    text: Option<Box<str>>,
    #[rkyv(with = WithNiche)]
    no_text: Option<Box<str>>,
    #[rkyv(with = WithNiche)]
    zero: Option<NonZeroU128>,
    #[rkyv(with = WithNiche)]
    minus: Option<NonZeroI16>,
    #[rkyv(with = NicheInto<NaN>)]
    nan: Option<f32>,
    #[rkyv(with = NicheInto<NaN>)]
    number: Option<f64>,
    #[rkyv(with = NicheInto<Zero>)]
    into_zero: Option<NonZeroU8>,
    #[rkyv(with = NicheInto<Null>)]
    into_null: Option<Box<u16>>,
    #[rkyv(with = NicheInto<Bool>)]
    into_bool: Option<bool>,
    #[rkyv(with = DefaultNiche)]
    default_bool: Option<bool>,
    #[rkyv(with = DefaultNiche)]
    default_zero: Option<NonZeroI64>,
    #[rkyv(with = DefaultNiche)]
    default_null: Option<Box<u16>>,
    #[rkyv(with = MapNiche<AsBox>)]
    mapped: Option<u64>,
    #[rkyv(with = Map<AsBox>)]
    boxes: Vec<u64>,
    #[rkyv(with = AsVec)]
    entries: BTreeMap<u8, u64>,
    #[rkyv(with = Skip)]
    skipped: String,
}

#[test]
fn niches_and_wrappers_are_where_and_what_their_layout_says() {
    let none = Niches {
        boxed: None,
        text: Some("text".into()),
        no_text: None,
        zero: None,
        minus: NonZeroI16::new(-1),
        nan: None,
        number: Some(0.5),
        into_zero: None,
        into_null: None,
        into_bool: None,
        default_bool: None,
        default_zero: None,
        default_null: None,
        mapped: None,
        boxes: vec![1, 2],
        entries: BTreeMap::from([(1, 10), (2, 20)]),
        skipped: "not archived".into(),
    };
    let expected = "(boxed: none, text: some \"text\", no_text: none, zero: none, minus: some -1, nan: none, \
        number: some 0.5, into_zero: none, into_null: none, into_bool: none, default_bool: none, default_zero: none, \
        default_null: none, mapped: none, boxes: [1, 2], entries: [(key: 1, value: 10), (key: 2, value: 20)], \
        skipped: ())";
    reads(none, expected);
    let some = Niches {
        boxed: Some(Box::new(1)),
        text: None,
        no_text: None,
        zero: NonZeroU128::new(2),
        minus: None,
        nan: Some(f32::INFINITY),
        number: None,
        into_zero: NonZeroU8::new(3),
        into_null: Some(Box::new(4)),
        into_bool: Some(false),
        default_bool: Some(true),
        default_zero: NonZeroI64::new(-5),
        default_null: Some(Box::new(6)),
        mapped: Some(7),
        boxes: vec![],
        entries: BTreeMap::new(),
        skipped: String::new(),
    };
    let expected = "(boxed: some 1, text: none, no_text: none, zero: some 2, minus: none, nan: some inf, \
        number: none, into_zero: some 3, into_null: some 4, into_bool: some false, default_bool: some true, \
        default_zero: some -5, default_null: some 6, mapped: some 7, boxes: [], entries: [], skipped: ())";
    reads(some, expected);
}

// ---- derived types --------------------------------------------------------------------------------------------

#[graven::object]
#[rkyv(derive(Hash, PartialEq, Eq))]
#[derive(PartialEq, Eq, Hash)]
enum Color {
    Red = 3,
    Green = 200,
    Blue,
}

const BASE: u8 = 40;

#[graven::object]
#[repr(u8)]
enum Shapes<T> {
    Unit = BASE,
    Tuple(u8, u64, T),
    #[cfg(any())]
    Never(Missing),
    Named {
        r#type: T,
        wide: u128,
        #[cfg(any())]
        never: Missing,
        small: u8,
    } = 250,
}

#[graven::object]
struct Everything<'a, T, const N: usize>
where
    T: Clone + 'a,
{
    small: u8,
    #[cfg(any())]
    never: Missing,
    r#match: [T; N],
    color: Color,
    shape: Shapes<T>,
    raw: r#Raw,
    unit: Unit,
    empty: Empty,
    tuple: Tuple,
    #[rkyv(with = AsOwned)]
    text: std::borrow::Cow<'static, str>,
    life: PhantomData<&'a T>,
}

#[graven::object]
struct r#Raw {
    r#fn: u16,
}
#[graven::object]
struct Unit;
#[graven::object]
struct Empty {}
#[graven::object]
struct Tuple(u8, u64);

#[test]
fn derived_types_are_where_and_what_their_layout_says() {
    let all = |shape| Everything::<u32, 2> {
        small: 1,
        r#match: [2, 3],
        color: Color::Blue,
        shape,
        raw: r#Raw { r#fn: 4 },
        unit: Unit,
        empty: Empty {},
        tuple: Tuple(5, 6),
        text: "seven".into(),
        life: PhantomData,
    };
    let expected = |shape: &str| {
        format!(
            "(small: 1, match: [2, 3], color: Blue, shape: {shape}, raw: (fn: 4), unit: (), empty: (), \
             tuple: (0: 5, 1: 6), text: \"seven\", life: ())"
        )
    };
    reads(all(Shapes::Unit), &expected("Unit"));
    reads(all(Shapes::Tuple(7, 8, 9)), &expected("Tuple(0: 7, 1: 8, 2: 9)"));
    reads(
        all(Shapes::Named { r#type: 7, wide: 8, small: 9 }),
        &expected("Named(type: 7, wide: 8, small: 9)"),
    );
    let tags = |ty: &Type<TypeRef>| match &ty.shape {
        Shape::Enum { variants } => variants.iter().map(|variant| variant.tag).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(tags(ArchivedColor::TYPE), [3, 200, 201]);
    assert_eq!(tags(<ArchivedShapes<Archived<u8>>>::TYPE), [40, 41, 250]);
}

/// Another crate's type, as far as this file knows.
mod foreign {
    use super::*;

    #[derive(Clone, Copy, rkyv::Portable, rkyv::bytecheck::CheckBytes)]
    #[bytecheck(crate = rkyv::bytecheck)]
    #[repr(C)]
    pub(crate) struct Stamp(pub(crate) [u8; 6]);

    impl Archive for Stamp {
        type Archived = Stamp;
        type Resolver = ();
        fn resolve(&self, _: (), out: rkyv::Place<Stamp>) {
            // SAFETY: six bytes without padding.
            unsafe { out.write_unchecked(*self) }
        }
    }
    impl<S: rkyv::rancor::Fallible + ?Sized> Serialize<S> for Stamp {
        fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
            Ok(())
        }
    }
    impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Stamp, D> for Stamp {
        fn deserialize(&self, _: &mut D) -> Result<Stamp, D::Error> {
            Ok(*self)
        }
    }

    pub(crate) struct Remote {
        hidden: u32,
        pub(crate) open: String,
    }
    impl Remote {
        pub(crate) fn new(hidden: u32, open: &str) -> Self {
            Remote { hidden, open: open.into() }
        }
        pub(crate) fn hidden(&self) -> &u32 {
            &self.hidden
        }
    }
}

#[graven::object]
struct Stamped {
    small: u8,
    #[layout(opaque = "stamp/1")]
    at: foreign::Stamp,
    #[layout(allow_usize)]
    count: usize,
}

#[graven::object]
#[layout(opaque = "secret/2")]
struct Secret {
    low: u8,
    high: u32,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(remote = foreign::Remote, archived = RemoteInside)]
#[expect(dead_code, reason = "stands for the remote type, never made")]
struct RemoteProxy {
    #[rkyv(getter = foreign::Remote::hidden)]
    hidden: u32,
    open: String,
}

#[derive(Archive, Serialize, graven::Layout)]
struct HasRemote {
    first: u8,
    #[rkyv(with = RemoteProxy)]
    remote: foreign::Remote,
}

#[test]
fn foreign_and_opaque_types_are_what_their_attributes_say() {
    let stamped = Stamped { small: 1, at: foreign::Stamp([1, 2, 3, 4, 5, 255]), count: 3 };
    reads(stamped, "(small: 1, at: stamp/1 [01, 02, 03, 04, 05, ff], count: 3)");
    let at_3 =
        if Payload::NATIVE.unaligned { "[01, 02, 00, 00, 00]" } else { "[01, 00, 00, 00, 02, 00, 00, 00]" };
    let at_3 = if Payload::NATIVE.big_endian {
        at_3.replace("02, 00, 00, 00", "00, 00, 00, 02")
    } else {
        at_3.into()
    };
    reads(Secret { low: 1, high: 2 }, &format!("secret/2 {at_3}"));
    assert!(ArchivedSecret::TYPE.invariants);
    let remote = HasRemote { first: 1, remote: foreign::Remote::new(2, "three") };
    reads(remote, "(first: 1, remote: (hidden: 2, open: \"three\"))");
    assert_eq!(RemoteInside::TYPE.name, "RemoteProxy");
}

/// Its own archived form.
#[derive(Clone, Copy, Archive, Serialize, rkyv::Portable, rkyv::bytecheck::CheckBytes, graven::Layout)]
#[bytecheck(crate = rkyv::bytecheck)]
#[rkyv(as = Point)]
#[repr(C)]
struct Point {
    x: rend::f32_le,
    y: rend::f32_le,
}

#[derive(Archive, Serialize, rkyv::Portable, graven::Layout)]
#[rkyv(as = Grid<T::Archived>, archive_bounds(T: Archive))]
#[repr(C)]
struct Grid<T> {
    corner: Point,
    left: T,
    right: T,
}

/// A hand-written archived type, and a type that is archived as it.
#[derive(Clone, Copy, rkyv::Portable, graven::Layout)]
#[layout(portable)]
#[repr(u8)]
#[expect(dead_code, reason = "written through `Switch`")]
enum PortableSwitch {
    Off = 1,
    On(u8) = 7,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(as = PortableSwitch)]
#[layout(skip)]
#[repr(u8)]
enum Switch {
    Off = 1,
    On(u8) = 7,
}

/// A generic archived type, and a generic type that is archived as it.
#[derive(rkyv::Portable, graven::Layout)]
#[layout(portable)]
#[repr(C)]
struct PortableTwo<T> {
    one: T,
    two: T,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(as = PortableTwo<T::Archived>, archive_bounds(T: Archive))]
struct Two<T> {
    one: T,
    two: T,
}

/// A hand-written archived type that the type archived as it describes.
#[derive(rkyv::Portable)]
#[repr(C)]
struct Parts {
    a: rkyv::primitive::ArchivedU16,
    b: rkyv::string::ArchivedString,
}

#[derive(Archive, Serialize, graven::Layout)]
#[rkyv(as = Parts)]
struct Whole {
    a: u16,
    b: String,
}

#[test]
fn types_archived_as_themselves_or_as_others_are_where_and_what_their_layout_says() {
    let point = Point { x: 1.5.into(), y: rend::f32_le::from_native(-1.0) };
    reads(point, "(x: 1.5, y: -1)");
    reads(Grid { corner: point, left: 3u16, right: 4 }, "(corner: (x: 1.5, y: -1), left: 3, right: 4)");
    reads([Switch::Off, Switch::On(9)], "[Off, On(0: 9)]");
    reads(Two { one: "1".to_string(), two: "2".to_string() }, "(one: \"1\", two: \"2\")");
    reads(Whole { a: 1, b: "two".into() }, "(a: 1, b: \"two\")");
    assert_eq!(Parts::TYPE.name, "Whole");
}

/// Archived forms that rkyv would not have made: the tag has the place of a number, and the tags have another order.
#[derive(rkyv::Portable)]
#[repr(C, u8)]
#[expect(dead_code, reason = "measured, never made")]
enum ArchivedApart {
    Second(u8, rkyv::primitive::ArchivedU32) = 4,
    Third,
    First { a: u8 } = 3,
}

#[derive(graven::Layout)]
#[expect(dead_code, reason = "measured, never made")]
#[repr(u8)]
enum Apart {
    First { a: u8 } = 3,
    Second(u8, u32),
    Third,
}

/// Behind generics, where nothing is measured before it is used. Names of ours that are types of the program's.
#[graven::object]
enum Names<__N, __F0> {
    __V0(__N, __F0, u32),
    Named { found: __Tag0, field0: u8, tag: u16, this: __N },
    Opaque(#[layout(opaque = "tag/1")] u8, __Tag0),
}

#[graven::object]
struct __Tag0(#[layout(opaque = "tag/0")] u8);

#[test]
fn what_is_measured_is_the_archived_type_itself_whoever_wrote_it() {
    let Shape::Enum { variants } = &ArchivedApart::TYPE.shape else { unreachable!() };
    let places = |number: usize| {
        let fields = variants[number].fields.iter().map(|field| field.offset as usize);
        (variants[number].tag, fields.collect::<Vec<_>>())
    };
    // Behind the tag comes the union of the variants, aligned for all of them.
    let start = align_of::<rkyv::primitive::ArchivedU32>();
    assert_eq!(places(0), (3, vec![start]));
    assert_eq!(places(1), (4, vec![start, 2 * start]));
    assert_eq!(places(2), (5, vec![]));
    assert_eq!(Schema::of::<ArchivedApart>().check_sound(), Ok(()));

    let names: Vec<Names<u8, u16>> = vec![
        Names::__V0(1, 2, 3),
        Names::Named { found: __Tag0(4), field0: 5, tag: 6, this: 7 },
        Names::Opaque(8, __Tag0(9)),
    ];
    let expected = "[__V0(0: 1, 1: 2, 2: 3), Named(found: (0: tag/0 [04]), field0: 5, tag: 6, this: 7), \
                    Opaque(0: tag/1 [08], 1: (0: tag/0 [09]))]";
    reads(names, expected);
}

mod elsewhere {
    //! graven and rkyv under other names.
    pub(crate) use ::graven as stone;
    use stone::rkyv::with::InlineAsBox;

    #[stone::object(crate = crate::elsewhere::stone)]
    #[rkyv(attr(derive(Debug)))]
    pub(crate) struct Renamed {
        pub(crate) a: Vec<Renamed>,
        pub(crate) b: u8,
    }

    #[derive(stone::Archive, stone::Serialize, stone::Layout)]
    #[rkyv(crate = stone::rkyv)]
    #[layout(crate = stone)]
    pub(crate) struct AlsoRenamed<'a> {
        #[rkyv(with = InlineAsBox)]
        pub(crate) borrowed: &'a str,
    }
}

#[test]
fn graven_may_have_another_name() {
    let renamed = |a| elsewhere::Renamed { a, b: 1 };
    reads(renamed(vec![renamed(vec![])]), "(a: [(a: [], b: 1)], b: 1)");
    reads(elsewhere::AlsoRenamed { borrowed: "text" }, "(borrowed: \"text\")");
}

// ---- fingerprints ---------------------------------------------------------------------------------------------

/// Declares each list of types in a module of its own, so that they may have the same names.
macro_rules! types {
    ($($module:ident { $($item:item)* })*) => {$(
        mod $module {
            $(#[graven::object] #[allow(dead_code)] $item)*
        }
    )*};
}
types! {
    once { pub(crate) struct P { x: u32 } pub(crate) struct Pair { a: P, b: P } }
    twice { pub(crate) struct P { x: u32 } pub(crate) struct Q { x: u32 } pub(crate) struct Other { a: P, b: Q } }
    renamed { pub(crate) struct P { y: u32 } pub(crate) struct Pair { a: P, b: P } }
    base {
        pub(crate) struct Swap { a: u32, b: u32 }
        pub(crate) enum Variants { A, B(u8), C }
        pub(crate) enum Number { A = 1, B = 2 }
        pub(crate) struct Width { a: u32, b: u8 }
        pub(crate) struct Loop { next: Option<Box<Loop>> }
        pub(crate) struct Tuple(u8, u16);
    }
    changed {
        pub(crate) struct Swap { b: u32, a: u32 }
        pub(crate) enum Variants { A, C, B(u8) }
        pub(crate) enum Number { A = 1, B = 3 }
        pub(crate) struct Width { a: i32, b: u8 }
        pub(crate) struct Loop { next: Option<Box<Turn>> }
        pub(crate) struct Turn { next: Option<Box<Loop>> }
        pub(crate) struct Tuple(u16, u8);
    }
}

/// The fingerprint, and that const evaluation and the schema agree on it.
fn fingerprint<T: Archive<Archived: Layout + Refine<Depth>>>() -> graven::format::Fingerprint {
    let fingerprint = fingerprint_of::<T::Archived>();
    assert_eq!(fingerprint, Schema::of::<T::Archived>().fingerprint());
    fingerprint
}

#[test]
fn equal_bytes_have_equal_fingerprints_however_many_types_spell_them() {
    assert_eq!(fingerprint::<once::Pair>(), fingerprint::<twice::Other>());
    assert_eq!(fingerprint::<base::Loop>(), fingerprint::<changed::Loop>());
    assert_eq!(fingerprint::<Vec<u32>>(), fingerprint::<VecDeque<u32>>());
    assert_eq!(fingerprint::<Vec<u32>>(), fingerprint::<Vec<ManuallyDrop<u32>>>());
    assert_eq!(fingerprint::<Rc<u32>>(), fingerprint::<Arc<u32>>());
    assert_eq!(fingerprint::<HashSet<u8>>(), fingerprint::<HashMap<u8, ()>>());
    assert_eq!(fingerprint::<()>(), fingerprint::<Unit>());
    assert_eq!(fingerprint::<()>(), fingerprint::<Empty>());
}

#[test]
fn any_other_meaning_of_the_bytes_is_another_fingerprint() {
    assert_ne!(fingerprint::<once::Pair>(), fingerprint::<renamed::Pair>());
    assert_ne!(fingerprint::<base::Swap>(), fingerprint::<changed::Swap>());
    assert_ne!(fingerprint::<base::Variants>(), fingerprint::<changed::Variants>());
    assert_ne!(fingerprint::<base::Number>(), fingerprint::<changed::Number>());
    assert_ne!(fingerprint::<base::Width>(), fingerprint::<changed::Width>());
    assert_ne!(fingerprint::<base::Tuple>(), fingerprint::<changed::Tuple>());
    let others = [
        fingerprint::<u32>(),
        fingerprint::<i32>(),
        fingerprint::<f32>(),
        fingerprint::<char>(),
        fingerprint::<NonZeroU32>(),
        fingerprint::<rend::u32_le>(),
        fingerprint::<rend::u32_be>(),
        fingerprint::<[u8; 4]>(),
        fingerprint::<Vec<u8>>(),
        fingerprint::<Vec<i8>>(),
        fingerprint::<String>(),
        fingerprint::<Box<str>>(),
        fingerprint::<CString>(),
        fingerprint::<Box<[u8]>>(),
        fingerprint::<Rc<str>>(),
        fingerprint::<Weak<str>>(),
        fingerprint::<Option<u8>>(),
        fingerprint::<Result<u8, ()>>(),
        fingerprint::<BTreeSet<u8>>(),
    ];
    let distinct: HashSet<_> = others.iter().collect();
    // One of `u32_le` and `u32_be` is `u32`, if the build's numbers are aligned.
    assert_eq!(distinct.len(), others.len() - usize::from(!Payload::NATIVE.unaligned));
}

mod recursive {
    use super::*;

    #[graven::object]
    pub(crate) struct Forest {
        trees: HashMap<String, Tree<Vec<Forest>>>,
        best: Option<Rc<Tree<u8>>>,
    }
    #[graven::object]
    pub(crate) enum Tree<T> {
        Leaf(T),
        Branch(Box<Tree<T>>, Box<Self>),
    }
    #[graven::object]
    pub(crate) struct Even<T> {
        #[rkyv(omit_bounds)]
        next: Option<Box<Odd<T>>>,
        value: T,
    }
    #[graven::object]
    pub(crate) struct Odd<T> {
        #[rkyv(omit_bounds)]
        next: Option<Box<Even<T>>>,
        value: T,
    }
}

#[test]
fn recursive_types_have_the_same_fingerprint_at_compile_time_and_at_run_time() {
    fingerprint::<recursive::Forest>();
    fingerprint::<recursive::Tree<recursive::Forest>>();
    assert_eq!(fingerprint::<recursive::Even<u8>>(), fingerprint::<recursive::Odd<u8>>());
    assert_ne!(fingerprint::<recursive::Even<u8>>(), fingerprint::<recursive::Odd<u16>>());
}
