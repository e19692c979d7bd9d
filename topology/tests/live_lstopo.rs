//! This machine, and trees of files, as detected here against what lstopo says of them: equal, but for the named
//! differences.
//!
//! Where lstopo (Debian package hwloc) is not installed the tests say SKIPPED and pass. The differences are those
//! to hwloc 2.9 on Linux; each is a function below, with its reason.

use std::fmt::Write as _;
use std::process::Command;

use graven_topology::facts::{InitiatorRef, MemoryAttribute};
use graven_topology::{Bits, ChildKind, Detector, Filter, ObjectRef, Topo, Topology, Type, xml};

#[path = "support/live.rs"]
mod live_support;

use live_support::{Fake, packages, two_kinds_of_memory, two_sockets, with_devices};

/// What lstopo finds on this machine or below a root, from its XML.
fn lstopo(root: Option<&Fake>, arguments: &[&str]) -> Option<Topology> {
    if !std::path::Path::new("/sys/devices/system/cpu/online").exists() && root.is_none() {
        eprintln!("SKIPPED: no /sys here");
        return None;
    }
    let mut command = Command::new("lstopo-no-graphics");
    command.args(["--of", "xml"]).args(arguments);
    if let Some(root) = root {
        // Only what is below the root, and nothing asked of this machine.
        command.env("HWLOC_FSROOT", root.path("")).env("HWLOC_THISSYSTEM", "0");
        command.env("HWLOC_COMPONENTS", "linux,stop");
    }
    match command.output() {
        Ok(output) if output.status.success() => Some(xml::read(&output.stdout[..]).unwrap()),
        _ => {
            eprintln!("SKIPPED: no lstopo-no-graphics here (Debian package hwloc)");
            None
        }
    }
}

/// Infos that one of the two does not know.
fn is_known_to_one_only(object: &ObjectRef<'_, Topology>, name: &str) -> bool {
    match (object.ty(), name) {
        // Who detected it.
        (Type::Machine, "hwlocVersion" | "ProcessName") => true,
        // For the administrator only, and not what a machine is but which one.
        (Type::Machine, "DMIProductSerial" | "DMIProductUUID" | "DMIBoardSerial" | "DMIChassisSerial") => {
            true
        }
        // What the processor says when asked (cpuid): not in /sys.
        (ty, "Inclusive") if ty.is_cache() => true,
        // What a disk says itself: read here where udev has said nothing, by hwloc not at all.
        (Type::OsDevice, "Vendor" | "Model" | "Revision") => true,
        _ => false,
    }
}

/// hwloc 2 calls memory by kinds only in some of its versions, and has no tiers.
fn has_comparable_subtype(object: &ObjectRef<'_, Topology>) -> bool {
    object.ty() != Type::NumaNode
}

/// Memory modules are in tables that only the administrator may read; devices of compute libraries (OpenCL, CUDA,
/// ...) are known to those only.
fn is_detected_by_others(object: &ObjectRef<'_, Topology>) -> bool {
    const LIBRARIES: [&str; 5] = ["OpenCL", "CUDA", "NVML", "RSMI", "LevelZero"];
    match object.ty() {
        Type::Misc => object.subtype() == Some("MemoryModule"),
        Type::OsDevice => LIBRARIES.contains(&object.subtype().unwrap_or("")),
        _ => false,
    }
}

/// OS devices are in the order of their names here, and in that of their directory in hwloc.
fn children<'a>(object: &ObjectRef<'a, Topology>) -> Vec<ObjectRef<'a, Topology>> {
    let all = ChildKind::ALL.into_iter().flat_map(|kind| object.children(kind).collect::<Vec<_>>());
    let mut all: Vec<_> = all.filter(|child| !is_detected_by_others(child)).collect();
    let (from, to) = (all.iter().position(|child| child.ty() == Type::OsDevice), all.len());
    if let Some(from) = from {
        all[from..to].sort_by_key(|child| child.name().map(str::to_owned));
    }
    all
}

