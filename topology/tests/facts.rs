//! What is said beside the tree: what the builder makes of it, and each description that is none.

use graven_topology::error::{BuildError, CheckError, NoCpuKind};
use graven_topology::facts::{DistanceMatrix, Initiator, InitiatorRef, MemoryAttribute, MemoryTier};
use graven_topology::{Bits, Builder, Location, Node, NodeId, Set, Topo, Topology, Type};

/// Two packages of two processors and a node each; what they are called.
fn machine() -> (Builder, Vec<NodeId>, Vec<NodeId>) {
    let (mut builder, mut packages, mut nodes) = (Builder::new(), Vec::new(), Vec::new());
    for package in 0..2 {
        let id = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(package));
        nodes.push(builder.add(id, Node::new(Type::NumaNode).os_index(package)));
        for core in 0..2 {
            let core = builder.add(id, Node::new(Type::Core).os_index(core));
            let os_index = package * 4 + builder.node_mut(core).unwrap().os_index.unwrap() * 2;
            builder.add(core, Node::new(Type::Pu).os_index(os_index));
            builder.add(core, Node::new(Type::Pu).os_index(os_index + 1));
        }
        packages.push(id);
    }
    (builder, packages, nodes)
}

fn set(list: &str) -> Set {
    list.parse().unwrap()
}

fn info(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.into(), value.into())]
}

#[test]
fn distances_are_found_by_name_type_and_pair() {
    let (mut builder, packages, nodes) = machine();
    builder.distances(Some("NUMALatency"), DistanceMatrix::LATENCY, nodes.clone(), [10, 21, 22, 10]);
    builder.distances(None, DistanceMatrix::BANDWIDTH, vec![packages[1], nodes[0]], [1, 2, 3, 4]);
    let topology = builder.build().unwrap();
    let latency = topology.distances_by_name("NUMALatency").next().unwrap();
    assert_eq!((latency.len(), latency.object_type(), latency.kind()), (2, Some(Type::NumaNode), 4));
    let (a, b) = (topology.numa_node(0).unwrap(), topology.numa_node(1).unwrap());
    assert_eq!((latency.between(&a, &b), latency.between(&b, &a)), (Some(21), Some(22)));
    assert_eq!(latency.between(&a, &topology.root()), None);
    assert_eq!((latency.value(1, 1), latency.value(2, 0), latency.value(0, 2)), (Some(10), None, None));
    assert_eq!(topology.distances_by_type(Type::NumaNode).count(), 1);
    let mixed = topology.distances().last().unwrap();
    assert_eq!((mixed.name(), mixed.object_type()), (None, None));
    assert_eq!(mixed.between(&b.parent().unwrap(), &a), Some(2));
}

#[test]
fn memory_values_change_where_an_earlier_location_covers_the_new_one() {
    let (mut builder, _, nodes) = machine();
    let mut tell = |cpus: &str, value| {
        let from = Some(Location::Cpuset(set(cpus)));
        builder.memory_value(MemoryAttribute::BANDWIDTH, nodes[0], from, value);
    };
    tell("0-3", 1);
    tell("0", 2);
    tell("0-7,100", 3);
    tell("100", 4);
    tell("200-", 5);
    // Covered by the first when it is cut to the machine: nobody who asks would come to it.
    tell("1,300", 7);
    builder.memory_value(MemoryAttribute::BANDWIDTH, nodes[1], Some(Location::Cpuset(set("99"))), 6);
    let topology = builder.build().unwrap();
    let bandwidth = topology.memory_attribute(MemoryAttribute::BANDWIDTH).unwrap();
    let node = topology.numa_node(0).unwrap();
    let values: Vec<_> = bandwidth
        .initiators(&node)
        .map(|(from, value)| match from {
            InitiatorRef::Cpuset(cpuset) => (cpuset.to_string(), value),
            InitiatorRef::Object(_) => panic!("no object was given"),
        })
        .collect();
    // What is no processor of the machine says nothing, and then neither does the node.
    assert_eq!(values, [("0-3".to_owned(), 2), ("0-7".to_owned(), 4)]);
    assert_eq!(bandwidth.targets(Initiator::Any).count(), 1);
    assert!(bandwidth.best_initiator(&topology.numa_node(1).unwrap()).is_none());
}

