//! Tests that need to break a topology from within: one per rule of `check`, and reading whatever is there.

mod facts;

use graven::rkyv;
use proptest::prelude::*;

use crate::model::attributes::{Bridge, Cache, Group, OsDevice, PageType, Pci};
use crate::model::builder::{Attributes, Builder, Node};
use crate::model::error::CheckError;
use crate::model::facts::InitiatorEntry;
use crate::model::json::records;
use crate::model::read::Topo;
use crate::model::records::{NONE, OsIndexEntry, SetEntry, SetRun, Span};
use crate::model::render::render;
use crate::model::set::{Bits, Set};
use crate::model::tables::{ArchivedTopology, OsIndexTable, SetTable, Topology};
use crate::model::types::{CacheKind, ChildKind, Type};
use crate::source::xml;

use facts::{exercise_facts, facts};

/// Two packages, each with a NUMA node behind a memory-side cache, caches, cores of two threads; PUs numbered so
/// that sets are stored in all three forms; one object at least of every list and attribute.
fn sample() -> Topology {
    let (mut builder, mut nodes) = (Builder::new(), Vec::new());
    builder.info("Source", "test");
    for package in 0..2 {
        let node = Node::new(Type::Package).os_index(package).info("CPUModel", "Model");
        let package_id = builder.add(Builder::ROOT, node);
        let group = Attributes::Group(Group::of(Group::CLUSTER, 0));
        let group = builder.add(package_id, Node::new(Type::Group).attributes(group));
        let side =
            Cache { size: 1 << 30, level: 1, line_size: 64, associativity: 1, kind: CacheKind::Unified };
        let side = builder.add(package_id, Node::new(Type::MemCache).attributes(Attributes::Cache(side)));
        let page_types = vec![PageType { size: 4096, count: 1 << 20 }];
        let memory = Attributes::Numa { local_memory: 1 << 32, page_types };
        nodes.push(builder.add(side, Node::new(Type::NumaNode).os_index(package).attributes(memory)));
        for core in 0..2 {
            let l2 =
                Cache { size: 1 << 20, level: 2, line_size: 64, associativity: 8, kind: CacheKind::Unified };
            let l2 = builder.add(group, Node::new(Type::L2Cache).attributes(Attributes::Cache(l2)));
            let core_id = builder.add(l2, Node::new(Type::Core).os_index(core));
            // 0, 4, 8, ... below package 0; 2, 6, ... below package 1; the second threads far away.
            for thread in 0..2 {
                let os_index = package * 2 + core * 4 + thread * 400;
                builder.add(core_id, Node::new(Type::Pu).os_index(os_index));
            }
            for extra in (2..8).filter(|_| core == 0) {
                builder.add(core_id, Node::new(Type::Pu).os_index(package * 2 + core * 4 + extra * 8));
            }
        }
    }
    let bridge = builder.add(
        Builder::ROOT,
        Node::new(Type::Bridge).attributes(Attributes::Bridge(Bridge { host: true, ..Bridge::default() })),
    );
    let pci = builder.add(bridge, Node::new(Type::PciDevice).attributes(Attributes::Pci(Pci::default())));
    let device = Attributes::OsDevice(OsDevice { kinds: OsDevice::NETWORK });
    let device = builder.add(pci, Node::new(Type::OsDevice).name("eth0").attributes(device));
    let misc = builder.add(Builder::ROOT, Node::new(Type::Misc).name("note").subtype("by hand"));
    builder.add(misc, Node::new(Type::Misc));
    facts(&mut builder, nodes, device);
    builder.build().expect("the sample is a topology")
}

fn find(topology: &Topology, ty: Type) -> usize {
    topology.by_type(ty).next().expect("the sample has one of each").index() as usize
}