fn describe(object: ObjectRef<'_, Topology>, depth: usize, out: &mut Vec<String>) {
    let mut line = format!("{:1$}{2}", "", depth * 2, object.ty());
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            write!(line, " {name}={value}").unwrap();
        }
    };
    add("os_index", object.os_index().map(|number| number.to_string()));
    add("name", object.name().map(str::to_owned));
    add("subtype", object.subtype().filter(|_| has_comparable_subtype(&object)).map(str::to_owned));
    add("cpuset", object.cpuset().map(|set| set.to_string()));
    add("complete_cpuset", object.complete_cpuset().map(|set| set.to_string()));
    add("nodeset", object.nodeset().map(|set| set.to_string()));
    add("complete_nodeset", object.complete_nodeset().map(|set| set.to_string()));
    add("cache", object.cache().map(|cache| format!("{cache:?}")));
    add("local_memory", object.local_memory().map(|bytes| bytes.to_string()));
    add("page_types", Some(format!("{:?}", object.page_types().collect::<Vec<_>>())));
    add("group", object.group().map(|group| format!("{group:?}")));
    // Format 2.0 has no programming interface.
    add(
        "pci",
        object.pci().map(|pci| format!("{:?}", graven_topology::attributes::Pci { prog_if: 0, ..pci })),
    );
    add(
        "bridge",
        object.bridge().map(|mut bridge| {
            bridge.upstream.prog_if = 0;
            format!("{bridge:?}")
        }),
    );
    // Format 2.0 has one type for a device that may be several things.
    add("kinds", object.os_device().map(|device| (device.kinds & device.kinds.wrapping_neg()).to_string()));
    let mut infos: Vec<_> = object
        .infos()
        .filter(|(name, _)| !is_known_to_one_only(&object, name))
        // White space around a value is left out here, and so is an info without a value.
        .map(|(name, value)| (name, value.trim()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    infos.sort_unstable();
    out.push(format!("{line} {infos:?}"));
    for child in children(&object) {
        describe(child, depth + 1, out);
    }
}

/// Everything in lines, the tree first.
fn lines(topology: &Topology) -> Vec<String> {
    let mut out = Vec::new();
    describe(topology.root(), 0, &mut out);
    let allowed = [topology.allowed_cpuset(), topology.allowed_nodeset()];
    out.push(format!("allowed {:?}", allowed.map(|set| set.map(|set| set.to_string()))));
    for matrix in topology.distances() {
        let objects: Vec<_> = matrix.objects().map(|object| (object.ty(), object.os_index())).collect();
        let (name, values) = (matrix.name(), matrix.values().collect::<Vec<_>>());
        out.push(format!("distances {name:?} {} {objects:?} {values:?}", matrix.kind()));
    }
    for kind in topology.cpu_kinds() {
        let infos: Vec<_> = kind.infos().filter(|&(name, _)| !is_nominal_frequency(name)).collect();
        let cpuset = kind.cpuset().unwrap().to_string();
        // By rank: hwloc 2 replaces a capacity by its place among the capacities.
        out.push(format!("kind {cpuset} {:?} {infos:?}", kind.efficiency()));
    }
    for id in [
        MemoryAttribute::BANDWIDTH,
        MemoryAttribute::LATENCY,
        MemoryAttribute::READ_BANDWIDTH,
        MemoryAttribute::WRITE_BANDWIDTH,
        MemoryAttribute::READ_LATENCY,
        MemoryAttribute::WRITE_LATENCY,
    ] {
        for node in topology.by_type(Type::NumaNode) {
            for (from, value) in topology.memory_attribute(id).unwrap().initiators(&node) {
                let InitiatorRef::Cpuset(from) = from else { continue };
                out.push(format!("attribute {id} of {:?} from {}: {value}", node.os_index(), from.list()));
            }
        }
    }
    out
}

/// Where nothing better is known hwloc 3, and we, take the nominal frequency for the base one; hwloc 2 does not.
fn is_nominal_frequency(name: &str) -> bool {
    let intel = "/sys/devices/system/cpu/cpu0/cpufreq/base_frequency";
    name == "FrequencyBaseMHz" && !std::path::Path::new(intel).exists()
}

/// Like hwloc 3 we do not look for kinds in AMD machines before family 0x1a, where there are none.
fn has_no_kinds(topology: &Topology) -> bool {
    topology.cpu_kinds().count() == 0
}

fn compare(root: Option<&Fake>, arguments: &[&str], detector: Detector) {
    let Some(theirs) = lstopo(root, arguments) else { return };
    let ours = detector.detect().unwrap();
    ours.check().unwrap();
    let (mut expected, found) = (lines(&theirs), lines(&ours));
    if has_no_kinds(&ours) {
        expected.retain(|line| !line.starts_with("kind "));
    }
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(found, expected, "lstopo {arguments:?}");
    }
    assert_eq!(found.len(), expected.len(), "lstopo {arguments:?}");
}

#[test]
fn this_machine_is_what_lstopo_shows() {
    compare(None, &[], Detector::new());
}

#[test]
fn this_machine_with_all_its_devices_is_what_lstopo_shows() {
    compare(None, &["--filter", "io:all"], Detector::new().io(Filter::KeepAll));
}

#[test]
fn this_machine_without_devices_is_what_lstopo_shows() {
    compare(None, &["--no-io"], Detector::new().io(Filter::KeepNone));
}

#[test]
fn this_machine_with_what_we_may_not_use_is_what_lstopo_shows() {
    compare(None, &["--disallowed"], Detector::new().include_disallowed());
}

/// The same for a tree of files, in all ways of looking at it.
fn compare_tree(fake: &Fake) {
    compare(Some(fake), &[], fake.detector());
    compare(Some(fake), &["--filter", "io:all"], fake.detector().io(Filter::KeepAll));
    compare(Some(fake), &["--disallowed"], fake.detector().include_disallowed());
}

#[test]
fn sockets_threads_and_caches_are_what_lstopo_shows() {
    compare_tree(&two_sockets());
}

