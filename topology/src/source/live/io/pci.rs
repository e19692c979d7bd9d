//! PCI devices and bridges, each by itself.
//!
//! Source: Linux, Documentation/ABI/testing/sysfs-bus-pci; PCI Local Bus Specification 3.0, section 6.1
//! (configuration space); PCI Express Base Specification, section 7.5.3 (link status).

use crate::model::attributes::Pci;
use crate::model::set::{Bits, CpuSet};

use super::super::files::{Files, NODE};
use super::address::Address;

const DEVICES: &str = "sys/bus/pci/devices";

/// Class of a bridge from PCI to PCI.
const BRIDGE: u16 = 0x0604;

/// A device or a bridge.
pub(super) struct Device {
    pub(super) address: Address,
    pub(super) pci: Pci,
    /// First and last bus below, if this is a bridge to PCI.
    pub(super) buses: Option<(u8, u8)>,
    pub(super) infos: Vec<(String, String)>,
}

/// All devices by address. A bridge whose buses make no sense is left out, as hwloc does.
pub(super) fn devices(files: &Files<'_>) -> Vec<Device> {
    let names = files.names(DEVICES);
    let mut devices: Vec<Device> = names.iter().filter_map(|name| device(files, name)).collect();
    devices.sort_by_key(|device| device.address);
    devices.dedup_by_key(|device| device.address);
    slots(files, &mut devices);
    devices
}

fn device(files: &Files<'_>, name: &str) -> Option<Device> {
    let address = Address::parse(name)?;
    let file = |file: &str| format!("{DEVICES}/{name}/{file}");
    let space = ConfigSpace::read(files, &file("config"));
    let class = files.hexadecimal(&file("class")).unwrap_or(0);
    let id = |name: &str| files.hexadecimal(&file(name)).and_then(|id| u16::try_from(id).ok()).unwrap_or(0);
    let revision = files.hexadecimal(&file("revision")).and_then(|revision| u8::try_from(revision).ok());
    let speed = space.link_speed().or_else(|| link_speed(files, &file)).unwrap_or(0.0);
    let pci = Pci {
        domain: address.domain,
        link_speed_bits: speed.to_bits(),
        class: (class >> 8) as u16,
        vendor: id("vendor"),
        device: id("device"),
        subvendor: id("subsystem_vendor"),
        subdevice: id("subsystem_device"),
        bus: address.bus,
        dev: address.dev,
        func: address.func,
        revision: revision.or_else(|| space.byte(8)).unwrap_or(0),
        prog_if: class as u8,
    };
    // The kernel has the numbers since 4.13, and reading more of the space takes privileges.
    let bus = |name: &str| files.number::<u8>(&file(name));
    let of_files = || Some((bus("secondary_bus_number")?, bus("subordinate_bus_number")?));
    let header = space.byte(0x0e).map(|header| header & 0x7f);
    let buses = match (pci.class, header) {
        (BRIDGE, Some(1)) => Some((space.byte(0x19)?, space.byte(0x1a)?)),
        (BRIDGE, None) => of_files(),
        _ => None,
    };
    if let Some((first, last)) = buses {
        // Buses are numbered downward, so this also makes the hierarchy a tree.
        if first <= address.bus || last < first {
            return None;
        }
    }
    Some(Device { address, pci, buses, infos: Vec::new() })
}

/// Names of the slots that devices are in.
fn slots(files: &Files<'_>, devices: &mut [Device]) {
    const SLOTS: &str = "sys/bus/pci/slots";
    for name in files.names(SLOTS) {
        let Ok(text) = files.text(&format!("{SLOTS}/{name}/address")) else { continue };
        // All functions of a device; an empty slot has no device number.
        let Some(first) = Address::parse(&format!("{}.0", text.trim())) else { continue };
        let from = devices.partition_point(|device| device.address < first);
        let same = |device: &&mut Device| Address { func: 0, ..device.address } == first;
        for device in devices.iter_mut().skip(from).take_while(same) {
            device.infos.push(("PCISlot".to_owned(), name.clone()));
        }
    }
}

/// Processors near the device; `None` if nothing is known.
pub(in crate::source::live) fn local_cpus(files: &Files<'_>, address: Address) -> Option<CpuSet> {
    let file = |name: &str| format!("{DEVICES}/{address}/{name}");
    let of_node = || {
        // -1 if there is none.
        let node: u32 = files.number(&file("numa_node"))?;
        files.set(&format!("{NODE}/node{node}/cpumap"), &format!("{NODE}/node{node}/cpulist"))
    };
    let of_device = files.set(&file("local_cpus"), &file("local_cpulist"));
    of_device.filter(|set| !set.is_empty()).or_else(of_node)
}

/// From the files that say it to everybody, in GB/s.
fn link_speed(files: &Files<'_>, file: &impl Fn(&str) -> String) -> Option<f32> {
    // `8.0 GT/s PCIe`.
    let transfers = files.text(&file("current_link_speed")).ok()?;
    let transfers: f32 = transfers.split_whitespace().next()?.parse().ok()?;
    let lanes: f32 = files.number::<u8>(&file("current_link_width"))?.into();
    let encoding = match transfers {
        ..6.0 => 0.8,
        _ => 128.0 / 130.0,
    };
    Some(transfers * encoding * lanes / 8.0).filter(|speed| speed.is_finite())
}

/// The first 256 bytes that a device has to say of itself, or as many of them as we may read.
struct ConfigSpace(Vec<u8>);

impl ConfigSpace {
    fn read(files: &Files<'_>, name: &str) -> Self {
        let mut bytes = files.bytes(name).unwrap_or_default();
        bytes.truncate(256);
        Self(bytes)
    }

    fn byte(&self, at: u8) -> Option<u8> {
        self.0.get(usize::from(at)).copied()
    }

    /// In GB/s, from the status of the link; `None` if the device has none or we may not read it.
    fn link_speed(&self) -> Option<f32> {
        const HAS_CAPABILITIES: u8 = 1 << 4;
        const EXPRESS: u8 = 0x10;
        if self.byte(0x06)? & HAS_CAPABILITIES == 0 {
            return None;
        }
        let mut at = self.byte(0x34)? & !3;
        // A chain of blocks of at least 4 bytes, beyond the header of 64.
        for _ in 0..(256 - 64) / 4 {
            if at < 64 {
                return None;
            }
            if self.byte(at)? == EXPRESS {
                let status = at.checked_add(0x12)?;
                let status = u16::from_le_bytes([self.byte(status)?, self.byte(status.checked_add(1)?)?]);
                let (generation, lanes) = (i32::from(status & 0xf), f32::from(status >> 4 & 0x3f));
                let lane = match generation {
                    ..=2 => 2.5 * generation as f32 * 0.8,
                    3..=5 => 8.0 * 2f32.powi(generation - 3) * 128.0 / 130.0,
                    _ => 8.0 * 2f32.powi(generation - 3) * 242.0 / 256.0,
                };
                return Some(lane * lanes / 8.0);
            }
            at = self.byte(at.checked_add(1)?)? & !3;
        }
        None
    }
}
