//! Types of objects, and what holds for all objects of a type.
//!
//! The names are hwloc's, with the numbers our own: hwloc's enum values differ between its versions 2 and 3.

use core::fmt;
use core::str::FromStr;

use super::debug::debug_as_display;

/// What kind of thing an object stands for.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// The whole machine: the root, and nothing else.
    Machine,
    /// What goes into a socket.
    Package,
    /// A part of a package with its own silicon.
    Die,
    /// A computation unit, perhaps shared by several threads.
    Core,
    /// A processing unit, that is, a hardware thread: what the kernel calls a cpu.
    Pu,
    /// Level 1 cache, for data or unified.
    L1Cache,
    /// Level 2 cache, for data or unified.
    L2Cache,
    /// Level 3 cache, for data or unified.
    L3Cache,
    /// Level 4 cache, for data or unified.
    L4Cache,
    /// Level 5 cache, for data or unified.
    L5Cache,
    /// Level 1 instruction cache.
    L1iCache,
    /// Level 2 instruction cache.
    L2iCache,
    /// Level 3 instruction cache.
    L3iCache,
    /// Objects that belong together for a reason none of the other types has.
    Group,
    /// Memory that is equally near to a set of processors. A memory child.
    NumaNode,
    /// A cache in front of memory. A memory child, with NUMA nodes as its own memory children.
    MemCache,
    /// What connects a bus to the host or to another bus. An I/O child.
    Bridge,
    /// A PCI device. An I/O child.
    PciDevice,
    /// A device as the operating system names it. An I/O child.
    OsDevice,
    /// Whatever a person or tool added. A misc child of any object.
    Misc,
}

/// The four lists of children that an object has, in the order in which they are stored and walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChildKind {
    /// Processors and what groups them: they partition their parent's cpuset.
    Normal,
    /// NUMA nodes and memory-side caches, beside the normal children.
    Memory,
    /// Bridges, PCI and OS devices.
    Io,
    /// Misc objects.
    Misc,
}

impl ChildKind {
    /// All four, in order.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Memory, Self::Io, Self::Misc];
}

impl Type {
    /// All types, in declaration order.
    pub const ALL: [Self; 20] = [
        Self::Machine,
        Self::Package,
        Self::Die,
        Self::Core,
        Self::Pu,
        Self::L1Cache,
        Self::L2Cache,
        Self::L3Cache,
        Self::L4Cache,
        Self::L5Cache,
        Self::L1iCache,
        Self::L2iCache,
        Self::L3iCache,
        Self::Group,
        Self::NumaNode,
        Self::MemCache,
        Self::Bridge,
        Self::PciDevice,
        Self::OsDevice,
        Self::Misc,
    ];

