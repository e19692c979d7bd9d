//! Whatever the value: writing it is done, or is an error. No panic of rkyv's gets through.
//!
//! rkyv panics where it pads for an alignment above 32, and where a pointer of what it lays out is too far from its target;
//! just behind that it writes something else without a word. Its wrappers for locks, times and paths refuse what they
//! cannot archive. What a type's own `Serialize` panics with is the program's: it comes through, and leaves the writer as
//! it was.

mod support;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ffi::{CString, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroI8, NonZeroU32};
use std::ops::{Bound, Range, RangeInclusive};
use std::os::unix::ffi::OsStringExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, UNIX_EPOCH};

use graven::rkyv::api::high::HighDeserializer;
use graven::rkyv::rancor::{BoxedError, Fallible};
use graven::rkyv::with::{AsString, AsUnixTime, Lock};
use graven::rkyv::{Place, primitive::ArchivedU32, ser};
use graven::{
    Archive, Cause, Deserialize, ErrorKind, Layout, Segment, Serialize, Serializer, Writer, format::Payload,
};
use proptest::prelude::{Arbitrary, ProptestConfig};
use proptest::test_runner::TestRunner;
use support::{EINVAL, Scripted, bytes_of, store};

/// What every way of writing says of the value, which is the same.
fn written<T>(value: &T) -> graven::Result<()>
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value.grv");
    let counted = graven::encoded_len(value);
    let mut writer = Writer::create(&path).unwrap();
    let put = writer.put("value", value);
    writer.put("after it", &7u8).unwrap();
    writer.finish().unwrap();
    let segment = Segment::read(&path).unwrap();
    segment.verify().unwrap();
    assert_eq!(segment.get::<T>("value").is_ok(), put.is_ok());
    let whole = graven::write(&path, value);
    let store = store(&dir);
    let published = store.owner("name").unwrap().publish(value);
    let file = tempfile::tempfile().unwrap();
    let at = graven::write_at(&file, 0, 1 << 20, value);
    let said = [counted.map(drop), put, whole.map(drop), published.map(drop), at.map(drop)];
    let causes = said.each_ref().map(|said| said.as_ref().err().map(|error| format!("{:?}", error.cause())));
    assert!(causes.iter().all(|cause| *cause == causes[0]), "{causes:?}");
    said.into_iter().next().unwrap()
}

/// Written; all that is in it lies where its alignment wants it, in a copy too.
#[track_caller]
fn padded<T>(value: &T)
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    written(value).unwrap();
    let segment = Segment::from_bytes(bytes_of(value)).unwrap();
    segment.verify().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.grv");
    let mut writer = Writer::create(&path).unwrap();
    writer.put("an odd number of bytes before", &7u8).unwrap();
    writer.copy(&segment, "").unwrap();
    writer.finish().unwrap();
    let copy = Segment::read(&path).unwrap();
    for segment in [segment, copy] {
        let adopted = segment.root::<T>().unwrap();
        assert!(std::ptr::from_ref(&*adopted).addr().is_multiple_of(align_of::<T::Archived>()));
    }
}

macro_rules! aligned {
    ($($name:ident $plain:ident $align:literal;)*) => {$(
        /// With a part outside of itself.
        #[graven::object]
        #[rkyv(attr(repr(C, align($align))))]
        struct $name {
            text: String,
        }

        /// Without. Aligned itself, or rkyv would copy slices of it.
        #[repr(align($align))]
        #[graven::object]
        #[rkyv(attr(repr(C, align($align))))]
        #[rkyv(derive(PartialEq, Eq, Hash, PartialOrd, Ord))]
        #[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
        struct $plain {
            byte: u8,
        }
    )*};
}
aligned! {
    Line32 Plain32 32;
    Line64 Plain64 64;
    Line128 Plain128 128;
    Line4096 Plain4096 4096;
}

#[graven::object]
struct Table {
    first: u8,
    lines: Vec<Line64>,
}

#[graven::object]
struct Plains {
    first: u8,
    lines: Vec<Plain64>,
    boxed: Option<Box<Plain64>>,
    one: Plain64,
}

