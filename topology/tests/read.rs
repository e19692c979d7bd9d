//! One generic reading of a topology, owned and archived, and what each method answers.

use graven::rkyv;
use graven_topology::attributes::{Cache, CacheKind};
use graven_topology::{
    ArchivedTopology, Attributes, Bits, Builder, ChildKind, Node, Set, Topo, Topology, Type, render,
};

/// Two packages of two cores of two threads, with memory, caches, a device and a note.
fn machine() -> Topology {
    let mut builder = Builder::new();
    builder.node_mut(Builder::ROOT).unwrap().infos.push(("HostName".into(), "test".into()));
    for package in 0..2 {
        let id = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(package));
        let memory = Attributes::Numa { local_memory: 8 << 30, page_types: vec![] };
        builder.add(id, Node::new(Type::NumaNode).os_index(package).attributes(memory));
        let l3 =
            Cache { size: 32 << 20, level: 3, line_size: 64, associativity: 16, kind: CacheKind::Unified };
        let l3 = builder.add(id, Node::new(Type::L3Cache).attributes(Attributes::Cache(l3)));
        for core in 0..2 {
            let id = builder.add(l3, Node::new(Type::Core).os_index(core));
            for thread in 0..2 {
                builder.add(id, Node::new(Type::Pu).os_index(package * 2 + core + thread * 4));
            }
        }
    }
    let bridge = builder.add(Builder::ROOT, Node::new(Type::Bridge));
    let device = builder.add(bridge, Node::new(Type::OsDevice).name("eth0"));
    builder.add(device, Node::new(Type::Misc).name("cable").subtype("red"));
    builder.build().unwrap()
}

/// Everything one can ask, as text.
fn report<T: Topo>(topology: &T) -> String {
    let mut report = String::new();
    for object in topology.root().descendants() {
        let sets = [object.cpuset(), object.complete_cpuset(), object.nodeset(), object.complete_nodeset()];
        let near = [object.parent(), object.next_sibling(), object.next_cousin(), object.previous_cousin()];
        report += &format!(
            "{object:?} {:?} {:?} {:?} {sets:?} {near:?} {:?} {:?} {:?}\n",
            object.os_index(),
            object.ancestors().collect::<Vec<_>>(),
            ChildKind::ALL.map(|kind| object.children(kind).collect::<Vec<_>>()),
            object.name(),
            object.infos().collect::<Vec<_>>(),
            object.cache(),
        );
    }
    for level in topology.levels() {
        report += &format!("{} {} {:?}\n", level.depth(), level.ty(), level.iter().collect::<Vec<_>>());
    }
    report + &render(topology).to_string()
}

#[test]
fn owned_and_archived_answer_the_same() {
    let owned = machine();
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&owned).unwrap();
    let archived = rkyv::access::<ArchivedTopology, rkyv::rancor::Error>(&bytes).unwrap();
    archived.check().unwrap();
    assert_eq!(report(archived), report(&owned));
    assert_eq!(archived.digest(), owned.digest());
    let again = rkyv::deserialize::<Topology, rkyv::rancor::Error>(archived).unwrap();
    assert_eq!(again, owned);
}

#[test]
fn the_digest_tells_one_changed_word_apart() {
    let mut builder = Builder::new();
    builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
    let mut other = builder.clone();
    other.node_mut(Builder::ROOT).unwrap().name = Some("name".into());
    assert_ne!(builder.build().unwrap().digest(), other.build().unwrap().digest());
}

#[test]
fn levels_are_found_by_depth_and_by_type() {
    let topology = machine();
    assert_eq!(topology.depth(), 5);
    let found: Vec<_> = topology.levels().map(|level| (level.depth(), level.ty(), level.len())).collect();
    assert_eq!(
        found,
        [
            (0, Type::Machine, 1),
            (1, Type::Package, 2),
            (2, Type::L3Cache, 2),
            (3, Type::Core, 4),
            (4, Type::Pu, 8),
            (-3, Type::NumaNode, 2),
            (-4, Type::Bridge, 1),
            (-5, Type::PciDevice, 0),
            (-6, Type::OsDevice, 1),
            (-7, Type::Misc, 1),
            (-8, Type::MemCache, 0),
        ]
    );
    assert!([5, -1, -2, -9, i32::MIN, i32::MAX].into_iter().all(|depth| topology.level(depth).is_none()));
    assert_eq!(topology.by_depth(3).count(), 4);
    assert_eq!(topology.by_type(Type::NumaNode).count(), 2);
    assert_eq!(topology.level(4).unwrap().get(7), topology.pu(7));
    assert!(topology.level(4).unwrap().get(8).is_none());
}

#[test]
fn objects_are_found_by_os_index() {
    let topology = machine();
    for os_index in 0..8 {
        let pu = topology.pu(os_index).unwrap();
        assert_eq!((pu.ty(), pu.os_index()), (Type::Pu, Some(os_index)));
    }
    assert_eq!(topology.numa_node(1).unwrap().ty(), Type::NumaNode);
    assert!(topology.pu(8).is_none() && topology.numa_node(2).is_none());
    let gp_index = topology.pu(5).unwrap().gp_index();
    assert_eq!(topology.by_gp_index(gp_index), topology.pu(5));
}