fn kinds(topology: &Topology) -> Vec<(String, Option<u32>, String)> {
    let text = |kind: graven_topology::facts::CpuKindRef<'_, Topology>| {
        kind.infos().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    topology
        .cpu_kinds()
        .map(|kind| (kind.cpuset().unwrap().to_string(), kind.efficiency(), text(kind)))
        .collect()
}

#[test]
fn kinds_of_processors_that_overlap_are_split_with_the_infos_of_both() {
    let (mut builder, ..) = machine();
    builder.cpu_kind(set("0-3"), None, info("a", "1"));
    builder.cpu_kind(set("2-5"), None, info("b", "2"));
    builder.cpu_kind(set("0-1"), None, info("a", "1"));
    builder.cpu_kind(set("4-100"), None, info("c", "3"));
    builder.cpu_kind(set(""), None, info("d", "4"));
    let expected = [("0-1", "a=1"), ("2-3", "a=1 b=2"), ("4-5", "b=2 c=3"), ("6-7", "c=3")];
    let topology = builder.build().unwrap();
    assert_eq!(kinds(&topology), expected.map(|(cpus, infos)| (cpus.into(), None, infos.into())));
    let of = |list: &str| topology.cpu_kind_of(&set(list)).map(|kind| kind.index());
    assert_eq!((of("2"), of("0-1"), of("6")), (Ok(1), Ok(0), Ok(3)));
    assert_eq!(
        (of(""), of("1-2"), of("7-9"), of("9")),
        (Err(NoCpuKind::Empty), Err(NoCpuKind::Several), Err(NoCpuKind::Several), Err(NoCpuKind::Unknown),)
    );
    let cores: Vec<_> = topology.by_type(Type::Core).map(|core| core.core_kind()).collect();
    assert_eq!(cores, [Some(0), Some(1), Some(2), Some(3)]);
    assert_eq!(topology.root().core_kind(), None);
}

#[test]
fn kinds_of_processors_are_ranked_by_what_tells_them_apart() {
    type Told<'a> = (Option<u32>, &'a [(&'a str, &'a str)]);
    let ranks = |kinds: [Told<'_>; 2]| {
        let (mut builder, ..) = machine();
        for (cpus, (forced, infos)) in ["0-3", "4-7"].into_iter().zip(kinds) {
            let infos: Vec<_> = infos.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            builder.cpu_kind(set(cpus), forced, infos);
        }
        let topology = builder.build().unwrap();
        topology
            .cpu_kinds()
            .map(|kind| (kind.cpuset().unwrap().first(), kind.efficiency()))
            .collect::<Vec<_>>()
    };
    let (first, second) =
        (vec![(Some(4), Some(0)), (Some(0), Some(1))], vec![(Some(0), None), (Some(4), None)]);
    assert_eq!(ranks([(Some(9), &[]), (Some(3), &[])]), first);
    assert_eq!(ranks([(Some(3), &[]), (Some(3), &[])]), second);
    assert_eq!(ranks([(Some(9), &[]), (None, &[])]), second);
    let (fast, slow) = (&[("FrequencyMaxMHz", "3000")][..], &[("FrequencyMaxMHz", "900 (about)")][..]);
    assert_eq!(ranks([(None, fast), (None, slow)]), first);
    assert_eq!(ranks([(None, fast), (None, &[])]), second);
    let big = &[("CoreType", "IntelCore"), ("FrequencyMaxMHz", "1000")][..];
    let small = &[("CoreType", "IntelAtom"), ("FrequencyMaxMHz", "9000")][..];
    assert_eq!(ranks([(None, big), (None, small)]), first);
    let base = &[("FrequencyBaseMHz", "2000"), ("FrequencyMaxMHz", "1000")][..];
    let turbo = &[("FrequencyBaseMHz", "1000"), ("FrequencyMaxMHz", "9000")][..];
    assert_eq!(ranks([(None, base), (None, turbo)]), first);
}