    /// hwloc's name of the type, as in its XML: `PU`, `NUMANode`, `L1iCache`, `PCIDev`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::Machine => "Machine",
            Self::Package => "Package",
            Self::Die => "Die",
            Self::Core => "Core",
            Self::Pu => "PU",
            Self::L1Cache => "L1Cache",
            Self::L2Cache => "L2Cache",
            Self::L3Cache => "L3Cache",
            Self::L4Cache => "L4Cache",
            Self::L5Cache => "L5Cache",
            Self::L1iCache => "L1iCache",
            Self::L2iCache => "L2iCache",
            Self::L3iCache => "L3iCache",
            Self::Group => "Group",
            Self::NumaNode => "NUMANode",
            Self::MemCache => "MemCache",
            Self::Bridge => "Bridge",
            Self::PciDevice => "PCIDev",
            Self::OsDevice => "OSDev",
            Self::Misc => "Misc",
        }
    }

    /// In which of its parent's four lists an object of this type stands.
    pub const fn child_kind(self) -> ChildKind {
        match self {
            Self::NumaNode | Self::MemCache => ChildKind::Memory,
            Self::Bridge | Self::PciDevice | Self::OsDevice => ChildKind::Io,
            Self::Misc => ChildKind::Misc,
            _ => ChildKind::Normal,
        }
    }

    /// Whether objects of this type are normal ones: in the main tree, at a depth of 0 or more.
    pub const fn is_normal(self) -> bool {
        matches!(self.child_kind(), ChildKind::Normal)
    }

    /// Whether objects of this type carry sets: the normal and the memory objects.
    pub const fn has_sets(self) -> bool {
        matches!(self.child_kind(), ChildKind::Normal | ChildKind::Memory)
    }

    /// Whether this is a cache of processors (not of memory).
    pub const fn is_cache(self) -> bool {
        self.cache_level().is_some()
    }

    /// The level of a processor cache, 1 to 5.
    pub const fn cache_level(self) -> Option<u32> {
        match self {
            Self::L1Cache | Self::L1iCache => Some(1),
            Self::L2Cache | Self::L2iCache => Some(2),
            Self::L3Cache | Self::L3iCache => Some(3),
            Self::L4Cache => Some(4),
            Self::L5Cache => Some(5),
            _ => None,
        }
    }

    /// The type of a cache of this level that holds this; `None` if hwloc has no such type.
    pub const fn cache(level: u32, kind: CacheKind) -> Option<Self> {
        match (level, kind) {
            (1, CacheKind::Instruction) => Some(Self::L1iCache),
            (2, CacheKind::Instruction) => Some(Self::L2iCache),
            (3, CacheKind::Instruction) => Some(Self::L3iCache),
            (_, CacheKind::Instruction) => None,
            (1, _) => Some(Self::L1Cache),
            (2, _) => Some(Self::L2Cache),
            (3, _) => Some(Self::L3Cache),
            (4, _) => Some(Self::L4Cache),
            (5, _) => Some(Self::L5Cache),
            _ => None,
        }
    }

    /// The fixed negative depth of types outside the main tree: NUMA -3, Bridge -4, PCI -5, OS device -6,
    /// Misc -7, MemCache -8. `None` for normal types, whose depth differs from machine to machine.
    pub const fn special_depth(self) -> Option<i32> {
        match self {
            Self::NumaNode => Some(-3),
            Self::Bridge => Some(-4),
            Self::PciDevice => Some(-5),
            Self::OsDevice => Some(-6),
            Self::Misc => Some(-7),
            Self::MemCache => Some(-8),
            _ => None,
        }
    }

    /// Whether an object of this type may have children in the list `kind`.
    ///
    /// Processing units have no normal or memory children, memory objects no normal ones, I/O objects only I/O
    /// and misc ones, misc objects only misc ones; a NUMA node has no memory below it.
    pub const fn may_hold(self, kind: ChildKind) -> bool {
        match kind {
            ChildKind::Normal => self.is_normal() && !matches!(self, Self::Pu),
            ChildKind::Memory => self.has_sets() && !matches!(self, Self::Pu | Self::NumaNode),
            ChildKind::Io => !matches!(self, Self::Misc | Self::NumaNode | Self::MemCache),
            ChildKind::Misc => true,
        }
    }

    /// Where the type stands among objects with equal cpusets: the smaller holds the larger.
    #[cfg(any(feature = "live", feature = "synthetic"))]
    pub(crate) const fn nesting(self) -> u32 {
        match self {
            Self::Machine => 0,
            Self::Group => 1,
            Self::Package => 2,
            Self::Die => 3,
            Self::L5Cache => 4,
            Self::L4Cache => 5,
            Self::L3Cache => 6,
            Self::L3iCache => 7,
            Self::L2Cache => 8,
            Self::L2iCache => 9,
            Self::L1Cache => 10,
            Self::L1iCache => 11,
            Self::Core => 12,
            Self::Pu => 13,
            _ => 14,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Type {
    type Err = UnknownType;

    /// Reads hwloc's name in any case (`PU`, `numanode`), or lstopo's short one (`L2`, `L1d`, `L1i`, `PCI`,
    /// `NUMA`, `OS`).
    fn from_str(name: &str) -> Result<Self, UnknownType> {
        let same = |other: &str| name.eq_ignore_ascii_case(other);
        if let Some(found) = Self::ALL.into_iter().find(|ty| same(ty.name())) {
            return Ok(found);
        }
        const SHORT: [(&str, Type); 14] = [
            ("L1", Type::L1Cache),
            ("L1d", Type::L1Cache),
            ("L1dCache", Type::L1Cache),
            ("L2", Type::L2Cache),
            ("L3", Type::L3Cache),
            ("L4", Type::L4Cache),
            ("L5", Type::L5Cache),
            ("L1i", Type::L1iCache),
            ("L2i", Type::L2iCache),
            ("L3i", Type::L3iCache),
            ("NUMA", Type::NumaNode),
            ("PCI", Type::PciDevice),
            ("OS", Type::OsDevice),
            ("Socket", Type::Package),
        ];
        let short = SHORT.into_iter().find(|(short, _)| same(short)).map(|(_, ty)| ty);
        short.ok_or_else(|| UnknownType { name: name.into() })
    }
}

/// What a cache holds.
#[graven::object]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheKind {
    /// Data and instructions.
    Unified,
    /// Data.
    Data,
    /// Instructions.
    Instruction,
}

/// A name that is no type of object.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no type of object (try Package, Core, PU, L2, NUMANode)")]
pub struct UnknownType {
    /// The name.
    pub name: String,
}

debug_as_display!(UnknownType);
