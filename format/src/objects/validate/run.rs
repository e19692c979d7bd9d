//! The machine that runs a program over an object: one loop, one stack.
//!
//! What a read may rely on: a value that is being checked lies in the object with all its bytes, because the root does
//! ([`Validator::check`](super::Validator::check)) and because each target was claimed before it was stepped into; an
//! operation's `at` and what it reads lie in the value, because the graph is sound.
#![allow(unsafe_code)] // unchecked reads, each of bytes that were claimed

mod columns;
mod fault;
mod maps;
mod text;

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::hint::select_unpredictable;
use core::marker::PhantomData;

pub(super) use self::fault::Fault;
use self::maps::Claimed;
use self::text::Text;
use super::compile::{NONE, Op, Pointee, Program, Run, Table};
use super::words::{Bytes, Words};
use super::{Graph, ObjectCause};

/// Levels of a B-tree: each node but the leaves has two links at least, so that more would be of more entries than can be
/// counted.
const LEVELS: u64 = 64;
/// Frames from which on one that has nothing left to do is not kept: more than are named.
const KEPT: usize = 64;
/// Steps of a path that are named.
const NAMED: usize = 24;

/// Values to check: of what kind, where the first one is and how many there are, and the window that their pointers may
/// lead into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) run: u32,
    pub(super) at: u64,
    pub(super) left: u64,
    pub(super) low: u64,
    pub(super) high: u64,
}

impl Task {
    pub(super) fn window(&self) -> u64 {
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
struct State {
    pc: u32,
    /// What kind of values the run has. It does not depend on what is read of a value, so that the next value can be
    /// begun before this one is understood.
    run: u32,
    at: u64,
    left: u64,
    /// Of a run: how many there are; of a hash map's entry: its place; of what a B-tree's node has: the node.
    aux: u64,
    low: u64,
    high: u64,
}

/// What is to be done after a step in.
#[derive(Clone, Copy, Debug)]
struct Frame {
    at: u64,
    left: u64,
    aux: u64,
    high: u64,
    /// Where the unclaimed bytes start then; 0 where nothing was claimed.
    low: u64,
    pc: u32,
    run: u32,
}

/// What is wrong, and where in the bytes.
struct Wrong {
    offset: u64,
    cause: ObjectCause,
    /// In which value of the run that was about to be stepped into, and in which column.
    column: Option<(u64, u32)>,
}

impl Wrong {
    /// The same in the entry at a place of a hash table.
    fn in_place(self, place: u64) -> Wrong {
        Wrong { column: self.column.map(|(_, number)| (place, number)), ..self }
    }

    #[cold]
    fn at<T>(offset: u64, cause: ObjectCause) -> Result<T, Wrong> {
        Err(Wrong { offset, cause, column: None })
    }
}

/// A shared pointer's target.
#[derive(Clone, Copy)]
struct Target {
    at: u64,
    len: u64,
    identity: u32,
}

/// What is to be done about the maps that are met.
pub(super) enum Maps<'a> {
    Pass,
    /// Noted, with their types.
    Note(&'a mut Vec<(u32, u64)>),
    /// One is refused, and why, so that the way to it is told.
    Refuse((u32, u64), String),
}

/// A B-tree that is being checked.
struct Entered {
    /// Entries that it says it has.
    count: u64,
    found: u64,
    /// Frames below it. Each level has one more.
    frames: usize,
}

pub(super) struct Machine<'a, W, const SPLIT: bool> {
    bytes: Bytes<'a>,
    graph: &'a Graph,
    program: &'a Program,
    parts: &'a mut BinaryHeap<Task>,
    stack: Vec<Frame>,
    /// Shared pointers' targets that have passed. Each was claimed behind those before it, so they are in order.
    passed: Vec<Target>,
    /// Those that are being checked, each behind those that it leads to.
    open: Vec<Target>,
    /// What is to be done about maps.
    maps: Maps<'a>,
    /// The B-trees that are being checked, each inside the one before.
    trees: Vec<Entered>,
    words: PhantomData<W>,
}

/// Checks that a pointer at `place` may claim its target.
#[inline(always)]
fn claim(place: u64, target: u64, size: u64, align: u64, low: u64, high: u64) -> Result<(), Wrong> {
    if target < low || target > high || size > high - target {
        return Wrong::at(place, outside(target, size, low, high));
    }
    if target & (align - 1) != 0 {
        return Wrong::at(place, ObjectCause::Unaligned { target, align });
    }
    Ok(())
}

#[cold]
fn outside(target: u64, size: u64, from: u64, until: u64) -> ObjectCause {
    ObjectCause::Outside { target, size, from, until }
}

impl<'a, W: Words, const SPLIT: bool> Machine<'a, W, SPLIT> {
    pub(super) fn new(
        bytes: Bytes<'a>,
        graph: &'a Graph,
        program: &'a Program,
        parts: &'a mut BinaryHeap<Task>,
    ) -> Self {
        let (stack, passed, open, trees) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let maps = Maps::Pass;
        Machine { bytes, graph, program, parts, stack, passed, open, maps, trees, words: PhantomData }
    }

