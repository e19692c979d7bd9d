//! Fingerprints: equal for equal bytes, and for no others.

use super::derived::{Empty, Unit};
use super::*;

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
