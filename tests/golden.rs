//! The layouts of a dozen types, written down. A change of rkyv, of the derive or of the schema that changes a byte or
//! a fingerprint fails here, whatever else it passes.
//!
//! `tests/golden/NAME.txt` holds, for each type, its fingerprint, the size and checksum of its encoded table and of an
//! archived value, and the table as text. After a deliberate change: `GRAVEN_BLESS=1 cargo test --test golden`, read the
//! difference, and say in CHANGELOG.md that segments written before are refused.
#![cfg(not(any(
    feature = "pointer_width_64",
    feature = "pointer_width_16",
    feature = "big_endian",
    feature = "unaligned"
)))]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write,
    net::{IpAddr, SocketAddr},
    num::{NonZeroU8, NonZeroU32},
    ops::{Bound, Range},
    rc::{Rc, Weak},
    time::Duration,
};

use graven::{
    Archive, Serialize,
    format::Schema,
    layout::{Depth, Field, Layout, Refine, Shape, fingerprint_of},
    rkyv::{
        self,
        api::high::HighSerializer,
        bytecheck::Verify,
        niche::niching::{DefaultNiche, NaN},
        rancor::{BoxedError, Fallible, Source},
        ser::allocator::ArenaHandle,
        util::AlignedVec,
        with::{Niche, NicheInto},
    },
};

/// A table as text: a line per type, and one per field.
fn text(schema: &Schema) -> String {
    let mut out = String::new();
    let fields = |out: &mut String, fields: &[Field<u32>], indent: &str| {
        for Field { name, offset, ty } in fields {
            writeln!(out, "{indent}{name} @{offset}: {ty}").unwrap();
        }
    };
    for (i, ty) in schema.types().iter().enumerate() {
        let invariants = if ty.invariants { ", invariants" } else { "" };
        writeln!(out, "{i} {}: {} bytes, align {}{invariants}", ty.name, ty.size, ty.align).unwrap();
        match &ty.shape {
            Shape::Struct { fields: list } => fields(&mut out, list, "    "),
            Shape::Enum { variants } => {
                for variant in variants.iter() {
                    writeln!(out, "    {} = {}", variant.name, variant.tag).unwrap();
                    fields(&mut out, &variant.fields, "        ");
                }
            }
            shape => writeln!(out, "    {shape:?}").unwrap(),
        }
    }
    out
}

/// Compares one type with what is written down of it.
#[track_caller]
fn golden<T>(name: &str, value: &T)
where
    T: Archive<Archived: Layout + Refine<Depth>>
        + for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, BoxedError>>,
{
    let schema = Schema::of::<T::Archived>();
    assert_eq!(schema.fingerprint(), fingerprint_of::<T::Archived>());
    let (table, archive) = (schema.encode(), rkyv::to_bytes::<BoxedError>(value).unwrap());
    let bytes =
        |bytes: &[u8]| format!("{} bytes, checksum {:016x}", bytes.len(), graven_format::checksum(bytes));
    let now = format!(
        "fingerprint {}\ntable {}\narchive {}\n\n{}",
        schema.fingerprint(),
        bytes(&table),
        bytes(&archive),
        text(&schema)
    );
    let path = format!("{}/tests/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("GRAVEN_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(now, written, "the layout of {name} is not what {path} says");
}

#[graven::object]
struct Numbers {
    byte: u8,
    signed: i16,
    unsigned: u32,
    long: u64,
    wide: u128,
    float: f32,
    double: f64,
    letter: char,
    truth: bool,
    nonzero: NonZeroU32,
}

#[graven::object]
struct Texts {
    inline: String,
    outside: String,
    boxed: Box<str>,
    c: std::ffi::CString,
    many: Vec<String>,
}

#[graven::object]
#[repr(u8)]
enum Variants {
    Unit = 7,
    Tuple(u8, u64, u16),
    Named { id: u32, at: (i8, i64) } = 200,
    Nested(Option<Option<Box<u16>>>),
}

#[graven::object]
struct Niches {
    #[rkyv(with = Niche)]
    boxed: Option<Box<[u32]>>,
    #[rkyv(with = NicheInto<NaN>)]
    number: Option<f64>,
    #[rkyv(with = DefaultNiche)]
    truth: Option<bool>,
    #[rkyv(with = Niche)]
    byte: Option<NonZeroU8>,
}

#[graven::object]
struct Maps {
    #[rkyv(with = graven::with::Sorted)]
    hash: HashMap<String, u32>,
    #[rkyv(with = graven::with::Sorted)]
    set: HashSet<u64>,
    tree: BTreeMap<u16, String>,
    branches: BTreeSet<u32>,
    index: indexmap::IndexMap<String, u8>,
    indices: indexmap::IndexSet<char>,
}

#[graven::object]
struct Pointers {
    shared: Rc<String>,
    again: Rc<String>,
    weak: Weak<String>,
    gone: Weak<String>,
    slice: std::sync::Arc<[u16]>,
}

#[graven::object]
struct Times {
    took: Duration,
    window: Range<u32>,
    from: Bound<i64>,
    result: Result<u8, String>,
    host: IpAddr,
    socket: SocketAddr,
}

#[graven::object]
struct Node {
    name: String,
    children: Vec<Node>,
}

#[graven::object]
enum Tree<T> {
    Leaf(T),
    Branch { left: Box<Tree<T>>, right: Box<Tree<T>> },
}

#[graven::object]
struct Folder {
    entries: Vec<Entry>,
}
#[graven::object]
enum Entry {
    File(u64),
    Folder(Box<Folder>),
}

#[graven::object]
struct Units {
    unit: (),
    marker: std::marker::PhantomData<u64>,
    tuple: (u8,),
    array: [[u16; 2]; 3],
    none: [u64; 0],
}

#[graven::object]
struct Opaque {
    #[layout(opaque = "checked/1")]
    checked: Checked,
    plain: Checked,
}
#[graven::object]
#[rkyv(bytecheck(verify))]
struct Checked {
    below_ten: u8,
}
// SAFETY: looks at one byte, which is valid.
unsafe impl<C: Fallible<Error: Source> + ?Sized> Verify<C> for ArchivedChecked {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        Ok(())
    }
}

