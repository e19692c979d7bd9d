//! From a type's layout to the program that checks its values: what can be wrong, and where.
//!
//! A type becomes a block of operations at offsets from the start of a value; structs inside it are laid flat. Types
//! that cannot be wrong (numbers, and what is made of numbers only) become nothing. What lies behind pointers is a
//! block of its own, so that a recursive type is a loop in the program and not in the compiler.
//!
//! For example, with offsets of four bytes:
//! ```text
//! struct Node { name: String, state: Option<char>, below: Vec<Node>, on: bool }     at 0, 8, 16, 24 of 28 bytes
//!
//! run 0: 28 bytes; column: a bool at 24      checked of all values of a run at once, before anything else in them
//! 0  String at 0                             claims the text if it is out of line
//! 1  Enum at 8                               tag 0: on at 5; tag 1: on at 5 if the probe at 12 passes, else at 3
//! 2  Jump to 5                               the end of `None`
//! 3  Check at 12: a char                     no column of the run, since it depends on the tag
//! 4  Jump to 5                               the end of `Some`
//! 5  Slice at 16, of run 0                   claims the elements, and steps into their first at 0; back, on at 6
//! 6  End                                     on to the next value of the run
//! ```
//! What needs no order is taken out of the block (columns), what a branch on a tag would cost is checked together with
//! the tag (probes), and jumps lead to where they end.
//!
//! Source: SPEC 6.2 and 6.3, which say what bytes may be.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;

use super::column::{Column, Columns, Flat, Probe};
use super::graph::Graph;
use super::program::*;
use crate::types::layout::{Field, Niche, NumberKind, Shape};
use crate::types::sound::{EntryLayout, NodeLayout, align_up};

/// Operations up to which an array is laid flat.
const FLAT_ARRAY: u64 = 16;
/// Operations up to which a type is laid flat into the one that contains it, rather than called.
const FLAT_WEIGHT: u64 = 64;
/// Levels of types inside each other up to which they are laid flat: the compiler recurses as deep.
const FLAT_HEIGHT: u32 = 16;

/// Characters of a name that a path has.
const NAME: usize = 200;

/// Compiles the graph's types from type 0 on. With `wanted`, some operations get paths; else the program is the same.
pub(super) fn compile(graph: &Graph, wanted: Option<Wanted>) -> Program {
    let mut compiler = Compiler {
        graph,
        wanted,
        path: String::new(),
        conditions: 0,
        hoisted: Vec::new(),
        hoists: 0,
        program: Program::default(),
        size_of: sizes(graph),
        blocks: Vec::new(),
        requested: alloc::vec![false; graph.types.len()],
        table_of: alloc::vec![NONE; graph.types.len()],
    };
    compiler.program.runs = graph
        .types
        .iter()
        .map(|ty| Run { entry: NONE, columns: (0, 0), size: ty.size, align: ty.align.into() })
        .collect();
    compiler.run(0);
    while let Some(block) = compiler.blocks.pop() {
        compiler.block(block);
    }
    compiler.thread_jumps();
    compiler.program
}

/// How large a type's program is where it is laid flat.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Operations; none if nothing can be wrong.
    weight: u64,
    /// Levels of types inside each other.
    height: u32,
}

impl Size {
    /// As a part of another type: flat, or called.
    fn inside(self) -> Size {
        if self.is_flat() { self } else { Size { weight: self.weight.min(1), height: 0 } }
    }

    fn is_flat(self) -> bool {
        self.weight <= FLAT_WEIGHT && self.height <= FLAT_HEIGHT
    }
}

