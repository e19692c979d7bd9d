//! Detection on trees of files that are missing, cut, endless, hostile, or garbage: it degrades and never panics.

#[path = "support/live.rs"]
mod live_support;

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use graven_topology::error::DetectError;
use graven_topology::{Detector, Filter, Topo, Type};
use live_support::{Fake, packages, two_sockets};
use proptest::prelude::*;

#[test]
fn a_file_of_more_than_a_mebibyte_is_not_read() {
    let fake = two_sockets();
    let distance = "sys/devices/system/node/node0/distance";
    fake.file("sys/devices/system/node/node1/distance", "20 10");
    let padded = |len: usize| format!("10 20{}", " ".repeat(len - 5));
    fake.bytes(distance, padded(1 << 20).as_bytes());
    assert_eq!(fake.detect().distances().count(), 1);
    fake.bytes(distance, padded((1 << 20) + 1).as_bytes());
    assert_eq!(fake.detect().distances().count(), 0);
    // Then the directories say it, if there are some.
    let online = "sys/devices/system/cpu/online";
    fake.bytes(online, &vec![b'0'; 2 << 20]);
    assert_eq!(fake.detect().count(Type::Pu), 8);
    let fake = Fake::empty();
    fake.bytes(online, &vec![b'0'; 2 << 20]);
    let error = fake.error();
    assert!(matches!(&error, DetectError::Unreadable { path, .. } if path.ends_with("online")), "{error:?}");
}

#[test]
fn of_a_long_file_of_records_the_whole_ones_at_its_start_are_read() {
    let fake = packages(2, 1);
    let record = |cpu: u32, model: &str| format!("processor: {cpu}\nmodel name: {model}\n\n");
    let filler = format!("processor: 9\nflags: {}\n\n", "x".repeat(1 << 20));
    fake.file("proc/cpuinfo", record(0, "first") + &filler + &record(1, "second"));
    let topology = fake.detect();
    let models: Vec<_> = topology.by_type(Type::Package).map(|package| package.info("CPUModel")).collect();
    assert_eq!(models, [Some("first"), None]);
}

#[test]
fn a_directory_of_more_than_65536_entries_is_not_followed() {
    let fake = packages(1, 1);
    let nic = fake.pci("pci0000:00", "0000:00:01.0", 0x02_00_00, [1, 2, 3, 4]);
    fake.class("net", &nic, "eth0");
    // With that: 65,536.
    for number in 1..65_536 {
        fs::write(fake.path(&format!("sys/class/net/{number}")), "").unwrap();
    }
    assert!(fake.detect().count(Type::OsDevice) > 0);
    fs::write(fake.path("sys/class/net/last"), "").unwrap();
    assert_eq!(fake.detect().count(Type::OsDevice), 0);
}

#[test]
fn links_lead_nowhere_outside_of_the_root() {
    let outside = Fake::empty();
    outside.file("secret", "Outside").file("proc/sys/kernel/ostype", "Outside");
    let fake = packages(1, 1);
    // As seen from the root: the file is there.
    fake.file("etc/name", "Inside").link("proc/sys/kernel/hostname", "/etc/name");
    fake.link("proc/sys/kernel/osrelease", "../../../../../../../../etc/name");
    // As seen from outside only.
    fake.link("proc/sys/kernel/ostype", outside.path("secret"));
    fake.link("sys/class/dmi", outside.path(""));
    let topology = fake.detect();
    let info = |name| topology.root().info(name);
    assert_eq!((info("HostName"), info("OSRelease"), info("OSName")), (Some("Inside"), Some("Inside"), None));
}

#[test]
fn what_others_rename_meanwhile_hides_no_file_behind_a_link() {
    let fake = packages(1, 1);
    fake.file("etc/name", "Inside").link("proc/sys/kernel/hostname", "../../../etc/name");
    // Anything, anywhere on the machine: the kernel cannot tell whether a `..` leads out meanwhile.
    let elsewhere = Fake::empty();
    elsewhere.file("one", "");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                fs::rename(elsewhere.path("one"), elsewhere.path("other")).unwrap();
                fs::rename(elsewhere.path("other"), elsewhere.path("one")).unwrap();
            }
        });
        let missed = (0..2000).filter(|_| fake.detect().root().info("HostName") != Some("Inside")).count();
        done.store(true, Relaxed);
        assert_eq!(missed, 0);
    });
}