/// Pinned to the number in `tests/golden/node.txt`: the name of a type is no part of its layout.
#[graven::object]
#[layout(fingerprint = "1737dbf01e0c09174223ff1273024517")]
struct PinnedNode {
    name: String,
    children: Vec<PinnedNode>,
}
graven::pin_layout!(Tree<Node> = "00bea098bbf5b26b319bca3be8317e22");

#[test]
fn layouts_are_what_is_written_down() {
    let numbers = Numbers {
        byte: 1,
        signed: -2,
        unsigned: 3,
        long: 4,
        wide: 5,
        float: 6.5,
        double: -7.25,
        letter: 'ü',
        truth: true,
        nonzero: NonZeroU32::MIN,
    };
    golden("numbers", &numbers);
    let outside = "more than eight bytes".to_string();
    golden(
        "texts",
        &Texts {
            inline: "inline".into(),
            outside: outside.clone(),
            boxed: "boxed".into(),
            c: c"c".into(),
            many: vec![outside.clone(), String::new()],
        },
    );
    golden(
        "variants",
        &[
            Variants::Unit,
            Variants::Tuple(1, 2, 3),
            Variants::Named { id: 4, at: (-5, -6) },
            Variants::Nested(Some(Some(Box::new(7)))),
        ],
    );
    golden(
        "niches",
        &Niches { boxed: Some([1, 2].into()), number: None, truth: None, byte: NonZeroU8::new(3) },
    );
    let words = || (0u8..20).map(|i| (format!("word {i}"), i));
    golden(
        "maps",
        &Maps {
            hash: words().map(|(word, i)| (word, i.into())).collect(),
            set: (0..20).map(|i| i * i).collect(),
            tree: words().map(|(word, i)| (i.into(), word)).collect(),
            branches: (0..5).collect(),
            index: words().collect(),
            indices: "graven".chars().collect(),
        },
    );
    let shared = Rc::new(outside);
    golden(
        "pointers",
        &Pointers {
            again: shared.clone(),
            weak: Rc::downgrade(&shared),
            gone: Weak::new(),
            slice: [1, 2, 3].into(),
            shared,
        },
    );
    golden(
        "times",
        &Times {
            took: Duration::new(1, 2),
            window: 3..4,
            from: Bound::Excluded(5),
            result: Err("six".into()),
            host: [7, 8, 9, 10].into(),
            socket: "[::11]:12".parse().unwrap(),
        },
    );
    let leaf = |name: &str| Node { name: name.into(), children: vec![] };
    golden("node", &Node { name: "root".into(), children: vec![leaf("a"), leaf("b")] });
    golden(
        "tree",
        &Tree::Branch {
            left: Box::new(Tree::Leaf(leaf("left"))),
            right: Box::new(Tree::Leaf(leaf("right"))),
        },
    );
    golden(
        "folder",
        &Folder { entries: vec![Entry::File(1), Entry::Folder(Box::new(Folder { entries: vec![] }))] },
    );
    golden(
        "units",
        &Units {
            unit: (),
            marker: std::marker::PhantomData,
            tuple: (1,),
            array: [[2, 3], [4, 5], [6, 7]],
            none: [],
        },
    );
    golden("opaque", &Opaque { checked: Checked { below_ten: 1 }, plain: Checked { below_ten: 2 } });
}

#[test]
fn a_pinned_type_has_the_fingerprint_of_any_type_of_the_same_bytes() {
    assert_eq!(fingerprint_of::<ArchivedPinnedNode>(), fingerprint_of::<ArchivedNode>());
}
