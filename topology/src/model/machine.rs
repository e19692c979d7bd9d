//! What is said of the machine as a whole: tiers of memory, and which processors a PCI bus is near to.

use super::facts::{MemoryTier, PciLocality};
use super::handle::ObjectRef;
use super::set::Bits;
use super::set_ref::SetRef;
use super::tables::{Tables, infos};
use super::types::Type;

/// A tier of memory, read in place.
pub struct MemoryTierRef<'a, T> {
    topology: &'a T,
    tier: MemoryTier,
}

impl<'a, T: Tables> MemoryTierRef<'a, T> {
    pub(crate) fn new(topology: &'a T, index: u32) -> Option<Self> {
        Some(Self { topology, tier: topology.memory_tier_record(index)? })
    }

    /// All of a topology.
    pub(crate) fn all(topology: &'a T) -> impl Iterator<Item = Self> + use<'a, T> {
        (0..topology.memory_tier_count()).filter_map(move |index| Self::new(topology, index))
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

/// Which processors some PCI buses are near to, read in place.
pub struct PciLocalityRef<'a, T> {
    topology: &'a T,
    locality: PciLocality,
}

impl<'a, T: Tables> PciLocalityRef<'a, T> {
    pub(crate) fn new(topology: &'a T, index: u32) -> Option<Self> {
        Some(Self { topology, locality: topology.pci_locality_record(index)? })
    }

    /// All of a topology.
    pub(crate) fn all(topology: &'a T) -> impl Iterator<Item = Self> + use<'a, T> {
        (0..topology.pci_locality_count()).filter_map(move |index| Self::new(topology, index))
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

impl<T: Tables> ObjectRef<'_, T> {
    /// Which tier of memory a NUMA node is in, as an index of [`Topo::memory_tiers`](crate::Topo::memory_tiers).
    /// O(tiers).
    pub fn memory_tier(&self) -> Option<u32> {
        let os_index = self.os_index().filter(|_| self.ty() == Type::NumaNode)?;
        let position = MemoryTierRef::all(self.topology())
            .position(|tier| tier.nodeset().is_some_and(|nodeset| nodeset.contains(os_index)))?;
        u32::try_from(position).ok()
    }
}
