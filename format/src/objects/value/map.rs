//! The three maps: visiting their entries, and finding a key.
//!
//! Nothing is collected and nothing recurses. A map's count is compared with the bytes there are before any entry is
//! visited, and every node of a B-tree that is visited gives an entry: so visiting ends, whatever the bytes.
//!
//! Source: SPEC 6.3, Hash map, Index map, B-tree map.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::error::{Question, Result};
use super::key::{Key, KeyKind};
use super::step::{MAX_NESTING, Value};
use crate::objects::damage::Damage;
use crate::types::layout::Shape;
use crate::types::sound::{EntryLayout, NodeLayout, align_up};

/// Control bytes that are looked at together.
pub(super) const GROUP: u64 = 16;
/// A control byte of an unused entry.
pub(super) const EMPTY: u8 = 0xff;

/// A Swiss table that has entries: all its control bytes and places are in the object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// The first control byte.
    pub(super) control: u64,
    pub(super) capacity: u64,
    /// Bytes of a place.
    entry: u64,
}

impl Table {
    /// Where place `i` starts. The subtraction stays in the object.
    pub(super) fn place(&self, i: u64) -> u64 {
        self.control - (i + 1) * self.entry
    }
}

/// Where entries are.
#[derive(Clone, Debug)]
enum Cursor {
    /// Over the control bytes of a table of entries.
    Table { table: Table, layout: EntryLayout, next: u64 },
    /// Over entries back to back.
    Row { start: u64, layout: EntryLayout, next: u64 },
    /// Down a B-tree: the nodes that are open.
    Tree { layout: NodeLayout, capacity: u32, started: bool, open: Vec<Node> },
    /// Nothing more.
    Done,
}

/// A node of a B-tree, all of it in the object.
#[derive(Clone, Copy, Debug)]
struct Node {
    at: u64,
    inner: bool,
    entries: u64,
    /// Of an inner node: link 0, entry 0, link 1, …; of a leaf: the entries.
    next: u64,
}

/// The entries of a map or a set: see [`Value::entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    map: Value<'a>,
    key: u32,
    value: u32,
    /// Entries still to come, if the map tells the truth.
    left: u64,
    count: u64,
    cursor: Cursor,
}