#[test]
fn the_sample_stores_sets_in_all_three_forms() {
    let entries = sample().sets.entries;
    assert!(entries.iter().any(|entry| matches!(entry, SetEntry::Run { .. })));
    assert!(entries.iter().any(|entry| matches!(entry, SetEntry::Runs { .. })));
    assert!(entries.iter().any(|entry| matches!(entry, SetEntry::Words { .. })));
}

/// `check` must refuse the sample after `$change` with an error that matches.
macro_rules! refuses {
    ($($name:ident: |$topology:ident| $change:expr => $pattern:pat,)*) => {$(
        #[test]
        fn $name() {
            let mut topology = sample();
            let $topology = &mut topology;
            $change;
            let error = topology.check().expect_err("the change breaks a rule");
            assert!(matches!(error, $pattern), "{error:?}");
            assert!(error.to_string().starts_with("corrupt topology: "));
            exercise(&topology);
        }
    )*};
}
use refuses;

refuses! {
    no_objects_are_refused: |t| t.objects.clear() => CheckError::Empty,
    a_root_that_is_no_machine_is_refused: |t| t.objects[0].ty = Type::Package
        => CheckError::Machine { object: 0, found: Type::Package },
    a_second_machine_is_refused: |t| t.objects[1].ty = Type::Machine
        => CheckError::Machine { object: 1, found: Type::Machine },
    a_root_with_a_parent_is_refused: |t| t.objects[0].parent = 1
        => CheckError::Parent { object: 0, found: 1, expected: NONE },
    a_root_at_another_depth_is_refused: |t| t.objects[0].depth = 1 => CheckError::Depth { object: 0, .. },
    children_that_start_elsewhere_are_refused: |t| t.objects[1].first_child = 1
        => CheckError::ChildRun { object: 1, first: 1, .. },
    more_children_than_objects_are_refused: |t| t.objects[1].arity.misc = NONE
        => CheckError::ChildRun { object: 1, .. },
    an_object_that_is_nobodys_child_is_refused: |t| { let last = *t.objects.last().unwrap(); t.objects.push(last) }
        => CheckError::Orphan { .. },
    a_child_that_names_another_parent_is_refused: |t| t.objects[1].parent = 7
        => CheckError::Parent { object: 1, found: 7, expected: 0 },
    a_parent_cycle_is_refused: |t| { let pu = find(t, Type::Pu); t.objects[pu].parent = pu as u32 }
        => CheckError::Parent { .. },
    a_memory_child_in_the_normal_list_is_refused: |t| t.objects[1].ty = Type::NumaNode
        => CheckError::ChildType { object: 1, found: Type::NumaNode, kind: ChildKind::Normal, .. },
    children_of_a_processing_unit_are_refused: |t| { let core = find(t, Type::Core); t.objects[core].ty = Type::Pu }
        => CheckError::ChildType { parent: Type::Pu, .. },
    a_child_no_deeper_than_its_parent_is_refused: |t| t.objects[1].depth = 0
        => CheckError::Depth { object: 1, found: 0, .. },
    a_special_object_at_a_normal_depth_is_refused: |t| { let node = find(t, Type::NumaNode); t.objects[node].depth = 3 }
        => CheckError::Depth { ty: Type::NumaNode, found: 3, .. },
    a_missing_level_is_refused: |t| t.levels.truncate(3) => CheckError::Level { field: "number of levels", .. },
    another_number_of_normal_levels_is_refused: |t| t.depth = NONE => CheckError::Level { .. },
    a_level_at_another_depth_is_refused: |t| t.levels[2].depth = 1
        => CheckError::Level { level: 2, field: "depth", found: 1, expected: 2 },
    levels_that_overlap_are_refused: |t| t.levels[2].members.first -= 1
        => CheckError::Level { level: 2, field: "first slot", .. },
    a_level_beyond_the_cousins_is_refused: |t| t.levels.last_mut().unwrap().members.len = NONE
        => CheckError::Level { field: "number of slots", .. },
    slots_without_objects_are_refused: |t| { t.levels.last_mut().unwrap().members.len += 1; t.cousins.push(0) }
        => CheckError::Level { field: "number of slots", .. },
    an_object_in_another_slot_is_refused: |t| t.cousins.swap(1, 2) => CheckError::Slot { .. },
    a_logical_index_beyond_the_level_is_refused: |t| t.objects[1].logical_index = 9
        => CheckError::Slot { object: 1, logical_index: 9, found: None, .. },
    a_depth_without_level_is_refused: |t| { let pu = find(t, Type::Pu); t.objects[pu].depth = i32::MAX }
        => CheckError::Slot { depth: i32::MAX, found: None, .. },
    an_object_of_another_type_than_its_level_is_refused: |t| t.objects[1].ty = Type::Die
        => CheckError::LevelType { object: 1, found: Type::Die, expected: Type::Package },
    processing_units_above_the_last_level_are_refused: |t| t.levels[1].ty = Type::Pu
        => CheckError::PuLevel { level: 1, found: Type::Pu },
    a_special_level_of_another_type_is_refused: |t| t.levels.last_mut().unwrap().ty = Type::Misc
        => CheckError::PuLevel { found: Type::Misc, .. },
    a_level_that_runs_backward_is_refused: |t| {
        t.cousins.swap(1, 2);
        (t.objects[1].logical_index, t.objects[2].logical_index) = (1, 0)
    } => CheckError::LevelOrder { object: 1, previous: 2 },
    a_gp_index_used_twice_is_refused: |t| t.objects[1].gp_index = t.objects[2].gp_index
        => CheckError::GpIndex { object: 1, other: 2, .. },
    an_empty_run_is_refused: |t| set_entry(t, RUN, SetEntry::Run { start: 5, end: 5 })
        => CheckError::SetForm { .. },
    runs_of_another_set_are_refused: |t| set_entry(t, RUNS, SetEntry::Runs { first: 1, len: 2 })
        => CheckError::SetForm { .. },
    runs_beyond_the_table_are_refused: |t| set_entry(t, RUNS, SetEntry::Runs { first: 0, len: NONE })
        => CheckError::SetForm { .. },
    a_single_run_out_of_place_is_refused: |t| set_entry(t, RUNS, SetEntry::Runs { first: 0, len: 1 })
        => CheckError::SetForm { .. },
    runs_that_descend_are_refused: |t| t.sets.runs.swap(0, 1) => CheckError::SetForm { .. },
    runs_that_touch_are_refused: |t| t.sets.runs[1].start = t.sets.runs[0].end => CheckError::SetForm { .. },
    words_beyond_the_table_are_refused: |t| set_entry(t, WORDS, SetEntry::Words { first: 0, len: NONE, base: 0 })
        => CheckError::SetForm { .. },
    words_beyond_the_last_index_are_refused: |t| set_entry(t, WORDS, SetEntry::Words { first: 0, len: 1, base: NONE })
        => CheckError::SetForm { .. },
    words_that_start_with_nothing_are_refused: |t| t.sets.words[0] = 0 => CheckError::SetForm { .. },
    runs_without_set_are_refused: |t| t.sets.runs.push(SetRun { start: 1, end: 2 }) => CheckError::SetForm { .. },
    words_without_set_are_refused: |t| t.sets.words.push(1) => CheckError::SetForm { .. },
    a_set_beyond_the_table_is_refused: |t| t.objects[1].cpuset = 999
        => CheckError::SetIndex { object: 1, field: "cpuset", found: 999, .. },
    a_normal_object_without_nodeset_is_refused: |t| t.objects[1].nodeset = NONE
        => CheckError::SetIndex { object: 1, field: "nodeset", .. },
    a_device_with_a_cpuset_is_refused: |t| { let pci = find(t, Type::PciDevice); t.objects[pci].cpuset = 0 }
        => CheckError::SetIndex { field: "cpuset", found: 0, .. },
    an_allowed_set_beyond_the_table_is_refused: |t| t.allowed_nodeset = NONE
        => CheckError::SetIndex { object: NONE, field: "allowed_nodeset", .. },
    a_cpuset_outside_the_complete_one_is_refused: |t| t.objects[1].cpuset = t.objects[0].cpuset
        => CheckError::SetInclusion { object: 1, field: "cpuset", within: 1, within_field: "complete_cpuset" },
    a_nodeset_outside_the_parents_is_refused: |t| {
        let (whole, core) = (t.objects[0].nodeset, find(t, Type::Core));
        (t.objects[core].nodeset, t.objects[core].complete_nodeset) = (whole, whole)
    } => CheckError::SetInclusion { field: "complete_nodeset", .. },
    memory_with_other_processors_than_its_parent_is_refused: |t| {
        let (core, memory) = (find(t, Type::Core), find(t, Type::MemCache));
        (t.objects[memory].cpuset, t.objects[memory].complete_cpuset) = (t.objects[core].cpuset, t.objects[core].cpuset)
    } => CheckError::MemoryCpuset { .. },
    siblings_with_one_set_are_refused: |t| {
        t.objects[2].cpuset = t.objects[1].cpuset;
        t.objects[2].complete_cpuset = t.objects[1].complete_cpuset
    } => CheckError::SiblingOverlap { object: 0, .. },
    siblings_that_overlap_are_refused: |t| {
        t.objects[2].cpuset = t.objects[0].cpuset;
        t.objects[2].complete_cpuset = t.objects[0].complete_cpuset
    } => CheckError::SiblingOverlap { object: 0, .. },
    a_processing_unit_that_is_another_is_refused: |t| { let pu = find(t, Type::Pu); t.objects[pu].os_index += 1 }
        => CheckError::OwnIndex { field: "complete_cpuset", .. },
    a_node_without_os_index_is_refused: |t| { let node = find(t, Type::NumaNode); t.objects[node].os_index = NONE }
        => CheckError::OwnIndex { field: "complete_nodeset", os_index: None, .. },
    a_processing_unit_missing_from_its_table_is_refused: |t| t.pus.dense[0] = NONE
        => CheckError::OsIndexTable { table: Type::Pu, os_index: 0, found: None },
    a_table_entry_for_another_object_is_refused: |t| t.pus.dense[1] = 0
        => CheckError::OsIndexTable { table: Type::Pu, os_index: 1, found: Some(0) },
    a_sparse_entry_that_repeats_is_refused: |t| {
        let object = t.numa_nodes.dense[0];
        t.numa_nodes.sparse.push(OsIndexEntry { os_index: 0, object })
    } => CheckError::OsIndexTable { table: Type::NumaNode, os_index: 0, .. },
    attributes_beyond_their_table_are_refused: |t| { let l2 = find(t, Type::L2Cache); t.objects[l2].attributes = 99 }
        => CheckError::Reference { field: "attributes", found: 99, .. },
    attributes_of_a_type_without_any_are_refused: |t| t.objects[1].attributes = 0
        => CheckError::Reference { object: 1, field: "attributes", len: 0, .. },
    extras_beyond_their_table_are_refused: |t| t.objects[1].extra = 99
        => CheckError::Reference { object: 1, field: "extra", .. },
    a_name_beyond_the_strings_is_refused: |t| t.extras[0].name = 99
        => CheckError::Reference { field: "extra.name", .. },
    a_subtype_beyond_the_strings_is_refused: |t| t.extras[0].subtype = 99
        => CheckError::Reference { field: "extra.subtype", .. },
    infos_beyond_their_table_are_refused: |t| t.extras[0].infos.len = NONE
        => CheckError::Reference { field: "extra.infos", .. },
    the_topologys_infos_beyond_their_table_are_refused: |t| t.own_infos.first = 99
        => CheckError::Reference { field: "own_infos", found: 99, .. },
    an_info_without_value_is_refused: |t| t.infos[0].value = NONE => CheckError::Reference { field: "info.value", .. },
    page_types_beyond_their_table_are_refused: |t| t.attributes.numa[0].page_types.len = 99
        => CheckError::Reference { field: "numa.page_types", .. },
}