#[test]
fn links_in_circles_are_like_no_files() {
    let fake = packages(1, 2);
    fake.link("proc/sys/kernel/hostname", "hostname");
    fake.link("sys/class/net/a", "b").link("sys/class/net/b", "../net/a");
    fake.link("sys/devices/system/node", "node/../node");
    let topology = fake.detect();
    assert_eq!((topology.root().info("HostName"), topology.count(Type::OsDevice)), (None, 0));
}

#[test]
fn what_is_no_regular_file_is_not_opened() {
    let fake = packages(1, 1);
    fake.directory("proc/sys/kernel/hostname");
    let pipe = fake.path("proc/sys/kernel/ostype");
    match Command::new("mkfifo").arg(&pipe).status() {
        // Opening it would wait for a writer.
        Ok(status) if status.success() => assert_eq!(fake.detect().root().info("OSName"), None),
        _ => eprintln!("SKIPPED: no mkfifo here"),
    }
    assert_eq!(fake.detect().root().info("HostName"), None);
}

#[test]
fn texts_become_infos_of_one_printable_line() {
    let fake = packages(1, 1);
    fake.bytes("sys/class/dmi/id/product_name", b"  Box\x1b[31m\x07 9\xff \nsecond line");
    fake.file("sys/class/dmi/id/board_name", "x".repeat(5000)).file("sys/class/dmi/id/sys_vendor", " ");
    let topology = fake.detect();
    assert_eq!(topology.root().info("DMIProductName"), Some("Box[31m 9\u{fffd}"));
    assert_eq!(topology.root().info("DMIBoardName").map(str::len), Some(255));
    assert_eq!(topology.root().info("DMISysVendor"), None);
}

#[test]
fn processors_are_found_by_their_directories_if_no_list_says_them() {
    let fake = Fake::empty();
    for cpu in [0, 1, 5] {
        fake.cpu(cpu, "online", u32::from(cpu != 1));
    }
    fake.directory("sys/devices/system/cpu/cpufreq").directory("sys/devices/system/cpu/cpu07");
    let root = fake.detect();
    assert_eq!(root.root().cpuset().unwrap().to_string(), "0,5");
    assert_eq!(root.root().complete_cpuset().unwrap().to_string(), "0-1,5");
}

/// Names of files that are read, with few processors and nodes so that they meet.
fn name() -> impl Strategy<Value = String> {
    let cpu = (
        0..4u32,
        prop::sample::select(vec![
            "topology/core_cpus",
            "topology/core_cpus_list",
            "topology/package_cpus_list",
            "topology/die_cpus",
            "topology/cluster_cpus_list",
            "topology/book_siblings",
            "topology/core_id",
            "cache/index0/level",
            "cache/index0/type",
            "cache/index0/size",
            "cache/index0/shared_cpu_map",
            "cache/index1/shared_cpu_list",
            "cache/index1/level",
            "cache/index1/type",
            "cpu_capacity",
            "cpufreq/cpuinfo_max_freq",
            "online",
        ]),
    );
    let node = (
        0..3u32,
        prop::sample::select(vec![
            "cpulist",
            "cpumap",
            "meminfo",
            "distance",
            "access0/initiators/read_bandwidth",
            "access1/initiators/write_bandwidth",
            "access0/initiators/node0/x",
            "memory_side_cache/index1/size",
            "hugepages/hugepages-2048kB/nr_hugepages",
        ]),
    );
    let pci = (
        0..3u32,
        0..3u32,
        prop::sample::select(vec![
            "class",
            "config",
            "local_cpus",
            "numa_node",
            "current_link_speed",
            "current_link_width",
        ]),
    );
    let other = prop::sample::select(vec![
        "sys/devices/system/cpu/present",
        "sys/devices/system/node/online",
        "proc/cpuinfo",
        "proc/meminfo",
        "proc/self/cgroup",
        "proc/self/mountinfo",
        "proc/self/cpuset",
        "proc/mounts",
        "sys/fs/cgroup/cpuset.cpus.effective",
        "sys/fs/cgroup/cgroup.controllers",
        "sys/devices/cpu_core/cpus",
        "sys/class/net/eth0/address",
        "sys/class/block/sda/size",
        "sys/bus/dax/devices/dax0.0/target_node",
        "sys/bus/dax/drivers/kmem/dax0.0",
        "sys/bus/pci/slots/1/address",
        "sys/class/infiniband/a/ports/1/gids/0",
        "sys/bus/cxl/devices/mem0/ram/size",
        "run/udev/data/b8:0",
        "proc/driver/nvidia/gpus/0000:00:00.0/numa_status",
    ]);
    prop_oneof![
        4 => cpu.prop_map(|(cpu, name)| format!("sys/devices/system/cpu/cpu{cpu}/{name}")),
        3 => node.prop_map(|(node, name)| format!("sys/devices/system/node/node{node}/{name}")),
        3 => pci.prop_map(|(bus, dev, name)| format!("sys/bus/pci/devices/0000:{bus:02x}:{dev:02x}.0/{name}")),
        2 => other.prop_map(str::to_owned),
    ]
}

