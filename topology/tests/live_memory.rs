//! Detection of NUMA nodes, their caches, distances, memory attributes and tiers, on trees of files.

#[path = "support/live.rs"]
mod live_support;

use graven_topology::attributes::{Group, PageType};
use graven_topology::facts::{DistanceMatrix, Initiator, InitiatorRef, MemoryAttribute, MemoryTier};
use graven_topology::{Bits, Topo, Topology, Type};
use live_support::{Fake, cpus, packages, two_kinds_of_memory, two_sockets};

#[test]
fn without_node_directory_all_memory_is_one_node() {
    let fake = Fake::new("0-1");
    for cpu in 0..2 {
        fake.topology(cpu, (cpu, &cpu.to_string()), (0, "0-1"));
    }
    fake.file("proc/meminfo", "MemTotal:       2048 kB\nMemFree:        1024 kB");
    fake.file("proc/self/smaps", "00400000-00401000 r-xp 00000000 00:00 0 \nKernelPageSize:       64 kB");
    fake.file("sys/kernel/mm/hugepages/hugepages-512kB/nr_hugepages", 2);
    let topology = fake.detect();
    let node = topology.numa_node(0).unwrap();
    assert_eq!(node.local_memory(), Some(2 << 20));
    assert_eq!(node.parent().unwrap().ty(), Type::Package);
    let pages: Vec<_> = node.page_types().collect();
    assert_eq!(pages, [PageType { size: 64 << 10, count: 16 }, PageType { size: 512 << 10, count: 2 }]);
}

#[test]
fn a_node_with_processors_of_its_own_shape_gets_a_group() {
    let fake = Fake::new("0-3");
    for cpu in 0..4 {
        fake.topology(cpu, (cpu, &cpu.to_string()), (0, "0-3"));
    }
    fake.node(0, "0-1", 1000);
    fake.node(1, "2-3", 1000);
    let topology = fake.detect();
    for node in topology.by_type(Type::NumaNode) {
        let parent = node.parent().unwrap();
        assert_eq!((parent.ty(), parent.group().unwrap().kind), (Type::Group, Group::MEMORY));
        assert_eq!(parent.cpuset().unwrap(), node.cpuset().unwrap());
    }
    assert_eq!(topology.pu(3).unwrap().nodeset().unwrap().to_string(), "1");
}

#[test]
fn memory_without_processors_has_a_group_of_its_own_and_processors_may_lack_memory() {
    let fake = two_sockets();
    fake.node(0, "0-1,4-5", 0);
    fake.node(2, "", 4 << 20);
    fake.node(3, "", 0);
    let topology = fake.detect();
    for node in [2, 3] {
        let group = topology.numa_node(node).unwrap().parent().unwrap();
        assert_eq!((group.group().unwrap().kind, cpus(&group).as_str()), (Group::MEMORY, ""));
        assert_eq!(group.parent(), Some(topology.root()));
    }
    let poor = topology.numa_node(0).unwrap();
    assert_eq!((poor.local_memory(), poor.parent().unwrap().ty()), (Some(0), Type::Package));
    assert_eq!(topology.pu(0).unwrap().nodeset().unwrap().to_string(), "0");
    assert_eq!(topology.root().nodeset().unwrap().to_string(), "0-3");
    assert_eq!(topology.root().total_memory(), 6 << 30);
}

/// Node directories with distances: one row for each.
fn distances(fake: &Fake, rows: &[&str]) {
    for (node, row) in rows.iter().enumerate() {
        fake.file(&format!("sys/devices/system/node/node{node}/distance"), row);
    }
}

#[test]
fn distances_between_nodes_are_a_matrix_named_as_in_hwloc() {
    let fake = two_sockets();
    distances(&fake, &["10 21", "31 10"]);
    let topology = fake.detect();
    let matrix = topology.distances().next().unwrap();
    assert_eq!(matrix.name(), Some("NUMALatency"));
    assert_eq!(matrix.kind(), DistanceMatrix::FROM_OS | DistanceMatrix::LATENCY);
    let nodes: Vec<_> = matrix.objects().map(|node| node.os_index()).collect();
    assert_eq!(nodes, [Some(0), Some(1)]);
    assert_eq!(matrix.values().collect::<Vec<_>>(), [10, 21, 31, 10]);
}

