//! What `graven dump` reads of an archived topology without its types is what `graven topology show` reads with them:
//! every field of every record, put together from the tables as the archive has them.

mod common;

use std::collections::HashMap;
use std::path::Path;

use common::topologies::{own, real};
use common::{print, text};
use graven_topology::{ChildKind, END, Type};
use serde_json::{Map, Value, json};

/// A dumped topology.
struct Dump(Value);

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))).unwrap()
}

fn unless_none(value: &Value) -> Option<usize> {
    Some(number(value)).filter(|index| *index != u32::MAX).map(|index| index as usize)
}

fn ty(object: &Value) -> Type {
    let name = object["ty"].as_str().unwrap();
    *Type::ALL.iter().find(|ty| format!("{ty:?}") == name).unwrap()
}

impl Dump {
    /// The records of a table that a span names.
    fn span<'d>(&self, table: &'d Value, span: &Value) -> &'d [Value] {
        let (first, len) = (number(&span["first"]) as usize, number(&span["len"]) as usize);
        &table.as_array().unwrap()[first..first + len]
    }

    fn string(&self, index: &Value) -> Value {
        unless_none(index).map_or(Value::Null, |index| self.0["strings"][index].clone())
    }

    fn infos(&self, span: &Value) -> Value {
        let pair = |info: &Value| json!([self.string(&info["name"]), self.string(&info["value"])]);
        self.span(&self.0["infos"], span).iter().map(pair).collect()
    }

    /// A set as a list, `0-3,8`.
    fn set(&self, index: &Value) -> Value {
        let Some(index) = unless_none(index) else { return Value::Null };
        let sets = &self.0["sets"];
        let (form, entry) = sets["entries"][index].as_object().unwrap().iter().next().unwrap();
        let runs: Vec<(u32, u32)> = match form.as_str() {
            "Run" => vec![(number(&entry["start"]), number(&entry["end"]))],
            "Runs" => {
                let run = |run: &Value| (number(&run["start"]), number(&run["end"]));
                self.span(&sets["runs"], entry).iter().map(run).collect()
            }
            _ => {
                let base = 64 * number(&entry["base"]);
                let words = self.span(&sets["words"], entry).iter().map(|word| word.as_u64().unwrap());
                let bits = (base..).step_by(64).zip(words);
                bits.flat_map(|(first, word)| {
                    (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit)
                })
                .map(|index| (index, index + 1))
                .collect()
            }
        };
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (start, end) in runs.into_iter().filter(|(start, end)| start < end) {
            match merged.last_mut() {
                Some((_, last)) if *last == start => *last = end,
                _ => merged.push((start, end)),
            }
        }
        let list = |(start, end): (u32, u32)| match end {
            END => format!("{start}-"),
            end if end - start == 1 => start.to_string(),
            end => format!("{start}-{}", end - 1),
        };
        merged.into_iter().map(list).collect::<Vec<_>>().join(",").into()
    }

    fn weight(&self, index: &Value) -> u64 {
        let list = self.set(index);
        let number = |text: &str| text.parse::<u64>().unwrap();
        let runs = list.as_str().unwrap().split(',').filter(|run| !run.is_empty());
        runs.map(|run| run.split_once('-').map_or(1, |(first, last)| number(last) - number(first) + 1)).sum()
    }

    fn object(&self, index: usize) -> &Value {
        &self.0["objects"][index]
    }

    fn named(&self, index: &Value) -> Value {
        let object = self.object(number(index) as usize);
        json!([ty(object).name(), object["gp_index"]])
    }

    fn records(&self) -> Vec<Value> {
        let all = &self.0;
        let infos = self.infos(&all["own_infos"]);
        let mut records = vec![json!({
            "rec": "topology",
            "depth": all["depth"],
            "allowed_cpuset": self.set(&all["allowed_cpuset"]),
            "allowed_nodeset": self.set(&all["allowed_nodeset"]),
            "is_thissystem": u32::from(all["flags"].as_u64().unwrap() & 2 != 0),
            "flags": all["flags"],
            "infos": if infos == json!([]) { Value::Null } else { infos },
            "support": self.support(),
        })];
        for level in all["levels"].as_array().unwrap() {
            let ty = ty(level).name();
            records.push(
                json!({"rec": "level", "depth": level["depth"], "type": ty, "nb": level["members"]["len"]}),
            );
        }
        self.objects(&mut records);
        self.distances(&mut records);
        self.memory_attributes(&mut records);
        for (i, kind) in all["cpu_kinds"].as_array().unwrap().iter().enumerate() {
            records.push(json!({
                "rec": "cpukind",
                "i": i,
                "cpuset": self.set(&kind["cpuset"]),
                "efficiency": unless_none(&kind["efficiency"]).map_or(-1, |efficiency| efficiency as i64),
                "infos": self.infos(&kind["infos"]),
            }));
        }
        for (i, tier) in all["memory_tiers"].as_array().unwrap().iter().enumerate() {
            let (nodeset, infos) = (self.set(&tier["nodeset"]), self.infos(&tier["infos"]));
            records.push(
                json!({"rec": "memtier", "i": i, "kinds": tier["kinds"], "nodeset": nodeset, "infos": infos}),
            );
        }
        for locality in all["pci_localities"].as_array().unwrap() {
            records.push(json!({
                "rec": "pci_locality",
                "domain": locality["domain"],
                "bus_min": locality["first_bus"],
                "bus_max": locality["last_bus"],
                "cpuset": self.set(&locality["cpuset"]),
            }));
        }
        records
    }

    /// How many features of each category there are: records have a number for each, without names.
    fn support(&self) -> Value {
        let names = self.0["support"].as_array().unwrap().iter().map(|name| self.string(name));
        let names: Vec<String> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
        let count = |category: &str| names.iter().filter(|name| name.starts_with(category)).count();
        json!({
            "discovery": count("discovery."),
            "cpubind": count("cpubind."),
            "membind": count("membind."),
            "misc": count("custom.exported_support"),
        })
    }

    /// Objects as the tree has them: each before its children, the four lists one after the other.
    fn objects(&self, records: &mut Vec<Value>) {
        let mut next = vec![(0, -1i64, "root", 0)];
        let mut rank = 0;
        while let Some((index, parent, list, sibling_rank)) = next.pop() {
            let object = self.object(index);
            let arity = ["normal", "memory", "io", "misc"].map(|kind| object["arity"][kind].clone());
            let extra = unless_none(&object["extra"]).map(|extra| &self.0["extras"][extra]);
            let text = |field: &str| extra.map_or(Value::Null, |extra| self.string(&extra[field]));
            records.push(json!({
                "rec": "obj",
                "i": rank,
                "parent": parent,
                "list": list,
                "type": ty(object).name(),
                "depth": object["depth"],
                "logical_index": object["logical_index"],
                "os_index": unless_none(&object["os_index"]).map_or(-1, |index| index as i64),
                "gp_index": object["gp_index"],
                "sibling_rank": sibling_rank,
                "arity": arity,
                "symmetric_subtree": u32::from(object["symmetric_subtree"].as_bool().unwrap()),
                "total_memory": object["total_memory"],
                "name": text("name"),
                "subtype": text("subtype"),
                "cpuset": self.set(&object["cpuset"]),
                "complete_cpuset": self.set(&object["complete_cpuset"]),
                "nodeset": self.set(&object["nodeset"]),
                "complete_nodeset": self.set(&object["complete_nodeset"]),
                "attr": self.attributes(object),
                "infos": extra.map_or(json!([]), |extra| self.infos(&extra["infos"])),
            }));
            let mut child = unless_none(&object["first_child"]).unwrap_or_default();
            let mut children = Vec::new();
            for (list, len) in ["normal", "memory", "io", "misc"].into_iter().zip(&arity) {
                for sibling_rank in 0..number(len) {
                    children.push((child, rank, list, sibling_rank));
                    child += 1;
                }
            }
            next.extend(children.into_iter().rev());
            rank += 1;
        }
    }

    fn attributes(&self, object: &Value) -> Value {
        let tables = &self.0["attributes"];
        let record = |table: &str| unless_none(&object["attributes"]).map(|index| &tables[table][index]);
        let copy = |of: &Value, names: &[(&str, &str)]| -> Map<String, Value> {
            names.iter().map(|(to, from)| (to.to_string(), of[from].clone())).collect()
        };
        let pci = |pci: &Value| {
            let same =
                ["domain", "bus", "dev", "func", "class", "vendor", "device", "subvendor", "subdevice"];
            let others = ["revision", "prog_if"].map(|name| (name, name));
            let mut names = same.map(|name| (name, name)).to_vec();
            names.extend(others);
            names.push(("linkspeed_bits", "link_speed_bits"));
            Value::Object(copy(pci, &names))
        };
        let ty = ty(object);
        match ty {
            _ if ty.is_cache() || ty == Type::MemCache => record("caches").map_or(json!({}), |cache| {
                let kind = ["Unified", "Data", "Instruction"].iter().position(|kind| cache["kind"] == *kind);
                json!({
                    "size": cache["size"], "depth": cache["level"], "linesize": cache["line_size"],
                    "associativity": cache["associativity"], "cache_type": kind.unwrap(),
                })
            }),
            Type::Group => record("groups").map_or(json!({}), |group| {
                json!({
                    "depth": group["depth"], "kind": group["kind"], "subkind": group["subkind"],
                    "dont_merge": u32::from(group["dont_merge"].as_bool().unwrap()),
                })
            }),
            Type::Bridge => record("bridges").map_or(json!({}), |bridge| {
                let host = bridge["host"].as_bool().unwrap();
                let mut record = json!({
                    "upstream_type": u32::from(!host), "downstream_type": 1, "depth": bridge["depth"],
                    "down_domain": bridge["domain"], "secondary_bus": bridge["secondary_bus"],
                    "subordinate_bus": bridge["subordinate_bus"],
                });
                if !host {
                    record["up_pci"] = pci(&bridge["upstream"]);
                }
                record
            }),
            Type::PciDevice => record("pci").map_or(json!({}), |record| json!({"pci": pci(record)})),
            // A record of one field is still a struct.
            Type::OsDevice => {
                record("os_devices").map_or(json!({}), |device| json!({"kinds": device["kinds"]}))
            }
            Type::NumaNode => {
                let numa = record("numa");
                let pages =
                    numa.map_or(&[][..], |numa| self.span(&tables["page_types"], &numa["page_types"]));
                let pages: Value = pages.iter().map(|page| json!([page["size"], page["count"]])).collect();
                json!({"local_memory": numa.map_or(json!(0), |numa| numa["local_memory"].clone()), "page_types": pages})
            }
            _ => json!({}),
        }
    }

    fn distances(&self, records: &mut Vec<Value>) {
        let tables = &self.0["distances"];
        for matrix in tables["matrices"].as_array().unwrap() {
            let objects = self.span(&tables["objects"], &matrix["objects"]);
            let first = number(&matrix["first_value"]) as usize;
            let values = &tables["values"].as_array().unwrap()[first..first + objects.len() * objects.len()];
            records.push(json!({
                "rec": "distances",
                "name": self.string(&matrix["name"]),
                "kind": matrix["kind"],
                "objs": objects.iter().map(|object| self.named(object)).collect::<Value>(),
                "values": values,
            }));
        }
    }

    fn memory_attributes(&self, records: &mut Vec<Value>) {
        let tables = &self.0["memory_attributes"];
        for (id, attribute) in tables["attributes"].as_array().unwrap().iter().enumerate() {
            let mut targets = Vec::new();
            // Capacity and locality are not stored.
            if id < 2 {
                let level =
                    self.0["levels"].as_array().unwrap().iter().find(|level| ty(level) == Type::NumaNode);
                for index in self.span(&self.0["cousins"], &level.unwrap()["members"]) {
                    let node = self.object(number(index) as usize);
                    let value = match id {
                        0 => self.attributes(node)["local_memory"].clone(),
                        _ => self.weight(&node["cpuset"]).into(),
                    };
                    targets.push(json!({"obj": self.named(index), "value": value}));
                }
            } else {
                for target in self.span(&tables["targets"], &attribute["targets"]) {
                    let values = self.span(&tables["values"], &target["values"]);
                    let object = self.named(&target["object"]);
                    if number(&attribute["flags"]) & 4 == 0 {
                        targets.push(json!({"obj": object, "value": values[0]["value"]}));
                        continue;
                    }
                    let from = |value: &Value| {
                        let (form, from) = value["from"].as_object().unwrap().iter().next().unwrap();
                        let place = match form.as_str() {
                            "Cpuset" => json!({"cpuset": self.set(&from["set"])}),
                            _ => json!({"obj": self.named(&from["object"])}),
                        };
                        json!({"loc": place, "value": value["value"]})
                    };
                    let initiators: Value = values.iter().map(from).collect();
                    targets.push(json!({"obj": object, "initiators": initiators}));
                }
            }
            let (name, flags) = (self.string(&attribute["name"]), &attribute["flags"]);
            records
                .push(json!({"rec": "memattr", "id": id, "name": name, "flags": flags, "targets": targets}));
        }
    }
}

