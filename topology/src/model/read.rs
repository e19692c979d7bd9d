//! Reading a topology: one set of methods for the owned one and for the archive in place.
//!
//! [`Topo`] is implemented by everything that has [`Tables`], and hands out [`ObjectRef`]s: an index beside a
//! reference, to be copied freely. No method panics and no iterator runs for ever, whatever the tables say:
//!
//! - a lookup beyond a table is `None`, or reads as an object without anything;
//! - children are only those that name this object as their parent and stand behind it, so each object is
//!   met at most once in a walk; ancestors and cousins are followed only in the direction they must have.
//!
//! That the answers are *right* is what [`Topo::check`] establishes, once, after adopting.

use super::check;
use super::cpukinds::{CpuKindRef, NoCpuKind};
use super::digest;
use super::distances::DistancesRef;
use super::error::CheckError;
use super::facts::Filter;
use super::handle::ObjectRef;
use super::level::{LevelRef, depths};
use super::machine::{MemoryTierRef, PciLocalityRef};
use super::memattrs::MemoryAttributeRef;
use super::set::Bits;
use super::set_ref::SetRef;
use super::tables::{Tables, infos};
use super::types::{ChildKind, Type};

/// The reading methods of a topology, owned or archived.
///
/// ```
/// use graven_topology::{Builder, Node, Topo, Type};
///
/// let mut builder = Builder::new();
/// let package = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(0));
/// for cpu in 0..2 {
///     let core = builder.add(package, Node::new(Type::Core).os_index(cpu));
///     builder.add(core, Node::new(Type::Pu).os_index(cpu));
/// }
/// builder.add(package, Node::new(Type::NumaNode).os_index(0));
/// let topology = builder.build()?;
///
/// let pu = topology.pu(1).expect("PU 1 was added");
/// let path: Vec<_> = pu.ancestors().map(|object| object.ty()).collect();
/// assert_eq!(path, [Type::Core, Type::Package, Type::Machine]);
/// assert!(topology.pu(7).is_none());
/// # Ok::<(), graven_topology::error::BuildError>(())
/// ```
pub trait Topo: Tables + Sized {
    /// The root object, the Machine. O(1).
    #[inline]
    fn root(&self) -> ObjectRef<'_, Self> {
        ObjectRef::new(self, 0)
    }

    /// How many objects there are. O(1).
    fn object_count(&self) -> u32 {
        self.record_count()
    }

    /// The object at `index` of the archive's order: breadth first from the root. O(1).
    #[inline]
    fn object(&self, index: u32) -> Option<ObjectRef<'_, Self>> {
        ObjectRef::get(self, index)
    }

    /// All objects in the archive's order. See [`ObjectRef::descendants`] for tree order.
    fn objects(&self) -> impl DoubleEndedIterator<Item = ObjectRef<'_, Self>> {
        ObjectRef::all(self)
    }

    /// Number of normal levels: hwloc's topology depth. O(1).
    #[inline]
    fn depth(&self) -> u32 {
        depths(self)
    }

    /// The level at `depth`: 0 is the Machine's, `depth() - 1` that of the processing units, -3 to -8 the
    /// special ones. O(1).
    fn level(&self, depth: i32) -> Option<LevelRef<'_, Self>> {
        LevelRef::at(self, depth)
    }

    /// All levels: the normal ones by depth, then the special ones (which may be empty).
    fn levels(&self) -> impl Iterator<Item = LevelRef<'_, Self>> {
        LevelRef::all(self)
    }

    /// The objects at `depth`, from left to right; none if there is no such level.
    fn by_depth(&self, depth: i32) -> impl DoubleEndedIterator<Item = ObjectRef<'_, Self>> {
        self.level(depth).into_iter().flat_map(|level| level.iter())
    }

    /// All objects of type `ty`: by depth if there are several levels of it, each from left to right.
    fn by_type(&self, ty: Type) -> impl Iterator<Item = ObjectRef<'_, Self>> {
        LevelRef::objects(self, ty)
    }

    /// How many objects of type `ty` there are. O(levels).
    fn count(&self, ty: Type) -> u32 {
        self.levels()
            .filter(|level| level.ty() == ty)
            .fold(0, |count: u32, level| count.saturating_add(level.len()))
    }

    /// At which depth the objects of type `ty` are. O(levels).
    fn depth_of(&self, ty: Type) -> TypeDepth {
        if let Some(depth) = ty.special_depth() {
            return TypeDepth::One(depth);
        }
        let mut depths = self.levels().filter(|level| level.ty() == ty).map(|level| level.depth());
        match (depths.next(), depths.next()) {
            (None, _) => TypeDepth::Unknown,
            (Some(depth), None) => TypeDepth::One(depth),
            (Some(_), Some(_)) => TypeDepth::Multiple,
        }
    }

    /// The processing unit with this os_index. O(1); O(log n) if the machine numbers them very sparsely.
    fn pu(&self, os_index: u32) -> Option<ObjectRef<'_, Self>> {
        ObjectRef::by_os_index(self, Type::Pu, os_index)
    }

    /// The NUMA node with this os_index. O(1) as [`pu`](Self::pu).
    fn numa_node(&self, os_index: u32) -> Option<ObjectRef<'_, Self>> {
        ObjectRef::by_os_index(self, Type::NumaNode, os_index)
    }

    /// The object with this gp_index, the number that survives changes of the topology. O(n).
    fn by_gp_index(&self, gp_index: u64) -> Option<ObjectRef<'_, Self>> {
        self.objects().find(|object| object.gp_index() == gp_index)
    }

    /// The lowest object whose cpuset includes all of `cpuset`; `None` if that is empty or not within the
    /// machine's. O(children on the way).
    fn covering(&self, cpuset: &impl Bits) -> Option<ObjectRef<'_, Self>> {
        let covers =
            |object: &ObjectRef<'_, Self>| object.cpuset().is_some_and(|set| cpuset.is_included_in(&set));
        if cpuset.is_empty() {
            return None;
        }
        let mut found = Some(self.root()).filter(covers)?;
        while let Some(child) = found.children(ChildKind::Normal).find(covers) {
            found = child;
        }
        Some(found)
    }

    /// The processors that this process's administrator allows (hwloc: allowed_cpuset).
    fn allowed_cpuset(&self) -> Option<SetRef<'_, Self>> {
        SetRef::new(self, self.allowed(Type::Pu))
    }

    /// The NUMA nodes that are allowed (hwloc: allowed_nodeset).
    fn allowed_nodeset(&self) -> Option<SetRef<'_, Self>> {
        SetRef::new(self, self.allowed(Type::NumaNode))
    }

    /// Infos of the topology itself, where hwloc 3 puts what hwloc 2 puts on the root object.
    fn infos(&self) -> impl Iterator<Item = (&str, &str)> {
        infos(self, self.own_infos())
    }

    /// The matrices of distances between objects.
    fn distances(&self) -> impl Iterator<Item = DistancesRef<'_, Self>> {
        DistancesRef::all(self)
    }

    /// The matrices with this name, such as `NUMALatency`.
    fn distances_by_name(&self, name: &str) -> impl Iterator<Item = DistancesRef<'_, Self>> {
        self.distances().filter(move |distances| distances.name() == Some(name))
    }

    /// The matrices between objects of type `ty`, and of that only.
    fn distances_by_type(&self, ty: Type) -> impl Iterator<Item = DistancesRef<'_, Self>> {
        self.distances().filter(move |distances| distances.object_type() == Some(ty))
    }

    /// The memory attributes, by id.
    fn memory_attributes(&self) -> impl Iterator<Item = MemoryAttributeRef<'_, Self>> {
        MemoryAttributeRef::all(self)
    }

    /// The memory attribute with this id, such as
    /// [`MemoryAttribute::BANDWIDTH`](crate::facts::MemoryAttribute::BANDWIDTH). O(1).
    fn memory_attribute(&self, id: u32) -> Option<MemoryAttributeRef<'_, Self>> {
        MemoryAttributeRef::new(self, id)
    }

    /// The memory attribute with this name. O(attributes).
    fn memory_attribute_by_name(&self, name: &str) -> Option<MemoryAttributeRef<'_, Self>> {
        self.memory_attributes().find(|attribute| attribute.name() == name)
    }

    /// The kinds of processors, the least powerful first if they could be ranked.
    fn cpu_kinds(&self) -> impl Iterator<Item = CpuKindRef<'_, Self>> {
        CpuKindRef::all(self)
    }

    /// The kind that all processors of `cpuset` are of. O(kinds).
    ///
    /// # Errors
    /// [`NoCpuKind`] says whether there is none, or several.
    fn cpu_kind_of(&self, cpuset: &impl Bits) -> Result<CpuKindRef<'_, Self>, NoCpuKind> {
        CpuKindRef::of(self, cpuset)
    }

    /// The tiers of memory, the best first.
    fn memory_tiers(&self) -> impl Iterator<Item = MemoryTierRef<'_, Self>> {
        MemoryTierRef::all(self)
    }

    /// Which processors the PCI buses are near to.
    fn pci_localities(&self) -> impl Iterator<Item = PciLocalityRef<'_, Self>> {
        PciLocalityRef::all(self)
    }

    /// What is supported where the topology was made: hwloc's names, `discovery.pu`, `cpubind.set_proc_cpubind`.
    fn support(&self) -> impl Iterator<Item = &str> {
        (0..self.support_count()).filter_map(|index| self.string(self.support_record(index)?))
    }

    /// Whether a feature is supported where the topology was made. O(features).
    fn supports(&self, name: &str) -> bool {
        self.support().any(|found| found == name)
    }

    /// Which objects of type `ty` the topology was asked to keep. O(1).
    fn filter(&self, ty: Type) -> Filter {
        self.filter_record(ty as u32).unwrap_or_default()
    }

    /// hwloc's topology flags (`hwloc_topology_get_flags`), as they were when the topology was made.
    fn flags(&self) -> u64 {
        self.flag_bits()
    }

    /// Checks every structural invariant.
    ///
    /// Once this is `Ok`, the tree is a tree, levels and tables by os_index are complete, and sets nest as they
    /// must. O(n log n) for whatever a builder made; memory O(n). Derived numbers are not recomputed
    /// (total_memory, symmetric_subtree): they cannot mislead a traversal.
    ///
    /// # Errors
    /// The first rule that is broken, with the object and the field: see [`CheckError`].
    fn check(&self) -> Result<(), CheckError> {
        check::check(self)
    }

    /// A number that two topologies share exactly when a complete walk reads the same in both, up to chance.
    ///
    /// Stable across processes, machines and the owned or archived form; every field, set and text enters it.
    fn digest(&self) -> u64 {
        digest::digest(self)
    }
}

impl<T: Tables> Topo for T {}

/// Where the objects of a type are (hwloc: `hwloc_get_type_depth`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeDepth {
    /// There are none.
    Unknown,
    /// All at this depth.
    One(i32),
    /// At several depths, as groups may be: see [`Topo::by_type`].
    Multiple,
}
