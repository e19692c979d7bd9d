//! Handles on objects: who they are, their relatives, sets and attributes.

use core::fmt;
use core::ops::Range;

use super::attributes::{Bridge, Cache, Group, OsDevice, PageType, Pci};
use super::records::{Extra, NONE, Object, Span};
use super::set_ref::SetRef;
use super::tables::{Tables, infos, record};
use super::types::{ChildKind, Type};

/// A handle on one object of a topology: two words, to be copied.
///
/// Handles are equal if they are the same object of the same topology.
pub struct ObjectRef<'a, T> {
    topology: &'a T,
    index: u32,
}

impl<'a, T> ObjectRef<'a, T> {
    #[inline]
    pub(crate) fn new(topology: &'a T, index: u32) -> Self {
        Self { topology, index }
    }
}

impl<T> Clone for ObjectRef<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ObjectRef<'_, T> {}

impl<T> PartialEq for ObjectRef<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.topology, other.topology) && self.index == other.index
    }
}

impl<T> Eq for ObjectRef<'_, T> {}

impl<T: Tables> fmt::Debug for ObjectRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} L#{} (object {})", self.ty(), self.logical_index(), self.index)
    }
}

impl<'a, T: Tables> ObjectRef<'a, T> {
    /// The object at `index`, if there is one.
    #[inline]
    pub(crate) fn get(topology: &'a T, index: u32) -> Option<Self> {
        (index < topology.record_count()).then_some(Self { topology, index })
    }

    /// All objects of a topology.
    pub(crate) fn all(topology: &'a T) -> impl DoubleEndedIterator<Item = Self> + use<'a, T> {
        (0..topology.record_count()).map(move |index| Self { topology, index })
    }

    /// The processing unit or NUMA node that has this os_index.
    pub(crate) fn by_os_index(topology: &'a T, table: Type, os_index: u32) -> Option<Self> {
        let index = match topology.dense(table, os_index) {
            Some(index) => index,
            None => {
                let (mut low, mut high) = (0, topology.sparse_count(table));
                loop {
                    if low >= high {
                        return None;
                    }
                    let middle = low + (high - low) / 2;
                    let entry = topology.sparse(table, middle)?;
                    match entry.os_index.cmp(&os_index) {
                        core::cmp::Ordering::Less => low = middle + 1,
                        core::cmp::Ordering::Equal => break entry.object,
                        core::cmp::Ordering::Greater => high = middle,
                    }
                }
            }
        };
        Self::get(topology, index)
    }
}

/// Which object it is, and what is said of it. All O(1) unless stated.
impl<'a, T: Tables> ObjectRef<'a, T> {
    #[inline]
    fn record(&self) -> Object {
        record(self.topology, self.index)
    }

    #[inline]
    fn at(&self, index: u32) -> Self {
        Self { topology: self.topology, index }
    }

    fn extra(&self) -> Option<Extra> {
        self.topology.extra(self.record().extra)
    }

    /// The topology it belongs to.
    pub fn topology(&self) -> &'a T {
        self.topology
    }

    /// Its index in the archive's order.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its type.
    #[inline]
    pub fn ty(&self) -> Type {
        self.record().ty
    }

    /// Its depth: 0 for the root, negative for memory, I/O and misc objects.
    #[inline]
    pub fn depth(&self) -> i32 {
        self.record().depth
    }

    /// The operating system's number of it; not unique except for processing units and NUMA nodes.
    #[inline]
    pub fn os_index(&self) -> Option<u32> {
        Some(self.record().os_index).filter(|&index| index != NONE)
    }

    /// A number that is unique in the topology and stays the object's when the topology is changed.
    #[inline]
    pub fn gp_index(&self) -> u64 {
        self.record().gp_index
    }

    /// Its position in its level, from the left.
    #[inline]
    pub fn logical_index(&self) -> u32 {
        self.record().logical_index
    }

    /// Bytes of memory in NUMA nodes at or below it.
    #[inline]
    pub fn total_memory(&self) -> u64 {
        self.record().total_memory
    }

    /// Whether its normal children are equal below, level by level. False for special objects.
    #[inline]
    pub fn symmetric_subtree(&self) -> bool {
        self.record().symmetric_subtree
    }

