//! Restricting topologies: what goes, what stays and as what, and what is refused.
//!
//! The rules are hwloc's (`hwloc_topology_restrict`); `restrict_real` compares with lstopo on every real topology.

use graven_topology::attributes::Group;
use graven_topology::error::RestrictError;
use graven_topology::facts::{Initiator, MemoryAttribute, MemoryTier};
use graven_topology::{
    Attributes, Builder, ChildKind, Filter, Location, Node, NodeId, Set, Topo, Topology, Type, synthetic,
};
use proptest::prelude::*;

#[path = "support/restrict.rs"]
mod restrict_support;
use restrict_support::{PLAIN, every_option, sound};

fn set(list: &str) -> Set {
    list.parse().unwrap()
}

/// Two packages with a NUMA node, two cores of two threads each, I/O and misc objects everywhere.
struct Machine {
    builder: Builder,
    packages: Vec<NodeId>,
    nodes: Vec<NodeId>,
    cores: Vec<NodeId>,
}

impl Machine {
    fn new() -> Self {
        let mut builder = Builder::new();
        let (mut packages, mut nodes, mut cores) = (Vec::new(), Vec::new(), Vec::new());
        for package in 0..2 {
            let id = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(package));
            packages.push(id);
            let memory = Attributes::Numa { local_memory: 4 << 30, page_types: vec![] };
            nodes.push(builder.add(id, Node::new(Type::NumaNode).os_index(package).attributes(memory)));
            for core in 0..2 {
                let core = 2 * package + core;
                let id = builder.add(id, Node::new(Type::Core).os_index(core));
                cores.push(id);
                for thread in 0..2 {
                    builder.add(id, Node::new(Type::Pu).os_index(2 * core + thread));
                }
            }
        }
        Self { builder, packages, nodes, cores }
    }

    fn device(&mut self, below: NodeId, name: &str) -> NodeId {
        self.builder.add(below, Node::new(Type::OsDevice).name(name))
    }

    fn misc(&mut self, below: NodeId, name: &str) {
        self.builder.add(below, Node::new(Type::Misc).name(name));
    }
}

fn names(topology: &Topology, kind: ChildKind) -> Vec<String> {
    topology.root().children(kind).map(|child| child.name().unwrap().to_owned()).collect()
}

#[test]
fn objects_whose_processors_all_go_go_and_the_sets_of_others_shrink() {
    let machine = synthetic("pack:2 [numa] core:4 pu:2").unwrap();
    let rest = machine.restrict(&set("2-5"), PLAIN).unwrap();
    assert_eq!(rest.root().cpuset().unwrap().to_string(), "2-5");
    assert_eq!(rest.root().complete_cpuset().unwrap().to_string(), "2-5");
    assert_eq!(rest.allowed_cpuset().unwrap().to_string(), "2-5");
    assert_eq!((rest.count(Type::Core), rest.count(Type::Pu)), (2, 4));
    // A package with memory stays, without processors.
    let packages: Vec<_> = rest.by_type(Type::Package).map(|p| p.cpuset().unwrap().to_string()).collect();
    assert_eq!(packages, ["2-5", ""]);
    assert!(rest.pu(0).is_none());
    let pu = rest.pu(2).unwrap();
    assert_eq!((pu.logical_index(), pu.gp_index()), (0, machine.pu(2).unwrap().gp_index()));
    assert!(machine.root().symmetric_subtree() && !rest.root().symmetric_subtree());
    assert_eq!(rest.root().total_memory(), machine.root().total_memory());
}

#[test]
fn nodes_without_processors_go_if_asked_for() {
    let machine = synthetic("pack:2 [numa] core:4 pu:2").unwrap();
    let rest = machine.restrict(&set("2-5"), PLAIN.remove_cpuless()).unwrap();
    assert_eq!((rest.count(Type::Package), rest.count(Type::NumaNode)), (1, 1));
    assert_eq!(rest.root().nodeset().unwrap().to_string(), "0");
    assert_eq!(rest.root().complete_nodeset().unwrap().to_string(), "0");
    assert_eq!(rest.allowed_nodeset().unwrap().to_string(), "0");
    assert_eq!(rest.root().total_memory(), 1 << 30);
    assert!(rest.root().symmetric_subtree());
    // Also those that had none before.
    let later = machine.restrict(&set("2-5"), PLAIN).unwrap().restrict(&Set::full(), PLAIN.remove_cpuless());
    assert_eq!(later.unwrap(), rest);
}