const RUN: fn(&SetEntry) -> bool = |entry| matches!(entry, SetEntry::Run { .. });
const RUNS: fn(&SetEntry) -> bool = |entry| matches!(entry, SetEntry::Runs { .. });
const WORDS: fn(&SetEntry) -> bool = |entry| matches!(entry, SetEntry::Words { .. });

/// Replaces the last set of that form.
fn set_entry(topology: &mut Topology, which: fn(&SetEntry) -> bool, to: SetEntry) {
    let entry = topology.sets.entries.iter_mut().rfind(|entry| which(entry));
    *entry.expect("the sample has all forms") = to;
}

#[test]
fn sparse_os_indexes_are_found_without_a_table_of_that_length() {
    let mut builder = Builder::new();
    for os_index in [3, 70_000, 4_000_000_000] {
        builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(os_index));
    }
    let topology = builder.build().unwrap();
    assert!(topology.pus.dense.len() < 10);
    assert_eq!(topology.pus.sparse.len(), 2);
    for os_index in [3, 70_000, 4_000_000_000] {
        assert_eq!(topology.pu(os_index).unwrap().os_index(), Some(os_index));
    }
    for os_index in [0, 4, 69_999, 70_001, NONE] {
        assert_eq!(topology.pu(os_index), None);
    }
}

