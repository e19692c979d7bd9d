//! Descriptions in a line of text: what is made of them is what lstopo makes, and each mistake has its place.

use std::process::Command;

use graven_topology::error::{BuildError, SyntheticError};
use graven_topology::{ChildKind, Topo, Topology, Type, TypeDepth, records, synthetic, xml};
use proptest::prelude::*;
use serde_json::Value;

/// Type and number of objects of each level, from the outermost, and of NUMA nodes and memory-side caches.
fn shape(topology: &Topology) -> String {
    let levels = topology.levels().filter(|level| !level.is_empty());
    let levels: Vec<_> = levels.map(|level| format!("{}:{}", level.ty(), level.len())).collect();
    levels.join(" ")
}

fn os_indexes(topology: &Topology, ty: Type) -> Vec<u32> {
    topology.by_type(ty).map(|object| object.os_index().unwrap()).collect()
}

#[test]
fn each_word_says_how_many_there_are_in_each_object_of_the_word_before() {
    let topology = synthetic("pack:16 numa:4 l3:8 l2:8 core:4 pu:2").unwrap();
    assert_eq!(
        shape(&topology),
        "Machine:1 Package:16 Group:64 L3Cache:512 L2Cache:4096 Core:16384 PU:32768 NUMANode:64"
    );
    topology.check().unwrap();
    assert_eq!(topology.root().total_memory(), 64 << 30);
    assert!(topology.root().symmetric_subtree());
    assert_eq!(
        topology.infos().last(),
        Some(("SyntheticDescription", "pack:16 numa:4 l3:8 l2:8 core:4 pu:2"))
    );
}

#[test]
fn nodes_are_attached_to_objects_in_brackets_and_to_groups_as_a_level() {
    for (text, expected) in [
        ("pack:2 [numa] core:2 pu:2", "Machine:1 Package:2 Core:4 PU:8 NUMANode:2"),
        ("pack:2 numa:1 core:2 pu:2", "Machine:1 Package:2 Core:4 PU:8 NUMANode:2"),
        ("pack:2 numa:2 core:2 pu:2", "Machine:1 Package:2 Group:4 Core:8 PU:16 NUMANode:4"),
        ("pack:2 [numa] [numa] pu:1", "Machine:1 Package:2 PU:2 NUMANode:4"),
        ("numa:4 pack:1 pu:2", "Machine:1 Package:4 PU:8 NUMANode:4"),
        ("[numa] pack:2 pu:2", "Machine:1 Package:2 PU:4 NUMANode:1"),
        ("pack:2 pu:2", "Machine:1 Package:2 PU:4 NUMANode:1"),
        ("pu:3", "Machine:1 PU:3 NUMANode:1"),
    ] {
        assert_eq!(shape(&synthetic(text).unwrap()), expected, "{text}");
    }
}

#[test]
fn sizes_have_units_and_defaults_by_level() {
    let topology =
        synthetic("[numa(memory=2TB memorysidecachesize=1GiB)] l3:1(size=96MiB) l2:2 l1i:1 l1d:1 pu:1")
            .unwrap();
    let size = |ty| topology.by_type(ty).next().unwrap().cache().unwrap().size;
    assert_eq!(
        [Type::L3Cache, Type::L2Cache, Type::L1iCache, Type::L1Cache, Type::MemCache].map(size),
        [96 << 20, 4 << 20, 32 << 10, 32 << 10, 1 << 30]
    );
    assert_eq!(topology.root().total_memory(), 2_000_000_000_000);
    assert_eq!(topology.numa_node(0).unwrap().parent().unwrap().ty(), Type::MemCache);
}