#[test]
fn by_nodeset_nodes_go_and_processors_stay_unless_asked_otherwise() {
    let machine = synthetic("pack:2 [numa] core:4 pu:2").unwrap();
    let by_nodeset = PLAIN.by_nodeset();
    let rest = machine.restrict(&set("1"), by_nodeset).unwrap();
    assert_eq!((rest.count(Type::Pu), rest.count(Type::NumaNode), rest.count(Type::Package)), (16, 1, 2));
    assert_eq!(rest.root().nodeset().unwrap().to_string(), "1");
    assert_eq!(rest.pu(0).unwrap().nodeset().unwrap().to_string(), "");
    let rest = machine.restrict(&set("1"), by_nodeset.remove_memless()).unwrap();
    assert_eq!((rest.count(Type::Pu), rest.count(Type::Package)), (8, 1));
    assert_eq!(rest.root().complete_cpuset().unwrap().to_string(), "8-15");
    assert_eq!(rest.allowed_cpuset().unwrap().to_string(), "8-15");
}

#[test]
fn what_is_attached_goes_with_its_object() {
    let mut machine = Machine::new();
    machine.device(Builder::ROOT, "root");
    let core = machine.cores[3];
    let device = machine.device(core, "core");
    machine.device(device, "below");
    machine.misc(device, "cable");
    machine.misc(core, "note");
    let rest = machine.builder.build().unwrap().restrict(&set("0-3"), PLAIN).unwrap();
    assert_eq!(names(&rest, ChildKind::Io), ["root"]);
    assert_eq!(rest.count(Type::Misc), 0);
}

#[test]
fn what_is_attached_goes_up_if_asked_for_behind_what_is_there() {
    let mut machine = Machine::new();
    let (core, package, node) = (machine.cores[3], machine.packages[1], machine.nodes[1]);
    let first = machine.device(core, "core");
    machine.device(first, "below");
    machine.misc(first, "cable");
    machine.misc(core, "core");
    machine.misc(node, "memory");
    machine.device(package, "package");
    machine.misc(package, "package");
    machine.device(Builder::ROOT, "root");
    machine.misc(Builder::ROOT, "root");
    let machine = machine.builder.build().unwrap();

    let options = PLAIN.remove_cpuless();
    let both = machine.restrict(&set("0-3"), options.adapt_io().adapt_misc()).unwrap();
    assert_eq!(names(&both, ChildKind::Io), ["root", "package", "core"]);
    assert_eq!(names(&both, ChildKind::Misc), ["root", "package", "core", "memory"]);
    assert_eq!((both.count(Type::OsDevice), both.count(Type::Misc)), (4, 5));

    let io = machine.restrict(&set("0-3"), options.adapt_io()).unwrap();
    // A misc object goes where the device it is on goes.
    let misc: Vec<_> = io.by_type(Type::Misc).map(|misc| misc.name().unwrap().to_owned()).collect();
    assert_eq!(misc, ["cable", "root"]);
    let misc = machine.restrict(&set("0-3"), options.adapt_misc()).unwrap();
    assert_eq!((misc.count(Type::OsDevice), misc.count(Type::Misc)), (1, 4));

    // Without removing the node, the package stays, and so does what is on it.
    let rest = machine.restrict(&set("0-3"), PLAIN.adapt_io()).unwrap();
    let package = rest.by_type(Type::Package).last().unwrap();
    let devices: Vec<_> = package.children(ChildKind::Io).map(|device| device.name().unwrap()).collect();
    assert_eq!(devices, ["package", "core"]);
}

#[test]
fn distances_keep_the_rows_and_columns_of_what_stays() {
    let mut machine = Machine::new();
    let (nodes, cores) = (machine.nodes.clone(), machine.cores.clone());
    machine.builder.distances(Some("nodes"), 5, nodes.clone(), [10, 20, 21, 11]);
    machine.builder.distances(Some("cores"), 6, cores, (0..16).collect::<Vec<_>>());
    machine.builder.distances(
        None,
        0x15,
        [nodes[1], machine.packages[1], machine.packages[0]],
        (0..9).collect::<Vec<_>>(),
    );
    let machine = machine.builder.build().unwrap();
    let rest = machine.restrict(&set("0,4-7"), PLAIN).unwrap();
    let matrices = |topology: &Topology| {
        let all = topology.distances().map(|it| (it.kind(), it.len(), it.values().collect::<Vec<_>>()));
        all.collect::<Vec<_>>()
    };
    assert_eq!(
        matrices(&rest),
        [
            (5, 2, vec![10, 20, 21, 11]),
            (6, 3, vec![0, 2, 3, 8, 10, 11, 12, 14, 15]),
            (0x15, 3, (0..9).collect())
        ]
    );
    let first = rest.distances_by_name("cores").next().unwrap().object(0).unwrap();
    assert_eq!((first.ty(), first.os_index()), (Type::Core, Some(0)));
    let rest = machine.restrict(&set("0-3"), PLAIN.remove_cpuless()).unwrap();
    assert_eq!(matrices(&rest), [(6, 2, vec![0, 1, 4, 5])]);
}