    /// Its name, as OS devices have one.
    pub fn name(&self) -> Option<&'a str> {
        self.topology.string(self.extra()?.name)
    }

    /// Its subtype, a word that says more than the type.
    pub fn subtype(&self) -> Option<&'a str> {
        self.topology.string(self.extra()?.subtype)
    }

    /// Its infos, names with values, in the order they were given.
    pub fn infos(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a, T> {
        infos(self.topology, self.extra().map_or(Span::default(), |extra| extra.infos))
    }

    /// The value of its first info with this name. O(infos).
    pub fn info(&self, name: &str) -> Option<&'a str> {
        self.infos().find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// Its relatives.
impl<'a, T: Tables> ObjectRef<'a, T> {
    /// Its parent; `None` for the root. O(1).
    #[inline]
    pub fn parent(&self) -> Option<Self> {
        let parent = self.record().parent;
        (parent < self.index).then_some(self.at(parent))
    }

    /// Its parent, that one's parent, and so on to the root.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<'a, T> {
        core::iter::successors(self.parent(), Self::parent)
    }

    /// The nearest ancestor of type `ty`.
    pub fn ancestor(&self, ty: Type) -> Option<Self> {
        self.ancestors().find(|object| object.ty() == ty)
    }

    /// The lowest object at or above both; `None` only if they are of different topologies. O(distance).
    pub fn common_ancestor(&self, other: &Self) -> Option<Self> {
        if !core::ptr::eq(self.topology, other.topology) {
            return None;
        }
        let (mut a, mut b) = (*self, *other);
        // A parent's index is the smaller one: the larger of two cannot be at or above the other.
        while a.index != b.index {
            if a.index > b.index {
                a = a.parent()?;
            } else {
                b = b.parent()?;
            }
        }
        Some(a)
    }

    /// Whether it is `top` or below it. O(distance).
    pub fn is_below(&self, top: &Self) -> bool {
        self == top
            || self.ancestors().take_while(|object| object.index >= top.index).any(|object| object == *top)
    }

    #[inline]
    fn run(&self, kind: ChildKind) -> Range<u32> {
        let record = self.record();
        let mut first = record.first_child;
        let arity = record.arity.all();
        for skipped in &arity[..kind as usize] {
            first = first.saturating_add(*skipped);
        }
        let run = Span { first, len: arity[kind as usize] }.within(self.topology.record_count());
        // Children stand behind their parent: anything else is not a tree.
        if run.start > self.index { run } else { 0..0 }
    }

    #[inline]
    fn all_children(&self) -> Range<u32> {
        let record = self.record();
        let len = record.arity.all().into_iter().fold(0, u32::saturating_add);
        let run = Span { first: record.first_child, len }.within(self.topology.record_count());
        if run.start > self.index { run } else { 0..0 }
    }

    #[inline]
    fn own_child(&self, index: u32) -> Option<Self> {
        let child = Self::get(self.topology, index)?;
        (child.record().parent == self.index).then_some(child)
    }

    /// Its children in one of the four lists, in order. O(1) each; skipping ahead costs nothing.
    #[inline]
    pub fn children(&self, kind: ChildKind) -> impl DoubleEndedIterator<Item = Self> + Clone + use<'a, T> {
        Children { parent: *self, run: self.run(kind) }
    }

    /// Number of children in one of the four lists (hwloc: arity, memory_arity, io_arity, misc_arity). O(1).
    pub fn arity(&self, kind: ChildKind) -> u32 {
        let run = self.run(kind);
        run.end - run.start
    }

    /// The child at `rank` of one of the four lists. O(1).
    pub fn child(&self, kind: ChildKind, rank: u32) -> Option<Self> {
        let run = self.run(kind);
        let index = run.start.checked_add(rank).filter(|index| run.contains(index))?;
        self.own_child(index)
    }

    /// Its position among its siblings of the same kind. O(1).
    pub fn sibling_rank(&self) -> u32 {
        let Some(parent) = self.parent() else { return 0 };
        self.index.saturating_sub(parent.run(self.ty().child_kind()).start)
    }

    /// The sibling of the same kind to its right. O(1).
    pub fn next_sibling(&self) -> Option<Self> {
        self.parent()?.child(self.ty().child_kind(), self.sibling_rank().checked_add(1)?)
    }

    /// The sibling of the same kind to its left. O(1).
    pub fn previous_sibling(&self) -> Option<Self> {
        self.parent()?.child(self.ty().child_kind(), self.sibling_rank().checked_sub(1)?)
    }

    /// It and everything below it, in tree order: an object, then its normal, memory, I/O and misc children,
    /// each with what is below them. O(1) each and without allocation.
    pub fn descendants(&self) -> impl Iterator<Item = Self> + Clone + use<'a, T> {
        Descendants { top: *self, next: (self.index < self.topology.record_count()).then_some(*self) }
    }
}

