//! Detection of processors, and what groups them, on trees of files made by the tests; and on this machine.

#[path = "support/live.rs"]
mod live_support;

use std::fs;
use std::path::Path;

use graven_topology::attributes::{CacheKind, Group, PageType};
use graven_topology::error::DetectError;
use graven_topology::{Bits, ChildKind, Detector, Set, Topo, Type, render};
use live_support::{Fake, two_sockets};

#[test]
fn two_sockets_with_threads_and_caches_are_seen_as_lstopo_shows_them() {
    let fake = two_sockets();
    fake.file("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", 3);
    fake.file(
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: Maker\nmodel name\t: Model 1\n\nprocessor\t: 2\nmodel name\t: Model 2",
    );
    fake.file("proc/sys/kernel/ostype", "Linux").file("proc/sys/kernel/hostname", "node7");
    fake.file("sys/class/dmi/id/product_name", "Box 9");
    let topology = fake.detect();
    let text = render(&topology).to_string();
    let expected = "\
Machine (3072MB total)
  Package L#0
    NUMANode L#0 (P#0 1024MB)
    L3 L#0 (16MB)
      L2 L#0 (1024KB)
        L1d L#0 (32KB)
          L1i L#0 (64KB)
            Core L#0
              PU L#0 (P#0)
              PU L#1 (P#4)
      L2 L#1 (1024KB)
        L1d L#1 (32KB)
          L1i L#1 (64KB)
            Core L#1
              PU L#2 (P#1)
              PU L#3 (P#5)
  Package L#1
    NUMANode L#1 (P#1 2048MB)
";
    assert!(text.starts_with(expected), "{text}");
    let l1 = topology.by_type(Type::L1Cache).next().unwrap().cache().unwrap();
    assert_eq!((l1.size, l1.line_size, l1.associativity, l1.kind), (32 << 10, 64, 8, CacheKind::Data));
    let pages: Vec<_> = topology.numa_node(0).unwrap().page_types().collect();
    let normal = (1 << 18) - 3 * 512;
    assert_eq!(pages, [PageType { size: 4096, count: normal }, PageType { size: 2 << 20, count: 3 }]);
    assert_eq!(topology.root().info("DMIProductName"), Some("Box 9"));
    assert_eq!(topology.root().info("HostName"), Some("node7"));
    assert_eq!(topology.root().info("Backend"), Some("Linux"));
    let models: Vec<_> = topology.by_type(Type::Package).map(|package| package.info("CPUModel")).collect();
    assert_eq!(models, [Some("Model 1"), Some("Model 2")]);
    assert!(topology.root().symmetric_subtree());
}

#[test]
fn a_hybrid_package_keeps_its_two_kinds_of_cores_in_one_level() {
    // Two large cores of two threads with an L2 each; four small cores sharing one L2.
    let fake = Fake::new("0-7");
    for cpu in 0..8u32 {
        let core = if cpu < 4 { ["0-1", "2-3"][cpu as usize / 2].to_owned() } else { cpu.to_string() };
        let l2 = if cpu < 4 { core.clone() } else { "4-7".to_owned() };
        fake.topology(cpu, (cpu, &core), (0, "0-7")).cpu(cpu, "topology/cluster_cpus_list", &l2);
        fake.cache(cpu, 0, 1, "Data", "32K", &core).cache(cpu, 2, 2, "Unified", "2048K", &l2);
    }
    let topology = fake.detect();
    assert_eq!(topology.level(topology.pu(7).unwrap().parent().unwrap().depth()).unwrap().ty(), Type::Core);
    assert_eq!(
        (topology.count(Type::L2Cache), topology.count(Type::Core), topology.count(Type::Pu)),
        (3, 6, 8)
    );
    assert_eq!(topology.by_type(Type::L2Cache).last().unwrap().arity(ChildKind::Normal), 4);
    assert!(!topology.root().symmetric_subtree());
    // Its clusters are the L2 caches: no groups.
    assert_eq!(topology.count(Type::Group), 0);
}

#[test]
fn clusters_that_nothing_else_shows_are_groups() {
    let fake = Fake::new("0-3");
    for cpu in 0..4 {
        fake.topology(cpu, (cpu, &cpu.to_string()), (0, "0-3"));
        fake.cpu(cpu, "topology/cluster_cpus_list", ["0-1", "2-3"][cpu as usize / 2]);
        fake.cpu(cpu, "topology/cluster_id", cpu / 2 + 50);
    }
    let topology = fake.detect();
    let groups: Vec<_> = topology.by_type(Type::Group).collect();
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[1].group().unwrap().kind, Group::CLUSTER);
    assert_eq!(groups[1].os_index(), Some(51));
    assert_eq!(groups[1].cpuset().unwrap().to_string(), "2-3");
}

#[test]
fn dies_are_shown_where_they_are_not_the_package() {
    let fake = Fake::new("0-5");
    for cpu in 0..6u32 {
        let (package, members) = if cpu < 4 { (0, "0-3") } else { (1, "4-5") };
        fake.topology(cpu, (cpu, &cpu.to_string()), (package, members));
        fake.cpu(cpu, "topology/die_cpus_list", ["0-1", "2-3", "4-5"][cpu as usize / 2]);
        fake.cpu(cpu, "topology/die_id", cpu / 2);
    }
    let topology = fake.detect();
    assert_eq!(topology.count(Type::Die), 2);
    assert!(topology.by_type(Type::Die).all(|die| die.parent().unwrap().os_index() == Some(0)));
}

