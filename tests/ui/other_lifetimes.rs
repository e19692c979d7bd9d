//! Types that differ in a lifetime are different types, also where one is a subtype of the other.
#![forbid(unsafe_code)]

use std::marker::PhantomData;

use graven::rkyv::Portable;

#[derive(Portable)]
#[repr(C)]
struct ArchivedForAll {
    a: PhantomData<for<'a> fn(&'a u8)>,
}
#[derive(graven::Layout)]
struct ForAll {
    a: PhantomData<fn(&'static u8)>,
}

fn main() {}