#[test]
fn distances_that_are_not_all_there_are_none() {
    for rows in [["10 21", "31"], ["10 21", ""], ["10 far", "31 10"]] {
        let fake = two_sockets();
        distances(&fake, &rows);
        assert_eq!(fake.detect().distances().count(), 0, "{rows:?}");
    }
    let fake = two_sockets();
    fake.file("sys/devices/system/node/node0/distance", "10 21");
    assert_eq!(fake.detect().distances().count(), 0);
}

#[test]
fn nodes_that_are_nearer_to_each_other_than_to_the_rest_are_grouped_and_groups_again() {
    // Eight nodes of one processor; pairs at 12, fours at 16, all at 20.
    let fake = packages(8, 1);
    for node in 0..8 {
        fake.node(node, &node.to_string(), 1000);
    }
    let distance = |one: u32, other: u32| match one ^ other {
        0 => 10,
        1 => 12,
        2 | 3 => 16,
        _ => 20,
    };
    for one in 0..8 {
        let row: Vec<String> = (0..8).map(|other| distance(one, other).to_string()).collect();
        fake.file(&format!("sys/devices/system/node/node{one}/distance"), row.join(" "));
    }
    let topology = fake.detect();
    let groups: Vec<_> = topology
        .by_type(Type::Group)
        .map(|group| (group.group().unwrap().kind, group.group().unwrap().subkind, cpus(&group)))
        .collect();
    assert_eq!(topology.pu(5).unwrap().ancestors().filter(|object| object.ty() == Type::Group).count(), 2);
    let expected = [(1, "0-3"), (1, "4-7"), (0, "0-1"), (0, "2-3"), (0, "4-5"), (0, "6-7")];
    let expected = expected.map(|(round, cpus)| (900, round, cpus.to_owned()));
    let mut sorted = groups.clone();
    sorted.sort_by_key(|(_, round, cpus)| (std::cmp::Reverse(*round), cpus.clone()));
    assert_eq!(sorted, expected);
}

#[test]
fn distances_that_are_not_symmetric_group_nothing() {
    let fake = packages(4, 1);
    for node in 0..4 {
        fake.node(node, &node.to_string(), 1000);
    }
    distances(&fake, &["10 12 20 20", "13 10 20 20", "20 20 10 12", "20 20 12 10"]);
    let topology = fake.detect();
    assert_eq!((topology.count(Type::Group), topology.distances().count()), (0, 1));
}

#[test]
fn memory_without_processors_belongs_to_the_node_that_is_nearest() {
    let fake = two_sockets();
    fake.node(2, "", 1 << 20);
    distances(&fake, &["10 20 17", "20 10 28", "17 28 10"]);
    let topology = fake.detect();
    assert_eq!(cpus(&topology.numa_node(2).unwrap()), "0-1,4-5");
    assert_eq!(topology.numa_node(2).unwrap().parent(), topology.numa_node(0).unwrap().parent());
    // As far from one as from the other: near to none.
    distances(&fake, &["10 20 17", "20 10 17", "17 17 10"]);
    assert_eq!(cpus(&fake.detect().numa_node(2).unwrap()), "");
}

fn value(topology: &Topology, id: u32, node: u32) -> Option<(String, u64)> {
    let attribute = topology.memory_attribute(id).unwrap();
    let node = topology.numa_node(node).unwrap();
    let (from, value) = attribute.initiators(&node).next()?;
    let InitiatorRef::Cpuset(set) = from else { panic!("not a cpuset") };
    Some((set.to_string(), value))
}

