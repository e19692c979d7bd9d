//! Block devices: disks and what looks like them.

use crate::model::attributes::OsDevice;
use crate::model::builder::Node;

use super::super::files::{Files, one_line};
use super::forest::os_device;

/// `None` for a partition: it is part of a device.
pub(super) fn describe(files: &Files<'_>, name: &str, path: &str) -> Option<Node> {
    if files.exists(&format!("{path}/partition")) {
        return None;
    }
    let mut node = os_device(name, OsDevice::STORAGE);
    // The kernel counts in 512 bytes whatever the sector size, hwloc in KiB.
    if let Some(sectors) = files.number::<u64>(&format!("{path}/size")) {
        node = node.info("Size", (sectors / 2).to_string());
    }
    let sector = files.number::<u32>(&format!("{path}/queue/hw_sector_size"));
    if let Some(bytes) = sector.filter(|&bytes| bytes > 0) {
        node = node.info("SectorSize", bytes.to_string());
    }
    node = with_device_number(files, path, node);
    let number = node.infos.iter().find(|(name, _)| name == "LinuxDeviceID").map(|(_, value)| value.as_str());
    let made = Made::read(files, path, number);
    let infos = [
        ("Vendor", made.vendor.as_deref().or(made.vendor_by_model())),
        ("Model", made.model.as_deref()),
        ("Revision", made.revision.as_deref()),
        ("SerialNumber", made.serial.as_deref()),
    ];
    for (name, value) in infos {
        node.infos.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
    let non_volatile = files.text(&format!("{path}/device/devtype")).is_ok_and(|ty| ty.starts_with("nd_"));
    let subtype = match made.ty.as_deref() {
        _ if non_volatile => "NVM",
        Some("disk") => "Disk",
        _ if name.starts_with("nvme") => "Disk",
        Some("tape") => "Tape",
        Some("cd" | "floppy" | "optical") => "Removable Media Device",
        _ => return Some(node),
    };
    Some(node.subtype(subtype))
}

/// Adds the numbers by which the kernel knows the device, `254:0`.
pub(super) fn with_device_number(files: &Files<'_>, path: &str, node: Node) -> Node {
    let number = files.line(&format!("{path}/dev")).filter(|number| {
        let parts = number.split_once(':');
        parts.is_some_and(|(major, minor)| major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok())
    });
    match number {
        Some(number) => node.info("LinuxDeviceID", number),
        None => node,
    }
}

/// Who made it, and what.
#[derive(Default)]
struct Made {
    vendor: Option<String>,
    model: Option<String>,
    revision: Option<String>,
    serial: Option<String>,
    ty: Option<String>,
}

impl Made {
    /// As udev has found out; else, without the serial number, as the device itself says.
    fn read(files: &Files<'_>, path: &str, number: Option<&str>) -> Self {
        let udev = number.map(|number| files.start(&format!("run/udev/data/b{number}"), u64::MAX));
        let udev = udev.unwrap_or_default();
        let property = |wanted: &str| {
            let lines = udev.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
            lines.filter(|(name, _)| *name == wanted).find_map(|(_, value)| one_line(value))
        };
        let mut made = Self {
            vendor: property("ID_VENDOR"),
            model: property("ID_MODEL"),
            revision: property("ID_REVISION"),
            serial: property("ID_SERIAL_SHORT"),
            ty: property("ID_TYPE"),
        };
        if made.model.is_none() {
            let file = |name: &str| files.line(&format!("{path}/device/{name}"));
            made.model = file("model");
            // Of a virtual machine's disk this is the number of the vendor of its bus.
            let vendor = file("vendor").filter(|vendor| !vendor.starts_with("0x"));
            made.vendor = made.vendor.or(vendor.filter(|_| made.model.is_some()));
            made.revision = made.revision.or(file("rev")).or(file("firmware_rev"));
        }
        // Not a vendor but the way it is attached.
        made.vendor = made.vendor.filter(|vendor| !vendor.eq_ignore_ascii_case("ATA"));
        made
    }

    /// Some say it in the model only.
    fn vendor_by_model(&self) -> Option<&'static str> {
        const VENDORS: [(&str, &str); 5] = [
            ("wd", "Western Digital"),
            ("st", "Seagate"),
            ("samsung", "Samsung"),
            ("sandisk", "SanDisk"),
            ("toshiba", "Toshiba"),
        ];
        let model = self.model.as_ref()?.to_lowercase();
        VENDORS.into_iter().find(|(start, _)| model.starts_with(start)).map(|(_, vendor)| vendor)
    }
}