/// Calls every reading method on every object; every walk must end within the number of objects.
fn exercise<T: Topo>(topology: &T) {
    let objects = topology.record_count() as usize;
    assert!(topology.root().descendants().count() <= objects.max(1));
    let set = |set: Option<crate::model::set_ref::SetRef<'_, T>>| {
        if let Some(set) = set {
            let runs: Vec<_> = set.runs().collect();
            assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            assert!(runs.iter().all(|run| run.start < run.end));
            let _ = (set.weight(), set.first(), set.last(), set.is_infinite(), set.list().to_string());
            let _ = (set.contains(0), set.contains(NONE), set.iter().take(9).count());
            let _ = set.is_included_in(&set.to_set()) && set.intersects(&Set::full());
        }
    };
    for object in topology.objects() {
        let steps = |count: usize| assert!(count <= objects, "{count} steps among {objects} objects");
        steps(object.ancestors().count());
        steps(object.descendants().count());
        steps(core::iter::successors(object.next_cousin(), |cousin| cousin.next_cousin()).count());
        steps(core::iter::successors(object.previous_cousin(), |cousin| cousin.previous_cousin()).count());
        steps(core::iter::successors(object.next_sibling(), |sibling| sibling.next_sibling()).count());
        steps(core::iter::successors(object.previous_sibling(), |s| s.previous_sibling()).count());
        for kind in ChildKind::ALL {
            steps(object.children(kind).count());
            steps(object.children(kind).rev().count());
            let _ = (object.arity(kind), object.child(kind, 0), object.child(kind, NONE));
            let _ = object.children(kind).nth(1);
        }
        for other in topology.objects().step_by(7) {
            let _ = (object.common_ancestor(&other), object.is_below(&other));
        }
        let _ = (object.ty(), object.depth(), object.os_index(), object.gp_index(), object.total_memory());
        let _ = (object.name(), object.subtype(), object.infos().count(), object.info("CPUModel"));
        let _ = (object.cache(), object.local_memory(), object.page_types().count(), object.group());
        let _ = (object.pci(), object.bridge(), object.os_device(), object.symmetric_subtree());
        let _ = (object.sibling_rank(), object.ancestor(Type::Machine), format!("{object:?}"));
        [object.cpuset(), object.complete_cpuset(), object.nodeset(), object.complete_nodeset()]
            .into_iter()
            .for_each(set);
    }
    for level in topology.levels() {
        let _ = (
            level.depth(),
            level.len(),
            level.is_empty(),
            level.iter().count(),
            level.get(0),
            level.get(NONE),
        );
    }
    for depth in [i32::MIN, -9, -8, -3, -2, -1, 0, 1, 5, i32::MAX] {
        let _ = topology.by_depth(depth).count();
    }
    for ty in Type::ALL {
        let _ = (topology.by_type(ty).count(), topology.count(ty), topology.depth_of(ty));
    }
    for os_index in [0, 1, 5, 1 << 20, NONE] {
        let _ = (topology.pu(os_index), topology.numa_node(os_index), topology.object(os_index));
    }
    [topology.allowed_cpuset(), topology.allowed_nodeset()].into_iter().for_each(set);
    let _ = (topology.covering(&Set::only(4)), topology.by_gp_index(3), topology.infos().count());
    exercise_facts(topology);
    let _ = (topology.check(), topology.digest(), render(topology).to_string(), records(topology).count());
    let _ = xml::to_string(topology);
    let _ = render(topology).only(Type::Pu).to_string();
}