#[test]
fn initiators_say_where_memory_is_near_to_and_how_fast_it_is_from_there() {
    let topology = two_kinds_of_memory().detect();
    let near = topology.numa_node(3).unwrap();
    assert_eq!((cpus(&near).as_str(), near.parent().unwrap().ty()), ("2-3,6-7", Type::Package));
    let first = || "0-1,4-5".to_owned();
    assert_eq!(value(&topology, MemoryAttribute::READ_BANDWIDTH, 2), Some((first(), 4100)));
    assert_eq!(value(&topology, MemoryAttribute::WRITE_BANDWIDTH, 2), Some((first(), 3900)));
    assert_eq!(value(&topology, MemoryAttribute::BANDWIDTH, 2), Some((first(), 4000)));
    assert_eq!(value(&topology, MemoryAttribute::READ_LATENCY, 0), Some((first(), 100)));
    assert_eq!(value(&topology, MemoryAttribute::WRITE_LATENCY, 0), Some((first(), 110)));
    assert_eq!(value(&topology, MemoryAttribute::LATENCY, 0), Some((first(), 105)));
    let bandwidth = topology.memory_attribute(MemoryAttribute::BANDWIDTH).unwrap();
    let from = topology.pu(6).unwrap().cpuset().unwrap().to_set();
    let best = bandwidth.best_target(Initiator::Cpuset(&from)).unwrap();
    assert_eq!((best.0.os_index(), best.1), (Some(3), 4100));
}

#[test]
fn memory_that_is_much_faster_than_the_other_is_a_tier_of_its_own() {
    let topology = two_kinds_of_memory().detect();
    let tiers: Vec<_> =
        topology.memory_tiers().map(|tier| (tier.kinds(), tier.nodeset().unwrap().to_string())).collect();
    assert_eq!(tiers, [(MemoryTier::HBM, "2-3".to_owned()), (MemoryTier::DRAM, "0-1".to_owned())]);
    let subtypes: Vec<_> = (0..4).map(|node| topology.numa_node(node).unwrap().subtype().unwrap()).collect();
    assert_eq!(subtypes, ["DRAM", "DRAM", "HBM", "HBM"]);
}

#[test]
fn memory_that_is_all_alike_has_no_tiers_and_half_of_the_attributes_no_mean() {
    let fake = two_sockets();
    let access = "sys/devices/system/node/node0/access0/initiators";
    fake.file(&format!("{access}/read_bandwidth"), 5000).file(&format!("{access}/write_latency"), "soon");
    fake.file(&format!("{access}/read_latency"), 0);
    let topology = fake.detect();
    assert_eq!(topology.memory_tiers().count(), 0);
    assert_eq!(value(&topology, MemoryAttribute::READ_BANDWIDTH, 0).unwrap().1, 5000);
    for id in [MemoryAttribute::BANDWIDTH, MemoryAttribute::READ_LATENCY, MemoryAttribute::WRITE_LATENCY] {
        assert_eq!(value(&topology, id, 0), None);
    }
}

#[test]
fn memory_side_caches_are_between_the_node_and_the_processors() {
    let fake = two_sockets();
    let cache = |node: u32, index: u32, size: &str, indexing: u32| {
        let directory = format!("sys/devices/system/node/node{node}/memory_side_cache/index{index}");
        fake.file(&format!("{directory}/size"), size).file(&format!("{directory}/line_size"), 64);
        fake.file(&format!("{directory}/indexing"), indexing);
    };
    cache(0, 1, "4294967296", 0);
    cache(0, 2, "1048576", 1);
    cache(1, 1, "large", 0);
    let topology = fake.detect();
    assert_eq!(topology.count(Type::MemCache), 2);
    let node = topology.numa_node(0).unwrap();
    let above: Vec<_> = node.ancestors().map(|object| object.ty()).take(3).collect();
    assert_eq!(above, [Type::MemCache, Type::MemCache, Type::Package]);
    // The one with the higher number is nearer to the processors.
    let caches: Vec<_> = node.ancestors().filter_map(|object| object.cache()).take(2).collect();
    assert_eq!((caches[0].size, caches[0].level, caches[0].associativity), (4 << 30, 1, 1));
    assert_eq!((caches[1].size, caches[1].level, caches[1].associativity), (1 << 20, 2, 0));
    assert_eq!(caches[0].line_size, 64);
    assert_eq!(topology.numa_node(1).unwrap().parent().unwrap().ty(), Type::Package);
}