#[test]
fn the_only_kind_of_processors_has_rank_0_and_so_have_cores_without_any() {
    let (mut builder, ..) = machine();
    assert_eq!(builder.clone().build().unwrap().by_type(Type::Core).next().unwrap().core_kind(), Some(0));
    builder.cpu_kind(set("0-7"), None, []);
    assert_eq!(kinds(&builder.build().unwrap()), [("0-7".into(), Some(0), String::new())]);
}

#[test]
fn tiers_localities_and_features_are_kept() {
    let (mut builder, ..) = machine();
    builder.memory_tier(MemoryTier::HBM, set("1"), info("speed", "high"));
    builder.memory_tier(MemoryTier::DRAM, set("0,5"), []);
    builder.pci_locality(1, 0, 63, set("0-3"));
    builder.support("cpubind.set_proc_cpubind");
    builder.support("discovery.pu");
    builder.support("discovery.pu");
    let topology = builder.build().unwrap();
    let tiers: Vec<_> = topology.memory_tiers().map(|tier| tier.nodeset().unwrap().to_string()).collect();
    assert_eq!(tiers, ["1", "0"]);
    assert_eq!(topology.numa_node(0).unwrap().memory_tier(), Some(1));
    assert_eq!(topology.memory_tiers().next().unwrap().infos().next(), Some(("speed", "high")));
    assert_eq!(
        topology.pci_localities().next().map(|locality| (locality.domain(), locality.buses())),
        Some((1, (0, 63)))
    );
    assert_eq!(topology.support().collect::<Vec<_>>(), ["cpubind.set_proc_cpubind", "discovery.pu"]);
    assert!(topology.supports("discovery.pu") && !topology.supports("discovery.numa"));
}

#[test]
fn what_is_said_enters_the_digest_and_archives_the_same_each_time() {
    let build = |value: u64, efficiency: u32| {
        let (mut builder, _, nodes) = machine();
        builder.distances(None, 1, nodes, [1, 2, 3, value]);
        builder.cpu_kind(set("0"), Some(efficiency), []);
        let topology = builder.build().unwrap();
        let bytes = graven::rkyv::to_bytes::<graven::rkyv::rancor::Error>(&topology).unwrap();
        (topology.digest(), bytes.to_vec())
    };
    assert_eq!(build(4, 1), build(4, 1));
    assert_ne!(build(4, 1).0, build(5, 1).0);
    assert_ne!(build(4, 1).0, build(4, 2).0);
}

macro_rules! refuses {
    ($($name:ident: |$builder:ident, $nodes:ident| $describe:expr => $error:pat,)*) => {$(
        #[test]
        fn $name() {
            let (mut builder, _, $nodes) = machine();
            let $builder = &mut builder;
            $describe;
            let error = builder.build().expect_err("this is no topology");
            assert!(matches!(error, $error), "{error:?}");
            assert!(error.to_string().starts_with("not a topology: ") || error.to_string().starts_with("topology too"));
        }
    )*};
}