/// A number that is small, or at the end of the range, or anything.
fn number() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..24u32, 2 => 20..1000u32, 1 => Just(NONE), 1 => Just(NONE - 1), 1 => any::<u32>()]
}

/// Overwrites one number of the topology: `place` says in which table, `index` which record.
fn poke(t: &mut Topology, place: u8, index: u32, value: u32) {
    fn change<T>(table: &mut [T], index: u32, change: impl FnOnce(&mut T)) {
        let len = table.len().max(1);
        if let Some(record) = table.get_mut(index as usize % len) {
            change(record);
        }
    }
    let span = Span { first: value, len: index.rotate_left(7) };
    match place % 48 {
        place @ 0..18 => {
            change(&mut t.objects, index, |object| match place {
                0 => object.parent = value,
                1 => object.first_child = value,
                2 => object.arity.normal = value,
                3 => object.arity.memory = value,
                4 => object.arity.io = value,
                5 => object.arity.misc = value,
                6 => object.logical_index = value,
                7 => object.depth = value as i32,
                8 => object.depth = -(value as i32 & 15),
                9 => object.os_index = value,
                10 => object.cpuset = value,
                11 => object.complete_cpuset = value,
                12 => object.nodeset = value,
                13 => object.complete_nodeset = value,
                14 => object.attributes = value,
                15 => object.extra = value,
                16 => object.ty = Type::ALL[value as usize % Type::ALL.len()],
                _ => object.gp_index = value.into(),
            });
        }
        18 => change(&mut t.levels, index, |level| level.members = span),
        19 => change(&mut t.levels, index, |level| level.depth = value as i32),
        20 => change(&mut t.cousins, index, |cousin| *cousin = value),
        21 => t.depth = value,
        22 => change(&mut t.pus.dense, index, |object| *object = value),
        23 => t.pus.sparse.push(OsIndexEntry { os_index: value, object: index }),
        24 => {
            let entry = match value % 3 {
                0 => SetEntry::Run { start: index, end: value },
                1 => SetEntry::Runs { first: value, len: index },
                _ => SetEntry::Words { first: value % 4, len: index, base: index },
            };
            change(&mut t.sets.entries, value, |old| *old = entry);
        }
        25 => change(&mut t.sets.runs, index, |run| run.end = value),
        26 => change(&mut t.sets.runs, index, |run| run.start = value),
        27 => change(&mut t.sets.words, index, |word| *word = u64::from(value) << 32 | u64::from(index)),
        28 => change(&mut t.extras, index, |extra| extra.infos = span),
        29 => change(&mut t.infos, index, |info| info.name = value),
        30 => change(&mut t.attributes.numa, index, |numa| numa.page_types = span),
        31 => t.own_infos = span,
        32 => change(&mut t.distances.matrices, index, |matrix| matrix.objects = span),
        33 => change(&mut t.distances.matrices, index, |matrix| matrix.first_value = value),
        34 => change(&mut t.distances.objects, index, |object| *object = value),
        35 => change(&mut t.memory_attributes.attributes, index, |attribute| attribute.targets = span),
        36 => change(&mut t.memory_attributes.attributes, index, |attribute| attribute.flags = value),
        37 => change(&mut t.memory_attributes.targets, index, |target| target.values = span),
        38 => change(&mut t.memory_attributes.targets, index, |target| target.object = value),
        39 => {
            let from = match value % 3 {
                0 => InitiatorEntry::Any,
                1 => InitiatorEntry::Cpuset { set: value / 3 },
                _ => InitiatorEntry::Object { object: value / 3 },
            };
            change(&mut t.memory_attributes.values, index, |entry| entry.from = from);
        }
        40 => change(&mut t.cpu_kinds, index, |kind| kind.cpuset = value),
        41 => change(&mut t.cpu_kinds, index, |kind| kind.infos = span),
        42 => change(&mut t.cpu_kinds, index, |kind| kind.efficiency = value),
        43 => change(&mut t.memory_tiers, index, |tier| tier.nodeset = value),
        44 => change(&mut t.pci_localities, index, |locality| locality.cpuset = value),
        45 => change(&mut t.support, index, |name| *name = value),
        46 => t.filters.truncate(index as usize % 32),
        _ => t.strings.truncate(index as usize % 32),
    }
}

