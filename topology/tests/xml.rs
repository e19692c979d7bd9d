//! hwloc XML: a test per rule of the loader, and what comes back of what was written.

#[path = "support/xml.rs"]
mod xml_support;

use graven_topology::attributes::{Group, OsDevice, PageType};
use graven_topology::facts::{DistanceMatrix, MemoryAttribute, MemoryTier};
use graven_topology::xml::{self, XmlError};
use graven_topology::{
    Attributes, Builder, ChildKind, Filter, Location, Node, Set, Topo, Topology, Type, records,
};
use serde_json::Value;

use xml_support::*;

fn types(topology: &Topology) -> Vec<Type> {
    (0..topology.depth() as i32).map(|depth| topology.level(depth).unwrap().ty()).collect()
}

#[test]
fn the_smallest_file_is_a_machine() {
    let topology = read(&file("2.0", &pus(), ""));
    assert_eq!(types(&topology), [Type::Machine, Type::Pu]);
    assert_eq!(topology.numa_node(0).unwrap().local_memory(), Some(1024));
    assert_eq!((topology.flags(), topology.filter(Type::Group)), (9, Filter::KeepStructure));
}

#[test]
fn sets_are_fixed_to_the_parents_and_nodesets_follow_from_memory() {
    let core = format!("<object type=\"Core\" {} gp_index=\"50\">{}</object>", sets("0xff", "0xf0"), pus());
    let topology = read(&file("2.0", &core, ""));
    let core = topology.by_type(Type::Core).next().unwrap();
    assert_eq!(core.cpuset().unwrap().to_string(), "0-3");
    assert_eq!(core.nodeset().unwrap().to_string(), "0");
    // What might come online cannot be known from the tree: it stays, in all that contain the core.
    assert_eq!(core.complete_nodeset().unwrap().to_string(), "0,4-7");
    assert_eq!(topology.root().complete_nodeset().unwrap().to_string(), "0,4-7");
}

#[test]
fn empty_objects_go_unless_something_is_attached() {
    let empty = sets("0x0", "0x0");
    let pci = "<object type=\"PCIDev\" gp_index=\"70\" pci_busid=\"0000:00:1f.0\"/>";
    let inside = format!(
        "{}<object type=\"Core\" {empty} gp_index=\"60\"><object type=\"Misc\" gp_index=\"61\"/></object>\
         <object type=\"Package\" {empty} gp_index=\"62\">{pci}</object>\
         <object type=\"NUMANode\" os_index=\"7\" {empty} gp_index=\"63\"/>",
        pus()
    );
    let topology = read(&file("2.0", &inside, ""));
    let counts =
        [Type::Core, Type::Misc, Type::Package, Type::PciDevice, Type::NumaNode].map(|ty| topology.count(ty));
    assert_eq!(counts, [0, 0, 1, 1, 1]);
}

fn grouped(inner: &str, attributes: &str) -> Topology {
    let all = sets("0xf", "0x1");
    let inside = format!(
        "<object type=\"Group\" {all} gp_index=\"50\" {attributes}>{inner}<object type=\"Misc\" gp_index=\"51\" name=\"kept\"/></object>"
    );
    read(&file("2.0", &inside, ""))
}

#[test]
fn structure_is_kept_and_groups_that_add_none_go() {
    let own = "<object type=\"Misc\" gp_index=\"53\" name=\"own\"/>";
    let package =
        format!("<object type=\"Package\" {} gp_index=\"52\">{}{own}</object>", sets("0xf", "0x1"), pus());
    let topology = grouped(&package, "kind=\"1\"");
    assert_eq!(types(&topology), [Type::Machine, Type::Package, Type::Pu]);
    // What was attached to the group comes before what is attached to the package that took its place.
    let notes: Vec<_> = topology.by_type(Type::Misc).map(|misc| misc.name().unwrap()).collect();
    assert_eq!(notes, ["kept", "own"]);
    assert!(topology.by_type(Type::Misc).all(|misc| misc.parent().unwrap().ty() == Type::Package));
}

#[test]
fn a_group_that_may_not_be_merged_stays() {
    let topology = grouped(&pus(), "kind=\"1\" dont_merge=\"1\"");
    assert_eq!(types(&topology), [Type::Machine, Type::Group, Type::Pu]);
    assert!(topology.by_type(Type::Group).next().unwrap().group().unwrap().dont_merge);
}