#[test]
fn memory_of_two_kinds_and_distances_are_what_lstopo_shows() {
    let fake = two_kinds_of_memory();
    let rows = ["10 20 13 23", "20 10 23 13", "13 23 10 26", "23 13 26 10"];
    for (node, row) in rows.iter().enumerate() {
        fake.file(&format!("sys/devices/system/node/node{node}/distance"), row);
    }
    for (name, value) in [("size", "1073741824"), ("line_size", "64"), ("indexing", "0")] {
        fake.file(&format!("sys/devices/system/node/node0/memory_side_cache/index1/{name}"), value);
    }
    compare_tree(&fake);
}

#[test]
fn memory_without_processors_is_what_lstopo_shows() {
    let fake = two_sockets();
    fake.node(2, "", 1000);
    fake.node(3, "", 1000);
    compare_tree(&fake);
}

#[test]
fn nodes_grouped_by_their_distances_are_what_lstopo_shows() {
    let fake = packages(4, 2);
    for node in 0..4u32 {
        let directory = fake.node(node, &format!("{}-{}", node * 2, node * 2 + 1), 1000);
        let row: Vec<_> = (0..4u32).map(|other| ["10", "15", "25", "25"][(node ^ other) as usize]).collect();
        fake.file(&format!("{directory}/distance"), row.join(" "));
    }
    compare_tree(&fake);
}

#[test]
fn devices_behind_bridges_are_what_lstopo_shows() {
    let fake = with_devices();
    let nic = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0";
    let net = fake.class("net", nic, "eth2");
    fake.file(&format!("{net}/address"), "b8:59:9f:00:00:01");
    let disk = fake.class("block", "sys/devices/pci0000:80/0000:80:00.0/nvme/nvme0", "nvme0n1");
    fake.file(&format!("{disk}/size"), 1000).file(&format!("{disk}/dev"), "259:0");
    fake.class("net", "sys/devices/virtual", "lo");
    fake.class("dma", "sys/devices/pci0000:80/0000:80:00.0", "dma0chan0");
    let near = "sys/devices/pci0000:80/0000:80:00.0";
    fake.file(&format!("{near}/local_cpus"), "c");
    compare_tree(&fake);
}

#[test]
fn devices_near_some_of_the_processors_are_what_lstopo_shows() {
    let fake = packages(1, 4);
    fake.node(0, "0-3", 1000);
    for (device, near) in [("0000:00:03.0", "c"), ("0000:01:00.0", "f"), ("0000:02:00.0", "2")] {
        let directory = fake.pci("pci0000:00", device, 0x03_02_00, [0x1002, 0x740f, 0, 0]);
        fake.file(&format!("{directory}/local_cpus"), near);
    }
    compare_tree(&fake);
}

#[test]
fn what_a_control_group_leaves_is_what_lstopo_shows() {
    for (cpus, nodes) in [("0-1,4", "0"), ("0-3", "0-1"), ("0-1", "1"), ("7", "0-1"), ("2-3,6-7", "1")] {
        let fake = two_sockets();
        fake.file("proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0").file("proc/self/cgroup", "0::/job");
        fake.file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu");
        fake.file("sys/fs/cgroup/job/cpuset.cpus.effective", cpus);
        fake.file("sys/fs/cgroup/job/cpuset.mems.effective", nodes);
        fake.file("sys/devices/system/node/node0/distance", "10 20");
        fake.file("sys/devices/system/node/node1/distance", "20 10");
        for (bus, near) in [("00", "33"), ("40", "22"), ("80", "cc"), ("c0", "ff")] {
            let device = format!("0000:{bus}:00.0");
            let device = fake.pci(&format!("pci0000:{bus}"), &device, 0x02_00_00, [1, 2, 3, 4]);
            fake.file(&format!("{device}/local_cpus"), near);
        }
        compare_tree(&fake);
    }
}

#[test]
fn clusters_and_dies_are_what_lstopo_shows() {
    let fake = packages(2, 8);
    for cpu in 0..16u32 {
        let run = |name: &str, size: u32| {
            let first = cpu / size * size;
            let name = format!("sys/devices/system/cpu/cpu{cpu}/topology/{name}");
            fake.set(&name, &format!("{name}_list"), &format!("{first}-{}", first + size - 1));
        };
        run("cluster_cpus", 2);
        run("die_cpus", if cpu < 8 { 4 } else { 8 });
        fake.cpu(cpu, "topology/cluster_id", cpu / 2).cpu(cpu, "topology/die_id", cpu / 4);
    }
    compare_tree(&fake);
}

#[test]
fn kinds_of_processors_are_what_lstopo_shows() {
    let fake = packages(1, 8);
    for cpu in 0..8 {
        let (max, base) = if cpu < 4 { (5_000_000 + cpu * 1000, 3_000_000) } else { (3_800_000, 2_200_000) };
        fake.cpu(cpu, "cpufreq/cpuinfo_max_freq", max).cpu(cpu, "cpufreq/base_frequency", base);
    }
    compare_tree(&fake);
}