impl<'a> Value<'a> {
    /// The keys and values of a map; the keys of a set, each with a unit. In the map's own order: of a B-tree sorted, of
    /// an index map as inserted, of a hash map none. To start O(1); each O(1) amortised, in a hash map over its capacity.
    ///
    /// # Errors
    /// [`Question::Kind`] of other values; [`Damage::Count`], [`Damage::Capacity`],
    /// [`Damage::Outside`]. Later ones come from the iterator, which then ends:
    /// [`Damage::Count`], [`Damage::NodeKind`], [`Damage::LeafCount`], [`Question::EmptyElements`].
    ///
    /// # Examples
    /// ```
    /// use graven_format::{Schema, Value};
    /// use rkyv::{collections::btree_map::ArchivedBTreeMap, primitive::ArchivedU32};
    /// let ports = std::collections::BTreeMap::from([(80, true), (443, false)]);
    /// let bytes = rkyv::to_bytes::<rkyv::rancor::BoxedError>(&ports)?;
    /// let schema = Schema::of::<ArchivedBTreeMap<ArchivedU32, bool>>();
    /// let value = Value::root(&bytes, &schema, bytes.len() as u64 - schema.root().size)?;
    ///
    /// assert!(!value.get(443)?.unwrap().as_bool()?);
    /// assert!(value.get(8080)?.is_none());
    /// let keys: Result<Vec<u64>, _> = value.entries()?.map(|entry| entry?.0.as_u64()).collect();
    /// assert_eq!(keys?, [80, 443]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    /// Source: SPEC 6.3.
    pub fn entries(&self) -> Result<Entries<'a>> {
        let map = self.resolve()?;
        let (key, value, cursor, count) = match map.ty().shape {
            Shape::HashMap { key, value } => {
                let layout = map.entry_layout(key, value)?;
                let (count, table) = map.table(layout.size, layout.align)?;
                let cursor = table.map(|table| Cursor::Table { table, layout, next: 0 });
                (key, value, cursor, count)
            }
            Shape::IndexMap { key, value } => {
                let layout = map.entry_layout(key, value)?;
                let (count, table) = map.index_table()?;
                let row = |_| Ok(Cursor::Row { start: map.row(layout, count)?, layout, next: 0 });
                (key, value, table.map(row).transpose()?, count)
            }
            Shape::BTreeMap { key, value, capacity } => {
                let layout = map.node_layout(key, value, capacity)?;
                let (count, open) = (map.tree_count(key, value)?, Vec::new());
                let cursor = (count > 0).then_some(Cursor::Tree { layout, capacity, started: false, open });
                (key, value, cursor, count)
            }
            _ => return Err(map.not("entries")),
        };
        Ok(Entries { map, key, value, left: count, count, cursor: cursor.unwrap_or(Cursor::Done) })
    }

    /// What a map has for a key; a unit if a set has it. Of hash and index maps O(1) expected and O(capacity) at most;
    /// of B-trees O(levels), each with the entries of a node; times the length of the key that is looked for.
    ///
    /// Keys are strings, integers, bools and chars, also behind boxes and shared pointers. A map whose keys are out of
    /// place finds less than it has. Whether keys that differ are UTF-8 is not asked.
    ///
    /// # Errors
    /// [`Question::Kind`] of other values, [`Question::KeyType`] if the map's keys are of another kind; whatever is
    /// wrong with the map or the keys that are compared.
    ///
    /// # Examples
    /// See [`entries`](Value::entries).
    ///
    /// Source: SPEC 6.3.
    pub fn get<'k>(&self, key: impl Into<Key<'k>>) -> Result<Option<Value<'a>>> {
        let (map, key) = (self.resolve()?, key.into());
        let (Shape::HashMap { key: key_type, value }
        | Shape::IndexMap { key: key_type, value }
        | Shape::BTreeMap { key: key_type, value, .. }) = map.ty().shape
        else {
            return Err(map.not("a key"));
        };
        let kind = map.key_kind(key_type).ok_or_else(|| map.error(Question::KeyType))?;
        if !key.fits(kind).ok_or_else(|| map.error(Question::KeyType))? {
            return Ok(None);
        }
        match map.ty().shape {
            Shape::HashMap { .. } => {
                let layout = map.entry_layout(key_type, value)?;
                let (_, table) = map.table(layout.size, layout.align)?;
                let Some(table) = table else { return Ok(None) };
                map.probe(table, key.hash(kind), |place| {
                    match key.compare(map.place(key_type, place, 0)?)? {
                        Ordering::Equal => map.place(value, place + layout.value, 0).map(Some),
                        _ => Ok(None),
                    }
                })
            }
            Shape::IndexMap { .. } => {
                let layout = map.entry_layout(key_type, value)?;
                let (count, table) = map.index_table()?;
                let Some(table) = table else { return Ok(None) };
                let start = map.row(layout, count)?;
                map.probe(table, key.hash(kind), |place| {
                    let index = map.word(place)?;
                    if index >= count {
                        return Err(map.error(Damage::Index { index, count }));
                    }
                    let entry = start + index * layout.size;
                    match key.compare(map.place(key_type, entry, 0)?)? {
                        Ordering::Equal => map.place(value, entry + layout.value, 0).map(Some),
                        _ => Ok(None),
                    }
                })
            }
            Shape::BTreeMap { capacity, .. } => map.search(key, key_type, value, capacity),
            _ => Ok(None),
        }
    }

    /// How keys of a type are looked up, if they are.
    pub(super) fn key_kind(&self, key: u32) -> Option<KeyKind> {
        KeyKind::of(self.schema.types(), key)
    }

    pub(super) fn entry_layout(&self, key: u32, value: u32) -> Result<EntryLayout> {
        EntryLayout::new(self.type_of(key), self.type_of(value)).ok_or_else(|| self.too_large())
    }

    fn node_layout(&self, key: u32, value: u32, capacity: u32) -> Result<NodeLayout> {
        NodeLayout::new(self.schema.payload(), self.type_of(key), self.type_of(value), capacity)
            .ok_or_else(|| self.too_large())
    }

    /// The count of a Swiss table at this value, and the table if it has entries.
    pub(super) fn table(&self, entry: u64, align: u64) -> Result<(u64, Option<Table>)> {
        let width = self.width();
        let (count, capacity) = (self.word(self.at + width)?, self.word(self.at + 2 * width)?);
        if count == 0 {
            return Ok((0, None));
        }
        if count >= capacity {
            return Err(self.error(Damage::Capacity { count, capacity }));
        }
        let sizes = || {
            let before = capacity.checked_mul(entry)?;
            let control = align_up(capacity, GROUP)?.checked_add(GROUP - 1)?;
            Some((before, before.checked_add(control)?))
        };
        let (before, size) = sizes().ok_or_else(|| self.too_large())?;
        let control = self.follow(self.at, before, size, align)?;
        Ok((count, Some(Table { control, capacity, entry })))
    }

    /// The table of an index map: its places are indices.
    pub(super) fn index_table(&self) -> Result<(u64, Option<Table>)> {
        self.table(self.width(), self.schema.payload().word_align())
    }

    /// Where the entries of an index map start, all of them in the object.
    pub(super) fn row(&self, layout: EntryLayout, count: u64) -> Result<u64> {
        let size = layout.size.checked_mul(count).ok_or_else(|| self.too_large())?;
        self.follow(self.at + 3 * self.width(), 0, size, layout.align)
    }

    /// Looks for a hash in a table; `found` says whether a place has the key.
    fn probe(
        &self,
        table: Table,
        hash: u64,
        mut found: impl FnMut(u64) -> Result<Option<Value<'a>>>,
    ) -> Result<Option<Value<'a>>> {
        // Neither overflows: there are as many control bytes.
        let places = table.capacity.next_multiple_of(GROUP);
        let modulus = (places + GROUP - 1).next_power_of_two();
        let (mut position, mut stride) = (hash % table.capacity, 0);
        // Triangular steps of 16 meet each multiple of 16 once before they repeat.
        for _ in 0..modulus / GROUP {
            if position < places {
                let group = self.bytes(table.control + position, GROUP)?;
                for (j, byte) in (0..).zip(group) {
                    if u64::from(*byte) == hash >> 57
                        && let Some(value) = found(table.place((position + j) % table.capacity))?
                    {
                        return Ok(Some(value));
                    }
                }
                if group.contains(&EMPTY) {
                    return Ok(None);
                }
            }
            stride += GROUP;
            position = (position + stride) % modulus;
        }
        Ok(None)
    }

    /// The count of a B-tree, if there are bytes for as many entries.
    fn tree_count(&self, key: u32, value: u32) -> Result<u64> {
        let count = self.word(self.at + self.width())?;
        let size = self.type_of(key).size.saturating_add(self.type_of(value).size);
        match (self.object.len() as u64).checked_div(size) {
            None if count > Value::MAX_EMPTY => {
                Err(self.error(Question::EmptyElements { len: count, limit: Value::MAX_EMPTY }))
            }
            Some(most) if count > most => Err(self.error(Damage::Count { count, found: most })),
            _ => Ok(count),
        }
    }

    /// The node that the pointer at `pointer` leads to, if it is not null.
    fn node(&self, pointer: u64, layout: NodeLayout, capacity: u32) -> Result<Option<Node>> {
        if self.distance(pointer)? == 1 {
            return Ok(None);
        }
        let (at, width) = (self.follow(pointer, 0, 1, layout.align)?, self.width());
        let here = Value { at, ..*self };
        let got = self.number(at, 1, false)? as u8;
        let inner = match got {
            0 => false,
            1 => true,
            _ => return Err(here.error(Damage::NodeKind { got })),
        };
        let capacity = u64::from(capacity);
        let size = layout.links + width * if inner { capacity + 1 } else { 1 };
        self.follow(pointer, 0, size, layout.align)?;
        let entries = if inner { capacity } else { self.word(at + layout.links)? };
        if entries == 0 || entries > capacity {
            return Err(here.error(Damage::LeafCount { count: entries, capacity }));
        }
        Ok(Some(Node { at, inner, entries, next: 0 }))
    }

    /// The root of a B-tree that has entries.
    fn tree(&self, layout: NodeLayout, capacity: u32) -> Result<Node> {
        // The root is never null: then it would be the byte behind the pointer's first.
        let null = Damage::Outside { target: self.at + 1, size: 1, from: 0, until: self.at };
        self.node(self.at, layout, capacity)?.ok_or_else(|| self.error(null))
    }

    fn search(&self, key: Key<'_>, key_type: u32, value: u32, capacity: u32) -> Result<Option<Value<'a>>> {
        let layout = self.node_layout(key_type, value, capacity)?;
        if self.tree_count(key_type, value)? == 0 {
            return Ok(None);
        }
        let (key_size, value_size) = (self.type_of(key_type).size, self.type_of(value).size);
        let mut node = self.tree(layout, capacity)?;
        for _ in 0..MAX_NESTING {
            let mut link = node.entries;
            for i in 0..node.entries {
                match key.compare(self.place(key_type, node.at + layout.keys + i * key_size, 0)?)? {
                    Ordering::Equal => {
                        return self.place(value, node.at + layout.values + i * value_size, 0).map(Some);
                    }
                    Ordering::Greater => {}
                    Ordering::Less => {
                        link = i;
                        break;
                    }
                }
            }
            if !node.inner {
                return Ok(None);
            }
            match self.node(node.at + layout.links + link * self.width(), layout, capacity)? {
                Some(below) => node = below,
                None => return Ok(None),
            }
        }
        Err(self.error(Question::TooDeep { limit: MAX_NESTING }))
    }
}