#[test]
fn memory_values_are_from_where_something_stays() {
    let mut machine = Machine::new();
    let (nodes, cores) = (machine.nodes.clone(), machine.cores.clone());
    let builder = &mut machine.builder;
    let from = |list: &str| Some(Location::Cpuset(set(list)));
    builder.memory_value(MemoryAttribute::BANDWIDTH, nodes[0], from("0-3"), 100);
    builder.memory_value(MemoryAttribute::BANDWIDTH, nodes[0], from("2-7"), 50);
    builder.memory_value(MemoryAttribute::BANDWIDTH, nodes[1], from("4-7"), 200);
    builder.memory_value(MemoryAttribute::LATENCY, nodes[0], Some(Location::Object(cores[0])), 7);
    builder.memory_value(MemoryAttribute::LATENCY, nodes[0], Some(Location::Object(cores[3])), 9);
    let own = builder.memory_attribute("colour", MemoryAttribute::HIGHER_FIRST);
    builder.memory_value(own, nodes[1], None, 3);
    let machine = machine.builder.build().unwrap();

    let rest = machine.restrict(&set("0-3"), PLAIN).unwrap();
    let bandwidth = rest.memory_attribute(MemoryAttribute::BANDWIDTH).unwrap();
    let [first, second] = [0, 1].map(|node| rest.numa_node(node).unwrap());
    assert_eq!(bandwidth.value(&first, Initiator::Cpuset(&set("2-3"))), Some(100));
    // What no question reaches behind "0-3" is gone.
    assert_eq!(bandwidth.initiators(&first).count(), 1);
    assert_eq!(bandwidth.initiators(&second).count(), 0);
    assert_eq!(bandwidth.targets(Initiator::Any).count(), 1);
    let latency = rest.memory_attribute(MemoryAttribute::LATENCY).unwrap();
    let initiators: Vec<_> = latency.initiators(&first).map(|(_, value)| value).collect();
    assert_eq!(initiators, [7]);
    assert_eq!(rest.memory_attribute_by_name("colour").unwrap().value(&second, Initiator::Any), Some(3));
    let rest = machine.restrict(&set("4-7"), PLAIN.remove_cpuless()).unwrap();
    let bandwidth = rest.memory_attribute(MemoryAttribute::BANDWIDTH).unwrap();
    assert_eq!(bandwidth.value(&rest.numa_node(1).unwrap(), Initiator::Cpuset(&set("5"))), Some(200));
    assert_eq!(bandwidth.targets(Initiator::Any).count(), 1);
}

#[test]
fn kinds_of_processors_are_cut_and_ranked_again() {
    let mut machine = Machine::new();
    for (list, efficiency) in [("0-3", 30), ("4-5", 10), ("6-7", 20)] {
        machine.builder.cpu_kind(set(list), Some(efficiency), [("CoreType".to_owned(), list.to_owned())]);
    }
    let machine = machine.builder.build().unwrap();
    let rest = machine.restrict(&set("1,6"), PLAIN).unwrap();
    let kinds: Vec<_> = rest
        .cpu_kinds()
        .map(|kind| (kind.cpuset().unwrap().to_string(), kind.efficiency(), kind.forced_efficiency()))
        .collect();
    assert_eq!(kinds, [("6".into(), Some(0), Some(20)), ("1".into(), Some(1), Some(30))]);
    assert_eq!(rest.cpu_kinds().last().unwrap().infos().collect::<Vec<_>>(), [("CoreType", "0-3")]);
}