#[test]
fn memory_that_came_as_a_device_says_from_where() {
    let fake = two_sockets();
    fake.node(2, "", 1000);
    fake.node(3, "", 1000);
    let dax = |name: &str, path: &str, node: u32| {
        fake.file(&format!("{path}/{name}/target_node"), node);
        fake.link(&format!("sys/bus/dax/devices/{name}"), format!("../../../../{path}/{name}"));
        fake.link(&format!("sys/bus/dax/drivers/kmem/{name}"), format!("../../../../../{path}/{name}"));
    };
    dax("dax0.0", "sys/devices/LNXSYSTM:00/ACPI0012:00/ndbus0/region0/dax0.1", 2);
    let cxl = "sys/devices/platform/ACPI0017:00/root0/decoder0.0/region1/dax_region1";
    dax("dax1.0", cxl, 3);
    fake.file("sys/bus/cxl/devices/region1/target0", "decoder5.0");
    let port = "sys/devices/platform/ACPI0017:00/root0/port1/endpoint2";
    fake.directory(&format!("{port}/decoder5.0"));
    fake.link("sys/bus/cxl/devices/decoder5.0", format!("../../../../{port}/decoder5.0"));
    fake.link("sys/bus/cxl/devices/endpoint2", format!("../../../../{port}"));
    fake.directory("sys/devices/pci0000:34/0000:34:00.0/0000:35:00.0/mem0");
    let target = "../../../../../pci0000:34/0000:34:00.0/0000:35:00.0/mem0";
    fake.link(&format!("{port}/uport"), target);
    let topology = fake.detect();
    let (pmem, cxl) = (topology.numa_node(2).unwrap(), topology.numa_node(3).unwrap());
    assert_eq!((pmem.info("DAXDevice"), pmem.info("DAXType")), (Some("dax0.0"), Some("NVM")));
    assert_eq!(pmem.info("DAXParent"), Some("LNXSYSTM:00/ACPI0012:00/ndbus0/region0/dax0.1"));
    assert_eq!((cxl.info("CXLDevice"), cxl.info("DAXType")), (Some("0000:35:00.0"), Some("SPM")));
    assert_eq!((pmem.subtype(), cxl.subtype()), (Some("NVM"), Some("CXL-DRAM")));
    let kinds: Vec<_> = topology.memory_tiers().map(|tier| tier.kinds()).collect();
    assert_eq!(kinds, [0, MemoryTier::NVM, MemoryTier::CXL]);
    // It is memory, and no device any more.
    assert_eq!(topology.count(Type::OsDevice), 0);
}

#[test]
fn the_memory_of_a_gpu_is_near_to_its_processors() {
    let fake = two_sockets();
    fake.node(2, "", 1 << 20);
    let gpu = fake.pci("pci0000:01", "0000:01:00.0", 0x03_02_00, [0x10de, 0x2342, 0, 0]);
    fake.file(&format!("{gpu}/local_cpus"), "cc");
    fake.file("proc/driver/nvidia/gpus/0000:01:00.0/numa_status", "Node:            2\nStatus: online");
    let node = fake.detect();
    let node = node.numa_node(2).unwrap();
    assert_eq!((node.subtype(), node.info("PCIBusID")), (Some("GPUMemory"), Some("0000:01:00.0")));
    assert_eq!(cpus(&node), "2-3,6-7");
}

#[test]
fn nodes_that_are_offline_are_left_out_and_of_those_that_overlap_the_first_counts() {
    let fake = two_sockets();
    fake.node(2, "2-3", 1000);
    fake.node(3, "", 1000);
    fake.file("sys/devices/system/node/online", "0-2");
    let topology = fake.detect();
    assert_eq!(topology.root().nodeset().unwrap().to_string(), "0-1");
}

#[test]
fn nodes_that_say_nothing_of_processors_are_the_machines() {
    let fake = packages(1, 2);
    fake.file("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 1000 kB");
    let topology = fake.detect();
    assert_eq!(cpus(&topology.numa_node(0).unwrap()), "0-1");
    assert_eq!(topology.pu(1).unwrap().nodeset().unwrap().to_string(), "0");
}