#[graven::object]
struct PlainsAndText {
    text: String,
    lines: Vec<Plain64>,
}

#[test]
fn a_type_aligned_to_more_than_rkyv_pads_to_is_written_whatever_the_lengths() {
    for length in 0..140 {
        let text = "x".repeat(length);
        padded(&Line32 { text: text.clone() });
        padded(&vec![Line32 { text: text.clone() }]);
        if length % 8 < 2 {
            padded(&Line64 { text: text.clone() });
            padded(&Line128 { text: text.clone() });
            padded(&Line4096 { text: text.clone() });
            padded(&Table { first: 1, lines: vec![Line64 { text: text.clone() }] });
            padded(&PlainsAndText { text: text.clone(), lines: vec![] });
            padded(&(text.clone(), Plain64 { byte: 1 }));
            padded(&HashMap::from([(text.clone(), Plain64 { byte: 1 })]));
            padded(&vec![(Plain64 { byte: 1 }, text.clone().into_bytes())]);
        }
    }
    padded(&Rc::<[Plain64]>::from([]));
    padded(&vec![vec![Plain64 { byte: 1 }]]);
    padded(&indexmap::IndexMap::<u32, Plain64>::new());
}

#[test]
fn plain_values_of_any_alignment_and_what_is_made_of_them_are_written() {
    padded(&Plain64 { byte: 1 });
    padded(&Plain128 { byte: 1 });
    padded(&[Plain4096 { byte: 1 }, Plain4096 { byte: 2 }]);
    for count in [0, 1, 2, 5, 6, 7, 40, 100] {
        let plains = || (0..count).map(|byte| Plain64 { byte });
        padded(&plains().collect::<Vec<_>>());
        padded(&plains().collect::<Box<[_]>>());
        padded(&plains().map(Box::new).collect::<Vec<_>>().into_iter().next());
        padded(&(0..u32::from(count)).zip(plains()).collect::<BTreeMap<_, _>>());
        padded(&plains().zip(0..count).collect::<BTreeMap<_, _>>());
        padded(&(0..u32::from(count)).zip(plains()).collect::<HashMap<_, _>>());
        padded(&Rc::new(Plain64 { byte: 1 }));
        let one = Plain64 { byte: 1 };
        padded(&Plains {
            first: 1,
            lines: plains().collect(),
            boxed: plains().next_back().map(Box::new),
            one,
        });
    }
    padded(&Some(Rc::new(Plain32 { byte: 1 })));
}

/// Serializes as something else each time.
struct Fickle(Cell<u32>);

impl Archive for Fickle {
    type Archived = ArchivedU32;
    type Resolver = ();

    fn resolve(&self, (): (), out: Place<ArchivedU32>) {
        out.write(7.into());
    }
}

impl<S: Fallible + ser::Writer + ?Sized> Serialize<S> for Fickle {
    fn serialize(&self, serializer: &mut S) -> Result<(), S::Error> {
        if self.0.replace(self.0.get() + 1) % 2 == 1 {
            serializer.write(&[0; 3])?;
            serializer.pos();
            serializer.write(&[0])?;
        }
        Ok(())
    }
}

#[test]
fn an_aligned_value_that_changes_while_it_is_written_is_refused() {
    written(&Fickle(Cell::new(0))).unwrap();
    let error = written(&(Fickle(Cell::new(0)), Plain64 { byte: 1 })).unwrap_err();
    assert!(matches!(error.cause(), Cause::Serialize { .. }), "{error}");
    assert!(error.to_string().contains("changed while it was written"), "{error}");
}

/// Its last pointer is behind many bytes of its own, and leads nearly to the start of the object. Without maps, which are
/// kept in memory while they are written.
#[graven::object]
#[derive(PartialEq, Debug)]
struct Far {
    boxes: [Option<Box<u8>>; 8],
    between: [u8; 1000],
    bytes: Vec<u8>,
    text: String,
}