#[test]
fn tiers_and_localities_are_cut_and_the_rest_of_what_is_said_stays() {
    let mut machine = Machine::new();
    let builder = &mut machine.builder;
    builder.memory_tier(MemoryTier::HBM, set("0"), [("a".to_owned(), "b".to_owned())]);
    builder.memory_tier(MemoryTier::DRAM, set("0-1"), []);
    builder.pci_locality(0, 0, 7, set("0-5"));
    builder.pci_locality(0, 8, 9, set("0-1"));
    builder.support("discovery.pu");
    builder.filter(Type::PciDevice, Filter::KeepImportant);
    builder.flags(9);
    builder.info("name", "value");
    builder.node_mut(Builder::ROOT).unwrap().infos.push(("on".into(), "root".into()));
    let machine = machine.builder.build().unwrap();
    let rest = machine.restrict(&set("4-7"), PLAIN.remove_cpuless()).unwrap();
    let tiers: Vec<_> =
        rest.memory_tiers().map(|tier| (tier.kinds(), tier.nodeset().unwrap().to_string())).collect();
    assert_eq!(tiers, [(MemoryTier::DRAM, "1".into())]);
    assert_eq!(rest.numa_node(1).unwrap().memory_tier(), Some(0));
    let localities: Vec<_> =
        rest.pci_localities().map(|it| (it.buses(), it.cpuset().unwrap().to_string())).collect();
    assert_eq!(localities, [((0, 7), "4-5".into()), ((8, 9), "".into())]);
    assert!(rest.supports("discovery.pu") && rest.flags() == 9);
    assert_eq!(rest.filter(Type::PciDevice), Filter::KeepImportant);
    assert_eq!(rest.infos().collect::<Vec<_>>(), [("name", "value")]);
    assert_eq!(rest.root().info("on"), Some("root"));
}

#[test]
fn levels_that_say_nothing_any_more_are_merged() {
    let machine = synthetic("group:2 pack:2 die:2 core:2 pu:1").unwrap();
    assert_eq!(machine.depth(), 6);
    // One package: the group says nothing, and the die is the package.
    let rest = machine.restrict(&set("0-1"), PLAIN).unwrap();
    let types: Vec<_> = rest.levels().filter(|level| !level.is_empty()).map(|level| level.ty()).collect();
    assert_eq!(types, [Type::Machine, Type::Package, Type::Core, Type::Pu, Type::NumaNode]);
    // A group that is not to be merged stays.
    let mut builder = Builder::new();
    for group in 0..2 {
        let kept = Attributes::Group(Group { dont_merge: true, ..Group::of(1, 0) });
        let id = builder.add(Builder::ROOT, Node::new(Type::Group).attributes(kept));
        builder.add(id, Node::new(Type::Pu).os_index(2 * group));
        builder.add(id, Node::new(Type::Pu).os_index(2 * group + 1));
    }
    let rest = builder.build().unwrap().restrict(&set("0-1"), PLAIN).unwrap();
    assert_eq!(rest.count(Type::Group), 1);
}

#[test]
fn children_are_in_the_order_of_what_is_left_of_them() {
    let mut builder = Builder::new();
    for (core, pus) in [(0, [0, 9]), (1, [4, 5])] {
        let core = builder.add(Builder::ROOT, Node::new(Type::Core).os_index(core));
        for pu in pus {
            builder.add(core, Node::new(Type::Pu).os_index(pu));
        }
    }
    let rest = builder.build().unwrap().restrict(&set("4-9"), PLAIN).unwrap();
    let cores: Vec<_> = rest.by_type(Type::Core).map(|core| core.os_index().unwrap()).collect();
    assert_eq!(cores, [1, 0]);
}

#[test]
fn offline_processors_outside_of_the_set_are_forgotten() {
    let mut builder = Builder::new();
    let offline = Node::new(Type::Package).os_index(0).complete_cpuset(set("8-11"));
    let package = builder.add(Builder::ROOT, offline);
    builder.add(package, Node::new(Type::Pu).os_index(0));
    builder.add(package, Node::new(Type::Pu).os_index(1));
    let machine = builder.build().unwrap();
    let rest = machine.restrict(&set("0,8-9"), PLAIN).unwrap();
    assert_eq!(rest.root().complete_cpuset().unwrap().to_string(), "0,8-9");
    // Nothing but offline ones to take out is a restriction too.
    let rest = machine.restrict(&set("0-1"), PLAIN).unwrap();
    assert_eq!(rest.root().complete_cpuset().unwrap().to_string(), "0-1");
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    let machine = synthetic("pu:2").unwrap();
    for options in [PLAIN.by_nodeset().remove_cpuless(), PLAIN.remove_memless()] {
        let error = machine.restrict(&Set::full(), options).unwrap_err();
        assert_eq!(error, RestrictError::Options { options });
        assert_eq!(error.errno(), 22);
        assert!(error.to_string().contains("by nodeset"));
    }
}

