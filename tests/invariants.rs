//! What types check themselves is asked wherever their values are, when the structure around them is known to be fine,
//! in rkyv's order; and who does not know the types says whose checks were left out.

mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use graven::rkyv::bytecheck::{CheckBytes, Verify};
use graven::rkyv::primitive::ArchivedU32;
use graven::rkyv::rancor::{BoxedError, Fallible, Source};
use graven::rkyv::{self, Archive, Place, Serialize};
use graven::{Cause, Layout, Segment, error::Damage, format::Validator};
use support::{bytes_of, range, reseal_objects};

/// A number that every check here takes, and one that none takes.
const GOOD: u32 = 0x1234_5678;
const BAD: u32 = 0xffff_fff1;

#[derive(Debug)]
struct TooLarge(&'static str, u32);

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:#x} is too large", self.0, self.1)
    }
}
impl std::error::Error for TooLarge {}

thread_local! {
    /// The checks that were called.
    static CALLS: RefCell<Vec<(&'static str, u32)>> = const { RefCell::new(Vec::new()) };
}

fn judge<E: Source>(name: &'static str, number: u32) -> Result<(), E> {
    CALLS.with_borrow_mut(|calls| calls.push((name, number)));
    if number == BAD { Err(E::new(TooLarge(name, number))) } else { Ok(()) }
}

/// Checked by `bytecheck(verify)`.
#[graven::object]
#[rkyv(bytecheck(verify))]
struct Verified {
    number: u32,
}

// SAFETY: nothing depends on it but what the number is for.
unsafe impl<C: Fallible<Error: Source> + ?Sized> Verify<C> for ArchivedVerified {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        judge("verified", self.number.to_native())
    }
}

/// Its own archived form, checked by hand.
#[derive(Clone, Copy, Archive, Serialize, rkyv::Portable, Layout)]
#[rkyv(as = ByHand)]
#[repr(C)]
struct ByHand {
    word: ArchivedU32,
}

// SAFETY: the bytes are a number's; all of them are valid.
unsafe impl<C: Fallible<Error: Source> + ?Sized> CheckBytes<C> for ByHand {
    unsafe fn check_bytes(value: *const ByHand, _: &mut C) -> Result<(), C::Error> {
        // SAFETY: aligned, and its bytes are there: the caller's promise. Numbers have no invalid values.
        let number = unsafe { (*value).word };
        judge("by hand", number.to_native())
    }
}

/// Of bytes that only this program knows.
#[graven::object]
#[rkyv(bytecheck(verify))]
#[layout(opaque = "token/1")]
struct Token {
    number: u32,
}

// SAFETY: nothing depends on it but what the number is for.
unsafe impl<C: Fallible<Error: Source> + ?Sized> Verify<C> for ArchivedToken {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        judge("token", self.number.to_native())
    }
}

/// The same on the field: of a type that has no layout.
#[derive(Clone, Copy, rkyv::Portable)]
#[repr(C)]
struct Foreign(ArchivedU32);

// SAFETY: as of `ByHand`.
unsafe impl<C: Fallible<Error: Source> + ?Sized> CheckBytes<C> for Foreign {
    unsafe fn check_bytes(value: *const Foreign, _: &mut C) -> Result<(), C::Error> {
        // SAFETY: as of `ByHand`.
        let number = unsafe { (*value).0 };
        judge("foreign", number.to_native())
    }
}

// SAFETY: of numbers only, without padding.
unsafe impl rkyv::traits::NoUndef for Foreign {}

impl Archive for Foreign {
    type Archived = Foreign;
    type Resolver = ();
    fn resolve(&self, (): (), out: Place<Foreign>) {
        out.write(*self);
    }
}

