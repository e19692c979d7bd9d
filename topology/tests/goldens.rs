//! Every real topology: what is read of its XML is what hwloc says, in every form it goes through.
//!
//! The goldens are hwloc's own (2.14): `F.dump.jsonl` has every public field, `F.counts.txt` the numbers of objects,
//! `F.console.txt` what lstopo prints. Where they differ from us, an exception has a name here and a reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use graven::Segment;
use graven_topology::attributes::OsDevice;
use graven_topology::facts::{Initiator, InitiatorRef, MemoryAttribute, MemoryTier};
use graven_topology::xml::{self, XmlError};
use graven_topology::{Bits, Set, Topo, Topology, Type, records};
use serde_json::Value;

#[path = "support/real.rs"]
mod real;

use real::{directory, files, import};

/// What is in our records but cannot be in hwloc 2.14's, or the reverse.
fn comparable(mut record: Value) -> Option<Value> {
    let fields = record.as_object_mut().unwrap();
    // The version of the library that made the golden.
    fields.remove("api");
    match fields["rec"].as_str().unwrap() {
        // hwloc 2.14 has neither.
        "memtier" | "pci_locality" => return None,
        _ => {}
    }
    if let Some(attributes) = fields.get_mut("attr").and_then(Value::as_object_mut) {
        // New in hwloc 3.
        attributes.remove("kinds");
        for pci in ["pci", "up_pci"] {
            if let Some(pci) = attributes.get_mut(pci).and_then(Value::as_object_mut) {
                pci.remove("prog_if");
            }
        }
    }
    Some(record)
}

