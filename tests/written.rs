//! What the writer writes, a checking reader accepts; what none would, the writer refuses before anything is visible.
#![recursion_limit = "512"]

mod support;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::CString;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use graven::layout::{Field, Shape, Type, TypeRef};
use graven::{
    Archive, Cause, ErrorKind, Layout, Segment, Serialize, Serializer, Writer, error::UnsoundSchema,
};
use indexmap::IndexMap;
use support::*;

/// Writes the value, and has it verified and adopted.
#[track_caller]
fn written<T>(value: &T)
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let segment = Segment::from_bytes(bytes_of(value)).unwrap();
    segment.verify().unwrap();
    segment.root::<T>().unwrap();
}

type Boxes4<T> = Box<Box<Box<Box<T>>>>;
type Boxes16<T> = Boxes4<Boxes4<Boxes4<Boxes4<T>>>>;
type Boxes64<T> = Boxes16<Boxes16<Boxes16<Boxes16<T>>>>;

fn boxes_4<T>(value: T) -> Boxes4<T> {
    Box::new(Box::new(Box::new(Box::new(value))))
}
fn boxes_64<T>(value: T) -> Boxes64<T> {
    fn boxes_16<T>(value: T) -> Boxes16<T> {
        boxes_4(boxes_4(boxes_4(boxes_4(value))))
    }
    boxes_16(boxes_16(boxes_16(boxes_16(value))))
}

#[derive(Archive, Serialize, Layout)]
struct Between {
    halfway: Boxes64<u8>,
}

/// [S6.1c] [S9a] [S11a]
#[test]
fn types_that_differ_behind_64_links_are_written_and_those_that_do_behind_65_are_not() {
    fn refused<T>(value: &T)
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        let directory = directory();
        let path = directory.path().join("one.grv");
        let error = graven::write(&path, value).unwrap_err();
        assert_eq!((error.kind(), error.errno()), (ErrorKind::InvalidArgument, EINVAL));
        let Cause::Unwritable(UnsoundSchema::TooFar { links: 64 }) = error.cause() else { panic!("{error}") };
        assert!(error.to_string().contains("more than 64 links; put a struct"), "{error}");
        assert!(matches!(graven::encoded_len(value).unwrap_err().cause(), Cause::Unwritable(_)));
        assert_eq!(names_in(directory.path()), [""; 0]);

        // A writer goes on as if nothing had been asked of it.
        let mut writer = Writer::create(&path).unwrap();
        writer.put("first", &1u8).unwrap();
        writer.put("refused", value).unwrap_err();
        writer.put("last", &2u8).unwrap();
        assert_eq!(writer.finish().unwrap().objects, 2);
        map(&path).unwrap().verify().unwrap();
    }
    written(&(boxes_64(7u8), boxes_64(7u16)));
    refused(&(Box::new(boxes_64(7u8)), Box::new(boxes_64(7u16))));
    // The two outermost boxes of one chain, which is longer by one.
    written(&Box::new(boxes_64(7u8)));
    refused(&Box::new(Box::new(boxes_64(7u8))));
    // What the error advises.
    written(&boxes_4(Between { halfway: boxes_64(7u8) }));
}

/// Keys that somebody chose: all of one hash. Lookups are slow, but find them. [S8a]
#[test]
fn keys_that_collide_are_written_and_verified() {
    const FX: u64 = 0x517c_c1b7_2722_0a95;
    let collide = |low: u64| u128::from(low.wrapping_mul(FX).rotate_left(5) ^ 1) << 64 | u128::from(low);
    let keys: HashSet<u128> = (0..2000).map(collide).collect();
    let segment = Segment::from_bytes(bytes_of(&keys)).unwrap();
    segment.verify().unwrap();
    let adopted = segment.root::<HashSet<u128>>().unwrap();
    assert!(keys.iter().all(|key| adopted.contains(&(*key).into())));
}

#[derive(Archive, Serialize)]
struct Lying {
    byte: u8,
}

// SAFETY: not kept, which is what is tested: no bytes are read by this description, as it is not written.
unsafe impl Layout for ArchivedLying {
    const TYPE: &'static Type<TypeRef> = &Type {
        name: Cow::Borrowed("Lying"),
        size: 1,
        align: 1,
        invariants: false,
        shape: Shape::Struct {
            fields: Cow::Borrowed(&[Field {
                name: Cow::Borrowed("byte"),
                offset: 1,
                ty: TypeRef::of::<u8>(),
            }]),
        },
    };
}

/// [S9a]
#[test]
fn a_layout_that_cannot_be_followed_is_not_written() {
    let directory = directory();
    let error = graven::write(directory.path().join("one.grv"), &Lying { byte: 1 }).unwrap_err();
    assert!(
        matches!(error.cause(), Cause::Unwritable(UnsoundSchema::FieldOutside { offset: 1, .. })),
        "{error}"
    );
    assert_eq!(error.errno(), EINVAL);
    assert_eq!(names_in(directory.path()), [""; 0]);
}