#[test]
fn references_to_a_group_that_went_go_with_it() {
    let inside = format!("<object type=\"Group\" {} gp_index=\"50\">{}</object>", sets("0xf", "0x1"), pus());
    let beside = "<distances2hetero nbobjs=\"3\" kind=\"5\"><indexes length=\"9\">PU:1 Group:50 PU:11 </indexes>\
        <u64values length=\"9\">1 2 3 4 5 6 7 8 9</u64values></distances2hetero>\
        <memattr name=\"x\" flags=\"1\"><memattr_value target_obj_type=\"Group\" target_obj_gp_index=\"50\" value=\"3\"/></memattr>";
    let topology = read(&file("2.0", &inside, beside));
    let distances = topology.distances().next().unwrap();
    assert_eq!(distances.values().collect::<Vec<_>>(), [1, 3, 7, 9]);
    assert_eq!(
        topology
            .memory_attribute_by_name("x")
            .unwrap()
            .targets(graven_topology::facts::Initiator::Any)
            .count(),
        0
    );
}

#[test]
fn a_machine_without_nodes_gets_one_with_its_memory() {
    let text = "<topology><object type=\"System\" os_level=\"-1\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\" \
        online_cpuset=\"0x3\" allowed_cpuset=\"0x1\" local_memory=\"4096\"><page_type size=\"0\" count=\"1\"/><page_type size=\"64\" count=\"2\"/>\
        <page_type size=\"4\" count=\"1\"/>\
        <object type=\"Socket\" os_index=\"0\" cpuset=\"0x3\" complete_cpuset=\"0x3\"><object type=\"Cache\" cpuset=\"0x3\" \
        complete_cpuset=\"0x3\" depth=\"2\" cache_size=\"1024\" cache_type=\"0\">\
        <object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\"/>\
        <object type=\"PU\" os_index=\"1\" cpuset=\"0x2\" complete_cpuset=\"0x2\"/></object></object></object></topology>";
    let topology = read(text);
    assert_eq!(types(&topology), [Type::Machine, Type::Package, Type::L2Cache, Type::Pu]);
    let node = topology.numa_node(0).unwrap();
    assert_eq!((node.parent(), node.local_memory()), (Some(topology.root()), Some(4096)));
    assert_eq!(
        node.page_types().collect::<Vec<_>>(),
        [PageType { size: 4, count: 1 }, PageType { size: 64, count: 2 }]
    );
    assert_eq!(topology.allowed_cpuset().unwrap().to_string(), "0");
    assert_eq!(topology.pu(1).unwrap().nodeset().unwrap().to_string(), "0");
}

/// Format 1.x, two nodes as parents of their processors.
fn old(inside: &str) -> String {
    let node = |node: u32| {
        let (cpuset, nodeset) = (format!("{:#x}", 3 << (2 * node)), format!("{:#x}", 1 << node));
        let pus: String = (0..2)
            .map(|pu| node * 2 + pu)
            .map(|pu| {
                format!(
                    "<object type=\"PU\" os_index=\"{pu}\" {}/>",
                    sets(&format!("{:#x}", 1 << pu), &nodeset)
                )
            })
            .collect();
        format!(
            "<object type=\"NUMANode\" os_index=\"{node}\" {} local_memory=\"64\"><info name=\"Type\" value=\"DDR\"/>{pus}\
             <object type=\"Misc\" name=\"note {node}\"/></object>",
            sets(&cpuset, &nodeset)
        )
    };
    format!(
        "<topology><object type=\"Machine\" os_index=\"0\" {}>{inside}{}{}</object></topology>",
        sets("0xf", "0x3"),
        node(0),
        node(1)
    )
}

#[test]
fn memory_that_was_a_parent_becomes_a_child_of_a_group_with_its_processors() {
    let topology = read(&old(""));
    assert_eq!(types(&topology), [Type::Machine, Type::Group, Type::Pu]);
    let node = topology.numa_node(1).unwrap();
    let group = node.parent().unwrap();
    assert_eq!((group.ty(), group.group().unwrap().kind), (Type::Group, Group::MEMORY));
    assert_eq!(group.cpuset().unwrap().to_string(), "2-3");
    assert_eq!(topology.pu(3).unwrap().parent(), Some(group));
    let note = group.child(ChildKind::Misc, 0).unwrap();
    assert_eq!((note.name(), node.subtype()), (Some("note 1"), Some("DDR")));
    // hwloc gives groups the numbers behind all others.
    assert!(topology.by_type(Type::Group).all(|group| group.gp_index() > note.gp_index()));
}

