//! From descriptions to topologies: ordering, levels, numbering, sets; and each description that is none.

use graven::rkyv;
use graven_topology::attributes::{Cache, CacheKind, Group, Pci};
use graven_topology::error::{BuildError, CheckError};
use graven_topology::{Attributes, Bits, Builder, ChildKind, Node, Set, Topo, Type, TypeDepth};

fn pu(builder: &mut Builder, parent: graven_topology::NodeId, os_index: u32) {
    builder.add(parent, Node::new(Type::Pu).os_index(os_index));
}

#[test]
fn children_are_sorted_by_their_first_processor_whatever_the_order_of_adding() {
    let mut builder = Builder::new();
    for core in [3, 1, 2, 0] {
        let id = builder.add(Builder::ROOT, Node::new(Type::Core).os_index(core));
        pu(&mut builder, id, core + 4);
        pu(&mut builder, id, core);
    }
    let topology = builder.build().unwrap();
    let os_indexes = |ty| topology.by_type(ty).map(|object| object.os_index().unwrap()).collect::<Vec<_>>();
    assert_eq!(os_indexes(Type::Core), [0, 1, 2, 3]);
    assert_eq!(os_indexes(Type::Pu), [0, 4, 1, 5, 2, 6, 3, 7]);
}

#[test]
fn asymmetric_trees_have_their_types_in_one_level_each() {
    // A hybrid: four cores, two of them with an L2 of their own, two sharing one; one PU without core.
    let mut builder = Builder::new();
    for cores in [0..1, 1..2, 2..4] {
        let l2 = builder.add(Builder::ROOT, Node::new(Type::L2Cache));
        for core in cores {
            let id = builder.add(l2, Node::new(Type::Core).os_index(core));
            pu(&mut builder, id, core);
        }
    }
    pu(&mut builder, Builder::ROOT, 4);
    let topology = builder.build().unwrap();
    assert_eq!(topology.depth(), 4);
    let types: Vec<_> = (0..4).map(|depth| topology.level(depth).unwrap().ty()).collect();
    assert_eq!(types, [Type::Machine, Type::L2Cache, Type::Core, Type::Pu]);
    assert_eq!(topology.level(3).unwrap().len(), 5);
    let last = topology.pu(4).unwrap();
    assert_eq!((last.depth(), last.logical_index(), last.sibling_rank()), (3, 4, 3));
    assert_eq!(last.previous_cousin(), topology.pu(3));
    assert!(!topology.root().symmetric_subtree());
    assert!(topology.by_type(Type::L2Cache).all(|l2| l2.symmetric_subtree()));
}

#[test]
fn groups_of_different_kinds_are_different_levels_and_count_their_depth() {
    let mut builder = Builder::new();
    for outer in 0..2 {
        let group = |kind| Node::new(Type::Group).attributes(Attributes::Group(Group::of(kind, 0)));
        let above = builder.add(Builder::ROOT, group(Group::MEMORY));
        for inner in 0..2 {
            let below = builder.add(above, group(Group::CLUSTER));
            pu(&mut builder, below, outer * 2 + inner);
        }
    }
    let topology = builder.build().unwrap();
    assert_eq!(topology.depth_of(Type::Group), TypeDepth::Multiple);
    assert_eq!(topology.count(Type::Group), 6);
    let depths: Vec<_> = topology.by_type(Type::Group).map(|group| group.group().unwrap().depth).collect();
    assert_eq!(depths, [0, 0, 1, 1, 1, 1]);
    assert_eq!(topology.depth_of(Type::Pu), TypeDepth::One(3));
    assert_eq!(topology.depth_of(Type::Core), TypeDepth::Unknown);
    assert_eq!(topology.depth_of(Type::NumaNode), TypeDepth::One(-3));
}

#[test]
fn nodesets_go_down_from_where_memory_is_attached_and_up_from_below() {
    let mut builder = Builder::new();
    builder.add(Builder::ROOT, Node::new(Type::NumaNode).os_index(9));
    for package in 0..2 {
        let id = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(package));
        let cache = builder.add(id, Node::new(Type::MemCache));
        let memory = Attributes::Numa { local_memory: 1000, page_types: vec![] };
        builder.add(cache, Node::new(Type::NumaNode).os_index(package).attributes(memory));
        pu(&mut builder, id, package);
    }
    let topology = builder.build().unwrap();
    let nodeset = |object: graven_topology::ObjectRef<'_, _>| object.nodeset().unwrap().to_string();
    assert_eq!(nodeset(topology.root()), "0-1,9");
    assert_eq!(nodeset(topology.pu(1).unwrap()), "1,9");
    assert_eq!(nodeset(topology.numa_node(1).unwrap()), "1");
    assert_eq!(nodeset(topology.numa_node(1).unwrap().parent().unwrap()), "1");
    assert_eq!(topology.numa_node(1).unwrap().cpuset().unwrap().to_string(), "1");
    assert_eq!(topology.root().total_memory(), 2000);
    assert_eq!(topology.pu(0).unwrap().parent().unwrap().total_memory(), 1000);
    assert_eq!(topology.count(Type::MemCache), 2);
}

