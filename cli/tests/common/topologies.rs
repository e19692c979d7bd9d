//! Topologies to look at: of our own making, and real ones where the directory of them is there.

use std::path::{Path, PathBuf};

use graven_topology::attributes::{Bridge, Cache, CacheKind, OsDevice, Pci};
use graven_topology::facts::{DistanceMatrix, MemoryAttribute};
use graven_topology::{Attributes, Builder, CpuSet, Location, Node, NodeId, NodeSet, Topology, Type};

use super::{print, text};

/// Descriptions of machines whose pictures are small, wide, and of several columns.
const MADE_UP: [&str; 4] = [
    "pu:1",
    "package:2 numa:1 l2:2 core:2 pu:2",
    "package:2 l3:12 l2:8 core:1 pu:2",
    "group:3 package:5 [numa] core:7 pu:4",
];

/// The least that is a topology: to add to.
pub(crate) fn least() -> Builder {
    let mut builder = Builder::new();
    builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
    builder.add(Builder::ROOT, Node::new(Type::NumaNode).os_index(0));
    builder
}

/// As many levels below each other, of nothing but a name for what they are.
pub(crate) fn levels(number: usize) -> Topology {
    let mut builder = least();
    (0..number).fold(Builder::ROOT, |misc, _| builder.add(misc, Node::new(Type::Misc)));
    builder.build().unwrap()
}

/// A machine with some of everything: two kinds of processors, memory behind a cache of its own, devices behind
/// bridges, of which many are alike and some of no interest, matrices of distances, and attributes of memories.
pub(crate) fn everything() -> Topology {
    let mut builder = Builder::new();
    // Those of an import: XML has no place for others.
    builder.flags(1 | 1 << 3);
    builder.node_mut(Builder::ROOT).unwrap().infos.push(("HostName".into(), "made up".into()));
    let mut nodes = Vec::new();
    for package in 0..2 {
        let node = Node::new(Type::Package).os_index(package).info("CPUModel", "Imagined");
        let parent = builder.add(Builder::ROOT, node);
        let cache = |ty, level, kind| {
            let cache =
                Cache { size: 1u64 << (15 + 2 * level), level, line_size: 64, associativity: 8, kind };
            Node::new(ty).attributes(Attributes::Cache(cache))
        };
        let l2 = builder.add(parent, cache(Type::L2Cache, 2, CacheKind::Unified));
        for core in 0..4 {
            let l1 = builder.add(l2, cache(Type::L1Cache, 1, CacheKind::Data));
            let l1i = builder.add(l1, cache(Type::L1iCache, 1, CacheKind::Instruction));
            let core = 4 * package + core;
            let parent = builder.add(l1i, Node::new(Type::Core).os_index(core));
            for thread in 0..2 {
                builder.add(parent, Node::new(Type::Pu).os_index(2 * core + thread));
            }
        }
        let memory = cache(Type::MemCache, 1, CacheKind::Unified);
        let memory = builder.add(parent, memory);
        let attributes = Attributes::Numa { local_memory: 1 << 34, page_types: Vec::new() };
        nodes.push(builder.add(memory, Node::new(Type::NumaNode).os_index(package).attributes(attributes)));
        devices(&mut builder, parent, package as u8);
    }
    builder.add(Builder::ROOT, Node::new(Type::Misc).name("a note").subtype("of ours"));

    let latency = DistanceMatrix::FROM_OS | DistanceMatrix::LATENCY;
    builder.distances(Some("NUMALatency"), latency, nodes.clone(), [10, 21, 21, 10]);
    let processors = |kind| CpuSet::from(8 * kind..8 * kind + 8);
    for kind in 0..2 {
        builder.cpu_kind(processors(kind), Some(kind), [("CoreType".to_owned(), format!("kind {kind}"))]);
        let from = Some(Location::Cpuset(processors(kind)));
        let value = 100 * u64::from(kind + 1);
        builder.memory_value(MemoryAttribute::BANDWIDTH, nodes[kind as usize], from, value);
    }
    builder.allow_cpus(CpuSet::from(0..15));
    builder.allow_nodes(NodeSet::from(0..2));
    builder.build().unwrap()
}

/// Below a package: a host bridge, behind it a network card, a disk that is named, what is alike, and what is dull.
fn devices(builder: &mut Builder, package: NodeId, number: u8) {
    let domain = 0;
    let first = 0x40 * number;
    let host =
        Bridge { host: true, domain, secondary_bus: first, subordinate_bus: first + 9, ..Bridge::default() };
    let host = builder.add(package, Node::new(Type::Bridge).attributes(Attributes::Bridge(host)));
    let pci =
        |bus, func, class| Pci { domain, bus, func, class, vendor: 0x8086, device: 0x10fb, ..Pci::default() };
    let mut add =
        |parent, pci: Pci| builder.add(parent, Node::new(Type::PciDevice).attributes(Attributes::Pci(pci)));
    let card = add(host, pci(first, 0, 0x0200));
    let disk = add(host, pci(first, 1, 0x0108));
    for func in 2..6 {
        add(host, pci(first, func, 0x0302));
    }
    add(host, pci(first, 6, 0x0880));
    let device = |name: &str, kinds| {
        Node::new(Type::OsDevice).name(name).attributes(Attributes::OsDevice(OsDevice { kinds }))
    };
    builder.add(card, device(&format!("eth{number}"), OsDevice::NETWORK));
    builder.add(disk, device(&format!("nvme{number}"), OsDevice::STORAGE).info("Size", "1024"));
    builder.add(host, device(&format!("dma{number}"), OsDevice::DMA));
}

/// Writes topologies of our own making to a file, one after the other, and has each looked at.
pub(crate) fn own(segment: &Path, mut look: impl FnMut(&str)) {
    for description in MADE_UP {
        print(&["topology", "write", "--synthetic", description, text(segment)]);
        look(description);
    }
    graven::write(segment, &everything()).unwrap();
    look("everything");
}

/// The same of real ones, by the files of XML that they come from.
pub(crate) fn real(segment: &Path, mut look: impl FnMut(&Path)) {
    let Some(directory) = directory() else { return };
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "xml")).collect();
    paths.sort();
    for xml in paths {
        print(&["topology", "write", "--xml", text(&xml), text(segment)]);
        look(&xml);
    }
}

/// A real one by its name.
pub(crate) fn real_one(name: &str) -> Option<PathBuf> {
    directory().map(|directory| directory.join(format!("{name}.xml")))
}

/// Where the real ones are, if they are there.
fn directory() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/topologies");
    let found = std::env::var_os("GRAVEN_TOPOLOGIES").map_or(found, PathBuf::from);
    if !found.is_dir() {
        println!("SKIPPED: no directory of topologies beside the project");
        return None;
    }
    Some(found)
}