#[test]
fn distances_of_format_1_are_those_of_the_nodes_scaled_unless_they_are_integers() {
    let matrix = |count: usize, base: &str, values: &str| {
        let values: String = values.split(' ').map(|value| format!("<latency value=\"{value}\"/>")).collect();
        format!(
            "<distances nbobjs=\"{count}\" relative_depth=\"1\" latency_base=\"{base}\">{values}</distances>"
        )
    };
    let topology = read(&old(&matrix(2, "10.000000", "1.000000 2.100000 2.100000 1.000000")));
    let distances = topology.distances().next().unwrap();
    assert_eq!(distances.values().collect::<Vec<_>>(), [10, 21, 21, 10]);
    assert_eq!(distances.kind(), DistanceMatrix::FROM_OS | DistanceMatrix::LATENCY);
    let topology = read(&old(&matrix(2, "1.0", "1 1.5 1.5 1")));
    assert_eq!(topology.distances().next().unwrap().values().collect::<Vec<_>>(), [1000, 1500, 1500, 1000]);
    assert_eq!(topology.root().info("xmlv1DistancesScale"), Some("1000.000000"));
    let topology = read(&old(&matrix(3, "1.0", "1 2 3 4 5 6 7 8 9")));
    assert_eq!(topology.distances().count(), 0);
}

#[test]
fn dies_and_misc_objects_that_were_something_else_are_told() {
    let die = |attributes: &str, pu: u32| {
        format!(
            "<object type=\"Group\" {attributes} {} gp_index=\"5{pu}\">{}</object>",
            sets(&format!("{:#x}", 3 << pu), "0x1"),
            (pu..pu + 2)
                .map(|pu| format!(
                    "<object type=\"PU\" os_index=\"{pu}\" {} gp_index=\"{pu}1\"/>",
                    sets(&format!("{:#x}", 1 << pu), "0x1")
                ))
                .collect::<String>()
        )
    };
    let inside = die("kind=\"104\"", 0) + &die("subtype=\"Die\"", 2);
    assert_eq!(types(&read(&file("2.0", &inside, ""))), [Type::Machine, Type::Die, Type::Pu]);
    let misc = old("").replace(
        "<object type=\"PU\" os_index=\"0\"",
        "<object type=\"Misc\" cpuset=\"0x1\" complete_cpuset=\"0x1\"/><object type=\"PU\" os_index=\"0\"",
    );
    assert!(matches!(xml::parse(&misc), Err(XmlError::Build(_))), "a group beside its own processor");
}

#[test]
fn os_devices_of_formats_2_and_3_have_the_same_kinds() {
    let device = |attributes: &str| format!("<object type=\"OSDev\" gp_index=\"80\" {attributes}/>");
    let kinds = |version: &str, attributes: &str| {
        let topology = read(&file(version, &(pus() + &device(attributes)), ""));
        let device = topology.by_type(Type::OsDevice).next().unwrap();
        (device.os_device().unwrap().kinds, device.info("Backend").map(str::to_owned))
    };
    assert_eq!(kinds("2.0", "name=\"sda\" osdev_type=\"0\"").0, OsDevice::STORAGE);
    assert_eq!(kinds("2.0", "name=\"dax0\" osdev_type=\"0\"").0, OsDevice::MEMORY);
    assert_eq!(kinds("2.0", "name=\"mlx\" osdev_type=\"3\"").0, OsDevice::NETWORK | OsDevice::OPENFABRICS);
    assert_eq!(kinds("2.0", "subtype=\"CUDA\" osdev_type=\"5\""), (OsDevice::GPU | OsDevice::COPROC, None));
    assert_eq!(
        kinds("3.0", "subtype=\"CUDA\" osdev_type=\"12\""),
        (OsDevice::GPU | OsDevice::COPROC, Some("CUDA".into()))
    );
    assert_eq!(kinds("3.0", "name=\"x\" osdev_type=\"99\"").0, 99);
    // What 2.0 cannot say is written beside it.
    let text = file("3.0", &(pus() + &device("name=\"x\" osdev_type=\"99\"")), "");
    let topology = read(&text);
    assert!(xml::to_string(&topology).unwrap().contains("osdev_kinds=\"99\""));
    assert_eq!(read(&xml::to_string(&topology).unwrap()), topology);
}

