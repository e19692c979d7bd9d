//! The types that are fuzzed, each with objects to damage.

use std::sync::OnceLock;

use arbitrary::{Arbitrary, Unstructured};
use graven::format::Schema;
use graven::fuzz::{Specimen, rounds};

use crate::ours::{Fuzzed, Ours};
use crate::types::*;

/// A type and what is done with it.
pub struct Case<T: Fuzzed> {
    pub name: &'static str,
    /// It has elements without bytes, any number of them, and rkyv visits each: so it is not asked.
    pub slow: bool,
    prepared: OnceLock<Prepared<T>>,
}

/// Valid objects of a type, from nearly empty to a kilobyte or so, the same in every run.
pub struct Prepared<T> {
    pub specimens: Vec<Specimen<T>>,
    pub schema: Schema,
    pub ours: Ours,
}

impl<T: Fuzzed + for<'a> Arbitrary<'a>> Case<T> {
    const fn new(name: &'static str, slow: bool) -> Case<T> {
        Case { name, slow, prepared: OnceLock::new() }
    }

    pub fn prepared(&self) -> &Prepared<T> {
        self.prepared.get_or_init(|| {
            let schema = Schema::of::<T::Archived>();
            let specimen = |bytes| Specimen::new(&sample(bytes)).expect("it can be written");
            Prepared {
                specimens: [0, 20, 60, 150, 400].map(specimen).into(),
                ours: Ours::of::<T>(&schema),
                schema,
            }
        })
    }
}

/// A value made of so many bytes that look random, every other 16 of them ASCII: of others, texts are as good as empty.
pub fn sample<T: for<'a> Arbitrary<'a>>(bytes: usize) -> T {
    let data = rounds(bytes as u64, u32::MAX).flatten().take(bytes).enumerate();
    let data: Vec<u8> = data.map(|(i, byte)| if i / 16 % 2 == 0 { byte & 0x7f } else { byte }).collect();
    T::arbitrary(&mut Unstructured::new(&data)).expect("where bytes are missing there are zeros")
}

/// A function that is generic over cases.
pub trait ForCase {
    fn with<T>(&mut self, case: &'static Case<T>)
    where
        T: Fuzzed + for<'a> Arbitrary<'a> + PartialEq + std::fmt::Debug + serde::Serialize;
}

macro_rules! is_slow {
    () => {
        false
    };
    (slow) => {
        true
    };
}

macro_rules! cases {
    ($($ty:ident $(: $slow:ident)?),* $(,)?) => {
        /// How many types there are.
        pub const COUNT: usize = [$(stringify!($ty)),*].len();

        /// Calls `f` with the type of that number.
        pub fn with(number: usize, f: &mut impl ForCase) {
            let mut at = number % COUNT;
            $({
                static CASE: Case<$ty> = Case::new(stringify!($ty), is_slow!($($slow)?));
                if at == 0 {
                    return f.with(&CASE);
                }
                at -= 1;
            })*
            unreachable!("{at} is none");
        }
    };
}
cases! {
    Numbers, Strings, NestedLists, Inner, Event, Color, Enums, Options, Niches, Boxes, Shared, Hashes, Indexes, Trees,
    Node, Times, Tuples, Empties: slow, Mixed, Verified, Discount, VerifiedEverywhere, DiscountEverywhere,
    StampedEverywhere,
}
