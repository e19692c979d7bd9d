//! Memory that the kernel hands out as devices: which of it is what, and where it comes from.
//!
//! A device with the driver `kmem` is memory of a NUMA node; the others are OS devices.
//!
//! Source: Linux, Documentation/ABI/testing/sysfs-bus-dax, sysfs-bus-cxl.

use super::files::{Files, decimal, one_line};
use super::io::Address;

pub(super) const DEVICES: &str = "sys/bus/dax/devices";

/// More devices than one region of memory may be spread over.
const WAYS: u32 = 16;

/// NUMA nodes that are such memory, with infos for them.
pub(super) fn memory(files: &Files<'_>) -> Vec<(u32, Vec<(String, String)>)> {
    let names = files.names(DEVICES).into_iter().filter(|name| is_memory(files, name));
    let describe = |name: String| {
        let number = files.number(&format!("{DEVICES}/{name}/target_node"))?;
        let mut infos = vec![("DAXDevice".to_owned(), one_line(&name)?)];
        infos.extend(Origin::of(files, &name)?.infos);
        Some((number, infos))
    };
    names.filter_map(describe).collect()
}

/// Whether the device is used as memory of a NUMA node.
pub(super) fn is_memory(files: &Files<'_>, name: &str) -> bool {
    files.exists(&format!("sys/bus/dax/drivers/kmem/{name}"))
}

/// What a device's place in the tree of devices says.
pub(super) struct Origin {
    /// Whether it keeps its contents without power.
    pub(super) non_volatile: bool,
    pub(super) infos: Vec<(String, String)>,
}

impl Origin {
    /// `None` if the device's place is not known.
    pub(super) fn of(files: &Files<'_>, name: &str) -> Option<Self> {
        let path = files.resolve(&format!("{DEVICES}/{name}")).ok()?;
        let path = path.to_str()?.strip_prefix("sys/devices/")?;
        let path = path.strip_prefix("platform/").unwrap_or(path);
        // Above the first directory with the device's name.
        let parents = path.split('/').take_while(|&part| part != name);
        let parent = parents.clone().collect::<Vec<_>>().join("/");
        let non_volatile = parent.contains("ndbus");
        let info = |name: &str, value: String| Some((name.to_owned(), one_line(&value)?));
        let mut infos = Vec::new();
        infos.extend(info("DAXType", if non_volatile { "NVM" } else { "SPM" }.to_owned()));
        if let Some(region) = parents.clone().find_map(|part| decimal(part.strip_prefix("region")?)) {
            let devices = cxl_devices(files, region);
            if devices.len() > 1 {
                infos.extend(info("CXLDeviceInterleaveWays", devices.len().to_string()));
            }
            infos.extend(info("CXLDevice", devices.join(",")));
        }
        infos.extend(info("DAXParent", parent));
        Some(Self { non_volatile, infos })
    }
}

/// The PCI devices over which a CXL region is spread.
fn cxl_devices(files: &Files<'_>, region: u32) -> Vec<String> {
    let device = |target: u32| {
        let decoder = files.line(&format!("sys/bus/cxl/devices/region{region}/target{target}"))?;
        let decoder = files.resolve(&format!("sys/bus/cxl/devices/{decoder}")).ok()?;
        let endpoint = decoder.to_str()?.split('/').find(|part| part.starts_with("endpoint"))?.to_owned();
        let port = files.resolve(&format!("sys/bus/cxl/devices/{endpoint}/uport")).ok()?;
        Some(Address::last_in(&port)?.to_string())
    };
    (0..WAYS).map_while(device).collect()
}