#[test]
fn ancestors_lead_to_the_root_and_common_ones_are_the_lowest() {
    let topology = machine();
    let pu = |os_index| topology.pu(os_index).unwrap();
    let types: Vec<_> = pu(6).ancestors().map(|object| object.ty()).collect();
    assert_eq!(types, [Type::Core, Type::L3Cache, Type::Package, Type::Machine]);
    assert_eq!(pu(6).ancestor(Type::Package).unwrap().os_index(), Some(1));
    let common = |a, b| pu(a).common_ancestor(&pu(b)).unwrap();
    assert_eq!(common(0, 0), pu(0));
    assert_eq!(common(0, 4).ty(), Type::Core);
    assert_eq!(common(0, 1).ty(), Type::L3Cache);
    assert_eq!(common(0, 2), topology.root());
    let node = topology.numa_node(0).unwrap();
    assert_eq!(pu(0).common_ancestor(&node).unwrap().ty(), Type::Package);
    let misc = topology.by_type(Type::Misc).next().unwrap();
    assert_eq!(misc.common_ancestor(&pu(0)), Some(topology.root()));
    assert!(misc.is_below(&topology.root()) && !misc.is_below(&pu(0)));
    let other = machine();
    assert!(pu(0).common_ancestor(&other.pu(0).unwrap()).is_none());
}

#[test]
fn the_four_kinds_of_children_are_apart() {
    let topology = machine();
    let root = topology.root();
    assert_eq!(ChildKind::ALL.map(|kind| root.arity(kind)), [2, 0, 1, 0]);
    let package = root.child(ChildKind::Normal, 1).unwrap();
    assert_eq!(ChildKind::ALL.map(|kind| package.arity(kind)), [1, 1, 0, 0]);
    let node = package.child(ChildKind::Memory, 0).unwrap();
    assert_eq!((node.ty(), node.sibling_rank(), node.local_memory()), (Type::NumaNode, 0, Some(8 << 30)));
    let device = root.child(ChildKind::Io, 0).unwrap().child(ChildKind::Io, 0).unwrap();
    let note = device.child(ChildKind::Misc, 0).unwrap();
    assert_eq!((note.name(), note.subtype(), note.cpuset().is_none()), (Some("cable"), Some("red"), true));
    assert!(package.child(ChildKind::Normal, 1).is_none());
    assert_eq!(package.previous_sibling(), root.child(ChildKind::Normal, 0));
    assert_eq!(package.next_sibling(), None);
    assert_eq!(root.children(ChildKind::Normal).next_back(), Some(package));
    assert_eq!(root.children(ChildKind::Normal).nth(1), Some(package));
}

#[test]
fn sets_are_tested_in_place() {
    let topology = machine();
    let cpuset = topology.pu(2).unwrap().ancestor(Type::Package).unwrap().cpuset().unwrap();
    assert_eq!(cpuset.to_string(), "2-3,6-7");
    assert_eq!(cpuset.weight(), Some(4));
    assert!(cpuset.contains(6) && !cpuset.contains(5));
    assert!(cpuset.is_included_in(&topology.root().cpuset().unwrap()));
    assert!(!cpuset.intersects(&Set::from(0..2)));
    assert_eq!(cpuset, "2,3,6,7".parse::<Set>().unwrap());
    assert_eq!(cpuset.mask().to_string(), "0x000000cc");
    assert_eq!(topology.allowed_cpuset().unwrap().to_string(), "0-7");
}

#[test]
fn the_object_that_covers_a_set_is_the_lowest() {
    let topology = machine();
    let covering = |list: &str| topology.covering(&list.parse::<Set>().unwrap()).map(|object| object.ty());
    assert_eq!(covering("6"), Some(Type::Pu));
    assert_eq!(covering("2,6"), Some(Type::Core));
    assert_eq!(covering("2-3"), Some(Type::L3Cache));
    assert_eq!(covering("0,7"), Some(Type::Machine));
    assert_eq!(covering("8"), None);
    assert_eq!(covering(""), None);
}

#[test]
fn the_tree_prints_like_lstopo() {
    let topology = machine();
    let text = render(&topology).to_string();
    let expected = "\
Machine (16GB total)
  Package L#0
    NUMANode L#0 (P#0 8192MB)
    L3 L#0 (32MB)
      Core L#0
        PU L#0 (P#0)
        PU L#1 (P#4)
      Core L#1
        PU L#2 (P#1)
        PU L#3 (P#5)
";
    assert!(text.starts_with(expected), "{text}");
    assert!(
        text.ends_with("  Bridge L#0\n    OSDev L#0 \"eth0\"\n      Misc(red) L#0 \"cable\"\n"),
        "{text}"
    );
    assert_eq!(render(&topology).only(Type::Package).to_string(), "Package L#0\nPackage L#1\n");
}

/// The width of a format is 16 bits, and a line per level with its indentation would be quadratic.
#[test]
fn a_tower_of_misc_objects_prints_and_walks_without_filling_the_screen() {
    let mut builder = Builder::new();
    builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
    let mut top = Builder::ROOT;
    for _ in 0..40_000 {
        top = builder.add(top, Node::new(Type::Misc));
    }
    let topology = builder.build().unwrap();
    assert_eq!(topology.root().descendants().count(), 40_002);
    assert_eq!(topology.by_type(Type::Misc).last().unwrap().ancestors().count(), 40_000);
    assert!(render(&topology).to_string().len() < 40_000 * 160);
}

#[test]
fn types_are_read_by_hwlocs_names_and_short_ones() {
    for ty in Type::ALL {
        assert_eq!(ty.name().parse(), Ok(ty));
        assert_eq!(ty.name().to_lowercase().parse(), Ok(ty));
    }
    assert_eq!("L1d".parse(), Ok(Type::L1Cache));
    assert_eq!("numa".parse(), Ok(Type::NumaNode));
    assert_eq!("Kern".parse::<Type>().unwrap_err().name, "Kern");
}