#[test]
fn offline_processors_and_infinite_sets_are_kept() {
    let mut builder = Builder::new();
    builder.node_mut(Builder::ROOT).unwrap().complete_cpuset = Some(Set::full());
    pu(&mut builder, Builder::ROOT, 1);
    let topology = builder.build().unwrap();
    let complete = topology.root().complete_cpuset().unwrap();
    assert!(complete.is_infinite() && complete.contains(7));
    assert_eq!(complete.weight(), None);
    assert_eq!(topology.root().cpuset().unwrap(), Set::only(1));
}

#[test]
fn equal_descriptions_archive_to_equal_bytes() {
    let build = || {
        let mut builder = Builder::new();
        for cpu in 0..40 {
            let core = builder.add(Builder::ROOT, Node::new(Type::Core).info("Key", format!("{}", cpu % 3)));
            pu(&mut builder, core, cpu * 7);
        }
        rkyv::to_bytes::<rkyv::rancor::Error>(&builder.build().unwrap()).unwrap()
    };
    assert_eq!(build().as_slice(), build().as_slice());
}

/// 54 thousand objects: hwloc's shared memory takes 323 MB for them.
#[test]
fn a_machine_of_32768_processing_units_takes_less_than_six_megabytes() {
    let mut builder = Builder::new();
    let cache = |ty: Type, level| {
        let cache = Cache { size: 1 << 20, level, line_size: 64, associativity: 8, kind: CacheKind::Unified };
        Node::new(ty).attributes(Attributes::Cache(cache))
    };
    let mut nodes = 0..;
    let mut cpus = 0..;
    for package in 0..16 {
        let package = builder.add(Builder::ROOT, Node::new(Type::Package).os_index(package));
        for _ in 0..4 {
            let group = Attributes::Group(Group::of(Group::MEMORY, 0));
            let group = builder.add(package, Node::new(Type::Group).attributes(group));
            let memory = Attributes::Numa { local_memory: 1 << 30, page_types: vec![] };
            builder.add(group, Node::new(Type::NumaNode).os_index(nodes.next()).attributes(memory));
            for _ in 0..8 {
                let l3 = builder.add(group, cache(Type::L3Cache, 3));
                for _ in 0..8 {
                    let l2 = builder.add(l3, cache(Type::L2Cache, 2));
                    for _ in 0..4 {
                        let core = builder.add(l2, Node::new(Type::Core));
                        builder.add(core, Node::new(Type::Pu).os_index(cpus.next()));
                        builder.add(core, Node::new(Type::Pu).os_index(cpus.next()));
                    }
                }
            }
        }
    }
    let topology = builder.build().unwrap();
    assert_eq!(topology.objects().count(), 53_905);
    assert!(topology.root().symmetric_subtree());
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&topology).unwrap();
    assert!(bytes.len() < 6_000_000, "{} bytes", bytes.len());
    let segment = graven::encoded_len(&topology).unwrap();
    assert!(segment as f64 <= 0.05 * 322_945_024.0, "{segment} bytes, schema and all");
    assert_eq!(topology.pu(32_767).unwrap().logical_index(), 32_767);
}

macro_rules! refuses {
    ($($name:ident: |$builder:ident| $describe:expr => $error:pat,)*) => {$(
        #[test]
        fn $name() {
            let mut builder = Builder::new();
            let $builder = &mut builder;
            $describe;
            let error = builder.build().expect_err("this is no topology");
            assert!(matches!(error, $error), "{error:?}");
        }
    )*};
}