/// What hwloc 2 calls what is stored in devices, by kinds and subtype.
type DeviceTypes = HashMap<(Option<u64>, Option<String>), Value>;

/// Compares what is dumped of a topology with what is shown of it.
fn compare(segment: &Path, what: &str, types: &mut DeviceTypes) -> usize {
    let dump = Dump(serde_json::from_str(&print(&["dump", text(segment), "--json"])).unwrap());
    let shown = print(&["topology", "show", "--jsonl", text(segment)]);
    let mut shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let support = shown[0]["support"].as_object_mut().unwrap();
    for numbers in support.values_mut() {
        *numbers =
            numbers.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).sum::<u64>().into();
    }
    let dumped = dump.records();
    assert_eq!(shown.len(), dumped.len(), "{what}");
    for (mut shown, dumped) in shown.into_iter().zip(&dumped) {
        if let Some(ty) = shown
            .get_mut("attr")
            .and_then(Value::as_object_mut)
            .and_then(|attributes| attributes.remove("osdev_type"))
        {
            // The same for the same.
            let stored = (dumped["attr"]["kinds"].as_u64(), dumped["subtype"].as_str().map(str::to_owned));
            assert_eq!(*types.entry(stored).or_insert(ty.clone()), ty, "{what}: {dumped}");
        }
        assert_eq!(shown, *dumped, "{what}");
    }
    dumped.len()
}

#[test]
fn a_dumped_topology_has_every_field_of_every_record() {
    assert_eq!(ChildKind::ALL.len(), 4);
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let (mut compared, mut types) = (0, DeviceTypes::new());
    own(&segment, |what| compared += compare(&segment, what, &mut types));
    println!("{compared} records");
}

#[test]
fn a_dumped_topology_has_every_field_of_every_record_real() {
    let dir = tempfile::tempdir().unwrap();
    let segment = dir.path().join("it.grv");
    let (mut compared, mut types) = (0, DeviceTypes::new());
    real(&segment, |xml| compared += compare(&segment, text(xml), &mut types));
    println!("{compared} records");
}