#[test]
fn indexes_are_a_list_or_loops() {
    let indexes = |text| os_indexes(&synthetic(text).unwrap(), Type::Pu);
    // The tree is ordered by os_index: what is second from left in the text is not so in the tree.
    let parents = |text| {
        let topology = synthetic(text).unwrap();
        (0..8)
            .map(|pu| topology.pu(pu).unwrap().ancestor(Type::Core).unwrap().os_index().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(indexes("pack:2 core:2 pu:2"), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(parents("pack:2 core:2 pu:2(indexes=0,4,2,6,1,5,3,7)"), [0, 2, 1, 3, 0, 2, 1, 3]);
    assert_eq!(parents("pack:2 core:2 pu:2(indexes=4*2:2*2:1*2)"), [0, 2, 1, 3, 0, 2, 1, 3]);
    assert_eq!(parents("pack:2 core:2 pu:2(indexes=pack:core)"), [0, 2, 1, 3, 0, 2, 1, 3]);
    assert_eq!(parents("pack:2 core:2 pu:2(indexes=core)"), [0, 1, 2, 3, 0, 1, 2, 3]);
    let topology = synthetic("pack:2 [numa] core:2 [numa] pu:1(indexes=9,8,7,6)").unwrap();
    assert_eq!(os_indexes(&topology, Type::Pu), [6, 7, 8, 9]);
    // Nodes of a package are numbered after those of its cores.
    let own = topology
        .by_type(Type::Package)
        .map(|package| package.child(ChildKind::Memory, 0).unwrap().os_index());
    assert_eq!(own.collect::<Vec<_>>(), [Some(5), Some(2)]);
}

#[test]
fn types_are_chosen_where_none_are_given() {
    let types = |text: &str| shape(&synthetic(text).unwrap());
    assert_eq!(types("3"), "Machine:1 PU:3 NUMANode:1");
    assert_eq!(types("2 3"), "Machine:1 Group:2 PU:6 NUMANode:2");
    assert_eq!(types("2 3 4 5 6"), types("Package:2 NUMANode:3 L2Cache:4 Core:5 PU:6"));
    assert_eq!(
        types("2 2 2 2 2 2 2 2 pu:2"),
        "Machine:1 Group:2 Package:4 Group:8 L3Cache:16 L2Cache:32 L1Cache:64 L1iCache:128 Core:256 PU:512 NUMANode:8"
    );
    assert_eq!(types("2 [numa] 2 2"), "Machine:1 Package:2 Core:4 PU:8 NUMANode:2");
}

#[test]
fn names_are_those_of_lstopo_whole_or_cut() {
    for name in ["pa", "Pack", "PACKAGE", "so", "socket"] {
        assert_eq!(
            synthetic(&format!("{name}:2 pu:2")).unwrap().depth_of(Type::Package),
            TypeDepth::One(1),
            "{name}"
        );
    }
    for (name, ty) in [
        ("L2", Type::L2Cache),
        ("l1d", Type::L1Cache),
        ("L1icache", Type::L1iCache),
        ("l3uca", Type::L3Cache),
        ("di", Type::Die),
        ("gr", Type::Group),
        ("group3", Type::Group),
        ("tile", Type::Group),
        ("Module", Type::Group),
    ] {
        assert_eq!(synthetic(&format!("{name}:2 pu:2")).unwrap().count(ty), 2, "{name}");
    }
}

fn refused(text: &str) -> SyntheticError {
    let error = synthetic(text).unwrap_err();
    assert!(!error.to_string().is_empty());
    error
}

#[test]
fn nothing_is_no_machine() {
    assert_eq!(refused(""), SyntheticError::Empty);
    assert_eq!(refused(" \n "), SyntheticError::Empty);
    assert_eq!(refused("[numa]"), SyntheticError::Empty);
}

#[test]
fn a_type_that_may_not_stand_there_is_named_with_its_place() {
    let of = |at, word: &str| SyntheticError::Type { at, word: word.into() };
    assert_eq!(refused("pack:2 foo:2 pu:1"), of(7, "foo"));
    assert_eq!(refused("p:2"), of(0, "p"));
    assert_eq!(refused("machine:1 pu:1"), of(0, "machine"));
    assert_eq!(refused("[core] pu:1"), of(1, "core"));
    assert_eq!(refused("l6:1 pu:1"), of(0, "l6"));
    assert_eq!(refused("l4i:1 pu:1"), of(0, "l4i"));
    assert_eq!(refused("(memory=1GB) pu:1"), of(0, "("));
    assert_eq!(refused("pu:1)"), of(4, ")"));
    assert_eq!(refused("ü:1"), of(0, "ü"));
}

#[test]
fn a_count_is_a_number_of_one_or_more() {
    let of = |at, word: &str| SyntheticError::Count { at, word: word.into() };
    assert_eq!(refused("pack pu:2"), of(0, "pack"));
    assert_eq!(refused("pack: pu:2"), of(5, " "));
    assert_eq!(refused("pack:"), of(5, ""));
    assert_eq!(refused("pack:0 pu:2"), of(5, "0"));
    assert_eq!(refused("pack:+2 pu:2"), of(5, "+2"));
    assert_eq!(refused("pack:010 pu:2"), of(5, "010"));
    assert_eq!(refused("2x 2"), of(0, "2x"));
    assert_eq!(refused("pu:99999999999999999999"), of(3, "99999999999999999999"));
    assert_eq!(synthetic("pu:0x10").unwrap().count(Type::Pu), 16);
}

#[test]
fn attributes_are_those_of_the_type_and_have_a_number() {
    let of = |at, word: &str| SyntheticError::Attribute { at, word: word.into() };
    assert_eq!(refused("core:2(size=1MB) pu:2"), of(7, "size=1MB"));
    assert_eq!(refused("l2:2(memory=1MB) pu:2"), of(5, "memory=1MB"));
    assert_eq!(refused("l2:2(size=1XB) pu:2"), of(5, "size=1XB"));
    assert_eq!(refused("l2:2(size) pu:2"), of(5, "size"));
    assert_eq!(refused("l2:2(size=16777216TiB) pu:2"), of(5, "size=16777216TiB"));
    assert_eq!(refused("[numa(colour=red)] pu:2"), of(6, "colour=red"));
    assert_eq!(refused("2(memory=1GB) 2"), of(2, "memory=1GB"));
}

#[test]
fn brackets_are_closed() {
    let of = |at, word: &str| SyntheticError::Unclosed { at, word: word.into() };
    assert_eq!(refused("pu:2(indexes=0,1"), of(4, "("));
    assert_eq!(refused("pack:2 [numa pu:2"), of(7, "["));
    assert_eq!(
        refused("[numa(memory=1GB] pu:2"),
        SyntheticError::Attribute { at: 6, word: "memory=1GB]".into() }
    );
}

#[test]
fn a_type_but_group_is_one_level() {
    let of = |at, word: &str, ty| SyntheticError::Twice { at, word: word.into(), ty };
    assert_eq!(refused("pack:2 core:2 pack:2 pu:2"), of(14, "pack:2", Type::Package));
    assert_eq!(refused("l2:2 l2d:2 pu:2"), of(5, "l2d:2", Type::L2Cache));
    assert_eq!(refused("pu:2 pu:2"), of(5, "pu:2", Type::Pu));
    assert_eq!(refused("[numa] numa:2 pu:2"), of(7, "numa:2", Type::NumaNode));
    assert_eq!(refused("numa:2 [numa] pu:2"), of(8, "numa", Type::NumaNode));
    assert_eq!(
        shape(&synthetic("group:2 group:2 group:2 pu:2").unwrap()),
        "Machine:1 Group:2 Group:4 Group:8 PU:16 NUMANode:1"
    );
}

#[test]
fn all_levels_have_types_or_none() {
    assert_eq!(refused("pack:2 3 pu:2"), SyntheticError::Mixed { at: 7, word: "3".into() });
    assert_eq!(refused("2 core:3 2"), SyntheticError::Mixed { at: 2, word: "core:3".into() });
    assert_eq!(shape(&synthetic("core:3 2").unwrap()), "Machine:1 Core:3 PU:6 NUMANode:1");
}

#[test]
fn the_last_level_is_the_processing_units() {
    let of = |at, word: &str, ty| SyntheticError::LastLevel { at, word: word.into(), ty };
    assert_eq!(refused("pack:2 core:2"), of(7, "core:2", Type::Core));
    assert_eq!(refused("pu:2 core:2"), of(5, "core:2", Type::Core));
}

#[test]
fn more_objects_than_the_limit_are_refused_before_they_are_made() {
    let limit = 1_048_576;
    let objects = 1 + (1 << 20);
    let refused = refused("pu:1048576");
    assert_eq!(refused, SyntheticError::TooMany { at: 0, word: "pu:1048576".into(), objects, limit });
    for text in [
        "group:65535 group:65535 group:65535 group:65535 group:65535 pu:1",
        "pack:300000 [numa] [numa] [numa] [numa] pu:1",
    ] {
        assert!(matches!(synthetic(text), Err(SyntheticError::TooMany { .. })), "{text}");
    }
}

#[test]
fn indexes_number_each_object_once() {
    let rule = |text: &str| match refused(text) {
        SyntheticError::Indexes { at, word, rule } => (at, word, rule),
        other => panic!("{text}: {other}"),
    };
    let found = rule("pu:4(indexes=0,1,2)");
    assert_eq!(found, (13, "0,1,2".into(), "there must be an index for each object of the level"));
    for (text, part) in [
        ("pu:2(indexes=0,1,2)", "an index for each"),
        ("pu:2(indexes=0,0)", "no two objects"),
        ("pu:2(indexes=0,)", "below 4294967295"),
        ("pu:2(indexes=0,4294967295)", "below 4294967295"),
        ("pu:2(indexes=)", "over types"),
        ("pu:2(indexes=0,1 indexes=1,0)", "once already"),
        ("[numa(indexes=0)] [numa(indexes=1)] pu:2", "once already"),
        ("core:2 pu:2(indexes=2*2:x)", "step*number"),
        ("core:2 pu:2(indexes=0*2)", "step*number"),
        ("core:2 pu:2(indexes=1*3)", "number all objects"),
        ("core:2 pu:2(indexes=4*2:4*2)", "no two objects"),
        ("core:2 pu:2(indexes=pack)", "over types"),
        ("core:2 pu:2(indexes=core:core)", "over types"),
        ("core:2 pu:2(indexes=pu)", "over types"),
        ("[numa(indexes=core)] core:2 pu:2", "over types"),
    ] {
        let (_, _, rule) = rule(text);
        assert!(rule.contains(part), "{text}: {rule}");
    }
}

#[test]
fn more_levels_than_a_builder_makes_are_refused() {
    let text = "group:1 ".repeat(200) + "pu:1";
    let error = refused(&text);
    assert_eq!(error, SyntheticError::Build(BuildError::TooManyKinds { limit: 128 }));
    assert!(std::error::Error::source(&error).is_some());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9:=*,()\\[\\] ]{0,40}") {
        let _ = synthetic(&text);
    }

    #[test]
    fn whatever_is_made_is_consistent(
        words in prop::collection::vec(
            (prop::sample::select(vec!["pack", "numa", "die", "l3", "l2", "core", "group", "l1i", "[numa]"]), 1..4u32),
            0..6,
        ),
        pus in 1..4u32,
    ) {
        let mut text = String::new();
        for (word, count) in words {
            text += &if word.starts_with('[') { format!("{word} ") } else { format!("{word}:{count} ") };
        }
        text += &format!("pu:{pus}");
        if let Ok(topology) = synthetic(&text) {
            prop_assert_eq!(topology.check(), Ok(()));
        }
    }
}

/// What lstopo makes of a description, by way of its XML; `None` where it is not installed.
fn lstopo(text: &str) -> Option<Topology> {
    let arguments = ["--filter", "all:all", "--of", "xml", "-i", text, "-"];
    match Command::new("lstopo-no-graphics").args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{text}: {output:?}");
            Some(xml::parse(core::str::from_utf8(&output.stdout).unwrap()).unwrap())
        }
        Err(_) => {
            println!("SKIPPED: lstopo is not installed");
            None
        }
    }
}

