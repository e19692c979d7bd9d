//! Claims of hash tables and of B-tree nodes.

use super::state::{Entered, Machine, State, Wrong, claim};
use crate::objects::damage::Damage;
use crate::objects::validate::program::{BTree, Entries, NONE, Program, Run};
use crate::objects::validate::words::Words;

/// Control bytes that are looked at together: rkyv's group.
const GROUP: u64 = 16;
/// The control byte of an unused place.
const EMPTY: u8 = 0xff;

/// A claimed hash table with entries.
pub(super) struct Claimed {
    pub(super) control: u64,
    pub(super) capacity: u64,
    pub(super) count: u64,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl<W: Words, const SPLIT: bool> Machine<'_, W, SPLIT> {
    /// Whether a place of a claimed table is used.
    pub(super) fn is_used(&self, control: u64, place: u64) -> bool {
        // SAFETY: our callers' tables are claimed, and have a control byte for each place.
        unsafe { self.bytes.byte(control + place) < 0x80 }
    }

    /// Claims the hash table at `place` and checks its control bytes. None if there is no table.
    ///
    /// rkyv looks at fewer of them. A lookup looks at all: it takes a place for used if a repetition says so, and ends
    /// at an unused one.
    pub(super) fn table(
        &self,
        place: u64,
        size: u64,
        align: u64,
        low: u64,
        high: u64,
    ) -> Result<Option<Claimed>, Wrong> {
        // SAFETY: the caller's operation is at `place`, inside its value: a hash map has three words.
        let count = unsafe { self.bytes.word::<W>(place + W::WIDTH) };
        // SAFETY: as above.
        let capacity = unsafe { self.bytes.word::<W>(place + 2 * W::WIDTH) };
        if (count, capacity) == (0, 0) {
            return Ok(None);
        }
        if count >= capacity {
            return Wrong::at(place, Damage::Capacity { count, capacity });
        }
        // SAFETY: as above.
        let control = place.wrapping_add(unsafe { self.bytes.distance::<W>(place) });
        let before = capacity.saturating_mul(size);
        let controls =
            capacity.checked_next_multiple_of(GROUP).and_then(|places| places.checked_add(GROUP - 1));
        let controls = controls.unwrap_or(u64::MAX);
        let start = control.wrapping_sub(before);
        claim(place, start, before.saturating_add(controls), align, low, high)?;

        // SAFETY: just claimed: `controls` bytes behind the places.
        let bytes = unsafe { self.bytes.slice(control, controls) };
        let (places, repeated) = bytes.split_at(capacity as usize);
        let repetitions = places.len().min(repeated.len());
        let (mut found, mut odd) = (0, 0);
        for byte in places {
            found += u64::from(*byte < 0x80);
            odd |= u8::from(*byte >= 0x80) & u8::from(*byte != EMPTY);
        }
        let unused = &repeated[repetitions..];
        if odd != 0
            || places[..repetitions] != repeated[..repetitions]
            || unused.iter().any(|byte| *byte != EMPTY)
        {
            let wrong = |i: &usize| match i.checked_sub(places.len()) {
                None => bytes[*i] >= 0x80 && bytes[*i] != EMPTY,
                Some(of) if of < repetitions => bytes[*i] != places[of],
                Some(_) => bytes[*i] != EMPTY,
            };
            let index = (0..bytes.len()).find(wrong).unwrap_or(0);
            let (index, got) = (index as u64, bytes[index]);
            return Wrong::at(control + index, Damage::Control { index, got });
        }
        if found != count {
            return Wrong::at(place, Damage::Count { count, found });
        }
        Ok(Some(Claimed { control, capacity, count, start, end: control + controls }))
    }

