//! What is said of the machine as a whole: tiers of memory, which processors a PCI bus is near to, filters.

// Of `Filter` and its archived form: the words are those of `hwloc_type_filter_e`.
#![allow(clippy::enum_variant_names)]

use crate::model::native::{native_enum, native_record};
use crate::model::object::Span;
use crate::model::read::{Topo, infos};
use crate::model::set_ref::SetRef;

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

native_record!(MemoryTier, ArchivedMemoryTier { kinds, nodeset, infos });

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

/// A tier of memory, read in place.
pub struct MemoryTierRef<'a, T> {
    topology: &'a T,
    tier: MemoryTier,
}

impl<'a, T: Topo> MemoryTierRef<'a, T> {
    pub(crate) fn new(topology: &'a T, index: u32) -> Option<Self> {
        Some(Self { topology, tier: topology.memory_tier_record(index)? })
    }

    /// What memory it is: a sum of [`MemoryTier`]'s constants; 0 if unknown.
    pub fn kinds(&self) -> u64 {
        self.tier.kinds
    }

    /// Its NUMA nodes; `None` only in an unchecked topology.
    pub fn nodeset(&self) -> Option<SetRef<'a, T>> {
        SetRef::new(self.topology, self.tier.nodeset)
    }

    /// Its infos.
    pub fn infos(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a, T> {
        infos(self.topology, self.tier.infos)
    }
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

native_record!(PciLocality, ArchivedPciLocality { domain, first_bus, last_bus, cpuset });

/// Which processors some PCI buses are near to, read in place.
pub struct PciLocalityRef<'a, T> {
    topology: &'a T,
    locality: PciLocality,
}

impl<'a, T: Topo> PciLocalityRef<'a, T> {
    pub(crate) fn new(topology: &'a T, index: u32) -> Option<Self> {
        Some(Self { topology, locality: topology.pci_locality_record(index)? })
    }

    /// Domain of the buses.
    pub fn domain(&self) -> u32 {
        self.locality.domain
    }

    /// The first and the last bus.
    pub fn buses(&self) -> (u32, u32) {
        (self.locality.first_bus, self.locality.last_bus)
    }

    /// The processors; `None` only in an unchecked topology.
    pub fn cpuset(&self) -> Option<SetRef<'a, T>> {
        SetRef::new(self.topology, self.locality.cpuset)
    }
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

native_enum!(Filter, ArchivedFilter { KeepAll, KeepNone, KeepStructure, KeepImportant });
