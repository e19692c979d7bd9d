// Declared by `tests/generated_types/declare 1 30`; not to be edited.

use super::made::prelude::*;

#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T0 { pub(crate) f0: char, pub(crate) f1: [Vec<NonZeroU32>; 0], pub(crate) f2: [HashMap<String, u8>; 3] }

impl Made for T0 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T0{ f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) }
    }

    fn json(&self) -> String {
        let T0{ f0, f1, f2 } = self;
        object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T1 {
    V0 { f0: T0 },
    V1((T0, Rc<T0>, Vec<String>), Option<Box<T1>>),
    V2,
}

impl Made for T1 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(3) {
            1 => T1::V1(Made::make(draw), Made::make(draw)),
            2 => T1::V2,
            _ => T1::V0 { f0: Made::make(draw) },
        }
    }

    fn json(&self) -> String {
        match self {
            T1::V0 { f0 } => object(vec![("V0", object(vec![("f0", f0.json())]))]),
            T1::V1(f0, f1) => object(vec![("V1", array(vec![f0.json(), f1.json()]))]),
            T1::V2 => "\"V2\"".to_owned(),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T2 {
    V0(Result<BTreeSet<String>, Rc<f64>>, T0, [(T0, i8); 1], ([String; 2], String, [(); 1])),
    V1,
    V2 { f0: Rc<()>, f1: [Result<f32, u8>; 1], f2: Option<HashMap<String, i64>>, f3: Vec<T2> },
}

impl Made for T2 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(3) {
            1 => T2::V1,
            2 => T2::V2 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw), f3: Made::make(draw) },
            _ => T2::V0(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T2::V0(f0, f1, f2, f3) => object(vec![("V0", array(vec![f0.json(), f1.json(), f2.json(), f3.json()]))]),
            T2::V1 => "\"V1\"".to_owned(),
            T2::V2 { f0, f1, f2, f3 } => object(vec![("V2", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json()), ("f3", f3.json())]))]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T3(pub(crate) Option<i8>, pub(crate) BTreeMap<u128, f32>);

