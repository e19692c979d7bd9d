//! The attributes that objects of some types have.

use super::records::Span;
use super::types::CacheKind;

/// Attributes of a cache, of processors or of memory.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cache {
    /// Bytes; 0 if unknown.
    pub size: u64,
    /// The level, 1 for L1.
    pub level: u32,
    /// Bytes in a line; 0 if unknown.
    pub line_size: u32,
    /// Ways of associativity; -1 if fully associative, 0 if unknown.
    pub associativity: i32,
    /// What it holds.
    pub kind: CacheKind,
}

/// Attributes of a NUMA node.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Numa {
    /// Bytes of memory in this node.
    pub local_memory: u64,
    /// Its page sizes: a run in the table of page types.
    pub page_types: Span,
}

/// Pages of one size in a NUMA node.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageType {
    /// Bytes in a page.
    pub size: u64,
    /// How many such pages.
    pub count: u64,
}

/// Attributes of a group.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Group {
    /// 0 for the highest level of groups, 1 for the next one below it.
    pub depth: u32,
    /// Why the group is there: one of hwloc's internal numbers, such as [`Group::CLUSTER`].
    pub kind: u32,
    /// Distinguishes groups of one kind.
    pub subkind: u32,
    /// Whether the group is to be kept where it adds no structure.
    pub dont_merge: bool,
}

impl Group {
    /// Kind of a group that stands for a book (subkind 0) or a drawer (subkind 1) of an s390 machine.
    pub const BOOK: u32 = 110;
    /// Kind of a group that stands for a cluster of cores, as Linux reports it.
    pub const CLUSTER: u32 = 222;
    /// Kind of a group that was added so that a NUMA node has a parent with its cpuset.
    pub const MEMORY: u32 = 1001;

    /// A group of this kind and subkind; its depth is set by the builder.
    pub const fn of(kind: u32, subkind: u32) -> Self {
        Self { depth: 0, kind, subkind, dont_merge: false }
    }
}

/// Attributes of a PCI device, also of a bridge's upstream side.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Pci {
    /// Domain (segment) of the bus.
    pub domain: u32,
    /// Link speed in GB/s, as the bits of an `f32`; see [`Pci::link_speed`].
    pub link_speed_bits: u32,
    /// Class and subclass.
    pub class: u16,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Vendor of the board.
    pub subvendor: u16,
    /// Device number of the board.
    pub subdevice: u16,
    /// Bus.
    pub bus: u8,
    /// Device number on the bus.
    pub dev: u8,
    /// Function.
    pub func: u8,
    /// Revision.
    pub revision: u8,
    /// Programming interface.
    pub prog_if: u8,
}

impl Pci {
    /// Link speed in GB/s; 0 if unknown.
    pub const fn link_speed(&self) -> f32 {
        f32::from_bits(self.link_speed_bits)
    }
}

/// Attributes of a bridge.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bridge {
    /// The upstream side; meaningless in a host bridge.
    pub upstream: Pci,
    /// Whether upstream is the host rather than a PCI bus.
    pub host: bool,
    /// How many bridges are above it.
    pub depth: u32,
    /// Domain of the buses below.
    pub domain: u32,
    /// First bus below.
    pub secondary_bus: u8,
    /// Last bus below.
    pub subordinate_bus: u8,
}

/// Attributes of an OS device.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct OsDevice {
    /// What it is: a sum of [`OsDevice`]'s constants (one device may be several things, as in hwloc 3).
    pub kinds: u64,
}

impl OsDevice {
    /// A block device or other storage.
    pub const STORAGE: u64 = 1;
    /// Memory as a device.
    pub const MEMORY: u64 = 1 << 1;
    /// A graphics device.
    pub const GPU: u64 = 1 << 2;
    /// A device that computes.
    pub const COPROC: u64 = 1 << 3;
    /// A network interface.
    pub const NETWORK: u64 = 1 << 4;
    /// An OpenFabrics device.
    pub const OPENFABRICS: u64 = 1 << 5;
    /// A DMA engine.
    pub const DMA: u64 = 1 << 6;
}