fn archived_answers_alike(topology: &Topology) {
    let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(topology).expect("any tables can be archived");
    let archived = rkyv::access::<ArchivedTopology, rkyv::rancor::Error>(&bytes).expect("what rkyv wrote");
    exercise(archived);
    assert_eq!(archived.check(), topology.check());
    assert_eq!(archived.digest(), topology.digest());
    assert_eq!(render(archived).to_string(), render(topology).to_string());
}

#[test]
fn the_archived_sample_answers_like_the_owned_one() {
    let topology = sample();
    topology.check().unwrap();
    exercise(&topology);
    archived_answers_alike(&topology);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sample_with_wrong_numbers_is_read_to_the_end_without_panic(
        pokes in proptest::collection::vec((any::<u8>(), number(), number()), 1..12),
    ) {
        let mut topology = sample();
        for (place, index, value) in pokes {
            poke(&mut topology, place, index, value);
        }
        exercise(&topology);
        archived_answers_alike(&topology);
    }

    #[test]
    fn tables_of_random_numbers_are_read_to_the_end_without_panic(
        objects in 0..12usize,
        seed in proptest::collection::vec(number(), 64),
        pokes in proptest::collection::vec((any::<u8>(), number(), number()), 0..200),
    ) {
        let mut topology = sample();
        topology.objects.truncate(objects);
        topology.cousins = seed;
        topology.pus = OsIndexTable::default();
        topology.sets = SetTable { entries: topology.sets.entries, ..SetTable::default() };
        for (place, index, value) in pokes {
            poke(&mut topology, place, index, value);
        }
        exercise(&topology);
        archived_answers_alike(&topology);
    }

    #[test]
    fn a_set_reads_the_same_from_the_table(indexes in proptest::collection::btree_set(0..300u32, 0..200)) {
        let set: Set = indexes.into_iter().collect();
        for set in [set.clone(), set.complement()] {
            let mut builder = Builder::new();
            builder.add(Builder::ROOT, Node::new(Type::Pu).os_index(0));
            builder.allow_cpus(set.clone());
            let topology = builder.build().unwrap();
            let stored = topology.allowed_cpuset().unwrap();
            assert_eq!(stored.to_set(), set);
            assert!((0..400).all(|index| stored.contains(index) == set.contains(index)));
            assert_eq!((stored.weight(), stored.last(), stored.first()), (set.weight(), set.last(), set.first()));
        }
    }
}
