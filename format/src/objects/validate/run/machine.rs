//! The loop, and the operations that are too rare or too long for it.

use alloc::boxed::Box;
use core::hint::select_unpredictable;

use super::fault::Fault;
use super::maps::Claimed;
use super::state::*;
use super::text::Text;
use crate::objects::damage::Damage;
use crate::objects::validate::program::{NONE, Op, Pointee, Run, Table};
use crate::objects::validate::words::Words;

impl<'a, W: Words, const SPLIT: bool> Machine<'a, W, SPLIT> {
    pub(in crate::objects::validate) fn run(mut self, task: Task) -> Result<(), Box<Fault>> {
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
    pub(in crate::objects::validate) fn root(self, root: u64) -> Result<(), Box<Fault>> {
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
                        if short { Damage::ShortText { len } } else { outside(start, len, low, high) };
                    check!(Wrong::at(place, cause));
                }
                low = select_unpredictable(text.out_of_line, start.wrapping_add(len), low);
                // SAFETY: in the window, or inside the value.
                if !unsafe { self.bytes.is_utf8(start, len) } {
                    // SAFETY: as above.
                    check!(unsafe { self.not_utf8(place, start, len) });
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
                    _ => check!(Wrong::at(at + offset, Damage::Tag { got })),
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
            return Wrong::at(frame.at, Damage::OutOfMemory);
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
                    return Wrong::at(at + offset, Damage::OutOfMemory);
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
                            return Wrong::at(link, Damage::NoFirstNode);
                        }
                        continue;
                    }
                    if level == LEVELS {
                        return Wrong::at(link, Damage::Levels { most: LEVELS });
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
                    return Wrong::at(at + offset, Damage::Count { count, found });
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
                        Wrong::at(place, Damage::Shared { target })
                    };
                }
                if let Ok(known) = self.open.binary_search_by(|known| target.cmp(&known.at)) {
                    let cause = match same(self.open[known]) {
                        true => Damage::Cycle { target },
                        false => Damage::Shared { target },
                    };
                    return Wrong::at(place, cause);
                }
                if self.open.try_reserve(1).is_err() {
                    return Wrong::at(place, Damage::OutOfMemory);
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
                    return Wrong::at(at + offset, Damage::OutOfMemory);
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
                        return Wrong::at(at + offset, Damage::Invariant(error));
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