#[test]
fn offline_processors_are_in_the_complete_set_only() {
    let fake = Fake::new("0,2-3");
    fake.file("sys/devices/system/cpu/present", "0-3");
    for cpu in [0, 2, 3] {
        fake.topology(cpu, (cpu, &cpu.to_string()), (0, "0,2-3"));
    }
    fake.node(0, "0-3", 1000);
    let topology = fake.detect();
    assert!(topology.pu(1).is_none());
    assert_eq!(topology.root().cpuset().unwrap().to_string(), "0,2-3");
    assert_eq!(topology.root().complete_cpuset().unwrap().to_string(), "0-3");
    assert_eq!(topology.numa_node(0).unwrap().cpuset().unwrap().to_string(), "0,2-3");
}

#[test]
fn without_the_online_list_each_present_processor_is_asked() {
    let fake = Fake::empty();
    fake.file("sys/devices/system/cpu/present", "0-2").cpu(1, "online", 0).cpu(2, "online", 1);
    let topology = fake.detect();
    assert_eq!(topology.root().cpuset().unwrap().to_string(), "0,2");
}

#[test]
fn a_list_of_processors_and_nothing_else_is_a_flat_machine() {
    let fake = Fake::new("0-2");
    let topology = fake.detect();
    assert_eq!(topology.depth(), 2);
    assert_eq!(topology.count(Type::Pu), 3);
    // hwloc has a NUMA node in every machine.
    let node = topology.numa_node(0).unwrap();
    assert_eq!((node.parent(), node.local_memory()), (Some(topology.root()), Some(0)));
}

#[test]
fn missing_and_broken_cache_files_leave_the_rest() {
    let fake = two_sockets();
    fs::remove_dir_all(fake.0.path().join("sys/devices/system/cpu/cpu0/cache")).unwrap();
    fake.cpu(1, "cache/index0/size", "much").cpu(1, "cache/index0/ways_of_associativity", "-");
    fake.cpu(1, "cache/index1/type", "Odd").cpu(1, "cache/index2/level", 77);
    fake.cpu(2, "cache/index3/shared_cpu_map", "c,?").cpu(2, "cache/index3/shared_cpu_list", "2-x");
    let topology = fake.detect();
    assert_eq!((topology.count(Type::L3Cache), topology.count(Type::L1iCache)), (0, 2));
    assert_eq!((topology.count(Type::L2Cache), topology.count(Type::Core)), (2, 4));
    let broken = topology.pu(1).unwrap().ancestor(Type::L1Cache).unwrap().cache().unwrap();
    assert_eq!((broken.size, broken.associativity, broken.line_size), (0, 0, 64));
}

#[test]
fn the_old_names_and_masks_of_kernels_before_5_3_are_read() {
    let fake = Fake::new("0-3");
    for cpu in 0..4 {
        let mask = ["00000003", "0000000c"][cpu as usize / 2];
        fake.cpu(cpu, "topology/thread_siblings", mask).cpu(cpu, "topology/core_siblings", "0000000f");
        fake.cpu(cpu, "topology/physical_package_id", -1);
    }
    let topology = fake.detect();
    assert_eq!((topology.count(Type::Core), topology.count(Type::Package)), (2, 1));
    assert_eq!(topology.by_type(Type::Package).next().unwrap().os_index(), None);
}

#[test]
fn an_object_that_crosses_others_is_dropped() {
    let fake = two_sockets();
    fake.cache(1, 3, 3, "Unified", "1M", "1-2").cache(2, 3, 3, "Unified", "1M", "1-2");
    let topology = fake.detect();
    assert!(topology.by_type(Type::L3Cache).all(|l3| l3.cpuset().unwrap() != Set::from(1..3)));
    assert_eq!(topology.count(Type::Package), 2);
}

#[test]
fn a_system_without_sys_is_an_error_that_names_the_file() {
    let empty = Fake::empty();
    let error = empty.error();
    let expected = empty.0.path().join("sys/devices/system/cpu/online");
    assert!(matches!(&error, DetectError::Unreadable { path, .. } if *path == expected), "{error:?}");
    assert!(error.to_string().contains("sys/devices/system/cpu/online"));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_list_that_is_none_is_an_error_that_quotes_it() {
    for text in ["zero", "", "3-1"] {
        let error = Fake::new(text).error();
        assert!(
            matches!(&error, DetectError::Malformed { line: 1, value, .. } if value == text),
            "{error:?}"
        );
    }
}

#[test]
fn a_list_without_end_is_refused() {
    let error = Fake::new("0-").error();
    assert!(matches!(error, DetectError::TooManyCpus { count: u64::MAX, .. }), "{error:?}");
    let error = Fake::new("0-4000000000").error();
    assert!(matches!(error, DetectError::TooManyCpus { count: 4_000_000_001, .. }), "{error:?}");
}

#[test]
fn this_machine_is_detected() {
    if !Path::new("/sys/devices/system/cpu/online").exists() {
        eprintln!("SKIPPED: no /sys here");
        return;
    }
    let topology = Detector::new().detect().unwrap();
    topology.check().unwrap();
    let online: Set = fs::read_to_string("/sys/devices/system/cpu/online").unwrap().parse().unwrap();
    assert_eq!(topology.root().cpuset().unwrap(), online);
    assert_eq!(u64::from(topology.count(Type::Pu)), online.weight().unwrap());
    assert!(topology.count(Type::NumaNode) > 0);
}