#[test]
fn an_object_that_ends_near_the_reach_of_its_pointers_is_right_or_too_large() {
    let reach = Payload::NATIVE.max_position() as usize;
    if Payload::NATIVE.offset_width == 8 {
        return println!("SKIPPED: no machine has objects that long");
    }
    // Zeros that are not there until they are looked at: counting does not.
    let mut bytes = vec![0; reach];
    let (mut fit, mut refused) = (0, 0);
    for less in (0..3000).step_by(if Payload::NATIVE.offset_width == 2 { 1 } else { 4 }).rev() {
        bytes.resize(reach - less, 0);
        let far = Far {
            boxes: std::array::from_fn(|n| (n % 3 > 0).then(|| Box::new(n as u8))),
            between: [1; 1000],
            bytes: std::mem::take(&mut bytes),
            text: "a text that is not inline".to_string(),
        };
        match graven::encoded_len(&far) {
            Ok(_) => fit += 1,
            Err(error) => {
                assert!(matches!(error.cause(), Cause::TooLarge { .. }), "{error}");
                refused += 1;
            }
        }
        if Payload::NATIVE.offset_width == 2 && graven::encoded_len(&far).is_ok() {
            let segment = Segment::from_bytes(bytes_of(&far)).unwrap();
            segment.verify().unwrap();
            assert_eq!(segment.root::<Far>().unwrap().deserialize::<Far>().unwrap(), far);
        }
        bytes = far.bytes;
    }
    assert!(fit > 100 && refused > 50, "{fit} fit, {refused} refused");
}

#[graven::object]
struct Locked {
    #[rkyv(with = Lock)]
    mutex: Mutex<String>,
    #[rkyv(with = Lock)]
    shared: RwLock<String>,
}

#[graven::object]
struct Wrapped {
    #[rkyv(with = AsUnixTime)]
    time: std::time::SystemTime,
    #[rkyv(with = AsString)]
    name: OsString,
    #[rkyv(with = AsString)]
    path: PathBuf,
}

