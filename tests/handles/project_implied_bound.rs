//! A projection cannot get around that by types with a borrow of their own: the lifetime of a reference to such a type is
//! implied to be no longer than the borrow, so that the closure would no longer work for every lifetime.

use std::marker::PhantomData;

use graven::Part;

fn value_with_a_borrow<'b>(part: &Part<PhantomData<&'b ()>>, text: &'b str) -> Part<str> {
    part.project(|_| text)
}

fn value_with_a_borrow_or_not<'b>(part: &Part<PhantomData<&'b ()>>, text: &'b str) -> Part<str> {
    part.try_project(|_| Ok::<_, ()>(text)).unwrap()
}

fn part_with_a_borrow<'b>(part: &Part<u32>, text: &'b PhantomData<&'b str>) -> Part<PhantomData<&'b str>> {
    part.project(|_| text)
}

fn part_with_a_borrow_or_not<'b>(part: &Part<u32>, text: &'b &'b str) -> Part<&'b str> {
    part.try_project(|_| Ok::<_, ()>(text)).unwrap()
}

fn main() {}
