//! PCI devices, bridges, and OS devices.
//!
//! A device is seen in `/sys/bus/pci/devices`; the hierarchy is made of the bus numbers that bridges have, as in
//! hwloc, and not of directories. See [`Detector`](super::Detector) for what is left out.

mod address;
mod block;
mod fabric;
mod forest;
mod os_device;
mod pci;

use crate::model::builder::Builder;
use crate::model::facts::Filter;
use crate::model::set::CpuSet;
use crate::model::types::Type;

use super::files::Files;
use super::nest::Built;
use forest::Forest;

pub(super) use address::Address;
pub(super) use pci::local_cpus;

/// All devices that are to be described.
pub(super) struct Devices {
    forest: Forest,
    filter: Filter,
}

impl Devices {
    pub(super) fn read(files: &Files<'_>, filter: Filter) -> Self {
        let (whole, none) = (filter == Filter::KeepAll, filter == Filter::KeepNone);
        let mut devices = if none { Vec::new() } else { pci::devices(files) };
        devices.retain(|device| whole || device.buses.is_some() || is_important(device.pci.class));
        let local = |address| local_cpus(files, address).unwrap_or_default();
        let mut forest = Forest::new(devices, local);
        if !none {
            os_device::add_all(files, whole, &mut forest);
        }
        forest.settle(whole);
        Self { forest, filter }
    }

    /// Sets of processors that devices are near to: each deserves an object.
    pub(super) fn localities(&self) -> impl Iterator<Item = &CpuSet> {
        self.forest.localities()
    }

    /// Sets of processors that the devices which stay are near to.
    pub(super) fn kept_localities(&self) -> impl Iterator<Item = &CpuSet> {
        self.forest.kept_localities()
    }

    pub(super) fn build(self, built: &Built, builder: &mut Builder) {
        for ty in [Type::Bridge, Type::PciDevice, Type::OsDevice] {
            builder.filter(ty, self.filter);
        }
        self.forest.build(built, builder);
    }
}

/// The classes of PCI devices that hwloc's filter keeps.
fn is_important(class: u16) -> bool {
    match (class >> 8, class) {
        // Unclassified (some fabrics), storage, network, display.
        (0x00..=0x03, _) => true,
        // Bridges to something else than PCI: they go later if nothing is behind them.
        (0x06, _) => true,
        // Processors, processing accelerators.
        (0x0b | 0x12, _) => true,
        // Memory on CXL; Fibre Channel; InfiniBand.
        (_, 0x0502 | 0x0c04 | 0x0c06) => true,
        _ => false,
    }
}