/// The standard library makes a slice of an array, and bytes of a text, in the same allocation; rkyv knows what it has
/// written by its address. [S9a]
#[test]
fn what_is_shared_as_two_types_is_not_written_as_one_of_them() {
    #[track_caller]
    fn refused<T>(value: &T)
    where
        T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
    {
        let directory = directory();
        let error = graven::write(directory.path().join("one.grv"), value).unwrap_err();
        assert!(matches!(error.cause(), Cause::Serialize { .. }), "{error}");
        assert_eq!((error.kind(), error.errno()), (ErrorKind::InvalidArgument, EINVAL));
        let message = error.to_string();
        assert!(message.contains("disagree on its type") && message.contains("Unshare"), "{message}");
        assert_eq!(names_in(directory.path()), [""; 0]);
        let file = tempfile::tempfile().unwrap();
        for error in
            [graven::encoded_len(value).unwrap_err(), graven::write_at(&file, 0, 8192, value).unwrap_err()]
        {
            assert!(matches!(error.cause(), Cause::Serialize { .. }), "{error}");
        }
    }
    let array = Rc::new([1u32, 2, 3]);
    let slice: Rc<[u32]> = array.clone();
    refused(&(array.clone(), slice.clone()));
    refused(&(slice.clone(), Rc::downgrade(&array), array.clone()));
    let text: Arc<str> = "a text".into();
    let bytes: Arc<[u8]> = text.clone().into();
    refused(&(vec![text.clone()], bytes.clone()));

    // Others of these types, and each alone as often as it likes.
    written(&(array.clone(), Rc::<[u32]>::from([1, 2, 3]), array.clone()));
    written(&(slice.clone(), slice));
    written(&(text.clone(), Arc::<[u8]>::from(*b"a text"), text, bytes.len() as u32));
    written(&(Rc::<[u32]>::from([7]), Rc::new([7u64])));
}

/// What `tests/generated_types` has not: sharing, nothing at all, texts around the length that lies in line.
#[derive(Archive, Serialize, Layout, Default)]
#[rkyv(serialize_bounds(__S: rkyv::ser::Writer + rkyv::ser::Allocator + rkyv::ser::Sharing, __S::Error: rkyv::rancor::Source))]
#[rkyv(bytecheck(bounds(__C: rkyv::validation::ArchiveContext + rkyv::validation::SharedContext, __C::Error: rkyv::rancor::Source)))]
struct Mixed {
    texts: Vec<String>,
    shared: Vec<Rc<String>>,
    weak: Vec<Weak<String>>,
    weak_slices: Vec<Weak<[u16]>>,
    units: Vec<Rc<()>>,
    slices: Vec<Rc<[u64]>>,
    boxed: Option<Box<[u16]>>,
    c: Vec<CString>,
    nothing: Vec<()>,
    no_numbers: Vec<[u64; 0]>,
    by_text: HashMap<String, Vec<Rc<String>>>,
    by_unit: HashSet<()>,
    index: IndexMap<String, Option<Box<str>>>,
    tree: BTreeMap<i16, Vec<String>>,
    chars: BTreeSet<char>,
    #[rkyv(omit_bounds)]
    below: Vec<Mixed>,
}

impl Mixed {
    fn of(random: &mut Random, levels: usize) -> Mixed {
        fn many<T>(random: &mut Random, mut make: impl FnMut(&mut Random) -> T) -> Vec<T> {
            (0..random.below(4)).map(|_| make(random)).collect()
        }
        let text = |random: &mut Random| "x".repeat(random.below(20));
        let pool: Vec<Rc<String>> = (0..3).map(|_| Rc::new(text(random))).collect();
        let units: Vec<Rc<()>> = vec![Rc::new(()), Rc::new(())];
        let slices: Vec<Rc<[u64]>> = (0..3).map(|_| many(random, |_| 7).into()).collect();
        let one = |random: &mut Random| pool[random.below(3)].clone();
        Mixed {
            texts: many(random, text),
            shared: many(random, one),
            weak: many(random, |random| match random.below(3) {
                0 => Weak::new(),
                _ => Rc::downgrade(&one(random)),
            }),
            weak_slices: many(random, |_| Rc::downgrade(&Rc::from([7u16]))),
            units: many(random, |random| units[random.below(2)].clone()),
            slices: many(random, |random| slices[random.below(3)].clone()),
            boxed: (random.below(2) == 0).then(|| many(random, |_| 7).into()),
            c: many(random, |random| CString::new(text(random)).unwrap()),
            nothing: many(random, |_| ()),
            no_numbers: many(random, |_| []),
            by_text: many(random, |random| (text(random), many(random, one))).into_iter().collect(),
            by_unit: many(random, |_| ()).into_iter().collect(),
            index: many(random, |random| (text(random), (random.below(2) == 0).then(|| text(random).into())))
                .into_iter()
                .collect(),
            tree: (0..random.below(40)).map(|key| (key as i16 - 20, many(random, text))).collect(),
            chars: (0..random.below(40) as u8).map(char::from).collect(),
            below: match levels {
                0 => Vec::new(),
                _ => many(random, |random| Mixed::of(random, levels - 1)),
            },
        }
    }
}

/// [S9a]
#[test]
fn values_of_every_container_are_written_and_verified() {
    written(&Mixed::default());
    for seed in 1..300 {
        written(&Mixed::of(&mut Random(seed), 2));
    }
}