refuses! {
    a_machine_without_processing_unit_is_refused: |b| { b.add(Builder::ROOT, Node::new(Type::Core)); }
        => BuildError::NoPu,
    a_core_below_a_processing_unit_is_refused: |b| {
        let pu = b.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
        b.add(pu, Node::new(Type::Core));
    } => BuildError::Misplaced { child: Type::Core, parent: Type::Pu },
    a_machine_in_a_machine_is_refused: |b| { b.add(Builder::ROOT, Node::new(Type::Machine)); }
        => BuildError::Misplaced { child: Type::Machine, parent: Type::Machine },
    a_root_that_is_no_machine_is_refused: |b| b.node_mut(Builder::ROOT).unwrap().ty = Type::Package
        => BuildError::Misplaced { child: Type::Package, .. },
    a_parent_of_another_builder_is_refused: |b| {
        let mut other = Builder::new();
        other.add(Builder::ROOT, Node::new(Type::Package));
        let foreign = other.add(Builder::ROOT, Node::new(Type::Package));
        b.add(foreign, Node::new(Type::Pu).os_index(0));
    } => BuildError::UnknownParent { parent: 2, child: Type::Pu },
    a_processing_unit_without_os_index_is_refused: |b| { b.add(Builder::ROOT, Node::new(Type::Pu)); }
        => BuildError::NoOsIndex { ty: Type::Pu },
    an_os_index_taken_twice_is_refused: |b| {
        b.add(Builder::ROOT, Node::new(Type::Pu).os_index(3));
        b.add(Builder::ROOT, Node::new(Type::Pu).os_index(3));
    } => BuildError::OsIndex { ty: Type::Pu, os_index: 3 },
    an_os_index_that_is_none_is_refused: |b| { b.add(Builder::ROOT, Node::new(Type::Pu).os_index(u32::MAX)); }
        => BuildError::OsIndex { ty: Type::Pu, os_index: u32::MAX },
    attributes_of_another_type_are_refused: |b| {
        b.add(Builder::ROOT, Node::new(Type::Core).attributes(Attributes::Pci(Pci::default())));
    } => BuildError::Attributes { ty: Type::Core },
    a_tower_of_groups_is_refused: |b| {
        let mut top = Builder::ROOT;
        for _ in 0..100_000 {
            top = b.add(top, Node::new(Type::Group));
        }
        b.add(top, Node::new(Type::Pu).os_index(0));
    } => BuildError::TooDeep { limit: 128 },
    a_zoo_of_groups_is_refused: |b| for kind in 0..200 {
        let group = Attributes::Group(Group::of(kind, 0));
        let group = b.add(Builder::ROOT, Node::new(Type::Group).attributes(group));
        b.add(group, Node::new(Type::Pu).os_index(kind));
    } => BuildError::TooManyKinds { limit: 128 },
    siblings_that_claim_one_processor_are_refused: |b| for pu in 0..2 {
        let core = b.add(Builder::ROOT, Node::new(Type::Core).complete_cpuset(Set::only(9)));
        b.add(core, Node::new(Type::Pu).os_index(pu));
    } => BuildError::Inconsistent(CheckError::SiblingOverlap { object: 0, index: 9 }),
    a_gp_index_taken_twice_is_refused: |b| for pu in 0..2 {
        let mut node = Node::new(Type::Pu).os_index(pu);
        node.gp_index = Some(5);
        b.add(Builder::ROOT, node);
    } => BuildError::Inconsistent(CheckError::GpIndex { gp_index: 5, .. }),
}

#[test]
fn a_refusal_of_contradictions_names_its_source() {
    let mut builder = Builder::new();
    builder.node_mut(Builder::ROOT).unwrap().gp_index = Some(1);
    let mut node = Node::new(Type::Pu).os_index(0);
    node.gp_index = Some(1);
    builder.add(Builder::ROOT, node);
    let error = builder.build().unwrap_err();
    let source = std::error::Error::source(&error).expect("the broken rule").to_string();
    assert!(source.contains("gp_index 1"), "{source}");
}

#[test]
fn io_and_misc_children_keep_the_order_of_adding() {
    let mut builder = Builder::new();
    pu(&mut builder, Builder::ROOT, 0);
    for name in ["b", "a", "c"] {
        builder.add(Builder::ROOT, Node::new(Type::OsDevice).name(name));
        builder.add(Builder::ROOT, Node::new(Type::Misc).name(name));
    }
    let topology = builder.build().unwrap();
    for kind in [ChildKind::Io, ChildKind::Misc] {
        let names: Vec<_> = topology.root().children(kind).filter_map(|child| child.name()).collect();
        assert_eq!(names, ["b", "a", "c"]);
    }
    assert!(topology.by_type(Type::Misc).all(|misc| misc.cpuset().is_none() && misc.nodeset().is_none()));
}
