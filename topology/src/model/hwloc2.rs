//! What hwloc 2 calls what hwloc 3 has other words for.

use super::attributes::OsDevice;
use super::handle::ObjectRef;
use super::tables::Tables;

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
pub(crate) fn os_device_type<T: Tables>(object: &ObjectRef<'_, T>) -> Option<u64> {
    let device = object.os_device()?;
    type_of_kinds(device.kinds, object.subtype().unwrap_or(""))
}
