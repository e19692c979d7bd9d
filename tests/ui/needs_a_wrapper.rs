//! What rkyv archives with a wrapper only, or not at all.

use std::borrow::Cow;

#[graven::object]
struct Borrows<'a> {
    reference: &'a str,
    inside: Vec<Option<&'a [u8]>>,
    cow: Cow<'a, str>,
    cows: Vec<std::borrow::Cow<'a, str>>,
}

#[graven::object]
enum Addresses {
    Object(Box<dyn std::fmt::Debug>),
    Function(fn(u8) -> u8),
    Pointer { to: *const u8 },
}

/// A type of the program's that holds such a type, and is archived all the same.
#[graven::object]
struct Marked<T> {
    number: u32,
    of: std::marker::PhantomData<T>,
}
#[graven::object]
struct Marks {
    marked: Marked<&'static str>,
    of: std::marker::PhantomData<dyn std::fmt::Debug>,
}

fn main() {}
