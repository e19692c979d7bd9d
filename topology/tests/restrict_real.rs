//! Restricting real topologies: all that is said of a restriction holds for each, and what is left is what lstopo
//! leaves, where it is installed. What is not equal is named as an exception.

use std::fs;
use std::path::Path;
use std::process::Command;

use graven_topology::error::RestrictError;
use graven_topology::{Bits, ChildKind, RestrictOptions, Set, Topo, Topology, Type, records, xml};
use serde_json::Value;

#[path = "support/real.rs"]
mod real;

#[path = "support/restrict.rs"]
mod restrict_support;
use real::{files, import};
use restrict_support::{PLAIN, every_option, sound};

#[test]
fn restricting_a_real_topology_to_all_of_it_changes_nothing() {
    for (name, path) in files() {
        let topology = import(&path);
        for kept in [Set::full(), topology.root().complete_cpuset().unwrap().to_set()] {
            assert!(topology.restrict(&kept, PLAIN).unwrap() == topology, "{name}");
        }
        let nodes = topology.root().complete_nodeset().unwrap().to_set();
        assert!(topology.restrict(&nodes, PLAIN.by_nodeset()).unwrap() == topology, "{name}");
    }
}

#[test]
fn restricting_a_real_topology_to_a_package_leaves_its_processors() {
    for (name, path) in files() {
        let topology = import(&path);
        let allowed = topology.allowed_cpuset().unwrap();
        for package in topology.by_type(Type::Package).take(3) {
            let kept = package.cpuset().unwrap().to_set();
            let named = format!("{name}, package {}", package.logical_index());
            for options in [PLAIN, PLAIN.remove_cpuless().adapt_io().adapt_misc()] {
                match topology.restrict(&kept, options) {
                    Ok(rest) => {
                        sound(&topology, &rest, &kept, options, &named);
                        let pus = package.descendants().filter(|object| object.ty() == Type::Pu).count();
                        assert_eq!(rest.count(Type::Pu) as usize, pus, "{named}");
                        if options == PLAIN {
                            assert_eq!(rest.count(Type::NumaNode), topology.count(Type::NumaNode), "{named}");
                            assert_eq!(rest.root().total_memory(), topology.root().total_memory(), "{named}");
                        } else {
                            assert!(
                                rest.by_type(Type::NumaNode).all(|node| !node.cpuset().unwrap().is_empty())
                            );
                            assert_eq!(
                                rest.count(Type::PciDevice),
                                topology.count(Type::PciDevice),
                                "{named}"
                            );
                        }
                    }
                    Err(error) => {
                        assert!(matches!(
                            error,
                            RestrictError::NoPu { .. } | RestrictError::NoNumaNode { .. }
                        ));
                        assert!(!kept.intersects(&allowed) || options != PLAIN, "{named}: {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn restricting_a_real_topology_by_each_option_is_sound() {
    for (name, path) in files() {
        let topology = import(&path);
        let every = |ty, step: usize| -> Set {
            topology.by_type(ty).step_by(step).filter_map(|object| object.os_index()).collect()
        };
        // The corners: nothing goes up or all does.
        for options in every_option().into_iter().step_by(3) {
            let ty = if options == options.by_nodeset() { Type::NumaNode } else { Type::Pu };
            let kept = every(ty, 3);
            if let Ok(rest) = topology.restrict(&kept, options) {
                sound(&topology, &rest, &kept, options, &format!("{name} {options:?}"));
            }
        }
    }
}

/// What lstopo writes; `None` where it is not installed.
fn run(input: &Path, arguments: &[&str]) -> Option<std::process::Output> {
    let output = Command::new("lstopo-no-graphics")
        .args(["--if", "xml", "-i"])
        .arg(input)
        .args(["--filter", "all:all", "--disallowed"])
        .args(arguments)
        .args(["--of", "xml", "-"])
        .output();
    if output.is_err() {
        println!("SKIPPED: lstopo is not installed");
    }
    output.ok()
}

/// What lstopo makes of our export, restricted; an error where it refuses.
fn lstopo(input: &Path, kept: &str, flags: u32) -> Option<Result<Topology, String>> {
    let output = run(input, &["--restrict", kept, "--restrict-flags", &flags.to_string()])?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || error.contains("Restricting") {
        return Some(Err(error));
    }
    match xml::parse(core::str::from_utf8(&output.stdout).unwrap()) {
        Ok(topology) => Some(Ok(topology)),
        // Exception: hwloc 2.9 writes values and distances of objects that are gone, until it has read them again.
        Err(xml::XmlError::UnknownObject { .. }) => {
            let file = input.with_extension("again.xml");
            fs::write(&file, output.stdout).unwrap();
            let output = run(&file, &[])?;
            Some(Ok(xml::parse(core::str::from_utf8(&output.stdout).unwrap()).unwrap()))
        }
        Err(error) => panic!("{}: {error}", input.display()),
    }
}

/// What must be equal, but for the exceptions named here: all records, in hwloc's order.
fn comparable(topology: &Topology) -> Vec<Value> {
    let normal = |ty: Type| ty.child_kind() == ChildKind::Normal;
    let cpuless = topology.objects().any(|it| normal(it.ty()) && it.cpuset().unwrap().is_empty());
    let mut records: Vec<Value> = records(topology).collect();
    if cpuless {
        // Exception "siblings without processors keep their order": hwloc turns them around each time.
        let numbers: Vec<Value> =
            records.iter().filter(|it| it["rec"] == "obj").map(|it| it["gp_index"].clone()).collect();
        for record in records.iter_mut().filter(|it| it["rec"] == "obj") {
            let parent = record["parent"].as_u64().map(|parent| numbers[parent as usize].clone());
            record["parent"] = parent.unwrap_or_default();
            let fields = record.as_object_mut().unwrap();
            fields.remove("i");
            fields.remove("logical_index");
            if fields["cpuset"] == "" && fields["list"] == "normal" {
                fields.remove("sibling_rank");
            }
        }
        for targets in records.iter_mut().filter_map(|it| it.get_mut("targets")?.as_array_mut()) {
            targets.sort_by_key(|target| target["obj"].to_string());
        }
        records.sort_by_key(|it| (it["rec"] != "obj", it["gp_index"].as_u64()));
    }
    records
}

#[test]
fn lstopo_leaves_the_same_of_each_real_topology() {
    let scratch = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    let mut refused = 0;
    let files = files();
    for (name, path) in &files {
        let file = scratch.path().join("export.xml");
        xml::write(&import(path), fs::File::create(&file).unwrap()).unwrap();
        // What format 2.0 and hwloc 2.9 have no place for is lost before: both start from the same.
        let Some(output) = run(&file, &[]) else { return };
        fs::write(&file, &output.stdout).unwrap();
        let topology = import(&file);
        let every = |ty, step: usize| -> Set {
            topology.by_type(ty).step_by(step).filter_map(|object| object.os_index()).collect()
        };
        let package = topology.by_type(Type::Package).last();
        let package =
            package.map_or_else(|| every(Type::Pu, 2), |package| package.cpuset().unwrap().to_set());
        let nodeset = PLAIN.by_nodeset();
        let both = |options: RestrictOptions| options.adapt_io().adapt_misc();
        for (kept, options, flags) in [
            (package.clone(), PLAIN, 0),
            (package, PLAIN.remove_cpuless(), 1),
            (every(Type::Pu, 3), both(PLAIN), 6),
            (Set::only(every(Type::Pu, 1).first().unwrap()), both(PLAIN.remove_cpuless()), 7),
            (every(Type::NumaNode, 2), nodeset, 8),
            (every(Type::NumaNode, 2), both(nodeset.remove_memless()), 30),
            (Set::from(100_000..100_001), PLAIN, 0),
        ] {
            let text =
                if flags & 8 == 0 { kept.mask().to_string() } else { format!("nodeset={}", kept.mask()) };
            let named = format!("{name} {} {flags}", kept.list());
            let Some(theirs) = lstopo(&file, &text, flags) else { return };
            let (ours, theirs) = match (topology.restrict(&kept, options), theirs) {
                (Ok(ours), Ok(theirs)) => (ours, theirs),
                (Err(_), Err(_)) => {
                    refused += 1;
                    continue;
                }
                (ours, theirs) => {
                    failures.push(format!("{named}: {:?} {:?}", ours.err(), theirs.err()));
                    continue;
                }
            };
            let [mut ours, mut theirs] = [ours, theirs].map(|topology| comparable(&topology));
            if name == "8intel64-4n2t-memattrs" {
                // Exception "unreachable values go": where two cpusets of a value become one, hwloc answers with the
                // first, as we do, but writes both, and reads the second over the first.
                for records in [&mut ours, &mut theirs] {
                    records.retain(|it| it["rec"] != "memattr" || it["name"] != "foobar");
                }
            }
            let differ = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs);
            for (ours, theirs) in differ.take(2) {
                let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
                let fields =
                    theirs.keys().chain(ours.keys()).filter(|key| ours.get(*key) != theirs.get(*key));
                let fields: Vec<_> = fields
                    .map(|key| {
                        format!(
                            "{key}: {:?} {:?}",
                            ours.get(key).map(Value::to_string),
                            theirs.get(key).map(Value::to_string)
                        )
                    })
                    .collect();
                failures.push(format!("{named}: {} {:?}: {fields:?}", theirs["rec"], theirs.get("gp_index")));
            }
            if ours.len() != theirs.len() {
                failures.push(format!("{named}: {} records, lstopo's has {}", ours.len(), theirs.len()));
            }
        }
    }
    assert!(refused >= files.len(), "lstopo refused {refused} times");
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}
