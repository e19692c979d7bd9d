//! What is said of the machine and its processors in words.

use std::collections::BTreeMap;

use super::files::{Files, one_line};

/// hwloc's names for the files of /sys/class/dmi/id. Serial numbers and the product's UUID are left out: they
/// identify a machine, and the kernel shows them to its administrator only.
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
pub(super) fn infos(files: &Files<'_>, cpu_info: &CpuInfo, group: Option<String>) -> Vec<(String, String)> {
    let read = |directory: &str, (name, file): (&str, &str)| {
        Some((name.to_owned(), files.line(&format!("{directory}/{file}"))?))
    };
    let mut infos: Vec<_> = DMI.into_iter().filter_map(|entry| read("sys/class/dmi/id", entry)).collect();
    infos.extend(cpu_info.machine.clone());
    infos.push(("Backend".to_owned(), "Linux".to_owned()));
    infos.extend(group.map(|group| ("LinuxCgroup".to_owned(), group)));
    infos.extend(SYSTEM.into_iter().filter_map(|entry| read("proc/sys/kernel", entry)));
    let named = infos.iter().any(|(name, _)| name == "Architecture");
    if let (false, Some(name)) = (named, own_architecture().filter(|_| files.are_the_systems())) {
        infos.push(("Architecture".to_owned(), name.to_owned()));
    }
    infos
}

/// The kernel's name for what this was compiled for, where both have one: before Linux 6.1 there is no file.
fn own_architecture() -> Option<&'static str> {
    const SAME: [&str; 5] = ["x86_64", "aarch64", "riscv64", "s390x", "loongarch64"];
    SAME.into_iter().find(|&name| name == std::env::consts::ARCH)
}

/// What /proc/cpuinfo says of each processor. Its keys differ between architectures; the first one of a name
/// that is there counts.
pub(super) struct CpuInfo {
    cpus: BTreeMap<u32, Vec<(String, String)>>,
    /// What it says of no processor.
    machine: Vec<(String, String)>,
}

const CPU_INFO: [(&str, &str); 15] = [
    ("CPUVendor", "vendor_id"),
    ("CPUFamilyNumber", "cpu family"),
    ("CPUModelNumber", "model"),
    ("CPUModel", "model name"),
    ("CPUStepping", "stepping"),
    // Arm.
    ("CPUImplementer", "CPU implementer"),
    ("CPUArchitecture", "CPU architecture"),
    ("CPUVariant", "CPU variant"),
    ("CPUPart", "CPU part"),
    ("CPURevision", "CPU revision"),
    // Power.
    ("CPUModel", "cpu"),
    // LoongArch, and others.
    ("CPUModel", "Model Name"),
    ("CPUFamily", "CPU Family"),
    ("CPURevision", "CPU Revision"),
    ("CPUModel", "cpu model"),
];

const MACHINE_INFO: [(&str, &str); 6] = [
    ("PlatformName", "platform"),
    ("PlatformModel", "machine"),
    ("PlatformModel", "model"),
    ("PlatformVendor", "vendor"),
    ("HardwareName", "Hardware"),
    ("HardwareRevision", "Revision"),
];

impl CpuInfo {
    pub(super) fn read(files: &Files<'_>) -> Self {
        let text = files.start("proc/cpuinfo", u64::MAX);
        let mut info = Self { cpus: BTreeMap::new(), machine: Vec::new() };
        for block in text.split("\n\n") {
            let mut values = BTreeMap::new();
            for (key, value) in block.lines().filter_map(|line| line.split_once(':')) {
                values.entry(key.trim()).or_insert(value);
            }
            let mut infos: Vec<(String, String)> = Vec::new();
            let cpu = values.get("processor").and_then(|number| number.trim().parse().ok());
            for &(name, key) in if cpu.is_some() { &CPU_INFO[..] } else { &MACHINE_INFO[..] } {
                let value = values.get(key).and_then(|value| one_line(value));
                if let (Some(value), false) = (value, infos.iter().any(|(known, _)| known == name)) {
                    infos.push((name.to_owned(), value));
                }
            }
            // Power again: elsewhere the same key is something else.
            if let (true, Some(revision)) = (values.contains_key("cpu"), values.get("revision")) {
                infos.extend(one_line(revision).map(|revision| ("CPURevision".to_owned(), revision)));
            }
            match cpu {
                Some(cpu) => drop(info.cpus.insert(cpu, infos)),
                None if info.machine.is_empty() => info.machine = infos,
                None => {}
            }
        }
        info
    }

    /// Infos of the package that `cpu` is in.
    pub(super) fn infos(&self, cpu: u32) -> Vec<(String, String)> {
        self.cpus.get(&cpu).cloned().unwrap_or_default()
    }

    /// The family of `cpu` if its vendor is AMD.
    pub(super) fn amd_family(&self, cpu: u32) -> Option<u32> {
        let infos = self.cpus.get(&cpu)?;
        let value =
            |wanted: &str| infos.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        (value("CPUVendor") == Some("AuthenticAMD")).then(|| value("CPUFamilyNumber")?.parse().ok())?
    }

    /// Whether what looks like the threads of a core may be cores (AMD families 0x15 and 0x16).
    pub(super) fn has_compute_units(&self, cpu: u32) -> bool {
        matches!(self.amd_family(cpu), Some(0x15 | 0x16))
    }
}
