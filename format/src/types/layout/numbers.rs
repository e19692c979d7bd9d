//! Numbers: one byte native, several bytes in the byte order and alignment that the type names.
//!
//! The archived form of `u32` is one of four types, chosen for the whole build by rkyv's features; the other three
//! are archived as themselves where a program names them. So each of them has a layout here.
//!
//! Source: SPEC 5.1; rkyv `primitive.rs` and rend, whose types are `#[repr(C)]` around the bytes of the number.

use core::num::{NonZeroI8, NonZeroU8};

use rkyv::{rend, rend::unaligned};

use super::{NumberKind, Shape, refine::layout};

macro_rules! number {
    ($ty:ty, $name:expr, $bytes:literal, $kind:ident, $nonzero:literal, $big_endian:literal) => {
        const _: () = assert!(size_of::<$ty>() == $bytes, "rkyv changed the size of a number");
        layout!([] $ty => $name, Shape::Number {
            kind: NumberKind::$kind,
            nonzero: $nonzero,
            big_endian: $big_endian,
        }, []);
    };
}

/// The four archived forms of a number: little and big endian, aligned and unaligned.
macro_rules! numbers {
    ($($name:literal $bytes:literal $kind:ident $nonzero:literal: $le:ident $be:ident $ule:ident $ube:ident;)*) => {$(
        number!(rend::$le, $name, $bytes, $kind, $nonzero, false);
        number!(rend::$be, concat!($name, "_be"), $bytes, $kind, $nonzero, true);
        number!(unaligned::$ule, $name, $bytes, $kind, $nonzero, false);
        number!(unaligned::$ube, concat!($name, "_be"), $bytes, $kind, $nonzero, true);
    )*};
}

number!(u8, "u8", 1, Unsigned, false, false);
number!(i8, "i8", 1, Signed, false, false);
number!(NonZeroU8, "NonZeroU8", 1, Unsigned, true, false);
number!(NonZeroI8, "NonZeroI8", 1, Signed, true, false);

numbers! {
    "u16" 2 Unsigned false: u16_le u16_be u16_ule u16_ube;
    "u32" 4 Unsigned false: u32_le u32_be u32_ule u32_ube;
    "u64" 8 Unsigned false: u64_le u64_be u64_ule u64_ube;
    "u128" 16 Unsigned false: u128_le u128_be u128_ule u128_ube;
    "i16" 2 Signed false: i16_le i16_be i16_ule i16_ube;
    "i32" 4 Signed false: i32_le i32_be i32_ule i32_ube;
    "i64" 8 Signed false: i64_le i64_be i64_ule i64_ube;
    "i128" 16 Signed false: i128_le i128_be i128_ule i128_ube;
    "f32" 4 Float false: f32_le f32_be f32_ule f32_ube;
    "f64" 8 Float false: f64_le f64_be f64_ule f64_ube;
    "char" 4 Char false: char_le char_be char_ule char_ube;
    "NonZeroU16" 2 Unsigned true: NonZeroU16_le NonZeroU16_be NonZeroU16_ule NonZeroU16_ube;
    "NonZeroU32" 4 Unsigned true: NonZeroU32_le NonZeroU32_be NonZeroU32_ule NonZeroU32_ube;
    "NonZeroU64" 8 Unsigned true: NonZeroU64_le NonZeroU64_be NonZeroU64_ule NonZeroU64_ube;
    "NonZeroU128" 16 Unsigned true: NonZeroU128_le NonZeroU128_be NonZeroU128_ule NonZeroU128_ube;
    "NonZeroI16" 2 Signed true: NonZeroI16_le NonZeroI16_be NonZeroI16_ule NonZeroI16_ube;
    "NonZeroI32" 4 Signed true: NonZeroI32_le NonZeroI32_be NonZeroI32_ule NonZeroI32_ube;
    "NonZeroI64" 8 Signed true: NonZeroI64_le NonZeroI64_be NonZeroI64_ule NonZeroI64_ube;
    "NonZeroI128" 16 Signed true: NonZeroI128_le NonZeroI128_be NonZeroI128_ule NonZeroI128_ube;
}

layout!([] bool => "bool", Shape::Bool, []);
