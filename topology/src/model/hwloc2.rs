//! Where hwloc 2 and 3 say the same in different words.

use super::attributes::OsDevice;
use super::handle::ObjectRef;
use super::read::Topo;

/// What is known of an OS device beside its type.
pub(crate) struct Device<'a> {
    pub(crate) name: &'a str,
    pub(crate) subtype: &'a str,
    pub(crate) info: &'a dyn Fn(&str) -> Option<String>,
}

/// hwloc 3's kinds of an OS device for hwloc 2's type. Unknown types have no kind.
///
/// Graphics devices of NVML and RSMI are told by their subtype, as hwloc 2.14 does in the other direction.
/// Source: hwloc 3, `hwloc__xml_import_object`.
pub(crate) fn kinds_of_type(ty: u64, device: &Device<'_>) -> u64 {
    let Device { name, subtype, info } = *device;
    match ty {
        0 if name.starts_with("dax") && subtype == "NVM" => OsDevice::MEMORY | OsDevice::STORAGE,
        0 if name.starts_with("dax") => OsDevice::MEMORY,
        0 if subtype == "CXLMem" && info("CXLPMEMSize").is_some() => OsDevice::MEMORY | OsDevice::STORAGE,
        0 if subtype == "CXLMem" => OsDevice::MEMORY,
        0 => OsDevice::STORAGE,
        1 if matches!(subtype, "RSMI" | "NVML") => OsDevice::GPU | OsDevice::COPROC,
        1 => OsDevice::GPU,
        2 => OsDevice::NETWORK,
        3 if subtype == "BXI" => OsDevice::NETWORK,
        3 => OsDevice::NETWORK | OsDevice::OPENFABRICS,
        4 => OsDevice::DMA,
        5 if matches!(subtype, "CUDA" | "LevelZero") => OsDevice::COPROC | OsDevice::GPU,
        5 if subtype == "OpenCL" && info("OpenCLDeviceType").as_deref() == Some("GPU") => {
            OsDevice::COPROC | OsDevice::GPU
        }
        5 => OsDevice::COPROC,
        _ => 0,
    }
}

/// hwloc 2's type of an OS device; `None` if it has no kind that hwloc 2 knows.
///
/// Source: hwloc 2.14, `hwloc__xml_import_object` (3.0 forward compatibility).
pub(crate) fn type_of_kinds(kinds: u64, subtype: &str) -> Option<u64> {
    let has = |kind| kinds & kind != 0;
    let graphics = matches!(subtype, "RSMI" | "NVML");
    if has(OsDevice::STORAGE | OsDevice::MEMORY) {
        Some(0)
    } else if has(OsDevice::COPROC) {
        Some(if graphics { 1 } else { 5 })
    } else if has(OsDevice::GPU) {
        Some(1)
    } else if has(OsDevice::OPENFABRICS) {
        Some(3)
    } else if has(OsDevice::NETWORK) {
        Some(if subtype == "BXI" { 3 } else { 2 })
    } else if has(OsDevice::DMA) {
        Some(4)
    } else {
        None
    }
}

/// hwloc 2's type of an OS device of a topology.
pub(crate) fn os_device_type<T: Topo>(object: &ObjectRef<'_, T>) -> Option<u64> {
    let device = object.os_device()?;
    type_of_kinds(device.kinds, object.subtype().unwrap_or(""))
}

/// Which backend says that there is such a device: hwloc 2 writes it on the device, hwloc 3 once for all.
pub(crate) fn backend(subtype: &str) -> Option<&'static str> {
    Some(match subtype {
        "CUDA" => "CUDA",
        "NVML" => "NVML",
        "OpenCL" => "OpenCL",
        "RSMI" => "RSMI",
        "LevelZero" => "LevelZero",
        "Display" => "GL",
        _ => return None,
    })
}