#[test]
fn what_format_3_says_once_for_all_is_said_where_it_was_before() {
    let beside = "<info name=\"PageSizeNr\" value=\"2\"/><info name=\"PageSizes\" value=\"16,4096\"/>\
        <memtier kinds=\"2\" nodeset=\"0x1\"><info name=\"a\" value=\"b\"/></memtier>";
    let topology = read(&file("3.0", &pus(), beside));
    let root: Vec<_> = topology.root().infos().collect();
    assert_eq!(root, [("PageSizeNr", "2"), ("PageSizes", "16,4096"), ("MemoryTiersNr", "1")]);
    let node = topology.numa_node(0).unwrap();
    assert_eq!((node.info("MemoryTier"), node.memory_tier()), (Some("0"), Some(0)));
    assert_eq!(
        node.page_types().collect::<Vec<_>>(),
        [PageType { size: 16, count: 64 }, PageType { size: 4096, count: 0 }]
    );
    assert_eq!(topology.memory_tiers().next().unwrap().infos().next(), Some(("a", "b")));
    assert_eq!(read(&xml::to_string(&topology).unwrap()), topology);
}

#[test]
fn characters_that_xml_must_escape_come_back_and_others_are_left_out() {
    let mut builder = Builder::new();
    let text = "a<b>&\"quoted\"'\t\n\r end é 漢 \u{1F600}";
    builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0).info(text, text));
    builder.add(Builder::ROOT, Node::new(Type::NumaNode).os_index(0));
    builder.add(Builder::ROOT, Node::new(Type::Misc).name("bell\u{7}\u{0}\u{fffe}"));
    let topology = builder.build().unwrap();
    let again = read(&xml::to_string(&topology).unwrap());
    assert_eq!(again.pu(0).unwrap().infos().next(), Some((text, text)));
    assert_eq!(again.by_type(Type::Misc).next().unwrap().name(), Some("bell"));
}

#[test]
fn features_are_written_in_the_order_in_which_they_come_back() {
    let mut builder = Builder::new();
    builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
    builder.add(Builder::ROOT, Node::new(Type::NumaNode).os_index(0));
    for name in ["discovery.a", "disc\u{1}overy.b", "discovery.b", "disc\u{fffe}overy.0"] {
        builder.support(name);
    }
    let first = xml::to_string(&builder.build().unwrap()).unwrap();
    let again = read(&first);
    let names: Vec<&str> = again.support().collect();
    assert_eq!(names, ["discovery.0", "discovery.a", "discovery.b"]);
    assert_eq!(xml::to_string(&again).unwrap(), first);
}

/// A machine of two packages, of which something is said in each table beside the tree.
fn built() -> Topology {
    let mut builder = Builder::new();
    let mut nodes = Vec::new();
    for package in 0..2 {
        let id = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(package));
        nodes.push(
            builder.add(
                id,
                Node::new(Type::NumaNode)
                    .os_index(package)
                    .attributes(Attributes::Numa { local_memory: 9, page_types: vec![] }),
            ),
        );
        for pu in 0..2 {
            builder.add(id, Node::new(Type::Pu).os_index(package * 2 + pu));
        }
    }
    builder.node_mut(Builder::ROOT).unwrap().complete_cpuset = Some(Set::from_index(2));
    builder.distances(None, DistanceMatrix::LATENCY, nodes.clone(), [1, 2, 3, u64::MAX]);
    let custom =
        builder.memory_attribute("custom", MemoryAttribute::HIGHER_FIRST | MemoryAttribute::NEED_INITIATOR);
    builder.memory_value(custom, nodes[0], Some(Location::Cpuset(Set::only(3))), 5);
    builder.memory_value(custom, nodes[0], Some(Location::Object(nodes[1])), 6);
    builder.memory_tier(MemoryTier::DRAM, Set::only(1), []);
    builder.pci_locality(0x10000, 0, 255, Set::from(0..2));
    builder.cpu_kind(Set::from(0..2), Some(7), [("a".into(), "b".into())]);
    builder.cpu_kind(Set::from(2..4), Some(3), []);
    builder.support("discovery.pu");
    builder.flags(9);
    builder.build().unwrap()
}