    pub(super) fn with_maps(mut self, maps: Maps<'a>) -> Self {
        self.maps = maps;
        self
    }

    fn map(&mut self, ty: u32, at: u64) -> Result<(), Wrong> {
        match &mut self.maps {
            Maps::Pass => Ok(()),
            Maps::Note(maps) => {
                if maps.try_reserve(1).is_err() {
                    return Wrong::at(at, ObjectCause::OutOfMemory);
                }
                maps.push((ty, at));
                Ok(())
            }
            Maps::Refuse(map, what) if *map == (ty, at) => {
                Wrong::at(at, ObjectCause::Disorder { what: core::mem::take(what) })
            }
            Maps::Refuse(..) => Ok(()),
        }
    }

    pub(super) fn run(mut self, task: Task) -> Result<(), Box<Fault>> {
        let Task { run, at, left, low, high } = task;
        let pc = self.program.runs[run as usize].entry;
        let mut state = State { pc, run, at, left, aux: left, low, high };
        match self.go(&mut state) {
            Ok(()) => Ok(()),
            Err(Wrong { offset, cause, column }) => {
                Err(Box::new(Fault { offset, cause, column, stack: self.stack, now: state }))
            }
        }
    }

    /// Checks the columns of a root.
    pub(super) fn root(self, root: u64) -> Result<(), Box<Fault>> {
        let run = &self.program.runs[0];
        self.columns(run.columns, root, run.size, 1).map_err(|Wrong { offset, cause, column }| {
            let now = State { pc: NONE, run: 0, at: root, left: 1, aux: 1, low: 0, high: root };
            Box::new(Fault { offset, cause, column, stack: self.stack, now })
        })
    }