impl Made for T3 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T3(Made::make(draw), Made::make(draw))
    }

    fn json(&self) -> String {
        let T3(f0, f1) = self;
        array(vec![f0.json(), f1.json()])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T4(pub(crate) Box<[T0]>, pub(crate) Vec<T3>, pub(crate) T0, pub(crate) [(); 3]);

impl Made for T4 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T4(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw))
    }

    fn json(&self) -> String {
        let T4(f0, f1, f2, f3) = self;
        array(vec![f0.json(), f1.json(), f2.json(), f3.json()])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum T5 {
    V0(T3, T0, u32, BTreeSet<u32>) = 101,
    V1 { f0: Result<Result<Duration, bool>, T0> },
    V2 = 115,
    V3((bool, i16, Result<f32, i64>)),
    V4,
}

impl Made for T5 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(5) {
            1 => T5::V1 { f0: Made::make(draw) },
            2 => T5::V2,
            3 => T5::V3(Made::make(draw)),
            4 => T5::V4,
            _ => T5::V0(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T5::V0(f0, f1, f2, f3) => object(vec![("V0", array(vec![f0.json(), f1.json(), f2.json(), f3.json()]))]),
            T5::V1 { f0 } => object(vec![("V1", object(vec![("f0", f0.json())]))]),
            T5::V2 => "\"V2\"".to_owned(),
            T5::V3(f0) => object(vec![("V3", f0.json())]),
            T5::V4 => "\"V4\"".to_owned(),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum T6 {
    V0(u8) = 175,
    V1 { f0: BTreeMap<u8, T6> },
    V2(Vec<T6>, T5, (T5, bool)) = 186,
    V3 { f0: Option<Box<T6>>, f1: T0, f2: Box<[(u64, i128)]>, f3: T5 },
}

impl Made for T6 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(4) {
            1 => T6::V1 { f0: Made::make(draw) },
            2 => T6::V2(Made::make(draw), Made::make(draw), Made::make(draw)),
            3 => T6::V3 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw), f3: Made::make(draw) },
            _ => T6::V0(Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T6::V0(f0) => object(vec![("V0", f0.json())]),
            T6::V1 { f0 } => object(vec![("V1", object(vec![("f0", f0.json())]))]),
            T6::V2(f0, f1, f2) => object(vec![("V2", array(vec![f0.json(), f1.json(), f2.json()]))]),
            T6::V3 { f0, f1, f2, f3 } => object(vec![("V3", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json()), ("f3", f3.json())]))]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T7;

impl Made for T7 {
    fn make(_draw: &mut Draw) -> Self {
        let _draw = &mut _draw.below();
        T7
    }

    fn json(&self) -> String {
        let T7 = self;
        "null".to_owned()
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T8;

impl Made for T8 {
    fn make(_draw: &mut Draw) -> Self {
        let _draw = &mut _draw.below();
        T8
    }

    fn json(&self) -> String {
        let T8 = self;
        "null".to_owned()
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T9 { pub(crate) f0: bool, pub(crate) f1: Vec<T9> }

impl Made for T9 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T9{ f0: Made::make(draw), f1: Made::make(draw) }
    }

    fn json(&self) -> String {
        let T9{ f0, f1 } = self;
        object(vec![("f0", f0.json()), ("f1", f1.json())])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T10 {
    V0(T5, Vec<HashMap<char, NonZeroU32>>, String, T3),
    V1 { f0: T7, f1: T8, f2: [i8; 2] },
    V2,
    V3(Result<i32, T3>, u32),
}

impl Made for T10 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(4) {
            1 => T10::V1 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) },
            2 => T10::V2,
            3 => T10::V3(Made::make(draw), Made::make(draw)),
            _ => T10::V0(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T10::V0(f0, f1, f2, f3) => object(vec![("V0", array(vec![f0.json(), f1.json(), f2.json(), f3.json()]))]),
            T10::V1 { f0, f1, f2 } => object(vec![("V1", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())]))]),
            T10::V2 => "\"V2\"".to_owned(),
            T10::V3(f0, f1) => object(vec![("V3", array(vec![f0.json(), f1.json()]))]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T11 { pub(crate) f0: BTreeMap<u8, T11>, pub(crate) f1: u128, pub(crate) f2: Rc<IndexMap<char, i16>> }

impl Made for T11 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T11{ f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) }
    }

    fn json(&self) -> String {
        let T11{ f0, f1, f2 } = self;
        object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum T12 {
    V0(u8) = 159,
    V1 { f0: i32, f1: char, f2: (Vec<f32>, T7, T9) },
    V2 { f0: Option<[i8; 0]>, f1: T0, f2: T5 } = 166,
    V3,
    V4 { f0: Box<Duration>, f1: Box<[u32]>, f2: Rc<T11> },
}

impl Made for T12 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(5) {
            1 => T12::V1 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) },
            2 => T12::V2 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) },
            3 => T12::V3,
            4 => T12::V4 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) },
            _ => T12::V0(Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T12::V0(f0) => object(vec![("V0", f0.json())]),
            T12::V1 { f0, f1, f2 } => object(vec![("V1", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())]))]),
            T12::V2 { f0, f1, f2 } => object(vec![("V2", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())]))]),
            T12::V3 => "\"V3\"".to_owned(),
            T12::V4 { f0, f1, f2 } => object(vec![("V4", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())]))]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T13(pub(crate) char, pub(crate) Result<Option<T7>, T8>, pub(crate) (Rc<i8>, (i64, i64, u32)), pub(crate) Duration, pub(crate) BTreeSet<u8>, pub(crate) IndexMap<i64, [T5; 3]>, pub(crate) T7);

impl Made for T13 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T13(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw))
    }

    fn json(&self) -> String {
        let T13(f0, f1, f2, f3, f4, f5, f6) = self;
        array(vec![f0.json(), f1.json(), f2.json(), f3.json(), f4.json(), f5.json(), f6.json()])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T14;

impl Made for T14 {
    fn make(_draw: &mut Draw) -> Self {
        let _draw = &mut _draw.below();
        T14
    }

    fn json(&self) -> String {
        let T14 = self;
        "null".to_owned()
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T15 {
    V0 { f0: i16, f1: Vec<IndexMap<u128, String>>, f2: (Option<NonZeroU32>, i16), f3: Box<[Vec<T0>]> },
    V1,
    V2,
}

impl Made for T15 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(3) {
            1 => T15::V1,
            2 => T15::V2,
            _ => T15::V0 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw), f3: Made::make(draw) },
        }
    }

    fn json(&self) -> String {
        match self {
            T15::V0 { f0, f1, f2, f3 } => object(vec![("V0", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json()), ("f3", f3.json())]))]),
            T15::V1 => "\"V1\"".to_owned(),
            T15::V2 => "\"V2\"".to_owned(),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T16 {
    V0(HashMap<char, char>, Rc<(T11, String)>, T8),
    V1,
    V2,
    V3,
    V4,
}

