//! Detection of what the control group lets a process use, on trees of files.

#[path = "support/live.rs"]
mod live_support;

use graven_topology::{Bits, Topo, Topology, Type};
use live_support::{Fake, checked, cpus, packages, two_sockets};

/// Mounts the unified hierarchy and puts the process into a group of it.
fn unified(fake: &Fake, group: &str) {
    let mounts =
        "22 1 0:21 / /proc rw - proc proc rw\n30 1 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw";
    fake.file("proc/self/mountinfo", mounts).file("proc/self/cgroup", format!("0::{group}"));
    fake.file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory");
}

fn limit(fake: &Fake, group: &str, cpus: &str, nodes: &str) {
    fake.file(&format!("sys/fs/cgroup{group}/cpuset.cpus.effective"), cpus);
    fake.file(&format!("sys/fs/cgroup{group}/cpuset.mems.effective"), nodes);
}

fn allowed(topology: &Topology) -> (String, String) {
    let cpus = topology.allowed_cpuset().unwrap().to_string();
    (cpus, topology.allowed_nodeset().unwrap().to_string())
}

#[test]
fn what_is_not_allowed_has_no_object_but_is_in_the_complete_sets() {
    let fake = two_sockets();
    unified(&fake, "/job");
    limit(&fake, "/job", "0,4,1", "0");
    let topology = fake.detect();
    assert_eq!(topology.root().info("LinuxCgroup"), Some("/job"));
    assert_eq!((topology.count(Type::Pu), topology.count(Type::Package)), (3, 1));
    assert_eq!(topology.count(Type::NumaNode), 1);
    let root = topology.root();
    assert_eq!(
        (cpus(&root).as_str(), root.complete_cpuset().unwrap().to_string().as_str()),
        ("0-1,4", "0-7")
    );
    assert_eq!(root.nodeset().unwrap().to_string(), "0");
    assert_eq!(root.complete_nodeset().unwrap().to_string(), "0-1");
    assert_eq!(root.total_memory(), 1 << 30);
    let package = topology.by_type(Type::Package).next().unwrap();
    assert_eq!(package.complete_cpuset().unwrap().to_string(), "0-1,4-5");
    let core = topology.pu(1).unwrap().ancestor(Type::Core).unwrap();
    assert_eq!((cpus(&core).as_str(), core.complete_cpuset().unwrap().to_string().as_str()), ("1", "1,5"));
    assert_eq!(allowed(&topology), ("0-1,4".to_owned(), "0".to_owned()));
}

#[test]
fn what_is_not_allowed_is_described_on_demand() {
    let fake = two_sockets();
    unified(&fake, "/job");
    limit(&fake, "/job", "0,4", "1");
    let topology = checked(&fake.detector().include_disallowed());
    assert_eq!((topology.count(Type::Pu), topology.count(Type::NumaNode)), (8, 2));
    assert_eq!(allowed(&topology), ("0,4".to_owned(), "1".to_owned()));
    assert_eq!(topology.flags(), 1);
}

#[test]
fn allowed_memory_keeps_the_objects_around_it_without_their_processors() {
    let fake = two_sockets();
    unified(&fake, "/");
    limit(&fake, "", "0-1", "1");
    let topology = fake.detect();
    let package = topology.numa_node(1).unwrap().parent().unwrap();
    assert_eq!((package.ty(), package.os_index(), cpus(&package).as_str()), (Type::Package, Some(1), ""));
    assert_eq!(topology.count(Type::Package), 2);
    assert_eq!(topology.pu(0).unwrap().nodeset().unwrap().to_string(), "");
    assert_eq!(topology.pu(0).unwrap().complete_nodeset().unwrap().to_string(), "0");
}

#[test]
fn a_group_that_says_nothing_has_the_sets_of_the_one_above_it() {
    let fake = two_sockets();
    unified(&fake, "/job/step/task");
    limit(&fake, "/job", "2-3", "1");
    assert_eq!(allowed(&fake.detect()), ("2-3".to_owned(), "1".to_owned()));
}

#[test]
fn in_a_namespace_the_mounted_part_of_the_hierarchy_is_ours() {
    let fake = two_sockets();
    fake.file("sys/fs/cgroup/cgroup.controllers", "cpuset");
    // A container: its own group is what is mounted.
    let mount = |top: &str| format!("30 1 0:26 {top} /sys/fs/cgroup rw - cgroup2 cgroup rw");
    fake.file("proc/self/mountinfo", mount("/pod/box")).file("proc/self/cgroup", "0::/pod/box/task");
    limit(&fake, "/task", "1", "0");
    limit(&fake, "", "0-3", "0-1");
    assert_eq!(allowed(&fake.detect()).0, "1");
    fake.file("proc/self/cgroup", "0::/../elsewhere");
    assert_eq!(allowed(&fake.detect()).0, "0-3");
    fake.file("proc/self/cgroup", "0::/pod/boxes");
    assert_eq!(allowed(&fake.detect()).0, "0-3");
}