#[test]
fn a_topology_without_allowed_processors_is_refused() {
    let mut machine = Machine::new();
    machine.builder.allow_cpus(set("0-5"));
    let machine = machine.builder.build().unwrap();
    for list in ["", "6-7", "100-"] {
        let error = machine.restrict(&set(list), PLAIN).unwrap_err();
        assert_eq!(error, RestrictError::NoPu { kept: set(list), allowed: set("0-5") });
        assert_eq!(error.errno(), 22);
    }
    // Disallowed ones may stay beside an allowed one.
    assert_eq!(machine.restrict(&set("5-7"), PLAIN).unwrap().count(Type::Pu), 3);
    // By nodeset, processors go with their nodes.
    let options = PLAIN.by_nodeset().remove_memless();
    let mut other = Machine::new();
    other.builder.allow_cpus(set("0-3"));
    let error = other.builder.build().unwrap().restrict(&set("1"), options).unwrap_err();
    assert_eq!(error, RestrictError::NoPu { kept: set("4-"), allowed: set("0-3") });
}

#[test]
fn a_topology_without_allowed_nodes_is_refused() {
    let machine = synthetic("pack:2 [numa] core:2 pu:2").unwrap();
    for list in ["", "2", "7-"] {
        let error = machine.restrict(&set(list), PLAIN.by_nodeset()).unwrap_err();
        assert_eq!(error, RestrictError::NoNumaNode { kept: set(list), allowed: set("0-1") });
        assert_eq!(error.to_string().split(':').next(), Some("cannot restrict"));
    }
    let mut other = Machine::new();
    other.builder.allow_nodes(set("0"));
    let error = other.builder.build().unwrap().restrict(&set("4-7"), PLAIN.remove_cpuless()).unwrap_err();
    assert_eq!(error, RestrictError::NoNumaNode { kept: set("1-"), allowed: set("0") });
}

#[test]
fn a_machine_without_nodes_is_restricted_by_cpuset() {
    let mut builder = Builder::new();
    for pu in 0..2 {
        builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(pu));
    }
    let rest = builder.build().unwrap().restrict(&set("1"), PLAIN.remove_cpuless()).unwrap();
    assert_eq!(rest.count(Type::Pu), 1);
}

/// Machines to cut pieces from.
fn machines() -> Vec<Topology> {
    let mut decorated = Machine::new();
    for core in decorated.cores.clone() {
        let device = decorated.device(core, "device");
        decorated.misc(device, "on device");
        decorated.misc(core, "on core");
    }
    let (nodes, cores) = (decorated.nodes.clone(), decorated.cores.clone());
    for node in &nodes {
        for (cpus, value) in [("0-2", 1), ("2-5", 2), ("5-7", 3), ("0-7", 4)] {
            decorated.builder.memory_value(
                MemoryAttribute::BANDWIDTH,
                *node,
                Some(Location::Cpuset(set(cpus))),
                value,
            );
        }
    }
    decorated.builder.distances(None, 5, cores, vec![1; 16]);
    decorated.builder.cpu_kind(set("0-2"), Some(2), []);
    decorated.builder.cpu_kind(set("3-9"), Some(1), []);
    decorated.builder.memory_tier(1, set("1"), []);
    let texts = [
        "group:2 pack:2 [numa] die:2 core:1 pu:2(indexes=pack:group)",
        "numa:2 pack:1 l3:2 core:2 pu:1",
        "[numa(memorysidecachesize=1GB)] pack:2 [numa] [numa] core:2 pu:2(indexes=core)",
    ];
    let mut all: Vec<_> = texts.iter().map(|text| synthetic(text).unwrap()).collect();
    all.push(decorated.builder.build().unwrap());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_is_kept_the_rest_is_sound(
        runs in prop::collection::vec((0..20u32, 0..6u32), 0..5),
        infinite in any::<bool>(),
        which in 0..4usize,
        options in 0..16usize,
    ) {
        let mut kept: Set = runs.into_iter().map(|(start, len)| start..start + len).collect();
        if infinite {
            kept = kept.complement();
        }
        let (machine, options) = (&machines()[which], every_option()[options]);
        match machine.restrict(&kept, options) {
            Ok(rest) => sound(machine, &rest, &kept, options, &format!("{kept} {options:?}")),
            Err(error) => prop_assert_eq!(error.errno(), 22),
        }
    }
}