/// The sizes of all types' programs: those inside first.
fn sizes(graph: &Graph) -> Vec<Size> {
    let mut sizes = alloc::vec![Size::default(); graph.types.len()];
    for &ty in &graph.order {
        let shape = &graph.types[ty as usize].shape;
        let inside = |fields: &[Field<u32>]| {
            let each = fields.iter().map(|field| sizes[field.ty as usize].inside());
            each.fold((0, 0), |(weight, height), size: Size| (weight + size.weight, height.max(size.height)))
        };
        let (weight, height) = match shape {
            Shape::Unit | Shape::Str | Shape::CStr | Shape::Slice { .. } | Shape::Opaque { .. } => (0, 0),
            Shape::Number { kind, nonzero, .. } => (u64::from(*nonzero || *kind == NumberKind::Char), 0),
            Shape::Struct { fields } => {
                let (weight, height) = inside(fields);
                (weight, height + 1)
            }
            Shape::Enum { variants } => {
                let tags = variants.iter().map(|variant| u64::from(variant.tag)).max().unwrap_or(0);
                let (mut all, mut most) = (1 + tags / 4, 0);
                for variant in variants.iter() {
                    let (weight, height) = inside(&variant.fields);
                    (all, most) = (all + weight + 1, most.max(height));
                }
                (all, most + 1)
            }
            Shape::Array { element, len } => {
                let (element, empty) = (sizes[*element as usize], graph.types[*element as usize].size == 0);
                match (element.weight.saturating_mul(*len), *len) {
                    // One is what it is; elements without bytes are all the same.
                    (1.., len) if len == 1 || empty => (element.inside().weight, element.inside().height + 1),
                    // Short ones are laid flat.
                    (weight @ 2..=FLAT_ARRAY, _) if element.is_flat() => (weight, element.height + 1),
                    (weight, _) => (weight.min(1), 0),
                }
            }
            Shape::Niched { niche, .. } => (u64::from(*niche == Niche::Null), 0),
            Shape::Shared { .. } | Shape::Weak { .. } | Shape::BTreeMap { .. } => (2, 0),
            Shape::Bool
            | Shape::String
            | Shape::Vec { .. }
            | Shape::Box { .. }
            | Shape::HashMap { .. }
            | Shape::IndexMap { .. }
            | Shape::Duration { .. } => (1, 0),
        };
        let invariant = u64::from(graph.invariants[ty as usize].is_some());
        sizes[ty as usize] = Size { weight: weight + invariant, height };
    }
    sizes
}

/// A block that has been asked for.
enum Block {
    /// Values of a type.
    Type(u32),
    /// Entries of a map.
    Entry { run: u32, key: u32, value: u32, value_at: u64, end: Op },
    /// Nodes of a B-tree map.
    Tree { tree: u32, key: u32, value: u32 },
}

struct Compiler<'a> {
    graph: &'a Graph,
    wanted: Option<Wanted>,
    /// The way to what is being compiled.
    path: String,
    /// Tags that what is being compiled depends on.
    conditions: u32,
    /// Columns of the block that is being compiled.
    hoisted: Vec<Column>,
    /// How many there were in all blocks.
    hoists: u32,
    program: Program,
    size_of: Vec<Size>,
    blocks: Vec<Block>,
    /// Types whose block has been asked for.
    requested: Vec<bool>,
    /// The table or tree of each map type.
    table_of: Vec<u32>,
}