/// What the type's own archiving refuses.
#[track_caller]
fn refused<T>(value: &T, words: &str)
where
    T: Archive<Archived: Layout> + for<'a> Serialize<Serializer<'a>>,
{
    let error = written(value).unwrap_err();
    assert!(matches!(error.cause(), Cause::Serialize { .. }), "{error}");
    assert_eq!(error.errno(), EINVAL);
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn what_wrappers_cannot_archive_is_an_error() {
    let locked = || Locked { mutex: Mutex::default(), shared: RwLock::default() };
    written(&locked()).unwrap();
    for which in 0..2 {
        let locked = locked();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _mutex = (which == 0).then(|| locked.mutex.lock().unwrap());
            let _shared = (which == 1).then(|| locked.shared.write().unwrap());
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        refused(&locked, "`None`, expected `Some`");
    }
    let wrapped = || Wrapped { time: UNIX_EPOCH, name: "name".into(), path: "path".into() };
    written(&wrapped()).unwrap();
    let not_text = || OsString::from_vec(vec![b'a', 0xff]);
    refused(&Wrapped { time: UNIX_EPOCH - Duration::from_secs(1), ..wrapped() }, "");
    refused(&Wrapped { name: not_text(), ..wrapped() }, "expected `Some`");
    refused(&Wrapped { path: not_text().into(), ..wrapped() }, "expected `Some`");
}

#[test]
fn values_without_bytes_and_shared_ones_are_written() {
    #[graven::object]
    struct Nothing;
    written(&()).unwrap();
    written(&Nothing).unwrap();
    written(&vec![(); 1000]).unwrap();
    written(&vec![Nothing, Nothing]).unwrap();
    written(&Box::new(Nothing)).unwrap();
    let (one, other) = (Rc::new(()), Rc::new(()));
    written(&vec![one.clone(), other, one]).unwrap();
    let dead: Weak<u32> = Weak::new();
    written(&(dead, Rc::<str>::from(""), Rc::<[u64]>::from([]))).unwrap();
    written(&HashMap::from([((), ())])).unwrap();
}

#[test]
fn what_a_type_panics_with_comes_through_and_the_next_value_is_written() {
    let panics = Scripted(|| std::panic::resume_unwind(Box::new("mine")));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value.grv");
    let mut writer = Writer::create(&path).unwrap();
    let store = store(&dir);
    let mut owner = store.owner("name").unwrap();
    owner.publish(&1u32).unwrap();
    let steps: RefCell<Vec<&str>> = RefCell::default();
    let caught = |run: &mut dyn FnMut()| {
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        steps.borrow_mut().push(panic.downcast_ref::<&str>().unwrap());
    };
    caught(&mut || drop(graven::encoded_len(&panics)));
    caught(&mut || drop(graven::write(dir.path().join("other.grv"), &panics)));
    caught(&mut || drop(writer.put("panics", &panics)));
    caught(&mut || drop(owner.publish(&panics)));
    assert_eq!(*steps.borrow(), ["mine"; 4]);
    writer.put("panics", &7u32).unwrap();
    writer.finish().unwrap();
    let segment = Segment::read(&path).unwrap();
    segment.verify().unwrap();
    assert_eq!(*segment.get::<u32>("panics").unwrap(), 7);
    assert!(!dir.path().join("other.grv").exists());
    assert_eq!(owner.publish(&2u32).unwrap(), 2);
}

/// Values of a type: each is refused with a reason, or verified, adopted and made again once it is written.
fn any<T>()
where
    T: Archive<Archived: Layout + Deserialize<T, HighDeserializer<BoxedError>>>
        + for<'a> Serialize<Serializer<'a>>
        + Arbitrary
        + PartialEq,
{
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 16, failure_persistence: None, ..Default::default() });
    let name = std::any::type_name::<T>();
    let held = runner.run(&proptest::prelude::any::<T>(), |value| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("value.grv");
        match graven::write(&path, &value) {
            Ok(_) => {
                let segment = Segment::read(&path).unwrap();
                segment.verify().unwrap_or_else(|error| panic!("{error}"));
                assert!(segment.root::<T>().unwrap().deserialize::<T>().unwrap() == value);
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::TooLarge), "{error}");
                assert!(!path.exists());
            }
        }
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn what_is_written_is_verified_or_it_is_refused() {
    macro_rules! any_of {
        ($($ty:ty),* $(,)?) => {{$(any::<$ty>();)*}};
    }
    any_of! {
        (), bool, char, u8, i128, f32, String, Box<str>, CString, Duration, NonZeroU32, NonZeroI8,
        Option<u8>, Option<Box<u32>>, Result<String, u8>, Bound<u32>, Range<i16>, RangeInclusive<u8>,
        (u8, String, (bool, Vec<char>)), [Option<String>; 5], [[u8; 3]; 4], Vec<()>, Vec<Vec<Vec<u8>>>, Box<[String]>,
        Vec<(u8, u64)>, Vec<Option<Box<(u8, u128)>>>, VecDeque<u16>, Rc<String>, Arc<Vec<u64>>, Vec<Rc<String>>,
        Rc<[u32]>, Arc<str>, Ipv4Addr, Ipv6Addr, IpAddr, SocketAddr, Vec<SocketAddr>,
        HashMap<u8, String>, HashMap<String, Vec<u16>>, HashMap<(u8, bool), f64>, HashMap<Option<u32>, ()>,
        HashSet<u64>, HashSet<String>, HashMap<char, HashMap<u16, bool>>, HashMap<[u8; 4], u8>, HashMap<Duration, u8>,
        HashMap<Box<str>, u8>, HashMap<NonZeroU32, u8>, HashSet<()>, HashSet<(i32, String)>, HashSet<Result<u8, i64>>,
        BTreeMap<u8, String>, BTreeMap<String, BTreeSet<i32>>, BTreeMap<(u8, i8), char>, BTreeSet<Option<String>>,
        BTreeMap<i128, Vec<String>>, BTreeMap<Vec<u8>, u8>, BTreeSet<[i16; 3]>, BTreeMap<Ipv4Addr, u16>,
    }
}
