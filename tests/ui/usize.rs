//! rkyv cuts `usize` to the offset width without an error, so it has to be asked for where it is spelled.

use graven::rkyv::with::{AsBox, AtomicLoad, Map, Niche, Relaxed, Skip};
use std::{marker::PhantomData, num::NonZeroUsize, sync::atomic::AtomicIsize};

const LEN: usize = 2;

#[graven::object]
struct Everywhere {
    plain: usize,
    inside: Vec<Option<usize>>,
    tuple: (u8, isize),
    array: [[usize; 2]; LEN],
    nonzero: Box<NonZeroUsize>,
    #[rkyv(with = AtomicLoad<Relaxed>)]
    atomic: AtomicIsize,
    qualified: std::primitive::usize,
    // These are fine.
    length: [u8; LEN],
    marker: PhantomData<usize>,
    #[layout(allow_usize)]
    asked_for: usize,
}

#[graven::object]
enum InVariants {
    Tuple(u8, usize),
    Named { count: isize },
}

/// Wrappers that keep the numbers, and one that does not.
#[graven::object]
struct Wrapped {
    #[rkyv(with = AsBox)]
    boxed: usize,
    #[rkyv(with = Map<Niche>)]
    niche: Vec<Option<Box<usize>>>,
    #[rkyv(with = Map<graven::rkyv::with::Identity>)]
    mapped: Vec<usize>,
    #[rkyv(with = Skip)]
    skipped: usize,
}

#[graven::object]
#[layout(allow_usize)]
struct AskedFor {
    a: usize,
    b: Vec<isize>,
}

fn main() {}