impl<'a> Entries<'a> {
    /// How many entries are still to come, if the map tells the truth.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The places of the next entry's key and value.
    fn advance(&mut self) -> Result<Option<(u64, u64)>> {
        let map = &self.map;
        match &mut self.cursor {
            Cursor::Done => Ok(None),
            Cursor::Row { start, layout, next } => {
                if *next >= self.count {
                    return Ok(None);
                }
                if layout.size == 0 && *next >= Value::MAX_EMPTY {
                    let limit = Value::MAX_EMPTY;
                    return Err(map.error(Question::EmptyElements { len: self.count, limit }));
                }
                let entry = *start + *next * layout.size;
                *next += 1;
                Ok(Some((entry, entry + layout.value)))
            }
            Cursor::Table { table, layout, next } => {
                let rest = map.bytes(table.control + *next, table.capacity - *next)?;
                let Some(skipped) = rest.iter().position(|byte| *byte < 0x80) else { return Ok(None) };
                let place = table.place(*next + skipped as u64);
                *next += skipped as u64 + 1;
                Ok(Some((place, place + layout.value)))
            }
            Cursor::Tree { layout, capacity, started, open } => {
                let (layout, capacity) = (*layout, *capacity);
                if !core::mem::replace(started, true) {
                    open.push(map.tree(layout, capacity)?);
                }
                while let Some(node) = open.last_mut() {
                    let step = node.next;
                    let last = if node.inner { 2 * node.entries } else { node.entries - 1 };
                    if step > last {
                        open.pop();
                        continue;
                    }
                    node.next += 1;
                    if node.inner && step.is_multiple_of(2) {
                        let pointer = node.at + layout.links + step / 2 * map.width();
                        if let Some(below) = map.node(pointer, layout, capacity)? {
                            if open.len() >= MAX_NESTING as usize {
                                return Err(map.error(Question::TooDeep { limit: MAX_NESTING }));
                            }
                            open.push(below);
                        }
                        continue;
                    }
                    let i = if node.inner { step / 2 } else { step };
                    let (key, value) = (map.type_of(self.key).size, map.type_of(self.value).size);
                    return Ok(Some((node.at + layout.keys + i * key, node.at + layout.values + i * value)));
                }
                Ok(None)
            }
        }
    }

    fn entry(&mut self) -> Result<Option<(Value<'a>, Value<'a>)>> {
        let (next, found) = (self.advance()?, self.count - self.left);
        match (next, self.left.checked_sub(1)) {
            (None, None) => Ok(None),
            (Some((key, value)), Some(left)) => {
                self.left = left;
                Ok(Some((self.map.place(self.key, key, 0)?, self.map.place(self.value, value, 0)?)))
            }
            (more, _) => {
                let found = found + u64::from(more.is_some());
                Err(self.map.error(Damage::Count { count: self.count, found }))
            }
        }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(Value<'a>, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.entry().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.cursor = Cursor::Done;
            self.left = 0;
        }
        next
    }
}