impl Made for T16 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(5) {
            1 => T16::V1,
            2 => T16::V2,
            3 => T16::V3,
            4 => T16::V4,
            _ => T16::V0(Made::make(draw), Made::make(draw), Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T16::V0(f0, f1, f2) => object(vec![("V0", array(vec![f0.json(), f1.json(), f2.json()]))]),
            T16::V1 => "\"V1\"".to_owned(),
            T16::V2 => "\"V2\"".to_owned(),
            T16::V3 => "\"V3\"".to_owned(),
            T16::V4 => "\"V4\"".to_owned(),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T17;

impl Made for T17 {
    fn make(_draw: &mut Draw) -> Self {
        let _draw = &mut _draw.below();
        T17
    }

    fn json(&self) -> String {
        let T17 = self;
        "null".to_owned()
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T18 {
    V0(u8),
    V1 { f0: Rc<Result<bool, Duration>>, f1: BTreeSet<u8>, f2: BTreeMap<bool, u128>, f3: HashMap<u128, IndexMap<String, f64>> },
    V2,
}

impl Made for T18 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(3) {
            1 => T18::V1 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw), f3: Made::make(draw) },
            2 => T18::V2,
            _ => T18::V0(Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T18::V0(f0) => object(vec![("V0", f0.json())]),
            T18::V1 { f0, f1, f2, f3 } => object(vec![("V1", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json()), ("f3", f3.json())]))]),
            T18::V2 => "\"V2\"".to_owned(),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T19(pub(crate) i8, pub(crate) BTreeMap<u8, T19>);

impl Made for T19 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T19(Made::make(draw), Made::make(draw))
    }

    fn json(&self) -> String {
        let T19(f0, f1) = self;
        array(vec![f0.json(), f1.json()])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T20 { pub(crate) f0: i8, pub(crate) f1: BTreeSet<u128>, pub(crate) f2: i16, pub(crate) f3: T9, pub(crate) f4: (), pub(crate) f5: (String, Box<bool>, T8) }

impl Made for T20 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T20{ f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw), f3: Made::make(draw), f4: Made::make(draw), f5: Made::make(draw) }
    }

    fn json(&self) -> String {
        let T20{ f0, f1, f2, f3, f4, f5 } = self;
        object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json()), ("f3", f3.json()), ("f4", f4.json()), ("f5", f5.json())])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T21 { pub(crate) f0: IndexMap<bool, HashMap<u32, i16>>, pub(crate) f1: T19, pub(crate) f2: T17 }