#[test]
fn the_first_version_has_a_hierarchy_of_its_own_for_cpusets() {
    let fake = two_sockets();
    let mounts = "31 1 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                  33 1 0:29 / /sys/fs/cgroup/cpu\\040set rw shared:9 - cgroup cgroup rw,cpuset,clone_children";
    fake.file("proc/self/mountinfo", mounts);
    // The unified hierarchy has no cpusets then.
    fake.file("sys/fs/cgroup/unified/cgroup.controllers", "");
    fake.file("proc/self/cgroup", "12:pids:/user\n3:cpu,cpuset:/batch\n0::/init");
    fake.file("sys/fs/cgroup/cpu set/batch/cpuset.cpus", "0-1")
        .file("sys/fs/cgroup/cpu set/batch/cpuset.mems", "0");
    let topology = fake.detect();
    assert_eq!(allowed(&topology), ("0-1".to_owned(), "0".to_owned()));
    assert_eq!(topology.root().info("LinuxCgroup"), Some("/batch"));
}

#[test]
fn the_cpuset_filesystem_and_dumps_without_mountinfo_are_read_too() {
    let fake = two_sockets();
    fake.file("proc/mounts", "none /dev/cpuset cpuset rw 0 0").file("proc/self/cpuset", "/set");
    fake.file("dev/cpuset/set/cpus", "4-7").file("dev/cpuset/set/mems", "0-1");
    assert_eq!(allowed(&fake.detect()).0, "4-7");
}

#[test]
fn limits_that_leave_nothing_or_are_none_are_not_believed() {
    for text in ["", "8-9", "everything", "3-1"] {
        let fake = two_sockets();
        unified(&fake, "/job");
        limit(&fake, "/job", text, text);
        assert_eq!(allowed(&fake.detect()), ("0-7".to_owned(), "0-1".to_owned()), "{text:?}");
    }
    for (mounts, groups) in [("", ""), (" - - - cgroup2", "::::"), ("1 2 3 / /x y - cgroup2 a b", "0::no")] {
        let fake = two_sockets();
        fake.file("proc/self/mountinfo", mounts).file("proc/self/cgroup", groups);
        assert_eq!(allowed(&fake.detect()).0, "0-7");
    }
    let fake = two_sockets();
    unified(&fake, &"/a".repeat(300_000));
    limit(&fake, "", "0", "0");
    assert_eq!(allowed(&fake.detect()).0, "0");
}

#[test]
fn a_level_of_groups_without_structure_left_is_gone() {
    let fake = packages(1, 4);
    for cpu in 0..4 {
        fake.cpu(cpu, "topology/cluster_cpus_list", ["0-1", "2-3"][cpu as usize / 2]);
    }
    fake.node(0, "0-3", 1000);
    assert_eq!(fake.detect().count(Type::Group), 2);
    unified(&fake, "/");
    limit(&fake, "", "0,2-3", "0");
    assert_eq!(fake.detect().count(Type::Group), 2);
    limit(&fake, "", "0,2", "0");
    let topology = fake.detect();
    assert_eq!(topology.count(Type::Group), 0);
    assert_eq!(topology.pu(2).unwrap().ancestor(Type::Core).unwrap().parent().unwrap().ty(), Type::Package);
}

#[test]
fn distances_and_kinds_are_those_of_what_is_left() {
    let fake = packages(3, 1);
    for node in 0..3 {
        let directory = fake.node(node, &node.to_string(), 1000);
        fake.file(&format!("{directory}/distance"), ["10 20 30", "20 10 40", "30 40 10"][node as usize]);
        fake.cpu(node, "cpu_capacity", [512, 1024, 1024][node as usize]);
    }
    unified(&fake, "/");
    limit(&fake, "", "0,2", "0,2");
    let topology = fake.detect();
    let matrix = topology.distances().next().unwrap();
    assert_eq!(matrix.values().collect::<Vec<_>>(), [10, 30, 30, 10]);
    let kinds: Vec<_> = topology.cpu_kinds().map(|kind| kind.cpuset().unwrap().to_string()).collect();
    assert_eq!(kinds, ["0", "2"]);
    limit(&fake, "", "0", "0");
    assert_eq!(fake.detect().distances().count(), 0);
    assert!(fake.detect().root().complete_nodeset().unwrap().contains(2));
}

#[test]
fn devices_keep_their_place_even_if_its_processors_are_not_ours() {
    let fake = two_sockets();
    for (address, class) in [("0000:80:00.0", 0x02_00_00), ("0000:80:01.0", 0x04_03_00)] {
        let device = fake.pci("pci0000:80", address, class, [1, 2, 3, 4]);
        fake.file(&format!("{device}/local_cpus"), "cc");
    }
    unified(&fake, "/");
    limit(&fake, "", "0-1", "0");
    let topology = fake.detect();
    let package = topology.by_type(Type::Bridge).next().unwrap().parent().unwrap();
    assert_eq!((package.ty(), package.os_index(), cpus(&package).as_str()), (Type::Package, Some(1), ""));
    assert_eq!(package.complete_cpuset().unwrap().to_string(), "2-3,6-7");
    assert_eq!(topology.pci_localities().count(), 0);
    // A bridge that nothing is behind keeps nothing.
    fake.file("sys/bus/pci/devices/0000:80:00.0/class", "0x040300");
    assert_eq!(fake.detect().count(Type::Package), 1);
}