/// Its sets; `None` exactly for I/O and misc objects. O(1).
impl<'a, T: Tables> ObjectRef<'a, T> {
    /// Processors that it contains.
    pub fn cpuset(&self) -> Option<SetRef<'a, T>> {
        SetRef::new(self.topology, self.record().cpuset)
    }

    /// The same with those that are offline or unknown otherwise.
    pub fn complete_cpuset(&self) -> Option<SetRef<'a, T>> {
        SetRef::new(self.topology, self.record().complete_cpuset)
    }

    /// NUMA nodes that it contains or is near to.
    pub fn nodeset(&self) -> Option<SetRef<'a, T>> {
        SetRef::new(self.topology, self.record().nodeset)
    }

    /// The same with those that are offline or unknown otherwise.
    pub fn complete_nodeset(&self) -> Option<SetRef<'a, T>> {
        SetRef::new(self.topology, self.record().complete_nodeset)
    }
}

/// Its attributes, by type. O(1).
impl<'a, T: Tables> ObjectRef<'a, T> {
    fn attributes(&self, matches: impl Fn(Type) -> bool) -> Option<u32> {
        let record = self.record();
        (matches(record.ty) && record.attributes != NONE).then_some(record.attributes)
    }

    /// Attributes of a cache of processors or of memory.
    pub fn cache(&self) -> Option<Cache> {
        let index = self.attributes(|ty| ty.is_cache() || ty == Type::MemCache)?;
        self.topology.cache_record(index)
    }

    /// Bytes of memory in a NUMA node.
    pub fn local_memory(&self) -> Option<u64> {
        let index = self.attributes(|ty| ty == Type::NumaNode)?;
        Some(self.topology.numa_record(index)?.local_memory)
    }

    /// The page sizes of a NUMA node; none for other objects.
    pub fn page_types(&self) -> impl Iterator<Item = PageType> + use<'a, T> {
        let topology = self.topology;
        let numa = self.attributes(|ty| ty == Type::NumaNode).and_then(|index| topology.numa_record(index));
        let span = numa.map_or(Span::default(), |numa| numa.page_types);
        span.within(topology.page_type_count()).filter_map(|index| topology.page_type(index))
    }

    /// Attributes of a group.
    pub fn group(&self) -> Option<Group> {
        self.topology.group_record(self.attributes(|ty| ty == Type::Group)?)
    }

    /// Attributes of a PCI device.
    pub fn pci(&self) -> Option<Pci> {
        self.topology.pci_record(self.attributes(|ty| ty == Type::PciDevice)?)
    }

    /// Attributes of a bridge.
    pub fn bridge(&self) -> Option<Bridge> {
        self.topology.bridge_record(self.attributes(|ty| ty == Type::Bridge)?)
    }

    /// Attributes of an OS device.
    pub fn os_device(&self) -> Option<OsDevice> {
        self.topology.os_device_record(self.attributes(|ty| ty == Type::OsDevice)?)
    }
}

/// The children of one kind of one object: see [`ObjectRef::children`].
struct Children<'a, T> {
    parent: ObjectRef<'a, T>,
    run: Range<u32>,
}

impl<T> Clone for Children<'_, T> {
    fn clone(&self) -> Self {
        Self { parent: self.parent, run: self.run.clone() }
    }
}

impl<'a, T: Tables> Iterator for Children<'a, T> {
    type Item = ObjectRef<'a, T>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let child = self.parent.own_child(self.run.next()?);
        if child.is_none() {
            // Not a child: the rest is not either, or the tables are corrupt and it is no matter.
            self.run = 0..0;
        }
        child
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        let skip = u32::try_from(n).unwrap_or(u32::MAX);
        self.run.start = self.run.start.saturating_add(skip).min(self.run.end);
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.run.len()))
    }
}

impl<T: Tables> DoubleEndedIterator for Children<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let child = self.parent.own_child(self.run.next_back()?);
        if child.is_none() {
            self.run = 0..0;
        }
        child
    }
}

/// An object and all below it: see [`ObjectRef::descendants`].
struct Descendants<'a, T> {
    top: ObjectRef<'a, T>,
    next: Option<ObjectRef<'a, T>>,
}

impl<T> Clone for Descendants<'_, T> {
    fn clone(&self) -> Self {
        Self { top: self.top, next: self.next }
    }
}

impl<'a, T: Tables> Iterator for Descendants<'a, T> {
    type Item = ObjectRef<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        let current = self.next?;
        let mut below = current.all_children();
        self.next = below.next().and_then(|first| current.own_child(first));
        let mut done = current;
        while self.next.is_none() && done.index != self.top.index {
            let Some(parent) = done.parent() else { break };
            let right = done.index + 1;
            if parent.all_children().contains(&right) {
                self.next = parent.own_child(right);
            }
            done = parent;
        }
        Some(current)
    }
}
