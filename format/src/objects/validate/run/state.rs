//! What the machine holds while it runs.

use alloc::collections::BinaryHeap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::marker::PhantomData;

use crate::objects::damage::Damage;
use crate::objects::validate::graph::Graph;
use crate::objects::validate::program::Program;
use crate::objects::validate::words::Bytes;

/// Levels of a B-tree: each node but the leaves has two links at least, so that more would be of more entries than can be
/// counted.
pub(super) const LEVELS: u64 = 64;
/// Frames from which on one that has nothing left to do is not kept: more than are named.
pub(super) const KEPT: usize = 64;
/// Steps of a path that are named.
pub(super) const NAMED: usize = 24;

/// Values to check: of what kind, where the first one is and how many there are, and the window that their pointers may
/// lead into.
#[derive(Clone, Copy, Debug)]
pub(in crate::objects::validate) struct Task {
    pub(in crate::objects::validate) run: u32,
    pub(in crate::objects::validate) at: u64,
    pub(in crate::objects::validate) left: u64,
    pub(in crate::objects::validate) low: u64,
    pub(in crate::objects::validate) high: u64,
}

impl Task {
    pub(in crate::objects::validate) fn window(&self) -> u64 {
        self.high - self.low
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Task) -> bool {
        self.window() == other.window()
    }
}
impl Eq for Task {}
impl PartialOrd for Task {
    fn partial_cmp(&self, other: &Task) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Task {
    /// By the window.
    fn cmp(&self, other: &Task) -> Ordering {
        self.window().cmp(&other.window())
    }
}

/// What is being checked: the value at `at`, of a run that has `left` more with it, in a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) pc: u32,
    /// What kind of values the run has. It does not depend on what is read of a value, so that the next value can be
    /// begun before this one is understood.
    pub(super) run: u32,
    pub(super) at: u64,
    pub(super) left: u64,
    /// Of a run: how many there are; of a hash map's entry: its place; of what a B-tree's node has: the node.
    pub(super) aux: u64,
    pub(super) low: u64,
    pub(super) high: u64,
}

/// What is to be done after a step in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) at: u64,
    pub(super) left: u64,
    pub(super) aux: u64,
    pub(super) high: u64,
    /// Where the unclaimed bytes start then; 0 where nothing was claimed.
    pub(super) low: u64,
    pub(super) pc: u32,
    pub(super) run: u32,
}

/// What is wrong, and where in the bytes.
pub(super) struct Wrong {
    pub(super) offset: u64,
    pub(super) cause: Damage,
    /// In which value of the run that was about to be stepped into, and in which column.
    pub(super) column: Option<(u64, u32)>,
}

impl Wrong {
    /// The same in the entry at a place of a hash table.
    pub(super) fn in_place(self, place: u64) -> Wrong {
        Wrong { column: self.column.map(|(_, number)| (place, number)), ..self }
    }

    #[cold]
    pub(super) fn at<T>(offset: u64, cause: Damage) -> Result<T, Wrong> {
        Err(Wrong { offset, cause, column: None })
    }
}

/// A shared pointer's target.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) at: u64,
    pub(super) len: u64,
    pub(super) identity: u32,
}

/// What is to be done about the maps that are met.
pub(in crate::objects::validate) enum Maps<'a> {
    Pass,
    /// Noted, with their types.
    Note(&'a mut Vec<(u32, u64)>),
    /// One is refused, and why, so that the way to it is told.
    Refuse((u32, u64), String),
}

/// A B-tree that is being checked.
pub(super) struct Entered {
    /// Entries that it says it has.
    pub(super) count: u64,
    pub(super) found: u64,
    /// Frames below it. Each level has one more.
    pub(super) frames: usize,
}

pub(in crate::objects::validate) struct Machine<'a, W, const SPLIT: bool> {
    pub(super) bytes: Bytes<'a>,
    pub(super) graph: &'a Graph,
    pub(super) program: &'a Program,
    pub(super) parts: &'a mut BinaryHeap<Task>,
    pub(super) stack: Vec<Frame>,
    /// Shared pointers' targets that have passed. Each was claimed behind those before it, so they are in order.
    pub(super) passed: Vec<Target>,
    /// Those that are being checked, each behind those that it leads to.
    pub(super) open: Vec<Target>,
    /// What is to be done about maps.
    pub(super) maps: Maps<'a>,
    /// The B-trees that are being checked, each inside the one before.
    pub(super) trees: Vec<Entered>,
    pub(super) words: PhantomData<W>,
}

/// Checks that a pointer at `place` may claim its target.
#[inline(always)]
pub(super) fn claim(
    place: u64,
    target: u64,
    size: u64,
    align: u64,
    low: u64,
    high: u64,
) -> Result<(), Wrong> {
    if target < low || target > high || size > high - target {
        return Wrong::at(place, outside(target, size, low, high));
    }
    if target & (align - 1) != 0 {
        return Wrong::at(place, Damage::Unaligned { target, align });
    }
    Ok(())
}

#[cold]
pub(super) fn outside(target: u64, size: u64, from: u64, until: u64) -> Damage {
    Damage::Outside { target, size, from, until }
}

impl<'a, W, const SPLIT: bool> Machine<'a, W, SPLIT> {
    pub(in crate::objects::validate) fn new(
        bytes: Bytes<'a>,
        graph: &'a Graph,
        program: &'a Program,
        parts: &'a mut BinaryHeap<Task>,
    ) -> Self {
        let (stack, passed, open, trees) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let maps = Maps::Pass;
        Machine { bytes, graph, program, parts, stack, passed, open, maps, trees, words: PhantomData }
    }

    pub(in crate::objects::validate) fn with_maps(mut self, maps: Maps<'a>) -> Self {
        self.maps = maps;
        self
    }

    pub(super) fn map(&mut self, ty: u32, at: u64) -> Result<(), Wrong> {
        match &mut self.maps {
            Maps::Pass => Ok(()),
            Maps::Note(maps) => {
                if maps.try_reserve(1).is_err() {
                    return Wrong::at(at, Damage::OutOfMemory);
                }
                maps.push((ty, at));
                Ok(())
            }
            Maps::Refuse(map, what) if *map == (ty, at) => {
                Wrong::at(at, Damage::Disorder { what: core::mem::take(what) })
            }
            Maps::Refuse(..) => Ok(()),
        }
    }
}
