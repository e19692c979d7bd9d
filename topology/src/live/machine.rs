//! What is said of the machine and its processors in words.

use std::collections::BTreeMap;

use super::files::Files;

/// hwloc's names for the files of /sys/class/dmi/id. Serial numbers are left out: they identify a machine.
const DMI: [(&str, &str); 14] = [
    ("DMIProductName", "product_name"),
    ("DMIProductVersion", "product_version"),
    ("DMIBoardVendor", "board_vendor"),
    ("DMIBoardName", "board_name"),
    ("DMIBoardVersion", "board_version"),
    ("DMIBoardAssetTag", "board_asset_tag"),
    ("DMIChassisVendor", "chassis_vendor"),
    ("DMIChassisType", "chassis_type"),
    ("DMIChassisVersion", "chassis_version"),
    ("DMIChassisAssetTag", "chassis_asset_tag"),
    ("DMIBIOSVendor", "bios_vendor"),
    ("DMIBIOSVersion", "bios_version"),
    ("DMIBIOSDate", "bios_date"),
    ("DMISysVendor", "sys_vendor"),
];

const SYSTEM: [(&str, &str); 5] = [
    ("OSName", "ostype"),
    ("OSRelease", "osrelease"),
    ("OSVersion", "version"),
    ("HostName", "hostname"),
    ("Architecture", "arch"),
];

/// Infos of the Machine, under hwloc's names.
pub(super) fn infos(files: &Files<'_>) -> Vec<(String, String)> {
    let read = |directory: &str, (name, file): (&str, &str)| {
        Some((name.to_owned(), files.some_text(&format!("{directory}/{file}"))?))
    };
    let mut infos: Vec<_> = DMI.into_iter().filter_map(|entry| read("sys/class/dmi/id", entry)).collect();
    infos.push(("Backend".to_owned(), "Linux".to_owned()));
    infos.extend(SYSTEM.into_iter().filter_map(|entry| read("proc/sys/kernel", entry)));
    infos
}

/// What /proc/cpuinfo says of each processor. Its keys differ between architectures; these are those of x86.
pub(super) struct CpuInfo {
    cpus: BTreeMap<u32, Vec<(String, String)>>,
}

const CPU_INFO: [(&str, &str); 5] = [
    ("CPUVendor", "vendor_id"),
    ("CPUFamilyNumber", "cpu family"),
    ("CPUModelNumber", "model"),
    ("CPUModel", "model name"),
    ("CPUStepping", "stepping"),
];

impl CpuInfo {
    pub(super) fn read(files: &Files<'_>) -> Self {
        let text = files.text("proc/cpuinfo").unwrap_or_default();
        let mut cpus = BTreeMap::new();
        for block in text.split("\n\n") {
            let value = |key: &str| {
                block.lines().find_map(|line| {
                    let (found, value) = line.split_once(':')?;
                    (found.trim() == key).then(|| value.trim().to_owned())
                })
            };
            let Some(cpu) = value("processor").and_then(|number| number.parse().ok()) else { continue };
            let infos = CPU_INFO.iter().filter_map(|&(name, key)| Some((name.to_owned(), value(key)?)));
            cpus.insert(cpu, infos.collect());
        }
        Self { cpus }
    }

    /// Infos of the package that `cpu` is in.
    pub(super) fn infos(&self, cpu: u32) -> Vec<(String, String)> {
        self.cpus.get(&cpu).cloned().unwrap_or_default()
    }
}