    /// Runs until the stack is empty. `now` is where it stopped, if something is wrong.
    #[inline(always)]
    fn go(&mut self, now: &mut State) -> Result<(), Wrong> {
        // In registers: what every operation uses.
        let State { mut pc, mut run, mut at, mut left, mut aux, mut low, mut high } = *now;
        let program = self.program;

        let wrong = 'wrong: loop {
            macro_rules! check {
                ($result:expr) => {
                    match $result {
                        Ok(value) => value,
                        Err(wrong) => break 'wrong wrong,
                    }
                };
            }
            macro_rules! pop {
                () => {{
                    let Some(frame) = self.stack.pop() else { return Ok(()) };
                    (at, left, aux) = (frame.at, frame.left, frame.aux);
                    (high, pc, run) = (frame.high, frame.pc, frame.run);
                    low = low.max(frame.low);
                    continue;
                }};
            }
            // On to the next value of the run.
            macro_rules! end {
                () => {{
                    left -= 1;
                    if left == 0 {
                        pop!();
                    }
                    // SAFETY: `get_unchecked` asks that the index be inside: the compiler makes no other.
                    let kind = unsafe { program.runs.get_unchecked(run as usize) };
                    (at, pc) = (at + kind.size, kind.entry);
                    continue;
                }};
            }
            // Steps into `$left` values at `$target`, which end at `$end` and are claimed.
            macro_rules! enter {
                ($to:expr, $kind:expr, $target:expr, $left:expr, $end:expr) => {{
                    let (to, kind, target, values, end) = ($to, $kind, $target, $left, $end);
                    // Values without bytes are all the same.
                    let values = if kind.size == 0 { values.min(1) } else { values };
                    if kind.columns.0 != kind.columns.1 {
                        check!(self.columns(kind.columns, target, kind.size, values));
                    }
                    if values == 0 || kind.entry == NONE {
                        low = end;
                        pc += 1;
                        continue;
                    }
                    if SPLIT {
                        self.parts.push(Task { run: to, at: target, left: values, low, high: target });
                        low = end;
                        pc += 1;
                        continue;
                    }
                    // Unless the caller has nothing left to do, and its own caller goes on behind all that it claimed.
                    if !(left == 1
                        && self.stack.len() >= KEPT
                        && self.is_last(pc)
                        && self.stack.last().is_some_and(|frame| frame.low > 0))
                    {
                        check!(self.push(Frame { at, left, aux, high, low: end, pc: pc + 1, run }));
                    }
                    (at, left, aux, high) = (target, values, values, target);
                    (pc, run) = (kind.entry, to);
                    continue;
                }};
            }

            // SAFETY: `get_unchecked` asks that the index be inside: the compiler makes no place outside the program,
            // and an operation that goes on with the next one is never the last.
            let step = unsafe { program.code.get_unchecked(pc as usize) };
            if step.string {
                let Op::String { at: offset } = step.op else { unreachable!() };
                let place = at + offset;
                // SAFETY: inside the value.
                let text = unsafe { Text::at::<W>(self.bytes, place) };
                let (start, len) = (text.start, text.len);
                let missed = (start < low) | (start > high) | (len > high.wrapping_sub(start));
                let short = len <= 2 * W::WIDTH;
                if text.out_of_line & (missed | short) {
                    let cause =
                        if short { ObjectCause::ShortText { len } } else { outside(start, len, low, high) };
                    check!(Wrong::at(place, cause));
                }
                low = select_unpredictable(text.out_of_line, start.wrapping_add(len), low);
                // SAFETY: in the window, or inside the value.
                if !unsafe { self.bytes.is_utf8(start, len) } {
                    check!(Wrong::at(place, ObjectCause::NotUtf8));
                }
                pc += 1;
                continue;
            }
            if step.slice {
                let Op::Slice { at: offset, run: to, nullable } = step.op else { unreachable!() };
                let place = at + offset;
                // SAFETY: inside the value.
                let distance = unsafe { self.bytes.distance::<W>(place) };
                if nullable && distance == 1 {
                    pc += 1;
                    continue;
                }
                // SAFETY: inside the value.
                let len = unsafe { self.bytes.word::<W>(place + W::WIDTH) };
                // SAFETY: `get_unchecked` asks that the index be inside: the compiler makes no other.
                let kind = unsafe { program.runs.get_unchecked(to as usize) };
                let (target, size) = (place.wrapping_add(distance), len.saturating_mul(kind.size));
                check!(claim(place, target, size, kind.align, low, high));
                if len == 0 {
                    low = target;
                    pc += 1;
                    continue;
                }
                enter!(to, kind, target, len, target + size);
            }
            if step.end {
                end!();
            }
            if step.variants {
                let Op::Enum { at: offset, cases, probes } = step.op else { unreachable!() };
                // SAFETY: inside the value.
                let got = unsafe { self.bytes.byte(at + offset) };
                let case = match program.cases[cases as usize].get(usize::from(got)) {
                    Some(case) if case.to != NONE => case,
                    _ => check!(Wrong::at(at + offset, ObjectCause::Tag { got })),
                };
                if probes {
                    let [first, second] = case.probes.map(|probe| {
                        // SAFETY: the enum's probes are of four bytes inside it.
                        probe.passes(unsafe { self.bytes.u32(at + probe.at(), false) })
                    });
                    if !(first & second) {
                        pc = case.to;
                        continue;
                    }
                }
                if case.ends {
                    end!();
                }
                pc = case.past;
                continue;
            }
            if step.check {
                let Op::Check { at: offset, column } = step.op else { unreachable!() };
                let columns = (column, column + 1);
                check!(self.columns(columns, at + offset - program.columns[column as usize].at, 0, 1));
                pc += 1;
                continue;
            }
            if step.next_entry {
                left -= 1;
                if left == 0 {
                    pop!();
                }
                // SAFETY: as above.
                let &Run { entry, size, .. } = unsafe { program.runs.get_unchecked(run as usize) };
                let control = at + (aux + 1) * size;
                // As many places as the table's count are used, and this is not the last of them. There are 15 control
                // bytes more than places, so that eight from any place on are there.
                aux += 1;
                loop {
                    // SAFETY: the control bytes were claimed with the table.
                    let used = unsafe { self.bytes.below_0x80(control + aux) };
                    if used != 0 {
                        aux += u64::from(used.trailing_zeros() / 8);
                        break;
                    }
                    aux += 8;
                }
                at = control - (aux + 1) * size;
                pc = entry;
                continue;
            }
            if step.value {
                let Op::Value { tree } = step.op else { unreachable!() };
                // The number of the entry is the low half of `left`, that of all entries the high half.
                let tree = &program.trees[tree as usize];
                at = aux + tree.layout.values + (left & u64::from(u32::MAX)) * tree.value_size;
                pc += 1;
                continue;
            }
            if step.next_pair {
                let Op::NextPair { tree } = step.op else { unreachable!() };
                let tree = &program.trees[tree as usize];
                left += 1;
                let next = left & u64::from(u32::MAX);
                if next == left >> 32 {
                    pop!();
                }
                at = aux + tree.layout.keys + next * tree.key_size;
                pc = tree.node + 1;
                continue;
            }
            if step.boxed {
                let Op::Box { at: offset, run: to, nullable } = step.op else { unreachable!() };
                let place = at + offset;
                // SAFETY: inside the value.
                let distance = unsafe { self.bytes.distance::<W>(place) };
                if nullable && distance == 1 {
                    pc += 1;
                    continue;
                }
                let kind = &program.runs[to as usize];
                let target = place.wrapping_add(distance);
                check!(claim(place, target, kind.size, kind.align, low, high));
                enter!(to, kind, target, 1, target + kind.size);
            }
            if step.jump {
                let Op::Jump { to } = step.op else { unreachable!() };
                pc = to;
                continue;
            }
            match step.op {
                Op::Array { at: offset, array } => {
                    let array = program.arrays[array as usize];
                    let kind = &program.runs[array.run as usize];
                    check!(self.columns(kind.columns, at + offset, kind.size, array.count));
                    if kind.entry == NONE {
                        pc += 1;
                        continue;
                    }
                    // Nothing was claimed, so a caller that has nothing left to do is not missed.
                    if !(left == 1 && self.stack.len() >= KEPT && self.is_last(pc)) {
                        check!(self.push(Frame { at, left, aux, high, low: 0, pc: pc + 1, run }));
                    }
                    (at, left, aux) = (at + offset, array.count, array.count);
                    (pc, run) = (kind.entry, array.run);
                }
                Op::Index { at: offset, table } => {
                    let place = at + offset;
                    low = check!(self.indices(place, low, high));
                    let Table { ty, run: to } = program.tables[table as usize];
                    check!(self.map(ty, place));
                    let kind = &program.runs[to as usize];
                    // SAFETY: inside the value: an index map has four words.
                    let distance = unsafe { self.bytes.distance::<W>(place + 3 * W::WIDTH) };
                    // SAFETY: as above.
                    let len = unsafe { self.bytes.word::<W>(place + W::WIDTH) };
                    let target = (place + 3 * W::WIDTH).wrapping_add(distance);
                    let size = len.saturating_mul(kind.size);
                    check!(claim(place, target, size, kind.align, low, high));
                    enter!(to, kind, target, len, target + size);
                }
                other => {
                    let state = State { pc, run, at, left, aux, low, high };
                    State { pc, run, at, left, aux, low, high } = check!(self.rare(other, state));
                    if pc == NONE {
                        pop!();
                    }
                }
            }
        };
        *now = State { pc, run, at, left, aux, low, high };
        Err(wrong)
    }