/// What must be equal: all that is said of objects and levels.
fn comparable(mut record: Value) -> Option<Value> {
    let fields = record.as_object_mut().unwrap();
    if !matches!(fields["rec"].as_str().unwrap(), "obj" | "level") {
        return None;
    }
    // Numbered in the order of making, which is our own.
    fields.remove("gp_index");
    if fields["type"] == "Machine" {
        // lstopo says its version there.
        fields.remove("infos");
    }
    if let Some(attributes) = fields.get_mut("attr").and_then(Value::as_object_mut) {
        // Exception: hwloc 2 made up pages of 4 KiB, hwloc 3 does not.
        attributes.remove("page_types");
    }
    Some(record)
}

#[test]
fn lstopo_makes_the_same_of_each_description() {
    let descriptions = [
        "pu:1",
        "pu:4",
        "core:4 pu:1",
        "pack:1 core:1 pu:1",
        "pack:2 numa:1 l2:1 core:2 pu:1",
        "pack:2 numa:2 l3:1 core:2 pu:2",
        "pack:2 numa:2 l3:2 core:2 pu:2",
        "numa:2 pack:2 core:2 pu:2",
        "numa:4 pu:1",
        "numa:2 core:1 pu:2",
        "pack:2 numa:1 core:4 pu:1",
        "pack:1 group:4 [numa] [numa] core:16 pu:4",
        "pack:2 [numa] core:2 [numa] pu:2",
        "[numa] pack:2 [numa(memory=16GB)] l3:2(size=12MiB) core:2 pu:2",
        "[numa] pack:1 core:2 pu:2",
        "[numa] pu:3",
        "pack:2 [numa(memory=4GB)] [numa(memory=1TB)] core:2 pu:2",
        "group:2 group:3 core:2 pu:2",
        "group:2 pack:1 numa:1 core:2 pu:2",
        "pack:2 core:2 l2:1 l1d:1 l1i:1 pu:2",
        "pack:1 die:2 l3:1 core:2 pu:1",
        "pack:2 die:1 core:2 pu:1",
        "2 3 4 5 6",
        "2 2",
        "2 2 2 2 2 2 2 2",
        "2 [numa] 2 2",
        "pack:2 core:2 pu:2(indexes=0,4,2,6,1,5,3,7)",
        "pack:2 core:2 pu:2(indexes=4*2:2*2:1*2)",
        "pack:2 core:2 pu:2(indexes=pack:core)",
        "pack:2 core:2 pu:2(indexes=core:pack)",
        "pack:2 numa:2 core:3 pu:2(indexes=numa:core)",
        "numa:4(indexes=3,1,0,2) core:2 pu:1",
        "pack:2 [numa(indexes=1,0 memory=1GB)] core:2 pu:1",
        "pack:4 numa:2 l3:4 l2:2 core:2 pu:2",
    ];
    let mut failures = Vec::new();
    for text in descriptions {
        // Exception: hwloc 2.9 gives attached nodes no memory if none is given, hwloc 3 does.
        let text = &text.replace("[numa]", "[numa(memory=1GiB)]");
        let Some(theirs) = lstopo(text) else { return };
        let ours = synthetic(text).unwrap();
        if shape(&ours) != shape(&theirs) {
            failures.push(format!("{text}:\n  {}\n  {}", shape(&ours), shape(&theirs)));
            continue;
        }
        let [ours, theirs] = [ours, theirs].map(|it| records(&it).filter_map(comparable).collect::<Vec<_>>());
        assert!(!ours.is_empty());
        let differs = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
        failures.extend(differs.map(|(ours, theirs)| format!("{text}:\n  {ours}\n  {theirs}")));
        if ours.len() != theirs.len() {
            failures.push(format!("{text}: {} records, lstopo's has {}", ours.len(), theirs.len()));
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}
