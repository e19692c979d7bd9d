//! A compiled layout: operations, and the tables that they lead to.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::column::{Column, Columns, Probe};
use crate::types::sound::NodeLayout;

/// No block: nothing can be wrong.
pub(super) const NONE: u32 = u32::MAX;
/// One step of a program. `at` is an offset from the start of the value that is being checked; other numbers are places
/// in the program's tables.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// A column's check, of one value: where it depends on a tag.
    Check { at: u64, column: u32 },
    /// rkyv's string.
    String { at: u64 },
    /// A tag that says where to go on; with `probes`, if those of its case pass.
    Enum { at: u64, cases: u32, probes: bool },
    /// On elsewhere.
    Jump { to: u32 },
    /// Values that lie here, one after the other.
    Array { at: u64, array: u32 },
    /// A pointer to one value.
    Box { at: u64, run: u32, nullable: bool },
    /// A pointer to values, and how many.
    Slice { at: u64, run: u32, nullable: bool },
    /// A pointer to text, and how long.
    Str { at: u64, nullable: bool },
    /// A pointer to a C string, and how long.
    CStr { at: u64, nullable: bool },
    /// A pointer that others may share; the operation behind it is `Shared`.
    Share { at: u64, share: u32 },
    /// What the shared pointer leads to has passed.
    Shared { at: u64 },
    /// A hash map.
    Table { at: u64, table: u32 },
    /// On to the next entry of a hash map; the end of an entry's block.
    NextEntry,
    /// An index map.
    Index { at: u64, table: u32 },
    /// A B-tree map; the operation behind it is `TreeEnd`.
    Tree { at: u64, tree: u32 },
    /// All of a B-tree has passed.
    TreeEnd { at: u64 },
    /// The pointers of an inner node, then its entries; starts a node's block.
    Links { tree: u32 },
    /// From an entry's key to its value, where both have operations.
    Value { tree: u32 },
    /// On to a node's next entry; the end of an entry's block where keys and values have operations.
    NextPair { tree: u32 },
    /// The program's own check of a type.
    Invariant { at: u64, ty: u32 },
    /// On to the next value of the run.
    End,
}

/// An operation, and which of the frequent ones it is.
///
/// The machine asks these one by one: as branches they are predicted by what came before, which a jump through a table
/// is not on all processors. Measured on a tree of strings: twice as fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) string: bool,
    pub(super) slice: bool,
    pub(super) end: bool,
    pub(super) variants: bool,
    pub(super) check: bool,
    pub(super) jump: bool,
    pub(super) boxed: bool,
    pub(super) next_entry: bool,
    pub(super) value: bool,
    pub(super) next_pair: bool,
}

impl From<Op> for Step {
    fn from(op: Op) -> Step {
        Step {
            op,
            string: matches!(op, Op::String { .. }),
            slice: matches!(op, Op::Slice { .. }),
            end: matches!(op, Op::End),
            variants: matches!(op, Op::Enum { .. }),
            check: matches!(op, Op::Check { .. }),
            jump: matches!(op, Op::Jump { .. }),
            boxed: matches!(op, Op::Box { .. }),
            next_entry: matches!(op, Op::NextEntry),
            value: matches!(op, Op::Value { .. }),
            next_pair: matches!(op, Op::NextPair { .. }),
        }
    }
}

/// Where to go on with a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    /// Where the tag's operations start; none if it is no tag.
    pub(super) to: u32,
    /// Behind the first of them, which find nothing if the probes pass.
    pub(super) past: u32,
    /// Nothing follows but the end of the block.
    pub(super) ends: bool,
    pub(super) probes: [Probe; 2],
}

impl Case {
    pub(super) const NONE: Case = Case { to: NONE, past: NONE, ends: false, probes: [Probe::passing(0); 2] };
}

/// Values of one type, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// Where the block of one value starts; none if the columns are all there is to check.
    pub(super) entry: u32,
    pub(super) columns: Columns,
    pub(super) size: u64,
    pub(super) align: u64,
}

/// As many values as an array has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Array {
    pub(super) run: u32,
    pub(super) count: u64,
}

/// What a shared pointer leads to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) kind: Pointee,
    /// Null is nothing to check: a weak pointer.
    pub(super) weak: bool,
    /// Pointers to one place have to be of one identity.
    pub(super) identity: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Pointee {
    One { run: u32 },
    Slice { run: u32 },
    Str,
    CStr,
}

/// The entries of a hash map or an index map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) ty: u32,
    pub(super) run: u32,
}

/// What entries of a B-tree's node have to check but columns.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entries {
    None,
    /// Only keys or only values, which are a run at an offset from the node's start.
    Run {
        run: u32,
        at: u64,
    },
    /// Keys and values by turns.
    Pairs {
        pc: u32,
    },
}

/// The nodes of a B-tree map.
#[derive(Clone, Copy, Debug)]
pub(super) struct BTree {
    pub(super) ty: u32,
    /// The node's block.
    pub(super) node: u32,
    pub(super) entries: Entries,
    pub(super) keys: Columns,
    pub(super) values: Columns,
    pub(super) layout: NodeLayout,
    pub(super) key_size: u64,
    pub(super) value_size: u64,
    pub(super) capacity: u64,
    pub(super) leaf_size: u64,
    pub(super) inner_size: u64,
}

/// A compiled layout. The block of the root is that of run 0.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) code: Vec<Step>,
    /// By type; behind them, those of maps' entries, and of keys or values in B-trees' nodes, which are claimed as a whole.
    pub(super) runs: Vec<Run>,
    pub(super) arrays: Vec<Array>,
    pub(super) columns: Vec<Column>,
    /// For each tag up to the largest, where to go on.
    pub(super) cases: Vec<Vec<Case>>,
    /// Tags that are not numbered through, a bit for each.
    pub(super) tags: Vec<[u64; 4]>,
    pub(super) shares: Vec<Share>,
    pub(super) tables: Vec<Table>,
    pub(super) trees: Vec<BTree>,
    /// The way from the start of the value to each operation that was wanted.
    pub(super) paths: BTreeMap<u32, String>,
    /// The same of the column that was wanted.
    pub(super) column_path: String,
}

/// Where the way from the start of the value is asked for. All ways together may be long: a name is as long as its
/// schema has it, and is on many of them.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) operations: BTreeSet<u32>,
    /// A column, by its number among those that are no operation's.
    pub(super) column: Option<u32>,
}

impl Program {
    /// The way to an operation that was wanted.
    pub(super) fn path(&self, operation: u32) -> &str {
        self.paths.get(&operation).map_or("", |path| path)
    }

    /// Whether objects can have maps.
    pub(super) fn has_maps(&self) -> bool {
        !(self.tables.is_empty() && self.trees.is_empty())
    }

    /// Whether parts of an object can be checked apart from each other.
    pub(super) fn can_split(&self) -> bool {
        !self.code.iter().any(|step| matches!(step.op, Op::Share { .. } | Op::Invariant { .. }))
    }
}
