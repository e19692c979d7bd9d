//! What is stored beside the tree: distances, memory attributes, kinds of processors, and what is said of the whole.

// Of `Filter` and its archived form: the words are those of `hwloc_type_filter_e`.
#![allow(clippy::enum_variant_names)]

use super::records::Span;

/// One matrix, as it is stored: its objects and values are runs of other tables.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DistanceMatrix {
    /// What the values are and where they come from: a sum of [`DistanceMatrix`]'s constants.
    pub kind: u64,
    /// The name, by its index in the table of strings; [`u32::MAX`] if absent.
    pub name: u32,
    /// Which objects: a run in the table of objects of matrices. Two at least.
    pub objects: Span,
    /// Index of the first of its n² values, which are stored row by row.
    pub first_value: u32,
}

impl DistanceMatrix {
    /// The operating system or the firmware says so.
    pub const FROM_OS: u64 = 1;
    /// A person or tool says so.
    pub const FROM_USER: u64 = 1 << 1;
    /// Larger values are further away.
    pub const LATENCY: u64 = 1 << 2;
    /// Larger values are better connected.
    pub const BANDWIDTH: u64 = 1 << 3;
    /// The objects are of several types.
    pub const HETEROGENEOUS: u64 = 1 << 4;
}

/// An attribute, as it is stored. The first eight are those that every topology has.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryAttribute {
    /// The name, by its index in the table of strings.
    pub name: u32,
    /// A sum of [`MemoryAttribute`]'s flags.
    pub flags: u32,
    /// Its targets: a run in the table of targets. None for Capacity and Locality.
    pub targets: Span,
}

impl MemoryAttribute {
    /// Flag: the larger value is the better one.
    pub const HIGHER_FIRST: u32 = 1;
    /// Flag: the smaller value is the better one.
    pub const LOWER_FIRST: u32 = 1 << 1;
    /// Flag: the value depends on from where the memory is accessed.
    pub const NEED_INITIATOR: u32 = 1 << 2;

    /// Id: bytes in the node.
    pub const CAPACITY: u32 = 0;
    /// Id: number of processors near to the node; fewer are better.
    pub const LOCALITY: u32 = 1;
    /// Id: MiB/s.
    pub const BANDWIDTH: u32 = 2;
    /// Id: nanoseconds.
    pub const LATENCY: u32 = 3;
    /// Id: MiB/s when reading.
    pub const READ_BANDWIDTH: u32 = 4;
    /// Id: MiB/s when writing.
    pub const WRITE_BANDWIDTH: u32 = 5;
    /// Id: nanoseconds when reading.
    pub const READ_LATENCY: u32 = 6;
    /// Id: nanoseconds when writing.
    pub const WRITE_LATENCY: u32 = 7;

    /// Name and flags of the first eight, by id.
    pub const DEFAULT: [(&str, u32); 8] = {
        const HIGHER: u32 = MemoryAttribute::HIGHER_FIRST | MemoryAttribute::NEED_INITIATOR;
        const LOWER: u32 = MemoryAttribute::LOWER_FIRST | MemoryAttribute::NEED_INITIATOR;
        [
            ("Capacity", MemoryAttribute::HIGHER_FIRST),
            ("Locality", MemoryAttribute::LOWER_FIRST),
            ("Bandwidth", HIGHER),
            ("Latency", LOWER),
            ("ReadBandwidth", HIGHER),
            ("WriteBandwidth", HIGHER),
            ("ReadLatency", LOWER),
            ("WriteLatency", LOWER),
        ]
    };

    /// Whether values of this id are read off the nodes rather than stored.
    pub(crate) const fn is_computed(id: u32) -> bool {
        matches!(id, Self::CAPACITY | Self::LOCALITY)
    }
}

/// A target of an attribute, as it is stored.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryTarget {
    /// The object.
    pub object: u32,
    /// Its values: a run in the table of values. Exactly one if the attribute needs no initiator.
    pub values: Span,
}

/// One value of a target, as it is stored.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryValue {
    /// The value.
    pub value: u64,
    /// From where.
    pub from: InitiatorEntry,
}

/// From where a value holds, as it is stored.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitiatorEntry {
    /// From anywhere: the attribute needs no initiator.
    Any,
    /// From these processors.
    Cpuset {
        /// Index in the table of sets.
        set: u32,
    },
    /// From this object.
    Object {
        /// Its index.
        object: u32,
    },
}

/// One kind of processors, as it is stored. Their sets do not overlap.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuKind {
    /// Index of the cpuset in the table of sets.
    pub cpuset: u32,
    /// Its rank among the kinds, 0 for the least powerful; [`u32::MAX`] if they could not be ranked.
    pub efficiency: u32,
    /// The rank that the system gave, with gaps; [`u32::MAX`] if it gave none.
    pub forced_efficiency: u32,
    /// Its infos: a run in the table of infos.
    pub infos: Span,
}

/// NUMA nodes of one kind of memory, as it is stored. Tiers are listed from the best to the worst.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryTier {
    /// What memory it is: a sum of [`MemoryTier`]'s constants; 0 if unknown.
    pub kinds: u64,
    /// Index of the nodeset in the table of sets.
    pub nodeset: u32,
    /// Its infos: a run in the table of infos.
    pub infos: Span,
}

impl MemoryTier {
    /// High-bandwidth memory.
    pub const HBM: u64 = 1;
    /// Ordinary memory.
    pub const DRAM: u64 = 1 << 1;
    /// Memory of a graphics device.
    pub const GPU: u64 = 1 << 2;
    /// Memory set aside by the firmware.
    pub const SPM: u64 = 1 << 3;
    /// Non-volatile memory.
    pub const NVM: u64 = 1 << 4;
    /// Memory behind a CXL link.
    pub const CXL: u64 = 1 << 5;
}

/// Which processors some PCI buses are near to, as it is stored.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PciLocality {
    /// Domain of the buses.
    pub domain: u32,
    /// The first bus.
    pub first_bus: u32,
    /// The last bus.
    pub last_bus: u32,
    /// Index of the cpuset in the table of sets.
    pub cpuset: u32,
}

/// Which objects of a type a topology was asked to keep: hwloc's words.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// All of them.
    #[default]
    KeepAll,
    /// None.
    KeepNone,
    /// Those that say more than the objects around them.
    KeepStructure,
    /// Devices that programs use, without the many others.
    KeepImportant,
}
