//! Devices as the operating system names them, class by class, and which device or object each is below.
//!
//! Source: Linux, Documentation/ABI/testing/sysfs-class-net, stable/sysfs-block, stable/sysfs-class-infiniband,
//! testing/sysfs-bus-dax, testing/sysfs-bus-cxl.

use crate::model::attributes::OsDevice;
use crate::model::builder::{Attributes, Node};

use super::super::dax::{self, Origin};
use super::super::files::{Files, one_line};
use super::address::Address;
use super::forest::{Below, Forest, os_device};
use super::{block, fabric, pci};

/// Adds the OS devices to the forest: those of the classes that hwloc's filter calls important, or of all.
pub(super) fn add_all(files: &Files<'_>, whole: bool, forest: &mut Forest) {
    let mut class = |directory: &str, describe: &dyn Fn(&str, &str) -> Option<Node>| {
        for name in files.names(directory) {
            let path = format!("{directory}/{name}");
            // Looked up first: virtual devices (loop0, lo, bridges between machines) are many, and skipped.
            let Some(place) = place(files, &path, whole, forest) else { continue };
            if let Some(node) = describe(&name, &path).filter(|_| one_line(&name).as_ref() == Some(&name)) {
                forest.add(place, node);
            }
        }
    };
    class("sys/class/block", &|name, path| block::describe(files, name, path));
    class(dax::DEVICES, &|name, path| dax_device(files, name, path));
    class("sys/class/net", &|name, path| Some(fabric::network(files, name, path)));
    class("sys/class/infiniband", &|name, path| fabric::infiniband(files, name, path));
    class("sys/bus/cxl/devices", &|name, path| cxl_memory(files, name, path));
    if whole {
        // Outputs of a card (card0-DP-1) have no device number.
        let card = |name: &str, path: &str| {
            files.exists(&format!("{path}/dev")).then(|| os_device(name, OsDevice::GPU))
        };
        class("sys/class/drm", &card);
        class("sys/class/dma", &|name, _| Some(os_device(name, OsDevice::DMA)));
    }
}

/// Below what a device is; `None` if it is to be skipped: a virtual one, or one on USB unless `whole`.
fn place(files: &Files<'_>, path: &str, whole: bool, forest: &Forest) -> Option<Below> {
    let real = files.resolve(path).ok()?;
    // Once a class had directories, with a link to the device in them.
    let real = match real.to_str()? {
        same if same == path => files.resolve(&format!("{path}/device")).ok()?,
        _ => real,
    };
    let text = real.to_str()?;
    if text.contains("/virtual/") || (!whole && text.contains("/usb")) {
        return None;
    }
    if let Some(address) = Address::last_in(&real).filter(|_| text.contains("/pci")) {
        if let Some(branch) = forest.find(address) {
            return Some(Below::Branch(branch));
        }
        if let Some(cpus) = pci::local_cpus(files, address) {
            return Some(Below::Near(cpus));
        }
    }
    // Of a class the device that it points to has the number; on a bus the device itself; before Linux 5.5
    // some have it in what is above.
    let node = ["device/numa_node", "numa_node", "../numa_node"]
        .iter()
        .find_map(|name| files.number::<u32>(&format!("{path}/{name}")));
    Some(node.map_or_else(|| Below::Near(Default::default()), Below::Numa))
}

/// Memory as a device. That of NUMA nodes is described there.
fn dax_device(files: &Files<'_>, name: &str, path: &str) -> Option<Node> {
    if dax::is_memory(files, name) {
        return None;
    }
    let origin = Origin::of(files, name);
    let non_volatile = origin.as_ref().is_some_and(|origin| origin.non_volatile);
    let storage = if non_volatile { OsDevice::STORAGE } else { 0 };
    let mut node = os_device(name, OsDevice::MEMORY | storage);
    if let Some(origin) = origin {
        node = node.subtype(if non_volatile { "NVM" } else { "SPM" });
        node.infos = origin.infos;
    }
    if let Some(bytes) = files.number::<u64>(&format!("{path}/size")) {
        node = node.info("Size", (bytes >> 10).to_string());
    }
    Some(block::with_device_number(files, path, node))
}

/// A memory device on CXL.
fn cxl_memory(files: &Files<'_>, name: &str, path: &str) -> Option<Node> {
    name.strip_prefix("mem")?;
    let size = |kind: &str| {
        let text = files.text(&format!("{path}/{kind}/size")).ok()?;
        u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok().or_else(|| text.parse().ok())
    };
    let mut node = os_device(name, OsDevice::MEMORY).subtype("CXLMem");
    let sizes = [("CXLRAMSize", size("ram")), ("CXLPMEMSize", size("pmem"))];
    for (info, bytes) in sizes.into_iter().filter_map(|(info, bytes)| Some((info, bytes.filter(|&b| b > 0)?)))
    {
        node = node.info(info, (bytes >> 10).to_string());
        if info == "CXLPMEMSize" {
            let kinds = OsDevice::MEMORY | OsDevice::STORAGE;
            node = node.attributes(Attributes::OsDevice(OsDevice { kinds }));
        }
    }
    match files.line(&format!("{path}/serial")) {
        Some(serial) => Some(node.info("SerialNumber", serial)),
        None => Some(node),
    }
}
