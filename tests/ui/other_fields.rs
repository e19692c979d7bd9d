//! Whoever wrote the archived type, it has exactly the fields that are described. Types that coerce to each other are
//! different types, and nothing may be left over.
#![forbid(unsafe_code)]

use graven::rkyv::{Place, Portable, boxed::ArchivedBox, rend::u32_le};

/// Archived by hand as a type that is declared below.
macro_rules! archived {
    ($($name:ident as $archived:ident;)*) => {$(
        impl graven::Archive for $name {
            type Archived = $archived;
            type Resolver = ();
            fn resolve(&self, _: (), _: Place<$archived>) {}
        }
    )*};
}
archived! {
    Derefs as ArchivedDerefs;
    Unit as ArchivedUnit;
    Tuple as ArchivedTuple;
    Braces as ArchivedBraces;
    OneMore as ArchivedOneMore;
    Variants as ArchivedVariants;
    Few as ArchivedFew;
    NotAStruct as ArchivedNotAStruct;
}

#[derive(Portable)]
#[repr(C)]
struct ArchivedDerefs {
    a: ArchivedBox<u32_le>,
}
#[derive(graven::Layout)]
struct Derefs {
    a: u32,
}

#[derive(Portable)]
#[repr(C)]
struct ArchivedUnit {
    a: ArchivedBox<u32_le>,
}
#[derive(graven::Layout)]
struct Unit;

#[derive(Portable)]
#[repr(C)]
struct ArchivedTuple(ArchivedBox<u32_le>);
#[derive(graven::Layout)]
struct Tuple();

#[derive(Portable)]
#[repr(C)]
struct ArchivedBraces {
    a: ArchivedBox<u32_le>,
}
#[derive(graven::Layout)]
struct Braces {}

#[derive(Portable)]
#[repr(C)]
struct ArchivedOneMore {
    a: u8,
    b: ArchivedBox<u32_le>,
}
#[derive(graven::Layout)]
struct OneMore {
    a: u8,
}

#[derive(Portable)]
#[repr(u8)]
enum ArchivedVariants {
    Unit(ArchivedBox<u32_le>),
    Tuple(u8, ArchivedBox<u32_le>),
    Named { a: ArchivedBox<u32_le> },
}
#[derive(graven::Layout)]
enum Variants {
    Unit,
    Tuple(u8, u32),
    Named { a: u32 },
}

#[derive(Portable)]
#[repr(u8)]
enum ArchivedFew {
    One,
    Two,
    More(ArchivedBox<u32_le>),
}
#[derive(graven::Layout)]
enum Few {
    One,
    Two,
}

#[derive(Portable)]
#[repr(u8)]
enum ArchivedNotAStruct {
    One { a: u8 },
}
#[derive(graven::Layout)]
struct NotAStruct {
    a: u8,
}

/// However the archived type is named.
#[derive(Portable)]
#[repr(C)]
struct OfParentheses {
    a: ArchivedBox<u32_le>,
}
#[derive(graven::Layout)]
#[allow(unused_parens)]
#[rkyv(as = (OfParentheses))]
struct InParentheses {
    a: u32,
}

#[derive(Portable)]
#[repr(C)]
struct OfAlias {
    a: ArchivedBox<u32_le>,
}
type Alias = OfAlias;
#[derive(graven::Layout)]
#[rkyv(as = Alias)]
struct ByAlias {
    a: u32,
}

#[derive(Portable)]
#[repr(C)]
struct OfProjection<T> {
    a: T,
}
#[derive(graven::Layout)]
#[rkyv(as = OfProjection<<Box<u32> as graven::Archive>::Archived>)]
struct ByProjection {
    a: u32,
}

#[derive(Portable)]
#[repr(C)]
struct OfName {
    a: ArchivedBox<u32_le>,
}
#[derive(graven::Layout)]
#[rkyv(archived = OfName)]
struct ByName {
    a: u32,
}

fn main() {}