#[test]
fn a_file_of_the_repository_is_read_and_written_as_it_always_was() {
    let text = include_str!("fixtures/small.xml");
    let topology = read(text);
    assert_eq!(xml::to_string(&topology).unwrap(), text);
    assert_eq!(topology, read(&xml::to_string(&built()).unwrap()));
    let golden = include_str!("fixtures/small.dump.jsonl");
    let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records(&topology).collect::<Vec<Value>>(), golden);
}

#[test]
fn a_topology_that_was_built_comes_back_equal() {
    let topology = built();
    let again = read(&xml::to_string(&topology).unwrap());
    // The infos that say the tiers are the only difference.
    assert_eq!(again.root().info("MemoryTiersNr"), Some("1"));
    assert_eq!(read(&xml::to_string(&again).unwrap()), again);
    assert_eq!(again.root().complete_cpuset().unwrap(), Set::full());
    assert_eq!(again.distances().next().unwrap().value(1, 1), Some(u64::MAX));
    let kinds: Vec<_> = again.cpu_kinds().map(|kind| (kind.efficiency(), kind.forced_efficiency())).collect();
    assert_eq!(kinds, [(Some(0), Some(3)), (Some(1), Some(7))]);
    assert_eq!(again.pci_localities().next().unwrap().domain(), 0x10000);
    assert_eq!(again.memory_attributes().count(), 9);
}

#[test]
fn a_node_that_was_the_root_gets_a_machine_above_it() {
    let text = format!(
        "<topology><object type=\"NUMANode\" os_index=\"0\" {} local_memory=\"7\"><info name=\"a\" value=\"b\"/>\
         <object type=\"PU\" os_index=\"0\" {}/></object></topology>",
        sets("0x1", "0x1"),
        sets("0x1", "0x1")
    );
    let topology = read(&text);
    assert_eq!(types(&topology), [Type::Machine, Type::Pu]);
    assert_eq!(topology.root().info("a"), Some("b"));
    assert_eq!(topology.numa_node(0).unwrap().local_memory(), Some(7));
}

#[test]
fn memory_of_a_package_is_attached_where_the_other_is() {
    // Knights Landing: MCDRAM has no processors of its own.
    let fast = format!(
        "<object type=\"NUMANode\" os_index=\"2\" {}><info name=\"Type\" value=\"MCDRAM\"/></object>",
        sets("0x0", "0x4")
    );
    let text = format!(
        "<topology><object type=\"Machine\" os_index=\"0\" {all}><object type=\"NUMANode\" os_index=\"0\" {all}/>{fast}\
         <object type=\"PU\" os_index=\"0\" {all}/></object></topology>",
        all = sets("0x1", "0x5")
    );
    let text = text.replace(
        "os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\" nodeset=\"0x5\" complete_nodeset=\"0x5\"/>",
        &format!("os_index=\"0\" {}/>", sets("0x1", "0x1")),
    );
    let topology = read(&text);
    assert_eq!(types(&topology), [Type::Machine, Type::Pu]);
    assert!(topology.by_type(Type::NumaNode).all(|node| node.parent() == Some(topology.root())));
    assert_eq!(topology.numa_node(2).unwrap().subtype(), Some("MCDRAM"));
}

#[test]
fn a_machine_below_the_machine_is_a_group() {
    let half = |from: u32| {
        let pus: String = (from..from + 2)
            .map(|pu| {
                format!(
                    "<object type=\"PU\" os_index=\"{pu}\" {} gp_index=\"{pu}1\"/>",
                    sets(&format!("{:#x}", 1 << pu), "0x1")
                )
            })
            .collect();
        format!(
            "<object type=\"Machine\" {} gp_index=\"5{from}\">{pus}</object>",
            sets(&format!("{:#x}", 3 << from), "0x1")
        )
    };
    let topology = read(&file("2.0", &(half(0) + &half(2)), ""));
    assert_eq!(types(&topology), [Type::Machine, Type::Group, Type::Pu]);
}
