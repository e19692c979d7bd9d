//! What hwloc 2 says in other words than hwloc 3.

use crate::model::attributes::OsDevice;

/// What is known of an OS device beside its type.
pub(super) struct Device<'a> {
    pub(super) name: &'a str,
    pub(super) subtype: &'a str,
    pub(super) info: &'a dyn Fn(&str) -> Option<String>,
}

/// hwloc 3's kinds of an OS device for hwloc 2's type. Unknown types have no kind.
///
/// Graphics devices of NVML and RSMI are told by their subtype, as hwloc 2.14 does in the other direction.
/// Source: hwloc 3, `hwloc__xml_import_object`.
pub(super) fn kinds_of_type(ty: u64, device: &Device<'_>) -> u64 {
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

/// Which backend says that there is such a device: hwloc 2 writes it on the device, hwloc 3 once for all.
pub(super) fn backend(subtype: &str) -> Option<&'static str> {
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