    /// Checks the table of an index map: its places lead to entries. Where unclaimed bytes start behind it.
    pub(super) fn indices(&self, place: u64, low: u64, high: u64) -> Result<u64, Wrong> {
        let align = if self.graph.payload.unaligned { 1 } else { W::WIDTH };
        let claimed = self.table(place, W::WIDTH, align, low, high)?;
        let Some(Claimed { control, capacity, count, end, .. }) = claimed else { return Ok(low) };
        for i in (0..capacity).filter(|i| self.is_used(control, *i)) {
            let at = control - (i + 1) * W::WIDTH;
            // SAFETY: the table is claimed, with a word for each place.
            let index = unsafe { self.bytes.word::<W>(at) };
            if index >= count {
                return Wrong::at(at, Damage::Index { index, count });
            }
        }
        Ok(end)
    }

    /// Claims the B-tree node that the pointer at `place` leads to, counts its entries and checks their columns.
    pub(super) fn node(&mut self, place: u64, tree: &BTree, low: u64, high: u64) -> Result<Node, Wrong> {
        // SAFETY: the caller's pointer is at `place`, in a value or node that was claimed.
        let at = place.wrapping_add(unsafe { self.bytes.distance::<W>(place) });
        claim(place, at, tree.leaf_size.min(tree.inner_size), tree.layout.align, low, high)?;
        // SAFETY: the smaller kind of node was just claimed, and has its kind in its first byte.
        let inner = match unsafe { self.bytes.byte(at) } {
            0 => false,
            1 => true,
            got => return Wrong::at(at, Damage::NodeKind { got }),
        };
        let size = if inner { tree.inner_size } else { tree.leaf_size };
        claim(place, at, size, tree.layout.align, low, high)?;
        let mut entries = tree.capacity;
        if !inner {
            // SAFETY: a leaf was just claimed, and has its count there.
            entries = unsafe { self.bytes.word::<W>(at + tree.layout.links) };
            if entries == 0 || entries > tree.capacity {
                let cause = Damage::LeafCount { count: entries, capacity: tree.capacity };
                return Wrong::at(at, cause);
            }
        }
        if let Some(Entered { count, found, .. }) = self.trees.last_mut() {
            *found += entries;
            if *found > *count {
                return Wrong::at(at, Damage::Count { count: *count, found: *found });
            }
        }
        let same = |size: u64| if size == 0 { entries.min(1) } else { entries };
        if tree.keys.0 != tree.keys.1 {
            self.columns(tree.keys, at + tree.layout.keys, tree.key_size, same(tree.key_size))?;
        }
        if tree.values.0 != tree.values.1 {
            self.columns(tree.values, at + tree.layout.values, tree.value_size, same(tree.value_size))?;
        }
        Ok(Node { at, end: at + size, inner, entries })
    }
}

/// A claimed node of a B-tree.
pub(super) struct Node {
    pub(super) at: u64,
    pub(super) end: u64,
    inner: bool,
    entries: u64,
}

impl Node {
    /// Where its block starts: at the first link, or the first entry. None if its columns were all there is.
    pub(super) fn start(&self, program: &Program, tree: &BTree, low: u64) -> Option<State> {
        let &Node { at, inner, entries, .. } = self;
        if inner {
            return Some(State { pc: tree.node, run: NONE, at, left: 0, aux: at, low, high: at });
        }
        tree.first_entry(program, at, entries).map(|state| State { low, high: at, ..state })
    }
}

impl BTree {
    /// Where the block of a node's entries starts; the window is to be filled in.
    pub(super) fn first_entry(&self, program: &Program, node: u64, count: u64) -> Option<State> {
        let state = State { pc: NONE, run: NONE, at: node, left: count, aux: node, low: 0, high: 0 };
        match self.entries {
            Entries::None => None,
            Entries::Run { run, at } => {
                let Run { entry, size, .. } = program.runs[run as usize];
                // Values without bytes are all the same.
                let left = if size == 0 { count.min(1) } else { count };
                Some(State { pc: entry, run, at: node + at, left, ..state })
            }
            Entries::Pairs { pc } => {
                Some(State { pc, at: node + self.layout.keys, left: count << 32, ..state })
            }
        }
    }
}
