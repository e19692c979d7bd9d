//! The owned topology, which is also what is archived: tables that refer to each other by index.
//!
//! ```text
//! objects   breadth first: the root, then each object's children (normal, memory, I/O, misc) in one run
//! levels    one per depth, then the six special ones;  each is a run of `cousins`
//! cousins   indexes of objects, level after level, each level from left to right
//! sets      every distinct cpuset and nodeset once
//! strings   every distinct text once;  infos, extras and attributes refer to them
//! ```
//! So a parent's index is smaller than its children's, an object is in one run of children and in one slot of a
//! level, and whatever the bytes say, a walk that insists on this visits each object at most once.

use graven::rkyv::Deserialize;
use graven::rkyv::de::pooling::Unpool;
use graven::rkyv::rancor::{Panic, Strategy};

use super::attributes::{Bridge, Cache, Group, Numa, OsDevice, PageType, Pci};
use super::facts::{
    CpuKind, DistanceMatrix, Filter, MemoryAttribute, MemoryTarget, MemoryTier, MemoryValue, PciLocality,
};
use super::records::{Extra, Info, Level, NONE, Object, OsIndexEntry, SetEntry, SetRun, Span};
use super::types::Type;

/// A machine's topology: hwloc's object model as tables.
///
/// Comes from [`Detector`](crate::Detector) or [`Builder`](crate::Builder), which leave only what
/// [`Topo::check`](crate::Topo::check) accepts. It is read with [`Topo`](crate::Topo), like its archived form.
/// Equal topologies archive to equal bytes.
#[graven::object]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    pub(crate) objects: Vec<Object>,
    pub(crate) levels: Vec<Level>,
    pub(crate) cousins: Vec<u32>,
    pub(crate) depth: u32,
    pub(crate) pus: OsIndexTable,
    pub(crate) numa_nodes: OsIndexTable,
    pub(crate) sets: SetTable,
    pub(crate) allowed_cpuset: u32,
    pub(crate) allowed_nodeset: u32,
    pub(crate) attributes: AttributeTables,
    pub(crate) extras: Vec<Extra>,
    pub(crate) infos: Vec<Info>,
    pub(crate) own_infos: Span,
    pub(crate) distances: DistanceTables,
    pub(crate) memory_attributes: MemoryAttributeTables,
    pub(crate) cpu_kinds: Vec<CpuKind>,
    pub(crate) memory_tiers: Vec<MemoryTier>,
    pub(crate) pci_localities: Vec<PciLocality>,
    pub(crate) support: Vec<u32>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) flags: u64,
    pub(crate) strings: Vec<String>,
}

/// Which object has an os_index: a plain table as far as the numbers are dense, sorted pairs beyond.
#[graven::object]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OsIndexTable {
    pub(crate) dense: Vec<u32>,
    pub(crate) sparse: Vec<OsIndexEntry>,
}

/// Every distinct set of a topology once.
#[graven::object]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetTable {
    pub(crate) entries: Vec<SetEntry>,
    pub(crate) runs: Vec<SetRun>,
    pub(crate) words: Vec<u64>,
}

/// Attributes, one table per kind of them; equal ones are stored once.
#[graven::object]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttributeTables {
    pub(crate) caches: Vec<Cache>,
    pub(crate) numa: Vec<Numa>,
    pub(crate) page_types: Vec<PageType>,
    pub(crate) groups: Vec<Group>,
    pub(crate) pci: Vec<Pci>,
    pub(crate) bridges: Vec<Bridge>,
    pub(crate) os_devices: Vec<OsDevice>,
}

/// Matrices of distances.
#[graven::object]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DistanceTables {
    pub(crate) matrices: Vec<DistanceMatrix>,
    pub(crate) objects: Vec<u32>,
    pub(crate) values: Vec<u64>,
}

/// Memory attributes, their targets, and the targets' values.
#[graven::object]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemoryAttributeTables {
    pub(crate) attributes: Vec<MemoryAttribute>,
    pub(crate) targets: Vec<MemoryTarget>,
    pub(crate) values: Vec<MemoryValue>,
}

