//! What many records share, stored once: sets, texts, attributes.

use std::collections::BTreeMap;

use crate::model::attributes::{Cache, Group, Numa, PageType};
use crate::model::records::{Extra, Info, NONE, OsIndexEntry, SetEntry, SetRun, Span};
use crate::model::set::{Bits, Set};
use crate::model::tables::{AttributeTables, OsIndexTable, SetTable};

use super::node::{Attributes, Node};

/// Gives out indexes: the same value gets the same one, and they count up in the order of first use.
pub(super) struct Interner<T> {
    ids: BTreeMap<T, u32>,
}

impl<T: Clone + Ord> Interner<T> {
    pub(super) fn new() -> Self {
        Self { ids: BTreeMap::new() }
    }

    /// The index of `value`; `push` stores one that is new and returns its index.
    pub(super) fn intern(&mut self, value: &T, push: impl FnOnce(&T) -> u32) -> u32 {
        match self.ids.get(value) {
            Some(&id) => id,
            None => {
                let id = push(value);
                self.ids.insert(value.clone(), id);
                id
            }
        }
    }
}

/// The table of sets while it is filled.
pub(super) struct SetInterner {
    pub(super) table: SetTable,
    ids: Interner<Set>,
}

impl SetInterner {
    pub(super) fn new() -> Self {
        Self { table: SetTable::default(), ids: Interner::new() }
    }

    pub(super) fn intern(&mut self, set: &Set) -> u32 {
        self.ids.intern(set, |set| self.table.push(set))
    }
}

impl OsIndexTable {
    /// From (os_index, object), each os_index once. The dense part is at most 8 times as long as the list is,
    /// plus 1,024: what real machines have, and no invitation to number a processor four billion.
    pub(super) fn new(entries: &mut [(u32, u32)]) -> Self {
        entries.sort_unstable();
        let limit = entries.len() as u64 * 8 + 1024;
        let mut table = Self::default();
        for &mut (os_index, object) in entries {
            if u64::from(os_index) < limit {
                table.dense.resize(os_index as usize, NONE);
                table.dense.push(object);
            } else {
                table.sparse.push(OsIndexEntry { os_index, object });
            }
        }
        table
    }
}

impl SetTable {
    fn push(&mut self, set: &Set) -> u32 {
        let mut runs = set.runs();
        let entry = match (runs.next(), runs.next()) {
            (None, _) => SetEntry::Run { start: 0, end: 0 },
            (Some(run), None) => SetEntry::Run { start: run.start, end: run.end },
            (Some(first), Some(_)) => {
                let len = set.runs().count() as u32;
                let base = first.start / 64;
                let words = set.last().map_or(u32::MAX, |last| last / 64 - base + 1);
                if words < len {
                    let start = self.words.len();
                    self.words.resize(start + words as usize, 0);
                    for index in set.iter() {
                        self.words[start + (index / 64 - base) as usize] |= 1 << (index % 64);
                    }
                    SetEntry::Words { first: start as u32, len: words, base }
                } else {
                    let first = self.runs.len() as u32;
                    self.runs.extend(set.runs().map(|run| SetRun { start: run.start, end: run.end }));
                    SetEntry::Runs { first, len }
                }
            }
        };
        self.entries.push(entry);
        self.entries.len() as u32 - 1
    }
}

/// Strings, infos and extras while they are filled.
pub(super) struct Texts {
    pub(super) strings: Vec<String>,
    ids: Interner<String>,
    pub(super) infos: Vec<Info>,
    pub(super) extras: Vec<Extra>,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { strings: Vec::new(), ids: Interner::new(), infos: Vec::new(), extras: Vec::new() }
    }

    pub(super) fn string(&mut self, text: &String) -> u32 {
        self.ids.intern(text, |text| {
            self.strings.push(text.clone());
            self.strings.len() as u32 - 1
        })
    }

    pub(super) fn infos(&mut self, infos: &[(String, String)]) -> Span {
        let first = self.infos.len() as u32;
        for (name, value) in infos {
            let info = Info { name: self.string(name), value: self.string(value) };
            self.infos.push(info);
        }
        Span { first, len: infos.len() as u32 }
    }

    pub(super) fn extra(&mut self, node: &Node) -> u32 {
        if node.name.is_none() && node.subtype.is_none() && node.infos.is_empty() {
            return NONE;
        }
        let name = node.name.as_ref().map_or(NONE, |name| self.string(name));
        let subtype = node.subtype.as_ref().map_or(NONE, |subtype| self.string(subtype));
        let infos = self.infos(&node.infos);
        self.extras.push(Extra { name, subtype, infos });
        self.extras.len() as u32 - 1
    }
}

/// Attribute tables while they are filled. What many objects share is stored once.
pub(super) struct Attribution {
    pub(super) tables: AttributeTables,
    caches: Interner<Cache>,
    numa: Interner<(u64, Vec<PageType>)>,
    groups: Interner<Group>,
}

impl Attribution {
    pub(super) fn new() -> Self {
        Self {
            tables: AttributeTables::default(),
            caches: Interner::new(),
            numa: Interner::new(),
            groups: Interner::new(),
        }
    }

    pub(super) fn add(&mut self, attributes: &Attributes, group_depth: u32) -> u32 {
        fn push<T: Clone>(table: &mut Vec<T>, value: &T) -> u32 {
            table.push(value.clone());
            table.len() as u32 - 1
        }
        let tables = &mut self.tables;
        match attributes {
            Attributes::None => NONE,
            Attributes::Cache(cache) => self.caches.intern(cache, |cache| push(&mut tables.caches, cache)),
            Attributes::Numa { local_memory, page_types } => {
                self.numa.intern(&(*local_memory, page_types.clone()), |(local_memory, page_types)| {
                    let first = tables.page_types.len() as u32;
                    tables.page_types.extend_from_slice(page_types);
                    let page_types = Span { first, len: page_types.len() as u32 };
                    push(&mut tables.numa, &Numa { local_memory: *local_memory, page_types })
                })
            }
            Attributes::Group(group) => {
                let group = Group { depth: group_depth, ..*group };
                self.groups.intern(&group, |group| push(&mut tables.groups, group))
            }
            Attributes::Pci(pci) => push(&mut tables.pci, pci),
            Attributes::Bridge(bridge) => push(&mut tables.bridges, bridge),
            Attributes::OsDevice(device) => push(&mut tables.os_devices, device),
        }
    }
}
