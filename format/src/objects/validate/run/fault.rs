//! What is wrong, and the way to it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::state::{Frame, NAMED, State};
use crate::objects::damage::Damage;
use crate::objects::validate::program::{Op, Pointee, Program, Step, Wanted};

/// What is wrong, where in the bytes, and where in the program.
pub(in crate::objects::validate) struct Fault {
    pub(in crate::objects::validate) offset: u64,
    pub(in crate::objects::validate) cause: Damage,
    pub(super) column: Option<(u64, u32)>,
    pub(super) stack: Vec<Frame>,
    pub(super) now: State,
}

impl Fault {
    /// What the way to it consists of.
    #[cold]
    pub(in crate::objects::validate) fn wanted(&self, program: &Program) -> Wanted {
        let frames = self.stack.iter().take(NAMED).flat_map(|frame| [frame.pc, frame.pc.wrapping_sub(1)]);
        let operations = frames.chain([self.now.pc]).collect();
        let column = self.column.map(|(_, number)| {
            let is_before = |step: &&Step| matches!(step.op, Op::Check { column, .. } if column < number);
            number - program.code.iter().filter(is_before).count() as u32
        });
        Wanted { operations, column }
    }

    /// The way to what is wrong. `program` is compiled with paths.
    #[cold]
    pub(in crate::objects::validate) fn path(&self, program: &Program) -> String {
        let mut path = String::new();
        let kept = self.stack.iter().map(|frame| (frame.pc, frame.left, frame.aux));
        let mut entered: Option<Op> = None;
        for (i, (pc, left, aux)) in kept.enumerate().take(NAMED) {
            // A frame goes on behind the operation that stepped in, but for a node's links.
            let pc = match program.code[pc as usize].op {
                Op::Links { .. } => pc,
                _ => pc - 1,
            };
            push_step(&mut path, program, entered, aux.wrapping_sub(left), aux);
            path.push_str(program.path(pc));
            entered = Some(program.code[pc as usize].op);
            if i + 1 == NAMED && self.stack.len() > NAMED {
                path.push('…');
                entered = None;
            }
        }
        let State { pc, left, aux, .. } = self.now;
        push_step(&mut path, program, entered, aux.wrapping_sub(left), aux);
        if let Some(step) = program.code.get(pc as usize) {
            path.push_str(program.path(pc));
            entered = Some(step.op);
        }
        if let Some((index, _)) = self.column
            && !matches!(entered, Some(Op::Check { .. }))
        {
            push_step(&mut path, program, entered, index, index);
            path.push_str(&program.column_path);
        }
        match path.strip_prefix('.') {
            Some(path) => path.into(),
            None => path,
        }
    }
}

/// The step from an operation to one of the values that it leads to.
fn push_step(path: &mut String, program: &Program, operation: Option<Op>, index: u64, place: u64) {
    // Writing to a string does not fail.
    let _ = match operation {
        Some(Op::Slice { .. }) => write!(path, "[{index}]"),
        Some(Op::Share { share, .. })
            if matches!(program.shares[share as usize].kind, Pointee::Slice { .. }) =>
        {
            write!(path, "[{index}]")
        }
        Some(Op::Array { array, .. }) if program.arrays[array as usize].count > 1 => {
            write!(path, "[{index}]")
        }
        Some(Op::Index { .. }) => write!(path, "{{{index}}}"),
        Some(Op::Table { .. }) => write!(path, "{{{place}}}"),
        _ => Ok(()),
    };
}