#[test]
fn every_topology_agrees_with_its_golden_record_by_record() {
    let mut failures = Vec::new();
    for (name, path) in files() {
        let golden = fs::read_to_string(path.with_extension("dump.jsonl")).unwrap();
        let golden: Vec<Value> = golden.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let golden: Vec<Value> = golden.into_iter().filter_map(comparable).collect();
        let topology = match xml::read(fs::File::open(&path).unwrap()) {
            Ok(topology) => topology,
            Err(error) => {
                failures.push(format!(
                    "{name}: {error} {:?}",
                    std::error::Error::source(&error).map(|e| e.to_string())
                ));
                continue;
            }
        };
        let ours: Vec<Value> = records(&topology).filter_map(comparable).collect();
        if ours.len() != golden.len() {
            failures.push(format!("{name}: {} records, golden has {}", ours.len(), golden.len()));
        }
        let differ = ours.iter().zip(&golden).filter(|(ours, golden)| ours != golden);
        for (ours, golden) in differ.take(3) {
            let (ours, golden) = (ours.as_object().unwrap(), golden.as_object().unwrap());
            let fields = golden.keys().chain(ours.keys()).filter(|key| ours.get(*key) != golden.get(*key));
            let fields: BTreeMap<_, _> = fields.map(|key| (key, (ours.get(key), golden.get(key)))).collect();
            failures.push(format!("{name}: {} {:?}: {fields:?}", golden["rec"], golden.get("gp_index")));
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_topology_has_as_many_of_each_as_its_golden_counts() {
    for (name, path) in files() {
        let topology = import(&path);
        for line in fs::read_to_string(path.with_extension("counts.txt")).unwrap().lines() {
            let (what, count) = line.split_once(' ').unwrap();
            let count: u32 = count.parse().unwrap();
            let ours = match what {
                "total" => topology.object_count(),
                "depth" => topology.depth(),
                "distances" => topology.distances().count() as u32,
                "memattrs" => topology.memory_attributes().count() as u32,
                "cpukinds" => topology.cpu_kinds().count() as u32,
                // hwloc 2.14, which made the goldens, has no tiers.
                "memtiers" => continue,
                ty => topology.count(ty.parse::<Type>().unwrap()),
            };
            assert_eq!(ours, count, "{name}: {what}");
        }
    }
}

#[test]
fn what_is_written_is_read_as_an_equal_topology() {
    for (name, path) in files() {
        let topology = import(&path);
        let text = xml::to_string(&topology).unwrap();
        let again = xml::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (ours, theirs) in records(&again).zip(records(&topology)) {
            assert_eq!(ours, theirs, "{name}");
        }
        assert!(again == topology, "{name}: equal records, but other tables");
        assert_eq!(xml::to_string(&again).unwrap(), text, "{name}");
    }
}

/// lstopo of the system, if it is installed.
fn lstopo(input: &Path) -> Option<String> {
    let arguments = ["--filter", "all:all", "--disallowed", "-v", "--of", "console", "-"];
    let output =
        Command::new("lstopo-no-graphics").args(["--if", "xml", "-i"]).arg(input).args(arguments).output();
    match output {
        Ok(output) => {
            assert!(output.status.success(), "{}: {output:?}", input.display());
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(_) => {
            println!("SKIPPED: lstopo is not installed");
            None
        }
    }
}

#[test]
fn lstopo_prints_what_we_write_like_the_original() {
    let scratch = tempfile::tempdir().unwrap();
    let mut failures = Vec::new();
    for (name, path) in files() {
        let file = scratch.path().join("export.xml");
        xml::write(&import(&path), fs::File::create(&file).unwrap()).unwrap();
        let Some(ours) = lstopo(&file) else { return };
        let golden = fs::read_to_string(path.with_extension("console.txt")).unwrap();
        let differ = ours.lines().zip(golden.lines()).filter(|(ours, golden)| ours != golden);
        failures.extend(differ.take(3).map(|(ours, golden)| format!("{name}:\n  {ours}\n  {golden}")));
        let (ours, golden) = (ours.lines().count(), golden.lines().count());
        if ours != golden {
            failures.push(format!("{name}: {ours} lines, golden has {golden}"));
        }
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

/// The run of one generic function: everything that can be asked, digested.
fn answers<T: Topo>(topology: &T) -> (u64, Vec<String>) {
    let mut answers = Vec::new();
    let whole = topology.root().cpuset().unwrap().to_set();
    for attribute in topology.memory_attributes() {
        let mut asked = vec![Initiator::Any, Initiator::Cpuset(&whole)];
        let cpusets: Vec<Set> =
            topology.by_type(Type::Pu).step_by(5).map(|pu| pu.cpuset().unwrap().to_set()).collect();
        asked.extend(cpusets.iter().take(16).map(Initiator::Cpuset));
        asked.extend(topology.objects().step_by(3).take(16).map(Initiator::Object));
        for from in asked {
            answers.push(format!("{attribute:?} best {:?}", attribute.best_target(from)));
            for target in topology.by_type(Type::NumaNode) {
                answers.push(format!("{target:?} {:?}", attribute.value(&target, from)));
                answers.push(format!("{:?}", attribute.best_initiator(&target)));
            }
        }
    }
    for distances in topology.distances() {
        for (from, to) in distances.objects().zip(distances.objects().skip(1)) {
            answers.push(format!("{from:?} {to:?} {:?}", distances.between(&from, &to)));
        }
    }
    for object in topology.by_type(Type::Core) {
        answers.push(format!(
            "{:?} {:?}",
            object.core_kind(),
            topology.cpu_kind_of(&object.cpuset().unwrap())
        ));
    }
    (topology.digest(), answers)
}

#[test]
fn every_archived_topology_answers_like_the_owned_one_and_has_the_length_that_was_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let mut digests = BTreeMap::new();
    for (name, path) in files() {
        let topology = import(&path);
        let file = scratch.path().join("one.grv");
        let length = graven::encoded_len(&topology).unwrap();
        assert_eq!(graven::write(&file, &topology).unwrap().length, length, "{name}");
        assert_eq!(fs::metadata(&file).unwrap().len(), length, "{name}");
        let segment = Segment::read(&file).unwrap();
        assert_eq!(segment.header().length, length, "{name}");
        let adopted = segment.root::<Topology>().unwrap();
        adopted.check().unwrap();
        assert_eq!(answers(&*adopted), answers(&topology), "{name}");
        assert!(records(&*adopted).eq(records(&topology)), "{name}");
        assert_eq!(xml::to_string(&*adopted).unwrap(), xml::to_string(&topology).unwrap(), "{name}");
        if let Some(other) = digests.insert(topology.digest(), name.clone()) {
            panic!("{name} and {other} have one digest");
        }
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn what_memory_attributes_answer_is_what_their_records_say() {
    let Some(directory) = directory() else { return };
    let topology = import(&directory.join("8intel64-4n2t-memattrs.xml"));
    let object = |gp_index| topology.by_gp_index(gp_index).unwrap();
    let custom = topology.memory_attribute_by_name("foobar").unwrap();
    assert_eq!((custom.id(), custom.higher_first(), custom.needs_initiator()), (8, false, true));
    let set = |list: &str| list.parse::<Set>().unwrap();
    // A cpuset matches the first that includes it, an object itself.
    assert_eq!(custom.value(&object(4), Initiator::Cpuset(&set("1"))), Some(10));
    assert_eq!(custom.value(&object(4), Initiator::Cpuset(&set("0-2"))), None);
    assert_eq!(custom.value(&object(4), Initiator::Cpuset(&set(""))), None);
    assert_eq!(custom.value(&object(4), Initiator::Object(object(15))), Some(2345));
    assert_eq!(custom.value(&object(4), Initiator::Object(object(14))), None);
    assert_eq!(custom.value(&object(4), Initiator::Any), None);
    assert_eq!(custom.value(&object(2), Initiator::Cpuset(&set("1"))), None);
    let from = set("0-1");
    let targets: Vec<_> = custom.targets(Initiator::Cpuset(&from)).map(|(o, v)| (o.gp_index(), v)).collect();
    assert_eq!(targets, [(4, Some(10)), (8, Some(20)), (12, Some(30)), (16, Some(40))]);
    assert_eq!(custom.best_target(Initiator::Cpuset(&from)).map(|(o, v)| (o.gp_index(), v)), Some((4, 10)));
    let from = set("0");
    assert_eq!(custom.best_target(Initiator::Cpuset(&from)).map(|(o, v)| (o.gp_index(), v)), Some((4, 10)));
    let from = set("4");
    assert_eq!(custom.best_target(Initiator::Cpuset(&from)).map(|(o, v)| (o.gp_index(), v)), Some((12, 123)));
    assert!(custom.best_target(Initiator::Any).is_none());
    assert_eq!(custom.initiators(&object(16)).count(), 5);
    let (best, value) = custom.best_initiator(&object(16)).unwrap();
    assert!(matches!(best, InitiatorRef::Cpuset(cpuset) if cpuset == set("0-1")) && value == 40);
    assert!(custom.best_initiator(&object(2)).is_none());
    let plain = topology.memory_attribute_by_name("barnoinit").unwrap();
    assert_eq!(plain.best_target(Initiator::Any).map(|(o, v)| (o.gp_index(), v)), Some((2, 478_945)));
    assert_eq!(plain.value(&object(17), Initiator::Any), Some(789));
    assert!(plain.best_initiator(&object(4)).is_none());
    let capacity = topology.memory_attribute(MemoryAttribute::CAPACITY).unwrap();
    assert_eq!(capacity.value(&object(4), Initiator::Any), Some(1 << 30));
    assert_eq!(capacity.value(&object(2), Initiator::Any), None);
    let locality = topology.memory_attribute(MemoryAttribute::LOCALITY).unwrap();
    assert_eq!(locality.best_target(Initiator::Any).map(|(o, v)| (o.gp_index(), v)), Some((4, 2)));
    assert!(topology.memory_attribute(11).is_none() && topology.memory_attribute_by_name("none").is_none());
}

/// hwloc 3 kept these, hwloc 2.14 has no place for them: the goldens cannot say.
#[test]
fn what_only_format_3_has_is_kept() {
    let Some(directory) = directory() else { return };
    let heterogeneous = import(&directory.join("64intel64-heteromem.xml"));
    let tiers: Vec<_> = heterogeneous
        .memory_tiers()
        .map(|tier| (tier.kinds(), tier.nodeset().unwrap().to_string()))
        .collect();
    assert_eq!(tiers, [(MemoryTier::HBM, "4-7".into()), (MemoryTier::DRAM, "0-3".into())]);
    let node = heterogeneous.numa_node(5).unwrap();
    assert_eq!((node.memory_tier(), node.info("MemoryTier")), (Some(0), Some("0")));
    assert_eq!(heterogeneous.root().info("MemoryTiersNr"), Some("2"));
    let dgx = import(&directory.join("nvidiaDGX2.xml"));
    let localities: Vec<_> =
        dgx.pci_localities().map(|l| (l.domain(), l.buses(), l.cpuset().unwrap().to_string())).collect();
    assert_eq!(localities.len(), 4);
    assert_eq!(localities[2], (0, (0xae, 0xc7), "24-25".into()));
    assert!(dgx.supports("membind.alloc_membind") && !dgx.supports("membind.nexttouch_membind"));
    let kinds: Vec<_> = dgx
        .by_type(Type::OsDevice)
        .filter(|d| d.name() == Some("nvml0"))
        .map(|d| d.os_device().unwrap().kinds)
        .collect();
    assert_eq!(kinds, [OsDevice::GPU | OsDevice::COPROC]);
    let bandwidth = dgx.distances_by_name("NVLinkBandwidth").next().unwrap();
    assert_eq!((bandwidth.len(), bandwidth.object_type()), (28, None));
    assert_eq!(
        bandwidth.between(&dgx.by_gp_index(802).unwrap(), &dgx.by_gp_index(449).unwrap()),
        Some(25_000)
    );
}

#[test]
fn every_real_file_that_was_cut_off_is_an_error() {
    for (name, path) in files() {
        let text = fs::read_to_string(&path).unwrap();
        // Reading up to the cut costs its position: every 97th byte of short files, some of long ones.
        let cuts = if text.len() < 16_000 { 200 } else { 400_000 / text.len() + 1 };
        let step = 97 * (text.len() / 97).div_ceil(cuts).max(1);
        for cut in (0..text.trim_end().len()).step_by(step).filter(|&cut| text.is_char_boundary(cut)) {
            let error = xml::parse(&text[..cut]).expect_err("the end is missing");
            assert!(matches!(error, XmlError::Truncated { .. } | XmlError::Syntax { .. }), "{name}: {error}");
        }
    }
}