impl Compiler<'_> {
    fn here(&self) -> u32 {
        self.program.code.len() as u32
    }

    fn push(&mut self, op: Op) {
        let here = self.here();
        self.program.code.push(op.into());
        if self.wanted.as_ref().is_some_and(|wanted| wanted.operations.contains(&here)) {
            self.program.paths.insert(here, self.path.clone());
        }
    }

    /// Compiles something one step further down the path.
    fn below(&mut self, step: core::fmt::Arguments<'_>, compile: impl FnOnce(&mut Self)) {
        let len = self.path.len();
        if self.wanted.is_some() {
            // Writing to a string does not fail.
            let _ = self.path.write_fmt(step);
        }
        compile(self);
        self.path.truncate(len);
    }

    /// Leads jumps, and tags to jumps, to where they end; a jump to the end of a block becomes that end.
    fn thread_jumps(&mut self) {
        let Program { code, cases, .. } = &mut self.program;
        // Jumps lead forwards, so from the last to the first each finds its target threaded.
        for i in (0..code.len()).rev() {
            if let Op::Jump { to } = code[i].op
                && let next @ (Op::Jump { .. } | Op::End | Op::NextEntry | Op::NextPair { .. }) =
                    code[to as usize].op
            {
                code[i] = next.into();
            }
        }
        for case in cases.iter_mut().flatten().filter(|case| case.to != NONE) {
            for target in [&mut case.to, &mut case.past] {
                if let Op::Jump { to } = code[*target as usize].op {
                    *target = to;
                }
            }
            case.ends = matches!(code[case.past as usize].op, Op::End);
        }
    }

    fn is_nothing(&self, ty: u32) -> bool {
        self.size_of[ty as usize].weight == 0
    }

    fn are_nothing(&self, fields: &[Field<u32>]) -> bool {
        fields.iter().all(|field| self.is_nothing(field.ty))
    }

    /// The run of a type's values; asks for its block.
    fn run(&mut self, ty: u32) -> u32 {
        if !self.is_nothing(ty) && !core::mem::replace(&mut self.requested[ty as usize], true) {
            self.blocks.push(Block::Type(ty));
        }
        ty
    }

    /// What a few bytes have to be: a column of the block, or an operation of its own.
    fn flat(&mut self, at: u64, flat: Flat) {
        let column = Column { at, flat };
        if self.conditions > 0 {
            let number = self.column(column);
            return self.push(Op::Check { at, column: number });
        }
        if self.wanted.as_ref().is_some_and(|wanted| wanted.column == Some(self.hoists)) {
            self.program.column_path = self.path.clone();
        }
        self.hoists += 1;
        self.hoisted.push(column);
    }

    fn column(&mut self, column: Column) -> u32 {
        self.program.columns.push(column);
        (self.program.columns.len() - 1) as u32
    }

    /// The columns of the block that has just been compiled.
    fn columns(&mut self) -> Columns {
        let start = self.program.columns.len() as u32;
        self.program.columns.append(&mut self.hoisted);
        (start, self.program.columns.len() as u32)
    }

    /// Ends the block of a run, which starts at `entry`. There is none if there are only columns in it.
    fn end(&mut self, run: u32, entry: u32, op: Op) {
        let is_empty = self.here() == entry;
        if !is_empty {
            self.push(op);
        }
        let columns = self.columns();
        let run = &mut self.program.runs[run as usize];
        (run.entry, run.columns) = (if is_empty { NONE } else { entry }, columns);
    }

    fn block(&mut self, block: Block) {
        let entry = self.here();
        match block {
            Block::Type(ty) => {
                self.value(ty, 0);
                self.end(ty, entry, Op::End);
            }
            Block::Entry { run, key, value, value_at, end } => {
                self.below(format_args!(".key"), |this| this.part(key, 0));
                self.below(format_args!(".value"), |this| this.part(value, value_at));
                self.end(run, entry, end);
            }
            Block::Tree { tree, key, value } => {
                self.push(Op::Links { tree });
                self.below(format_args!(".key"), |this| this.part(key, 0));
                let keys = self.columns();
                let to_value = self.here();
                self.push(Op::Value { tree });
                self.below(format_args!(".value"), |this| this.part(value, 0));
                let values = self.columns();
                let first = entry + 1;
                let NodeLayout { keys: keys_at, values: values_at, .. } =
                    self.program.trees[tree as usize].layout;
                let entries = match (to_value > first, self.here() > to_value + 1) {
                    (false, false) => Entries::None,
                    (true, true) => {
                        self.push(Op::NextPair { tree });
                        Entries::Pairs { pc: first }
                    }
                    (false, true) => {
                        self.push(Op::End);
                        self.entries(value, to_value + 1, values_at)
                    }
                    (true, false) => {
                        self.program.code[to_value as usize] = Op::End.into();
                        self.entries(key, first, keys_at)
                    }
                };
                let tree = &mut self.program.trees[tree as usize];
                (tree.node, tree.entries, tree.keys, tree.values) = (entry, entries, keys, values);
            }
        }
    }

    /// Keys or values of a B-tree's node, with their block.
    fn entries(&mut self, ty: u32, pc: u32, at: u64) -> Entries {
        let size = self.graph.types[ty as usize].size;
        let run = self.program.runs.len() as u32;
        self.program.runs.push(Run { entry: pc, columns: (0, 0), size, align: 1 });
        Entries::Run { run, at }
    }

    /// A value inside another: flat, or called.
    fn part(&mut self, ty: u32, at: u64) {
        if self.is_nothing(ty) {
        } else if self.size_of[ty as usize].is_flat() {
            self.value(ty, at);
        } else {
            self.array(ty, 1, at);
        }
    }

    fn array(&mut self, ty: u32, count: u64, at: u64) {
        let array = self.program.arrays.len() as u32;
        let run = self.run(ty);
        self.program.arrays.push(Array { run, count });
        self.push(Op::Array { at, array });
    }

    fn fields(&mut self, fields: &[Field<u32>], at: u64) {
        for field in fields {
            self.below(format_args!(".{:.NAME$}", field.name), |this| this.part(field.ty, at + field.offset));
        }
    }

    /// The operations of a value, flat.
    fn value(&mut self, ty: u32, at: u64) {
        let graph = self.graph;
        match &graph.types[ty as usize].shape {
            Shape::Unit | Shape::Str | Shape::CStr | Shape::Slice { .. } | Shape::Opaque { .. } => {}
            Shape::Bool => self.flat(at, Flat::Bool),
            &Shape::Number { kind: NumberKind::Char, big_endian: big, .. } => {
                self.flat(at, Flat::Char { big });
            }
            Shape::Number { nonzero: true, .. } => {
                self.flat(at, Flat::NonZero(graph.types[ty as usize].size as u8));
            }
            Shape::Number { .. } => {}
            &Shape::Duration { big_endian: big } => self.flat(at + 8, Flat::Nanoseconds { big }),
            Shape::String => self.push(Op::String { at }),
            Shape::Struct { fields } => self.fields(fields, at),
            Shape::Enum { .. } => self.variants(ty, at),
            &Shape::Array { element, len } if !self.is_nothing(element) && len > 0 => {
                let size = graph.types[element as usize].size;
                // Elements without bytes are all the same.
                let len = if size == 0 { 1 } else { len };
                if self.size_of[ty as usize].weight > 1 || len == 1 {
                    for i in 0..len {
                        self.below(format_args!("[{i}]"), |this| this.part(element, at + i * size));
                    }
                } else {
                    self.array(element, len, at);
                }
            }
            Shape::Array { .. } => {}
            Shape::Vec { element } => {
                let run = self.run(*element);
                self.push(Op::Slice { at, run, nullable: false });
            }
            Shape::Box { pointee } => self.pointer(*pointee, at, false),
            Shape::Niched { inner, niche: Niche::Null } => {
                if let Shape::Box { pointee } = graph.types[*inner as usize].shape {
                    self.pointer(pointee, at, true);
                }
            }
            // Whatever is not the pattern is a number that is not zero, not NaN, a byte that is 0 or 1.
            Shape::Niched { .. } => {}
            Shape::Shared { pointee } => self.share(ty, *pointee, at, false),
            Shape::Weak { pointee } => self.share(ty, *pointee, at, true),
            Shape::HashMap { key, value } => {
                let table = self.table(ty, *key, *value, Op::NextEntry);
                self.push(Op::Table { at, table });
            }
            Shape::IndexMap { key, value } => {
                let table = self.table(ty, *key, *value, Op::End);
                self.push(Op::Index { at, table });
            }
            Shape::BTreeMap { key, value, capacity } => {
                let tree = self.tree(ty, *key, *value, *capacity);
                self.push(Op::Tree { at, tree });
                self.push(Op::TreeEnd { at });
            }
        }
        if graph.invariants[ty as usize].is_some() {
            self.push(Op::Invariant { at, ty });
        }
    }

    fn variants(&mut self, ty: u32, at: u64) {
        let graph = self.graph;
        let Shape::Enum { variants } = &graph.types[ty as usize].shape else { return };
        if variants.iter().all(|variant| self.are_nothing(&variant.fields)) {
            let mut tags = [0u64; 4];
            variants
                .iter()
                .for_each(|variant| tags[usize::from(variant.tag) / 64] |= 1 << (variant.tag % 64));
            // As many as there are, from 0 on: tags differ.
            let through = variants.iter().all(|variant| usize::from(variant.tag) < variants.len());
            match u8::try_from(variants.len()) {
                Ok(count) if through => self.flat(at, Flat::Below(count)),
                _ => {
                    self.program.tags.push(tags);
                    self.flat(at, Flat::Tags(self.program.tags.len() as u32 - 1));
                }
            }
            return;
        }
        let tags = variants.iter().map(|variant| usize::from(variant.tag) + 1).max().unwrap_or(0);
        let mut targets = alloc::vec![Case::NONE; tags];
        let cases = self.program.cases.len() as u32;
        self.program.cases.push(Vec::new());
        let value = at..at + graph.types[ty as usize].size;
        self.push(Op::Enum { at, cases, probes: Probe::fits(&value) });
        self.conditions += 1;
        let mut jumps = Vec::new();
        for variant in variants.iter() {
            let to = self.here();
            match &*variant.fields {
                // No step: what may be there is there.
                [some] if &*graph.types[ty as usize].name == "Option" => self.part(some.ty, at + some.offset),
                fields => {
                    self.below(format_args!(".{:.NAME$}", variant.name), |this| this.fields(fields, at))
                }
            }
            targets[usize::from(variant.tag)] = self.case(to, &value);
            jumps.push(self.program.code.len());
            self.push(Op::Jump { to: NONE });
        }
        self.conditions -= 1;
        let to = self.here();
        jumps.into_iter().for_each(|jump| self.program.code[jump] = Op::Jump { to }.into());
        self.program.cases[cases as usize] = targets;
    }

    /// The case of an enum's tag whose operations are those from `to` on.
    fn case(&self, to: u32, value: &Range<u64>) -> Case {
        let mut case = Case { to, past: to, ..Case::NONE };
        if !Probe::fits(value) {
            return case;
        }
        case.probes = [Probe::passing(value.start as u32); 2];
        for (probe, step) in case.probes.iter_mut().zip(&self.program.code[to as usize..]) {
            let Op::Check { column, .. } = step.op else { break };
            let Some(found) = Probe::new(self.program.columns[column as usize], value) else { break };
            *probe = found;
            case.past += 1;
        }
        case
    }

    fn pointer(&mut self, pointee: u32, at: u64, nullable: bool) {
        match self.graph.types[pointee as usize].shape {
            Shape::Str => self.push(Op::Str { at, nullable }),
            Shape::CStr => self.push(Op::CStr { at, nullable }),
            Shape::Slice { element } => {
                let run = self.run(element);
                self.push(Op::Slice { at, run, nullable });
            }
            _ => {
                let run = self.run(pointee);
                self.push(Op::Box { at, run, nullable });
            }
        }
    }

    fn share(&mut self, ty: u32, pointee: u32, at: u64, weak: bool) {
        let kind = match self.graph.types[pointee as usize].shape {
            Shape::Str => Pointee::Str,
            Shape::CStr => Pointee::CStr,
            Shape::Slice { element } => Pointee::Slice { run: self.run(element) },
            _ => Pointee::One { run: self.run(pointee) },
        };
        let share = self.program.shares.len() as u32;
        let identity = self.graph.shared[ty as usize];
        self.program.shares.push(Share { kind, weak, identity });
        self.push(Op::Share { at, share });
        self.push(Op::Shared { at });
    }

    fn entry_layout(&self, key: u32, value: u32) -> EntryLayout {
        let types = &self.graph.types;
        EntryLayout::new(&types[key as usize], &types[value as usize]).expect("sound: it fits")
    }

    /// The table of a map type, whose entries' blocks end with `end`.
    fn table(&mut self, ty: u32, key: u32, value: u32, end: Op) -> u32 {
        if self.table_of[ty as usize] == NONE {
            let EntryLayout { value: value_at, size, align } = self.entry_layout(key, value);
            let run = self.program.runs.len() as u32;
            self.program.runs.push(Run { entry: NONE, columns: (0, 0), size, align });
            if !(self.is_nothing(key) && self.is_nothing(value)) {
                self.blocks.push(Block::Entry { run, key, value, value_at, end });
            }
            self.table_of[ty as usize] = self.program.tables.len() as u32;
            self.program.tables.push(Table { ty, run });
        }
        self.table_of[ty as usize]
    }

    fn tree(&mut self, ty: u32, key: u32, value: u32, capacity: u32) -> u32 {
        if self.table_of[ty as usize] == NONE {
            let types = &self.graph.types;
            let (key_type, value_type) = (&types[key as usize], &types[value as usize]);
            let payload = self.graph.payload;
            let layout =
                NodeLayout::new(payload, key_type, value_type, capacity).expect("sound: a node fits");
            let (links, width) = (layout.links, u64::from(payload.offset_width));
            let node = |words: u64| align_up(links + words * width, layout.align).unwrap_or(u64::MAX);
            let tree = self.program.trees.len() as u32;
            self.program.trees.push(BTree {
                ty,
                node: NONE,
                entries: Entries::None,
                keys: (0, 0),
                values: (0, 0),
                layout,
                key_size: key_type.size,
                value_size: value_type.size,
                capacity: capacity.into(),
                leaf_size: node(1),
                inner_size: node(u64::from(capacity) + 1),
            });
            self.blocks.push(Block::Tree { tree, key, value });
            self.table_of[ty as usize] = tree;
        }
        self.table_of[ty as usize]
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::Cow;

    use super::*;
    use crate::Payload;
    use crate::types::layout::{Type, Variant};
    use crate::types::sound::containment_order;

    /// The example of this module's documentation.
    #[test]
    fn a_struct_becomes_a_block_of_operations_and_the_columns_of_its_run() {
        let field = |name, offset, ty| Field { name: Cow::Borrowed(name), offset, ty };
        let node = [field("name", 0, 1), field("state", 8, 2), field("below", 16, 4), field("on", 24, 5)];
        let option = [("None", 0, Vec::new()), ("Some", 1, alloc::vec![field("0", 4, 3)])];
        let variants = option.map(|(name, tag, fields)| Variant {
            name: Cow::Borrowed(name),
            tag,
            fields: Cow::Owned(fields),
        });
        let char = Shape::Number { kind: NumberKind::Char, nonzero: false, big_endian: false };
        let types: Vec<Type<u32>> = [
            ("Node", 28, 4, Shape::Struct { fields: Cow::Owned(node.to_vec()) }),
            ("String", 8, 4, Shape::String),
            ("Option", 8, 4, Shape::Enum { variants: Cow::Owned(variants.to_vec()) }),
            ("char", 4, 4, char),
            ("Vec", 8, 4, Shape::Vec { element: 0 }),
            ("bool", 1, 1, Shape::Bool),
        ]
        .map(|(name, size, align, shape)| Type {
            name: Cow::Borrowed(name),
            size,
            align,
            invariants: false,
            shape,
        })
        .into();
        let graph = Graph {
            payload: Payload { big_endian: false, offset_width: 4, unaligned: false },
            order: containment_order(&types).unwrap(),
            invariants: alloc::vec![None; types.len()],
            lookups: alloc::vec![None; types.len()],
            shared: alloc::vec![0; types.len()],
            types,
        };
        let program = compile(&graph, None);
        let code: Vec<String> = program.code.iter().map(|step| alloc::format!("{:?}", step.op)).collect();
        let expected = [
            "String { at: 0 }",
            "Enum { at: 8, cases: 0, probes: true }",
            "Jump { to: 5 }",
            "Check { at: 12, column: 0 }",
            "Jump { to: 5 }",
            "Slice { at: 16, run: 0, nullable: false }",
            "End",
        ];
        assert_eq!(code, expected);
        let cases = program.cases[0].iter().map(|case| (case.to, case.past));
        assert!(cases.eq([(5, 5), (3, 5)]));
        let Run { entry, columns, size, .. } = program.runs[0];
        assert_eq!((entry, columns, size), (0, (1, 2), 28));
        assert!(matches!(program.columns[1], Column { at: 24, flat: Flat::Bool }));
    }
}