/// What may be in a file: something that fits somewhere, or anything.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let fitting = prop::sample::select(vec![
        "0",
        "1",
        "-1",
        "3",
        "0-3",
        "0-1",
        "2,3",
        "1-2",
        "f",
        "3,",
        "00000000,0000000c",
        "0x060400",
        "0x030200",
        "4294967295",
        "18446744073709551616",
        "Unified",
        "Data",
        "32K",
        "10 20 20",
        "Node 0 MemTotal: 9 kB",
        "0::/a",
        "1 2 3 / /sys/fs/cgroup rw - cgroup2 c rw",
        "cpuset",
        "8.0 GT/s",
        "0-",
        "0xf...f",
        "3-1",
        "8:0",
        "processor: 0\nvendor_id: AuthenticAMD\ncpu family: 21",
        "0000:00:01",
        "Node: 1",
        "",
    ]);
    let bridge = (0..4u8, 0..5u8).prop_map(|(first, last)| {
        let mut space = vec![0u8; 64];
        (space[0x0e], space[0x19], space[0x1a]) = (1, first, last);
        space
    });
    prop_oneof![
        6 => fitting.prop_map(|text| format!("{text}\n").into_bytes()),
        1 => bridge,
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_tree_of_files_makes_detection_panic_or_its_result_fail_the_check(
        files in prop::collection::vec((name(), contents()), 0..60),
        links in prop::collection::vec((name(), name()), 0..4),
    ) {
        let fake = Fake::new("0-3");
        for (name, bytes) in &files {
            // A name may be a directory of another one already.
            let path = fake.path(name);
            if fs::create_dir_all(path.parent().unwrap()).is_ok() {
                let _ = fs::write(path, bytes);
            }
        }
        for (name, target) in &links {
            let path = fake.path(name);
            if fs::create_dir_all(path.parent().unwrap()).is_ok() {
                let _ = std::os::unix::fs::symlink(format!("/{target}"), path);
            }
        }
        for detector in [
            fake.detector(),
            fake.detector().io(Filter::KeepAll).include_disallowed(),
            fake.detector().io(Filter::KeepNone),
        ] {
            let topology = detector.detect();
            prop_assert!(topology.is_ok(), "{:?}", topology.err());
            prop_assert_eq!(topology.unwrap().check(), Ok(()));
        }
    }

    #[test]
    fn a_list_of_processors_that_is_garbage_is_an_error_and_no_more(text in "[-0-9,x \n]{0,20}") {
        let fake = Fake::empty();
        fake.bytes("sys/devices/system/cpu/online", text.as_bytes());
        if let Ok(topology) = Detector::new().root(fake.path("")).detect() {
            prop_assert_eq!(topology.check(), Ok(()));
        }
    }
}
