//! Detection of PCI devices, bridges and OS devices, on trees of files.

#[path = "support/live.rs"]
mod live_support;

use graven_topology::attributes::OsDevice;
use graven_topology::{ChildKind, Filter, Topo, Topology, Type};
use live_support::{Fake, checked, cpus, names, packages, with_devices as machine};

const GPU: u32 = 0x03_02_00;

fn everything(fake: &Fake) -> Topology {
    checked(&fake.detector().io(Filter::KeepAll))
}

fn addresses(topology: &Topology) -> Vec<(u32, u8, u8, u8)> {
    let pci = topology.by_type(Type::PciDevice).filter_map(|device| device.pci());
    pci.map(|pci| (pci.domain, pci.bus, pci.dev, pci.func)).collect()
}

#[test]
fn devices_are_below_their_bridges_and_those_near_their_processors() {
    let topology = machine().detect();
    assert_eq!(addresses(&topology), [(0, 2, 0, 0), (0, 2, 0, 1), (0, 0x80, 0, 0)]);
    let nic = topology.by_type(Type::PciDevice).next().unwrap();
    let path: Vec<_> = nic.ancestors().map(|object| object.ty()).take(4).collect();
    assert_eq!(path, [Type::Bridge, Type::Bridge, Type::Bridge, Type::Package]);
    let bridges: Vec<_> = nic.ancestors().filter_map(|object| object.bridge()).collect();
    assert_eq!(bridges.iter().map(|bridge| bridge.depth).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(bridges.iter().map(|bridge| bridge.host).collect::<Vec<_>>(), [false, false, true]);
    let buses: Vec<_> = bridges.iter().map(|bridge| (bridge.secondary_bus, bridge.subordinate_bus)).collect();
    assert_eq!(buses, [(2, 2), (1, 3), (0, 3)]);
    assert_eq!((bridges[1].upstream.bus, bridges[1].upstream.dev), (0, 1));
    assert_eq!(cpus(&nic.ancestors().nth(3).unwrap()), "0-1");
    let disk = topology.by_type(Type::PciDevice).last().unwrap();
    assert_eq!(cpus(&disk.ancestors().nth(1).unwrap()), "2-3");
    let near: Vec<_> = topology
        .pci_localities()
        .map(|near| (near.domain(), near.buses(), near.cpuset().unwrap().to_string()))
        .collect();
    assert_eq!(near, [(0, (0, 3), "0-1".to_owned()), (0, (0x80, 0x80), "2-3".to_owned())]);
}

#[test]
fn what_a_device_says_of_itself_are_its_attributes() {
    let fake = machine();
    let device = "sys/devices/pci0000:80/0000:80:00.0";
    fake.file(&format!("{device}/revision"), "0x13").file(&format!("{device}/current_link_width"), 4);
    fake.file(&format!("{device}/current_link_speed"), "16.0 GT/s PCIe");
    fake.file("sys/bus/pci/slots/5-1/address", "0000:80:00");
    fake.file("sys/bus/pci/slots/6/address", "0000:81");
    let topology = fake.detect();
    let disk = topology.by_type(Type::PciDevice).last().unwrap();
    let pci = disk.pci().unwrap();
    assert_eq!((pci.class, pci.prog_if, pci.revision), (0x0108, 0x02, 0x13));
    assert_eq!((pci.vendor, pci.device, pci.subvendor, pci.subdevice), (0x144d, 0xa824, 0x144d, 0xa801));
    assert!((pci.link_speed() - 7.877).abs() < 0.001, "{}", pci.link_speed());
    assert_eq!(disk.info("PCISlot"), Some("5-1"));
}

#[test]
fn the_speed_of_a_link_is_read_from_the_device_where_we_may() {
    let fake = machine();
    let mut space = [0u8; 256];
    // Status with capabilities; the first at 0x40 is something else, the second at 0x60 is PCI Express.
    (space[0x06], space[0x34]) = (0x10, 0x40);
    (space[0x40], space[0x41], space[0x60]) = (0x01, 0x60, 0x10);
    // Generation 3, 8 lanes.
    (space[0x72], space[0x73]) = (0x83, 0x00);
    let speed = |space: &[u8]| {
        fake.bytes("sys/devices/pci0000:80/0000:80:00.0/config", space);
        let topology = fake.detect();
        topology.by_type(Type::PciDevice).last().unwrap().pci().unwrap().link_speed()
    };
    assert!((speed(&space) - 7.877).abs() < 0.001);
    space[0x72] = 0x12;
    assert_eq!(speed(&space), 0.5);
    // A list that bites its tail, one that is cut, one that starts in the header.
    space[0x41] = 0x40;
    assert_eq!(speed(&space), 0.0);
    assert_eq!(speed(&space[..64]), 0.0);
    space[0x34] = 0x04;
    assert_eq!(speed(&space), 0.0);
}

#[test]
fn bridges_with_nothing_behind_them_and_devices_of_other_classes_are_seen_only_on_demand() {
    let fake = machine();
    let unused = fake.bridge("pci0000:00", "0000:00:02.0", 4, 4);
    fake.file(&format!("{unused}/local_cpus"), "3");
    fake.pci("pci0000:00", "0000:00:1f.0", 0x06_01_00, [0x8086, 0xa082, 0, 0]);
    let count = |topology: &Topology| (topology.count(Type::Bridge), topology.count(Type::PciDevice));
    let topology = fake.detect();
    assert_eq!(count(&topology), (4, 3));
    assert_eq!(topology.filter(Type::PciDevice), Filter::KeepImportant);
    assert_eq!(count(&everything(&fake)), (5, 5));
    let none = checked(&fake.detector().io(Filter::KeepNone));
    assert_eq!((count(&none), none.filter(Type::Bridge)), ((0, 0), Filter::KeepNone));
    let same = checked(&fake.detector().io(Filter::KeepStructure));
    assert_eq!(count(&same), (4, 3));
}

#[test]
fn the_buses_of_a_bridge_are_known_without_reading_the_device() {
    let fake = machine();
    let bridge = "sys/devices/pci0000:00/0000:00:01.0";
    std::fs::remove_file(fake.path(&format!("{bridge}/config"))).unwrap();
    fake.file(&format!("{bridge}/secondary_bus_number"), 1);
    fake.file(&format!("{bridge}/subordinate_bus_number"), 3);
    assert_eq!(fake.detect().count(Type::Bridge), 4);
}

#[test]
fn a_bridge_whose_buses_make_no_sense_is_left_out() {
    for (first, last) in [(0, 0), (0, 3), (3, 2), (5, 1)] {
        let fake = machine();
        fake.bridge_config("sys/devices/pci0000:00/0000:00:01.0", first, last);
        let topology = fake.detect();
        assert_eq!(addresses(&topology).len(), 3, "{first}-{last}");
        assert_eq!(topology.by_type(Type::Bridge).filter(|bridge| bridge.bridge().unwrap().host).count(), 2);
    }
}

#[test]
fn devices_near_processors_that_nothing_else_shows_get_a_group() {
    let fake = packages(1, 4);
    fake.node(0, "0-3", 1000);
    let gpu = fake.pci("pci0000:00", "0000:00:03.0", GPU, [0x1002, 0x740f, 0, 0]);
    fake.file(&format!("{gpu}/local_cpulist"), "2-3");
    let topology = fake.detect();
    let group = topology.by_type(Type::Group).next().unwrap();
    assert_eq!((group.group().unwrap().kind, cpus(&group).as_str()), (1000, "2-3"));
    assert_eq!(group.arity(ChildKind::Io), 1);
}

#[test]
fn devices_near_all_processors_or_none_are_the_machines() {
    let fake = packages(1, 2);
    fake.node(0, "0-1", 1000);
    for (device, near) in [("0000:00:03.0", "3"), ("0000:01:00.0", "0"), ("0000:02:00.0", "?")] {
        let directory = fake.pci("pci0000:00", device, GPU, [0x1002, 0x740f, 0, 0]);
        fake.file(&format!("{directory}/local_cpus"), near);
    }
    let topology = fake.detect();
    assert_eq!(topology.root().arity(ChildKind::Io), 3);
}

#[test]
fn os_devices_are_below_the_device_that_they_are() {
    let fake = machine();
    let nic = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0";
    let net = fake.class("net", nic, "eth2");
    fake.file(&format!("{net}/address"), "b8:59:9f:00:00:01").file(&format!("{net}/dev_port"), 0);
    fake.link(&format!("{net}/device"), "../..");
    let rdma = fake.class("infiniband", nic, "mlx5_0");
    fake.file(&format!("{rdma}/node_guid"), "b859:9f03:0001:0002 and more");
    fake.file(&format!("{rdma}/sys_image_guid"), "b859:9f03:0001:0003");
    fake.file(&format!("{rdma}/ports/1/state"), "4: ACTIVE").file(&format!("{rdma}/ports/1/lid"), "0x1a");
    fake.file(&format!("{rdma}/ports/1/lid_mask_count"), 0);
    fake.file(&format!("{rdma}/ports/1/gids/0"), "fe80:0000:0000:0000:b859:9f03:0001:0002");
    fake.file(&format!("{rdma}/ports/1/gids/1"), "fe80:0000:0000:0000:0000:0000:0000:0000");
    let disk = "sys/devices/pci0000:80/0000:80:00.0/nvme/nvme0";
    let block = fake.class("block", disk, "nvme0n1");
    fake.file(&format!("{block}/size"), 1_875_385_008).file(&format!("{block}/queue/hw_sector_size"), 512);
    fake.file(&format!("{block}/dev"), "259:3");
    fake.file(
        "run/udev/data/b259:3",
        "S:disk\nE:ID_MODEL=SAMSUNG MZQL2960\nE:ID_REVISION=GDC5902Q\nE:ID_TYPE=disk",
    );
    let part = fake.class("block", &format!("{disk}/nvme0n1"), "nvme0n1p1");
    fake.file(&format!("{part}/partition"), 1);
    let topology = fake.detect();
    assert_eq!(names(&topology, Type::OsDevice), ["eth2", "mlx5_0", "nvme0n1"]);
    let devices: Vec<_> = topology.by_type(Type::OsDevice).collect();
    let parents: Vec<_> = devices.iter().map(|device| device.parent().unwrap().pci().unwrap().bus).collect();
    assert_eq!(parents, [2, 2, 0x80]);
    let kinds: Vec<_> = devices.iter().map(|device| device.os_device().unwrap().kinds).collect();
    let openfabrics = OsDevice::NETWORK | OsDevice::OPENFABRICS;
    assert_eq!(kinds, [OsDevice::NETWORK, openfabrics, OsDevice::STORAGE]);
    assert_eq!(devices[0].infos().collect::<Vec<_>>(), [("Address", "b8:59:9f:00:00:01"), ("Port", "1")]);
    let rdma = [
        ("NodeGUID", "b859:9f03:0001:0002"),
        ("SysImageGUID", "b859:9f03:0001:0003"),
        ("Port1State", "4"),
        ("Port1LID", "0x1a"),
        ("Port1LMC", "0"),
        ("Port1GID0", "fe80:0000:0000:0000:b859:9f03:0001:0002"),
    ];
    assert_eq!(devices[1].infos().collect::<Vec<_>>(), rdma);
    let disk = [
        ("Size", "937692504"),
        ("SectorSize", "512"),
        ("LinuxDeviceID", "259:3"),
        ("Vendor", "Samsung"),
        ("Model", "SAMSUNG MZQL2960"),
        ("Revision", "GDC5902Q"),
    ];
    assert_eq!(devices[2].infos().collect::<Vec<_>>(), disk);
    assert_eq!(devices[2].subtype(), Some("Disk"));
}

#[test]
fn without_udev_a_disk_says_itself_what_it_is() {
    let fake = machine();
    let scsi = "sys/devices/pci0000:80/0000:80:00.0/host0/target0:0:0/0:0:0:0";
    let block = fake.class("block", scsi, "sda");
    fake.link(&format!("{block}/device"), "../..");
    fake.file(&format!("{scsi}/vendor"), "ATA     ").file(&format!("{scsi}/model"), "WDC WD10EZEX  ");
    fake.file(&format!("{scsi}/rev"), "1A01");
    let topology = fake.detect();
    let disk = topology.by_type(Type::OsDevice).next().unwrap();
    let infos = [("Vendor", "Western Digital"), ("Model", "WDC WD10EZEX"), ("Revision", "1A01")];
    assert_eq!(disk.infos().collect::<Vec<_>>(), infos);
}

#[test]
fn virtual_devices_have_no_place_and_those_on_usb_only_on_demand() {
    let fake = machine();
    fake.class("net", "sys/devices/virtual", "lo");
    fake.class("block", "sys/devices/virtual", "dm-0");
    fake.class("block", "sys/devices/pci0000:80/0000:80:00.0/usb1/1-1/host2", "sdb");
    assert_eq!(fake.detect().count(Type::OsDevice), 0);
    assert_eq!(names(&everything(&fake), Type::OsDevice), ["sdb"]);
}

#[test]
fn graphics_cards_as_the_kernel_sees_them_and_dma_engines_are_seen_on_demand() {
    let fake = machine();
    let gpu = fake.pci("pci0000:80", "0000:80:03.0", GPU, [0x1002, 0x740f, 0, 0]);
    for (name, number) in [("card0", Some("226:0")), ("renderD128", Some("226:128")), ("card0-DP-1", None)] {
        let directory = fake.class("drm", &gpu, name);
        if let Some(number) = number {
            fake.file(&format!("{directory}/dev"), number);
        }
    }
    fake.class("dma", "sys/devices/pci0000:80/0000:80:00.0", "dma0chan0");
    assert_eq!(fake.detect().count(Type::OsDevice), 0);
    let topology = everything(&fake);
    assert_eq!(names(&topology, Type::OsDevice), ["dma0chan0", "card0", "renderD128"]);
    let kinds: Vec<_> =
        topology.by_type(Type::OsDevice).map(|device| device.os_device().unwrap().kinds).collect();
    assert_eq!(kinds, [OsDevice::DMA, OsDevice::GPU, OsDevice::GPU]);
}

#[test]
fn a_device_whose_pci_device_is_not_shown_is_below_the_bridge_before_it() {
    let fake = packages(1, 2);
    fake.node(0, "0-1", 1000);
    // A class that no filter keeps.
    let odd = fake.pci("pci0000:00", "0000:00:05.0", 0xff_00_00, [0x1af4, 0x1041, 0, 0]);
    fake.class("net", &format!("{odd}/virtio3"), "eth0");
    let parent = |topology: &Topology| {
        let device = topology.by_type(Type::OsDevice).next().unwrap();
        device.parent().unwrap().ty()
    };
    // Its bus is not known either.
    assert_eq!(parent(&fake.detect()), Type::Machine);
    fake.pci("pci0000:00", "0000:00:06.0", GPU, [0x1234, 0x1111, 0, 0]);
    let topology = fake.detect();
    assert_eq!((parent(&topology), topology.count(Type::PciDevice)), (Type::Bridge, 1));
}

#[test]
fn a_device_that_is_not_on_pci_is_where_its_memory_is() {
    let fake = machine();
    let near = fake.class("net", "sys/devices/platform/nic", "plat0");
    fake.link(&format!("{near}/device"), "../..");
    fake.file("sys/devices/platform/nic/numa_node", 1);
    fake.class("net", "sys/devices/platform/other", "plat1");
    let topology = fake.detect();
    let devices: Vec<_> =
        topology.by_type(Type::OsDevice).map(|device| cpus(&device.parent().unwrap())).collect();
    assert_eq!(devices, ["0-3", "2-3"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn memory_devices_are_os_devices() {
    let fake = machine();
    let path = "sys/devices/LNXSYSTM:00/ndbus0/region0/dax0.0";
    fake.file(&format!("{path}/size"), 16_909_336_576u64).file(&format!("{path}/dev"), "252:7");
    fake.file(&format!("{path}/numa_node"), 1);
    fake.link("sys/bus/dax/devices/dax0.0", format!("../../../../{path}"));
    let cxl = "sys/devices/pci0000:80/0000:80:00.0/mem0";
    fake.file(&format!("{cxl}/ram/size"), "0x10000000").file(&format!("{cxl}/pmem/size"), "0x0");
    fake.file(&format!("{cxl}/serial"), "0x3");
    fake.link("sys/bus/cxl/devices/mem0", format!("../../../../{cxl}"));
    fake.link("sys/bus/cxl/devices/decoder0.0", "../../../../sys/devices/platform");
    let topology = fake.detect();
    let devices: Vec<_> = topology.by_type(Type::OsDevice).collect();
    assert_eq!(names(&topology, Type::OsDevice), ["mem0", "dax0.0"]);
    assert_eq!((devices[0].subtype(), devices[1].subtype()), (Some("CXLMem"), Some("NVM")));
    assert_eq!(devices[0].os_device().unwrap().kinds, OsDevice::MEMORY);
    assert_eq!(devices[1].os_device().unwrap().kinds, OsDevice::MEMORY | OsDevice::STORAGE);
    assert_eq!(devices[0].infos().collect::<Vec<_>>(), [("CXLRAMSize", "262144"), ("SerialNumber", "0x3")]);
    assert_eq!(devices[1].info("Size"), Some("16513024"));
    assert_eq!(devices[1].info("DAXParent"), Some("LNXSYSTM:00/ndbus0/region0"));
    assert_eq!(cpus(&devices[1].parent().unwrap()), "2-3");
}