/// Everything a topology stores, by index, in native numbers: the few accessors on which all of
/// [`Topo`](crate::Topo) rests, for the owned and the archived topology alike.
///
/// All are O(1) and answer `None` beyond the end of a table. Of this crate's own: users have `Topo`.
#[doc(hidden)]
pub trait Tables {
    /// Number of objects. [`Topo::object_count`](crate::Topo::object_count) is the same.
    fn record_count(&self) -> u32;
    /// The object at `index`.
    fn object_record(&self, index: u32) -> Option<Object>;
    /// Number of levels, normal and special.
    fn level_count(&self) -> u32;
    /// The level at `index`: normal ones by depth, then the special ones.
    fn level_record(&self, index: u32) -> Option<Level>;
    /// Number of normal levels.
    fn normal_depth(&self) -> u32;
    /// Length of the table of cousins.
    fn cousin_count(&self) -> u32;
    /// The object in slot `index` of the table of cousins.
    fn cousin(&self, index: u32) -> Option<u32>;
    /// Length of the dense part of the table of processing units or NUMA nodes by os_index.
    fn dense_count(&self, table: Type) -> u32;
    /// The object for a small `os_index`; it may be [`NONE`]. Of other types than PU and NUMA node: none.
    fn dense(&self, table: Type, os_index: u32) -> Option<u32>;
    /// Length of the sparse part of the same table.
    fn sparse_count(&self, table: Type) -> u32;
    /// The entry at `index` of the sparse part.
    fn sparse(&self, table: Type, index: u32) -> Option<OsIndexEntry>;
    /// Number of sets.
    fn set_count(&self) -> u32;
    /// The set at `index`.
    fn set_entry(&self, index: u32) -> Option<SetEntry>;
    /// Number of runs of all sets that have several.
    fn run_count(&self) -> u32;
    /// The run at `index`.
    fn run(&self, index: u32) -> Option<SetRun>;
    /// Number of words of all sets that are stored as words.
    fn word_count(&self) -> u32;
    /// The word at `index`.
    fn word(&self, index: u32) -> Option<u64>;
    /// Which set is allowed: its index for processors (`Type::Pu`) or NUMA nodes (`Type::NumaNode`).
    fn allowed(&self, table: Type) -> u32;
    /// Length of the table of attributes that objects of type `ty` refer to; 0 if such objects have none.
    fn attribute_count(&self, ty: Type) -> u32;
    /// Attributes of a cache.
    fn cache_record(&self, index: u32) -> Option<Cache>;
    /// Attributes of a NUMA node.
    fn numa_record(&self, index: u32) -> Option<Numa>;
    /// Number of page types of all NUMA nodes.
    fn page_type_count(&self) -> u32;
    /// The page type at `index`.
    fn page_type(&self, index: u32) -> Option<PageType>;
    /// Attributes of a group.
    fn group_record(&self, index: u32) -> Option<Group>;
    /// Attributes of a PCI device.
    fn pci_record(&self, index: u32) -> Option<Pci>;
    /// Attributes of a bridge.
    fn bridge_record(&self, index: u32) -> Option<Bridge>;
    /// Attributes of an OS device.
    fn os_device_record(&self, index: u32) -> Option<OsDevice>;
    /// Number of extras.
    fn extra_count(&self) -> u32;
    /// The extra at `index`.
    fn extra(&self, index: u32) -> Option<Extra>;
    /// Number of infos of all objects and of the topology.
    fn info_count(&self) -> u32;
    /// The info at `index`.
    fn info_record(&self, index: u32) -> Option<Info>;
    /// The infos of the topology itself.
    fn own_infos(&self) -> Span;
    /// Number of matrices of distances.
    fn distance_matrix_count(&self) -> u32;
    /// The matrix at `index`.
    fn distance_matrix(&self, index: u32) -> Option<DistanceMatrix>;
    /// Number of objects of all matrices.
    fn distance_object_count(&self) -> u32;
    /// The object in slot `index` of the objects of all matrices.
    fn distance_object(&self, index: u32) -> Option<u32>;
    /// Number of values of all matrices.
    fn distance_value_count(&self) -> u32;
    /// The value in slot `index` of the values of all matrices.
    fn distance_value(&self, index: u32) -> Option<u64>;
    /// Number of memory attributes.
    fn memory_attribute_count(&self) -> u32;
    /// The memory attribute whose id is `index`.
    fn memory_attribute_record(&self, index: u32) -> Option<MemoryAttribute>;
    /// Number of targets of all memory attributes.
    fn memory_target_count(&self) -> u32;
    /// The target at `index`.
    fn memory_target(&self, index: u32) -> Option<MemoryTarget>;
    /// Number of values of all targets.
    fn memory_value_count(&self) -> u32;
    /// The value at `index`.
    fn memory_value(&self, index: u32) -> Option<MemoryValue>;
    /// Number of kinds of processors.
    fn cpu_kind_count(&self) -> u32;
    /// The kind of processors at `index`.
    fn cpu_kind_record(&self, index: u32) -> Option<CpuKind>;
    /// Number of memory tiers.
    fn memory_tier_count(&self) -> u32;
    /// The memory tier at `index`.
    fn memory_tier_record(&self, index: u32) -> Option<MemoryTier>;
    /// Number of PCI localities.
    fn pci_locality_count(&self) -> u32;
    /// The PCI locality at `index`.
    fn pci_locality_record(&self, index: u32) -> Option<PciLocality>;
    /// Number of features that are supported where the topology was made.
    fn support_count(&self) -> u32;
    /// The name of the feature at `index`, by its index in the table of strings.
    fn support_record(&self, index: u32) -> Option<u32>;
    /// Number of filters: one per type.
    fn filter_count(&self) -> u32;
    /// The filter for the type that is at `index` of [`Type::ALL`].
    fn filter_record(&self, index: u32) -> Option<Filter>;
    /// hwloc's topology flags. [`Topo::flags`](crate::Topo::flags) is the same.
    fn flag_bits(&self) -> u64;
    /// Number of strings.
    fn string_count(&self) -> u32;
    /// The string at `index`.
    fn string(&self, index: u32) -> Option<&str>;
}

