//! A root with a `sys` and `proc` of its own, and what to put there.
#![allow(dead_code, unreachable_pub)] // each test file uses its part of this

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use graven_topology::error::DetectError;
use graven_topology::{Bits, Detector, Set, Topo, Topology, Type};
use tempfile::TempDir;

pub struct Fake(pub TempDir);

impl Fake {
    pub fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn new(online: &str) -> Self {
        let fake = Self::empty();
        fake.file("sys/devices/system/cpu/online", online);
        fake
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn bytes(&self, name: &str, bytes: &[u8]) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    pub fn file(&self, name: &str, text: impl Display) -> &Self {
        self.bytes(name, format!("{text}\n").as_bytes())
    }

    pub fn directory(&self, name: &str) -> &Self {
        fs::create_dir_all(self.path(name)).unwrap();
        self
    }

    pub fn link(&self, name: &str, target: impl AsRef<Path>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    pub fn cpu(&self, cpu: u32, name: &str, text: impl Display) -> &Self {
        self.file(&format!("sys/devices/system/cpu/cpu{cpu}/{name}"), text)
    }

    /// A set in both forms that the kernel has of it; only in list form if it is none.
    pub fn set(&self, mask: &str, list: &str, set: &str) -> &Self {
        if let Ok(set) = Set::from_list(set) {
            self.file(mask, set.mask().to_string().replace("0x", ""));
        }
        self.file(list, set)
    }

    fn cpu_set(&self, cpu: u32, mask: &str, list: &str, set: &str) -> &Self {
        let name = |name: &str| format!("sys/devices/system/cpu/cpu{cpu}/{name}");
        self.set(&name(mask), &name(list), set)
    }

    /// Core and package of a processor: number and members.
    pub fn topology(&self, cpu: u32, core: (u32, &str), package: (u32, &str)) -> &Self {
        self.cpu(cpu, "topology/core_id", core.0);
        self.cpu_set(cpu, "topology/core_cpus", "topology/core_cpus_list", core.1);
        self.cpu(cpu, "topology/physical_package_id", package.0);
        self.cpu_set(cpu, "topology/package_cpus", "topology/package_cpus_list", package.1)
    }

    pub fn cache(&self, cpu: u32, index: u32, level: u32, kind: &str, size: &str, shared: &str) -> &Self {
        let name = |name: &str| format!("cache/index{index}/{name}");
        self.cpu(cpu, &name("level"), level).cpu(cpu, &name("type"), kind).cpu(cpu, &name("size"), size);
        self.cpu(cpu, &name("coherency_line_size"), 64).cpu(cpu, &name("ways_of_associativity"), 8);
        if let Some(kilobytes) = size.strip_suffix('K').and_then(|size| size.parse::<u32>().ok()) {
            self.cpu(cpu, &name("number_of_sets"), kilobytes * 1024 / 64 / 8);
        }
        self.cpu_set(cpu, &name("shared_cpu_map"), &name("shared_cpu_list"), shared)
    }

    /// The directory of a NUMA node.
    pub fn node(&self, node: u32, cpus: &str, kilobytes: u64) -> String {
        let directory = format!("sys/devices/system/node/node{node}");
        self.set(&format!("{directory}/cpumap"), &format!("{directory}/cpulist"), cpus);
        self.file(&format!("{directory}/meminfo"), format!("Node {node} MemTotal:    {kilobytes} kB"));
        directory
    }

    /// The directory of a PCI device, below those it is behind, with what it says of itself to everybody.
    pub fn pci(&self, above: &str, address: &str, class: u32, ids: [u16; 4]) -> String {
        let directory = format!("sys/devices/{above}/{address}");
        self.file(&format!("{directory}/class"), format!("{class:#08x}"));
        let names = ["vendor", "device", "subsystem_vendor", "subsystem_device"];
        for (name, id) in names.iter().zip(ids) {
            self.file(&format!("{directory}/{name}"), format!("{id:#06x}"));
        }
        self.bytes(&format!("{directory}/config"), &[0; 64]);
        self.link(&format!("sys/bus/pci/devices/{address}"), format!("../../../../{directory}"));
        directory
    }

    /// A PCI bridge from `above` to the buses `first` to `last`.
    pub fn bridge(&self, above: &str, address: &str, first: u8, last: u8) -> String {
        let directory = self.pci(above, address, 0x06_04_00, [0x8086, 0x2030, 0, 0]);
        self.bridge_config(&directory, first, last);
        directory
    }

    /// The buses behind the bridge with this directory.
    pub fn bridge_config(&self, directory: &str, first: u8, last: u8) -> &Self {
        let mut space = [0u8; 64];
        (space[0x0e], space[0x19], space[0x1a]) = (0x81, first, last);
        self.bytes(&format!("{directory}/config"), &space)
    }

    /// A device of a class, below the device in `above`. The directory.
    pub fn class(&self, class: &str, above: &str, name: &str) -> String {
        let directory = format!("{above}/{class}/{name}");
        self.directory(&directory);
        self.link(&format!("sys/class/{class}/{name}"), format!("../../../{directory}"));
        directory
    }

    pub fn detector(&self) -> Detector {
        Detector::new().root(self.0.path())
    }

    pub fn detect(&self) -> Topology {
        checked(&self.detector())
    }

    pub fn error(&self) -> DetectError {
        self.detector().detect().unwrap_err()
    }
}

pub fn checked(detector: &Detector) -> Topology {
    let topology = detector.detect().unwrap();
    topology.check().unwrap();
    topology
}

/// Two sockets of two cores of two threads; the second threads are 4 to 7.
pub fn two_sockets() -> Fake {
    let fake = Fake::new("0-7");
    for cpu in 0..8 {
        let (core, package) = (cpu % 4, cpu % 4 / 2);
        let threads = format!("{core},{}", core + 4);
        let members = ["0-1,4-5", "2-3,6-7"][package as usize];
        fake.topology(cpu, (core % 2, &threads), (package, members));
        fake.cache(cpu, 0, 1, "Data", "32K", &threads).cache(cpu, 1, 1, "Instruction", "64K", &threads);
        fake.cache(cpu, 2, 2, "Unified", "1024K", &threads).cache(cpu, 3, 3, "Unified", "16384K", members);
    }
    fake.node(0, "0-1,4-5", 1 << 20);
    fake.node(1, "2-3,6-7", 2 << 20);
    fake
}

/// Processors in packages of `size` without more, and no NUMA nodes.
pub fn packages(count: u32, size: u32) -> Fake {
    let fake = Fake::new(&format!("0-{}", count * size - 1));
    for cpu in 0..count * size {
        let package = cpu / size;
        let members = format!("{}-{}", package * size, package * size + size - 1);
        fake.topology(cpu, (cpu % size, &cpu.to_string()), (package, &members));
    }
    fake
}

/// Two bridges behind each other, with a network card; a sound card beside them; a disk on another bus.
pub fn with_devices() -> Fake {
    let fake = packages(2, 2);
    fake.node(0, "0-1", 1000);
    fake.node(1, "2-3", 1000);
    let one = fake.bridge("pci0000:00", "0000:00:01.0", 1, 3);
    let two = fake.bridge("pci0000:00/0000:00:01.0", "0000:01:00.0", 2, 2);
    let above = "pci0000:00/0000:00:01.0/0000:01:00.0";
    let nic = fake.pci(above, "0000:02:00.0", 0x02_00_00, [0x15b3, 0x1017, 0x15b3, 0x20]);
    let second = fake.pci(above, "0000:02:00.1", 0x02_00_00, [0x15b3, 0x1017, 0x15b3, 0x20]);
    let sound = fake.pci("pci0000:00", "0000:00:1f.3", 0x04_03_00, [0x8086, 0xa0c8, 0, 0]);
    let disk = fake.pci("pci0000:80", "0000:80:00.0", 0x01_08_02, [0x144d, 0xa824, 0x144d, 0xa801]);
    for directory in [&one, &two, &nic, &second, &sound] {
        fake.file(&format!("{directory}/local_cpus"), "3").file(&format!("{directory}/numa_node"), 0);
    }
    fake.file(&format!("{disk}/numa_node"), 1);
    fake
}

/// Two sockets, each with memory of its own and, without processors, of another kind.
pub fn two_kinds_of_memory() -> Fake {
    let fake = two_sockets();
    for (node, near, bandwidth, latency) in
        [(0, 0, 1000, 100), (1, 1, 1010, 100), (2, 0, 4000, 90), (3, 1, 4100, 90)]
    {
        let directory = fake.node(node, ["0-1,4-5", "2-3,6-7", "", ""][node as usize], 1 << 20);
        let access = format!("{directory}/access1/initiators");
        fake.directory(&format!("{access}/node{near}"));
        fake.file(&format!("{access}/read_bandwidth"), bandwidth + 100);
        fake.file(&format!("{access}/write_bandwidth"), bandwidth - 100);
        fake.file(&format!("{access}/read_latency"), latency);
        fake.file(&format!("{access}/write_latency"), latency + 10);
    }
    fake
}

/// The objects of a type by their names in a list.
pub fn names(topology: &Topology, ty: Type) -> Vec<&str> {
    topology.by_type(ty).map(|object| object.name().unwrap_or("")).collect()
}

/// An object's cpuset in list form.
pub fn cpus<T: Topo>(object: &graven_topology::ObjectRef<'_, T>) -> String {
    object.cpuset().map_or("none".to_owned(), |set| set.to_string())
}