impl<S: Fallible + ?Sized> Serialize<S> for Foreign {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

#[derive(Archive, Serialize, Layout)]
struct Field {
    small: u8,
    #[layout(opaque = "foreign/1")]
    it: Foreign,
}

#[derive(Archive, Serialize, Layout)]
enum Choice<T> {
    #[expect(dead_code, reason = "only the other is written")]
    Nothing,
    It {
        text: String,
        it: T,
    },
}

/// The value's structure is fine, and its type's own check refuses it: adopting says so, with the way there.
#[track_caller]
fn refused<T>(value: &T, path: &str, check: &str, unchecked: &str)
where
    T: Archive<Archived: Layout> + for<'a> Serialize<graven::Serializer<'a>>,
{
    let mut bytes = bytes_of(value);
    let whole = Segment::from_bytes(&bytes).unwrap();
    whole.root::<T>().unwrap();
    let object = range(whole.objects().next().unwrap().unwrap().object);
    let places: Vec<usize> =
        object.clone().filter(|at| bytes[*at..object.end].starts_with(&GOOD.to_le_bytes())).collect();
    let place = *places.last().unwrap();
    bytes[place..place + 4].copy_from_slice(&BAD.to_le_bytes());
    reseal_objects(&mut bytes, whole.header());

    let segment = Segment::from_bytes(&bytes).unwrap();
    assert_eq!(segment.verify().unwrap().unchecked_types(), [unchecked], "{path}");
    for _ in 0..2 {
        let error = segment.root::<T>().map(drop).unwrap_err();
        let Cause::Contents(object) = error.cause() else { panic!("{error}") };
        assert!(matches!(object.cause(), Damage::Invariant(_)), "{object}");
        assert_eq!(object.path(), path);
        let message = format!("{check} of 0xfffffff1 is too large");
        assert!(object.to_string().ends_with(&message) && error.to_string().contains(&message), "{error}");
    }
}

macro_rules! everywhere {
    ($name:ident, $make:expr, $below:literal, $check:literal, $unchecked:literal) => {
        #[test]
        fn $name() {
            let make = $make;
            let below = |path: &str| format!("{path}{}", $below);
            let first = |path: &str| below(path).trim_start_matches('.').to_string();
            refused(&make(), &first(""), $check, $unchecked);
            refused(&vec![make(), make(), make()], &below("[2]"), $check, $unchecked);
            refused(&[make(), make()], &below("[1]"), $check, $unchecked);
            refused(&Some(make()), &first(""), $check, $unchecked);
            refused(&Some(Box::new(make())), &first(""), $check, $unchecked);
            let text = "a text out of line".to_string();
            refused(&Choice::It { text, it: make() }, &below("It.it"), $check, $unchecked);
            refused(&BTreeMap::from([(1u8, make())]), &below("value"), $check, $unchecked);
            refused(&vec![(1u8, vec![make()])], &below("[0].1[0]"), $check, $unchecked);
            // One entry has one of two places.
            let map = std::panic::catch_unwind(|| {
                refused(&HashMap::from([(1u8, make())]), &below("{0}.value"), $check, $unchecked)
            });
            if map.is_err() {
                refused(&HashMap::from([(1u8, make())]), &below("{1}.value"), $check, $unchecked);
            }
        }
    };
}

everywhere!(bytecheck_verify_is_asked, || Verified { number: GOOD }, "", "verified", "Verified");
everywhere!(a_hand_written_check_is_asked, || ByHand { word: GOOD.into() }, "", "by hand", "ByHand");
everywhere!(an_opaque_type_is_asked, || Token { number: GOOD }, "", "token", "Token");
everywhere!(
    an_opaque_field_is_asked,
    || Field { small: 1, it: Foreign(GOOD.into()) },
    ".it",
    "foreign",
    "foreign/1"
);

/// Checks inside each other.
#[derive(Archive, Serialize, Layout)]
#[rkyv(bytecheck(verify))]
struct Outer {
    first: Verified,
    list: Vec<Token>,
    by_hand: Option<ByHand>,
    map: BTreeMap<u8, Vec<Verified>>,
    number: u32,
    text: String,
}

// SAFETY: nothing depends on it but what the number is for.
unsafe impl<C: Fallible<Error: Source> + ?Sized> Verify<C> for ArchivedOuter {
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        // All of it can be looked at: it has passed.
        let inside = self.list.iter().map(|token| token.number.to_native()).sum::<u32>();
        let sum = inside.wrapping_add(self.text.len() as u32).wrapping_add(self.map.len() as u32);
        judge("outer", self.number.to_native().wrapping_add(sum))
    }
}

fn outer(n: u32) -> Outer {
    let verified = |number| Verified { number };
    Outer {
        first: verified(n),
        list: (0..3).map(|i| Token { number: n + i }).collect(),
        by_hand: Some(ByHand { word: (n + 10).into() }),
        map: (0..12)
            .map(|i| (i, (0..2).map(|j| verified(n + 20 + 2 * u32::from(i) + j)).collect()))
            .collect(),
        number: n,
        text: "a text that is out of line".into(),
    }
}

fn calls(run: impl FnOnce()) -> Vec<(&'static str, u32)> {
    CALLS.with_borrow_mut(Vec::clear);
    run();
    CALLS.take()
}

#[test]
fn checks_are_called_in_rkyvs_order_and_once_each() {
    let values: Vec<Outer> = (0..3).map(|n| outer(n * 1000)).collect();
    let bytes = rkyv::to_bytes::<BoxedError>(&values).unwrap();
    type Archived = rkyv::Archived<Vec<Outer>>;
    let root = bytes.len() - size_of::<Archived>();
    let validator = Validator::of::<Archived>();
    let ours = calls(|| validator.check(&bytes, root as u64).unwrap());
    let theirs = calls(|| assert!(rkyv::access::<Archived, BoxedError>(&bytes).is_ok()));
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 3 * (1 + 3 + 1 + 24 + 1));
    assert_eq!(ours.last().unwrap().0, "outer");

    // Without the types none is.
    let by_schema = Validator::of_schema(&graven::format::Schema::of::<Archived>()).unwrap();
    assert_eq!(calls(|| by_schema.check(&bytes, root as u64).unwrap()), []);
    let mut names: Vec<&str> = by_schema.unchecked_types().collect();
    names.sort();
    assert_eq!(names, ["ByHand", "Outer", "Token", "Verified"]);
}

#[test]
fn no_check_is_called_for_a_value_whose_structure_is_wrong() {
    let bytes = rkyv::to_bytes::<BoxedError>(&outer(5)).unwrap();
    type Archived = rkyv::Archived<Outer>;
    let root = bytes.len() - size_of::<Archived>();
    let validator = Validator::of::<Archived>();
    let mut met = 0;
    for at in root..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0xff;
        let called = calls(|| met += u32::from(validator.check(&bytes, root as u64).is_err()));
        let refused = validator.check(&bytes, root as u64).is_err();
        assert_eq!(called.iter().any(|(name, _)| *name == "outer"), !refused, "byte {at}");
    }
    assert!(met > 10, "{met}");
}

/// What a check would read has to be aligned.
#[test]
fn bytes_that_are_not_aligned_in_memory_are_refused_before_a_check_reads_them() {
    let mut memory = rkyv::util::AlignedVec::<16>::new();
    memory.extend_from_slice(&[0; 9]);
    let validator = Validator::of::<ArchivedVerified>();
    assert_eq!(validator.check(&memory[..4], 0), Ok(()));
    let error = validator.check(&memory[1..5], 0).unwrap_err();
    assert_eq!(*error.cause(), Damage::Root { root: 0, size: 4, align: 4, length: 4 });
}