macro_rules! tables {
    ($topology:ty, $os_index_table:ty, $native:ident) => {
        impl $topology {
            #[inline]
            fn os_index_table(&self, table: Type) -> Option<&$os_index_table> {
                match table {
                    Type::Pu => Some(&self.pus),
                    Type::NumaNode => Some(&self.numa_nodes),
                    _ => None,
                }
            }
        }

        impl Tables for $topology {
            tables! { @table self $native
                record_count, object_record -> Object: self.objects;
                level_count, level_record -> Level: self.levels;
                cousin_count, cousin -> u32: self.cousins;
                set_count, set_entry -> SetEntry: self.sets.entries;
                run_count, run -> SetRun: self.sets.runs;
                word_count, word -> u64: self.sets.words;
                page_type_count, page_type -> PageType: self.attributes.page_types;
                extra_count, extra -> Extra: self.extras;
                info_count, info_record -> Info: self.infos;
                distance_matrix_count, distance_matrix -> DistanceMatrix: self.distances.matrices;
                distance_object_count, distance_object -> u32: self.distances.objects;
                distance_value_count, distance_value -> u64: self.distances.values;
                memory_attribute_count, memory_attribute_record -> MemoryAttribute:
                    self.memory_attributes.attributes;
                memory_target_count, memory_target -> MemoryTarget: self.memory_attributes.targets;
                memory_value_count, memory_value -> MemoryValue: self.memory_attributes.values;
                cpu_kind_count, cpu_kind_record -> CpuKind: self.cpu_kinds;
                memory_tier_count, memory_tier_record -> MemoryTier: self.memory_tiers;
                pci_locality_count, pci_locality_record -> PciLocality: self.pci_localities;
                support_count, support_record -> u32: self.support;
                filter_count, filter_record -> Filter: self.filters;
            }
            tables! { @record self $native
                cache_record -> Cache: self.attributes.caches;
                numa_record -> Numa: self.attributes.numa;
                group_record -> Group: self.attributes.groups;
                pci_record -> Pci: self.attributes.pci;
                bridge_record -> Bridge: self.attributes.bridges;
                os_device_record -> OsDevice: self.attributes.os_devices;
            }

            #[inline]
            fn normal_depth(&self) -> u32 {
                $native(&self.depth)
            }

            fn dense_count(&self, table: Type) -> u32 {
                self.os_index_table(table).map_or(0, |table| count(table.dense.len()))
            }

            #[inline]
            fn dense(&self, table: Type, os_index: u32) -> Option<u32> {
                self.os_index_table(table)?.dense.get(os_index as usize).map($native)
            }

            fn sparse_count(&self, table: Type) -> u32 {
                self.os_index_table(table).map_or(0, |table| count(table.sparse.len()))
            }

            fn sparse(&self, table: Type, index: u32) -> Option<OsIndexEntry> {
                self.os_index_table(table)?.sparse.get(index as usize).map($native)
            }

            fn allowed(&self, table: Type) -> u32 {
                match table {
                    Type::Pu => $native(&self.allowed_cpuset),
                    Type::NumaNode => $native(&self.allowed_nodeset),
                    _ => NONE,
                }
            }

            fn attribute_count(&self, ty: Type) -> u32 {
                count(match ty {
                    Type::NumaNode => self.attributes.numa.len(),
                    Type::Group => self.attributes.groups.len(),
                    Type::PciDevice => self.attributes.pci.len(),
                    Type::Bridge => self.attributes.bridges.len(),
                    Type::OsDevice => self.attributes.os_devices.len(),
                    Type::MemCache => self.attributes.caches.len(),
                    _ if ty.is_cache() => self.attributes.caches.len(),
                    _ => 0,
                })
            }

            fn own_infos(&self) -> Span {
                $native(&self.own_infos)
            }

            fn flag_bits(&self) -> u64 {
                $native(&self.flags)
            }

            fn string_count(&self) -> u32 {
                count(self.strings.len())
            }

            fn string(&self, index: u32) -> Option<&str> {
                self.strings.get(index as usize).map(|string| string.as_str())
            }
        }
    };
    (@table $self:ident $native:ident $($count:ident, $get:ident -> $record:ty: $this:ident $(. $field:ident)+;)*) => {$(
        #[inline]
        fn $count(&$self) -> u32 {
            count($self $(. $field)+ .len())
        }
        #[inline]
        fn $get(&$self, index: u32) -> Option<$record> {
            $self $(. $field)+ .get(index as usize).map($native)
        }
    )*};
    (@record $self:ident $native:ident $($get:ident -> $record:ty: $this:ident $(. $field:ident)+;)*) => {$(
        #[inline]
        fn $get(&$self, index: u32) -> Option<$record> {
            $self $(. $field)+ .get(index as usize).map($native)
        }
    )*};
}

tables!(Topology, OsIndexTable, copy);
tables!(ArchivedTopology, ArchivedOsIndexTable, native);

#[inline]
fn copy<T: Copy>(value: &T) -> T {
    *value
}

/// An archived number or record as a native one. On little-endian machines that costs nothing: once inlined, only the
/// fields that are asked for are loaded.
#[inline]
fn native<A: Deserialize<T, Strategy<Unpool, Panic>>, T>(archived: &A) -> T {
    match archived.deserialize(Strategy::wrap(&mut Unpool)) {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

/// A table's length as the archive counts: beyond the last index there is nothing to reach.
#[inline]
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}

/// The infos of a span, names with values.
pub(crate) fn infos<'a, T: Tables>(
    topology: &'a T,
    span: Span,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a, T> {
    span.within(topology.info_count()).filter_map(|index| {
        let info = topology.info_record(index)?;
        Some((topology.string(info.name)?, topology.string(info.value)?))
    })
}

/// The object at `index`; without anything if there is none.
#[inline]
pub(crate) fn record<T: Tables>(topology: &T, index: u32) -> Object {
    topology.object_record(index).unwrap_or(Object::VACANT)
}