    fn push(&mut self, frame: Frame) -> Result<(), Wrong> {
        if self.stack.len() == self.stack.capacity() && self.stack.try_reserve(32).is_err() {
            return Wrong::at(frame.at, ObjectCause::OutOfMemory);
        }
        self.stack.push(frame);
        Ok(())
    }

    /// Steps into a value: afterwards, on with the operation `then`, `end` claimed.
    fn call(&mut self, from: State, then: u32, end: u64, to: State) -> Result<State, Wrong> {
        let State { at, left, aux, high, run, .. } = from;
        self.push(Frame { at, left, aux, high, low: end, pc: then, run })?;
        Ok(to)
    }

    /// The operations that are too rare, or too long, for the loop. What comes next; with no place in the program, the
    /// frame that is on the stack.
    #[inline(never)]
    fn rare(&mut self, op: Op, state: State) -> Result<State, Wrong> {
        let State { pc, at, left, low, high, .. } = state;
        let program = self.program;
        let next = |low| Ok(State { pc: pc + 1, low, ..state });
        match op {
            Op::Str { at: offset, nullable } => next(self.text(at + offset, nullable, false, low, high)?),
            Op::CStr { at: offset, nullable } => next(self.text(at + offset, nullable, true, low, high)?),
            Op::Table { at: offset, table } => {
                let Table { ty, run } = program.tables[table as usize];
                let Run { entry, columns, size, align } = program.runs[run as usize];
                self.map(ty, at + offset)?;
                let claimed = self.table(at + offset, size, align, low, high)?;
                let Some(Claimed { control, capacity, count, start, end }) = claimed else {
                    return next(low);
                };
                if columns.0 != columns.1 {
                    for place in (0..capacity).filter(|place| self.is_used(control, *place)) {
                        let entry = self.columns(columns, control - (place + 1) * size, size, 1);
                        entry.map_err(|wrong| wrong.in_place(place))?;
                    }
                }
                let first = (0..capacity).find(|place| self.is_used(control, *place));
                let Some(first) = first.filter(|_| entry != NONE) else { return next(end) };
                let at = control - (first + 1) * size;
                let to = State { pc: entry, run, at, left: count, aux: first, low, high: start };
                self.call(state, pc + 1, end, to)
            }
            Op::Tree { at: offset, tree } => {
                // SAFETY: inside the value: a B-tree has two words.
                let count = unsafe { self.bytes.word::<W>(at + offset + W::WIDTH) };
                if count == 0 {
                    return Ok(State { pc: pc + 2, ..state });
                }
                if self.trees.try_reserve(1).is_err() {
                    return Wrong::at(at + offset, ObjectCause::OutOfMemory);
                }
                self.trees.push(Entered { count, found: 0, frames: self.stack.len() });
                let tree = &program.trees[tree as usize];
                self.map(tree.ty, at + offset)?;
                let node = self.node(at + offset, tree, low, high)?;
                match node.start(program, tree, low) {
                    Some(to) => self.call(state, pc + 1, node.end, to),
                    None => next(node.end),
                }
            }
            Op::Links { tree } => {
                // The node is `aux`, and `left` the number of its next link.
                let (tree, node) = (&program.trees[tree as usize], state.aux);
                let mut low = low;
                let frames = self.trees.last().map_or(0, |entered| entered.frames);
                let level = (self.stack.len() - frames) as u64;
                for number in left..=tree.capacity {
                    let link = node + tree.layout.links + number * W::WIDTH;
                    // SAFETY: inside the node, which was claimed as an inner one.
                    if unsafe { self.bytes.distance::<W>(link) } == 1 {
                        if number == 0 {
                            return Wrong::at(link, ObjectCause::NoFirstNode);
                        }
                        continue;
                    }
                    if level == LEVELS {
                        return Wrong::at(link, ObjectCause::Levels { most: LEVELS });
                    }
                    let below = self.node(link, tree, low, high)?;
                    match below.start(program, tree, low) {
                        Some(to) => {
                            let state = State { left: number + 1, low, ..state };
                            return self.call(state, pc, below.end, to);
                        }
                        None => low = below.end,
                    }
                }
                let nothing = State { pc: NONE, ..state };
                let entries = tree.first_entry(program, node, tree.capacity).unwrap_or(nothing);
                Ok(State { low, high, ..entries })
            }
            Op::TreeEnd { at: offset } => {
                let Some(Entered { count, found, .. }) = self.trees.pop() else {
                    unreachable!("pushed by `Tree`")
                };
                if count != found {
                    return Wrong::at(at + offset, ObjectCause::Count { count, found });
                }
                next(low)
            }
            Op::Share { at: offset, share } => {
                let place = at + offset;
                let share = program.shares[share as usize];
                // SAFETY: inside the value.
                let distance = unsafe { self.bytes.distance::<W>(place) };
                let skip = Ok(State { pc: pc + 2, ..state });
                if share.weak && distance == 1 {
                    return skip;
                }
                let target = place.wrapping_add(distance);
                let len = match share.kind {
                    Pointee::One { .. } => 1,
                    // SAFETY: inside the value: a pointer with a length.
                    _ => unsafe { self.bytes.word::<W>(place + W::WIDTH) },
                };
                let found = Target { at: target, len, identity: share.identity };
                let same = |known: Target| (known.identity, known.len) == (found.identity, found.len);
                if let Ok(known) = self.passed.binary_search_by_key(&target, |known| known.at) {
                    return if same(self.passed[known]) {
                        skip
                    } else {
                        Wrong::at(place, ObjectCause::Shared { target })
                    };
                }
                if let Ok(known) = self.open.binary_search_by(|known| target.cmp(&known.at)) {
                    let cause = match same(self.open[known]) {
                        true => ObjectCause::Cycle { target },
                        false => ObjectCause::Shared { target },
                    };
                    return Wrong::at(place, cause);
                }
                if self.open.try_reserve(1).is_err() {
                    return Wrong::at(place, ObjectCause::OutOfMemory);
                }
                self.open.push(found);
                let run = match share.kind {
                    Pointee::One { run } | Pointee::Slice { run } => run,
                    Pointee::Str | Pointee::CStr => {
                        let c = matches!(share.kind, Pointee::CStr);
                        return next(self.text(place, false, c, low, high)?);
                    }
                };
                let kind = program.runs[run as usize];
                let size = len.saturating_mul(kind.size);
                claim(place, target, size, kind.align, low, high)?;
                let len = if kind.size == 0 { len.min(1) } else { len };
                self.columns(kind.columns, target, kind.size, len)?;
                if len == 0 || kind.entry == NONE {
                    return next(target + size);
                }
                let to = State { pc: kind.entry, run, at: target, left: len, aux: len, low, high: target };
                self.call(state, pc + 1, target + size, to)
            }
            Op::Shared { at: offset } => {
                let Some(target) = self.open.pop() else { unreachable!("pushed by `Share`") };
                debug_assert!(self.passed.last().is_none_or(|last| last.at < target.at));
                if self.passed.try_reserve(1).is_err() {
                    return Wrong::at(at + offset, ObjectCause::OutOfMemory);
                }
                self.passed.push(target);
                next(low)
            }
            Op::Invariant { at: offset, ty } => {
                if let Some(invariant) = self.graph.invariants[ty as usize] {
                    // SAFETY: inside the object.
                    let value = unsafe { self.bytes.address(at + offset) };
                    // SAFETY: `check` asks for
                    // - an aligned pointer: the object's first byte is aligned to the largest alignment of its types
                    //   (`Validator::root`), and the value's place is a multiple of its own, because targets are
                    //   claimed so and sound structs have their fields so;
                    // - initialized bytes that nobody changes: they are borrowed;
                    // - a valid structure: all operations of the value come before this one, and its columns before
                    //   them.
                    if let Err(error) = unsafe { invariant.check(value) } {
                        return Wrong::at(at + offset, ObjectCause::Invariant(error));
                    }
                }
                next(low)
            }
            _ => unreachable!("in the loop"),
        }
    }

    /// Whether the block ends behind the operation at `pc`.
    #[inline(never)]
    fn is_last(&self, pc: u32) -> bool {
        let mut next = pc + 1;
        while let Op::Jump { to } = self.program.code[next as usize].op {
            next = to;
        }
        matches!(self.program.code[next as usize].op, Op::End)
    }
}