refuses! {
    a_matrix_of_one_object_is_refused: |b, nodes| b.distances(None, 0, [nodes[0]], [1])
        => BuildError::Distances { objects: 1, values: 1, different: 1 },
    a_matrix_of_too_few_values_is_refused: |b, nodes| b.distances(None, 0, nodes, [1, 2, 3])
        => BuildError::Distances { objects: 2, values: 3, .. },
    a_matrix_with_an_object_twice_is_refused: |b, nodes| b.distances(None, 0, [nodes[0], nodes[0]], [1, 2, 3, 4])
        => BuildError::Distances { different: 1, .. },
    distances_of_another_builders_objects_are_refused: |b, nodes| {
        let (mut other, ..) = machine();
        let stranger = other.add(Builder::ROOT, Node::new(Type::Package));
        b.distances(None, 0, [nodes[0], stranger], [1, 2, 3, 4])
    } => BuildError::UnknownObject { .. },
    an_attribute_without_order_is_refused: |b, _nodes| b.memory_attribute("x", MemoryAttribute::NEED_INITIATOR)
        => BuildError::MemoryAttributeFlags { flags: 4, expected: None, .. },
    an_attribute_with_both_orders_is_refused: |b, _nodes| b.memory_attribute("x", 3)
        => BuildError::MemoryAttributeFlags { flags: 3, .. },
    an_attribute_with_other_flags_than_before_is_refused: |b, _nodes| b.memory_attribute("Latency", 5)
        => BuildError::MemoryAttributeFlags { flags: 5, expected: Some(6), .. },
    a_value_of_no_attribute_is_refused: |b, nodes| b.memory_value(8, nodes[0], None, 1)
        => BuildError::MemoryAttributeId { id: 8 },
    a_capacity_is_refused: |b, nodes| b.memory_value(MemoryAttribute::CAPACITY, nodes[0], None, 1)
        => BuildError::MemoryValue { .. },
    a_bandwidth_from_nowhere_is_refused: |b, nodes| b.memory_value(MemoryAttribute::BANDWIDTH, nodes[0], None, 1)
        => BuildError::MemoryValue { .. },
    a_bandwidth_from_no_processor_is_refused:
        |b, nodes| b.memory_value(MemoryAttribute::BANDWIDTH, nodes[0], Some(Location::Cpuset(Set::new())), 1)
        => BuildError::MemoryValue { .. },
    more_kinds_of_processors_than_machines_have_are_refused: |b, _nodes| for cpu in 0..2000 {
        b.add(Builder::ROOT, Node::new(Type::Pu).os_index(100 + cpu));
        b.cpu_kind(Set::only(100 + cpu), None, []);
    } => BuildError::TooMany { .. },
}

#[test]
fn levels_of_groups_without_structure_are_taken_out_on_demand() {
    let mut builder = Builder::new();
    let group = builder.add(Builder::ROOT, Node::new(Type::Group).name("outer"));
    let package = builder.add(group, Node::new(Type::Package));
    let die = builder.add(package, Node::new(Type::Die));
    let inner = builder.add(die, Node::new(Type::Group));
    builder.add(inner, Node::new(Type::NumaNode).os_index(0));
    builder.add(inner, Node::new(Type::OsDevice).name("sda"));
    for cpu in 0..2 {
        builder.add(inner, Node::new(Type::Pu).os_index(cpu));
    }
    builder.distances(None, 0, [group, inner, package], (0..9).collect::<Vec<_>>());
    builder.distances(None, 0, [die, package], [1, 2, 3, 4]);
    let all = builder.clone().build().unwrap();
    assert_eq!((all.depth(), all.distances().count()), (6, 2));
    builder.keep_structure().unwrap();
    let topology = builder.build().unwrap();
    let types: Vec<_> = topology.levels().take(3).map(|level| level.ty()).collect();
    assert_eq!(types, [Type::Machine, Type::Package, Type::Pu]);
    let package = topology.by_type(Type::Package).next().unwrap();
    assert_eq!(topology.numa_node(0).unwrap().parent(), Some(package));
    assert_eq!(topology.by_type(Type::OsDevice).next().unwrap().parent(), Some(package));
    // Nothing is left to be distant from.
    assert_eq!(topology.distances().count(), 0);
}

#[test]
fn a_description_that_is_none_is_refused_before_its_structure_is_looked_at() {
    let mut builder = Builder::new();
    assert_eq!(builder.keep_structure(), Err(BuildError::NoPu));
    let error = CheckError::Fact { record: 3, rule: "must hold" };
    assert_eq!(error.to_string(), "corrupt topology: record 3: must hold");
}