impl Made for T21 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T21{ f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) }
    }

    fn json(&self) -> String {
        let T21{ f0, f1, f2 } = self;
        object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T22 {
    V0(u128, Box<[i16]>, u64, T9),
    V1 { f0: T20, f1: Vec<T22> },
    V2 { f0: Box<T8>, f1: Box<NonZeroU32>, f2: Vec<T20>, f3: T14 },
    V3(IndexMap<String, Vec<T5>>, Result<char, u8>, T0),
    V4 { f0: [T0; 3] },
}

impl Made for T22 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(5) {
            1 => T22::V1 { f0: Made::make(draw), f1: Made::make(draw) },
            2 => T22::V2 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw), f3: Made::make(draw) },
            3 => T22::V3(Made::make(draw), Made::make(draw), Made::make(draw)),
            4 => T22::V4 { f0: Made::make(draw) },
            _ => T22::V0(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T22::V0(f0, f1, f2, f3) => object(vec![("V0", array(vec![f0.json(), f1.json(), f2.json(), f3.json()]))]),
            T22::V1 { f0, f1 } => object(vec![("V1", object(vec![("f0", f0.json()), ("f1", f1.json())]))]),
            T22::V2 { f0, f1, f2, f3 } => object(vec![("V2", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json()), ("f3", f3.json())]))]),
            T22::V3(f0, f1, f2) => object(vec![("V3", array(vec![f0.json(), f1.json(), f2.json()]))]),
            T22::V4 { f0 } => object(vec![("V4", object(vec![("f0", f0.json())]))]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T23 {
    V0(Option<(u16, String, i16)>, BTreeMap<u8, BTreeSet<String>>),
    V1 { f0: IndexMap<u8, T3> },
    V2,
    V3(T9, T16, Option<Box<T23>>),
}

impl Made for T23 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(4) {
            1 => T23::V1 { f0: Made::make(draw) },
            2 => T23::V2,
            3 => T23::V3(Made::make(draw), Made::make(draw), Made::make(draw)),
            _ => T23::V0(Made::make(draw), Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T23::V0(f1, f2) => object(vec![("V0", array(vec![f1.json(), f2.json()]))]),
            T23::V1 { f0 } => object(vec![("V1", object(vec![("f0", f0.json())]))]),
            T23::V2 => "\"V2\"".to_owned(),
            T23::V3(f0, f1, f2) => object(vec![("V3", array(vec![f0.json(), f1.json(), f2.json()]))]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T24 {
    V0(u8),
    V1,
    V2(bool, Box<[T21]>, T16),
    V3(Vec<T21>, BTreeSet<String>, (T21, Box<()>, Option<u16>), (f64, ((), T9, f32), (NonZeroU32, f64))),
    V4(Option<T14>),
}

impl Made for T24 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(5) {
            1 => T24::V1,
            2 => T24::V2(Made::make(draw), Made::make(draw), Made::make(draw)),
            3 => T24::V3(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw)),
            4 => T24::V4(Made::make(draw)),
            _ => T24::V0(Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T24::V0(f0) => object(vec![("V0", f0.json())]),
            T24::V1 => "\"V1\"".to_owned(),
            T24::V2(f0, f1, f2) => object(vec![("V2", array(vec![f0.json(), f1.json(), f2.json()]))]),
            T24::V3(f0, f1, f2, f3) => object(vec![("V3", array(vec![f0.json(), f1.json(), f2.json(), f3.json()]))]),
            T24::V4(f0) => object(vec![("V4", f0.json())]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum T25 {
    V0(u8) = 62,
    V1(Rc<u128>, u128, bool),
    V2 { f0: u32, f1: Vec<Box<i8>>, f2: Result<BTreeSet<String>, Result<i32, f64>> } = 71,
    V3(Box<[String]>),
    V4 { f0: Result<char, T8>, f1: (T8, Rc<String>, Box<[String]>), f2: (Box<[u128]>, (i8, u8, String), T11), f3: HashMap<bool, T3> },
}

impl Made for T25 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(5) {
            1 => T25::V1(Made::make(draw), Made::make(draw), Made::make(draw)),
            2 => T25::V2 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw) },
            3 => T25::V3(Made::make(draw)),
            4 => T25::V4 { f0: Made::make(draw), f1: Made::make(draw), f2: Made::make(draw), f3: Made::make(draw) },
            _ => T25::V0(Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T25::V0(f0) => object(vec![("V0", f0.json())]),
            T25::V1(f0, f1, f2) => object(vec![("V1", array(vec![f0.json(), f1.json(), f2.json()]))]),
            T25::V2 { f0, f1, f2 } => object(vec![("V2", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json())]))]),
            T25::V3(f0) => object(vec![("V3", f0.json())]),
            T25::V4 { f0, f1, f2, f3 } => object(vec![("V4", object(vec![("f0", f0.json()), ("f1", f1.json()), ("f2", f2.json()), ("f3", f3.json())]))]),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T26;

impl Made for T26 {
    fn make(_draw: &mut Draw) -> Self {
        let _draw = &mut _draw.below();
        T26
    }

    fn json(&self) -> String {
        let T26 = self;
        "null".to_owned()
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) struct T27(pub(crate) Rc<(bool, T9)>, pub(crate) Option<bool>, pub(crate) BTreeSet<i64>, pub(crate) HashMap<i64, [T8; 1]>, pub(crate) u8, pub(crate) T8);

impl Made for T27 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        T27(Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw), Made::make(draw))
    }

    fn json(&self) -> String {
        let T27(f0, f1, f2, f3, f4, f5) = self;
        array(vec![f0.json(), f1.json(), f2.json(), f3.json(), f4.json(), f5.json()])
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum T28 {
    V0 { f0: Vec<Rc<T7>> } = 102,
    V1,
}

impl Made for T28 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(2) {
            1 => T28::V1,
            _ => T28::V0 { f0: Made::make(draw) },
        }
    }

    fn json(&self) -> String {
        match self {
            T28::V0 { f0 } => object(vec![("V0", object(vec![("f0", f0.json())]))]),
            T28::V1 => "\"V1\"".to_owned(),
        }
    }
}


#[graven::object]
#[derive(Debug, PartialEq)]
pub(crate) enum T29 {
    V0(Vec<char>),
    V1,
}

impl Made for T29 {
    fn make(draw: &mut Draw) -> Self {
        let draw = &mut draw.below();
        match draw.variant(2) {
            1 => T29::V1,
            _ => T29::V0(Made::make(draw)),
        }
    }

    fn json(&self) -> String {
        match self {
            T29::V0(f0) => object(vec![("V0", f0.json())]),
            T29::V1 => "\"V1\"".to_owned(),
        }
    }
}

family! { T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15, T16, T17, T18, T19, T20, T21, T22, T23, T24, T25, T26, T27, T28, T29 }
